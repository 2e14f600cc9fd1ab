//! A core and a device in one thread and in virtual time: every plane by its real bytes, every
//! state copied as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use emulator::{
    Device, DeviceSpec, Endpoint, EnrollmentGrant, OsBuild, Response, SessionCause, Transmit,
};
use protocol::JoinType;
use protocol::control::Registration;
use protocol::enrollment::{PollSchedule, Retries};
use protocol::laps_csp;
use protocol::syncml::{Command as SyncCommand, Data, Limits, decode};
use protocol::time::UtcMillis;
use reference::{
    CertificateAuthority, CertificateError, Config, Core, FaultChoice, HttpRequest, HttpResponse,
    IssueRequest, Plane, PushAnswer, RightsSet, Step, Urls, Variants,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::command::{POLICIES, Setting};

const HOST: &str = "http://core.muster.example";
const CHANNEL: &str = "https://push.muster.example/1";
const LEAF: &str = "./Device/Vendor/MSFT/LAPS/Policies/PasswordLength";
const MINUTE_MS: i64 = 60_000;

/// How the administrator brings a policy to a state; the outcome must be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Policies exist from the start; absent is unassigned; a policy is edited before it is
    /// assigned.
    EditThenAssign,
    /// Absent is deleted; a new policy is assigned with the other value and edited afterwards.
    AssignThenEdit,
}

/// A write of a LAPS setting as it went over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) verb: &'static str,
    pub(super) loc_uri: String,
    pub(super) data: Option<String>,
    /// The number of the Atomic that it stood in.
    pub(super) atomic: Option<usize>,
}

/// The core, the device, and what an administrator knows.
#[derive(Clone)]
pub(super) struct Rig {
    pub(super) now: UtcMillis,
    /// The policy in each place, while there is one.
    pub(super) policies: [Option<Uuid>; POLICIES],
    /// Pushes that the device got.
    pub(super) pushes: u32,
    core: Core,
    device: Device,
    settings: [Setting; POLICIES],
    scene: Arc<Scene>,
    requests: u128,
}

/// What stays the same.
struct Scene {
    manner: Manner,
    tokens: BTreeMap<String, String>,
    managed_id: String,
    group: String,
    client_certificate: String,
}

impl Rig {
    /// An enrolled device after its first session, and a tenant in which nothing is assigned.
    pub(super) fn new(fault: Option<FaultChoice>, manner: Manner) -> Self {
        let core = Core::new(config(fault), Arc::new(PlainAuthority));
        let mut spec = DeviceSpec::derive(1, 1, "EXH", JoinType::EntraJoined, OsBuild::W11_24H2);
        spec.device_name = "EXH-1".to_owned();
        let scene = Scene {
            manner,
            tokens: core.tokens(),
            managed_id: String::new(),
            group: String::new(),
            client_certificate: String::new(),
        };
        let mut rig = Self {
            now: UtcMillis::from_millis(1_772_000_000_000),
            policies: [None; POLICIES],
            pushes: 0,
            core,
            device: Device::new(spec.clone()),
            settings: [Setting::Absent; POLICIES],
            scene: Arc::new(scene),
            requests: 0,
        };
        rig.enroll(&spec);
        let group = rig.group_with_device(&spec);
        let scene = Scene {
            manner,
            tokens: rig.scene.tokens.clone(),
            managed_id: rig.device.managed_device_id().unwrap().to_owned(),
            group,
            client_certificate: format!(":{}:", rig.device.client_certificate_base64().unwrap()),
        };
        rig.scene = Arc::new(scene);
        if manner == Manner::EditThenAssign {
            for place in 0..POLICIES {
                rig.pass_a_minute();
                rig.create(place, Setting::A);
            }
        }
        assert!(rig.check_in().is_empty());
        rig
    }

    pub(super) fn pass_a_minute(&mut self) {
        self.now = self.now.plus_millis(MINUTE_MS);
    }

