//! A device that answers as it is told.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::JoinType;
use protocol::directory::{CredentialUpload, credential_path, password_to_base64};
use protocol::enrollment::{Credential, ProvisioningDocument};
use protocol::syncml::{
    Alert, AlertCode, CONTENT_TYPE, Command, Container, ContainerKind, Data, Header, Item, Limits,
    Message, Meta, Request, Results, Status, StatusCode, Verb, decode, encode,
};
use protocol::time::UtcMillis;
use reference::{HttpRequest, HttpResponse, Plane};
use uuid::Uuid;

use crate::world::{World, request};

pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) device_id: String,
    pub(crate) os_version: String,
    pub(crate) join_type: Option<JoinType>,
    pub(crate) entra: Option<Uuid>,
    pub(crate) credential: Option<Credential>,
    /// `Client-Cert`.
    pub(crate) certificate: String,
    pub(crate) managed: Uuid,
    pub(crate) session: u32,
    /// LoginStatus.
    pub(crate) login: &'static str,
    /// What the last segment of a leaf holds.
    pub(crate) csp: BTreeMap<String, String>,
    /// Status codes other than 200, by command without its value, for example `Delete X`.
    pub(crate) codes: BTreeMap<&'static str, u32>,
    /// Commands that get no Status and no Results.
    pub(crate) silent: BTreeSet<&'static str>,
    /// What `ResetPasswordStatus` reads, one after the other; 0 afterwards.
    pub(crate) reset_status: VecDeque<&'static str>,
    /// The Exec is followed by an upload before its Status.
    pub(crate) uploads_on_exec: bool,
    pub(crate) uploads: u128,
    /// What the device answers to `Push/ChannelURI`, if not its channel.
    pub(crate) channel_uri: Option<&'static str>,
}

/// One command of the core: `Verb Name` or `Verb Name=value`, and its id.
#[derive(Clone, Debug)]
struct Told {
    cmd_id: String,
    verb: &'static str,
    name: String,
    loc_uri: String,
    value: Option<String>,
}

impl Told {
    fn short(&self) -> String {
        format!("{} {}", self.verb, self.name).trim().to_owned()
    }
}

impl Device {
    pub(crate) fn new(name: &str, device_id: String, os_version: &str) -> Self {
        Self {
            name: name.to_owned(),
            device_id,
            os_version: os_version.to_owned(),
            join_type: None,
            entra: None,
            credential: None,
            certificate: String::new(),
            managed: Uuid::nil(),
            session: 0,
            login: "none",
            csp: BTreeMap::new(),
            codes: BTreeMap::new(),
            silent: BTreeSet::new(),
            reset_status: VecDeque::new(),
            uploads_on_exec: true,
            uploads: 0,
            channel_uri: None,
        }
    }

    pub(crate) fn install(&mut self, document: &ProvisioningDocument) {
        self.certificate = format!(":{}:", STANDARD.encode(&document.client_der));
        self.managed = Uuid::parse_str(&document.dm_client.ent_dm_id).unwrap();
    }

    pub(crate) fn channel(&self) -> String {
        format!("http://127.0.0.1:9/{}", self.device_id)
    }

    /// A whole session; every command of the core in order.
    pub(crate) fn check_in(&mut self, world: &mut World) -> Vec<String> {
        self.check_in_until(world, usize::MAX)
    }

    /// As [`Self::check_in`], but the device sends at most `messages` messages.
    pub(crate) fn check_in_until(&mut self, world: &mut World, messages: usize) -> Vec<String> {
        self.session += 1;
        let mut told = Vec::new();
        let mut body = self.package_1(self.session);
        for msg_id in 1.. {
            let answer = self.send(world, &body);
            assert_eq!(
                answer.status, 200,
                "message {msg_id} of session {}",
                self.session
            );
            let commands = self.read(&answer.body, msg_id);
            told.extend(commands.iter().map(line));
            if commands.is_empty() || msg_id as usize >= messages {
                return told;
            }
            body = self.reply(world, msg_id, &commands);
        }
        told
    }

    /// A session of at most `messages` messages of a device that need not be served at all.
    pub(crate) fn knock(&mut self, world: &mut World, messages: u32) {
        self.session += 1;
        let first = self.package_1(self.session);
        let mut next = self.say(world, 1, &first);
        for msg_id in 2..=messages {
            let Some(body) = next else {
                return;
            };
            next = self.say(world, msg_id, &body);
        }
    }

    /// Sends one message of a session; the next one, where there is anything to answer.
    pub(crate) fn say(&mut self, world: &mut World, msg_id: u32, body: &[u8]) -> Option<Vec<u8>> {
        let answer = self.send(world, body);
        if answer.status != 200 {
            return None;
        }
        let commands = self.read(&answer.body, msg_id);
        (!commands.is_empty()).then(|| self.reply(world, msg_id, &commands))
    }

