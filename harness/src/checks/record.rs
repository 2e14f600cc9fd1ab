//! REQ-VIEW: the password shown is the one in use, and goes with its device.

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{Case, CurrentPassword, DeletedDevice, RecordCase};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "view.explicit.current",
        requirement: "REQ-VIEW-003",
        source: "S11",
        judge: |case| {
            if let Case::Record(RecordCase::Current(case)) = case {
                Some(shows_current(case))
            } else {
                None
            }
        },
    },
    Check {
        id: "view.deleted.not-found",
        requirement: "REQ-VIEW-006",
        source: "F-192",
        judge: |case| {
            if let Case::Record(RecordCase::Deleted(case)) = case {
                Some(not_found(case))
            } else {
                None
            }
        },
    },
];

fn shows_current(case: &CurrentPassword) -> Finding {
    if case.backups == 0 || !case.status.is_some_and(is_success) {
        return Finding::NotArmed;
    }
    let breach = (!case.matches).then(|| {
        Breach::new(
            "stale-password",
            format!(
                "{}: after {} backups the newest entry is not the device's password",
                case.device, case.backups
            ),
        )
    });
    finding(
        breach,
        "an explicit read shows the password that the device holds",
        &case.exchanges,
    )
}

fn not_found(case: &DeletedDevice) -> Finding {
    // Throttling and trouble of the server prove nothing.
    let reads = [case.metadata, case.explicit];
    let clear = reads
        .iter()
        .all(|status| status.is_some_and(|status| status != 429 && status < 500));
    if !case.readable_before || !case.deleted.is_some_and(is_success) || !clear {
        return Finding::NotArmed;
    }
    let device = &case.device;
    let breach = if let Some(read) = case.leaks.first() {
        Some(Breach::new(
            "password-after-deletion",
            format!("{device}: a password in the answer to {read}"),
        ))
    } else if let Some(status) = reads.into_iter().find(|status| *status != Some(404)) {
        Some(Breach::new(
            "found-after-deletion",
            format!("{device}: {}", status_text(status)),
        ))
    } else {
        case.listed.then(|| {
            Breach::new(
                "listed-after-deletion",
                format!("{device} still stands in the list of credentials"),
            )
        })
    };
    finding(
        breach,
        "the credential of a device whose object was deleted is not found, and its password cannot be recovered",
        &case.exchanges,
    )
}
