//! Devices for which nothing changes, which come back early, and which lose their policy.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::laps_csp::Leaf;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::{Member, writes};
use super::reach::holds;
use crate::case::{Case, ChoiceCase, ChoiceSeen, EarlyVisitCase, Question, ReachCase, SteadyCase};
use crate::error::Error;
use crate::properties::{Choice, Property};

const DEVICES: [(JoinType, OsBuild); 3] = [
    (JoinType::EntraJoined, OsBuild::W11_24H2),
    (JoinType::EntraJoined, OsBuild::W10_22H2),
    (JoinType::EntraHybridJoined, OsBuild::W11_24H2),
];
/// Check-ins without a change.
const CHECK_INS: u32 = 5;
/// Minutes between a check-in and the early one.
const EARLY_MIN: i64 = 20;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "steady").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let leaves = entra_policy(30, 16);
    let policy = cohort.assigned_policy(&leaves).await?;
    let mut members = Vec::new();
    for (join, os) in DEVICES {
        let mut member = cohort.device(join, os).await?;
        member.check_in().await?;
        let settled = holds(&member, &leaves) && member.marks().backups > 0;
        cases.push(Case::Reach(ReachCase::Steady(
            steady(&mut member, settled).await?,
        )));
        cases.push(Case::Reach(ReachCase::EarlyVisit(
            early(cohort, &mut member, settled).await?,
        )));
        members.push(member);
    }
    cohort.unassign(policy).await?;
    let mut answers = Vec::new();
    for mut member in members {
        let held_before = holds(&member, &leaves);
        let session = member.check_in().await?;
        if !held_before || !session.complete {
            continue;
        }
        let left = leaves.keys().filter(|leaf| has(&member, **leaf)).count();
        answers.push(ChoiceSeen {
            device: member.name(),
            choice: format!("{left} of {} settings kept", leaves.len()),
            shows: match left {
                0 => vec![(Property::Unassign, vec![Choice::UnassignDeletes])],
                all if all == leaves.len() => {
                    vec![(Property::Unassign, vec![Choice::UnassignKeeps])]
                }
                _ => Vec::new(),
            },
            objection: (left != 0 && left != leaves.len())
                .then(|| format!("{left} of {} settings kept", leaves.len())),
            exchanges: session.exchanges,
        });
    }
    cases.push(Case::Choice(ChoiceCase {
        question: Question::Unassign,
        answers,
    }));
    Ok(())
}

fn has(member: &Member, leaf: Leaf) -> bool {
    member.held.contains_key(&leaf)
}

async fn steady(member: &mut Member, settled: bool) -> Result<SteadyCase, Error> {
    let before = member.marks();
    let mut case = SteadyCase {
        device: member.name(),
        settled,
        sessions: 0,
        writes: Vec::new(),
        held: member.held.clone(),
        execs: 0,
        uploads: 0,
        exchanges: Vec::new(),
    };
    for _ in 0..CHECK_INS {
        let session = member.check_in().await?;
        case.sessions += u32::from(session.complete);
        case.writes.extend(writes(&session));
        case.exchanges.extend_from_slice(&session.exchanges);
    }
    let after = member.marks();
    case.execs = after.execs - before.execs;
    case.uploads = after.backups - before.backups;
    Ok(case)
}

async fn early(
    cohort: &Cohort<'_>,
    member: &mut Member,
    backed_up: bool,
) -> Result<EarlyVisitCase, Error> {
    let first = member.check_in().await?;
    let later = member.device.now().plus_millis(EARLY_MIN * 60_000);
    member.device.set_clock(later);
    let rotation = cohort.rotate(member, Reach::Online).await?;
    Ok(EarlyVisitCase {
        device: member.name(),
        minutes: EARLY_MIN,
        complete: first.complete && member.device.seen().sessions_broken == 0,
        protocol_errors: first.protocol_errors,
        asked: backed_up && rotation.status.is_some_and(|status| status < 300),
        execs: rotation.execs,
        action: rotation.action,
        exchanges: rotation.exchanges,
    })
}
