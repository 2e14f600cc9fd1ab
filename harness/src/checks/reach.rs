//! REQ-POLICY, REQ-ASSIGN, REQ-CHECKIN: policies on their way to devices and users.

use std::collections::BTreeMap;

use protocol::graph::action::ActionState;
use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use protocol::syncml::Verb;

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{
    CadenceCase, Case, EarlyVisitCase, LateDeliveryCase, NotifyCase, PolicyBodyCase, ReachCase,
    SteadyCase, UserPolicyCase, UserQuestion, WriteSeen,
};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "policy.save.as-written",
        requirement: "REQ-POLICY-002",
        source: "S7",
        judge: |case| policy_body(case).map(saved_as_written),
    },
    Check {
        id: "assign.notify.push",
        requirement: "REQ-ASSIGN-002",
        source: "S10",
        judge: |case| notify(case).map(notified),
    },
    Check {
        id: "assign.user.second-device",
        requirement: "REQ-ASSIGN-004",
        source: "S5",
        judge: |case| user(case, UserQuestion::SecondDevice).map(has_what_user_is_due),
    },
    Check {
        id: "assign.user.switch",
        requirement: "REQ-ASSIGN-005",
        source: "S5",
        judge: |case| user(case, UserQuestion::Switch).map(has_what_user_is_due),
    },
    Check {
        id: "assign.offline.delivered-later",
        requirement: "REQ-ASSIGN-006",
        source: "F-160, F-243",
        judge: |case| late(case).map(delivered_later),
    },
    Check {
        id: "assign.steady.nothing-new",
        requirement: "REQ-ASSIGN-007",
        source: "F-162, F-071",
        judge: |case| steady(case).map(nothing_new),
    },
    Check {
        id: "checkin.cadence.never-refused",
        requirement: "REQ-CHECKIN-001",
        source: "F-156",
        judge: |case| cadence(case).map(never_refused),
    },
    Check {
        id: "checkin.early.served",
        requirement: "REQ-CHECKIN-002",
        source: "F-157, F-163",
        judge: |case| early(case).map(served_early),
    },
];

