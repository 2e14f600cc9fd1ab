//! Scenarios: small cohorts of devices, each with groups and policies of its own, brought into the
//! situations that requirements speak of.
//!
//! A scenario collects cases and judges nothing. What the target answers wrongly becomes a case
//! wherever a check can say so; an error ends the scenario, and the cases collected so far count.
//! Scenarios run beside each other and beside the load. None assigns anything to all devices.

mod actions;
mod assign;
mod bulk;
mod choice;
mod clock;
mod cohort;
mod conflict;
mod deleted;
mod directory;
mod events;
mod log;
mod member;
mod misfit;
mod rbac;
mod reach;
mod report;
mod rights;
mod rotate;
mod schedule;
mod select;
mod several;
mod shown;
mod states;
mod steady;
mod together;
mod unmanaged;
mod view;
mod watch;
mod wire;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use crate::admin::AdminClient;
use crate::case::{AttemptAuditCase, AttemptClass, BooksCase, Case, RotationCase, WrongAnswer};
use crate::error::Error;
use crate::lab::Lab;
use crate::ledger::{Books, Discrepancy, Ledger, OpId, OpKind};
use crate::limits::Patience;
use crate::transcript::{ExchangeId, Plane, Transcript};

pub(crate) use select::died;
pub use select::{Picked, pick};

/// What scenarios work with; clones share everything.
#[derive(Clone, Debug)]
pub struct ScenarioContext {
    /// Makes devices.
    pub lab: Lab,
    /// The admin plane.
    pub admin: AdminClient,
    /// The books.
    pub ledger: Ledger,
    /// How long the target may take to show what happened.
    pub patience: Patience,
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
    /// The requirements that it exercises; none listed: any, so that it is never left out.
    serves: &'static [&'static str],
    /// True for one that changes what others see, for example the target's clock.
    alone: bool,
}

