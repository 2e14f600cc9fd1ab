//! A device made of strings: it enrols, talks SyncML as told, uploads passwords.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Answer, Request};
use super::site::{DOMAIN, NOT_JOINED, Site};
use super::soap::{self, Credential};
use super::text::{base64, device_id, fresh, from_base64, guid, now_plus, password_base64};
use super::xml::{Xml, escape};

pub const SYNCML: &str = "application/vnd.syncml.dm+xml";
pub const LAPS: &str = "./Device/Vendor/MSFT/LAPS/Policies/";
pub const RESET: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPassword";
pub const RESET_STATUS: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";
pub const UNENROLL: &str = "./Device/Vendor/MSFT/DMClient/Provider/muster/Unenroll";
pub const WIPE: &str = "./Device/Vendor/MSFT/RemoteWipe/doWipe";
/// E_PENDING as the device's Format `int` shows it.
pub const PENDING: &str = "-2147483638";

/// A scripted device.
#[derive(Clone, Debug)]
pub struct Device {
    pub name: String,
    pub join: &'static str,
    pub os: String,
    pub entra_id: Option<String>,
    pub device_id: String,
    pub credential: Credential,
    /// DER of the client certificate.
    pub certificate: Vec<u8>,
    pub managed_id: String,
    /// The provisioning document of the last enrolment.
    pub document: Xml,
    /// The name of its push channel.
    pub channel: String,
    /// Whether it tells the channel's URI.
    pub tells_channel: bool,
    /// LoginStatus of its next sessions.
    pub login: &'static str,
    /// SessionID of the last session.
    pub session: u32,
    /// The LAPS policy as it stands on the device.
    pub leaves: BTreeMap<String, String>,
    /// What reading ResetPasswordStatus gives, in turn; then 0.
    pub reset: VecDeque<String>,
    /// Whether an Exec of ResetPassword uploads a new password before it is answered.
    pub backs_up: bool,
    /// Execs of ResetPassword so far.
    pub execs: u32,
    generation: u32,
}

/// How a device answers a command.
#[derive(Clone, Debug)]
pub enum Reaction {
    Status(u16),
    Value(String),
    /// No Status at all.
    Nothing,
}

impl Device {
    pub fn new(join: &'static str, os: &str) -> Self {
        let number = fresh();
        let in_directory = join != DOMAIN && join != NOT_JOINED;
        Self {
            name: format!("PC-{number:06}"),
            join,
            os: os.to_owned(),
            entra_id: in_directory.then(guid),
            device_id: device_id(),
            credential: Credential::None,
            certificate: Vec::new(),
            managed_id: String::new(),
            document: Xml::default(),
            channel: format!("c{number}"),
            tells_channel: true,
            login: "none",
            session: 0,
            leaves: BTreeMap::new(),
            reset: VecDeque::new(),
            backs_up: true,
            execs: 0,
            generation: 0,
        }
    }

    // Enrolment.

    pub fn items(&self) -> Vec<(String, String)> {
        soap::items(&self.device_id, &self.name, &self.os)
    }

    /// Sends an RST with this request and these context items.
    #[track_caller]
    pub fn request_token(&self, site: &Site, pkcs10: &str, items: &[(String, String)]) -> Answer {
        let url = format!("{}/EnrollmentServer/Enrollment.svc", site.enroll);
        let body = soap::request_security_token(&url, &self.credential, pkcs10, items);
        Request::new("POST", &url)
            .body(soap::CONTENT_TYPE, body)
            .send()
    }

    #[track_caller]
    pub fn try_enroll(&self, site: &Site) -> Answer {
        self.request_token(site, soap::p256_request(), &self.items())
    }

    #[track_caller]
    pub fn enroll(&mut self, site: &Site) {
        let answer = self.try_enroll(site).expect(200);
        self.provision(&answer);
    }

    /// Takes what the provisioning document says.
    #[track_caller]
    pub fn provision(&mut self, answer: &Answer) {
        self.document = document(answer);
        self.certificate = from_base64(&client_certificate(&self.document));
        self.managed_id = managed_id(&self.document);
        self.leaves.clear();
    }

    pub fn client_cert(&self) -> String {
        format!(":{}:", base64(&self.certificate))
    }

