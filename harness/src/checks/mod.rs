//! The checks: each reads cases and says whether one requirement held.
//!
//! Checks are pure. They know `protocol`'s types, the cases and the verdict types, never a device's
//! inside. Numbers from the specification stand in them as literals, with their source.

mod action;
mod assign;
mod audit;
mod bulk;
mod choice;
mod conflict;
mod directory;
mod leak;
mod log;
mod misfit;
mod rbac;
mod reach;
mod record;
mod report;
mod rights;
mod rotate;
mod schedule;
mod several;
#[cfg(test)]
mod tests;
mod together;
mod view;
mod wire;

use std::collections::BTreeMap;

use crate::case::{Case, WrongAnswer};
use crate::transcript::ExchangeId;
use crate::verdict::{Finding, Tally, Violation};

/// Code that judges one requirement in one kind of situation.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// `area.verb.case`, stable over releases.
    pub id: &'static str,
    /// The requirement, for example `REQ-ROTATE-003`.
    pub requirement: &'static str,
    /// Where the requirement comes from: an anchor of the seed article.
    pub source: &'static str,
    /// Judges a case; `None` when the case is not of its kind.
    pub judge: fn(&Case) -> Option<Finding>,
}

/// Every check, in the order of the areas.
pub const CHECKS: [Check; COUNT] = joined();

const AREAS: [&[Check]; 21] = [
    assign::CHECKS,
    conflict::CHECKS,
    schedule::CHECKS,
    rotate::CHECKS,
    bulk::CHECKS,
    view::CHECKS,
    audit::CHECKS,
    rbac::CHECKS,
    misfit::CHECKS,
    action::CHECKS,
    choice::CHECKS,
    record::CHECKS,
    log::CHECKS,
    rights::CHECKS,
    together::CHECKS,
    wire::CHECKS,
    reach::CHECKS,
    several::CHECKS,
    directory::CHECKS,
    report::CHECKS,
    leak::CHECKS,
];

const COUNT: usize = {
    let (mut count, mut area) = (0, 0);
    while area < AREAS.len() {
        count += AREAS[area].len();
        area += 1;
    }
    count
};

/// The areas' tables as one.
const fn joined() -> [Check; COUNT] {
    let mut checks = [AREAS[0][0]; COUNT];
    let (mut place, mut area) = (0, 0);
    while area < AREAS.len() {
        let mut row = 0;
        while row < AREAS[area].len() {
            checks[place] = AREAS[area][row];
            place += 1;
            row += 1;
        }
        area += 1;
    }
    checks
}

/// The checks that decide a requirement.
pub fn of_requirement(requirement: &str) -> impl Iterator<Item = Check> {
    CHECKS
        .into_iter()
        .filter(move |check| check.requirement == requirement)
}

/// The counts of every requirement that has a check, after all checks saw all cases.
#[must_use]
pub fn tally(cases: &[Case]) -> BTreeMap<&'static str, Tally> {
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    for check in CHECKS {
        let tally = tallies.entry(check.requirement).or_default();
        for finding in cases.iter().filter_map(check.judge) {
            tally.count(finding);
        }
    }
    for case in cases {
        if let Case::WrongAnswer(wrong) = case {
            count_wrong_answer(&mut tallies, wrong);
        } else if let Case::Deliveries { count } = case {
            // REQ-ASSIGN-001: each of these answers was compared leaf by leaf when it arrived.
            let tally = tallies.entry(assign::DELIVERY).or_default();
            tally.evaluated += count;
            tally.armed += count;
        }
    }
    tallies
}

fn count_wrong_answer(tallies: &mut BTreeMap<&'static str, Tally>, wrong: &WrongAnswer) {
    let Some(requirement) = wrong.requirement else {
        return;
    };
    tallies
        .entry(requirement)
        .or_default()
        .count(Finding::Violated(Violation {
            fingerprint: wrong.fingerprint,
            required: wrong.required.clone(),
            seen: wrong.seen.clone(),
            exchanges: wrong.exchange.into_iter().collect(),
        }));
}

/// One way in which a requirement can be violated: its name and what was seen.
struct Breach {
    fingerprint: &'static str,
    seen: String,
}

impl Breach {
    const fn new(fingerprint: &'static str, seen: String) -> Self {
        Self { fingerprint, seen }
    }
}

/// A finding of an armed case: the breach if there is one.
fn finding(breach: Option<Breach>, required: &str, exchanges: &[ExchangeId]) -> Finding {
    breach.map_or(Finding::Held, |breach| {
        Finding::Violated(Violation {
            fingerprint: breach.fingerprint,
            required: required.to_owned(),
            seen: breach.seen,
            exchanges: exchanges.to_vec(),
        })
    })
}

/// True for 2xx.
const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}

/// A status in words.
fn status_text(status: Option<u16>) -> String {
    status.map_or_else(
        || "no answer".to_owned(),
        |status| format!("status {status}"),
    )
}
