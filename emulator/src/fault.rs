//! Deliberate defects of the device, one variant each, and the requirement that each breaks.
//!
//! They prove the judgement of our own device: switched on one at a time
//! ([`DeviceSpec::fault`](crate::DeviceSpec::fault)), a defect must turn the requirement it names to
//! fail. With none switched on, asking costs one comparison.

use std::ops::RangeInclusive;

use protocol::laps_csp::{Leaf, Value};

/// A deliberate defect of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is described by its sentence in the table below"
)]
pub enum DeviceFault {
    PolicyMergesRoots,
    PolicyGroupFirst,
    PolicyLegacyFirst,
    SchedFirstWaits,
    SchedAgeMovesExpiry,
    SchedEditRotates,
    AcctBuiltInByName,
    AcctTouchesBuiltIn,
    AcctCreatesMissing,
    AcctKeepsFormer,
    AcctAutomaticBuiltIn,
    AcctPrefixUncut,
    AcctSameDigits,
    BackupLocalFirst,
    BackupRefusalAdvances,
    BackupHammers,
    BackupNoJitter,
    PwgenOneShort,
    PwgenSetMissing,
    PwgenConfusable,
    PwgenLowerCase,
    PwgenSeparator,
    PwgenWrongList,
    PostAuthNever,
    PostAuthEarly,
    PostAuthGivesUp,
    PostAuthEndless,
    PostAuthKeepsSchedule,
    DirectoryTakesThree,
    DirectoryTwoIsEntra,
    GetShowsDefault,
    AgeTakesSix,
    ExecOnLeaf,
    ComplexityNewOnOld,
    ComplexityTakesNine,
    LengthTakesSeven,
    LengthGovernsWords,
    AddTwice,
    PassphraseTakesEleven,
    PassphraseOnOld,
    NameIgnored,
    NameBeatsAutomatic,
    HistoryUntrimmed,
    HistoryTakesThirteen,
    PrincipalStopsEntra,
    DelayZeroIsDefault,
    DelayTakes25,
    FormatUnchecked,
    ActionsElevenOnOld,
    ActionsTakeTwo,
    AutomaticOnOld,
    AutomaticUnasked,
    AutomaticTargetDefault,
    ResetDoesNothing,
    ResetMindsAge,
    ResetReadable,
    ResetWritable,
    StatusNeverPending,
    StatusSevenDigits,
    StatusForgetsFailure,
}

/// A row of the fault library of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceFaultRow {
    /// The defect.
    pub fault: DeviceFault,
    /// Its name.
    pub name: &'static str,
    /// The requirement that must turn to fail.
    pub requirement: &'static str,
    /// What the device does wrong.
    pub sentence: &'static str,
}

macro_rules! row {
    ($fault:ident, $name:literal, $requirement:literal, $sentence:literal) => {
        DeviceFaultRow {
            fault: DeviceFault::$fault,
            name: $name,
            requirement: $requirement,
            sentence: $sentence,
        }
    };
}

