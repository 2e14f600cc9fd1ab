//! Deliberate defects of the core: one variant each, the requirement that each breaks, and the way
//! in which that must show.
//!
//! A suite that cannot fail proves nothing. Switched on (`muster serve --fault NAME[@TRIGGER]`), a
//! defect must turn the requirement it names to fail. With none switched on, asking costs one
//! comparison.
//!
//! | module | job |
//! |---|---|
//! | `run_table`, `conform_table` | the library |
//! | `trigger` | when a defect acts, and the draws |
//! | `oracle` | what the core asks, and the counters |

mod conform_table;
mod oracle;
mod run_table;
mod trigger;

pub use conform_table::CONFORM_FAULTS;
pub(crate) use oracle::Faults;
pub use oracle::{FaultChoice, FaultCount, FaultMonitor, InFlight};
pub use run_table::FAULTS;
pub use trigger::Trigger;

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
    AssignAlter,
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
    AudLost,
    AudDuplicate,
    AudInBalance,
    AudLastBatch,
    AudLate,
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
    AudPasswordInEvent,
    AudPasswordInError,
    AudPasswordInAction,
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
    /// When it acts unless the command line says otherwise.
    pub trigger: Trigger,
    /// The fingerprints of the violations that count as having caught it; any of them is enough.
    /// Another violation of the same requirement tells of something else.
    pub fingerprints: &'static [&'static str],
    /// What the core does wrong.
    pub sentence: &'static str,
}

/// A row: defect, name, requirement, trigger where it is not [`Trigger::Always`], fingerprints,
/// sentence.
macro_rules! row {
    ($fault:ident, $name:literal, $requirement:literal, [$($print:literal),+], $sentence:literal) => {
        row!($fault, $name, $requirement, (crate::fault::Trigger::Always), [$($print),+], $sentence)
    };
    ($fault:ident, $name:literal, $requirement:literal, $trigger:expr, [$($print:literal),+], $sentence:literal) => {
        FaultRow {
            fault: Fault::$fault,
            name: $name,
            requirement: $requirement,
            trigger: $trigger,
            fingerprints: &[$($print),+],
            sentence: $sentence,
        }
    };
}
use row;

/// A defect that is wanted and cannot be run yet; none of them is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// The name that it will have.
    pub name: &'static str,
    /// The requirement that it will break.
    pub requirement: &'static str,
    /// What is missing.
    pub reason: &'static str,
}

/// A defect that no observer can tell from a right core; none of them is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EquivalentFault {
    /// Its name in the library.
    pub name: &'static str,
    /// Why nothing can show it.
    pub reason: &'static str,
    /// Who looked at it.
    pub reviewer: &'static str,
}

/// The defects that wait for something.
#[rustfmt::skip]
pub const PLANNED_FAULTS: &[PlannedFault] = &[
    planned("M-AUD-lost-at-restart", "REQ-AUDIT-004", NO_RESTART),
    planned("M-BAK-ack-before-durable", "REQ-SCHEDULE-002", NO_RESTART),
    planned("M-RBAC-revoked-still-works", "REQ-RBAC-003", "the control plane can give rights and not take them away"),
    planned("M-AUD-out-of-order", "REQ-AUDIT-009", "no check looks at the order of events"),
    planned("M-AUD-duplicate-on-retry", "REQ-AUDIT-004", "the harness never sends a call twice"),
    planned("M-BAK-older-overwrites-newer", "REQ-BACKUP-004", "no scenario uploads an older password after a newer one"),
    planned("M-CONF-by-definition-id-not-leaf", "REQ-CONFLICT-001", "no scenario sets one leaf by two definitions"),
    planned("M-CONF-one-device-in-1000", "REQ-CONFLICT-001", "no load has clashing policies; `M-CONF-last-writer@devices=1000` is the fault"),
    planned("M-ROT-failed-attempt-resets-schedule", "REQ-SCHEDULE-002", "no scenario reads the schedule after a failed attempt"),
    planned("M-VIEW-old-account", "REQ-VIEW-005", "no scenario reads the history after the account changed"),
];

const NO_RESTART: &str = "the core keeps nothing over a restart";

const fn planned(
    name: &'static str,
    requirement: &'static str,
    reason: &'static str,
) -> PlannedFault {
    PlannedFault {
        name,
        requirement,
        reason,
    }
}

/// The defects that were declared equivalent; that is never inferred from a run.
pub const EQUIVALENT_FAULTS: &[EquivalentFault] = &[];

/// Every defect of the library.
pub fn all_faults() -> impl Iterator<Item = &'static FaultRow> {
    FAULTS.iter().chain(CONFORM_FAULTS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        let mut seen = BTreeSet::new();
        for row in all_faults() {
            assert!(seen.insert(row.name), "{} stands twice", row.name);
            let choice: FaultChoice = row.name.parse().unwrap();
            assert_eq!(choice, FaultChoice::of_row(row));
        }
        for row in PLANNED_FAULTS {
            assert!(seen.insert(row.name), "{} stands twice", row.name);
        }
        for row in EQUIVALENT_FAULTS {
            assert!(seen.contains(row.name), "{} is in no table", row.name);
        }
    }
}
