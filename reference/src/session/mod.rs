//! Management sessions: who speaks, which message it is, and what is answered (contract 2).
//!
//! | file | part |
//! |---|---|
//! | `mod` | identity, repeats, the order of messages, the hold of package 1 |
//! | `shared` | the check-in without news, under a shared borrow |
//! | `incoming` | what a message of the device says |
//! | `plan` | what the core has to say: the first answer and those that follow |
//! | `answer` | commands and their ids |
//! | `end` | what the end of a session leaves behind |

mod answer;
mod end;
mod incoming;
mod plan;
mod shared;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::laps_csp::Leaf;
use protocol::syncml::{CONTENT_TYPE, Header, Limits, Message, StatusCode, decode};
use protocol::time::UtcMillis;
use sha2::{Digest, Sha256};

use self::answer::Draft;
use crate::assignment::UserContext;
use crate::conflict::Evaluation;
use crate::core::{Core, HeldRequest, HttpRequest, HttpResponse, Step, Ticket};
use crate::defect::{PlannedWrite, spoil_answer};
use crate::state::{LastAnswer, ManagedDevice, ManagedId, PolicyId};

/// The path of the management plane below its base.
pub(crate) const PATH: &str = "/ManagementServer/MDM.svc";

/// A session in progress.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    id: String,
    /// `MsgID` of the message last answered, and of the answer.
    msg_id: u32,
    started_at: UtcMillis,
    /// LoginStatus is `user`.
    login_is_user: bool,
    /// Package 1 is complete and the first answer with commands was made.
    planned: bool,
    context: UserContext,
    /// `None` when nothing changed since the last session.
    evaluation: Option<Box<Evaluation>>,
    /// Codes of the settings that the device refused.
    errors: BTreeMap<Leaf, i64>,
    /// Policies that changed on this device since the session looked at them.
    pub(crate) overtaken: BTreeSet<PolicyId>,
    /// Commands that were sent and what they are for.
    sent: Vec<Sent>,
    /// The rotation that this session follows.
    rotation: Option<u64>,
    /// How often `ResetPasswordStatus` was asked for.
    status_reads: u8,
    /// Ask (again) in the next answer.
    ask_status: bool,
    channel: ChannelAnswer,
}

/// What the device said about its push channel in this session.
#[derive(Clone, Debug, Default)]
struct ChannelAnswer {
    push_added: bool,
    pfn_added: bool,
    uri_read: bool,
    uri: Option<String>,
    status: Option<i64>,
}

/// A command that was sent.
#[derive(Clone, Debug)]
struct Sent {
    msg_id: u32,
    cmd_id: u32,
    work: Work,
}

/// What a command is for.
#[derive(Clone, Debug)]
enum Work {
    AddPush,
    AddPfn,
    ReadChannel,
    ReadPushStatus,
    /// Retire or wipe.
    EndEnrollment {
        action: u64,
    },
    Policy(PolicyWork),
    Exec {
        action: u64,
    },
    /// An Exec of a deliberate defect.
    StrayExec,
    ReadResetStatus,
    /// Answered; later answers to it change nothing.
    Settled,
}

/// The Atomic of a policy delivery.
#[derive(Clone, Debug, Default)]
struct PolicyWork {
    writes: Vec<SentWrite>,
    /// The Atomic's own Status.
    status: Option<StatusCode>,
}

#[derive(Clone, Debug)]
struct SentWrite {
    cmd_id: u32,
    write: PlannedWrite,
    status: Option<StatusCode>,
}

/// See [`LastAnswer`].
pub(crate) type MessageDigest = [u8; 16];

/// What is kept of an answer for repeats.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// It is Status alone, and the request, which comes again, is all that it is made of.
    Nothing,
    Body(Box<[u8]>),
}

/// What a message does to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// The package goes on in the next message.
    More,
    /// The package is complete.
    Complete,
    /// The device aborts the session.
    Abort,
    /// The enrolment is over.
    Ended,
}

impl Core {
    /// Serves a request of the management plane.
    pub(crate) fn handle_manage(&mut self, now: UtcMillis, request: &HttpRequest<'_>) -> Step {
        let identity = self.identify(now, request.client_certificate);
        if identity == Err(401) {
            return Step::Done(HttpResponse::empty(401));
        }
        if request.path != PATH {
            return Step::Done(HttpResponse::empty(404));
        }
        if request.method != "POST" {
            let response = HttpResponse {
                allow: Some("POST"),
                ..HttpResponse::empty(405)
            };
            return Step::Done(response);
        }
        let device = match identity {
            Ok(device) => device,
            Err(status) => return Step::Done(HttpResponse::empty(status)),
        };
        if !is_syncml(request.content_type) {
            return Step::Done(HttpResponse::empty(415));
        }
        if request.body.len() > BODY_LIMIT {
            return Step::Done(HttpResponse::empty(413));
        }
        self.serve(
            now,
            device,
            request.client_certificate.unwrap_or_default(),
            request.body,
        )
    }

