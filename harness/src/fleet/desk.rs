//! A target for tests of the engine: answers as the contract says, device by device, and wrongly
//! where the test wants that. It holds no state that two devices share.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use emulator::Endpoint;
use protocol::enrollment::{
    AppAuth, Application, AuthPolicy, DiscoverResponse, DmClient, GetPoliciesResponse,
    PollSchedule, ProvisioningDocument, Request as SoapRequest, Store, TokenResponse,
    decode_request,
};
use protocol::laps_csp::{Leaf, RESET_PASSWORD, RESET_PASSWORD_STATUS, Value};
use protocol::secret::Secret;
use protocol::syncml::{
    Command, Container, ContainerKind, Data, Header, Item, Limits, Message, Meta, Request, Status,
    StatusCode, Verb, decode, encode,
};
use protocol::time::UtcTicks;
use uuid::Uuid;

use crate::http::Answer;

pub(super) const HOST: &str = "http://desk.example:8080";
const PROVIDER: &str = "desk";
const SYNCML: &str = "application/vnd.syncml.dm+xml";

/// How the desk writes an answer that asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Always alike.
    Plain,
    /// With ids of commands that are never the same twice.
    Volatile,
    /// Every so-many-th answer of a device has one byte changed.
    Slips(u64),
}

#[derive(Debug)]
pub(super) struct Desk {
    style: Style,
    policy: BTreeMap<Leaf, Value>,
    /// Devices that the policy reaches.
    reached: BTreeSet<String>,
    devices: BTreeMap<String, Known>,
}

#[derive(Debug, Default)]
struct Known {
    told: Told,
    /// What a rotation still wants to know.
    exec_due: bool,
    status_due: bool,
    uploaded: bool,
    answers: u64,
}

/// What a device has told.
#[derive(Debug, Default)]
struct Told {
    set_up: bool,
    policy: bool,
}

impl Desk {
    pub(super) fn new(
        style: Style,
        policy: BTreeMap<Leaf, Value>,
        reached: BTreeSet<String>,
    ) -> Self {
        Self {
            style,
            policy,
            reached,
            devices: BTreeMap::new(),
        }
    }

    /// A rotation of this device was asked for and its push answered.
    pub(super) fn rotate(&mut self, device_id: &str) {
        let known = self.devices.entry(device_id.to_owned()).or_default();
        known.exec_due = true;
        known.uploaded = false;
    }

    /// The answer to a request of a device.
    pub(super) fn answer(
        &mut self,
        endpoint: Endpoint,
        (device_id, body): (&str, &[u8]),
        (sent_ns, received_ns): (u64, u64),
    ) -> Answer {
        let (status, media_type, body) = match endpoint {
            Endpoint::Discovery => (200, "application/soap+xml", discovered().encode()),
            Endpoint::Policy => (200, "application/soap+xml", policies().encode()),
            Endpoint::Enrollment => {
                let SoapRequest::RequestSecurityToken(found) = decode_request(body).unwrap() else {
                    panic!("no request for a token");
                };
                let named = found.context.iter().find(|(name, _)| name == "DeviceID");
                assert_eq!(named.unwrap().1, device_id);
                (200, "application/soap+xml", token(device_id).encode())
            }
            Endpoint::Management => (200, SYNCML, self.manage(device_id, body)),
            Endpoint::Directory => {
                self.known(device_id).uploaded = true;
                (204, "text/plain", Vec::new())
            }
        };
        let length = body.len().to_string();
        let headers = [("content-type", media_type), ("content-length", &*length)];
        Answer::new(status, &headers, body.into(), (sent_ns, received_ns))
    }

    fn known(&mut self, device_id: &str) -> &mut Known {
        self.devices.entry(device_id.to_owned()).or_default()
    }

    fn manage(&mut self, device_id: &str, body: &[u8]) -> Vec<u8> {
        let message = decode(body, &Limits::default()).unwrap();
        assert_eq!(message.header.source, device_id);
        let first = message.header.msg_id == 1;
        if !first {
            self.learn(device_id, &message);
        }
        let commands = self.wishes(device_id, first);
        let style = self.style;
        let known = self.known(device_id);
        known.answers += 1;
        let (nothing, answers) = (commands.is_empty(), known.answers);
        let from = match style {
            Style::Volatile => {
                let own = device_id.get(..8).unwrap();
                (u64::from_str_radix(own, 16).unwrap() << 16) + answers * 64
            }
            Style::Plain | Style::Slips(_) => 1,
        };
        let mut bytes = answer_to(&message, from, commands);
        if let Style::Slips(every) = style
            && nothing
            && answers % every == 0
        {
            let place = usize::try_from(answers * 37).unwrap() % bytes.len();
            bytes[place] ^= 1;
        }
        bytes
    }

    /// What the device told about the commands of the last answer.
    fn learn(&mut self, device_id: &str, message: &Message<'_>) {
        let uploaded = self.known(device_id).uploaded;
        let known = self.known(device_id);
        for command in &message.commands {
            match command {
                Command::Status(status) if status.cmd == "Atomic" => known.told.policy = true,
                Command::Status(status) if status.cmd == "Exec" => {
                    known.exec_due = false;
                    known.status_due = !status.code.is_failure();
                }
                Command::Results(results) => {
                    known.told.set_up = true;
                    known.status_due &= !(uploaded && results.items.iter().any(reads_done));
                }
                Command::Status(_)
                | Command::Alert(_)
                | Command::Request(_)
                | Command::Container(_)
                | Command::Unknown(_) => {}
            }
        }
    }

