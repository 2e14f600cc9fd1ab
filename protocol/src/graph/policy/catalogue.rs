//! Settings-catalogue instances to CSP values and back.
//!
//! The definitions stand in one table. Two of them, `passwordagedays_aad` and `passwordagedays`,
//! mean the one leaf `PasswordAgeDays`.

use std::collections::BTreeMap;
use std::fmt;

use super::setting::{
    ChoiceSettingInstance, ChoiceSettingValue, InstanceTemplateReference, Setting, SettingInstance,
    SimpleSettingInstance, SimpleSettingValue, ValueTemplateReference,
};
use crate::laps_csp::{FIRST_BUILD_1_1, Leaf, PASSWORD_AGE_MIN_ENTRA, Value};

/// A setting that does not stand for a value of the CSP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// Id of the definition.
    pub definition_id: String,
    /// The value given.
    pub value: String,
    /// What is wrong.
    pub fault: SettingFault,
}

/// What is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingFault {
    /// No definition of Windows LAPS has this id.
    UnknownDefinition,
    /// The leaf is set twice in the policy.
    Doubled,
    /// The setting stands below an option that does not have it.
    WrongParent,
    /// The instance or its value is of another kind than the definition.
    WrongKind,
    /// The value is outside the range, or no such option exists.
    OutOfRange,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            definition_id,
            value,
            fault,
        } = self;
        let reason = match fault {
            SettingFault::UnknownDefinition => "unknown definition",
            SettingFault::Doubled => "the setting is given twice",
            SettingFault::WrongParent => "not allowed below this option",
            SettingFault::WrongKind => "value of the wrong kind",
            SettingFault::OutOfRange => "value out of range",
        };
        write!(
            f,
            "setting `{definition_id}` with value `{value}`: {reason}"
        )
    }
}

impl std::error::Error for SettingError {}

/// The settings of a policy that gives these leaves these values.
///
/// Children stand below their option where it is chosen, otherwise at the root. A value that does
/// not fit its leaf is written as it is, for the server to refuse.
#[must_use]
pub fn settings_from_leaves(leaves: &BTreeMap<Leaf, Value>) -> Vec<Setting> {
    let mut roots = Vec::new();
    let mut children: BTreeMap<Leaf, Vec<SettingInstance>> = BTreeMap::new();
    for (leaf, value) in leaves {
        let definition = definition_of(*leaf, leaves);
        let instance = definition.instance(value);
        match definition.chosen_home(leaves) {
            Some(parent) => children.entry(parent).or_default().push(instance),
            None => roots.push((*leaf, instance)),
        }
    }
    roots
        .into_iter()
        .map(|(leaf, mut instance)| {
            if let SettingInstance::Choice(choice) = &mut instance {
                choice.choice_setting_value.children = children.remove(&leaf).unwrap_or_default();
            }
            Setting::from(instance)
        })
        .collect()
}

/// The values of the CSP that these settings stand for.
///
/// # Errors
/// An unknown definition, a leaf that is set twice, a child below an option that does not have it
/// (below its own option or at the root is fine), a value out of range or of the wrong kind.
pub fn leaves_from_settings(settings: &[Setting]) -> Result<BTreeMap<Leaf, Value>, SettingError> {
    let mut leaves = BTreeMap::new();
    for setting in settings {
        read_instance(&setting.setting_instance, None, &mut leaves)?;
    }
    // F-021: the CSP itself takes 1 to 6 only while the directory is not Entra, whichever of the
    // two definitions gave the age.
    if let (Some(Value::Int(1)), Some(Value::Int(age))) = (
        leaves.get(&Leaf::BackupDirectory),
        leaves.get(&Leaf::PasswordAgeDays),
    ) && *age < PASSWORD_AGE_MIN_ENTRA
    {
        return Err(SettingError {
            definition_id: AGE.id.to_owned(),
            value: age.to_string(),
            fault: SettingFault::OutOfRange,
        });
    }
    Ok(leaves)
}

/// Reads one instance and what stands below it; the depth is bounded by that of the definitions.
fn read_instance(
    instance: &SettingInstance,
    parent_option: Option<&str>,
    leaves: &mut BTreeMap<Leaf, Value>,
) -> Result<(), SettingError> {
    let complain = |fault| SettingError {
        definition_id: instance.definition_id().to_owned(),
        value: value_text(instance),
        fault,
    };
    let definition = DEFINITIONS
        .iter()
        .find(|definition| definition.id == instance.definition_id())
        .ok_or_else(|| complain(SettingFault::UnknownDefinition))?;
    if parent_option.is_some_and(|option| !definition.stands_below(option)) {
        return Err(complain(SettingFault::WrongParent));
    }
    let value = definition.value(instance).map_err(complain)?;
    if leaves.insert(definition.leaf, value).is_some() {
        return Err(complain(SettingFault::Doubled));
    }
    match instance {
        SettingInstance::Simple(_) => Ok(()),
        SettingInstance::Choice(choice) => {
            let chosen = &choice.choice_setting_value;
            chosen
                .children
                .iter()
                .try_for_each(|child| read_instance(child, Some(&chosen.value), leaves))
        }
    }
}

