//! Deliberate defects of the core, one variant each, and the requirement that each breaks.
//!
//! A suite that cannot fail proves nothing. Switched on one at a time (`muster serve --fault NAME`),
//! a defect must turn the requirement it names to fail. With none switched on, asking costs one
//! comparison.

/// A deliberate defect of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is described by its sentence in the table below"
)]
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
    PolicyDropsDescription,
    PolicyNamelessSaved,
    AssignNoNotify,
    AssignSecondDeviceIgnored,
    AssignUserSwitchIgnored,
    AssignOfflineNeverDelivered,
    AssignOfflineSucceeds,
    AssignResendForcesRotation,
    AssignUnassignUneven,
    CheckinRefuseBurst,
    CheckinHoldsActions,
    ConfKeepsFirstOwner,
    ConfDirectoryFirstWins,
    ConfEqualValuesConflict,
    ConfAccountFirstWins,
    ConfMarksEverySetting,
    ConfSourcesMissing,
    ConfWithholdUneven,
    ConfTwoValuesInOneSession,
    ConfDisjointConflict,
    ViewLocalTime,
    SchedEarlyExec,
    JoinEntraRefused,
    JoinHybridStaysEntra,
    JoinWpjAccepted,
    JoinUnjoinedRefused,
    JoinSwitchIgnored,
    JoinDisabledAccepted,
    JoinSwitchUneven,
    BakZeroAsEntra,
    BakForeignDevice,
    ReportOddState,
    ReportOldBuildSucceeded,
    ReportErrorHidden,
    ReportErrorWithoutCode,
    ReportSummaryMiscounts,
    RotDoneAt204,
    RotDoneBeforeResult,
    RotOnlineRuleWavers,
    RotPendingForEver,
    RotHybridWavers,
    RotHresultIgnored,
    RotDoubleExec,
    RotLostUpdate,
    RotKeepsOnlyLastAction,
    RotWipeIgnored,
    BulkSingleIdAccepted,
    BulkParallelSinglesRefused,
    ViewStalePassword,
    ViewHistoryWavers,
    ViewDeletedStillThere,
    AudMetadataReadLogged,
    AudUpdateSilent,
    AudUpdateDouble,
    AudWrongDevice,
    AudWrongResult,
    AudClockSkew,
    AudPolicyEditSilent,
    AudRefusedWavers,
    RbacManagerRefused,
    RbacRotateAlone,
    RbacRoleRotates,
    RbacMetadataReadsPassword,
    ProtoLeafOutsideAtomic,
    ProtoExecInAtomic,
    ProtoGetInAtomic,
    ProtoNestedAtomic,
    ProtoUserPath,
    ProtoWrongFormat,
    ProtoCmdIdTwice,
    ProtoRetryStorm,
    ProtoRolledBackSucceeds,
    ProtoNewLeavesToOld,
    ProtoLostStatusStrands,
    CspAgeUnchecked,
    CspAgeNarrow,
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

/// Every defect that `muster run` must catch, in the order of the requirements.
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

