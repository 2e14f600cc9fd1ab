//! The load: a fleet that checks in as planned while some of it is rotated and administrators go
//! about their errands, every answer verified.
//!
//! [`Load::prepare`], [`Load::go_offline`], [`Load::measure`] and [`Load::finish`] follow one
//! another. A cancelled run passes through all of them quickly and yields what was measured.

use std::sync::Arc;

use protocol::enrollment::PollSchedule;
use tokio::sync::{mpsc, watch};

mod errands;
mod managed;
mod operations;
mod outcome;
mod plan;
mod rotations;
mod sum;

pub use outcome::{Answers, LoadOutcome};
pub use plan::{
    AttemptKind, CONNECTIONS, LoadOptions, LoadPlan, Member, OWN_KEYS_MAX, PlannedRotation,
    ROTATION_ACTOR, manages,
};

pub use crate::fleet::mix::Mix;
pub use crate::fleet::{Phase, Progress, Progressed, Shortages, Verification};
pub use operations::{Errand, OperationsMix};

use crate::admin::{AdminClient, Kept};
use crate::clock::Clock;
use crate::error::Error;
use crate::fleet::{Enrolled, Fleet, FleetParts, Order, RoundOrder, RoundReport};
use crate::interval_log::Kept as KeptSeconds;
use crate::lab::Lab;
use crate::ledger::Ledger;
use crate::limits::Patience;
use crate::metrics::{Intervals, Measured, Operation, Round};
use crate::model::WrongAnswer;
use crate::push::PushEndpoint;
use crate::schedule::{Books, Schedule};
use crate::target::Target;
use crate::transcript::{LoadPasswords, Transcript};
use managed::Managed;
use rotations::{Attempt, Rotations};
use sum::{Parts, sum_up};

/// From the order to measure to the first planned check-in: every shard has its timers by then, and
/// the rotations know their devices.
const LEAD_NS: u64 = 50_000_000;
/// What each device adds to that: setting its timer, and its place in a shuffled list.
const LEAD_OF_DEVICE_NS: u64 = 1_000;
const MINUTE_NS: u64 = 60_000_000_000;
/// Scope of the load's exchanges.
const SCOPE: &str = "load";
/// Devices whose ids differ that are told of one by one.
const DIFFERENCES_MAX: usize = 1_000;

/// What a load needs.
#[derive(Debug)]
pub struct LoadParts {
    /// The implementation under test.
    pub target: Target,
    /// The run's clock.
    pub clock: Clock,
    /// Where the target wakes devices.
    pub push: PushEndpoint,
    /// Where exchanges are kept.
    pub transcript: Transcript,
    /// The admin plane.
    pub admin: AdminClient,
    /// The books of rotations.
    pub ledger: Ledger,
    /// The plan.
    pub plan: Arc<LoadPlan>,
    /// Where progress is told.
    pub progress: Progress,
    /// True ends the load early.
    pub cancel: watch::Receiver<bool>,
    /// How long the target may take to show what happened.
    pub patience: Patience,
    /// Tells the target who is signed in.
    pub lab: Lab,
    /// Keeps the seconds of a round.
    pub kept: KeptSeconds,
}

/// A fleet that is set up.
#[derive(Debug)]
pub struct Load {
    parts: LoadParts,
    fleet: Arc<Fleet>,
    passwords: Arc<LoadPasswords>,
    resolved: Option<mpsc::UnboundedReceiver<u32>>,
    managed: Arc<Managed>,
    attempts: Vec<Attempt>,
    wrong: Vec<WrongAnswer>,
    rounds: Vec<RoundOutcome>,
    errands: errands::Run,
    poll: Option<PollSchedule>,
    enrolment: Measured,
    down: watch::Receiver<bool>,
}

/// What a round of check-ins came to.
#[derive(Clone, Debug)]
pub struct RoundOutcome {
    /// Every planned check-in, warm-up included.
    pub books: Books,
    /// The same by window, with the times of the measured phase.
    pub measured: Measured,
    /// The times of the round, on the harness's clock.
    pub round: Round,
    /// When the last planned check-in was over.
    pub last_end_ns: u64,
    /// Wrong answers of the fleet so far, those of former rounds included.
    pub wrong_answers: u64,
    /// What the fleet found nothing left of up to its end.
    pub shortages: Shortages,
    /// How busy the thread of the busiest shard was, in thousandths, where the system tells.
    pub busiest_permille: Option<u64>,
}

