//! A core with enrolled devices that have nothing to do any more, and files of the first messages
//! of their next sessions, ready for any client to send.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use emulator::{
    Commons, Device, DeviceId, DeviceSpec, Endpoint, EnrollmentGrant, Opening, OsBuild, Response,
};
use harness::clock::Clock;
use harness::http::{Answer, Pools, Request, path_of};
use harness::keys::KeyPool;
use harness::target::Target;
use protocol::JoinType;
use protocol::control::{RegisterDevice, Registration};
use protocol::enrollment::Credential;
use protocol::graph::policy::{Assign, Assignment, ConfigurationPolicy, settings_from_leaves};
use protocol::laps_csp::{Leaf, Value};
use serde_json::Value as Json;
use tokio::task::JoinSet;

use crate::process::Process;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Devices that enrol at a time.
const AT_A_TIME: u32 = 32;
/// Keys that the devices share: they only introduce themselves with their certificates.
const KEYS: u32 = 64;
/// The headers of a check-in that are no device's own, as the devices of the harness send them.
const ACCEPT: &str =
    "application/vnd.syncml.dm+xml, application/vnd.syncml.dm+wbxml, application/octet-stream";

/// A core and its fleet.
pub(crate) struct Fleet {
    pub(crate) core: Process,
    target: Target,
    pools: Pools,
    devices: Vec<Enrolled>,
    opening: Opening,
    request_url: String,
    user_agent: &'static str,
    /// Bytes of the answer to a check-in without work.
    pub(crate) answer_bytes: usize,
    /// Bytes of a client certificate, on average.
    pub(crate) certificate_bytes: usize,
}

/// What a check-in of a device is made of.
struct Enrolled {
    device_id: DeviceId,
    /// The value of `Client-Cert`.
    certificate: String,
    next_session: u16,
}

impl Fleet {
    /// Starts the core and enrols devices, each with its policy and a password stored.
    pub(crate) async fn enrol(muster: &str, devices: u32) -> Self {
        let mut command = Command::new(muster);
        command.args(["serve", "--json", "--exit-with-stdin"]);
        let mut core = Process::start(&mut command);
        let target = Target::parse(&core.line()).unwrap();
        let world = std::sync::Arc::new(World {
            clock: Clock::start(),
            pools: Pools::new(Clock::start(), AT_A_TIME as usize),
            target: target.clone(),
            keys: KeyPool::of(KEYS).unwrap(),
        });
        world.assign_policy().await;
        let mut workers = JoinSet::new();
        for worker in 0..AT_A_TIME {
            let world = std::sync::Arc::clone(&world);
            workers.spawn(async move { world.enrol_each(worker, devices).await });
        }
        let grown: Vec<Grown> = workers.join_all().await.into_iter().flatten().collect();
        let first = grown.first().expect("a fleet has devices");
        let (opening, request_url) = (first.opening.clone(), first.request_url.clone());
        let (user_agent, answer_bytes) = (first.user_agent, first.answer_bytes);
        let certificates: usize = grown.iter().map(|one| one.certificate_bytes).sum();
        Self {
            core,
            pools: Pools::new(Clock::start(), 1),
            target,
            opening,
            request_url,
            user_agent,
            answer_bytes,
            certificate_bytes: certificates / grown.len(),
            devices: grown.into_iter().map(|one| one.enrolled).collect(),
        }
    }

    /// The base URL that a client connects to.
    pub(crate) fn url(&self) -> &str {
        &self.request_url
    }

