//! Troubles that a scenario gives a device of the laboratory: lost messages, a directory that cannot
//! be reached, a setting that the device will not take.

use std::borrow::Cow;

use bytes::Bytes;
use emulator::Endpoint;
use protocol::laps_csp::Leaf;
use protocol::syncml::{Command, Data, Limits, Request, decode, encode};

/// What goes wrong for a device from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Uploads do not reach the directory.
    pub directory_unreachable: bool,
    /// Once an Exec of `ResetPassword` has arrived, no further message of that session leaves the
    /// device.
    pub cut_after_exec: bool,
    /// The device takes no value for this setting: it reads one that it cannot understand.
    pub unreadable_leaf: Option<Leaf>,
}

impl Trouble {
    /// Why a request does not leave the device.
    pub(super) fn keeps_back(self, endpoint: Endpoint, execs: usize) -> Option<&'static str> {
        match endpoint {
            Endpoint::Directory if self.directory_unreachable => {
                Some("kept back: the scenario lets no upload out")
            }
            Endpoint::Management if self.cut_after_exec && execs > 0 => {
                Some("kept back: the scenario cuts the connection after the Exec")
            }
            Endpoint::Directory
            | Endpoint::Management
            | Endpoint::Discovery
            | Endpoint::Policy
            | Endpoint::Enrollment => None,
        }
    }

    /// An answer of the management plane as the device reads it.
    pub(super) fn as_read(self, endpoint: Endpoint, body: &Bytes) -> Bytes {
        match (endpoint, self.unreadable_leaf) {
            (Endpoint::Management, Some(leaf)) => {
                garbled(body, leaf).map_or_else(|| body.clone(), Bytes::from)
            }
            (
                Endpoint::Management
                | Endpoint::Directory
                | Endpoint::Discovery
                | Endpoint::Policy
                | Endpoint::Enrollment,
                _,
            ) => body.clone(),
        }
    }
}

/// The message with another value for a leaf; `None` when it is no message.
fn garbled(body: &[u8], leaf: Leaf) -> Option<Vec<u8>> {
    let mut message = decode(body, &Limits::default()).ok()?;
    for command in &mut message.commands {
        garble_command(command, leaf);
    }
    let mut bytes = Vec::with_capacity(body.len());
    encode(&message, &mut bytes);
    Some(bytes)
}

fn garble_command(command: &mut Command<'_>, leaf: Leaf) {
    match command {
        Command::Request(request) => garble(request, leaf),
        Command::Container(container) => {
            for inner in &mut container.commands {
                garble_command(inner, leaf);
            }
        }
        Command::Status(_) | Command::Results(_) | Command::Alert(_) | Command::Unknown(_) => {}
    }
}

fn garble(request: &mut Request<'_>, leaf: Leaf) {
    for item in &mut request.items {
        let named = item.target.as_deref().and_then(Leaf::by_loc_uri);
        if named == Some(leaf) && item.data.is_some() {
            item.data = Some(Data::Text(Cow::Borrowed("not a number")));
        }
    }
}
