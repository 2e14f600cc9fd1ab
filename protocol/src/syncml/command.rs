//! The commands of a `SyncBody` and what they are made of (wire-facts 2.2).

use std::borrow::Cow;
use std::fmt;

use super::{AlertCode, StatusCode, Text};

/// One command of a `SyncBody`, an `Atomic` or a `Sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "most commands of a device are a Status: a box would cost each an allocation"
)]
pub enum Command<'a> {
    /// The answer to a command or to a header.
    Status(Status<'a>),
    /// The answer to a `Get`.
    Results(Results<'a>),
    /// An alert.
    Alert(Alert<'a>),
    /// `Add`, `Replace`, `Delete`, `Get` or `Exec`.
    Request(Request<'a>),
    /// `Atomic` or `Sequence`.
    Container(Container<'a>),
    /// An element that is no command of SyncML; the receiver answers 400.
    Unknown(UnknownCommand<'a>),
}

/// The verb of a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Creates a node.
    Add,
    /// Writes a node; creates it where the node allows `Add`.
    Replace,
    /// Removes a node.
    Delete,
    /// Reads a node.
    Get,
    /// Executes a node.
    Exec,
}

impl Verb {
    /// The element name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Replace => "Replace",
            Self::Delete => "Delete",
            Self::Get => "Get",
            Self::Exec => "Exec",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `Add`, `Replace`, `Delete`, `Get` or `Exec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Which of the five.
    pub verb: Verb,
    /// `CmdID`; absent in malformed commands, which a device answers with 400 and an empty `CmdRef`.
    pub cmd_id: Option<Text<'a>>,
    /// `Meta` of the command, which holds for items without their own.
    pub meta: Option<Meta<'a>>,
    /// The items, in order.
    pub items: Vec<Item<'a>>,
}

/// Which container a [`Container`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerKind {
    /// All or nothing.
    Atomic,
    /// In order.
    Sequence,
}

impl ContainerKind {
    /// The element name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Atomic => "Atomic",
            Self::Sequence => "Sequence",
        }
    }
}

/// `Atomic` or `Sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// Which of the two.
    pub kind: ContainerKind,
    /// `CmdID`.
    pub cmd_id: Option<Text<'a>>,
    /// `Meta`.
    pub meta: Option<Meta<'a>>,
    /// The commands inside, in order.
    pub commands: Vec<Command<'a>>,
}

/// `Alert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert<'a> {
    /// `CmdID`.
    pub cmd_id: Option<Text<'a>>,
    /// The code in `Data`.
    pub code: AlertCode,
    /// The items, in order.
    pub items: Vec<Item<'a>>,
}

/// `Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// `CmdID` of the status itself; never answered.
    pub cmd_id: Option<Text<'a>>,
    /// The `MsgID` of the message answered.
    pub msg_ref: u32,
    /// The `CmdID` of the command answered, byte for byte; `0` for the header.
    pub cmd_ref: Text<'a>,
    /// The name of the command answered; `SyncHdr` for the header.
    pub cmd: Text<'a>,
    /// `TargetRef`: the targets this status speaks for, where it does not speak for all.
    pub target_refs: Vec<Text<'a>>,
    /// `SourceRef`.
    pub source_refs: Vec<Text<'a>>,
    /// `Cred`.
    pub cred: Option<Cred<'a>>,
    /// `Chal`: a challenge.
    pub chal: Option<Chal<'a>>,
    /// The code in `Data`.
    pub code: StatusCode,
    /// The attribute `msft:originalerror` of `Data`, as written, for example `0x80070057`.
    pub original_error: Option<Text<'a>>,
    /// The items, in order.
    pub items: Vec<Item<'a>>,
}

/// `Results`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results<'a> {
    /// `CmdID` of the results.
    pub cmd_id: Option<Text<'a>>,
    /// The `MsgID` of the message answered; absent means 1.
    pub msg_ref: Option<u32>,
    /// The `CmdID` of the `Get` answered.
    pub cmd_ref: Text<'a>,
    /// The name of the command answered.
    pub cmd: Option<Text<'a>>,
    /// `Meta` for items without their own.
    pub meta: Option<Meta<'a>>,
    /// The items, in order; `source` names the node read.
    pub items: Vec<Item<'a>>,
}

/// An element in a place of a command that is no command of SyncML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCommand<'a> {
    /// The local name of the element.
    pub name: Text<'a>,
    /// Its `CmdID` child, when it has one.
    pub cmd_id: Option<Text<'a>>,
    /// Offset in bytes from the start of the message.
    pub offset: usize,
}

