//! What is shown of credentials, and the events of it.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::directory::password_from_base64;
use protocol::graph::audit::ACTIVITY_RECOVER;
use protocol::laps_csp::{Leaf, Value};
use protocol::time::UtcMillis;

use super::ScenarioContext;
use super::cohort::{Cohort, contains, entra_policy, looks};
use super::member::Member;
use super::rotate::MISSING_ACCOUNT;
use crate::admin::audit::EventFilter;
use crate::case::{AdViewCase, AdViewKind, Case, CredentialViewCase, ViewAuditCase};
use crate::error::Error;
use crate::limits;
use crate::transcript::ExchangeId;

/// How often the password of one device is read.
const READS: u32 = 3;
/// The built-in administrator's relative identifier (F-110).
const BUILT_IN_RID: u32 = 500;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "view").await?;
    let ended = entra_devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn entra_devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(12, 19)).await?;
    let first = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    let second = cohort
        .device(JoinType::EntraHybridJoined, OsBuild::W10_22H2)
        .await?;
    let mut members = [first, second];
    for member in &mut members {
        member.check_in().await?;
        if let Some(case) = view(cohort, member).await? {
            cases.push(Case::CredentialView(case));
        }
    }
    let [first, second] = &members;
    // Both at once: on a target that logs nothing, each waits for the time it has.
    let ended = tokio::join!(
        Box::pin(audited_reads(cohort, first)),
        Box::pin(audited_reads(cohort, second)),
    );
    for ended in <[_; 2]>::from(ended) {
        cases.push(Case::ViewAudit(ended?));
    }
    Ok(())
}

/// All reads of one device's credential; `None` when the device was not backed up.
async fn view(cohort: &Cohort<'_>, member: &Member) -> Result<Option<CredentialViewCase>, Error> {
    let upload = member.device.seen().uploads_accepted.last().cloned();
    let (Some(upload), Some(held)) = (upload, member.device.held_password()) else {
        return Ok(None);
    };
    let text = password_from_base64(held.password_base64.expose()).unwrap_or_default();
    let leaks_password = |bytes: &[u8]| {
        contains(bytes, b"passwordBase64")
            || contains(bytes, held.password_base64.expose().as_bytes())
            || contains(bytes, text.as_bytes())
    };
    let mut leaks = Vec::new();
    let mut exchanges: Vec<ExchangeId> = Vec::new();
    for (reader, name) in [
        (
            cohort.actor("password-reader"),
            "a default read with the right to passwords",
        ),
        (
            cohort.actor("metadata-reader"),
            "a default read with the right to metadata",
        ),
    ] {
        let reply = reader.credential(member.entra).await?;
        exchanges.push(reply.exchange);
        if leaks_password(reply.bytes()) {
            leaks.push(name);
        }
    }
    let list = cohort.reader.credentials().await?;
    exchanges.push(list.exchange);
    if list
        .body
        .iter()
        .flatten()
        .any(|info| info.credentials.is_some())
    {
        leaks.push("the list");
    }
    let (metadata, metadata_exchange) = cohort.metadata(member).await?;
    let (explicit, _, explicit_exchange) = cohort.password(member).await?;
    exchanges.extend([metadata_exchange, explicit_exchange]);
    Ok(Some(CredentialViewCase {
        device: member.name(),
        account: upload.account,
        sid: upload.sid,
        rid: BUILT_IN_RID,
        last: upload.at,
        next: upload.refresh,
        metadata,
        leaks,
        explicit,
        exchanges,
    }))
}

/// Reads the password again and again, metadata between, and looks for the events of the device.
async fn audited_reads(cohort: &Cohort<'_>, member: &Member) -> Result<ViewAuditCase, Error> {
    let before = recovered(cohort, member).await?.0;
    let mut exchanges = Vec::new();
    let mut reads = 0;
    for _ in 0..READS {
        let (explicit, _, exchange) = cohort.password(member).await?;
        reads += u32::from(explicit.status == Some(200));
        exchanges.push(exchange);
        let (_, exchange) = cohort.metadata(member).await?;
        exchanges.push(exchange);
    }
    let mut looks = looks(limits::T_AUDIT);
    let (events, log) = loop {
        let (events, log) = recovered(cohort, member).await?;
        looks = looks.saturating_sub(1);
        if events >= before + reads || looks == 0 {
            break (events, log);
        }
        tokio::time::sleep(limits::POLL_INTERVAL).await;
    };
    exchanges.push(log);
    Ok(ViewAuditCase {
        device: member.name(),
        reads,
        metadata_reads: READS,
        events: events.saturating_sub(before),
        exchanges,
    })
}