    // The directory.

    /// The body of an upload of a new password.
    pub fn upload_body(&self, backup: &str, refresh: &str) -> Value {
        json!({
            "deviceName": self.name,
            "accountName": "Administrator",
            "accountSid": "S-1-5-21-1-2-3-500",
            "passwordBase64": password_base64(&self.password()),
            "backupDateTime": backup,
            "refreshDateTime": refresh,
        })
    }

    /// The password of the last upload.
    pub fn password(&self) -> String {
        format!("pw-{}-{}", self.channel, self.generation)
    }

    /// Uploads a new password.
    #[track_caller]
    pub fn upload(&mut self, site: &Site) -> Answer {
        self.upload_after(site, Duration::ZERO)
    }

    /// Uploads a new password as a device whose clock runs ahead by this.
    #[track_caller]
    pub fn upload_after(&mut self, site: &Site, ahead: Duration) -> Answer {
        self.generation += 1;
        let month = Duration::from_secs(30 * 86_400);
        let body = self.upload_body(&now_plus(ahead), &now_plus(ahead + month));
        self.put_credential(site, &guid(), &body)
    }

    #[track_caller]
    pub fn put_credential(&self, site: &Site, key: &str, body: &Value) -> Answer {
        let id = self
            .entra_id
            .as_deref()
            .unwrap_or("00000000-0000-0000-0000-000000000000");
        self.put_request(site, id)
            .header("Idempotency-Key", key)
            .json(body)
            .send()
    }

    pub fn put_request(&self, site: &Site, entra_id: &str) -> Request {
        let url = format!("{}/laps/v1/devices/{entra_id}/credential", site.directory);
        Request::new("PUT", &url).header("Client-Cert", &self.client_cert())
    }

    // Sessions.

    /// A new session, nothing sent yet.
    pub fn open(&mut self, site: &Site) -> Session {
        self.session += 1;
        self.open_as(site, &self.session.to_string())
    }

    pub fn open_as(&self, site: &Site, id: &str) -> Session {
        Session {
            url: management_url(site),
            client_cert: self.client_cert(),
            device_id: self.device_id.clone(),
            id: id.to_owned(),
            sent: 0,
            login: self.login,
        }
    }

    /// A whole session, each command obeyed.
    #[track_caller]
    pub fn check_in(&mut self, site: &Site) -> Seen {
        self.check_in_with(site, |_, _| None)
    }

    /// A whole session; the reaction may stand in for obedience.
    #[track_caller]
    pub fn check_in_with(
        &mut self,
        site: &Site,
        mut reaction: impl FnMut(&mut Self, &Command) -> Option<Reaction>,
    ) -> Seen {
        let mut session = self.open(site);
        let mut messages = vec![session.package1()];
        loop {
            let last = messages.last().unwrap();
            assert!(last.is_final, "a message of the core without Final");
            if last.commands.is_empty() {
                return Seen { messages };
            }
            assert!(messages.len() < 20, "the session does not end");
            let mut react = |command: &Command| match reaction(self, command) {
                Some(reaction) => reaction,
                None => self.obey(site, command),
            };
            let body = last.answers(&mut react);
            messages.push(session.say(&body));
        }
    }

    /// Does what the command says and tells how to answer it.
    #[track_caller]
    pub fn obey(&mut self, site: &Site, command: &Command) -> Reaction {
        let uri = command.uri.as_str();
        match command.verb.as_str() {
            "Atomic" | "Add" => Reaction::Status(200),
            "Replace" => {
                let leaf = uri.strip_prefix(LAPS).unwrap().to_owned();
                self.leaves.insert(leaf, command.data.clone());
                Reaction::Status(200)
            }
            "Delete" => {
                let gone = self.leaves.remove(uri.strip_prefix(LAPS).unwrap());
                Reaction::Status(if gone.is_some() { 200 } else { 404 })
            }
            "Exec" => {
                if uri == RESET {
                    self.execs += 1;
                    if self.backs_up {
                        self.upload(site).expect(204);
                    }
                }
                Reaction::Status(200)
            }
            "Get" if uri.ends_with("/Push/ChannelURI") && self.tells_channel => {
                Reaction::Value(site.channels.uri(&self.channel))
            }
            "Get" if uri.ends_with("/Push/ChannelURI") => Reaction::Status(404),
            "Get" if uri.ends_with("/Push/Status") => Reaction::Value("0".to_owned()),
            "Get" if uri == RESET_STATUS => {
                let value = self.reset.pop_front();
                Reaction::Value(value.unwrap_or_else(|| "0".to_owned()))
            }
            other => panic!("unexpected {other} {uri}"),
        }
    }
}