/// `Item`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item<'a> {
    /// `Target/LocURI`.
    pub target: Option<Text<'a>>,
    /// `Source/LocURI`.
    pub source: Option<Text<'a>>,
    /// `Meta` of the item.
    pub meta: Option<Meta<'a>>,
    /// `Data`.
    pub data: Option<Data<'a>>,
    /// True when `MoreData` says that the value goes on in the next message.
    pub more_data: bool,
}

/// The content of `Data` in an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// Character data, unescaped.
    Text(Text<'a>),
    /// Markup, as it stands between the tags.
    Markup(Text<'a>),
}

impl<'a> Data<'a> {
    /// The characters: the text, or the markup as it stands.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Markup(text) => text,
        }
    }
}

/// `Meta`: what is said about a value, a command or a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta<'a> {
    /// `Format`: `chr`, `int`, `bool`, `b64`, `null`, `node`, ...; unknown ones survive.
    pub format: Option<Text<'a>>,
    /// `Type`: a media type or the name of an alert.
    pub content_type: Option<Text<'a>>,
    /// `NextNonce`: base64 of the nonce of the next digest.
    pub next_nonce: Option<Text<'a>>,
    /// `MaxMsgSize`, in bytes.
    pub max_msg_size: Option<u64>,
    /// `MaxObjSize`, in bytes.
    pub max_obj_size: Option<u64>,
    /// `Size` of a chunked value, in bytes.
    pub size: Option<u64>,
}

/// `Cred`: a credential; its `Debug` hides the data.
#[derive(Clone, PartialEq, Eq)]
pub struct Cred<'a> {
    /// `Meta`: format and type of the credential.
    pub meta: Option<Meta<'a>>,
    /// The credential itself.
    pub data: Text<'a>,
}

impl fmt::Debug for Cred<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cred")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

/// `Chal`: a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chal<'a> {
    /// `Meta`: type of the credential asked for and its nonce.
    pub meta: Meta<'a>,
}

impl<'a> Item<'a> {
    /// An item that names a target and nothing else.
    #[must_use]
    pub fn target(loc_uri: impl Into<Text<'a>>) -> Self {
        Self {
            target: Some(loc_uri.into()),
            ..Self::default()
        }
    }

    /// An item with a source and a text, as in `Replace` of the first message.
    #[must_use]
    pub fn source_text(loc_uri: impl Into<Text<'a>>, text: impl Into<Text<'a>>) -> Self {
        Self {
            source: Some(loc_uri.into()),
            data: Some(Data::Text(text.into())),
            ..Self::default()
        }
    }

    /// The text of `Data`, empty when there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.data.as_ref().map_or("", Data::as_str)
    }
}

impl<'a> Meta<'a> {
    /// A `Meta` with a format alone.
    #[must_use]
    pub fn format(format: &'static str) -> Self {
        Self {
            format: Some(Cow::Borrowed(format)),
            ..Self::default()
        }
    }
}

impl<'a> Status<'a> {
    /// A status without references, challenge and items.
    #[must_use]
    pub fn new(
        cmd_id: Text<'a>,
        msg_ref: u32,
        cmd_ref: Text<'a>,
        cmd: impl Into<Text<'a>>,
        code: StatusCode,
    ) -> Self {
        Self {
            cmd_id: Some(cmd_id),
            msg_ref,
            cmd_ref,
            cmd: cmd.into(),
            target_refs: Vec::new(),
            source_refs: Vec::new(),
            cred: None,
            chal: None,
            code,
            original_error: None,
            items: Vec::new(),
        }
    }
}

impl<'a> Command<'a> {
    /// The `CmdID`, where the command has one.
    #[must_use]
    pub fn cmd_id(&self) -> Option<&str> {
        match self {
            Self::Status(status) => status.cmd_id.as_deref(),
            Self::Results(results) => results.cmd_id.as_deref(),
            Self::Alert(alert) => alert.cmd_id.as_deref(),
            Self::Request(request) => request.cmd_id.as_deref(),
            Self::Container(container) => container.cmd_id.as_deref(),
            Self::Unknown(unknown) => unknown.cmd_id.as_deref(),
        }
    }

    /// The element name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Status(_) => "Status",
            Self::Results(_) => "Results",
            Self::Alert(_) => "Alert",
            Self::Request(request) => request.verb.as_str(),
            Self::Container(container) => container.kind.as_str(),
            Self::Unknown(unknown) => &unknown.name,
        }
    }
}
