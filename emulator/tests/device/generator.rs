//! The password generator: 10,000 draws a setting.

use std::collections::HashSet;

use emulator::generate_password;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
// laps-facts F-100, typed from the published table.
const SYMBOLS: &str = ",.-+;!#&@{}[]$/()%";

fn sets(complexity: u32) -> Vec<&'static str> {
    match complexity {
        1 => vec![UPPER],
        2 => vec![UPPER, LOWER],
        3 => vec![UPPER, LOWER, DIGITS],
        4 => vec![UPPER, LOWER, DIGITS, SYMBOLS],
        _ => vec![
            "ABCDEFGHJKLMNPRSTUVWXYZ",
            "abcdefghijkmnpqrstuvwxyz",
            "23456789",
            "!#%+@:=?*",
        ],
    }
}

#[test]
fn the_sets_have_the_published_sizes() {
    let total = |complexity| sets(complexity).concat().len();
    assert_eq!((total(4), total(5)), (80, 64));
}

#[test]
fn passwords_use_every_set_nothing_else_and_the_exact_length() {
    for complexity in 1..=5 {
        let sets = sets(complexity);
        let all = sets.concat();
        let mut seen = HashSet::new();
        for generation in 0..10_000_u32 {
            let length = 8 + generation % 57;
            let password = generate_password((77, 3, generation), complexity, length);
            let text = password.expose();
            assert_eq!(text.len(), usize::try_from(length).expect("small"));
            assert!(
                text.chars().all(|c| all.contains(c)),
                "seed 77, {generation}"
            );
            for set in &sets {
                assert!(
                    text.chars().any(|c| set.contains(c)),
                    "seed 77, {generation}"
                );
            }
            seen.extend(text.chars());
        }
        assert_eq!(seen.len(), all.len(), "every character comes up");
    }
}

#[test]
fn passphrases_are_capitalised_words_of_the_right_list() {
    let lists: [(u32, &[&str]); 3] = [
        (6, &diceware_wordlists::EFF_LONG_WORDLIST),
        (7, &diceware_wordlists::EFF_SHORT_WORDLIST_1),
        (8, &diceware_wordlists::EFF_SHORT_WORDLIST_2_0),
    ];
    for (complexity, list) in lists {
        let known: HashSet<String> = list.iter().map(|word| word.replace('-', "")).collect();
        for generation in 0..10_000_u32 {
            let count = 3 + generation % 8;
            let phrase = generate_password((78, 4, generation), complexity, count);
            let words = split(phrase.expose());
            assert_eq!(words.len(), usize::try_from(count).expect("small"));
            for word in words {
                assert!(known.contains(&word), "{word}, seed 78, {generation}");
            }
        }
    }
}

#[test]
fn equal_keys_give_equal_passwords_and_others_do_not() {
    let draw = |key| generate_password(key, 4, 14).expose().to_owned();
    assert_eq!(draw((1, 2, 3)), draw((1, 2, 3)));
    let all: HashSet<String> = [(1, 2, 3), (1, 2, 4), (1, 3, 3), (2, 2, 3), (2, 1, 3)]
        .into_iter()
        .map(draw)
        .collect();
    assert_eq!(all.len(), 5);
    assert_eq!(
        format!("{:?}", generate_password((1, 2, 3), 4, 14)),
        "Secret(..)"
    );
}

/// Cuts a passphrase before each capital.
fn split(phrase: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in phrase.chars() {
        if letter.is_ascii_uppercase() {
            words.push(String::new());
        }
        let word = words.last_mut().expect("begins with a capital");
        word.push(letter.to_ascii_lowercase());
    }
    words
}
