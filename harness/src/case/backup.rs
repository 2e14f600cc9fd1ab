//! Who may back up where, and what the directory takes.

use protocol::graph::report::PolicyState;

use super::{ActionSeen, MetadataRead};
use crate::transcript::ExchangeId;

/// What the directory takes and shows.
#[derive(Clone, Debug)]
pub enum DirectoryCase {
    /// A device in a situation.
    Backup(BackupCase),
    /// An upload with the identity of another device.
    Foreign(ForeignUploadCase),
    /// The metadata of a backup.
    Times(BackupTimesCase),
    /// Hours in which nothing is due.
    Quiet(QuietCase),
}

/// In which situation a device is to be backed up, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupSituation {
    /// Entra joined, told to use Microsoft Entra ID (F-130).
    EntraJoined,
    /// Hybrid joined, told to use Microsoft Entra ID (F-131).
    HybridEntra,
    /// Hybrid joined, told to use Active Directory from now on (F-131).
    HybridAd,
    /// Entra registered (F-133).
    Registered,
    /// Not joined at all (F-009).
    Unjoined,
    /// The same machine, joined since (F-009).
    JoinedSince,
    /// Entra joined while the switch of the tenant is off (F-190).
    SwitchOff,
    /// The device object is disabled (F-136).
    Disabled,
    /// No directory is chosen (S8).
    NoDirectory,
}

/// A device in such a situation, from before to after.
#[derive(Clone, Debug)]
pub struct BackupCase {
    /// The device's name.
    pub device: String,
    /// The situation.
    pub situation: BackupSituation,
    /// What the situation needs was delivered and taken.
    pub delivered: bool,
    /// Sessions in the situation that did not come to their proper end.
    pub broken: u32,
    /// Uploads in the situation that the directory took.
    pub accepted: u32,
    /// Uploads in the situation that it refused, those of the scenario included.
    pub refused: u32,
    /// Backups to the emulated Active Directory in the situation.
    pub ad_backups: u32,
    /// Execs of `ResetPassword` in the situation.
    pub execs: u32,
    /// The metadata before.
    pub before: MetadataRead,
    /// The metadata after.
    pub after: MetadataRead,
    /// The metadata shows the last upload that the directory took.
    pub shows_last: bool,
    /// The rotation asked for in the situation, as listed.
    pub rotation: Option<ActionSeen>,
    /// The state of the policy on the device, `None` without row.
    pub device_state: Option<PolicyState>,
    /// The same way led to a backup where the situation did not hold.
    pub twin: bool,
    /// The sessions, uploads and reads.
    pub exchanges: Vec<ExchangeId>,
}

/// An upload with the identity of another device.
#[derive(Clone, Debug)]
pub struct ForeignUploadCase {
    /// The device whose identity was used.
    pub sender: String,
    /// The device that was named.
    pub named: String,
    /// The status; `None` when no answer came.
    pub status: Option<u16>,
    /// What the directory shows of the device named changed.
    pub changed: bool,
    /// The sender may upload for itself.
    pub twin: bool,
    /// The upload and the reads.
    pub exchanges: Vec<ExchangeId>,
}

/// The metadata of a backup.
#[derive(Clone, Debug)]
pub struct BackupTimesCase {
    /// The device's name.
    pub device: String,
    /// `PasswordAgeDays` that the device holds.
    pub age_days: u32,
    /// `backupDateTime` of the upload.
    pub at: protocol::time::UtcTicks,
    /// The metadata read after it.
    pub shown: MetadataRead,
    /// The upload and the read.
    pub exchanges: Vec<ExchangeId>,
}

/// Hours in which nothing is due.
#[derive(Clone, Debug)]
pub struct QuietCase {
    /// The device's name.
    pub device: String,
    /// Hours that passed on the device's clock since its backup, its own cycles among them.
    pub hours: u32,
    /// Sessions in these hours that came to their proper end.
    pub sessions: u32,
    /// The backup that came before.
    pub backed_up: bool,
    /// Days that the password may have.
    pub age_days: u32,
    /// Requests to the directory in these hours.
    pub requests: u32,
    /// The exchanges.
    pub exchanges: Vec<ExchangeId>,
}