/// A scenario of this name and module-level `run` function, with the numbers of the requirements
/// that it exercises, for example `["ROTATE-003"]`; `alone` for one that nothing may run beside.
macro_rules! scenario {
    ($name:literal, $run:path) => {
        scenario!(@ $name, $run, &[], false)
    };
    ($name:literal, $run:path, [$($serves:literal),+ $(,)?]) => {
        scenario!(@ $name, $run, &[$(concat!("REQ-", $serves)),+], false)
    };
    (alone $name:literal, $run:path) => {
        scenario!(@ $name, $run, &[], true)
    };
    (alone $name:literal, $run:path, [$($serves:literal),+ $(,)?]) => {
        scenario!(@ $name, $run, &[$(concat!("REQ-", $serves)),+], true)
    };
    (@ $name:literal, $run:path, $serves:expr, $alone:literal) => {
        Scenario {
            name: $name,
            serves: $serves,
            alone: $alone,
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
    scenario!("assign", assign::run, ["ASSIGN-001", "ASSIGN-003"]),
    scenario!(
        "conflict-unassign",
        conflict::in_use_unassigned,
        [
            "CONFLICT-001",
            "CONFLICT-002",
            "CONFLICT-003",
            "CONFLICT-004"
        ]
    ),
    scenario!(
        "conflict-equalise",
        conflict::in_use_equalised,
        [
            "CONFLICT-001",
            "CONFLICT-002",
            "CONFLICT-003",
            "CONFLICT-005"
        ]
    ),
    scenario!(
        "conflict-fresh-unassign",
        conflict::fresh_unassigned,
        [
            "CONFLICT-007",
            "CONFLICT-008",
            "CONFLICT-009",
            "CONFLICT-010"
        ]
    ),
    scenario!(
        "conflict-fresh-equalise",
        conflict::fresh_equalised,
        [
            "CONFLICT-007",
            "CONFLICT-008",
            "CONFLICT-009",
            "CONFLICT-010"
        ]
    ),
    scenario!("schedule", schedule::run, ["SCHEDULE-002", "SCHEDULE-003"]),
    scenario!(
        "rotate",
        rotate::run,
        [
            "ASSIGN-001",
            "ROTATE-001",
            "ROTATE-003",
            "ROTATE-004",
            "ROTATE-005",
            "ROTATE-006",
            "ROTATE-015",
            "AUDIT-001",
            "AUDIT-002",
            "AUDIT-003",
            "AUDIT-004",
            "AUDIT-010"
        ]
    ),
    scenario!(
        "bulk",
        bulk::run,
        ["BULK-001", "BULK-002", "BULK-004", "AUDIT-004"]
    ),
    scenario!(
        "view",
        view::run,
        ["VIEW-001", "VIEW-002", "AUDIT-005", "AUDIT-010"]
    ),
    scenario!("view-ad", view::run_ad, ["VIEW-004"]),
    scenario!(
        "rbac",
        rbac::run,
        ["RBAC-001", "RBAC-003", "RBAC-007", "AUDIT-010"]
    ),
    scenario!("misfit", misfit::run, ["ACCOUNT-003", "JOIN-002"]),
];

/// The scenarios of requirements that `muster run` does not exercise.
const CONFORM_SCENARIOS: &[Scenario] = &[
    scenario!(
        "watch",
        watch::run,
        ["ROTATE-002", "ROTATE-010", "ROTATE-011", "PROTO-007"]
    ),
    scenario!(
        "actions",
        actions::run,
        ["ROTATE-012", "ROTATE-013", "ROTATE-014"]
    ),
    scenario!(
        "choice",
        choice::run,
        [
            "ROTATE-007",
            "ROTATE-009",
            "VIEW-003",
            "VIEW-005",
            "AUDIT-012"
        ]
    ),
    scenario!(
        "log",
        log::run,
        ["AUDIT-006", "AUDIT-007", "AUDIT-009", "AUDIT-011"]
    ),
    scenario!(
        "rights",
        rights::run,
        ["RBAC-002", "RBAC-004", "RBAC-005", "RBAC-006"]
    ),
    scenario!(
        "together",
        together::run,
        ["BULK-003", "BULK-005", "AUDIT-008"]
    ),
    scenario!("deleted", deleted::run, ["VIEW-006"]),
    scenario!(
        "wire",
        wire::run,
        [
            "PROTO-001",
            "PROTO-002",
            "PROTO-003",
            "PROTO-004",
            "PROTO-005",
            "PROTO-006",
            "CSP-PasswordAgeDays-001"
        ]
    ),
    scenario!("policy-body", reach::policy_body, ["POLICY-002"]),
    scenario!("announced", reach::announced, ["ASSIGN-002", "ASSIGN-006"]),
    scenario!("users", reach::users, ["ASSIGN-004", "ASSIGN-005"]),
    scenario!("cadence", reach::cadence, ["CHECKIN-001"]),
    scenario!(
        "steady",
        steady::run,
        ["ASSIGN-007", "ASSIGN-008", "CHECKIN-002"]
    ),
    scenario!(
        "clash-in-use",
        several::in_use,
        ["CONFLICT-006", "CONFLICT-014", "CONFLICT-016"]
    ),
    scenario!(
        "agreeing",
        several::agreeing,
        ["CONFLICT-012", "CONFLICT-017"]
    ),
    scenario!(
        "clash-fresh",
        several::fresh,
        [
            "CONFLICT-011",
            "CONFLICT-013",
            "CONFLICT-015",
            "CONFLICT-016"
        ]
    ),
    scenario!(
        "backups",
        directory::backups,
        [
            "JOIN-001",
            "JOIN-003",
            "JOIN-004",
            "BACKUP-002",
            "BACKUP-003",
            "SCHEDULE-004",
            "SCHEDULE-006"
        ]
    ),
    scenario!(
        "device-states",
        directory::states_of_devices,
        ["JOIN-005", "JOIN-007"]
    ),
    scenario!(
        "reports",
        report::run,
        ["REPORT-001", "REPORT-002", "REPORT-003", "REPORT-004"]
    ),
    scenario!(alone "switch", directory::switch, ["JOIN-006", "JOIN-008"]),
    scenario!(alone "clock", clock::run, ["ROTATE-007", "ROTATE-008"]),
];

/// The requirements that a scenario exercises, by its name; those of none for an unknown name.
pub(crate) fn requirements_of(name: &str) -> &'static [&'static str] {
    let all = SCENARIOS.iter().chain(CONFORM_SCENARIOS);
    let mut named = all.filter(|scenario| scenario.name == name);
    named.next().map_or(&[], |scenario| scenario.serves)
}

/// Runs every scenario of `muster run`, all at once; the outcomes come in the order of the names'
/// table.
pub async fn run_all(context: &ScenarioContext) -> Vec<ScenarioOutcome> {
    select::together(context, &SCENARIOS.iter().collect::<Vec<_>>()).await
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

/// One case for the form of every management answer that was recorded and asks something of a
/// device.
#[must_use]
pub fn answer_cases(transcript: &Transcript) -> Vec<Case> {
    wire::answers(transcript, transcript.ids(Plane::Manage))
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
        | Case::Action(_)
        | Case::Choice(_)
        | Case::Record(_)
        | Case::Log(_)
        | Case::Rights(_)
        | Case::Together(_)
        | Case::Wire(_)
        | Case::Reach(_)
        | Case::Several(_)
        | Case::Directory(_)
        | Case::Report(_)
        | Case::Leak(_)
        | Case::WrongAnswer(_) => Vec::new(),
    })
}

/// One case for each rotation attempt and what the log shows of it; and one for the books of the
/// whole run. To be called when the logs were read to their end; `log` is that reading.
#[must_use]
pub fn audit_cases(cases: &[Case], ledger: &Ledger, log: &[ExchangeId]) -> Vec<Case> {
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
    let books = OpKind::ALL.map(|kind| {
        let books = ledger.balance_of(kind);
        let mut exchanges = unbalanced(&books, cases);
        exchanges.extend_from_slice(log);
        Case::Books(BooksCase {
            kind,
            books,
            exchanges,
        })
    });
    attempts.chain(books).collect()
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
