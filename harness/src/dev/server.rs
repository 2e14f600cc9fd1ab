//! A scripted management server with enrolment and directory, on the loopback address.
//!
//! One server serves any number of stages, one device each. A stage answers the device's messages
//! by its script, takes or refuses uploads as told, and keeps everything that the device sent.
//! Identity is the header `Client-Cert` (RFC 9440), so certificates are any bytes.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use emulator::DeviceFault;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use protocol::directory::{CredentialUpload, password_from_base64};
use protocol::enrollment::{
    AppAuth, Application, AuthPolicy, DiscoverResponse, DmClient, GetPoliciesResponse,
    PollSchedule, ProvisioningDocument, Request as Enrolling, Retries, Store, TokenResponse,
    decode_request,
};
use protocol::secret::Secret;
use protocol::syncml::{
    Command, Header, Item, Limits, Message, Status, StatusCode, decode, encode,
};
use protocol::time::{UtcMillis, UtcTicks};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Clock;
use crate::error::Error;
use crate::http::Pools;

/// Largest body that is read.
const BODY_MAX: usize = 1024 * 1024;
/// 1 March 2026, 09:00 UTC: the virtual time at which every device starts.
pub(super) const START: UtcMillis = UtcMillis::from_millis(1_772_355_600_000);

/// The server and what its devices have in common. It ends with this value.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) seed: u64,
    pub(super) fault: Option<DeviceFault>,
    pub(super) pools: Arc<Pools>,
    base: String,
    stages: Arc<Stages>,
    numbers: AtomicU64,
    task: tokio::task::JoinHandle<()>,
}

type Stages = Mutex<HashMap<u64, Arc<Mutex<State>>>>;

/// What a server says to one message of a device.
pub(super) type Turn = Vec<Command<'static>>;

/// The server's side of one device.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) base: String,
    state: Arc<Mutex<State>>,
}

/// What a stage does and what it kept.
#[derive(Debug)]
pub(super) struct State {
    number: u64,
    base: String,
    /// The device's time, as its driver says.
    pub(super) now: UtcMillis,
    /// What to say to the next messages; then nothing more.
    pub(super) turns: VecDeque<Turn>,
    /// What the directory answers.
    pub(super) directory: u16,
    /// The messages of the device.
    pub(super) heard: Vec<Heard>,
    /// The uploads of the device.
    pub(super) uploads: Vec<UploadSeen>,
    /// What was wrong with requests.
    pub(super) complaints: Vec<String>,
}

/// A message of the device.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// Command reference and code of each status.
    pub(super) statuses: Vec<(String, u32)>,
    /// Path, format and text of each value read.
    pub(super) values: Vec<(String, String, String)>,
}

/// An upload.
#[derive(Clone, Debug)]
pub(super) struct UploadSeen {
    /// The device's time.
    pub(super) at: UtcMillis,
    /// What the directory answered.
    pub(super) status: u16,
    pub(super) account: String,
    pub(super) sid: String,
    /// In clear; hidden in the `Debug` form.
    pub(super) password: Secret,
    pub(super) backup: UtcTicks,
    pub(super) refresh: UtcTicks,
}

