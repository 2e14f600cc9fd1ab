//! REQ-CONFLICT: several policies on one device, beyond the seed's two cases.

use std::collections::BTreeMap;

use protocol::graph::report::PolicyState;
use protocol::laps_csp::Leaf;

use super::reach::not_held;
use super::{Breach, Check, finding};
use crate::case::{Case, ClashCase, ClashKind, ClashSessionCase, PolicyReport, SeveralCase};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "conflict.resolve.original-gone",
        requirement: "REQ-CONFLICT-006",
        source: "S23",
        judge: |case| clash(case, ClashKind::OriginalGone).map(remaining_applies),
    },
    Check {
        id: "conflict.directory.no-record",
        requirement: "REQ-CONFLICT-011",
        source: "S4, S24, F-173",
        judge: |case| clash(case, ClashKind::Directory).map(no_record),
    },
    Check {
        id: "conflict.equal.no-conflict",
        requirement: "REQ-CONFLICT-012",
        source: "S23, S26",
        judge: |case| clash(case, ClashKind::Equal).map(all_apply),
    },
    Check {
        id: "conflict.account.none-managed",
        requirement: "REQ-CONFLICT-013",
        source: "F-173",
        judge: |case| clash(case, ClashKind::Account).map(no_account_managed),
    },
    Check {
        id: "conflict.setting.only-it-marked",
        requirement: "REQ-CONFLICT-014",
        source: "F-172, F-245",
        judge: |case| clash(case, ClashKind::OneSetting).map(only_it_is_marked),
    },
    Check {
        id: "conflict.session.one-value",
        requirement: "REQ-CONFLICT-016",
        source: "S4",
        judge: |case| session(case).map(one_value),
    },
    Check {
        id: "conflict.disjoint.no-conflict",
        requirement: "REQ-CONFLICT-017",
        source: "F-171",
        judge: |case| clash(case, ClashKind::Disjoint).map(all_apply),
    },
];

fn clash(case: &Case, kind: ClashKind) -> Option<&ClashCase> {
    if let Case::Several(SeveralCase::Clash(case)) = case {
        (case.kind == kind).then_some(case)
    } else {
        None
    }
}

fn session(case: &Case) -> Option<&ClashSessionCase> {
    if let Case::Several(SeveralCase::Session(case)) = case {
        Some(case)
    } else {
        None
    }
}

/// A policy that is not in this state on one of the two sides.
fn not_in(policies: &[PolicyReport], state: &PolicyState) -> Option<Breach> {
    let other = policies.iter().find(|report| {
        report.on_device.as_ref() != Some(state) || report.of_policy.as_ref() != Some(state)
    })?;
    let text = |state: &Option<PolicyState>| {
        state
            .as_ref()
            .map_or_else(|| "absent".to_owned(), |state| format!("`{state}`"))
    };
    Some(Breach::new(
        "wrong-state",
        format!(
            "the {} policy is {} on the device and {} in its own list, not `{state}`",
            other.role.as_str(),
            text(&other.on_device),
            text(&other.of_policy)
        ),
    ))
}

fn remaining_applies(case: &ClashCase) -> Finding {
    if !case.complete || !case.twin {
        return Finding::NotArmed;
    }
    let breach = not_held(&case.expected, &case.held)
        .or_else(|| not_in(&case.policies, &PolicyState::Compliant));
    finding(
        breach,
        "once the policy that was there first is unassigned, the other one applies and succeeds",
        &case.exchanges,
    )
}

fn all_apply(case: &ClashCase) -> Finding {
    if !case.complete || case.policies.len() < 2 {
        return Finding::NotArmed;
    }
    let conflict = case
        .policies
        .iter()
        .any(|report| {
            [&report.on_device, &report.of_policy]
                .into_iter()
                .any(|state| *state == Some(PolicyState::Conflict))
        })
        .then(|| {
            Breach::new(
                "conflict-without-clash",
                "a policy is reported as conflict".to_owned(),
            )
        });
    let breach = conflict.or_else(|| not_held(&case.expected, &case.held));
    finding(
        breach,
        "policies that give no setting different values all apply, without conflict",
        &case.exchanges,
    )
}

