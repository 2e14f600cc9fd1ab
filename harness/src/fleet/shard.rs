//! One shard: its devices, its timers, and the loop that starts what is due.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use emulator::{Connectivity, Device, DeviceSpec};
use protocol::JoinType;
use protocol::enrollment::Credential;
use protocol::time::UtcTicks;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use super::attempt::{AttemptRecord, Begin};
use super::session::Cause;
use super::timers::Timers;
use super::{Context, Order, place};
use crate::http::Pools;
use crate::load::{Answers, Member, manages};
use crate::metrics::Timings;
use crate::model::{Belief, Class, Rotation};
use crate::push::{PushSlot, Wake, WakeStage};
use crate::schedule::{Books, Turns};

/// Connections of one shard, for each authority.
const CONNECTIONS_MAX: usize = 32;
/// Sessions in flight in one shard; a check-in that is due beyond it is not started.
const IN_FLIGHT_MAX: u64 = 1_024;
/// A check-in that could not start this long after its time is not started.
const LATE_NS: u64 = 1_000_000_000;
/// Requests in a row without any answer before the target counts as down.
const UNANSWERED_MAX: u32 = 50;
/// Longest wait at the end for sessions under way.
const FINISH: Duration = Duration::from_secs(10);
/// Longest sleep of the loop when no timer is set.
const IDLE: Duration = Duration::from_secs(1);

/// What a shard leaves behind.
#[derive(Debug)]
pub(crate) struct ShardReport {
    pub(crate) books: Books,
    pub(crate) timings: Timings,
    pub(crate) answers: Answers,
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) deliveries: BTreeMap<(JoinType, u32), u64>,
    pub(crate) pushed_sessions: u64,
    pub(crate) pushed_failed: u64,
    pub(crate) setup_failed: u64,
    pub(crate) setup_failures: Vec<String>,
    pub(crate) in_flight_peak: u64,
    /// When the last planned check-in was over.
    pub(crate) last_end_ns: u64,
    pub(crate) target_down: bool,
}

/// One device at rest. What a check-in needs stands together.
#[derive(Debug)]
pub(super) struct Slot {
    /// Number of the device in the fleet.
    pub(super) index: u32,
    pub(super) member: Member,
    /// `None` while a session has it.
    pub(super) device: Option<Device>,
    pub(super) belief: Option<Belief>,
    pub(super) turns: Turns,
    pub(super) push: Option<PushSlot>,
    /// A push was answered and its session not yet started.
    pub(super) pushed: bool,
    /// When the password expires, by the last upload that was taken; `None` without one.
    pub(super) expires: Option<UtcTicks>,
    pub(super) managed_id: Option<Uuid>,
    pub(super) entra_device_id: Option<Uuid>,
    pub(super) credential: Option<Credential>,
    /// The latest rotation attempt, in [`State::attempts`].
    pub(super) attempt: Option<usize>,
}

/// Everything of a shard that changes. It is never borrowed across an await.
#[derive(Debug)]
pub(super) struct State {
    pub(super) slots: Vec<Slot>,
    pub(super) timers: Timers,
    pub(super) books: Books,
    pub(super) timings: Timings,
    pub(super) answers: Answers,
    pub(super) attempts: Vec<AttemptRecord>,
    pub(super) deliveries: BTreeMap<(JoinType, u32), u64>,
    pub(super) pushed_sessions: u64,
    pub(super) pushed_failed: u64,
    pub(super) setup_failed: u64,
    pub(super) setup_failures: Vec<String>,
    pub(super) in_flight: u64,
    pub(super) in_flight_peak: u64,
    pub(super) last_end_ns: u64,
    unanswered_in_a_row: u32,
    /// The provider id of the target, once known; every device has the same.
    pub(super) provider_id: Option<Arc<str>>,
    measure: Option<Measure>,
    due: Vec<(u64, u32)>,
}

#[derive(Debug)]
struct Measure {
    start_ns: u64,
    done: Option<oneshot::Sender<()>>,
}

/// A shard. Everything in it stays on its thread.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) context: Context,
    pub(super) pools: Pools,
    pub(super) state: RefCell<State>,
    /// What devices get that the load policy reaches, and what the others get.
    classes: [Arc<Class>; 2],
    pub(super) wakes: mpsc::UnboundedSender<Wake>,
    shards: usize,
    /// Set when a timer was set that the loop may sleep past.
    rearm: Notify,
    down: Cell<bool>,
}

