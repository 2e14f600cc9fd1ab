//! What generated passwords look like (F-100 to F-105).

use std::collections::BTreeSet;

use diceware_wordlists::{EFF_LONG_WORDLIST, EFF_SHORT_WORDLIST_1, EFF_SHORT_WORDLIST_2_0};

use super::bench::{Bench, NEW, OLD};
use super::book::{Book, Rule};
use super::server::Hall;
use crate::error::Error;

const CHARACTERS: Rule = Rule {
    requirement: "REQ-PWGEN-001",
    fingerprint: "characters-wrong",
    required: "complexity 1 to 5: the exact length, allowed characters only, at least one of each set (F-100, F-101)",
};
const PHRASES: Rule = Rule {
    requirement: "REQ-PWGEN-002",
    fingerprint: "words-wrong",
    required: "complexity 6 to 8: as many words of the right list as asked for, each with a capital, nothing between them (F-103)",
};
const OLD_BUILD: Rule = Rule {
    requirement: "REQ-PWGEN-002",
    fingerprint: "phrase-on-old-build",
    required: "a build that does not know passphrases makes passwords of complexity 4 (F-043)",
};

/// Passwords drawn a setting.
const DRAWS: u32 = 10_000;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
// F-100, the table: 18 symbols.
const SYMBOLS: &str = ",.-+;!#&@{}[]$/()%";

/// The sets of a complexity from 1 to 5.
const fn sets(complexity: u32) -> &'static [&'static str] {
    match complexity {
        1 => &[UPPER],
        2 => &[UPPER, LOWER],
        3 => &[UPPER, LOWER, DIGITS],
        5 => &[
            "ABCDEFGHJKLMNPRSTUVWXYZ",
            "abcdefghijkmnpqrstuvwxyz",
            "23456789",
            "!#%+@:=?*",
        ],
        _ => &[UPPER, LOWER, DIGITS, SYMBOLS],
    }
}

/// True for a password of this complexity, 1 to 5, and length.
pub(super) fn is_password(text: &str, complexity: u32, length: usize) -> bool {
    let sets = sets(complexity);
    let in_set = |set: &str, byte: u8| set.as_bytes().contains(&byte);
    text.len() == length
        && text
            .bytes()
            .all(|byte| sets.iter().any(|set| in_set(set, byte)))
        && sets
            .iter()
            .all(|set| text.bytes().any(|byte| in_set(set, byte)))
}

/// The words of a complexity from 6 to 8, small; words of the list with a hyphen lose it.
fn list(complexity: u32) -> BTreeSet<String> {
    let words: &[&str] = match complexity {
        6 => &EFF_LONG_WORDLIST,
        7 => &EFF_SHORT_WORDLIST_1,
        _ => &EFF_SHORT_WORDLIST_2_0,
    };
    words.iter().map(|word| word.replace('-', "")).collect()
}

/// True for words with a capital each, this many.
pub(super) fn is_phrase(text: &str, words: usize) -> bool {
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    let starts = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_uppercase());
    starts && capitals == words && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The words of a phrase, small.
fn split(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in text.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_ascii_uppercase() => word.push(letter),
            Some(_) | None => words.push(letter.to_ascii_lowercase().to_string()),
        }
    }
    words
}

/// Complexity 1 to 5.
pub(super) async fn characters(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut bench = hall.entra(NEW).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    for complexity in 1..=5_u32 {
        for length in [8_usize, 14, 64] {
            let chosen = [complexity.to_string(), length.to_string()];
            let settings = [
                ("PasswordComplexity", chosen[0].as_str()),
                ("PasswordLength", &chosen[1]),
            ];
            bench.apply(hall, &settings).await?;
            let wrong = draw(&mut bench, hall, |text| {
                is_password(text, complexity, length)
            })
            .await?;
            book.hold(CHARACTERS, wrong == 0, || {
                format!("complexity {complexity}, length {length}: {wrong} of {DRAWS} are wrong")
            });
        }
    }
    Ok(())
}

/// Complexity 6 to 8, and what an old build makes of them.
pub(super) async fn phrases(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut bench = hall.entra(NEW).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    for complexity in 6..=8_u32 {
        let known = list(complexity);
        for words in [3_usize, 6, 10] {
            let chosen = [complexity.to_string(), words.to_string()];
            let settings = [
                ("PasswordComplexity", chosen[0].as_str()),
                ("PassphraseLength", &chosen[1]),
            ];
            bench.apply(hall, &settings).await?;
            let right = |text: &str| {
                is_phrase(text, words) && split(text).iter().all(|word| known.contains(word))
            };
            let wrong = draw(&mut bench, hall, right).await?;
            book.hold(PHRASES, wrong == 0, || {
                format!("complexity {complexity}, {words} words: {wrong} of {DRAWS} are wrong")
            });
        }
    }
    let mut bench = hall.entra(OLD).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    bench.write(hall, &[("PasswordComplexity", "7")]).await?;
    bench.reset(hall).await?;
    let newest = bench.newest()?;
    let holds = is_password(newest.password.expose(), 4, 14) && bench.in_step();
    book.hold(OLD_BUILD, holds, || {
        let length = newest.password.expose().len();
        format!("a password of {length} characters that is not of complexity 4 and length 14")
    });
    Ok(())
}

/// How many passwords of the device's generator are not right, the one it backs up among them.
async fn draw(
    bench: &mut Bench,
    hall: &Hall,
    right: impl Fn(&str) -> bool,
) -> Result<usize, Error> {
    bench.reset(hall).await?;
    let held = bench.device.managed_account();
    let generation = held.map_or(0, |account| account.generation);
    let newest = bench.newest()?.password;
    // The generator that is drawn from here is the one whose password went to the directory.
    let same = bench
        .device
        .passwords(generation..generation + 1)
        .all(|password| password.expose() == newest.expose());
    let wrong = bench
        .device
        .passwords(generation..generation + DRAWS)
        .filter(|password| !right(password.expose()))
        .count();
    Ok(wrong + usize::from(!same))
}
