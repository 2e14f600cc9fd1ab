//! Scenarios: small cohorts of devices, each with groups and policies of its own, brought into the
//! situations that requirements speak of.
//!
//! A scenario collects cases and judges nothing. What the target answers wrongly becomes a case
//! wherever a check can say so; an error ends the scenario, and the cases collected so far count.
//! Scenarios run beside each other and beside the load. None assigns anything to all devices.

mod assign;
mod bulk;
mod cohort;
mod conflict;
mod member;
mod misfit;
mod rbac;
mod rotate;
mod schedule;
mod view;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use tokio::task::JoinSet;

use crate::admin::AdminClient;
use crate::case::{AttemptAuditCase, AttemptClass, BooksCase, Case, RotationCase, WrongAnswer};
use crate::error::Error;
use crate::lab::Lab;
use crate::ledger::{Books, Discrepancy, Ledger, OpId, OpKind};
use crate::transcript::ExchangeId;

/// What scenarios work with; clones share everything.
#[derive(Clone, Debug)]
pub struct ScenarioContext {
    /// Makes devices.
    pub lab: Lab,
    /// The admin plane.
    pub admin: AdminClient,
    /// The books.
    pub ledger: Ledger,
}

/// How a scenario went.
#[derive(Debug)]
pub struct ScenarioOutcome {
    /// Its name, which is also the scope of its exchanges.
    pub name: &'static str,
    /// What it collected.
    pub cases: Vec<Case>,
    /// Why it ended early, if it did.
    pub error: Option<Error>,
}

type Running = Pin<Box<dyn Future<Output = ScenarioOutcome> + Send>>;

struct Scenario {
    name: &'static str,
    start: fn(ScenarioContext, &'static str) -> Running,
}

/// A scenario of this name and module-level `run` function.
macro_rules! scenario {
    ($name:literal, $run:path) => {
        Scenario {
            name: $name,
            start: |context, name| {
                Box::pin(async move {
                    let mut cases = Vec::new();
                    let error = Box::pin($run(&context, &mut cases)).await.err();
                    ScenarioOutcome { name, cases, error }
                })
            },
        }
    };
}

const SCENARIOS: [Scenario; 12] = [
    scenario!("assign", assign::run),
    scenario!("conflict-unassign", conflict::in_use_unassigned),
    scenario!("conflict-equalise", conflict::in_use_equalised),
    scenario!("conflict-fresh-unassign", conflict::fresh_unassigned),
    scenario!("conflict-fresh-equalise", conflict::fresh_equalised),
    scenario!("schedule", schedule::run),
    scenario!("rotate", rotate::run),
    scenario!("bulk", bulk::run),
    scenario!("view", view::run),
    scenario!("view-ad", view::run_ad),
    scenario!("rbac", rbac::run),
    scenario!("misfit", misfit::run),
];

/// Runs every scenario, all at once; the outcomes come in the order of the names' table.
pub async fn run_all(context: &ScenarioContext) -> Vec<ScenarioOutcome> {
    let mut running = JoinSet::new();
    for (place, scenario) in SCENARIOS.iter().enumerate() {
        let future = (scenario.start)(context.clone(), scenario.name);
        running.spawn(async move { (place, future.await) });
    }
    let mut outcomes: Vec<Option<ScenarioOutcome>> = SCENARIOS.iter().map(|_| None).collect();
    let mut panicked = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((place, outcome)) => outcomes[place] = Some(outcome),
            Err(error) => panicked.push(error.to_string()),
        }
    }
    let mut panicked = panicked.into_iter();
    let outcomes = outcomes.into_iter().zip(&SCENARIOS);
    outcomes
        .map(|(outcome, scenario)| {
            outcome.unwrap_or_else(|| ScenarioOutcome {
                name: scenario.name,
                cases: Vec::new(),
                error: Some(Error::Harness(format!(
                    "scenario `{}`: {}",
                    scenario.name,
                    panicked.next().unwrap_or_default()
                ))),
            })
        })
        .collect()
}

/// The cases that the load gives: its rotations, what was verified and what was wrong.
#[must_use]
pub fn load_cases(
    rotations: Vec<RotationCase>,
    wrong: Vec<WrongAnswer>,
    deliveries: u64,
) -> Vec<Case> {
    let rotations = rotations.into_iter().map(Case::Rotation);
    let wrong = wrong.into_iter().map(Case::WrongAnswer);
    rotations
        .chain(wrong)
        .chain([Case::Deliveries { count: deliveries }])
        .collect()
}

/// Every manual rotation in these cases.
pub fn rotations(cases: &[Case]) -> impl Iterator<Item = &RotationCase> {
    cases.iter().flat_map(|case| match case {
        Case::Rotation(rotation) => vec![rotation],
        Case::Comeback(comeback) => std::iter::once(&comeback.refused)
            .chain(&comeback.later)
            .collect(),
        Case::Delivery(_)
        | Case::Deliveries { .. }
        | Case::Unprocessed(_)
        | Case::ConflictCheckIn(_)
        | Case::ConflictReport(_)
        | Case::Resolution(_)
        | Case::Schedule(_)
        | Case::Bulk(_)
        | Case::CredentialView(_)
        | Case::AdView(_)
        | Case::ViewAudit(_)
        | Case::AttemptAudit(_)
        | Case::Books(_)
        | Case::Access(_)
        | Case::Misfit(_)
        | Case::WrongAnswer(_) => Vec::new(),
    })
}

/// One case for each rotation attempt and what the log shows of it; and one for the books of the
/// whole run. To be called when the logs were read to their end.
#[must_use]
pub fn audit_cases(cases: &[Case], ledger: &Ledger) -> Vec<Case> {
    let attempts = rotations(cases).filter_map(|rotation| {
        let view = ledger.op(rotation.op)?;
        let class = match (rotation.online, rotation.backed_up) {
            (true, true) => AttemptClass::Success,
            (true, false) => AttemptClass::Unbacked,
            (false, true) => AttemptClass::Offline,
            // Which of the two made it fail is not said; the books count it.
            (false, false) => return None,
        };
        Some(Case::AttemptAudit(AttemptAuditCase {
            device: rotation.device.clone(),
            class,
            status: rotation.status,
            expected: view.expected,
            events: view.seen,
            exchanges: rotation.exchanges.clone(),
        }))
    });
    // Reads of passwords are counted by a requirement of their own.
    let books = ledger.balance_of(OpKind::Rotation);
    let exchanges = unbalanced(&books, cases);
    attempts
        .chain([Case::Books(BooksCase { books, exchanges })])
        .collect()
}

/// The exchanges of the rotations that do not balance.
fn unbalanced(books: &Books, cases: &[Case]) -> Vec<ExchangeId> {
    let wrong: BTreeSet<OpId> = books
        .discrepancies
        .iter()
        .filter_map(|discrepancy| match discrepancy {
            Discrepancy::Operation { id, .. } => Some(*id),
            Discrepancy::Device { .. } | Discrepancy::Event(_) => None,
        })
        .collect();
    rotations(cases)
        .filter(|rotation| wrong.contains(&rotation.op))
        .flat_map(|rotation| rotation.exchanges.iter().copied())
        .collect()
}
