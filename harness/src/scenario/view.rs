//! What is shown of credentials, and the events of it.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::audit::ACTIVITY_RECOVER;
use protocol::laps_csp::{Leaf, Value};
use protocol::time::UtcMillis;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy, looks};
use super::member::Member;
use super::rotate::MISSING_ACCOUNT;
use super::shown::shows_password;
use crate::admin::audit::EventFilter;
use crate::case::{AdViewCase, AdViewKind, Case, CredentialViewCase, ExplicitRead, ViewAuditCase};
use crate::error::Error;
use crate::limits::POLL_INTERVAL;
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
    let mut read = [0, 0];
    for (member, read) in members.iter_mut().zip(&mut read) {
        member.check_in().await?;
        if let Some(case) = view(cohort, member).await? {
            *read = u32::from(is_read(&case.explicit));
            cases.push(Case::CredentialView(case));
        }
    }
    let [first, second] = &members;
    // Both at once: on a target that logs nothing, each waits for the time it has.
    let ended = tokio::join!(
        Box::pin(audited_reads(cohort, first, read[0])),
        Box::pin(audited_reads(cohort, second, read[1])),
    );
    for ended in <[_; 2]>::from(ended) {
        cases.push(Case::ViewAudit(ended?));
    }
    // With an earlier password on record, the one in use must show.
    for member in &mut members {
        let rotation = cohort.rotate(member, Reach::Online).await?;
        cases.push(Case::Rotation(rotation));
        cases.extend(view(cohort, member).await?.map(Case::CredentialView));
    }
    Ok(())
}

/// All reads of one device's credential; `None` when the device was not backed up.
async fn view(cohort: &Cohort<'_>, member: &Member) -> Result<Option<CredentialViewCase>, Error> {
    let upload = member.device.seen().uploads_accepted.last().cloned();
    let Some(upload) = upload else {
        return Ok(None);
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
        if shows_password(member, reply.bytes()) {
            leaks.push(name);
        }
    }
    let shows = |info: &serde_json::Value| shows_password(member, info.to_string().as_bytes());
    let (shown, read) = cohort.listed_credentials(shows).await?;
    exchanges.extend(read);
    if shown {
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

/// True when a read gave the password, so that an event tells of it.
fn is_read(explicit: &ExplicitRead) -> bool {
    explicit
        .status
        .is_some_and(|status| matches!(status, 200..=299))
}

/// Reads the password again and again, metadata between, and looks for the events of the device.
/// `earlier` reads were made before; their events may still be on their way.
async fn audited_reads(
    cohort: &Cohort<'_>,
    member: &Member,
    earlier: u32,
) -> Result<ViewAuditCase, Error> {
    let mut exchanges = Vec::new();
    let mut reads = earlier;
    for _ in 0..READS {
        let (explicit, _, exchange) = cohort.password(member).await?;
        reads += u32::from(is_read(&explicit));
        exchanges.push(exchange);
        let (_, exchange) = cohort.metadata(member).await?;
        exchanges.push(exchange);
    }
    let mut looks = looks(cohort.audit_limit());
    let (events, log) = loop {
        let (events, log) = recovered(cohort, member).await?;
        looks = looks.saturating_sub(1);
        if events >= reads || looks == 0 {
            break (events, log);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    exchanges.push(log);
    Ok(ViewAuditCase {
        device: member.name(),
        reads,
        metadata_reads: READS,
        events,
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
