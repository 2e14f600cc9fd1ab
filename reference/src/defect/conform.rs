//! The defects of requirements that `muster conform` exercises, where policies reach devices and
//! devices back up.

use protocol::JoinType;
use protocol::laps_csp::{FIRST_BUILD, Leaf, Value};

use super::{PlannedWrite, Wire, by_age, clashing};
use crate::assignment::UserContext;
use crate::conflict::{Evaluation, Write};
use crate::core::Core;
use crate::fault::Fault;
use crate::rows::{PolicyRow, RowState};
use crate::state::{ManagedDevice, ManagedId, PolicyId};

/// Sessions after which [`Fault::CheckinRefuseBurst`] refuses.
const BURST: u32 = 10;

impl Core {
    /// The user whose policies count in a session.
    pub(crate) fn spoil_context(
        &self,
        device: &ManagedDevice,
        context: UserContext,
    ) -> UserContext {
        let elsewhere = |user| {
            self.devices
                .by_id
                .values()
                .any(|other| other.id != device.id && other.last_user == Some(user))
        };
        if !self.faults.any() {
            return context;
        }
        let on = |fault| self.faults.on_device(fault, device);
        let second = self.faults.has(Fault::AssignSecondDeviceIgnored);
        if second && context.user.is_some_and(elsewhere) && on(Fault::AssignSecondDeviceIgnored) {
            return UserContext::default();
        }
        let switched = device.last_user.is_some() && device.last_user != context.user;
        if switched && on(Fault::AssignUserSwitchIgnored) {
            return UserContext {
                user: device.last_user,
                ..context
            };
        }
        context
    }

    /// A new session of a device is counted; the HTTP status that it is refused with, if any.
    pub(crate) fn spoil_session(&mut self, device: ManagedId, first_message: bool) -> Option<u16> {
        if !self.faults.any() {
            return None;
        }
        let managed = self.devices.by_id.get_mut(&device)?;
        if first_message {
            managed.defects.sessions += 1;
        }
        let on = |fault| self.faults.on_device(fault, managed);
        let burst = managed.defects.sessions > BURST && on(Fault::CheckinRefuseBurst);
        let unjoined = managed.join_type == JoinType::NotJoined && on(Fault::JoinUnjoinedRefused);
        (burst || unjoined).then_some(503)
    }

    /// A push that a change caused found the device away.
    pub(crate) fn note_missed_push(&mut self, device: ManagedId) {
        let faults = &self.faults;
        if let Some(managed) = self.devices.by_id.get_mut(&device)
            && faults.due_later(Fault::AssignOfflineNeverDelivered, managed)
        {
            managed.defects.missed_push = true;
        }
    }

    /// What a session wants to write, after the defects of conflicts.
    pub(super) fn spoil_delivery(&mut self, device: ManagedId, evaluation: &mut Evaluation) {
        self.spoil_clashes(device, evaluation);
        let Some(managed) = self.devices.by_id.get_mut(&device) else {
            return;
        };
        let faults = &self.faults;
        let hybrid = managed.join_type == JoinType::EntraHybridJoined;
        if managed.defects.missed_push && !evaluation.writes.is_empty() {
            evaluation.writes.clear();
            faults.acted(Fault::AssignOfflineNeverDelivered);
        }
        let deletes = evaluation.writes.iter().any(|write| write.value.is_none());
        if hybrid && deletes && faults.on_device(Fault::AssignUnassignUneven, managed) {
            evaluation.writes.retain(|write| write.value.is_some());
        }
        if faults.has(Fault::ConfKeepsFirstOwner) {
            let clashing = clashing(evaluation);
            managed
                .defects
                .once_clashed
                .extend(clashing.keys().copied());
            let once = &managed.defects.once_clashed;
            let changes = |write: &Write| write.value.is_some() && once.contains(&write.leaf);
            if evaluation.writes.iter().any(changes)
                && faults.on_device(Fault::ConfKeepsFirstOwner, managed)
            {
                evaluation.writes.retain(|write| !changes(write));
            }
        }
    }

    fn spoil_clashes(&self, device: ManagedId, evaluation: &mut Evaluation) {
        let Some(managed) = self.devices.by_id.get(&device) else {
            return;
        };
        let faults = &self.faults;
        let hybrid = managed.join_type == JoinType::EntraHybridJoined;
        let mut added = Vec::new();
        for (leaf, sources) in clashing(evaluation) {
            let by_age = by_age(&self.tenant, &sources);
            let oldest = by_age.first().and_then(|id| self.tenant.policies.get(id));
            let on = |fault| faults.on_device(fault, managed);
            let sends = (leaf == Leaf::BackupDirectory && on(Fault::ConfDirectoryFirstWins))
                || (leaf == Leaf::AdministratorAccountName && on(Fault::ConfAccountFirstWins));
            if sends && let Some(oldest) = oldest {
                added.extend(oldest.leaves.clone());
            }
            if on(Fault::ConfTwoValuesInOneSession) {
                let values = by_age
                    .iter()
                    .filter_map(|id| self.tenant.policies.get(id)?.leaves.get(&leaf));
                added.extend(values.map(|value| (leaf, value.clone())));
            }
        }
        if faults.has(Fault::ConfWithholdUneven) && hybrid && !evaluation.had_leaves {
            let clean = self.clean_settings(evaluation);
            if !clean.is_empty() && faults.on_device(Fault::ConfWithholdUneven, managed) {
                added.extend(clean);
            }
        }
        let added = added
            .into_iter()
            .filter(|(leaf, value)| leaf.node().allows(value, managed.build));
        evaluation.writes.extend(added.map(|(leaf, value)| Write {
            leaf,
            value: Some(value),
        }));
        evaluation.writes.sort_by_key(|write| write.leaf);
    }

