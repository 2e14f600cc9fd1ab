//! A core with a shell around it: pushes are answered by the set of channels that are connected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::JoinType;
use protocol::control::{RegisterDevice, Registration};
use protocol::enrollment::{
    CONTENT_TYPE, Credential, PollSchedule, Reply, RequestSecurityToken, TokenResponse,
};
use protocol::graph::policy::{ConfigurationPolicy, settings_from_leaves};
use protocol::laps_csp::{Leaf, Value as LeafValue};
use protocol::time::UtcMillis;
use reference::{
    CertificateAuthority, CertificateError, Config, Core, Fault, FaultChoice, FaultRow,
    HttpRequest, HttpResponse, IssueRequest, Plane, PushAnswer, RightsSet, Step, Urls, Variant,
    Variants, all_faults,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::script::Device;

/// 2026-03-01T00:00:00Z.
const START_MS: i64 = 1_772_323_200_000;

pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) now: UtcMillis,
    tokens: BTreeMap<String, String>,
    /// Channels whose device is connected.
    pub(crate) connected: BTreeSet<String>,
    /// Channels that are gone.
    pub(crate) gone: BTreeSet<String>,
    /// Every push that went out.
    pub(crate) pushed: Vec<String>,
    devices: u128,
    pub(crate) way: Way,
    /// Every answer of the core, where [`Way`] asks for it.
    pub(crate) answers: Vec<HttpResponse>,
    /// Requests that [`Core::try_check_in`] served.
    pub(crate) shared: u32,
}

/// How requests reach the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through [`Core::handle`] alone, and no answer is noted.
    Plain,
    /// Through [`Core::handle`] alone.
    Exclusive,
    /// Through [`Core::try_check_in`] and [`Core::try_sign`] first, as a shell does.
    SharedFirst,
}

struct Issuer;

impl CertificateAuthority for Issuer {
    fn root_der(&self) -> &[u8] {
        b"root"
    }

    fn issue(
        &self,
        _now: UtcMillis,
        request: &IssueRequest<'_>,
    ) -> Result<Vec<u8>, CertificateError> {
        match request.pkcs10_der {
            b"bad signature" => return Err(CertificateError::BadSignature),
            b"rsa 1024" => return Err(CertificateError::KeyRefused("RSA of 1024 bits".to_owned())),
            _ => {}
        }
        Ok([
            request.common_name.as_bytes(),
            &request.serial.to_be_bytes(),
        ]
        .concat())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(None, Variants::NONE)
    }

    pub(crate) fn faulty(fault: Fault) -> Self {
        let row = all_faults().find(|row| row.fault == fault);
        Self::with(row, Variants::NONE)
    }

    /// With one legal variant.
    pub(crate) fn varied(variant: Variant) -> Self {
        Self::with(None, Variants::of(&[variant]).unwrap())
    }

    fn with(fault: Option<&'static FaultRow>, variants: Variants) -> Self {
        let url = |plane: &str| format!("http://127.0.0.1:8080/{plane}");
        let config = Config {
            seed: 7,
            urls: Urls {
                enroll: url("enroll"),
                manage: url("manage"),
                directory: url("directory"),
                admin: url("admin"),
                control: url("control"),
            },
            push_allow: Vec::new(),
            virtual_clock: true,
            rights_set: RightsSet::default(),
            poll: PollSchedule::DEFAULT,
            variants,
            faults: fault.into_iter().map(FaultChoice::of_row).collect(),
        };
        let core = Core::new(config, Arc::new(Issuer));
        Self {
            tokens: core.tokens(),
            core,
            now: UtcMillis::from_millis(START_MS),
            connected: BTreeSet::new(),
            gone: BTreeSet::new(),
            pushed: Vec::new(),
            devices: 0,
            way: Way::Plain,
            answers: Vec::new(),
            shared: 0,
        }
    }

    pub(crate) fn pass(&mut self, millis: i64) {
        self.now = self.now.plus_millis(millis);
        self.core.handle_timeout(self.now);
    }

    /// Serves a request and, where it waits for a push, answers it.
    pub(crate) fn serve(&mut self, request: &HttpRequest<'_>) -> HttpResponse {
        let answer = match self.way {
            Way::Plain => return self.serve_exclusively(request),
            Way::Exclusive => self.serve_exclusively(request),
            Way::SharedFirst => match self.serve_shared(request) {
                Some(answer) => answer,
                None => self.serve_exclusively(request),
            },
        };
        self.answers.push(answer.clone());
        answer
    }

