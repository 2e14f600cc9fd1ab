//! A device object that is deleted: its password goes with it.

use emulator::OsBuild;
use protocol::JoinType;

use super::ScenarioContext;
use super::cohort::{Cohort, entra_policy};
use super::member::Member;
use super::shown::shows_password;
use crate::case::{Case, DeletedDevice, RecordCase};
use crate::error::Error;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "deleted").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    for join in [JoinType::EntraJoined, JoinType::EntraHybridJoined] {
        let mut member = cohort.device(join, OsBuild::W11_24H2).await?;
        member.check_in().await?;
        let case = deleted(cohort, &mut member).await?;
        cases.push(Case::Record(RecordCase::Deleted(case)));
    }
    Ok(())
}

async fn deleted(cohort: &Cohort<'_>, member: &mut Member) -> Result<DeletedDevice, Error> {
    let (before, _, read) = cohort.password(member).await?;
    let mut exchanges = vec![read];
    let found = cohort
        .admin
        .directory_devices(member.entra)
        .await?
        .require("GET /devices")?;
    let mut status = None;
    if let Some(object) = found.first() {
        let reply = cohort.admin.delete_directory_device(object.id).await?;
        status = Some(reply.status);
        exchanges.push(reply.exchange);
    }
    let mut leaks = Vec::new();
    let (metadata, read) = cohort.metadata(member).await?;
    exchanges.push(read);
    let (explicit, leaked, read) = cohort.password(member).await?;
    exchanges.push(read);
    if leaked {
        leaks.push("the read of the password");
    }
    let entra = member.entra.to_string();
    let names = |info: &serde_json::Value| info.to_string().contains(&entra);
    let (listed, read) = cohort.listed_credentials(names).await?;
    exchanges.extend(read);
    // The directory gets to know a device with the same id: nothing may come back with it.
    member.device.register_again().await?;
    let (_op, again) = cohort
        .reader
        .read_password_counted(cohort.ledger(), member.entra)
        .await?;
    exchanges.push(again.exchange);
    if shows_password(member, again.bytes()) {
        leaks.push("the read after the device was registered again");
    }
    Ok(DeletedDevice {
        device: member.name(),
        readable_before: before.password_matches,
        deleted: status,
        metadata: metadata.status,
        explicit: explicit.status,
        listed,
        leaks,
        exchanges,
    })
}