/// The defects of requirements that only `muster conform` exercises.
#[rustfmt::skip]
pub const CONFORM_FAULTS: &[FaultRow] = &[
    row!(PolicyDropsDescription, "M-POLICY-drops-description", "REQ-POLICY-002", "forgets the description of a policy"),
    row!(PolicyNamelessSaved, "M-POLICY-nameless-saved", "REQ-POLICY-002", "saves a policy without a name"),
    row!(AssignNoNotify, "M-ASSIGN-no-notify", "REQ-ASSIGN-002", "sends no push when an assignment changes"),
    row!(AssignSecondDeviceIgnored, "M-ASSIGN-second-device-ignored", "REQ-ASSIGN-004", "delivers the policies of a user to one device alone"),
    row!(AssignUserSwitchIgnored, "M-ASSIGN-user-switch-ignored", "REQ-ASSIGN-005", "keeps to the policies of the user who signed in first"),
    row!(AssignOfflineNeverDelivered, "M-ASSIGN-offline-never-delivered", "REQ-ASSIGN-006", "never delivers to a device that was away when the policy was assigned"),
    row!(AssignOfflineSucceeds, "M-ASSIGN-offline-succeeds", "REQ-ASSIGN-006", "reports a policy as succeeded on a device that was away and did not get it"),
    row!(AssignResendForcesRotation, "M-ASSIGN-resend-forces-rotation", "REQ-ASSIGN-007", "rotates the password at every check-in after a backup"),
    row!(AssignUnassignUneven, "M-ASSIGN-unassign-uneven", "REQ-ASSIGN-008", "deletes settings without policy from some devices and leaves them on others"),
    row!(CheckinRefuseBurst, "M-CHECKIN-refuse-burst", "REQ-CHECKIN-001", "refuses the check-ins of a device from the eleventh on"),
    row!(CheckinHoldsActions, "M-CHECKIN-holds-actions", "REQ-CHECKIN-002", "keeps pending actions back in every session but the first"),
    row!(ConfKeepsFirstOwner, "M-CONF-keeps-first-owner", "REQ-CONFLICT-006", "never again changes a setting that once clashed"),
    row!(ConfDirectoryFirstWins, "M-CONF-directory-first-wins", "REQ-CONFLICT-011", "sends the older policy when two clash on the directory"),
    row!(ConfEqualValuesConflict, "M-CONF-equal-values-conflict", "REQ-CONFLICT-012", "reports a conflict when two policies give the same value"),
    row!(ConfAccountFirstWins, "M-CONF-account-first-wins", "REQ-CONFLICT-013", "sends the older policy when two name different accounts"),
    row!(ConfMarksEverySetting, "M-CONF-marks-every-setting", "REQ-CONFLICT-014", "marks every setting of a policy in conflict as clashing"),
    row!(ConfSourcesMissing, "M-CONF-sources-missing", "REQ-CONFLICT-014", "names no other policy as the source of a conflict"),
    row!(ConfWithholdUneven, "M-CONF-withhold-uneven", "REQ-CONFLICT-015", "withholds whole policies from some devices and single settings from others"),
    row!(ConfTwoValuesInOneSession, "M-CONF-two-values-in-one-session", "REQ-CONFLICT-016", "sends the values of all clashing policies one after the other"),
    row!(ConfDisjointConflict, "M-CONF-disjoint-conflict", "REQ-CONFLICT-017", "reports a conflict when two policies share no setting"),
    row!(ViewLocalTime, "M-VIEW-local-time", "REQ-SCHEDULE-004", "shows the next rotation in a time of its own, two hours off"),
    row!(SchedEarlyExec, "M-SCHED-early-exec", "REQ-SCHEDULE-006", "rotates a password long before its expiry, at the second session after a backup"),
    row!(JoinEntraRefused, "M-JOIN-entra-refused", "REQ-JOIN-001", "refuses the backups of Entra joined devices"),
    row!(JoinHybridStaysEntra, "M-JOIN-hybrid-stays-entra", "REQ-JOIN-003", "sends hybrid joined devices to Microsoft Entra ID although Active Directory is chosen"),
    row!(JoinWpjAccepted, "M-JOIN-wpj-accepted", "REQ-JOIN-004", "takes the backups of Entra registered devices and reports their policies as succeeded"),
    row!(JoinUnjoinedRefused, "M-JOIN-unjoined-refused", "REQ-JOIN-005", "refuses the sessions of devices that are not joined"),
    row!(JoinSwitchIgnored, "M-JOIN-switch-ignored", "REQ-JOIN-006", "takes backups although the tenant's switch is off"),
    row!(JoinDisabledAccepted, "M-JOIN-disabled-accepted", "REQ-JOIN-007", "takes the backups of disabled devices"),
    row!(JoinSwitchUneven, "M-JOIN-switch-uneven", "REQ-JOIN-008", "takes the backups of some hybrid joined devices while the tenant's switch is off"),
    row!(BakZeroAsEntra, "M-BAK-zero-as-entra", "REQ-BACKUP-002", "sends Microsoft Entra ID as directory where none is chosen"),
    row!(BakForeignDevice, "M-BAK-foreign-device", "REQ-BACKUP-003", "takes a backup for one device from another"),
    row!(ReportOddState, "M-REPORT-odd-state", "REQ-REPORT-001", "reports succeeded policies with a state that is none of the five"),
    row!(ReportOldBuildSucceeded, "M-REPORT-old-build-succeeded", "REQ-REPORT-002", "reports policies as succeeded on builds without the CSP"),
    row!(ReportErrorHidden, "M-REPORT-error-hidden", "REQ-REPORT-003", "reports a setting that the device refused as succeeded"),
    row!(ReportErrorWithoutCode, "M-REPORT-error-without-code", "REQ-REPORT-003", "reports a setting that the device refused without a code"),
    row!(ReportSummaryMiscounts, "M-REPORT-summary-miscounts", "REQ-REPORT-004", "counts one device too many in the conflict summary"),
    row!(RotDoneAt204, "M-ROT-done-at-204", "REQ-ROTATE-002", "lists a rotation as done before the device had it"),
    row!(RotDoneBeforeResult, "M-ROT-done-before-result", "REQ-ROTATE-002", "lists a rotation as done while the device says that it is pending"),
    row!(RotOnlineRuleWavers, "M-ROT-online-rule-wavers", "REQ-ROTATE-007", "counts some devices as online by their channel and others by their last check-in"),
    row!(RotPendingForEver, "M-ROT-pending-for-ever", "REQ-ROTATE-008", "never ends a rotation whose device does not come"),
    row!(RotHybridWavers, "M-ROT-hybrid-wavers", "REQ-ROTATE-009", "lets rotations of some hybrid joined devices wait and fails those of others"),
    row!(RotHresultIgnored, "M-ROT-hresult-ignored", "REQ-ROTATE-010", "lists a rotation as done whatever the device reports"),
    row!(RotDoubleExec, "M-ROT-double-exec", "REQ-ROTATE-011", "sends the Exec of a rotation once more in the next session"),
    row!(RotLostUpdate, "M-ROT-lost-update-on-two-requests", "REQ-ROTATE-012", "forgets the second of two requests when the first has ended"),
    row!(RotKeepsOnlyLastAction, "M-ROT-keeps-only-last-action", "REQ-ROTATE-013", "lists the newest action alone"),
    row!(RotWipeIgnored, "M-ROT-wipe-ignored", "REQ-ROTATE-014", "delivers a pending rotation in the place of a retire or wipe"),
    row!(BulkSingleIdAccepted, "M-BULK-single-id-accepted", "REQ-BULK-003", "accepts a bulk rotation that names one device"),
    row!(BulkParallelSinglesRefused, "M-BULK-parallel-singles-refused", "REQ-BULK-005", "refuses all rotations of a batch but the first"),
    row!(ViewStalePassword, "M-VIEW-stale-password", "REQ-VIEW-003", "shows the former password as the current one"),
    row!(ViewHistoryWavers, "M-VIEW-history-wavers", "REQ-VIEW-005", "shows former passwords of some devices and not of others"),
    row!(ViewDeletedStillThere, "M-VIEW-deleted-still-there", "REQ-VIEW-006", "keeps the credential of a device object that was deleted"),
    row!(AudMetadataReadLogged, "M-AUD-metadata-read-logged", "REQ-AUDIT-006", "logs a retrieval when metadata is read"),
    row!(AudUpdateSilent, "M-AUD-update-silent", "REQ-AUDIT-007", "logs no event for a backup"),
    row!(AudUpdateDouble, "M-AUD-update-double", "REQ-AUDIT-007", "logs two events for a backup"),
    row!(AudPhantom, "M-AUD-phantom-on-bulk", "REQ-AUDIT-008", "logs a rotation event for a bulk rotation that was refused"),
    row!(AudWrongDevice, "M-AUD-wrong-device", "REQ-AUDIT-009", "names another device in the event of a rotation"),
    row!(AudWrongResult, "M-AUD-wrong-result", "REQ-AUDIT-009", "names the opposite result in the event of a rotation"),
    row!(AudClockSkew, "M-AUD-clock-skew", "REQ-AUDIT-009", "dates events an hour early"),
    row!(AudPolicyEditSilent, "M-AUD-policy-edit-silent", "REQ-AUDIT-011", "logs no event when a policy is edited"),
    row!(AudRefusedWavers, "M-AUD-refused-wavers", "REQ-AUDIT-012", "logs refused requests for a rotation of some devices and not of others"),
    row!(RbacManagerRefused, "M-RBAC-manager-refused", "REQ-RBAC-002", "lets the Endpoint Security Manager change no policy"),
    row!(RbacRotateAlone, "M-RBAC-rotate-alone", "REQ-RBAC-004", "lets the right to rotate alone suffice"),
    row!(RbacRoleRotates, "M-RBAC-role-rotates", "REQ-RBAC-005", "lets the Endpoint Security Manager rotate"),
    row!(RbacMetadataReadsPassword, "M-RBAC-metadata-reads-password", "REQ-RBAC-006", "lets the right to metadata read passwords"),
    row!(ProtoLeafOutsideAtomic, "M-PROTO-leaf-outside-atomic", "REQ-PROTO-001", "writes one setting outside the Atomic"),
    row!(ProtoExecInAtomic, "M-PROTO-exec-in-atomic", "REQ-PROTO-001", "executes ResetPassword inside an Atomic"),
    row!(ProtoGetInAtomic, "M-PROTO-get-in-atomic", "REQ-PROTO-002", "reads a setting inside the Atomic"),
    row!(ProtoNestedAtomic, "M-PROTO-nested-atomic", "REQ-PROTO-002", "puts the Atomic inside another"),
    row!(ProtoUserPath, "M-PROTO-user-path", "REQ-PROTO-003", "writes settings below the user's root"),
    row!(ProtoWrongFormat, "M-PROTO-wrong-format", "REQ-PROTO-004", "writes numbers in the format of texts"),
    row!(ProtoCmdIdTwice, "M-PROTO-cmd-id-twice", "REQ-PROTO-004", "gives two commands one CmdID"),
    row!(ProtoRetryStorm, "M-PROTO-retry-storm-on-507", "REQ-PROTO-005", "sends an Atomic again and again in the session in which it failed"),
    row!(ProtoRolledBackSucceeds, "M-PROTO-rolled-back-succeeds", "REQ-PROTO-005", "reports the settings of an Atomic that failed as succeeded"),
    row!(ProtoNewLeavesToOld, "M-PROTO-new-leaves-to-old", "REQ-PROTO-006", "sends settings to builds that do not know them"),
    row!(ProtoLostStatusStrands, "M-PROTO-lost-status-strands", "REQ-PROTO-007", "never asks again for a rotation whose Status was lost"),
    row!(CspAgeUnchecked, "M-CSP-age-unchecked", "REQ-CSP-PasswordAgeDays-001", "takes and sends any age in days"),
    row!(CspAgeNarrow, "M-CSP-age-narrow", "REQ-CSP-PasswordAgeDays-001", "refuses an age of 365 days"),
];

impl Fault {
    /// The defect with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let mut rows = FAULTS.iter().chain(CONFORM_FAULTS);
        rows.find(|row| row.name == name).map(|row| row.fault)
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
