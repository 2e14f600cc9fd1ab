//! How messages of the management plane are written: ids of commands, addresses, white space,
//! prefixes. What they say stays the same.

use std::borrow::Cow;

use super::{Variant, Variants};
use crate::core::HttpResponse;

/// What stands before the number of a command.
const ID_PREFIX: &str = "cmd.";
/// The prefix of element names.
const NAME_PREFIX: &str = "dm:";
const ROOT: &str = "<SyncML xmlns=";
const DEVICE: &str = "<LocURI>./Device/Vendor/";
const VENDOR: &str = "<LocURI>./Vendor/";

/// The variants that need a message taken apart.
const REWRITING: &[Variant] = &[
    Variant::SyncCommandIds,
    Variant::SyncVendorForm,
    Variant::SyncWhiteSpace,
    Variant::SyncPrefix,
];

/// A message of a device as the core reads it: references to its commands by number.
pub(crate) fn incoming(on: Variants, body: &[u8]) -> Cow<'_, [u8]> {
    let marked = format!("<CmdRef>{ID_PREFIX}");
    if !on.has(Variant::SyncCommandIds) {
        return Cow::Borrowed(body);
    }
    match str::from_utf8(body) {
        Ok(text) if text.contains(&marked) => {
            Cow::Owned(text.replace(&marked, "<CmdRef>").into_bytes())
        }
        Ok(_) | Err(_) => Cow::Borrowed(body),
    }
}

/// An answer as the variants write it.
pub(super) fn outgoing(on: Variants, response: HttpResponse) -> HttpResponse {
    if response.status != 200 || !on.any_of(REWRITING) {
        return response;
    }
    let mut text = String::from_utf8_lossy(&response.body).into_owned();
    if on.has(Variant::SyncCommandIds) {
        text = text.replace("<CmdID>", &format!("<CmdID>{ID_PREFIX}"));
    }
    if on.has(Variant::SyncVendorForm) {
        text = text.replace(DEVICE, VENDOR);
    }
    if on.has(Variant::SyncWhiteSpace) {
        text = spaced(&text);
    }
    if on.has(Variant::SyncPrefix) {
        text = prefixed(&text);
    }
    HttpResponse {
        body: text.into_bytes(),
        ..response
    }
}

/// White space behind every end tag, where no text of an element can stand.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(start) = rest.find("</") {
        let end = rest
            .get(start..)
            .and_then(|tag| tag.find('>'))
            .map_or(rest.len(), |length| start + length + 1);
        let (before, behind) = rest.split_at(end);
        out.push_str(before);
        if !behind.is_empty() {
            out.push_str("\r\n\t");
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A prefix before every name that is in the namespace of the root; an element that declares a
/// namespace of its own is a leaf and keeps it.
fn prefixed(text: &str) -> String {
    let bound = NAME_PREFIX.trim_end_matches(':');
    let text = text.replacen(ROOT, &format!("<SyncML xmlns:{bound}="), 1);
    let mut out = String::with_capacity(text.len() * 2);
    let mut foreign = false;
    for (place, piece) in text.split('<').enumerate() {
        if place == 0 {
            out.push_str(piece);
            continue;
        }
        out.push('<');
        let tag = piece.split('>').next().unwrap_or_default();
        if piece.starts_with(['?', '!']) {
            out.push_str(piece);
        } else if let Some(name) = piece.strip_prefix('/') {
            out.push('/');
            if !std::mem::take(&mut foreign) {
                out.push_str(NAME_PREFIX);
            }
            out.push_str(name);
        } else if tag.contains(" xmlns=") {
            foreign = !tag.ends_with('/');
            out.push_str(piece);
        } else {
            out.push_str(NAME_PREFIX);
            out.push_str(piece);
        }
    }
    out
}
