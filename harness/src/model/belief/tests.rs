//! Answers written by hand, held against the model.

use super::*;
use crate::model::{Ids, Shape};

const DEVICE: &str = "7C1E55A0D2B34F6E9A10C4D77B20E9F1";
const SERVER: &str = "https://mdm.fabricam.example/ManagementServer/MDM.svc";
const PUSH: &str = "./Vendor/MSFT/DMClient/Provider/muster/Push";
const LAPS: &str = "./Device/Vendor/MSFT/LAPS";

fn envelope(msg_id: u32, (target, source): (&str, &str), body: &str) -> String {
    format!(
        "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
         <SessionID>7</SessionID><MsgID>{msg_id}</MsgID><Target><LocURI>{target}</LocURI></Target>\
         <Source><LocURI>{source}</LocURI></Source></SyncHdr><SyncBody>{body}<Final/></SyncBody></SyncML>"
    )
}

/// The first message of wire-facts T1.
fn first_message() -> String {
    let body = format!(
        "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert>\
         <Replace><CmdID>4</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source>\
         <Data>{DEVICE}</Data></Item></Replace>"
    );
    envelope(1, (SERVER, DEVICE), &body)
}

fn status(cmd_id: u32, (msg_ref, cmd_ref): (u32, &str), cmd: &str, code: u32) -> String {
    format!(
        "<Status><CmdID>{cmd_id}</CmdID><MsgRef>{msg_ref}</MsgRef><CmdRef>{cmd_ref}</CmdRef>\
         <Cmd>{cmd}</Cmd><Data>{code}</Data></Status>"
    )
}

/// The statuses that the answer to [`first_message`] begins with.
fn statuses() -> String {
    status(1, (1, "0"), "SyncHdr", 200)
        + &status(2, (1, "2"), "Alert", 200)
        + &status(3, (1, "4"), "Replace", 200)
}

fn first_answer(commands: &str) -> String {
    envelope(1, (DEVICE, SERVER), &(statuses() + commands))
}

fn item(cmd_id: u32, verb: &str, uri: &str, rest: &str) -> String {
    format!(
        "<{verb}><CmdID>{cmd_id}</CmdID><Item><Target><LocURI>{uri}</LocURI></Target>{rest}</Item></{verb}>"
    )
}

fn meta(format: &str) -> String {
    format!("<Meta><Format xmlns=\"syncml:metinf\">{format}</Format></Meta>")
}

fn set_up() -> String {
    item(10, "Add", PUSH, &meta("node"))
        + &item(
            11,
            "Add",
            &format!("{PUSH}/PFN"),
            &(meta("chr") + "<Data>Muster.Test_0</Data>"),
        )
        + &item(12, "Get", &format!("{PUSH}/ChannelURI"), "")
        + &item(13, "Get", &format!("{PUSH}/Status"), "")
}

fn leaf(cmd_id: u32, name: &str, value: &str) -> String {
    let rest = meta("int") + &format!("<Data>{value}</Data>");
    item(cmd_id, "Replace", &format!("{LAPS}/Policies/{name}"), &rest)
}

fn atomic(content: &str) -> String {
    format!("<Atomic><CmdID>20</CmdID>{content}</Atomic>")
}

fn policy() -> String {
    atomic(&(leaf(21, "BackupDirectory", "1") + &leaf(22, "PasswordLength", "24")))
}

fn exec(cmd_id: u32) -> String {
    item(
        cmd_id,
        "Exec",
        &format!("{LAPS}/Actions/ResetPassword"),
        &meta("null"),
    )
}

fn status_read(cmd_id: u32) -> String {
    item(
        cmd_id,
        "Get",
        &format!("{LAPS}/Actions/ResetPasswordStatus"),
        "",
    )
}

