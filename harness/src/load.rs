//! The load: a fleet that checks in at an even rate while some of it is rotated, every answer
//! verified.
//!
//! [`Load::prepare`], [`Load::go_offline`], [`Load::measure`] and [`Load::finish`] follow one
//! another. A cancelled run passes through all of them quickly and yields what was measured.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

mod managed;
mod outcome;
mod plan;
mod rotations;

pub use outcome::{Answers, LoadOutcome};
pub use plan::{
    AttemptKind, LoadOptions, LoadPlan, Member, OWN_KEYS_MAX, PlannedRotation, ROTATION_ACTOR,
    manages,
};

pub use crate::fleet::mix::Mix;
pub use crate::fleet::{Phase, Progress, Progressed};

use crate::admin::{AdminClient, Kept};
use crate::clock::Clock;
use crate::error::Error;
use crate::fleet::{Enrolled, Fleet, FleetParts, Order, ShardReport};
use crate::ledger::Ledger;
use crate::limits::Patience;
use crate::metrics::Timings;
use crate::model::WrongAnswer;
use crate::push::PushEndpoint;
use crate::schedule::Books;
use crate::target::Target;
use crate::transcript::Transcript;
use managed::Managed;
use rotations::{Attempt, Rotations};

/// From the order to measure to the first planned check-in: every shard has its timers by then.
const LEAD_NS: u64 = 50_000_000;
/// Scope of the load's exchanges.
const SCOPE: &str = "load";
/// Devices whose ids differ that are told of one by one.
const DIFFERENCES_MAX: usize = 1_000;
/// Reasons kept of devices that could not be set up.
const FAILURES_MAX: usize = 10;

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
}

