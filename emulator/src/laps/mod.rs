//! The LAPS engine of a device: what it manages, when it rotates, and in which order.
//!
//! [`policy`] says which settings are in force, [`account`] which account they mean, [`cycle`]
//! when a rotation begins and how it ends, [`password`] draws passwords, [`directory`] is the
//! emulated Active Directory. Requests to the Entra side leave as values; this module sends
//! nothing.

pub(crate) mod account;
pub(crate) mod cycle;
mod defect;
pub(crate) mod directory;
pub(crate) mod password;
pub(crate) mod policy;
mod rest;

use protocol::secret::Secret;
use protocol::time::UtcMillis;

use crate::connectivity::Connectivity;
use crate::event::{NothingManaged, RotationKind};
use crate::identity::Identity;
use account::{Account, AccountSummary, AccountView};
use directory::ActiveDirectoryRecord;
use policy::EffectivePolicy;
pub(crate) use rest::AtRest;

/// What the engine stands on during one call.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) policy: EffectivePolicy,
    pub(crate) connectivity: Connectivity,
    /// Enrolled and known to the directory: an upload has somewhere to go.
    pub(crate) directory_known: bool,
}

/// How the last rotation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Rotated,
    Failed(RotationKind),
}

/// The state of the engine.
#[derive(Clone, Debug)]
pub(crate) struct Laps {
    accounts: Vec<Account>,
    /// The last successful backup under the present policy.
    backup: Option<Box<Backup>>,
    /// The rotation under way.
    rotation: Option<Box<Rotation>>,
    directory: Option<Box<ActiveDirectoryRecord>>,
    /// Passwords generated so far.
    generation: u32,
    /// `ResetPasswordStatus`.
    reset_status: i32,
    /// Failed attempts after the present authentication.
    post_authentication_failures: u8,
    unmanaged: Option<NothingManaged>,
    settled: Option<Settled>,
}

/// Where a backup went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Entra,
    ActiveDirectory,
}

/// A password that is in the directory and on the device.
#[derive(Clone, Debug)]
struct Backup {
    store: Store,
    rid: u32,
    password: Secret,
    changed_at: UtcMillis,
    /// Kept on the device: Entra mode never asks the directory (F-064).
    expires_at: UtcMillis,
}

/// A new password on its way.
#[derive(Clone, Debug)]
struct Rotation {
    kind: RotationKind,
    store: Store,
    rid: u32,
    name: Box<str>,
    generation: u32,
    password: Secret,
    stage: Stage,
    /// An Exec waits for the outcome.
    answers_exec: bool,
}

/// How far a rotation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Held back until the status node was read this many times.
    Deferred { reads: u8 },
    /// To be uploaded.
    Waiting,
    /// Uploaded with these times, unanswered.
    Sent {
        changed_at: UtcMillis,
        expires_at: UtcMillis,
    },
}

impl Laps {
    pub(crate) fn new(accounts: Vec<Account>) -> Self {
        Self {
            accounts,
            backup: None,
            rotation: None,
            directory: None,
            generation: 0,
            reset_status: 0,
            post_authentication_failures: 0,
            unmanaged: None,
            settled: None,
        }
    }

    /// How the last rotation ended, told once.
    pub(crate) const fn take_settled(&mut self) -> Option<Settled> {
        self.settled.take()
    }

    /// The HRESULT of the last `ResetPassword`; 0 before any (F-055).
    pub(crate) const fn reset_status(&self) -> i32 {
        self.reset_status
    }

    /// True when an upload has to go out before anything else.
    pub(crate) fn upload_waits(&self) -> bool {
        self.rotation
            .as_ref()
            .is_some_and(|rotation| rotation.stage == Stage::Waiting)
    }

    pub(crate) fn managed_account(&self, identity: &Identity) -> Option<AccountView<'_>> {
        let backup = self.backup.as_deref()?;
        let account = self
            .accounts
            .iter()
            .find(|account| account.rid == backup.rid)?;
        Some(AccountView {
            name: &account.name,
            sid: identity.machine_sid.account(account.rid),
            password: backup.password.expose(),
            generation: account.generation,
            changed_at: backup.changed_at,
            expires_at: backup.expires_at,
        })
    }

    pub(crate) fn accounts(&self, identity: &Identity) -> Vec<AccountSummary> {
        let summary = |account: &Account| AccountSummary {
            name: account.name.as_ref().to_owned(),
            sid: identity.machine_sid.account(account.rid),
            enabled: account.enabled,
            generation: account.generation,
        };
        self.accounts.iter().map(summary).collect()
    }

    pub(crate) fn active_directory(&self) -> Option<&ActiveDirectoryRecord> {
        self.directory.as_deref()
    }

    pub(crate) fn active_directory_mut(&mut self) -> Option<&mut ActiveDirectoryRecord> {
        self.directory.as_deref_mut()
    }

    /// Forgets what belongs to an enrolment: the policy is gone with it, and the first one to come
    /// rotates at once (F-063).
    pub(crate) fn forget_policy(&mut self) {
        self.backup = None;
        self.rotation = None;
        self.reset_status = 0;
        self.post_authentication_failures = 0;
        self.unmanaged = None;
    }
}
