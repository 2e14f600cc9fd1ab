//! The generator: passwords and passphrases for complexity 1 to 8 (F-100 to F-105).

use diceware_wordlists::{EFF_LONG_WORDLIST, EFF_SHORT_WORDLIST_1, EFF_SHORT_WORDLIST_2_0};
use protocol::secret::Secret;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_pcg::Pcg64Mcg;

use crate::fault::DeviceFault;
use crate::identity::Identity;
use crate::laps::policy::EffectivePolicy;
use crate::random::{Purpose, stream};

/// Draws a password from the stream of (`seed`, `index`, `generation`).
///
/// `complexity` is 1 to 8, anything else counts as the default 4 (F-043); `length` is in
/// characters for 1 to 5 and in words for 6 to 8.
#[must_use]
pub fn generate_password(key: (u64, u64, u32), complexity: u32, length: u32) -> Secret {
    generate(key, complexity, length, None)
}

fn generate(
    (seed, index, generation): (u64, u64, u32),
    complexity: u32,
    length: u32,
    fault: Option<DeviceFault>,
) -> Secret {
    let mut rng = stream(seed, index, Purpose::Password, u64::from(generation));
    let text = match complexity {
        1 => characters(&mut rng, &[UPPER], length, fault),
        2 => characters(&mut rng, &[UPPER, LOWER], length, fault),
        3 => characters(&mut rng, &[UPPER, LOWER, DIGITS], length, fault),
        5 if fault != Some(DeviceFault::PwgenConfusable) => {
            characters(&mut rng, &READABLE, length, fault)
        }
        7 if fault == Some(DeviceFault::PwgenWrongList) => {
            words(&mut rng, &EFF_LONG_WORDLIST, length, fault)
        }
        6 => words(&mut rng, &EFF_LONG_WORDLIST, length, fault),
        7 => words(&mut rng, &EFF_SHORT_WORDLIST_1, length, fault),
        8 => words(&mut rng, &EFF_SHORT_WORDLIST_2_0, length, fault),
        _ => characters(&mut rng, &[UPPER, LOWER, DIGITS, SYMBOLS], length, fault),
    };
    Secret::new(text)
}

/// The password of a device's generation under a policy: the length that counts is that of the
/// complexity's kind (F-105).
pub(crate) fn for_policy(identity: &Identity, generation: u32, policy: &EffectivePolicy) -> Secret {
    let by_words = !identity.has(DeviceFault::LengthGovernsWords);
    let length = if policy.password_complexity >= FIRST_PASSPHRASE && by_words {
        policy.passphrase_length
    } else {
        policy.password_length
    };
    let key = (identity.seed, identity.index, generation);
    generate(key, policy.password_complexity, length, identity.fault)
}

/// Six random digits of a managed account's name (F-115).
pub(crate) fn name_digits(identity: &Identity, generation: u32) -> String {
    let counter = if identity.has(DeviceFault::AcctSameDigits) {
        1
    } else {
        u64::from(generation)
    };
    let mut rng = stream(identity.seed, identity.index, Purpose::AccountName, counter);
    format!("{:06}", rng.random_range(0..1_000_000_u32))
}

/// At least one character of each set, the rest from all of them, in random order (F-101).
fn characters(
    rng: &mut Pcg64Mcg,
    sets: &[&str],
    length: u32,
    fault: Option<DeviceFault>,
) -> String {
    let short = u32::from(fault == Some(DeviceFault::PwgenOneShort));
    let length = usize::try_from(length - short).unwrap_or(usize::MAX);
    let all: Vec<u8> = sets.iter().flat_map(|set| set.bytes()).collect();
    let first = sets.iter().map(|set| set.as_bytes());
    let mut drawn: Vec<u8> = first.filter_map(|set| set.choose(rng).copied()).collect();
    if fault == Some(DeviceFault::PwgenSetMissing) {
        drawn.clear();
    }
    drawn.truncate(length);
    while drawn.len() < length {
        drawn.extend(all.choose(rng));
    }
    drawn.shuffle(rng);
    drawn.into_iter().map(char::from).collect()
}

/// Words with a capital first letter and nothing between them, nor within: a few words of the
/// lists have a hyphen (F-103).
fn words(rng: &mut Pcg64Mcg, list: &[&str], count: u32, fault: Option<DeviceFault>) -> String {
    let mut text = String::new();
    for number in 0..count {
        if number > 0 && fault == Some(DeviceFault::PwgenSeparator) {
            text.push('-');
        }
        let word = list.choose(rng).copied().unwrap_or_default();
        let mut letters = word.chars();
        let small = fault == Some(DeviceFault::PwgenLowerCase);
        text.extend(letters.next().map(|letter| {
            if small {
                letter
            } else {
                letter.to_ascii_uppercase()
            }
        }));
        text.extend(letters.filter(char::is_ascii_alphabetic));
    }
    text
}

/// The first complexity that makes passphrases.
const FIRST_PASSPHRASE: u32 = 6;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
const SYMBOLS: &str = ",.-+;!#&@{}[]$/()%";
/// Complexity 5: without the characters that are easily confused (F-100, F-102).
const READABLE: [&str; 4] = [
    "ABCDEFGHJKLMNPRSTUVWXYZ",
    "abcdefghijkmnpqrstuvwxyz",
    "23456789",
    "!#%+@:=?*",
];
