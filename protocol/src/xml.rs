//! Small XML messages: reading into a tree, writing without white space between elements.
//!
//! For messages that come once an enrolment; SyncML has a reader of its own. Names are local
//! names: prefixes and namespaces differ between deployed senders and decide nothing here.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::{Malformed, MalformedKind};

/// An element with everything below it.
#[derive(Debug)]
pub(crate) struct Element {
    /// Name without prefix.
    pub(crate) name: String,
    /// Offset of the element in bytes from the start of the message.
    pub(crate) offset: usize,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Reads a message and returns its root element.
    ///
    /// # Errors
    /// Bytes that are not well-formed XML in UTF-8, a document type, a limit passed.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.len() > MAX_BYTES {
            return Err(Malformed::new(
                "message",
                0,
                MalformedKind::Limit("bytes", MAX_BYTES),
            ));
        }
        let text = str::from_utf8(bytes).map_err(|error| {
            Malformed::new("message", error.valid_up_to(), MalformedKind::NotUtf8)
        })?;
        let mut builder = Builder::default();
        if let Some((offset, _)) = text.char_indices().find(|(_, found)| !is_allowed(*found)) {
            return Err(builder.syntax(offset, FORBIDDEN.to_owned()));
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        loop {
            let offset = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let event = reader
                .read_event()
                .map_err(|error| builder.syntax(offset, error.to_string()))?;
            if matches!(event, Event::Eof) {
                return builder.finish(offset);
            }
            builder.take(event, offset)?;
        }
    }

    /// The elements below this one, in the order of the message.
    pub(crate) fn children(&self) -> &[Self] {
        &self.children
    }

    /// The elements below this one that have this name.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The one element below this one with the name of `label`, which may carry a prefix for the
    /// reader of an error.
    ///
    /// # Errors
    /// It stands there twice.
    pub(crate) fn child(&self, label: &str) -> Result<Option<&Self>, Malformed> {
        let name = label.rsplit_once(':').map_or(label, |(_, name)| name);
        let mut found = self.all(name);
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(second) => Err(Malformed::new(
                label,
                second.offset,
                MalformedKind::Repeated,
            )),
        }
    }

    /// Like [`Element::child`], and an error when there is none.
    pub(crate) fn required(&self, label: &str) -> Result<&Self, Malformed> {
        self.child(label)?
            .ok_or_else(|| Malformed::new(label, self.offset, MalformedKind::Missing))
    }

    /// The first element below this one with this name in any case.
    pub(crate) fn child_in_any_case(&self, name: &str) -> Option<&Self> {
        self.children
            .iter()
            .find(|child| child.name.eq_ignore_ascii_case(name))
    }

    /// The text of this element, without the white space around it.
    pub(crate) fn text(&self) -> &str {
        self.text.trim_matches([' ', '\t', '\r', '\n'])
    }

    /// The text of the element `label` below this one, which must not be empty.
    pub(crate) fn required_text(&self, label: &str) -> Result<&str, Malformed> {
        let child = self.required(label)?;
        match child.text() {
            "" => Err(Malformed::new(label, child.offset, MalformedKind::Missing)),
            text => Ok(text),
        }
    }

    /// The text of the element `label` below this one, if it is there and not empty.
    pub(crate) fn optional_text(&self, label: &str) -> Result<Option<&str>, Malformed> {
        let text = self.child(label)?.map(Self::text);
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The number in the element `label` below this one.
    pub(crate) fn required_number(&self, label: &str) -> Result<u32, Malformed> {
        let text = self.required_text(label)?;
        text.parse().map_err(|_shape| self.wrong(label, text))
    }

    /// The value of the attribute with this local name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(attribute, _)| attribute == name)
            .map(|(_, value)| value.as_str())
    }

    /// The complaint that `value` is not allowed in `label` at or below this element.
    pub(crate) fn wrong(&self, label: &str, value: &str) -> Malformed {
        Malformed::new(label, self.offset, MalformedKind::Value(excerpt(value)))
    }
}

/// The first characters of a value, enough to recognise it in an error.
fn excerpt(value: &str) -> String {
    value.chars().take(80).collect()
}

