//! States of policies on devices, and conflicts (wire-facts 5.8, contract section 5).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text_enum::text_enum;
use crate::time::UtcTicks;

text_enum! {
    /// State of a policy or of one of its settings on a device.
    #[derive(Default)]
    pub enum PolicyState {
        /// Not checked in since the assignment changed ("Pending").
        #[default]
        Unknown = "unknown",
        /// Does not count on this device.
        NotApplicable = "notApplicable",
        /// In force ("Succeeded").
        Compliant = "compliant",
        /// Put right.
        Remediated = "remediated",
        /// Not in force.
        NonCompliant = "nonCompliant",
        /// The device refused it.
        Error = "error",
        /// Another policy gives the same setting another value.
        Conflict = "conflict",
        /// Not assigned.
        NotAssigned = "notAssigned",
    }
}

/// State of one policy on one device (`.../managedDevices/{id}/deviceConfigurationStates`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationState {
    /// Id of the policy.
    pub id: Uuid,
    /// Name of the policy.
    pub display_name: String,
    /// State of the policy.
    pub state: PolicyState,
    /// State of each of its settings.
    #[serde(default)]
    pub setting_states: Vec<SettingState>,
}

/// State of one setting of a policy on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingState {
    /// Name of the CSP leaf, for example `PasswordAgeDays`.
    pub setting: String,
    /// Its state.
    pub state: PolicyState,
    /// SyncML status that the device answered; null unless the state is `error`.
    #[serde(default)]
    pub error_code: Option<i64>,
    /// The policies that set the leaf on this device.
    #[serde(default)]
    pub sources: Vec<PolicyReference>,
}

/// A policy by id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyReference {
    /// Id of the policy.
    pub id: Uuid,
    /// Name of the policy.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// State of a policy on one device (`.../configurationPolicies/{id}/deviceStatuses`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStatus {
    /// Id of the managed device.
    pub device_id: Uuid,
    /// Name of the device.
    pub device_display_name: String,
    /// State of the policy.
    pub status: PolicyState,
    /// When the device reported it; null while `unknown`.
    #[serde(default)]
    pub last_reported_date_time: Option<UtcTicks>,
}

/// A set of policies that clash (`/deviceManagement/deviceConfigurationConflictSummary`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConflictSummary {
    /// Ids of the policies, sorted and joined by `_`, see [`conflict_id`].
    pub id: String,
    /// The policies.
    #[serde(default)]
    pub conflicting_device_configurations: Vec<PolicyReference>,
    /// Names of the CSP leaves on which they clash.
    #[serde(default)]
    pub contributing_settings: Vec<String>,
    /// Number of devices concerned.
    #[serde(default)]
    pub device_checkins_impacted: u32,
}

/// The id of the conflict between these policies: their ids, sorted, joined by `_`.
#[must_use]
pub fn conflict_id(policies: impl IntoIterator<Item = Uuid>) -> String {
    let mut ids: Vec<String> = policies.into_iter().map(|id| id.to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.join("_")
}