/// Where management messages go.
pub fn management_url(site: &Site) -> String {
    let base = &site.manage;
    format!("{base}/ManagementServer/MDM.svc?mode=Maintenance&Platform=WoA")
}

/// The provisioning document inside an RSTRC.
#[track_caller]
pub fn document(answer: &Answer) -> Xml {
    let envelope = Xml::parse(&answer.body);
    let token = envelope
        .find("RequestedSecurityToken")
        .and_then(|token| token.child("BinarySecurityToken"))
        .unwrap_or_else(|| panic!("no document in {}", answer.text()));
    Xml::parse(&from_base64(&token.text))
}

/// The characteristic at this path of types.
pub fn characteristic<'a>(document: &'a Xml, path: &[&str]) -> Option<&'a Xml> {
    path.iter().try_fold(document, |element, kind| {
        element
            .children
            .iter()
            .find(|child| child.name == "characteristic" && child.attribute("type") == Some(*kind))
    })
}

/// The value of a parm of a characteristic.
pub fn parm<'a>(element: &'a Xml, name: &str) -> Option<&'a str> {
    let parm = element
        .children
        .iter()
        .find(|child| child.name == "parm" && child.attribute("name") == Some(name));
    parm.and_then(|parm| parm.attribute("value"))
}

#[track_caller]
fn client_certificate(document: &Xml) -> String {
    let my = characteristic(document, &["CertificateStore", "My"]).unwrap();
    let store = ["User", "System"]
        .iter()
        .find_map(|store| characteristic(my, &[*store]))
        .unwrap();
    parm(&store.children[0], "EncodedCertificate")
        .unwrap()
        .to_owned()
}

#[track_caller]
pub fn managed_id(document: &Xml) -> String {
    let provider = characteristic(document, &["DMClient", "Provider", "muster"]).unwrap();
    parm(provider, "EntDMID").unwrap().to_owned()
}

/// A session as the device sees it.
#[derive(Clone, Debug)]
pub struct Session {
    pub url: String,
    pub client_cert: String,
    pub device_id: String,
    pub id: String,
    /// MsgID of the last message sent.
    pub sent: u32,
    pub login: &'static str,
}

impl Session {
    /// The text of a message.
    pub fn message(&self, msg_id: u32, body: &str) -> String {
        let (id, device) = (&self.id, &self.device_id);
        let url = escape(self.url.split('?').next().unwrap());
        format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
             <SessionID>{id}</SessionID><MsgID>{msg_id}</MsgID><Target><LocURI>{url}</LocURI></Target>\
             <Source><LocURI>{device}</LocURI></Source></SyncHdr><SyncBody>{body}</SyncBody></SyncML>"
        )
    }

    /// What stands in package 1 before Final.
    pub fn greeting(&self) -> String {
        let (login, device) = (self.login, &self.device_id);
        format!(
            "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert>\
             <Alert><CmdID>3</CmdID><Data>1224</Data><Item><Meta><Type xmlns=\"syncml:metinf\">com.microsoft/MDM/LoginStatus</Type></Meta><Data>{login}</Data></Item></Alert>\
             <Replace><CmdID>4</CmdID>\
             <Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Data>{device}</Data></Item>\
             <Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>Fabricam</Data></Item>\
             <Item><Source><LocURI>./DevInfo/Mod</LocURI></Source><Data>Scripted</Data></Item>\
             <Item><Source><LocURI>./DevInfo/DmV</LocURI></Source><Data>1.3</Data></Item>\
             <Item><Source><LocURI>./DevInfo/Lang</LocURI></Source><Data>en-GB</Data></Item></Replace>"
        )
    }

    pub fn request(&self, text: &str) -> Request {
        Request::new("POST", &self.url)
            .header("Client-Cert", &self.client_cert)
            .header("User-Agent", "MSFT OMA DM Client/1.2.0.1")
            .body(SYNCML, text)
    }

    #[track_caller]
    pub fn post(&self, text: &str) -> Answer {
        self.request(text).send()
    }

    /// The text of package 1.
    pub fn package1_text(&self) -> String {
        self.message(1, &format!("{}<Final/>", self.greeting()))
    }

    #[track_caller]
    pub fn package1(&mut self) -> Message {
        self.sent = 1;
        let answer = self.post(&self.package1_text());
        Message::read(&answer)
    }

    /// The next message: Status for the core's header, this, Final.
    #[track_caller]
    pub fn say(&mut self, body: &str) -> Message {
        let text = self.next_text(body);
        Message::read(&self.post(&text))
    }

    /// The text of the next message, counted as sent.
    pub fn next_text(&mut self, body: &str) -> String {
        let reference = self.sent;
        self.sent += 1;
        let body = format!(
            "<Status><CmdID>1</CmdID><MsgRef>{reference}</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>{body}<Final/>"
        );
        self.message(self.sent, &body)
    }
}

