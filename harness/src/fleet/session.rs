//! Carries the requests of one load device. Every answer is held against the model before the
//! device sees it, so that no defect of the device can hide what was on the wire.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use emulator::{Device, Endpoint, Event, Response, SessionCause, Transmit};
use protocol::directory::CredentialUpload;
use protocol::enrollment::{AuthPolicy, Request, decode_request};
use protocol::syncml::{Limits, Message, decode};
use protocol::time::UtcMillis;

use super::shard::{Shard, State};
use super::wire;
use crate::http::{Answer, Failure as Unsent, path_of};
use crate::metrics::Sample;
use crate::model::{
    Belief, Expectation, Http, WrongAnswer, check_directory, check_discovery, check_policies,
    check_token,
};
use crate::transcript::{Exchange, ExchangeId};

/// Most requests of one session with its uploads, or of one enrolment.
const REQUESTS_MAX: usize = 64;

/// Why a session is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The first one after enrolment.
    First,
    /// The plan.
    Planned {
        /// The planned time.
        intended_ns: u64,
    },
    /// A push.
    Pushed,
}

/// How a session went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Driven {
    /// The target ended it in the ordinary way, and everything that followed was answered.
    pub(super) complete: bool,
    /// When the first request was sent.
    sent_ns: Option<u64>,
    /// When the latest request was handed over.
    asked_ns: u64,
    /// Some exchange had no answer.
    unanswered: bool,
    /// The exchanges of this session are evidence: they are kept from here on.
    evidence: bool,
}

