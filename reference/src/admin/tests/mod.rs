//! The admin and control planes through [`Core::handle`]: what the wire shows.

mod audit;
mod batch;
mod control;
mod credentials;
mod lists;
mod policies;
mod refusals;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::JoinType;
use protocol::control::{RegisterDevice, Registration};
use protocol::enrollment::{CONTENT_TYPE, PollSchedule, RequestSecurityToken};
use protocol::laps_csp::{Leaf, Value as LeafValue};
use protocol::time::UtcMillis;
use serde_json::{Value, json};
use uuid::Uuid;

use super::reply::JSON;
use crate::authority::{CertificateAuthority, CertificateError, IssueRequest};
use crate::core::{Config, Core, HttpRequest, HttpResponse, Plane, RightsSet, Step, Urls};
use crate::fault::{Fault, FaultChoice, all_faults};
use crate::presence::PushAnswer;
use crate::state::{ManagedDevice, StoredCredential};
use crate::variant::Variants;

/// 2026-03-01T00:00:00Z.
const START_MS: i64 = 1_772_323_200_000;

/// A core with its tokens, and a shell that answers pushes by the channel's last segment.
pub(super) struct Bench {
    pub(super) core: Core,
    tokens: BTreeMap<String, String>,
    pub(super) now: UtcMillis,
    enrolled: u128,
}

