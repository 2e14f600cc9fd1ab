//! Engines in virtual time: the number of shards and the short way change nothing that can be seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use emulator::{Endpoint, EnrollmentGrant};
use protocol::enrollment::{Credential, TOKEN_TYPE_USER};
use protocol::secret::Secret;
use tokio::sync::mpsc;

use super::attempt::Begin;
use super::desk::{Desk, HOST, Style};
use super::engine::{Engine, Ground};
use super::lane::LaneMode;
use super::visit::{Cause, Visit};
use super::{Place, Progress, RoundOrder, Verification};
use crate::clock::Clock;
use crate::http::Failure;
use crate::keys::KeyPool;
use crate::lab::silent_device;
use crate::load::{AttemptKind, LoadOptions, LoadPlan, manages};
use crate::metrics::{Measured, Meter, Round};
use crate::push::{PushEndpoint, Wake, WakeStage};
use crate::transcript::{LoadPasswords, Transcript};

const DEVICES: u32 = 60;
const SECOND_NS: u64 = 1_000_000_000;
/// Long enough that each device lives through several of its hourly cycles.
const HOURS: u64 = 4;

/// Engines with their target, in virtual time.
struct World {
    plan: Arc<LoadPlan>,
    engines: Vec<Engine>,
    desk: Desk,
    now_ns: u64,
    /// Answers on their way, by time and device.
    answers: BinaryHeap<Reverse<(u64, u32)>>,
    visits: BTreeMap<u32, (Visit, crate::http::Answer)>,
    /// What each device did: time, service, bytes.
    deeds: BTreeMap<u32, String>,
    /// Of so many requests of the load one finds no answer; 0 for none.
    lose_every: u64,
    answered: u64,
}

/// What can be seen of a run.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    deeds: BTreeMap<u32, String>,
    /// The record of each device at the end.
    records: BTreeMap<u32, String>,
    /// Execs, backups, and whether the password changed.
    attempts: BTreeMap<u32, (u32, u32, bool)>,
    counts: String,
}

fn plan(seed: u64) -> Arc<LoadPlan> {
    let options = LoadOptions {
        offline_ppm: 200_000,
        duration: Duration::from_secs(HOURS * 3_600),
        per_1000_s: Some(150),
        salt: seed,
        ..LoadOptions::even(DEVICES, seed)
    };
    Arc::new(LoadPlan::new(options).unwrap())
}

impl World {
    async fn new(
        (plan, clock): (Arc<LoadPlan>, &Clock),
        shards: usize,
        way: (LaneMode, Style),
    ) -> Self {
        let transcript = Transcript::default();
        let push = PushEndpoint::start(clock.clone(), "wake".to_owned(), transcript.clone())
            .await
            .unwrap();
        let queues = (0..shards).map(|_| mpsc::unbounded_channel().0).collect();
        let ground = Ground {
            plan: Arc::clone(&plan),
            clock: clock.clone(),
            transcript,
            passwords: Arc::new(LoadPasswords::new(
                plan.options().seed,
                DEVICES,
                plan.policy(),
            )),
            progress: Progress::default(),
            channels: push.open_load(DEVICES, queues),
            lane: way.0,
            keys: Arc::new(KeyPool::of(2).unwrap()),
        };
        let specs = (0..DEVICES).map(|device| plan.spec(device).unwrap());
        let reached = specs.filter(|spec| manages(spec.join_type));
        let reached = reached.map(|spec| spec.device_id.to_string()).collect();
        let engine = |shard| {
            let place = Place::of(shard, shards);
            Engine::new(ground.clone(), place, Meter::new().unwrap())
        };
        Self {
            engines: (0..shards).map(engine).collect(),
            desk: Desk::new(way.1, plan.policy().clone(), reached),
            plan,
            now_ns: SECOND_NS,
            answers: BinaryHeap::new(),
            visits: BTreeMap::new(),
            deeds: BTreeMap::new(),
            lose_every: 0,
            answered: 0,
        }
    }

    fn engine(&mut self, device: u32) -> (&mut Engine, usize) {
        let shards = self.engines.len();
        let engine = &mut self.engines[device as usize % shards];
        let local = engine.local(device).unwrap();
        (engine, local)
    }

