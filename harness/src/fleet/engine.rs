//! The decisions of a shard, without a socket and without a clock: which check-in starts when, what
//! each device sends, what its answer was worth, and what the books say of it.
//!
//! Time comes in with each call, answers come in as values, sessions to be carried go out in
//! [`Engine::next_ready`]. The shard around it does the carrying. A device's decisions depend on its
//! own answers, pushes and times alone, so that the number of shards changes none of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use emulator::{Commons, Connectivity, Device, DeviceSpec, Rested};
use protocol::JoinType;
use protocol::enrollment::PollSchedule;
use protocol::time::UtcMillis;

use super::attempt::AttemptRecord;
use super::credentials::Credentials;
use super::lane::{Lane, LaneMode};
use super::round::{Turn, TurnsOfAll};
use super::setup::Enrolled;
use super::shortage::Shortages;
use super::slot::{Resting, Slot};
use super::timers::Timers;
use super::visit::{Cause, Visit};
use super::{Place, Progress, RoundOrder};
use crate::clock::Clock;
use crate::keys::KeyPool;
use crate::load::{Answers, LoadPlan, Member, manages};
use crate::metrics::Meter;
use crate::model::Class;
use crate::push::{LoadChannels, Presence, Wake, WakeStage};
use crate::schedule::Books;
use crate::transcript::{LoadPasswords, Transcript};

/// Requests in a row without any answer before the target counts as down, if it was silent for
/// [`SILENT_NS`] as well.
const UNANSWERED_MAX: u32 = 50;
/// How long a target may be away without being taken for dead: one that fails over comes back.
const SILENT_NS: u64 = 3_000_000_000;

/// What an engine stands on.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub(super) plan: Arc<LoadPlan>,
    /// Says which instant belongs to a reading; it is not read here.
    pub(super) clock: Clock,
    pub(super) transcript: Transcript,
    pub(super) passwords: Arc<LoadPasswords>,
    pub(super) progress: Progress,
    pub(super) channels: Arc<LoadChannels>,
    pub(super) lane: LaneMode,
    pub(super) keys: Arc<KeyPool>,
}

/// What a shard leaves behind.
#[derive(Debug)]
pub(crate) struct ShardReport {
    pub(crate) answers: Answers,
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) deliveries: BTreeMap<(JoinType, u32), u64>,
    pub(crate) pushed_sessions: u64,
    pub(crate) pushed_failed: u64,
    pub(crate) setup_failed: u64,
    pub(crate) setup_failures: Vec<String>,
    pub(crate) in_flight_peak: u64,
    /// What the system had none left of.
    pub(crate) shortages: Shortages,
    /// Most connections to one authority that were in use at a time.
    pub(crate) connections: u64,
    pub(crate) target_down: bool,
}

/// The devices of a shard and everything about them that changes.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) ground: Ground,
    place: Place,
    pub(super) slots: Vec<Slot>,
    pub(super) timers: Timers,
    pub(super) commons: Commons,
    pub(super) credentials: Credentials,
    pub(super) lane: Lane,
    /// What devices get that the load policy reaches, and what the others get.
    classes: Vec<(Reached, Arc<Class>)>,
    pub(super) books: Books,
    pub(super) meter: Meter,
    pub(super) answers: Answers,
    pub(super) attempts: Vec<AttemptRecord>,
    pub(super) deliveries: BTreeMap<(JoinType, u32), u64>,
    pub(super) enrolled: Vec<Enrolled>,
    pub(super) pushed_sessions: u64,
    pub(super) pushed_failed: u64,
    pub(super) setup_failed: u64,
    pub(super) setup_failures: Vec<String>,
    pub(super) in_flight: u64,
    in_flight_peak: u64,
    pub(super) shortages: Shortages,
    /// The poll table of the target, once known; every device has the same.
    pub(super) poll: Option<PollSchedule>,
    /// When devices are planned to enrol.
    pub(super) enrolment: Option<RoundOrder>,
    pub(super) last_end_ns: u64,
    unanswered_in_a_row: u32,
    pub(super) down: bool,
    /// When the first of the requests without an answer ended.
    silent_from_ns: u64,
    /// Sessions that may be in flight.
    pub(super) in_flight_max: u64,
    /// Of those, the ones that have a connection.
    pub(super) connections_max: u64,
    pub(super) given_up: bool,
    pub(super) turns: TurnsOfAll,
    /// The round that is under way, or the last one.
    pub(super) order: Option<RoundOrder>,
    /// Sessions to be carried.
    ready: VecDeque<Visit>,
    /// Devices whose rotation requests have come to an end that the target knows.
    resolved: Vec<u32>,
    due: Vec<(u64, u32)>,
}

/// Whether the load policy reaches a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

