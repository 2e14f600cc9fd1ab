//! Devices: the directory's object, the managed device, and the tenant's registration policy.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::JoinType;
use crate::graph::action::DeviceActionResult;
use crate::text_enum::text_enum;
use crate::time::UtcTicks;

/// A device object of the directory (`/devices`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryDevice {
    /// Object id, which groups refer to.
    pub id: Uuid,
    /// Entra device id, which the device itself and its credentials carry.
    pub device_id: Uuid,
    /// Name of the device.
    pub display_name: String,
    /// False when an administrator disabled the device.
    pub account_enabled: bool,
    /// How it is joined.
    pub trust_type: TrustType,
    /// Version, for example `10.0.26100.2314`.
    #[serde(default)]
    pub operating_system_version: Option<String>,
}

/// The body of `PATCH /devices/{object id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeDirectoryDevice {
    /// False disables the device.
    pub account_enabled: bool,
}

text_enum! {
    /// How a directory device is joined.
    pub enum TrustType {
        /// Entra joined.
        AzureAd = "AzureAd",
        /// Entra hybrid joined.
        ServerAd = "ServerAd",
        /// Entra registered.
        Workplace = "Workplace",
    }
}

impl TrustType {
    /// The trust type of a join state; `None` for those without a directory object.
    #[must_use]
    pub const fn of(join_type: JoinType) -> Option<Self> {
        match join_type {
            JoinType::EntraJoined => Some(Self::AzureAd),
            JoinType::EntraHybridJoined => Some(Self::ServerAd),
            JoinType::EntraRegistered => Some(Self::Workplace),
            JoinType::DomainJoined | JoinType::NotJoined => None,
        }
    }
}

/// A managed device (`/deviceManagement/managedDevices`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedDevice {
    /// Id of the managed device, new with every enrolment.
    pub id: Uuid,
    /// Name of the device.
    pub device_name: String,
    /// Entra device id; null for a device without directory object.
    #[serde(rename = "azureADDeviceId", default)]
    pub azure_ad_device_id: Option<Uuid>,
    /// Join state in Graph's words.
    #[serde(default)]
    pub join_type: ManagedJoinType,
    /// `Windows`.
    #[serde(default)]
    pub operating_system: Option<String>,
    /// Version, for example `10.0.26100.2314`.
    #[serde(default)]
    pub os_version: Option<String>,
    /// The user that enrolled it.
    #[serde(default)]
    pub user_principal_name: Option<String>,
    /// When it enrolled.
    #[serde(default)]
    pub enrolled_date_time: Option<UtcTicks>,
    /// When its last session ended; null before the first.
    #[serde(default)]
    pub last_sync_date_time: Option<UtcTicks>,
    /// Every action requested so far, newest first.
    #[serde(default)]
    pub device_action_results: Vec<DeviceActionResult>,
}

text_enum! {
    /// Graph's names of the join states of a managed device (wire-facts 5.3).
    #[derive(Default)]
    pub enum ManagedJoinType {
        /// Domain joined alone or not joined: Graph has no name for either.
        #[default]
        Unknown = "unknown",
        /// Entra joined.
        AzureAdJoined = "azureADJoined",
        /// Entra registered.
        AzureAdRegistered = "azureADRegistered",
        /// Entra hybrid joined.
        HybridAzureAdJoined = "hybridAzureADJoined",
    }
}

impl From<JoinType> for ManagedJoinType {
    fn from(join_type: JoinType) -> Self {
        match join_type {
            JoinType::EntraJoined => Self::AzureAdJoined,
            JoinType::EntraHybridJoined => Self::HybridAzureAdJoined,
            JoinType::EntraRegistered => Self::AzureAdRegistered,
            JoinType::DomainJoined | JoinType::NotJoined => Self::Unknown,
        }
    }
}

/// The tenant's registration policy (`/policies/deviceRegistrationPolicy`), as far as LAPS goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRegistrationPolicy {
    /// The LAPS switch of the tenant.
    pub local_admin_password: LocalAdminPasswordSettings,
}

/// The LAPS switch of the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalAdminPasswordSettings {
    /// False: the directory refuses backups.
    pub is_enabled: bool,
}
