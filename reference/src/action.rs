//! The life of a device action: requested, decided by the push, carried out in a session, ended.
//!
//! Contract 5, "Rotation, accepted"; what happens inside a session is in `session`.

use protocol::JoinType;
use protocol::time::UtcMillis;

use crate::core::Core;
use crate::fault::Fault;
use crate::presence::PushId;
use crate::state::{Action, ActionKind, ActionState, ManagedDevice, ManagedId, Tenant};

/// A rotation that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RotationRequested {
    /// Its id.
    pub(crate) action: u64,
    /// The push whose answer decides it; `None` when it is decided already.
    pub(crate) push: Option<PushId>,
}

/// What became of a rotation by the time its call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActionOutcome {
    /// It is listed as failed.
    pub(crate) failed_at_once: bool,
}

/// How an action ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Canceled,
    /// For a reason of the core's own, one of contract 5's words.
    Refused(&'static str),
    /// The device answered with this code, an HRESULT or a SyncML status.
    Code(i64),
    /// The device answered with something else; the text says what.
    Unreadable(String),
}

/// What the answer to its push makes of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It goes out in the next session.
    Deliver,
    /// It is listed as failed for this reason.
    Refuse(&'static str),
    /// It is listed as done; only a deliberate defect decides so.
    Done,
}

impl Core {
    /// Takes a rotation of a managed device. Where `push` is given, the caller waits for its
    /// answer; either way [`Self::conclude_rotation`] tells what became of it.
    pub(crate) fn request_rotation(
        &mut self,
        now: UtcMillis,
        device: ManagedId,
    ) -> RotationRequested {
        let ending = self
            .devices
            .by_id
            .get(&device)
            .is_some_and(ManagedDevice::is_ending);
        let action = self.add_action(now, device, ActionKind::RotateLocalAdminPassword);
        if ending {
            self.end_action(now, device, action, End::Canceled);
            self.push_for_action(device);
            return RotationRequested { action, push: None };
        }
        let push = self.push_for_rotation(device, action);
        match push {
            Some(_) => self.with_action(device, action, |action| action.awaiting = push),
            None => self.decide_rotation(now, device, action, false),
        }
        RotationRequested { action, push }
    }

    /// What became of a rotation once its push was answered.
    pub(crate) fn conclude_rotation(
        &self,
        _now: UtcMillis,
        device: ManagedId,
        action: u64,
    ) -> ActionOutcome {
        let found = self.devices.by_id.get(&device).and_then(|device| {
            device
                .actions
                .iter()
                .rev()
                .find(|candidate| candidate.id == action)
        });
        ActionOutcome {
            failed_at_once: found.is_some_and(|found| found.state == ActionState::Failed),
        }
    }

    /// Takes a `syncDevice`; it is done when the next session ends.
    pub(crate) fn request_sync(&mut self, now: UtcMillis, device: ManagedId) -> Option<PushId> {
        self.add_action(now, device, ActionKind::SyncDevice);
        self.push_for_action(device)
    }

    /// Takes a retire, which cancels what is pending.
    pub(crate) fn request_retire(&mut self, now: UtcMillis, device: ManagedId) -> Option<PushId> {
        self.request_ending(now, device, ActionKind::Retire)
    }

    /// Takes a wipe, which cancels what is pending.
    pub(crate) fn request_wipe(&mut self, now: UtcMillis, device: ManagedId) -> Option<PushId> {
        self.request_ending(now, device, ActionKind::Wipe)
    }

    /// Deletes the row: its certificate is worthless at once, what is pending ends with it.
    pub(crate) fn delete_managed_device(&mut self, _now: UtcMillis, device: ManagedId) {
        self.end_enrollment(device);
    }

    /// The enrolment is over (retire, wipe, delete, unenrolment, enrolled again).
    pub(crate) fn end_enrollment(&mut self, device: ManagedId) {
        let Some(device) = self.devices.remove(device) else {
            return;
        };
        for action in &device.actions {
            self.expiries
                .remove(&(self.expiry(action.started_at), device.id, action.id));
        }
    }

