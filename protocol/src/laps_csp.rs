//! The Windows LAPS configuration service provider as data: every node with its format, access,
//! range, default, dependency and first build.
//!
//! Sources: laps-facts F-001 to F-056 (CSP24, DDF24). The table states what the CSP publishes; what
//! a device does with a value is the emulator's affair.

use std::fmt;

/// The root of the CSP; device scope only (F-001).
pub const ROOT: &str = "./Device/Vendor/MSFT/LAPS";
/// The interior node of the settings; writes below it go inside one `Atomic` (F-003).
pub const POLICIES: &str = "./Device/Vendor/MSFT/LAPS/Policies";
/// The interior node of the actions; carries no such mark (F-003).
pub const ACTIONS: &str = "./Device/Vendor/MSFT/LAPS/Actions";
/// Generates and backs up a new password at once (F-054).
pub const RESET_PASSWORD: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPassword";
/// The HRESULT of the last `ResetPassword` (F-055).
pub const RESET_PASSWORD_STATUS: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";
/// `E_PENDING` as a signed number: the reset is still running (F-056).
pub const E_PENDING: i32 = -2_147_483_638;

/// First build with the CSP at all, 10.0.17763 (F-005; contract section 2).
pub const FIRST_BUILD: u32 = 17_763;
/// First build with version 1.1 of the CSP, 10.0.26100 (F-005).
pub const FIRST_BUILD_1_1: u32 = 26_100;

/// A leaf below `Policies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "the names are those of the CSP; the table says the rest"
)]
pub enum Leaf {
    BackupDirectory,
    PasswordAgeDays,
    PasswordComplexity,
    PasswordLength,
    PassphraseLength,
    AdministratorAccountName,
    PasswordExpirationProtectionEnabled,
    ADPasswordEncryptionEnabled,
    ADPasswordEncryptionPrincipal,
    ADEncryptedPasswordHistorySize,
    PostAuthenticationResetDelay,
    PostAuthenticationActions,
    AutomaticAccountManagementEnabled,
    AutomaticAccountManagementTarget,
    AutomaticAccountManagementNameOrPrefix,
    AutomaticAccountManagementEnableAccount,
    AutomaticAccountManagementRandomizeName,
}

/// Format of a leaf, as in `Meta/Format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A decimal integer.
    Int,
    /// `true` or `false`, compared without regard to case (F-041).
    Bool,
    /// Text.
    Chr,
}

impl Format {
    /// The text in `Meta/Format`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Chr => "chr",
        }
    }
}

/// The version of the CSP that brought a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CspVersion {
    /// From build 17763 (with its update) on.
    V1_0,
    /// From build 26100 on.
    V1_1,
}

impl CspVersion {
    /// The first build that has leaves of this version.
    #[must_use]
    pub const fn first_build(self) -> u32 {
        match self {
            Self::V1_0 => FIRST_BUILD,
            Self::V1_1 => FIRST_BUILD_1_1,
        }
    }
}

/// The values that a leaf takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Any integer from the first to the second, both included.
    Range(i32, i32),
    /// The integers of the first list, and from build 26100 on those of the second too.
    OneOf(&'static [i32], &'static [i32]),
    /// `true` and `false`.
    Bool,
    /// Any text.
    Text,
}

/// The value that holds when a leaf is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// An integer.
    Int(i32),
    /// A truth value.
    Bool(bool),
    /// A text; empty where the CSP names a behaviour rather than a value (the built-in account,
    /// the Domain Admins of the device's domain).
    Text(&'static str),
}

/// What another leaf must hold for this one to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// Counts always.
    None,
    /// `BackupDirectory` is one of these.
    BackupDirectory(&'static [i32]),
    /// `PasswordComplexity` is from the first to the second.
    PasswordComplexity(i32, i32),
    /// `BackupDirectory` is 2 and `ADPasswordEncryptionEnabled` is true.
    AdEncryption,
    /// `AutomaticAccountManagementEnabled` is true.
    AutomaticAccount,
}

/// A row of the node table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which leaf.
    pub leaf: Leaf,
    /// The last segment of the path, for example `PasswordAgeDays`.
    pub name: &'static str,
    /// The whole path.
    pub loc_uri: &'static str,
    /// The format of the value.
    pub format: Format,
    /// The values allowed.
    pub allowed: Allowed,
    /// The value when absent.
    pub default: DefaultValue,
    /// The dependency.
    pub dependency: Dependency,
    /// The version that brought it.
    pub since: CspVersion,
}

