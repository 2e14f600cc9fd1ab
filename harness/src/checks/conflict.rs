//! REQ-CONFLICT: two policies that give one setting different values.

use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use protocol::syncml::Verb;

use super::{Breach, Check, finding};
use crate::case::{
    Case, ConflictCheckInCase, ConflictKind, ConflictReportCase, PolicyReport, Remedy,
    ResolutionCase, WriteSeen,
};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "conflict.keep.last-value",
        requirement: "REQ-CONFLICT-001",
        source: "S22",
        judge: |case| check_in(case, ConflictKind::InUse).map(keeps_last_value),
    },
    Check {
        id: "conflict.report.every-policy",
        requirement: "REQ-CONFLICT-002",
        source: "S22",
        judge: |case| report(case, ConflictKind::InUse).map(every_policy_reports),
    },
    Check {
        id: "conflict.keep.not-first-value",
        requirement: "REQ-CONFLICT-003",
        source: "S22",
        judge: |case| check_in(case, ConflictKind::InUse).map(keeps_from_first_value),
    },
    Check {
        id: "conflict.resolve.unassign",
        requirement: "REQ-CONFLICT-004",
        source: "S23",
        judge: |case| {
            resolution(case)
                .filter(|case| case.kind == ConflictKind::InUse)
                .filter(|case| case.remedy == Remedy::Unassigned)
                .map(resolved)
        },
    },
    Check {
        id: "conflict.resolve.equalise",
        requirement: "REQ-CONFLICT-005",
        source: "S23",
        judge: |case| {
            resolution(case)
                .filter(|case| case.kind == ConflictKind::InUse)
                .filter(|case| case.remedy == Remedy::Equalised)
                .map(resolved)
        },
    },
    Check {
        id: "conflict.fresh.withheld",
        requirement: "REQ-CONFLICT-007",
        source: "S24",
        judge: |case| {
            check_in(case, ConflictKind::Fresh)
                .filter(|case| case.check_in == 1)
                .map(withheld)
        },
    },
    Check {
        id: "conflict.fresh.reported",
        requirement: "REQ-CONFLICT-008",
        source: "S24",
        judge: |case| {
            report(case, ConflictKind::Fresh)
                .filter(|case| case.check_in == 1)
                .map(every_policy_reports)
        },
    },
    Check {
        id: "conflict.fresh.withheld-later",
        requirement: "REQ-CONFLICT-009",
        source: "S25",
        judge: |case| {
            check_in(case, ConflictKind::Fresh)
                .filter(|case| case.check_in > 1)
                .map(withheld)
        },
    },
    Check {
        id: "conflict.fresh.still-reported",
        requirement: "REQ-CONFLICT-009",
        source: "S25",
        judge: |case| {
            report(case, ConflictKind::Fresh)
                .filter(|case| case.check_in > 1)
                .map(every_policy_reports)
        },
    },
    Check {
        id: "conflict.fresh.resolve",
        requirement: "REQ-CONFLICT-010",
        source: "S26",
        judge: |case| {
            resolution(case)
                .filter(|case| case.kind == ConflictKind::Fresh)
                .map(resolved)
        },
    },
];

fn check_in(case: &Case, kind: ConflictKind) -> Option<&ConflictCheckInCase> {
    if let Case::ConflictCheckIn(case) = case {
        (case.kind == kind).then_some(case)
    } else {
        None
    }
}

fn report(case: &Case, kind: ConflictKind) -> Option<&ConflictReportCase> {
    if let Case::ConflictReport(case) = case {
        (case.kind == kind).then_some(case)
    } else {
        None
    }
}

fn resolution(case: &Case) -> Option<&ResolutionCase> {
    if let Case::Resolution(case) = case {
        Some(case)
    } else {
        None
    }
}

/// The value that a write gives the leaf; `None` for a Delete and for text that is no value of it.
fn value_of(leaf: Leaf, write: &WriteSeen) -> Option<Value> {
    let data = write
        .data
        .as_deref()
        .filter(|_| write.verb != Verb::Delete)?;
    leaf.node().parse(data)
}

fn keeps_last_value(case: &ConflictCheckInCase) -> Finding {
    let Some(last) = case
        .last_value
        .as_ref()
        .filter(|_| case.complete && case.twin)
    else {
        return Finding::NotArmed;
    };
    let leaf = case.leaf;
    let breach = case.writes.iter().find_map(|write| {
        let value = value_of(leaf, write);
        if write.verb == Verb::Delete {
            Some(Breach::new("setting-deleted", format!("Delete of {leaf}")))
        } else if value.as_ref() == Some(last) || value == case.first_value {
            // The first value is the business of REQ-CONFLICT-003.
            None
        } else {
            let data = write.data.as_deref().unwrap_or_default();
            Some(Breach::new(
                "clashing-value-sent",
                format!("{leaf} was written with `{data}`; the value last set is `{last}`"),
            ))
        }
    });
    finding(
        breach,
        "a setting in use keeps the value last set while policies clash on it, and no other value is sent",
        &case.exchanges,
    )
}