    /// Decides a rotation by what its push told.
    pub(crate) fn decide_rotation(
        &mut self,
        now: UtcMillis,
        device: ManagedId,
        action: u64,
        online: bool,
    ) {
        let Some(managed) = self.devices.by_id.get_mut(&device) else {
            return;
        };
        let Some(found) = managed.action_mut(action) else {
            return;
        };
        found.awaiting = None;
        if !found.state.is_open() {
            return;
        }
        let refusal = refusal(&self.tenant, managed, online);
        let refusal = self.variant.refusal(managed, online, refusal);
        match self.spoil_decision(now, device, refusal) {
            Decision::Deliver => {}
            Decision::Refuse(reason) => {
                if !self.variant.dooms(now, (device, action), reason) {
                    self.end_action(now, device, action, End::Refused(reason));
                }
            }
            Decision::Done => self.end_action(now, device, action, End::Done),
        }
    }

    /// Ends an action, unless it ended already.
    pub(crate) fn end_action(&mut self, now: UtcMillis, device: ManagedId, action: u64, end: End) {
        let Some(found) = self
            .devices
            .by_id
            .get_mut(&device)
            .and_then(|device| device.action_mut(action))
        else {
            return;
        };
        if !found.state.is_open() {
            return;
        }
        let done = end == End::Done;
        found.end(now, end);
        let started_at = found.started_at;
        self.expiries
            .remove(&(self.expiry(started_at), device, action));
        if done {
            self.spoil_others(device);
        }
    }

    /// Contract 5: an action that is pending or active for more than 24 h has failed.
    pub(crate) fn expire_actions(&mut self, now: UtcMillis) {
        self.catch_up(now);
        while let Some(&(at, device, action)) = self.expiries.first() {
            if at > now {
                return;
            }
            self.expiries.pop_first();
            if self.keeps_pending(device, action) {
                continue;
            }
            self.end_action(now, device, action, End::Refused("expired"));
        }
    }

    /// True when a deliberate defect lets an action wait past its time.
    fn keeps_pending(&self, device: ManagedId, action: u64) -> bool {
        let device = self.devices.by_id.get(&device);
        let open = device.is_some_and(|device| {
            let mut actions = device.actions.iter();
            actions.any(|known| known.id == action && known.state.is_open())
        });
        open && self.faults.on_any(Fault::RotPendingForEver, device)
    }

    /// Ends the rotations of a device that have not gone out.
    pub(crate) fn refuse_pending_rotations(
        &mut self,
        now: UtcMillis,
        device: ManagedId,
        reason: &'static str,
    ) {
        for action in self.open_actions(device, |action| {
            action.kind == ActionKind::RotateLocalAdminPassword
                && action.state == ActionState::Pending
                && action.awaiting.is_none()
        }) {
            self.end_action(now, device, action, End::Refused(reason));
        }
    }

    /// Runs `change` on an action, when it is there.
    pub(crate) fn with_action(
        &mut self,
        device: ManagedId,
        action: u64,
        change: impl FnOnce(&mut Action),
    ) {
        let device = self.devices.by_id.get_mut(&device);
        if let Some(action) = device.and_then(|device| device.action_mut(action)) {
            change(action);
        }
    }

    fn request_ending(
        &mut self,
        now: UtcMillis,
        device: ManagedId,
        kind: ActionKind,
    ) -> Option<PushId> {
        // The defect acts where the order should go out, see `session::plan`.
        let ignored = self.faults.has(Fault::RotWipeIgnored);
        for action in self.open_actions(device, |_| !ignored) {
            self.end_action(now, device, action, End::Canceled);
        }
        self.add_action(now, device, kind);
        self.push_for_action(device)
    }

    fn open_actions(&self, device: ManagedId, wanted: impl Fn(&Action) -> bool) -> Vec<u64> {
        self.devices
            .by_id
            .get(&device)
            .map_or_else(Vec::new, |device| {
                device
                    .actions
                    .iter()
                    .filter(|action| action.state.is_open() && wanted(action))
                    .map(|action| action.id)
                    .collect()
            })
    }