    fn enroll(&mut self, device: u32) {
        let spec = self.plan.spec(device).unwrap();
        let (at, text) = (self.now_ns, Secret::from("dG9rZW4="));
        let (engine, local) = self.engine(device);
        let grant = EnrollmentGrant {
            discovery_url: format!("{HOST}/EnrollmentServer/Discovery.svc"),
            directory_url: format!("{HOST}/directory"),
            channel_uri: format!("http://push.example/{device}"),
            credential: Credential::Token {
                value_type: TOKEN_TYPE_USER.to_owned(),
                text,
            },
        };
        let mut emulated = Box::new(silent_device(spec));
        emulated.enroll(engine.at(at), grant);
        let mut visit = Visit::enrollment(local, emulated);
        self.carry_alone(device, &mut visit);
        let at = self.now_ns;
        let (engine, _) = self.engine(device);
        assert!(visit.go_on_enrolled(engine.at(at)));
        self.carry_alone(device, &mut visit);
        let (engine, local) = self.engine(device);
        let complete = visit.is_complete();
        engine.put_back(visit);
        engine.settle_enrollment(local, Some(complete));
    }

    fn carry_alone(&mut self, device: u32, visit: &mut Visit) {
        while let Some(answer) = self.send(device, visit) {
            self.now_ns = answer.received_ns;
            self.engine(device).0.answered(visit, &answer);
        }
    }

    /// The next request of a visit and the answer that it will have.
    fn send(&mut self, device: u32, visit: &mut Visit) -> Option<crate::http::Answer> {
        let now_ns = self.now_ns;
        if !self.engine(device).0.advance(visit, now_ns) {
            return None;
        }
        let device_id = self.plan.device_id(device)?.to_string();
        let outgoing = visit.outgoing()?;
        // Keys come from the system, so that no two enrolments are alike.
        let body: &[u8] = match outgoing.endpoint {
            Endpoint::Enrollment => b"",
            Endpoint::Discovery | Endpoint::Policy | Endpoint::Management | Endpoint::Directory => {
                &outgoing.body
            }
        };
        let deeds = self.deeds.entry(device).or_default();
        writeln!(
            deeds,
            "{now_ns} {} {} {:?} {:?} {}",
            outgoing.method.as_str(),
            outgoing.url(),
            outgoing.certificate,
            (
                outgoing.content_type,
                outgoing.user_agent,
                outgoing.idempotency_key
            ),
            String::from_utf8_lossy(body),
        )
        .unwrap();
        let latency_ns = 200_000 + u64::from(device) * 7_919 % 900_000;
        let times = (now_ns, now_ns + latency_ns);
        let said = (&*device_id, &*outgoing.body);
        Some(self.desk.answer(outgoing.endpoint, said, times))
    }

    /// Sends for every visit that is ready.
    fn start_ready(&mut self) {
        for shard in 0..self.engines.len() {
            while let Some(visit) = self.engines[shard].next_ready(self.now_ns) {
                let device = self.engines[shard].index_of(visit.local);
                self.go_on(device, visit);
            }
        }
    }

    fn go_on(&mut self, device: u32, mut visit: Visit) {
        match self.send(device, &mut visit) {
            Some(answer) => {
                self.answers.push(Reverse((answer.received_ns, device)));
                self.visits.insert(device, (visit, answer));
            }
            None => {
                let now_ns = self.now_ns;
                self.engine(device).0.close(visit, now_ns);
            }
        }
    }

    /// Lets time run until `until_ns`.
    fn run_until(&mut self, until_ns: u64) {
        loop {
            self.start_ready();
            let due = self
                .engines
                .iter_mut()
                .filter_map(Engine::next_due_ns)
                .min();
            let answer = self.answers.peek().map(|Reverse((at, _))| *at);
            let Some(next_ns) = due.into_iter().chain(answer).min() else {
                break;
            };
            if next_ns > until_ns {
                break;
            }
            self.now_ns = self.now_ns.max(next_ns);
            if answer == Some(next_ns) {
                let Reverse((_, device)) = self.answers.pop().unwrap();
                let (mut visit, answer) = self.visits.remove(&device).unwrap();
                self.take(device, &mut visit, &answer);
                self.go_on(device, visit);
            } else {
                let now_ns = self.now_ns;
                let engines = &mut self.engines;
                engines
                    .iter_mut()
                    .for_each(|engine| engine.start_due(now_ns));
            }
        }
        self.now_ns = self.now_ns.max(until_ns);
    }

