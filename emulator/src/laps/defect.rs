//! What a device with a deliberate defect does beside, or instead of, what is right.

use protocol::time::UtcMillis;

use crate::event::RotationKind;
use crate::fault::DeviceFault;
use crate::identity::BUILT_IN_ADMINISTRATOR;
use crate::laps::{Ground, Laps};

impl Laps {
    /// Before the outcome of an upload is taken: some defects act on the rotation under way.
    /// Returns the expiry to be kept.
    pub(crate) fn before_upload_end(
        &mut self,
        fault: DeviceFault,
        stored: bool,
    ) -> Option<UtcMillis> {
        let rotation = self.rotation.as_deref()?;
        if fault == DeviceFault::BackupLocalFirst && !stored {
            let (rid, generation) = (rotation.rid, rotation.generation);
            if let Some(backup) = self.backup.as_deref_mut() {
                backup.password = rotation.password.clone();
            }
            self.mark(rid, generation);
            return None;
        }
        let keeps = fault == DeviceFault::PostAuthKeepsSchedule
            && rotation.kind == RotationKind::PostAuthentication;
        self.backup
            .as_deref()
            .filter(|_| keeps)
            .map(|backup| backup.expires_at)
    }

    /// After the outcome of an upload was taken.
    pub(crate) fn after_upload_end(
        &mut self,
        (fault, stored): (DeviceFault, bool),
        kept: Option<UtcMillis>,
        age_ms: i64,
    ) {
        if fault == DeviceFault::AcctTouchesBuiltIn && stored {
            self.mark(BUILT_IN_ADMINISTRATOR, self.generation);
        }
        let Some(backup) = self.backup.as_deref_mut() else {
            return;
        };
        if let Some(kept) = kept {
            backup.expires_at = kept;
        }
        if fault == DeviceFault::BackupRefusalAdvances && !stored {
            backup.expires_at = backup.expires_at.plus_millis(age_ms);
        }
    }

    /// Notes that LAPS changed the password of an account.
    fn mark(&mut self, rid: u32, generation: u32) {
        let account = self.accounts.iter_mut().find(|account| account.rid == rid);
        if let Some(account) = account {
            account.generation = generation;
        }
    }

    /// The account that a device keeps to which never lets go of one.
    pub(super) fn kept_account(&self, ground: &Ground<'_>) -> Option<usize> {
        if !ground.identity.has(DeviceFault::AcctKeepsFormer) {
            return None;
        }
        let backup = self.backup.as_deref()?;
        self.accounts
            .iter()
            .position(|account| account.rid == backup.rid)
    }

    /// Whether a `ResetPassword` goes unheeded because the password has not expired.
    pub(super) fn minds_age(&self, now: UtcMillis, ground: &Ground<'_>) -> bool {
        let young = |expires_at: UtcMillis| now < expires_at;
        ground.identity.has(DeviceFault::ResetMindsAge)
            && self
                .backup
                .as_deref()
                .is_some_and(|backup| young(backup.expires_at))
    }

    /// Forgets the last backup, so that the next cycle rotates.
    pub(crate) fn forget_backup(&mut self) {
        self.backup = None;
    }
}
