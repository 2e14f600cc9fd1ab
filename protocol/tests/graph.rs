//! Graph, control and directory bodies against golden JSON that was written by hand, both ways,
//! and the settings of a policy against the CSP values that they stand for.

use std::collections::BTreeMap;

use protocol::JoinType;
use protocol::control::{
    ActorToken, AdvanceClock, ChangeDevice, ClockState, NewActor, RegisterDevice, Registration,
    SignIn,
};
use protocol::directory::{CredentialUpload, credential_path};
use protocol::enrollment::Credential;
use protocol::graph::action::{ActionState, BulkAnswer, ExecuteAction, RemoteAction};
use protocol::graph::audit::{AuditEvent, DirectoryAudit};
use protocol::graph::batch::{BatchRequest, BatchResponse};
use protocol::graph::credential::DeviceLocalCredentialInfo;
use protocol::graph::device::{
    DeviceRegistrationPolicy, DirectoryDevice, ManagedDevice, ManagedJoinType, TrustType,
};
use protocol::graph::error::{ErrorBody, ErrorCode};
use protocol::graph::group::{Group, Member, MemberReference, NewGroup, User};
use protocol::graph::list::Page;
use protocol::graph::policy::{
    Assign, ConfigurationPolicy, Setting, SettingError, SettingFault, SettingInstance,
    leaves_from_settings, settings_from_leaves,
};
use protocol::graph::report::{ConfigurationState, ConflictSummary, DeviceStatus, conflict_id};
use protocol::laps_csp::{Leaf, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use uuid::Uuid;

macro_rules! golden {
    ($name:literal) => {
        serde_json::from_str::<Json>(include_str!(concat!("../../fixtures/wire/", $name)))
            .expect("golden files are JSON")
    };
}

#[test]
fn every_resource_reads_and_writes_as_its_golden_json() {
    check::<ErrorBody>(&golden!("graph/error.json"));
    check::<Page<User>>(&golden!("graph/users.json"));
    check::<NewGroup>(&golden!("graph/new-group.json"));
    check::<Group>(&golden!("graph/group.json"));
    check::<MemberReference>(&golden!("graph/member-reference.json"));
    check::<Page<Member>>(&golden!("graph/members.json"));
    check::<Page<DirectoryDevice>>(&golden!("graph/directory-devices.json"));
    check::<DeviceRegistrationPolicy>(&golden!("graph/registration-policy.json"));
    check::<ManagedDevice>(&golden!("graph/managed-device.json"));
    check::<ConfigurationPolicy>(&golden!("graph/policy.json"));
    check::<Page<ConfigurationPolicy>>(&golden!("graph/policies.json"));
    check::<Assign>(&golden!("graph/assign.json"));
    check::<Page<ConfigurationState>>(&golden!("graph/configuration-states.json"));
    check::<Page<DeviceStatus>>(&golden!("graph/device-statuses.json"));
    check::<Page<ConflictSummary>>(&golden!("graph/conflict-summary.json"));
    check::<ExecuteAction>(&golden!("graph/execute-action.json"));
    check::<BulkAnswer>(&golden!("graph/bulk-answer.json"));
    check::<Page<DeviceLocalCredentialInfo>>(&golden!("graph/credential-metadata.json"));
    check::<DeviceLocalCredentialInfo>(&golden!("graph/credential.json"));
    check::<Page<AuditEvent>>(&golden!("graph/audit-events.json"));
    check::<Page<DirectoryAudit>>(&golden!("graph/directory-audits.json"));
    check::<CredentialUpload>(&golden!("directory/credential.json"));
    // The bodies inside a batch are any JSON, so further members and other types stay in them.
    check_both_ways::<BatchRequest>(&golden!("graph/batch-request.json"));
    check_both_ways::<BatchResponse>(&golden!("graph/batch-response.json"));
}

#[test]
fn every_control_body_reads_and_writes_as_the_contract_prints_it() {
    check::<RegisterDevice>(&json!({
        "deviceName": "PC-000042", "joinType": "entraJoined",
        "entraDeviceId": "31c59f6a-8f7e-4b0d-a2c4-d6e8f0a1b3c5",
        "userPrincipalName": "mara@tailspin.example", "osVersion": "10.0.26100.2314",
    }));
    check::<RegisterDevice>(&json!({
        "deviceName": "PC-000043", "joinType": "notJoined", "osVersion": "10.0.19045.5011",
    }));
    check::<Registration>(&json!({"enrollment": {"authPolicy": "Federated", "token": "t"}}));
    check::<Registration>(
        &json!({"enrollment": {"authPolicy": "OnPremise", "username": "u", "password": "p"}}),
    );
    check::<ChangeDevice>(&json!({"joinType": "entraHybridJoined"}));
    check::<ClockState>(&json!({"now": "2026-03-11T09:30:00Z"}));
    check::<AdvanceClock>(&json!({"advanceMs": 86_400_000}));
    check::<SignIn>(&json!({
        "managedDeviceId": "9a1de3f0-6b1c-4f1e-8f59-2f6f3f0a7777", "userPrincipalName": null,
    }));
    check::<NewActor>(&json!({"name": "auditor", "rights": ["Audit data/Read"]}));
    check::<ActorToken>(&json!({"token": "t"}));
}

#[test]
fn what_the_goldens_say_is_what_the_types_hold() {
    let device: ManagedDevice = read(&golden!("graph/managed-device.json"));
    assert_eq!(device.join_type, ManagedJoinType::HybridAzureAdJoined);
    let states = device
        .device_action_results
        .iter()
        .map(|result| &result.action_state);
    assert!(states.eq([&ActionState::Pending, &ActionState::Failed]));
    let action: ExecuteAction = read(&golden!("graph/execute-action.json"));
    assert_eq!(
        action.action_name,
        RemoteAction::Other("rotateLocalAdminPassword".to_owned())
    );
    let error: ErrorBody = read(&golden!("graph/error.json"));
    assert_eq!(error.error.code, ErrorCode::ResourceNotFound);
    assert_eq!(error.error.code.http_status(), Some(404));
    let directory: Page<DirectoryDevice> = read(&golden!("graph/directory-devices.json"));
    assert_eq!(directory.value[0].trust_type, TrustType::ServerAd);
    let reference: MemberReference = read(&golden!("graph/member-reference.json"));
    let object = Uuid::parse_str("7be4c1d0-52f3-4a6e-8d97-0a1b2c3d4e5f").unwrap();
    assert_eq!(reference.object_id(), Some(object));
    assert_eq!(
        MemberReference::new("https://graph.microsoft.com/v1.0", object),
        reference
    );
    assert_eq!(
        credential_path(object),
        "/laps/v1/devices/7be4c1d0-52f3-4a6e-8d97-0a1b2c3d4e5f/credential"
    );
}

#[test]
fn a_reference_to_no_directory_object_has_no_id() {
    for url in [
        "",
        "7be4c1d0-52f3-4a6e-8d97-0a1b2c3d4e5f",
        "https://core.example/v1.0/directoryObjects/",
        "https://core.example/v1.0/directoryObjects/PC-000042",
        "https://core.example/v1.0/policies/7be4c1d0-52f3-4a6e-8d97-0a1b2c3d4e5f",
    ] {
        let reference = MemberReference {
            odata_id: url.to_owned(),
        };
        assert_eq!(reference.object_id(), None, "{url}");
    }
}

#[test]
fn join_states_have_graphs_names() {
    for (join_type, managed, trust) in [
        (JoinType::EntraJoined, "azureADJoined", Some("AzureAd")),
        (
            JoinType::EntraHybridJoined,
            "hybridAzureADJoined",
            Some("ServerAd"),
        ),
        (
            JoinType::EntraRegistered,
            "azureADRegistered",
            Some("Workplace"),
        ),
        (JoinType::DomainJoined, "unknown", None),
        (JoinType::NotJoined, "unknown", None),
    ] {
        assert_eq!(ManagedJoinType::from(join_type).as_str(), managed);
        let found = TrustType::of(join_type);
        assert_eq!(found.as_ref().map(TrustType::as_str), trust);
    }
}

#[test]
fn unknown_states_survive() {
    let state: ActionState = read(&json!("postponed"));
    assert_eq!(state, ActionState::Other("postponed".to_owned()));
    assert!(!state.is_final());
    assert_eq!(serde_json::to_value(state).unwrap(), json!("postponed"));
}

#[test]
fn a_credential_is_read_flat_and_wrapped() {
    let flat = golden!("graph/credential.json");
    let wrapped = json!({"@odata.context": "x", "value": flat});
    let expected: DeviceLocalCredentialInfo = read(&flat);
    for body in [&flat, &wrapped] {
        let read = DeviceLocalCredentialInfo::decode(body.to_string().as_bytes());
        assert_eq!(read, Ok(expected.clone()));
    }
    for body in ["", "[]", "{}", "{\"value\":[]}", "{\"id\":1}"] {
        assert!(
            DeviceLocalCredentialInfo::decode(body.as_bytes()).is_err(),
            "{body}"
        );
    }
}

#[test]
fn debug_output_shows_no_secret() {
    let info: DeviceLocalCredentialInfo = read(&golden!("graph/credential.json"));
    let upload: CredentialUpload = read(&golden!("directory/credential.json"));
    let registration: Registration =
        read(&json!({"enrollment": {"authPolicy": "Federated", "token": "letmein"}}));
    let credential = Credential::from(registration.enrollment.clone());
    let shown = format!("{info:?}{upload:?}{registration:?}{credential:?}");
    for secret in ["UQBRAEAAZAA4AGYAOABnAFkA", "YQBiAGMA", "letmein"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn the_id_of_a_conflict_is_the_sorted_ids() {
    let id = |n: u128| Uuid::from_u128(n);
    let expected = "00000000-0000-0000-0000-000000000001_00000000-0000-0000-0000-00000000000a";
    assert_eq!(conflict_id([id(10), id(1), id(10)]), expected);
}

#[test]
fn the_golden_policy_stands_for_these_leaves_and_is_written_from_them() {
    let policy: ConfigurationPolicy = read(&golden!("graph/policy.json"));
    let settings = policy.settings.clone().unwrap();
    let leaves = BTreeMap::from([
        (Leaf::BackupDirectory, Value::Int(1)),
        (Leaf::PasswordAgeDays, Value::Int(30)),
        (Leaf::PasswordComplexity, Value::Int(4)),
        (Leaf::PasswordLength, Value::Int(16)),
        (
            Leaf::AdministratorAccountName,
            Value::Text("toymaker".into()),
        ),
    ]);
    assert_eq!(leaves_from_settings(&settings).unwrap(), leaves);
    assert_eq!(settings_from_leaves(&leaves), settings);
    let mut written = ConfigurationPolicy::laps(policy.name.clone(), settings);
    written.description.clone_from(&policy.description);
    written
        .role_scope_tag_ids
        .clone_from(&policy.role_scope_tag_ids);
    assert_eq!(written, policy);
}

#[test]
fn leaves_come_back_from_the_settings_written_for_them() {
    let all: BTreeMap<Leaf, Value> = [
        (Leaf::PasswordAgeDays, Value::Int(9)),
        (Leaf::PasswordComplexity, Value::Int(8)),
        (Leaf::PasswordLength, Value::Int(64)),
        (Leaf::PassphraseLength, Value::Int(3)),
        (Leaf::AdministratorAccountName, Value::Text("".into())),
        (
            Leaf::PasswordExpirationProtectionEnabled,
            Value::Bool(false),
        ),
        (Leaf::ADPasswordEncryptionEnabled, Value::Bool(true)),
        (
            Leaf::ADPasswordEncryptionPrincipal,
            Value::Text("TAILSPIN\\helpers".into()),
        ),
        (Leaf::ADEncryptedPasswordHistorySize, Value::Int(12)),
        (Leaf::PostAuthenticationResetDelay, Value::Int(0)),
        (Leaf::PostAuthenticationActions, Value::Int(11)),
        (Leaf::AutomaticAccountManagementEnabled, Value::Bool(true)),
        (Leaf::AutomaticAccountManagementTarget, Value::Int(0)),
        (
            Leaf::AutomaticAccountManagementNameOrPrefix,
            Value::Text("toy".into()),
        ),
        (
            Leaf::AutomaticAccountManagementEnableAccount,
            Value::Bool(false),
        ),
        (
            Leaf::AutomaticAccountManagementRandomizeName,
            Value::Bool(true),
        ),
    ]
    .into();
    for directory in [None, Some(0), Some(1), Some(2)] {
        let mut leaves = all.clone();
        leaves.extend(directory.map(|value| (Leaf::BackupDirectory, Value::Int(value))));
        let settings = settings_from_leaves(&leaves);
        assert_eq!(leaves_from_settings(&settings), Ok(leaves), "{directory:?}");
    }
    let mut none = settings_from_leaves(&BTreeMap::new());
    assert_eq!(none.pop(), None);
}

#[test]
fn children_stand_below_the_option_that_is_chosen() {
    for (directory, root, child) in [
        (
            1,
            vec!["backupdirectory", "adpasswordencryptionenabled"],
            "passwordagedays_aad",
        ),
        (2, vec!["backupdirectory"], "passwordagedays"),
    ] {
        let settings = settings_from_leaves(&BTreeMap::from([
            (Leaf::BackupDirectory, Value::Int(directory)),
            (Leaf::PasswordAgeDays, Value::Int(10)),
            (Leaf::ADPasswordEncryptionEnabled, Value::Bool(true)),
        ]));
        let ids = |instances: Vec<&SettingInstance>| -> Vec<String> {
            let short = |id: &str| id.trim_start_matches(PREFIX).to_owned();
            instances
                .iter()
                .map(|instance| short(instance.definition_id()))
                .collect()
        };
        let roots = settings
            .iter()
            .map(|setting| &setting.setting_instance)
            .collect();
        assert_eq!(ids(roots), root);
        let SettingInstance::Choice(choice) = &settings[0].setting_instance else {
            panic!("the directory is a choice");
        };
        let children = ids(choice.choice_setting_value.children.iter().collect());
        assert_eq!(children.first().map(String::as_str), Some(child));
    }
}

#[test]
fn a_child_may_stand_at_the_root() {
    let settings = settings(&[
        integer("passwordagedays", 3),
        choice("adpasswordencryptionenabled", "true", &[]),
        choice("backupdirectory", "2", &[]),
    ]);
    let leaves = leaves_from_settings(&settings).unwrap();
    assert_eq!(leaves.get(&Leaf::PasswordAgeDays), Some(&Value::Int(3)));
    assert_eq!(leaves.len(), 3);
}

#[test]
fn values_out_of_range_are_refused() {
    for (id, below, low, high, above) in [
        ("passwordagedays", 0, 1, 365, 366),
        ("passwordagedays_aad", 6, 7, 365, 366),
        ("passwordlength", 7, 8, 64, 65),
        ("passphraselength", 2, 3, 10, 11),
        ("adencryptedpasswordhistorysize", -1, 0, 12, 13),
        ("postauthenticationresetdelay", -1, 0, 24, 4_294_967_296),
    ] {
        for value in [low, high] {
            assert_eq!(refusal(&[integer(id, value)]), None, "{id} {value}");
        }
        for value in [below, above] {
            let expected = error(id, &value.to_string(), SettingFault::OutOfRange);
            assert_eq!(refusal(&[integer(id, value)]), Some(expected));
        }
    }
}

#[test]
fn options_that_do_not_exist_are_refused() {
    for (id, options, others) in [
        (
            "backupdirectory",
            vec!["0", "1", "2"],
            vec!["3", "-1", "01", "", "true"],
        ),
        ("passwordcomplexity", vec!["1", "8"], vec!["0", "9"]),
        (
            "postauthenticationactions",
            vec!["1", "3", "5", "11"],
            vec!["0", "2", "7"],
        ),
        (
            "adpasswordencryptionenabled",
            vec!["true", "false"],
            vec!["True", "1"],
        ),
        (
            "automaticaccountmanagementtarget",
            vec!["0", "1"],
            vec!["2"],
        ),
    ] {
        for option in options {
            assert_eq!(refusal(&[choice(id, option, &[])]), None, "{id} {option}");
        }
        for option in others {
            let value = format!("{PREFIX}{id}_{option}");
            let expected = error(id, &value, SettingFault::OutOfRange);
            assert_eq!(refusal(&[choice(id, option, &[])]), Some(expected));
        }
    }
}

#[test]
fn an_age_below_seven_is_refused_with_entra_whichever_definition_gives_it() {
    let settings = [
        choice("backupdirectory", "1", &[]),
        integer("passwordagedays", 6),
    ];
    let expected = error("passwordagedays", "6", SettingFault::OutOfRange);
    assert_eq!(refusal(&settings), Some(expected));
}

#[test]
fn settings_of_the_wrong_kind_are_refused() {
    for (instance, id, value, fault) in [
        (
            integer("backupdirectory", 1),
            "backupdirectory",
            "1",
            SettingFault::WrongKind,
        ),
        (
            text("passwordlength", "14"),
            "passwordlength",
            "14",
            SettingFault::WrongKind,
        ),
        (
            integer("administratoraccountname", 1),
            "administratoraccountname",
            "1",
            SettingFault::WrongKind,
        ),
        (
            integer("passwordage", 9),
            "passwordage",
            "9",
            SettingFault::UnknownDefinition,
        ),
        (
            integer("PasswordLength", 9),
            "PasswordLength",
            "9",
            SettingFault::UnknownDefinition,
        ),
    ] {
        assert_eq!(refusal(&[instance]), Some(error(id, value, fault)));
    }
    let value = format!("{PREFIX}passwordlength_14");
    let expected = error("passwordlength", &value, SettingFault::WrongKind);
    assert_eq!(
        refusal(&[choice("passwordlength", "14", &[])]),
        Some(expected)
    );
}

#[test]
fn a_leaf_that_is_set_twice_is_refused() {
    for (first, second) in [
        ("passwordlength", "passwordlength"),
        ("passwordagedays", "passwordagedays_aad"),
        ("passwordagedays_aad", "passwordagedays"),
    ] {
        let settings = [integer(first, 14), integer(second, 14)];
        let expected = error(second, "14", SettingFault::Doubled);
        assert_eq!(refusal(&settings), Some(expected));
    }
    let child = integer("passwordagedays_aad", 14);
    let settings = [
        choice("backupdirectory", "1", std::slice::from_ref(&child)),
        child,
    ];
    let expected = error("passwordagedays_aad", "14", SettingFault::Doubled);
    assert_eq!(refusal(&settings), Some(expected));
}

#[test]
fn a_child_below_a_wrong_option_is_refused() {
    for (parent, option, child) in [
        ("backupdirectory", "1", "passwordagedays"),
        ("backupdirectory", "0", "passwordagedays"),
        ("backupdirectory", "2", "passwordagedays_aad"),
        ("backupdirectory", "1", "adencryptedpasswordhistorysize"),
        ("backupdirectory", "1", "passwordlength"),
        (
            "automaticaccountmanagementenabled",
            "true",
            "passwordlength",
        ),
    ] {
        let settings = [choice(parent, option, &[integer(child, 12)])];
        let expected = error(child, "12", SettingFault::WrongParent);
        assert_eq!(refusal(&settings), Some(expected), "{parent} {option}");
    }
}

#[test]
fn an_instance_or_a_target_of_an_unknown_type_is_refused() {
    let policy = golden!("graph/policy.json").to_string();
    for (from, to) in [
        ("ChoiceSettingInstance", "ChoiceSettingCollectionInstance"),
        ("IntegerSettingValue", "SecretSettingValue"),
    ] {
        let changed = policy.replace(from, to);
        assert!(
            serde_json::from_str::<ConfigurationPolicy>(&changed).is_err(),
            "{to}"
        );
    }
    let assign = golden!("graph/assign.json")
        .to_string()
        .replace("allDevices", "someDevices");
    assert!(serde_json::from_str::<Assign>(&assign).is_err());
}

const PREFIX: &str = "device_vendor_msft_laps_policies_";

fn refusal(instances: &[Json]) -> Option<SettingError> {
    leaves_from_settings(&settings(instances)).err()
}

fn error(id: &str, value: &str, fault: SettingFault) -> SettingError {
    SettingError {
        definition_id: format!("{PREFIX}{id}"),
        value: value.to_owned(),
        fault,
    }
}

fn settings(instances: &[Json]) -> Vec<Setting> {
    let setting = |instance| read(&json!({"settingInstance": instance}));
    instances.iter().map(setting).collect()
}

fn integer(id: &str, value: i64) -> Json {
    simple(id, "Integer", &json!(value))
}

fn text(id: &str, value: &str) -> Json {
    simple(id, "String", &json!(value))
}

fn simple(id: &str, kind: &str, value: &Json) -> Json {
    let value_type = format!("#microsoft.graph.deviceManagementConfiguration{kind}SettingValue");
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
        "settingDefinitionId": format!("{PREFIX}{id}"),
        "simpleSettingValue": {"@odata.type": value_type, "value": value},
    })
}

fn choice(id: &str, option: &str, children: &[Json]) -> Json {
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
        "settingDefinitionId": format!("{PREFIX}{id}"),
        "choiceSettingValue": {"value": format!("{PREFIX}{id}_{option}"), "children": children},
    })
}