/// A fleet that is set up.
#[derive(Debug)]
pub struct Load {
    parts: LoadParts,
    fleet: Arc<Fleet>,
    resolved: Option<mpsc::UnboundedReceiver<u32>>,
    managed: Arc<Managed>,
    attempts: Vec<Attempt>,
    wrong: Vec<WrongAnswer>,
    measured: Option<Measured>,
    down: watch::Receiver<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    start_ns: u64,
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
        };
        parts.progress.plan(parts.plan.rate().events());
        let fleet = Fleet::start(fleet_parts)?;
        let mut load = Self {
            parts,
            fleet: Arc::new(fleet),
            resolved: Some(receiver),
            managed: Arc::default(),
            attempts: Vec::new(),
            wrong: Vec::new(),
            measured: None,
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

    /// The measured phase: check-ins and rotations as planned. Returns when the last planned
    /// check-in is over.
    ///
    /// # Errors
    /// A shard died.
    pub async fn measure(&mut self) -> Result<(), Error> {
        self.parts.progress.enter(Phase::Measure);
        let start_ns = self.parts.clock.monotonic_ns() + LEAD_NS;
        self.measured = Some(Measured { start_ns });
        let rotations = self.rotations(start_ns)?;
        let fleet = Arc::clone(&self.fleet);
        let (attempts, checked_in) = tokio::join!(
            Box::pin(rotations.run()),
            fleet.all(|done| Order::Measure(start_ns, done)),
        );
        self.attempts = attempts?;
        checked_in.map(|_done| ())
    }

    /// Ends what is under way, reads what the target lists for each rotation, and sums up.
    ///
    /// # Errors
    /// A shard died.
    pub async fn finish(mut self) -> Result<LoadOutcome, Error> {
        self.parts.progress.enter(Phase::Drain);
        let attempts = std::mem::take(&mut self.attempts);
        // Nobody is left to ask when the target is gone.
        let attempts = if *self.down.borrow() {
            attempts
        } else {
            rotations::read_actions(&self.parts, attempts).await
        };
        let Self {
            parts,
            fleet,
            wrong,
            measured,
            ..
        } = self;
        let fleet = Arc::try_unwrap(fleet)
            .map_err(|_shared| Error::Harness("the fleet is still in use".to_owned()))?;
        let reports = fleet.finish().await?;
        parts.progress.enter(Phase::Done);
        sum_up(
            &parts,
            Parts {
                reports,
                attempts,
                wrong,
                measured,
            },
        )
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
        let mut enrolled = Vec::new();
        for shard in self.fleet.all(Order::Enroll).await? {
            enrolled.extend(shard?);
        }
        if self.cancelled() {
            return Ok(());
        }
        if enrolled.is_empty() && self.parts.plan.options().devices > 0 {
            return Err(Error::Target {
                what: "enrolment of the load fleet".to_owned(),
                seen: "no device enrolled".to_owned(),
            });
        }
        self.find_managed_devices(&enrolled).await
    }

    /// Looks up every device in the admin plane's list, page by page, and compares the id with the
    /// one that the device was given.
    async fn find_managed_devices(&mut self, enrolled: &[Enrolled]) -> Result<(), Error> {
        let plan = Arc::clone(&self.parts.plan);
        let devices = plan.options().devices;
        let mut given = Managed::new(devices);
        for Enrolled { device, managed_id } in enrolled {
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
        for Enrolled { device, .. } in enrolled {
            let entra = plan.entra_device_id(*device);
            for id in listed.id(*device).into_iter().chain(entra) {
                self.parts.ledger.own(id);
            }
        }
        self.managed = Arc::new(listed);
        Ok(())
    }

    fn rotations(&mut self, start_ns: u64) -> Result<Rotations, Error> {
        let resolved = self
            .resolved
            .take()
            .ok_or_else(|| Error::Harness("a load is measured once".to_owned()))?;
        Ok(Rotations::new(
            rotations::Ground {
                plan: Arc::clone(&self.parts.plan),
                clock: self.parts.clock.clone(),
                fleet: Arc::clone(&self.fleet),
                managed: Arc::clone(&self.managed),
                actor: self.parts.admin.actor(ROTATION_ACTOR, SCOPE),
                ledger: self.parts.ledger.clone(),
                progress: self.parts.progress.clone(),
                cancel: self.parts.cancel.clone(),
                down: self.down.clone(),
            },
            resolved,
            start_ns,
        ))
    }

    fn cancelled(&self) -> bool {
        *self.parts.cancel.borrow()
    }
}

fn all_well(steps: Vec<Result<(), Error>>) -> Result<(), Error> {
    steps.into_iter().collect()
}

/// What a load is summed up from.
struct Parts {
    reports: Vec<ShardReport>,
    attempts: Vec<Attempt>,
    wrong: Vec<WrongAnswer>,
    measured: Option<Measured>,
}

fn sum_up(parts: &LoadParts, from: Parts) -> Result<LoadOutcome, Error> {
    let plan = &parts.plan;
    let histogram = |error: &dyn std::fmt::Display| Error::Harness(format!("histogram: {error}"));
    let mut outcome = LoadOutcome {
        by_join_type: plan.by_join_type(),
        online: plan.online(),
        offline: u64::from(plan.options().devices) - plan.online(),
        books: Books::default(),
        timings: Timings::new().map_err(|error| histogram(&error))?,
        answers: Answers::default(),
        rotations: Vec::new(),
        rotations_planned: u64::try_from(plan.rotations().len()).unwrap_or(u64::MAX),
        deliveries: BTreeMap::new(),
        pushed_sessions: 0,
        pushed_failed: 0,
        setup_failed: 0,
        setup_failures: Vec::new(),
        in_flight_peak: 0,
        duration_s: 0.0,
        check_ins_per_s: 0.0,
        complete: from.measured.is_some() && !*parts.cancel.borrow(),
        target_down: false,
    };
    let mut last_end_ns = 0;
    let mut records = HashMap::new();
    for report in from.reports {
        outcome.books.merge(&report.books);
        outcome
            .timings
            .merge(&report.timings)
            .map_err(|error| histogram(&error))?;
        outcome.answers.merge(report.answers);
        for (class, count) in report.deliveries {
            *outcome.deliveries.entry(class).or_default() += count;
        }
        outcome.pushed_sessions += report.pushed_sessions;
        outcome.pushed_failed += report.pushed_failed;
        outcome.setup_failed += report.setup_failed;
        outcome.setup_failures.extend(report.setup_failures);
        outcome.in_flight_peak = outcome.in_flight_peak.max(report.in_flight_peak);
        outcome.target_down |= report.target_down;
        last_end_ns = last_end_ns.max(report.last_end_ns);
        records.extend(
            report
                .attempts
                .into_iter()
                .map(|record| (record.attempt, record)),
        );
    }
    outcome.setup_failures.truncate(FAILURES_MAX);
    from.wrong
        .into_iter()
        .for_each(|wrong| outcome.answers.wrong(wrong));
    outcome.rotations = rotations::cases(plan, from.attempts, &mut records);
    outcome.complete &= !outcome.target_down;
    let start_ns = from.measured.map_or(0, |measured| measured.start_ns);
    let measured_ns = last_end_ns.saturating_sub(start_ns);
    // A phase that ended early is as long as it was.
    let planned_ns = if outcome.complete {
        plan.rate().duration_ns()
    } else {
        0
    };
    let length = Duration::from_nanos(measured_ns.max(planned_ns));
    outcome.duration_s = length.as_secs_f64();
    if outcome.duration_s > 0.0 {
        let completed = u32::try_from(outcome.books.completed).unwrap_or(u32::MAX);
        outcome.check_ins_per_s = f64::from(completed) / outcome.duration_s;
    }
    Ok(outcome)
}
