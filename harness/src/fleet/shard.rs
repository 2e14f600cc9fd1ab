//! One shard: a thread with its engine, its alarm, and the workers that carry sessions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use super::alarm::{Alarm, QUANTUM_NS};
use super::engine::{Engine, ShardReport};
use super::visit::Visit;
use super::{Context, Order, Place, RoundReport, wire};
use crate::http::link::Links;
use crate::http::{Failure, Pools};
use crate::metrics::Meter;
use crate::push::Wake;
use crate::usage;

/// Calls of set-up that a shard makes at a time.
pub(super) const SET_UP_MAX: usize = 32;
/// Longest wait at the end for sessions under way.
const FINISH: Duration = Duration::from_secs(10);
/// Longest sleep of the loop when nothing is planned.
const IDLE_NS: u64 = 1_000_000_000;

/// A shard. Everything in it stays on its thread; the engine is never borrowed across an await.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) context: Context,
    /// For calls of set-up that are no device's.
    pub(super) pools: Pools,
    pub(super) engine: RefCell<Engine>,
    alarm: Alarm,
    /// What the alarm is set to.
    set_ns: Cell<u64>,
    /// Calls a worker that waits.
    work: Notify,
    /// Workers, each with one connection for each authority.
    workers: Cell<u64>,
    waiting: Cell<usize>,
    /// A worker panicked: the books of the shard will never balance.
    died: Notify,
    /// Told when the measured phase is over.
    measured: RefCell<Option<Measuring>>,
}

/// A round that somebody waits for.
#[derive(Debug)]
struct Measuring {
    done: oneshot::Sender<RoundReport>,
    from_ns: u64,
    /// What the thread had worked and waited for a processor before.
    before_ns: Option<u64>,
}

/// Runs a shard on the present thread until it is told to finish.
pub(super) fn run(
    context: Context,
    place: Place,
    (orders, woken): (
        mpsc::UnboundedReceiver<Order>,
        mpsc::UnboundedReceiver<Wake>,
    ),
) {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| {
            let _inside = runtime.enter();
            let meter = Meter::new().map_err(|error| error.to_string())?;
            let alarm = Alarm::new().map_err(|error| error.to_string())?;
            let shard = Shard::new(context, place, (meter, alarm));
            Ok((runtime, Rc::new(shard)))
        });
    match built {
        Ok((runtime, shard)) => {
            tokio::task::LocalSet::new().block_on(&runtime, shard.serve(orders, woken));
        }
        // The dropped channel tells the fleet that this shard is gone.
        Err(error) => tracing::error!(?place, error, "no shard"),
    }
}

impl Shard {
    fn new(context: Context, place: Place, (meter, alarm): (Meter, Alarm)) -> Self {
        let engine = Engine::new(context.ground.clone(), place, meter);
        Self {
            pools: Pools::new(context.ground.clock.clone(), SET_UP_MAX),
            engine: RefCell::new(engine),
            alarm,
            set_ns: Cell::new(u64::MAX),
            work: Notify::new(),
            workers: Cell::new(0),
            waiting: Cell::new(0),
            died: Notify::new(),
            measured: RefCell::new(None),
            context,
        }
    }

    async fn serve(
        self: Rc<Self>,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut woken: mpsc::UnboundedReceiver<Wake>,
    ) {
        let mut cancel = self.context.cancel.clone();
        let mut cancellable = true;
        loop {
            tokio::select! {
                biased;
                Some(wake) = woken.recv() => self.engine.borrow_mut().pushed(wake),
                order = orders.recv() => match order {
                    Some(Order::Finish(report)) => return self.finish(report).await,
                    Some(order) => self.obey(order),
                    None => return,
                },
                rung = self.alarm.rings() => self.rung(rung),
                // The thread ends, and with it whoever waits for its answers learns that.
                () = self.died.notified() => return,
                told = cancel.changed(), if cancellable => cancellable = told.is_ok(),
            }
            self.go_on();
        }
    }

    /// Starts what is due.
    fn rung(&self, rung: std::io::Result<()>) {
        if let Err(error) = rung {
            tracing::error!(%error, "the alarm of a shard is out of order");
        }
        self.set_ns.set(u64::MAX);
        let now_ns = self.now_ns();
        self.engine.borrow_mut().start_due(now_ns);
    }

    /// Does what follows from a change of the engine.
    pub(super) fn go_on(self: &Rc<Self>) {
        let down = {
            let mut engine = self.engine.borrow_mut();
            let down = engine.is_down();
            if engine.measuring() && (down || self.cancelled()) {
                engine.give_up();
            }
            for device in engine.take_resolved() {
                self.resolved(device);
            }
            if engine.measuring() && engine.books.balance() {
                self.conclude(&mut engine);
            }
            down
        };
        if down {
            self.context
                .down
                .send_if_modified(|known| !std::mem::replace(known, true));
        }
        self.call_workers();
        self.set_alarm();
    }

    /// Tells what the round came to, if somebody waits for it.
    fn conclude(&self, engine: &mut Engine) {
        let Some(measuring) = self.measured.take() else {
            return;
        };
        let wall_ns = self.now_ns().saturating_sub(measuring.from_ns);
        let used = measuring.before_ns.zip(usage::thread_claim_ns());
        let busy_permille =
            used.map(|(before, now)| now.saturating_sub(before) * 1_000 / wall_ns.max(1));
        told(measuring.done, engine.round_report(busy_permille));
    }

