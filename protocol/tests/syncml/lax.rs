//! Messages that muster never writes and has to read.

use std::borrow::Cow;

use protocol::syncml::{
    AlertCode, Command, Container, ContainerKind, Data, Header, Ignored, Item, Limits, Message,
    Meta, Request, Results, Status, StatusCode, UnknownCommand, Verb, decode,
};

use crate::build::{
    CORE, DEVICE, alert, content_type, format_and_type, from_core, from_device, request, status,
};
use crate::golden::golden;

/// Every lax message.
pub(crate) const ALL: [(&str, &[u8]); 6] = [
    golden!("lax-old-namespace"),
    golden!("lax-no-namespace"),
    golden!("lax-unknown-elements"),
    golden!("lax-reordered"),
    golden!("lax-uuid-ids"),
    golden!("lax-pretty"),
];

#[track_caller]
fn check((name, bytes): (&str, &[u8]), expected: &Message<'_>) {
    assert_eq!(
        decode(bytes, &Limits::default()).as_ref(),
        Ok(expected),
        "reading {name}"
    );
}

#[test]
fn namespace_of_version_1_1_is_read_and_versions_are_kept() {
    let mut expected = from_device(
        "50",
        1,
        vec![alert("2", AlertCode::SERVER_INITIATED, vec![])],
    );
    expected.header.ver_dtd = "1.1".into();
    expected.header.ver_proto = "DM/1.1".into();
    check(golden!("lax-old-namespace"), &expected);
}

#[test]
fn meta_children_need_no_namespace_and_metinf_is_transparent() {
    let login = Item {
        meta: Some(content_type("com.microsoft/MDM/LoginStatus")),
        data: Some(Data::Text("user".into())),
        ..Item::default()
    };
    let pfn = crate::build::write_item(
        "./Vendor/MSFT/DMClient/Provider/muster/Push/PFN",
        "chr",
        "Muster.Test_0000000000000",
    );
    let commands = vec![
        alert("3", AlertCode::CLIENT_EVENT, vec![login]),
        request(Verb::Add, "4", vec![pfn]),
    ];
    check(golden!("lax-no-namespace"), &from_device("51", 1, commands));
}

const UNKNOWN: (&str, &[u8]) = golden!("lax-unknown-elements");

/// Where `tag` stands in [`UNKNOWN`].
fn offset_of(tag: &str) -> usize {
    let text = std::str::from_utf8(UNKNOWN.1).ok();
    text.and_then(|text| text.find(tag))
        .expect("the fixture holds the tag")
}

fn unknown(name: &'static str, cmd_id: Option<&'static str>) -> Command<'static> {
    Command::Unknown(UnknownCommand {
        name: name.into(),
        cmd_id: cmd_id.map(Cow::Borrowed),
        offset: offset_of(&format!("<{name}")),
    })
}

#[test]
fn unknown_elements_survive_as_commands_or_are_listed() {
    let (name, bytes) = UNKNOWN;
    let atomic = Command::Container(Container {
        kind: ContainerKind::Atomic,
        cmd_id: Some("3".into()),
        meta: None,
        commands: vec![
            unknown("Copy", Some("4")),
            request(
                Verb::Delete,
                "5",
                vec![Item::target("./Vendor/MSFT/Example/A")],
            ),
        ],
    });
    let get = Command::Request(Request {
        verb: Verb::Get,
        cmd_id: None,
        meta: None,
        items: vec![Item {
            meta: Some(Meta::default()),
            ..Item::target("./DevDetail/SwV")
        }],
    });
    let ignored = [
        ("SyncML/SyncHdr/Target/LocName", "<LocName"),
        ("SyncML/SyncHdr/RespURI", "<RespURI"),
        ("SyncML/SyncHdr/NoResp", "<NoResp/></SyncHdr"),
        ("SyncML/SyncBody/Atomic/NoResp", "<NoResp/><Copy"),
        ("SyncML/SyncBody/Atomic/Delete/Cred", "<Cred"),
        (
            "SyncML/SyncBody/Atomic/Delete/Item/TargetParent",
            "<TargetParent",
        ),
        ("SyncML/SyncBody/Get/Item/Meta/Mark", "<Mark"),
        ("SyncML/Extra", "<Extra"),
    ];
    let ignored = ignored.map(|(path, tag)| Ignored {
        path: path.to_owned(),
        offset: offset_of(tag),
    });
    let expected = Message {
        ignored: ignored.to_vec(),
        ..from_core(
            "52",
            1,
            vec![
                unknown("Shout", Some("2")),
                unknown("Whisper", None),
                atomic,
                get,
            ],
        )
    };
    check((name, bytes), &expected);
}