fn keeps_from_first_value(case: &ConflictCheckInCase) -> Finding {
    let (Some(first), Some(last)) = (&case.first_value, &case.last_value) else {
        return Finding::NotArmed;
    };
    if first == last || !case.complete || !case.twin {
        return Finding::NotArmed;
    }
    let leaf = case.leaf;
    let breach =
        case.writes.iter().find(|write| value_of(leaf, write).as_ref() == Some(first)).map(|_| {
            Breach::new(
                "first-value-sent",
                format!("{leaf} was written with `{first}`, its first value, instead of staying at `{last}`"),
            )
        });
    finding(
        breach,
        "the value that stays during a clash is the one last set, not an earlier one",
        &case.exchanges,
    )
}

fn withheld(case: &ConflictCheckInCase) -> Finding {
    if !case.complete || !case.twin {
        return Finding::NotArmed;
    }
    let leaf = case.leaf;
    let breach = case.writes.first().map(|write| {
        let data = write.data.as_deref().unwrap_or_default();
        Breach::new(
            "clashing-setting-sent",
            format!(
                "{} of {leaf} with `{data}` at check-in {}",
                write.verb, case.check_in
            ),
        )
    });
    finding(
        breach,
        "a device without policy is not sent a setting on which its policies clash, as long as they clash",
        &case.exchanges,
    )
}

fn every_policy_reports(case: &ConflictReportCase) -> Finding {
    if !case.complete || !case.twin || case.policies.len() < 2 {
        return Finding::NotArmed;
    }
    let breach = case.policies.iter().find_map(|policy| {
        let views = [("device", &policy.on_device), ("policy", &policy.of_policy)];
        let (side, state) = views
            .into_iter()
            .find(|(_, state)| **state != Some(PolicyState::Conflict))?;
        Some(Breach::new(
            "conflict-not-reported",
            format!(
                "the {} policy is {} in the list of the {side} after check-in {}",
                policy.role.as_str(),
                state_text(state.as_ref()),
                case.check_in
            ),
        ))
    });
    finding(
        breach,
        "every policy that sets the clashing setting is reported as conflict for the device",
        &case.exchanges,
    )
}

fn resolved(case: &ResolutionCase) -> Finding {
    if !case.complete || !case.was_reported {
        return Finding::NotArmed;
    }
    let breach = case
        .reaching
        .iter()
        .find_map(not_compliant)
        .or_else(|| {
            (case.stale_conflicts > 0).then(|| {
                Breach::new(
                    "still-conflict",
                    format!(
                        "{} policies that reach the device no longer are listed as conflict for it",
                        case.stale_conflicts
                    ),
                )
            })
        })
        .or_else(|| {
            (case.summary_rows > 0).then(|| {
                Breach::new(
                    "summary-still-names-it",
                    format!(
                        "{} rows of the conflict summary name the policies",
                        case.summary_rows
                    ),
                )
            })
        })
        .or_else(|| wrong_value(case));
    finding(
        breach,
        "after the clash is ended and the device checked in, it holds every value that is left, the policies are compliant and no conflict is shown",
        &case.exchanges,
    )
}

fn not_compliant(policy: &PolicyReport) -> Option<Breach> {
    let views = [("device", &policy.on_device), ("policy", &policy.of_policy)];
    let (side, state) = views
        .into_iter()
        .find(|(_, state)| **state != Some(PolicyState::Compliant))?;
    let fingerprint = if *state == Some(PolicyState::Conflict) {
        "still-conflict"
    } else {
        "not-compliant-after-resolution"
    };
    Some(Breach::new(
        fingerprint,
        format!(
            "the {} policy is {} in the list of the {side}",
            policy.role.as_str(),
            state_text(state.as_ref())
        ),
    ))
}

fn wrong_value(case: &ResolutionCase) -> Option<Breach> {
    case.expected
        .iter()
        .find_map(|(leaf, expected)| match case.held.get(leaf) {
            Some(held) if held == expected => None,
            Some(held) => Some(Breach::new(
                "wrong-value-after-resolution",
                format!("the device holds {leaf} `{held}` instead of `{expected}`"),
            )),
            None => Some(Breach::new(
                "not-delivered-after-resolution",
                format!("the device was not sent {leaf}, which must be `{expected}`"),
            )),
        })
}

fn state_text(state: Option<&PolicyState>) -> String {
    state.map_or_else(|| "absent".to_owned(), |state| format!("`{state}`"))
}