    pub(crate) fn package_1(&self, session: u32) -> Vec<u8> {
        let item = |name: &str, value: &str| {
            Item::source_text(format!("./DevInfo/{name}"), value.to_owned())
        };
        let login = Item {
            meta: Some(Meta {
                content_type: Some("com.microsoft/MDM/LoginStatus".into()),
                ..Meta::default()
            }),
            data: Some(Data::Text(self.login.into())),
            ..Item::default()
        };
        let alert = |cmd_id: &'static str, code, items| {
            Command::Alert(Alert {
                cmd_id: Some(cmd_id.into()),
                code,
                items,
            })
        };
        let commands = vec![
            alert("2", AlertCode::CLIENT_INITIATED, Vec::new()),
            alert("3", AlertCode::CLIENT_EVENT, vec![login]),
            Command::Request(Request {
                verb: Verb::Replace,
                cmd_id: Some("4".into()),
                meta: None,
                items: vec![item("DevId", &self.device_id), item("Man", "Fabricam")],
            }),
        ];
        self.message(session, 1, commands)
    }

    pub(crate) fn message(&self, session: u32, msg_id: u32, commands: Vec<Command<'_>>) -> Vec<u8> {
        self.message_of(session, msg_id, commands, true)
    }

    pub(crate) fn message_of(
        &self,
        session: u32,
        msg_id: u32,
        commands: Vec<Command<'_>>,
        is_final: bool,
    ) -> Vec<u8> {
        let header = Header::new(
            session.to_string().into(),
            msg_id,
            "http://127.0.0.1:8080/manage/ManagementServer/MDM.svc".into(),
            self.device_id.clone().into(),
        );
        let mut bytes = Vec::new();
        encode(
            &Message {
                header,
                commands,
                is_final,
                ignored: Vec::new(),
            },
            &mut bytes,
        );
        bytes
    }

    pub(crate) fn send(&self, world: &mut World, body: &[u8]) -> HttpResponse {
        world.serve(&self.http(body))
    }

    pub(crate) fn http<'a>(&'a self, body: &'a [u8]) -> HttpRequest<'a> {
        HttpRequest {
            path: "/ManagementServer/MDM.svc",
            query: Some("mode=Maintenance&Platform=WoA"),
            client_certificate: Some(&self.certificate),
            content_type: Some(CONTENT_TYPE),
            body,
            ..request(Plane::Manage)
        }
    }

    /// Uploads a new password; the HTTP status.
    pub(crate) fn upload(&mut self, world: &mut World) -> u16 {
        self.uploads += 1;
        let key = Uuid::from_u128(self.uploads).to_string();
        let body = self.upload_body(world.now);
        self.put(world, &key, &body)
    }

    pub(crate) fn put(&self, world: &mut World, key: &str, body: &[u8]) -> u16 {
        let path = credential_path(self.entra.unwrap_or_default());
        self.put_to(world, &path, key, body)
    }

    pub(crate) fn put_to(&self, world: &mut World, path: &str, key: &str, body: &[u8]) -> u16 {
        let request = HttpRequest {
            method: "PUT",
            path,
            client_certificate: Some(&self.certificate),
            content_type: Some("application/json"),
            idempotency_key: Some(key),
            body,
            ..request(Plane::Directory)
        };
        world.serve(&request).status
    }

    pub(crate) fn upload_body(&self, at: UtcMillis) -> Vec<u8> {
        let upload = CredentialUpload {
            device_name: self.name.clone(),
            account_name: "Administrator".to_owned(),
            account_sid: "S-1-5-21-1-2-3-500".to_owned(),
            password_base64: password_to_base64(&format!("secret {}", self.uploads)).into(),
            backup_date_time: at.ticks(),
            refresh_date_time: at.plus_millis(10 * UtcMillis::DAY_MS).ticks(),
        };
        serde_json::to_vec(&upload).unwrap()
    }

    /// Reads an answer and checks what holds for every answer; its commands, Atomics first and
    /// then what is inside.
    fn read(&self, bytes: &[u8], msg_id: u32) -> Vec<Told> {
        let message = decode(bytes, &Limits::default()).unwrap();
        assert!(message.is_final);
        assert_eq!(message.header.msg_id, msg_id);
        assert_eq!(message.header.session_id, self.session.to_string().as_str());
        assert_eq!(message.header.target, self.device_id.as_str());
        let mut told = Vec::new();
        let mut ids = Vec::new();
        for command in &message.commands {
            flatten(command, &mut ids, &mut told);
        }
        let expected: Vec<String> = (1..=ids.len()).map(|id| id.to_string()).collect();
        assert_eq!(ids, expected, "CmdIDs are decimal from 1 on");
        let first = statuses(bytes);
        assert_eq!(first.first().map(String::as_str), Some("SyncHdr 0 200"));
        told
    }

    fn reply(&mut self, world: &mut World, msg_ref: u32, commands: &[Told]) -> Vec<u8> {
        let header = (msg_ref, "0".to_owned(), "SyncHdr".to_owned(), 200);
        let mut statuses = vec![header];
        let mut results = Vec::new();
        for told in commands {
            let short = told.short();
            if self.silent.contains(short.as_str()) {
                continue;
            }
            let code = self.codes.get(short.as_str()).copied().unwrap_or(200);
            statuses.push((msg_ref, told.cmd_id.clone(), told.verb.to_owned(), code));
            if code < 400 {
                self.act(world, told);
            }
            if code == 200 && told.verb == "Get" {
                results.push((
                    told.cmd_id.clone(),
                    told.loc_uri.clone(),
                    self.value_of(&told.name),
                ));
            }
        }
        let mut next = 0;
        let mut commands = Vec::new();
        let mut cmd_id = || {
            next += 1;
            Cow::Owned(next.to_string())
        };
        for (msg_ref, cmd_ref, cmd, code) in statuses {
            commands.push(Command::Status(Status::new(
                cmd_id(),
                msg_ref,
                cmd_ref.into(),
                cmd,
                StatusCode(code),
            )));
        }
        for (cmd_ref, loc_uri, value) in results {
            commands.push(Command::Results(Results {
                cmd_id: Some(cmd_id()),
                msg_ref: Some(msg_ref),
                cmd_ref: cmd_ref.into(),
                cmd: Some("Get".into()),
                meta: None,
                items: vec![Item::source_text(loc_uri, value)],
            }));
        }
        self.message(self.session, msg_ref + 1, commands)
    }

    fn act(&mut self, world: &mut World, told: &Told) {
        match (told.verb, &told.value) {
            ("Replace", Some(value)) => drop(self.csp.insert(told.name.clone(), value.clone())),
            ("Delete", _) => drop(self.csp.remove(&told.name)),
            ("Exec", _) if told.name == "ResetPassword" && self.uploads_on_exec => {
                assert_eq!(self.upload(world), 204);
            }
            _ => {}
        }
    }

    fn value_of(&mut self, name: &str) -> String {
        match name {
            "Push/ChannelURI" => self
                .channel_uri
                .map_or_else(|| self.channel(), str::to_owned),
            "ResetPasswordStatus" => self.reset_status.pop_front().unwrap_or("0").to_owned(),
            _ => "0".to_owned(),
        }
    }
}