    fn wishes(&mut self, device_id: &str, first: bool) -> Vec<Command<'static>> {
        let reached = self.reached.contains(device_id);
        let policy = self.policy.clone();
        let known = self.known(device_id);
        let mut wishes = Vec::new();
        if first && !known.told.set_up {
            let push = format!("./Vendor/MSFT/DMClient/Provider/{PROVIDER}/Push");
            wishes.push(request("20", Verb::Add, push.clone(), Some(("node", None))));
            let pfn = Some(("chr", Some("Desk.Test_0")));
            wishes.push(request("21", Verb::Add, format!("{push}/PFN"), pfn));
            wishes.push(request("22", Verb::Get, format!("{push}/ChannelURI"), None));
            wishes.push(request("23", Verb::Get, format!("{push}/Status"), None));
        }
        if first && reached && !known.told.policy {
            wishes.push(atomic(&policy));
        }
        if first && known.exec_due {
            let target = RESET_PASSWORD.to_owned();
            wishes.push(request("60", Verb::Exec, target, Some(("null", None))));
        }
        if known.status_due {
            let target = RESET_PASSWORD_STATUS.to_owned();
            wishes.push(request("61", Verb::Get, target, None));
        }
        wishes
    }
}

/// True for the status node with the value 0.
fn reads_done(item: &Item<'_>) -> bool {
    item.source.as_deref() == Some(RESET_PASSWORD_STATUS) && item.text() == "0"
}

fn atomic(policy: &BTreeMap<Leaf, Value>) -> Command<'static> {
    let writes = policy.iter().zip(31..).map(|((leaf, value), id)| {
        let row = leaf.node();
        let text = value.to_string();
        let value = Some((row.format.as_str(), Some(&*text)));
        request(
            &id.to_string(),
            Verb::Replace,
            row.loc_uri.to_owned(),
            value,
        )
    });
    Command::Container(Container {
        kind: ContainerKind::Atomic,
        cmd_id: Some(Cow::Borrowed("30")),
        meta: None,
        commands: writes.collect(),
    })
}

fn request(
    id: &str,
    verb: Verb,
    target: String,
    value: Option<(&'static str, Option<&str>)>,
) -> Command<'static> {
    let mut item = Item::target(target);
    if let Some((format, data)) = value {
        item.meta = Some(Meta::format(format));
        item.data = data.map(|data| Data::Text(Cow::Owned(data.to_owned())));
    }
    Command::Request(Request {
        verb,
        cmd_id: Some(Cow::Owned(id.to_owned())),
        meta: None,
        items: vec![item],
    })
}

fn answer_to(to: &Message<'_>, first_id: u64, wishes: Vec<Command<'static>>) -> Vec<u8> {
    let mut ids = (first_id..).map(|id| Cow::Owned(id.to_string()));
    let mut status = |cmd_ref: &str, cmd: &str| {
        let (id, cmd_ref) = (ids.next().unwrap(), Cow::Owned(cmd_ref.to_owned()));
        let cmd: Cow<'static, str> = Cow::Owned(cmd.to_owned());
        Command::Status(Status::new(
            id,
            to.header.msg_id,
            cmd_ref,
            cmd,
            StatusCode::OK,
        ))
    };
    let mut commands = vec![status("0", "SyncHdr")];
    for command in &to.commands {
        if matches!(command, Command::Alert(_) | Command::Request(_)) {
            commands.push(status(command.cmd_id().unwrap(), command.name()));
        }
    }
    commands.extend(wishes);
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

fn discovered() -> DiscoverResponse {
    DiscoverResponse {
        relates_to: "urn:uuid:0".to_owned(),
        auth_policy: AuthPolicy::Federated,
        enrollment_version: "4.0".to_owned(),
        policy_url: Some(format!("{HOST}/EnrollmentServer/Policy.svc")),
        enrollment_url: format!("{HOST}/EnrollmentServer/Enrollment.svc"),
        authentication_url: None,
    }
}

fn policies() -> GetPoliciesResponse {
    GetPoliciesResponse {
        relates_to: "urn:uuid:1".to_owned(),
        minimal_key_length: 256,
        algorithm_oid: "1.2.840.10045.2.1".to_owned(),
        hash_oid: "2.16.840.1.101.3.4.2.1".to_owned(),
        validity_s: 31_536_000,
        renewal_s: 15_552_000,
    }
}

fn token(device_id: &str) -> TokenResponse {
    let auth = |name: &str| AppAuth {
        name: name.to_owned(),
        secret: Secret::new(format!("secret of {name}")),
        nonce_base64: "bm9uY2U=".to_owned(),
    };
    let at = UtcTicks::parse("2026-03-01T09:00:00Z").unwrap();
    // A device is told of by its id: nothing depends on the order in which devices enrol.
    let managed = u128::from_str_radix(device_id, 16).unwrap();
    TokenResponse {
        relates_to: "urn:uuid:2".to_owned(),
        created: at,
        expires: at,
        document: ProvisioningDocument {
            root_der: vec![7; 40],
            client_der: format!("certificate of {device_id}").into_bytes(),
            store: Store::User,
            renew_period_days: 42,
            retry_interval_days: 7,
            application: Application {
                provider_id: PROVIDER.to_owned(),
                name: PROVIDER.to_owned(),
                addr: format!("{HOST}/ManagementServer/MDM.svc"),
                client_auth: auth(device_id),
                server_auth: auth("server"),
                ssl_search: "Subject=CN%3dx&Stores=My%5CUser".to_owned(),
            },
            dm_client: DmClient {
                ent_dm_id: Uuid::from_u128(managed).to_string(),
                upn: None,
                poll: PollSchedule::DEFAULT,
            },
        },
    }
}
