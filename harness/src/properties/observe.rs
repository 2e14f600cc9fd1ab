//! What the cases of a run show of properties.

use protocol::JoinType;
use protocol::graph::action::ActionState;

use super::{Choice, Observation, Property};
use crate::case::{ActionCase, BooksCase, Case, ChoiceCase, ChoiceSeen, RotationCase};
use crate::ledger::{OpKind, Tier};
use crate::scenario;
use crate::transcript::ExchangeId;

/// Every observation, in the order of the cases. What a requirement forbids shows nothing: it is
/// judged by that requirement and decides no choice.
#[must_use]
pub fn observations(cases: &[Case]) -> Vec<Observation> {
    let mut observations: Vec<Observation> = cases
        .iter()
        .flat_map(|case| {
            if let Case::Choice(case) = case {
                choices(case)
            } else {
                Vec::new()
            }
        })
        .collect();
    for rotation in scenario::rotations(cases) {
        observations.extend(accepted(
            &rotation.device,
            rotation.status,
            &rotation.exchanges,
        ));
        observations.extend(failed_offline(rotation));
    }
    for case in cases {
        if let Case::Action(ActionCase::Watched(watched)) = case {
            observations.extend(accepted(
                &watched.device,
                watched.status,
                &watched.exchanges,
            ));
        } else if let Case::Books(books) = case {
            observations.extend(correlation(books));
        }
    }
    observations
}

fn choices(case: &ChoiceCase) -> Vec<Observation> {
    let observed = |answer: &ChoiceSeen, (property, shown): &(Property, Vec<Choice>)| Observation {
        property: *property,
        shown: shown.clone(),
        device: answer.device.clone(),
        seen: answer.choice.clone(),
        exchanges: answer.exchanges.clone(),
    };
    let answers = case.answers.iter();
    answers
        .flat_map(|answer| {
            answer
                .shows
                .iter()
                .map(move |shows| observed(answer, shows))
        })
        .collect()
}

/// Contract 0: 204, or 202 in its place.
fn accepted(device: &str, status: Option<u16>, exchanges: &[ExchangeId]) -> Option<Observation> {
    let status = status?;
    let shown = match status {
        204 => Choice::Accepted204,
        202 => Choice::Accepted202,
        _ => return None,
    };
    Some(Observation {
        property: Property::AcceptedStatus,
        shown: vec![shown],
        device: device.to_owned(),
        seen: format!("status {status}"),
        exchanges: exchanges.iter().take(1).copied().collect(),
    })
}

/// Contract 5: the action is listed as failed before the answer; or within `T_fail`; or the call is
/// refused and the action listed all the same. Whether it took a while is not seen here.
fn failed_offline(rotation: &RotationCase) -> Option<Observation> {
    let failed = rotation
        .action
        .as_ref()
        .is_some_and(|action| action.state == ActionState::Failed);
    let entra = rotation.join_type == JoinType::EntraJoined;
    if rotation.online || !rotation.backed_up || !entra || !failed {
        return None;
    }
    let status = rotation.status?;
    let shown = match status {
        200..=299 => vec![Choice::FailedAtOnce, Choice::FailedLater],
        400..=499 => vec![Choice::FailedAndRefused],
        _ => return None,
    };
    Some(Observation {
        property: Property::OfflineForm,
        shown,
        device: rotation.device.clone(),
        seen: format!("status {status}, and the action listed as failed"),
        exchanges: rotation.exchanges.clone(),
    })
}

/// The books match by id as soon as one event carries an id of ours.
fn correlation(case: &BooksCase) -> Option<Observation> {
    if case.books.seen == 0 || case.books.expected_low == 0 {
        return None;
    }
    let (property, echoed, absent) = match case.kind {
        OpKind::Rotation => (
            Property::Correlation,
            Choice::CorrelationEchoed,
            Choice::CorrelationAbsent,
        ),
        OpKind::Recover => (
            Property::DirectoryCorrelation,
            Choice::DirectoryEchoed,
            Choice::DirectoryAbsent,
        ),
    };
    let (shown, seen) = match case.books.tier {
        Tier::ById => (echoed, "events carry ids of this run"),
        Tier::ByDevice => (absent, "no event carries an id of this run"),
    };
    Some(Observation {
        property,
        shown: vec![shown],
        device: format!("the log of {} events", case.kind.as_str()),
        seen: seen.to_owned(),
        exchanges: case.exchanges.clone(),
    })
}
