//! Deliberate defects of the core, one variant each, and the requirement that each breaks.
//!
//! A suite that cannot fail proves nothing. Switched on one at a time (`muster serve --fault NAME`),
//! a defect must turn the requirement it names to fail. With none switched on, asking costs one
//! comparison.

/// A deliberate defect of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is described by its sentence in the table below")]
pub enum Fault {
    AssignDropLeaf,
    AssignExtraLeaf,
    AssignWrongValue,
    AssignAlterOneIn200,
    AssignVisibleBeforeProcessing,
    ConfLastWriter,
    ConfClearLeaf,
    ConfOnlyNewReports,
    ConfOnlyOldReports,
    ConfThirdPolicySilent,
    ConfRevertToFirstValue,
    ConfStickyAfterUnassign,
    ConfEqualiseIgnored,
    ConfFirstWinsAtOnce,
    ConfReportsSucceeded,
    ConfGivesInLater,
    ConfNeverResumes,
    SchedLosesBackup,
    SchedOwnExec,
    RotScheduleNotReset,
    RotRefusesAll,
    RotDoneWithoutExec,
    RotQueueWhenOffline,
    RotDoneThoughOffline,
    RotFailureBlocksLater,
    RotUnbackedOk,
    RotAgeGate,
    RotExecAfterFailure,
    BulkAccepts,
    BulkPartialEffect,
    BulkLeavesActionRow,
    BulkEndpointDead,
    ViewNoAccountName,
    ViewSwapsTimes,
    ViewPasswordByDefault,
    ViewAdDeviceLeak,
    AudNoneOnSuccess,
    AudNoneOnOffline,
    AudNoneOnUnbacked,
    AudLostOneIn100,
    AudDuplicateOneIn100,
    AudPhantom,
    AudViewSilent,
    AudViewDouble,
    RbacOpenPolicy,
    RbacOpenRotate,
    RbacOpenRead,
    JoinMismatchErrors,
    AccountMissingErrors,
}

/// A row of the fault library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultRow {
    /// The defect.
    pub fault: Fault,
    /// Its name on the command line.
    pub name: &'static str,
    /// The requirement that must turn to fail.
    pub requirement: &'static str,
    /// What the core does wrong.
    pub sentence: &'static str,
}

macro_rules! row {
    ($fault:ident, $name:literal, $requirement:literal, $sentence:literal) => {
        FaultRow {
            fault: Fault::$fault,
            name: $name,
            requirement: $requirement,
            sentence: $sentence,
        }
    };
}