    fn serve_shared(&mut self, request: &HttpRequest<'_>) -> Option<HttpResponse> {
        if let Some(signing) = self.core.try_sign(self.now, request) {
            return Some(self.core.enroll_signed(self.now, signing.sign()));
        }
        let answer = self.core.try_check_in(self.now, request)?;
        self.shared += 1;
        Some(answer)
    }

    fn serve_exclusively(&mut self, request: &HttpRequest<'_>) -> HttpResponse {
        let mut step = self.core.handle(self.now, request);
        loop {
            self.answer_pushes();
            match step {
                Step::Done(response) => return response,
                Step::Await { ticket, .. } => step = self.core.resume(self.now, ticket),
            }
        }
    }

    pub(crate) fn answer_pushes(&mut self) {
        while let Some(push) = self.core.poll_push(self.now) {
            let answer = if self.gone.contains(&push.uri) {
                PushAnswer::ChannelGone
            } else if self.connected.contains(&push.uri) {
                PushAnswer::Connected
            } else {
                PushAnswer::Disconnected
            };
            self.pushed.push(push.uri);
            self.core.handle_push_answer(self.now, push.id, answer);
        }
    }

    pub(crate) fn json(
        &mut self,
        plane: Plane,
        actor: &str,
        call: (&str, &str, &Value),
    ) -> (u16, Value) {
        let (method, url, body) = call;
        let (path, query) = url
            .split_once('?')
            .map_or((url, None), |(path, q)| (path, Some(q)));
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let authorization = format!("Bearer {}", self.tokens[actor]);
        let response = self.serve(&HttpRequest {
            method,
            path,
            query,
            authorization: Some(&authorization),
            content_type: (!text.is_empty()).then_some("application/json"),
            body: text.as_bytes(),
            ..request(plane)
        });
        (
            response.status,
            serde_json::from_slice(&response.body).unwrap_or(Value::Null),
        )
    }

    /// A call of the admin plane that must succeed.
    pub(crate) fn admin(&mut self, actor: &str, method: &str, url: &str, body: &Value) -> Value {
        let url = format!("/v1.0{url}");
        let (status, answer) = self.json(Plane::Admin, actor, (method, &url, body));
        assert!(
            (200..300).contains(&status),
            "{method} {url}: {status} {answer}"
        );
        answer
    }