/// Runs a shard on the present thread until it is told to finish.
pub(super) fn run(
    context: Context,
    (shard, shards): (usize, usize),
    orders: mpsc::UnboundedReceiver<Order>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let (runtime, timings) = match (runtime, Timings::new()) {
        (Ok(runtime), Ok(timings)) => (runtime, timings),
        // The dropped channel tells the fleet that this shard is gone.
        (runtime, timings) => {
            tracing::error!(shard, runtime = ?runtime.err(), timings = ?timings.err(), "no shard");
            return;
        }
    };
    let (wakes, woken) = mpsc::unbounded_channel();
    let shard = Rc::new(Shard::new(context, (shard, shards), wakes, timings));
    tokio::task::LocalSet::new().block_on(&runtime, shard.serve(orders, woken));
}

impl Shard {
    fn new(
        context: Context,
        (shard, shards): (usize, usize),
        wakes: mpsc::UnboundedSender<Wake>,
        timings: Timings,
    ) -> Self {
        let plan = &context.plan;
        let events = plan.rate().events();
        let slots = (0_u32..)
            .zip(plan.members())
            .filter(|(index, _)| place(*index, shards).0 == shard)
            .map(|(index, member)| Slot::new(index, *member))
            .collect();
        let mut state = State::new(slots, timings);
        for (turn, device) in (0..).zip(plan.order()) {
            let (of, local) = place(*device, shards);
            if let Some(slot) = state.slots.get_mut(local).filter(|_| of == shard) {
                slot.turns = Turns::new(turn, plan.online(), events);
                state.books.planned += slot.turns.left();
            }
        }
        let class = |policy| Arc::new(Class { policy });
        let classes = [class(Some(plan.policy().clone())), class(None)];
        Self {
            pools: Pools::new(context.clock.clone(), CONNECTIONS_MAX),
            state: RefCell::new(state),
            classes,
            wakes,
            shards,
            rearm: Notify::new(),
            down: Cell::new(false),
            context,
        }
    }

    async fn serve(
        self: Rc<Self>,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut woken: mpsc::UnboundedReceiver<Wake>,
    ) {
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                Some(wake) = woken.recv() => self.wake(wake),
                order = orders.recv() => match order {
                    Some(Order::Finish(report)) => return self.finish(report).await,
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = self.rearm.notified() => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
            self.start_due();
        }
    }

    /// When the loop has to look at its timers again.
    fn wake_at(&self) -> tokio::time::Instant {
        let now_ns = self.context.clock.monotonic_ns();
        let idle_ns = now_ns.saturating_add(u64::try_from(IDLE.as_nanos()).unwrap_or(0));
        let state = self.state.borrow();
        let due_ns = state.timers.next_due().unwrap_or(idle_ns).min(idle_ns);
        // While a phase is on, a cancelled run must be noticed soon.
        let bound_ns = if state.measure.is_some() {
            now_ns + CANCEL_NS
        } else {
            idle_ns
        };
        self.context.clock.deadline(due_ns.min(bound_ns))
    }

    fn obey(self: &Rc<Self>, order: Order) {
        let shard = Rc::clone(self);
        match order {
            Order::Register(done) => {
                tokio::task::spawn_local(async move { told(done, shard.register_all().await) });
            }
            Order::Join(group, done) => {
                tokio::task::spawn_local(async move { told(done, shard.join_all(group).await) });
            }
            Order::Enroll(done) => {
                tokio::task::spawn_local(async move { told(done, shard.enroll_all().await) });
            }
            Order::GoOffline(done) => {
                self.go_offline();
                told(done, ());
            }
            Order::Measure(start_ns, done) => self.measure(start_ns, done),
            Order::Begin(begin, done) => {
                let begun = self.begin(begin);
                told(done, begun);
            }
            Order::Posted(device, status) => {
                let (_, local) = place(device, self.shards);
                if self.state.borrow_mut().posted(local, status) {
                    self.resolved(device);
                }
            }
            Order::Finish(_) => {}
        }
    }

    fn begin(&self, begin: Begin) -> super::Begun {
        let (_, local) = place(begin.device, self.shards);
        let now = self.context.clock.now();
        let mut state = self.state.borrow_mut();
        state.close_attempt(local);
        state.begin_attempt(local, begin, now)
    }

