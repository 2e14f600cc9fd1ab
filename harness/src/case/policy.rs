//! Policies on their way to a device.

use std::collections::BTreeMap;

use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use protocol::syncml::Verb;

use crate::transcript::ExchangeId;

/// One write below `./Device/Vendor/MSFT/LAPS/Policies`, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteSeen {
    /// `Add`, `Replace` or `Delete`.
    pub verb: Verb,
    /// The path.
    pub loc_uri: String,
    /// `Meta/Format`.
    pub format: Option<String>,
    /// `Data`.
    pub data: Option<String>,
    /// The message that carried it.
    pub exchange: ExchangeId,
}

/// The first session of a device after a policy was assigned to its group.
#[derive(Clone, Debug)]
pub struct DeliveryCase {
    /// The device's name.
    pub device: String,
    /// Everything that the policy configures and this device's build knows.
    pub configured: BTreeMap<Leaf, Value>,
    /// Every write of a LAPS setting in the session.
    pub writes: Vec<WriteSeen>,
    /// The session came to its proper end.
    pub complete: bool,
    /// The messages of the session.
    pub exchanges: Vec<ExchangeId>,
}

/// A device whose policy is assigned and not processed.
#[derive(Clone, Debug)]
pub struct UnprocessedCase {
    /// The device's name.
    pub device: String,
    /// Status of the read of its credential; `None` when no answer came.
    pub metadata_status: Option<u16>,
    /// Status of the read that asks for the password.
    pub explicit_status: Option<u16>,
    /// The device stands in the list of credentials.
    pub listed: bool,
    /// State of the rotation asked for, as listed.
    pub rotation: Option<super::ActionSeen>,
    /// Execs of `ResetPassword` by the end of the first session.
    pub execs: u32,
    /// After the first session and its backup the same read gives the credential.
    pub twin_read: bool,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// Why a policy cannot lead to a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MisfitKind {
    /// Active Directory as backup directory of an Entra joined device (F-130).
    JoinState,
    /// The account named does not exist on the device (F-111).
    MissingAccount,
}

/// A device that took a policy which cannot lead to a backup.
#[derive(Clone, Debug)]
pub struct MisfitCase {
    /// The device's name.
    pub device: String,
    /// Why.
    pub kind: MisfitKind,
    /// The policy's settings were sent in a session that came to its proper end.
    pub delivered: bool,
    /// State of the policy in the device's list after the last session.
    pub device_state: Option<PolicyState>,
    /// Settings of the policy that are listed with the state `error` or an error code.
    pub settings_in_error: Vec<String>,
    /// State of the device in the policy's list.
    pub policy_status: Option<PolicyState>,
    /// Status of the read of its credential.
    pub credential_status: Option<u16>,
    /// Uploads accepted.
    pub backups: u32,
    /// A device of the same group with a policy that fits was backed up.
    pub twin: bool,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}
