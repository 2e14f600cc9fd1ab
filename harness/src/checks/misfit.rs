//! REQ-JOIN and REQ-ACCOUNT: policies that a device takes and that cannot lead to a backup.

use protocol::graph::report::PolicyState;

use super::{Breach, Check, finding, is_success};
use crate::case::{Case, MisfitCase, MisfitKind};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "join.mismatch.no-error",
        requirement: "REQ-JOIN-002",
        source: "S9",
        judge: |case| misfit(case, MisfitKind::JoinState).map(taken_without_error),
    },
    Check {
        id: "account.missing.no-error",
        requirement: "REQ-ACCOUNT-003",
        source: "S2",
        judge: |case| misfit(case, MisfitKind::MissingAccount).map(taken_without_error),
    },
];

fn misfit(case: &Case, kind: MisfitKind) -> Option<&MisfitCase> {
    if let Case::Misfit(case) = case {
        (case.kind == kind).then_some(case)
    } else {
        None
    }
}

fn taken_without_error(case: &MisfitCase) -> Finding {
    let known = case
        .device_state
        .as_ref()
        .is_some_and(|state| *state != PolicyState::Unknown);
    // Settings that are in error instead of being sent are no reason not to judge.
    let in_error = case.device_state == Some(PolicyState::Error);
    if !(case.delivered || in_error) || !case.twin || !known {
        return Finding::NotArmed;
    }
    let states = [
        ("device", &case.device_state),
        ("policy", &case.policy_status),
    ];
    let breach = states
        .into_iter()
        .find(|(_, state)| **state == Some(PolicyState::Error))
        .map(|(side, _)| {
            Breach::new(
                "error-reported",
                format!("the policy is `error` in the list of the {side}"),
            )
        })
        .or_else(|| {
            case.settings_in_error.first().map(|setting| {
                Breach::new(
                    "error-reported",
                    format!("the setting {setting} is listed with an error"),
                )
            })
        })
        .or_else(|| {
            let shown = case.credential_status.is_some_and(is_success);
            (shown || case.backups > 0).then(|| {
                Breach::new(
                    "credential-recorded",
                    "a credential of the device is shown".to_owned(),
                )
            })
        });
    let required = match case.kind {
        MisfitKind::JoinState => {
            "an Entra joined device that is set to Active Directory takes its settings without error, and no backup is recorded"
        }
        MisfitKind::MissingAccount => {
            "a policy that names an account which does not exist is taken without error, and no backup is recorded"
        }
    };
    finding(breach, required, &case.exchanges)
}