    /// Writes `requests` first messages, evenly over the devices and into one file a thread: the
    /// next sessions of the devices, so that none was ever sent before.
    pub(crate) fn write(&mut self, folder: &Path, (requests, threads): (usize, usize)) {
        let path = path_of(&self.request_url).to_owned();
        let mut body = Vec::new();
        let share = self.devices.len().div_ceil(threads);
        for (thread, devices) in self.devices.chunks_mut(share).enumerate() {
            let file = File::create(folder.join(format!("requests-{thread}"))).unwrap();
            let mut file = BufWriter::new(file);
            for number in 0..requests / threads {
                let place = number % devices.len();
                let device = &mut devices[place];
                body.clear();
                self.opening
                    .write(device.next_session, device.device_id, &mut body);
                device.next_session += 1;
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {}\r\n\
                     Content-Type: {}\r\nAccept: {ACCEPT}\r\nClient-Cert: {}\r\n\
                     Content-Length: {}\r\n\r\n",
                    self.user_agent,
                    protocol::syncml::CONTENT_TYPE,
                    device.certificate,
                    body.len()
                );
                write!(file, "{:08}{head}", head.len() + body.len()).unwrap();
                file.write_all(&body).unwrap();
            }
            file.flush().unwrap();
        }
    }

    /// Check-ins for which the core had nothing, each a session of its own, so far.
    pub(crate) async fn check_ins(&self) -> u64 {
        let url = format!("{}/muster/v1/stats", self.target.control);
        let answer = call(&self.pools, &self.target, ("control", "GET", &url), None).await;
        let stats: Json = serde_json::from_slice(&answer.body).unwrap();
        stats["unchangedCheckIns"].as_u64().unwrap()
    }
}

/// What enrolment needs.
struct World {
    clock: Clock,
    pools: Pools,
    target: Target,
    keys: KeyPool,
}

/// An enrolled device, with what it has in common with the others.
struct Grown {
    enrolled: Enrolled,
    opening: Opening,
    request_url: String,
    user_agent: &'static str,
    answer_bytes: usize,
    certificate_bytes: usize,
}

impl World {
    /// A policy for all devices, with a password to be backed up.
    async fn assign_policy(&self) {
        let leaves = [
            (Leaf::BackupDirectory, Value::Int(1)),
            (Leaf::PasswordAgeDays, Value::Int(30)),
            (Leaf::PasswordComplexity, Value::Int(4)),
            (Leaf::PasswordLength, Value::Int(20)),
            (Leaf::PostAuthenticationResetDelay, Value::Int(24)),
            (Leaf::PostAuthenticationActions, Value::Int(3)),
        ];
        let policy = ConfigurationPolicy::laps("peers", settings_from_leaves(&leaves.into()));
        let url = format!(
            "{}/beta/deviceManagement/configurationPolicies",
            self.target.admin
        );
        let created = self.admin(&url, serde_json::to_vec(&policy).unwrap()).await;
        let created: ConfigurationPolicy = serde_json::from_slice(&created.body).unwrap();
        let assign = Assign {
            assignments: vec![Assignment::from(
                protocol::graph::policy::Target::AllDevices {},
            )],
        };
        let url = format!("{url}/{}/assign", created.id.unwrap());
        self.admin(&url, serde_json::to_vec(&assign).unwrap()).await;
    }

    async fn admin(&self, url: &str, body: Vec<u8>) -> Answer {
        let call_of = ("policy-admin", "POST", url);
        call(&self.pools, &self.target, call_of, Some(body)).await
    }

    /// Enrols every device of a worker, one after the other.
    async fn enrol_each(&self, worker: u32, devices: u32) -> Vec<Grown> {
        let mut enrolled = Vec::new();
        for index in (worker..devices).step_by(AT_A_TIME as usize) {
            enrolled.push(self.enrol(index).await);
        }
        enrolled
    }

    async fn enrol(&self, index: u32) -> Grown {
        let os = OsBuild::windows(26_100, 2_314);
        let spec = || {
            let index = u64::from(index);
            DeviceSpec::derive(1, index, "PEER-", JoinType::EntraJoined, os)
        };
        let mut device = Device::new(spec());
        device.set_polling(false);
        let grant = EnrollmentGrant {
            discovery_url: format!("{}/EnrollmentServer/Discovery.svc", self.target.enroll),
            directory_url: self.target.directory.clone(),
            channel_uri: format!("http://127.0.0.1:9/push/{index}"),
            credential: self.register(&spec()).await,
        };
        device.enroll(self.clock.now(), grant);
        self.carry(&mut device, index).await;
        assert!(device.is_enrolled(), "device {index} is not enrolled");
        // The first session takes the policy, which makes the device store a password; another one
        // reports; in the last nothing is left to be done.
        for _ in 0..3 {
            device.start_session(self.clock.now(), emulator::SessionCause::Schedule);
            self.carry(&mut device, index).await;
        }
        device.start_session(self.clock.now(), emulator::SessionCause::Schedule);
        let (user_agent, answer_bytes) = self.carry(&mut device, index).await;
        let certificate = device.client_certificate_base64().unwrap();
        let certificate = format!(":{certificate}:");
        let device_id = device.device_id();
        let mut commons = Commons::default();
        let rested = device.rest(spec(), &mut commons).unwrap();
        Grown {
            enrolled: Enrolled {
                device_id,
                certificate,
                next_session: rested.next_session_id(),
            },
            opening: rested.opening().unwrap().clone(),
            request_url: rested.common().request_url().to_owned(),
            user_agent,
            answer_bytes,
            certificate_bytes: rested.certificate_der(&commons).len(),
        }
    }

