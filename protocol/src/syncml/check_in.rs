//! The first message of an ordinary check-in, recognised in one pass over its bytes.
//!
//! A check-in says over and over the same few things: why the session begins, who is signed in,
//! what the device is. [`CheckIn::read`] takes the one form in which [`encode`](super::encode)
//! writes them and gives up on everything else, so that what it takes means exactly what
//! [`decode`](super::decode) would have made of it; [`CheckIn::of`] draws the same from a message
//! that was decoded.

use super::encode::Writer;
use super::{
    Alert, AlertCode, Command, Message, NAMESPACE, NAMESPACE_METINF, Request, StatusCode, Verb,
};

/// The alert type that says who is signed in (wire-facts 2.4).
const LOGIN_STATUS: &str = "com.microsoft/MDM/LoginStatus";
/// Most commands of a check-in; a message with more is read as any other.
const COMMANDS_MAX: usize = 8;
/// Largest message that [`CheckIn::read`] looks at, in bytes; it cannot hold more commands and
/// items than any [`Limits`](super::Limits) in use allow.
const SIZE_MAX: usize = 8 * 1024;

/// A complete first message that holds nothing but session alerts, the login status and `Replace`
/// of the device's own information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckIn<'a> {
    /// `SessionID`.
    pub session_id: &'a str,
    /// `Target/LocURI`.
    pub target: &'a str,
    /// `Source/LocURI`: the DeviceID.
    pub source: &'a str,
    /// The data of the last alert of the type LoginStatus, if there is one.
    pub login_status: Option<&'a str>,
    commands: [Said<'a>; COMMANDS_MAX],
    count: usize,
}

/// One command, as far as its Status needs to know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said<'a> {
    cmd_id: &'a str,
    /// `Alert` or `Replace`.
    name: &'static str,
}

impl<'a> CheckIn<'a> {
    /// Recognises the message in its bytes. `None` says nothing about the message: it has to be
    /// decoded.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > SIZE_MAX {
            return None;
        }
        let mut scan = Scan { rest: bytes };
        scan.literal("<SyncML xmlns=\"")?;
        scan.literal(NAMESPACE)?;
        scan.literal("\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>")?;
        let session_id = scan.text()?;
        scan.literal("</SessionID><MsgID>1</MsgID><Target><LocURI>")?;
        let target = scan.text()?;
        scan.literal("</LocURI></Target><Source><LocURI>")?;
        let source = scan.text()?;
        scan.literal("</LocURI></Source></SyncHdr><SyncBody>")?;
        let mut check_in = Self::new(session_id, target, source);
        while scan.literal("<Final/></SyncBody></SyncML>").is_none() {
            scan.command(&mut check_in)?;
        }
        scan.rest.is_empty().then_some(check_in)
    }

    /// Draws the same from a decoded message; `None` when it is another kind of message.
    #[must_use]
    pub fn of(message: &'a Message<'_>) -> Option<Self> {
        let header = &message.header;
        let is_first = header.msg_id == 1 && message.is_final;
        // A credential in the header is for whoever judges it.
        if !is_first
            || header.cred.is_some()
            || header.ver_dtd != "1.2"
            || header.ver_proto != "DM/1.2"
        {
            return None;
        }
        let mut check_in = Self::new(&header.session_id, &header.target, &header.source);
        for command in &message.commands {
            match command {
                Command::Alert(alert) => check_in.take_alert(alert)?,
                Command::Request(request) if request.verb == Verb::Replace => {
                    check_in.take_replace(request)?;
                }
                Command::Request(_)
                | Command::Status(_)
                | Command::Results(_)
                | Command::Container(_)
                | Command::Unknown(_) => return None,
            }
        }
        Some(check_in)
    }

    /// Appends the answer that accepts every command and asks for nothing, which ends the session;
    /// byte for byte what [`encode`](super::encode) makes of it.
    pub fn write_answer(&self, out: &mut Vec<u8>) {
        // The longest of the fixed parts and a Status, with room for texts of usual length.
        out.reserve(512 + 128 * self.count + self.target.len() + self.source.len());
        let mut writer = Writer { out };
        writer.raw("<SyncML xmlns=\"");
        writer.raw(NAMESPACE);
        writer.raw("\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>");
        writer.text(self.session_id);
        writer.raw("</SessionID><MsgID>1</MsgID><Target><LocURI>");
        writer.text(self.source);
        writer.raw("</LocURI></Target><Source><LocURI>");
        writer.text(self.target);
        writer.raw("</LocURI></Source></SyncHdr><SyncBody>");
        let header = Said {
            cmd_id: "0",
            name: "SyncHdr",
        };
        let said = std::iter::once(&header).chain(self.commands());
        for (cmd_id, said) in (1..).zip(said) {
            writer.raw("<Status><CmdID>");
            writer.number(cmd_id);
            writer.raw("</CmdID><MsgRef>1</MsgRef><CmdRef>");
            writer.text(said.cmd_id);
            writer.raw("</CmdRef><Cmd>");
            writer.raw(said.name);
            writer.raw("</Cmd><Data>");
            writer.number(u64::from(StatusCode::OK.0));
            writer.raw("</Data></Status>");
        }
        writer.raw("<Final/></SyncBody></SyncML>");
    }

    fn new(session_id: &'a str, target: &'a str, source: &'a str) -> Self {
        Self {
            session_id,
            target,
            source,
            login_status: None,
            commands: [Said::default(); COMMANDS_MAX],
            count: 0,
        }
    }

    fn commands(&self) -> &[Said<'a>] {
        self.commands.get(..self.count).unwrap_or_default()
    }

    fn take(&mut self, cmd_id: &'a str, name: &'static str) -> Option<()> {
        *self.commands.get_mut(self.count)? = Said { cmd_id, name };
        self.count += 1;
        Some(())
    }

    fn take_alert(&mut self, alert: &'a Alert<'_>) -> Option<()> {
        match (alert.code, alert.items.as_slice()) {
            (AlertCode::SERVER_INITIATED | AlertCode::CLIENT_INITIATED, []) => {}
            (AlertCode::CLIENT_EVENT, [item]) => {
                let meta = item.meta.as_ref()?;
                if meta.content_type.as_deref() != Some(LOGIN_STATUS) {
                    return None;
                }
                self.login_status = Some(item.text());
            }
            _ => return None,
        }
        self.take(alert.cmd_id.as_deref()?, "Alert")
    }

    fn take_replace(&mut self, request: &'a Request<'_>) -> Option<()> {
        self.take(request.cmd_id.as_deref()?, "Replace")
    }
}

