//! Which settings are in force: the policy roots, the defaults, and the values that do not count.

use std::collections::BTreeMap;

use protocol::laps_csp::{DefaultValue, Leaf, PASSWORD_AGE_MIN_ENTRA, Value};

use crate::fault::{DeviceFault, takes};
use crate::identity::LocalPolicy;

/// Explicit settings of one root, sorted by leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(Vec<(Leaf, Value)>);

impl Settings {
    pub(crate) fn get(&self, leaf: Leaf) -> Option<&Value> {
        let at = self.0.binary_search_by_key(&leaf, |(leaf, _)| *leaf).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Writes a value and says whether that changed anything.
    pub(crate) fn set(&mut self, leaf: Leaf, value: Value) -> bool {
        match self.0.binary_search_by_key(&leaf, |(leaf, _)| *leaf) {
            Ok(at) => {
                let changed = self.0[at].1 != value;
                self.0[at].1 = value;
                changed
            }
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (leaf, value));
                true
            }
        }
    }

    /// Removes a value and says whether there was one.
    pub(crate) fn remove(&mut self, leaf: Leaf) -> bool {
        match self.0.binary_search_by_key(&leaf, |(leaf, _)| *leaf) {
            Ok(at) => {
                self.0.remove(at);
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = Leaf> {
        self.0.iter().map(|(leaf, _)| *leaf)
    }
}

/// The root that the settings come from (F-060).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicySource {
    /// No root has an explicit setting.
    None,
    /// The configuration service provider.
    Csp,
    /// Group Policy.
    GroupPolicy,
    /// Local configuration.
    Local,
    /// Legacy LAPS.
    Legacy,
}

/// Where passwords are backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupDirectory {
    /// Nowhere; every other setting is ignored (F-042).
    Disabled,
    /// Microsoft Entra ID.
    Entra,
    /// Active Directory.
    ActiveDirectory,
}

/// The settings in force: explicit where valid, else the defaults (F-043).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectivePolicy {
    /// The root they come from.
    pub source: PolicySource,
    /// `BackupDirectory`.
    pub backup_directory: BackupDirectory,
    /// `PasswordAgeDays`.
    pub password_age_days: u32,
    /// `PasswordComplexity`, 1 to 8.
    pub password_complexity: u32,
    /// `PasswordLength`, in characters; for complexity 1 to 5.
    pub password_length: u32,
    /// `PassphraseLength`, in words; for complexity 6 to 8.
    pub passphrase_length: u32,
    /// `AdministratorAccountName`; `None` is the built-in administrator.
    pub administrator_account_name: Option<String>,
    /// `PasswordExpirationProtectionEnabled`.
    pub expiration_protection: bool,
    /// `ADPasswordEncryptionEnabled`.
    pub encryption: bool,
    /// `ADPasswordEncryptionPrincipal`; `None` is the Domain Admins of the domain.
    pub encryption_principal: Option<String>,
    /// `ADEncryptedPasswordHistorySize`.
    pub history_size: u32,
    /// `PostAuthenticationResetDelay`, in hours; 0 disables.
    pub post_authentication_delay_h: u32,
    /// `PostAuthenticationActions`.
    pub post_authentication_actions: u32,
    /// The automatic mode, when enabled.
    pub automatic_account: Option<AutomaticAccount>,
}

/// The automatic management of an account (F-032 to F-036).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutomaticAccount {
    /// Which account.
    pub target: AutomaticTarget,
    /// Its name, or the prefix of its name.
    pub name_or_prefix: String,
    /// Whether the account is enabled.
    pub enable: bool,
    /// Whether six digits are appended at each rotation.
    pub randomize_name: bool,
}

/// The account of the automatic mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutomaticTarget {
    /// The built-in administrator.
    BuiltIn,
    /// An account of its own.
    Custom,
}

