//! REQ-ROTATE and REQ-PROTO: rotations watched step by step, beside each other and in lists.

use protocol::graph::action::ActionState;

use super::{Breach, Check, finding, is_success};
use crate::case::{
    ActionCase, ActionSeen, Case, EndingCase, ListCase, Moment, OverlapCase, WatchKind,
    WatchedRotation,
};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "rotate.result-withheld.pending",
        requirement: "REQ-ROTATE-002",
        source: "S21",
        judge: |case| watched(case, &[WatchKind::ResultWithheld]).map(stays_open),
    },
    Check {
        id: "rotate.online.drops-before-session",
        requirement: "REQ-ROTATE-008",
        source: "S19",
        judge: |case| watched(case, &[WatchKind::Dropped]).map(ends_in_time),
    },
    Check {
        id: "rotate.result.decides",
        requirement: "REQ-ROTATE-010",
        source: "F-055",
        judge: |case| {
            watched(case, &[WatchKind::ResultWithheld, WatchKind::ResultFailed])
                .map(follows_the_device)
        },
    },
    Check {
        id: "rotate.online.one-exec",
        requirement: "REQ-ROTATE-011",
        source: "F-054",
        judge: |case| watched(case, &[WatchKind::Plain]).map(one_exec),
    },
    Check {
        id: "rotate.overlap.each-ends",
        requirement: "REQ-ROTATE-012",
        source: "S17",
        judge: |case| overlap(case).map(each_ends),
    },
    Check {
        id: "rotate.list.complete",
        requirement: "REQ-ROTATE-013",
        source: "S14",
        judge: |case| list(case).map(complete),
    },
    Check {
        id: "rotate.ending.goes-first",
        requirement: "REQ-ROTATE-014",
        source: "F-189",
        judge: |case| ending(case).map(goes_first),
    },
    Check {
        id: "proto.status-lost.one-end",
        requirement: "REQ-PROTO-007",
        source: "F-057",
        judge: |case| watched(case, &[WatchKind::StatusLost]).map(has_an_end),
    },
];

fn watched<'c>(case: &'c Case, kinds: &[WatchKind]) -> Option<&'c WatchedRotation> {
    if let Case::Action(ActionCase::Watched(case)) = case {
        kinds.contains(&case.kind).then_some(case)
    } else {
        None
    }
}

