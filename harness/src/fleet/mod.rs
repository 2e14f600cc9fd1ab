//! The load fleet in shards: threads that share nothing, each with its own devices, timers and
//! connections. Results meet when a shard ends.
//!
//! | module | job |
//! |---|---|
//! | [`mix`] | how many devices of which kind |
//! | [`timers`] | one timer a device |
//! | `engine` | what a shard decides, without a socket and without a clock |
//! | `credentials` | what devices enrol with |
//! | `slot` | what it keeps of a device between sessions |
//! | `visit` | one session of a device: its requests, its answers |
//! | `lane` | the short way of a check-in with nothing to do |
//! | `verify` | answers against the model |
//! | `attempt` | rotation attempts as the device sees them |
//! | `shard` | the thread around an engine: its alarm, its workers |
//! | `alarm` | a timer that is not late |
//! | `setup` | registration, group, enrolment, first session |
//! | `round` | planned check-ins: started, or counted as not started |
//! | `shortage` | what the system had none left of |
//! | `wire` | one request over HTTP |

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

mod alarm;
mod attempt;
mod credentials;
#[cfg(test)]
mod desk;
mod engine;
mod lane;
pub mod mix;
mod round;
mod setup;
mod shard;
mod shortage;
mod slot;
#[cfg(test)]
mod tests;
pub mod timers;
mod verify;
mod visit;
pub(crate) mod wire;

pub(crate) use attempt::{AttemptRecord, Begin, Begun};
pub(crate) use engine::ShardReport;
pub(crate) use setup::{Enrolled, Enrolment};
pub use shortage::Shortages;

use crate::capacity::Trial;
use crate::clock::Clock;
use crate::error::Error;
use crate::keys::KeyPool;
use crate::load::LoadPlan;
use crate::metrics::{Intervals, Measured, Round};
use crate::push::PushEndpoint;
use crate::schedule::{Books, Rate, Schedule};
use crate::target::Target;
use crate::transcript::{LoadPasswords, Transcript};

/// How far a load is, for a progress display; clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    phase: AtomicU64,
    registered: AtomicU64,
    grouped: AtomicU64,
    enrolled: AtomicU64,
    planned: AtomicU64,
    started: AtomicU64,
    completed: AtomicU64,
    rotations: AtomicU64,
    tried: Mutex<Vec<String>>,
}

/// What a load does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Devices become known to the directory.
    Register,
    /// Devices become members of the load's group.
    Group,
    /// Devices enrol and have their first session.
    Enroll,
    /// Check-ins at an even rate.
    Measure,
    /// What is under way ends.
    Drain,
    /// Everything is read.
    Done,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Register,
        Self::Group,
        Self::Enroll,
        Self::Measure,
        Self::Drain,
        Self::Done,
    ];
}

/// The counts of a [`Progress`] at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progressed {
    /// What is being done.
    pub phase: Phase,
    /// Devices registered.
    pub registered: u64,
    /// Devices in the group.
    pub grouped: u64,
    /// Devices enrolled, first session over.
    pub enrolled: u64,
    /// Check-ins planned.
    pub planned: u64,
    /// Check-ins started.
    pub started: u64,
    /// Check-ins completed.
    pub completed: u64,
    /// Rotation requests made.
    pub rotations: u64,
}