/// An answer with its body read.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) whole: HttpResponse,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    pub(super) managed: Uuid,
    pub(super) entra: Option<Uuid>,
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
        Ok([
            request.common_name.as_bytes(),
            &request.serial.to_be_bytes(),
        ]
        .concat())
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(None, RightsSet::default())
    }

    pub(super) fn faulty(fault: Fault) -> Self {
        Self::with(Some(fault), RightsSet::default())
    }

    pub(super) fn with(fault: Option<Fault>, rights_set: RightsSet) -> Self {
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
            rights_set,
            poll: PollSchedule::DEFAULT,
            faults: all_faults()
                .find(|row| Some(row.fault) == fault)
                .into_iter()
                .map(FaultChoice::of_row)
                .collect(),
            variants: Variants::NONE,
        };
        let core = Core::new(config, Arc::new(Issuer));
        let tokens = core.tokens();
        Self {
            core,
            tokens,
            now: UtcMillis::from_millis(START_MS),
            enrolled: 0,
        }
    }

    pub(super) fn token(&self, actor: &str) -> String {
        format!("Bearer {}", self.tokens[actor])
    }

    /// Serves a request and, where it waits for pushes, answers them.
    pub(super) fn serve(&mut self, request: &HttpRequest<'_>) -> HttpResponse {
        let mut step = self.core.handle(self.now, request);
        loop {
            self.answer_pushes();
            match step {
                Step::Done(response) => return response,
                Step::Await { ticket, .. } => step = self.core.resume(self.now, ticket),
            }
        }
    }

    fn answer_pushes(&mut self) {
        while let Some(push) = self.core.poll_push(self.now) {
            let online = push.uri.ends_with("/online");
            let answer = if online {
                PushAnswer::Connected
            } else {
                PushAnswer::Disconnected
            };
            self.core.handle_push_answer(self.now, push.id, answer);
        }
    }

    /// A call of the admin plane below `/v1.0`, path and query as in a URL.
    pub(super) fn call(&mut self, actor: &str, method: &str, url: &str, body: &Value) -> Answered {
        self.call_as((actor, None), method, url, body)
    }

    /// As [`Self::call`], with the id of the request.
    pub(super) fn call_as(
        &mut self,
        (actor, id): (&str, Option<&str>),
        method: &str,
        url: &str,
        body: &Value,
    ) -> Answered {
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url, None),
        };
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let token = self.token(actor);
        let request = HttpRequest {
            plane: Plane::Admin,
            method,
            path: &format!("/v1.0{path}"),
            query,
            authorization: Some(&token),
            client_certificate: None,
            content_type: (!text.is_empty()).then_some(JSON),
            client_request_id: id,
            idempotency_key: None,
            body: text.as_bytes(),
        };
        Answered::of(self.serve(&request))
    }

    pub(super) fn get(&mut self, actor: &str, url: &str) -> Answered {
        self.call(actor, "GET", url, &Value::Null)
    }

    /// Every element of a list, following the links.
    pub(super) fn list(&mut self, actor: &str, url: &str) -> Vec<Value> {
        let mut elements = Vec::new();
        let mut next = Some(url.to_owned());
        while let Some(url) = next {
            let page = self.get(actor, &url);
            assert_eq!(page.status, 200, "{url}: {}", page.body);
            elements.extend(page.body["value"].as_array().unwrap().iter().cloned());
            next = page.next();
        }
        elements
    }

    pub(super) fn control(&mut self, method: &str, path: &str, body: &Value) -> Answered {
        self.control_as("control", method, path, body)
    }

    pub(super) fn control_as(
        &mut self,
        actor: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answered {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let token = self.token(actor);
        let request = HttpRequest {
            plane: Plane::Control,
            method,
            path,
            query: None,
            authorization: Some(&token),
            client_certificate: None,
            content_type: (!text.is_empty()).then_some(JSON),
            client_request_id: None,
            idempotency_key: None,
            body: text.as_bytes(),
        };
        Answered::of(self.serve(&request))
    }

    /// Registers and enrols a device over the wire.
    pub(super) fn enroll(&mut self, name: &str, join_type: JoinType) -> Device {
        self.enrolled += 1;
        let entra = join_type
            .has_directory_object()
            .then(|| Uuid::from_u128(0xE000_0000_0000_4000_8000_0000_0000_0000 + self.enrolled));
        let body = RegisterDevice {
            device_name: name.to_owned(),
            join_type,
            entra_device_id: entra,
            user_principal_name: None,
            os_version: "10.0.26100.2314".to_owned(),
        };
        let body = serde_json::to_value(body).unwrap();
        let registered = self.control("POST", "/muster/v1/devices", &body);
        assert_eq!(registered.status, 201, "{}", registered.body);
        let registration: Registration = serde_json::from_value(registered.body).unwrap();
        let device_id = format!("{:032X}", self.enrolled);
        let context = [
            ("DeviceID", device_id.as_str()),
            ("HWDevID", "1"),
            ("DeviceName", name),
            ("DeviceType", "CIMClient_Windows"),
            ("OSEdition", "4"),
            ("OSVersion", "10.0.26100.2314"),
            ("ApplicationVersion", "10.0.26100.2314"),
            ("EnrollmentType", "Full"),
        ];
        let request = RequestSecurityToken {
            message_id: "urn:uuid:11111111-2222-4333-8444-555555555555".to_owned(),
            to: "http://127.0.0.1:8080/enroll/EnrollmentServer/Enrollment.svc".to_owned(),
            credential: Some(registration.enrollment.into()),
            pkcs10_der: b"request".to_vec(),
            context: context
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        };
        let response = self.serve(&HttpRequest {
            plane: Plane::Enroll,
            method: "POST",
            path: "/EnrollmentServer/Enrollment.svc",
            query: None,
            authorization: None,
            client_certificate: None,
            content_type: Some(CONTENT_TYPE),
            client_request_id: None,
            idempotency_key: None,
            body: &request.encode(),
        });
        assert_eq!(
            response.status,
            200,
            "{}",
            String::from_utf8_lossy(&response.body)
        );
        let managed = self.core.devices.of_device_id(&device_id).unwrap();
        Device { managed, entra }
    }

    /// A device that has backed up a password and answers pushes as told.
    pub(super) fn backed_up(&mut self, name: &str, join_type: JoinType, online: bool) -> Device {
        let device = self.enroll(name, join_type);
        self.connect(device, online);
        self.back_up(device, "first");
        device
    }

    pub(super) fn connect(&mut self, device: Device, online: bool) {
        let state = if online { "online" } else { "offline" };
        let uri = format!("http://127.0.0.1:9/{}/{state}", device.managed);
        self.managed(device).push.uri = Some(uri.into());
    }

    /// Stores a credential as an upload would.
    pub(super) fn back_up(&mut self, device: Device, account: &str) {
        let now = self.now;
        let object = self.core.tenant.device_object(device.entra).unwrap();
        let stored = StoredCredential {
            account_name: account.into(),
            account_sid: "S-1-5-21-1-2-3-500".into(),
            password_base64: "UABBAFMAUwA=".into(),
            backup_at: now.ticks(),
            refresh_at: now.plus_millis(10 * UtcMillis::DAY_MS).ticks(),
            received_at: now,
        };
        let device = self.core.tenant.directory_devices.get_mut(&object).unwrap();
        device.credentials.push_front(stored);
    }

    pub(super) fn acknowledge(&mut self, device: Device, leaf: Leaf, value: LeafValue) {
        let acknowledged = &mut self.managed(device).acknowledged;
        Arc::make_mut(acknowledged).insert(leaf, value);
    }

    pub(super) fn managed(&mut self, device: Device) -> &mut ManagedDevice {
        self.core.devices.by_id.get_mut(&device.managed).unwrap()
    }

    /// Requests a rotation as `rotate-operator`.
    pub(super) fn rotate(&mut self, device: Device) -> Answered {
        let url = rotate_url(device);
        self.call("rotate-operator", "POST", &url, &Value::Null)
    }

    /// The actions of a device as listed.
    pub(super) fn actions(&mut self, device: Device) -> Vec<Value> {
        let url = format!("/deviceManagement/managedDevices/{}", device.managed);
        let device = self.get("help-desk", &url).body;
        device["deviceActionResults"].as_array().unwrap().clone()
    }

    pub(super) fn rotation_events(&mut self) -> Vec<Value> {
        let filter = "activity%20eq%20'rotateLocalAdminPassword%20ManagedDevice'";
        self.list(
            "auditor",
            &format!("/deviceManagement/auditEvents?$filter={filter}"),
        )
    }

    pub(super) fn recover_events(&mut self) -> Vec<Value> {
        let filter = "activityDisplayName+eq+'Recover+device+local+administrator+password'";
        self.list(
            "auditor",
            &format!("/auditLogs/directoryAudits?$filter={filter}"),
        )
    }
}

