//! The device: what the other modules of this crate are put together to.
//!
//! A driver hands in time and answers (`handle_*`) and takes out requests and facts (`poll_*`).
//! A device has at most one request outstanding.

mod serve;
mod view;

use protocol::JoinType;
use protocol::time::UtcMillis;
use rand::Rng;
use uuid::Uuid;

use crate::connectivity::{Connectivity, ConnectivitySchedule};
use crate::csp::tree::Tree;
use crate::enrollment::{Enrolling, Enrollment, EnrollmentGrant, KeyRequest};
use crate::event::{Event, Events, SessionCause, SessionOutcome, UnenrollCause};
use crate::fault::DeviceFault;
use crate::identity::{DeviceSpec, Identity, LocalPolicy, LoginStatus};
use crate::laps::Laps;
use crate::laps::cycle::UploadEnd;
use crate::random::{Purpose, stream};
use crate::session::Session;
use crate::timers::{Timer, Timers};
use crate::transmit::{Failure, Response, Transmit};

/// One emulated Windows device.
#[derive(Clone, Debug)]
pub struct Device {
    pub(crate) identity: Identity,
    pub(crate) enrollment: Option<Box<Enrollment>>,
    pub(crate) enrolling: Option<Box<Enrolling>>,
    pub(crate) session: Option<Box<Session>>,
    pub(crate) tree: Tree,
    pub(crate) laps: Laps,
    pub(crate) timers: Timers,
    pub(crate) events: Events,
    pub(crate) schedule: Option<Box<ConnectivitySchedule>>,
    pub(crate) enrollment_messages: u16,
    pub(crate) next_session_id: u16,
    pub(crate) connectivity: Connectivity,
    pub(crate) outstanding: Option<Outstanding>,
    /// The session to open when the present one is over, or when the session timer is due.
    pub(crate) wanted: Option<SessionCause>,
    /// The enrolment is to end, but the server has not yet been heard on that.
    pub(crate) leaving: Option<UnenrollCause>,
    /// Whether the poll table counts.
    pub(crate) polling: bool,
}

/// The request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outstanding {
    Enrollment,
    Management,
    Directory,
    /// What asked is gone; the end of the request is awaited and ignored.
    Stale,
}

impl Device {
    /// A device that has not enrolled, is online and follows the poll table.
    #[must_use]
    pub fn new(spec: DeviceSpec) -> Self {
        let (identity, accounts) = Identity::from_spec(spec);
        let mut rng = stream(identity.seed, identity.index, Purpose::SessionId, 0);
        Self {
            laps: Laps::new(accounts.into_iter().map(Into::into).collect()),
            // 0 is a legal session id, and one device in eight begins with it.
            next_session_id: rng.random_range(0..8),
            identity,
            enrollment: None,
            enrolling: None,
            session: None,
            tree: Tree::default(),
            timers: Timers::new(),
            events: Events::default(),
            schedule: None,
            enrollment_messages: 0,
            connectivity: Connectivity::Online,
            outstanding: None,
            wanted: None,
            leaving: None,
            polling: true,
        }
    }

    /// Begins an enrolment; an earlier one is replaced when the new one succeeds.
    pub fn enroll(&mut self, now: UtcMillis, grant: EnrollmentGrant) {
        self.wake(now);
        if self.outstanding == Some(Outstanding::Enrollment) {
            // Its answer belongs to the enrolment that is given up here.
            self.outstanding = Some(Outstanding::Stale);
        }
        self.close_session(now, SessionOutcome::Replaced);
        self.timers.clear(Timer::Enrollment);
        self.enrolling = Some(Box::new(Enrolling::new(grant, self.enrollment_messages)));
    }

    /// The key and the certificate request that the enrolment waits for.
    #[must_use]
    pub fn key_request(&self) -> Option<KeyRequest> {
        self.enrolling
            .as_ref()?
            .key_request(self.identity.device_id)
    }

    /// Hands in the certificate request, DER of PKCS#10.
    pub fn provide_request(&mut self, now: UtcMillis, pkcs10_der: Vec<u8>) {
        self.wake(now);
        if let Some(enrolling) = self.enrolling.as_deref_mut() {
            enrolling.provide_request(pkcs10_der);
        }
    }

    /// Ends the enrolment on the user's wish: the next session, due at once, tells the server.
    pub fn unenroll(&mut self, now: UtcMillis) {
        if self.enrollment.is_some() {
            self.leaving = Some(UnenrollCause::User);
            self.start_session(now, SessionCause::User);
        }
    }

    /// Takes a push and says whether the device is connected. An offline device takes no notice;
    /// an online one is due for a session at once.
    pub fn handle_push(&mut self, now: UtcMillis) -> bool {
        self.wake(now);
        if self.connectivity == Connectivity::Offline {
            return false;
        }
        if self.enrollment.is_some() {
            self.wanted = Some(SessionCause::Push);
            if self.session.is_none() {
                self.timers.set(Timer::Session, now);
            }
        }
        true
    }

    /// Serves every timer that is due; harmless at any other time.
    pub fn handle_timeout(&mut self, now: UtcMillis) {
        self.wake(now);
        for timer in Timer::ALL {
            if self.timers.take_due(timer, now) {
                self.serve(timer, now);
            }
        }
    }