impl UploadSeen {
    pub(super) const fn accepted(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hall {
    /// Opens the server on a free port.
    pub(super) async fn open(seed: u64, fault: Option<DeviceFault>) -> Result<Self, Error> {
        let no_port = |error: std::io::Error| Error::SetUp(format!("device server: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
        let port = listener.local_addr().map_err(no_port)?.port();
        let stages = Arc::new(Stages::default());
        let task = tokio::spawn(accept(listener, Arc::clone(&stages)));
        Ok(Self {
            seed,
            fault,
            pools: Arc::new(Pools::new(Clock::start(), 4)),
            base: format!("http://127.0.0.1:{port}"),
            stages,
            numbers: AtomicU64::new(1),
            task,
        })
    }

    /// A number that no other device has.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The stage of a device.
    pub(super) fn stage(&self, number: u64) -> Stage {
        let base = format!("{}/{number}", self.base);
        let state = Arc::new(Mutex::new(State {
            number,
            base: base.clone(),
            now: START,
            turns: VecDeque::new(),
            directory: 204,
            heard: Vec::new(),
            uploads: Vec::new(),
            complaints: Vec::new(),
        }));
        self.stages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, Arc::clone(&state));
        Stage { base, state }
    }
}

impl Stage {
    /// Looks at or changes the stage.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn accept(listener: TcpListener, stages: Arc<Stages>) {
    // The tasks end with this one: the set aborts them when it is dropped.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&stages)));
    }
}

async fn serve(stream: TcpStream, stages: Arc<Stages>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "device connection");
    }
    let service = service_fn(move |request| {
        let stages = Arc::clone(&stages);
        async move { Ok::<_, Infallible>(answer(&stages, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "device connection");
    }
}

async fn answer(stages: &Stages, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX)
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), |body| body.to_bytes());
    let path = head.uri.path().trim_start_matches('/');
    let (number, rest) = path.split_once('/').unwrap_or((path, ""));
    let state = number.parse().ok().and_then(|number: u64| {
        let stages = stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.get(&number).map(Arc::clone)
    });
    let (status, body) = state.map_or((404, Vec::new()), |state| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let certificate = head
            .headers
            .get("client-cert")
            .and_then(|value| value.to_str().ok());
        state.answer(rest, certificate, &body)
    });
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response
}

impl State {
    fn answer(&mut self, path: &str, certificate: Option<&str>, body: &[u8]) -> (u16, Vec<u8>) {
        if let Some(service) = path.strip_prefix("EnrollmentServer/") {
            return self.enroll(service, body);
        }
        let own = format!(":{}:", STANDARD.encode(client_der(self.number)));
        if certificate != Some(own.as_str()) {
            self.complaints.push(format!("{path}: another certificate"));
            return (403, Vec::new());
        }
        if path.starts_with("ManagementServer/") {
            return self.manage(body);
        }
        (self.upload(body), Vec::new())
    }

    fn enroll(&mut self, service: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let document = match decode_request(body) {
            Ok(Enrolling::Discover(request)) => {
                discover_response(&self.base, request.message_id).encode()
            }
            Ok(Enrolling::GetPolicies(request)) => policies_response(request.message_id).encode(),
            Ok(Enrolling::RequestSecurityToken(request)) => {
                token_response(self, request.message_id).encode()
            }
            Err(malformed) => {
                self.complaints.push(format!("{service}: {malformed}"));
                return (400, Vec::new());
            }
        };
        (200, document)
    }

    fn manage(&mut self, body: &[u8]) -> (u16, Vec<u8>) {
        match decode(body, &Limits::default()) {
            Ok(message) => {
                self.heard.push(Heard::of(&message));
                let turn = self.turns.pop_front().unwrap_or_default();
                (200, reply(&message, turn))
            }
            Err(malformed) => {
                self.complaints.push(format!("management: {malformed}"));
                (400, Vec::new())
            }
        }
    }

    fn upload(&mut self, body: &[u8]) -> u16 {
        let Ok(upload) = serde_json::from_slice::<CredentialUpload>(body) else {
            self.complaints.push("an upload that is none".to_owned());
            return 400;
        };
        let password = password_from_base64(upload.password_base64.expose()).unwrap_or_default();
        self.uploads.push(UploadSeen {
            at: self.now,
            status: self.directory,
            account: upload.account_name,
            sid: upload.account_sid,
            password: Secret::new(password),
            backup: upload.backup_date_time,
            refresh: upload.refresh_date_time,
        });
        self.directory
    }
}

