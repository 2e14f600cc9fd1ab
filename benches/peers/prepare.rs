//! A core with enrolled devices that have nothing to do any more, and files of the first messages
//! of their next sessions, ready for any client to send.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use emulator::{OsBuild, SessionCause};
use harness::admin::{Actor, AdminClient};
use harness::clock::Clock;
use harness::http::{Answer, Pools, Request, path_of};
use harness::lab::{Lab, LabParts};
use harness::push::PushEndpoint;
use harness::target::Target;
use harness::transcript::Transcript;
use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};
use serde_json::Value as Json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::process::Process;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Devices that enrol at a time.
const AT_A_TIME: u32 = 32;
/// Scope of what the laboratory records.
const SCOPE: &str = "peers";
/// The token that a core pushes with unless told otherwise.
const PUSH_TOKEN: &str = "muster-push";
/// A header of a check-in that is no device's own, as the devices of the harness send it.
const ACCEPT: &str =
    "application/vnd.syncml.dm+xml, application/vnd.syncml.dm+wbxml, application/octet-stream";
/// Far from the ids of the sessions that the devices had.
const FIRST_SESSION: u32 = 10_000;

/// A core and its fleet.
pub(crate) struct Fleet {
    pub(crate) core: Process,
    target: Target,
    pools: Pools,
    devices: Vec<Enrolled>,
    url: String,
    /// Bytes of the answer to a check-in without work.
    pub(crate) answer_bytes: usize,
    /// Bytes of a client certificate, on average.
    pub(crate) certificate_bytes: usize,
}

/// What a check-in of a device is made of.
struct Enrolled {
    url: String,
    user_agent: &'static str,
    /// The value of `Client-Cert`.
    certificate: String,
    /// The first message of a session, without the id of that.
    message: (String, String),
    next_session: u32,
}

impl Fleet {
    /// Starts the core and enrols devices, each with its policy and a password stored.
    pub(crate) async fn enrol(muster: &str, devices: u32) -> Self {
        let mut command = Command::new(muster);
        command.args(["serve", "--json", "--exit-with-stdin"]);
        let mut core = Process::start(&mut command);
        let target = Target::parse(&core.line()).unwrap();
        let world = World::new(&target).await;
        let mut workers = JoinSet::new();
        for worker in 0..AT_A_TIME {
            let (world, mine) = (world.clone(), devices.div_ceil(AT_A_TIME));
            let mine = mine.min(devices.saturating_sub(worker * mine));
            workers.spawn(async move { world.enrol_each(mine).await });
        }
        let devices: Vec<Enrolled> = workers.join_all().await.into_iter().flatten().collect();
        let certificates: usize = devices.iter().map(Enrolled::certificate_bytes).sum();
        let mut fleet = Self {
            core,
            pools: Pools::new(Clock::start(), 1),
            target,
            url: devices.first().expect("a fleet has devices").url.clone(),
            answer_bytes: 0,
            certificate_bytes: certificates / devices.len(),
            devices,
        };
        fleet.answer_bytes = fleet.check_in().await.body.len();
        fleet
    }

    /// The URL of the management service.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A check-in of the first device.
    async fn check_in(&mut self) -> Answer {
        let device = &mut self.devices[0];
        let body = device.next_message();
        let request = Request {
            method: "POST",
            path: path_of(&device.url),
            headers: &[
                ("content-type", protocol::syncml::CONTENT_TYPE),
                ("client-cert", &device.certificate),
            ],
            body: Bytes::from(body),
        };
        send(&self.pools, &device.url, request).await
    }

    /// Writes `requests` first messages, evenly over the devices and into one file a thread: the
    /// next sessions of the devices, so that none was ever sent before.
    pub(crate) fn write(&mut self, folder: &Path, (requests, threads): (usize, usize)) {
        let share = self.devices.len().div_ceil(threads);
        for (thread, devices) in self.devices.chunks_mut(share).enumerate() {
            let file = File::create(folder.join(format!("requests-{thread}"))).unwrap();
            let mut file = BufWriter::new(file);
            for number in 0..requests / threads {
                let place = number % devices.len();
                let request = devices[place].next_request();
                write!(file, "{:08}{request}", request.len()).unwrap();
            }
            file.flush().unwrap();
        }
    }

    /// Check-ins for which the core had nothing, each a session of its own, so far.
    pub(crate) async fn check_ins(&self) -> u64 {
        let url = format!("{}/muster/v1/stats", self.target.control);
        let authorization = format!("Bearer {}", self.target.tokens["control"]);
        let request = Request {
            method: "GET",
            path: path_of(&url),
            headers: &[("authorization", &authorization)],
            body: Bytes::new(),
        };
        let answer = send(&self.pools, &url, request).await;
        let stats: Json = serde_json::from_slice(&answer.body).unwrap();
        stats["unchangedCheckIns"].as_u64().unwrap()
    }
}

