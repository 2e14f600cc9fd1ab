//! Device actions: the list on a managed device, and bulk actions (wire-facts 5.3, 5.4).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text_enum::text_enum;
use crate::time::UtcTicks;

/// Name of the rotation in lists of actions; it is no [`RemoteAction`].
pub const ROTATE_LOCAL_ADMIN_PASSWORD: &str = "rotateLocalAdminPassword";

/// One requested action of a managed device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceActionResult {
    /// Name of the action.
    pub action_name: String,
    /// How far it got.
    pub action_state: ActionState,
    /// When it was accepted.
    pub start_date_time: UtcTicks,
    /// When its state changed last.
    pub last_updated_date_time: UtcTicks,
    /// HRESULT or SyncML status of the device; null where no device answered one (contract 5).
    #[serde(default)]
    pub error_code: Option<i64>,
    /// Why it failed: `offline`, `noBackup`, `noCredential`, `lost`, `expired`, `disabled`,
    /// `joinType`, or text (contract 5).
    #[serde(default)]
    pub detail: Option<String>,
}

text_enum! {
    /// How far an action got.
    pub enum ActionState {
        /// No state.
        None = "none",
        /// Accepted and not yet sent to the device.
        Pending = "pending",
        /// Given up because something else made it void.
        Canceled = "canceled",
        /// Sent to the device.
        Active = "active",
        /// Succeeded.
        Done = "done",
        /// Failed.
        Failed = "failed",
        /// Not supported on the device.
        NotSupported = "notSupported",
    }
}

impl ActionState {
    /// True when the state will not change again; an unknown state is not taken for an end.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Canceled | Self::Done | Self::Failed | Self::NotSupported => true,
            Self::None | Self::Pending | Self::Active | Self::Other(_) => false,
        }
    }
}

/// The body of `POST .../managedDevices/executeAction`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteAction {
    /// The action; a literal outside the enumeration is [`RemoteAction::Other`].
    pub action_name: RemoteAction,
    /// Ids of managed devices.
    pub device_ids: Vec<Uuid>,
    /// For `wipe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_enrollment_data: Option<bool>,
    /// For `wipe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_user_data: Option<bool>,
}

text_enum! {
    /// The actions that can be asked of many devices at once (`managedDeviceRemoteAction`).
    /// Rotation is not among them.
    #[expect(missing_docs, reason = "the names are Graph's and say what the action does")]
    pub enum RemoteAction {
        Retire = "retire",
        Delete = "delete",
        FullScan = "fullScan",
        QuickScan = "quickScan",
        SignatureUpdate = "signatureUpdate",
        Wipe = "wipe",
        CustomTextNotification = "customTextNotification",
        RebootNow = "rebootNow",
        SetDeviceName = "setDeviceName",
        SyncDevice = "syncDevice",
        Deprovision = "deprovision",
        Disable = "disable",
        Reenable = "reenable",
        MoveDeviceToOrganizationalUnit = "moveDeviceToOrganizationalUnit",
        ActivateDeviceEsim = "activateDeviceEsim",
        CollectDiagnostics = "collectDiagnostics",
        InitiateMobileDeviceManagementKeyRecovery = "initiateMobileDeviceManagementKeyRecovery",
        InitiateOnDemandProactiveRemediation = "initiateOnDemandProactiveRemediation",
        UnknownFutureValue = "unknownFutureValue",
        InitiateDeviceAttestation = "initiateDeviceAttestation",
    }
}

/// The answer to [`ExecuteAction`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkAnswer {
    /// What became of each device.
    pub value: BulkResult,
}

/// What became of each device of a bulk action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    tag = "@odata.type",
    rename = "#microsoft.graph.bulkManagedDeviceActionResult"
)]
pub struct BulkResult {
    /// The action was accepted.
    #[serde(default)]
    pub successful_device_ids: Vec<Uuid>,
    /// The action failed.
    #[serde(default)]
    pub failed_device_ids: Vec<Uuid>,
    /// No such managed device.
    #[serde(default)]
    pub not_found_device_ids: Vec<Uuid>,
    /// The action is not offered for the device.
    #[serde(default)]
    pub not_supported_device_ids: Vec<Uuid>,
}