/// A status of the core.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    pub msg_ref: String,
    pub cmd_ref: String,
    pub cmd: String,
    pub data: String,
}

/// A command of the core; an Atomic stands before its children.
#[derive(Clone, Debug)]
pub struct Command {
    pub id: String,
    pub verb: String,
    pub uri: String,
    pub format: String,
    pub data: String,
    /// CmdID of the Atomic around it.
    pub atomic: Option<String>,
}

/// A message of the core.
#[derive(Clone, Debug)]
pub struct Message {
    pub xml: Xml,
    pub session_id: String,
    pub msg_id: String,
    pub statuses: Vec<Status>,
    pub commands: Vec<Command>,
    pub is_final: bool,
}

impl Message {
    /// Reads a 200 of the management plane and checks what holds for every message.
    #[track_caller]
    pub fn read(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some(SYNCML));
        let xml = Xml::parse(&answer.body);
        assert_eq!(xml.attribute("xmlns"), Some("SYNCML:SYNCML1.2"));
        let header = xml.child("SyncHdr").unwrap();
        assert_eq!(header.value("VerDTD"), Some("1.2"));
        assert_eq!(header.value("VerProto"), Some("DM/1.2"));
        let body = xml.child("SyncBody").unwrap();
        let mut statuses = Vec::new();
        let mut commands = Vec::new();
        for element in &body.children {
            match element.name.as_str() {
                "Status" => {
                    assert!(commands.is_empty(), "a Status behind a command");
                    statuses.push(status(element));
                }
                "Final" => {}
                "Atomic" => {
                    let atomic = command(element, None);
                    let id = Some(atomic.id.clone());
                    commands.push(atomic);
                    let children = element.children.iter();
                    let children =
                        children.filter(|child| child.name != "CmdID" && child.name != "Meta");
                    commands.extend(children.map(|child| command(child, id.clone())));
                }
                _ => commands.push(command(element, None)),
            }
        }
        let message = Self {
            session_id: header.value("SessionID").unwrap().to_owned(),
            msg_id: header.value("MsgID").unwrap().to_owned(),
            statuses,
            commands,
            is_final: body
                .children
                .last()
                .is_some_and(|last| last.name == "Final"),
            xml: xml.clone(),
        };
        message.check_ids();
        message
    }

    /// CmdIDs are unique and never 0 (W 2.3).
    #[track_caller]
    fn check_ids(&self) {
        let mut ids: Vec<&str> = self
            .xml
            .find_all("CmdID")
            .iter()
            .map(|id| id.text.as_str())
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "CmdIDs repeat");
        assert!(!ids.contains(&"0") && !ids.contains(&""));
    }

    /// The statuses as (CmdRef, Data).
    pub fn status_pairs(&self) -> Vec<(&str, &str)> {
        self.statuses
            .iter()
            .map(|status| (status.cmd_ref.as_str(), status.data.as_str()))
            .collect()
    }

    /// The status of the header, if it is the only thing in the message.
    pub fn only_header_status(&self) -> Option<&str> {
        match self.statuses.as_slice() {
            [only] if self.commands.is_empty() && only.cmd_ref == "0" && only.cmd == "SyncHdr" => {
                Some(&only.data)
            }
            _ => None,
        }
    }

    /// The commands as "Verb uri".
    pub fn lines(&self) -> Vec<String> {
        let line = |command: &Command| format!("{} {}", command.verb, command.uri);
        self.commands
            .iter()
            .map(|command| line(command).trim_end().to_owned())
            .collect()
    }

    /// Status and Results for every command, in order.
    pub fn answers(&self, react: &mut dyn FnMut(&Command) -> Reaction) -> String {
        let mut statuses = String::new();
        let mut results = String::new();
        for (at, command) in self.commands.iter().enumerate() {
            let (id, result_id) = (at + 2, at + 1002);
            let (reference, cmd_ref, verb) = (&self.msg_id, &command.id, &command.verb);
            let code = match react(command) {
                Reaction::Nothing => continue,
                Reaction::Status(code) => code,
                Reaction::Value(value) => {
                    let (uri, value) = (escape(&command.uri), escape(&value));
                    results.push_str(&format!(
                        "<Results><CmdID>{result_id}</CmdID><MsgRef>{reference}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>Get</Cmd>\
                         <Item><Source><LocURI>{uri}</LocURI></Source><Data>{value}</Data></Item></Results>"
                    ));
                    200
                }
            };
            statuses.push_str(&format!(
                "<Status><CmdID>{id}</CmdID><MsgRef>{reference}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>{verb}</Cmd><Data>{code}</Data></Status>"
            ));
        }
        statuses + &results
    }
}

