//! REQ-RBAC: actors with some rights and without others.

use super::{Breach, Check, finding, is_success};
use crate::case::{Case, RightsCase, Standing};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "rbac.manager.allowed",
        requirement: "REQ-RBAC-002",
        source: "F-220",
        judge: |case| of(case, Standing::PolicyManager).map(as_entitled),
    },
    Check {
        id: "rbac.rotate-alone.refused",
        requirement: "REQ-RBAC-004",
        source: "F-187",
        judge: |case| of(case, Standing::RotateAlone).map(as_entitled),
    },
    Check {
        id: "rbac.built-in-roles.refused",
        requirement: "REQ-RBAC-005",
        source: "F-188",
        judge: |case| of(case, Standing::BuiltInRole).map(as_entitled),
    },
    Check {
        id: "rbac.metadata-reader.no-password",
        requirement: "REQ-RBAC-006",
        source: "F-200",
        judge: |case| of(case, Standing::MetadataReader).map(as_entitled),
    },
];

fn of(case: &Case, standing: Standing) -> Option<&RightsCase> {
    if let Case::Rights(case) = case {
        (case.standing == standing).then_some(case)
    } else {
        None
    }
}

fn as_entitled(case: &RightsCase) -> Finding {
    let mut calls = case.allowed.iter().chain(&case.refused);
    // An actor that the target does not know, throttling and trouble of the server prove nothing.
    let clear = calls.all(|call| {
        call.status
            .is_some_and(|status| status != 401 && status != 429 && status < 500)
    });
    if !case.twin || !clear {
        return Finding::NotArmed;
    }
    let actor = &case.actor;
    let held_back = case.allowed.iter().find_map(|call| {
        let status = call.status.filter(|status| !is_success(*status))?;
        Some(Breach::new(
            "refused-with-right",
            format!("{actor}: {} gave status {status}", call.what),
        ))
    });
    let let_through = case.refused.iter().find_map(|call| {
        // Contract 0: a missing right is 403.
        let status = call.status.filter(|status| *status != 403)?;
        let fingerprint = if is_success(status) {
            "allowed-without-right"
        } else {
            "refused-for-another-reason"
        };
        Some(Breach::new(
            fingerprint,
            format!("{actor}: {} gave status {status}", call.what),
        ))
    });
    let effect = case
        .effects
        .first()
        .map(|effect| Breach::new("effect-of-refused-call", format!("{actor}: {effect}")));
    let mut exchanges: Vec<_> = case
        .allowed
        .iter()
        .chain(&case.refused)
        .map(|call| call.exchange)
        .collect();
    exchanges.extend_from_slice(&case.exchanges);
    let required = match case.standing {
        Standing::PolicyManager => {
            "an Endpoint Security Manager creates, edits, assigns and deletes policies"
        }
        Standing::RotateAlone => {
            "an actor with the right to rotate and without those to read devices and the organisation is refused a rotation"
        }
        Standing::BuiltInRole => "no built-in role may rotate",
        Standing::MetadataReader => {
            "an actor with the right to metadata reads it, and is refused the password"
        }
    };
    finding(held_back.or(let_through).or(effect), required, &exchanges)
}
