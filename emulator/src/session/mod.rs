//! One OMA-DM session from the device's side: what it sends, what it makes of an answer, and when
//! it is over (MS-MDM 2.2.6.1).
//!
//! [`package`] builds the first message, [`flow`] ties a session to the device that runs it.

pub(crate) mod flow;
pub(crate) mod package;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::syncml::{
    AlertCode, Command, Cred, Header, Message, Meta, Status, StatusCode, digest_md5,
};

use crate::csp::execute::{Chunk, CmdIds, Effect, Executor, fill_reset_status, render};
use crate::csp::tree::{Surroundings, Tree};
use crate::enrollment::Enrollment;
use crate::event::{SessionCause, SessionOutcome};

/// An open session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: u32,
    pub(crate) cause: SessionCause,
    /// `MsgID` of the message sent last; 0 before the first.
    msg_id: u32,
    /// The message to be sent, until it is.
    outgoing: Option<Outgoing>,
    digest: Digest,
    chunk: Option<Chunk>,
    /// Commands of the server that were answered.
    pub(crate) commands: u32,
    pub(crate) policy_changed: bool,
    /// The message sent last asks for the end of the enrolment.
    pub(crate) reports_unenrollment: bool,
}

/// A message not yet sent.
#[derive(Clone, Debug)]
struct Outgoing {
    commands: Vec<Command<'static>>,
    is_final: bool,
}

/// Where the digest stands in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Digest {
    /// Nobody asked.
    Unasked,
    /// Sent with every message, with this nonce.
    EveryMessage { nonce: Vec<u8> },
    /// Accepted for the whole session (212).
    Accepted,
}

/// What a device makes of a server message.
#[derive(Debug)]
pub(crate) enum Reaction {
    /// There is a message to be sent, and there is this to be done first.
    Reply(Vec<Effect>),
    /// The session is over.
    Over(SessionOutcome),
}

/// Most messages that a device sends in one session.
const MESSAGES_MAX: u32 = 500;

impl Session {
    /// A session with its first package ready.
    pub(crate) fn new(id: u32, cause: SessionCause, package: Vec<Command<'static>>) -> Self {
        Self {
            id,
            cause,
            msg_id: 0,
            outgoing: Some(Outgoing {
                commands: package,
                is_final: true,
            }),
            digest: Digest::Unasked,
            chunk: None,
            commands: 0,
            policy_changed: false,
            reports_unenrollment: false,
        }
    }

    /// The bytes of the message to be sent, if there is one.
    pub(crate) fn take_message(
        &mut self,
        source: &str,
        enrollment: &Enrollment,
        reset_status: i32,
    ) -> Option<Vec<u8>> {
        let mut outgoing = self.outgoing.take()?;
        self.msg_id += 1;
        fill_reset_status(&mut outgoing.commands, reset_status);
        let mut header = Header::new(
            Cow::Owned(self.id.to_string()),
            self.msg_id,
            Cow::Borrowed(&*enrollment.management_url),
            Cow::Borrowed(source),
        );
        if let (Digest::EveryMessage { nonce }, Some(account)) = (&self.digest, &enrollment.digest)
        {
            header.source_name = Some(Cow::Borrowed(&account.name));
            header.cred = Some(Cred {
                meta: Some(Meta {
                    format: Some(Cow::Borrowed("b64")),
                    content_type: Some(Cow::Borrowed(AUTH_MD5)),
                    ..Meta::default()
                }),
                data: Cow::Owned(digest_md5(&account.name, account.secret.expose(), nonce)),
            });
        }
        let message = Message {
            header,
            commands: outgoing.commands,
            is_final: outgoing.is_final,
            ignored: Vec::new(),
        };
        let mut bytes = Vec::with_capacity(1536);
        protocol::syncml::encode(&message, &mut bytes);
        Some(bytes)
    }

    /// Takes a message of the server. `package` is the first package, for the case that the
    /// server wants it again with a digest.
    pub(crate) fn receive(
        &mut self,
        message: &Message<'_>,
        tree: &mut Tree,
        around: Surroundings<'_>,
        package: impl FnOnce() -> Vec<Command<'static>>,
    ) -> Reaction {
        if let Some(status) = header_status(message) {
            match self.authenticate(message, status) {
                Verdict::GoOn => {}
                Verdict::Again => {
                    self.outgoing = Some(repeat(message.header.msg_id, package()));
                    return Reaction::Reply(Vec::new());
                }
                Verdict::Refused => return Reaction::Over(SessionOutcome::Refused(status.code)),
            }
        }
        if message.commands.iter().any(is_abort) {
            return Reaction::Over(SessionOutcome::Aborted);
        }
        let asked = message.commands.iter().any(wants_answer);
        // MS-MDM 2.2.6.1: a message that says nothing but that the header is fine is not sent.
        if !asked && message.is_final {
            return Reaction::Over(SessionOutcome::Complete);
        }
        if self.msg_id >= MESSAGES_MAX {
            return Reaction::Over(SessionOutcome::TooLong);
        }
        Reaction::Reply(self.answer(message, tree, around))
    }