impl EffectivePolicy {
    /// The policy of a device: the first root with an explicit setting is the only source (F-060).
    pub(crate) fn resolve(csp: &Settings, local: Option<&LocalPolicy>, platform: Platform) -> Self {
        if !csp.is_empty() && !roots_swapped(local, platform.fault) {
            let merged = local
                .map(|local| &local.group_policy)
                .filter(|_| platform.has(DeviceFault::PolicyMergesRoots));
            let get = |leaf| {
                let other = || merged?.get(&leaf);
                csp.get(leaf).or_else(other).cloned()
            };
            return Self::of(PolicySource::Csp, &get, platform);
        }
        let Some(local) = local else {
            return Self::of(PolicySource::None, &|_| None, platform);
        };
        let from = |map: &BTreeMap<Leaf, Value>, leaf: Leaf| map.get(&leaf).cloned();
        if !local.group_policy.is_empty() {
            let get = |leaf| from(&local.group_policy, leaf);
            Self::of(PolicySource::GroupPolicy, &get, platform)
        } else if !local.local.is_empty() {
            Self::of(
                PolicySource::Local,
                &|leaf| from(&local.local, leaf),
                platform,
            )
        } else if local.legacy.is_empty() {
            Self::of(PolicySource::None, &|_| None, platform)
        } else {
            Self::legacy(local, platform)
        }
    }

    /// Legacy emulation: clear text in Active Directory, four settings (F-061).
    fn legacy(local: &LocalPolicy, platform: Platform) -> Self {
        let get = |leaf| match leaf {
            Leaf::AdministratorAccountName
            | Leaf::PasswordAgeDays
            | Leaf::PasswordComplexity
            | Leaf::PasswordLength
            | Leaf::PasswordExpirationProtectionEnabled => local.legacy.get(&leaf).cloned(),
            Leaf::BackupDirectory => Some(Value::Int(2)),
            Leaf::ADPasswordEncryptionEnabled => Some(Value::Bool(false)),
            Leaf::PostAuthenticationResetDelay => Some(Value::Int(0)),
            Leaf::PassphraseLength
            | Leaf::ADPasswordEncryptionPrincipal
            | Leaf::ADEncryptedPasswordHistorySize
            | Leaf::PostAuthenticationActions
            | Leaf::AutomaticAccountManagementEnabled
            | Leaf::AutomaticAccountManagementTarget
            | Leaf::AutomaticAccountManagementNameOrPrefix
            | Leaf::AutomaticAccountManagementEnableAccount
            | Leaf::AutomaticAccountManagementRandomizeName => None,
        };
        Self::of(PolicySource::Legacy, &get, platform)
    }

    fn of(source: PolicySource, get: &dyn Fn(Leaf) -> Option<Value>, platform: Platform) -> Self {
        let reader = Reader { get, platform };
        let backup_directory = match reader.int(Leaf::BackupDirectory) {
            1 => BackupDirectory::Entra,
            2 if platform.has(DeviceFault::DirectoryTwoIsEntra) => BackupDirectory::Entra,
            // Only a deliberate defect lets a 3 through.
            3 => BackupDirectory::Entra,
            2 => BackupDirectory::ActiveDirectory,
            _ => BackupDirectory::Disabled,
        };
        Self {
            source,
            backup_directory,
            password_age_days: reader.age_days(backup_directory),
            password_complexity: reader.complexity(),
            password_length: reader.int(Leaf::PasswordLength),
            passphrase_length: reader.int(Leaf::PassphraseLength),
            administrator_account_name: reader.text(Leaf::AdministratorAccountName),
            expiration_protection: reader.bool(Leaf::PasswordExpirationProtectionEnabled),
            encryption: reader.bool(Leaf::ADPasswordEncryptionEnabled),
            encryption_principal: reader.text(Leaf::ADPasswordEncryptionPrincipal),
            history_size: reader.int(Leaf::ADEncryptedPasswordHistorySize),
            post_authentication_delay_h: reader.delay_h(),
            post_authentication_actions: reader.int(Leaf::PostAuthenticationActions),
            automatic_account: reader.automatic(),
        }
    }

    /// Length of a running period, in milliseconds.
    pub(crate) fn age_ms(&self) -> i64 {
        i64::from(self.password_age_days) * protocol::time::UtcMillis::DAY_MS
    }

    /// True when the principal is absent or has one of the three forms that the CSP takes (F-028).
    pub(crate) fn principal_resolves(&self) -> bool {
        self.encryption_principal.as_deref().is_none_or(|name| {
            let parts = |at: char| {
                name.split_once(at)
                    .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
            };
            name.starts_with("S-1-") || parts('\\') || parts('@')
        })
    }
}

/// What a device's reading of a policy depends on beside the policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Platform {
    pub(crate) build: u32,
    pub(crate) fault: Option<DeviceFault>,
}