fn status(element: &Xml) -> Status {
    let text = |name: &str| element.value(name).unwrap_or_default().to_owned();
    Status {
        msg_ref: text("MsgRef"),
        cmd_ref: text("CmdRef"),
        cmd: text("Cmd"),
        data: text("Data"),
    }
}

fn command(element: &Xml, atomic: Option<String>) -> Command {
    let text = |path: &str| element.value(path).unwrap_or_default().to_owned();
    let format = element
        .value("Item/Meta/Format")
        .or_else(|| element.value("Meta/Format"));
    Command {
        id: text("CmdID"),
        verb: element.name.clone(),
        uri: text("Item/Target/LocURI"),
        format: format.unwrap_or_default().to_owned(),
        data: text("Item/Data"),
        atomic,
    }
}

/// A whole session.
#[derive(Clone, Debug)]
pub struct Seen {
    pub messages: Vec<Message>,
}

impl Seen {
    pub fn commands(&self) -> Vec<&Command> {
        self.messages
            .iter()
            .flat_map(|message| &message.commands)
            .collect()
    }

    pub fn lines(&self) -> Vec<String> {
        self.messages.iter().flat_map(Message::lines).collect()
    }

    /// How often this command was sent.
    pub fn count(&self, verb: &str, uri: &str) -> usize {
        let wanted = |command: &&&Command| command.verb == verb && command.uri == uri;
        self.commands().iter().filter(wanted).count()
    }

    /// Commands for LAPS policy leaves: name and value, None for a Delete.
    pub fn writes(&self) -> BTreeMap<String, Option<String>> {
        let mut writes = BTreeMap::new();
        for command in self.commands() {
            let Some(leaf) = command.uri.strip_prefix(LAPS) else {
                continue;
            };
            assert!(command.atomic.is_some(), "{leaf} outside an Atomic");
            let value = match command.verb.as_str() {
                "Replace" => Some(command.data.clone()),
                "Delete" => None,
                other => panic!("{other} {leaf}"),
            };
            let before = writes.insert(leaf.to_owned(), value);
            assert!(before.is_none(), "{leaf} twice in one session");
        }
        writes
    }

    /// Whether anything of LAPS was sent.
    pub fn mentions_laps(&self) -> bool {
        self.commands()
            .iter()
            .any(|command| command.uri.contains("/LAPS/"))
    }
}

/// Writes as `Seen::writes` gives them.
pub fn writes(expected: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    expected
        .iter()
        .map(|(leaf, value)| ((*leaf).to_owned(), value.map(str::to_owned)))
        .collect()
}