    /// Serves a held package 1 again; the enrolment may be over meanwhile.
    pub(crate) fn resume_manage(&mut self, now: UtcMillis, held: &HeldRequest) -> Step {
        match self.identify(now, Some(&held.client_certificate)) {
            Ok(device) => self.serve(now, device, &held.client_certificate, &held.body),
            Err(status) => Step::Done(HttpResponse::empty(status)),
        }
    }

    /// The device of a `Client-Cert` header (RFC 9440), or the HTTP status that refuses it.
    pub(crate) fn identify(&self, now: UtcMillis, header: Option<&str>) -> Result<ManagedId, u16> {
        self.identified(now, header).map(|device| device.id)
    }

    fn identified(&self, now: UtcMillis, header: Option<&str>) -> Result<&ManagedDevice, u16> {
        let encoded = header
            .and_then(|value| value.trim().strip_prefix(':')?.strip_suffix(':'))
            .filter(|encoded| !encoded.is_empty())
            .ok_or(401_u16)?;
        let digest = certificate_digest(encoded);
        let Some(known) = self.devices.of_certificate(&digest) else {
            // Text that is no base64 names no certificate at all.
            let is_base64 = STANDARD.decode(encoded).is_ok();
            return Err(if is_base64 { 403 } else { 401 });
        };
        if now >= known.certificate_expires_at {
            return Err(403);
        }
        Ok(known)
    }

    fn serve(&mut self, now: UtcMillis, id: ManagedId, certificate: &str, body: &[u8]) -> Step {
        let Ok(message) = decode(body, &Limits::default()) else {
            return Step::Done(HttpResponse::empty(400));
        };
        if message.header.ver_dtd != "1.2" || message.header.ver_proto != "DM/1.2" {
            return Step::Done(HttpResponse::empty(400));
        }
        let Some(device) = self.devices.by_id.get_mut(&id) else {
            return Step::Done(HttpResponse::empty(403));
        };
        if message.header.source != *device.device_id {
            return Step::Done(refused(&message.header, StatusCode::FORBIDDEN));
        }
        let digest = digest_of(body);
        let last = device.last_answer.get_mut().as_ref();
        if let Some(last) = last.filter(|last| last.is_repeated(now, &digest)) {
            return Step::Done(match &last.kept {
                Kept::Body(body) => syncml(body.to_vec()),
                Kept::Nothing => syncml(accepted(&message)),
            });
        }
        if let Some(status) = self.spoil_session(id, message.header.msg_id == 1) {
            return Step::Done(HttpResponse::empty(status));
        }
        let Some(device) = self.devices.by_id.get(&id) else {
            return Step::Done(HttpResponse::empty(403));
        };
        if message.header.msg_id == 1
            && let Some(push) = device.push.outstanding.first()
        {
            let held = HeldRequest {
                client_certificate: certificate.to_owned(),
                body: body.to_vec(),
            };
            return Step::Await {
                push: *push,
                ticket: Ticket::manage(held),
            };
        }
        let (answer, kept) = self.answer(now, id, &message);
        if let Some(device) = self.devices.by_id.get_mut(&id) {
            *device.last_answer.get_mut() = Some(LastAnswer {
                request_digest: digest,
                answered_at: now,
                kept,
            });
        }
        Step::Done(syncml(answer))
    }

    /// Answers a message that is no repeat; also what a repeat of it needs.
    fn answer(&mut self, now: UtcMillis, id: ManagedId, message: &Message<'_>) -> (Vec<u8>, Kept) {
        let header = &message.header;
        if header.msg_id == 1 {
            self.break_off(now, id);
            self.open(now, id, header);
        } else if !self.follows(id, header) {
            // Contract 2: nothing in the message is believed, the session is over.
            if self.is_open(id, header) {
                self.break_off(now, id);
            }
            return kept_whole(refusal(header, StatusCode::BAD_REQUEST));
        }
        let Some(mut session) = self.take_session(id) else {
            return kept_whole(refusal(header, StatusCode::BAD_REQUEST));
        };
        session.msg_id = header.msg_id;
        let mut draft = Draft::new(header);
        draft.acknowledge_all(&message.commands);
        let flow = self.take_in(now, id, &mut session, message);
        if flow == Flow::Complete {
            self.plan(now, id, &mut session, &mut draft);
        }
        let over = match flow {
            Flow::More => false,
            Flow::Complete => !draft.has_commands(),
            Flow::Abort | Flow::Ended => true,
        };
        if flow == Flow::Ended {
            self.end_enrollment(id);
        } else if over {
            if session.is_unchanged() {
                self.counters.unchanged_check_ins.add_one();
            }
            self.finish(now, id, &mut session);
        } else if let Some(device) = self.devices.by_id.get_mut(&id) {
            device.session = Some(session);
        }
        if self.faults.any() {
            let device = self.devices.by_id.get(&id);
            draft.alter(|commands| spoil_answer(&self.faults, device, commands));
            return kept_whole(draft.encode(header));
        }
        if draft.has_commands() {
            return kept_whole(draft.encode(header));
        }
        (draft.encode(header), Kept::Nothing)
    }

