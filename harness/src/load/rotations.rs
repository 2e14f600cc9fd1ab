//! The rotation requests of a load: made as planned while the fleet checks in, and looked up in
//! the admin plane when it has ended.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;

mod actions;
mod requests;

pub(super) use actions::read_actions;

use requests::{Answered, Requests};

use super::managed::Managed;
use super::{AttemptKind, LoadPlan, PlannedRotation, Progress};
use crate::admin::Actor;
use crate::case::{ActionSeen, RotationCase};
use crate::clock::Clock;
use crate::error::Error;
use crate::fleet::{AttemptRecord, Begin, Begun, Fleet};
use crate::ledger::{Ledger, OpId};
use crate::metrics::{Intervals, Measured, Meter, Round};
use crate::transcript::{ExchangeId, LoadPasswords};

/// Longest wait, after the last request, for the devices to come to an end of their rotations.
const RESOLVE: Duration = Duration::from_secs(10);
/// How long a request is put off when no device is free for it.
const POSTPONE: Duration = Duration::from_millis(10);
/// Devices tried for one request before it is put off.
const TRIED_MAX: usize = 32;
/// A request that could not be made until this long after the measured phase is not started.
const LATE_NS: u64 = 1_000_000_000;
/// How often one request is put off before it is dropped.
const POSTPONED_MAX: usize = 200;

/// What requests are made with.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) plan: Arc<LoadPlan>,
    pub(super) clock: Clock,
    pub(super) fleet: Arc<Fleet>,
    pub(super) managed: Arc<Managed>,
    pub(super) passwords: Arc<LoadPasswords>,
    pub(super) actor: Actor,
    pub(super) ledger: Ledger,
    pub(super) progress: Progress,
    pub(super) cancel: watch::Receiver<bool>,
    pub(super) down: watch::Receiver<bool>,
}

impl Ground {
    /// Returns when the user stopped the run or the target is gone.
    async fn ended(&self) {
        let (mut cancel, mut down) = (self.cancel.clone(), self.down.clone());
        // A sender that is gone says nothing more.
        let told = async |receiver: &mut watch::Receiver<bool>| {
            if receiver.wait_for(|ended| *ended).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = told(&mut cancel) => {}
            () = told(&mut down) => {}
        }
    }
}

/// A request that was made.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// Its number in the load.
    number: u32,
    device: u32,
    kind: AttemptKind,
    managed_id: Uuid,
    op: OpId,
    status: Option<u16>,
    begun: Begun,
    action: Option<ActionSeen>,
    exchanges: Vec<ExchangeId>,
}

/// The requests of the measured phase.
pub(super) struct Rotations {
    ground: Ground,
    resolved: mpsc::UnboundedReceiver<u32>,
    start_ns: u64,
    /// When the measured phase is over: no request is put off beyond it.
    end_ns: u64,
    requests: Requests,
    /// The devices of each kind, the next one to take first.
    spare: BTreeMap<AttemptKind, VecDeque<u32>>,
    made: JoinSet<Result<(Attempt, Answered), Error>>,
    attempts: Vec<Attempt>,
}

/// Whether a planned request was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    Yes,
    /// No device was free for it in its time.
    No,
}

impl Rotations {
    pub(super) fn new(
        ground: Ground,
        resolved: mpsc::UnboundedReceiver<u32>,
        (round, intervals): (Round, Intervals),
    ) -> Result<Self, Error> {
        let mut meter = Meter::new().map_err(|error| Error::Harness(format!("meter: {error}")))?;
        meter.begin(round, (0, 0), intervals);
        let kinds = [
            AttemptKind::Online,
            AttemptKind::Offline,
            AttemptKind::Unbacked,
        ];
        let spare = kinds.map(|kind| (kind, ground.plan.candidates(kind).into()));
        let end_ns = round.measured_ns + ground.plan.measured_ns();
        let planned = ground.plan.rotations().iter();
        let planned = planned
            .filter(|one| one.kind == AttemptKind::Online)
            .count();
        let planned = u64::try_from(planned).unwrap_or(u64::MAX);
        let requests = Requests::new(Arc::clone(&ground.passwords), meter, planned);
        Ok(Self {
            ground,
            resolved,
            start_ns: round.start_ns,
            end_ns,
            requests,
            spare: BTreeMap::from(spare),
            made: JoinSet::new(),
            attempts: Vec::new(),
        })
    }

    /// Makes the requests at their times and waits, bounded, until the devices are done with them.
    pub(super) async fn run(mut self) -> Result<(Vec<Attempt>, Measured), Error> {
        let plan = Arc::clone(&self.ground.plan);
        let mut made = 0;
        for (number, planned) in (0..).zip(plan.rotations()) {
            let at = self.ground.clock.deadline(self.start_ns + planned.at_ns);
            if !self.wait_until(at).await? || self.is_past(self.end_ns + LATE_NS) {
                break;
            }
            made += u64::from(self.request(number, planned).await? == Made::Yes);
        }
        let planned = u64::try_from(plan.rotations().len()).unwrap_or(u64::MAX);
        if made < planned {
            tracing::warn!(planned, made, "rotations not started");
        }
        self.settle().await?;
        self.attempts.sort_by_key(|attempt| attempt.number);
        let measured = self.requests.finish(self.ground.clock.monotonic_ns());
        Ok((self.attempts, measured))
    }

    /// The target knows the end of the device's request.
    fn over(&mut self, device: u32) {
        let now_ns = self.ground.clock.monotonic_ns();
        self.requests.over(device, now_ns);
    }

    /// A request was answered, or will have no answer.
    fn made(
        &mut self,
        made: Result<Result<(Attempt, Answered), Error>, JoinError>,
    ) -> Result<(), Error> {
        let made = made.map_err(|panic| Error::Harness(format!("rotation request: {panic}")))?;
        let (attempt, answered) = made?;
        self.requests.answered(attempt.device, answered);
        self.attempts.push(attempt);
        Ok(())
    }