/// A value of a leaf.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// An integer.
    Int(i32),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(Box<str>),
}

impl fmt::Display for Value {
    /// The value as `Data` carries it: decimal, `true` or `false`, or the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

macro_rules! node {
    ($leaf:ident, $format:ident, $allowed:expr, $default:expr, $dependency:expr, $since:ident) => {
        Node {
            leaf: Leaf::$leaf,
            name: stringify!($leaf),
            loc_uri: concat!("./Device/Vendor/MSFT/LAPS/Policies/", stringify!($leaf)),
            format: Format::$format,
            allowed: $allowed,
            default: $default,
            dependency: $dependency,
            since: CspVersion::$since,
        }
    };
}

const AD: Dependency = Dependency::BackupDirectory(&[2]);
const ANY_DIRECTORY: Dependency = Dependency::BackupDirectory(&[1, 2]);
const AUTOMATIC: Dependency = Dependency::AutomaticAccount;
const NONE: Dependency = Dependency::None;

/// Every leaf below `Policies`, in the order of the published table (laps-facts 1.2).
///
/// All of them are dynamic, occur at most once and allow Add, Delete, Get and Replace (F-004).
/// `PasswordAgeDays` has the further rule that 1 to 6 do not count while `BackupDirectory` is 1
/// (F-021), see [`PASSWORD_AGE_MIN_ENTRA`].
#[rustfmt::skip]
pub const NODES: [Node; 17] = [
    node!(BackupDirectory, Int, Allowed::OneOf(&[0, 1, 2], &[]), DefaultValue::Int(0), NONE, V1_0),
    node!(PasswordAgeDays, Int, Allowed::Range(1, 365), DefaultValue::Int(30), ANY_DIRECTORY, V1_0),
    node!(PasswordComplexity, Int, Allowed::OneOf(&[1, 2, 3, 4], &[5, 6, 7, 8]), DefaultValue::Int(4), NONE, V1_0),
    node!(PasswordLength, Int, Allowed::Range(8, 64), DefaultValue::Int(14), Dependency::PasswordComplexity(1, 5), V1_0),
    node!(PassphraseLength, Int, Allowed::Range(3, 10), DefaultValue::Int(6), Dependency::PasswordComplexity(6, 8), V1_1),
    node!(AdministratorAccountName, Chr, Allowed::Text, DefaultValue::Text(""), NONE, V1_0),
    node!(PasswordExpirationProtectionEnabled, Bool, Allowed::Bool, DefaultValue::Bool(true), AD, V1_0),
    node!(ADPasswordEncryptionEnabled, Bool, Allowed::Bool, DefaultValue::Bool(true), AD, V1_0),
    node!(ADPasswordEncryptionPrincipal, Chr, Allowed::Text, DefaultValue::Text(""), Dependency::AdEncryption, V1_0),
    node!(ADEncryptedPasswordHistorySize, Int, Allowed::Range(0, 12), DefaultValue::Int(0), Dependency::AdEncryption, V1_0),
    node!(PostAuthenticationResetDelay, Int, Allowed::Range(0, 24), DefaultValue::Int(24), NONE, V1_0),
    node!(PostAuthenticationActions, Int, Allowed::OneOf(&[1, 3, 5], &[11]), DefaultValue::Int(3), NONE, V1_0),
    node!(AutomaticAccountManagementEnabled, Bool, Allowed::Bool, DefaultValue::Bool(false), NONE, V1_1),
    node!(AutomaticAccountManagementTarget, Int, Allowed::OneOf(&[0, 1], &[]), DefaultValue::Int(1), AUTOMATIC, V1_1),
    node!(AutomaticAccountManagementNameOrPrefix, Chr, Allowed::Text, DefaultValue::Text("WLapsAdmin"), AUTOMATIC, V1_1),
    node!(AutomaticAccountManagementEnableAccount, Bool, Allowed::Bool, DefaultValue::Bool(false), AUTOMATIC, V1_1),
    node!(AutomaticAccountManagementRandomizeName, Bool, Allowed::Bool, DefaultValue::Bool(false), AUTOMATIC, V1_1),
];

/// The smallest `PasswordAgeDays` that counts while `BackupDirectory` is 1 (F-021).
pub const PASSWORD_AGE_MIN_ENTRA: i32 = 7;

impl Leaf {
    /// The row of this leaf.
    #[must_use]
    pub const fn node(self) -> &'static Node {
        &NODES[self as usize]
    }

