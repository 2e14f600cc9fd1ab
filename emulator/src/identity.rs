//! Who a device is: its ids, names, accounts and build, all a pure function of (seed, index).

use std::collections::BTreeMap;
use std::fmt;

use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};
use rand::Rng;
use uuid::Uuid;

use crate::fault::DeviceFault;
use crate::random::{Purpose, stream};

/// Everything that is fixed about a device before it enrols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSpec {
    /// Number of the device in its fleet.
    pub index: u64,
    /// Seed of the fleet.
    pub seed: u64,
    /// Computer name.
    pub device_name: String,
    /// Join state.
    pub join_type: JoinType,
    /// Version of the operating system.
    pub os: OsBuild,
    /// `./DevInfo/DevId` and the context item `DeviceID`.
    pub device_id: DeviceId,
    /// Id of the device object in Microsoft Entra ID, for join states that have one.
    pub entra_device_id: Option<Uuid>,
    /// The context item `HWDevID`.
    pub hardware_id: HardwareId,
    /// The SID of the machine; accounts add their RID.
    pub machine_sid: MachineSid,
    /// The enrolling user, for join states with a directory object.
    pub user_principal_name: Option<String>,
    /// The local accounts at the start.
    pub accounts: Vec<LocalAccount>,
    /// The policy roots below the CSP.
    pub local_policy: LocalPolicy,
    /// When an Exec of `ResetPassword` is carried out.
    pub reset: ResetTiming,
    /// Who is signed in, as the login status alert tells.
    pub login_status: LoginStatus,
    /// A deliberate defect; `None` for every device but those that prove a judgement.
    pub fault: Option<DeviceFault>,
}

impl DeviceSpec {
    /// The device with this index of the fleet with this seed; its name is the prefix and the
    /// index in at least six digits.
    ///
    /// One device in eight has a renamed built-in administrator, which is found by its RID alone
    /// (F-110). Every device has the accounts `Guest` and [`SERVICE_ACCOUNT`].
    #[must_use]
    pub fn derive(
        seed: u64,
        index: u64,
        name_prefix: &str,
        join_type: JoinType,
        os: OsBuild,
    ) -> Self {
        let mut rng = stream(seed, index, Purpose::Identity, 0);
        // The first draw: see `DeviceId::derive`.
        let device_id = DeviceId(rng.random());
        let entra = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
        let hardware_id = HardwareId(rng.random());
        let machine_sid = MachineSid(rng.random(), rng.random(), rng.random());
        let renamed = rng.random_ratio(1, 8);
        let has_object = join_type.has_directory_object();
        Self {
            index,
            seed,
            device_name: format!("{name_prefix}{index:06}"),
            join_type,
            os,
            device_id,
            entra_device_id: has_object.then_some(entra),
            hardware_id,
            machine_sid,
            user_principal_name: has_object.then(|| format!("user{index:06}@muster.test")),
            accounts: initial_accounts(renamed),
            local_policy: LocalPolicy::default(),
            reset: ResetTiming::BeforeStatus,
            login_status: LoginStatus::User,
            fault: None,
        }
    }
}

/// Name of the local account that every derived device has beside the built-in ones.
pub const SERVICE_ACCOUNT: &str = "svc-local";
/// RID of the built-in administrator, whatever its name (F-110).
pub const BUILT_IN_ADMINISTRATOR: u32 = 500;

fn initial_accounts(renamed: bool) -> Vec<LocalAccount> {
    let administrator = if renamed {
        "siteadmin"
    } else {
        "Administrator"
    };
    [
        (administrator, BUILT_IN_ADMINISTRATOR, false),
        ("Guest", 501, false),
        (SERVICE_ACCOUNT, 1001, true),
    ]
    .into_iter()
    .map(|(name, rid, enabled)| LocalAccount {
        name: name.to_owned(),
        rid,
        enabled,
    })
    .collect()
}

/// A local account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAccount {
    /// Account name.
    pub name: String,
    /// The last part of the SID.
    pub rid: u32,
    /// Whether the account may sign in; the password is managed either way (F-112).
    pub enabled: bool,
}

/// The policy roots below the CSP (F-060); an empty map is a root without explicit setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalPolicy {
    /// Group Policy.
    pub group_policy: BTreeMap<Leaf, Value>,
    /// Local configuration.
    pub local: BTreeMap<Leaf, Value>,
    /// Legacy LAPS; of it only account name, age, complexity and length count.
    pub legacy: BTreeMap<Leaf, Value>,
}

impl LocalPolicy {
    /// True when no root has a setting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.group_policy.is_empty() && self.local.is_empty() && self.legacy.is_empty()
    }
}