/// Builds the tree; a stack of open elements in place of recursion.
#[derive(Debug, Default)]
struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    count: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, offset: usize) -> Result<(), Malformed> {
        match event {
            Event::Start(start) | Event::Empty(start) => self.start(&start, offset),
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) => {
                let text = text.xml10_content();
                self.text(
                    &text.map_err(|error| self.syntax(offset, error.to_string()))?,
                    offset,
                )
            }
            Event::CData(text) => {
                let text = text.xml10_content();
                self.text(
                    &text.map_err(|error| self.syntax(offset, error.to_string()))?,
                    offset,
                )
            }
            Event::GeneralRef(reference) => {
                let text = self.resolve(&reference, offset)?;
                self.text(&text, offset)
            }
            Event::DocType(_) => Err(Malformed::new(
                "!DOCTYPE",
                offset,
                MalformedKind::DoctypeRefused,
            )),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, offset: usize) -> Result<(), Malformed> {
        let name = lossy(start.local_name().as_ref());
        if !is_name(&name) {
            return Err(self.syntax(offset, format!("no name `{}`", excerpt(&name))));
        }
        let complain = |kind| Malformed::new(name.as_str(), offset, kind);
        self.count += 1;
        if self.count > MAX_ELEMENTS {
            return Err(complain(MalformedKind::Limit("elements", MAX_ELEMENTS)));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(complain(MalformedKind::Limit("depth", MAX_DEPTH)));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(complain(MalformedKind::Unexpected));
        }
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            // Before the next one is looked at: looking for doubles costs the square of the count.
            if attributes.len() >= MAX_ATTRIBUTES {
                return Err(complain(MalformedKind::Limit("attributes", MAX_ATTRIBUTES)));
            }
            let attribute =
                attribute.map_err(|error| complain(MalformedKind::Syntax(error.to_string())))?;
            let value = attribute
                .unescape_value()
                .map_err(|error| complain(MalformedKind::Syntax(error.to_string())))?;
            if !value.chars().all(is_allowed) {
                return Err(complain(MalformedKind::Syntax(FORBIDDEN.to_owned())));
            }
            attributes.push((
                lossy(attribute.key.local_name().as_ref()),
                value.into_owned(),
            ));
        }
        self.open.push(Element {
            name,
            offset,
            attributes,
            text: String::new(),
            children: Vec::new(),
        });
        Ok(())
    }

    /// The reader has checked that the end belongs to the element opened last.
    fn end(&mut self) {
        let Some(element) = self.open.pop() else {
            return;
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str, offset: usize) -> Result<(), Malformed> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(self.syntax(offset, "text outside the root element".to_owned())),
        }
        Ok(())
    }

    fn resolve(&self, reference: &BytesRef<'_>, offset: usize) -> Result<String, Malformed> {
        let character = reference
            .resolve_char_ref()
            .map_err(|error| self.syntax(offset, error.to_string()))?;
        if let Some(character) = character {
            return if is_allowed(character) {
                Ok(character.to_string())
            } else {
                Err(self.syntax(offset, FORBIDDEN.to_owned()))
            };
        }
        let name = reference
            .decode()
            .map_err(|error| self.syntax(offset, error.to_string()))?;
        resolve_predefined_entity(&name)
            .map(str::to_owned)
            .ok_or_else(|| self.syntax(offset, format!("unknown entity `{}`", excerpt(&name))))
    }

    fn finish(mut self, offset: usize) -> Result<Element, Malformed> {
        if !self.open.is_empty() {
            return Err(self.syntax(offset, "the message ends inside an element".to_owned()));
        }
        self.root
            .take()
            .ok_or_else(|| self.syntax(offset, "no element".to_owned()))
    }

    fn syntax(&self, offset: usize, text: String) -> Malformed {
        let element = self.open.last().map_or("message", |element| &element.name);
        Malformed::new(element, offset, MalformedKind::Syntax(text))
    }
}