    /// When [`Self::handle_timeout`] is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UtcMillis> {
        self.timers.next()
    }

    /// The next request, if there is one to be sent: a device has at most one outstanding, sends
    /// nothing while offline, and sends a password to the directory before its next message.
    pub fn poll_transmit(&mut self, now: UtcMillis) -> Option<Transmit> {
        if self.outstanding.is_some() || self.connectivity == Connectivity::Offline {
            return None;
        }
        if let Some(enrolling) = self.enrolling.as_deref_mut() {
            let request = enrolling.take_request(&self.identity)?;
            self.enrollment_messages = enrolling.messages();
            self.outstanding = Some(Outstanding::Enrollment);
            return Some(request);
        }
        if self.laps.upload_waits() {
            return self.directory_request(now);
        }
        self.management_request()
    }

    /// Takes the answer to the outstanding request; one that nobody waits for is ignored.
    pub fn handle_response(&mut self, now: UtcMillis, response: Response<'_>) {
        match self.outstanding.take() {
            Some(Outstanding::Enrollment) => self.enrollment_answer(now, response),
            Some(Outstanding::Management) => self.management_answer(now, response),
            Some(Outstanding::Directory) => {
                self.upload_ended(now, UploadEnd::Answered(response.status));
            }
            Some(Outstanding::Stale) | None => {}
        }
        if self.connectivity == Connectivity::Offline {
            self.drop_unsent(now);
        }
    }

    /// Takes notice that no answer will come to the outstanding request.
    ///
    /// Both kinds of failure end the same way: the session or the enrolment is over, a password
    /// that was under way is given up and the next cycle makes another.
    pub fn handle_failure(&mut self, now: UtcMillis, failure: Failure) {
        match self.outstanding.take() {
            Some(Outstanding::Enrollment) => {
                let detail = match failure {
                    Failure::NotSent => "the request was not sent",
                    Failure::Unknown => "no answer",
                };
                self.enrollment_failed(None, None, detail.to_owned());
            }
            Some(Outstanding::Management) => self.close_session(now, SessionOutcome::NoAnswer),
            Some(Outstanding::Directory) => self.upload_ended(now, UploadEnd::NoAnswer),
            Some(Outstanding::Stale) | None => {}
        }
        if self.connectivity == Connectivity::Offline {
            self.drop_unsent(now);
        }
    }

    /// The next fact, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop()?;
        tracing::debug!(device = %self.identity.name, ?event, "device event");
        Some(event)
    }

    /// Puts the device online or offline and ends any schedule.
    pub fn set_connectivity(&mut self, now: UtcMillis, connectivity: Connectivity) {
        self.wake(now);
        self.schedule = None;
        self.timers.clear(Timer::Connectivity);
        self.apply_connectivity(now, connectivity);
    }

    /// Lets a schedule decide from now on.
    pub fn set_connectivity_schedule(&mut self, now: UtcMillis, schedule: ConnectivitySchedule) {
        self.wake(now);
        self.schedule = Some(Box::new(schedule));
        self.follow_schedule(now);
    }

    /// Says who is signed in, as the next session tells the server.
    pub const fn set_login_status(&mut self, status: LoginStatus) {
        self.identity.login_status = status;
    }

    /// Says which user is signed in: the enrolling one, another, or nobody.
    pub fn set_user_signed_in(&mut self, user_principal_name: Option<&str>) {
        self.identity.login_status = match user_principal_name {
            None => LoginStatus::None,
            Some(name) => match self.identity.user.as_deref() {
                Some(own) if !own.eq_ignore_ascii_case(name) => LoginStatus::Others,
                Some(_) | None => LoginStatus::User,
            },
        };
    }

    /// An authentication with a local account; true when it is the managed one and the delay of
    /// the policy runs because of it (F-120). A delay that runs already goes on.
    pub fn sign_in(&mut self, now: UtcMillis, account: &str) -> bool {
        self.wake(now);
        let delay_h = self.effective_policy().post_authentication_delay_h;
        if delay_h == 0 || !self.laps.is_managed(account) {
            return false;
        }
        if self.timers.at(Timer::PostAuthentication).is_none() {
            let early = self.identity.has(DeviceFault::PostAuthEarly);
            let delay_h = if early { 1 } else { delay_h };
            let deadline = now.plus_millis(i64::from(delay_h) * UtcMillis::HOUR_MS);
            self.timers.set(Timer::PostAuthentication, deadline);
        }
        true
    }

    /// Whether the poll table counts; without it somebody else starts the sessions.
    pub fn set_polling(&mut self, polling: bool) {
        self.polling = polling;
        if !polling {
            self.timers.clear(Timer::Poll);
        }
    }

    /// Changes the join state; LAPS takes notice at its next cycle.
    pub fn set_join_type(&mut self, join_type: JoinType, entra_device_id: Option<Uuid>) {
        self.identity.join_type = join_type;
        self.identity.entra_device_id = entra_device_id;
    }

    /// Changes the policy roots below the CSP, and starts a cycle as Group Policy does (F-062).
    pub fn set_local_policy(&mut self, now: UtcMillis, policy: LocalPolicy) {
        self.wake(now);
        self.identity.local_policy = (!policy.is_empty()).then(|| Box::new(policy));
        self.laps_cycle(now);
    }

    /// Moves the expiry in Active Directory, as an administrator may (F-092).
    pub fn set_active_directory_expiry(&mut self, expires_at: UtcMillis) {
        if let Some(record) = self.laps.active_directory_mut() {
            record.expires_at = expires_at;
        }
    }
}