impl Load {
    /// Registers the devices, builds group and policy, enrols, and drives the first sessions.
    ///
    /// # Errors
    /// The target refused or did not answer a step without which there is no load. A single device
    /// that fails to enrol is no error: it is counted.
    pub async fn prepare(parts: LoadParts) -> Result<Self, Error> {
        let (resolved, receiver) = mpsc::unbounded_channel();
        let (down_sender, down) = watch::channel(false);
        let LoadOptions { seed, devices, .. } = *parts.plan.options();
        let passwords = LoadPasswords::new(seed, devices, parts.plan.policy());
        let passwords = Arc::new(passwords);
        let fleet_parts = FleetParts {
            down: down_sender,
            target: parts.target.clone(),
            clock: parts.clock.clone(),
            push: parts.push.clone(),
            transcript: parts.transcript.clone(),
            plan: Arc::clone(&parts.plan),
            progress: parts.progress.clone(),
            cancel: parts.cancel.clone(),
            resolved,
            passwords: Arc::clone(&passwords),
        };
        parts.progress.plan(parts.plan.rate().events());
        let fleet = Fleet::start(fleet_parts)?;
        let mut load = Self {
            parts,
            fleet: Arc::new(fleet),
            passwords,
            resolved: Some(receiver),
            managed: Arc::default(),
            attempts: Vec::new(),
            wrong: Vec::new(),
            rounds: Vec::new(),
            errands: errands::Run::default(),
            poll: None,
            enrolment: Measured::default(),
            down,
        };
        load.set_up().await?;
        Ok(load)
    }

    /// Plugs the offline share out.
    ///
    /// # Errors
    /// A shard died.
    pub async fn go_offline(&self) -> Result<(), Error> {
        self.fleet.all(Order::GoOffline).await.map(|_done| ())
    }

    /// Warm-up and measured phase: check-ins, rotations and errands as planned. Returns when the
    /// last planned check-in is over.
    ///
    /// # Errors
    /// A shard died, or the target did not take what the errands need.
    pub async fn measure(&mut self) -> Result<(), Error> {
        let errands = self.errands();
        let scratch = if self.parts.plan.options().operations.errands.is_empty() {
            None
        } else {
            Some(errands.set_up().await?)
        };
        self.parts.progress.enter(Phase::Measure);
        let round = self.next_round(self.parts.plan.warm_up_ns());
        let intervals = self.parts.kept.open(self.parts.clock.at(round.start_ns));
        let schedule = Arc::clone(self.parts.plan.rate());
        let rotations = self.rotations((round, intervals.clone()))?;
        let (attempts, run, checked_in) = tokio::join!(
            Box::pin(rotations.run()),
            async {
                match scratch {
                    Some(scratch) => errands.run(scratch, round, intervals.clone()).await,
                    None => Ok(errands::Run::default()),
                }
            },
            self.check_in(schedule, (round, intervals.clone())),
        );
        let mut outcome = checked_in?;
        let (attempts, rotated) = attempts?;
        self.attempts = attempts;
        self.errands = run?;
        outcome.measured.merge(&rotated);
        outcome.measured.merge(&self.errands.measured);
        // Only the enrolments themselves: what they were made of is no part of the measured phase.
        if let Some(enrolments) = self.enrolment.of(Operation::Enrol) {
            outcome.measured.add(Operation::Enrol, enrolments);
        }
        self.rounds.push(outcome);
        Ok(())
    }

    /// Another round of check-ins alone, with a schedule of its own.
    ///
    /// # Errors
    /// A shard died.
    pub async fn trial(
        &self,
        schedule: Arc<Schedule>,
        warm_up_ns: u64,
    ) -> Result<RoundOutcome, Error> {
        let round = self.next_round(warm_up_ns);
        let intervals = self.parts.kept.open(self.parts.clock.at(round.start_ns));
        self.check_in(schedule, (round, intervals)).await
    }

    /// Wrong answers of the fleet up to the end of the planned load.
    #[must_use]
    pub fn wrong_answers(&self) -> u64 {
        self.rounds.last().map_or(0, |round| round.wrong_answers)
    }

    /// What the fleet found nothing left of up to the end of the planned load.
    #[must_use]
    pub fn shortages(&self) -> Shortages {
        let last = self.rounds.last();
        last.map_or_else(Shortages::default, |round| round.shortages)
    }

    /// True when the target stopped taking connections.
    #[must_use]
    pub fn is_down(&self) -> bool {
        *self.down.borrow()
    }

    fn next_round(&self, warm_up_ns: u64) -> Round {
        let devices = u64::from(self.parts.plan.options().devices);
        let lead_ns = LEAD_NS + devices * LEAD_OF_DEVICE_NS;
        let start_ns = self.parts.clock.monotonic_ns() + lead_ns;
        Round {
            start_ns,
            measured_ns: start_ns.saturating_add(warm_up_ns),
        }
    }

