//! SyncML as a device writes and reads it: sessions, messages, commands.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::device::Reaction;
use super::http::{Answer, Request};
use super::xml::{Xml, escape};

pub(crate) const SYNCML: &str = "application/vnd.syncml.dm+xml";
pub(crate) const LAPS: &str = "./Device/Vendor/MSFT/LAPS/Policies/";

/// A session as the device sees it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) url: String,
    pub(crate) client_cert: String,
    pub(crate) device_id: String,
    pub(crate) id: String,
    /// MsgID of the last message sent.
    pub(crate) sent: u32,
    pub(crate) login: &'static str,
}

impl Session {
    /// The text of a message.
    pub(crate) fn message(&self, msg_id: u32, body: &str) -> String {
        let (id, device) = (&self.id, &self.device_id);
        let url = escape(self.url.split('?').next().unwrap());
        format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
             <SessionID>{id}</SessionID><MsgID>{msg_id}</MsgID><Target><LocURI>{url}</LocURI></Target>\
             <Source><LocURI>{device}</LocURI></Source></SyncHdr><SyncBody>{body}</SyncBody></SyncML>"
        )
    }

    /// What stands in package 1 before Final.
    pub(crate) fn greeting(&self) -> String {
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

    pub(crate) fn request(&self, text: &str) -> Request {
        Request::new("POST", &self.url)
            .header("Client-Cert", &self.client_cert)
            .header("User-Agent", "MSFT OMA DM Client/1.2.0.1")
            .body(SYNCML, text)
    }

    #[track_caller]
    pub(crate) fn post(&self, text: &str) -> Answer {
        self.request(text).send()
    }

    /// The text of package 1.
    pub(crate) fn package1_text(&self) -> String {
        self.message(1, &format!("{}<Final/>", self.greeting()))
    }

    #[track_caller]
    pub(crate) fn package1(&mut self) -> Message {
        self.sent = 1;
        let answer = self.post(&self.package1_text());
        Message::read(&answer)
    }

    /// The next message: Status for the core's header, this, Final.
    #[track_caller]
    pub(crate) fn say(&mut self, body: &str) -> Message {
        let text = self.next_text(body);
        Message::read(&self.post(&text))
    }

    /// The text of the next message, counted as sent.
    pub(crate) fn next_text(&mut self, body: &str) -> String {
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
pub(crate) struct Status {
    pub(crate) msg_ref: String,
    pub(crate) cmd_ref: String,
    pub(crate) cmd: String,
    pub(crate) data: String,
}

/// A command of the core; an Atomic stands before its children.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) id: String,
    pub(crate) verb: String,
    pub(crate) uri: String,
    pub(crate) format: String,
    pub(crate) data: String,
    /// CmdID of the Atomic around it.
    pub(crate) atomic: Option<String>,
}

/// A message of the core.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) xml: Xml,
    pub(crate) session_id: String,
    pub(crate) msg_id: String,
    pub(crate) statuses: Vec<Status>,
    pub(crate) commands: Vec<Command>,
    pub(crate) is_final: bool,
}

impl Message {
    /// Reads a 200 of the management plane and checks what holds for every message.
    #[track_caller]
    pub(crate) fn read(answer: &Answer) -> Self {
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
    pub(crate) fn status_pairs(&self) -> Vec<(&str, &str)> {
        self.statuses
            .iter()
            .map(|status| (status.cmd_ref.as_str(), status.data.as_str()))
            .collect()
    }

    /// The status of the header, if it is the only thing in the message.
    pub(crate) fn only_header_status(&self) -> Option<&str> {
        match self.statuses.as_slice() {
            [only] if self.commands.is_empty() && only.cmd_ref == "0" && only.cmd == "SyncHdr" => {
                Some(&only.data)
            }
            _ => None,
        }
    }

    /// The commands as "Verb uri".
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |command: &Command| format!("{} {}", command.verb, command.uri);
        self.commands
            .iter()
            .map(|command| line(command).trim_end().to_owned())
            .collect()
    }

    /// Status and Results for every command, in order.
    pub(crate) fn answers(&self, react: &mut dyn FnMut(&Command) -> Reaction) -> String {
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
                    write!(
                        results,
                        "<Results><CmdID>{result_id}</CmdID><MsgRef>{reference}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>Get</Cmd>\
                         <Item><Source><LocURI>{uri}</LocURI></Source><Data>{value}</Data></Item></Results>"
                    )
.unwrap();
                    200
                }
            };
            write!(
                statuses,
                "<Status><CmdID>{id}</CmdID><MsgRef>{reference}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>{verb}</Cmd><Data>{code}</Data></Status>"
            )
.unwrap();
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
pub(crate) struct Seen {
    pub(crate) messages: Vec<Message>,
}

impl Seen {
    pub(crate) fn commands(&self) -> Vec<&Command> {
        self.messages
            .iter()
            .flat_map(|message| &message.commands)
            .collect()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.messages.iter().flat_map(Message::lines).collect()
    }

    /// How often this command was sent.
    pub(crate) fn count(&self, verb: &str, uri: &str) -> usize {
        let wanted = |command: &&&Command| command.verb == verb && command.uri == uri;
        self.commands().iter().filter(wanted).count()
    }

    /// Commands for LAPS policy leaves: name and value, None for a Delete.
    pub(crate) fn writes(&self) -> BTreeMap<String, Option<String>> {
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
    pub(crate) fn mentions_laps(&self) -> bool {
        self.commands()
            .iter()
            .any(|command| command.uri.contains("/LAPS/"))
    }
}

/// Writes as `Seen::writes` gives them.
pub(crate) fn writes(expected: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    expected
        .iter()
        .map(|(leaf, value)| ((*leaf).to_owned(), value.map(str::to_owned)))
        .collect()
}