/// Names come from a text that was read as UTF-8, so nothing is lost.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes elements one after the other.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// Writes the XML declaration.
    pub(crate) fn declaration(&mut self) {
        self.out
            .push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    }

    /// Opens an element; what follows goes into it, until [`Writer::close`].
    pub(crate) fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.out.push('>');
        self.open.push(name);
    }

    /// Closes the element opened last.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.end(name);
        }
    }

    /// Writes an element that holds a text.
    pub(crate) fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.tag(name, attributes);
        self.out.push('>');
        escape_into(&mut self.out, text);
        self.end(name);
    }

    /// Writes an element that holds nothing.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.out.push_str("/>");
    }

    /// Closes every element that is open and returns what was written.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.out.into_bytes()
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (attribute, value) in attributes {
            self.out.push(' ');
            self.out.push_str(attribute);
            self.out.push_str("=\"");
            escape_into(&mut self.out, value);
            self.out.push('"');
        }
    }
}

/// One way of escaping for texts and attribute values. Characters that XML 1.0 cannot carry become
/// U+FFFD, so that what is written is well formed whatever the text is.
fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            _ if is_allowed(character) => out.push(character),
            _ => out.push('\u{fffd}'),
        }
    }
}

/// True for the characters of XML 1.0 (section 2.2); surrogates are no `char`.
const fn is_allowed(character: char) -> bool {
    !matches!(
        character,
        '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}'
    )
}

/// True for a name as XML has it, apart from a few characters beyond ASCII.
fn is_name(name: &str) -> bool {
    let is_start = |found: char| found.is_ascii_alphabetic() || found == '_' || !found.is_ascii();
    name.starts_with(is_start)
        && name
            .chars()
            .all(|found| is_start(found) || found.is_ascii_digit() || matches!(found, '-' | '.'))
}

const FORBIDDEN: &str = "a character that XML does not have";

/// Contract 0: more than that is answered with 413 before a message is read.
const MAX_BYTES: usize = 1024 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_ELEMENTS: usize = 4096;
const MAX_ATTRIBUTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_whatever_they_hold() {
        for text in ["a", "<&>\"'", "line\r\nline\ttab", "ünï\u{1f600}", "]]>"] {
            let mut writer = Writer::default();
            writer.leaf("x:t", &[("y:a", text)], text);
            let element = Element::read(&writer.into_bytes()).unwrap();
            assert_eq!(element.name, "t");
            assert_eq!(element.text, text);
            assert_eq!(element.attribute("a"), Some(text));
        }
    }

    #[test]
    fn what_passes_a_limit_or_is_not_well_formed_is_refused() {
        let deep = "<a>".repeat(MAX_DEPTH + 1);
        let wide = format!("<r>{}</r>", "<a/>".repeat(MAX_ELEMENTS));
        let attributes: String = (0..=MAX_ATTRIBUTES).map(|n| format!(" a{n}=''")).collect();
        let bristly = format!("<r{attributes}/>");
        let long = format!("<r>{}</r>", "x".repeat(MAX_BYTES));
        for (text, kind) in [
            (
                deep.as_str(),
                Some(MalformedKind::Limit("depth", MAX_DEPTH)),
            ),
            (&wide, Some(MalformedKind::Limit("elements", MAX_ELEMENTS))),
            (
                &bristly,
                Some(MalformedKind::Limit("attributes", MAX_ATTRIBUTES)),
            ),
            (&long, Some(MalformedKind::Limit("bytes", MAX_BYTES))),
            ("<!DOCTYPE a><a/>", Some(MalformedKind::DoctypeRefused)),
            ("<a/><b/>", Some(MalformedKind::Unexpected)),
            ("", None),
            ("text", None),
            ("<a>", None),
            ("<a></b>", None),
            ("<a>&nothing;</a>", None),
            ("<a>&#xffffffff;</a>", None),
            ("< a></ a>", None),
            ("<1/>", None),
            ("<a>\0</a>", None),
            ("<a>&#1;</a>", None),
            ("<a b='&#1;'/>", None),
            ("<a b='1' b='2'/>", None),
        ] {
            let error = Element::read(text.as_bytes()).unwrap_err();
            match kind {
                Some(kind) => assert_eq!(error.kind, kind),
                None => assert!(
                    matches!(error.kind, MalformedKind::Syntax(_)),
                    "{text}: {error}"
                ),
            }
        }
        let error = Element::read(b"<a>\xff</a>").unwrap_err();
        assert_eq!((error.kind, error.offset), (MalformedKind::NotUtf8, 3));
    }
}
