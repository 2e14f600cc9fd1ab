//! What a message of the device says: alerts, Status, Results (contract 2).

use std::borrow::Cow;

use protocol::laps_csp::E_PENDING;
use protocol::syncml::{
    Alert, AlertCode, Command, Item, Message, Results, Status, StatusCode, Text, Verb,
};
use protocol::time::UtcMillis;

use super::answer::Draft;
use super::{Flow, Session, Work};
use crate::action::End;
use crate::core::Core;
use crate::state::{ActionState, ManagedDevice, ManagedId};

/// What `ResetPasswordStatus` reads.
enum ResetStatus {
    Value(i32),
    /// The device has no answer; its Status.
    Refused(StatusCode),
    Unreadable(String),
}

impl Core {
    /// Believes a message.
    pub(super) fn take_in(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        message: &Message<'_>,
    ) -> Flow {
        let mut flow = if message.is_final {
            Flow::Complete
        } else {
            Flow::More
        };
        let mut ended = false;
        for command in &message.commands {
            match command {
                Command::Status(status) => ended |= self.take_status(now, id, session, status),
                Command::Results(results) => self.take_results(now, id, session, results),
                Command::Alert(alert) => flow = take_alert(session, alert, flow),
                Command::Request(_) | Command::Container(_) | Command::Unknown(_) => {}
            }
        }
        if flow != Flow::More {
            self.settle(now, id, session);
        }
        if ended { Flow::Ended } else { flow }
    }

    /// Takes the Status of a command; true when the enrolment is over by it.
    fn take_status(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        status: &Status<'_>,
    ) -> bool {
        let Ok(cmd_id) = status.cmd_ref.parse::<u32>() else {
            return false;
        };
        let code = status.code;
        let Some(sent) = session.sent.iter_mut().find(|sent| {
            sent.msg_id == status.msg_ref && (sent.cmd_id == cmd_id || sent.work.holds(cmd_id))
        }) else {
            return false;
        };
        match &mut sent.work {
            // Contract 2: 418 counts as success.
            Work::AddPush => session.channel.push_added = is_added(code),
            Work::AddPfn => session.channel.pfn_added = is_added(code),
            Work::Policy(policy) if sent.cmd_id == cmd_id => policy.status = Some(code),
            Work::Policy(policy) => {
                for write in policy
                    .writes
                    .iter_mut()
                    .filter(|write| write.cmd_id == cmd_id)
                {
                    write.status = Some(code);
                }
            }
            Work::EndEnrollment { action } => {
                let action = *action;
                sent.work = Work::Settled;
                return self.take_ending(now, id, action, code);
            }
            Work::Exec { action } => {
                let action = *action;
                sent.work = Work::Settled;
                self.take_exec(now, id, session, (action, code));
            }
            Work::ReadResetStatus if code.is_failure() => {
                sent.work = Work::Settled;
                self.take_reset_status(now, id, session, ResetStatus::Refused(code));
            }
            Work::ReadChannel
            | Work::ReadPushStatus
            | Work::ReadResetStatus
            | Work::StrayExec
            | Work::Settled => {}
        }
        false
    }

    /// Contract 2: after Status 200 or 202 the enrolment is over.
    fn take_ending(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        action: u64,
        code: StatusCode,
    ) -> bool {
        if code == StatusCode::OK || code == StatusCode::ACCEPTED {
            return true;
        }
        self.end_action(now, id, action, End::Code(i64::from(code.0)));
        false
    }

    fn take_exec(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        (action, code): (u64, StatusCode),
    ) {
        if code.is_failure() {
            self.end_action(now, id, action, End::Code(i64::from(code.0)));
            return;
        }
        self.with_action(id, action, |action| action.arrived = true);
        session.ask_status = true;
    }

