//! Every check against handmade cases: the right one, one that must not count, and a wrong one for
//! each fingerprint.

mod credential;
mod policy;
mod rotation;

use std::collections::BTreeSet;

use super::*;

/// What a check must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Held,
    NotArmed,
    Violated(&'static str),
}

/// How a row changes the right case, and what the check must say then.
type Row<T> = (fn(&mut T), Says);

/// Runs one check by id on the case as the table changes it.
fn check<T: Clone>(id: &str, right: &T, wrap: fn(T) -> Case, table: &[Row<T>]) {
    let found = CHECKS
        .into_iter()
        .find(|check| check.id == id)
        .expect("the check is registered");
    for (row, (change, expected)) in table.iter().enumerate() {
        let mut case = right.clone();
        change(&mut case);
        let says = match (found.judge)(&wrap(case)) {
            Some(Finding::Held) => Says::Held,
            Some(Finding::NotArmed) => Says::NotArmed,
            Some(Finding::Violated(violation)) => Says::Violated(violation.fingerprint),
            None => panic!("{id}, row {row}: not a case of its kind"),
        };
        assert_eq!(says, *expected, "{id}, row {row}");
    }
}

fn exchange(number: u64) -> ExchangeId {
    ExchangeId(number)
}

#[test]
fn ids_are_unique_and_every_requirement_of_the_list_has_a_check() {
    let ids: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), CHECKS.len());
    let judged: BTreeSet<&str> = CHECKS.iter().map(|check| check.requirement).collect();
    let listed: BTreeSet<&str> = JUDGED.into_iter().collect();
    assert!(listed.is_subset(&judged), "{listed:?}");
}

/// The requirements that a run judges.
const JUDGED: [&str; 35] = [
    "REQ-ASSIGN-001",
    "REQ-ASSIGN-003",
    "REQ-CONFLICT-001",
    "REQ-CONFLICT-002",
    "REQ-CONFLICT-003",
    "REQ-CONFLICT-004",
    "REQ-CONFLICT-005",
    "REQ-CONFLICT-007",
    "REQ-CONFLICT-008",
    "REQ-CONFLICT-009",
    "REQ-CONFLICT-010",
    "REQ-SCHEDULE-002",
    "REQ-SCHEDULE-003",
    "REQ-ROTATE-001",
    "REQ-ROTATE-003",
    "REQ-ROTATE-004",
    "REQ-ROTATE-005",
    "REQ-ROTATE-006",
    "REQ-ROTATE-015",
    "REQ-BULK-001",
    "REQ-BULK-002",
    "REQ-BULK-004",
    "REQ-VIEW-001",
    "REQ-VIEW-002",
    "REQ-VIEW-004",
    "REQ-AUDIT-001",
    "REQ-AUDIT-002",
    "REQ-AUDIT-003",
    "REQ-AUDIT-004",
    "REQ-AUDIT-005",
    "REQ-RBAC-001",
    "REQ-RBAC-003",
    "REQ-RBAC-007",
    "REQ-JOIN-002",
    "REQ-ACCOUNT-003",
];

#[test]
fn without_cases_every_requirement_is_listed_and_nothing_is_armed() {
    let tallies = tally(&[]);
    let judged: BTreeSet<&str> = CHECKS.iter().map(|check| check.requirement).collect();
    assert_eq!(tallies.len(), judged.len());
    assert!(
        tallies
            .values()
            .all(|tally| tally.evaluated == 0 && tally.armed == 0)
    );
}

#[test]
fn verified_deliveries_and_wrong_answers_of_the_load_are_counted() {
    let wrong = |requirement| {
        Case::WrongAnswer(WrongAnswer {
            requirement,
            fingerprint: "unexpected-write",
            required: "no write".to_owned(),
            seen: "a write".to_owned(),
            exchange: Some(exchange(3)),
        })
    };
    let cases = [
        Case::Deliveries { count: 7 },
        wrong(Some("REQ-ASSIGN-001")),
        wrong(None),
    ];
    let tallies = tally(&cases);
    let assign = &tallies["REQ-ASSIGN-001"];
    assert_eq!((assign.evaluated, assign.armed, assign.violated), (8, 8, 1));
    assert_eq!(assign.violations[0].exchanges, [exchange(3)]);
    let violated: u64 = tallies.values().map(|tally| tally.violated).sum();
    assert_eq!(violated, 1);
}
