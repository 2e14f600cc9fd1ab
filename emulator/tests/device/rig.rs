//! A device on a bench: a scripted management server, a directory that answers as told, and
//! virtual time.

use std::borrow::Cow;

use emulator::{
    Device, DeviceSpec, Endpoint, EnrollmentGrant, Event, OsBuild, Response, SessionCause, Transmit,
};
use protocol::JoinType;
use protocol::directory::{CredentialUpload, password_from_base64};
use protocol::enrollment::{
    AppAuth, Application, AuthPolicy, Credential, DiscoverResponse, DmClient, GetPoliciesResponse,
    PollSchedule, ProvisioningDocument, Retries, Store, TokenResponse,
};
use protocol::laps_csp::{Leaf, Value};
use protocol::secret::Secret;
use protocol::syncml::{
    Command, Container, ContainerKind, Data, Header, Item, Limits, Message, Meta, Request, Status,
    StatusCode, Verb, decode, encode,
};
use protocol::time::{UtcMillis, UtcTicks};

pub(crate) const MANAGEMENT_URL: &str = "https://mdm.example.test/ManagementServer/MDM.svc";
pub(crate) const SEED: u64 = 20_260_301;

/// 1 March 2026, 09:00 UTC.
pub(crate) fn march(day: i64) -> UtcMillis {
    let first = UtcTicks::parse("2026-03-01T09:00:00Z")
        .expect("a time")
        .millis();
    first.plus_millis((day - 1) * UtcMillis::DAY_MS)
}

/// What a server does with one message of the device.
pub(crate) enum Turn {
    /// Answers with a status for the header and these commands.
    Say(Vec<Command<'static>>),
    /// The same without `Final`.
    SayMore(Vec<Command<'static>>),
    /// Answers with exactly this.
    Http(u16, Vec<u8>),
}

pub(crate) struct Rig {
    pub(crate) device: Device,
    pub(crate) now: UtcMillis,
    pub(crate) directory_status: u16,
    pub(crate) uploads: Vec<CredentialUpload>,
    pub(crate) keys: Vec<uuid::Uuid>,
    pub(crate) events: Vec<Event>,
    /// Endpoints of all requests, in order.
    pub(crate) requests: Vec<Endpoint>,
}

impl Rig {
    /// An enrolled device whose sessions the test starts.
    pub(crate) fn enrolled(join_type: JoinType, os: OsBuild) -> Self {
        Self::of(DeviceSpec::derive(SEED, 1, "PC-", join_type, os))
    }

    pub(crate) fn of(spec: DeviceSpec) -> Self {
        let mut rig = Self::new(spec);
        rig.device.set_polling(false);
        rig.enroll();
        rig
    }

    pub(crate) fn new(spec: DeviceSpec) -> Self {
        Self {
            device: Device::new(spec),
            now: march(1),
            directory_status: 204,
            uploads: Vec::new(),
            keys: Vec::new(),
            events: Vec::new(),
            requests: Vec::new(),
        }
    }

    pub(crate) fn enroll(&mut self) {
        self.device.enroll(self.now, grant());
        self.answer_enrolment(&discover_response().encode());
        self.answer_enrolment(&policies_response().encode());
        assert!(self.device.key_request().is_some());
        self.device.provide_request(self.now, vec![1, 2, 3]);
        self.answer_enrolment(&token_response().encode());
        assert!(self.device.is_enrolled());
        self.take_events();
        self.events.clear();
    }

    pub(crate) fn answer_enrolment(&mut self, body: &[u8]) -> Transmit {
        let request = self
            .device
            .poll_transmit(self.now)
            .expect("an enrolment request");
        assert!(
            self.device.poll_transmit(self.now).is_none(),
            "one at a time"
        );
        self.respond(200, body);
        request
    }

    pub(crate) fn respond(&mut self, status: u16, body: &[u8]) {
        let response = Response {
            status,
            body,
            retry_after_s: None,
        };
        self.device.handle_response(self.now, response);
    }

    /// Opens a session and lets the server speak its turns; then it has nothing more to say.
    /// Gives back the device's messages.
    pub(crate) fn session(&mut self, turns: Vec<Turn>) -> Vec<Message<'static>> {
        self.device.start_session(self.now, SessionCause::User);
        self.serve(turns)
    }

    /// A session in which the server says one thing; gives back the device's answer to it.
    pub(crate) fn tell(&mut self, commands: Vec<Command<'static>>) -> Message<'static> {
        let mut messages = self.session(vec![Turn::Say(commands)]);
        assert_eq!(messages.len(), 2);
        messages.remove(1)
    }

    /// Answers everything that the device sends until it is silent.
    pub(crate) fn serve(&mut self, turns: Vec<Turn>) -> Vec<Message<'static>> {
        let mut turns = turns.into_iter();
        let mut messages = Vec::new();
        while let Some(request) = self.device.poll_transmit(self.now) {
            self.requests.push(request.endpoint);
            if request.endpoint == Endpoint::Directory {
                self.take_upload(&request);
                continue;
            }
            assert_eq!(request.endpoint, Endpoint::Management);
            let message = decoded(request.body);
            match turns.next().unwrap_or(Turn::Say(Vec::new())) {
                Turn::Say(commands) => self.respond(200, &server_message(&message, commands, true)),
                Turn::SayMore(commands) => {
                    self.respond(200, &server_message(&message, commands, false));
                }
                Turn::Http(status, body) => self.respond(status, &body),
            }
            messages.push(message);
        }
        self.take_events();
        messages
    }

    fn take_upload(&mut self, request: &Transmit) {
        let upload: CredentialUpload = serde_json::from_slice(&request.body).expect("an upload");
        let key = request.idempotency_key.expect("a key");
        if self.directory_status == 204 {
            self.uploads.push(upload);
            self.keys.push(key);
        }
        self.respond(self.directory_status, b"");
    }

    pub(crate) fn take_events(&mut self) {
        while let Some(event) = self.device.poll_event() {
            self.events.push(event);
        }
    }

    /// Lets the time run to `until`, serving each timer and answering each request.
    pub(crate) fn run_to(&mut self, until: UtcMillis) {
        while let Some(at) = self.device.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.device.handle_timeout(self.now);
            self.serve(Vec::new());
        }
        self.now = until;
    }

