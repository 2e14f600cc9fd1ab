//! Messages with broken bytes: the reader answers, and what it accepts it can write.

use protocol::MalformedKind;
use protocol::syncml::{Limits, decode, encode};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Pieces that mean something to a reader of XML.
const PIECES: [&[u8]; 24] = [
    b"<",
    b">",
    b"/",
    b"&",
    b";",
    b"\"",
    b"=",
    b"!",
    b"?",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"<?",
    b"<!DOCTYPE a>",
    b"&amp;",
    b"&#x0;",
    b"</",
    b"/>",
    b"<Item>",
    b"xmlns:",
    b"\0",
    b"\xFF",
    b"\r\n",
];

const ROUNDS: u64 = 20_000;

#[test]
fn mutated_messages_are_read_or_refused() {
    let seed = 0x5EED_0001;
    let messages = messages();
    for round in 0..ROUNDS {
        check(&messages, seed + round);
    }
}

/// One seed of the test above, to look at.
#[test]
fn mutation_of_one_seed_is_repeatable() {
    check(&messages(), 0x5EED_0001);
}

#[test]
fn every_proper_prefix_of_a_message_is_refused() {
    for (name, bytes) in messages() {
        let end = bytes.trim_ascii_end().len();
        for length in 0..end {
            let prefix = bytes.get(..length).expect("shorter");
            let error = decode(prefix, &Limits::default()).expect_err(name);
            let is_expected = matches!(
                error.kind,
                MalformedKind::Syntax(_) | MalformedKind::Missing | MalformedKind::NotUtf8
            );
            assert!(is_expected, "{name} cut at {length}: {error}");
        }
    }
}

pub(crate) fn messages() -> Vec<(&'static str, &'static [u8])> {
    let canonical = crate::golden::all().into_iter().map(|(golden, _)| golden);
    canonical.chain(crate::lax::ALL).collect()
}

fn check(messages: &[(&'static str, &'static [u8])], seed: u64) {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let (name, bytes) = *messages
        .get(rng.random_range(0..messages.len()))
        .expect("in range");
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        mutate(&mut bytes, &mut rng);
    }
    let limits = Limits::default();
    match decode(&bytes, &limits) {
        Err(error) => {
            assert!(error.offset <= bytes.len(), "seed {seed} {name}: {error}");
            // Names of elements are the only part whose length the message decides.
            let length = error.to_string().len();
            assert!(
                length <= 512 + bytes.len(),
                "seed {seed} {name}: {length} bytes"
            );
        }
        Ok(message) => {
            assert!(
                message.ignored.len() <= limits.ignored,
                "seed {seed} {name}"
            );
            let mut written = Vec::new();
            encode(&message, &mut written);
            let again = decode(&written, &limits);
            assert!(again.is_ok(), "seed {seed} {name}: {again:?}");
        }
    }
}

pub(crate) fn mutate(bytes: &mut Vec<u8>, rng: &mut Pcg64Mcg) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.random_range(0..bytes.len());
    let to = (at + rng.random_range(1..=40)).min(bytes.len());
    match rng.random_range(0..6) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
        1 => bytes.truncate(at),
        2 => {
            bytes.drain(at..to);
        }
        3 => {
            let piece = PIECES
                .get(rng.random_range(0..PIECES.len()))
                .expect("in range");
            bytes.splice(at..at, piece.iter().copied());
        }
        4 => {
            let copy: Vec<u8> = bytes.get(at..to).expect("in range").to_vec();
            let other = rng.random_range(0..=bytes.len());
            bytes.splice(other..other, copy);
        }
        _ => {
            let noise: Vec<u8> = (0..4).map(|_| rng.random()).collect();
            bytes.splice(at..to, noise);
        }
    }
}