    fn open(&mut self, now: UtcMillis, id: ManagedId, header: &Header<'_>) {
        if let Some(device) = self.devices.by_id.get_mut(&id) {
            device.last_sync_at.set(now);
            device.session = Some(Box::new(Session::new(now, header)));
            if let Some(join_type) = device.next_join_type.take() {
                device.join_type = join_type;
                device.settled_for = None;
                self.tenant.set_join_type(device.entra_id, join_type);
            }
        }
    }

    fn is_open(&self, id: ManagedId, header: &Header<'_>) -> bool {
        let session = self
            .devices
            .by_id
            .get(&id)
            .and_then(|device| device.session.as_ref());
        session.is_some_and(|session| header.session_id == session.id.as_str())
    }

    /// The message is the next one of the open session.
    fn follows(&self, id: ManagedId, header: &Header<'_>) -> bool {
        let session = self
            .devices
            .by_id
            .get(&id)
            .and_then(|device| device.session.as_ref());
        session.is_some_and(|session| {
            header.session_id == session.id.as_str()
                && session.msg_id.checked_add(1) == Some(header.msg_id)
        })
    }

    /// Ends a session that did not come to its end.
    fn break_off(&mut self, now: UtcMillis, id: ManagedId) {
        if let Some(mut session) = self.take_session(id) {
            self.settle(now, id, &mut session);
            self.count_wait(now, id, &session);
        }
    }

    fn take_session(&mut self, id: ManagedId) -> Option<Box<Session>> {
        self.devices.by_id.get_mut(&id)?.session.take()
    }
}

impl Session {
    /// It began with this message, and the device had all it should have.
    fn is_unchanged(&self) -> bool {
        self.msg_id == 1 && self.planned && self.evaluation.is_none()
    }

    fn new(now: UtcMillis, header: &Header<'_>) -> Self {
        Self {
            id: header.session_id.clone().into_owned(),
            msg_id: header.msg_id,
            started_at: now,
            login_is_user: false,
            planned: false,
            context: UserContext::default(),
            evaluation: None,
            errors: BTreeMap::new(),
            overtaken: BTreeSet::new(),
            sent: Vec::new(),
            rotation: None,
            status_reads: 0,
            ask_status: false,
            channel: ChannelAnswer::default(),
        }
    }
}

impl LastAnswer {
    /// Contract 2: the same bytes, and so the same session and number, within 60 s.
    fn is_repeated(&self, now: UtcMillis, digest: &MessageDigest) -> bool {
        *digest == self.request_digest && now.millis_since(self.answered_at) <= REPEAT_WINDOW_MS
    }
}

/// A Status on the header and nothing else.
fn refusal(header: &Header<'_>, code: StatusCode) -> Vec<u8> {
    Draft::refusing(header, code).encode(header)
}

fn refused(header: &Header<'_>, code: StatusCode) -> HttpResponse {
    syncml(refusal(header, code))
}

/// Status for the header and for each command, and nothing else.
fn accepted(message: &Message<'_>) -> Vec<u8> {
    let mut draft = Draft::new(&message.header);
    draft.acknowledge_all(&message.commands);
    draft.encode(&message.header)
}

fn kept_whole(body: Vec<u8>) -> (Vec<u8>, Kept) {
    let kept = Kept::Body(body.as_slice().into());
    (body, kept)
}

/// By what a repeat is recognised: half of SHA-256 is more than a device could hit by chance, and
/// one that finds two messages with the same half gets an old answer of its own.
fn digest_of(body: &[u8]) -> MessageDigest {
    let whole: [u8; 32] = Sha256::digest(body).into();
    whole.first_chunk().copied().unwrap_or_default()
}

/// By what a device is found: the base64 text of its certificate, which has one form only, so that
/// it need not be decoded.
pub(crate) fn certificate_digest(base64: &str) -> [u8; 32] {
    Sha256::digest(base64).into()
}

fn syncml(body: Vec<u8>) -> HttpResponse {
    HttpResponse::with_body(200, CONTENT_TYPE, body)
}

fn is_syncml(content_type: Option<&str>) -> bool {
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(CONTENT_TYPE)
}

/// `LoginStatus` of a session in which a user is signed in (wire-facts 2.4).
const USER: &str = "user";
/// Contract 2.
const BODY_LIMIT: usize = 512 * 1024;
/// How long a repeat is recognised (contract 2).
const REPEAT_WINDOW_MS: i64 = 60_000;