fn policy_body(case: &Case) -> Option<&PolicyBodyCase> {
    if let Case::Reach(ReachCase::PolicyBody(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn notify(case: &Case) -> Option<&NotifyCase> {
    if let Case::Reach(ReachCase::Notify(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn late(case: &Case) -> Option<&LateDeliveryCase> {
    if let Case::Reach(ReachCase::LateDelivery(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn steady(case: &Case) -> Option<&SteadyCase> {
    if let Case::Reach(ReachCase::Steady(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn cadence(case: &Case) -> Option<&CadenceCase> {
    if let Case::Reach(ReachCase::Cadence(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn early(case: &Case) -> Option<&EarlyVisitCase> {
    if let Case::Reach(ReachCase::EarlyVisit(case)) = case {
        Some(case)
    } else {
        None
    }
}

fn user(case: &Case, question: UserQuestion) -> Option<&UserPolicyCase> {
    if let Case::Reach(ReachCase::UserPolicy(case)) = case {
        (case.question == question).then_some(case)
    } else {
        None
    }
}

fn saved_as_written(case: &PolicyBodyCase) -> Finding {
    // Trouble of the server proves nothing.
    let refusal = case
        .nameless
        .filter(|status| *status != 429 && *status < 500);
    if !case.created.is_some_and(is_success) || refusal.is_none() {
        return Finding::NotArmed;
    }
    let breach = case
        .altered
        .first()
        .map(|altered| Breach::new("given-back-altered", altered.clone()))
        .or_else(|| {
            (!case.listed).then(|| {
                Breach::new(
                    "not-listed",
                    "the policy does not stand in the list".to_owned(),
                )
            })
        })
        .or_else(|| {
            (refusal.is_some_and(is_success) || case.nameless_listed).then(|| {
                Breach::new(
                    "saved-without-name",
                    format!("a policy without a name: {}", status_text(case.nameless)),
                )
            })
        });
    finding(
        breach,
        "a policy is saved, listed and given back as it was written, and one without a name is refused",
        &case.exchanges,
    )
}

fn notified(case: &NotifyCase) -> Finding {
    if !case.reachable || !case.delivered {
        return Finding::NotArmed;
    }
    let breach = (!case.pushed).then(|| {
        Breach::new(
            "no-push",
            "no push came within the time that a notification may take".to_owned(),
        )
    });
    finding(
        breach,
        "a device that can be reached by push is notified of a new policy",
        &case.exchanges,
    )
}

fn has_what_user_is_due(case: &UserPolicyCase) -> Finding {
    if !case.first || !case.complete || case.expected.is_empty() {
        return Finding::NotArmed;
    }
    let required = match case.question {
        UserQuestion::SecondDevice => {
            "a second device on which the user signs in receives the user's policy at its check-in"
        }
        UserQuestion::Switch => {
            "a shared device has the configuration of the user who is signed in, from the check-in after the change on"
        }
    };
    finding(
        not_held(&case.expected, &case.held),
        required,
        &case.exchanges,
    )
}

fn delivered_later(case: &LateDeliveryCase) -> Finding {
    if !case.twin || !case.complete || case.configured.is_empty() {
        return Finding::NotArmed;
    }
    let succeeded = case.before.contains(&Some(PolicyState::Compliant));
    let breach = succeeded
        .then(|| {
            Breach::new(
                "succeeded-before-delivery",
                "the policy was reported as succeeded before the device came back".to_owned(),
            )
        })
        .or_else(|| not_held(&case.configured, &case.held));
    finding(
        breach,
        "a device that was away when a policy was assigned gets it at its next check-in, and is not reported as succeeded until then",
        &case.exchanges,
    )
}

fn nothing_new(case: &SteadyCase) -> Finding {
    if !case.settled || case.sessions == 0 {
        return Finding::NotArmed;
    }
    let breach = case
        .writes
        .iter()
        .find(|write| !is_identical(write, &case.held))
        .map(|write| {
            let data = write.data.as_deref().unwrap_or_default();
            Breach::new(
                "other-value-sent",
                format!("{} of {} with `{data}`", write.verb, write.loc_uri),
            )
        })
        .or_else(|| {
            (case.execs > 0 || case.uploads > 0).then(|| {
                Breach::new(
                    "rotated-without-cause",
                    format!(
                        "{} Exec of ResetPassword and {} uploads in {} check-ins",
                        case.execs, case.uploads, case.sessions
                    ),
                )
            })
        });
    finding(
        breach,
        "check-ins without a change bring at most the same values again, and no rotation",
        &case.exchanges,
    )
}

/// A write that gives the device what it holds.
fn is_identical(write: &WriteSeen, held: &BTreeMap<Leaf, Value>) -> bool {
    let Some(leaf) = Leaf::by_loc_uri(&write.loc_uri) else {
        return false;
    };
    let value = write
        .data
        .as_deref()
        .and_then(|data| leaf.node().parse(data));
    match write.verb {
        Verb::Delete => !held.contains_key(&leaf),
        Verb::Add | Verb::Replace => value.is_some() && held.get(&leaf) == value.as_ref(),
        Verb::Get | Verb::Exec => true,
    }
}

fn never_refused(case: &CadenceCase) -> Finding {
    if case.made == 0 || case.made < case.due {
        return Finding::NotArmed;
    }
    let breach = (case.broken > 0)
        .then(|| {
            Breach::new(
                "check-in-refused",
                format!(
                    "{} of {} check-ins came to no proper end",
                    case.broken, case.made
                ),
            )
        })
        .or_else(|| {
            let error = case.protocol_errors.first()?;
            Some(Breach::new("bad-package", error.clone()))
        });
    finding(
        breach,
        "every check-in of a fresh enrolment's cadence is served with valid packages",
        &case.exchanges,
    )
}

fn served_early(case: &EarlyVisitCase) -> Finding {
    // F-157: maintenance sessions may be as far apart as 6.5 h.
    if !case.asked || case.minutes >= 390 {
        return Finding::NotArmed;
    }
    let ended = case
        .action
        .as_ref()
        .is_some_and(|action| action.state == ActionState::Done);
    let breach = (!case.complete)
        .then(|| Breach::new("early-session-refused", "no proper end".to_owned()))
        .or_else(|| {
            let error = case.protocol_errors.first()?;
            Some(Breach::new("bad-package", error.clone()))
        })
        .or_else(|| {
            (case.execs == 0 || !ended).then(|| {
                Breach::new(
                    "pending-action-not-delivered",
                    format!(
                        "{} Exec of ResetPassword, the action is {}",
                        case.execs,
                        case.action
                            .as_ref()
                            .map_or_else(|| "absent".to_owned(), |it| it.state.to_string())
                    ),
                )
            })
        });
    finding(
        breach,
        "a check-in soon after another is served, and brings what is pending",
        &case.exchanges,
    )
}

/// The first setting that is not held as it must be.
pub(super) fn not_held(
    expected: &BTreeMap<Leaf, Value>,
    held: &BTreeMap<Leaf, Value>,
) -> Option<Breach> {
    expected
        .iter()
        .find(|(leaf, value)| held.get(leaf) != Some(value))
        .map(|(leaf, value)| {
            let seen = held
                .get(leaf)
                .map_or_else(|| "nothing".to_owned(), |held| format!("`{held}`"));
            Breach::new(
                "not-delivered",
                format!("the device holds {seen} for {leaf}, which must be `{value}`"),
            )
        })
}
