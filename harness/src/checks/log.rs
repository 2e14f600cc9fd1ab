//! REQ-AUDIT: what must leave no event, what leaves exactly one, and what an event says.

use super::{Breach, Check, finding};
use crate::case::{
    Case, EventCase, EventFacts, LogCase, PolicyEventsCase, Quiet, SilentCase, UpdateCase,
};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "audit.read.no-retrieval",
        requirement: "REQ-AUDIT-006",
        source: "F-217",
        judge: |case| silent(case, Quiet::Reads).map(leaves_none),
    },
    Check {
        id: "audit.scheduled.one-update",
        requirement: "REQ-AUDIT-007",
        source: "F-214",
        judge: |case| {
            if let Case::Log(LogCase::Update(case)) = case {
                Some(one_update(case))
            } else {
                None
            }
        },
    },
    Check {
        id: "audit.bulk.no-attempt",
        requirement: "REQ-AUDIT-008",
        source: "F-217",
        judge: |case| silent(case, Quiet::BulkRotation).map(leaves_none),
    },
    Check {
        id: "audit.event.says-all",
        requirement: "REQ-AUDIT-009",
        source: "F-211",
        judge: |case| {
            if let Case::Log(LogCase::Event(case)) = case {
                Some(says_all(case))
            } else {
                None
            }
        },
    },
    Check {
        id: "audit.policy.one-each",
        requirement: "REQ-AUDIT-011",
        source: "F-212",
        judge: |case| {
            if let Case::Log(LogCase::Policy(case)) = case {
                Some(one_each(case))
            } else {
                None
            }
        },
    },
];

fn silent(case: &Case, quiet: Quiet) -> Option<&SilentCase> {
    if let Case::Log(LogCase::Silent(case)) = case {
        (case.quiet == quiet).then_some(case)
    } else {
        None
    }
}

fn leaves_none(case: &SilentCase) -> Finding {
    // The positive control: the log is alive and shows the calls that leave events.
    if case.silent == 0 || case.loud == 0 || case.events < case.loud {
        return Finding::NotArmed;
    }
    let (fingerprint, what) = match case.quiet {
        Quiet::Reads => ("retrieval-without-password", "reads without a password"),
        Quiet::BulkRotation => ("attempt-by-refused-bulk", "bulk calls that were refused"),
    };
    let breach = (case.events > case.loud).then(|| {
        Breach::new(
            fingerprint,
            format!(
                "{}: {} events for {} calls that leave one, beside {} {what}",
                case.device, case.events, case.loud, case.silent
            ),
        )
    });
    let required = match case.quiet {
        Quiet::Reads => {
            "a read of metadata and a refused read of the password leave no event of retrieval"
        }
        Quiet::BulkRotation => {
            "a bulk rotation that is refused leaves no event of an attempt on any device"
        }
    };
    finding(breach, required, &case.exchanges)
}

fn one_update(case: &UpdateCase) -> Finding {
    if case.scheduled == 0 {
        return Finding::NotArmed;
    }
    let breach = (case.events != case.scheduled).then(|| {
        let fingerprint = if case.events < case.scheduled {
            "update-not-logged"
        } else {
            "update-logged-twice"
        };
        Breach::new(
            fingerprint,
            format!(
                "{}: {} events for {} scheduled rotations",
                case.device, case.events, case.scheduled
            ),
        )
    });
    finding(
        breach,
        "a scheduled rotation that is backed up leaves exactly one event of a password update",
        &case.exchanges,
    )
}

fn says_all(case: &EventCase) -> Finding {
    // That an event is there at all is for other requirements to say.
    let (Some(seen), Some(at)) = (&case.seen, case.at) else {
        return Finding::NotArmed;
    };
    let what = case.what;
    let breach = wrong_fact(&case.expected, seen)
        .map(|(fingerprint, text)| Breach::new(fingerprint, format!("{what}: {text}")));
    let (earliest, latest) = case.between;
    let breach = breach.or_else(|| {
        (at < earliest || at > latest).then(|| {
            Breach::new(
                "wrong-time",
                format!("{what}: at {at}, which is not between {earliest} and {latest}"),
            )
        })
    });
    finding(
        breach,
        "an event names the actor, the target, the activity, the result and the time in UTC",
        &case.exchanges,
    )
}

fn wrong_fact(expected: &EventFacts, seen: &EventFacts) -> Option<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nobody".to_owned());
    if seen.target != expected.target {
        let (seen, expected) = (text(&seen.target), text(&expected.target));
        return Some((
            "wrong-target",
            format!("target {seen} instead of {expected}"),
        ));
    }
    if seen.actor != expected.actor {
        let (seen, expected) = (text(&seen.actor), text(&expected.actor));
        return Some(("wrong-actor", format!("actor {seen} instead of {expected}")));
    }
    for (fingerprint, seen, expected) in [
        ("wrong-activity", &seen.activity, &expected.activity),
        ("wrong-result", &seen.result, &expected.result),
    ] {
        if seen != expected {
            return Some((fingerprint, format!("`{seen}` instead of `{expected}`")));
        }
    }
    None
}

/// Contract 5, audit names.
const POLICY_ACTIVITIES: [&str; 4] = [
    "Create DeviceManagementConfigurationPolicy",
    "Patch DeviceManagementConfigurationPolicy",
    "Assign DeviceManagementConfigurationPolicy",
    "Delete DeviceManagementConfigurationPolicy",
];

fn one_each(case: &PolicyEventsCase) -> Finding {
    if !case.accepted {
        return Finding::NotArmed;
    }
    let breach = POLICY_ACTIVITIES.into_iter().find_map(|activity| {
        let events = case.activities.iter().filter(|seen| *seen == activity);
        let count = events.count();
        (count != 1).then(|| {
            Breach::new(
                "not-one-policy-event",
                format!("{count} events `{activity}` for one call"),
            )
        })
    });
    finding(
        breach,
        "creating, editing, assigning and deleting a policy leaves one event each",
        &case.exchanges,
    )
}