impl Shard {
    /// Takes a device out of its place and runs a session with it.
    pub(super) fn spawn_session(self: &Rc<Self>, local: usize, cause: Cause) {
        let device = {
            let mut state = self.state.borrow_mut();
            let device = state
                .slots
                .get_mut(local)
                .and_then(|slot| slot.device.take());
            state.in_flight += u64::from(device.is_some());
            state.in_flight_peak = state.in_flight_peak.max(state.in_flight);
            device
        };
        let Some(mut device) = device else { return };
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            shard.start_session(local, &mut device, cause);
            let driven = shard.drive(local, &mut device).await;
            shard.end_session(local, device, (cause, driven));
        });
    }

    pub(super) fn start_session(&self, local: usize, device: &mut Device, cause: Cause) {
        let now = self.context.clock.now();
        match cause {
            Cause::First | Cause::Planned { .. } => {
                device.start_session(now, SessionCause::Schedule);
            }
            Cause::Pushed => {
                if !device.handle_push(now) {
                    tracing::debug!(local, "pushed device is not online");
                }
            }
        }
    }

    /// Carries requests until the device has nothing more to send.
    pub(super) async fn drive(&self, local: usize, device: &mut Device) -> Driven {
        let mut driven = Driven::default();
        let mut ended = None;
        for _ in 0..REQUESTS_MAX {
            let now = self.context.clock.now();
            provide_key(device, now);
            if let Some(transmit) = device.poll_transmit(now) {
                self.exchange((local, transmit), device, &mut driven).await;
            } else if device.poll_timeout().is_some_and(|due| due <= now) {
                device.handle_timeout(now);
            } else {
                break;
            }
            ended = session_end(device).or(ended);
        }
        driven.complete = ended == Some(true) && !driven.unanswered;
        driven
    }

    fn end_session(self: &Rc<Self>, local: usize, device: Device, end: (Cause, Driven)) {
        let ended_ns = self.context.clock.monotonic_ns();
        let (cause, driven) = end;
        let resolved = {
            let mut state = self.state.borrow_mut();
            state.in_flight -= 1;
            state.count(cause, driven, ended_ns);
            if driven.complete && matches!(cause, Cause::Planned { .. }) {
                self.context.progress.completed();
            }
            let resolved = state.slots.get_mut(local).and_then(|slot| {
                slot.device = Some(device);
                slot.settle_rotation().then_some(slot.index)
            });
            if resolved.is_some() {
                state.close_attempt(local);
            }
            resolved
        };
        if let Some(device) = resolved {
            self.resolved(device);
        }
        if !self.start_pushed(local) {
            self.take_turn(local);
        }
        self.conclude();
    }

    async fn exchange(
        &self,
        (local, mut transmit): (usize, Transmit),
        device: &mut Device,
        driven: &mut Driven,
    ) {
        let body = Bytes::from(std::mem::take(&mut transmit.body));
        // What the model expects is fixed when the message leaves: pushes may be answered while
        // the target works on it.
        let message = match transmit.endpoint {
            Endpoint::Management => decode(&body, &Limits::default()).ok(),
            Endpoint::Discovery | Endpoint::Policy | Endpoint::Enrollment | Endpoint::Directory => {
                None
            }
        };
        let expectation = message
            .as_ref()
            .and_then(|message| self.expectation(local, message));
        let certificate = device.client_certificate_base64().map(wire::client_cert);
        driven.asked_ns = self.context.clock.monotonic_ns();
        let answer = if self.is_down() {
            Err(Unsent::NotSent("the target is down".to_owned()))
        } else {
            wire::send(&self.pools, &transmit, body.clone(), certificate.as_deref()).await
        };
        let now = self.context.clock.now();
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                self.unanswered(local, transmit.endpoint, driven);
                device.handle_failure(now, failure.into());
                return;
            }
        };
        self.reached();
        driven.sent_ns.get_or_insert(answer.sent_ns);
        let sight = match (&message, &expectation) {
            (Some(message), Some(expectation)) => {
                let mut state = self.state.borrow_mut();
                state.judge_management(local, (message, expectation), &answer)
            }
            (Some(_), None) | (None, _) => Sight {
                verified: true,
                wrong: self.judge_other(local, &transmit, (&body, &answer)),
                execs: 0,
            },
        };
        self.keep((local, &transmit), (&body, &answer), (sight, driven));
        let retry_after_s = wire::retry_after_s(&answer);
        let response = Response {
            status: answer.status,
            body: &answer.body,
            retry_after_s,
        };
        device.handle_response(now, response);
    }

    /// What the answer to this message must hold, as far as is known before it leaves.
    fn expectation(&self, local: usize, message: &Message<'_>) -> Option<Expectation> {
        let state = self.state.borrow();
        let belief = state.slots.get(local)?.belief.as_ref()?;
        Some(belief.expect(message))
    }

    /// Counts an answer, keeps what was wrong with it, and records it where a verdict may need it.
    fn keep(
        &self,
        (local, transmit): (usize, &Transmit),
        (body, answer): (&Bytes, &Answer),
        (sight, driven): (Sight, &mut Driven),
    ) {
        let mut state = self.state.borrow_mut();
        let measuring = state.measuring();
        state.answers.count(measuring, sight.verified);
        if sight.execs > 0 {
            driven.evidence = true;
        }
        if let Some(attempt) = state.attempt_of(local) {
            attempt.execs += sight.execs;
        }
        if !driven.evidence && sight.wrong.is_empty() {
            return;
        }
        let name = state.slots.get(local).map(|slot| slot.index);
        let party = name
            .and_then(|index| self.context.plan.spec(index))
            .map(|spec| spec.device_name)
            .unwrap_or_default();
        let id = self.record(party, transmit, (body, answer));
        let of_rotation = |wrong: &WrongAnswer| {
            wrong
                .requirement
                .is_some_and(|requirement| requirement.starts_with("REQ-ROTATE"))
        };
        if (driven.evidence || sight.wrong.iter().any(of_rotation))
            && let Some(attempt) = state.attempt_of(local)
        {
            attempt.exchanges.push(id);
        }
        for wrong in sight.wrong {
            state.answers.wrong(WrongAnswer {
                exchange: Some(id),
                ..wrong
            });
        }
    }

    fn record(
        &self,
        party: String,
        transmit: &Transmit,
        (body, answer): (&Bytes, &Answer),
    ) -> ExchangeId {
        let clock = &self.context.clock;
        self.context.transcript.record(Exchange {
            plane: wire::plane_of(transmit.endpoint),
            scope: "load",
            party,
            method: transmit.method.as_str(),
            path: path_of(&transmit.url).to_owned(),
            client_request_id: None,
            sent_at: clock.at(answer.sent_ns),
            received_at: Some(clock.at(answer.received_ns)),
            request: body.to_vec(),
            status: Some(answer.status),
            response: answer.body.to_vec(),
            failure: None,
        })
    }

    /// Answers of the enrolment and directory planes.
    fn judge_other(
        &self,
        local: usize,
        transmit: &Transmit,
        (body, answer): (&Bytes, &Answer),
    ) -> Vec<WrongAnswer> {
        let http = Http::of(answer);
        match transmit.endpoint {
            Endpoint::Discovery if transmit.method == emulator::Method::Get => {
                if answer.status == 200 {
                    Vec::new()
                } else {
                    let seen = format!("status {}", answer.status);
                    vec![WrongAnswer::common("status 200 for GET Discovery", seen)]
                }
            }
            Endpoint::Discovery => check_discovery(http, offers_federated(body)),
            Endpoint::Policy => check_policies(http),
            Endpoint::Enrollment => self.judge_token(local, http),
            Endpoint::Directory => {
                // Whatever comes of it: no artefact of the run may show this password.
                self.context.transcript.note_upload(body);
                let wrong = check_directory(http);
                if wrong.is_empty() {
                    self.state.borrow_mut().uploaded(local, body);
                }
                wrong
            }
            Endpoint::Management => {
                vec![WrongAnswer::common("an enrolment before a session", "none")]
            }
        }
    }

    fn judge_token(&self, local: usize, http: Http<'_>) -> Vec<WrongAnswer> {
        let device_id = self
            .spec(local)
            .map(|spec| spec.device_id.to_string())
            .unwrap_or_default();
        let (wrong, provisioned) = check_token(http, &device_id);
        let mut state = self.state.borrow_mut();
        if let Some(provisioned) = provisioned {
            let provider_id = state.provider_id(&provisioned.provider_id);
            if let Some(slot) = state.slots.get_mut(local) {
                slot.managed_id = provisioned.managed_id;
                slot.belief = Some(Belief::new(self.class_of(slot.member), provider_id));
            }
        }
        wrong
    }

    /// What the target learned is in doubt when no answer came.
    fn unanswered(&self, local: usize, endpoint: Endpoint, driven: &mut Driven) {
        driven.unanswered = true;
        driven.sent_ns.get_or_insert(driven.asked_ns);
        self.unreached();
        let mut state = self.state.borrow_mut();
        let belief = state
            .slots
            .get_mut(local)
            .and_then(|slot| slot.belief.as_mut());
        if let (Endpoint::Management, Some(belief)) = (endpoint, belief) {
            belief.lost();
        }
    }
}

