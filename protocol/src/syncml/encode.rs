//! Writes a SyncML message as bytes, in the order of the DTD (wire-facts 2.2), on one line.
//!
//! Two messages that are equal give the same bytes. Texts are escaped; [`Data::Markup`] is written
//! as it stands, so it has to be well formed.

use super::{
    Alert, Chal, Command, Container, Cred, Data, Header, Item, Message, Meta, NAMESPACE,
    NAMESPACE_METINF, NAMESPACE_MSFT, Request, Results, Status, UnknownCommand,
};

/// Appends the message to `out`.
///
/// A character that XML 1.0 does not allow is written as U+FFFD. [`Message::ignored`] is not
/// written; [`Command::Unknown`] is written as its name and `CmdID`.
pub fn encode(message: &Message<'_>, out: &mut Vec<u8>) {
    let mut writer = Writer { out };
    writer.raw("<SyncML xmlns=\"");
    writer.raw(NAMESPACE);
    writer.raw("\">");
    writer.header(&message.header);
    if message.commands.iter().any(has_original_error) {
        writer.raw("<SyncBody xmlns:msft=\"");
        writer.raw(NAMESPACE_MSFT);
        writer.raw("\">");
    } else {
        writer.raw("<SyncBody>");
    }
    writer.commands(&message.commands);
    if message.is_final {
        writer.raw("<Final/>");
    }
    writer.raw("</SyncBody></SyncML>");
}

fn has_original_error(command: &Command<'_>) -> bool {
    match command {
        Command::Status(status) => status.original_error.is_some(),
        Command::Container(container) => container.commands.iter().any(has_original_error),
        Command::Results(_) | Command::Alert(_) | Command::Request(_) | Command::Unknown(_) => {
            false
        }
    }
}