    fn add_action(&mut self, now: UtcMillis, device: ManagedId, kind: ActionKind) -> u64 {
        self.last_action += 1;
        let id = self.last_action;
        if let Some(managed) = self.devices.by_id.get_mut(&device) {
            managed.actions.push(Action::new(id, kind, now));
            self.expiries.insert((self.expiry(now), device, id));
        }
        id
    }

    /// The first instant at which an action is open for too long.
    const fn expiry(&self, started_at: UtcMillis) -> UtcMillis {
        started_at.plus_millis(self.variant.action_life_ms() + 1)
    }
}

impl Action {
    const fn new(id: u64, kind: ActionKind, now: UtcMillis) -> Self {
        Self {
            id,
            kind,
            state: ActionState::Pending,
            started_at: now,
            updated_at: now,
            error_code: None,
            detail: None,
            exec_sent_at: None,
            uploads_before: 0,
            awaiting: None,
            arrived: false,
            sessions_waited: 0,
        }
    }

    /// The Exec goes out.
    pub(crate) const fn activate(&mut self, now: UtcMillis, uploads: u64) {
        self.state = ActionState::Active;
        self.updated_at = now;
        self.exec_sent_at = Some(now);
        self.uploads_before = uploads;
    }

    fn end(&mut self, now: UtcMillis, end: End) {
        self.updated_at = now;
        self.awaiting = None;
        match end {
            End::Done => self.state = ActionState::Done,
            End::Canceled => self.state = ActionState::Canceled,
            End::Refused(reason) => {
                self.state = ActionState::Failed;
                self.detail = Some(reason.to_owned());
            }
            End::Code(code) => {
                self.state = ActionState::Failed;
                self.error_code = Some(code);
            }
            End::Unreadable(text) => {
                self.state = ActionState::Failed;
                self.detail = Some(text);
            }
        }
    }
}

impl ManagedDevice {
    /// A retire or wipe waits for the device.
    pub(crate) fn is_ending(&self) -> bool {
        self.actions
            .iter()
            .rev()
            .any(|action| action.kind.ends_enrollment() && action.state.is_open())
    }
}

impl ActionKind {
    /// True for retire and wipe.
    pub(crate) const fn ends_enrollment(self) -> bool {
        match self {
            Self::Retire | Self::Wipe => true,
            Self::RotateLocalAdminPassword | Self::SyncDevice => false,
        }
    }
}

/// Why a rotation fails as soon as its push is answered (contract 5); `None`: it may go out.
fn refusal(tenant: &Tenant, device: &ManagedDevice, online: bool) -> Option<&'static str> {
    let must_be_online = match device.join_type {
        JoinType::EntraJoined => true,
        JoinType::EntraHybridJoined => false,
        JoinType::EntraRegistered | JoinType::DomainJoined | JoinType::NotJoined => {
            return Some("joinType");
        }
    };
    if tenant
        .directory_device(device.entra_id)
        .is_some_and(|object| !object.enabled)
    {
        return Some("disabled");
    }
    if must_be_online && !online {
        return Some(OFFLINE);
    }
    (!has_backup(tenant, device)).then_some(NO_BACKUP)
}

/// Contract 5: a successful backup is on record, in the directory or, for a device that backs up
/// to Active Directory, as a LAPS status that was read as successful.
pub(crate) fn has_backup(tenant: &Tenant, device: &ManagedDevice) -> bool {
    if device.backup_directory() == Some(2) {
        return device.ad_backup_seen;
    }
    tenant
        .directory_device(device.entra_id)
        .is_some_and(|object| !object.credentials.is_empty())
}

/// The reason of a rotation that failed for want of connection.
pub(crate) const OFFLINE: &str = "offline";
/// The reason of a rotation that failed for want of a backup.
pub(crate) const NO_BACKUP: &str = "noBackup";
