//! REQ-ROTATE: manual rotation of one device.

use protocol::JoinType;
use protocol::graph::action::ActionState;

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{Case, ComebackCase, RotationCase};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "rotate.online.succeeds",
        requirement: "REQ-ROTATE-001",
        source: "S21",
        judge: |case| {
            each_rotation(case)
                .filter(|case| is_ready(case))
                .map(succeeds)
        },
    },
    Check {
        id: "rotate.offline.fails",
        requirement: "REQ-ROTATE-003",
        source: "S19",
        judge: |case| {
            each_rotation(case)
                .filter(|case| is_refused_offline(case))
                .map(fails_offline)
        },
    },
    Check {
        id: "rotate.offline.later-succeeds",
        requirement: "REQ-ROTATE-004",
        source: "S19",
        judge: |case| comeback(case).map(later_succeeds),
    },
    Check {
        id: "rotate.unbacked.fails",
        requirement: "REQ-ROTATE-005",
        source: "S16",
        judge: |case| {
            each_rotation(case)
                .filter(|case| case.online && !case.backed_up)
                .map(fails_unbacked)
        },
    },
    Check {
        id: "rotate.online.far-from-expiry",
        requirement: "REQ-ROTATE-006",
        source: "S27",
        judge: |case| {
            each_rotation(case)
                .filter(|case| is_ready(case) && case.hours_to_expiry >= FAR_FROM_EXPIRY_HOURS)
                .map(succeeds)
        },
    },
    Check {
        id: "rotate.offline.no-effect-later",
        requirement: "REQ-ROTATE-015",
        source: "S19",
        judge: |case| comeback(case).map(no_effect_later),
    },
    Check {
        id: "rotate.offline.no-exec-under-load",
        requirement: "REQ-ROTATE-015",
        source: "S19",
        judge: |case| {
            each_rotation(case)
                .filter(|case| case.in_load && is_refused_offline(case))
                .map(no_exec_under_load)
        },
    },
];

/// A password with a day or more to live is far from its expiry: no cycle of the device is near.
const FAR_FROM_EXPIRY_HOURS: i64 = 24;

fn each_rotation(case: &Case) -> Option<&RotationCase> {
    match case {
        Case::Rotation(case) => Some(case),
        Case::Comeback(case) => Some(&case.refused),
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
        | Case::WrongAnswer(_) => None,
    }
}

fn comeback(case: &Case) -> Option<&ComebackCase> {
    if let Case::Comeback(case) = case {
        Some(case)
    } else {
        None
    }
}

/// Online, backed up, and of a join state that rotation is offered for.
fn is_ready(case: &RotationCase) -> bool {
    case.online && case.backed_up && case.join_type.has_directory_object()
}

/// S19 speaks of Entra joined devices alone.
fn is_refused_offline(case: &RotationCase) -> bool {
    !case.online && case.backed_up && case.join_type == JoinType::EntraJoined
}

fn succeeds(case: &RotationCase) -> Finding {
    let Some(status) = case.status else {
        return Finding::NotArmed;
    };
    finding(
        not_carried_out(case, status),
        "the rotation of an online device with a backup is accepted, reaches the device, leads to a new backup and ends as done, whatever the age of the password",
        &case.exchanges,
    )
}

/// Why a rotation that had to succeed did not.
fn not_carried_out(case: &RotationCase, status: u16) -> Option<Breach> {
    let device = &case.device;
    if !is_success(status) {
        return Some(Breach::new(
            "rotation-refused",
            format!("{device}: status {status}"),
        ));
    }
    if case.execs == 0 {
        let state = state_text(case);
        let fingerprint = match case.action.as_ref().map(|action| &action.state) {
            Some(ActionState::Done) => "done-without-exec",
            Some(ActionState::Failed) => "rotation-failed",
            Some(
                ActionState::None
                | ActionState::Pending
                | ActionState::Canceled
                | ActionState::Active
                | ActionState::NotSupported
                | ActionState::Other(_),
            )
            | None => "no-exec",
        };
        return Some(Breach::new(
            fingerprint,
            format!("{device}: no Exec, the action is {state}"),
        ));
    }
    if case.backups == 0 || !case.password_changed {
        return Some(Breach::new(
            "no-new-backup",
            format!("{device}: no new password in the directory"),
        ));
    }
    if !has_state(case, &ActionState::Done) {
        return Some(Breach::new(
            "not-done",
            format!("{device}: the action is {}", state_text(case)),
        ));
    }
    (case.password_shown == Some(false)).then(|| {
        Breach::new(
            "new-password-not-shown",
            format!("{device}: the directory does not show the password that the device holds"),
        )
    })
}

