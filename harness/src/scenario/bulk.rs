//! Bulk calls: rotation is refused and has no effect, synchronisation works before and after.

use emulator::OsBuild;
use protocol::JoinType;
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::Member;
use crate::case::{BulkCase, BulkDevice, BulkSync, Case};
use crate::error::Error;

/// Names under which somebody might ask for rotation in bulk. The enumeration has none of them
/// (F-233), and it is exact in case.
const LITERALS: [&str; 2] = ["rotateLocalAdminPassword", "RotateLocalAdminPassword"];

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "bulk").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let mut members = Vec::new();
    for (join, os) in [
        (JoinType::EntraJoined, OsBuild::W11_24H2),
        (JoinType::EntraJoined, OsBuild::W10_22H2),
        (JoinType::EntraHybridJoined, OsBuild::W11_24H2),
    ] {
        let mut member = cohort.device(join, os).await?;
        member.check_in().await?;
        members.push(member);
    }
    let ids: Vec<Uuid> = members.iter().map(|member| member.managed).collect();
    let mut sync_before = sync(cohort, &ids).await?;
    for literal in LITERALS {
        let (case, sync_after) = ask(cohort, &mut members, literal, sync_before).await?;
        sync_before = sync_after;
        cases.push(Case::Bulk(case));
    }
    // Alone, each of them can be rotated.
    for member in &mut members {
        member.check_in().await?;
        cases.push(Case::Rotation(cohort.rotate(member, Reach::Online).await?));
    }
    Ok(())
}

async fn ask(
    cohort: &Cohort<'_>,
    members: &mut [Member],
    literal: &'static str,
    sync_before: BulkSync,
) -> Result<(BulkCase, BulkSync), Error> {
    // The session of the synchronisation comes first, so that what follows belongs to this call.
    let mut before = Vec::new();
    for member in members.iter_mut() {
        member.check_in().await?;
        before.push(member.marks());
    }
    let ids: Vec<Uuid> = members.iter().map(|member| member.managed).collect();
    let reply = cohort.operator.execute_action(literal, &ids).await?;
    let mut first_sessions = Vec::new();
    for member in members.iter_mut() {
        first_sessions.push(member.check_in().await?);
    }
    let sync_after = sync(cohort, &ids).await?;
    let mut devices = Vec::new();
    for ((member, before), first) in members.iter_mut().zip(before).zip(first_sessions) {
        // A second session: what the target did after it had answered shows by then.
        let second = member.check_in().await?;
        let (rotate_rows, read) = cohort.new_rotation_rows(member).await?;
        let after = member.marks();
        let mut exchanges = first.exchanges;
        exchanges.extend_from_slice(&second.exchanges);
        exchanges.push(read);
        devices.push(BulkDevice {
            device: member.name(),
            checked_in: first.complete && second.complete,
            execs: after.execs - before.execs,
            backups: after.backups - before.backups,
            rotate_rows,
            password_changed: after.password != before.password,
            exchanges,
        });
    }
    let case = BulkCase {
        literal,
        status: Some(reply.status),
        sync_before,
        sync_after: Some(sync_after.clone()),
        devices,
        exchange: reply.exchange,
    };
    Ok((case, sync_after))
}

async fn sync(cohort: &Cohort<'_>, ids: &[Uuid]) -> Result<BulkSync, Error> {
    let reply = cohort.operator.execute_action("syncDevice", ids).await?;
    let result = reply.body.map(|body| body.value).unwrap_or_default();
    Ok(BulkSync {
        status: Some(reply.status),
        named: ids.len(),
        successful: ids
            .iter()
            .filter(|id| result.successful_device_ids.contains(id))
            .count(),
        exchange: reply.exchange,
    })
}