fn new_belief() -> Belief {
    let policy = BTreeMap::from([
        (Leaf::BackupDirectory, Value::Int(1)),
        (Leaf::PasswordLength, Value::Int(24)),
    ]);
    Belief::new(Arc::new(Class {
        policy: Some(policy),
        provider_id: "muster".into(),
    }))
}

/// A device that is set up, has acknowledged its policy and has a backup.
fn settled() -> Belief {
    let mut belief = new_belief();
    belief.set_up = Owed::No;
    belief.policy = Owed::No;
    belief
}

fn judge(belief: &mut Belief, request: &str, answer: &str) -> Judgement {
    judge_late(belief, request, answer, |_belief| {})
}

/// As [`judge`], with something that happens while the target works on the message.
fn judge_late(
    belief: &mut Belief,
    request: &str,
    answer: &str,
    meanwhile: impl FnOnce(&mut Belief),
) -> Judgement {
    let message = decode(request.as_bytes(), &Limits::default()).unwrap();
    let expectation = belief.expect(&message);
    meanwhile(belief);
    let length = answer.len().to_string();
    let http = Http {
        status: 200,
        content_type: Some("application/vnd.syncml.dm+xml"),
        content_length: Some(&length),
        body: answer.as_bytes(),
    };
    belief.judge(&message, &expectation, http)
}

fn fingerprints(judgement: &Judgement) -> Vec<(Option<&'static str>, &'static str)> {
    judgement
        .wrong
        .iter()
        .map(|wrong| (wrong.requirement, wrong.fingerprint))
        .collect()
}

const COMMON: (Option<&str>, &str) = (None, "wrong-answer");

#[test]
fn an_answer_with_nothing_to_do_is_right_for_a_settled_device() {
    let judgement = judge(&mut settled(), &first_message(), &first_answer(""));
    assert_eq!(judgement, Judgement::default());
}

#[test]
fn a_message_that_breaks_a_common_rule_is_wrong() {
    let good = first_answer("");
    for (what, from, to) in [
        ("version", "<VerDTD>1.2<", "<VerDTD>1.1<"),
        ("protocol", "DM/1.2", "DM/1.1"),
        ("session", "<SessionID>7<", "<SessionID>8<"),
        ("message", "<MsgID>1<", "<MsgID>2<"),
        (
            "target",
            &format!("<Target><LocURI>{DEVICE}"),
            "<Target><LocURI>OTHER",
        ),
        (
            "source",
            &format!("<Source><LocURI>{SERVER}"),
            "<Source><LocURI>http://x",
        ),
        (
            "header status",
            "<Cmd>SyncHdr</Cmd><Data>200",
            "<Cmd>SyncHdr</Cmd><Data>500",
        ),
        (
            "status code",
            "<Cmd>Alert</Cmd><Data>200",
            "<Cmd>Alert</Cmd><Data>400",
        ),
        (
            "reference",
            "<MsgRef>1</MsgRef><CmdRef>4<",
            "<MsgRef>9</MsgRef><CmdRef>4<",
        ),
        ("no status", &status(3, (1, "4"), "Replace", 200), ""),
        ("doubled id", "<CmdID>3<", "<CmdID>2<"),
        ("zero id", "<CmdID>3<", "<CmdID>0<"),
        ("no end", "<Final/>", ""),
        (
            "strange",
            "<Final/>",
            &(item(9, "Get", "./DevDetail/SwV", "") + "<Final/>"),
        ),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{what}");
        let judgement = judge(&mut settled(), &first_message(), &bad);
        assert_eq!(fingerprints(&judgement), [COMMON], "{what}: {judgement:?}");
    }
}

#[test]
fn a_status_for_something_that_gets_none_is_wrong() {
    let extra = first_answer(&status(9, (1, "5"), "Alert", 200));
    assert_eq!(
        fingerprints(&judge(&mut settled(), &first_message(), &extra)),
        [COMMON]
    );
    let late = envelope(1, (DEVICE, SERVER), &status(2, (1, "2"), "Alert", 200));
    let late = judge(&mut settled(), &first_message(), &late);
    assert_eq!(
        fingerprints(&late),
        [COMMON, COMMON],
        "no header status, none for Replace"
    );
}

