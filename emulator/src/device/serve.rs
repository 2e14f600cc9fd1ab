//! What happens inside a device: its timers, its answers, and the engine it lends itself to.

use protocol::directory::credential_path;
use protocol::enrollment::FaultSubcode;
use protocol::time::UtcMillis;
use rand::Rng;

use crate::connectivity::Connectivity;
use crate::csp::tree::Tree;
use crate::device::{Device, Outstanding};
use crate::enrollment::{Enrollment, EnrollmentStep};
use crate::event::{Event, Events, RotationKind, SessionCause, SessionOutcome};
use crate::fault::DeviceFault;
use crate::laps::cycle::UploadEnd;
use crate::laps::{Ground, Laps, Settled};
use crate::random::{Purpose, stream};
use crate::timers::Timer;
use crate::transmit::{DIRECTORY_AGENT, Endpoint, Method, Response, Transmit};

impl Device {
    /// The LAPS service runs from the first moment on (F-062).
    pub(crate) fn wake(&mut self, now: UtcMillis) {
        if self.timers.at(Timer::LapsCycle).is_none() {
            self.timers.set(Timer::LapsCycle, self.next_cycle(now));
        }
    }

    /// The next full hour, moved by the device's own share of one, so that a fleet spreads.
    fn next_cycle(&self, now: UtcMillis) -> UtcMillis {
        let identity = &self.identity;
        let mut rng = stream(identity.seed, identity.index, Purpose::CycleJitter, 0);
        let mut own_ms = rng.random_range(0..UtcMillis::HOUR_MS);
        if identity.has(DeviceFault::BackupNoJitter) {
            own_ms = 0;
        }
        let passed_ms = (now.as_millis() - own_ms).rem_euclid(UtcMillis::HOUR_MS);
        now.plus_millis(UtcMillis::HOUR_MS - passed_ms)
    }

    pub(super) fn serve(&mut self, timer: Timer, now: UtcMillis) {
        match timer {
            Timer::Connectivity => self.follow_schedule(now),
            Timer::Enrollment => {
                if let Some(enrolling) = self.enrolling.as_deref_mut() {
                    enrolling.ready = true;
                }
            }
            Timer::Session => {
                if let Some(cause) = self.wanted.take() {
                    self.start_session(now, cause);
                }
            }
            Timer::Poll => {
                self.arm_poll(now);
                if self.session.is_none() {
                    self.start_session(now, SessionCause::Schedule);
                }
            }
            Timer::PostAuthentication if self.identity.has(DeviceFault::PostAuthNever) => {}
            Timer::PostAuthentication => {
                self.with_laps(|laps, ground, events| {
                    laps.post_authentication(now, ground, events);
                });
                self.settle_laps(now);
            }
            Timer::LapsCycle => {
                self.timers.set(Timer::LapsCycle, self.next_cycle(now));
                self.laps_cycle(now);
            }
        }
    }

    fn arm_poll(&mut self, now: UtcMillis) {
        if let (true, Some(enrollment)) = (self.polling, self.enrollment.as_deref()) {
            self.timers.set(Timer::Poll, enrollment.next_poll(now));
        }
    }

    pub(super) fn laps_cycle(&mut self, now: UtcMillis) {
        self.with_laps(|laps, ground, events| laps.cycle(now, ground, events));
        self.settle_laps(now);
    }

