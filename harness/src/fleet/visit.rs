//! One session of one device, or its enrolment: a state machine that gives requests and takes their
//! answers. Every answer is held against the model before the device sees it, so that no defect of
//! the device can hide what was on the wire.

mod closing;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use emulator::{Common, Device, DeviceId, Endpoint, Event, Method, Rested, SessionCause, Transmit};
use protocol::syncml::{CONTENT_TYPE, Limits, decode};
use protocol::time::UtcMillis;
use uuid::Uuid;

use super::engine::Engine;
use super::slot::Resting;
use crate::http::{Answer, Failure};
use crate::metrics::End;
use crate::model::{Belief, Expectation, Http, Ids};

/// Most requests of one session with its uploads, or of one enrolment.
const REQUESTS_MAX: u32 = 64;

/// Why a session is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The enrolment, and the first session after it.
    First,
    /// The plan.
    Planned {
        /// The planned time.
        intended_ns: u64,
        /// What the harness alone was late: waiting for a connection while all are in use is no part
        /// of it, nor is the device's session before.
        delay_ns: u64,
        /// When the harness came to it, if a connection was free then.
        free_ns: Option<u64>,
    },
    /// A push.
    Pushed,
}

/// A session under way.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) local: usize,
    pub(super) cause: Cause,
    stage: Stage,
    requests: u32,
    sent: Option<Outgoing>,
    /// True when the last session of the device that ended was complete.
    ended: Option<bool>,
    /// When the first request was sent.
    sent_ns: Option<u64>,
    /// When the latest request was handed over.
    asked_ns: u64,
    /// Some exchange had no answer.
    unanswered: bool,
    /// The exchanges of this session are evidence: they are kept from here on.
    pub(super) evidence: bool,
}

/// The device of a visit.
#[derive(Debug)]
enum Stage {
    /// Not begun.
    Asleep(Rested),
    /// On the short way: the opening is out, or was answered with nothing to do.
    Brief(Rested),
    /// Not begun, and not fit for the short way.
    Waiting(Box<Device>),
    /// On the whole way.
    Awake(Box<Device>),
    /// Only while the stage changes.
    Changing,
}

/// A request and what is expected of its answer.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    url: Url,
    pub(super) content_type: &'static str,
    pub(super) idempotency_key: Option<Uuid>,
    pub(super) user_agent: &'static str,
    /// Value of the header `Client-Cert` (RFC 9440).
    pub(super) certificate: Option<Bytes>,
    pub(super) body: Bytes,
    /// What the model expected when the message left: pushes may be answered while the target works
    /// on it.
    pub(super) expectation: Option<Expectation>,
}

/// Where a request goes.
#[derive(Debug)]
enum Url {
    /// The management service of all devices of a class.
    Management(Arc<Common>),
    Own(String),
}

impl Outgoing {
    pub(super) fn url(&self) -> &str {
        match &self.url {
            Url::Management(common) => common.request_url(),
            Url::Own(url) => url,
        }
    }
}

impl Visit {
    /// A worker takes the session up: if a connection was free for it all the time, what that took is
    /// the harness's own.
    pub(super) const fn taken_up(&mut self, now_ns: u64) {
        if let Cause::Planned {
            delay_ns, free_ns, ..
        } = &mut self.cause
            && let Some(free_ns) = free_ns.take()
        {
            *delay_ns += now_ns.saturating_sub(free_ns);
        }
    }

    /// A session of a device at rest; `None` when there is no device.
    pub(super) fn of(local: usize, cause: Cause, resting: Resting) -> Option<Self> {
        let stage = match resting {
            Resting::Asleep(rested) => Stage::Asleep(rested),
            Resting::Awake(device) => Stage::Waiting(device),
            Resting::Unknown | Resting::Registered(_) | Resting::Away => return None,
        };
        Some(Self::new(local, cause, stage))
    }

    /// The enrolment of a device that was told to enrol.
    pub(super) const fn enrollment(local: usize, device: Box<Device>) -> Self {
        Self::new(local, Cause::First, Stage::Awake(device))
    }

    const fn new(local: usize, cause: Cause, stage: Stage) -> Self {
        Self {
            local,
            cause,
            stage,
            requests: 0,
            sent: None,
            ended: None,
            sent_ns: None,
            asked_ns: 0,
            unanswered: false,
            evidence: false,
        }
    }