    /// Waits and takes note of what ends meanwhile; false when the load ends early.
    async fn wait_until(&mut self, at: tokio::time::Instant) -> Result<bool, Error> {
        let ended = self.ground.clone();
        let mut ended = std::pin::pin!(ended.ended());
        loop {
            tokio::select! {
                biased;
                () = &mut ended => return Ok(false),
                Some(device) = self.resolved.recv() => self.over(device),
                Some(made) = self.made.join_next() => self.made(made)?,
                () = tokio::time::sleep_until(at) => return Ok(true),
            }
        }
    }

    fn begin(&mut self, planned: &PlannedRotation, device: u32) {
        // What was told until now is of former requests: the device was free.
        while let Ok(device) = self.resolved.try_recv() {
            self.over(device);
        }
        let now_ns = self.ground.clock.monotonic_ns();
        let times_ns = (self.start_ns + planned.at_ns, now_ns);
        self.requests.begin((device, planned.kind), times_ns);
    }

    /// Makes one request on a device that is free, the planned one if it can be.
    async fn request(&mut self, number: u32, planned: &PlannedRotation) -> Result<Made, Error> {
        for _ in 0..POSTPONED_MAX {
            if let Some((device, begun)) = self.free_device(number, planned).await? {
                self.begin(planned, device);
                self.post(number, (device, planned.kind), begun);
                return Ok(Made::Yes);
            }
            let later = tokio::time::Instant::now() + POSTPONE;
            if !self.wait_until(later).await? || self.is_past(self.end_ns) {
                break;
            }
        }
        Ok(Made::No)
    }

    fn is_past(&self, end_ns: u64) -> bool {
        self.ground.clock.monotonic_ns() >= end_ns
    }

    async fn free_device(
        &mut self,
        number: u32,
        planned: &PlannedRotation,
    ) -> Result<Option<(u32, Begun)>, Error> {
        let kind = planned.kind;
        let mut next = Some(planned.device);
        for _ in 0..TRIED_MAX {
            let Some(device) = next.take().or_else(|| self.next_spare(kind)) else {
                break;
            };
            if self.requests.is_open(device) || self.ground.managed.id(device).is_none() {
                continue;
            }
            let begin = Begin {
                device,
                attempt: number,
                kind,
            };
            let begun = self.ground.fleet.begin(begin).await?;
            if begun.ready {
                return Ok(Some((device, begun)));
            }
        }
        Ok(None)
    }

    /// Takes the spare devices of a kind in turn, from the far end of the planned order, so that
    /// devices are distinct as long as possible.
    fn next_spare(&mut self, kind: AttemptKind) -> Option<u32> {
        let spare = self.spare.get_mut(&kind)?;
        let device = spare.pop_back()?;
        spare.push_front(device);
        Some(device)
    }

    fn post(&mut self, number: u32, (device, kind): (u32, AttemptKind), begun: Begun) {
        let ground = self.ground.clone();
        let Some(managed_id) = ground.managed.id(device) else {
            return;
        };
        self.made.spawn(async move {
            let (op, answer) = ground
                .actor
                .rotate_counted(&ground.ledger, managed_id)
                .await;
            let reply = answer.ok();
            let status = reply.as_ref().map(|reply| reply.status);
            let sent_ns = reply.as_ref().map(|reply| reply.sent_ns);
            ground.progress.rotated();
            ground.fleet.posted(device, status)?;
            let exchanges = reply.iter().map(|reply| reply.exchange).collect();
            let attempt = Attempt {
                number,
                device,
                kind,
                managed_id,
                op,
                status,
                begun,
                action: None,
                exchanges,
            };
            Ok((attempt, Answered { status, sent_ns }))
        });
    }

    /// Collects the answers and waits for the devices.
    async fn settle(&mut self) -> Result<(), Error> {
        while let Some(made) = self.made.join_next().await {
            self.made(made)?;
        }
        let limit = tokio::time::Instant::now() + RESOLVE;
        let ended = self.ground.clone();
        let mut ended = std::pin::pin!(ended.ended());
        while !self.requests.is_empty() {
            tokio::select! {
                biased;
                Some(device) = self.resolved.recv() => self.over(device),
                () = &mut ended => break,
                () = tokio::time::sleep_until(limit) => break,
            }
        }
        Ok(())
    }
}

/// Joins what the admin plane and the devices know of each attempt.
pub(super) fn cases(
    plan: &LoadPlan,
    attempts: Vec<Attempt>,
    records: &mut HashMap<u32, AttemptRecord>,
) -> Vec<RotationCase> {
    attempts
        .into_iter()
        .filter_map(|attempt| {
            let spec = plan.spec(attempt.device)?;
            let record = records.remove(&attempt.number)?;
            let mut exchanges = attempt.exchanges;
            exchanges.extend(record.exchanges);
            Some(RotationCase {
                device: spec.device_name,
                managed_id: attempt.managed_id,
                join_type: spec.join_type,
                // What the endpoint said counts: a push answered otherwise belies the plan.
                online: match attempt.kind {
                    AttemptKind::Online | AttemptKind::Unbacked => true,
                    AttemptKind::Offline => record.wakes.0 != record.wakes.1,
                },
                backed_up: attempt.begun.backed_up,
                op: attempt.op,
                status: attempt.status,
                action: attempt.action,
                execs: record.execs,
                backups: record.backups,
                password_changed: record.password_changed,
                password_shown: None,
                hours_to_expiry: attempt.begun.hours_to_expiry,
                in_load: true,
                exchanges,
            })
        })
        .collect()
}