    async fn check_in(
        &self,
        schedule: Arc<Schedule>,
        (round, intervals): (Round, Intervals),
    ) -> Result<RoundOutcome, Error> {
        let order = RoundOrder {
            schedule,
            round,
            verification: self.parts.plan.options().verification,
            intervals,
        };
        let reports = self
            .fleet
            .all(|done| Order::Measure(order.clone(), done))
            .await?;
        Ok(RoundOutcome::of(round, &reports))
    }

    fn errands(&self) -> errands::Ground {
        errands::Ground {
            devices: self.parts.plan.candidates(AttemptKind::Online).into(),
            plan: Arc::clone(&self.parts.plan),
            clock: self.parts.clock.clone(),
            admin: self.parts.admin.clone(),
            lab: self.parts.lab.clone(),
            ledger: self.parts.ledger.clone(),
            managed: Arc::clone(&self.managed),
            passwords: Arc::clone(&self.passwords),
            cancel: self.parts.cancel.clone(),
        }
    }

    /// Ends what is under way, reads what the target lists for each rotation, and sums up.
    ///
    /// # Errors
    /// A shard died.
    pub async fn finish(mut self) -> Result<LoadOutcome, Error> {
        self.parts.progress.enter(Phase::Drain);
        let attempts = std::mem::take(&mut self.attempts);
        let poll_ns = self.poll_ns();
        // Nobody is left to ask when the target is gone.
        let (attempts, unread) = if *self.down.borrow() {
            (attempts, 0)
        } else {
            rotations::read_actions(&self.parts, attempts).await
        };
        let Self {
            parts,
            fleet,
            mut wrong,
            rounds,
            mut errands,
            ..
        } = self;
        wrong.append(&mut errands.wrong);
        let fleet = Arc::try_unwrap(fleet)
            .map_err(|_shared| Error::Harness("the fleet is still in use".to_owned()))?;
        let reports = fleet.finish().await?;
        parts.progress.enter(Phase::Done);
        let mut outcome = sum_up(
            &parts,
            Parts {
                reports,
                attempts,
                wrong,
                rounds,
                errands,
            },
        );
        outcome.poll_ns = poll_ns;
        outcome.rotations_unread = u64::try_from(unread).unwrap_or(u64::MAX);
        Ok(outcome)
    }

    async fn set_up(&mut self) -> Result<(), Error> {
        let progress = self.parts.progress.clone();
        progress.enter(Phase::Register);
        all_well(self.fleet.all(Order::Register).await?)?;
        if self.cancelled() {
            return Ok(());
        }
        progress.enter(Phase::Group);
        let admin = self.parts.admin.actor("policy-admin", SCOPE);
        let group = admin
            .create_group("load fleet")
            .await?
            .require("POST /groups")?
            .id;
        all_well(self.fleet.all(|done| Order::Join(group, done)).await?)?;
        // Assigned before the first session: every first answer must already hold the policy.
        let name = "load fleet";
        let policy = admin.create_policy(name, self.parts.plan.policy()).await?;
        let policy = policy
            .require("POST /deviceManagement/configurationPolicies")?
            .id;
        let policy = policy.ok_or_else(|| Error::Target {
            what: "POST /deviceManagement/configurationPolicies".to_owned(),
            seen: "a policy without id".to_owned(),
        })?;
        admin
            .assign_groups(policy, &[group])
            .await?
            .require("POST .../assign")?;
        if self.cancelled() {
            return Ok(());
        }
        progress.enter(Phase::Enroll);
        let planned = self.plan_enrolment();
        let order = |done| Order::Enroll(planned.clone().map(Box::new), done);
        let mut enrolled = Vec::new();
        for shard in self.fleet.all(order).await? {
            let shard = shard?;
            enrolled.push(shard.enrolled);
            self.poll = self.poll.or(shard.poll);
            self.enrolment.merge(&shard.measured);
        }
        if self.cancelled() {
            return Ok(());
        }
        if enrolled.iter().all(Vec::is_empty) && self.parts.plan.options().devices > 0 {
            return Err(Error::Target {
                what: "enrolment of the load fleet".to_owned(),
                seen: "no device enrolled".to_owned(),
            });
        }
        self.find_managed_devices(&enrolled).await
    }