    /// The request that is out.
    pub(super) const fn outgoing(&self) -> Option<&Outgoing> {
        self.sent.as_ref()
    }

    /// The device came to a proper end: the target ended its session in the ordinary way, and
    /// everything that followed was answered.
    pub(super) fn is_complete(&self) -> bool {
        self.ended == Some(true) && !self.unanswered
    }

    /// The device, on the whole way.
    pub(super) fn device(&self) -> Option<&Device> {
        match &self.stage {
            Stage::Awake(device) => Some(device),
            Stage::Asleep(_) | Stage::Brief(_) | Stage::Waiting(_) | Stage::Changing => None,
        }
    }

    /// Goes on with the first session of a device that has enrolled. False when it has not.
    pub(super) fn go_on_enrolled(&mut self, now: UtcMillis) -> bool {
        let Stage::Awake(device) = &mut self.stage else {
            return false;
        };
        if !device.is_enrolled() {
            return false;
        }
        device.start_session(now, SessionCause::Schedule);
        self.requests = 0;
        self.ended = None;
        self.unanswered = false;
        true
    }
}

impl Engine {
    /// Goes on with a visit: true when [`Visit::outgoing`] is to be sent, false when it is over.
    pub(super) fn advance(&self, visit: &mut Visit, now_ns: u64) -> bool {
        visit.asked_ns = now_ns;
        if visit.requests >= REQUESTS_MAX {
            return false;
        }
        visit.requests += 1;
        let now = self.at(now_ns);
        match std::mem::replace(&mut visit.stage, Stage::Changing) {
            Stage::Asleep(rested) => {
                let Some(rested) = self.go_briefly(visit, rested) else {
                    return true;
                };
                self.go_whole(visit, &rested);
                visit.open_session(now);
            }
            Stage::Brief(rested) => {
                if rested.poll_timeout().is_none_or(|due| due > now) {
                    visit.stage = Stage::Brief(rested);
                    return false;
                }
                self.go_whole(visit, &rested);
            }
            Stage::Waiting(device) => {
                visit.stage = Stage::Awake(device);
                visit.open_session(now);
            }
            stage @ (Stage::Awake(_) | Stage::Changing) => visit.stage = stage,
        }
        visit.sent = self.next_request(visit, now);
        visit.sent.is_some()
    }

    /// Takes the short way if it is open; gives the device back if not.
    fn go_briefly(&self, visit: &mut Visit, rested: Rested) -> Option<Rested> {
        let planned = matches!(visit.cause, Cause::Planned { .. });
        let belief = self.belief(visit.local);
        let (true, Some(opening), Some(expectation)) = (
            planned && self.lane.is_on(),
            rested.opening(),
            belief.and_then(Belief::expect_nothing),
        ) else {
            return Some(rested);
        };
        let Some(device_id) = self.device_id(visit.local) else {
            return Some(rested);
        };
        let mut body = Vec::with_capacity(BODY_LEN);
        opening.write(rested.next_session_id(), device_id, &mut body);
        visit.sent = Some(Outgoing {
            endpoint: Endpoint::Management,
            method: Method::Post,
            url: Url::Management(Arc::clone(rested.common())),
            content_type: CONTENT_TYPE,
            idempotency_key: None,
            user_agent: MANAGEMENT_AGENT,
            certificate: Some(client_cert(rested.certificate_der(&self.commons))),
            body: body.into(),
            expectation: Some(expectation),
        });
        visit.stage = Stage::Brief(rested);
        None
    }

    /// Wakes the device of a visit.
    fn go_whole(&self, visit: &mut Visit, rested: &Rested) {
        if let Some(device) = self.awake(visit.local, rested) {
            visit.stage = Stage::Awake(device);
        }
    }