#[test]
fn http_around_the_answer_counts() {
    let answer = first_answer("");
    let length = answer.len().to_string();
    let right = Http {
        status: 200,
        content_type: Some("application/vnd.syncml.dm+xml; charset=utf-8"),
        content_length: Some(&length),
        body: answer.as_bytes(),
    };
    for (http, wrong) in [
        (right, 0),
        (
            Http {
                status: 500,
                ..right
            },
            1,
        ),
        (
            Http {
                content_type: Some("text/html"),
                ..right
            },
            1,
        ),
        (
            Http {
                content_length: None,
                ..right
            },
            1,
        ),
        (
            Http {
                body: b"<html/>",
                ..right
            },
            2,
        ),
    ] {
        let mut belief = settled();
        let request = first_message();
        let message = decode(request.as_bytes(), &Limits::default()).unwrap();
        let expectation = belief.expect(&message);
        let judgement = belief.judge(&message, &expectation, http);
        assert_eq!(judgement.wrong.len(), wrong, "{http:?}: {judgement:?}");
    }
}

#[test]
fn a_new_device_gets_set_up_and_policy_in_this_order() {
    let right = first_answer(&(set_up() + &policy()));
    let judgement = judge(&mut new_belief(), &first_message(), &right);
    assert_eq!(
        judgement,
        Judgement {
            policy_delivered: true,
            ..Judgement::default()
        }
    );
    let reverse = first_answer(&(policy() + &set_up()));
    assert_eq!(
        fingerprints(&judge(&mut new_belief(), &first_message(), &reverse)),
        [COMMON]
    );
    let neither = judge(&mut new_belief(), &first_message(), &first_answer(""));
    let missing = (Some("REQ-ASSIGN-001"), "laps-policy-missing");
    assert_eq!(fingerprints(&neither), [COMMON, missing]);
}

#[test]
fn every_leaf_of_the_policy_is_compared() {
    let assign = |fingerprint| (Some("REQ-ASSIGN-001"), fingerprint);
    let backup = leaf(21, "BackupDirectory", "1");
    let length = leaf(22, "PasswordLength", "24");
    for (content, expected) in [
        (
            backup.clone() + &leaf(22, "PasswordLength", "25"),
            vec![assign("laps-leaf-value")],
        ),
        (backup.clone(), vec![assign("laps-leaf-missing")]),
        (
            backup.clone() + &length + &leaf(23, "PasswordComplexity", "4"),
            vec![assign("laps-leaf-unexpected")],
        ),
        (
            backup.clone() + &length.replace(">int<", ">chr<"),
            vec![COMMON],
        ),
        (
            backup + &length.replace("Replace>", "Add>"),
            vec![assign("laps-leaf-unexpected"), assign("laps-leaf-missing")],
        ),
    ] {
        let answer = first_answer(&(set_up() + &atomic(&content)));
        let judgement = judge(&mut new_belief(), &first_message(), &answer);
        assert_eq!(fingerprints(&judgement), expected, "{content}");
        assert!(!judgement.policy_delivered);
    }
    let loose = judge(
        &mut new_belief(),
        &first_message(),
        &first_answer(&(set_up() + &length)),
    );
    let unexpected = assign("laps-leaf-unexpected");
    assert_eq!(
        fingerprints(&loose),
        [unexpected, assign("laps-policy-missing")]
    );
}