    /// What the withheld policies set besides the settings that clash.
    fn clean_settings(&self, evaluation: &Evaluation) -> Vec<(Leaf, Value)> {
        let of_policy = |id: &PolicyId| {
            let policy = self.tenant.policies.get(id);
            policy.into_iter().flat_map(|policy| &policy.leaves)
        };
        let clashing = clashing(evaluation);
        evaluation
            .withheld
            .iter()
            .flat_map(of_policy)
            .filter(|(leaf, _)| !clashing.contains_key(leaf))
            .map(|(leaf, value)| (*leaf, value.clone()))
            .collect()
    }

    /// The directory that is sent in the place of the one chosen; and everything once more.
    pub(super) fn spoil_directory(&self, device: ManagedId, writes: &mut [PlannedWrite]) {
        let Some(managed) = self.devices.by_id.get(&device) else {
            return;
        };
        let hybrid = managed.join_type == JoinType::EntraHybridJoined;
        let on = |fault| self.faults.on_device(fault, managed);
        let directories = writes.iter_mut();
        for write in directories.filter(|write| write.leaf == Leaf::BackupDirectory) {
            let to_entra = match &write.value {
                Some(Value::Int(0)) => on(Fault::BakZeroAsEntra),
                Some(Value::Int(2)) => hybrid && on(Fault::JoinHybridStaysEntra),
                Some(Value::Int(_) | Value::Bool(_) | Value::Text(_)) | None => false,
            };
            if to_entra {
                write.wire = Wire::Other(Value::Int(1));
            }
        }
    }

    /// The row of a policy, before it is kept.
    pub(super) fn spoil_report(
        &self,
        device: &ManagedDevice,
        (policy, evaluation): (PolicyId, &Evaluation),
        row: &mut PolicyRow,
    ) {
        let on = |fault| self.faults.on_device(fault, device);
        let all = |row: &PolicyRow, state| row.settings.values().all(|it| it.state == state);
        let set_all = |row: &mut PolicyRow, state| {
            for setting in row.settings.values_mut() {
                setting.state = state;
            }
        };
        let conflict = row
            .settings
            .values()
            .any(|setting| setting.state == RowState::Conflict);
        let mixed = conflict && !all(row, RowState::Conflict);
        if mixed && on(Fault::ConfMarksEverySetting) {
            set_all(row, RowState::Conflict);
        }
        if conflict && on(Fault::ConfSourcesMissing) {
            for setting in row.settings.values_mut() {
                setting.sources = vec![policy];
            }
        }
        let shared = row.settings.values().any(|it| it.sources.len() > 1);
        let several = evaluation.prospects.len() > 1 && all(row, RowState::Compliant);
        let invents = if shared {
            Fault::ConfEqualValuesConflict
        } else {
            Fault::ConfDisjointConflict
        };
        if several && on(invents) {
            set_all(row, RowState::Conflict);
        }
        let registered = device.join_type == JoinType::EntraRegistered;
        let old = device.build < FIRST_BUILD;
        let other = !all(row, RowState::Compliant);
        if (registered && other && on(Fault::JoinWpjAccepted))
            || (old && other && on(Fault::ReportOldBuildSucceeded))
        {
            set_all(row, RowState::Compliant);
        }
        self.spoil_errors(device, row);
    }

    fn spoil_errors(&self, device: &ManagedDevice, row: &mut PolicyRow) {
        let on = |fault| self.faults.on_device(fault, device);
        let mut settings = row.settings.values();
        let wrong = settings.any(|setting| setting.state == RowState::Error);
        if wrong && on(Fault::ReportErrorHidden) {
            let settings = row.settings.values_mut();
            for setting in settings.filter(|setting| setting.state == RowState::Error) {
                setting.state = RowState::Compliant;
                setting.error_code = None;
            }
        }
        if wrong && on(Fault::ReportErrorWithoutCode) {
            for setting in row.settings.values_mut() {
                setting.error_code = None;
            }
        }
    }

    /// Who may upload, with a defect: `None` when none of these has a say.
    pub(crate) fn spoil_upload(&self, device: &ManagedDevice, own: bool) -> Option<bool> {
        let on = |fault| self.faults.on_device(fault, device);
        let enabled = self
            .tenant
            .directory_device(device.entra_id)
            .is_none_or(|object| object.enabled);
        let off = !self.tenant.laps_enabled;
        let hybrid = device.join_type == JoinType::EntraHybridJoined;
        if !own && on(Fault::BakForeignDevice) {
            return Some(true);
        }
        if !own {
            return None;
        }
        if device.join_type == JoinType::EntraJoined && on(Fault::JoinEntraRefused) {
            return Some(false);
        }
        let registered = device.join_type == JoinType::EntraRegistered;
        let uneven = off && hybrid && device.build < 26_100;
        let takes = (registered && on(Fault::JoinWpjAccepted))
            || (off && on(Fault::JoinSwitchIgnored))
            || (!enabled && on(Fault::JoinDisabledAccepted))
            || (uneven && on(Fault::JoinSwitchUneven));
        takes.then_some(true)
    }
}