    async fn register(&self, spec: &DeviceSpec) -> Credential {
        let body = RegisterDevice {
            device_name: spec.device_name.clone(),
            join_type: spec.join_type,
            entra_device_id: spec.entra_device_id,
            user_principal_name: spec.user_principal_name.clone(),
            os_version: spec.os.to_string(),
        };
        let url = format!("{}/muster/v1/devices", self.target.control);
        let body = serde_json::to_vec(&body).unwrap();
        let call_of = ("control", "POST", &*url);
        let answer = call(&self.pools, &self.target, call_of, Some(body)).await;
        let registration: Registration = serde_json::from_slice(&answer.body).unwrap();
        registration.enrollment.into()
    }

    /// Carries what the device wants sent until it wants nothing; the agent that it sent last as,
    /// and the length of the answer to that.
    async fn carry(&self, device: &mut Device, index: u32) -> (&'static str, usize) {
        let mut last = ("", 0);
        loop {
            let now = self.clock.now();
            if let Some(request) = device.key_request() {
                let der = self.keys.certificate_request(index, &request).unwrap();
                device.provide_request(now, der);
            }
            while device.poll_event().is_some() {}
            let Some(transmit) = device.poll_transmit(now) else {
                match device.poll_timeout() {
                    Some(due) if due <= now => device.handle_timeout(now),
                    Some(_) | None => return last,
                }
                continue;
            };
            let certificate = match transmit.endpoint {
                Endpoint::Management | Endpoint::Directory => device.client_certificate_base64(),
                Endpoint::Discovery | Endpoint::Policy | Endpoint::Enrollment => None,
            };
            let answer = self.exchange(&transmit, certificate).await;
            last = (transmit.user_agent, answer.body.len());
            let response = Response {
                status: answer.status,
                body: &answer.body,
                retry_after_s: None,
            };
            device.handle_response(self.clock.now(), response);
        }
    }

    async fn exchange(&self, transmit: &emulator::Transmit, certificate: Option<&str>) -> Answer {
        let certificate = certificate.map(|it| format!(":{it}:"));
        let key = transmit.idempotency_key.map(|key| key.to_string());
        let mut headers = vec![("user-agent", transmit.user_agent)];
        if !transmit.content_type.is_empty() {
            headers.push(("content-type", transmit.content_type));
        }
        headers.extend(key.as_deref().map(|key| ("idempotency-key", key)));
        headers.extend(certificate.as_deref().map(|it| ("client-cert", it)));
        let request = Request {
            method: transmit.method.as_str(),
            path: path_of(&transmit.url),
            headers: &headers,
            body: Bytes::from(transmit.body.clone()),
        };
        let pool = self.pools.of_url(&transmit.url).unwrap();
        pool.send(request, PATIENCE).await.unwrap()
    }
}

/// A call with the token of an actor; anything but success ends the measurement.
async fn call(
    pools: &Pools,
    target: &Target,
    (actor, method, url): (&str, &'static str, &str),
    body: Option<Vec<u8>>,
) -> Answer {
    let authorization = format!("Bearer {}", target.tokens[actor]);
    let request = Request {
        method,
        path: path_of(url),
        headers: &[
            ("authorization", &authorization),
            ("content-type", "application/json"),
        ],
        body: Bytes::from(body.unwrap_or_default()),
    };
    let pool = pools.of_url(url).unwrap();
    let answer = pool.send(request, PATIENCE).await.unwrap();
    assert!(
        (200..300).contains(&answer.status),
        "{method} {url}: status {}",
        answer.status
    );
    answer
}