    /// An answer arrives, or does not.
    fn take(&mut self, device: u32, visit: &mut Visit, answer: &crate::http::Answer) {
        self.answered += 1;
        if self.lose_every > 0 && self.answered.is_multiple_of(self.lose_every) {
            let (lost, now_ns) = (Failure::Unknown("no answer".to_owned()), self.now_ns);
            self.engine(device).0.failed(visit, lost, now_ns);
        } else {
            self.engine(device).0.answered(visit, answer);
        }
    }

    /// A rotation of a device, asked for and pushed.
    fn rotate(&mut self, attempt: u32, device: u32) {
        let now_ns = self.now_ns;
        let device_id = self.plan.device_id(device).unwrap().to_string();
        let begin = Begin {
            device,
            attempt,
            kind: AttemptKind::Online,
        };
        let (engine, _) = self.engine(device);
        if !engine.begin_attempt(begin, now_ns).ready {
            return;
        }
        engine.posted(device, Some(204));
        for stage in [WakeStage::Answering, WakeStage::Answered] {
            engine.pushed(Wake {
                device: u64::from(device),
                stage,
            });
        }
        self.desk.rotate(&device_id);
    }

    fn seen(mut self) -> Seen {
        let (mut records, mut attempts) = (BTreeMap::new(), BTreeMap::new());
        let (mut books, mut answers) = (crate::schedule::Books::default(), [0; 5]);
        let (mut deliveries, mut measured) = (BTreeMap::new(), Measured::default());
        for engine in &mut self.engines {
            for local in 0..engine.slots.len() {
                let slot = &engine.slots[local];
                let kept = (&slot.resting, &slot.belief, slot.next_event, slot.pushed);
                let record = format!("{kept:?} {}", slot.hours_to_expiry(engine.at(0)));
                records.insert(engine.index_of(local), record);
            }
            let round = engine.round_report(None);
            books.merge(&round.books);
            measured.merge(&round.measured);
            let report = engine.report();
            let counted = &report.answers;
            for (sum, count) in answers.iter_mut().zip([
                counted.responses,
                counted.verified,
                counted.setup_responses,
                counted.setup_verified,
                counted.wrong_total,
            ]) {
                *sum += count;
            }
            for (class, count) in report.deliveries {
                *deliveries.entry(class).or_insert(0) += count;
            }
            for attempt in report.attempts {
                let (execs, backups) = (attempt.execs, attempt.backups);
                let seen = (execs, backups, attempt.password_changed);
                attempts.insert(attempt.attempt, seen);
            }
        }
        assert!(books.balance(), "{books:?}");
        let mut windows = measured.warm_up;
        windows.merge(&measured.measured);
        assert_eq!(windows, books, "both windows together are the round");
        let times: Vec<String> = measured
            .timings
            .iter()
            .map(|(operation, timings)| {
                let (count, latency) = (timings.count(), timings.latency());
                format!("{operation} {count} {latency:?}")
            })
            .collect();
        Seen {
            deeds: self.deeds,
            records,
            attempts,
            counts: format!("{books:?} {answers:?} {deliveries:?} {times:?}"),
        }
    }
}

/// A whole load in virtual time; also how often the short way was taken.
async fn run(seed: u64, clock: &Clock, shards: usize, way: (LaneMode, Style)) -> (Seen, u64) {
    run_losing(0, (seed, clock), shards, way).await
}

/// The same with a target of which one answer in so many is lost.
async fn run_losing(
    lose_every: u64,
    (seed, clock): (u64, &Clock),
    shards: usize,
    way: (LaneMode, Style),
) -> (Seen, u64) {
    let plan = plan(seed);
    let mut world = World::new((Arc::clone(&plan), clock), shards, way).await;
    world.lose_every = lose_every;
    for device in 0..DEVICES {
        world.enroll(device);
    }
    let from_ns = 10 * SECOND_NS;
    assert!(world.now_ns < from_ns);
    world.now_ns = from_ns;
    let (intervals, _received) = mpsc::unbounded_channel();
    let order = RoundOrder {
        schedule: Arc::clone(plan.rate()),
        round: Round {
            start_ns: from_ns,
            measured_ns: from_ns + 600 * SECOND_NS,
        },
        verification: Verification::On,
        intervals,
    };
    for engine in &mut world.engines {
        engine.go_offline(from_ns);
        engine.measure(order.clone(), from_ns);
    }
    let online = plan.candidates(AttemptKind::Online);
    for (attempt, device) in (0..).zip(online.iter().cycle().take(40)) {
        world.run_until(from_ns + u64::from(attempt) * 300 * SECOND_NS);
        world.rotate(attempt, *device);
    }
    world.run_until((HOURS * 3_600 + 60) * SECOND_NS);
    let hits = world.engines.iter().map(|engine| engine.lane.hits).sum();
    (world.seen(), hits)
}