    /// A call of the control plane that must succeed.
    pub(crate) fn control(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/muster/v1/{path}");
        let (status, answer) = self.json(Plane::Control, "control", (method, &path, body));
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    /// Registers a device; it is not enrolled yet.
    pub(crate) fn register(&mut self, name: &str, join_type: JoinType, os_version: &str) -> Device {
        self.devices += 1;
        let entra = join_type
            .has_directory_object()
            .then(|| Uuid::from_u128(0xE000_0000_0000_4000_8000_0000_0000_0000 + self.devices));
        let mut device = Device::new(name, format!("{:032X}", self.devices), os_version);
        device.entra = entra;
        device.join_type = Some(join_type);
        self.register_again(&mut device);
        device
    }

    pub(crate) fn register_again(&mut self, device: &mut Device) {
        let body = RegisterDevice {
            device_name: device.name.clone(),
            join_type: device.join_type.unwrap(),
            entra_device_id: device.entra,
            user_principal_name: None,
            os_version: device.os_version.clone(),
        };
        let answer = self.control("POST", "devices", &serde_json::to_value(body).unwrap());
        let registration: Registration = serde_json::from_value(answer).unwrap();
        device.credential = Some(registration.enrollment.into());
    }

    /// Enrols a registered device.
    pub(crate) fn enroll(&mut self, device: &mut Device) {
        let request = enrolment_request(device);
        let response = self.soap("/EnrollmentServer/Enrollment.svc", &request.encode());
        assert_eq!(
            response.status,
            200,
            "{}",
            String::from_utf8_lossy(&response.body)
        );
        let Ok(Reply::Answer(answer)) = TokenResponse::decode(&response.body) else {
            panic!("no answer to the request for a certificate");
        };
        device.install(&answer.document);
    }

    pub(crate) fn soap(&mut self, path: &str, body: &[u8]) -> HttpResponse {
        self.serve(&HttpRequest {
            path,
            content_type: Some(CONTENT_TYPE),
            body,
            ..request(Plane::Enroll)
        })
    }

    /// Registers and enrols an Entra joined device on build 26100.
    pub(crate) fn device(&mut self, name: &str) -> Device {
        self.device_of(name, JoinType::EntraJoined, "10.0.26100.2314")
    }

    pub(crate) fn device_of(
        &mut self,
        name: &str,
        join_type: JoinType,
        os_version: &str,
    ) -> Device {
        let mut device = self.register(name, join_type, os_version);
        self.enroll(&mut device);
        device
    }

    /// A device that has a policy, has backed up a password and is connected.
    pub(crate) fn backed_up(&mut self, name: &str, join_type: JoinType) -> Device {
        let mut device = self.device_of(name, join_type, "10.0.26100.2314");
        let policy = self.policy(
            name,
            &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 10)],
        );
        let group = self.group(name, &[&device]);
        self.assign(policy, &[group]);
        device.check_in(self);
        device.upload(self);
        self.connected.insert(device.channel());
        device
    }

    pub(crate) fn policy(&mut self, name: &str, leaves: &[(Leaf, i32)]) -> Uuid {
        let body = policy_body(name, leaves);
        let url = "/deviceManagement/configurationPolicies";
        let policy = self.admin("policy-admin", "POST", url, &body);
        self.pass(1);
        id_of(&policy)
    }

    /// A policy that names an account besides.
    pub(crate) fn policy_with_account(&mut self, account: &str) -> Uuid {
        let leaves = BTreeMap::from([
            (Leaf::BackupDirectory, LeafValue::Int(1)),
            (
                Leaf::AdministratorAccountName,
                LeafValue::Text(account.into()),
            ),
        ]);
        let url = "/deviceManagement/configurationPolicies";
        id_of(&self.admin("policy-admin", "POST", url, &body_of(account, &leaves)))
    }

    pub(crate) fn edit(&mut self, policy: Uuid, leaves: &[(Leaf, i32)]) {
        let body = policy_body("edited", leaves);
        let url = format!("/deviceManagement/configurationPolicies/{policy}");
        self.admin("policy-admin", "PUT", &url, &body);
        self.pass(1);
    }

    pub(crate) fn delete_policy(&mut self, policy: Uuid) {
        let url = format!("/deviceManagement/configurationPolicies/{policy}");
        self.admin("policy-admin", "DELETE", &url, &Value::Null);
    }

    pub(crate) fn group(&mut self, name: &str, devices: &[&Device]) -> Uuid {
        let body = json!({
            "displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true
        });
        let group = id_of(&self.admin("policy-admin", "POST", "/groups", &body));
        for device in devices {
            let object = self.object(device);
            self.join(group, object);
        }
        group
    }

    pub(crate) fn object(&mut self, device: &Device) -> Uuid {
        let id = device.entra.unwrap();
        let found = self.admin(
            "policy-admin",
            "GET",
            &format!("/devices?$filter=deviceId%20eq%20'{id}'"),
            &Value::Null,
        );
        id_of(&found["value"][0])
    }

    pub(crate) fn join(&mut self, group: Uuid, object: Uuid) {
        let url = format!("https://graph.test/v1.0/directoryObjects/{object}");
        let body = json!({ "@odata.id": url });
        self.admin(
            "policy-admin",
            "POST",
            &format!("/groups/{group}/members/$ref"),
            &body,
        );
    }

    pub(crate) fn leave(&mut self, group: Uuid, object: Uuid) {
        let url = format!("/groups/{group}/members/{object}/$ref");
        self.admin("policy-admin", "DELETE", &url, &Value::Null);
    }

    pub(crate) fn assign(&mut self, policy: Uuid, groups: &[Uuid]) {
        let targets: Vec<Value> = groups
            .iter()
            .map(|group| {
                json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group})
            })
            .collect();
        self.assign_targets(policy, &targets);
    }

    pub(crate) fn assign_targets(&mut self, policy: Uuid, targets: &[Value]) {
        let assignments: Vec<Value> = targets
            .iter()
            .map(|target| json!({ "target": target }))
            .collect();
        let url = format!("/deviceManagement/configurationPolicies/{policy}/assign");
        let body = json!({ "assignments": assignments });
        self.admin("policy-admin", "POST", &url, &body);
        self.answer_pushes();
    }

    pub(crate) fn user(&mut self, name: &str) -> Uuid {
        let body = json!({"userPrincipalName": name, "displayName": name});
        id_of(&self.admin("policy-admin", "POST", "/users", &body))
    }

    pub(crate) fn sign_in(&mut self, device: &Device, user: Option<&str>) {
        let body = json!({"managedDeviceId": device.managed, "userPrincipalName": user});
        self.control("POST", "signIns", &body);
        self.answer_pushes();
    }

    /// Requests a rotation.
    pub(crate) fn rotate(&mut self, device: &Device) {
        self.task(device, "rotate-operator", "rotateLocalAdminPassword");
    }

    pub(crate) fn task(&mut self, device: &Device, actor: &str, task: &str) {
        let url = format!("/deviceManagement/managedDevices/{}/{task}", device.managed);
        self.admin(actor, "POST", &url, &Value::Null);
    }

    /// The actions of a device, the newest first: state, detail where there is one, error code.
    pub(crate) fn actions(&mut self, device: &Device) -> Vec<String> {
        let url = format!("/deviceManagement/managedDevices/{}", device.managed);
        let row = self.admin("help-desk", "GET", &url, &Value::Null);
        let actions = row["deviceActionResults"].as_array().unwrap();
        actions.iter().map(outcome_of).collect()
    }

    /// The state of each policy on a device, and of its settings that are not compliant.
    pub(crate) fn states(&mut self, device: &Device) -> BTreeMap<Uuid, String> {
        let url = format!(
            "/deviceManagement/managedDevices/{}/deviceConfigurationStates",
            device.managed
        );
        let rows = self.admin("help-desk", "GET", &url, &Value::Null);
        let rows = rows["value"].as_array().unwrap();
        rows.iter().map(|row| (id_of(row), state_of(row))).collect()
    }

    pub(crate) fn state(&mut self, device: &Device, policy: Uuid) -> String {
        self.states(device)
            .remove(&policy)
            .unwrap_or_else(|| "-".to_owned())
    }
}

