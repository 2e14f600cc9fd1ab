//! Management sessions: who speaks, which message it is, and what is answered (contract 2).
//!
//! | file | part |
//! |---|---|
//! | `mod` | identity, repeats, the order of messages, the hold of package 1 |
//! | `incoming` | what a message of the device says |
//! | `plan` | what the core has to say: the first answer and those that follow |
//! | `answer` | commands and their ids |
//! | `end` | what the end of a session leaves behind |

mod answer;
mod end;
mod incoming;
mod plan;

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
use crate::state::{LastAnswer, ManagedId, PolicyId};

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
        let encoded = header
            .and_then(|value| value.trim().strip_prefix(':')?.strip_suffix(':'))
            .filter(|encoded| !encoded.is_empty())
            .ok_or(401_u16)?;
        let der = STANDARD.decode(encoded).map_err(|_not_base64| 401_u16)?;
        let digest: [u8; 32] = Sha256::digest(der).into();
        let device = self.devices.by_certificate.get(&digest).ok_or(403_u16)?;
        let known = self.devices.by_id.get(device).ok_or(403_u16)?;
        if now >= known.certificate_expires_at {
            return Err(403);
        }
        Ok(*device)
    }

    fn serve(&mut self, now: UtcMillis, id: ManagedId, certificate: &str, body: &[u8]) -> Step {
        let Ok(message) = decode(body, &Limits::default()) else {
            return Step::Done(HttpResponse::empty(400));
        };
        if message.header.ver_dtd != "1.2" || message.header.ver_proto != "DM/1.2" {
            return Step::Done(HttpResponse::empty(400));
        }
        let Some(device) = self.devices.by_id.get(&id) else {
            return Step::Done(HttpResponse::empty(403));
        };
        if message.header.source != device.device_id.as_str() {
            return Step::Done(refusal(&message.header, StatusCode::FORBIDDEN));
        }
        let digest: [u8; 32] = Sha256::digest(body).into();
        if let Some(last) = &device.last_answer
            && last.is_repeated_by(now, &message.header, &digest)
        {
            return Step::Done(syncml(last.body.clone()));
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
        let response = self.answer(now, id, &message);
        if let Some(device) = self.devices.by_id.get_mut(&id) {
            device.last_answer = Some(LastAnswer {
                session_id: message.header.session_id.into_owned(),
                msg_id: message.header.msg_id,
                request_digest: digest,
                answered_at: now,
                body: response.body.clone(),
            });
        }
        Step::Done(response)
    }

    /// Answers a message that is no repeat.
    fn answer(&mut self, now: UtcMillis, id: ManagedId, message: &Message<'_>) -> HttpResponse {
        let header = &message.header;
        if header.msg_id == 1 {
            self.break_off(now, id);
            self.open(now, id, header);
        } else if !self.follows(id, header) {
            // Contract 2: nothing in the message is believed, the session is over.
            if self.is_open(id, header) {
                self.break_off(now, id);
            }
            return refusal(header, StatusCode::BAD_REQUEST);
        }
        let Some(mut session) = self.take_session(id) else {
            return refusal(header, StatusCode::BAD_REQUEST);
        };
        session.msg_id = header.msg_id;
        let mut draft = Draft::new(header);
        let flow = self.take_in(now, id, &mut session, (message, &mut draft));
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
            self.finish(now, id, &mut session);
        } else if let Some(device) = self.devices.by_id.get_mut(&id) {
            device.session = Some(session);
        }
        if self.faults.any() {
            draft.alter(|commands| spoil_answer(&self.faults, commands));
        }
        syncml(draft.encode(header))
    }

    fn open(&mut self, now: UtcMillis, id: ManagedId, header: &Header<'_>) {
        if let Some(device) = self.devices.by_id.get_mut(&id) {
            device.last_sync_at = Some(now);
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
    /// Contract 2: the same session, number and bytes, within 60 s.
    fn is_repeated_by(&self, now: UtcMillis, header: &Header<'_>, digest: &[u8; 32]) -> bool {
        header.msg_id == self.msg_id
            && header.session_id == self.session_id.as_str()
            && *digest == self.request_digest
            && now.millis_since(self.answered_at) <= REPEAT_WINDOW_MS
    }
}

/// A Status on the header and nothing else.
fn refusal(header: &Header<'_>, code: StatusCode) -> HttpResponse {
    let mut draft = Draft::refusing(header, code);
    syncml(draft.encode(header))
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

/// Contract 2.
const BODY_LIMIT: usize = 512 * 1024;
/// How long a repeat is recognised (contract 2).
const REPEAT_WINDOW_MS: i64 = 60_000;
