//! Reads the target's logs to their end and enters what they hold into the books.

use protocol::JoinType;
use protocol::graph::audit::{ACTIVITY_RECOVER, ACTIVITY_ROTATE, AuditEvent, DirectoryAudit};
use protocol::time::UtcTicks;
use uuid::Uuid;

use super::Ground;
use crate::admin::{Actor, audit::EventFilter};
use crate::error::Error;
use crate::ledger::{AuditSeen, Drain, Fence, Ledger, Next, OpId, OpKind, Reading};
use crate::limits::POLL_INTERVAL;
use crate::report::Audit;
use crate::transcript::ExchangeId;

/// The actor that reads the logs.
const AUDITOR: &str = "auditor";
/// The actor that requests the last rotations of the run.
const OPERATOR: &str = "rotate-operator";
/// Scope of these exchanges.
const SCOPE: &str = "audit";
/// Last rotations of the run: what is in the log behind them was in it before.
const SENTINELS: u32 = 2;
/// Events older than the run by this much are not asked for; leaves room for clocks that differ.
const BACKDATE_MS: i64 = 3_600_000;

/// How far the logs were read.
#[derive(Debug)]
pub(crate) enum Logs {
    /// To their end; the last page of each.
    Whole(Vec<ExchangeId>),
    /// Not to it. What the ledger holds then says nothing of what the target logged.
    Cut,
}

impl Logs {
    /// The books as they are reported.
    pub(crate) fn books(&self, ledger: &Ledger) -> Audit {
        match self {
            Self::Whole(_) => Audit::read(ledger),
            Self::Cut => Audit::not_read(ledger),
        }
    }
}

/// Reads both logs until they are complete, their time is up, or the run is ended.
///
/// # Errors
/// The target refused a log or did not answer.
pub(crate) async fn read(ground: &Ground, started_at: UtcTicks) -> Result<Logs, Error> {
    let sentinels = sentinels(ground).await?;
    let auditor = ground.admin.actor(AUDITOR, SCOPE);
    let from = Some(started_at.millis().plus_millis(-BACKDATE_MS).ticks());
    let mut drain = Drain::new(ground.clock.now(), ground.options.terms.patience().drain);
    loop {
        let began = ground.clock.now();
        ground.ledger.clear_observations();
        let (events, log) = read_once(ground, &auditor, from).await?;
        let fence = if ground.ledger.all_seen(&sentinels) {
            Fence::Visible
        } else {
            Fence::Hidden
        };
        match drain.take(Reading {
            started_at: began,
            events,
            fence,
        }) {
            Next::Complete | Next::TimeUp => return Ok(Logs::Whole(log)),
            Next::ReadAgain if *ground.controls.cancel.borrow() => return Ok(Logs::Cut),
            Next::ReadAgain => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// Every event of both logs, as far as they are of this run: only their texts matter, which the
/// transcript keeps.
///
/// # Errors
/// The target did not answer.
pub(crate) async fn read_whole(ground: &Ground) -> Result<(), Error> {
    let auditor = ground.admin.actor(AUDITOR, SCOPE);
    let from = ground.clock.at(0).plus_millis(-BACKDATE_MS).ticks();
    let everything = EventFilter {
        from: Some(from),
        to: None,
        activity: None,
    };
    auditor.audit_events(everything).await?;
    auditor.directory_audits(everything).await?;
    Ok(())
}

/// Both logs once: the number of events in them, and the last page of each.
async fn read_once(
    ground: &Ground,
    auditor: &Actor,
    from: Option<UtcTicks>,
) -> Result<(u64, Vec<ExchangeId>), Error> {
    let rotations = EventFilter {
        from,
        to: None,
        activity: Some(ACTIVITY_ROTATE),
    };
    let rotations = auditor.audit_events(rotations).await?;
    let reads = EventFilter {
        from,
        to: None,
        activity: Some(ACTIVITY_RECOVER),
    };
    let reads = auditor.directory_audits(reads).await?;
    let log = vec![rotations.exchange, reads.exchange];
    let rotations = rotations.require("GET auditEvents")?;
    let reads = reads.require("GET directoryAudits")?;
    let count = rotations.len() + reads.len();
    rotations
        .into_iter()
        .filter_map(rotation)
        .for_each(|event| ground.ledger.observe(event));
    reads
        .into_iter()
        .filter_map(recovery)
        .for_each(|event| ground.ledger.observe(event));
    Ok((u64::try_from(count).unwrap_or(u64::MAX), log))
}

fn rotation(event: AuditEvent) -> Option<AuditSeen> {
    Some(AuditSeen {
        kind: OpKind::Rotation,
        correlation: event.correlation_id,
        actor: event.actor.and_then(|actor| actor.user_principal_name),
        target: event.resources.first()?.resource_id.parse().ok()?,
        at: event.activity_date_time,
        result: event.activity_result.to_string(),
    })
}

fn recovery(event: DirectoryAudit) -> Option<AuditSeen> {
    Some(AuditSeen {
        kind: OpKind::Recover,
        correlation: event.correlation_id,
        actor: event
            .initiated_by
            .user
            .and_then(|user| user.user_principal_name),
        target: event.target_resources.first()?.id.parse().ok()?,
        at: event.activity_date_time,
        result: event.result.to_string(),
    })
}

/// The last rotations: of a device that never backed up, so that nothing follows from them.
async fn sentinels(ground: &Ground) -> Result<Vec<OpId>, Error> {
    let device = ground
        .lab
        .enrolled_device(SCOPE, JoinType::EntraJoined, emulator::OsBuild::W11_24H2)
        .await?;
    let operator = ground.admin.actor(OPERATOR, SCOPE);
    let listed = operator.managed_devices_named(device.name()).await?;
    let listed = listed.require("GET managedDevices")?;
    let managed: Uuid = match listed.first() {
        Some(listed) => listed.id,
        None => {
            return Err(Error::Target {
                what: format!("GET managedDevices named {}", device.name()),
                seen: "an empty list".to_owned(),
            });
        }
    };
    let mut sentinels = Vec::new();
    for _ in 0..SENTINELS {
        let (op, answer) = operator.rotate_counted(&ground.ledger, managed).await;
        sentinels.push(op);
        answer?;
    }
    Ok(sentinels)
}
