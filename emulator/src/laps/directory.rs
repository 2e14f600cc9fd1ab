//! The computer object of a domain-joined device in an emulated Active Directory.

use protocol::secret::Secret;
use protocol::time::UtcMillis;

/// What Active Directory holds for a device (F-093, F-095).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveDirectoryRecord {
    /// The managed account.
    pub account_name: String,
    /// Its password.
    pub password: Secret,
    /// When the password was stored.
    pub updated_at: UtcMillis,
    /// The expiry attribute, which the device polls each cycle (F-064).
    pub expires_at: UtcMillis,
    /// Whether the password is stored encrypted.
    pub encrypted: bool,
    /// Former encrypted passwords, newest first.
    pub history: Vec<Secret>,
}

impl ActiveDirectoryRecord {
    /// Stores a new password over `former`: with encryption the one it replaces goes to the
    /// history, which is cut to `history_size` (F-093).
    pub(crate) fn succeed(mut self, former: Option<Self>, history_size: u32) -> Self {
        let Some(former) = former else { return self };
        if self.encrypted {
            let mut history = former.history;
            if former.encrypted {
                history.insert(0, former.password);
            }
            history.truncate(usize::try_from(history_size).unwrap_or(usize::MAX));
            self.history = history;
        }
        self
    }
}