    /// What the device sends next, with what the model expects of the answer.
    fn next_request(&self, visit: &mut Visit, now: UtcMillis) -> Option<Outgoing> {
        let Stage::Awake(device) = &mut visit.stage else {
            return None;
        };
        // A timer may have nothing to send; each is due once, so that this ends.
        for _ in 0..REQUESTS_MAX {
            self.provide_key(visit.local, device, now);
            let transmit = device.poll_transmit(now);
            let timer = device.poll_timeout().is_some_and(|due| due <= now);
            match transmit {
                Some(transmit) => {
                    visit.ended = session_end(device).or(visit.ended);
                    let certificate = device.client_certificate_base64().map(bracketed);
                    return Some(self.outgoing(visit.local, transmit, certificate));
                }
                None if timer => device.handle_timeout(now),
                None => return None,
            }
            visit.ended = session_end(device).or(visit.ended);
        }
        None
    }

    /// Makes the certificate request that the device waits for, if it does. Nothing needs the key
    /// afterwards: who a device is goes out as a header.
    fn provide_key(&self, local: usize, device: &mut Device, now: UtcMillis) {
        let Some(request) = device.key_request() else {
            return;
        };
        let index = self.index_of(local);
        match self.ground.keys.certificate_request(index, &request) {
            Ok(der) => device.provide_request(now, der),
            Err(error) => tracing::error!(%error, "no certificate request"),
        }
    }

    fn outgoing(&self, local: usize, transmit: Transmit, certificate: Option<Bytes>) -> Outgoing {
        if transmit.endpoint == Endpoint::Directory {
            // Whatever comes of it: no artefact of the run may show this password.
            self.note_password(local, &transmit.body);
        }
        let message = match transmit.endpoint {
            Endpoint::Management if self.verifies() => {
                decode(&transmit.body, &Limits::default()).ok()
            }
            Endpoint::Management
            | Endpoint::Discovery
            | Endpoint::Policy
            | Endpoint::Enrollment
            | Endpoint::Directory => None,
        };
        let belief = self.belief(local);
        let expectation = message.and_then(|message| Some(belief?.expect(&message)));
        Outgoing {
            endpoint: transmit.endpoint,
            method: transmit.method,
            url: Url::Own(transmit.url),
            content_type: transmit.content_type,
            idempotency_key: transmit.idempotency_key,
            user_agent: transmit.user_agent,
            certificate,
            body: transmit.body.into(),
            expectation,
        }
    }

    /// Takes the answer to the request that is out.
    pub(super) fn answered(&mut self, visit: &mut Visit, answer: &Answer) {
        let Some(sent) = visit.sent.take() else {
            return;
        };
        self.reached();
        visit.sent_ns.get_or_insert(answer.sent_ns);
        let took = (visit.asked_ns, answer.sent_ns, answer.received_ns);
        self.time(sent.endpoint, took, End::Completed);
        let now = self.at(answer.received_ns);
        match std::mem::replace(&mut visit.stage, Stage::Changing) {
            Stage::Brief(mut rested) => {
                let http = Http::of(answer);
                let common = Arc::clone(rested.common());
                if self.is_known(visit.local, &rested, http) {
                    rested.session_without_work();
                    visit.ended = Some(true);
                    visit.stage = Stage::Brief(rested);
                    let measuring = self.measuring();
                    let verified = self.verifies();
                    self.answers.count(measuring, verified);
                    return;
                }
                self.go_whole(visit, &rested);
                self.catch_up(visit, &sent);
                let right = self.judge(visit, &sent, answer);
                visit.take_answer(now, answer);
                if right && visit.is_complete() && visit.is_closed() {
                    self.lane.learn(&common, http);
                }
            }
            stage @ (Stage::Asleep(_) | Stage::Waiting(_) | Stage::Awake(_) | Stage::Changing) => {
                visit.stage = stage;
                self.judge(visit, &sent, answer);
                visit.take_answer(now, answer);
            }
        }
    }

