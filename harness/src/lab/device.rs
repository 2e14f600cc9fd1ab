//! One device of a cohort and the loop that carries its requests.

mod upload;

use std::time::Duration;

use bytes::Bytes;
use emulator::{
    Connectivity, Device, DeviceSpec, Endpoint, EnrollmentGrant, Event, Response, SessionCause,
    Transmit,
};
use protocol::JoinType;
use protocol::control::RegisterDevice;
use protocol::enrollment::Credential;
use protocol::time::UtcMillis;
use uuid::Uuid;

pub use upload::ForcedUpload;

use super::{DeviceSeen, HeldPassword, Lab, SessionSeen, Trouble, silent_device};
use crate::error::Error;
use crate::fleet::wire;
use crate::http::{Answer, Failure, path_of};
use crate::limits::SESSION;
use crate::push::PushSlot;
use crate::transcript::{Exchange, ExchangeId, IdKind};

/// Most requests of one session with its uploads, or of one enrolment.
const REQUESTS_MAX: usize = 64;
/// Most timers run by one [`LabDevice::run_until`]: two years of hourly cycles.
const TIMERS_MAX: usize = 20_000;

/// What the laboratory knows of a device when it makes it.
pub(super) struct Start {
    pub(super) scope: &'static str,
    pub(super) registration: RegisterDevice,
    pub(super) credential: Credential,
    pub(super) slot: PushSlot,
    pub(super) channel_uri: String,
}

/// A device of a cohort. Nothing happens to it but what the scenario asks for.
pub struct LabDevice {
    lab: Lab,
    start: Start,
    device: Device,
    index: u64,
    offset_ms: i64,
    certificate: Option<String>,
    wakes_served: u64,
    seen: DeviceSeen,
    /// The end of a session or of an enrolment, told by the device.
    ended: Option<bool>,
    enrollment_error: Option<String>,
    trouble: Trouble,
}

impl std::fmt::Debug for LabDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabDevice")
            .field("name", &self.name())
            .field("join_type", &self.join_type())
            .finish_non_exhaustive()
    }
}

impl LabDevice {
    pub(super) fn new(lab: Lab, start: Start, spec: DeviceSpec) -> Self {
        let index = spec.index;
        Self {
            lab,
            start,
            index,
            device: silent_device(spec),
            offset_ms: 0,
            certificate: None,
            wakes_served: 0,
            seen: DeviceSeen::default(),
            ended: None,
            enrollment_error: None,
            trouble: Trouble::default(),
        }
    }

