//! REQ-REPORT: what is reported of policies on devices.

use protocol::graph::report::PolicyState;

use super::{Breach, Check, finding};
use crate::case::{Case, RefusedSettingCase, ReportCase, StatesCase, SummaryCase, TooOldCase};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "report.states.known",
        requirement: "REQ-REPORT-001",
        source: "F-242",
        judge: |case| states(case).map(only_known_states),
    },
    Check {
        id: "report.old-build.not-succeeded",
        requirement: "REQ-REPORT-002",
        source: "F-243, F-006",
        judge: |case| too_old(case).map(never_succeeded),
    },
    Check {
        id: "report.refused-setting.error",
        requirement: "REQ-REPORT-003",
        source: "F-242",
        judge: |case| refused(case).map(shown_as_error),
    },
    Check {
        id: "report.summary.agrees",
        requirement: "REQ-REPORT-004",
        source: "F-244",
        judge: |case| summary(case).map(counts_agree),
    },
];

fn report(case: &Case) -> Option<&ReportCase> {
    if let Case::Report(case) = case {
        Some(case)
    } else {
        None
    }
}

fn states(case: &Case) -> Option<&StatesCase> {
    if let ReportCase::States(case) = report(case)? {
        Some(case)
    } else {
        None
    }
}

fn too_old(case: &Case) -> Option<&TooOldCase> {
    if let ReportCase::TooOld(case) = report(case)? {
        Some(case)
    } else {
        None
    }
}

fn refused(case: &Case) -> Option<&RefusedSettingCase> {
    if let ReportCase::RefusedSetting(case) = report(case)? {
        Some(case)
    } else {
        None
    }
}

fn summary(case: &Case) -> Option<&SummaryCase> {
    if let ReportCase::Summary(case) = report(case)? {
        Some(case)
    } else {
        None
    }
}

/// F-242: Succeeded, Error, Conflict, Pending, Not applicable.
const KNOWN: [PolicyState; 5] = [
    PolicyState::Compliant,
    PolicyState::Error,
    PolicyState::Conflict,
    PolicyState::Unknown,
    PolicyState::NotApplicable,
];

fn only_known_states(case: &StatesCase) -> Finding {
    if case.situations < 2 || case.states.is_empty() {
        return Finding::NotArmed;
    }
    let breach = case
        .states
        .iter()
        .find(|(_, state)| !KNOWN.contains(state))
        .map(|(device, state)| {
            Breach::new(
                "unknown-state",
                format!("a policy is `{state}` on {device}"),
            )
        });
    finding(
        breach,
        "the status of a policy on a device is one of succeeded, error, conflict, pending and not applicable",
        &case.exchanges,
    )
}

fn never_succeeded(case: &TooOldCase) -> Finding {
    // F-005: the CSP is there from 17763 on.
    let told = case.states.iter().any(Option::is_some);
    if !case.complete || !case.twin || !told || case.build >= 17_763 {
        return Finding::NotArmed;
    }
    let breach = case
        .states
        .contains(&Some(PolicyState::Compliant))
        .then(|| {
            Breach::new(
                "succeeded-on-old-build",
                format!("the policy succeeded on build {}", case.build),
            )
        });
    finding(
        breach,
        "a policy never succeeds on a build that does not have the CSP",
        &case.exchanges,
    )
}

fn shown_as_error(case: &RefusedSettingCase) -> Finding {
    if !case.complete || !case.twin || !case.sent {
        return Finding::NotArmed;
    }
    let setting = &case.setting;
    let breach = case
        .states
        .contains(&Some(PolicyState::Compliant))
        .then(|| {
            Breach::new(
                "succeeded-though-refused",
                format!("the policy succeeded although the device refused {setting}"),
            )
        })
        .or_else(|| {
            (case.setting_state != Some(PolicyState::Error)).then(|| {
                let state = case
                    .setting_state
                    .as_ref()
                    .map_or_else(|| "absent".to_owned(), |state| format!("`{state}`"));
                Breach::new("refused-setting-not-error", format!("{setting} is {state}"))
            })
        })
        .or_else(|| {
            case.error_code
                .is_none()
                .then(|| Breach::new("error-without-code", format!("{setting} has no error code")))
        });
    finding(
        breach,
        "a setting that the device refused is reported as error with a code, and its policy does not succeed",
        &case.exchanges,
    )
}

fn counts_agree(case: &SummaryCase) -> Finding {
    if !case.complete || case.clashing == 0 {
        return Finding::NotArmed;
    }
    let breach = (case.summed != Some(case.clashing))
        .then(|| {
            let summed = case
                .summed
                .map_or_else(|| "no row".to_owned(), |summed| summed.to_string());
            Breach::new(
                "summary-miscounts",
                format!(
                    "{} devices have a policy in conflict, the summary has {summed}",
                    case.clashing
                ),
            )
        })
        .or_else(|| {
            let (device, _) = case.rows.iter().find(|(_, [one, other])| one != other)?;
            Some(Breach::new(
                "lists-disagree",
                format!("the state of a policy on {device} differs between the two lists"),
            ))
        });
    finding(
        breach,
        "on devices at rest the summaries agree with the rows",
        &case.exchanges,
    )
}
