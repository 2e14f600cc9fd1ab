//! Several devices at once: bulk rotations of odd forms, single rotations side by side and in one
//! batch.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::action::ROTATE_LOCAL_ADMIN_PASSWORD;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy, looks};
use super::events;
use super::member::Member;
use crate::case::{
    Aim, Case, LogCase, OddBulkCase, Quiet, SilentCase, SingleSeen, SinglesCase, TogetherCase,
};
use crate::error::Error;
use crate::limits::POLL_INTERVAL;
use crate::transcript::ExchangeId;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "together").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let cohort = &*cohort;
    let mut members = Vec::new();
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2, OsBuild::W11_24H2] {
        let mut member = cohort.device(JoinType::EntraJoined, os).await?;
        member.check_in().await?;
        members.push(member);
    }
    for aim in [Aim::OneDevice, Aim::Group] {
        if let Some(member) = members.first_mut() {
            let case = odd_bulk(cohort, member, aim).await?;
            cases.push(Case::Together(TogetherCase::Odd(case)));
        }
    }
    for case in refused_bulk(cohort, &mut members, cases).await? {
        cases.push(Case::Log(LogCase::Silent(case)));
    }
    for in_batch in [false, true] {
        let case = singles(cohort, &mut members, in_batch).await?;
        cases.push(Case::Together(TogetherCase::Singles(case)));
    }
    Ok(())
}

async fn odd_bulk(
    cohort: &Cohort<'_>,
    member: &mut Member,
    aim: Aim,
) -> Result<OddBulkCase, Error> {
    let sync = cohort
        .operator
        .execute_action("syncDevice", &[member.managed])
        .await?;
    member.check_in().await?;
    cohort.new_rotation_rows(member).await?;
    let before = member.marks();
    let named = match aim {
        Aim::OneDevice => member.managed,
        Aim::Group => cohort.group(),
    };
    let reply = cohort
        .operator
        .execute_action(ROTATE_LOCAL_ADMIN_PASSWORD, &[named])
        .await?;
    let mut exchanges = vec![sync.exchange, reply.exchange];
    for _ in 0..2 {
        let session = member.check_in().await?;
        exchanges.extend_from_slice(&session.exchanges);
    }
    let (rows, read) = cohort.new_rotation_rows(member).await?;
    exchanges.push(read);
    Ok(OddBulkCase {
        aim,
        status: Some(reply.status),
        alive: sync.is_success(),
        execs: member.marks().execs - before.execs,
        rows,
        exchanges,
    })
}

/// A refused bulk rotation of all devices, then a rotation of each, whose event shows that the log
/// is alive.
async fn refused_bulk(
    cohort: &Cohort<'_>,
    members: &mut [Member],
    cases: &mut Vec<Case>,
) -> Result<Vec<SilentCase>, Error> {
    let mut before = Vec::new();
    for member in members.iter() {
        before.push(events::attempts(cohort, member, 0).await?.0);
    }
    let ids: Vec<Uuid> = members.iter().map(|member| member.managed).collect();
    let bulk = cohort
        .operator
        .execute_action(ROTATE_LOCAL_ADMIN_PASSWORD, &ids)
        .await?;
    let silent = u32::from(matches!(bulk.status, 400..=499));
    let mut silent_cases = Vec::new();
    for (member, before) in members.iter_mut().zip(before) {
        let rotation = cohort.rotate(member, Reach::Online).await?;
        let loud = u32::from(rotation.status.is_some_and(|status| status < 300));
        cases.push(Case::Rotation(rotation));
        let (after, log) = events::attempts(cohort, member, before + loud).await?;
        silent_cases.push(SilentCase {
            quiet: Quiet::BulkRotation,
            device: member.name(),
            silent,
            loud,
            events: after.saturating_sub(before),
            exchanges: vec![bulk.exchange, log],
        });
    }
    Ok(silent_cases)
}

/// One rotation of each device, all asked for at once.
async fn singles(
    cohort: &Cohort<'_>,
    members: &mut [Member],
    in_batch: bool,
) -> Result<SinglesCase, Error> {
    let mut before = Vec::new();
    for member in members.iter_mut() {
        cohort.new_rotation_rows(member).await?;
        before.push(events::attempts(cohort, member, 0).await?.0);
    }
    let ids: Vec<Uuid> = members.iter().map(|member| member.managed).collect();
    let asked = if in_batch {
        ask_in_batch(cohort, &ids).await?
    } else {
        ask_at_once(cohort, &ids).await?
    };
    let mut devices = Vec::new();
    for (member, (status, exchange), before) in members
        .iter_mut()
        .zip(asked)
        .zip(before)
        .map(|((member, asked), before)| (member, asked, before))
    {
        let session = member.check_in().await?;
        let mut exchanges = vec![exchange];
        exchanges.extend_from_slice(&session.exchanges);
        let rows = ended_rows(cohort, member).await?;
        let (after, log) = events::attempts(cohort, member, before + 1).await?;
        exchanges.push(log);
        devices.push(SingleSeen {
            device: member.name(),
            status,
            states: rows,
            events: after.saturating_sub(before),
            exchanges,
        });
    }
    Ok(SinglesCase { in_batch, devices })
}

type Asked = (Option<u16>, ExchangeId);

async fn ask_in_batch(cohort: &Cohort<'_>, ids: &[Uuid]) -> Result<Vec<Asked>, Error> {
    let (rotations, exchange) = cohort
        .operator
        .rotate_in_batch(cohort.ledger(), ids)
        .await?;
    let statuses = rotations.into_iter();
    Ok(statuses
        .map(|rotation| (rotation.status, exchange))
        .collect())
}

async fn ask_at_once(cohort: &Cohort<'_>, ids: &[Uuid]) -> Result<Vec<Asked>, Error> {
    let mut running = JoinSet::new();
    for (place, &device) in ids.iter().enumerate() {
        let (operator, ledger) = (cohort.operator.clone(), cohort.ledger().clone());
        running.spawn(async move { (place, operator.rotate_counted(&ledger, device).await.1) });
    }
    let mut asked: Vec<(usize, Asked)> = Vec::new();
    while let Some(joined) = running.join_next().await {
        let (place, reply) =
            joined.map_err(|error| Error::Harness(format!("a request at once: {error}")))?;
        let reply = reply?;
        asked.push((place, (Some(reply.status), reply.exchange)));
    }
    asked.sort_by_key(|(place, _)| *place);
    Ok(asked.into_iter().map(|(_, asked)| asked).collect())
}

/// The states of the rotations listed since the last look, when all have ended or their time is
/// over.
async fn ended_rows(
    cohort: &Cohort<'_>,
    member: &mut Member,
) -> Result<Vec<protocol::graph::action::ActionState>, Error> {
    let mut left = looks(cohort.fail_limit());
    loop {
        let (mut rows, _) = cohort.rotation_rows(member).await?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.start_date_time));
        let new = rows.len().saturating_sub(member.rows);
        let states: Vec<_> = rows
            .iter()
            .take(new)
            .map(|row| row.action_state.clone())
            .collect();
        let ended = !states.is_empty() && states.iter().all(|state| state.is_final());
        if ended || left == 0 {
            member.rows = rows.len();
            return Ok(states);
        }
        left -= 1;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
