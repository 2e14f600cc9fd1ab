//! Devices and the core in one thread and in virtual time: no socket, no sleep, the real bytes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use emulator::{Device, DeviceSpec, Endpoint, EnrollmentGrant, OsBuild, Response};
use protocol::JoinType;
use protocol::control::Registration;
use protocol::directory::CredentialUpload;
use protocol::enrollment::{PollSchedule, Retries};
use protocol::time::{UtcMillis, UtcTicks};
use reference::{
    CertificateAuthority, CertificateError, Config, Core, HttpRequest, HttpResponse, IssueRequest,
    Plane, PushAnswer, RetryAfter, Step, Urls, Variants,
};
use serde_json::{Value, json};
use uuid::Uuid;

const HOST: &str = "http://core.muster.example";
const PUSH_HOST: &str = "push.muster.example";

/// A core, its devices and the time they share.
pub(crate) struct World {
    pub now: UtcMillis,
    pub members: Vec<Member>,
    /// Requests that went over the management plane.
    pub messages: u64,
    seed: u64,
    /// For whoever has requests of its own.
    pub core: Core,
    tokens: BTreeMap<String, String>,
    timers: BinaryHeap<Reverse<(UtcMillis, usize)>>,
    next_request: u128,
}

/// A device and what it did to the directory.
pub(crate) struct Member {
    pub device: Device,
    pub entra_id: Option<Uuid>,
    pub name: String,
    /// Uploads that the directory took, in order: device time of backup, and of the next one.
    pub uploads: Vec<(UtcTicks, UtcTicks)>,
    /// Requests to the directory, taken or not.
    pub directory_requests: u64,
}

impl World {
    /// An empty world whose time is `now`.
    pub(crate) fn new(seed: u64, now: UtcMillis) -> Self {
        let urls = Urls {
            enroll: HOST.to_owned(),
            manage: HOST.to_owned(),
            directory: format!("{HOST}/directory"),
            admin: format!("{HOST}/graph"),
            control: format!("{HOST}/control"),
        };
        let config = Config {
            seed,
            urls,
            push_allow: vec![PUSH_HOST.to_owned()],
            virtual_clock: false,
            rights_set: reference::RightsSet::Current2025,
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
            faults: Vec::new(),
            variants: Variants::NONE,
        };
        let core = Core::new(config, Arc::new(PlainAuthority));
        Self {
            now,
            members: Vec::new(),
            messages: 0,
            seed,
            tokens: core.tokens(),
            core,
            timers: BinaryHeap::new(),
            next_request: 0,
        }
    }

    /// Registers a device and enrols it; its first session is due at once.
    pub(crate) fn enroll(&mut self, join_type: JoinType, os: OsBuild) -> usize {
        let index = self.members.len();
        let spec = DeviceSpec::derive(self.seed, index as u64, "SIM", join_type, os);
        let registration: Registration = serde_json::from_slice(&self.control(
            "/muster/v1/devices",
            &json!({
                "deviceName": spec.device_name, "joinType": join_type.as_str(),
                "entraDeviceId": spec.entra_device_id,
                "userPrincipalName": spec.user_principal_name,
                "osVersion": spec.os.to_string(),
            }),
        ))
        .unwrap();
        self.members.push(Member {
            entra_id: spec.entra_device_id,
            name: spec.device_name.clone(),
            device: Device::new(spec),
            uploads: Vec::new(),
            directory_requests: 0,
        });
        let grant = EnrollmentGrant {
            discovery_url: format!("{HOST}/EnrollmentServer/Discovery.svc"),
            directory_url: format!("{HOST}/directory"),
            channel_uri: format!("https://{PUSH_HOST}/{index}"),
            credential: registration.enrollment.into(),
        };
        let now = self.now;
        self.members[index].device.enroll(now, grant);
        self.settle(index);
        let request = format!("request of device {index}");
        assert!(self.members[index].device.key_request().is_some());
        self.members[index]
            .device
            .provide_request(now, request.into_bytes());
        self.settle(index);
        assert!(self.members[index].device.is_enrolled(), "device {index}");
        index
    }

    /// Lets virtual time pass until `end`.
    pub(crate) fn run_until(&mut self, end: UtcMillis) {
        while let Some(&Reverse((due, index))) = self.timers.peek() {
            if due > end {
                break;
            }
            self.timers.pop();
            self.now = self.now.max(due);
            let now = self.now;
            // An entry whose device has since moved its timer is stale: another entry stands for it.
            if self.members[index]
                .device
                .poll_timeout()
                .is_none_or(|due| due > now)
            {
                continue;
            }
            self.members[index].device.handle_timeout(now);
            self.settle(index);
        }
        self.now = self.now.max(end);
    }

    /// A call of the admin plane.
    pub(crate) fn admin(
        &mut self,
        actor: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let token = format!("Bearer {}", self.tokens[actor]);
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.next_request += 1;
        let id = Uuid::from_u128(self.next_request).to_string();
        let response = self.serve(&HttpRequest {
            plane: Plane::Admin,
            method,
            path,
            query,
            authorization: Some(&token),
            client_certificate: None,
            content_type: Some("application/json"),
            client_request_id: Some(&id),
            idempotency_key: None,
            body: &body,
        });
        let value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        (response.status, value)
    }

