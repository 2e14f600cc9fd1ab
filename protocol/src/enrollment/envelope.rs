//! The SOAP envelope: what every message of enrolment has around its body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::names;
use crate::xml::{Element, Writer};
use crate::{Malformed, MalformedKind};

/// A message that was read: the header if it has one, and the first element of the body.
#[derive(Debug)]
pub(super) struct Envelope {
    root: Element,
}

impl Envelope {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let root = Element::read(bytes)?;
        if root.name != "Envelope" {
            return Err(Malformed::new(
                root.name.as_str(),
                root.offset,
                MalformedKind::Unexpected,
            ));
        }
        Ok(Self { root })
    }

    pub(super) fn header(&self) -> Result<Option<&Element>, Malformed> {
        self.root.child("s:Header")
    }

    pub(super) fn required_header(&self) -> Result<&Element, Malformed> {
        self.root.required("s:Header")
    }

    /// The one element of the body.
    pub(super) fn content(&self) -> Result<&Element, Malformed> {
        let body = self.root.required("s:Body")?;
        match body.children() {
            [content] => Ok(content),
            [] => Err(Malformed::new(
                "s:Body",
                body.offset,
                MalformedKind::Missing,
            )),
            [_, second, ..] => Err(Malformed::new(
                second.name.as_str(),
                second.offset,
                MalformedKind::Unexpected,
            )),
        }
    }
}

/// Reads base64 that may be broken into lines.
pub(super) fn base64(element: &Element, label: &str) -> Result<Vec<u8>, Malformed> {
    let text: String = element.text().split_ascii_whitespace().collect();
    if text.is_empty() {
        return Err(Malformed::new(
            label,
            element.offset,
            MalformedKind::Missing,
        ));
    }
    // The value itself is not shown: it may be a secret.
    STANDARD
        .decode(text)
        .map_err(|_shape| element.wrong(label, "not base64"))
}

/// Starts an envelope and its header; `namespaces` are those beside the two that every message has.
pub(super) fn open(action: &str, namespaces: &[(&str, &str)]) -> Writer {
    let mut w = Writer::default();
    let mut attributes = vec![("xmlns:s", names::SOAP), ("xmlns:a", names::ADDRESSING)];
    attributes.extend_from_slice(namespaces);
    w.open("s:Envelope", &attributes);
    w.open("s:Header", &[]);
    w.leaf("a:Action", MUST_UNDERSTAND, action);
    w
}

/// Ends the header and starts the body; `Writer::into_bytes` ends what is open.
pub(super) fn open_body(w: &mut Writer) {
    w.close();
    w.open("s:Body", &[]);
}

/// Attribute of the parts of a header that the receiver must not ignore.
pub(super) const MUST_UNDERSTAND: &[(&str, &str)] = &[("s:mustUnderstand", "1")];