/// Every defect, in the order of the requirements.
#[rustfmt::skip]
pub const DEVICE_FAULTS: &[DeviceFaultRow] = &[
    row!(PolicyMergesRoots, "D-POLICY-merges-roots", "REQ-POLICY-001", "takes settings that the CSP does not configure from Group Policy"),
    row!(PolicyGroupFirst, "D-POLICY-group-policy-first", "REQ-POLICY-001", "obeys Group Policy although the CSP has a setting"),
    row!(PolicyLegacyFirst, "D-POLICY-legacy-first", "REQ-POLICY-001", "obeys legacy LAPS although the CSP has a setting"),
    row!(SchedFirstWaits, "D-SCHED-first-waits", "REQ-SCHEDULE-001", "does not rotate when a policy is applied for the first time"),
    row!(SchedAgeMovesExpiry, "D-SCHED-age-moves-expiry", "REQ-SCHEDULE-005", "counts a new age from the last rotation on"),
    row!(SchedEditRotates, "D-SCHED-edit-rotates", "REQ-SCHEDULE-005", "rotates on every change of a setting"),
    row!(AcctBuiltInByName, "D-ACCT-built-in-by-name", "REQ-ACCOUNT-001", "looks for the built-in administrator by its name"),
    row!(AcctTouchesBuiltIn, "D-ACCT-touches-built-in", "REQ-ACCOUNT-002", "changes the built-in administrator beside the account named"),
    row!(AcctCreatesMissing, "D-ACCT-creates-missing", "REQ-ACCOUNT-004", "makes the account named when it does not exist"),
    row!(AcctKeepsFormer, "D-ACCT-keeps-former", "REQ-ACCOUNT-005", "goes on with the former account when the policy names another"),
    row!(AcctAutomaticBuiltIn, "D-ACCT-automatic-built-in", "REQ-ACCOUNT-006", "manages the built-in administrator where the automatic mode wants an account of its own"),
    row!(AcctPrefixUncut, "D-ACCT-prefix-uncut", "REQ-ACCOUNT-006", "appends the digits to a prefix of 20 characters"),
    row!(AcctSameDigits, "D-ACCT-same-digits", "REQ-ACCOUNT-006", "keeps the random digits of the name over rotations"),
    row!(BackupLocalFirst, "D-BACKUP-local-first", "REQ-BACKUP-001", "changes the local password although the directory refused the new one"),
    row!(BackupRefusalAdvances, "D-BACKUP-refusal-advances", "REQ-BACKUP-004", "moves the expiry by the age when the directory refuses"),
    row!(BackupHammers, "D-BACKUP-hammers", "REQ-BACKUP-004", "tries a refused backup again every minute"),
    row!(BackupNoJitter, "D-BACKUP-no-jitter", "REQ-BACKUP-004", "runs its cycle on the full hour, as all its fleet"),
    row!(PwgenOneShort, "D-PWGEN-one-short", "REQ-PWGEN-001", "makes passwords that are one character too short"),
    row!(PwgenSetMissing, "D-PWGEN-set-missing", "REQ-PWGEN-001", "draws all characters from all sets together"),
    row!(PwgenConfusable, "D-PWGEN-confusable", "REQ-PWGEN-001", "uses characters that are easily confused in complexity 5"),
    row!(PwgenLowerCase, "D-PWGEN-lower-case", "REQ-PWGEN-002", "leaves the first letter of words small"),
    row!(PwgenSeparator, "D-PWGEN-separator", "REQ-PWGEN-002", "puts a hyphen between words"),
    row!(PwgenWrongList, "D-PWGEN-wrong-list", "REQ-PWGEN-002", "takes the words of complexity 6 in complexity 7"),
    row!(PostAuthNever, "D-POSTAUTH-never", "REQ-POSTAUTH-001", "lets the deadline after a sign-in pass"),
    row!(PostAuthEarly, "D-POSTAUTH-early", "REQ-POSTAUTH-001", "rotates in the first cycle after a sign-in"),
    row!(PostAuthGivesUp, "D-POSTAUTH-gives-up", "REQ-POSTAUTH-001", "does not try again when the rotation after a sign-in fails"),
    row!(PostAuthEndless, "D-POSTAUTH-endless", "REQ-POSTAUTH-001", "tries the rotation after a sign-in again without end"),
    row!(PostAuthKeepsSchedule, "D-POSTAUTH-keeps-schedule", "REQ-POSTAUTH-001", "keeps the former expiry after the rotation that follows a sign-in"),
    row!(DirectoryTakesThree, "D-CSP-directory-takes-three", "REQ-CSP-BackupDirectory-001", "takes directory 3 for Microsoft Entra ID"),
    row!(DirectoryTwoIsEntra, "D-CSP-directory-two-is-entra", "REQ-CSP-BackupDirectory-001", "backs up to Microsoft Entra ID where Active Directory is chosen"),
    row!(GetShowsDefault, "D-CSP-get-shows-default", "REQ-CSP-BackupDirectory-001", "answers a Get with the default instead of the value written"),
    row!(AgeTakesSix, "D-CSP-age-takes-six", "REQ-CSP-PasswordAgeDays-002", "lets an age below 7 days count with Microsoft Entra ID"),
    row!(ExecOnLeaf, "D-CSP-exec-on-leaf", "REQ-CSP-PasswordAgeDays-002", "answers an Exec of a setting with 200"),
    row!(ComplexityNewOnOld, "D-CSP-complexity-new-on-old", "REQ-CSP-PasswordComplexity-001", "takes complexities 5 to 8 on a build that does not know them"),
    row!(ComplexityTakesNine, "D-CSP-complexity-takes-nine", "REQ-CSP-PasswordComplexity-001", "takes complexity 9 for 1"),
    row!(LengthTakesSeven, "D-CSP-length-takes-seven", "REQ-CSP-PasswordLength-001", "makes passwords of 7 characters when told to"),
    row!(LengthGovernsWords, "D-CSP-length-governs-words", "REQ-CSP-PasswordLength-001", "makes passphrases of as many words as the password length says"),
    row!(AddTwice, "D-CSP-add-twice", "REQ-CSP-PasswordLength-001", "lets an Add overwrite a setting that exists"),
    row!(PassphraseTakesEleven, "D-CSP-passphrase-takes-eleven", "REQ-CSP-PassphraseLength-001", "makes passphrases of 11 words when told to"),
    row!(PassphraseOnOld, "D-CSP-passphrase-on-old", "REQ-CSP-PassphraseLength-001", "takes the passphrase length on a build that does not have it"),
    row!(NameIgnored, "D-CSP-name-ignored", "REQ-CSP-AdministratorAccountName-001", "manages the built-in administrator whatever account is named"),
    row!(NameBeatsAutomatic, "D-CSP-name-beats-automatic", "REQ-CSP-AdministratorAccountName-001", "obeys the account name in the automatic mode"),
    row!(HistoryUntrimmed, "D-CSP-history-untrimmed", "REQ-CSP-ADonly-001", "keeps more former passwords in Active Directory than told"),
    row!(HistoryTakesThirteen, "D-CSP-history-takes-thirteen", "REQ-CSP-ADonly-001", "takes a history of 13 passwords"),
    row!(PrincipalStopsEntra, "D-CSP-principal-stops-entra", "REQ-CSP-ADonly-001", "does not back up to Microsoft Entra ID when the principal for Active Directory names nobody"),
    row!(DelayZeroIsDefault, "D-CSP-delay-zero-is-default", "REQ-CSP-PostAuthenticationResetDelay-001", "takes a delay of 0 for the default"),
    row!(DelayTakes25, "D-CSP-delay-takes-25", "REQ-CSP-PostAuthenticationResetDelay-001", "waits 25 hours after a sign-in when told to"),
    row!(FormatUnchecked, "D-CSP-format-unchecked", "REQ-CSP-PostAuthenticationResetDelay-001", "does not look at the format of a value"),
    row!(ActionsElevenOnOld, "D-CSP-actions-eleven-on-old", "REQ-CSP-PostAuthenticationActions-001", "takes actions 11 on a build that does not know them"),
    row!(ActionsTakeTwo, "D-CSP-actions-take-two", "REQ-CSP-PostAuthenticationActions-001", "takes actions 2"),
    row!(AutomaticOnOld, "D-CSP-automatic-on-old", "REQ-CSP-AutomaticAccountManagement-001", "takes the automatic mode on a build that does not have it"),
    row!(AutomaticUnasked, "D-CSP-automatic-unasked", "REQ-CSP-AutomaticAccountManagement-001", "runs the automatic mode although it is not enabled"),
    row!(AutomaticTargetDefault, "D-CSP-automatic-target-default", "REQ-CSP-AutomaticAccountManagement-001", "takes the built-in administrator for the default target of the automatic mode"),
    row!(ResetDoesNothing, "D-CSP-reset-does-nothing", "REQ-CSP-ResetPassword-001", "answers the Exec of ResetPassword and does nothing"),
    row!(ResetMindsAge, "D-CSP-reset-minds-age", "REQ-CSP-ResetPassword-001", "carries out ResetPassword only when the password has expired"),
    row!(ResetReadable, "D-CSP-reset-readable", "REQ-CSP-ResetPassword-001", "answers a Get of ResetPassword with a value"),
    row!(ResetWritable, "D-CSP-reset-writable", "REQ-CSP-ResetPassword-001", "answers a Replace of ResetPassword with 200"),
    row!(StatusNeverPending, "D-CSP-status-never-pending", "REQ-CSP-ResetPasswordStatus-001", "reads 0 while a reset is under way"),
    row!(StatusSevenDigits, "D-CSP-status-seven-digits", "REQ-CSP-ResetPasswordStatus-001", "reads 0x8000000 while a reset is under way"),
    row!(StatusForgetsFailure, "D-CSP-status-forgets-failure", "REQ-CSP-ResetPasswordStatus-001", "reads 0 after a reset that failed"),
];

