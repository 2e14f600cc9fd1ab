//! REQ-JOIN, REQ-BACKUP, REQ-SCHEDULE: who may back up where, and what the directory shows.

use protocol::graph::report::PolicyState;
use protocol::time::UtcTicks;

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{
    BackupCase, BackupSituation, BackupTimesCase, Case, DirectoryCase, ForeignUploadCase, QuietCase,
};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "join.entra.backs-up",
        requirement: "REQ-JOIN-001",
        source: "F-130",
        judge: |case| backup(case, &[BackupSituation::EntraJoined]).map(in_entra),
    },
    Check {
        id: "join.hybrid.entra-chosen",
        requirement: "REQ-JOIN-003",
        source: "F-131",
        judge: |case| backup(case, &[BackupSituation::HybridEntra]).map(in_entra),
    },
    Check {
        id: "join.hybrid.active-directory-chosen",
        requirement: "REQ-JOIN-003",
        source: "F-131",
        judge: |case| backup(case, &[BackupSituation::HybridAd]).map(in_active_directory),
    },
    Check {
        id: "join.registered.never-recorded",
        requirement: "REQ-JOIN-004",
        source: "F-133",
        judge: |case| backup(case, &[BackupSituation::Registered]).map(never_recorded),
    },
    Check {
        id: "join.unjoined.session-survives",
        requirement: "REQ-JOIN-005",
        source: "F-009",
        judge: |case| backup(case, &[BackupSituation::Unjoined]).map(survives_unjoined),
    },
    Check {
        id: "join.joined-since.backs-up",
        requirement: "REQ-JOIN-005",
        source: "F-009",
        judge: |case| backup(case, &[BackupSituation::JoinedSince]).map(in_entra),
    },
    Check {
        id: "join.switch-off.refused",
        requirement: "REQ-JOIN-006",
        source: "F-190",
        judge: |case| backup(case, &[BackupSituation::SwitchOff]).map(refused_by_switch),
    },
    Check {
        id: "join.disabled.no-new-record",
        requirement: "REQ-JOIN-007",
        source: "F-136",
        judge: |case| backup(case, &[BackupSituation::Disabled]).map(no_new_record),
    },
    Check {
        id: "backup.no-directory.nothing",
        requirement: "REQ-BACKUP-002",
        source: "S8, F-042",
        judge: |case| backup(case, &[BackupSituation::NoDirectory]).map(nothing_backed_up),
    },
    Check {
        id: "backup.foreign.refused",
        requirement: "REQ-BACKUP-003",
        source: "F-084",
        judge: |case| foreign(case).map(foreign_refused),
    },
    Check {
        id: "schedule.metadata.next-is-last-plus-age",
        requirement: "REQ-SCHEDULE-004",
        source: "S11, F-090",
        judge: |case| times(case).map(next_is_last_plus_age),
    },
    Check {
        id: "schedule.quiet.no-requests",
        requirement: "REQ-SCHEDULE-006",
        source: "F-064",
        judge: |case| quiet(case).map(no_requests),
    },
];

fn directory(case: &Case) -> Option<&DirectoryCase> {
    if let Case::Directory(case) = case {
        Some(case)
    } else {
        None
    }
}

fn backup<'c>(case: &'c Case, situations: &[BackupSituation]) -> Option<&'c BackupCase> {
    if let DirectoryCase::Backup(case) = directory(case)? {
        situations.contains(&case.situation).then_some(case)
    } else {
        None
    }
}

fn foreign(case: &Case) -> Option<&ForeignUploadCase> {
    if let DirectoryCase::Foreign(case) = directory(case)? {
        Some(case)
    } else {
        None
    }
}

fn times(case: &Case) -> Option<&BackupTimesCase> {
    if let DirectoryCase::Times(case) = directory(case)? {
        Some(case)
    } else {
        None
    }
}

fn quiet(case: &Case) -> Option<&QuietCase> {
    if let DirectoryCase::Quiet(case) = directory(case)? {
        Some(case)
    } else {
        None
    }
}