impl Heard {
    fn of(message: &Message<'_>) -> Self {
        let mut heard = Self::default();
        for command in &message.commands {
            match command {
                Command::Status(status) => {
                    let code = status.code.0;
                    heard.statuses.push((status.cmd_ref.to_string(), code));
                }
                Command::Results(results) => {
                    heard.values.extend(results.items.iter().map(value_read));
                }
                Command::Alert(_)
                | Command::Request(_)
                | Command::Container(_)
                | Command::Unknown(_) => {}
            }
        }
        heard
    }

    /// The code of the status for a command; 0 when there is none.
    pub(super) fn code(&self, cmd_ref: &str) -> u32 {
        let found = self.statuses.iter().find(|(of, _)| of == cmd_ref);
        found.map_or(0, |(_, code)| *code)
    }
}

/// Path, format and text of a value.
fn value_read(item: &Item<'_>) -> (String, String, String) {
    let format = item.meta.as_ref().and_then(|meta| meta.format.as_deref());
    (
        item.source.as_deref().unwrap_or_default().to_owned(),
        format.unwrap_or_default().to_owned(),
        item.text().to_owned(),
    )
}

/// A server message: a status for the header, then the turn.
fn reply(to: &Message<'_>, turn: Turn) -> Vec<u8> {
    let status = Status::new(
        Cow::Borrowed("1"),
        to.header.msg_id,
        Cow::Borrowed("0"),
        "SyncHdr",
        StatusCode::OK,
    );
    let mut commands = vec![Command::Status(status)];
    commands.extend(turn);
    let message = Message {
        header: Header::new(
            to.header.session_id.clone(),
            to.header.msg_id,
            to.header.source.clone(),
            to.header.target.clone(),
        ),
        commands,
        is_final: true,
        ignored: Vec::new(),
    };
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    bytes
}

/// Stands for a certificate: bytes that tell the devices apart.
fn client_der(number: u64) -> Vec<u8> {
    [&[0x30, 0x08][..], &number.to_be_bytes()].concat()
}

fn discover_response(base: &str, relates_to: String) -> DiscoverResponse {
    DiscoverResponse {
        relates_to,
        auth_policy: AuthPolicy::Federated,
        enrollment_version: "4.0".to_owned(),
        policy_url: Some(format!("{base}/EnrollmentServer/Policy.svc")),
        enrollment_url: format!("{base}/EnrollmentServer/Enrollment.svc"),
        authentication_url: None,
    }
}

fn policies_response(relates_to: String) -> GetPoliciesResponse {
    GetPoliciesResponse {
        relates_to,
        minimal_key_length: 256,
        algorithm_oid: "1.2.840.10045.2.1".to_owned(),
        hash_oid: "2.16.840.1.101.3.4.2.1".to_owned(),
        validity_s: 31_536_000,
        renewal_s: 15_552_000,
    }
}

fn token_response(state: &State, relates_to: String) -> TokenResponse {
    let auth = |name: &str| AppAuth {
        name: name.to_owned(),
        secret: Secret::from("shared"),
        nonce_base64: "bm9uY2U=".to_owned(),
    };
    let retries = |count, interval_min| Retries {
        count,
        interval_min,
    };
    TokenResponse {
        relates_to,
        created: state.now.ticks(),
        expires: state.now.plus_millis(300_000).ticks(),
        document: ProvisioningDocument {
            root_der: vec![0x30, 0x01, 0x00],
            client_der: client_der(state.number),
            store: Store::User,
            renew_period_days: 42,
            retry_interval_days: 7,
            application: Application {
                provider_id: "muster".to_owned(),
                name: "muster".to_owned(),
                addr: format!("{}/ManagementServer/MDM.svc", state.base),
                client_auth: auth("device"),
                server_auth: auth("server"),
                ssl_search: "Subject=CN%3dx&Stores=My%5CUser".to_owned(),
            },
            dm_client: DmClient {
                ent_dm_id: format!("5f0f3a52-0000-4000-8000-{:012x}", state.number),
                upn: None,
                poll: PollSchedule {
                    first: retries(5, 3),
                    second: retries(8, 15),
                    remaining: retries(0, 480),
                },
            },
        },
    }
}
