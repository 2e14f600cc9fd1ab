//! Sessions in the life of a device: when one opens, what its answers lead to, and what follows
//! when it is over.

use protocol::laps_csp::E_PENDING;
use protocol::syncml::{CONTENT_TYPE, Limits, decode};
use protocol::time::UtcMillis;

use crate::connectivity::Connectivity;
use crate::csp::execute::Effect;
use crate::csp::tree::{Execution, Surroundings, Tree};
use crate::device::{Device, Outstanding};
use crate::event::{Event, SessionCause, SessionOutcome, UnenrollCause};
use crate::fault::DeviceFault;
use crate::session::package::{Purpose, package_one};
use crate::session::{Reaction, Session};
use crate::timers::Timer;
use crate::transmit::{Endpoint, MANAGEMENT_AGENT, Method, Response, Transmit};

/// What a device adds to the management URL (MS-MDM 2.1).
const MANAGEMENT_QUERY: &str = "mode=Maintenance&Platform=WoA";

/// The URL that messages go to, for the address in the enrolment.
pub(crate) fn request_url(address: &str) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{MANAGEMENT_QUERY}")
}

impl Device {
    /// Opens a session, or remembers the wish while one is open. An offline device and one that is
    /// not enrolled do neither.
    pub fn start_session(&mut self, now: UtcMillis, cause: SessionCause) {
        self.wake(now);
        if self.enrollment.is_none() || self.connectivity == Connectivity::Offline {
            return;
        }
        if self.session.is_some() || self.enrolling.is_some() {
            self.wanted = self.wanted.max(Some(cause));
            return;
        }
        self.open_session(cause);
    }

    fn open_session(&mut self, cause: SessionCause) {
        // A session id may have four bytes: it starts again at 0 after 65,535.
        let id = u32::from(self.next_session_id);
        self.next_session_id = self.next_session_id.wrapping_add(1);
        let purpose = self.session_purpose();
        let mut session = Session::new(
            id,
            cause,
            package_one(self.identity.introduction(), cause, purpose),
        );
        session.reports_unenrollment = purpose == Purpose::Unenroll;
        self.session = Some(Box::new(session));
        self.events.push(Event::SessionStarted {
            session_id: id,
            cause,
        });
    }

    fn session_purpose(&self) -> Purpose {
        if self.leaving == Some(UnenrollCause::User) {
            Purpose::Unenroll
        } else {
            Purpose::Manage
        }
    }

    /// The next message of the open session.
    pub(crate) fn management_request(&mut self) -> Option<Transmit> {
        let reset_status = self.shown_reset_status();
        let enrollment = self.enrollment.as_deref()?;
        let session = self.session.as_deref_mut()?;
        let source = self.identity.device_id.to_string();
        let body = session.take_message(&source, enrollment, reset_status)?;
        let url = request_url(&enrollment.management_url);
        self.outstanding = Some(Outstanding::Management);
        Some(Transmit {
            endpoint: Endpoint::Management,
            method: Method::Post,
            url,
            content_type: CONTENT_TYPE,
            body,
            idempotency_key: None,
            user_agent: MANAGEMENT_AGENT,
        })
    }

    /// What `ResetPasswordStatus` reads.
    fn shown_reset_status(&self) -> i32 {
        let status = self.laps.reset_status();
        let Some(fault) = self.identity.fault else {
            return status;
        };
        let pending = status == E_PENDING;
        if fault == DeviceFault::StatusSevenDigits && pending {
            // As a document prints it: one digit short.
            return 0x0800_0000;
        }
        let forgotten = (fault == DeviceFault::StatusNeverPending && pending)
            || (fault == DeviceFault::StatusForgetsFailure && !pending);
        if forgotten { 0 } else { status }
    }

