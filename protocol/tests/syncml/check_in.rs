//! The check-in that is recognised without being decoded: never another meaning, never another
//! answer.

use std::borrow::Cow;

use protocol::syncml::{
    CheckIn, Command, Header, Limits, Message, Status, StatusCode, decode, encode,
};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::mutation::{messages, mutate};

const REQUEST: &[u8] = include_bytes!("../../../fixtures/wire/syncml/checkin-1-device.xml");
const ANSWER: &[u8] = include_bytes!("../../../fixtures/wire/syncml/checkin-1-core.xml");

#[test]
fn golden_check_in_is_recognised_and_answered_byte_for_byte() {
    let check_in = CheckIn::read(REQUEST).expect("recognised");
    assert_eq!(check_in.session_id, "3E");
    assert_eq!(check_in.source, "5D3B8E0F6A1C4972B8D0E4F1A7C2963B");
    assert_eq!(check_in.login_status, Some("none"));
    let mut answer = b"before".to_vec();
    check_in.write_answer(&mut answer);
    let answer = answer.strip_prefix(b"before").expect("appended");
    assert_eq!(
        String::from_utf8_lossy(answer),
        String::from_utf8_lossy(ANSWER)
    );
}

#[test]
fn other_messages_are_left_to_the_decoder() {
    let text = std::str::from_utf8(REQUEST).expect("UTF-8");
    let cases = [
        ("another number", "<MsgID>1<", "<MsgID>2<"),
        ("another version", "<VerDTD>1.2<", "<VerDTD>1.1<"),
        ("an abort", "<Data>1201<", "<Data>1223<"),
        ("another verb", "Replace>", "Add>"),
        ("not complete", "<Final/>", ""),
        ("a second root", "</SyncML>", "</SyncML><a/>"),
        ("a reference", "Muster<", "&lt;Muster<"),
        ("a stray bracket", "Muster<", ">Muster<"),
        ("white space", "<SyncBody>", "<SyncBody>\n"),
        ("beyond ASCII", "Muster", "Müster"),
        (
            "a credential",
            "</Source></SyncHdr>",
            "</Source><Cred><Data>x</Data></Cred></SyncHdr>",
        ),
    ];
    assert!(CheckIn::read(text.as_bytes()).is_some());
    for (case, from, to) in cases {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{case}");
        assert_eq!(CheckIn::read(changed.as_bytes()), None, "{case}");
    }
}

#[test]
fn what_is_recognised_means_what_the_decoder_reads() {
    let seed = 0x5EED_0002;
    let mut recognised = 0;
    for round in 0..40_000 {
        recognised += u32::from(agree(seed + round));
    }
    // Otherwise the rounds above have shown nothing.
    assert!(recognised > 5_000, "seed {seed}: {recognised}");
}

/// True when the message of this seed was recognised.
fn agree(seed: u64) -> bool {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut bytes = if rng.random_ratio(1, 4) {
        let messages = messages();
        messages[rng.random_range(0..messages.len())].1.to_vec()
    } else {
        REQUEST.to_vec()
    };
    for _ in 0..rng.random_range(0..=2) {
        mutate(&mut bytes, &mut rng);
    }
    let decoded = decode(&bytes, &Limits::default());
    let drawn = decoded.as_ref().ok().and_then(CheckIn::of);
    let read = CheckIn::read(&bytes);
    if read.is_some() {
        assert_eq!(read, drawn, "seed {seed}");
    }
    if let (Ok(message), Some(check_in)) = (&decoded, drawn) {
        let mut written = Vec::new();
        check_in.write_answer(&mut written);
        assert_eq!(
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&accepting(message)),
            "seed {seed}"
        );
    }
    read.is_some()
}

/// The answer that accepts every command, by the ordinary way.
fn accepting(message: &Message<'_>) -> Vec<u8> {
    let header = &message.header;
    let asked = message
        .commands
        .iter()
        .map(|command| (command.cmd_id().unwrap_or_default(), command.name()));
    let answer = Message {
        header: Header::new(
            header.session_id.clone(),
            1,
            header.source.clone(),
            header.target.clone(),
        ),
        commands: std::iter::once(("0", "SyncHdr"))
            .chain(asked)
            .zip(1..)
            .map(|((cmd_ref, name), cmd_id)| {
                let cmd_id: u32 = cmd_id;
                let cmd_ref = Cow::Borrowed(cmd_ref);
                let cmd_id = Cow::Owned(cmd_id.to_string());
                Command::Status(Status::new(cmd_id, 1, cmd_ref, name, StatusCode::OK))
            })
            .collect(),
        is_final: true,
        ignored: Vec::new(),
    };
    let mut bytes = Vec::new();
    encode(&answer, &mut bytes);
    bytes
}
