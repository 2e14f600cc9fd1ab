//! Stored passwords after rotations, and after the end of their device.

use crate::transcript::ExchangeId;

/// One situation of a stored password.
#[derive(Clone, Debug)]
pub enum RecordCase {
    /// An explicit read after a backup.
    Current(CurrentPassword),
    /// A device object that was deleted.
    Deleted(DeletedDevice),
}

/// An explicit read after a backup.
#[derive(Clone, Debug)]
pub struct CurrentPassword {
    /// The device's name.
    pub device: String,
    /// Backups accepted so far.
    pub backups: u32,
    /// Status of the read; `None` when no answer came.
    pub status: Option<u16>,
    /// The newest entry's password is the one that the device holds.
    pub matches: bool,
    /// The read, and the upload before it.
    pub exchanges: Vec<ExchangeId>,
}

/// A device object that was deleted.
#[derive(Clone, Debug)]
pub struct DeletedDevice {
    /// The device's name.
    pub device: String,
    /// The password was readable before.
    pub readable_before: bool,
    /// Status of the deletion.
    pub deleted: Option<u16>,
    /// Status of the read of metadata afterwards.
    pub metadata: Option<u16>,
    /// Status of the read of the password afterwards.
    pub explicit: Option<u16>,
    /// The device still stands in the list of credentials.
    pub listed: bool,
    /// Reads that had a password in them afterwards, one name each.
    pub leaks: Vec<&'static str>,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}
