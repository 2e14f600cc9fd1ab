//! What the target's own clock decides: an action whose device does not come, and a device that was
//! not seen for a week. Nothing may run beside it, for the clock is everybody's.

use emulator::OsBuild;
use protocol::JoinType;

use super::ScenarioContext;
use super::choice::{Standing, counted_online, with_backup};
use super::cohort::{Cohort, entra_policy};
use super::watch::Watch;
use crate::case::{ActionCase, Case, ChoiceCase, Moment, Question, WatchKind};
use crate::error::Error;
use crate::lab::PAST_T_MAX_MS;

/// Beyond a limit, so that whatever falls due with it has.
const MARGIN_MS: i64 = 60_000;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    // Without a virtual clock nothing here can be brought about.
    if !context.lab.advance_target(0).await? {
        return Ok(());
    }
    let mut cohort = Cohort::open(context, "clock").await?;
    let ended = devices(context, &mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(
    context: &ScenarioContext,
    cohort: &mut Cohort<'_>,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let cohort = &*cohort;
    let mut dropped = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    dropped.check_in().await?;
    let mut seen_long_ago = with_backup(cohort, JoinType::EntraJoined).await?;

    let mut watch = Watch::ask(cohort, &mut dropped, WatchKind::Dropped).await?;
    dropped.device.set_online(false);
    let past_max = i64::try_from(context.patience.max.as_millis()).unwrap_or(i64::MAX);
    let past_max = past_max.saturating_add(MARGIN_MS).min(PAST_T_MAX_MS);
    context.lab.advance_target(past_max).await?;
    watch
        .look_for_end(cohort, &dropped, Moment::Overdue)
        .await?;

    // A week: no rule can take that for a device that was just here.
    let rest = PAST_T_MAX_MS - past_max;
    context.lab.advance_target(rest).await?;
    let mut answers = Vec::new();
    for member in &mut seen_long_ago {
        answers.push(counted_online(cohort, member, Standing::Open).await?);
    }
    cases.push(Case::Choice(ChoiceCase {
        question: Question::OnlineByPush,
        answers,
    }));

    dropped.device.set_online(true);
    for _ in 0..2 {
        watch.later_session(&mut dropped).await?;
    }
    watch
        .look_for_end(cohort, &dropped, Moment::Reported)
        .await?;
    let watched = watch.end(&mut dropped);
    cases.push(Case::Action(ActionCase::Watched(watched)));
    Ok(())
}