    fn go_offline(&self) {
        let now = self.context.clock.now();
        let mut state = self.state.borrow_mut();
        for slot in state.slots.iter_mut().filter(|slot| slot.member.offline) {
            if let Some(device) = &mut slot.device {
                device.set_connectivity(now, Connectivity::Offline);
            }
            if let Some(push) = &slot.push {
                push.set_connected(false);
            }
        }
    }

    fn measure(self: &Rc<Self>, start_ns: u64, done: oneshot::Sender<()>) {
        let devices = {
            let mut state = self.state.borrow_mut();
            state.measure = Some(Measure {
                start_ns,
                done: Some(done),
            });
            state.slots.len()
        };
        for local in 0..devices {
            self.take_turn(local);
        }
        self.conclude();
    }

    /// Starts what is due.
    fn start_due(self: &Rc<Self>) {
        let now_ns = self.context.clock.monotonic_ns();
        let mut due = {
            let mut state = self.state.borrow_mut();
            if state.measure.is_none() {
                return;
            }
            let mut due = std::mem::take(&mut state.due);
            state.timers.take_due(now_ns, &mut due);
            due
        };
        for (_, device) in &due {
            self.take_turn(usize::try_from(*device).unwrap_or(usize::MAX));
        }
        due.clear();
        self.state.borrow_mut().due = due;
        if self.cancelled() || self.down.get() {
            self.give_up();
        }
        self.conclude();
    }

    /// Sets the timer of a device for its next planned check-in, or starts that, or counts it as
    /// not started. A device in a session takes its turn when the session is over.
    pub(super) fn take_turn(self: &Rc<Self>, local: usize) {
        let now_ns = self.context.clock.monotonic_ns();
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        let Some(start_ns) = state.measure.as_ref().map(|measure| measure.start_ns) else {
            return;
        };
        let Some(slot) = state.slots.get_mut(local) else {
            return;
        };
        while let Some(event) = slot.turns.peek() {
            let intended_ns = start_ns.saturating_add(self.context.plan.rate().start_ns(event));
            if intended_ns > now_ns {
                state
                    .timers
                    .set(u32::try_from(local).unwrap_or(u32::MAX), intended_ns);
                self.rearm.notify_one();
                return;
            }
            if slot.device.is_none() {
                return;
            }
            slot.turns.advance();
            let late = now_ns - intended_ns > LATE_NS;
            if late || state.in_flight >= IN_FLIGHT_MAX || self.down.get() {
                state.books.not_started += 1;
                continue;
            }
            state.books.started += 1;
            self.context.progress.started();
            drop(guard);
            self.spawn_session(local, Cause::Planned { intended_ns });
            return;
        }
    }

    /// The target is gone or the user stopped the run: what was not started will not be.
    fn give_up(&self) {
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        for (local, slot) in (0_u32..).zip(&mut state.slots) {
            state.timers.cancel(local);
            while slot.turns.peek().is_some() {
                slot.turns.advance();
                state.books.not_started += 1;
            }
        }
    }

    /// Ends the measured phase when every planned check-in is over.
    pub(super) fn conclude(&self) {
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        if !state.books.balance() {
            return;
        }
        if let Some(done) = state
            .measure
            .as_mut()
            .and_then(|measure| measure.done.take())
        {
            told(done, ());
        }
    }

