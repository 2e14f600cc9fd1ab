//! What was seen of a device of a cohort, read from the bytes on the wire.

use std::collections::BTreeMap;

use protocol::directory::CredentialUpload;
use protocol::laps_csp;
use protocol::secret::Secret;
use protocol::syncml::{Command, ContainerKind, Limits, Request, Verb, decode};
use protocol::time::UtcTicks;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::transcript::ExchangeId;

/// A command of the target to a device; a command with several items is one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSeen {
    /// What was asked.
    pub verb: Verb,
    /// The node.
    pub loc_uri: String,
    /// `Meta/Format` of the item, or else of the command.
    pub format: Option<String>,
    /// The value.
    pub data: Option<String>,
    /// True inside an `Atomic`.
    pub in_atomic: bool,
    /// The exchange whose answer carried it.
    pub exchange: ExchangeId,
}

/// An upload of a credential and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSeen {
    /// `backupDateTime`: the device's clock.
    pub at: UtcTicks,
    /// `refreshDateTime`: when the password expires.
    pub refresh: UtcTicks,
    /// The managed account.
    pub account: String,
    /// Its security identifier.
    pub sid: String,
    /// SHA-256 of `passwordBase64` as it was sent.
    pub password_digest: [u8; 32],
    /// The status; `None` when no answer came.
    pub status: Option<u16>,
    /// The exchange.
    pub exchange: ExchangeId,
}

impl UploadSeen {
    /// True for an upload that the directory took: 204, or 202 (contract 0: open).
    #[must_use]
    pub fn accepted(&self) -> bool {
        matches!(self.status, Some(202 | 204))
    }
}

/// One session, or a stretch of device time in which only uploads went out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionSeen {
    /// True when the target ended the session in the ordinary way.
    pub complete: bool,
    /// Every exchange, uploads included, in order.
    pub exchanges: Vec<ExchangeId>,
    /// The commands of the target, in order.
    pub commands: Vec<CommandSeen>,
    /// The uploads, in order.
    pub uploads: Vec<UploadSeen>,
    /// Breaches of the message rules, as sentences.
    pub protocol_errors: Vec<String>,
}

impl SessionSeen {
    /// The writes to LAPS settings by leaf name; `None` for a `Delete`. Of several to one leaf the
    /// last one stands.
    #[must_use]
    pub fn laps_writes(&self) -> BTreeMap<String, Option<String>> {
        let policies = |command: &&CommandSeen| {
            let leaf = laps_csp::below_policies(&command.loc_uri)?;
            match command.verb {
                Verb::Add | Verb::Replace => Some((
                    leaf.to_owned(),
                    Some(command.data.clone().unwrap_or_default()),
                )),
                Verb::Delete => Some((leaf.to_owned(), None)),
                Verb::Get | Verb::Exec => None,
            }
        };
        self.commands
            .iter()
            .filter_map(|command| policies(&command))
            .collect()
    }

    /// How often `ResetPassword` was asked for.
    #[must_use]
    pub fn execs(&self) -> usize {
        self.commands
            .iter()
            .filter(|command| {
                command.verb == Verb::Exec
                    && laps_csp::is_same_node(&command.loc_uri, laps_csp::RESET_PASSWORD)
            })
            .count()
    }

    /// Keeps the commands of an answer of the management plane.
    pub(super) fn read_answer(&mut self, body: &[u8], exchange: ExchangeId) {
        let message = match decode(body, &Limits::default()) {
            Ok(message) => message,
            Err(malformed) => {
                self.protocol_errors
                    .push(format!("the answer is no SyncML message: {malformed}"));
                return;
            }
        };
        for command in &message.commands {
            self.read_command(command, Atomic::Outside, exchange);
        }
    }

    fn read_command(&mut self, command: &Command<'_>, atomic: Atomic, exchange: ExchangeId) {
        match command {
            Command::Request(request) => self.read_request(request, atomic, exchange),
            Command::Container(container) => {
                let atomic = match container.kind {
                    ContainerKind::Atomic => Atomic::Inside,
                    ContainerKind::Sequence => atomic,
                };
                for inner in &container.commands {
                    self.read_command(inner, atomic, exchange);
                }
            }
            Command::Status(_) | Command::Results(_) | Command::Alert(_) | Command::Unknown(_) => {}
        }
    }

    fn read_request(&mut self, request: &Request<'_>, atomic: Atomic, exchange: ExchangeId) {
        for item in &request.items {
            let meta = item.meta.as_ref().or(request.meta.as_ref());
            self.commands.push(CommandSeen {
                verb: request.verb,
                loc_uri: item.target.as_deref().unwrap_or_default().to_owned(),
                format: meta
                    .and_then(|meta| meta.format.as_deref())
                    .map(str::to_owned),
                data: item.data.as_ref().map(|data| data.as_str().to_owned()),
                in_atomic: atomic == Atomic::Inside,
                exchange,
            });
        }
    }

    /// Keeps an upload.
    pub(super) fn read_upload(&mut self, body: &[u8], status: Option<u16>, exchange: ExchangeId) {
        match serde_json::from_slice::<CredentialUpload>(body) {
            Ok(upload) => self.uploads.push(UploadSeen {
                at: upload.backup_date_time,
                refresh: upload.refresh_date_time,
                account: upload.account_name,
                sid: upload.account_sid,
                password_digest: Sha256::digest(upload.password_base64.expose()).into(),
                status,
                exchange,
            }),
            Err(error) => self
                .protocol_errors
                .push(format!("our own upload: {error}")),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Atomic {
    Inside,
    Outside,
}

/// Everything seen of a device since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSeen {
    /// `ResetPassword` asked for.
    pub execs: u32,
    /// Uploads that the directory took, in order.
    pub uploads_accepted: Vec<UploadSeen>,
    /// Uploads refused or without an answer, in order.
    pub uploads_refused: Vec<UploadSeen>,
    /// Sessions that were driven.
    pub sessions: u32,
    /// Sessions that did not end in the ordinary way.
    pub sessions_broken: u32,
    /// The managed device id that the target gave, in each enrolment.
    pub managed_ids: Vec<Uuid>,
}

impl DeviceSeen {
    pub(super) fn add(&mut self, session: &SessionSeen) {
        self.execs += u32::try_from(session.execs()).unwrap_or(u32::MAX);
        for upload in &session.uploads {
            if upload.accepted() {
                self.uploads_accepted.push(upload.clone());
            } else {
                self.uploads_refused.push(upload.clone());
            }
        }
    }
}

/// The password that a device holds for its managed account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPassword {
    /// The account.
    pub account: String,
    /// Its security identifier.
    pub sid: String,
    /// The password as the wire carries it.
    pub password_base64: Secret,
    /// SHA-256 of `password_base64`.
    pub digest: [u8; 32],
}

impl HeldPassword {
    pub(super) fn new(account: &str, sid: &str, password: &str) -> Self {
        let text = protocol::directory::password_to_base64(password);
        Self {
            account: account.to_owned(),
            sid: sid.to_owned(),
            digest: Sha256::digest(&text).into(),
            password_base64: Secret::new(text),
        }
    }
}