/// What is left of the message.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// Takes this text, or nothing.
    fn literal(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text.as_bytes())?;
        Some(())
    }

    /// Takes the characters up to the next tag: plain ASCII that means itself.
    fn text(&mut self) -> Option<&'a str> {
        let length = self
            .rest
            .iter()
            .position(|byte| !matches!(byte, b' '..=b'%' | b'\''..=b';' | b'=' | b'?'..=b'~'))?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        rest.starts_with(b"<")
            .then(|| std::str::from_utf8(text).ok())
            .flatten()
    }

    fn command(&mut self, check_in: &mut CheckIn<'a>) -> Option<()> {
        if self.literal("<Alert><CmdID>").is_some() {
            let cmd_id = self.text()?;
            self.literal("</CmdID><Data>")?;
            check_in.take(cmd_id, "Alert")?;
            return self.alert_data(check_in);
        }
        self.literal("<Replace><CmdID>")?;
        check_in.take(self.text()?, "Replace")?;
        self.literal("</CmdID>")?;
        while self.literal("</Replace>").is_none() {
            self.literal("<Item><Source><LocURI>")?;
            self.text()?;
            self.literal("</LocURI></Source><Data>")?;
            self.text()?;
            self.literal("</Data></Item>")?;
        }
        Some(())
    }

    /// What follows `<Alert><CmdID>..</CmdID><Data>`.
    fn alert_data(&mut self, check_in: &mut CheckIn<'a>) -> Option<()> {
        if self.literal("1201</Data></Alert>").is_some()
            || self.literal("1200</Data></Alert>").is_some()
        {
            return Some(());
        }
        self.literal("1224</Data><Item><Meta><Type xmlns=\"")?;
        self.literal(NAMESPACE_METINF)?;
        self.literal("\">")?;
        self.literal(LOGIN_STATUS)?;
        self.literal("</Type></Meta><Data>")?;
        check_in.login_status = Some(self.text()?);
        self.literal("</Data></Item></Alert>")
    }
}