    fn take_results(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        results: &Results<'_>,
    ) {
        let Ok(cmd_id) = results.cmd_ref.parse::<u32>() else {
            return;
        };
        // wire-facts 2.3: Results without MsgRef mean message 1.
        let msg_id = results.msg_ref.unwrap_or(1);
        let Some(item) = results.items.first() else {
            return;
        };
        let Some(sent) = session
            .sent
            .iter_mut()
            .find(|sent| sent.msg_id == msg_id && sent.cmd_id == cmd_id)
        else {
            return;
        };
        match sent.work {
            Work::ReadChannel => {
                sent.work = Work::Settled;
                session.channel.uri_read = true;
                session.channel.uri = channel_uri(item);
            }
            Work::ReadPushStatus => {
                sent.work = Work::Settled;
                session.channel.status = item.text().trim().parse().ok();
            }
            Work::ReadResetStatus => {
                sent.work = Work::Settled;
                self.take_reset_status(now, id, session, ResetStatus::read(item.text()));
            }
            Work::AddPush
            | Work::AddPfn
            | Work::EndEnrollment { .. }
            | Work::Policy(_)
            | Work::Exec { .. }
            | Work::StrayExec
            | Work::Settled => {}
        }
    }

    /// Contract 2, rotation: what the HRESULT of the last `ResetPassword` means.
    fn take_reset_status(
        &mut self,
        now: UtcMillis,
        id: ManagedId,
        session: &mut Session,
        read: ResetStatus,
    ) {
        let Some(device) = self.devices.by_id.get_mut(&id) else {
            return;
        };
        if matches!(read, ResetStatus::Value(0)) && device.needs_ad_evidence() {
            device.ad_backup_seen = true;
        }
        let Some(action) = session.rotation else {
            return;
        };
        let backs_up_to_ad = device.backup_directory() == Some(2);
        let uploads = self
            .tenant
            .directory_device(device.entra_id)
            .map_or(0, |object| object.uploads);
        let Some(rotation) = device.action_mut(action) else {
            return;
        };
        if rotation.state != ActionState::Active {
            return;
        }
        let stored = uploads > rotation.uploads_before;
        let pending = matches!(read, ResetStatus::Value(E_PENDING));
        let end = match read {
            ResetStatus::Value(E_PENDING) => {
                rotation.arrived = true;
                None
            }
            ResetStatus::Value(0) if stored => Some(End::Done),
            ResetStatus::Value(0) if !rotation.arrived => Some(End::Refused("lost")),
            ResetStatus::Value(0) if backs_up_to_ad => Some(End::Done),
            // Status 0 without a credential counts as E_PENDING.
            ResetStatus::Value(0) => None,
            ResetStatus::Value(code) => Some(End::Code(i64::from(code))),
            ResetStatus::Refused(code) => Some(End::Code(i64::from(code.0))),
            ResetStatus::Unreadable(text) => Some(End::Unreadable(text)),
        };
        match self.spoil_result(id, pending, end) {
            Some(end) => self.end_action(now, id, action, end),
            None => session.ask_status = session.status_reads <= self.variant.repeated_reads(),
        }
    }
}

impl Work {
    /// True when the command with this id is part of it.
    fn holds(&self, cmd_id: u32) -> bool {
        match self {
            Self::Policy(policy) => policy.writes.iter().any(|write| write.cmd_id == cmd_id),
            Self::AddPush
            | Self::AddPfn
            | Self::ReadChannel
            | Self::ReadPushStatus
            | Self::EndEnrollment { .. }
            | Self::Exec { .. }
            | Self::StrayExec
            | Self::ReadResetStatus
            | Self::Settled => false,
        }
    }
}

impl ResetStatus {
    /// Contract 2: signed, unsigned or hexadecimal.
    fn read(text: &str) -> Self {
        let text = text.trim();
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let unsigned = match hex {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => text.parse::<u32>(),
        };
        match (text.parse::<i32>(), unsigned) {
            (Ok(value), _) => Self::Value(value),
            (Err(_), Ok(value)) => Self::Value(value.cast_signed()),
            (Err(_), Err(_)) => {
                let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
                Self::Unreadable(format!("ResetPasswordStatus `{shown}` is no HRESULT"))
            }
        }
    }
}

