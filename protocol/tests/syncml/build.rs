//! Short constructors for the messages that the tests write by hand.

use protocol::syncml::{
    Alert, AlertCode, Command, Container, ContainerKind, Cred, Data, Header, Item, Message, Meta,
    Request, Results, Status, StatusCode, Text, Verb,
};

/// The device of the golden messages.
pub(crate) const DEVICE: &str = "5D3B8E0F6A1C4972B8D0E4F1A7C2963B";
/// The core of the golden messages.
pub(crate) const CORE: &str = "https://manage.fleet.example/omadm/session";

/// The message `msg_id` of the device in `session`, with `Final`.
pub(crate) fn from_device(
    session: &'static str,
    msg_id: u32,
    commands: Vec<Command<'static>>,
) -> Message<'static> {
    Message {
        header: Header::new(session.into(), msg_id, CORE.into(), DEVICE.into()),
        commands,
        is_final: true,
        ignored: Vec::new(),
    }
}

/// The message `msg_id` of the core in `session`, with `Final`.
pub(crate) fn from_core(
    session: &'static str,
    msg_id: u32,
    commands: Vec<Command<'static>>,
) -> Message<'static> {
    Message {
        header: Header::new(session.into(), msg_id, DEVICE.into(), CORE.into()),
        ..from_device(session, msg_id, commands)
    }
}

/// The commands of the first message of a device.
pub(crate) fn package_1() -> Vec<Command<'static>> {
    package_1_of(DEVICE, ["Muster", "Emulated Laptop", "de-DE"], "none")
}

/// As [`package_1`], with maker, model and language, and the login status.
pub(crate) fn package_1_of(
    device: &'static str,
    [maker, model, language]: [&'static str; 3],
    login: &'static str,
) -> Vec<Command<'static>> {
    let login = Item {
        meta: Some(content_type("com.microsoft/MDM/LoginStatus")),
        data: Some(Data::Text(login.into())),
        ..Item::default()
    };
    vec![
        alert("2", AlertCode(1201), vec![]),
        alert("3", AlertCode(1224), vec![login]),
        request(
            Verb::Replace,
            "4",
            vec![
                Item::source_text("./DevInfo/DevId", device),
                Item::source_text("./DevInfo/Man", maker),
                Item::source_text("./DevInfo/Mod", model),
                Item::source_text("./DevInfo/DmV", "1.3"),
                Item::source_text("./DevInfo/Lang", language),
            ],
        ),
    ]
}

/// The answers to [`package_1`], and `more`.
pub(crate) fn answers_and(more: Vec<Command<'static>>) -> Vec<Command<'static>> {
    let mut commands = vec![
        status("1", 1, "0", "SyncHdr", 200),
        status("2", 1, "2", "Alert", 200),
        status("3", 1, "3", "Alert", 200),
        status("4", 1, "4", "Replace", 200),
    ];
    commands.extend(more);
    commands
}

pub(crate) fn status(
    cmd_id: &'static str,
    msg_ref: u32,
    cmd_ref: &'static str,
    cmd: &'static str,
    code: u32,
) -> Command<'static> {
    let code = StatusCode(code);
    Command::Status(Status::new(
        cmd_id.into(),
        msg_ref,
        cmd_ref.into(),
        cmd,
        code,
    ))
}

pub(crate) fn alert(
    cmd_id: &'static str,
    code: AlertCode,
    items: Vec<Item<'static>>,
) -> Command<'static> {
    Command::Alert(Alert {
        cmd_id: Some(cmd_id.into()),
        code,
        items,
    })
}

pub(crate) fn request(
    verb: Verb,
    cmd_id: &'static str,
    items: Vec<Item<'static>>,
) -> Command<'static> {
    Command::Request(Request {
        verb,
        cmd_id: Some(cmd_id.into()),
        meta: None,
        items,
    })
}

pub(crate) fn atomic(cmd_id: &'static str, commands: Vec<Command<'static>>) -> Command<'static> {
    Command::Container(Container {
        kind: ContainerKind::Atomic,
        cmd_id: Some(cmd_id.into()),
        meta: None,
        commands,
    })
}

/// The results of a `Get` in message 1 or 2.
pub(crate) fn results(
    cmd_id: &'static str,
    msg_ref: u32,
    cmd_ref: &'static str,
    item: Item<'static>,
) -> Command<'static> {
    Command::Results(Results {
        cmd_id: Some(cmd_id.into()),
        msg_ref: Some(msg_ref),
        cmd_ref: cmd_ref.into(),
        cmd: Some("Get".into()),
        meta: None,
        items: vec![item],
    })
}

/// An item with target, format and text.
pub(crate) fn write_item(
    target: &'static str,
    format: &'static str,
    text: &'static str,
) -> Item<'static> {
    Item {
        meta: Some(Meta::format(format)),
        data: Some(Data::Text(text.into())),
        ..Item::target(target)
    }
}

/// An item with source, format and text.
pub(crate) fn read_item(
    source: &'static str,
    format: &'static str,
    text: &'static str,
) -> Item<'static> {
    Item {
        meta: Some(Meta::format(format)),
        ..Item::source_text(source, text)
    }
}

pub(crate) fn content_type(name: &'static str) -> Meta<'static> {
    Meta {
        content_type: Some(name.into()),
        ..Meta::default()
    }
}

pub(crate) fn format_and_type(format: &'static str, name: &'static str) -> Meta<'static> {
    Meta {
        format: Some(format.into()),
        ..content_type(name)
    }
}

/// The credential of a digest.
pub(crate) fn digest_cred(digest: impl Into<Text<'static>>) -> Cred<'static> {
    Cred {
        meta: Some(format_and_type("b64", "syncml:auth-md5")),
        data: digest.into(),
    }
}