impl DeviceFault {
    /// The defect with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        DEVICE_FAULTS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.fault)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        DEVICE_FAULTS
            .iter()
            .find(|row| row.fault == self)
            .map_or("", |row| row.name)
    }

    /// A value that this defect lets through and the CSP does not.
    fn also_takes(self, leaf: Leaf, value: &Value) -> bool {
        let wrong = |row: &&(Self, Leaf, RangeInclusive<i32>)| {
            let (fault, of, values) = row;
            *fault == self
                && *of == leaf
                && matches!(value, Value::Int(value) if values.contains(value))
        };
        self.brings(leaf) || ALSO_TAKEN.iter().any(|row| wrong(&row))
    }

    /// A leaf that this defect gives to builds without it.
    pub(crate) fn brings(self, leaf: Leaf) -> bool {
        BROUGHT
            .iter()
            .any(|(fault, brought)| *fault == self && *brought == leaf)
    }
}

/// Values that a defect lets through.
const ALSO_TAKEN: [(DeviceFault, Leaf, RangeInclusive<i32>); 9] = [
    (
        DeviceFault::DirectoryTakesThree,
        Leaf::BackupDirectory,
        3..=3,
    ),
    (
        DeviceFault::ComplexityNewOnOld,
        Leaf::PasswordComplexity,
        5..=8,
    ),
    (
        DeviceFault::ComplexityTakesNine,
        Leaf::PasswordComplexity,
        9..=9,
    ),
    (DeviceFault::LengthTakesSeven, Leaf::PasswordLength, 7..=7),
    (
        DeviceFault::PassphraseTakesEleven,
        Leaf::PassphraseLength,
        11..=11,
    ),
    (
        DeviceFault::HistoryTakesThirteen,
        Leaf::ADEncryptedPasswordHistorySize,
        13..=13,
    ),
    (
        DeviceFault::DelayTakes25,
        Leaf::PostAuthenticationResetDelay,
        25..=25,
    ),
    (
        DeviceFault::ActionsTakeTwo,
        Leaf::PostAuthenticationActions,
        2..=2,
    ),
    (
        DeviceFault::ActionsElevenOnOld,
        Leaf::PostAuthenticationActions,
        11..=11,
    ),
];