fn overlap(case: &Case) -> Option<&OverlapCase> {
    if let Case::Action(ActionCase::Overlap(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn list(case: &Case) -> Option<&ListCase> {
    if let Case::Action(ActionCase::List(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn ending(case: &Case) -> Option<&EndingCase> {
    if let Case::Action(ActionCase::Ending(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn accepted(status: Option<u16>) -> bool {
    status.is_some_and(is_success)
}

/// What was seen at a moment; `None` when nobody looked.
fn at(case: &WatchedRotation, moment: Moment) -> Option<Option<&ActionSeen>> {
    let look = case.looks.iter().find(|look| look.moment == moment)?;
    Some(look.action.as_ref())
}

fn state_of(action: Option<&ActionSeen>) -> String {
    action.map_or_else(
        || "not listed".to_owned(),
        |action| match (&action.detail, action.error_code) {
            (Some(detail), _) => format!("`{}` ({detail})", action.state),
            (None, Some(code)) => format!("`{}` ({code})", action.state),
            (None, None) => format!("`{}`", action.state),
        },
    )
}

/// S21: pending until the result is in; `active` says that it went out.
const fn is_open(state: &ActionState) -> bool {
    matches!(state, ActionState::Pending | ActionState::Active)
}

fn stays_open(case: &WatchedRotation) -> Finding {
    let looks: Vec<_> = [Moment::Accepted, Moment::Running]
        .into_iter()
        .filter_map(|moment| Some((moment, at(case, moment)?)))
        .collect();
    if !case.backed_up || !accepted(case.status) || looks.is_empty() {
        return Finding::NotArmed;
    }
    let breach = looks
        .into_iter()
        .find(|(_, action)| !action.is_some_and(|action| is_open(&action.state)))
        .map(|(moment, action)| {
            let (fingerprint, when) = match moment {
                Moment::Accepted => ("ended-when-accepted", "the device had no session"),
                Moment::Running | Moment::Overdue | Moment::Reported => {
                    ("ended-without-result", "the reset was still running")
                }
            };
            let state = state_of(action);
            Breach::new(
                fingerprint,
                format!("{}: the action is {state} while {when}", case.device),
            )
        });
    finding(
        breach,
        "the action is listed as pending until the device has told its result",
        &case.exchanges,
    )
}

fn ends_in_time(case: &WatchedRotation) -> Finding {
    let overdue = at(case, Moment::Overdue);
    let reported = at(case, Moment::Reported);
    let unseen = overdue.is_none() && reported.is_none();
    if !case.backed_up || !accepted(case.status) || unseen {
        return Finding::NotArmed;
    }
    let breach = [
        (overdue, "T_max was over"),
        (reported, "the device had come back"),
    ]
    .into_iter()
    .filter_map(|(look, when)| Some((look?, when)))
    .find(|(action, _)| !is_final(*action))
    .map(|(action, when)| {
        let state = state_of(action);
        Breach::new(
            "pending-for-ever",
            format!("{}: the action is {state} when {when}", case.device),
        )
    });
    finding(
        breach,
        "the rotation of a device that drops off before its session ends as done or failed within T_max",
        &case.exchanges,
    )
}

fn is_final(action: Option<&ActionSeen>) -> bool {
    action.is_some_and(|action| action.state.is_final())
}

fn follows_the_device(case: &WatchedRotation) -> Finding {
    if !accepted(case.status) || case.execs == 0 {
        return Finding::NotArmed;
    }
    let (Some(action), Some(hresult)) = (at(case, Moment::Reported), case.hresult) else {
        return Finding::NotArmed;
    };
    let device = &case.device;
    let early = at(case, Moment::Running).flatten();
    let breach = if early.is_some_and(|early| early.state == ActionState::Done) {
        Some(Breach::new(
            "done-before-result",
            format!("{device}: the action is `done` while the device says that it is pending"),
        ))
    } else if hresult == 0 {
        let done = action.is_some_and(|action| action.state == ActionState::Done);
        (!done).then(|| {
            Breach::new(
                "not-done-after-success",
                format!("{device}: the action is {}", state_of(action)),
            )
        })
    } else {
        not_failed_with(device, action, hresult)
    };
    finding(
        breach,
        "the action is done when the device reports 0 and not before, and failed with the code when it reports another HRESULT",
        &case.exchanges,
    )
}

fn not_failed_with(device: &str, action: Option<&ActionSeen>, hresult: i32) -> Option<Breach> {
    let Some(failed) = action.filter(|action| action.state == ActionState::Failed) else {
        return Some(Breach::new(
            "hresult-ignored",
            format!(
                "{device}: the device reports {hresult}, the action is {}",
                state_of(action)
            ),
        ));
    };
    // Contract 5: a signed number of 32 bits; the same bits unsigned say as much.
    let unsigned = i64::from(hresult.cast_unsigned());
    let shown = failed.error_code == Some(i64::from(hresult))
        || failed.error_code == Some(unsigned)
        || failed.detail.as_deref().is_some_and(|detail| {
            let hex = format!("{unsigned:08x}");
            detail.contains(&hresult.to_string()) || detail.to_ascii_lowercase().contains(&hex)
        });
    (!shown).then(|| {
        Breach::new(
            "code-not-shown",
            format!(
                "{device}: the device reports {hresult}, the action is {}",
                state_of(action)
            ),
        )
    })
}

fn one_exec(case: &WatchedRotation) -> Finding {
    let done = at(case, Moment::Reported)
        .flatten()
        .is_some_and(|action| action.state == ActionState::Done);
    if !accepted(case.status) || (!done && case.execs == 0) || case.later_sessions < 2 {
        return Finding::NotArmed;
    }
    let device = &case.device;
    let breach = if case.execs != 1 {
        Some(Breach::new(
            "not-one-exec",
            format!("{device}: {} Exec for one request", case.execs),
        ))
    } else if case.backups != 1 {
        Some(Breach::new(
            "not-one-backup",
            format!("{device}: {} backups for one request", case.backups),
        ))
    } else {
        None
    };
    finding(
        breach,
        "one request leads to exactly one Exec and one new backup",
        &case.exchanges,
    )
}

fn each_ends(case: &OverlapCase) -> Finding {
    let accepted = case
        .statuses
        .iter()
        .filter(|status| accepted(**status))
        .count();
    if accepted < 2 || !case.first_open {
        return Finding::NotArmed;
    }
    let device = &case.device;
    let open = case.actions.iter().find(|action| !action.state.is_final());
    let breach = if case.actions.len() != accepted {
        Some(Breach::new(
            "request-lost",
            format!(
                "{device}: {} actions listed for {accepted} accepted requests",
                case.actions.len()
            ),
        ))
    } else if let Some(open) = open {
        Some(Breach::new(
            "request-without-end",
            format!("{device}: an action is {}", state_of(Some(open))),
        ))
    } else {
        (case.password_shown == Some(false)).then(|| {
            Breach::new(
                "stored-password-differs",
                format!("{device}: the directory does not show the password that the device holds"),
            )
        })
    };
    finding(
        breach,
        "of two requests for one device each gets its own final state, and the stored password is the device's in the end",
        &case.exchanges,
    )
}

fn complete(case: &ListCase) -> Finding {
    if case.accepted.len() < 2 {
        return Finding::NotArmed;
    }
    let missing = case.accepted.iter().find_map(|name| {
        let wanted = case.accepted.iter().filter(|other| *other == name).count();
        let listed = case.rows.iter().filter(|row| row.name == **name).count();
        (listed < wanted).then(|| {
            Breach::new(
                "action-not-listed",
                format!(
                    "{}: {listed} of {wanted} actions `{name}` listed",
                    case.device
                ),
            )
        })
    });
    let breach = missing.or_else(|| {
        case.rows.iter().find_map(|row| {
            let known = !matches!(row.state, ActionState::None | ActionState::Other(_));
            let fingerprint = if row.start > row.updated {
                "updated-before-start"
            } else if !known {
                "no-state"
            } else {
                return None;
            };
            Some(Breach::new(
                fingerprint,
                format!(
                    "{}: `{}` is `{}`, started {}, updated {}",
                    case.device, row.name, row.state, row.start, row.updated
                ),
            ))
        })
    });
    finding(
        breach,
        "past and current actions are listed with name, state, start and last update, which is not before the start",
        &case.exchanges,
    )
}

/// Contract 2: the paths of retire and wipe.
const ENDINGS: [&str; 2] = ["/Unenroll", "/RemoteWipe/doWipe"];
const RESET_PASSWORD: &str = "/LAPS/Actions/ResetPassword";

fn goes_first(case: &EndingCase) -> Finding {
    if !accepted(case.rotate_status) || !accepted(case.ending_status) {
        return Finding::NotArmed;
    }
    let has = |end: &str| case.execs.iter().any(|path| path.ends_with(end));
    let breach = if !ENDINGS.into_iter().any(has) {
        Some(Breach::new(
            "ending-not-delivered",
            format!("{}: no Exec for {}", case.device, case.ending),
        ))
    } else {
        has(RESET_PASSWORD).then(|| {
            Breach::new(
                "rotation-delivered-with-ending",
                format!("{}: an Exec of ResetPassword", case.device),
            )
        })
    };
    finding(
        breach,
        "a retire or wipe is delivered, and a rotation that was pending before it is not",
        &case.exchanges,
    )
}

fn has_an_end(case: &WatchedRotation) -> Finding {
    let Some(action) = at(case, Moment::Reported) else {
        return Finding::NotArmed;
    };
    if !accepted(case.status) || case.execs == 0 {
        return Finding::NotArmed;
    }
    let breach = (!is_final(action)).then(|| {
        Breach::new(
            "no-end-after-lost-status",
            format!(
                "{}: the action is {} after {} Exec and {} sessions more",
                case.device,
                state_of(action),
                case.execs,
                case.later_sessions
            ),
        )
    });
    finding(
        breach,
        "an action whose Exec arrived and whose Status was lost reaches one final state",
        &case.exchanges,
    )
}