    fn wake(self: &Rc<Self>, wake: Wake) {
        let device = u32::try_from(wake.device).unwrap_or(u32::MAX);
        let (_, local) = place(device, self.shards);
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(local) else {
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
                drop(state);
                self.start_pushed(local);
            }
            WakeStage::Absent => {}
        }
    }

    /// Starts the session that a push asked for, unless the device is in one already: then it
    /// follows.
    pub(super) fn start_pushed(self: &Rc<Self>, local: usize) -> bool {
        {
            let mut state = self.state.borrow_mut();
            let Some(slot) = state.slots.get_mut(local) else {
                return false;
            };
            if !slot.pushed || slot.device.is_none() || slot.belief.is_none() {
                return false;
            }
            slot.pushed = false;
            state.pushed_sessions += 1;
        }
        self.spawn_session(local, Cause::Pushed);
        true
    }

    /// The target knows the end of a device's rotation request.
    pub(super) fn resolved(&self, device: u32) {
        if self.context.resolved.send(device).is_err() {
            tracing::debug!(device, "attempt resolved after the end of the load");
        }
    }

    /// Takes note of an answer.
    pub(super) fn reached(&self) {
        self.state.borrow_mut().unanswered_in_a_row = 0;
    }

    /// Takes note of a request without an answer; after many of them the shard gives up.
    pub(super) fn unreached(&self) {
        let mut state = self.state.borrow_mut();
        state.unanswered_in_a_row += 1;
        if state.unanswered_in_a_row >= UNANSWERED_MAX {
            self.down.set(true);
            self.context.down.send_replace(true);
            self.rearm.notify_one();
        }
    }

    /// True when the target counts as gone.
    pub(super) fn is_down(&self) -> bool {
        self.down.get()
    }

    pub(super) fn cancelled(&self) -> bool {
        *self.context.cancel.borrow()
    }

    pub(super) fn class_of(&self, member: Member) -> Arc<Class> {
        let [managed, unmanaged] = &self.classes;
        Arc::clone(if manages(member.join) {
            managed
        } else {
            unmanaged
        })
    }

    pub(super) fn index_of(&self, local: usize) -> u32 {
        self.state
            .borrow()
            .slots
            .get(local)
            .map_or(u32::MAX, |slot| slot.index)
    }

    pub(super) fn spec(&self, local: usize) -> Option<DeviceSpec> {
        self.context.plan.spec(self.index_of(local))
    }

    /// Waits for sessions under way, as long as it is worth it, and reports.
    async fn finish(self: Rc<Self>, report: oneshot::Sender<Box<ShardReport>>) {
        self.give_up();
        let all_over = async {
            while self.state.borrow().in_flight > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(FINISH, all_over).await.is_err() {
            tracing::warn!("sessions still under way at the end of a shard");
        }
        let mut state = self.state.borrow_mut();
        state.close_attempts();
        told(report, Box::new(state.report(self.down.get())));
    }
}

/// How soon a shard notices that the run was cancelled.
const CANCEL_NS: u64 = 50_000_000;

/// Answers an order; the one who gave it may be gone.
fn told<T>(done: oneshot::Sender<T>, answer: T) {
    if done.send(answer).is_err() {
        tracing::debug!("nobody waits for the answer to an order");
    }
}

impl Slot {
    const fn new(index: u32, member: Member) -> Self {
        Self {
            index,
            member,
            device: None,
            belief: None,
            turns: Turns::new(0, 1, 0),
            push: None,
            pushed: false,
            expires: None,
            managed_id: None,
            entra_device_id: None,
            credential: None,
            attempt: None,
        }
    }

    /// True when the rotation request of the device has come to an end that the target knows;
    /// takes note of it.
    pub(super) fn settle_rotation(&mut self) -> bool {
        let Some(belief) = &mut self.belief else {
            return false;
        };
        let over = belief.rotation() == Rotation::Told;
        if over {
            belief.settle_rotation();
        }
        over
    }
}

impl State {
    fn new(slots: Vec<Slot>, timings: Timings) -> Self {
        Self {
            timers: Timers::new(slots.len()),
            slots,
            timings,
            books: Books::default(),
            answers: Answers::default(),
            attempts: Vec::new(),
            deliveries: BTreeMap::new(),
            pushed_sessions: 0,
            pushed_failed: 0,
            setup_failed: 0,
            setup_failures: Vec::new(),
            in_flight: 0,
            in_flight_peak: 0,
            last_end_ns: 0,
            unanswered_in_a_row: 0,
            provider_id: None,
            measure: None,
            due: Vec::new(),
        }
    }

    /// True from the start of the measured phase on.
    pub(super) const fn measuring(&self) -> bool {
        self.measure.is_some()
    }

    fn report(&mut self, target_down: bool) -> ShardReport {
        // A session that never ended did not complete.
        self.books.failed = self.books.started - self.books.completed;
        ShardReport {
            books: self.books,
            timings: self.timings.clone(),
            answers: std::mem::take(&mut self.answers),
            attempts: std::mem::take(&mut self.attempts),
            deliveries: std::mem::take(&mut self.deliveries),
            pushed_sessions: self.pushed_sessions,
            pushed_failed: self.pushed_failed,
            setup_failed: self.setup_failed,
            setup_failures: std::mem::take(&mut self.setup_failures),
            in_flight_peak: self.in_flight_peak,
            last_end_ns: self.last_end_ns,
            target_down,
        }
    }
}
