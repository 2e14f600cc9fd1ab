//! Before the measured phase: registration, membership, enrolment and the first session of every
//! device of a shard, a bounded number at a time.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use emulator::{Device, EnrollmentGrant};
use protocol::enrollment::{Credential, PollSchedule};
use protocol::graph::device::DirectoryDevice;
use protocol::graph::list::Page;
use uuid::Uuid;

use super::RoundOrder;
use super::credentials::Credentials;
use super::engine::Engine;
use super::shard::{SET_UP_MAX, Shard};
use super::slot::Resting;
use super::visit::Visit;
use super::wire;
use crate::error::Error;
use crate::http::Answer;
use crate::http::link::Links;
use crate::lab::{registration, silent_device};
use crate::load::manages;
use crate::metrics::{End, Measured, Operation, Sample};
use crate::model::Belief;

/// Reasons that are kept of devices that could not be set up.
pub(super) const FAILURES_MAX: usize = 10;
/// The actor that builds the load's group.
const POLICY_ADMIN: &str = "policy-admin";

/// A device that enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Enrolled {
    pub(crate) device: u32,
    /// `EntDMID` of the provisioning document.
    pub(crate) managed_id: Option<Uuid>,
}

/// What the devices of a shard came to.
#[derive(Debug, Default)]
pub(crate) struct Enrolment {
    pub(crate) enrolled: Vec<Enrolled>,
    /// The poll table that the target gave; every device has the same.
    pub(crate) poll: Option<PollSchedule>,
    /// How long enrolments took, where they were planned.
    pub(crate) measured: Measured,
}

impl Shard {
    /// Makes every device known to the directory.
    pub(super) async fn register_all(self: &Rc<Self>) -> Result<(), Error> {
        self.each(|shard, local| async move { shard.register(local).await })
            .await
    }

    /// Puts every device with a directory object into the group.
    pub(super) async fn join_all(self: &Rc<Self>, group: Uuid) -> Result<(), Error> {
        self.each(move |shard, local| async move { shard.join(local, group).await })
            .await
    }

    /// Enrols every device and drives its first session, each at its planned time where there is
    /// one. A device that fails is counted and left behind; the load goes on with the others.
    pub(super) async fn enroll_all(
        self: &Rc<Self>,
        planned: Option<RoundOrder>,
    ) -> Result<Enrolment, Error> {
        self.engine.borrow_mut().plan_enrolment(planned);
        {
            let mut engine = self.engine.borrow_mut();
            let devices = engine.slots.len();
            engine.enrolled.reserve_exact(devices);
        }
        // A worker keeps its connections from one device to the next.
        let spare = Rc::new(RefCell::new(Vec::new()));
        self.each(move |shard, local| {
            let spare = Rc::clone(&spare);
            async move {
                let links = spare.borrow_mut().pop();
                let clock = &shard.context.ground.clock;
                let mut links = links.unwrap_or_else(|| Links::new(clock.clone()));
                shard.enroll_in_time(local, &mut links).await;
                spare.borrow_mut().push(links);
                Ok(())
            }
        })
        .await?;
        let mut engine = self.engine.borrow_mut();
        engine.credentials = Credentials::default();
        let mut enrolled = std::mem::take(&mut engine.enrolled);
        // A device that enrolled twice counts with its latest id.
        enrolled.reverse();
        enrolled.sort_by_key(|one| one.device);
        enrolled.dedup_by_key(|one| one.device);
        Ok(Enrolment {
            enrolled,
            poll: engine.poll,
            measured: engine.meter.read(),
        })
    }

    /// Waits for the planned time of a device's enrolment, if it has one, and times it.
    async fn enroll_in_time(&self, local: usize, links: &mut Links) {
        let intended_ns = {
            let engine = self.engine.borrow();
            let index = u64::from(engine.index_of(local));
            engine
                .enrolment
                .as_ref()
                .map(|order| order.planned_ns(index))
        };
        if let Some(intended_ns) = intended_ns {
            let due = self.context.ground.clock.deadline(intended_ns);
            tokio::time::sleep_until(due).await;
        }
        let begun_ns = self.now_ns();
        let end = self.enroll(local, links).await;
        if let Some(intended_ns) = intended_ns {
            let sample = Sample {
                intended_ns,
                begun_ns,
                sent_ns: begun_ns,
                ended_ns: self.now_ns(),
            };
            let mut engine = self.engine.borrow_mut();
            engine.meter.record(Operation::Enrol, sample, end);
        }
    }