    /// Lends the engine what it stands on.
    pub(crate) fn with_laps(&mut self, act: impl FnOnce(&mut Laps, &Ground<'_>, &mut Events)) {
        let ground = Ground {
            policy: self.effective_policy(),
            identity: &self.identity,
            connectivity: self.connectivity,
            directory_known: self.enrollment.is_some() && self.identity.entra_device_id.is_some(),
        };
        act(&mut self.laps, &ground, &mut self.events);
    }

    /// Sets the post-authentication timer by what the engine did last.
    pub(crate) fn settle_laps(&mut self, now: UtcMillis) {
        match self.laps.take_settled() {
            // The password that was used is worthless: there is nothing left to wait for.
            Some(Settled::Rotated) => self.timers.clear(Timer::PostAuthentication),
            Some(Settled::Failed(RotationKind::PostAuthentication))
                if !self.identity.has(DeviceFault::PostAuthGivesUp) =>
            {
                let endless = self.identity.has(DeviceFault::PostAuthEndless);
                if endless || self.laps.post_authentication_retries(&mut self.events) {
                    let next = self.next_cycle(now);
                    self.timers.set(Timer::PostAuthentication, next);
                }
            }
            Some(Settled::Failed(_)) | None => {}
        }
    }

    pub(super) fn directory_request(&mut self, now: UtcMillis) -> Option<Transmit> {
        let mut upload = None;
        self.with_laps(|laps, ground, _| upload = laps.take_upload(now, ground));
        let upload = upload?;
        let enrollment = self.enrollment.as_deref()?;
        let path = credential_path(self.identity.entra_device_id?);
        self.outstanding = Some(Outstanding::Directory);
        Some(Transmit {
            endpoint: Endpoint::Directory,
            method: Method::Put,
            url: format!("{}{path}", enrollment.directory_url),
            content_type: "application/json",
            body: upload.body,
            idempotency_key: Some(upload.key),
            user_agent: DIRECTORY_AGENT,
        })
    }

    pub(super) fn upload_ended(&mut self, now: UtcMillis, end: UploadEnd) {
        let Some(fault) = self.identity.fault else {
            self.laps.finish_upload(end, &mut self.events);
            return self.settle_laps(now);
        };
        let stored = matches!(end, UploadEnd::Answered(200..=299));
        let age_ms = self.effective_policy().age_ms();
        let kept = self.laps.before_upload_end(fault, stored);
        self.laps.finish_upload(end, &mut self.events);
        self.laps.after_upload_end((fault, stored), kept, age_ms);
        self.settle_laps(now);
        if fault == DeviceFault::BackupHammers && !stored {
            self.timers.set(Timer::LapsCycle, now.plus_millis(60_000));
        }
    }

    pub(super) fn enrollment_answer(&mut self, now: UtcMillis, response: Response<'_>) {
        let Some(mut enrolling) = self.enrolling.take() else {
            return;
        };
        match enrolling.answer(now, response) {
            EnrollmentStep::GoOn => self.enrolling = Some(enrolling),
            EnrollmentStep::Wait(seconds) => {
                let at = now.plus_millis(i64::from(seconds) * 1000);
                self.timers.set(Timer::Enrollment, at);
                self.enrolling = Some(enrolling);
            }
            EnrollmentStep::Enrolled(enrollment) => self.enrolled(now, enrollment),
            EnrollmentStep::Failed { subcode, detail } => {
                self.enrollment_failed(subcode, Some(response.status), detail);
            }
        }
    }

    /// A new enrolment begins with an empty tree; the first session is due at once unless
    /// somebody else starts the sessions.
    fn enrolled(&mut self, now: UtcMillis, enrollment: Box<Enrollment>) {
        self.events.push(Event::Enrolled {
            managed_device_id: enrollment.ent_dm_id.as_ref().to_owned(),
        });
        self.enrollment = Some(enrollment);
        self.tree = Tree::default();
        self.laps.forget_policy();
        self.leaving = None;
        self.arm_poll(now);
        if self.polling {
            self.wanted = Some(SessionCause::Schedule);
        }
        if self.wanted.is_some() {
            self.timers.set(Timer::Session, now);
        }
    }

    pub(super) fn enrollment_failed(
        &mut self,
        subcode: Option<FaultSubcode>,
        status: Option<u16>,
        detail: String,
    ) {
        self.enrolling = None;
        self.timers.clear(Timer::Enrollment);
        self.events.push(Event::EnrollmentFailed {
            subcode,
            status,
            detail,
        });
    }

    pub(super) fn follow_schedule(&mut self, now: UtcMillis) {
        let Some(schedule) = self.schedule.as_deref() else {
            return;
        };
        let connectivity = schedule.at(now);
        match schedule.next_change(now) {
            Some(at) => self.timers.set(Timer::Connectivity, at),
            None => self.timers.clear(Timer::Connectivity),
        }
        self.apply_connectivity(now, connectivity);
    }

    pub(super) fn apply_connectivity(&mut self, now: UtcMillis, connectivity: Connectivity) {
        self.connectivity = connectivity;
        if connectivity == Connectivity::Offline {
            self.drop_unsent(now);
        }
    }

    /// An offline device queues nothing: what was to be sent is over. What is outstanding ends
    /// with its answer or its failure.
    pub(super) fn drop_unsent(&mut self, now: UtcMillis) {
        self.wanted = None;
        self.timers.clear(Timer::Session);
        if self.laps.upload_waits() {
            self.upload_ended(now, UploadEnd::Offline);
        }
        if self.outstanding.is_none() {
            self.close_session(now, SessionOutcome::Offline);
        }
        if self.outstanding.is_none() && self.enrolling.as_ref().is_some_and(|it| it.ready) {
            self.enrollment_failed(None, None, "the device went offline".to_owned());
        }
    }
}