    fn plan_enrolment(&self) -> Option<RoundOrder> {
        let schedule = Arc::clone(self.parts.plan.enrolment()?);
        let round = self.next_round(0);
        let intervals = self.parts.kept.open(self.parts.clock.at(round.start_ns));
        Some(RoundOrder {
            schedule,
            round,
            verification: Verification::On,
            intervals,
        })
    }

    /// The intervals of the poll table that the target gave, in nanoseconds.
    #[must_use]
    pub fn poll_ns(&self) -> Vec<u64> {
        let sets = self
            .poll
            .map(|poll| [poll.first, poll.second, poll.remaining]);
        let used = sets
            .into_iter()
            .flatten()
            .filter(|set| set.interval_min > 0);
        used.map(|set| u64::from(set.interval_min) * MINUTE_NS)
            .collect()
    }

    /// Looks up every device in the admin plane's list, page by page, and compares the id with the
    /// one that the device was given.
    async fn find_managed_devices(&mut self, enrolled: &[Vec<Enrolled>]) -> Result<(), Error> {
        let plan = Arc::clone(&self.parts.plan);
        let devices = plan.options().devices;
        let mut given = Managed::new(devices);
        for Enrolled { device, managed_id } in enrolled.iter().flatten() {
            given.enter(*device, managed_id.unwrap_or_default());
        }
        let mut listed = Managed::new(devices);
        let mut differ = Vec::new();
        let admin = self.parts.admin.actor("rotate-operator", SCOPE);
        let reply = admin
            .each_managed_device(|found, exchange| {
                let Some(device) = plan.device_named(&found.device_name) else {
                    return Kept::No;
                };
                listed.enter(device, found.id);
                if given.id(device) == Some(found.id) {
                    return Kept::No;
                }
                differ.push((device, exchange));
                Kept::Yes
            })
            .await?;
        let last = reply.exchange;
        reply.require("GET /deviceManagement/managedDevices")?;
        let unlisted = enrolled
            .iter()
            .flatten()
            .filter(|one| listed.id(one.device).is_none())
            .map(|one| (one.device, last));
        for (device, exchange) in differ.into_iter().chain(unlisted).take(DIFFERENCES_MAX) {
            // Contract 1: EntDMID is the id of the managed device.
            let (given, listed) = (given.id(device), listed.id(device));
            let name = plan.spec(device).map(|spec| spec.device_name);
            let mut wrong = WrongAnswer::common(
                format!("one id for managed device {}", name.unwrap_or_default()),
                format!("EntDMID {given:?}, listed {listed:?}"),
            );
            wrong.exchange = Some(exchange);
            self.wrong.push(wrong);
        }
        for Enrolled { device, .. } in enrolled.iter().flatten() {
            let entra = plan.entra_device_id(*device);
            for id in listed.id(*device).into_iter().chain(entra) {
                self.parts.ledger.own(id);
            }
        }
        self.managed = Arc::new(listed);
        Ok(())
    }

    fn rotations(&mut self, round: (Round, Intervals)) -> Result<Rotations, Error> {
        let resolved = self
            .resolved
            .take()
            .ok_or_else(|| Error::Harness("a load is measured once".to_owned()))?;
        Rotations::new(
            rotations::Ground {
                plan: Arc::clone(&self.parts.plan),
                clock: self.parts.clock.clone(),
                fleet: Arc::clone(&self.fleet),
                managed: Arc::clone(&self.managed),
                passwords: Arc::clone(&self.passwords),
                actor: self.parts.admin.actor(ROTATION_ACTOR, SCOPE),
                ledger: self.parts.ledger.clone(),
                progress: self.parts.progress.clone(),
                cancel: self.parts.cancel.clone(),
                down: self.down.clone(),
            },
            resolved,
            round,
        )
    }

    fn cancelled(&self) -> bool {
        *self.parts.cancel.borrow()
    }
}

fn all_well(steps: Vec<Result<(), Error>>) -> Result<(), Error> {
    steps.into_iter().collect()
}

impl RoundOutcome {
    fn of(round: Round, reports: &[RoundReport]) -> Self {
        let mut outcome = Self {
            books: Books::default(),
            measured: Measured::default(),
            round,
            last_end_ns: 0,
            wrong_answers: 0,
            shortages: Shortages::default(),
            busiest_permille: None,
        };
        for report in reports {
            outcome.books.merge(&report.books);
            outcome.measured.merge(&report.measured);
            outcome.last_end_ns = outcome.last_end_ns.max(report.last_end_ns);
            outcome.wrong_answers += report.wrong_answers;
            outcome.shortages.merge(report.shortages);
            outcome.busiest_permille = outcome.busiest_permille.max(report.busy_permille);
        }
        outcome
    }
}