    fn answer(
        &mut self,
        message: &Message<'_>,
        tree: &mut Tree,
        around: Surroundings<'_>,
    ) -> Vec<Effect> {
        let msg_ref = message.header.msg_id;
        let mut executor = Executor::new(tree, around, &mut self.chunk);
        let answers = executor.run(&message.commands);
        let (effects, policy_changed) = executor.finish();
        self.policy_changed |= policy_changed;
        self.commands += u32::try_from(answers.len()).unwrap_or(u32::MAX);
        let mut ids = CmdIds::default();
        let mut commands = vec![header_answer(&mut ids, msg_ref)];
        render(answers, msg_ref, &mut ids, &mut commands);
        if !message.is_final {
            // OMA-DM 1.2.1: asks for the rest of a package that has more messages.
            commands.push(package::alert(ids.next(), AlertCode::NEXT_MESSAGE));
        }
        self.outgoing = Some(Outgoing {
            commands,
            is_final: message.is_final,
        });
        effects
    }

    /// Takes the server's word on the header: a challenge is met once a session.
    fn authenticate(&mut self, message: &Message<'_>, status: &Status<'_>) -> Verdict {
        let next_nonce = status.chal.as_ref().map(|chal| {
            let text = chal.meta.next_nonce.as_deref().unwrap_or_default();
            STANDARD.decode(text.trim()).unwrap_or_default()
        });
        match status.code {
            StatusCode::AUTHENTICATED => self.digest = Digest::Accepted,
            StatusCode::UNAUTHORIZED | StatusCode::CREDENTIALS_MISSING => {
                let Some(nonce) = next_nonce.filter(|_| self.digest == Digest::Unasked) else {
                    return Verdict::Refused;
                };
                // A message with commands beside a challenge is not believed.
                if message.commands.iter().any(wants_answer) {
                    return Verdict::Refused;
                }
                self.digest = Digest::EveryMessage { nonce };
                return Verdict::Again;
            }
            code if code.is_failure() => return Verdict::Refused,
            _ => {
                if let (Digest::EveryMessage { nonce }, Some(next)) = (&mut self.digest, next_nonce)
                {
                    *nonce = next;
                }
            }
        }
        Verdict::GoOn
    }
}

/// What the status of the header means for the session.
enum Verdict {
    GoOn,
    Again,
    Refused,
}

/// The type of a digest credential (OMA-DM Security 1.2.1).
const AUTH_MD5: &str = "syncml:auth-md5";

/// The first package again, after the status for the header of the challenge; seen on real
/// devices with `MsgID` 2.
fn repeat(msg_ref: u32, package: Vec<Command<'static>>) -> Outgoing {
    let mut commands = vec![header_answer(&mut CmdIds::default(), msg_ref)];
    commands.extend(package);
    Outgoing {
        commands,
        is_final: true,
    }
}

/// The status for the header of a server message.
fn header_answer(ids: &mut CmdIds, msg_ref: u32) -> Command<'static> {
    let cmd_ref = Cow::Borrowed("0");
    Command::Status(Status::new(
        ids.next(),
        msg_ref,
        cmd_ref,
        "SyncHdr",
        StatusCode::OK,
    ))
}

/// The server's status for the header of the device's last message.
fn header_status<'m, 'a>(message: &'m Message<'a>) -> Option<&'m Status<'a>> {
    message.commands.iter().find_map(|command| match command {
        Command::Status(status) if status.cmd == "SyncHdr" => Some(status),
        Command::Status(_)
        | Command::Results(_)
        | Command::Alert(_)
        | Command::Request(_)
        | Command::Container(_)
        | Command::Unknown(_) => None,
    })
}

fn is_abort(command: &Command<'_>) -> bool {
    matches!(command, Command::Alert(alert) if alert.code == AlertCode::SESSION_ABORT)
}

/// Status and results need no answer.
fn wants_answer(command: &Command<'_>) -> bool {
    match command {
        Command::Status(_) | Command::Results(_) => false,
        Command::Alert(_) | Command::Request(_) | Command::Container(_) | Command::Unknown(_) => {
            true
        }
    }
}