    /// Writes settings in one Atomic and expects success.
    pub(crate) fn apply(&mut self, settings: &[(Leaf, Value)]) {
        let answer = self.tell(vec![policy("5", settings)]);
        assert_eq!(codes(&answer)[1], ("5".to_owned(), 200), "{answer:?}");
    }

    pub(crate) fn remove(&mut self, leaves: &[Leaf]) {
        let deletes = leaves
            .iter()
            .enumerate()
            .map(|(place, leaf)| request(&format!("d{place}"), Verb::Delete, leaf.node().loc_uri));
        let answer = self.tell(vec![atomic("5", deletes.collect())]);
        assert_eq!(codes(&answer)[1], ("5".to_owned(), 200), "{answer:?}");
    }

    pub(crate) fn rotations(&self) -> usize {
        let rotated = |event: &&Event| matches!(event, Event::Rotated { .. });
        self.events.iter().filter(rotated).count()
    }

    /// The newest upload, with its password in clear.
    pub(crate) fn newest(&self) -> (&CredentialUpload, String) {
        let upload = self.uploads.last().expect("an upload");
        let password = password_from_base64(upload.password_base64.expose()).expect("utf-16");
        (upload, password)
    }

    /// Asserts that the directory and the device hold the same password.
    pub(crate) fn assert_in_step(&self) {
        let (upload, password) = self.newest();
        let account = self.device.managed_account().expect("a managed account");
        assert_eq!(account.password, password);
        assert_eq!(account.name, upload.account_name);
        assert_eq!(account.sid, upload.account_sid);
        assert_eq!(account.expires_at.ticks(), upload.refresh_date_time);
    }
}

pub(crate) fn decoded(body: Vec<u8>) -> Message<'static> {
    let bytes: &'static [u8] = Vec::leak(body);
    decode(bytes, &Limits::default()).expect("a message")
}

pub(crate) fn server_message(
    to: &Message<'_>,
    commands: Vec<Command<'static>>,
    is_final: bool,
) -> Vec<u8> {
    let status = Status::new(
        Cow::Borrowed("1"),
        to.header.msg_id,
        Cow::Borrowed("0"),
        "SyncHdr",
        StatusCode::OK,
    );
    let mut all = vec![Command::Status(status)];
    all.extend(commands);
    raw_message(to, all, is_final)
}

pub(crate) fn raw_message(
    to: &Message<'_>,
    commands: Vec<Command<'static>>,
    is_final: bool,
) -> Vec<u8> {
    let header = Header::new(
        to.header.session_id.clone(),
        to.header.msg_id,
        to.header.source.clone(),
        to.header.target.clone(),
    );
    let message = Message {
        header,
        commands,
        is_final,
        ignored: Vec::new(),
    };
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    bytes
}

pub(crate) fn request(id: &str, verb: Verb, loc_uri: &str) -> Command<'static> {
    Command::Request(Request {
        verb,
        cmd_id: Some(Cow::Owned(id.to_owned())),
        meta: None,
        items: vec![Item::target(loc_uri.to_owned())],
    })
}

pub(crate) fn write(
    id: &str,
    verb: Verb,
    loc_uri: &str,
    (format, text): (&'static str, &str),
) -> Command<'static> {
    let mut item = Item::target(loc_uri.to_owned());
    item.meta = Some(Meta::format(format));
    item.data = Some(Data::Text(Cow::Owned(text.to_owned())));
    Command::Request(Request {
        verb,
        cmd_id: Some(Cow::Owned(id.to_owned())),
        meta: None,
        items: vec![item],
    })
}

pub(crate) fn set(id: &str, leaf: Leaf, value: &Value) -> Command<'static> {
    let row = leaf.node();
    let data = (row.format.as_str(), &*value.to_string());
    write(id, Verb::Replace, row.loc_uri, data)
}

