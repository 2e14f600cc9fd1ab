//! Events of the logs that speak of one device or policy.

use protocol::graph::audit::{
    ACTIVITY_RECOVER, ACTIVITY_ROTATE, ACTIVITY_UPDATE, AuditEvent, DirectoryAudit,
};
use protocol::time::{UtcMillis, UtcTicks};
use uuid::Uuid;

use super::cohort::{Cohort, looks};
use super::member::Member;
use crate::admin::audit::EventFilter;
use crate::error::Error;
use crate::limits::POLL_INTERVAL;
use crate::transcript::ExchangeId;

/// Attempts to rotate a device, as soon as there are `awaited` of them or their time is over.
pub(super) async fn attempts(
    cohort: &Cohort<'_>,
    member: &Member,
    awaited: u32,
) -> Result<(u32, ExchangeId), Error> {
    let mut left = looks(cohort.audit_limit());
    loop {
        let (events, log) = managed(cohort, member.managed, Some(ACTIVITY_ROTATE)).await?;
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        if count >= awaited || left == 0 {
            return Ok((count, log));
        }
        left -= 1;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Retrievals of a device's password, in the same way.
pub(super) async fn recovers(
    cohort: &Cohort<'_>,
    member: &Member,
    awaited: u32,
) -> Result<(u32, ExchangeId), Error> {
    of_directory(cohort, member, ACTIVITY_RECOVER, awaited).await
}

/// Updates of a device's password, in the same way.
pub(super) async fn updates(
    cohort: &Cohort<'_>,
    member: &Member,
    awaited: u32,
) -> Result<(u32, ExchangeId), Error> {
    of_directory(cohort, member, ACTIVITY_UPDATE, awaited).await
}

async fn of_directory(
    cohort: &Cohort<'_>,
    member: &Member,
    activity: &'static str,
    awaited: u32,
) -> Result<(u32, ExchangeId), Error> {
    let mut left = looks(cohort.audit_limit());
    loop {
        let (events, log) = directory(cohort, activity).await?;
        let own = events.iter().filter(|event| names(event, member.entra));
        let count = u32::try_from(own.count()).unwrap_or(u32::MAX);
        if count >= awaited || left == 0 {
            return Ok((count, log));
        }
        left -= 1;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// True when an event of the directory is about this device.
pub(super) fn names(event: &DirectoryAudit, entra: Uuid) -> bool {
    let entra = entra.to_string();
    event
        .target_resources
        .iter()
        .any(|target| target.id.eq_ignore_ascii_case(&entra))
}

/// Events of device management about an object, those of one activity or all.
pub(super) async fn managed(
    cohort: &Cohort<'_>,
    object: Uuid,
    activity: Option<&'static str>,
) -> Result<(Vec<AuditEvent>, ExchangeId), Error> {
    let (mut events, log) = all_managed(cohort, activity).await?;
    let object = object.to_string();
    events.retain(|event| {
        event
            .resources
            .iter()
            .any(|resource| resource.resource_id.eq_ignore_ascii_case(&object))
    });
    Ok((events, log))
}

/// Events of device management, those of one activity or all.
pub(super) async fn all_managed(
    cohort: &Cohort<'_>,
    activity: Option<&'static str>,
) -> Result<(Vec<AuditEvent>, ExchangeId), Error> {
    let filter = EventFilter {
        from: Some(since(cohort)),
        to: None,
        activity,
    };
    let reply = cohort.actor("auditor").audit_events(filter).await?;
    let log = reply.exchange;
    Ok((reply.require("GET /deviceManagement/auditEvents")?, log))
}

/// Events of the directory of one activity.
pub(super) async fn directory(
    cohort: &Cohort<'_>,
    activity: &'static str,
) -> Result<(Vec<DirectoryAudit>, ExchangeId), Error> {
    let filter = EventFilter {
        from: Some(since(cohort)),
        to: None,
        activity: Some(activity),
    };
    let reply = cohort.actor("auditor").directory_audits(filter).await?;
    let log = reply.exchange;
    Ok((reply.require("GET /auditLogs/directoryAudits")?, log))
}

/// The target's clock may differ from ours; devices are new, so too early a start does no harm.
fn since(cohort: &Cohort<'_>) -> UtcTicks {
    cohort.now().plus_millis(-UtcMillis::DAY_MS).ticks()
}