    /// Brings a policy to another state. Its id, which it may be losing.
    pub(super) fn set(&mut self, place: usize, setting: Setting) -> Uuid {
        let former = std::mem::replace(&mut self.settings[place], setting);
        match (self.scene.manner, former, setting) {
            (Manner::EditThenAssign, _, Setting::Absent) => self.assign(place, false),
            (Manner::AssignThenEdit, _, Setting::Absent) => return self.delete(place),
            (Manner::EditThenAssign, Setting::Absent, _) => {
                self.edit(place, setting);
                self.assign(place, true);
            }
            (Manner::AssignThenEdit, Setting::Absent, _) => {
                let other = if setting == Setting::A {
                    Setting::B
                } else {
                    Setting::A
                };
                self.create(place, other);
                self.assign(place, true);
                self.edit(place, setting);
            }
            (Manner::EditThenAssign | Manner::AssignThenEdit, Setting::A | Setting::B, _) => {
                self.edit(place, setting);
            }
        }
        self.policies[place].unwrap()
    }

    /// A whole session; what it wrote of LAPS.
    pub(super) fn check_in(&mut self) -> Vec<Written> {
        // A push is answered by a session of its own; without one the user asks for it.
        self.device.handle_timeout(self.now);
        if !self.device.session_open() {
            self.device.start_session(self.now, SessionCause::User);
        }
        let written = self.settle();
        assert!(!self.device.session_open(), "the session has no end");
        written
    }

    /// The value of the leaf on the device.
    pub(super) fn held(&self) -> Option<i64> {
        match self.device.csp_value(LEAF)? {
            laps_csp::Value::Int(value) => Some(i64::from(value)),
            other @ (laps_csp::Value::Bool(_) | laps_csp::Value::Text(_)) => {
                panic!("PasswordLength is {other:?}")
            }
        }
    }

    /// Rows of the policies on the device.
    pub(super) fn configuration_states(&mut self) -> Vec<Value> {
        let managed = &self.scene.managed_id;
        let path = format!("/deviceManagement/managedDevices/{managed}/deviceConfigurationStates");
        self.list(&path)
    }

    /// Rows of the device in the report of a policy.
    pub(super) fn device_statuses(&mut self, policy: Uuid) -> Vec<Value> {
        let path = format!("/deviceManagement/configurationPolicies/{policy}/deviceStatuses");
        self.list(&path)
    }

    /// Rows of the conflict summary.
    pub(super) fn conflict_summary(&mut self) -> Vec<Value> {
        self.list("/deviceManagement/deviceConfigurationConflictSummary")
    }

    /// The id of the managed device, as reports name it.
    pub(super) fn managed_id(&self) -> &str {
        &self.scene.managed_id
    }

    // The administrator.

    fn create(&mut self, place: usize, setting: Setting) {
        let path = "/deviceManagement/configurationPolicies";
        let body = policy_body(place, setting);
        let created = self.call("POST", path, &body, 201);
        self.policies[place] = Some(Uuid::parse_str(created["id"].as_str().unwrap()).unwrap());
    }

    fn edit(&mut self, place: usize, setting: Setting) {
        let path = self.policy_path(place);
        let body = policy_body(place, setting);
        self.call("PUT", &path, &body, 204);
    }

    fn delete(&mut self, place: usize) -> Uuid {
        let path = self.policy_path(place);
        self.call("DELETE", &path, "", 204);
        self.policies[place].take().unwrap()
    }

