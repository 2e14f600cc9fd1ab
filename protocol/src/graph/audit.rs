//! Both audit logs: the device management one and the directory's (wire-facts 5.5).

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::text_enum::text_enum;
use crate::time::UtcTicks;

/// Activity of an attempt to rotate (contract 5).
pub const ACTIVITY_ROTATE: &str = "rotateLocalAdminPassword ManagedDevice";
/// Activity of a backup that the directory stored.
pub const ACTIVITY_UPDATE: &str = "Update device local administrator password";
/// Activity of a password that somebody read.
pub const ACTIVITY_RECOVER: &str = "Recover device local administrator password";
/// Service that logs both directory activities, and the app that does the first of them.
pub const DEVICE_REGISTRATION_SERVICE: &str = "Device Registration Service";

/// An event of device management (`/deviceManagement/auditEvents`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Id of the event.
    pub id: String,
    /// Name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Component that logged it.
    #[serde(default)]
    pub component_name: Option<String>,
    /// What was done, for example [`ACTIVITY_ROTATE`].
    pub activity: String,
    /// When.
    pub activity_date_time: UtcTicks,
    /// Kind of activity, for example `Action`.
    #[serde(default)]
    pub activity_type: Option<String>,
    /// `Create`, `Patch`, `Delete`, `Assign` or `Action`.
    #[serde(default)]
    pub activity_operation_type: Option<String>,
    /// What the call did.
    pub activity_result: ActivityResult,
    /// `client-request-id` of the call.
    #[serde(default, deserialize_with = "guid_or_none")]
    pub correlation_id: Option<Uuid>,
    /// For example `Device`.
    #[serde(default)]
    pub category: Option<String>,
    /// Who did it.
    #[serde(default)]
    pub actor: Option<AuditActor>,
    /// To what.
    #[serde(default)]
    pub resources: Vec<AuditResource>,
}

text_enum! {
    /// What an audited call did.
    pub enum ActivityResult {
        /// Accepted.
        Success = "Success",
        /// Refused by the state of the device before the answer was sent (contract 5).
        Failure = "Failure",
    }
}

/// Who did something to a managed device or policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditActor {
    /// For example `ItPro`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Name to sign in with; `<actor>@muster.test` in the built-in core.
    #[serde(default)]
    pub user_principal_name: Option<String>,
    /// Object id.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Name of the application.
    #[serde(default)]
    pub application_display_name: Option<String>,
}

/// What a device management event was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditResource {
    /// Name of the managed device or policy.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Kind of resource.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Id of the managed device or policy.
    pub resource_id: String,
    /// What changed.
    #[serde(default)]
    pub modified_properties: Vec<ModifiedProperty>,
}

/// One changed property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModifiedProperty {
    /// Name of the property.
    pub display_name: String,
    /// Value before.
    #[serde(default)]
    pub old_value: Option<String>,
    /// Value after.
    #[serde(default)]
    pub new_value: Option<String>,
}

/// An event of the directory (`/auditLogs/directoryAudits`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryAudit {
    /// Id of the event.
    pub id: String,
    /// For example `Device`.
    #[serde(default)]
    pub category: Option<String>,
    /// `client-request-id` of the call.
    #[serde(default, deserialize_with = "guid_or_none")]
    pub correlation_id: Option<Uuid>,
    /// How it ended.
    pub result: AuditResult,
    /// Sentence about the end.
    #[serde(default)]
    pub result_reason: Option<String>,
    /// What was done, for example [`ACTIVITY_UPDATE`].
    pub activity_display_name: String,
    /// When.
    pub activity_date_time: UtcTicks,
    /// Service that logged it.
    #[serde(default)]
    pub logged_by_service: Option<String>,
    /// For example `Update`.
    #[serde(default)]
    pub operation_type: Option<String>,
    /// Who did it.
    #[serde(default)]
    pub initiated_by: InitiatedBy,
    /// To what.
    #[serde(default)]
    pub target_resources: Vec<TargetResource>,
    /// Further facts.
    #[serde(default)]
    pub additional_details: Vec<KeyValue>,
}

text_enum! {
    /// How a directory event ended.
    pub enum AuditResult {
        /// It worked.
        Success = "success",
        /// It did not.
        Failure = "failure",
        /// It took too long.
        Timeout = "timeout",
    }
}

/// Who did something in the directory: a user, or an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitiatedBy {
    /// The user.
    #[serde(default)]
    pub user: Option<AuditUser>,
    /// The app.
    #[serde(default)]
    pub app: Option<AuditApp>,
}

/// A user who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditUser {
    /// Object id.
    #[serde(default)]
    pub id: Option<String>,
    /// Name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Name to sign in with; `<actor>@muster.test` in the built-in core.
    #[serde(default)]
    pub user_principal_name: Option<String>,
}

/// An app that did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditApp {
    /// Name for people, for example [`DEVICE_REGISTRATION_SERVICE`].
    #[serde(default)]
    pub display_name: Option<String>,
}

/// What a directory event was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetResource {
    /// Entra device id.
    pub id: String,
    /// Name of the device.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Kind of resource, for example `Device`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// What changed.
    #[serde(default)]
    pub modified_properties: Vec<ModifiedProperty>,
}

/// A further fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// What it is about.
    pub key: String,
    /// What it is.
    #[serde(default)]
    pub value: Option<String>,
}
/// A GUID, or nothing: a target that fills the member with something else has no id to match by,
/// and its log is read all the same (contract 0 leaves the member open).
fn guid_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}