impl Engine {
    pub(super) fn new(ground: Ground, place: Place, meter: Meter) -> Self {
        let plan = Arc::clone(&ground.plan);
        let turns = TurnsOfAll {
            devices: plan.online(),
            events: 0,
        };
        let devices = place.devices(plan.members().len());
        let in_flight_max = u64::from(place.share(plan.options().in_flight_max()));
        let connections_max = u64::from(place.share(plan.options().connections));
        let mut engine = Self {
            lane: Lane::new(ground.lane),
            ground,
            place,
            slots: std::iter::repeat_with(Slot::new).take(devices).collect(),
            timers: Timers::new(devices),
            commons: Commons::default(),
            credentials: Credentials::default(),
            classes: Vec::new(),
            books: Books::default(),
            meter,
            answers: Answers::default(),
            attempts: Vec::new(),
            deliveries: BTreeMap::new(),
            enrolled: Vec::new(),
            pushed_sessions: 0,
            pushed_failed: 0,
            setup_failed: 0,
            setup_failures: Vec::new(),
            in_flight: 0,
            in_flight_peak: 0,
            shortages: Shortages::default(),
            poll: None,
            enrolment: None,
            last_end_ns: 0,
            unanswered_in_a_row: 0,
            down: false,
            silent_from_ns: 0,
            in_flight_max,
            connections_max,
            given_up: false,
            turns,
            order: None,
            ready: VecDeque::new(),
            resolved: Vec::new(),
            due: Vec::new(),
        };
        for (turn, device) in (0..).zip(plan.order()) {
            if let Some(slot) = place
                .local(*device)
                .and_then(|local| engine.slots.get_mut(local))
            {
                slot.next_event = turn;
            }
        }
        engine
    }

    /// Number of a device in the fleet.
    pub(super) fn index_of(&self, local: usize) -> u32 {
        self.place.device(local)
    }

    /// The place of a device of this shard.
    pub(super) fn local(&self, device: u32) -> Option<usize> {
        self.place.local(device)
    }

    pub(super) fn member(&self, local: usize) -> Option<Member> {
        let index = usize::try_from(self.index_of(local)).ok()?;
        self.ground.plan.members().get(index).copied()
    }

    pub(super) fn spec(&self, local: usize) -> Option<DeviceSpec> {
        self.ground.plan.spec(self.index_of(local))
    }

    /// The instant of a reading of the clock.
    pub(super) fn at(&self, now_ns: u64) -> UtcMillis {
        self.ground.clock.at(now_ns)
    }

    /// True from the start of the measured phase on.
    pub(super) const fn measuring(&self) -> bool {
        self.order.is_some()
    }

    /// When [`Self::start_due`] has something to do next.
    pub(super) fn next_due_ns(&mut self) -> Option<u64> {
        self.timers.next_due()
    }

    /// The next session to be carried.
    pub(super) fn next_ready(&mut self, now_ns: u64) -> Option<Visit> {
        let mut visit = self.ready.pop_front()?;
        visit.taken_up(now_ns);
        Some(visit)
    }