    /// Two policies go to a group that holds the device, one to all devices.
    fn assign(&mut self, place: usize, is_assigned: bool) {
        let target = if place == 1 {
            json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"})
        } else {
            let group = &self.scene.group;
            json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group})
        };
        let body = if is_assigned {
            json!({"assignments": [{"target": target}]})
        } else {
            json!({"assignments": []})
        };
        let path = format!("{}/assign", self.policy_path(place));
        self.call("POST", &path, &body.to_string(), 200);
    }

    fn policy_path(&self, place: usize) -> String {
        let id = self.policies[place].unwrap();
        format!("/deviceManagement/configurationPolicies/{id}")
    }

    fn group_with_device(&mut self, spec: &DeviceSpec) -> String {
        let body = json!({
            "displayName": "all", "mailEnabled": false, "mailNickname": "all",
            "securityEnabled": true,
        });
        let group = self.call("POST", "/groups", &body.to_string(), 201);
        let group = group["id"].as_str().unwrap().to_owned();
        let entra_id = spec.entra_device_id.unwrap();
        let found = self.list(&format!("/devices?$filter=deviceId%20eq%20'{entra_id}'"));
        let object = found[0]["id"].as_str().unwrap();
        let body = json!({
            "@odata.id": format!("{HOST}/graph/v1.0/directoryObjects/{object}"),
        });
        let path = format!("/groups/{group}/members/$ref");
        self.call("POST", &path, &body.to_string(), 204);
        group
    }

    fn list(&mut self, path: &str) -> Vec<Value> {
        let mut page = self.call("GET", path, "", 200);
        assert!(page["@odata.nextLink"].is_null(), "{path} has pages");
        let Value::Array(rows) = page["value"].take() else {
            panic!("{path}: {page}");
        };
        rows
    }

    /// A call of the policy admin, which must be answered with this status.
    fn call(&mut self, method: &str, path: &str, body: &str, status: u16) -> Value {
        let scene = Arc::clone(&self.scene);
        let token = format!("Bearer {}", scene.tokens["policy-admin"]);
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        let path = format!("/beta{path}");
        self.requests += 1;
        let id = Uuid::from_u128(self.requests).to_string();
        let response = self.serve(&HttpRequest {
            plane: Plane::Admin,
            query,
            authorization: Some(&token),
            content_type: Some("application/json"),
            client_request_id: Some(&id),
            ..request(method, &path, body.as_bytes())
        });
        let text = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, status, "{method} {path}: {text}");
        if response.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        }
    }

    // The device.

    fn enroll(&mut self, spec: &DeviceSpec) {
        let token = format!("Bearer {}", self.scene.tokens["control"]);
        let body = json!({
            "deviceName": spec.device_name, "joinType": spec.join_type.as_str(),
            "entraDeviceId": spec.entra_device_id,
            "userPrincipalName": spec.user_principal_name, "osVersion": spec.os.to_string(),
        });
        let answer = self.serve(&HttpRequest {
            plane: Plane::Control,
            authorization: Some(&token),
            content_type: Some("application/json"),
            ..request("POST", "/muster/v1/devices", body.to_string().as_bytes())
        });
        assert_eq!(answer.status, 201);
        let registration: Registration = serde_json::from_slice(&answer.body).unwrap();
        // Only the commands of a sequence start sessions.
        self.device.set_polling(false);
        let grant = EnrollmentGrant {
            discovery_url: format!("{HOST}/EnrollmentServer/Discovery.svc"),
            directory_url: format!("{HOST}/directory"),
            channel_uri: CHANNEL.to_owned(),
            credential: registration.enrollment.into(),
        };
        self.device.enroll(self.now, grant);
        self.settle();
        assert!(self.device.key_request().is_some());
        self.device
            .provide_request(self.now, b"request of the device".to_vec());
        self.settle();
        assert!(self.device.is_enrolled());
    }

    /// The device has nothing more to send; what was written of LAPS meanwhile.
    fn settle(&mut self) -> Vec<Written> {
        let mut written = Vec::new();
        let mut atomics = 0;
        while let Some(transmit) = self.device.poll_transmit(self.now) {
            let answer = self.transmit(&transmit);
            if transmit.endpoint == Endpoint::Management {
                assert_eq!(answer.status, 200);
                let message = decode(&answer.body, &Limits::default()).unwrap();
                note_writes(&message.commands, None, &mut atomics, &mut written);
            }
            let response = Response {
                status: answer.status,
                body: &answer.body,
                retry_after_s: None,
            };
            self.device.handle_response(self.now, response);
        }
        while self.device.poll_event().is_some() {}
        written
    }

    fn transmit(&mut self, transmit: &Transmit) -> HttpResponse {
        let path = transmit.url.strip_prefix(HOST).unwrap();
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        let (plane, certificate) = match transmit.endpoint {
            Endpoint::Discovery | Endpoint::Policy | Endpoint::Enrollment => (Plane::Enroll, None),
            Endpoint::Management => (Plane::Manage, Some(self.scene.client_certificate.clone())),
            // No policy of these sets a directory.
            Endpoint::Directory => panic!("the device backs a password up"),
        };
        // Before the scene is set the certificate is still the device's own affair.
        let own = || {
            format!(
                ":{}:",
                self.device.client_certificate_base64().unwrap_or_default()
            )
        };
        let certificate = certificate.map(|known| if known.is_empty() { own() } else { known });
        self.serve(&HttpRequest {
            plane,
            query,
            client_certificate: certificate.as_deref(),
            content_type: Some(transmit.content_type),
            ..request(transmit.method.as_str(), path, &transmit.body)
        })
    }

    /// One request, with every push that it causes answered by the device.
    fn serve(&mut self, request: &HttpRequest<'_>) -> HttpResponse {
        let mut step = self.core.handle(self.now, request);
        loop {
            while let Some(push) = self.core.poll_push(self.now) {
                assert_eq!(push.uri, CHANNEL);
                assert!(self.device.handle_push(self.now));
                self.pushes += 1;
                self.core
                    .handle_push_answer(self.now, push.id, PushAnswer::Connected);
            }
            match step {
                Step::Done(response) => return response,
                Step::Await { ticket, .. } => step = self.core.resume(self.now, ticket),
            }
        }
    }
}