#[tokio::test]
async fn devices_decide_alike_in_any_number_of_shards() {
    let clock = Clock::start();
    for seed in [3, 4] {
        let (one, hits) = run(seed, &clock, 1, (LaneMode::On, Style::Plain)).await;
        assert!(hits > 1_000, "seed {seed}: {hits}");
        assert!(one.counts.contains("failed: 0"), "{}", one.counts);
        // A device at rest keeps nothing of its own beside the record.
        let asleep = |record: &String| record.contains("Asleep") && record.contains("rare: None");
        assert!(one.records.values().all(asleep), "seed {seed}");
        for shards in [2, 3, 7] {
            let (other, _) = run(seed, &clock, shards, (LaneMode::On, Style::Plain)).await;
            assert_eq!(one.counts, other.counts, "seed {seed}, {shards} shards");
            assert_eq!(one.deeds, other.deeds, "seed {seed}, {shards} shards");
            assert!(one == other, "seed {seed}, {shards} shards: the records");
        }
    }
}

#[tokio::test]
async fn the_short_way_sends_keeps_and_counts_what_the_whole_way_does() {
    let clock = Clock::start();
    for (seed, style, hit) in [
        (5, Style::Plain, Some(true)),
        (6, Style::Volatile, Some(false)),
        (7, Style::Slips(3), Some(true)),
        // One byte may be changed without making an answer wrong, so that some are learned.
        (8, Style::Slips(1), None),
    ] {
        let (short, hits) = run(seed, &clock, 2, (LaneMode::On, style)).await;
        let (whole, none) = run(seed, &clock, 2, (LaneMode::Off, style)).await;
        assert_eq!(none, 0);
        let taken = hit.unwrap_or(hits > 0);
        assert_eq!(hits > 0, taken, "seed {seed} {style:?}: {hits}");
        assert_eq!(short.counts, whole.counts, "seed {seed} {style:?}");
        assert_eq!(short, whole, "seed {seed} {style:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_costs_a_check_in_and_never_the_device() {
    let clock = Clock::start();
    let seed = 9;
    let way = |lane| (lane, Style::Plain);
    let (short, hits) = run_losing(40, (seed, &clock), 2, way(LaneMode::On)).await;
    let (whole, _) = run_losing(40, (seed, &clock), 2, way(LaneMode::Off)).await;
    assert!(hits > 0, "seed {seed}");
    // That the books balance is asserted where they are read.
    for seen in [&short, &whole] {
        assert!(!seen.counts.contains("failed: 0"), "{}", seen.counts);
        let gone = |record: &&String| record.contains("Away");
        assert_eq!(seen.records.values().find(gone), None, "seed {seed}");
    }
    assert_eq!(short, whole, "seed {seed}");
}

#[tokio::test]
async fn waiting_for_a_worker_is_the_harness_s_own_and_waiting_for_a_connection_is_not() {
    let clock = Clock::start();
    let options = LoadOptions {
        phases: crate::schedule::spec::parse("storm:all,10s").unwrap(),
        connections: 2,
        ..LoadOptions::even(DEVICES, 5)
    };
    let plan = Arc::new(LoadPlan::new(options).unwrap());
    let way = (LaneMode::On, Style::Plain);
    let mut world = World::new((Arc::clone(&plan), &clock), 1, way).await;
    (0..DEVICES).for_each(|device| world.enroll(device));
    let from_ns = world.now_ns + SECOND_NS;
    let (intervals, _received) = mpsc::unbounded_channel();
    let order = RoundOrder {
        schedule: Arc::clone(plan.rate()),
        round: Round {
            start_ns: from_ns,
            measured_ns: from_ns,
        },
        verification: Verification::On,
        intervals,
    };
    let engine = &mut world.engines[0];
    engine.measure(order, from_ns - 1);
    engine.start_due(from_ns);
    let mut delays = Vec::new();
    while let Some(visit) = engine.next_ready(from_ns + 7) {
        if let Cause::Planned { delay_ns, .. } = visit.cause {
            delays.push(delay_ns);
        }
    }
    let online = usize::try_from(plan.online()).unwrap();
    assert_eq!(delays.len(), online);
    assert_eq!(delays[..2], [7, 7], "a connection was free");
    assert_eq!(delays[2..], vec![0; online - 2], "all were in use");
}