    /// Runs a step for every device, [`SET_UP_MAX`] at a time; the first error ends it.
    async fn each<F>(
        self: &Rc<Self>,
        step: impl Fn(Rc<Self>, usize) -> F + Clone + 'static,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>> + 'static,
    {
        let devices = self.engine.borrow().slots.len();
        let next = Rc::new(Cell::new(0));
        let mut workers = Vec::new();
        for _ in 0..SET_UP_MAX.min(devices) {
            let worker = Rc::clone(self).set_up(Rc::clone(&next), step.clone());
            workers.push(tokio::task::spawn_local(worker));
        }
        let mut outcome = Ok(());
        for worker in workers {
            let worked = worker
                .await
                .unwrap_or_else(|panic| Err(Error::Harness(format!("set-up worker: {panic}"))));
            outcome = outcome.and(worked);
        }
        outcome
    }

    async fn set_up<F>(
        self: Rc<Self>,
        next: Rc<Cell<usize>>,
        step: impl Fn(Rc<Self>, usize) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>>,
    {
        while let Some(local) = self.next_device(&next) {
            let stepped = step(Rc::clone(&self), local).await;
            if stepped.is_err() {
                // The other workers find nothing left.
                next.set(usize::MAX);
                return stepped;
            }
        }
        Ok(())
    }

    /// The next device to be set up; none when the run was cancelled.
    fn next_device(&self, next: &Cell<usize>) -> Option<usize> {
        let local = next.get();
        let left = local < self.engine.borrow().slots.len() && !self.cancelled();
        next.set(local + usize::from(left));
        left.then_some(local)
    }

    async fn register(&self, local: usize) -> Result<(), Error> {
        let Some(spec) = self.engine.borrow().spec(local) else {
            return Ok(());
        };
        let body = registration(&spec);
        let credential = wire::register(&self.pools, &self.context.target, &body).await?;
        let mut engine = self.engine.borrow_mut();
        let ticket = engine.credentials.keep(&credential);
        if let Some(slot) = engine.slots.get_mut(local) {
            slot.resting = Resting::Registered(ticket);
        }
        engine.ground.progress.registered();
        Ok(())
    }

    async fn join(&self, local: usize, group: Uuid) -> Result<(), Error> {
        let spec = self.engine.borrow().spec(local);
        let entra = spec.and_then(|spec| spec.entra_device_id);
        if let Some(entra) = entra {
            let object = self.object_id(entra).await?;
            let base = self.context.target.admin.trim_end_matches('/');
            let url = format!("{base}/v1.0/groups/{group}/members/$ref");
            let member = serde_json::json!({
                "@odata.id": format!("{base}/v1.0/directoryObjects/{object}"),
            });
            let call = wire::Call {
                actor: POLICY_ADMIN,
                method: "POST",
                url: &url,
                body: member.to_string().into_bytes(),
            };
            let answer = self.set_up_call(call).await?;
            // Contract 0: 202 for 204 is open everywhere.
            if !matches!(answer.status, 202 | 204) {
                return Err(Error::Target {
                    what: format!("POST {url}"),
                    seen: format!("status {}", answer.status),
                });
            }
        }
        self.context.ground.progress.grouped();
        Ok(())
    }

    async fn object_id(&self, entra: Uuid) -> Result<Uuid, Error> {
        let base = self.context.target.admin.trim_end_matches('/');
        let url = format!("{base}/v1.0/devices?$filter=deviceId%20eq%20%27{entra}%27");
        let call = wire::Call {
            actor: POLICY_ADMIN,
            method: "GET",
            url: &url,
            body: Vec::new(),
        };
        let answer = self.set_up_call(call).await?;
        let page: Option<Page<DirectoryDevice>> = serde_json::from_slice(&answer.body).ok();
        let found = page.and_then(|page| page.value.into_iter().next());
        found.map(|device| device.id).ok_or_else(|| Error::Target {
            what: format!("GET {url}"),
            seen: format!("status {} without the device", answer.status),
        })
    }

    async fn set_up_call(&self, call: wire::Call<'_>) -> Result<Answer, Error> {
        let what = format!("{} {}", call.method, call.url);
        wire::call(&self.pools, &self.context.target, call)
            .await
            .map_err(|failure| Error::Unreachable {
                what,
                cause: failure.to_string(),
            })
    }

    async fn enroll(&self, local: usize, links: &mut Links) -> End {
        let Some((mut device, credential)) = self.take_for_enrollment(local) else {
            return End::Failed;
        };
        let target = &self.context.target;
        let index = self.engine.borrow().index_of(local);
        let grant = EnrollmentGrant {
            discovery_url: wire::discovery_url(target),
            directory_url: target.directory.clone(),
            channel_uri: self.context.push.channel_uri(u64::from(index)),
            credential,
        };
        device.enroll(self.context.ground.clock.now(), grant);
        let mut visit = Visit::enrollment(local, device);
        self.carry(&mut visit, links).await;
        let enrolled = visit.go_on_enrolled(self.context.ground.clock.now());
        if enrolled {
            self.carry(&mut visit, links).await;
        }
        let first_session = enrolled.then_some(visit.is_complete());
        let mut engine = self.engine.borrow_mut();
        engine.put_back(visit);
        engine.settle_enrollment(local, first_session)
    }

    fn take_for_enrollment(&self, local: usize) -> Option<(Box<Device>, Credential)> {
        let engine = &mut *self.engine.borrow_mut();
        let spec = engine.spec(local)?;
        let slot = engine.slots.get_mut(local)?;
        match std::mem::replace(&mut slot.resting, Resting::Away) {
            Resting::Registered(ticket) => {
                let credential = engine.credentials.take(&ticket)?;
                Some((Box::new(silent_device(spec)), credential))
            }
            other @ (Resting::Unknown | Resting::Asleep(_) | Resting::Awake(_) | Resting::Away) => {
                slot.resting = other;
                None
            }
        }
    }
}

impl Engine {
    /// Counts a device that enrolled, or could not; `first_session` says whether that was complete.
    pub(super) fn settle_enrollment(&mut self, local: usize, first_session: Option<bool>) -> End {
        let (Some(slot), Some(member)) = (self.slots.get(local), self.member(local)) else {
            return End::Failed;
        };
        let settled = slot.belief.as_ref().is_some_and(Belief::settled);
        let failure = match first_session {
            None => Some("not enrolled"),
            Some(false) => Some("first session broken off"),
            Some(true) if !settled => Some("set-up or policy not acknowledged"),
            Some(true) if manages(member.join) && !slot.is_backed_up() => Some("no backup"),
            Some(true) => None,
        };
        let Some(failure) = failure else {
            self.ground.progress.enrolled();
            return End::Completed;
        };
        self.setup_failed += 1;
        if self.setup_failures.len() < FAILURES_MAX {
            let index = self.index_of(local);
            self.setup_failures
                .push(format!("device {index}: {failure}"));
        }
        End::Failed
    }
}
