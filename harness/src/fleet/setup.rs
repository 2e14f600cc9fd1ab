//! Before the measured phase: registration, membership, enrolment and the first session of every
//! device of a shard, a bounded number at a time.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use emulator::EnrollmentGrant;
use protocol::graph::device::DirectoryDevice;
use protocol::graph::list::Page;
use uuid::Uuid;

use super::session::Cause;
use super::shard::Shard;
use super::wire;
use crate::error::Error;
use crate::http::Answer;
use crate::lab::{registration, silent_device};
use crate::load::manages;

/// Devices of one shard that are being set up at once.
const WORKERS: usize = 32;
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

    /// Enrols every device and drives its first session. A device that fails is counted and left
    /// behind; the load goes on with the others.
    pub(super) async fn enroll_all(self: &Rc<Self>) -> Result<Vec<Enrolled>, Error> {
        self.each(|shard, local| async move {
            shard.enroll(local).await;
            Ok(())
        })
        .await?;
        let state = self.state.borrow();
        let enrolled = state.slots.iter().filter(|slot| slot.belief.is_some());
        Ok(enrolled
            .map(|slot| Enrolled {
                device: slot.index,
                managed_id: slot.managed_id,
            })
            .collect())
    }

    /// Runs a step for every device, [`WORKERS`] at a time; the first error ends it.
    async fn each<F>(
        self: &Rc<Self>,
        step: impl Fn(Rc<Self>, usize) -> F + Copy + 'static,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>> + 'static,
    {
        let devices = self.state.borrow().slots.len();
        let next = Rc::new(Cell::new(0));
        let mut workers = Vec::new();
        for _ in 0..WORKERS.min(devices) {
            let worker = Rc::clone(self).work(Rc::clone(&next), step);
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

    async fn work<F>(
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
        let left = local < self.state.borrow().slots.len() && !self.cancelled();
        next.set(local + usize::from(left));
        left.then_some(local)
    }

    async fn register(&self, local: usize) -> Result<(), Error> {
        let Some(spec) = self.spec(local) else {
            return Ok(());
        };
        let body = registration(&spec);
        let credential = wire::register(&self.pools, &self.context.target, &body).await?;
        let channel = self
            .context
            .push
            .register_load(spec.index, self.wakes.clone());
        let mut state = self.state.borrow_mut();
        if let Some(slot) = state.slots.get_mut(local) {
            slot.entra_device_id = spec.entra_device_id;
            slot.device = Some(silent_device(spec));
            slot.push = Some(channel);
            slot.credential = Some(credential);
        }
        self.context.progress.registered();
        Ok(())
    }

    async fn join(&self, local: usize, group: Uuid) -> Result<(), Error> {
        let entra = self
            .state
            .borrow()
            .slots
            .get(local)
            .and_then(|slot| slot.entra_device_id);
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
        self.context.progress.grouped();
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

    async fn enroll(self: &Rc<Self>, local: usize) {
        let Some((mut device, credential)) = self.take_for_enrollment(local) else {
            return;
        };
        let target = &self.context.target;
        let grant = EnrollmentGrant {
            discovery_url: wire::discovery_url(target),
            directory_url: target.directory.clone(),
            channel_uri: self
                .context
                .push
                .channel_uri(u64::from(self.index_of(local))),
            credential,
        };
        device.enroll(self.context.clock.now(), grant);
        let _enrolled = self.drive(local, &mut device).await;
        let driven = if device.is_enrolled() {
            self.start_session(local, &mut device, Cause::First);
            Some(self.drive(local, &mut device).await.complete)
        } else {
            None
        };
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(local) else {
            return;
        };
        slot.device = Some(device);
        let settled = slot
            .belief
            .as_ref()
            .is_some_and(crate::model::Belief::settled);
        let backed_up = slot.expires.is_some();
        let failure = match driven {
            None => Some("not enrolled"),
            Some(false) => Some("first session broken off"),
            Some(true) if !settled => Some("set-up or policy not acknowledged"),
            Some(true) if manages(slot.member.join) && !backed_up => Some("no backup"),
            Some(true) => None,
        };
        match failure {
            None => self.context.progress.enrolled(),
            Some(failure) => {
                let index = slot.index;
                state.setup_failed += 1;
                if state.setup_failures.len() < FAILURES_MAX {
                    state
                        .setup_failures
                        .push(format!("device {index}: {failure}"));
                }
            }
        }
    }

    fn take_for_enrollment(
        &self,
        local: usize,
    ) -> Option<(emulator::Device, protocol::enrollment::Credential)> {
        let mut state = self.state.borrow_mut();
        let slot = state.slots.get_mut(local)?;
        let credential = slot.credential.take()?;
        Some((slot.device.take()?, credential))
    }
}
