//! What was required of the device and whether it held.

use std::collections::BTreeMap;

use super::{DEV_REQUIREMENTS, DevRow};
use crate::verdict::{Finding, Tally, Violation};

/// One thing that a device must do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The row of the catalogue.
    pub(super) requirement: &'static str,
    /// The name of the way it is violated.
    pub(super) fingerprint: &'static str,
    /// The sentence.
    pub(super) required: &'static str,
}

/// The counts so far.
#[derive(Debug, Default)]
pub(super) struct Book {
    tallies: BTreeMap<&'static str, Tally>,
}

impl Book {
    /// Counts a situation that arose; `seen` tells what was seen when the rule did not hold.
    pub(super) fn hold(&mut self, rule: Rule, holds: bool, seen: impl FnOnce() -> String) {
        let finding = if holds {
            Finding::Held
        } else {
            Finding::Violated(Violation {
                fingerprint: rule.fingerprint,
                required: rule.required.to_owned(),
                seen: seen(),
                exchanges: Vec::new(),
            })
        };
        self.tallies
            .entry(rule.requirement)
            .or_default()
            .count(finding);
    }

    /// A device that ended a scenario: all that the scenario judges is violated.
    pub(super) fn broke_off(&mut self, judged: &'static [&'static str], what: &str, seen: &str) {
        for requirement in judged {
            let rule = Rule {
                requirement,
                fingerprint: "device-broke-off",
                required: "the device goes through the scenario to its end",
            };
            self.hold(rule, false, || format!("{what}: {seen}"));
        }
    }

    /// The rows, in the order of the list.
    pub(super) fn rows(mut self) -> Vec<DevRow> {
        let row = |requirement: &&'static str| {
            let tally = self.tallies.remove(requirement).unwrap_or_default();
            DevRow {
                requirement,
                armed: tally.armed,
                violated: tally.violated,
                violations: tally.violations,
            }
        };
        DEV_REQUIREMENTS.iter().map(row).collect()
    }
}
