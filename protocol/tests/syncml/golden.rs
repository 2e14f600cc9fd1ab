//! Golden messages, written by hand from MS-MDM 2.2: read and written byte for byte.

use protocol::syncml::{
    AlertCode, Chal, Command, Container, ContainerKind, Data, Item, Limits, Message, Meta, Request,
    Results, Status, StatusCode, Verb, decode, encode,
};

use crate::build::{
    alert, answers_and, atomic, digest_cred, format_and_type, from_core, from_device, package_1,
    read_item, request, results, status, write_item,
};

macro_rules! golden {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../../fixtures/wire/syncml/", $name, ".xml")).as_slice(),
        )
    };
}
pub(crate) use golden;

/// Every golden message that is read and written.
pub(crate) fn all() -> Vec<((&'static str, &'static [u8]), Message<'static>)> {
    let mut all = check_in_and_policy();
    all.extend(rotation());
    all.extend(failure_and_removal());
    all.extend(digest());
    all.extend(set_up());
    all.extend(alerts());
    all.extend(sequence());
    all.extend(large_object());
    all
}

#[test]
fn golden_messages_are_read_and_written_byte_for_byte() {
    for ((name, bytes), message) in all() {
        let read = decode(bytes, &Limits::default());
        assert_eq!(read.as_ref(), Ok(&message), "reading {name}");
        let mut written = Vec::new();
        encode(&message, &mut written);
        let written = String::from_utf8_lossy(&written);
        assert_eq!(written, String::from_utf8_lossy(bytes), "writing {name}");
    }
}

#[test]
fn encode_appends_to_what_is_there() {
    let ((_, bytes), message) = all().swap_remove(0);
    let mut out = b"before".to_vec();
    encode(&message, &mut out);
    assert_eq!(out.strip_prefix(b"before"), Some(bytes));
}

#[test]
fn debug_of_a_message_hides_the_credential() {
    let digest_retry = digest().swap_remove(1).1;
    let text = format!("{digest_retry:?}");
    assert!(
        text.contains("auth-md5") && !text.contains("L2633"),
        "{text}"
    );
}

