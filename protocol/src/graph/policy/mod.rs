//! Settings-catalogue policies: the policy, its settings, its assignments (wire-facts 5.6).

mod catalogue;
mod setting;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use catalogue::{SettingError, SettingFault, leaves_from_settings, settings_from_leaves};
pub use setting::{
    ChoiceSettingInstance, ChoiceSettingValue, InstanceTemplateReference, Setting, SettingInstance,
    SimpleSettingInstance, SimpleSettingValue, ValueTemplateReference,
};

use crate::time::UtcTicks;

/// The one platform of LAPS policies.
pub const PLATFORM_WINDOWS_10: &str = "windows10";
/// The one technology of LAPS policies.
pub const TECHNOLOGY_MDM: &str = "mdm";
/// Id of the Windows LAPS template.
pub const LAPS_TEMPLATE_ID: &str = "adc46e5a-f4aa-4ff6-aeff-4f27bc525796_1";

/// A policy (`/deviceManagement/configurationPolicies`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationPolicy {
    /// Id; the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Name.
    pub name: String,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
    /// [`PLATFORM_WINDOWS_10`]; empty when the request had none.
    #[serde(default)]
    pub platforms: String,
    /// [`TECHNOLOGY_MDM`]; empty when the request had none.
    #[serde(default)]
    pub technologies: String,
    /// Scope tags; `["0"]` when the request had none (contract 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_scope_tag_ids: Option<Vec<String>>,
    /// The template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_reference: Option<TemplateReference>,
    /// The settings; left out of answers that do not carry them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Vec<Setting>>,
    /// When it was made; the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_date_time: Option<UtcTicks>,
    /// When it was changed last; the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified_date_time: Option<UtcTicks>,
    /// Number of settings; the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting_count: Option<u32>,
    /// True when it has an assignment; the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_assigned: Option<bool>,
}

impl ConfigurationPolicy {
    /// A Windows LAPS policy as an administrator sends it.
    #[must_use]
    pub fn laps(name: impl Into<String>, settings: Vec<Setting>) -> Self {
        Self {
            name: name.into(),
            platforms: PLATFORM_WINDOWS_10.to_owned(),
            technologies: TECHNOLOGY_MDM.to_owned(),
            template_reference: Some(TemplateReference::laps()),
            settings: Some(settings),
            ..Self::default()
        }
    }
}

/// The template that a policy was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateReference {
    /// Id, for example [`LAPS_TEMPLATE_ID`].
    pub template_id: String,
    /// Family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_family: Option<String>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_display_name: Option<String>,
    /// Version for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_display_version: Option<String>,
}

impl TemplateReference {
    /// The Windows LAPS template (wire-facts 5.6).
    #[must_use]
    pub fn laps() -> Self {
        Self {
            template_id: LAPS_TEMPLATE_ID.to_owned(),
            template_family: Some("endpointSecurityAccountProtection".to_owned()),
            template_display_name: Some("Local admin password solution (Windows LAPS)".to_owned()),
            template_display_version: Some("Version 1".to_owned()),
        }
    }
}

/// The body of `POST .../configurationPolicies/{id}/assign`; replaces the whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// The assignments.
    pub assignments: Vec<Assignment>,
}

/// One assignment of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Id; the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whom it reaches.
    pub target: Target,
}

impl From<Target> for Assignment {
    fn from(target: Target) -> Self {
        Self { id: None, target }
    }
}

/// Whom an assignment reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "@odata.type")]
pub enum Target {
    /// The members of a group.
    #[serde(
        rename = "#microsoft.graph.groupAssignmentTarget",
        rename_all = "camelCase"
    )]
    Group {
        /// Object id of the group.
        group_id: Uuid,
    },
    /// Not the members of a group.
    #[serde(
        rename = "#microsoft.graph.exclusionGroupAssignmentTarget",
        rename_all = "camelCase"
    )]
    ExclusionGroup {
        /// Object id of the group.
        group_id: Uuid,
    },
    /// Every device.
    #[serde(rename = "#microsoft.graph.allDevicesAssignmentTarget")]
    AllDevices {},
    /// Every user.
    #[serde(rename = "#microsoft.graph.allLicensedUsersAssignmentTarget")]
    AllLicensedUsers {},
}