    /// Takes the answer to a message of the open session.
    pub(crate) fn management_answer(&mut self, now: UtcMillis, response: Response<'_>) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        match self.react(&mut session, response) {
            Reaction::Reply(effects) => {
                self.session = Some(session);
                self.carry_out(now, &effects);
            }
            Reaction::Over(outcome) => {
                self.session = Some(session);
                self.close_session(now, outcome);
            }
        }
    }

    fn react(&mut self, session: &mut Session, response: Response<'_>) -> Reaction {
        if response.status != 200 {
            return Reaction::Over(SessionOutcome::Http {
                status: response.status,
                retry_after_s: response.retry_after_s,
            });
        }
        if response.body.is_empty() {
            // Some servers end a session with an empty body (MS-MDM leaves no other reading).
            return Reaction::Over(SessionOutcome::Complete);
        }
        let Ok(message) = decode(response.body, &Limits::default()) else {
            // Among others a SOAP fault with status 200, as some servers send.
            return Reaction::Over(SessionOutcome::NotSyncml);
        };
        let Some(enrollment) = self.enrollment.as_deref() else {
            return Reaction::Over(SessionOutcome::Replaced);
        };
        let around = Surroundings {
            identity: &self.identity,
            provider_id: &enrollment.provider_id,
            ent_dm_id: &enrollment.ent_dm_id,
            channel_uri: &enrollment.channel_uri,
        };
        let purpose = self.session_purpose();
        let (introduction, cause) = (self.identity.introduction(), session.cause);
        let package = || package_one(introduction, cause, purpose);
        session.receive(&message, &mut self.tree, around, package)
    }

    /// Does what a message asked for beyond the tree.
    fn carry_out(&mut self, now: UtcMillis, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Execute(Execution::ResetPassword)
                    if self.identity.has(DeviceFault::ResetDoesNothing) =>
                {
                    self.events.push(Event::ExecReceived);
                }
                Effect::Execute(Execution::ResetPassword) => {
                    self.events.push(Event::ExecReceived);
                    self.with_laps(|laps, ground, events| laps.reset_password(now, ground, events));
                }
                Effect::Execute(Execution::Unenroll) => self.leaving = Some(UnenrollCause::Server),
                Effect::Execute(Execution::Wipe) => self.leaving = Some(UnenrollCause::Wipe),
                Effect::ReadResetStatus => {
                    self.with_laps(|laps, ground, events| laps.status_read(now, ground, events));
                }
                Effect::DirectiveRefused => self.events.push(Event::DirectiveRefused),
            }
        }
        self.settle_laps(now);
    }

    /// Ends the open session and does what waited for its end.
    pub(crate) fn close_session(&mut self, now: UtcMillis, outcome: SessionOutcome) {
        let Some(session) = self.session.take() else {
            return;
        };
        let complete = outcome == SessionOutcome::Complete;
        self.events.push(Event::SessionEnded {
            session_id: session.id,
            complete,
            outcome,
            commands: session.commands,
        });
        if let SessionOutcome::Http {
            status: 429 | 503,
            retry_after_s: Some(wait_s),
        } = outcome
            && self.polling
        {
            let retry_at = now.plus_millis(i64::from(wait_s) * 1000);
            self.timers.set(Timer::Poll, retry_at);
        }
        if self.enrollment_ends(&session, outcome) {
            self.end_enrollment(now);
            return;
        }
        self.laps_after_session(now, session.policy_changed);
        if let Some(cause) = self.wanted.take() {
            self.start_session(now, cause);
        }
    }

    /// An enrolment is over when the server has taken the status of the Exec, or the alert; 403
    /// after a lost answer says that it had (contract section 2).
    fn enrollment_ends(&self, session: &Session, outcome: SessionOutcome) -> bool {
        let Some(cause) = self.leaving else {
            return false;
        };
        let acknowledged = match cause {
            UnenrollCause::User => session.reports_unenrollment,
            UnenrollCause::Server | UnenrollCause::Wipe => true,
        };
        match outcome {
            SessionOutcome::Complete => acknowledged,
            SessionOutcome::Http { status: 403, .. } => true,
            SessionOutcome::Http { .. }
            | SessionOutcome::NotSyncml
            | SessionOutcome::Refused(_)
            | SessionOutcome::Aborted
            | SessionOutcome::NoAnswer
            | SessionOutcome::Offline
            | SessionOutcome::Replaced
            | SessionOutcome::TooLong => false,
        }
    }

    /// The first policy and every change of one start a cycle at once (F-062, F-063).
    fn laps_after_session(&mut self, now: UtcMillis, policy_changed: bool) {
        self.with_laps(|laps, ground, events| laps.session_ended(now, ground, events));
        if policy_changed {
            self.events.push(Event::PolicyApplied);
            if self.identity.has(DeviceFault::SchedEditRotates) {
                self.laps.forget_backup();
            }
            self.with_laps(|laps, ground, events| laps.cycle(now, ground, events));
        }
        self.settle_laps(now);
    }

    /// What the management server set is gone with the enrolment.
    fn end_enrollment(&mut self, now: UtcMillis) {
        let cause = self.leaving.take().unwrap_or(UnenrollCause::Server);
        self.enrollment = None;
        self.tree = Tree::default();
        self.laps.forget_policy();
        self.wanted = None;
        for timer in [Timer::Session, Timer::Poll, Timer::PostAuthentication] {
            self.timers.clear(timer);
        }
        self.events.push(Event::Unenrolled { cause });
        self.wake(now);
    }
}