#[test]
fn ignored_elements_are_listed_up_to_the_limit() {
    let limits = Limits {
        ignored: 2,
        ..Limits::default()
    };
    let message = decode(UNKNOWN.1, &limits).expect("the limit only bounds the list");
    let paths: Vec<&str> = message
        .ignored
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["SyncML/SyncHdr/Target/LocName", "SyncML/SyncHdr/RespURI"]
    );
}

#[test]
fn children_are_read_in_any_order_and_originalerror_with_any_prefix() {
    let mut first = Status::new("2".into(), 1, "7".into(), "Get", StatusCode::NOT_FOUND);
    first.target_refs = vec!["./Vendor/MSFT/Example/A".into()];
    first.source_refs = vec!["b".into()];
    first.original_error = Some("0x86000002".into());
    first.items = vec![Item {
        data: Some(Data::Text("none".into())),
        ..Item::default()
    }];
    let replace = Command::Request(Request {
        verb: Verb::Replace,
        cmd_id: Some("3".into()),
        meta: Some(Meta::format("chr")),
        items: vec![Item {
            meta: Some(format_and_type("int", "text/plain")),
            data: Some(Data::Text("4".into())),
            ..Item::target("./Vendor/MSFT/Example/B")
        }],
    });
    let results = Command::Results(Results {
        cmd_id: Some("4".into()),
        msg_ref: None,
        cmd_ref: "8".into(),
        cmd: Some("Get".into()),
        meta: None,
        items: vec![Item::source_text("./Vendor/MSFT/Example/C", "5")],
    });
    let mut expected = from_device("D", 2, vec![Command::Status(first), replace, results]);
    expected.header.source_name = Some("gate-user".into());
    check(golden!("lax-reordered"), &expected);
}

#[test]
fn command_ids_are_opaque_and_a_reference_may_be_empty() {
    let commands = vec![
        status(
            "0b0c7d1e-52f3-4d0e-9a53-6a4b7f6f1a01",
            1,
            "0",
            "SyncHdr",
            200,
        ),
        status(
            "8d3c3f46-9f0e-4b9e-8f8a-1f7b6f0f2b02",
            1,
            "",
            "Replace",
            400,
        ),
        request(
            Verb::Get,
            "f1d2c3b4-a596-4877-8695-a4b3c2d1e0f3",
            vec![Item::target("./DevDetail/SwV")],
        ),
    ];
    check(golden!("lax-uuid-ids"), &from_core("53", 1, commands));
}

#[test]
fn prefixes_comments_cdata_references_and_line_ends_are_read() {
    let item = Item {
        meta: Some(format_and_type("chr", "text/plain")),
        // The carriage return before the line feed is no part of the text (XML 1.0, 2.11).
        ..Item::source_text("./DevInfo/Man", "Tom & <Jerry>'s\nWorks")
    };
    let expected = Message {
        header: Header::new(
            "54".into(),
            1,
            format!("{CORE}?a=1&b=2").into(),
            DEVICE.into(),
        ),
        ..from_device("54", 1, vec![request(Verb::Replace, "2", vec![item])])
    };
    check(golden!("lax-pretty"), &expected);
}

#[test]
fn texts_borrow_from_the_message_unless_they_were_escaped() {
    let (_, bytes) = golden!("setup-2-device");
    let message = decode(bytes, &Limits::default()).expect("golden");
    let header = &message.header;
    assert!(matches!(header.session_id, Cow::Borrowed(_)));
    assert!(matches!(header.source, Cow::Borrowed(_)));
    let mut owned = Vec::new();
    for command in &message.commands {
        if let Command::Results(results) = command {
            let data = results.items.first().and_then(|item| item.data.as_ref());
            owned.push(matches!(data, Some(Data::Text(Cow::Owned(_)))));
        }
    }
    assert_eq!(
        owned,
        [true, false],
        "only the channel address holds a reference"
    );
}

#[test]
fn white_space_after_the_root_and_an_empty_namespace_are_accepted() {
    let (_, bytes) = golden!("lax-old-namespace");
    let text = String::from_utf8_lossy(bytes).replace("SYNCML:SYNCML1.1", "");
    let text = format!("{text}\n<!-- end -->\n<?done?>\t");
    assert!(decode(text.as_bytes(), &Limits::default()).is_ok());
}