/// A record that was made in the situation: an upload was taken, or the metadata moved.
fn new_record(case: &BackupCase) -> Option<Breach> {
    let moved = case.after.last != case.before.last && case.after.last.is_some();
    (case.accepted > 0 || moved).then(|| {
        Breach::new(
            "record-made",
            format!(
                "{} uploads were taken, the last backup shown went from {} to {}",
                case.accepted,
                time_text(case.before.last),
                time_text(case.after.last)
            ),
        )
    })
}

fn time_text(time: Option<UtcTicks>) -> String {
    time.map_or_else(|| "nothing".to_owned(), |time| time.to_string())
}

fn in_entra(case: &BackupCase) -> Finding {
    // An upload that did not leave the device is the device's doing.
    if !case.delivered || case.accepted + case.refused == 0 {
        return Finding::NotArmed;
    }
    let breach = (case.accepted == 0)
        .then(|| {
            Breach::new(
                "backup-refused",
                format!("{} uploads were refused, none was taken", case.refused),
            )
        })
        .or_else(|| {
            (!case.shows_last).then(|| {
                Breach::new(
                    "backup-not-shown",
                    format!("the last backup is shown as {}", time_text(case.after.last)),
                )
            })
        })
        .or_else(|| {
            (case.ad_backups > 0).then(|| {
                Breach::new(
                    "both-directories",
                    "the same password went to Active Directory too".to_owned(),
                )
            })
        });
    finding(
        breach,
        "a device that is told to use Microsoft Entra ID is backed up there, and there alone",
        &case.exchanges,
    )
}

fn in_active_directory(case: &BackupCase) -> Finding {
    if !case.delivered || !case.twin {
        return Finding::NotArmed;
    }
    let shown = case.after.status.is_some_and(is_success) && case.after.last != case.before.last;
    let breach = (case.accepted > 0 || shown)
        .then(|| {
            Breach::new(
                "both-directories",
                format!(
                    "{} uploads to Microsoft Entra ID after Active Directory was chosen",
                    case.accepted
                ),
            )
        })
        .or_else(|| {
            (case.ad_backups == 0).then(|| {
                Breach::new(
                    "not-in-chosen-directory",
                    "nothing was backed up to Active Directory".to_owned(),
                )
            })
        });
    finding(
        breach,
        "a hybrid joined device that is told to use Active Directory is backed up there, and there alone",
        &case.exchanges,
    )
}

fn never_recorded(case: &BackupCase) -> Finding {
    if !case.delivered || !case.twin || case.accepted + case.refused == 0 {
        return Finding::NotArmed;
    }
    let breach = new_record(case).or_else(|| {
        (case.device_state == Some(PolicyState::Compliant)).then(|| {
            Breach::new(
                "reported-as-succeeded",
                "the policy is reported as succeeded".to_owned(),
            )
        })
    });
    finding(
        breach,
        "an Entra registered device has never a credential record, and its policy is not reported as succeeded",
        &case.exchanges,
    )
}

fn survives_unjoined(case: &BackupCase) -> Finding {
    if !case.twin {
        return Finding::NotArmed;
    }
    let breach = (case.broken > 0)
        .then(|| {
            Breach::new(
                "session-broken",
                format!("{} sessions came to no proper end", case.broken),
            )
        })
        .or_else(|| {
            (case.device_state == Some(PolicyState::Compliant)).then(|| {
                Breach::new(
                    "reported-as-succeeded",
                    "the policy is reported as succeeded".to_owned(),
                )
            })
        });
    finding(
        breach,
        "the sessions of a device that is not joined come to their end, and no policy is reported as succeeded on it",
        &case.exchanges,
    )
}