/// How many events of retrieval of this device the log shows.
async fn recovered(cohort: &Cohort<'_>, member: &Member) -> Result<(u32, ExchangeId), Error> {
    // The target's clock may differ from ours; the device is new, so too early a start does no harm.
    let from = cohort.now().plus_millis(-UtcMillis::HOUR_MS).ticks();
    let filter = EventFilter {
        from: Some(from),
        to: None,
        activity: Some(ACTIVITY_RECOVER),
    };
    let reply = cohort.actor("auditor").directory_audits(filter).await?;
    let exchange = reply.exchange;
    let events = reply.require("GET /auditLogs/directoryAudits")?;
    let entra = member.entra.to_string();
    let of_device = events
        .iter()
        .filter(|event| event.activity_display_name == ACTIVITY_RECOVER)
        .filter(|event| {
            event
                .target_resources
                .iter()
                .any(|target| target.id.eq_ignore_ascii_case(&entra))
        })
        .count();
    Ok((u32::try_from(of_device).unwrap_or(u32::MAX), exchange))
}

pub(super) async fn run_ad(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut twins = Cohort::open(context, "view-ad").await?;
    let mut former = Cohort::open(context, "view-ad").await?;
    let mut start = Cohort::open(context, "view-ad").await?;
    let mut missing = Cohort::open(context, "view-ad").await?;
    let ended = ad_devices([&mut twins, &mut former, &mut start, &mut missing], cases).await;
    for cohort in [twins, former, start, missing] {
        cohort.close().await?;
    }
    ended
}

/// Settings that back up to Active Directory.
fn ad_policy() -> BTreeMap<Leaf, Value> {
    let mut policy = entra_policy(30, 16);
    policy.insert(Leaf::BackupDirectory, Value::Int(2));
    policy
}

async fn ad_devices(
    [twins, former, start, missing]: [&mut Cohort<'_>; 4],
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    twins.assigned_policy(&entra_policy(30, 16)).await?;
    let mut twin = twins
        .device(JoinType::EntraHybridJoined, OsBuild::W11_24H2)
        .await?;
    twin.check_in().await?;
    let (before, _, _) = twins.password(&twin).await?;

    let policy = former.assigned_policy(&entra_policy(30, 16)).await?;
    let mut member = former
        .device(JoinType::EntraHybridJoined, OsBuild::W11_24H2)
        .await?;
    member.check_in().await?;
    former.edit(policy, &ad_policy()).await?;
    let formerly = look(former, &mut member, AdViewKind::FormerlyEntra).await?;

    start.assigned_policy(&ad_policy()).await?;
    let mut member = start
        .device(JoinType::EntraHybridJoined, OsBuild::W10_22H2)
        .await?;
    let from_start = look(start, &mut member, AdViewKind::FromStart).await?;

    let mut policy = ad_policy();
    policy.insert(
        Leaf::AdministratorAccountName,
        Value::Text(MISSING_ACCOUNT.into()),
    );
    missing.assigned_policy(&policy).await?;
    let mut member = missing
        .device(JoinType::EntraHybridJoined, OsBuild::W11_24H2)
        .await?;
    let not_backed_up = look(missing, &mut member, AdViewKind::NotBackedUp).await?;

    let (after, _, _) = twins.password(&twin).await?;
    let works = before.password_matches && after.password_matches;
    for mut case in [formerly, from_start, not_backed_up] {
        case.twin = works;
        cases.push(Case::AdView(case));
    }
    Ok(())
}

/// Two check-ins (the second shows the backup to Active Directory), then the read.
async fn look(
    cohort: &Cohort<'_>,
    member: &mut Member,
    kind: AdViewKind,
) -> Result<AdViewCase, Error> {
    let mut exchanges = Vec::new();
    let mut complete = true;
    for _ in 0..2 {
        let session = member.check_in().await?;
        complete &= session.complete;
        exchanges.extend_from_slice(&session.exchanges);
    }
    let delivered = complete && member.held.get(&Leaf::BackupDirectory) == Some(&Value::Int(2));
    let (explicit, leaked, read) = cohort.password(member).await?;
    exchanges.push(read);
    Ok(AdViewCase {
        device: member.name(),
        kind,
        delivered,
        status: explicit.status,
        leaked,
        twin: false,
        exchanges,
    })
}