#[test]
fn what_was_acknowledged_is_not_sent_again() {
    let mut belief = new_belief();
    let first = judge(
        &mut belief,
        &first_message(),
        &first_answer(&(set_up() + &policy())),
    );
    assert_eq!(first.wrong, []);
    let statuses = status(1, (1, "0"), "SyncHdr", 200)
        + &status(2, (1, "10"), "Add", 200)
        + &status(3, (1, "11"), "Add", 418)
        + &status(4, (1, "12"), "Get", 200)
        + &status(5, (1, "13"), "Get", 200)
        + &status(6, (1, "20"), "Atomic", 200)
        + &status(7, (1, "21"), "Replace", 200)
        + &status(8, (1, "22"), "Replace", 200);
    let results = format!(
        "<Results><CmdID>9</CmdID><MsgRef>1</MsgRef><CmdRef>12</CmdRef><Cmd>Get</Cmd><Item>\
         <Source><LocURI>{PUSH}/ChannelURI</LocURI></Source><Data>http://127.0.0.1/c</Data></Item></Results>"
    );
    let message = envelope(2, (SERVER, DEVICE), &(statuses + &results));
    let answer = envelope(2, (DEVICE, SERVER), &status(1, (2, "0"), "SyncHdr", 200));
    assert_eq!(judge(&mut belief, &message, &answer).wrong, []);
    assert!(belief.settled());
    // The same values again are a nuisance, other values break the requirement.
    let again = judge(&mut belief, &first_message(), &first_answer(&policy()));
    assert_eq!(fingerprints(&again), [COMMON]);
    let other = first_answer(&atomic(&leaf(21, "PasswordLength", "30")));
    let other = judge(&mut belief, &first_message(), &other);
    assert_eq!(
        fingerprints(&other),
        [(Some("REQ-ASSIGN-001"), "laps-leaf-unexpected")]
    );
}

#[test]
fn an_exec_is_due_after_the_push_and_only_then() {
    let none = first_answer("");
    let one = first_answer(&exec(5));
    let two = first_answer(&(exec(5) + &exec(6)));
    let missing = (Some("REQ-ROTATE-001"), "exec-missing");
    let refused = (Some("REQ-ROTATE-015"), "exec-after-failed-action");
    let offline = Rotation::Refused(Refusal::Offline);
    for (rotation, answer, expected) in [
        (Rotation::None, &none, vec![]),
        (Rotation::None, &one, vec![COMMON]),
        (Rotation::Requested, &none, vec![]),
        (Rotation::Requested, &one, vec![]),
        (Rotation::Due, &none, vec![missing]),
        (Rotation::Due, &one, vec![]),
        (Rotation::Due, &two, vec![COMMON]),
        (offline, &none, vec![]),
        (offline, &one, vec![refused]),
        (Rotation::Told, &one, vec![COMMON]),
    ] {
        let mut belief = settled();
        belief.rotation = rotation;
        let judgement = judge(&mut belief, &first_message(), answer);
        assert_eq!(fingerprints(&judgement), expected, "{rotation:?}");
    }
}

#[test]
fn a_push_answered_while_the_message_is_out_makes_no_exec_due() {
    let answer = first_answer("");
    let mut belief = settled();
    let judgement = judge_late(&mut belief, &first_message(), &answer, |belief| {
        belief.request_rotation(None);
        belief.push_answered();
    });
    assert_eq!(judgement.wrong, []);
    assert_eq!(belief.rotation(), Rotation::Due);
    // In the next first answer it is.
    let judgement = judge(&mut belief, &first_message(), &answer);
    assert_eq!(
        fingerprints(&judgement),
        [(Some("REQ-ROTATE-001"), "exec-missing")]
    );
    // It is missed once, not in every session after.
    assert_eq!(judge(&mut belief, &first_message(), &answer).wrong, []);
    // A request that was made while the message was out may be served by its answer.
    let judgement = judge_late(
        &mut settled(),
        &first_message(),
        &first_answer(&exec(5)),
        |belief| {
            belief.request_rotation(None);
        },
    );
    assert_eq!(judgement.wrong, []);
    assert_eq!(judgement.execs, 1);
}

fn message(msg_id: u32, commands: &str) -> String {
    let header = status(1, (msg_id - 1, "0"), "SyncHdr", 200);
    envelope(msg_id, (SERVER, DEVICE), &(header + commands))
}