impl Enrolled {
    /// The first message of the next session.
    fn next_message(&mut self) -> String {
        let (before, after) = &self.message;
        let message = format!("{before}{}{after}", self.next_session);
        self.next_session += 1;
        message
    }

    /// The same as it goes over a connection.
    fn next_request(&mut self) -> String {
        let body = self.next_message();
        format!(
            "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {}\r\nContent-Type: {}\r\n\
             Accept: {ACCEPT}\r\nClient-Cert: {}\r\nContent-Length: {}\r\n\r\n{body}",
            path_of(&self.url),
            self.user_agent,
            protocol::syncml::CONTENT_TYPE,
            self.certificate,
            body.len()
        )
    }

    /// What base64 between colons stands for.
    fn certificate_bytes(&self) -> usize {
        let base64 = self.certificate.trim_matches(':');
        base64.trim_end_matches('=').len() * 3 / 4
    }
}

/// What enrolment needs.
#[derive(Clone)]
struct World {
    lab: Lab,
    admin: Actor,
    group: Uuid,
}

impl World {
    /// A laboratory and a group with a policy that has passwords backed up.
    async fn new(target: &Target) -> Self {
        let (clock, transcript) = (Clock::start(), Transcript::default());
        let push = PushEndpoint::start(clock.clone(), PUSH_TOKEN.to_owned(), transcript.clone())
            .await
            .unwrap();
        let admin = AdminClient::new(target, clock.clone(), transcript.clone(), 1)
            .actor("policy-admin", SCOPE);
        let lab = Lab::new(LabParts {
            target: target.clone(),
            clock,
            push,
            transcript,
            seed: 1,
            salt: 0,
        });
        let leaves = BTreeMap::from([
            (Leaf::BackupDirectory, Value::Int(1)),
            (Leaf::PasswordAgeDays, Value::Int(30)),
            (Leaf::PasswordComplexity, Value::Int(4)),
            (Leaf::PasswordLength, Value::Int(20)),
            (Leaf::PostAuthenticationResetDelay, Value::Int(24)),
            (Leaf::PostAuthenticationActions, Value::Int(3)),
        ]);
        let group = admin.create_group(SCOPE).await.unwrap();
        let group = group.require("POST /groups").unwrap().id;
        let policy = admin.create_policy(SCOPE, &leaves).await.unwrap();
        let policy = policy.require("POST .../configurationPolicies").unwrap();
        let assigned = admin.assign_groups(policy.id.unwrap(), &[group]).await;
        assigned.unwrap().require("POST .../assign").unwrap();
        Self { lab, admin, group }
    }

    /// Enrols so many devices, one after the other.
    async fn enrol_each(&self, devices: u32) -> Vec<Enrolled> {
        let mut enrolled = Vec::new();
        for _ in 0..devices {
            enrolled.push(self.enrol().await);
        }
        enrolled
    }

    async fn enrol(&self) -> Enrolled {
        let os = OsBuild::windows(26_100, 2_314);
        let join = JoinType::EntraJoined;
        let mut device = self.lab.registered_device(SCOPE, join, os).await.unwrap();
        let found = self
            .admin
            .directory_devices(device.entra_device_id().unwrap());
        let found = found.await.unwrap().require("GET /devices").unwrap();
        let joined = self.admin.add_member(self.group, found[0].id).await;
        joined.unwrap().require("POST .../members").unwrap();
        device.enroll().await.unwrap();
        // The first session takes the policy, which makes the device store a password; another one
        // reports; in the last nothing is left to be done.
        for _ in 0..3 {
            device.check_in().await.unwrap();
        }
        let now = device.now();
        let device = device.device_mut();
        device.start_session(now, SessionCause::Schedule);
        let first = device.poll_transmit(now).unwrap();
        let body = String::from_utf8(first.body).unwrap();
        let (before, rest) = body.split_once("<SessionID>").unwrap();
        let (_, after) = rest.split_once("</SessionID>").unwrap();
        Enrolled {
            url: first.url,
            user_agent: first.user_agent,
            certificate: format!(":{}:", device.client_certificate_base64().unwrap()),
            message: (
                format!("{before}<SessionID>"),
                format!("</SessionID>{after}"),
            ),
            next_session: FIRST_SESSION,
        }
    }
}

/// Anything but success ends the measurement.
async fn send(pools: &Pools, url: &str, request: Request<'_>) -> Answer {
    let answer = pools.of_url(url).unwrap().send(request, PATIENCE).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200, "{url}");
    answer
}