pub(crate) fn container(
    id: &str,
    kind: ContainerKind,
    commands: Vec<Command<'static>>,
) -> Command<'static> {
    Command::Container(Container {
        kind,
        cmd_id: Some(Cow::Owned(id.to_owned())),
        meta: None,
        commands,
    })
}

pub(crate) fn atomic(id: &str, commands: Vec<Command<'static>>) -> Command<'static> {
    container(id, ContainerKind::Atomic, commands)
}

pub(crate) fn policy(id: &str, settings: &[(Leaf, Value)]) -> Command<'static> {
    let writes = settings
        .iter()
        .enumerate()
        .map(|(place, (leaf, value))| set(&format!("w{place}"), *leaf, value));
    atomic(id, writes.collect())
}

pub(crate) const fn int(value: i32) -> Value {
    Value::Int(value)
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// Entra backup with an age.
pub(crate) fn entra(age_days: i32) -> Vec<(Leaf, Value)> {
    vec![
        (Leaf::BackupDirectory, int(1)),
        (Leaf::PasswordAgeDays, int(age_days)),
    ]
}

/// The statuses of a message: which command, which code.
pub(crate) fn codes(message: &Message<'_>) -> Vec<(String, u32)> {
    statuses(message)
        .map(|status| (status.cmd_ref.to_string(), status.code.0))
        .collect()
}

pub(crate) fn statuses<'m, 'a>(
    message: &'m Message<'a>,
) -> impl Iterator<Item = &'m Status<'a>> + use<'m, 'a> {
    message.commands.iter().filter_map(|command| match command {
        Command::Status(status) => Some(status),
        Command::Results(_)
        | Command::Alert(_)
        | Command::Request(_)
        | Command::Container(_)
        | Command::Unknown(_) => None,
    })
}

/// The values read: source and text.
pub(crate) fn values(message: &Message<'_>) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for command in &message.commands {
        if let Command::Results(results) = command {
            for item in &results.items {
                let source = item.source.as_deref().expect("a source");
                values.push((source.to_owned(), item.text().to_owned()));
            }
        }
    }
    values
}

pub(crate) fn grant() -> EnrollmentGrant {
    EnrollmentGrant {
        discovery_url: "https://mdm.example.test/EnrollmentServer/Discovery.svc".to_owned(),
        directory_url: "https://mdm.example.test/directory/".to_owned(),
        channel_uri: "http://127.0.0.1:9/push/1".to_owned(),
        credential: Credential::Token {
            value_type: protocol::enrollment::TOKEN_TYPE_USER.to_owned(),
            text: Secret::from("dG9rZW4="),
        },
    }
}

pub(crate) fn discover_response() -> DiscoverResponse {
    DiscoverResponse {
        relates_to: "urn:uuid:0".to_owned(),
        auth_policy: AuthPolicy::Federated,
        enrollment_version: "4.0".to_owned(),
        policy_url: Some("https://mdm.example.test/EnrollmentServer/Policy.svc".to_owned()),
        enrollment_url: "https://mdm.example.test/EnrollmentServer/Enrollment.svc".to_owned(),
        authentication_url: None,
    }
}

pub(crate) fn policies_response() -> GetPoliciesResponse {
    GetPoliciesResponse {
        relates_to: "urn:uuid:1".to_owned(),
        minimal_key_length: 256,
        algorithm_oid: "1.2.840.10045.2.1".to_owned(),
        hash_oid: "2.16.840.1.101.3.4.2.1".to_owned(),
        validity_s: 31_536_000,
        renewal_s: 15_552_000,
    }
}

pub(crate) fn token_response() -> TokenResponse {
    let auth = |name: &str, secret: &str| AppAuth {
        name: name.to_owned(),
        secret: Secret::from(secret),
        nonce_base64: "bm9uY2U=".to_owned(),
    };
    let retries = |count, interval_min| Retries {
        count,
        interval_min,
    };
    TokenResponse {
        relates_to: "urn:uuid:2".to_owned(),
        created: march(1).ticks(),
        expires: march(2).ticks(),
        document: ProvisioningDocument {
            root_der: vec![7; 40],
            client_der: vec![9; 40],
            store: Store::User,
            renew_period_days: 42,
            retry_interval_days: 7,
            application: Application {
                provider_id: "muster".to_owned(),
                name: "muster".to_owned(),
                addr: MANAGEMENT_URL.to_owned(),
                client_auth: auth("device-account", "shared secret"),
                server_auth: auth("server", "other secret"),
                ssl_search: "Subject=CN%3dx&Stores=My%5CUser".to_owned(),
            },
            dm_client: DmClient {
                ent_dm_id: "5f0f3a52-0000-4000-8000-000000000001".to_owned(),
                upn: None,
                poll: PollSchedule {
                    first: retries(2, 3),
                    second: retries(2, 15),
                    remaining: retries(0, 480),
                },
            },
        },
    }
}