/// The value as the error names it.
fn value_text(instance: &SettingInstance) -> String {
    match instance {
        SettingInstance::Choice(choice) => choice.choice_setting_value.value.clone(),
        SettingInstance::Simple(simple) => match &simple.simple_setting_value {
            SimpleSettingValue::Integer { value, .. } => value.to_string(),
            SimpleSettingValue::Text { value, .. } => value.clone(),
        },
    }
}

/// The definition under which a leaf is written, given the other leaves of the policy.
fn definition_of(leaf: Leaf, leaves: &BTreeMap<Leaf, Value>) -> &'static Definition {
    if leaf == Leaf::PasswordAgeDays {
        return if leaves.get(&Leaf::BackupDirectory) == Some(&Value::Int(1)) {
            &AGE_ENTRA
        } else {
            &AGE
        };
    }
    DEFINITIONS
        .iter()
        .find(|definition| definition.leaf == leaf)
        // Every leaf has a row; the tests write each of them.
        .unwrap_or(&AGE)
}

/// A definition of the settings catalogue.
#[derive(Debug)]
struct Definition {
    id: &'static str,
    leaf: Leaf,
    kind: Kind,
    /// Where it may stand besides the root; written below the first when that option is chosen.
    homes: &'static [Home],
    /// Ids of the places of the instance and of the value in the template, where it has them.
    template: Option<(&'static str, &'static str)>,
}

/// An option of a choice below which a definition may stand.
#[derive(Debug)]
struct Home {
    parent: Leaf,
    option: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Choice,
    Integer,
    Text,
}

impl Definition {
    /// The value that an instance of this definition stands for.
    fn value(&self, instance: &SettingInstance) -> Result<Value, SettingFault> {
        let value = match (self.kind, instance) {
            (Kind::Choice, SettingInstance::Choice(choice)) => choice
                .choice_setting_value
                .value
                .strip_prefix(self.id)
                .and_then(|rest| rest.strip_prefix('_'))
                .and_then(|option| self.option(option))
                .ok_or(SettingFault::OutOfRange)?,
            (Kind::Integer | Kind::Text, SettingInstance::Simple(simple)) => {
                match (self.kind, &simple.simple_setting_value) {
                    (Kind::Integer, SimpleSettingValue::Integer { value, .. }) => Value::Int(
                        i32::try_from(*value).map_err(|_range| SettingFault::OutOfRange)?,
                    ),
                    (Kind::Text, SimpleSettingValue::Text { value, .. }) => {
                        Value::Text(value.as_str().into())
                    }
                    (
                        Kind::Choice | Kind::Integer | Kind::Text,
                        SimpleSettingValue::Integer { .. } | SimpleSettingValue::Text { .. },
                    ) => return Err(SettingFault::WrongKind),
                }
            }
            (
                Kind::Choice | Kind::Integer | Kind::Text,
                SettingInstance::Choice(_) | SettingInstance::Simple(_),
            ) => return Err(SettingFault::WrongKind),
        };
        // The widest range: what an older build does not take is not sent to it (contract 2).
        let in_range = self.leaf.node().allows(&value, FIRST_BUILD_1_1)
            && (self.id != AGE_ENTRA.id || value >= Value::Int(PASSWORD_AGE_MIN_ENTRA));
        if in_range {
            Ok(value)
        } else {
            Err(SettingFault::OutOfRange)
        }
    }

    /// The value of an option, which must be spelt exactly as the value is written.
    fn option(&self, text: &str) -> Option<Value> {
        let value = self.leaf.node().parse(text)?;
        (value.to_string() == text).then_some(value)
    }

    fn stands_below(&self, option: &str) -> bool {
        self.homes.iter().any(|home| home.option == option)
    }

    /// The leaf below whose chosen option this definition is written.
    fn chosen_home(&self, leaves: &BTreeMap<Leaf, Value>) -> Option<Leaf> {
        let home = self.homes.first()?;
        let chosen = leaves.get(&home.parent)?;
        // `option` is the whole id of the option, which ends in the value.
        home.option
            .rsplit_once('_')
            .is_some_and(|(_, value)| value == chosen.to_string())
            .then_some(home.parent)
    }

