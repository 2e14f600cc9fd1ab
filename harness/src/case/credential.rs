//! Credentials in the directory: what is shown, to whom, and when they change.

use protocol::time::UtcTicks;

use crate::transcript::ExchangeId;

/// A read of a credential's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataRead {
    /// Status; `None` when no answer came.
    pub status: Option<u16>,
    /// Last rotation.
    pub last: Option<UtcTicks>,
    /// Next rotation.
    pub next: Option<UtcTicks>,
}

/// A read that asks for the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplicitRead {
    /// Status; `None` when no answer came.
    pub status: Option<u16>,
    /// Account name of the newest entry.
    pub account: Option<String>,
    /// Security identifier of the newest entry.
    pub sid: Option<String>,
    /// Time of the newest entry.
    pub backup: Option<UtcTicks>,
    /// The newest entry's password is the one the device holds.
    pub password_matches: bool,
}

/// An accepted upload, and what was shown after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupShown {
    /// `backupDateTime` of the upload.
    pub at: UtcTicks,
    /// `refreshDateTime` of the upload.
    pub refresh: UtcTicks,
    /// The metadata read after it and before the next.
    pub shown: MetadataRead,
}

/// The days after a first backup, by the device's clock.
#[derive(Clone, Debug)]
pub struct ScheduleCase {
    /// The device's name.
    pub device: String,
    /// `PasswordAgeDays` of the policy.
    pub age_days: u32,
    /// Index in `backups` of the one that a manual rotation caused, when one was asked for.
    pub manual: Option<usize>,
    /// A manual rotation was asked for.
    pub manual_asked: bool,
    /// Uploads that the directory refused.
    pub uploads_refused: u32,
    /// Every accepted upload, oldest first; the first belongs to the first session.
    pub backups: Vec<BackupShown>,
    /// Execs of `ResetPassword` beyond those of manual rotations.
    pub unasked_execs: u32,
    /// Sessions completed after the first, besides the one of a manual rotation.
    pub sessions: u32,
    /// Up to when the device's clock ran.
    pub ran_until: UtcTicks,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// The views of a credential that is backed up to Microsoft Entra ID.
#[derive(Clone, Debug)]
pub struct CredentialViewCase {
    /// The device's name.
    pub device: String,
    /// Account name of the upload.
    pub account: String,
    /// Security identifier of the upload.
    pub sid: String,
    /// Relative identifier of the managed account.
    pub rid: u32,
    /// `backupDateTime` of the upload.
    pub last: UtcTicks,
    /// `refreshDateTime` of the upload.
    pub next: UtcTicks,
    /// The read with rights to metadata.
    pub metadata: MetadataRead,
    /// Default reads that had a password in them, one name each.
    pub leaks: Vec<&'static str>,
    /// The read that asks for the password.
    pub explicit: ExplicitRead,
    /// The reads.
    pub exchanges: Vec<ExchangeId>,
}

/// How a device came to use Active Directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdViewKind {
    /// It was backed up to Microsoft Entra ID before.
    FormerlyEntra,
    /// It backed up to Active Directory from the start.
    FromStart,
    /// It is set to Active Directory and was never backed up.
    NotBackedUp,
}

/// The view of a device that uses Active Directory.
#[derive(Clone, Debug)]
pub struct AdViewCase {
    /// The device's name.
    pub device: String,
    /// How it came to it.
    pub kind: AdViewKind,
    /// The setting was sent in a session that came to its proper end.
    pub delivered: bool,
    /// Status of the read that asks for the password.
    pub status: Option<u16>,
    /// The answer has a password in it.
    pub leaked: bool,
    /// The same read gave the password of a device that uses Microsoft Entra ID, before and after.
    pub twin: bool,
    /// The reads.
    pub exchanges: Vec<ExchangeId>,
}

/// Passwords read, and the events of it.
#[derive(Clone, Debug)]
pub struct ViewAuditCase {
    /// The device's name.
    pub device: String,
    /// Reads that asked for the password and got it.
    pub reads: u32,
    /// Reads of metadata beside them.
    pub metadata_reads: u32,
    /// Events of retrieval of that device.
    pub events: u32,
    /// The reads and the log.
    pub exchanges: Vec<ExchangeId>,
}
