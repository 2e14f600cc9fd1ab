//! REQ-RBAC: who may do what.

use super::{Breach, Check, finding, is_success};
use crate::case::{AccessCase, Attempt, Case, Guarded};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "rbac.policy.refused",
        requirement: "REQ-RBAC-001",
        source: "S6",
        judge: |case| access(case, Guarded::Policy).map(refused),
    },
    Check {
        id: "rbac.rotate.refused",
        requirement: "REQ-RBAC-003",
        source: "S15",
        judge: |case| access(case, Guarded::Rotation).map(refused),
    },
    Check {
        id: "rbac.read.refused",
        requirement: "REQ-RBAC-007",
        source: "S11",
        judge: |case| access(case, Guarded::Credential).map(refused),
    },
];

fn access(case: &Case, guarded: Guarded) -> Option<&AccessCase> {
    if let Case::Access(case) = case {
        (case.guarded == guarded).then_some(case)
    } else {
        None
    }
}

fn refused(case: &AccessCase) -> Finding {
    // Contract 0: throttling and trouble of the server come before rights; they prove nothing.
    let clear = case.attempts.iter().all(|attempt| {
        attempt
            .status
            .is_some_and(|status| status != 429 && status < 500)
    });
    if !case.twin || case.attempts.is_empty() || !clear {
        return Finding::NotArmed;
    }
    let breach = case
        .attempts
        .iter()
        .find_map(|attempt| not_refused(&case.actor, attempt));
    let breach = breach.or_else(|| {
        case.effects.first().map(|effect| {
            Breach::new(
                "effect-of-refused-call",
                format!("{}: {effect}", case.actor),
            )
        })
    });
    let mut exchanges: Vec<_> = case
        .attempts
        .iter()
        .map(|attempt| attempt.exchange)
        .collect();
    exchanges.extend_from_slice(&case.exchanges);
    let required = match case.guarded {
        Guarded::Policy => {
            "an actor without rights on security baselines is refused to create, edit or delete a policy, and nothing changes"
        }
        Guarded::Rotation => {
            "an actor without the right to rotate is refused, and the device gets no Exec"
        }
        Guarded::Credential => "an actor without rights on credentials is refused both reads",
    };
    finding(breach, required, &exchanges)
}

/// Contract 0: a missing right is 403.
fn not_refused(actor: &str, attempt: &Attempt) -> Option<Breach> {
    let status = attempt.status.filter(|status| *status != 403)?;
    let what = attempt.what;
    Some(if is_success(status) {
        Breach::new(
            "allowed-without-right",
            format!("{actor}: {what} gave status {status}"),
        )
    } else {
        Breach::new(
            "refused-for-another-reason",
            format!("{actor}: {what} gave status {status}"),
        )
    })
}
