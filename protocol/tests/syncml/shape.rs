//! The shape of a device's messages against what a Windows client sends.
//!
//! The lists are typed by hand: the elements of the first message of a session and of the answer
//! to a digest challenge, in the order in which Windows 11 (build 26200) sends them, with the
//! namespaces and attributes of each.

use protocol::syncml::{Header, Message, Text, encode};
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use crate::build::{CORE, DEVICE, digest_cred, package_1_of, status};

const HEADER: [&str; 8] = [
    "SyncML[SYNCML:SYNCML1.2]",
    "SyncML/SyncHdr",
    "SyncML/SyncHdr/VerDTD",
    "SyncML/SyncHdr/VerProto",
    "SyncML/SyncHdr/SessionID",
    "SyncML/SyncHdr/MsgID",
    "SyncML/SyncHdr/Target",
    "SyncML/SyncHdr/Target/LocURI",
];

const SOURCE: [&str; 2] = ["SyncML/SyncHdr/Source", "SyncML/SyncHdr/Source/LocURI"];

const CREDENTIAL: [&str; 6] = [
    "SyncML/SyncHdr/Source/LocName",
    "SyncML/SyncHdr/Cred",
    "SyncML/SyncHdr/Cred/Meta",
    "SyncML/SyncHdr/Cred/Meta/Format[syncml:metinf]",
    "SyncML/SyncHdr/Cred/Meta/Type[syncml:metinf]",
    "SyncML/SyncHdr/Cred/Data",
];

const BODY: [&str; 1] = ["SyncML/SyncBody"];

const STATUS: [&str; 6] = [
    "SyncML/SyncBody/Status",
    "SyncML/SyncBody/Status/CmdID",
    "SyncML/SyncBody/Status/MsgRef",
    "SyncML/SyncBody/Status/CmdRef",
    "SyncML/SyncBody/Status/Cmd",
    "SyncML/SyncBody/Status/Data",
];

const ALERTS: [&str; 10] = [
    "SyncML/SyncBody/Alert",
    "SyncML/SyncBody/Alert/CmdID",
    "SyncML/SyncBody/Alert/Data",
    "SyncML/SyncBody/Alert",
    "SyncML/SyncBody/Alert/CmdID",
    "SyncML/SyncBody/Alert/Data",
    "SyncML/SyncBody/Alert/Item",
    "SyncML/SyncBody/Alert/Item/Meta",
    "SyncML/SyncBody/Alert/Item/Meta/Type[syncml:metinf]",
    "SyncML/SyncBody/Alert/Item/Data",
];

const REPLACE: [&str; 2] = ["SyncML/SyncBody/Replace", "SyncML/SyncBody/Replace/CmdID"];

/// Five times: `DevId`, `Man`, `Mod`, `DmV`, `Lang`.
const DEV_INFO: [&str; 4] = [
    "SyncML/SyncBody/Replace/Item",
    "SyncML/SyncBody/Replace/Item/Source",
    "SyncML/SyncBody/Replace/Item/Source/LocURI",
    "SyncML/SyncBody/Replace/Item/Data",
];

const FINAL: [&str; 1] = ["SyncML/SyncBody/Final"];

#[test]
fn first_message_has_the_shape_of_a_windows_client() {
    let expected = [
        &HEADER[..],
        &SOURCE,
        &BODY,
        &ALERTS,
        &REPLACE,
        &DEV_INFO,
        &DEV_INFO,
        &DEV_INFO,
        &DEV_INFO,
        &DEV_INFO,
        &FINAL,
    ];
    assert_eq!(paths(&bytes_of(&first_message())), expected.concat());
}

#[test]
fn digest_retry_has_the_shape_of_a_windows_client() {
    let mut message = first_message();
    message.header.msg_id = 2;
    message.header.source_name = Some("gate-user".into());
    message.header.cred = Some(digest_cred("L2633ustSYlOzZ+qR7wqQg=="));
    message
        .commands
        .insert(0, status("1", 1, "0", "SyncHdr", 200));
    let expected = [
        &HEADER[..],
        &SOURCE,
        &CREDENTIAL,
        &BODY,
        &STATUS,
        &ALERTS,
        &REPLACE,
        &DEV_INFO,
        &DEV_INFO,
        &DEV_INFO,
        &DEV_INFO,
        &DEV_INFO,
        &FINAL,
    ];
    assert_eq!(paths(&bytes_of(&message)), expected.concat());
}

#[test]
fn originalerror_declares_its_namespace_in_the_body_alone() {
    let (_, bytes) = crate::golden::golden!("failed-atomic-2-device");
    let with: Vec<String> = paths(bytes)
        .into_iter()
        .filter(|path| path.contains('@'))
        .collect();
    let declaration = "SyncML/SyncBody@xmlns:msft=http://schemas.microsoft.com/MobileDevice/MDM";
    let attribute = "SyncML/SyncBody/Status/Data@msft:originalerror=0x80070057";
    assert_eq!(with, [declaration, attribute]);
}

fn first_message() -> Message<'static> {
    let session: Text<'static> = "1".into();
    Message {
        header: Header::new(session, 1, CORE.into(), DEVICE.into()),
        commands: package_1_of(DEVICE, ["Muster", "Emulated Laptop", "en-US"], "user"),
        is_final: true,
        ignored: Vec::new(),
    }
}

fn bytes_of(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    bytes
}

/// The path of every element in document order. `[namespace]` follows where an element is in
/// another namespace than its parent, `@name=value` each attribute but a default namespace.
fn paths(bytes: &[u8]) -> Vec<String> {
    let mut reader = NsReader::from_reader(bytes);
    let mut open: Vec<(String, String)> = Vec::new();
    let mut paths = Vec::new();
    loop {
        let (resolved, event) = reader.read_resolved_event().expect("well formed");
        let namespace = match resolved {
            ResolveResult::Bound(namespace) => String::from_utf8_lossy(namespace.0).into_owned(),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => String::new(),
        };
        match event {
            Event::Start(tag) => {
                paths.push(path_of(&open, &tag, &namespace));
                let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                open.push((name, namespace));
            }
            Event::Empty(tag) => paths.push(path_of(&open, &tag, &namespace)),
            Event::End(_) => {
                open.pop();
            }
            Event::Eof => return paths,
            Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

fn path_of(open: &[(String, String)], tag: &BytesStart<'_>, namespace: &str) -> String {
    let mut path: String = open.iter().flat_map(|(name, _)| [name, "/"]).collect();
    path += &String::from_utf8_lossy(tag.name().as_ref());
    if open.last().is_none_or(|(_, parent)| parent != namespace) {
        path.extend(["[", namespace, "]"]);
    }
    for attribute in tag.attributes() {
        let attribute = attribute.expect("well formed");
        let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        if name != "xmlns" {
            let value = String::from_utf8_lossy(&attribute.value);
            path.extend(["@", &name, "=", &value]);
        }
    }
    path
}
