//! What a device tells its driver: facts that happened, none of them secret.

use std::collections::VecDeque;

use protocol::enrollment::FaultSubcode;
use protocol::syncml::StatusCode;

/// A fact about a device, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Enrolment succeeded.
    Enrolled {
        /// `EntDMID`: the id of the managed device.
        managed_device_id: String,
    },
    /// Enrolment ended without success.
    EnrollmentFailed {
        /// The subcode of the fault, where there was one.
        subcode: Option<FaultSubcode>,
        /// The HTTP status, where there was an answer.
        status: Option<u16>,
        /// What happened, in words.
        detail: String,
    },
    /// The enrolment is over.
    Unenrolled {
        /// Who ended it.
        cause: UnenrollCause,
    },
    /// A session began.
    SessionStarted {
        /// `SessionID`.
        session_id: u32,
        /// Why.
        cause: SessionCause,
    },
    /// A session ended.
    SessionEnded {
        /// `SessionID`.
        session_id: u32,
        /// True when the server ended it in the ordinary way.
        complete: bool,
        /// How it ended.
        outcome: SessionOutcome,
        /// How many commands of the server the device answered.
        commands: u32,
    },
    /// A session changed LAPS settings.
    PolicyApplied,
    /// An Exec of `ResetPassword` arrived.
    ExecReceived,
    /// A LAPS directive was refused because the device is not joined (F-009, event 20000).
    DirectiveRefused,
    /// The managed account has a new password, in the directory and on the device.
    Rotated {
        /// What asked for it.
        kind: RotationKind,
        /// The name of the account.
        account: String,
        /// The number of the password.
        generation: u32,
    },
    /// A rotation failed; the password on the device is what it was (F-080).
    BackupFailed {
        /// What asked for it.
        kind: RotationKind,
        /// The HTTP status of the directory, where it answered.
        status: Option<u16>,
        /// Why.
        reason: BackupFailure,
    },
    /// LAPS manages no account; told again only when the reason changes.
    NothingManaged {
        /// Why.
        reason: NothingManaged,
    },
    /// The rotation after an authentication was given up (F-120).
    PostAuthenticationExhausted,
}

/// Why a session was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionCause {
    /// The poll table, or the first session after enrolment.
    Schedule,
    /// A push.
    Push,
    /// The user, or the driver of the device.
    User,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOutcome {
    /// The server had nothing more to ask.
    Complete,
    /// The server answered with this HTTP status.
    Http {
        /// The status.
        status: u16,
        /// `Retry-After` in seconds.
        retry_after_s: Option<u32>,
    },
    /// The server answered 200 with something that is no SyncML message.
    NotSyncml,
    /// The server refused the header with this status.
    Refused(StatusCode),
    /// The server aborted the session with alert 1223.
    Aborted,
    /// No answer came.
    NoAnswer,
    /// The device went offline.
    Offline,
    /// The device enrolled again.
    Replaced,
    /// The server sent more messages than a session may have.
    TooLong,
}

/// Who ended an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnenrollCause {
    /// The server, by an Exec of `Unenroll`.
    Server,
    /// The server, by an Exec of `doWipe`.
    Wipe,
    /// The user.
    User,
}

/// What asked for a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RotationKind {
    /// The first one under a policy, directory or account (F-063, F-116).
    Initial,
    /// The password had expired.
    Scheduled,
    /// An Exec of `ResetPassword`.
    Manual,
    /// An authentication with the managed account (F-120).
    PostAuthentication,
}

/// Why a rotation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupFailure {
    /// The directory refused.
    Refused,
    /// The directory did not answer.
    NoAnswer,
    /// The device is offline.
    Offline,
    /// `ADPasswordEncryptionPrincipal` names nobody: the whole cycle fails (F-043).
    EncryptionPrincipal,
}

/// Why LAPS manages no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NothingManaged {
    /// No policy root has a setting, or `BackupDirectory` is 0 (F-042).
    BackupDisabled,
    /// The directory chosen does not fit the join state (F-130 to F-134).
    JoinType,
    /// The account named does not exist (F-111).
    AccountMissing,
}

/// Events not yet taken, bounded: the oldest goes when nobody takes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
}

/// Most events kept for a driver that does not take them.
const EVENTS_MAX: usize = 256;

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        if self.queue.len() >= EVENTS_MAX {
            self.queue.pop_front();
        }
        self.queue.push_back(event);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front();
        if self.queue.is_empty() {
            // At rest a device keeps no buffer.
            self.queue = VecDeque::new();
        }
        event
    }
}