    /// The computer name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.start.registration.device_name
    }

    /// The number in the fleet, from [`super::LAB_FIRST_INDEX`] up.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The join state.
    #[must_use]
    pub fn join_type(&self) -> JoinType {
        self.device.join_type()
    }

    /// The id in the directory, for join states that have one.
    #[must_use]
    pub fn entra_device_id(&self) -> Option<Uuid> {
        self.device.entra_device_id()
    }

    /// The user that was registered with the device.
    #[must_use]
    pub fn user_principal_name(&self) -> Option<&str> {
        self.start.registration.user_principal_name.as_deref()
    }

    /// The managed device id of the present enrolment, as the provisioning document gave it.
    #[must_use]
    pub fn managed_id(&self) -> Option<Uuid> {
        self.seen.managed_ids.last().copied()
    }

    /// The push side.
    #[must_use]
    pub const fn push_slot(&self) -> &PushSlot {
        &self.start.slot
    }

    /// What was seen so far.
    #[must_use]
    pub const fn seen(&self) -> &DeviceSeen {
        &self.seen
    }

    /// The emulated device itself, for the odd wish.
    pub const fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }

    /// The device's own time.
    #[must_use]
    pub fn now(&self) -> UtcMillis {
        self.lab.clock().now().plus_millis(self.offset_ms)
    }

    /// Sets the device's own clock, which then runs on.
    pub fn set_clock(&mut self, at: UtcMillis) {
        self.offset_ms = at.millis_since(self.lab.clock().now());
    }

    /// Plugs the device in or out; pushes are answered accordingly from now on.
    pub fn set_online(&mut self, online: bool) {
        let now = self.now();
        let connectivity = if online {
            Connectivity::Online
        } else {
            Connectivity::Offline
        };
        self.device.set_connectivity(now, connectivity);
        self.start.slot.set_connected(online);
    }

    /// What goes wrong for the device from now on.
    pub const fn set_trouble(&mut self, trouble: Trouble) {
        self.trouble = trouble;
    }

    /// The password that the device holds for its managed account; `None` when it manages none.
    #[must_use]
    pub fn held_password(&self) -> Option<HeldPassword> {
        let account = self.device.managed_account()?;
        Some(HeldPassword::new(
            account.name,
            &account.sid,
            account.password,
        ))
    }

    /// Somebody authenticates with a local account; false when there is no such account.
    pub fn sign_in(&mut self, account: &str) -> bool {
        let now = self.now();
        self.device.sign_in(now, account)
    }

    /// Enrols the device, again if it was enrolled before.
    ///
    /// # Errors
    /// [`Error::Target`] when the enrolment was refused or is not understood.
    pub async fn enroll(&mut self) -> Result<(), Error> {
        let grant = EnrollmentGrant {
            discovery_url: wire::discovery_url(self.lab.target()),
            directory_url: self.lab.target().directory.clone(),
            channel_uri: self.start.channel_uri.clone(),
            credential: self.start.credential.clone(),
        };
        let now = self.now();
        self.device.enroll(now, grant);
        self.enrollment_error = None;
        let mut session = SessionSeen::default();
        self.carry(&mut session).await?;
        if self.device.is_enrolled() {
            self.certificate = self
                .device
                .client_certificate_base64()
                .map(wire::client_cert);
            return Ok(());
        }
        Err(Error::Target {
            what: format!("enrolment of device `{}`", self.name()),
            seen: self
                .enrollment_error
                .take()
                .unwrap_or_else(|| "no end".to_owned()),
        })
    }

    /// Registers the device again, which makes a new enrolment credential.
    ///
    /// # Errors
    /// The target refused or did not answer.
    pub async fn register_again(&mut self) -> Result<(), Error> {
        let body = &self.start.registration;
        self.start.credential = wire::register(self.lab.pools(), self.lab.target(), body).await?;
        Ok(())
    }

    /// Starts a session and drives it to its end, uploads that follow at once included.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the session could not even start or took longer than
    /// [`SESSION`]; a session that ended badly is no error but not `complete`.
    pub async fn check_in(&mut self) -> Result<SessionSeen, Error> {
        self.wakes_served = self.start.slot.wakes();
        let now = self.now();
        self.device.start_session(now, SessionCause::User);
        self.drive().await
    }

    /// Waits for a push answered `connected` since the last session began, then drives the session
    /// that it causes. `None` when none came in time or the session could not be driven.
    pub async fn answer_push(&mut self, limit: Duration) -> Option<SessionSeen> {
        if !self.start.slot.woken(self.wakes_served, limit).await {
            return None;
        }
        self.wakes_served = self.start.slot.wakes();
        let now = self.now();
        if !self.device.handle_push(now) {
            return None;
        }
        self.drive().await.ok()
    }

    /// Runs the device's timers up to `at` on its own clock without waiting, in order; what they
    /// send goes out. Returns what was sent, one entry a timer that sent anything.
    ///
    /// # Errors
    /// As [`LabDevice::check_in`].
    pub async fn run_until(&mut self, at: UtcMillis) -> Result<Vec<SessionSeen>, Error> {
        let mut all = Vec::new();
        for _ in 0..TIMERS_MAX {
            let Some(due) = self.device.poll_timeout().filter(|due| *due <= at) else {
                break;
            };
            if due > self.now() {
                self.set_clock(due);
            }
            let now = self.now();
            self.device.handle_timeout(now);
            let seen = self.drive().await?;
            if !seen.exchanges.is_empty() {
                all.push(seen);
            }
        }
        if at > self.now() {
            self.set_clock(at);
        }
        Ok(all)
    }

    async fn drive(&mut self) -> Result<SessionSeen, Error> {
        let mut session = SessionSeen::default();
        self.ended = None;
        // The future is boxed: scenarios hold many of these at once.
        let driven = Box::pin(self.carry(&mut session));
        let driven = tokio::time::timeout(SESSION, driven).await;
        let what = || format!("session of device `{}`", self.name());
        match driven {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_elapsed) => {
                let cause = format!("not over after {} s", SESSION.as_secs());
                return Err(Error::Unreachable {
                    what: what(),
                    cause,
                });
            }
        }
        if let Some(complete) = self.ended {
            session.complete = complete;
            self.seen.sessions += 1;
            self.seen.sessions_broken += u32::from(!complete);
        }
        self.seen.add(&session);
        Ok(session)
    }

    /// Carries requests until the device has nothing more to send.
    async fn carry(&mut self, session: &mut SessionSeen) -> Result<(), Error> {
        for _ in 0..REQUESTS_MAX {
            let now = self.now();
            if let Some(request) = self.device.key_request() {
                let (der, _key) = crate::keys::certificate_request(&request)?;
                self.device.provide_request(now, der);
            }
            if let Some(transmit) = self.device.poll_transmit(now) {
                self.exchange(transmit, session).await;
                self.take_events();
                continue;
            }
            self.take_events();
            match self.device.poll_timeout() {
                Some(due) if due <= now => self.device.handle_timeout(now),
                // A repeat of the session's last message is due later.
                Some(due) if self.device.session_open() => self.wait(due).await,
                Some(_) | None => return Ok(()),
            }
        }
        let name = self.name();
        Err(Error::Target {
            what: format!("session of device `{name}`"),
            seen: format!("no end after {REQUESTS_MAX} requests"),
        })
    }

    async fn wait(&self, due: UtcMillis) {
        let wait_ms = u64::try_from(due.millis_since(self.now())).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }

    async fn exchange(&mut self, mut transmit: Transmit, session: &mut SessionSeen) {
        let body = Bytes::from(std::mem::take(&mut transmit.body));
        let sent_at = self.lab.clock().now();
        let kept_back = self.trouble.keeps_back(transmit.endpoint, session.execs());
        let answer = match kept_back {
            Some(reason) => Err(Failure::NotSent(reason.to_owned())),
            None => {
                let certificate = self.certificate.as_deref();
                wire::send(self.lab.pools(), &transmit, body.clone(), certificate).await
            }
        };
        let failure = answer.as_ref().err().map(ToString::to_string);
        let exchange = Sent {
            transmit: &transmit,
            body: &body,
            sent_at,
        };
        let id = self.record(&exchange, answer.as_ref().ok(), failure);
        session.exchanges.push(id);
        let status = answer.as_ref().ok().map(|answer| answer.status);
        match transmit.endpoint {
            Endpoint::Management => {
                if let Ok(answer) = &answer
                    && answer.status == 200
                {
                    session.read_answer(&answer.body, id);
                }
            }
            Endpoint::Directory => session.read_upload(&body, status, id),
            Endpoint::Discovery | Endpoint::Policy | Endpoint::Enrollment => {}
        }
        let now = self.now();
        match answer {
            Ok(answer) => {
                let retry_after_s = wire::retry_after_s(&answer);
                let body = self.trouble.as_read(transmit.endpoint, &answer.body);
                let response = Response {
                    status: answer.status,
                    body: &body,
                    retry_after_s,
                };
                self.device.handle_response(now, response);
            }
            Err(failure) => self.device.handle_failure(now, failure.into()),
        }
    }

    fn record(
        &self,
        sent: &Sent<'_>,
        answer: Option<&Answer>,
        failure: Option<String>,
    ) -> ExchangeId {
        let clock = self.lab.clock();
        self.lab.transcript().record(Exchange {
            plane: wire::plane_of(sent.transmit.endpoint),
            scope: self.start.scope,
            party: self.name().to_owned(),
            method: sent.transmit.method.as_str(),
            path: path_of(&sent.transmit.url).to_owned(),
            client_request_id: None,
            sent_at: sent.sent_at,
            received_at: answer.map(|answer| clock.at(answer.received_ns)),
            request: sent.body.to_vec(),
            status: answer.map(|answer| answer.status),
            response: answer.map_or_else(Vec::new, |answer| answer.body.to_vec()),
            failure,
        })
    }

    fn take_events(&mut self) {
        while let Some(event) = self.device.poll_event() {
            match event {
                Event::SessionEnded { complete, .. } => self.ended = Some(complete),
                Event::Enrolled { managed_device_id } => {
                    let id = managed_device_id.clone();
                    self.lab
                        .transcript()
                        .note_device(self.name(), IdKind::Managed, id);
                    self.seen
                        .managed_ids
                        .extend(Uuid::parse_str(&managed_device_id).ok());
                }
                Event::EnrollmentFailed { detail, .. } => self.enrollment_error = Some(detail),
                Event::Unenrolled { .. }
                | Event::SessionStarted { .. }
                | Event::PolicyApplied
                | Event::ExecReceived
                | Event::DirectiveRefused
                | Event::Rotated { .. }
                | Event::BackupFailed { .. }
                | Event::NothingManaged { .. }
                | Event::PostAuthenticationExhausted => {}
            }
        }
    }
}

struct Sent<'a> {
    transmit: &'a Transmit,
    body: &'a Bytes,
    sent_at: UtcMillis,
}