/// A request without the headers that only some planes have.
const fn request<'a>(method: &'a str, path: &'a str, body: &'a [u8]) -> HttpRequest<'a> {
    HttpRequest {
        plane: Plane::Enroll,
        method,
        path,
        query: None,
        authorization: None,
        client_certificate: None,
        content_type: None,
        client_request_id: None,
        idempotency_key: None,
        body,
    }
}

/// Collects the commands that change or execute something below LAPS.
fn note_writes(
    commands: &[SyncCommand<'_>],
    atomic: Option<usize>,
    atomics: &mut usize,
    written: &mut Vec<Written>,
) {
    for command in commands {
        match command {
            SyncCommand::Container(container) => {
                *atomics += 1;
                note_writes(&container.commands, Some(*atomics), atomics, written);
            }
            SyncCommand::Request(request) => {
                let of_laps = request.items.iter().filter_map(|item| {
                    let loc_uri = item.target.as_deref()?;
                    let data = item.data.as_ref().map(|data| match data {
                        Data::Text(text) | Data::Markup(text) => text.as_ref().to_owned(),
                    });
                    loc_uri.contains("/LAPS").then(|| Written {
                        verb: request.verb.as_str(),
                        loc_uri: loc_uri.to_owned(),
                        data,
                        atomic,
                    })
                });
                written.extend(of_laps);
            }
            SyncCommand::Status(_)
            | SyncCommand::Results(_)
            | SyncCommand::Alert(_)
            | SyncCommand::Unknown(_) => {}
        }
    }
}

impl Written {
    /// The one write that gives the leaf this value, or takes it away.
    pub(super) fn of_leaf(value: Option<i64>) -> Self {
        Self {
            verb: if value.is_some() { "Replace" } else { "Delete" },
            loc_uri: LEAF.to_owned(),
            data: value.map(|value| value.to_string()),
            atomic: Some(1),
        }
    }
}

fn policy_body(place: usize, setting: Setting) -> String {
    let instance = "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance";
    let integer = "#microsoft.graph.deviceManagementConfigurationIntegerSettingValue";
    json!({
        "name": format!("policy {}", place + 1), "description": "",
        "platforms": "windows10", "technologies": "mdm",
        "templateReference": {"templateId": "adc46e5a-f4aa-4ff6-aeff-4f27bc525796_1"},
        "settings": [{
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationSetting",
            "settingInstance": {
                "@odata.type": instance,
                "settingDefinitionId": "device_vendor_msft_laps_policies_passwordlength",
                "simpleSettingValue": {"@odata.type": integer, "value": setting.value()},
            },
        }],
    })
    .to_string()
}

fn config(fault: Option<FaultChoice>) -> Config {
    Config {
        seed: 1,
        urls: Urls {
            enroll: HOST.to_owned(),
            manage: HOST.to_owned(),
            directory: format!("{HOST}/directory"),
            admin: format!("{HOST}/graph"),
            control: format!("{HOST}/control"),
        },
        push_allow: vec!["push.muster.example".to_owned()],
        virtual_clock: false,
        rights_set: RightsSet::Current2025,
        poll: PollSchedule {
            first: Retries {
                count: 5,
                interval_min: 3,
            },
            second: Retries {
                count: 8,
                interval_min: 15,
            },
            remaining: Retries {
                count: 0,
                interval_min: 480,
            },
        },
        faults: fault.into_iter().collect(),
        variants: Variants::NONE,
    }
}

/// Issues certificates that are bytes and nothing more.
struct PlainAuthority;

impl CertificateAuthority for PlainAuthority {
    fn root_der(&self) -> &[u8] {
        b"root"
    }

    fn issue(
        &self,
        _now: UtcMillis,
        request: &IssueRequest<'_>,
    ) -> Result<Vec<u8>, CertificateError> {
        Ok(format!("certificate {} of {}", request.serial, request.common_name).into_bytes())
    }
}