impl Progress {
    /// The counts at this moment.
    #[must_use]
    pub fn now(&self) -> Progressed {
        let counts = &self.counts;
        let phase = usize::try_from(counts.phase.load(Ordering::Relaxed)).unwrap_or(0);
        Progressed {
            phase: Phase::ALL.get(phase).copied().unwrap_or(Phase::Done),
            registered: counts.registered.load(Ordering::Relaxed),
            grouped: counts.grouped.load(Ordering::Relaxed),
            enrolled: counts.enrolled.load(Ordering::Relaxed),
            planned: counts.planned.load(Ordering::Relaxed),
            started: counts.started.load(Ordering::Relaxed),
            completed: counts.completed.load(Ordering::Relaxed),
            rotations: counts.rotations.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let place = Phase::ALL.iter().position(|one| *one == phase).unwrap_or(0);
        self.counts
            .phase
            .store(u64::try_from(place).unwrap_or(0), Ordering::Relaxed);
    }

    /// A stretch of the load begins, with so many check-ins; nothing is under way.
    pub(crate) fn plan(&self, check_ins: u64) {
        self.counts.planned.store(check_ins, Ordering::Relaxed);
        self.counts.completed.store(0, Ordering::Relaxed);
    }

    /// Takes note of a trial that is over.
    pub(crate) fn tried(&self, rate: Rate, trial: &Trial) {
        let how = match trial {
            Trial::Good => "good".to_owned(),
            Trial::Bad(broke) => format!("bad, {broke}"),
            Trial::Invalid(why) => format!("invalid, {why}"),
        };
        let text = format!("{:.1} check-ins per second: {how}", rate.per_s());
        let mut tried = self
            .counts
            .tried
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tried.push(text);
    }

    /// The trials that are over, each in a sentence.
    #[must_use]
    pub fn trials(&self) -> Vec<String> {
        let tried = self
            .counts
            .tried
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tried.clone()
    }

    pub(crate) fn registered(&self) {
        self.counts.registered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn grouped(&self) {
        self.counts.grouped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn enrolled(&self) {
        self.counts.enrolled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn started(&self) {
        self.counts.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn completed(&self) {
        self.counts.completed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rotated(&self) {
        self.counts.rotations.fetch_add(1, Ordering::Relaxed);
    }
}

/// What every shard gets to know; nothing in it is written by two shards.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) target: Target,
    pub(crate) cancel: watch::Receiver<bool>,
    /// Set to true by the shard that finds the target gone.
    pub(crate) down: watch::Sender<bool>,
    /// Told the device of each rotation attempt whose end the target knows.
    pub(crate) resolved: mpsc::UnboundedSender<u32>,
    pub(crate) push: PushEndpoint,
    ground: engine::Ground,
}

/// What a fleet needs.
#[derive(Debug)]
pub(crate) struct FleetParts {
    pub(crate) target: Target,
    pub(crate) clock: Clock,
    pub(crate) push: PushEndpoint,
    pub(crate) transcript: Transcript,
    pub(crate) plan: Arc<LoadPlan>,
    pub(crate) progress: Progress,
    pub(crate) cancel: watch::Receiver<bool>,
    pub(crate) down: watch::Sender<bool>,
    pub(crate) resolved: mpsc::UnboundedSender<u32>,
    pub(crate) passwords: Arc<LoadPasswords>,
}

/// What a shard is told to do. Each answer says that it was done.
#[derive(Debug)]
pub(crate) enum Order {
    /// Make every device known to the directory.
    Register(oneshot::Sender<Result<(), Error>>),
    /// Put every device with a directory object into the group.
    Join(Uuid, oneshot::Sender<Result<(), Error>>),
    /// Enrol every device and drive its first session, as planned or as soon as possible.
    Enroll(
        Option<Box<RoundOrder>>,
        oneshot::Sender<Result<Enrolment, Error>>,
    ),
    /// Plug the offline devices out.
    GoOffline(oneshot::Sender<()>),
    /// Check in as planned; answered when every planned check-in is over.
    Measure(RoundOrder, oneshot::Sender<RoundReport>),
    /// A rotation request is about to be sent.
    Begin(Begin, oneshot::Sender<Begun>),
    /// A rotation request was answered with this status, or had no answer.
    Posted(u32, Option<u16>),
    /// End what is under way, if it ends soon, and report.
    Finish(oneshot::Sender<Box<ShardReport>>),
}

/// A round of planned check-ins; a fleet may be given several, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct RoundOrder {
    /// When check-ins start, from the start of the round.
    pub(crate) schedule: Arc<Schedule>,
    /// The times of the round.
    pub(crate) round: Round,
    /// Whether answers are held against the model.
    pub(crate) verification: Verification,
    /// Where the seconds of the round go.
    pub(crate) intervals: Intervals,
}

/// Whether answers to load devices are held against the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Every one is.
    #[default]
    On,
    /// None of a round is: only to measure what verification costs.
    Off,
}

/// What a shard has to say of a round.
#[derive(Debug, Default)]
pub(crate) struct RoundReport {
    /// Every planned check-in of the shard.
    pub(crate) books: Books,
    /// The same by window, with the times.
    pub(crate) measured: Measured,
    /// When the last planned check-in was over.
    pub(crate) last_end_ns: u64,
    /// Wrong answers of the shard so far.
    pub(crate) wrong_answers: u64,
    /// What the shard found nothing left of so far.
    pub(crate) shortages: Shortages,
    /// The share of the round in which the shard's thread worked or waited for a processor, in
    /// thousandths, where the system tells.
    pub(crate) busy_permille: Option<u64>,
}

/// The threads of a fleet.
#[derive(Debug)]
pub(crate) struct Fleet {
    shards: Vec<Handle>,
}

#[derive(Debug)]
struct Handle {
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// A shard among all: devices are dealt out in turn, which gives every shard the same mixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    shard: u32,
    /// At least 1.
    shards: u32,
}

impl Place {
    fn of(shard: usize, shards: usize) -> Self {
        Self {
            shard: u32::try_from(shard).unwrap_or(u32::MAX),
            shards: u32::try_from(shards).unwrap_or(u32::MAX).max(1),
        }
    }

    /// How many of this many devices belong to the shard.
    fn devices(self, all: usize) -> usize {
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        let mine = all.saturating_sub(self.shard).div_ceil(self.shards);
        usize::try_from(mine).unwrap_or(usize::MAX)
    }

    /// What falls to the shard of something that all share, at least 1.
    fn share(self, all: u32) -> u32 {
        all.div_ceil(self.shards).max(1)
    }

    /// The number of a device in the shard; `None` when it belongs to another.
    fn local(self, device: u32) -> Option<usize> {
        let mine = device % self.shards == self.shard;
        let local = usize::try_from(device / self.shards).ok()?;
        mine.then_some(local)
    }

    /// The number in the fleet of a device of the shard.
    fn device(self, local: usize) -> u32 {
        let local = u32::try_from(local).unwrap_or(u32::MAX);
        local.saturating_mul(self.shards).saturating_add(self.shard)
    }
}

impl Fleet {
    /// Starts the threads; no device does anything yet.
    pub(crate) fn start(parts: FleetParts) -> Result<Self, Error> {
        let options = parts.plan.options();
        let shards = options.shards.unwrap_or_else(default_shards).max(1);
        let devices = options.devices;
        let (wakes, woken): (Vec<_>, Vec<_>) =
            (0..shards).map(|_| mpsc::unbounded_channel()).unzip();
        parts.transcript.know_fleet(Arc::clone(&parts.passwords));
        let keys = Arc::new(KeyPool::of(options.keys())?);
        let context = Context {
            target: parts.target,
            cancel: parts.cancel,
            down: parts.down,
            resolved: parts.resolved,
            ground: engine::Ground {
                clock: parts.clock,
                transcript: parts.transcript,
                passwords: parts.passwords,
                progress: parts.progress,
                channels: parts.push.open_load(devices, wakes),
                lane: lane::LaneMode::On,
                keys,
                plan: parts.plan,
            },
            push: parts.push,
        };
        let mut handles = Vec::new();
        for (shard, woken) in woken.into_iter().enumerate() {
            let (orders, receiver) = mpsc::unbounded_channel();
            let context = context.clone();
            let place = Place::of(shard, shards);
            let thread = std::thread::Builder::new()
                .name(format!("shard-{shard}"))
                .spawn(move || shard::run(context, place, (receiver, woken)))
                .map_err(|error| Error::SetUp(format!("thread of shard {shard}: {error}")))?;
            handles.push(Handle {
                orders,
                thread: Some(thread),
            });
        }
        Ok(Self { shards: handles })
    }

    /// Gives every shard an order and collects the answers, in order of shards.
    pub(crate) async fn all<T>(
        &self,
        order: impl Fn(oneshot::Sender<T>) -> Order,
    ) -> Result<Vec<T>, Error> {
        let mut waiting = Vec::new();
        for handle in &self.shards {
            let (sender, receiver) = oneshot::channel();
            handle.send(order(sender))?;
            waiting.push(receiver);
        }
        let mut answers = Vec::new();
        for receiver in waiting {
            answers.push(receiver.await.map_err(|_gone| dead())?);
        }
        Ok(answers)
    }

    /// Announces a rotation request to the shard of its device.
    pub(crate) async fn begin(&self, begin: Begin) -> Result<Begun, Error> {
        let (sender, receiver) = oneshot::channel();
        self.of(begin.device)?.send(Order::Begin(begin, sender))?;
        receiver.await.map_err(|_gone| dead())
    }

    /// Tells the shard of a device how its rotation request was answered.
    pub(crate) fn posted(&self, device: u32, status: Option<u16>) -> Result<(), Error> {
        self.of(device)?.send(Order::Posted(device, status))
    }

    /// Ends the shards and collects what they have.
    pub(crate) async fn finish(mut self) -> Result<Vec<ShardReport>, Error> {
        let reports = self.all(Order::Finish).await?;
        for handle in &mut self.shards {
            if let Some(thread) = handle.thread.take() {
                thread.join().map_err(|_panic| dead())?;
            }
        }
        Ok(reports.into_iter().map(|report| *report).collect())
    }

    fn of(&self, device: u32) -> Result<&Handle, Error> {
        let device = usize::try_from(device).unwrap_or(usize::MAX);
        let shards = self.shards.len().max(1);
        self.shards.get(device % shards).ok_or_else(dead)
    }
}

impl Handle {
    fn send(&self, order: Order) -> Result<(), Error> {
        self.orders.send(order).map_err(|_gone| dead())
    }
}

fn dead() -> Error {
    Error::Harness("a shard of the fleet died".to_owned())
}

/// One shard a core, at least 2 and at most 4: more than that starves the target beside us.
fn default_shards() -> usize {
    std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 4)
}