    fn instance(&self, value: &Value) -> SettingInstance {
        let setting_definition_id = self.id.to_owned();
        let setting_instance_template_reference =
            self.template
                .map(|(instance, _)| InstanceTemplateReference {
                    setting_instance_template_id: instance.to_owned(),
                });
        let setting_value_template_reference =
            self.template.map(|(_, value)| ValueTemplateReference {
                setting_value_template_id: value.to_owned(),
                use_template_default: false,
            });
        let simple_setting_value = match (self.kind, value) {
            (Kind::Choice, _) => {
                return SettingInstance::Choice(ChoiceSettingInstance {
                    choice_setting_value: ChoiceSettingValue {
                        value: format!("{setting_definition_id}_{value}"),
                        children: Vec::new(),
                        setting_value_template_reference,
                    },
                    setting_definition_id,
                    setting_instance_template_reference,
                });
            }
            (Kind::Integer, Value::Int(value)) => SimpleSettingValue::Integer {
                value: i64::from(*value),
                setting_value_template_reference,
            },
            (Kind::Integer | Kind::Text, value) => SimpleSettingValue::Text {
                value: value.to_string(),
                setting_value_template_reference,
            },
        };
        SettingInstance::Simple(SimpleSettingInstance {
            setting_definition_id,
            setting_instance_template_reference,
            simple_setting_value,
        })
    }
}

macro_rules! id {
    ($suffix:literal) => {
        concat!("device_vendor_msft_laps_policies_", $suffix)
    };
}

macro_rules! definition {
    ($id:literal, $leaf:ident, $kind:ident, $homes:expr, $template:expr) => {
        Definition {
            id: id!($id),
            leaf: Leaf::$leaf,
            kind: Kind::$kind,
            homes: $homes,
            template: $template,
        }
    };
}

const ROOT: &[Home] = &[];
const BELOW_ENTRA: &[Home] = &[Home {
    parent: Leaf::BackupDirectory,
    option: id!("backupdirectory_1"),
}];
const BELOW_AD: &[Home] = &[Home {
    parent: Leaf::BackupDirectory,
    option: id!("backupdirectory_2"),
}];
const BELOW_AUTOMATIC: &[Home] = &[Home {
    parent: Leaf::AutomaticAccountManagementEnabled,
    option: id!("automaticaccountmanagementenabled_true"),
}];

const AGE_ENTRA: Definition = definition!(
    "passwordagedays_aad",
    PasswordAgeDays,
    Integer,
    BELOW_ENTRA,
    None
);
const AGE: Definition = definition!("passwordagedays", PasswordAgeDays, Integer, BELOW_AD, None);

/// Every definition of Windows LAPS (wire-facts 5.6).
#[rustfmt::skip]
static DEFINITIONS: [Definition; 18] = [
    definition!("backupdirectory", BackupDirectory, Choice, ROOT,
        Some(("a3270f64-e493-499d-8900-90290f61ed8a", "4d90f03d-e14c-43c4-86da-681da96a2f92"))),
    AGE_ENTRA,
    AGE,
    definition!("administratoraccountname", AdministratorAccountName, Text, ROOT,
        Some(("d3d7d492-0019-4f56-96f8-1967f7deabeb", "992c7fce-f9e4-46ab-ac11-e167398859ea"))),
    definition!("passwordcomplexity", PasswordComplexity, Choice, ROOT,
        Some(("8a7459e8-1d1c-458a-8906-7b27d216de52", "aa883ab5-625e-4e3b-b830-a37a4bb8ce01"))),
    definition!("passwordlength", PasswordLength, Integer, ROOT,
        Some(("da7a1dbd-caf7-4341-ab63-ece6f994ff02", "d08f1266-5345-4f53-8ae1-4c20e6cb5ec9"))),
    definition!("passphraselength", PassphraseLength, Integer, ROOT, None),
    definition!("postauthenticationactions", PostAuthenticationActions, Choice, ROOT,
        Some(("d9282eb1-d187-42ae-b366-7081f32dcfff", "68ff4f78-baa8-4b32-bf3d-5ad5566d8142"))),
    definition!("postauthenticationresetdelay", PostAuthenticationResetDelay, Integer, ROOT,
        Some(("a9e21166-4055-4042-9372-efaf3ef41868", "0deb6aee-8dac-40c4-a9dd-c3718e5c1d52"))),
    definition!("passwordexpirationprotectionenabled", PasswordExpirationProtectionEnabled, Choice, BELOW_AD, None),
    definition!("adpasswordencryptionenabled", ADPasswordEncryptionEnabled, Choice, BELOW_AD, None),
    definition!("adpasswordencryptionprincipal", ADPasswordEncryptionPrincipal, Text, BELOW_AD, None),
    definition!("adencryptedpasswordhistorysize", ADEncryptedPasswordHistorySize, Integer, BELOW_AD, None),
    definition!("automaticaccountmanagementenabled", AutomaticAccountManagementEnabled, Choice, ROOT, None),
    definition!("automaticaccountmanagementtarget", AutomaticAccountManagementTarget, Choice, BELOW_AUTOMATIC, None),
    definition!("automaticaccountmanagementnameorprefix", AutomaticAccountManagementNameOrPrefix, Text, BELOW_AUTOMATIC, None),
    definition!("automaticaccountmanagementenableaccount", AutomaticAccountManagementEnableAccount, Choice, BELOW_AUTOMATIC, None),
    definition!("automaticaccountmanagementrandomizename", AutomaticAccountManagementRandomizeName, Choice, BELOW_AUTOMATIC, None),
];