    /// The leaf with this name below `Policies`, or with this name in lower case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        NODES
            .iter()
            .find(|node| node.name.eq_ignore_ascii_case(name))
            .map(|node| node.leaf)
    }

    /// The leaf that a path names; `./Vendor/...` is taken for `./Device/Vendor/...`.
    #[must_use]
    pub fn by_loc_uri(loc_uri: &str) -> Option<Self> {
        let name = below_policies(loc_uri)?;
        NODES
            .iter()
            .find(|node| node.name == name)
            .map(|node| node.leaf)
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.node().name)
    }
}

impl Node {
    /// Reads a value in this leaf's format; `None` when the text is not of that format.
    /// The range is not looked at, see [`Node::allows`].
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<Value> {
        match self.format {
            Format::Int => text.trim().parse().ok().map(Value::Int),
            Format::Bool if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            Format::Bool if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            Format::Bool => None,
            Format::Chr => Some(Value::Text(text.into())),
        }
    }

    /// True when the leaf exists on `build` and takes `value` there.
    #[must_use]
    pub fn allows(&self, value: &Value, build: u32) -> bool {
        if build < self.since.first_build() {
            return false;
        }
        match (self.allowed, value) {
            (Allowed::Range(low, high), Value::Int(value)) => (low..=high).contains(value),
            (Allowed::OneOf(old, new), Value::Int(value)) => {
                old.contains(value) || (build >= FIRST_BUILD_1_1 && new.contains(value))
            }
            (Allowed::Bool, Value::Bool(_)) | (Allowed::Text, Value::Text(_)) => true,
            (
                Allowed::Range(..) | Allowed::OneOf(..) | Allowed::Bool | Allowed::Text,
                Value::Int(_) | Value::Bool(_) | Value::Text(_),
            ) => false,
        }
    }
}

/// True when two paths name the same node: without a prefix the device is meant (wire-facts 2.8).
#[must_use]
pub fn is_same_node(one: &str, other: &str) -> bool {
    match (below_vendor(one), below_vendor(other)) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => one == other,
    }
}

/// What follows the node of the settings in a path, for example `PasswordLength`; `None` for a path
/// that is not below it.
#[must_use]
pub fn below_policies(loc_uri: &str) -> Option<&str> {
    below_vendor(loc_uri)?.strip_prefix("/LAPS/Policies/")
}

/// True for a path of the settings or actions, or below.
#[must_use]
pub fn is_laps(loc_uri: &str) -> bool {
    below_vendor(loc_uri).is_some_and(|below| {
        below.starts_with("/LAPS/Policies") || below.starts_with("/LAPS/Actions")
    })
}

/// What follows `./Device/Vendor/MSFT` or `./Vendor/MSFT`.
fn below_vendor(loc_uri: &str) -> Option<&str> {
    loc_uri
        .strip_prefix("./Device/Vendor/MSFT")
        .or_else(|| loc_uri.strip_prefix("./Vendor/MSFT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_without_a_prefix_name_the_device() {
        let short = "./Vendor/MSFT/LAPS/Actions/ResetPassword";
        for (one, other, same) in [
            (RESET_PASSWORD, short, true),
            (short, RESET_PASSWORD, true),
            (RESET_PASSWORD, RESET_PASSWORD_STATUS, false),
            (
                short,
                "./User/Vendor/MSFT/LAPS/Actions/ResetPassword",
                false,
            ),
            ("./DevInfo/DevId", "./DevInfo/DevId", true),
        ] {
            assert_eq!(is_same_node(one, other), same, "{one} {other}");
        }
        let length = "./Vendor/MSFT/LAPS/Policies/PasswordLength";
        assert_eq!(below_policies(length), Some("PasswordLength"));
        assert!(is_laps(length) && is_laps(short) && !is_laps("./Vendor/MSFT/DMClient"));
    }

    #[test]
    fn each_row_stands_at_the_place_of_its_leaf() {
        for (index, node) in NODES.iter().enumerate() {
            assert_eq!(node.leaf as usize, index, "{}", node.name);
            assert_eq!(Leaf::by_loc_uri(node.loc_uri), Some(node.leaf));
        }
    }

    #[test]
    fn values_of_the_new_build_are_refused_on_the_old_one() {
        let complexity = Leaf::PasswordComplexity.node();
        assert!(complexity.allows(&Value::Int(4), 19_045));
        assert!(!complexity.allows(&Value::Int(5), 19_045));
        assert!(complexity.allows(&Value::Int(5), 26_100));
        assert!(!Leaf::PassphraseLength.node().allows(&Value::Int(6), 19_045));
    }
}