fn refused_by_switch(case: &BackupCase) -> Finding {
    if !case.delivered || !case.twin || case.accepted + case.refused == 0 {
        return Finding::NotArmed;
    }
    let affected = case
        .device_state
        .as_ref()
        .is_none_or(|state| *state != PolicyState::Compliant);
    let breach = new_record(case).or_else(|| {
        affected.then(|| {
            let state = case
                .device_state
                .as_ref()
                .map_or_else(|| "absent".to_owned(), |state| format!("`{state}`"));
            Breach::new("status-affected", format!("the policy is {state}"))
        })
    });
    finding(
        breach,
        "while the tenant's switch is off, backups are refused and leave no record, and the policy's status is as it would be",
        &case.exchanges,
    )
}

fn no_new_record(case: &BackupCase) -> Finding {
    if !case.twin || case.accepted + case.refused == 0 {
        return Finding::NotArmed;
    }
    finding(
        new_record(case),
        "a disabled device makes no new record until it is enabled",
        &case.exchanges,
    )
}

fn nothing_backed_up(case: &BackupCase) -> Finding {
    if !case.twin || case.broken > 0 {
        return Finding::NotArmed;
    }
    let shown = case.after.status.is_some_and(is_success);
    let breach = (case.accepted + case.refused > 0 || shown)
        .then(|| {
            Breach::new(
                "backup-without-directory",
                format!(
                    "{} uploads, the read of the credential gave {}",
                    case.accepted + case.refused,
                    status_text(case.after.status)
                ),
            )
        })
        .or_else(|| {
            (case.execs > 0).then(|| {
                Breach::new(
                    "rotated-without-directory",
                    format!("{} Exec of ResetPassword", case.execs),
                )
            })
        });
    finding(
        breach,
        "without a directory there is no record and no rotation, whatever else the policy sets",
        &case.exchanges,
    )
}

fn foreign_refused(case: &ForeignUploadCase) -> Finding {
    let Some(status) = case.status.filter(|status| *status != 429 && *status < 500) else {
        return Finding::NotArmed;
    };
    if !case.twin {
        return Finding::NotArmed;
    }
    let breach = (is_success(status) || case.changed).then(|| {
        Breach::new(
            "foreign-upload-taken",
            format!(
                "an upload of {} for {} gave status {status}",
                case.sender, case.named
            ),
        )
    });
    finding(
        breach,
        "an upload with the identity of another device is refused and changes nothing",
        &case.exchanges,
    )
}

const SECOND: i64 = 10_000_000;
const DAY: i64 = 86_400 * SECOND;
/// REQ-SCHEDULE-004.
const TOLERANCE: i64 = 5 * SECOND;

fn next_is_last_plus_age(case: &BackupTimesCase) -> Finding {
    let (Some(last), Some(next)) = (case.shown.last, case.shown.next) else {
        return Finding::NotArmed;
    };
    let due = case.at.as_ticks() + i64::from(case.age_days) * DAY;
    let breach = ((last.as_ticks() - case.at.as_ticks()).abs() > TOLERANCE)
        .then(|| {
            Breach::new(
                "last-rotation-wrong",
                format!("backup of {}, shown as {last}", case.at),
            )
        })
        .or_else(|| {
            ((next.as_ticks() - due).abs() > TOLERANCE).then(|| {
                Breach::new(
                    "next-rotation-wrong",
                    format!(
                        "backup of {} with an age of {} days, the next rotation is shown as {next}",
                        case.at, case.age_days
                    ),
                )
            })
        });
    finding(
        breach,
        "the next rotation is the last one plus the age of the policy, both in UTC",
        &case.exchanges,
    )
}

fn no_requests(case: &QuietCase) -> Finding {
    if !case.backed_up || case.hours == 0 || case.sessions == 0 || case.hours >= case.age_days * 24
    {
        return Finding::NotArmed;
    }
    let breach = (case.requests > 0).then(|| {
        Breach::new(
            "request-before-expiry",
            format!(
                "{} requests to the directory in {} hours and {} check-ins",
                case.requests, case.hours, case.sessions
            ),
        )
    });
    finding(
        breach,
        "until the password expires, the device sends nothing to the directory",
        &case.exchanges,
    )
}