    /// Sessions to be carried.
    pub(super) fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// The devices whose rotation requests have come to an end that the target knows, told once.
    pub(super) fn take_resolved(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.resolved)
    }

    pub(super) fn resolved(&mut self, device: u32) {
        self.resolved.push(device);
    }

    /// Plugs the offline devices out.
    pub(super) fn go_offline(&mut self, now_ns: u64) {
        for local in 0..self.slots.len() {
            if !self.member(local).is_some_and(|member| member.offline) {
                continue;
            }
            let device = self.index_of(local);
            self.ground
                .channels
                .set_presence(device, Presence::Disconnected);
            if let Some(mut device) = self.take_awake(local) {
                device.set_connectivity(self.at(now_ns), Connectivity::Offline);
                self.lay_down(local, device);
            }
        }
    }

    /// Starts what is due.
    pub(super) fn start_due(&mut self, now_ns: u64) {
        let mut due = std::mem::take(&mut self.due);
        self.timers.take_due(now_ns, &mut due);
        for (_, device) in due.drain(..) {
            let local = usize::try_from(device).unwrap_or(usize::MAX);
            self.take_turn(local, now_ns, Turn::Due);
        }
        self.due = due;
    }

    /// Takes a device out of its place for a session.
    pub(super) fn open(&mut self, local: usize, cause: Cause) {
        let Some(slot) = self
            .slots
            .get_mut(local)
            .filter(|slot| slot.resting.is_here())
        else {
            return;
        };
        let resting = std::mem::replace(&mut slot.resting, Resting::Away);
        if let Some(visit) = Visit::of(local, cause, resting) {
            self.in_flight += 1;
            self.in_flight_peak = self.in_flight_peak.max(self.in_flight);
            self.ready.push_back(visit);
        }
    }

    /// Takes note of a push.
    pub(super) fn pushed(&mut self, wake: Wake) {
        let local = u32::try_from(wake.device)
            .ok()
            .and_then(|it| self.local(it));
        let Some(local) = local else { return };
        let Some(slot) = self.slots.get_mut(local) else {
            return;
        };
        match wake.stage {
            WakeStage::Answering => {
                if let Some(belief) = &mut slot.belief {
                    belief.push_answered();
                }
            }
            WakeStage::Answered => {
                slot.pushed = true;
                self.start_pushed(local);
            }
            WakeStage::Absent => {}
        }
    }

    /// Starts the session that a push asked for, unless the device is in one already: then it
    /// follows. True when one was started.
    pub(super) fn start_pushed(&mut self, local: usize) -> bool {
        let Some(slot) = self.slots.get_mut(local) else {
            return false;
        };
        if !slot.pushed || !slot.resting.is_here() || slot.belief.is_none() {
            return false;
        }
        slot.pushed = false;
        self.pushed_sessions += 1;
        self.open(local, Cause::Pushed);
        true
    }

    /// Takes note of an answer.
    pub(super) const fn reached(&mut self) {
        self.unanswered_in_a_row = 0;
    }

    /// Takes note of a request without an answer; after many of them, over some time, the target
    /// counts as down.
    pub(super) const fn unreached(&mut self, now_ns: u64) {
        if self.unanswered_in_a_row == 0 {
            self.silent_from_ns = now_ns;
        }
        self.unanswered_in_a_row += 1;
        let silent_ns = now_ns.saturating_sub(self.silent_from_ns);
        self.down |= self.unanswered_in_a_row >= UNANSWERED_MAX && silent_ns >= SILENT_NS;
    }

    /// True when the target counts as gone.
    pub(super) const fn is_down(&self) -> bool {
        self.down
    }

    /// What the devices of a join state must get, held once.
    pub(super) fn class_of(&mut self, join: JoinType, provider_id: &str) -> Arc<Class> {
        let reached = if manages(join) {
            Reached::Yes
        } else {
            Reached::No
        };
        let of = |known: &&(Reached, Arc<Class>)| {
            known.0 == reached && *known.1.provider_id == *provider_id
        };
        if let Some((_, class)) = self.classes.iter().find(of) {
            return Arc::clone(class);
        }
        let policy = self.ground.plan.policy();
        let class = Arc::new(Class {
            policy: (reached == Reached::Yes).then(|| policy.clone()),
            provider_id: provider_id.into(),
        });
        // Nothing differs but the provider id, and a target has one.
        if self.classes.len() < CLASSES_MAX {
            self.classes.push((reached, Arc::clone(&class)));
        }
        class
    }

    /// The device of a slot, awake and out of its place; `None` when there is none.
    pub(super) fn take_awake(&mut self, local: usize) -> Option<Box<Device>> {
        let slot = self.slots.get_mut(local)?;
        if !slot.resting.is_here() {
            return None;
        }
        match std::mem::replace(&mut slot.resting, Resting::Away) {
            Resting::Asleep(rested) => self.awake(local, &rested),
            Resting::Awake(device) => Some(device),
            Resting::Unknown | Resting::Registered(_) | Resting::Away => None,
        }
    }

    pub(super) fn awake(&self, local: usize, rested: &Rested) -> Option<Box<Device>> {
        self.spec(local)
            .map(|spec| Box::new(rested.wake(spec, &self.commons)))
    }

    /// Puts a device back into its place, in the compact form if it fits.
    pub(super) fn lay_down(&mut self, local: usize, device: Box<Device>) {
        let resting = match self.spec(local) {
            Some(spec) => match device.rest(spec, &mut self.commons) {
                Ok(rested) => Resting::Asleep(rested),
                Err(device) => Resting::Awake(device),
            },
            None => Resting::Awake(device),
        };
        if let Some(slot) = self.slots.get_mut(local) {
            slot.resting = resting;
        }
    }

    /// What the shard has when it ends.
    pub(super) fn report(&mut self) -> ShardReport {
        self.close_attempts();
        tracing::debug!(hits = self.lane.hits, "answers of a known shape");
        ShardReport {
            answers: std::mem::take(&mut self.answers),
            attempts: std::mem::take(&mut self.attempts),
            deliveries: std::mem::take(&mut self.deliveries),
            pushed_sessions: self.pushed_sessions,
            pushed_failed: self.pushed_failed,
            setup_failed: self.setup_failed,
            setup_failures: std::mem::take(&mut self.setup_failures),
            in_flight_peak: self.in_flight_peak,
            shortages: self.shortages,
            connections: self.in_flight_peak.min(self.connections_max),
            target_down: self.down,
        }
    }
}

/// Most classes that are held once.
const CLASSES_MAX: usize = 16;
