//! Manual rotation: online, offline and back, and without a backup.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::Member;
use crate::case::{Case, ComebackCase};
use crate::error::Error;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "rotate").await?;
    let mut unmanaged = Cohort::open(context, "rotate").await?;
    let ended = match online(&mut cohort, cases).await {
        Ok(()) => match offline(&cohort, cases).await {
            Ok(()) => unbacked(&mut unmanaged, cases).await,
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    cohort.close().await?;
    unmanaged.close().await?;
    ended
}

/// The positive control of everything below.
async fn online(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let policy = entra_policy(30, 16);
    cohort.assigned_policy(&policy).await?;
    for (join, os) in [
        (JoinType::EntraJoined, OsBuild::W11_24H2),
        (JoinType::EntraJoined, OsBuild::W10_22H2),
        (JoinType::EntraHybridJoined, OsBuild::W11_24H2),
    ] {
        let mut member = cohort.device(join, os).await?;
        cohort.first_session(&mut member, &policy, cases).await?;
        cases.push(Case::Rotation(
            cohort.rotate(&mut member, Reach::Online).await?,
        ));
    }
    Ok(())
}

/// Both at once: on a target that does not fail the request in time, each waits for that time.
async fn offline(cohort: &Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut first = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    let mut second = cohort
        .device(JoinType::EntraJoined, OsBuild::W10_22H2)
        .await?;
    for member in [&mut first, &mut second] {
        member.check_in().await?;
    }
    let ended = tokio::join!(
        Box::pin(comeback(cohort, &mut first)),
        Box::pin(comeback(cohort, &mut second)),
    );
    let (ended, errors): (Vec<_>, Vec<_>) =
        <[_; 2]>::from(ended).into_iter().partition(Result::is_ok);
    cases.extend(ended.into_iter().flatten().map(Case::Comeback));
    errors.into_iter().find_map(Result::err).map_or(Ok(()), Err)
}

/// Asks while the device is offline, lets it come back, asks again.
async fn comeback(cohort: &Cohort<'_>, member: &mut Member) -> Result<ComebackCase, Error> {
    let (before, _) = cohort.metadata(member).await?;
    member.device.set_online(false);
    let refused = cohort.rotate(member, Reach::Offline).await?;
    let marks = member.marks();
    member.device.set_online(true);
    let mut exchanges = Vec::new();
    let mut sessions = 0;
    for _ in 0..2 {
        let session = member.check_in().await?;
        sessions += u32::from(session.complete);
        exchanges.extend_from_slice(&session.exchanges);
    }
    let (after, read) = cohort.metadata(member).await?;
    exchanges.push(read);
    let back = member.marks();
    let mut later = cohort.rotate(member, Reach::Online).await?;
    // A second Exec for the one request would come at the next session.
    let known = member.marks().execs;
    let session = member.check_in().await?;
    later.execs += member.marks().execs - known;
    later.exchanges.extend_from_slice(&session.exchanges);
    Ok(ComebackCase {
        refused,
        sessions,
        execs: back.execs - marks.execs,
        backups: back.backups - marks.backups,
        password_changed: back.password != marks.password,
        next_before: before.next,
        next_after: after.next,
        later: Some(later),
        exchanges,
    })
}

/// Devices that were never backed up: one without policy, one whose policy names an account that
/// it does not have. Both have had a session, so the target can wake them.
async fn unbacked(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut outsider = cohort
        .outsider_device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    let mut policy = entra_policy(30, 16);
    policy.insert(
        Leaf::AdministratorAccountName,
        Value::Text(MISSING_ACCOUNT.into()),
    );
    cohort.assigned_policy(&policy).await?;
    let mut missing = cohort
        .device(JoinType::EntraJoined, OsBuild::W10_22H2)
        .await?;
    for member in [&mut outsider, &mut missing] {
        member.check_in().await?;
        cases.push(Case::Rotation(cohort.rotate(member, Reach::Online).await?));
    }
    Ok(())
}

/// An account that no emulated device has.
pub(super) const MISSING_ACCOUNT: &str = "no-such-account";