/// Leaves that a defect gives to builds without them.
const BROUGHT: [(DeviceFault, Leaf); 6] = [
    (DeviceFault::PassphraseOnOld, Leaf::PassphraseLength),
    (
        DeviceFault::AutomaticOnOld,
        Leaf::AutomaticAccountManagementEnabled,
    ),
    (
        DeviceFault::AutomaticOnOld,
        Leaf::AutomaticAccountManagementTarget,
    ),
    (
        DeviceFault::AutomaticOnOld,
        Leaf::AutomaticAccountManagementNameOrPrefix,
    ),
    (
        DeviceFault::AutomaticOnOld,
        Leaf::AutomaticAccountManagementEnableAccount,
    ),
    (
        DeviceFault::AutomaticOnOld,
        Leaf::AutomaticAccountManagementRandomizeName,
    ),
];

/// Whether a device of `build` takes a value: by the table of the CSP, or by its defect.
pub(crate) fn takes(fault: Option<DeviceFault>, leaf: Leaf, value: &Value, build: u32) -> bool {
    leaf.node().allows(value, build) || fault.is_some_and(|fault| fault.also_takes(leaf, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_defect_has_one_row_and_one_name() {
        for row in DEVICE_FAULTS {
            let same = |other: &&DeviceFaultRow| other.fault == row.fault || other.name == row.name;
            assert_eq!(DEVICE_FAULTS.iter().filter(same).count(), 1, "{}", row.name);
            assert_eq!(DeviceFault::by_name(row.name), Some(row.fault));
            assert!(row.name.starts_with("D-"));
        }
        assert_eq!(DeviceFault::by_name("D-NONE"), None);
    }
}
