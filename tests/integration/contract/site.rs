//! A core of its own with a push endpoint, and the calls that set a scene.

use std::time::Duration;

use serde_json::{Value, json};

use super::channel::{Channels, Mood};
use super::device::Device;
use super::http::{Answer, Request};
use super::soap::Credential;
use super::text::{fresh, guid};
use crate::util::Core;

pub(crate) const POLICY_ADMIN: &str = "policy-admin";
pub(crate) const ROTATOR: &str = "rotate-operator";
pub(crate) const HELP_DESK: &str = "help-desk";
pub(crate) const READER: &str = "password-reader";
pub(crate) const AUDITOR: &str = "auditor";
pub(crate) const DEVICE_ADMIN: &str = "device-admin";

pub(crate) const ENTRA: &str = "entraJoined";
pub(crate) const HYBRID: &str = "entraHybridJoined";
pub(crate) const REGISTERED: &str = "entraRegistered";
pub(crate) const DOMAIN: &str = "domainJoined";
pub(crate) const NOT_JOINED: &str = "notJoined";

pub(crate) const WINDOWS_10: &str = "10.0.19045.5131";
pub(crate) const WINDOWS_11: &str = "10.0.26100.2314";

/// The time within which a push must go out (contract 8, T_push), and a margin for a busy machine.
pub(crate) const T_PUSH: Duration = Duration::from_secs(2);

/// The core under test.
pub(crate) struct Site {
    pub(crate) enroll: String,
    pub(crate) manage: String,
    pub(crate) directory: String,
    pub(crate) admin: String,
    pub(crate) control: String,
    pub(crate) channels: Channels,
    tokens: Value,
    _core: Core,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn virtual_clock() -> Self {
        Self::with(&["--virtual-clock"])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let core = Core::start(arguments);
        let line: Value = serde_json::from_str(&core.line).unwrap();
        let url = |name: &str| line[name].as_str().unwrap().to_owned();
        Self {
            enroll: url("enroll"),
            manage: url("manage"),
            directory: url("directory"),
            admin: url("admin"),
            control: url("control"),
            channels: Channels::start(),
            tokens: line["tokens"].clone(),
            _core: core,
        }
    }

    pub(crate) fn token(&self, actor: &str) -> &str {
        self.tokens[actor].as_str().unwrap()
    }

