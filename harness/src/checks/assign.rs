//! REQ-ASSIGN: what a device is sent when a policy is assigned, and what is known of it before.

use std::collections::BTreeMap;

use protocol::graph::action::ActionState;
use protocol::laps_csp::{Format, Leaf, Value};
use protocol::syncml::Verb;

use super::{Breach, Check, finding, is_success};
use crate::case::{Case, DeliveryCase, UnprocessedCase, WriteSeen};
use crate::verdict::Finding;

/// The requirement that verified deliveries of the load count for.
pub(super) const DELIVERY: &str = "REQ-ASSIGN-001";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "assign.deliver.exact",
        requirement: DELIVERY,
        source: "S1, S7",
        judge: |case| match_delivery(case).map(delivered_exactly),
    },
    Check {
        id: "assign.process.nothing-before",
        requirement: "REQ-ASSIGN-003",
        source: "S10, S16",
        judge: |case| match_unprocessed(case).map(nothing_before_processing),
    },
];

fn match_delivery(case: &Case) -> Option<&DeliveryCase> {
    if let Case::Delivery(case) = case {
        Some(case)
    } else {
        None
    }
}

fn match_unprocessed(case: &Case) -> Option<&UnprocessedCase> {
    if let Case::Unprocessed(case) = case {
        Some(case)
    } else {
        None
    }
}

fn delivered_exactly(case: &DeliveryCase) -> Finding {
    if !case.complete || case.configured.is_empty() {
        return Finding::NotArmed;
    }
    let mut written: BTreeMap<Leaf, u32> = BTreeMap::new();
    let mut breach = None;
    for write in &case.writes {
        let leaf = Leaf::by_loc_uri(&write.loc_uri);
        if let Some(leaf) = leaf {
            *written.entry(leaf).or_default() += 1;
        }
        breach = breach.or_else(|| wrong_write(write, leaf, &case.configured));
    }
    let breach = breach.or_else(|| {
        case.configured
            .keys()
            .find_map(|leaf| match written.get(leaf) {
                Some(1) => None,
                Some(times) => Some(Breach::new(
                    "leaf-written-twice",
                    format!("{leaf} was written {times} times"),
                )),
                None => Some(Breach::new(
                    "leaf-missing",
                    format!("{leaf} was not written"),
                )),
            })
    });
    finding(
        breach,
        "every setting that the policy configures is written once with the configured value, and no other LAPS setting is",
        &case.exchanges,
    )
}

/// What is wrong with one write by itself.
fn wrong_write(
    write: &WriteSeen,
    leaf: Option<Leaf>,
    configured: &BTreeMap<Leaf, Value>,
) -> Option<Breach> {
    let name = &write.loc_uri;
    let expected = leaf.and_then(|leaf| Some((leaf, configured.get(&leaf)?)));
    let Some((leaf, expected)) = expected else {
        return Some(Breach::new(
            "leaf-not-configured",
            format!("{} of {name}, which no policy configures", write.verb),
        ));
    };
    let data = write.data.as_deref().unwrap_or_default();
    if write.verb == Verb::Delete {
        return Some(Breach::new("leaf-deleted", format!("Delete of {name}")));
    }
    if leaf.node().parse(data).as_ref() != Some(expected) {
        return Some(Breach::new(
            "leaf-wrong-value",
            format!("{name} was written with `{data}` instead of `{expected}`"),
        ));
    }
    // OMA-DM: a value without Meta/Format is text.
    let format = write.format.as_deref().unwrap_or(Format::Chr.as_str());
    (format != leaf.node().format.as_str()).then(|| {
        Breach::new(
            "leaf-wrong-format",
            format!("{name} was written with the format `{format}`"),
        )
    })
}

fn nothing_before_processing(case: &UnprocessedCase) -> Finding {
    if !case.twin_read || case.metadata_status.is_none() {
        return Finding::NotArmed;
    }
    let reads = [
        ("a read of the credential", case.metadata_status),
        ("a read that asks for the password", case.explicit_status),
    ];
    let data = reads.iter().find_map(|(what, status)| {
        status.filter(|status| is_success(*status)).map(|status| {
            Breach::new(
                "account-data-before-processing",
                format!("{what} gave status {status}"),
            )
        })
    });
    let listed = case.listed.then(|| {
        Breach::new(
            "account-data-before-processing",
            "the device stands in the list of credentials".to_owned(),
        )
    });
    let done = case
        .rotation
        .as_ref()
        .filter(|action| action.state == ActionState::Done)
        .map(|_| {
            Breach::new(
                "rotation-before-processing",
                "a rotation is listed as done".to_owned(),
            )
        });
    let sent = (case.execs > 0).then(|| {
        Breach::new(
            "rotation-before-processing",
            format!(
                "{} Exec of ResetPassword by the end of the first session",
                case.execs
            ),
        )
    });
    let breach = data.or(listed).or(done).or(sent);
    // Throttling and trouble of the server prove nothing.
    let refused = |status: Option<u16>| status.is_some_and(|status| status != 429 && status < 500);
    if breach.is_none() && !reads.iter().all(|(_, status)| refused(*status)) {
        return Finding::NotArmed;
    }
    finding(
        breach,
        "until the device has processed its policy there is no account data, and a rotation does not succeed",
        &case.exchanges,
    )
}
