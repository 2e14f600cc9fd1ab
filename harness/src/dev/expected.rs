//! The settings with format, default and legal values as literals (laps-facts 1.2, F-020 to F-036).

use emulator::{AutomaticAccount, AutomaticTarget, BackupDirectory, Device};

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// `Meta/Format`.
    pub(super) format: &'static str,
    /// What holds when it is absent or not supported (F-043).
    pub(super) default: &'static str,
    /// A legal value on every build that has the setting, other than the default.
    pub(super) sample: &'static str,
    /// Only from build 26100 on (F-005).
    pub(super) new: bool,
    /// The row of the catalogue.
    pub(super) requirement: &'static str,
}

const fn setting(
    (name, format): (&'static str, &'static str),
    (default, sample): (&'static str, &'static str),
    new: bool,
    requirement: &'static str,
) -> Setting {
    Setting {
        name,
        format,
        default,
        sample,
        new,
        requirement,
    }
}

const AD: &str = "REQ-CSP-ADonly-001";
const AUTOMATIC: &str = "REQ-CSP-AutomaticAccountManagement-001";

/// Every setting.
#[rustfmt::skip]
pub(super) const SETTINGS: [Setting; 17] = [
    setting(("BackupDirectory", "int"), ("0", "1"), false, "REQ-CSP-BackupDirectory-001"),                           // F-020
    setting(("PasswordAgeDays", "int"), ("30", "45"), false, "REQ-CSP-PasswordAgeDays-002"),                         // F-021
    setting(("PasswordComplexity", "int"), ("4", "2"), false, "REQ-CSP-PasswordComplexity-001"),                     // F-022
    setting(("PasswordLength", "int"), ("14", "21"), false, "REQ-CSP-PasswordLength-001"),                           // F-023
    setting(("PassphraseLength", "int"), ("6", "9"), true, "REQ-CSP-PassphraseLength-001"),                          // F-024
    setting(("AdministratorAccountName", "chr"), ("", "svc-local"), false, "REQ-CSP-AdministratorAccountName-001"),  // F-025
    setting(("PasswordExpirationProtectionEnabled", "bool"), ("true", "false"), false, AD),                          // F-026
    setting(("ADPasswordEncryptionEnabled", "bool"), ("true", "false"), false, AD),                                  // F-027
    setting(("ADPasswordEncryptionPrincipal", "chr"), ("", "CORP\\admins"), false, AD),                              // F-028
    setting(("ADEncryptedPasswordHistorySize", "int"), ("0", "5"), false, AD),                                       // F-029
    setting(("PostAuthenticationResetDelay", "int"), ("24", "3"), false, "REQ-CSP-PostAuthenticationResetDelay-001"), // F-030
    setting(("PostAuthenticationActions", "int"), ("3", "5"), false, "REQ-CSP-PostAuthenticationActions-001"),       // F-031
    setting(("AutomaticAccountManagementEnabled", "bool"), ("false", "true"), true, AUTOMATIC),                      // F-032
    setting(("AutomaticAccountManagementTarget", "int"), ("1", "0"), true, AUTOMATIC),                               // F-033
    setting(("AutomaticAccountManagementNameOrPrefix", "chr"), ("WLapsAdmin", "Keeper"), true, AUTOMATIC),           // F-034
    setting(("AutomaticAccountManagementEnableAccount", "bool"), ("false", "true"), true, AUTOMATIC),                // F-035
    setting(("AutomaticAccountManagementRandomizeName", "bool"), ("false", "true"), true, AUTOMATIC),                // F-036
];

/// The rows that the tests of every setting judge.
pub(super) const REQUIREMENTS: &[&str] = &[
    "REQ-CSP-BackupDirectory-001",
    "REQ-CSP-PasswordAgeDays-002",
    "REQ-CSP-PasswordComplexity-001",
    "REQ-CSP-PasswordLength-001",
    "REQ-CSP-PassphraseLength-001",
    "REQ-CSP-AdministratorAccountName-001",
    AD,
    "REQ-CSP-PostAuthenticationResetDelay-001",
    "REQ-CSP-PostAuthenticationActions-001",
    AUTOMATIC,
];

/// The setting that turns the automatic mode on, without which its others do not count.
pub(super) const AUTOMATIC_ENABLED: &str = "AutomaticAccountManagementEnabled";

/// The setting with this name.
pub(super) fn by_name(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The format of a setting.
pub(super) fn format(name: &str) -> &'static str {
    by_name(name).map_or("chr", |setting| setting.format)
}

/// The value that a device acts on, as text.
pub(super) fn effective(device: &Device, name: &str) -> String {
    let policy = device.effective_policy();
    let automatic = |read: fn(&AutomaticAccount) -> String| {
        let account = policy.automatic_account.as_ref();
        account.map_or_else(|| "automatic mode off".to_owned(), read)
    };
    match name {
        "BackupDirectory" => match policy.backup_directory {
            BackupDirectory::Disabled => "0".to_owned(),
            BackupDirectory::Entra => "1".to_owned(),
            BackupDirectory::ActiveDirectory => "2".to_owned(),
        },
        "PasswordAgeDays" => policy.password_age_days.to_string(),
        "PasswordComplexity" => policy.password_complexity.to_string(),
        "PasswordLength" => policy.password_length.to_string(),
        "PassphraseLength" => policy.passphrase_length.to_string(),
        "AdministratorAccountName" => policy.administrator_account_name.unwrap_or_default(),
        "PasswordExpirationProtectionEnabled" => policy.expiration_protection.to_string(),
        "ADPasswordEncryptionEnabled" => policy.encryption.to_string(),
        "ADPasswordEncryptionPrincipal" => policy.encryption_principal.unwrap_or_default(),
        "ADEncryptedPasswordHistorySize" => policy.history_size.to_string(),
        "PostAuthenticationResetDelay" => policy.post_authentication_delay_h.to_string(),
        "PostAuthenticationActions" => policy.post_authentication_actions.to_string(),
        AUTOMATIC_ENABLED => policy.automatic_account.is_some().to_string(),
        "AutomaticAccountManagementTarget" => automatic(|account| match account.target {
            AutomaticTarget::BuiltIn => "0".to_owned(),
            AutomaticTarget::Custom => "1".to_owned(),
        }),
        "AutomaticAccountManagementNameOrPrefix" => {
            automatic(|account| account.name_or_prefix.clone())
        }
        "AutomaticAccountManagementEnableAccount" => {
            automatic(|account| account.enable.to_string())
        }
        "AutomaticAccountManagementRandomizeName" => {
            automatic(|account| account.randomize_name.to_string())
        }
        other => format!("no setting `{other}`"),
    }
}
