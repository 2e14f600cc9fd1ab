//! What is reported of policies on devices.

use protocol::graph::report::PolicyState;

use crate::transcript::ExchangeId;

/// What is reported.
#[derive(Clone, Debug)]
pub enum ReportCase {
    /// The states of a fleet.
    States(StatesCase),
    /// A device whose build does not have the CSP.
    TooOld(TooOldCase),
    /// A device that refuses one setting.
    RefusedSetting(RefusedSettingCase),
    /// Summaries beside rows.
    Summary(SummaryCase),
}

/// The states of a fleet of several kinds.
#[derive(Clone, Debug)]
pub struct StatesCase {
    /// Device and state, of devices' lists and of policies' lists.
    pub states: Vec<(String, PolicyState)>,
    /// How many different situations the devices are in.
    pub situations: usize,
    /// The reads.
    pub exchanges: Vec<ExchangeId>,
}

/// A device whose build does not have the CSP.
#[derive(Clone, Debug)]
pub struct TooOldCase {
    /// The device's name.
    pub device: String,
    /// Its build.
    pub build: u32,
    /// The session came to its proper end.
    pub complete: bool,
    /// The states, of the device's list and of the policy's.
    pub states: [Option<PolicyState>; 2],
    /// The same policy succeeded on a build that has the CSP.
    pub twin: bool,
    /// The session and the reads.
    pub exchanges: Vec<ExchangeId>,
}

/// A device that refuses one setting.
#[derive(Clone, Debug)]
pub struct RefusedSettingCase {
    /// The device's name.
    pub device: String,
    /// Name of the setting.
    pub setting: String,
    /// The setting was sent, so the device refused it.
    pub sent: bool,
    /// The session came to its proper end.
    pub complete: bool,
    /// The states of the policy, of the device's list and of the policy's.
    pub states: [Option<PolicyState>; 2],
    /// The state of the setting.
    pub setting_state: Option<PolicyState>,
    /// Its code.
    pub error_code: Option<i64>,
    /// The same policy succeeded on a device that takes the setting.
    pub twin: bool,
    /// The session and the reads.
    pub exchanges: Vec<ExchangeId>,
}

/// Summaries beside the rows that they sum up, on devices at rest.
#[derive(Clone, Debug)]
pub struct SummaryCase {
    /// Devices whose rows tell of the clash.
    pub clashing: u32,
    /// Devices that the conflict summary counts for it; `None` without a row.
    pub summed: Option<u32>,
    /// Device, and the state of one policy in the device's list and in the policy's.
    pub rows: Vec<(String, [Option<PolicyState>; 2])>,
    /// Every session came to its proper end.
    pub complete: bool,
    /// The reads.
    pub exchanges: Vec<ExchangeId>,
}