/// Every defect, in the order of the requirements.
#[rustfmt::skip]
pub const FAULTS: &[FaultRow] = &[
    row!(AssignDropLeaf, "M-ASSIGN-drop-leaf", "REQ-ASSIGN-001", "leaves one configured setting out of the first policy delivery"),
    row!(AssignExtraLeaf, "M-ASSIGN-extra-leaf", "REQ-ASSIGN-001", "writes a LAPS setting that no policy configures"),
    row!(AssignWrongValue, "M-ASSIGN-wrong-value", "REQ-ASSIGN-001", "writes a value that differs from the configured one"),
    row!(AssignAlterOneIn200, "M-ASSIGN-alter-1-in-200", "REQ-ASSIGN-001", "adds a LAPS write to one of 200 first answers that should carry no policy"),
    row!(AssignVisibleBeforeProcessing, "M-ASSIGN-visible-before-processing", "REQ-ASSIGN-003", "shows account data of a device that has not processed its policy"),
    row!(ConfLastWriter, "M-CONF-last-writer", "REQ-CONFLICT-001", "sends the value of the newest policy although policies clash"),
    row!(ConfClearLeaf, "M-CONF-clear-leaf", "REQ-CONFLICT-001", "deletes the setting that came into conflict"),
    row!(ConfOnlyNewReports, "M-CONF-only-new-reports", "REQ-CONFLICT-002", "reports the conflict for the newer policy alone"),
    row!(ConfOnlyOldReports, "M-CONF-only-old-reports", "REQ-CONFLICT-002", "reports the conflict for the older policy alone"),
    row!(ConfThirdPolicySilent, "M-CONF-third-policy-silent", "REQ-CONFLICT-002", "reports a third policy of a conflict as succeeded"),
    row!(ConfRevertToFirstValue, "M-CONF-revert-to-first-value", "REQ-CONFLICT-003", "sends the first value the device ever acknowledged when a conflict appears"),
    row!(ConfStickyAfterUnassign, "M-CONF-sticky-after-unassign", "REQ-CONFLICT-004", "keeps reporting a conflict after the clashing policy was unassigned"),
    row!(ConfEqualiseIgnored, "M-CONF-equalise-ignored", "REQ-CONFLICT-005", "keeps reporting a conflict after the policies were made equal"),
    row!(ConfFirstWinsAtOnce, "M-CONF-first-wins-at-once", "REQ-CONFLICT-007", "sends the older policy's value to a device without policy although two clash"),
    row!(ConfReportsSucceeded, "M-CONF-reports-succeeded", "REQ-CONFLICT-008", "reports clashing policies on a device without policy as succeeded"),
    row!(ConfGivesInLater, "M-CONF-gives-in-later", "REQ-CONFLICT-009", "withholds clashing settings in two sessions and sends them in the third"),
    row!(ConfNeverResumes, "M-CONF-never-resumes", "REQ-CONFLICT-010", "never sends the settings of policies that once clashed on a device without policy"),
    row!(SchedLosesBackup, "M-SCHED-loses-backup", "REQ-SCHEDULE-002", "answers 204 to a scheduled backup and does not store it"),
    row!(SchedOwnExec, "M-SCHED-own-exec", "REQ-SCHEDULE-002", "rotates a password that nobody asked to rotate, at the third session after a backup"),
    row!(RotScheduleNotReset, "M-ROT-schedule-not-reset", "REQ-SCHEDULE-003", "keeps showing the former next rotation after a manual one"),
    row!(RotRefusesAll, "M-ROT-refuses-all", "REQ-ROTATE-001", "lists every rotation as failed"),
    row!(RotDoneWithoutExec, "M-ROT-done-without-exec", "REQ-ROTATE-001", "lists a rotation as done without having sent it"),
    row!(RotQueueWhenOffline, "M-ROT-queue-when-offline", "REQ-ROTATE-003", "keeps a rotation of an offline Entra joined device pending"),
    row!(RotDoneThoughOffline, "M-ROT-done-though-offline", "REQ-ROTATE-003", "lists a rotation of an offline Entra joined device as done"),
    row!(RotFailureBlocksLater, "M-ROT-failure-blocks-later", "REQ-ROTATE-004", "fails every rotation after one failed for want of connection"),
    row!(RotUnbackedOk, "M-ROT-unbacked-ok", "REQ-ROTATE-005", "lists a rotation of a device without backup as done"),
    row!(RotAgeGate, "M-ROT-age-gate", "REQ-ROTATE-006", "fails a rotation while the password is far from its expiry"),
    row!(RotExecAfterFailure, "M-ROT-exec-after-failure", "REQ-ROTATE-015", "sends the rotation that failed for want of connection when the device comes back"),
    row!(BulkAccepts, "M-BULK-accepts", "REQ-BULK-001", "accepts bulk rotation"),
    row!(BulkPartialEffect, "M-BULK-partial-effect", "REQ-BULK-002", "refuses bulk rotation and rotates the first device all the same"),
    row!(BulkLeavesActionRow, "M-BULK-leaves-action-row", "REQ-BULK-002", "refuses bulk rotation and lists an action on every device"),
    row!(BulkEndpointDead, "M-BULK-endpoint-dead", "REQ-BULK-004", "refuses every bulk action, the allowed ones too"),
    row!(ViewNoAccountName, "M-VIEW-no-account-name", "REQ-VIEW-001", "leaves the account name out of a credential that is read"),
    row!(ViewSwapsTimes, "M-VIEW-swaps-times", "REQ-VIEW-001", "shows the last and the next rotation in each other's place"),
    row!(ViewPasswordByDefault, "M-VIEW-password-by-default", "REQ-VIEW-002", "shows the password without being asked for it"),
    row!(ViewAdDeviceLeak, "M-VIEW-ad-device-leak", "REQ-VIEW-004", "shows the former password of a device that backs up to Active Directory"),
    row!(AudNoneOnSuccess, "M-AUD-none-on-success", "REQ-AUDIT-001", "logs no event for a rotation that was accepted"),
    row!(AudNoneOnOffline, "M-AUD-none-on-offline-failure", "REQ-AUDIT-002", "logs no event for a rotation that failed for want of connection"),
    row!(AudNoneOnUnbacked, "M-AUD-none-on-unbacked", "REQ-AUDIT-003", "logs no event for a rotation that failed for want of a backup"),
    row!(AudLostOneIn100, "M-AUD-lost-1-in-100", "REQ-AUDIT-004", "drops one rotation event in 100"),
    row!(AudDuplicateOneIn100, "M-AUD-duplicate-1-in-100", "REQ-AUDIT-004", "logs one rotation event in 100 twice"),
    row!(AudPhantom, "M-AUD-phantom", "REQ-AUDIT-004", "logs a rotation event for a bulk rotation that was refused"),
    row!(AudViewSilent, "M-AUD-view-silent", "REQ-AUDIT-005", "logs no event when a password is read"),
    row!(AudViewDouble, "M-AUD-view-double", "REQ-AUDIT-005", "logs two events when a password is read"),
    row!(RbacOpenPolicy, "M-RBAC-open-policy", "REQ-RBAC-001", "lets an actor without rights create, edit and delete policies"),
    row!(RbacOpenRotate, "M-RBAC-open-rotate", "REQ-RBAC-003", "lets an actor without the right rotate a password"),
    row!(RbacOpenRead, "M-RBAC-open-read", "REQ-RBAC-007", "lets an actor without rights read credentials"),
    row!(JoinMismatchErrors, "M-JOIN-mismatch-errors", "REQ-JOIN-002", "reports an error when the backup directory does not fit the join state"),
    row!(AccountMissingErrors, "M-ACCOUNT-missing-errors", "REQ-ACCOUNT-003", "reports an error when the account named does not exist"),
];

impl Fault {
    /// The defect with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        FAULTS.iter().find(|row| row.name == name).map(|row| row.fault)
    }
}

/// The defect switched on, if any, and how often its place was passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    active: Option<Fault>,
    passed: u64,
}

impl Faults {
    pub(crate) const fn new(active: Option<Fault>) -> Self {
        Self { active, passed: 0 }
    }

    /// True when this defect is switched on.
    pub(crate) fn on(&self, fault: Fault) -> bool {
        self.active == Some(fault)
    }

    /// True when any defect is switched on.
    pub(crate) const fn any(&self) -> bool {
        self.active.is_some()
    }

    /// True at the `n`th, `2n`th, ... pass while this defect is switched on.
    pub(crate) fn on_every(&mut self, fault: Fault, n: u64) -> bool {
        if self.active != Some(fault) {
            return false;
        }
        self.passed += 1;
        self.passed.is_multiple_of(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for row in FAULTS {
            assert_eq!(Fault::by_name(row.name), Some(row.fault), "{}", row.name);
        }
    }
}
