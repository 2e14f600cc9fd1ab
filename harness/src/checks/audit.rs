//! REQ-AUDIT: what happened stands in the logs, each thing once.

use super::{Breach, Check, finding};
use crate::case::{AttemptAuditCase, AttemptClass, BooksCase, Case, ViewAuditCase};
use crate::ledger::OpKind;
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "audit.rotate.success",
        requirement: "REQ-AUDIT-001",
        source: "S17",
        judge: |case| attempt(case, AttemptClass::Success).map(one_event),
    },
    Check {
        id: "audit.rotate.offline",
        requirement: "REQ-AUDIT-002",
        source: "S17, S19",
        judge: |case| attempt(case, AttemptClass::Offline).map(one_event),
    },
    Check {
        id: "audit.rotate.unbacked",
        requirement: "REQ-AUDIT-003",
        source: "S16, S17",
        judge: |case| attempt(case, AttemptClass::Unbacked).map(one_event),
    },
    Check {
        id: "audit.rotate.books",
        requirement: "REQ-AUDIT-004",
        source: "S17",
        judge: |case| books(case, OpKind::Rotation).map(|case| books_balance(case, UNDER_LOAD)),
    },
    Check {
        id: "audit.view.each-read",
        requirement: "REQ-AUDIT-005",
        source: "S12",
        judge: |case| {
            if let Case::ViewAudit(case) = case {
                Some(each_read(case))
            } else {
                None
            }
        },
    },
    Check {
        id: "audit.view.books",
        requirement: "REQ-AUDIT-005",
        source: "S12",
        judge: |case| books(case, OpKind::Recover).map(|case| books_balance(case, READS)),
    },
];

const UNDER_LOAD: &str =
    "under load every attempt leaves its event: none lost, none twice, none without an attempt";
const READS: &str =
    "every read of a password leaves its event: none lost, none twice, none without a read";

fn books(case: &Case, kind: OpKind) -> Option<&BooksCase> {
    if let Case::Books(case) = case {
        (case.kind == kind).then_some(case)
    } else {
        None
    }
}

fn attempt(case: &Case, class: AttemptClass) -> Option<&AttemptAuditCase> {
    if let Case::AttemptAudit(case) = case {
        (case.class == class).then_some(case)
    } else {
        None
    }
}

fn one_event(case: &AttemptAuditCase) -> Finding {
    // S17 speaks of each attempt: what was refused for want of rights or never answered is judged
    // by the books, which know the interval.
    if case.status.is_none() || case.expected.low == 0 {
        return Finding::NotArmed;
    }
    let seen = format!(
        "{}: {} events, {} to {} expected",
        case.device, case.events, case.expected.low, case.expected.high
    );
    let breach = if case.events < case.expected.low {
        Some(Breach::new("attempt-not-logged", seen))
    } else if case.events > case.expected.high {
        Some(Breach::new("attempt-logged-twice", seen))
    } else {
        None
    };
    finding(
        breach,
        "each attempt to rotate a password leaves exactly one event, whatever its end",
        &case.exchanges,
    )
}

fn books_balance(case: &BooksCase, required: &str) -> Finding {
    let books = &case.books;
    if books.expected_low == 0 || books.undetermined() {
        return Finding::NotArmed;
    }
    let fingerprint = match (books.lost, books.duplicated, books.phantom) {
        (0, 0, 0) => None,
        (0, 0, _) => Some("phantom-event"),
        (0, _, _) => Some("duplicated-event"),
        _ => Some("lost-event"),
    };
    let breach = fingerprint.map(|fingerprint| {
        let first = books
            .discrepancies
            .first()
            .map(|first| format!("; first: {first}"));
        Breach::new(
            fingerprint,
            format!(
                "{} events for {} to {} expected: {} lost, {} duplicated, {} phantom{}",
                books.seen,
                books.expected_low,
                books.expected_high,
                books.lost,
                books.duplicated,
                books.phantom,
                first.unwrap_or_default()
            ),
        )
    });
    finding(breach, required, &case.exchanges)
}

fn each_read(case: &ViewAuditCase) -> Finding {
    if case.reads == 0 {
        return Finding::NotArmed;
    }
    let seen = format!(
        "{}: {} events for {} reads of the password and {} of metadata",
        case.device, case.events, case.reads, case.metadata_reads
    );
    let breach = if case.events < case.reads {
        Some(Breach::new("view-not-logged", seen))
    } else if case.events > case.reads {
        Some(Breach::new("view-logged-too-often", seen))
    } else {
        None
    };
    finding(
        breach,
        "each retrieval of a password leaves exactly one event, a read of metadata none",
        &case.exchanges,
    )
}
