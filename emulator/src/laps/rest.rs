//! The engine of a device between two sessions, without what follows from other facts: the
//! accounts are those of the specification, the password is a function of its number and the
//! policy.

use protocol::secret::Secret;
use protocol::time::UtcMillis;

use crate::event::NothingManaged;
use crate::identity::LocalAccount;
use crate::laps::account::Account;
use crate::laps::{Backup, Laps, Store};

/// An engine at rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AtRest {
    backup: Option<BackupAtRest>,
    /// The account whose password LAPS set, when there is one, and the number of that.
    touched_rid: u32,
    touched_generation: u32,
    generation: u32,
    reset_status: i32,
    post_authentication_failures: u8,
    unmanaged: Option<NothingManaged>,
}

#[derive(Clone, Copy, Debug)]
struct BackupAtRest {
    changed_at: UtcMillis,
    expires_at: UtcMillis,
    rid: u32,
    store: Store,
}

impl Laps {
    /// True when nothing is under way.
    pub(crate) const fn is_idle(&self) -> bool {
        self.rotation.is_none() && self.settled.is_none()
    }

    /// The engine without what can be made again, for an idle one; `None` when it has more to it.
    /// `password` makes the password with a number under the present policy.
    pub(crate) fn at_rest(
        &self,
        accounts: &[LocalAccount],
        password: impl FnOnce(u32) -> Secret,
    ) -> Option<AtRest> {
        if self.directory.is_some() || self.accounts.len() != accounts.len() {
            return None;
        }
        let mut touched = None;
        for (now, before) in self.accounts.iter().zip(accounts) {
            let Account {
                name,
                rid,
                generation,
                enabled,
                automatic,
            } = now;
            let same = **name == *before.name && *rid == before.rid && *enabled == before.enabled;
            let second = *generation != 0 && touched.replace((*rid, *generation)).is_some();
            if !same || *automatic || second {
                return None;
            }
        }
        let (touched_rid, touched_generation) = touched.unwrap_or((0, 0));
        let backup = match self.backup.as_deref() {
            None => None,
            // Under another policy the same number makes another password.
            Some(backup) if backup.password != password(touched_generation) => return None,
            Some(backup) => Some(BackupAtRest {
                changed_at: backup.changed_at,
                expires_at: backup.expires_at,
                rid: backup.rid,
                store: backup.store,
            }),
        };
        Some(AtRest {
            backup,
            touched_rid,
            touched_generation,
            generation: self.generation,
            reset_status: self.reset_status,
            post_authentication_failures: self.post_authentication_failures,
            unmanaged: self.unmanaged,
        })
    }
}

impl AtRest {
    /// The engine again.
    pub(crate) fn wake(
        self,
        accounts: Vec<LocalAccount>,
        password: impl FnOnce(u32) -> Secret,
    ) -> Laps {
        let mut laps = Laps::new(accounts.into_iter().map(Into::into).collect());
        for account in &mut laps.accounts {
            if account.rid == self.touched_rid {
                account.generation = self.touched_generation;
            }
        }
        laps.backup = self.backup.map(|backup| {
            Box::new(Backup {
                store: backup.store,
                rid: backup.rid,
                password: password(self.touched_generation),
                changed_at: backup.changed_at,
                expires_at: backup.expires_at,
            })
        });
        laps.generation = self.generation;
        laps.reset_status = self.reset_status;
        laps.post_authentication_failures = self.post_authentication_failures;
        laps.unmanaged = self.unmanaged;
        laps
    }
}