    /// Takes note that the request that is out has no answer.
    pub(super) fn failed(&mut self, visit: &mut Visit, failure: Failure, now_ns: u64) {
        let Some(sent) = visit.sent.take() else {
            return;
        };
        match std::mem::replace(&mut visit.stage, Stage::Changing) {
            Stage::Brief(rested) => {
                self.go_whole(visit, &rested);
                self.catch_up(visit, &sent);
            }
            stage @ (Stage::Asleep(_) | Stage::Waiting(_) | Stage::Awake(_) | Stage::Changing) => {
                visit.stage = stage;
            }
        }
        visit.unanswered = true;
        visit.sent_ns.get_or_insert(visit.asked_ns);
        let is_ours = self.shortages.note(&failure);
        let took = (visit.asked_ns, visit.asked_ns, now_ns);
        self.time(sent.endpoint, took, End::Failed);
        if !is_ours {
            self.unreached(now_ns);
        }
        let belief = self
            .slots
            .get_mut(visit.local)
            .and_then(|slot| slot.belief.as_mut());
        if let (Endpoint::Management, Some(belief)) = (sent.endpoint, belief) {
            belief.lost();
        }
        let now = self.at(now_ns);
        if let Stage::Awake(device) = &mut visit.stage {
            device.handle_failure(now, failure.into());
            visit.ended = session_end(device).or(visit.ended);
        }
    }

    /// True for an answer to the opening of a device that is known to be right.
    fn is_known(&mut self, local: usize, rested: &Rested, http: Http<'_>) -> bool {
        let Some(device_id) = self.device_id(local) else {
            return false;
        };
        let mut session = [0; 5];
        let ids = Ids {
            session: digits(rested.next_session_id(), &mut session),
            device: &device_id.text(),
        };
        self.lane.knows(rested.common(), ids, http)
    }

    /// Brings a woken device to where its visit is: the opening is out.
    fn catch_up(&self, visit: &mut Visit, sent: &Outgoing) {
        let at = self.at(visit.asked_ns);
        visit.open_session(at);
        let Stage::Awake(device) = &mut visit.stage else {
            return;
        };
        let same = device
            .poll_transmit(at)
            .is_some_and(|transmit| transmit.body == sent.body);
        if !same {
            tracing::error!(visit.local, "a device does not send its opening");
        }
    }

    fn note_password(&self, local: usize, body: &[u8]) {
        let index = self.index_of(local);
        if !self.ground.passwords.note(index, body) {
            self.ground.transcript.note_upload(body);
        }
    }

    fn belief(&self, local: usize) -> Option<&Belief> {
        self.slots.get(local)?.belief.as_ref()
    }

    fn device_id(&self, local: usize) -> Option<DeviceId> {
        self.ground.plan.device_id(self.index_of(local))
    }
}

impl Visit {
    /// Starts the session that the visit is for.
    fn open_session(&mut self, now: UtcMillis) {
        let Stage::Awake(device) = &mut self.stage else {
            return;
        };
        match self.cause {
            Cause::First | Cause::Planned { .. } => {
                device.start_session(now, SessionCause::Schedule);
            }
            Cause::Pushed => {
                if !device.handle_push(now) {
                    tracing::debug!(self.local, "pushed device is not online");
                }
            }
        }
    }

    /// Hands an answer to the device.
    fn take_answer(&mut self, now: UtcMillis, answer: &Answer) {
        if let Stage::Awake(device) = &mut self.stage {
            let retry_after_s = super::wire::retry_after_s(answer);
            device.handle_response(
                now,
                emulator::Response {
                    status: answer.status,
                    body: &answer.body,
                    retry_after_s,
                },
            );
            self.ended = session_end(device).or(self.ended);
        }
    }

    /// True when the device has no session any more.
    fn is_closed(&self) -> bool {
        self.device().is_some_and(|device| !device.session_open())
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

/// The value of `Client-Cert` for a certificate in DER form.
fn client_cert(der: &[u8]) -> Bytes {
    let mut text = String::with_capacity(2 + der.len().div_ceil(3) * 4);
    text.push(':');
    STANDARD.encode_string(der, &mut text);
    text.push(':');
    text.into()
}

/// The value of `Client-Cert` for a certificate in base64.
fn bracketed(base64: &str) -> Bytes {
    super::wire::client_cert(base64).into()
}

/// The digits of a session id.
fn digits(number: u16, buffer: &mut [u8; 5]) -> &[u8] {
    let mut rest = number;
    let mut first = buffer.len();
    for place in (0..buffer.len()).rev() {
        buffer[place] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        first = place;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    &buffer[first..]
}

/// Room for the first message of a session.
const BODY_LEN: usize = 1_536;
/// `User-Agent` of the OMA-DM client (MS-MDM 2.1), as the devices send it.
const MANAGEMENT_AGENT: &str = "MSFT OMA DM Client/1.2.0.1";
