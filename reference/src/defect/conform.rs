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
        let second = self.faults.on(Fault::AssignSecondDeviceIgnored);
        if second && context.user.is_some_and(elsewhere) {
            return UserContext::default();
        }
        if self.faults.on(Fault::AssignUserSwitchIgnored) && device.last_user.is_some() {
            return UserContext {
                user: device.last_user,
                ..context
            };
        }
        context
    }

    /// A new session of a device is counted; the HTTP status that it is refused with, if any.
    pub(crate) fn spoil_session(&mut self, device: ManagedId, first_message: bool) -> Option<u16> {
        let managed = self.devices.by_id.get_mut(&device)?;
        if first_message && self.faults.any() {
            managed.defects.sessions += 1;
        }
        let burst = self.faults.on(Fault::CheckinRefuseBurst) && managed.defects.sessions > BURST;
        let unjoined =
            self.faults.on(Fault::JoinUnjoinedRefused) && managed.join_type == JoinType::NotJoined;
        (burst || unjoined).then_some(503)
    }

    /// A push that a change caused found the device away.
    pub(crate) fn note_missed_push(&mut self, device: ManagedId) {
        let forgets = self.faults.on(Fault::AssignOfflineNeverDelivered);
        if let Some(managed) = self.devices.by_id.get_mut(&device).filter(|_| forgets) {
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
        if managed.defects.missed_push {
            evaluation.writes.clear();
        }
        if faults.on(Fault::AssignUnassignUneven) && hybrid {
            evaluation.writes.retain(|write| write.value.is_some());
        }
        if faults.on(Fault::ConfKeepsFirstOwner) {
            let clashing = clashing(evaluation);
            let once = &mut managed.defects.once_clashed;
            once.extend(clashing.keys().copied());
            evaluation
                .writes
                .retain(|write| write.value.is_none() || !once.contains(&write.leaf));
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
            let sends = (leaf == Leaf::BackupDirectory && faults.on(Fault::ConfDirectoryFirstWins))
                || (leaf == Leaf::AdministratorAccountName
                    && faults.on(Fault::ConfAccountFirstWins));
            if sends && let Some(oldest) = oldest {
                added.extend(oldest.leaves.clone());
            }
            if faults.on(Fault::ConfTwoValuesInOneSession) {
                let values = by_age
                    .iter()
                    .filter_map(|id| self.tenant.policies.get(id)?.leaves.get(&leaf));
                added.extend(values.map(|value| (leaf, value.clone())));
            }
        }
        if faults.on(Fault::ConfWithholdUneven) && hybrid && !evaluation.had_leaves {
            added.extend(self.clean_settings(evaluation));
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
        for write in writes.iter_mut() {
            let to_entra = match &write.value {
                Some(Value::Int(0)) => self.faults.on(Fault::BakZeroAsEntra),
                Some(Value::Int(2)) => hybrid && self.faults.on(Fault::JoinHybridStaysEntra),
                Some(Value::Int(_) | Value::Bool(_) | Value::Text(_)) | None => false,
            };
            if write.leaf == Leaf::BackupDirectory && to_entra {
                write.wire = Wire::Other(Value::Int(1));
            }
        }
    }

    /// True when an Exec goes out that a defect of this file sends.
    pub(super) fn stray_exec_of_conform(&mut self, device: ManagedId) -> Option<bool> {
        let again = self.faults.on(Fault::AssignResendForcesRotation);
        let early = self.faults.on(Fault::SchedEarlyExec);
        if !again && !early {
            return None;
        }
        let managed = self.devices.by_id.get_mut(&device)?;
        let object = self.tenant.directory_device(managed.entra_id)?;
        if object.credentials.is_empty() {
            return Some(false);
        }
        managed.defects.sessions_since_backup += 1;
        Some(again || managed.defects.sessions_since_backup == 2)
    }

    /// The row of a policy, before it is kept.
    pub(super) fn spoil_report(
        &self,
        device: &ManagedDevice,
        (policy, evaluation): (PolicyId, &Evaluation),
        row: &mut PolicyRow,
    ) {
        let faults = &self.faults;
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
        if faults.on(Fault::ConfMarksEverySetting) && conflict {
            set_all(row, RowState::Conflict);
        }
        if faults.on(Fault::ConfSourcesMissing) && conflict {
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
        if several && faults.on(invents) {
            set_all(row, RowState::Conflict);
        }
        let registered = device.join_type == JoinType::EntraRegistered;
        let old = device.build < FIRST_BUILD;
        if (registered && faults.on(Fault::JoinWpjAccepted))
            || (old && faults.on(Fault::ReportOldBuildSucceeded))
        {
            set_all(row, RowState::Compliant);
        }
        self.spoil_errors(row);
    }

    fn spoil_errors(&self, row: &mut PolicyRow) {
        let faults = &self.faults;
        if faults.on(Fault::ReportErrorHidden) {
            let settings = row.settings.values_mut();
            for setting in settings.filter(|setting| setting.state == RowState::Error) {
                setting.state = RowState::Compliant;
                setting.error_code = None;
            }
        }
        if faults.on(Fault::ReportErrorWithoutCode) {
            for setting in row.settings.values_mut() {
                setting.error_code = None;
            }
        }
    }

    /// Who may upload, with a defect: `None` when none of these has a say.
    pub(crate) fn spoil_upload(&self, device: &ManagedDevice, own: bool) -> Option<bool> {
        let faults = &self.faults;
        let enabled = self
            .tenant
            .directory_device(device.entra_id)
            .is_none_or(|object| object.enabled);
        let off = !self.tenant.laps_enabled;
        let hybrid = device.join_type == JoinType::EntraHybridJoined;
        if faults.on(Fault::BakForeignDevice) && !own {
            return Some(true);
        }
        if !own {
            return None;
        }
        if faults.on(Fault::JoinEntraRefused) && device.join_type == JoinType::EntraJoined {
            return Some(false);
        }
        let takes = (faults.on(Fault::JoinWpjAccepted)
            && device.join_type == JoinType::EntraRegistered)
            || (faults.on(Fault::JoinSwitchIgnored) && off)
            || (faults.on(Fault::JoinDisabledAccepted) && !enabled)
            || (faults.on(Fault::JoinSwitchUneven) && off && hybrid && device.build < 26_100);
        takes.then_some(true)
    }
}