/// When an Exec of `ResetPassword` is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetTiming {
    /// The upload goes out before the message with the Exec's status, so that the status node
    /// reads the result at once.
    #[default]
    BeforeStatus,
    /// The Exec is answered first; the status node reads `E_PENDING` this many times, then the
    /// upload goes out before the next read is answered, or at the end of the session.
    Deferred {
        /// How often the status node reads `E_PENDING`.
        reads: u8,
    },
}

/// Who is signed in on the device (OMA-DM: login status alert).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginStatus {
    /// The enrolling user.
    #[default]
    User,
    /// Somebody else.
    Others,
    /// Nobody.
    None,
}

impl LoginStatus {
    /// The text of the alert.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Others => "others",
            Self::None => "none",
        }
    }
}

/// Version of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OsBuild {
    /// 10 on every Windows with the CSP.
    pub major: u32,
    /// 0 on every Windows with the CSP.
    pub minor: u32,
    /// Decides which nodes and values the CSP has (F-005).
    pub build: u32,
    /// The update level.
    pub revision: u32,
}

impl OsBuild {
    /// Windows 10 22H2: CSP version 1.0.
    pub const W10_22H2: Self = Self::windows(19_045, 4_291);
    /// Windows 11 24H2: CSP version 1.1.
    pub const W11_24H2: Self = Self::windows(26_100, 2_314);

    /// `10.0.<build>.<revision>`.
    #[must_use]
    pub const fn windows(build: u32, revision: u32) -> Self {
        Self {
            major: 10,
            minor: 0,
            build,
            revision,
        }
    }
}

impl fmt::Display for OsBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            build,
            revision,
        } = self;
        write!(f, "{major}.{minor}.{build}.{revision}")
    }
}

/// The id of a device in management: 32 hexadecimal digits in upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// The id that [`DeviceSpec::derive`] gives the device, without the rest of it.
    #[must_use]
    pub fn derive(seed: u64, index: u64) -> Self {
        Self(stream(seed, index, Purpose::Identity, 0).random())
    }

    /// The 32 digits.
    #[must_use]
    pub fn text(self) -> [u8; 32] {
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            let digit = |half: u8| HEX.get(usize::from(half)).copied().unwrap_or(b'0');
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        text
    }

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// The id of the hardware: 64 hexadecimal digits in upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareId([u8; 32]);

impl HardwareId {
    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for HardwareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// The SID of a machine, `S-1-5-21-a-b-c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineSid(pub u32, pub u32, pub u32);

impl MachineSid {
    /// The SID of the account with this RID.
    #[must_use]
    pub fn account(self, rid: u32) -> String {
        format!("{self}-{rid}")
    }
}

impl fmt::Display for MachineSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-5-21-{}-{}-{}", self.0, self.1, self.2)
    }
}

/// What a device says of itself at the start of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) device_id: DeviceId,
    pub(crate) login_status: LoginStatus,
}

/// What a device keeps of its [`DeviceSpec`]: the same facts without spare capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) index: u64,
    pub(crate) seed: u64,
    pub(crate) name: Box<str>,
    pub(crate) user: Option<Box<str>>,
    pub(crate) local_policy: Option<Box<LocalPolicy>>,
    pub(crate) entra_device_id: Option<Uuid>,
    pub(crate) device_id: DeviceId,
    pub(crate) hardware_id: HardwareId,
    pub(crate) machine_sid: MachineSid,
    pub(crate) os: OsBuild,
    pub(crate) join_type: JoinType,
    pub(crate) reset: ResetTiming,
    pub(crate) login_status: LoginStatus,
    pub(crate) fault: Option<DeviceFault>,
}

impl Identity {
    /// Whether the device has this deliberate defect.
    pub(crate) fn has(&self, fault: DeviceFault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) const fn introduction(&self) -> Introduction {
        Introduction {
            device_id: self.device_id,
            login_status: self.login_status,
        }
    }

    /// Splits a specification into what never changes and the accounts, which do.
    pub(crate) fn from_spec(spec: DeviceSpec) -> (Self, Vec<LocalAccount>) {
        let local_policy = (!spec.local_policy.is_empty()).then(|| Box::new(spec.local_policy));
        let identity = Self {
            index: spec.index,
            seed: spec.seed,
            name: spec.device_name.into_boxed_str(),
            user: spec.user_principal_name.map(String::into_boxed_str),
            local_policy,
            entra_device_id: spec.entra_device_id,
            device_id: spec.device_id,
            hardware_id: spec.hardware_id,
            machine_sid: spec.machine_sid,
            os: spec.os,
            join_type: spec.join_type,
            reset: spec.reset,
            login_status: spec.login_status,
            fault: spec.fault,
        };
        (identity, spec.accounts)
    }
}