    /// A request to the admin plane as this actor.
    pub(crate) fn request(&self, actor: &str, method: &str, path: &str) -> Request {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/v1.0{}", self.admin, path.replace(' ', "%20"))
        };
        self.signed(actor, Request::new(method, &url))
    }

    /// The request with the headers that the contract asks of every admin and control request.
    pub(crate) fn signed(&self, actor: &str, request: Request) -> Request {
        request
            .header("Authorization", &format!("Bearer {}", self.token(actor)))
            .header("User-Agent", "muster/0.1.0")
            .header("client-request-id", &guid())
    }

    #[track_caller]
    pub(crate) fn get(&self, actor: &str, path: &str) -> Answer {
        self.request(actor, "GET", path).send()
    }

    #[track_caller]
    pub(crate) fn delete(&self, actor: &str, path: &str) -> Answer {
        self.request(actor, "DELETE", path).send()
    }

    #[track_caller]
    pub(crate) fn send(&self, actor: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.request(actor, method, path).json(body).send()
    }

    #[track_caller]
    pub(crate) fn post(&self, actor: &str, path: &str, body: &Value) -> Answer {
        self.send(actor, "POST", path, body)
    }

    /// A POST without a body.
    #[track_caller]
    pub(crate) fn act(&self, actor: &str, path: &str) -> Answer {
        self.request(actor, "POST", path).send()
    }

    /// Every element of a list, page by page.
    #[track_caller]
    pub(crate) fn list(&self, actor: &str, path: &str) -> Vec<Value> {
        let mut elements = Vec::new();
        let mut next = path.to_owned();
        loop {
            let page = self.get(actor, &next).expect(200).json();
            elements.extend(page["value"].as_array().unwrap().iter().cloned());
            match page["@odata.nextLink"].as_str() {
                Some(link) => next = link.to_owned(),
                None => return elements,
            }
        }
    }

    #[track_caller]
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Answer {
        let url = format!("{}/muster/v1{path}", self.control);
        let request = self.signed("control", Request::new(method, &url));
        if method == "GET" {
            request.send()
        } else {
            request.json(body).send()
        }
    }

    /// Moves the core's clock.
    #[track_caller]
    pub(crate) fn advance(&self, by: Duration) {
        let body = json!({"advanceMs": u64::try_from(by.as_millis()).unwrap()});
        self.control("POST", "/clock", &body).expect(200);
    }

    /// The core's clock.
    #[track_caller]
    pub(crate) fn now(&self) -> String {
        let clock = self
            .control("GET", "/clock", &Value::Null)
            .expect(200)
            .json();
        clock["now"].as_str().unwrap().to_owned()
    }

    // Devices.

    /// A device that the directory knows and that has a credential, nothing more.
    #[track_caller]
    pub(crate) fn registered(&self, join: &'static str, os: &str) -> Device {
        let mut device = Device::new(join, os);
        self.register(&mut device).expect(201);
        device
    }

    /// Registers the device (again).
    #[track_caller]
    pub(crate) fn register(&self, device: &mut Device) -> Answer {
        let mut body = json!({
            "deviceName": device.name,
            "joinType": device.join,
            "osVersion": device.os,
            "userPrincipalName": null,
        });
        if let Some(id) = &device.entra_id {
            body["entraDeviceId"] = json!(id);
        }
        let answer = self.control("POST", "/devices", &body);
        if answer.status == 201 {
            device.credential = credential(&answer.json()["enrollment"]);
        }
        answer
    }

    /// An enrolled device, before its first session.
    #[track_caller]
    pub(crate) fn enrolled(&self, join: &'static str, os: &str) -> Device {
        let mut device = self.registered(join, os);
        device.enroll(self);
        device
    }

    /// A device after its first session, with a channel that answers "connected".
    #[track_caller]
    pub(crate) fn device(&self, join: &'static str) -> Device {
        self.device_on(join, WINDOWS_11)
    }

    #[track_caller]
    pub(crate) fn device_on(&self, join: &'static str, os: &str) -> Device {
        let mut device = self.enrolled(join, os);
        device.check_in(self);
        device
    }

    /// A device that has also backed up a password.
    #[track_caller]
    pub(crate) fn backed_up(&self, join: &'static str) -> Device {
        let mut device = self.device(join);
        device.upload(self).expect(204);
        device
    }

    pub(crate) fn mood(&self, device: &Device, mood: Mood) {
        self.channels.set(&device.channel, mood);
    }

    pub(crate) fn pushes(&self, device: &Device) -> usize {
        self.channels.count(&device.channel)
    }

    /// Whether the device has been pushed so often in all, waiting as long as T_push and a margin.
    pub(crate) fn pushed(&self, device: &Device, count: usize) -> bool {
        self.channels.wait(&device.channel, count, T_PUSH + T_PUSH)
    }

    /// The object of the device in the directory.
    #[track_caller]
    pub(crate) fn directory_device(&self, device: &Device) -> Value {
        let id = device.entra_id.as_ref().unwrap();
        let path = format!("/devices?$filter=deviceId eq '{id}'");
        let mut found = self.list(POLICY_ADMIN, &path);
        assert_eq!(found.len(), 1, "{found:?}");
        found.pop().unwrap()
    }

    #[track_caller]
    pub(crate) fn object_id(&self, device: &Device) -> String {
        let object = self.directory_device(device);
        object["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn managed(&self, device: &Device) -> Value {
        let path = format!("/deviceManagement/managedDevices/{}", device.managed_id);
        self.get(ROTATOR, &path).expect(200).json()
    }

    // Groups, users, policies.

    #[track_caller]
    pub(crate) fn user(&self) -> (String, String) {
        let name = format!("user{}@muster.test", fresh());
        let body = json!({"userPrincipalName": name, "displayName": name});
        let user = self.post(POLICY_ADMIN, "/users", &body).expect(201).json();
        (user["id"].as_str().unwrap().to_owned(), name)
    }

    #[track_caller]
    pub(crate) fn group_of(&self, objects: &[&str]) -> String {
        let name = format!("group{}", fresh());
        let body = json!({"displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true});
        let group = self.post(POLICY_ADMIN, "/groups", &body).expect(201).json();
        let id = group["id"].as_str().unwrap().to_owned();
        for object in objects {
            self.add_member(&id, object).expect(204);
        }
        id
    }

    #[track_caller]
    pub(crate) fn group(&self, devices: &[&Device]) -> String {
        let objects: Vec<String> = devices
            .iter()
            .map(|device| self.object_id(device))
            .collect();
        let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
        self.group_of(&objects)
    }

    #[track_caller]
    pub(crate) fn add_member(&self, group: &str, object: &str) -> Answer {
        let body = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{object}", self.admin)});
        self.post(
            POLICY_ADMIN,
            &format!("/groups/{group}/members/$ref"),
            &body,
        )
    }

    #[track_caller]
    pub(crate) fn remove_member(&self, group: &str, object: &str) -> Answer {
        self.delete(
            POLICY_ADMIN,
            &format!("/groups/{group}/members/{object}/$ref"),
        )
    }

    /// A policy with these settings (definition id without its prefix, value), not assigned.
    #[track_caller]
    pub(crate) fn policy(&self, settings: &[(&str, &str)]) -> String {
        let body = policy_body(&format!("policy{}", fresh()), settings);
        let answer = self.post(
            POLICY_ADMIN,
            "/deviceManagement/configurationPolicies",
            &body,
        );
        answer.expect(201).json()["id"].as_str().unwrap().to_owned()
    }

    /// Gives the policy other settings.
    #[track_caller]
    pub(crate) fn edit(&self, policy: &str, settings: &[(&str, &str)]) {
        let path = format!("/deviceManagement/configurationPolicies/{policy}");
        let old = self.get(POLICY_ADMIN, &path).expect(200).json();
        let body = policy_body(old["name"].as_str().unwrap(), settings);
        self.send(POLICY_ADMIN, "PUT", &path, &body).expect(204);
    }

    #[track_caller]
    pub(crate) fn try_assign(&self, policy: &str, targets: &[Value]) -> Answer {
        let assignments: Vec<Value> = targets
            .iter()
            .map(|target| json!({"target": target}))
            .collect();
        let path = format!("/deviceManagement/configurationPolicies/{policy}/assign");
        self.post(POLICY_ADMIN, &path, &json!({"assignments": assignments}))
    }

    #[track_caller]
    pub(crate) fn assign(&self, policy: &str, targets: &[Value]) {
        self.try_assign(policy, targets).expect(200);
    }

    /// A policy with these settings for these devices.
    #[track_caller]
    pub(crate) fn policy_for(&self, devices: &[&Device], settings: &[(&str, &str)]) -> String {
        let policy = self.policy(settings);
        let group = self.group(devices);
        self.assign(&policy, &[to_group(&group)]);
        policy
    }

    // What the core reports.

    #[track_caller]
    pub(crate) fn rotate(&self, device: &Device) -> Answer {
        self.act(ROTATOR, &rotate_path(device))
    }

    /// The rotations of a device, newest first.
    #[track_caller]
    pub(crate) fn rotations(&self, device: &Device) -> Vec<Value> {
        let managed = self.managed(device);
        let rows = managed["deviceActionResults"].as_array().unwrap().iter();
        rows.filter(|row| row["actionName"] == "rotateLocalAdminPassword")
            .cloned()
            .collect()
    }

    /// The newest rotation: its state, then its detail and error code.
    #[track_caller]
    pub(crate) fn rotation(&self, device: &Device) -> Value {
        let rows = self.rotations(device);
        rows.into_iter().next().unwrap_or(Value::Null)
    }

    /// Rows of deviceConfigurationStates by policy id.
    #[track_caller]
    pub(crate) fn states(&self, device: &Device) -> Vec<Value> {
        let id = &device.managed_id;
        let path = format!("/deviceManagement/managedDevices/{id}/deviceConfigurationStates");
        self.list(POLICY_ADMIN, &path)
    }

    /// The state of a policy on a device; both places that show it must agree.
    #[track_caller]
    pub(crate) fn state(&self, device: &Device, policy: &str) -> String {
        let path = format!("/deviceManagement/configurationPolicies/{policy}/deviceStatuses");
        let statuses = self.list(POLICY_ADMIN, &path);
        let status = statuses
            .iter()
            .find(|row| row["deviceId"] == device.managed_id.as_str());
        let states = self.states(device);
        let state = states.iter().find(|row| row["id"] == policy);
        match (state, status) {
            (None, None) => "absent".to_owned(),
            (Some(state), Some(status)) => {
                assert_eq!(state["state"], status["status"], "{states:?} {statuses:?}");
                assert_eq!(status["deviceDisplayName"], device.name.as_str());
                state["state"].as_str().unwrap().to_owned()
            }
            _ => panic!("only one of two places knows it: {states:?} {statuses:?}"),
        }
    }

    /// State and error code of one setting of a policy on a device.
    #[track_caller]
    pub(crate) fn setting(&self, device: &Device, policy: &str, leaf: &str) -> Value {
        let states = self.states(device);
        let state = states.iter().find(|row| row["id"] == policy).unwrap();
        let rows = state["settingStates"].as_array().unwrap();
        let row = rows.iter().find(|row| row["setting"] == leaf);
        row.unwrap_or_else(|| panic!("no {leaf} in {rows:?}"))
            .clone()
    }

    /// Intune audit events with this activity about this object.
    #[track_caller]
    pub(crate) fn audit(&self, activity: &str, resource: &str) -> Vec<Value> {
        let path = format!("/deviceManagement/auditEvents?$filter=activity eq '{activity}'");
        let mut events = self.list(AUDITOR, &path);
        events.retain(|event| event["resources"][0]["resourceId"] == resource);
        events
    }

    #[track_caller]
    pub(crate) fn rotation_events(&self, device: &Device) -> Vec<Value> {
        self.audit("rotateLocalAdminPassword ManagedDevice", &device.managed_id)
    }

    /// Directory audit events ("Update" or "Recover") about this device.
    #[track_caller]
    pub(crate) fn directory_audit(&self, verb: &str, device: &Device) -> Vec<Value> {
        let activity = format!("{verb} device local administrator password");
        let path =
            format!("/auditLogs/directoryAudits?$filter=activityDisplayName eq '{activity}'");
        let mut events = self.list(AUDITOR, &path);
        let id = device.entra_id.as_deref().unwrap();
        events.retain(|event| event["targetResources"][0]["id"] == id);
        events
    }

    #[track_caller]
    pub(crate) fn sign_in(&self, device: &Device, user: Option<&str>) {
        let body = json!({"managedDeviceId": device.managed_id, "userPrincipalName": user});
        self.control("POST", "/signIns", &body).expect(204);
    }
}

pub(crate) fn rotate_path(device: &Device) -> String {
    action_path(device, "rotateLocalAdminPassword")
}

pub(crate) fn action_path(device: &Device, action: &str) -> String {
    format!(
        "/deviceManagement/managedDevices/{}/{action}",
        device.managed_id
    )
}

/// What registration handed out.
pub(crate) fn credential(enrollment: &Value) -> Credential {
    let text = |name: &str| enrollment[name].as_str().unwrap().to_owned();
    match enrollment["authPolicy"].as_str().unwrap() {
        "Federated" => Credential::Token(text("token")),
        "OnPremise" => Credential::User(text("username"), text("password")),
        other => panic!("unknown authPolicy {other}"),
    }
}

pub(crate) fn to_group(id: &str) -> Value {
    json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": id})
}

pub(crate) fn excluding(id: &str) -> Value {
    json!({"@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget", "groupId": id})
}

pub(crate) fn all_devices() -> Value {
    json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"})
}

pub(crate) fn all_users() -> Value {
    json!({"@odata.type": "#microsoft.graph.allLicensedUsersAssignmentTarget"})
}

const CHOICES: [&str; 9] = [
    "backupdirectory",
    "passwordcomplexity",
    "postauthenticationactions",
    "adpasswordencryptionenabled",
    "passwordexpirationprotectionenabled",
    "automaticaccountmanagementenabled",
    "automaticaccountmanagementtarget",
    "automaticaccountmanagementenableaccount",
    "automaticaccountmanagementrandomizename",
];

const STRINGS: [&str; 3] = [
    "administratoraccountname",
    "adpasswordencryptionprincipal",
    "automaticaccountmanagementnameorprefix",
];

/// A settings-catalogue policy (W 5.6); the age stands below the backup directory if that is there.
pub(crate) fn policy_body(name: &str, settings: &[(&str, &str)]) -> Value {
    let is_age = |name: &str| name.starts_with("passwordagedays");
    let directory = settings.iter().any(|(name, _)| *name == "backupdirectory");
    let mut top = Vec::new();
    for (name, value) in settings {
        if directory && is_age(name) {
            continue;
        }
        let mut made = instance(name, value);
        if *name == "backupdirectory" {
            let children = settings.iter().filter(|(name, _)| is_age(name));
            let children: Vec<Value> = children
                .map(|(name, value)| instance(name, value))
                .collect();
            made["choiceSettingValue"]["children"] = json!(children);
        }
        top.push(made);
    }
    body_of(name, &top)
}

/// A policy of these setting instances.
pub(crate) fn body_of(name: &str, instances: &[Value]) -> Value {
    let settings: Vec<Value> = instances
        .iter()
        .map(|instance| {
            json!({
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationSetting",
                "settingInstance": instance,
            })
        })
        .collect();
    json!({
        "name": name,
        "platforms": "windows10",
        "technologies": "mdm",
        "templateReference": {
            "templateId": "adc46e5a-f4aa-4ff6-aeff-4f27bc525796_1",
            "templateFamily": "endpointSecurityAccountProtection",
            "templateDisplayName": "Local admin password solution (Windows LAPS)",
            "templateDisplayVersion": "Version 1",
        },
        "settings": settings,
    })
}

/// One setting instance, of the kind that the definition has.
pub(crate) fn instance(name: &str, value: &str) -> Value {
    let id = format!("device_vendor_msft_laps_policies_{name}");
    if CHOICES.contains(&name) {
        return json!({
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
            "settingDefinitionId": id,
            "choiceSettingValue": {
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingValue",
                "value": format!("{id}_{value}"),
                "children": [],
            },
        });
    }
    let value = if STRINGS.contains(&name) {
        json!({
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationStringSettingValue",
            "value": value,
        })
    } else {
        json!({
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationIntegerSettingValue",
            "value": value.parse::<i64>().unwrap(),
        })
    };
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
        "settingDefinitionId": id,
        "simpleSettingValue": value,
    })
}
