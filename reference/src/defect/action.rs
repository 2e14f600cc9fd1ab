//! The defects of rotations that `muster conform` exercises.

use protocol::JoinType;

use super::Owed;
use crate::action::{Decision, End, OFFLINE};
use crate::core::Core;
use crate::fault::Fault;
use crate::state::{Action, ActionKind, ActionState, ManagedId};

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
            None if faults.on_device(Fault::RotDoneAt204, managed) => {
                managed.defects.owes_exec = Some(Owed::Counted);
                Some(Decision::Done)
            }
            None if hybrid && old && faults.on_device(Fault::RotHybridWavers, managed) => {
                Some(Decision::Refuse(OFFLINE))
            }
            Some(OFFLINE) if old && faults.on_device(Fault::RotOnlineRuleWavers, managed) => {
                Some(Decision::Deliver)
            }
            Some(_) | None => None,
        }
    }

    /// The Exec of a rotation went out.
    pub(crate) fn note_exec(&mut self, device: ManagedId) {
        let faults = &self.faults;
        if let Some(managed) = self.devices.by_id.get_mut(&device)
            && faults.due_later(Fault::RotDoubleExec, managed)
        {
            managed.defects.owes_exec = Some(Owed::By(Fault::RotDoubleExec));
        }
    }

    /// How a rotation ends by what the device reports.
    pub(crate) fn spoil_result(
        &self,
        device: ManagedId,
        pending: bool,
        end: Option<End>,
    ) -> Option<End> {
        let device = self.devices.by_id.get(&device);
        let on = |fault| self.faults.on_any(fault, device);
        match end {
            None if pending && on(Fault::RotDoneBeforeResult) => Some(End::Done),
            Some(End::Code(_)) if on(Fault::RotHresultIgnored) => Some(End::Done),
            end => end,
        }
    }

    /// A rotation of the device is done.
    pub(crate) fn spoil_others(&mut self, device: ManagedId) {
        let waits = |action: &Action| {
            action.kind == ActionKind::RotateLocalAdminPassword
                && action.state == ActionState::Pending
        };
        if let Some(managed) = self.devices.by_id.get_mut(&device)
            && managed.actions.iter().any(waits)
            && self.faults.on_device(Fault::RotLostUpdate, managed)
        {
            managed.actions.retain(|action| !waits(action));
        }
    }
}