fn answer(msg_id: u32, commands: &str) -> String {
    envelope(
        msg_id,
        (DEVICE, SERVER),
        &(status(1, (msg_id, "0"), "SyncHdr", 200) + commands),
    )
}

fn read_result(msg_ref: u32, value: &str) -> String {
    format!(
        "<Results><CmdID>3</CmdID><MsgRef>{msg_ref}</MsgRef><CmdRef>5</CmdRef><Cmd>Get</Cmd><Item>\
         <Source><LocURI>{LAPS}/Actions/ResetPasswordStatus</LocURI></Source><Data>{value}</Data>\
         </Item></Results>"
    )
}

/// A belief after an Exec was answered with this status, and the right answer to that.
fn executed(code: u32) -> (Belief, Judgement) {
    let mut belief = settled();
    belief.request_rotation(None);
    belief.push_answered();
    assert_eq!(
        judge(&mut belief, &first_message(), &first_answer(&exec(5))).wrong,
        []
    );
    let next = if code < 400 {
        status_read(5)
    } else {
        String::new()
    };
    let told = message(2, &status(2, (1, "5"), "Exec", code));
    let judgement = judge(&mut belief, &told, &answer(2, &next));
    (belief, judgement)
}

#[test]
fn the_status_is_read_after_the_exec_and_ends_the_rotation() {
    let (mut belief, judgement) = executed(200);
    assert_eq!(judgement.wrong, []);
    belief.uploaded();
    let over = judge(
        &mut belief,
        &message(3, &read_result(2, "0")),
        &answer(3, ""),
    );
    assert_eq!(over.wrong, []);
    assert_eq!(belief.rotation(), Rotation::Told);
    let (belief, judgement) = executed(500);
    assert_eq!(judgement.wrong, []);
    assert_eq!(belief.rotation(), Rotation::Told);
}

#[test]
fn a_pending_reset_is_read_three_more_times_and_then_in_the_next_session() {
    // A status of 0 without an upload counts as pending.
    for value in ["-2147483638", "0"] {
        let (mut belief, _) = executed(202);
        for msg_id in 3..6 {
            let told = message(msg_id, &read_result(msg_id - 1, value));
            let judgement = judge(&mut belief, &told, &answer(msg_id, &status_read(5)));
            assert_eq!(judgement.wrong, [], "{value} message {msg_id}");
        }
        let told = message(6, &read_result(5, value));
        assert_eq!(judge(&mut belief, &told, &answer(6, "")).wrong, []);
        assert!(!belief.settled());
        let forgotten = judge(&mut belief.clone(), &first_message(), &first_answer(""));
        assert_eq!(fingerprints(&forgotten), [COMMON]);
        let next = judge(
            &mut belief,
            &first_message(),
            &first_answer(&status_read(5)),
        );
        assert_eq!(next.wrong, []);
    }
}

#[test]
fn a_lost_answer_makes_what_was_due_possible() {
    let mut belief = new_belief();
    belief.lost();
    for commands in [String::new(), set_up() + &policy(), policy()] {
        let judgement = judge(
            &mut belief.clone(),
            &first_message(),
            &first_answer(&commands),
        );
        assert_eq!(judgement.wrong, [], "{commands}");
    }
    let mut belief = settled();
    belief.request_rotation(None);
    belief.push_answered();
    belief.lost();
    assert_eq!(
        judge(&mut belief, &first_message(), &first_answer("")).wrong,
        []
    );
}

#[test]
fn a_device_without_policy_gets_no_laps_setting() {
    let mut belief = Belief::new(Arc::new(Class {
        policy: None,
        provider_id: "muster".into(),
    }));
    let right = judge(
        &mut belief.clone(),
        &first_message(),
        &first_answer(&set_up()),
    );
    assert_eq!(right, Judgement::default());
    let wrong = judge(
        &mut belief,
        &first_message(),
        &first_answer(&(set_up() + &policy())),
    );
    assert_eq!(
        fingerprints(&wrong),
        [(Some("REQ-ASSIGN-001"), "laps-leaf-unexpected")]
    );
}