/// What one answer showed.
#[derive(Debug, Default)]
struct Sight {
    /// The answer was held against the model.
    verified: bool,
    wrong: Vec<WrongAnswer>,
    execs: u32,
}

impl State {
    fn judge_management(
        &mut self,
        local: usize,
        (message, expectation): (&Message<'_>, &Expectation),
        answer: &Answer,
    ) -> Sight {
        let Some(slot) = self.slots.get_mut(local) else {
            return Sight::default();
        };
        let Some(belief) = &mut slot.belief else {
            return Sight::default();
        };
        let judgement = belief.judge(message, expectation, Http::of(answer));
        if judgement.policy_delivered {
            let class = (slot.member.join, slot.member.os.build);
            *self.deliveries.entry(class).or_default() += 1;
        }
        Sight {
            verified: true,
            wrong: judgement.wrong,
            execs: judgement.execs,
        }
    }

    /// The directory took an upload.
    fn uploaded(&mut self, local: usize, body: &[u8]) {
        if let Some(slot) = self.slots.get_mut(local) {
            if let Some(belief) = &mut slot.belief {
                belief.uploaded();
            }
            let upload = serde_json::from_slice::<CredentialUpload>(body).ok();
            slot.expires = upload
                .map(|upload| upload.refresh_date_time)
                .or(slot.expires);
        }
        if let Some(attempt) = self.attempt_of(local) {
            attempt.backups += 1;
        }
    }

    fn count(&mut self, cause: Cause, driven: Driven, ended_ns: u64) {
        match cause {
            Cause::First => {}
            Cause::Planned { intended_ns } => {
                if driven.complete {
                    self.books.completed += 1;
                } else {
                    self.books.failed += 1;
                }
                self.last_end_ns = self.last_end_ns.max(ended_ns);
                let sent_ns = driven.sent_ns.unwrap_or(ended_ns);
                self.timings.record(Sample {
                    intended_ns,
                    sent_ns,
                    ended_ns,
                });
            }
            Cause::Pushed => self.pushed_failed += u64::from(!driven.complete),
        }
    }

    /// The provider id, held once.
    fn provider_id(&mut self, text: &str) -> Arc<str> {
        match &self.provider_id {
            Some(known) if **known == *text => Arc::clone(known),
            Some(_) | None => {
                let known: Arc<str> = text.into();
                self.provider_id = Some(Arc::clone(&known));
                known
            }
        }
    }
}

/// Makes the key and the certificate request that the device waits for, if it does.
fn provide_key(device: &mut Device, now: UtcMillis) {
    let Some(request) = device.key_request() else {
        return;
    };
    match crate::keys::certificate_request(&request) {
        Ok((der, _key)) => device.provide_request(now, der),
        Err(error) => tracing::error!(%error, "no certificate request"),
    }
}

/// Takes the device's events; true when a session ended properly, false when one broke off.
fn session_end(device: &mut Device) -> Option<bool> {
    let mut ended = None;
    while let Some(event) = device.poll_event() {
        if let Event::SessionEnded { complete, .. } = event {
            ended = Some(complete);
        }
    }
    ended
}

fn offers_federated(body: &[u8]) -> bool {
    match decode_request(body) {
        Ok(Request::Discover(discover)) => discover.auth_policies.contains(&AuthPolicy::Federated),
        Ok(Request::GetPolicies(_) | Request::RequestSecurityToken(_)) | Err(_) => false,
    }
}
