//! The local accounts of a device, and which of them a policy means.

use std::fmt;

use protocol::time::UtcMillis;

use crate::event::NothingManaged;
use crate::fault::DeviceFault;
use crate::identity::{BUILT_IN_ADMINISTRATOR, Identity, LocalAccount};
use crate::laps::password::name_digits;
use crate::laps::policy::{AutomaticAccount, AutomaticTarget, EffectivePolicy};

/// A local account as LAPS sees it; the password of an account that LAPS never set is nobody's
/// business and not modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: Box<str>,
    pub(crate) rid: u32,
    /// Number of the password that LAPS set last; 0: none.
    pub(crate) generation: u32,
    pub(crate) enabled: bool,
    /// Made by the automatic mode.
    pub(crate) automatic: bool,
}

impl From<LocalAccount> for Account {
    fn from(account: LocalAccount) -> Self {
        Self {
            name: account.name.into_boxed_str(),
            rid: account.rid,
            generation: 0,
            enabled: account.enabled,
            automatic: false,
        }
    }
}

/// The managed account and its present password, for the one who drives the device.
#[derive(Clone)]
pub struct AccountView<'a> {
    /// Account name.
    pub name: &'a str,
    /// The whole SID.
    pub sid: String,
    /// The password; not part of the `Debug` form.
    pub password: &'a str,
    /// Number of the password; each generated password has its own, also one that was refused.
    pub generation: u32,
    /// When the password was set.
    pub changed_at: UtcMillis,
    /// When it expires on the device's clock.
    pub expires_at: UtcMillis,
}

impl fmt::Debug for AccountView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountView")
            .field("name", &self.name)
            .field("sid", &self.sid)
            .field("generation", &self.generation)
            .field("changed_at", &self.changed_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// An account of the device, managed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSummary {
    /// Account name.
    pub name: String,
    /// The whole SID.
    pub sid: String,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Number of the password that LAPS set last; 0: LAPS never touched the account.
    pub generation: u32,
}

/// The account that a policy means, by its place in the list.
///
/// An account of the automatic mode that does not exist yet is made here (F-114); no other one
/// ever is (F-111).
pub(crate) fn managed(
    accounts: &mut Vec<Account>,
    identity: &Identity,
    policy: &EffectivePolicy,
    next_generation: u32,
) -> Result<usize, NothingManaged> {
    let found = match (
        &policy.automatic_account,
        &policy.administrator_account_name,
    ) {
        _ if identity.has(DeviceFault::NameIgnored) => built_in(accounts),
        (Some(_), Some(name)) if identity.has(DeviceFault::NameBeatsAutomatic) => {
            named(accounts, name)
        }
        (Some(_), _) if identity.has(DeviceFault::AcctAutomaticBuiltIn) => built_in(accounts),
        (Some(automatic), _) if automatic.target == AutomaticTarget::Custom => {
            Some(own_account(accounts, identity, automatic, next_generation))
        }
        // F-025: the name is ignored in automatic mode.
        (None, Some(name)) => named(accounts, name).or_else(|| made(accounts, identity, name)),
        // F-110: by RID, never by name.
        (Some(_) | None, _) if identity.has(DeviceFault::AcctBuiltInByName) => {
            named(accounts, "Administrator")
        }
        (Some(_) | None, _) => built_in(accounts),
    };
    found.ok_or(NothingManaged::AccountMissing)
}

fn named(accounts: &[Account], name: &str) -> Option<usize> {
    accounts
        .iter()
        .position(|account| account.name.eq_ignore_ascii_case(name))
}

fn built_in(accounts: &[Account]) -> Option<usize> {
    accounts
        .iter()
        .position(|account| account.rid == BUILT_IN_ADMINISTRATOR)
}

/// The account that a device with the defect makes of a name; other devices make none.
fn made(accounts: &mut Vec<Account>, identity: &Identity, name: &str) -> Option<usize> {
    identity.has(DeviceFault::AcctCreatesMissing).then(|| {
        accounts.push(Account {
            name: name.into(),
            rid: free_rid(accounts),
            generation: 0,
            enabled: true,
            automatic: false,
        });
        accounts.len() - 1
    })
}

/// The name of the account at its next rotation: a new one each time when randomised (F-115).
pub(crate) fn next_name(
    account: &Account,
    identity: &Identity,
    policy: &EffectivePolicy,
    generation: u32,
) -> Box<str> {
    match &policy.automatic_account {
        Some(automatic) if automatic.target == AutomaticTarget::Custom => {
            automatic_name(identity, automatic, generation)
        }
        Some(_) | None => account.name.clone(),
    }
}

fn own_account(
    accounts: &mut Vec<Account>,
    identity: &Identity,
    automatic: &AutomaticAccount,
    generation: u32,
) -> usize {
    if let Some(at) = accounts.iter().position(|account| account.automatic) {
        accounts[at].enabled = automatic.enable;
        return at;
    }
    accounts.push(Account {
        name: automatic_name(identity, automatic, generation),
        rid: free_rid(accounts),
        generation: 0,
        enabled: automatic.enable,
        automatic: true,
    });
    accounts.len() - 1
}

fn free_rid(accounts: &[Account]) -> u32 {
    let highest = accounts.iter().map(|account| account.rid).max();
    highest.unwrap_or(0).max(FIRST_FREE_RID) + 1
}

/// F-115: names have at most 20 characters, so the prefix is cut to 14 before six digits.
fn automatic_name(identity: &Identity, automatic: &AutomaticAccount, generation: u32) -> Box<str> {
    let cut = automatic.randomize_name && !identity.has(DeviceFault::AcctPrefixUncut);
    let kept = if cut { 14 } else { 20 };
    let mut name: String = automatic.name_or_prefix.chars().take(kept).collect();
    if automatic.randomize_name {
        name.push_str(&name_digits(identity, generation));
    }
    name.into_boxed_str()
}

/// RIDs of accounts that are not built in start above this.
const FIRST_FREE_RID: u32 = 1000;