/// Every answer that has the shape of a right one is right to the judge as well: bytes are changed,
/// put in and left out one by one.
#[test]
fn nothing_that_the_judge_refuses_has_the_shape_of_a_right_answer() {
    let good = first_answer("");
    let shape = Shape::of(http(&good, &good.len().to_string())).unwrap();
    let ids = Ids {
        session: b"7",
        device: DEVICE.as_bytes(),
    };
    assert!(shape.fits(ids, http(&good, &good.len().to_string())));
    let mut fits = 0;
    let mut try_one = |bytes: &[u8], length: usize| {
        let length = length.to_string();
        let http = Http {
            body: bytes,
            ..http("", &length)
        };
        if shape.fits(ids, http) {
            fits += 1;
            let message = first_message();
            let message = decode(message.as_bytes(), &Limits::default()).unwrap();
            let mut belief = settled();
            let expectation = belief.expect_nothing().unwrap();
            assert_eq!(expectation, belief.expect(&message));
            let judgement = belief.judge(&message, &expectation, http);
            assert_eq!(judgement, Judgement::default(), "{bytes:?}");
        }
    };
    for place in 0..good.len() {
        for other in [b'0', b'1', b'<', b'A', b' ', good.as_bytes()[place] ^ 1] {
            let mut bytes = good.clone().into_bytes();
            bytes[place] = other;
            try_one(&bytes, bytes.len());
            bytes.insert(place, other);
            try_one(&bytes, bytes.len());
        }
        let mut bytes = good.clone().into_bytes();
        bytes.remove(place);
        try_one(&bytes, bytes.len());
        try_one(good.as_bytes(), place);
    }
    // Replacing a byte by itself changes nothing; nothing else may fit.
    let same = |other: u8| good.bytes().filter(|byte| *byte == other).count();
    let same: usize = [b'0', b'1', b'<', b'A', b' '].map(same).iter().sum();
    assert_eq!(fits, same);
}

#[test]
fn a_shape_takes_other_ids_and_no_foreign_ones() {
    let shape = Shape::of(http(&first_answer(""), &first_answer("").len().to_string())).unwrap();
    let other = first_answer("")
        .replace(DEVICE, "00")
        .replace("<SessionID>7<", "<SessionID>65535<");
    let length = other.len().to_string();
    for (session, device, fits) in [
        ("65535", "00", true),
        ("65535", DEVICE, false),
        ("7", "00", false),
        ("00", "65535", false),
    ] {
        let ids = Ids {
            session: session.as_bytes(),
            device: device.as_bytes(),
        };
        assert_eq!(
            shape.fits(ids, http(&other, &length)),
            fits,
            "{session} {device}"
        );
        let failed = Http {
            status: 500,
            ..http(&other, &length)
        };
        let typed = Http {
            content_type: Some("text/xml"),
            ..http(&other, &length)
        };
        assert!(!shape.fits(ids, failed) && !shape.fits(ids, typed));
    }
}

#[test]
fn a_belief_that_owes_or_waits_expects_more_than_nothing() {
    assert!(new_belief().expect_nothing().is_none());
    let mut belief = settled();
    assert!(belief.expect_nothing().is_some());
    belief.request_rotation(Some(Refusal::Offline));
    assert!(belief.expect_nothing().is_some());
    belief.request_rotation(None);
    assert!(belief.expect_nothing().is_some());
    belief.push_answered();
    assert!(belief.expect_nothing().is_none());
}

fn http<'a>(body: &'a str, length: &'a str) -> Http<'a> {
    Http {
        status: 200,
        content_type: Some("application/vnd.syncml.dm+xml"),
        content_length: Some(length),
        body: body.as_bytes(),
    }
}