/// A clash of which the target tells, on a device to which it could have delivered.
fn is_told(case: &ClashCase) -> bool {
    case.complete && case.twin
}

fn no_record(case: &ClashCase) -> Finding {
    if !is_told(case) {
        return Finding::NotArmed;
    }
    finding(
        record(case),
        "while policies clash on the directory, no credential of the device is recorded",
        &case.exchanges,
    )
}

fn record(case: &ClashCase) -> Option<Breach> {
    (case.credential || !case.accounts.is_empty()).then(|| {
        Breach::new(
            "backup-despite-conflict",
            format!(
                "credential shown: {}, accounts uploaded: {}",
                case.credential,
                case.accounts.join(", ")
            ),
        )
    })
}

fn no_account_managed(case: &ClashCase) -> Finding {
    if !is_told(case) {
        return Finding::NotArmed;
    }
    let named = case
        .accounts
        .iter()
        .find(|account| case.named_accounts.contains(account))
        .map(|account| {
            Breach::new(
                "account-managed-despite-conflict",
                format!("the account `{account}` was backed up"),
            )
        });
    // F-175: a target that withholds single settings delivers the directory, and the device then
    // manages the built-in account; only the accounts named must stay as they are.
    let delivered = case.held.contains_key(&Leaf::BackupDirectory);
    let breach = named
        .or_else(|| record(case).filter(|_| !delivered))
        .or_else(|| not_in(&case.policies, &PolicyState::Conflict));
    finding(
        breach,
        "policies that name different accounts are both in conflict, and neither account is managed",
        &case.exchanges,
    )
}

fn only_it_is_marked(case: &ClashCase) -> Finding {
    let Some(leaf) = case.leaf.filter(|_| is_told(case)) else {
        return Finding::NotArmed;
    };
    let name = leaf.to_string();
    let breach = case.ids.iter().find_map(|policy| {
        let mut settings = case.settings.iter().filter(|it| it.policy == *policy);
        settings.find_map(|setting| {
            let clashes = setting.state == PolicyState::Conflict;
            if clashes != (setting.setting == name) {
                return Some(Breach::new(
                    "wrong-setting-marked",
                    format!("{} of {policy} is `{}`", setting.setting, setting.state),
                ));
            }
            let missing = case.ids.iter().find(|id| !setting.sources.contains(id))?;
            clashes.then(|| {
                Breach::new(
                    "source-not-named",
                    format!("{name} does not name {missing} as one of its sources"),
                )
            })
        })
    });
    let absent = case.ids.iter().find(|policy| {
        !case
            .settings
            .iter()
            .any(|it| it.policy == **policy && it.setting == name)
    });
    let breach = breach.or_else(|| {
        absent.map(|policy| {
            Breach::new(
                "setting-not-listed",
                format!("{name} is not among the settings of {policy}"),
            )
        })
    });
    finding(
        breach,
        "of several settings only the one that clashes is marked, with all its source policies",
        &case.exchanges,
    )
}

fn one_value(case: &ClashSessionCase) -> Finding {
    if !case.complete || !case.twin {
        return Finding::NotArmed;
    }
    let mut values: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let breach = case.writes.iter().find_map(|write| {
        let data = write.data.as_deref();
        let former = values.insert(&write.loc_uri, data)?;
        (former != data).then(|| {
            Breach::new(
                "two-values-in-one-session",
                format!(
                    "{} was written with `{}` and with `{}`",
                    write.loc_uri,
                    former.unwrap_or_default(),
                    data.unwrap_or_default()
                ),
            )
        })
    });
    finding(
        breach,
        "no session writes two different values to one setting",
        &case.exchanges,
    )
}