fn read<T: DeserializeOwned>(json: &Json) -> T {
    serde_json::from_str(&json.to_string()).expect("the JSON is of this type")
}

/// Reads and writes; then with a further member in every object; then with each value in turn
/// replaced by one of a wrong type, which must be refused.
fn check<T: Serialize + DeserializeOwned>(golden: &Json) {
    check_both_ways::<T>(golden);

    let mut extended = golden.clone();
    for_each_object(&mut extended, &mut |object| {
        object.insert("a-member-of-tomorrow".to_owned(), json!({"x": [1, null]}));
    });
    let written = serde_json::to_value(read::<T>(&extended)).expect("types write");
    assert_eq!(&written, golden);

    for pointer in pointers(golden) {
        let mut wrong = golden.clone();
        let place = wrong
            .pointer_mut(&pointer)
            .expect("the pointer is of this JSON");
        *place = json!(0.5);
        let refused = serde_json::from_str::<T>(&wrong.to_string()).is_err();
        assert!(refused, "wrong type at {pointer} of {golden}");
    }
}

fn check_both_ways<T: Serialize + DeserializeOwned>(golden: &Json) {
    let written = serde_json::to_value(read::<T>(golden)).expect("types write");
    assert_eq!(&written, golden);
}

fn for_each_object(json: &mut Json, change: &mut impl FnMut(&mut serde_json::Map<String, Json>)) {
    match json {
        Json::Object(object) => {
            object
                .values_mut()
                .for_each(|value| for_each_object(value, change));
            change(object);
        }
        Json::Array(array) => array
            .iter_mut()
            .for_each(|value| for_each_object(value, change)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The JSON pointer of every value, the type marks of plain objects apart, which are not read.
fn pointers(json: &Json) -> Vec<String> {
    const PLAIN: [&str; 3] = [
        "#microsoft.graph.deviceManagementConfigurationSetting",
        "#microsoft.graph.deviceManagementConfigurationChoiceSettingValue",
        "#microsoft.graph.bulkManagedDeviceActionResult",
    ];
    let mut found = vec![String::new()];
    let mut below = |key: &str, value: &Json| {
        if value.as_str().is_some_and(|text| PLAIN.contains(&text)) {
            return;
        }
        found.extend(
            pointers(value)
                .into_iter()
                .map(|rest| format!("/{key}{rest}")),
        );
    };
    match json {
        Json::Object(object) => object.iter().for_each(|(key, value)| below(key, value)),
        Json::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                below(&index.to_string(), value);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
    found
}
