//! From a LocURI to the node it names.

use std::borrow::Cow;

use protocol::laps_csp::{FIRST_BUILD, Leaf};

use crate::fault::DeviceFault;

/// A node that a device of this emulator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// `LAPS`.
    Laps,
    /// `LAPS/Policies`.
    LapsPolicies,
    /// `LAPS/Actions`.
    LapsActions,
    /// A leaf below `LAPS/Policies`.
    LapsLeaf(Leaf),
    /// `LAPS/Actions/ResetPassword`.
    ResetPassword,
    /// `LAPS/Actions/ResetPasswordStatus`.
    ResetPasswordStatus,
    /// `DevInfo`.
    DevInfo,
    /// A leaf below `DevInfo`, by its place in [`DEV_INFO`].
    DevInfoLeaf(usize),
    /// `DevDetail`.
    DevDetail,
    /// `DevDetail/SwV`.
    SoftwareVersion,
    /// `DMClient`.
    DmClient,
    /// `DMClient/Provider`.
    Providers,
    /// `DMClient/Provider/<id>`.
    Provider,
    /// `.../EntDMID`.
    EntDmId,
    /// `.../Unenroll`.
    Unenroll,
    /// `.../Push`.
    Push,
    /// `.../Push/PFN`.
    PushPfn,
    /// `.../Push/ChannelURI`.
    PushChannelUri,
    /// `.../Push/Status`.
    PushStatus,
    /// `RemoteWipe`.
    RemoteWipe,
    /// `RemoteWipe/doWipe`.
    DoWipe,
}

/// The leaves of `DevInfo`, in the order of the first message.
pub(crate) const DEV_INFO: [&str; 5] = ["DevId", "Man", "Mod", "DmV", "Lang"];

/// Why a LocURI names no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    /// Not the form of a LocURI, for example with a leading `/` (F-051).
    Malformed,
    /// There is no such node on this device.
    Unknown,
}

/// Finds the node of a LocURI on a device of `build` that is enrolled with `provider_id`.
///
/// `./Device/...` and no prefix mean the same; LAPS has no user scope (F-001).
pub(crate) fn resolve(
    loc_uri: &str,
    provider_id: &str,
    build: u32,
    fault: Option<DeviceFault>,
) -> Result<Node, PathError> {
    let Some(path) = loc_uri.strip_prefix("./") else {
        return Err(PathError::Malformed);
    };
    let path = path.strip_prefix("Device/").unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    let node = match segments.as_slice() {
        ["DevInfo"] => Some(Node::DevInfo),
        ["DevInfo", leaf] => DEV_INFO
            .iter()
            .position(|name| name == leaf)
            .map(Node::DevInfoLeaf),
        ["DevDetail"] => Some(Node::DevDetail),
        ["DevDetail", "SwV"] => Some(Node::SoftwareVersion),
        ["Vendor", "MSFT", "LAPS", rest @ ..] => laps(rest, build, fault),
        ["Vendor", "MSFT", "DMClient", rest @ ..] => dm_client(rest, provider_id),
        ["Vendor", "MSFT", "RemoteWipe"] => Some(Node::RemoteWipe),
        ["Vendor", "MSFT", "RemoteWipe", "doWipe"] => Some(Node::DoWipe),
        _ => None,
    };
    node.ok_or(PathError::Unknown)
}

/// True for LocURIs of the LAPS CSP, known or not.
pub(crate) fn is_laps(loc_uri: &str) -> bool {
    let path = loc_uri.strip_prefix("./").unwrap_or(loc_uri);
    let path = path.strip_prefix("Device/").unwrap_or(path);
    let rest = path.strip_prefix("Vendor/MSFT/LAPS");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn laps(rest: &[&str], build: u32, fault: Option<DeviceFault>) -> Option<Node> {
    if build < FIRST_BUILD {
        return None;
    }
    match rest {
        [] => Some(Node::Laps),
        ["Policies"] => Some(Node::LapsPolicies),
        ["Policies", name] => protocol::laps_csp::NODES
            .iter()
            .find(|row| row.name == *name)
            .filter(|row| {
                build >= row.since.first_build()
                    || fault.is_some_and(|fault| fault.brings(row.leaf))
            })
            .map(|row| Node::LapsLeaf(row.leaf)),
        ["Actions"] => Some(Node::LapsActions),
        ["Actions", "ResetPassword"] => Some(Node::ResetPassword),
        ["Actions", "ResetPasswordStatus"] => Some(Node::ResetPasswordStatus),
        _ => None,
    }
}

fn dm_client(rest: &[&str], provider_id: &str) -> Option<Node> {
    let below = match rest {
        [] => return Some(Node::DmClient),
        ["Provider"] => return Some(Node::Providers),
        ["Provider", id, below @ ..] if unescape(id) == provider_id => below,
        _ => return None,
    };
    match below {
        [] => Some(Node::Provider),
        ["EntDMID"] => Some(Node::EntDmId),
        ["Unenroll"] => Some(Node::Unenroll),
        ["Push"] => Some(Node::Push),
        ["Push", "PFN"] => Some(Node::PushPfn),
        ["Push", "ChannelURI"] => Some(Node::PushChannelUri),
        ["Push", "Status"] => Some(Node::PushStatus),
        _ => None,
    }
}

/// Undoes `%41` escapes, for example in `MS%20DM%20Server`.
fn unescape(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    rest = after;
                }
                (Some(_) | None, _) => {
                    bytes.push(b'%');
                    rest = tail;
                }
            },
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Escapes a segment for the list of children that a Get of an interior node returns.
pub(crate) fn escape(segment: &str) -> String {
    use std::fmt::Write;
    let mut escaped = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