/// Writes into a buffer; what is written so far stays.
pub(super) struct Writer<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    fn header(&mut self, header: &Header<'_>) {
        self.raw("<SyncHdr>");
        self.leaf("VerDTD", &header.ver_dtd);
        self.leaf("VerProto", &header.ver_proto);
        self.leaf("SessionID", &header.session_id);
        self.number_leaf("MsgID", u64::from(header.msg_id));
        self.loc_uri("Target", &header.target);
        self.raw("<Source>");
        self.leaf("LocURI", &header.source);
        self.optional_leaf("LocName", header.source_name.as_deref());
        self.raw("</Source>");
        self.optional(header.cred.as_ref(), Self::cred);
        self.optional(header.meta.as_ref(), Self::meta);
        self.raw("</SyncHdr>");
    }

    fn commands(&mut self, commands: &[Command<'_>]) {
        for command in commands {
            match command {
                Command::Status(status) => self.status(status),
                Command::Results(results) => self.results(results),
                Command::Alert(alert) => self.alert(alert),
                Command::Request(request) => self.request(request),
                Command::Container(container) => self.container(container),
                Command::Unknown(unknown) => self.unknown(unknown),
            }
        }
    }

    fn status(&mut self, status: &Status<'_>) {
        self.raw("<Status>");
        self.optional_leaf("CmdID", status.cmd_id.as_deref());
        self.number_leaf("MsgRef", u64::from(status.msg_ref));
        self.leaf("CmdRef", &status.cmd_ref);
        self.leaf("Cmd", &status.cmd);
        for target in &status.target_refs {
            self.leaf("TargetRef", target);
        }
        for source in &status.source_refs {
            self.leaf("SourceRef", source);
        }
        self.optional(status.cred.as_ref(), Self::cred);
        self.optional(status.chal.as_ref(), Self::chal);
        match &status.original_error {
            None => self.raw("<Data>"),
            Some(original_error) => {
                self.raw("<Data msft:originalerror=\"");
                self.attribute_value(original_error);
                self.raw("\">");
            }
        }
        self.number(u64::from(status.code.0));
        self.raw("</Data>");
        self.items(&status.items);
        self.raw("</Status>");
    }

    fn results(&mut self, results: &Results<'_>) {
        self.raw("<Results>");
        self.optional_leaf("CmdID", results.cmd_id.as_deref());
        if let Some(msg_ref) = results.msg_ref {
            self.number_leaf("MsgRef", u64::from(msg_ref));
        }
        self.leaf("CmdRef", &results.cmd_ref);
        self.optional_leaf("Cmd", results.cmd.as_deref());
        self.optional(results.meta.as_ref(), Self::meta);
        self.items(&results.items);
        self.raw("</Results>");
    }

    fn alert(&mut self, alert: &Alert<'_>) {
        self.raw("<Alert>");
        self.optional_leaf("CmdID", alert.cmd_id.as_deref());
        self.number_leaf("Data", u64::from(alert.code.0));
        self.items(&alert.items);
        self.raw("</Alert>");
    }

    fn request(&mut self, request: &Request<'_>) {
        let name = request.verb.as_str();
        self.open(name);
        self.optional_leaf("CmdID", request.cmd_id.as_deref());
        self.optional(request.meta.as_ref(), Self::meta);
        self.items(&request.items);
        self.close(name);
    }

    fn container(&mut self, container: &Container<'_>) {
        let name = container.kind.as_str();
        self.open(name);
        self.optional_leaf("CmdID", container.cmd_id.as_deref());
        self.optional(container.meta.as_ref(), Self::meta);
        self.commands(&container.commands);
        self.close(name);
    }

    fn unknown(&mut self, unknown: &UnknownCommand<'_>) {
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = unknown.name.replace(|c| !is_name(c), "_");
        self.open(&name);
        self.optional_leaf("CmdID", unknown.cmd_id.as_deref());
        self.close(&name);
    }

    fn items(&mut self, items: &[Item<'_>]) {
        for item in items {
            self.raw("<Item>");
            if let Some(target) = &item.target {
                self.loc_uri("Target", target);
            }
            if let Some(source) = &item.source {
                self.loc_uri("Source", source);
            }
            self.optional(item.meta.as_ref(), Self::meta);
            match &item.data {
                None => {}
                Some(Data::Text(text)) => self.leaf("Data", text),
                Some(Data::Markup(markup)) => {
                    self.raw("<Data>");
                    self.raw(markup);
                    self.raw("</Data>");
                }
            }
            if item.more_data {
                self.raw("<MoreData/>");
            }
            self.raw("</Item>");
        }
    }

    fn cred(&mut self, cred: &Cred<'_>) {
        self.raw("<Cred>");
        self.optional(cred.meta.as_ref(), Self::meta);
        self.leaf("Data", &cred.data);
        self.raw("</Cred>");
    }

    fn chal(&mut self, chal: &Chal<'_>) {
        self.raw("<Chal>");
        self.meta(&chal.meta);
        self.raw("</Chal>");
    }

    fn meta(&mut self, meta: &Meta<'_>) {
        self.raw("<Meta>");
        let texts = [
            ("Format", &meta.format),
            ("Type", &meta.content_type),
            ("NextNonce", &meta.next_nonce),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                self.open_metinf(name);
                self.text(text);
                self.close(name);
            }
        }
        let sizes = [
            ("MaxMsgSize", meta.max_msg_size),
            ("MaxObjSize", meta.max_obj_size),
            ("Size", meta.size),
        ];
        for (name, size) in sizes {
            if let Some(size) = size {
                self.open_metinf(name);
                self.number(size);
                self.close(name);
            }
        }
        self.raw("</Meta>");
    }

    fn open_metinf(&mut self, name: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(" xmlns=\"");
        self.raw(NAMESPACE_METINF);
        self.raw("\">");
    }

    fn loc_uri(&mut self, name: &str, uri: &str) {
        self.open(name);
        self.leaf("LocURI", uri);
        self.close(name);
    }

    fn optional<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn optional_leaf(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        self.text(text);
        self.close(name);
    }

    fn number_leaf(&mut self, name: &str, number: u64) {
        self.open(name);
        self.number(number);
        self.close(name);
    }

    fn open(&mut self, name: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
    }

    fn close(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    pub(super) fn number(&mut self, number: u64) {
        if number >= 10 {
            self.number(number / 10);
        }
        let digit = u8::try_from(number % 10).unwrap_or_default();
        self.out.push(b'0' + digit);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.escaped(text, |byte| {
            matches!(byte, b'&' | b'<' | b'>' | 0xEF)
                || (byte < b' ' && byte != b'\t' && byte != b'\n')
        });
    }

    /// As [`Self::text`], and what a reader would change or end the attribute at.
    fn attribute_value(&mut self, text: &str) {
        self.escaped(text, |byte| {
            matches!(byte, b'&' | b'<' | b'>' | b'"' | 0xEF) || byte < b' '
        });
    }

    fn escaped(&mut self, text: &str, is_special: impl Fn(u8) -> bool) {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
            let (clean, special) = rest.split_at(at);
            self.out.extend_from_slice(clean);
            let length = if special.starts_with(&[0xEF]) { 3 } else { 1 };
            let (character, tail) = special.split_at_checked(length).unwrap_or((special, &[]));
            self.out.extend_from_slice(replacement(character));
            rest = tail;
        }
        self.out.extend_from_slice(rest);
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// What stands for a special character in a text or an attribute.
fn replacement(character: &[u8]) -> &[u8] {
    match character {
        b"&" => b"&amp;",
        b"<" => b"&lt;",
        b">" => b"&gt;",
        b"\"" => b"&quot;",
        b"\t" => b"&#9;",
        b"\n" => b"&#10;",
        // A reader turns a bare carriage return into a line feed (XML 1.0, 2.11).
        b"\r" => b"&#13;",
        // U+FFFE and U+FFFF, and below the other control characters.
        b"\xEF\xBF\xBE" | b"\xEF\xBF\xBF" => REPLACEMENT,
        [0xEF, ..] => character,
        _ => REPLACEMENT,
    }
}

/// U+FFFD in UTF-8, for what XML 1.0 does not allow (section 2.2, `Char`).
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();