impl Platform {
    fn has(self, fault: DeviceFault) -> bool {
        self.fault == Some(fault)
    }
}

/// The defects by which a lower root wins over the CSP.
fn roots_swapped(local: Option<&LocalPolicy>, fault: Option<DeviceFault>) -> bool {
    let (Some(local), Some(fault)) = (local, fault) else {
        return false;
    };
    (fault == DeviceFault::PolicyGroupFirst && !local.group_policy.is_empty())
        || (fault == DeviceFault::PolicyLegacyFirst && !local.legacy.is_empty())
}

/// Reads leaves with their defaults on one build.
struct Reader<'a> {
    get: &'a dyn Fn(Leaf) -> Option<Value>,
    platform: Platform,
}

impl Reader<'_> {
    /// The explicit value, unless the device does not support it (F-043).
    fn explicit(&self, leaf: Leaf) -> Option<Value> {
        let Platform { build, fault } = self.platform;
        (self.get)(leaf).filter(|value| takes(fault, leaf, value, build))
    }

    fn int(&self, leaf: Leaf) -> u32 {
        let value = match (self.explicit(leaf), leaf.node().default) {
            (Some(Value::Int(value)), _) => value,
            (_, DefaultValue::Int(value)) => value,
            (_, DefaultValue::Bool(_) | DefaultValue::Text(_)) => 0,
        };
        u32::try_from(value).unwrap_or(0)
    }

    fn bool(&self, leaf: Leaf) -> bool {
        match (self.explicit(leaf), leaf.node().default) {
            (Some(Value::Bool(value)), _) => value,
            (_, DefaultValue::Bool(value)) => value,
            (_, DefaultValue::Int(_) | DefaultValue::Text(_)) => false,
        }
    }

    /// The text, or the default of the table; `None` when that is empty.
    fn text(&self, leaf: Leaf) -> Option<String> {
        let text = match (self.explicit(leaf), leaf.node().default) {
            (Some(Value::Text(value)), _) => String::from(value),
            (_, DefaultValue::Text(value)) => value.to_owned(),
            (_, DefaultValue::Int(_) | DefaultValue::Bool(_)) => String::new(),
        };
        (!text.is_empty()).then_some(text)
    }

    fn complexity(&self) -> u32 {
        match self.int(Leaf::PasswordComplexity) {
            // Only a deliberate defect lets a 9 through.
            9 => 1,
            complexity => complexity,
        }
    }

    fn delay_h(&self) -> u32 {
        match self.int(Leaf::PostAuthenticationResetDelay) {
            0 if self.platform.has(DeviceFault::DelayZeroIsDefault) => 24,
            delay_h => delay_h,
        }
    }

    /// F-021: below 7 days does not count with Entra; the default holds instead.
    fn age_days(&self, directory: BackupDirectory) -> u32 {
        let days = self.int(Leaf::PasswordAgeDays);
        let minimum = u32::try_from(PASSWORD_AGE_MIN_ENTRA).unwrap_or(0);
        let counts = self.platform.has(DeviceFault::AgeTakesSix);
        if directory == BackupDirectory::Entra && days < minimum && !counts {
            return AGE_DEFAULT_DAYS;
        }
        days
    }

    fn automatic(&self) -> Option<AutomaticAccount> {
        let target = self.explicit(Leaf::AutomaticAccountManagementTarget);
        let unasked = self.platform.has(DeviceFault::AutomaticUnasked) && target.is_some();
        if !self.bool(Leaf::AutomaticAccountManagementEnabled) && !unasked {
            return None;
        }
        let wrong = self.platform.has(DeviceFault::AutomaticTargetDefault) && target.is_none();
        let target = match self.int(Leaf::AutomaticAccountManagementTarget) {
            _ if wrong => AutomaticTarget::BuiltIn,
            0 => AutomaticTarget::BuiltIn,
            _ => AutomaticTarget::Custom,
        };
        Some(AutomaticAccount {
            target,
            name_or_prefix: self
                .text(Leaf::AutomaticAccountManagementNameOrPrefix)
                .unwrap_or_default(),
            enable: self.bool(Leaf::AutomaticAccountManagementEnableAccount),
            randomize_name: self.bool(Leaf::AutomaticAccountManagementRandomizeName),
        })
    }
}

/// `PasswordAgeDays` when unset (F-021).
const AGE_DEFAULT_DAYS: u32 = 30;