fn fails_offline(case: &RotationCase) -> Finding {
    if case.status.is_none() {
        return Finding::NotArmed;
    }
    let fingerprint = if has_state(case, &ActionState::Done) {
        "done-though-offline"
    } else {
        "not-failed-in-time"
    };
    finding(
        not_failed(case, fingerprint),
        "the rotation of an Entra joined device that is offline when it is requested ends as failed within the time limit",
        &case.exchanges,
    )
}

fn fails_unbacked(case: &RotationCase) -> Finding {
    if case.status.is_none() {
        return Finding::NotArmed;
    }
    let unsupported = has_state(case, &ActionState::NotSupported)
        && !matches!(
            case.join_type,
            JoinType::EntraJoined | JoinType::EntraHybridJoined
        );
    let breach = (!unsupported)
        .then(|| not_failed(case, "not-failed-without-backup"))
        .flatten()
        .or_else(|| {
            (case.execs > 0).then(|| {
                Breach::new(
                    "exec-without-backup",
                    format!("{}: {} Exec", case.device, case.execs),
                )
            })
        });
    finding(
        breach,
        "the rotation of a device that was never backed up ends as failed, and the device gets no Exec",
        &case.exchanges,
    )
}

fn not_failed(case: &RotationCase, fingerprint: &'static str) -> Option<Breach> {
    (!has_state(case, &ActionState::Failed)).then(|| {
        Breach::new(
            fingerprint,
            format!(
                "{}: {}, the action is {}",
                case.device,
                status_text(case.status),
                state_text(case)
            ),
        )
    })
}

fn later_succeeds(case: &ComebackCase) -> Finding {
    let Some(later) = &case.later else {
        return Finding::NotArmed;
    };
    let (Some(status), true) = (later.status, case.sessions > 0) else {
        return Finding::NotArmed;
    };
    let breach = not_carried_out(later, status).or_else(|| {
        (later.execs > 1).then(|| {
            Breach::new(
                "more-than-one-exec",
                format!("{}: {} Exec for one request", later.device, later.execs),
            )
        })
    });
    let exchanges: Vec<_> = case
        .refused
        .exchanges
        .iter()
        .chain(&later.exchanges)
        .copied()
        .collect();
    finding(
        breach,
        "after a rotation failed for want of connection, a new request with the device online succeeds with exactly one Exec",
        &exchanges,
    )
}

fn no_effect_later(case: &ComebackCase) -> Finding {
    if case.refused.status.is_none() || case.sessions == 0 {
        return Finding::NotArmed;
    }
    let device = &case.refused.device;
    let breach = if case.execs > 0 {
        Some(Breach::new(
            "exec-after-failed-action",
            format!(
                "{device}: {} Exec for a rotation that had failed",
                case.execs
            ),
        ))
    } else if case.backups > 0 || case.password_changed {
        Some(Breach::new(
            "password-changed-by-failed-action",
            format!("{device}: a new password"),
        ))
    } else if case.next_before.is_some() && case.next_before != case.next_after {
        let next = case
            .next_after
            .map_or_else(|| "nothing".to_owned(), |next| next.to_string());
        Some(Breach::new(
            "schedule-changed-by-failed-action",
            format!("{device}: the next rotation is shown as {next}"),
        ))
    } else {
        None
    };
    let exchanges: Vec<_> = case
        .refused
        .exchanges
        .iter()
        .chain(&case.exchanges)
        .copied()
        .collect();
    finding(
        breach,
        "a rotation that failed because the device was offline has no effect when the device comes back",
        &exchanges,
    )
}

/// A device that stays offline cannot prove that nothing follows; it can disprove it.
fn no_exec_under_load(case: &RotationCase) -> Finding {
    if case.execs == 0 {
        return Finding::NotArmed;
    }
    finding(
        Some(Breach::new(
            "exec-after-failed-action",
            format!(
                "{}: {} Exec for a rotation that had failed",
                case.device, case.execs
            ),
        )),
        "a rotation that failed because the device was offline has no effect",
        &case.exchanges,
    )
}

fn has_state(case: &RotationCase, state: &ActionState) -> bool {
    case.action
        .as_ref()
        .is_some_and(|action| action.state == *state)
}

fn state_text(case: &RotationCase) -> String {
    case.action.as_ref().map_or_else(
        || "not listed".to_owned(),
        |action| match &action.detail {
            Some(detail) => format!("`{}` ({detail})", action.state),
            None => format!("`{}`", action.state),
        },
    )
}