/// Every Status of a message: `Cmd CmdRef code`.
pub(crate) fn statuses(bytes: &[u8]) -> Vec<String> {
    let message = decode(bytes, &Limits::default()).unwrap();
    message
        .commands
        .iter()
        .filter_map(|command| {
            let Command::Status(status) = command else {
                return None;
            };
            Some(format!("{} {} {}", status.cmd, status.cmd_ref, status.code))
        })
        .collect()
}

/// A Status on the header and nothing else.
pub(crate) fn header_status(bytes: &[u8]) -> u32 {
    let message = decode(bytes, &Limits::default()).unwrap();
    assert!(message.is_final);
    match message.commands.as_slice() {
        [Command::Status(status)] => {
            assert_eq!(status.cmd, "SyncHdr");
            status.code.0
        }
        other => panic!("not one Status: {other:?}"),
    }
}

fn line(told: &Told) -> String {
    match &told.value {
        Some(value) => format!("{}={value}", told.short()),
        None => told.short(),
    }
}

fn flatten(command: &Command<'_>, ids: &mut Vec<String>, told: &mut Vec<Told>) {
    ids.push(command.cmd_id().unwrap().to_owned());
    match command {
        Command::Request(request) => {
            let [item] = request.items.as_slice() else {
                panic!("one item a command: {request:?}");
            };
            let loc_uri = item.target.clone().unwrap().into_owned();
            told.push(Told {
                cmd_id: request.cmd_id.clone().unwrap().into_owned(),
                verb: request.verb.as_str(),
                name: short_name(&loc_uri),
                loc_uri,
                value: item.data.as_ref().map(|data| data.as_str().to_owned()),
            });
        }
        Command::Container(Container {
            kind: ContainerKind::Atomic,
            cmd_id,
            commands,
            ..
        }) => {
            told.push(Told {
                cmd_id: cmd_id.clone().unwrap().into_owned(),
                verb: "Atomic",
                name: String::new(),
                loc_uri: String::new(),
                value: None,
            });
            for command in commands {
                flatten(command, ids, told);
            }
        }
        Command::Status(_) => {}
        Command::Results(_) | Command::Alert(_) | Command::Container(_) | Command::Unknown(_) => {
            panic!("the core sends no such command: {command:?}")
        }
    }
}

fn short_name(loc_uri: &str) -> String {
    for prefix in [
        "./Vendor/MSFT/DMClient/Provider/muster/",
        "./Device/Vendor/MSFT/DMClient/Provider/muster/",
        "./Device/Vendor/MSFT/LAPS/Policies/",
        "./Device/Vendor/MSFT/LAPS/Actions/",
        "./Device/Vendor/MSFT/RemoteWipe/",
    ] {
        if let Some(name) = loc_uri.strip_prefix(prefix) {
            return name.to_owned();
        }
    }
    panic!("an unexpected node: {loc_uri}");
}