impl Answered {
    fn of(whole: HttpResponse) -> Self {
        let body = serde_json::from_slice(&whole.body).unwrap_or(Value::Null);
        Self {
            status: whole.status,
            body,
            whole,
        }
    }

    /// The link to the next page, as path and query below the root.
    pub(super) fn next(&self) -> Option<String> {
        let link = self.body["@odata.nextLink"].as_str()?;
        let below = link.strip_prefix("http://127.0.0.1:8080/admin/v1.0");
        assert!(below.is_some(), "`{link}` is no URL of this plane and root");
        below.map(str::to_owned)
    }

    pub(super) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(super) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }
}

pub(super) fn rotate_url(device: Device) -> String {
    format!(
        "/deviceManagement/managedDevices/{}/rotateLocalAdminPassword",
        device.managed
    )
}

/// A policy with `BackupDirectory` 1 and this age.
pub(super) fn policy(name: &str, age_days: i64) -> Value {
    let prefix = "device_vendor_msft_laps_policies_";
    json!({
        "name": name,
        "platforms": "windows10",
        "technologies": "mdm",
        "templateReference": {"templateId": "adc46e5a-f4aa-4ff6-aeff-4f27bc525796_1"},
        "settings": [{
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationSetting",
            "settingInstance": {
                "@odata.type":
                    "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
                "settingDefinitionId": format!("{prefix}backupdirectory"),
                "choiceSettingValue": {
                    "@odata.type":
                        "#microsoft.graph.deviceManagementConfigurationChoiceSettingValue",
                    "value": format!("{prefix}backupdirectory_1"),
                    "children": [{
                        "@odata.type":
                            "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
                        "settingDefinitionId": format!("{prefix}passwordagedays_aad"),
                        "simpleSettingValue": {
                            "@odata.type":
                                "#microsoft.graph.deviceManagementConfigurationIntegerSettingValue",
                            "value": age_days,
                        },
                    }],
                },
            },
        }],
    })
}
