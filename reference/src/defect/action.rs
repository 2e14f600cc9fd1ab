//! The defects of rotations that `muster conform` exercises.

use protocol::JoinType;

use crate::action::{Decision, End, OFFLINE};
use crate::core::Core;
use crate::fault::Fault;
use crate::state::{ActionKind, ActionState, ManagedId};

/// The first build of Windows 11: some defects treat older devices otherwise.
const WINDOWS_11: u32 = 22_000;

impl Core {
    /// What the answer to its push makes of a rotation; `None` where no defect says otherwise.
    pub(super) fn spoil_decision_of_conform(
        &mut self,
        device: ManagedId,
        refusal: Option<&'static str>,
    ) -> Option<Decision> {
        let faults = &self.faults;
        let managed = self.devices.by_id.get_mut(&device)?;
        let old = managed.build < WINDOWS_11;
        let hybrid = managed.join_type == JoinType::EntraHybridJoined;
        match refusal {
            None if faults.on(Fault::RotDoneAt204) => {
                managed.defects.owes_exec = true;
                Some(Decision::Done)
            }
            None if faults.on(Fault::RotHybridWavers) && hybrid && old => {
                Some(Decision::Refuse(OFFLINE))
            }
            Some(OFFLINE) if faults.on(Fault::RotOnlineRuleWavers) && old => {
                Some(Decision::Deliver)
            }
            Some(_) | None => None,
        }
    }

    /// The Exec of a rotation went out.
    pub(crate) fn note_exec(&mut self, device: ManagedId) {
        let again = self.faults.on(Fault::RotDoubleExec);
        if let Some(managed) = self.devices.by_id.get_mut(&device).filter(|_| again) {
            managed.defects.owes_exec = true;
        }
    }

    /// How a rotation ends by what the device reports; `pending` when it says that it is running.
    pub(crate) fn spoil_result(&self, pending: bool, end: Option<End>) -> Option<End> {
        match end {
            None if pending && self.faults.on(Fault::RotDoneBeforeResult) => Some(End::Done),
            Some(End::Code(_)) if self.faults.on(Fault::RotHresultIgnored) => Some(End::Done),
            end => end,
        }
    }

    /// A rotation of the device is done.
    pub(crate) fn spoil_others(&mut self, device: ManagedId) {
        if !self.faults.on(Fault::RotLostUpdate) {
            return;
        }
        if let Some(managed) = self.devices.by_id.get_mut(&device) {
            managed.actions.retain(|action| {
                action.kind != ActionKind::RotateLocalAdminPassword
                    || action.state != ActionState::Pending
            });
        }
    }
}