    /// The target knows the end of a device's rotation request.
    fn resolved(&self, device: u32) {
        if self.context.resolved.send(device).is_err() {
            tracing::debug!(device, "attempt resolved after the end of the load");
        }
    }

    /// Has a worker for each session that waits, as far as there are any.
    fn call_workers(self: &Rc<Self>) {
        let engine = self.engine.borrow();
        for _ in 0..engine.ready_len() {
            if self.waiting.get() > 0 {
                self.waiting.set(self.waiting.get() - 1);
                // The one that waits for the shortest time: its connection is warm.
                self.work.notify_last();
            } else if self.workers.get() < engine.connections_max {
                self.workers.set(self.workers.get() + 1);
                tokio::task::spawn_local(Rc::clone(self).watch_over_worker());
            } else {
                return;
            }
        }
    }

    /// Sets the alarm for what is due next, unless it rings before that.
    fn set_alarm(&self) {
        let now_ns = self.now_ns();
        let idle_ns = now_ns.saturating_add(IDLE_NS);
        let due_ns = self.engine.borrow_mut().next_due_ns().unwrap_or(idle_ns);
        let due_ns = due_ns.min(idle_ns).max(now_ns.saturating_add(QUANTUM_NS));
        if due_ns >= self.set_ns.get() {
            return;
        }
        let after = Duration::from_nanos(due_ns.saturating_sub(now_ns));
        match self.alarm.set(after) {
            Ok(()) => self.set_ns.set(due_ns),
            Err(error) => tracing::error!(%error, "the alarm of a shard cannot be set"),
        }
    }

    /// Starts a worker and tells the shard when it panicked.
    async fn watch_over_worker(self: Rc<Self>) {
        let worker = tokio::task::spawn_local(Rc::clone(&self).serve_sessions());
        if worker.await.is_err() {
            self.died.notify_one();
        }
    }

    /// A worker: carries sessions as long as there are any, and waits for more.
    async fn serve_sessions(self: Rc<Self>) {
        let mut links = Links::new(self.context.ground.clock.clone());
        loop {
            let visit = self.engine.borrow_mut().next_ready(self.now_ns());
            if let Some(mut visit) = visit {
                let ended_ns = self.carry(&mut visit, &mut links).await;
                self.engine.borrow_mut().close(visit, ended_ns);
                self.go_on();
            } else {
                self.waiting.set(self.waiting.get() + 1);
                links.idle_until(self.work.notified()).await;
            }
        }
    }

    /// Carries requests until the device has nothing more to send; returns the time of the end.
    pub(super) async fn carry(&self, visit: &mut Visit, links: &mut Links) -> u64 {
        let mut now_ns = self.now_ns();
        while self.engine.borrow().advance(visit, now_ns) {
            let answer = match visit.outgoing() {
                Some(_) if self.engine.borrow().is_down() => {
                    Err(Failure::NotSent("the target is down".to_owned()))
                }
                Some(outgoing) => wire::send_load(links, outgoing).await,
                None => break,
            };
            let mut engine = self.engine.borrow_mut();
            match answer {
                Ok(answer) => {
                    now_ns = answer.received_ns;
                    engine.answered(visit, &answer);
                }
                Err(failure) => {
                    now_ns = self.now_ns();
                    engine.failed(visit, failure, now_ns);
                }
            }
        }
        now_ns
    }

    fn obey(self: &Rc<Self>, order: Order) {
        let shard = Rc::clone(self);
        let now_ns = self.now_ns();
        match order {
            Order::Register(done) => {
                tokio::task::spawn_local(async move { told(done, shard.register_all().await) });
            }
            Order::Join(group, done) => {
                tokio::task::spawn_local(async move { told(done, shard.join_all(group).await) });
            }
            Order::Enroll(planned, done) => {
                let planned = planned.map(|planned| *planned);
                tokio::task::spawn_local(async move {
                    told(done, shard.enroll_all(planned).await);
                });
            }
            Order::GoOffline(done) => {
                self.engine.borrow_mut().go_offline(now_ns);
                told(done, ());
            }
            Order::Measure(order, done) => {
                self.measured.replace(Some(Measuring {
                    done,
                    from_ns: now_ns,
                    before_ns: usage::thread_claim_ns(),
                }));
                self.engine.borrow_mut().measure(order, now_ns);
            }
            Order::Begin(begin, done) => {
                let begun = self.engine.borrow_mut().begin_attempt(begin, now_ns);
                told(done, begun);
            }
            Order::Posted(device, status) => self.engine.borrow_mut().posted(device, status),
            Order::Finish(_) => {}
        }
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.context.ground.clock.monotonic_ns()
    }

    pub(super) fn cancelled(&self) -> bool {
        *self.context.cancel.borrow()
    }

    /// Waits for sessions under way, as long as it is worth it, and reports.
    async fn finish(self: Rc<Self>, report: oneshot::Sender<Box<ShardReport>>) {
        self.engine.borrow_mut().give_up();
        let all_over = async {
            while self.engine.borrow().in_flight > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(FINISH, all_over).await.is_err() {
            tracing::warn!("sessions still under way at the end of a shard");
        }
        let ended = self.engine.borrow_mut().report();
        told(report, Box::new(ended));
    }
}

/// Answers an order; the one who gave it may be gone.
fn told<T>(done: oneshot::Sender<T>, answer: T) {
    if done.send(answer).is_err() {
        tracing::debug!("nobody waits for the answer to an order");
    }
}