impl ManagedDevice {
    /// Contract 2, AD backup on record: a hybrid device that acknowledged BackupDirectory 2 and has
    /// none on record.
    pub(super) fn needs_ad_evidence(&self) -> bool {
        self.join_type == protocol::JoinType::EntraHybridJoined
            && self.backup_directory() == Some(2)
            && !self.ad_backup_seen
    }
}

fn take_alert(session: &mut Session, alert: &Alert<'_>, flow: Flow) -> Flow {
    let is_of_type = |wanted: &str| {
        alert.items.iter().find(|item| {
            item.meta
                .as_ref()
                .and_then(|meta| meta.content_type.as_deref())
                == Some(wanted)
        })
    };
    match alert.code {
        AlertCode::SESSION_ABORT if flow != Flow::Ended => Flow::Abort,
        AlertCode::GENERIC if is_of_type(UNENROLLMENT).is_some() => Flow::Ended,
        AlertCode::CLIENT_EVENT => {
            if let Some(item) = is_of_type(LOGIN_STATUS) {
                session.login_is_user = item.text().trim() == super::USER;
            }
            flow
        }
        _ => flow,
    }
}

impl<'a> Draft<'a> {
    /// Answers the commands of the device with Status (contract 2), whatever they say.
    pub(super) fn acknowledge_all(&mut self, commands: &[Command<'a>]) {
        for command in commands {
            match command {
                Command::Status(_) | Command::Results(_) => {}
                Command::Alert(alert) => {
                    acknowledge(self, alert.cmd_id.as_ref(), "Alert", StatusCode::OK);
                }
                Command::Request(request) => {
                    let (cmd_id, verb) = (request.cmd_id.as_ref(), request.verb);
                    acknowledge(self, cmd_id, verb.as_str(), code_for(verb));
                }
                Command::Container(container) => {
                    let (cmd_id, name) = (container.cmd_id.as_ref(), container.kind.as_str());
                    acknowledge(self, cmd_id, name, StatusCode::NOT_ALLOWED);
                }
                Command::Unknown(unknown) => {
                    let cmd_ref = unknown.cmd_id.clone().unwrap_or_default();
                    self.status(cmd_ref, unknown.name.clone(), StatusCode::BAD_REQUEST);
                }
            }
        }
    }
}

/// A Status for a command of the device; without CmdID it is malformed (wire-facts 2.2).
fn acknowledge<'a>(
    draft: &mut Draft<'a>,
    cmd_id: Option<&Text<'a>>,
    name: &'static str,
    code: StatusCode,
) {
    match cmd_id {
        Some(cmd_id) => draft.status(cmd_id.clone(), Cow::Borrowed(name), code),
        None => draft.status(
            Cow::Borrowed(""),
            Cow::Borrowed(name),
            StatusCode::BAD_REQUEST,
        ),
    }
}

/// A device has nothing to tell the core but what it `Replace`s (contract 2).
const fn code_for(verb: Verb) -> StatusCode {
    match verb {
        Verb::Replace => StatusCode::OK,
        Verb::Add | Verb::Delete | Verb::Get | Verb::Exec => StatusCode::NOT_ALLOWED,
    }
}

fn is_added(code: StatusCode) -> bool {
    code.is_success() || code == StatusCode::ALREADY_EXISTS
}

fn channel_uri(item: &Item<'_>) -> Option<String> {
    let uri = item.text().trim();
    crate::presence::is_channel_uri(uri).then(|| uri.to_owned())
}

/// wire-facts 2.4.
const LOGIN_STATUS: &str = "com.microsoft/MDM/LoginStatus";
/// Contract 2.
const UNENROLLMENT: &str = "com.microsoft:mdm.unenrollment.userrequest";
/// How much of an unreadable value is repeated in an action's detail.
const SHOWN_CHARACTERS: usize = 40;
