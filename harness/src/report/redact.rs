//! Takes secrets out of everything that is reported.
//!
//! Two nets, one behind the other: members and elements that hold secrets by their meaning are
//! replaced whatever they hold, and secrets that the run knows are replaced wherever they stand, in
//! any of the forms that [`Needles`] knows. What cannot be read is withheld. A secret is replaced by
//! the start of a salted digest, so that equal ones can be told from different ones.

use std::borrow::Cow;
use std::fmt;

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesEnd, BytesRef, BytesStart, Event};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::leak::Needles;

/// Knows the secrets of a run, and how to find and replace them.
#[derive(Clone)]
pub struct Redactor {
    salt: [u8; 16],
    secrets: Needles,
}

impl fmt::Debug for Redactor {
    /// Leaves the salt out: with it a digest could be tried against guessed secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// Longest body that is shown, in characters.
    pub const BODY_CHARS_MAX: usize = 64 * 1024;

    /// Takes the secrets of the run: passwords of devices, tokens of actors, enrolment credentials.
    /// The salt is that of one run and written nowhere.
    #[must_use]
    pub const fn new(salt: [u8; 16], secrets: Needles) -> Self {
        Self { salt, secrets }
    }

    /// True when a secret of the run stands in these bytes.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.secrets.find(bytes, 0).is_some()
    }

    /// The text without the secrets of the run.
    #[must_use]
    pub fn scan(&self, text: &str) -> String {
        self.scan_and(text, Cow::Borrowed)
    }

    /// The text without the secrets of the run, the rest of it written by `write`.
    fn scan_and<'t>(&self, text: &'t str, write: impl Fn(&'t str) -> Cow<'t, str>) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = 0;
        for found in self.secrets.find_all(text.as_bytes()) {
            let (start, end) = found.range;
            // The bytes of UTF-16 may end within a character of UTF-8: the whole of it goes.
            let start = floor(text, start).max(rest);
            clean.push_str(&write(&text[rest..start]));
            clean.push_str(&replacement(&self.salt, self.secrets.secret(found.secret)));
            rest = ceiling(text, end);
        }
        clean.push_str(&write(&text[rest..]));
        clean
    }

    /// A body of a message as text without secrets, cut when it is long.
    #[must_use]
    pub fn body(&self, body: &[u8]) -> String {
        cut(self.whole_body(body))
    }

    /// A body of a message as text without secrets.
    #[must_use]
    pub fn whole_body(&self, body: &[u8]) -> String {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let Ok(text) = std::str::from_utf8(body) else {
            return withheld(body.len(), "text");
        };
        let clean = match text.trim_start().as_bytes().first() {
            Some(b'{' | b'[') => self.json(text),
            Some(b'<') => self.xml(text),
            Some(_) | None => text.to_owned(),
        };
        self.scan(&clean)
    }

    fn json(&self, text: &str) -> String {
        let Ok(mut value) = serde_json::from_str(text) else {
            return withheld(text.len(), "JSON");
        };
        self.json_value(&mut value);
        value.to_string()
    }

    fn json_value(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                let (secret, open): (Vec<_>, Vec<_>) = members
                    .iter_mut()
                    .partition(|(name, _)| is_secret_member(name));
                secret
                    .into_iter()
                    .for_each(|(_, member)| self.hide_value(member));
                open.into_iter()
                    .for_each(|(_, member)| self.json_value(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.json_value(item)),
            Value::String(text) => *text = self.scan(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Replaces whatever is in a value.
    fn hide_value(&self, value: &mut Value) {
        match value {
            Value::Object(members) => members
                .values_mut()
                .for_each(|member| self.hide_value(member)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_value(item)),
            Value::String(text) => *text = self.hidden(text),
            Value::Number(number) => *value = Value::String(self.hidden(&number.to_string())),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn xml(&self, text: &str) -> String {
        let mut reader = Reader::from_str(text);
        let mut page = XmlPage {
            redactor: self,
            clean: String::new(),
            run: String::new(),
            open: Vec::new(),
            hidden_from: None,
        };
        loop {
            let read = u64::min(
                reader.buffer_position(),
                u64::try_from(text.len()).unwrap_or(u64::MAX),
            );
            match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(event) => page.take(&event),
                Err(_syntax) => {
                    let rest = text
                        .len()
                        .saturating_sub(usize::try_from(read).unwrap_or(usize::MAX));
                    page.end_run();
                    page.clean.push_str(&withheld(rest, "XML"));
                    return page.clean;
                }
            }
        }
        page.end_run();
        page.clean
    }

    /// What stands for a value that is secret by its place. One of the run's secrets in another form
    /// gets the digest that it has everywhere.
    fn hidden(&self, value: &str) -> String {
        let known = self.secrets.find(value.as_bytes(), 0);
        let secret = known.map_or(value, |found| self.secrets.secret(found.secret));
        replacement(&self.salt, secret)
    }
}

/// XML that is written again without its secrets.
struct XmlPage<'a> {
    redactor: &'a Redactor,
    clean: String,
    /// Text since the last tag; inside a hidden element everything since its start tag.
    run: String,
    /// Local names of the open elements.
    open: Vec<String>,
    /// How many elements were open when the hidden one began.
    hidden_from: Option<usize>,
}

impl XmlPage<'_> {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(start) => self.start(start),
            Event::End(end) => self.end(end),
            Event::Empty(start) => self.markup("<", start, "/>"),
            Event::Text(text) => self.run.push_str(&String::from_utf8_lossy(text)),
            Event::CData(text) => self.run.push_str(&String::from_utf8_lossy(text)),
            Event::GeneralRef(name) => self.reference(name),
            Event::Comment(text) => self.markup("<!--", text, "-->"),
            Event::Decl(text) => self.markup("<?", text, "?>"),
            Event::PI(text) => self.markup("<?", text, "?>"),
            Event::DocType(text) => self.markup("<!DOCTYPE ", text, ">"),
            Event::Eof => {}
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) {
        let name = String::from_utf8_lossy(start.local_name().into_inner()).into_owned();
        let hides = is_secret_element(&name, self.open.last().map(String::as_str));
        self.markup("<", start, ">");
        if hides && self.hidden_from.is_none() {
            self.hidden_from = Some(self.open.len());
        }
        self.open.push(name);
    }

    fn end(&mut self, end: &BytesEnd<'_>) {
        self.open.pop();
        if self.hidden_from == Some(self.open.len()) {
            self.end_run();
            self.hidden_from = None;
        }
        self.markup("</", end, ">");
    }

    /// A tag or the like: shown, or part of what is hidden.
    fn markup(&mut self, before: &str, content: &[u8], after: &str) {
        let content = String::from_utf8_lossy(content);
        if self.hidden_from.is_some() {
            self.run.push_str(&content);
            return;
        }
        self.end_run();
        self.clean.push_str(before);
        self.clean.push_str(&self.redactor.scan(&content));
        self.clean.push_str(after);
    }

    /// A character or entity reference, as the character it stands for.
    fn reference(&mut self, name: &BytesRef<'_>) {
        let entity = String::from_utf8_lossy(name);
        match (name.resolve_char_ref(), resolve_predefined_entity(&entity)) {
            (Ok(Some(character)), _) => self.run.push(character),
            (_, Some(text)) => self.run.push_str(text),
            (Ok(None) | Err(_), None) => self.run.push_str(&entity),
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if self.hidden_from.is_none() {
            self.clean.push_str(&self.redactor.scan_and(&run, escape));
        } else if !run.trim().is_empty() {
            self.clean.push_str(&self.redactor.hidden(run.trim()));
        }
    }
}

/// Members of JSON that hold secrets, in the directory, admin and control planes.
fn is_secret_member(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "passwordbase64",
        "password",
        "token",
        "tokens",
        "authorization",
        "secret",
        "access_token",
    ];
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// Elements that hold secrets: enrolment credentials, the provisioning document, which stands as
/// base64 in a `BinarySecurityToken`, and the credentials of SyncML.
fn is_secret_element(name: &str, parent: Option<&str>) -> bool {
    match name {
        "Password" | "BinarySecurityToken" | "Nonce" | "NextNonce" | "wap-provisioningdoc" => true,
        "Data" => parent == Some("Cred"),
        _ => false,
    }
}

fn replacement(salt: &[u8; 16], secret: &str) -> String {
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update(secret)
        .finalize();
    let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
    format!("<secret: {a:02x}{b:02x}{c:02x}{d:02x}>")
}

/// The last character boundary at or before a place.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The first character boundary at or behind a place.
fn ceiling(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

fn withheld(bytes: usize, form: &str) -> String {
    format!("<withheld: {bytes} bytes that are not well-formed {form}>")
}

fn cut(text: String) -> String {
    match text.char_indices().nth(Redactor::BODY_CHARS_MAX) {
        None => text,
        Some((at, _)) => format!("{}<cut: {} more bytes>", &text[..at], text.len() - at),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const PASSWORD: &str = "kR7<&\"vq2}Zx";
    const TOKEN: &str = "3f9c7a1be52d4e0fa6c8";

    fn redactor() -> Redactor {
        Redactor::new([7; 16], Needles::new([PASSWORD, TOKEN, "short"]))
    }

    fn utf16_base64(text: &str) -> String {
        STANDARD.encode(
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
        )
    }

    /// No trace of a secret in clear or as base64 of either encoding, at any offset.
    fn assert_clean(text: &str) {
        assert!(!redactor().finds(text.as_bytes()), "{text}");
        for secret in [PASSWORD, TOKEN] {
            assert!(!text.contains(secret), "`{secret}` in {text}");
        }
    }

    #[test]
    fn secret_members_and_elements_are_replaced_whatever_they_hold() {
        // (body, what is gone, what stays)
        for (body, gone, stays) in [
            (
                r#"{"deviceName":"D1","passwordBase64":"QUJD"}"#,
                "QUJD",
                "D1",
            ),
            (
                r#"{"credentials":[{"PasswordBase64":"QUJD","accountName":"adm"}]}"#,
                "QUJD",
                "adm",
            ),
            (
                r#"{"enrollment":{"authPolicy":"Federated","token":"t0k3n"}}"#,
                "t0k3n",
                "Federated",
            ),
            (
                r#"{"tokens":{"auditor":"t0k3n","control":"c0ntrol"}}"#,
                "c0ntrol",
                "auditor",
            ),
            (r#"{"secret":1234567}"#, "1234567", "secret"),
            (
                "<s:Envelope><wsse:Username>u@x</wsse:Username><wsse:Password Type=\"t\">pw1</wsse:Password></s:Envelope>",
                "pw1",
                "u@x",
            ),
            (
                "<a><b:BinarySecurityToken ValueType=\"v\">\n QUJD\n</b:BinarySecurityToken><c>kept</c></a>",
                "QUJD",
                "kept",
            ),
            (
                "<SyncML><Cred><Meta><Type>md5</Type></Meta><Data>QUJD</Data></Cred><Item><Data>1201</Data></Item></SyncML>",
                "QUJD",
                "<Data>1201</Data>",
            ),
            (
                "<x><wap-provisioningdoc><parm name=\"AAUTHSECRET\" value=\"s3cr3t\"/><p>more</p></wap-provisioningdoc><y>kept</y></x>",
                "s3cr3t",
                "<y>kept</y>",
            ),
            (
                "<Chal><Meta><NextNonce>Tm9uY2U=</NextNonce></Meta></Chal>",
                "Tm9uY2U=",
                "<Chal>",
            ),
            ("<a><Password><![CDATA[pw1]]></Password></a>", "pw1", "<a>"),
        ] {
            let clean = redactor().body(body.as_bytes());
            assert!(!clean.contains(gone), "{gone} in {clean}");
            assert!(clean.contains(stays), "{stays} not in {clean}");
            assert!(clean.contains("<secret: "), "{clean}");
        }
    }

    #[test]
    fn known_secrets_are_found_wherever_they_stand() {
        let inside = |before: &str| STANDARD.encode(format!("{before}{PASSWORD}, and more"));
        let inside_utf16 = |before: &str| utf16_base64(&format!("{before}{PASSWORD} tail"));
        for body in [
            format!("plain {PASSWORD} and {TOKEN}"),
            serde_json::json!({ "note": PASSWORD, "list": [TOKEN] }).to_string(),
            format!("<a attr=\"{TOKEN}\">{}</a>", escape(PASSWORD)),
            format!("<a><![CDATA[{PASSWORD}]]></a>"),
            format!("<a><!-- {TOKEN} --></a>"),
            inside(""),
            inside("a"),
            inside("ab"),
            inside_utf16(""),
            inside_utf16("a"),
            inside_utf16("ab"),
            serde_json::json!({ "blob": inside("x") }).to_string(),
        ] {
            let clean = redactor().body(body.as_bytes());
            assert_clean(&clean);
            assert!(clean.contains("<secret: "), "{clean}");
        }
    }

    #[test]
    fn messages_without_secrets_come_back_as_they_were() {
        for body in [
            "",
            "no markup",
            r#"{"value":[{"id":"1","n":2.5,"none":null,"ok":true}]}"#,
            "<?xml version=\"1.0\"?><a xmlns=\"n\"><b x=\"1\"/>t &lt; u &amp; v<!-- c --></a>",
        ] {
            assert_eq!(redactor().body(body.as_bytes()), body);
        }
    }

    #[test]
    fn what_cannot_be_read_is_withheld() {
        for (body, shown) in [
            (
                &b"\xff\xfe<\0"[..],
                "<withheld: 4 bytes that are not well-formed text>",
            ),
            (
                b"{\"password\":\"abc",
                "<withheld: 16 bytes that are not well-formed JSON>",
            ),
            (
                b"<a><b>x</c>secret rest</a>",
                "<a><b>x<withheld: 19 bytes that are not well-formed XML>",
            ),
        ] {
            assert_eq!(redactor().body(body), shown);
        }
    }

    #[test]
    fn a_document_that_ends_inside_a_secret_does_not_show_it() {
        let clean = redactor().body(b"<a><Password>half a pass");
        assert!(!clean.contains("half"), "{clean}");
    }

    #[test]
    fn equal_secrets_are_shown_alike_and_the_salt_matters() {
        let shown = redactor().body(PASSWORD.as_bytes());
        let member = serde_json::json!({ "passwordBase64": utf16_base64(PASSWORD) }).to_string();
        let member = redactor().body(member.as_bytes());
        assert!(member.contains(&shown), "{member} without {shown}");
        assert_eq!(
            redactor()
                .body(utf16_base64(PASSWORD).as_bytes())
                .split('>')
                .next(),
            shown.split('>').next()
        );
        let other = Redactor::new([8; 16], Needles::new([PASSWORD])).body(PASSWORD.as_bytes());
        assert_ne!(other, shown);
        assert!(!format!("{:?}", redactor()).contains(TOKEN));
    }

    #[test]
    fn long_bodies_are_cut() {
        let body = "ä".repeat(Redactor::BODY_CHARS_MAX + 3);
        let clean = redactor().body(body.as_bytes());
        assert!(clean.ends_with("ä<cut: 6 more bytes>"), "{}", clean.len());
    }
}