type Row = ((&'static str, &'static [u8]), Message<'static>);

fn check_in_and_policy() -> Vec<Row> {
    let root = "./Device/Vendor/MSFT/LAPS/Policies/BackupDirectory";
    let backup = Item {
        meta: Some(format_and_type("int", "text/plain")),
        ..write_item(root, "int", "1")
    };
    let age = "./Device/Vendor/MSFT/LAPS/Policies/PasswordAgeDays";
    let length = "./Device/Vendor/MSFT/LAPS/Policies/PasswordLength";
    let account = "./Device/Vendor/MSFT/LAPS/Policies/AdministratorAccountName";
    let policy = atomic(
        "5",
        vec![
            request(Verb::Replace, "6", vec![backup]),
            request(Verb::Replace, "7", vec![write_item(age, "int", "21")]),
            request(Verb::Replace, "8", vec![write_item(length, "int", "18")]),
            request(
                Verb::Replace,
                "9",
                vec![write_item(account, "chr", "site-admin")],
            ),
        ],
    );
    let answer = vec![
        status("1", 1, "0", "SyncHdr", 200),
        status("2", 1, "5", "Atomic", 200),
        status("3", 1, "6", "Replace", 200),
        status("4", 1, "7", "Replace", 200),
        status("5", 1, "8", "Replace", 200),
        status("6", 1, "9", "Replace", 200),
    ];
    let end = vec![status("1", 2, "0", "SyncHdr", 200)];
    vec![
        (
            golden!("checkin-1-device"),
            from_device("3E", 1, package_1()),
        ),
        (
            golden!("checkin-1-core"),
            from_core("3E", 1, answers_and(vec![])),
        ),
        (
            golden!("policy-1-core"),
            from_core("41", 1, answers_and(vec![policy])),
        ),
        (golden!("policy-2-device"), from_device("41", 2, answer)),
        (golden!("policy-2-core"), from_core("41", 2, end)),
    ]
}

fn rotation() -> Vec<Row> {
    let reset = Item {
        meta: Some(Meta::format("null")),
        ..Item::target("./Device/Vendor/MSFT/LAPS/Actions/ResetPassword")
    };
    let state = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";
    // E_PENDING as a signed number.
    let pending = read_item(state, "int", "-2147483638");
    vec![
        (
            golden!("reset-1-core"),
            from_core(
                "0",
                1,
                answers_and(vec![request(Verb::Exec, "5", vec![reset])]),
            ),
        ),
        (
            golden!("reset-2-device"),
            from_device(
                "0",
                2,
                vec![
                    status("1", 1, "0", "SyncHdr", 200),
                    status("2", 1, "5", "Exec", 200),
                ],
            ),
        ),
        (
            golden!("reset-2-core"),
            from_core(
                "0",
                2,
                vec![
                    status("1", 2, "0", "SyncHdr", 200),
                    request(Verb::Get, "2", vec![Item::target(state)]),
                ],
            ),
        ),
        (
            golden!("reset-3-device"),
            from_device(
                "0",
                3,
                vec![
                    status("1", 2, "0", "SyncHdr", 200),
                    status("2", 2, "2", "Get", 200),
                    results("3", 2, "2", pending),
                ],
            ),
        ),
    ]
}

fn failure_and_removal() -> Vec<Row> {
    let mut failed = Status::new("5".into(), 1, "8".into(), "Replace", StatusCode(500));
    failed.original_error = Some("0x80070057".into());
    let failure = vec![
        status("1", 1, "0", "SyncHdr", 200),
        status("2", 1, "5", "Atomic", 507),
        status("3", 1, "6", "Replace", 216),
        status("4", 1, "7", "Replace", 216),
        Command::Status(failed),
        status("6", 1, "9", "Replace", 215),
    ];
    let delete = |cmd_id, target| request(Verb::Delete, cmd_id, vec![Item::target(target)]);
    let removal = atomic(
        "5",
        vec![
            delete(
                "6",
                "./Device/Vendor/MSFT/LAPS/Policies/AdministratorAccountName",
            ),
            delete("7", "./Device/Vendor/MSFT/LAPS/Policies/PasswordLength"),
            delete("8", "./Device/Vendor/MSFT/LAPS/Policies/PasswordAgeDays"),
            delete("9", "./Device/Vendor/MSFT/LAPS/Policies/BackupDirectory"),
        ],
    );
    let removed = vec![
        status("1", 1, "0", "SyncHdr", 200),
        status("2", 1, "5", "Atomic", 200),
        status("3", 1, "6", "Delete", 200),
        status("4", 1, "7", "Delete", 200),
        status("5", 1, "8", "Delete", 200),
        status("6", 1, "9", "Delete", 200),
    ];
    vec![
        (
            golden!("failed-atomic-2-device"),
            from_device("42", 2, failure),
        ),
        (
            golden!("removal-1-core"),
            from_core("43", 1, answers_and(vec![removal])),
        ),
        (golden!("removal-2-device"), from_device("43", 2, removed)),
    ]
}

fn digest() -> Vec<Row> {
    let mut challenge = Status::new("1".into(), 1, "0".into(), "SyncHdr", StatusCode(407));
    challenge.chal = Some(Chal {
        meta: Meta {
            next_nonce: Some("c2VzYW1lLTAwMDE=".into()),
            ..format_and_type("b64", "syncml:auth-md5")
        },
    });
    let mut commands = vec![status("1", 1, "0", "SyncHdr", 200)];
    commands.extend(package_1());
    let mut retry = from_device("44", 2, commands);
    retry.header.source_name = Some("gate-user".into());
    retry.header.cred = Some(digest_cred("L2633ustSYlOzZ+qR7wqQg=="));
    let welcome = vec![status("1", 2, "0", "SyncHdr", 212)];
    vec![
        (
            golden!("digest-1-core"),
            from_core("44", 1, vec![Command::Status(challenge)]),
        ),
        (golden!("digest-2-device"), retry),
        (golden!("digest-2-core"), from_core("44", 2, welcome)),
    ]
}

fn set_up() -> Vec<Row> {
    let push = Item {
        meta: Some(Meta::format("node")),
        ..Item::target("./Vendor/MSFT/DMClient/Provider/muster/Push")
    };
    let pfn = write_item(
        "./Vendor/MSFT/DMClient/Provider/muster/Push/PFN",
        "chr",
        "Muster.Test_0000000000000",
    );
    let channel = "./Vendor/MSFT/DMClient/Provider/muster/Push/ChannelURI";
    let state = "./Vendor/MSFT/DMClient/Provider/muster/Push/Status";
    let uri = "https://push.fleet.example/channel/17?token=a%2Bb&zone=3";
    let commands = vec![
        request(Verb::Add, "5", vec![push]),
        request(Verb::Add, "6", vec![pfn]),
        request(Verb::Get, "7", vec![Item::target(channel)]),
        request(Verb::Get, "8", vec![Item::target(state)]),
    ];
    let answer = vec![
        status("1", 1, "0", "SyncHdr", 200),
        status("2", 1, "5", "Add", 200),
        status("3", 1, "6", "Add", 200),
        status("4", 1, "7", "Get", 200),
        results("5", 1, "7", read_item(channel, "chr", uri)),
        status("6", 1, "8", "Get", 200),
        results("7", 1, "8", read_item(state, "int", "0")),
    ];
    vec![
        (
            golden!("setup-1-core"),
            from_core("1", 1, answers_and(commands)),
        ),
        (golden!("setup-2-device"), from_device("1", 2, answer)),
    ]
}

fn alerts() -> Vec<Row> {
    let leaving = Item {
        meta: Some(format_and_type(
            "int",
            "com.microsoft:mdm.unenrollment.userrequest",
        )),
        data: Some(Data::Text("1".into())),
        ..Item::default()
    };
    let pending = Item {
        meta: Some(crate::build::content_type(
            "Reversed-Domain-Name:com.microsoft.mdm.requestpending",
        )),
        data: Some(Data::Text("1".into())),
        ..Item::default()
    };
    let busy = vec![alert("1", AlertCode::CLIENT_EVENT, vec![pending])];
    let report = r#"<report xmlns="urn:example:report" level="2">ok &amp; done<empty/></report>"#;
    let markup = Item {
        source: Some("./Vendor/MSFT/Example/Report".into()),
        meta: Some(format_and_type("xml", "com.example:report")),
        data: Some(Data::Markup(report.into())),
        ..Item::default()
    };
    let line = "1 < 2 && 3 > 2, \"quoted\", 'single', line\r\nend, äöü ✓ 🔑";
    let plain = Item {
        data: Some(Data::Text(line.into())),
        ..Item::default()
    };
    let start = alert("2", AlertCode::CLIENT_INITIATED, vec![]);
    let unenroll = vec![start, alert("3", AlertCode::GENERIC, vec![leaving])];
    let markup = vec![alert("2", AlertCode::GENERIC, vec![markup, plain])];
    vec![
        (golden!("unenroll-1-device"), from_device("45", 1, unenroll)),
        (
            golden!("keep-alive-device"),
            Message {
                is_final: false,
                ..from_device("46", 2, busy)
            },
        ),
        (golden!("markup-1-device"), from_device("49", 1, markup)),
    ]
}

fn sequence() -> Vec<Row> {
    let version = "./DevDetail/SwV";
    let name = "./DevDetail/Ext/Microsoft/DeviceName";
    let complexity = Item {
        data: Some(Data::Text("4".into())),
        ..Item::target("./Device/Vendor/MSFT/LAPS/Policies/PasswordComplexity")
    };
    let sequence = Command::Container(Container {
        kind: ContainerKind::Sequence,
        cmd_id: Some("2".into()),
        meta: None,
        commands: vec![
            request(
                Verb::Get,
                "3",
                vec![Item::target(version), Item::target(name)],
            ),
            Command::Container(Container {
                kind: ContainerKind::Atomic,
                cmd_id: Some("4".into()),
                meta: Some(Meta::format("int")),
                commands: vec![request(Verb::Replace, "5", vec![complexity])],
            }),
        ],
    });
    let for_target = |cmd_id: &'static str, target: &'static str, code| {
        let mut status = Status::new(cmd_id.into(), 1, "3".into(), "Get", StatusCode(code));
        status.target_refs = vec![target.into()];
        Command::Status(status)
    };
    let answer = vec![
        status("1", 1, "0", "SyncHdr", 200),
        status("2", 1, "2", "Sequence", 200),
        for_target("3", version, 200),
        for_target("4", name, 404),
        Command::Results(Results {
            cmd_id: Some("5".into()),
            msg_ref: Some(1),
            cmd_ref: "3".into(),
            cmd: None,
            meta: None,
            items: vec![Item::source_text(version, "10.0.26100.2314")],
        }),
        status("6", 1, "4", "Atomic", 200),
        status("7", 1, "5", "Replace", 200),
    ];
    let commands = vec![status("1", 1, "0", "SyncHdr", 200), sequence];
    vec![
        (golden!("sequence-1-core"), from_core("47", 1, commands)),
        (golden!("sequence-2-device"), from_device("47", 2, answer)),
    ]
}

fn large_object() -> Vec<Row> {
    let chunk = Item {
        meta: Some(Meta {
            size: Some(13),
            ..Meta::default()
        }),
        data: Some(Data::Text("first ".into())),
        more_data: true,
        ..Item::target("./Vendor/MSFT/Example/Text")
    };
    let add = Command::Request(Request {
        verb: Verb::Add,
        cmd_id: Some("2".into()),
        meta: Some(format_and_type("chr", "text/plain")),
        items: vec![chunk],
    });
    let mut first = from_core("48", 1, vec![status("1", 1, "0", "SyncHdr", 200), add]);
    first.is_final = false;
    first.header.meta = Some(Meta {
        max_msg_size: Some(8192),
        max_obj_size: Some(1_048_576),
        ..Meta::default()
    });
    let answer = vec![
        status("1", 1, "0", "SyncHdr", 200),
        status("2", 1, "2", "Add", 213),
        alert("3", AlertCode::NEXT_MESSAGE, vec![]),
    ];
    vec![
        (golden!("chunk-1-core"), first),
        (golden!("chunk-2-device"), from_device("48", 2, answer)),
    ]
}
