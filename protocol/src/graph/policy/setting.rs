//! The settings of a policy: instances of definitions of the settings catalogue.

use serde::{Deserialize, Serialize};

/// One setting of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    tag = "@odata.type",
    rename = "#microsoft.graph.deviceManagementConfigurationSetting"
)]
pub struct Setting {
    /// Position in the policy; the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The instance.
    pub setting_instance: SettingInstance,
}

impl From<SettingInstance> for Setting {
    fn from(setting_instance: SettingInstance) -> Self {
        Self {
            id: None,
            setting_instance,
        }
    }
}

/// An instance of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "@odata.type")]
pub enum SettingInstance {
    /// One option out of several.
    #[serde(rename = "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance")]
    Choice(ChoiceSettingInstance),
    /// A number or a text.
    #[serde(rename = "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance")]
    Simple(SimpleSettingInstance),
}

impl SettingInstance {
    /// Id of the definition.
    #[must_use]
    pub fn definition_id(&self) -> &str {
        match self {
            Self::Choice(choice) => &choice.setting_definition_id,
            Self::Simple(simple) => &simple.setting_definition_id,
        }
    }
}

/// An option chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChoiceSettingInstance {
    /// Id of the definition.
    pub setting_definition_id: String,
    /// Place in the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting_instance_template_reference: Option<InstanceTemplateReference>,
    /// The option.
    pub choice_setting_value: ChoiceSettingValue,
}

/// The option chosen, with the settings that exist only below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    tag = "@odata.type",
    rename = "#microsoft.graph.deviceManagementConfigurationChoiceSettingValue"
)]
pub struct ChoiceSettingValue {
    /// Id of the option, for example `device_vendor_msft_laps_policies_backupdirectory_1`.
    pub value: String,
    /// Settings below the option.
    #[serde(default)]
    pub children: Vec<SettingInstance>,
    /// Place in the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting_value_template_reference: Option<ValueTemplateReference>,
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SimpleSettingInstance {
    /// Id of the definition.
    pub setting_definition_id: String,
    /// Place in the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting_instance_template_reference: Option<InstanceTemplateReference>,
    /// The value.
    pub simple_setting_value: SimpleSettingValue,
}

/// The value of a [`SimpleSettingInstance`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "@odata.type")]
pub enum SimpleSettingValue {
    /// A number.
    #[serde(
        rename = "#microsoft.graph.deviceManagementConfigurationIntegerSettingValue",
        rename_all = "camelCase"
    )]
    Integer {
        /// The number.
        value: i64,
        /// Place in the template.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        setting_value_template_reference: Option<ValueTemplateReference>,
    },
    /// A text.
    #[serde(
        rename = "#microsoft.graph.deviceManagementConfigurationStringSettingValue",
        rename_all = "camelCase"
    )]
    Text {
        /// The text.
        value: String,
        /// Place in the template.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        setting_value_template_reference: Option<ValueTemplateReference>,
    },
}

/// Place of an instance in the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceTemplateReference {
    /// Id of the place.
    pub setting_instance_template_id: String,
}

/// Place of a value in the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueTemplateReference {
    /// Id of the place.
    pub setting_value_template_id: String,
    /// Always false: the value given counts, not the template's.
    #[serde(default)]
    pub use_template_default: bool,
}
