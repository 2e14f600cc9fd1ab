//! SyncML 1.2 as OMA-DM 1.2.1 and MS-MDM use it: the message as types, [`decode`] and [`encode`].
//!
//! Texts borrow from the message they were read from wherever it needed no unescaping.
//! Unknown status codes, alert codes and formats survive decoding. Elements that this module does
//! not know are reported ([`Message::ignored`], [`Command::Unknown`]) and are not fatal.

mod auth;
mod check_in;
mod command;
mod decode;
mod encode;
mod status;

use std::borrow::Cow;

pub use auth::digest_md5;
pub use check_in::CheckIn;
pub use command::{
    Alert, Chal, Command, Container, ContainerKind, Cred, Data, Item, Meta, Request, Results,
    Status, UnknownCommand, Verb,
};
pub use decode::{Limits, decode};
pub use encode::encode;
pub use status::{AlertCode, StatusCode};

/// A text that borrows from the message it came from, or owns itself.
pub type Text<'a> = Cow<'a, str>;

/// The media type of a SyncML message in XML form (MS-MDM 2.1).
pub const CONTENT_TYPE: &str = "application/vnd.syncml.dm+xml";
/// The media type of a SyncML message in binary form, which muster's core refuses.
pub const CONTENT_TYPE_WBXML: &str = "application/vnd.syncml.dm+wbxml";
/// The namespace that is written.
pub const NAMESPACE: &str = "SYNCML:SYNCML1.2";
/// The namespace of the children of `Meta`.
pub const NAMESPACE_METINF: &str = "syncml:metinf";
/// The namespace of the attribute `msft:originalerror` (MS-MDM 2.2).
pub const NAMESPACE_MSFT: &str = "http://schemas.microsoft.com/MobileDevice/MDM";

/// One message of a session: header, commands in order, and whether the package ends with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The `SyncHdr`.
    pub header: Header<'a>,
    /// The commands of the `SyncBody`, in document order.
    pub commands: Vec<Command<'a>>,
    /// True when `Final` is present.
    pub is_final: bool,
    /// Elements that were not understood and skipped, outside the places where
    /// [`Command::Unknown`] stands for them; bounded by [`Limits::ignored`].
    pub ignored: Vec<Ignored>,
}

/// The header of a message (`SyncHdr`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// `VerDTD`, `1.2` in every message that is written.
    pub ver_dtd: Text<'a>,
    /// `VerProto`, `DM/1.2` in every message that is written.
    pub ver_proto: Text<'a>,
    /// `SessionID`: opaque, chosen by the client; `0` is legal.
    pub session_id: Text<'a>,
    /// `MsgID`: 1 in the first message of a session, then one more a message.
    pub msg_id: u32,
    /// `Target/LocURI`.
    pub target: Text<'a>,
    /// `Source/LocURI`: the DeviceID in messages of a device.
    pub source: Text<'a>,
    /// `Source/LocName`: the user name of the digest account.
    pub source_name: Option<Text<'a>>,
    /// `Cred`.
    pub cred: Option<Cred<'a>>,
    /// `Meta`.
    pub meta: Option<Meta<'a>>,
}

/// An element that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The path of the element from the root, for example `SyncML/SyncHdr/RespURI`.
    pub path: String,
    /// Offset in bytes from the start of the message.
    pub offset: usize,
}

impl<'a> Header<'a> {
    /// A header of version 1.2 without credential and meta.
    #[must_use]
    pub fn new(session_id: Text<'a>, msg_id: u32, target: Text<'a>, source: Text<'a>) -> Self {
        Self {
            ver_dtd: Cow::Borrowed("1.2"),
            ver_proto: Cow::Borrowed("DM/1.2"),
            session_id,
            msg_id,
            target,
            source,
            source_name: None,
            cred: None,
            meta: None,
        }
    }
}