fn outcome_of(action: &Value) -> String {
    let state = action["actionState"].as_str().map(str::to_owned);
    let detail = action["detail"].as_str().map(str::to_owned);
    let code = action["errorCode"].as_i64().map(|code| code.to_string());
    let parts: Vec<String> = [state, detail, code].into_iter().flatten().collect();
    parts.join(" ")
}

fn state_of(row: &Value) -> String {
    let state = row["state"].as_str().unwrap();
    let odd: Vec<String> = row["settingStates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|setting| setting["state"] != "compliant" && setting["state"] != row["state"])
        .map(|setting| {
            let name = setting["setting"].as_str().unwrap();
            format!("{name}={}", setting["state"].as_str().unwrap())
        })
        .collect();
    if odd.is_empty() {
        state.to_owned()
    } else {
        format!("{state} {}", odd.join(" "))
    }
}

pub(crate) fn request(plane: Plane) -> HttpRequest<'static> {
    HttpRequest {
        plane,
        method: "POST",
        path: "/",
        query: None,
        authorization: None,
        client_certificate: None,
        content_type: None,
        client_request_id: None,
        idempotency_key: None,
        body: b"",
    }
}

pub(crate) fn enrolment_request(device: &Device) -> RequestSecurityToken {
    let context = [
        ("DeviceID", device.device_id.as_str()),
        ("HWDevID", "1"),
        ("DeviceName", &device.name),
        ("DeviceType", "CIMClient_Windows"),
        ("OSEdition", "4"),
        ("OSVersion", &device.os_version),
        ("ApplicationVersion", &device.os_version),
        ("EnrollmentType", "Full"),
    ];
    RequestSecurityToken {
        message_id: "urn:uuid:11111111-2222-4333-8444-555555555555".to_owned(),
        to: "http://127.0.0.1:8080/enroll/EnrollmentServer/Enrollment.svc".to_owned(),
        credential: device.credential.clone(),
        pkcs10_der: b"request".to_vec(),
        context: context
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    }
}

pub(crate) fn wrong_credential() -> Credential {
    Credential::Token {
        value_type: protocol::enrollment::TOKEN_TYPE_USER.to_owned(),
        text: "d3Jvbmc=".into(),
    }
}

pub(crate) fn id_of(object: &Value) -> Uuid {
    Uuid::parse_str(object["id"].as_str().unwrap()).unwrap()
}

fn policy_body(name: &str, leaves: &[(Leaf, i32)]) -> Value {
    let leaves = leaves
        .iter()
        .map(|(leaf, value)| (*leaf, LeafValue::Int(*value)))
        .collect();
    body_of(name, &leaves)
}

fn body_of(name: &str, leaves: &BTreeMap<Leaf, LeafValue>) -> Value {
    let policy = ConfigurationPolicy::laps(name, settings_from_leaves(leaves));
    serde_json::to_value(policy).unwrap()
}