    /// Every element of a list of the admin plane, over all its pages.
    pub(crate) fn admin_list(&mut self, actor: &str, path: &str) -> Vec<Value> {
        let root = format!("{HOST}/graph");
        let mut next = path.to_owned();
        let mut all = Vec::new();
        loop {
            let (status, page) = self.admin(actor, "GET", &next, &Value::Null);
            assert_eq!(status, 200, "{next}: {page}");
            all.extend(page["value"].as_array().unwrap().iter().cloned());
            let Some(link) = page["@odata.nextLink"].as_str() else {
                return all;
            };
            next = link.strip_prefix(&root).unwrap().to_owned();
        }
    }

    /// Id of the managed device behind a member.
    pub(crate) fn managed_id(&mut self, index: usize) -> String {
        let name = self.members[index].name.clone();
        let path =
            format!("/v1.0/deviceManagement/managedDevices?$filter=deviceName%20eq%20'{name}'");
        let rows = self.admin_list("policy-admin", &path);
        rows[0]["id"].as_str().unwrap().to_owned()
    }

    /// The device has nothing more to send, and its timer is noted.
    pub(crate) fn settle(&mut self, index: usize) {
        let now = self.now;
        while let Some(transmit) = self.members[index].device.poll_transmit(now) {
            let body = self.transmit(index, &transmit);
            let response = Response {
                status: body.status,
                body: &body.body,
                retry_after_s: match body.retry_after {
                    Some(RetryAfter::Seconds(seconds) | RetryAfter::DateAfter(seconds)) => {
                        Some(seconds)
                    }
                    None => None,
                },
            };
            self.members[index].device.handle_response(now, response);
        }
        while self.members[index].device.poll_event().is_some() {}
        if let Some(due) = self.members[index].device.poll_timeout() {
            self.timers.push(Reverse((due.max(now), index)));
        }
    }

    fn transmit(&mut self, index: usize, transmit: &emulator::Transmit) -> HttpResponse {
        let member = &mut self.members[index];
        let path = transmit.url.strip_prefix(HOST).unwrap();
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        let (plane, path) = match transmit.endpoint {
            Endpoint::Discovery | Endpoint::Policy | Endpoint::Enrollment => (Plane::Enroll, path),
            Endpoint::Management => (Plane::Manage, path),
            Endpoint::Directory => (Plane::Directory, path.strip_prefix("/directory").unwrap()),
        };
        match plane {
            Plane::Manage => self.messages += 1,
            Plane::Directory => member.directory_requests += 1,
            Plane::Enroll | Plane::Admin | Plane::Control => {}
        }
        let certificate = member
            .device
            .client_certificate_base64()
            .map(|certificate| format!(":{certificate}:"));
        let key = transmit.idempotency_key.map(|key| key.to_string());
        let response = self.serve(&HttpRequest {
            plane,
            method: transmit.method.as_str(),
            path,
            query,
            authorization: None,
            client_certificate: certificate.as_deref(),
            content_type: Some(transmit.content_type),
            client_request_id: None,
            idempotency_key: key.as_deref(),
            body: &transmit.body,
        });
        if plane == Plane::Directory && response.status == 204 {
            let upload: CredentialUpload = serde_json::from_slice(&transmit.body).unwrap();
            let times = (upload.backup_date_time, upload.refresh_date_time);
            self.members[index].uploads.push(times);
        }
        response
    }

    fn control(&mut self, path: &str, body: &Value) -> Vec<u8> {
        let token = format!("Bearer {}", self.tokens["control"]);
        let response = self.serve(&HttpRequest {
            plane: Plane::Control,
            method: "POST",
            path,
            query: None,
            authorization: Some(&token),
            client_certificate: None,
            content_type: Some("application/json"),
            client_request_id: None,
            idempotency_key: None,
            body: body.to_string().as_bytes(),
        });
        assert!(response.status < 300, "{path}: {}", response.status);
        response.body
    }

    /// One request, with every push that it causes answered by the device it names.
    fn serve(&mut self, request: &HttpRequest<'_>) -> HttpResponse {
        let now = self.now;
        let mut step = self.core.handle(now, request);
        loop {
            self.answer_pushes();
            match step {
                Step::Done(response) => return response,
                Step::Await { ticket, .. } => step = self.core.resume(now, ticket),
            }
        }
    }

    fn answer_pushes(&mut self) {
        let now = self.now;
        while let Some(push) = self.core.poll_push(now) {
            let (_, index) = push.uri.rsplit_once('/').unwrap();
            let index: usize = index.parse().unwrap();
            let connected = self.members[index].device.handle_push(now);
            let answer = if connected {
                PushAnswer::Connected
            } else {
                PushAnswer::Disconnected
            };
            self.core.handle_push_answer(now, push.id, answer);
            // The session that the push causes starts after the answer (contract 3).
            self.timers.push(Reverse((now, index)));
        }
    }
}

/// Issues certificates that are bytes and nothing more: the simulation is not about keys.
#[derive(Debug)]
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
