//! The digest that ends a file of ours: SHA-256 over every line before its own. A file that was cut
//! off, or of which a single byte changed, is refused.
//!
//! Anybody can check it: `head -n -2 report.json | sha256sum` gives the digest of a report, `head -n
//! -1 results.jsonl | sha256sum` that of results.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// What stands before the hexadecimal digits.
const ALGORITHM: &str = "sha256:";
/// The line that ends a sealed JSON object, before and behind its digest.
const MEMBER: (&str, &str) = ("  \"digest\": \"", "\"\n}");

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its digest is not where it has to be.
    CutOff,
    /// Its digest is that of other content.
    Changed,
}

impl Broken {
    /// A sentence part for errors.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::CutOff => "it does not end in its digest: it was cut off, or changed",
            Self::Changed => "its digest is that of other content: it was changed",
        }
    }
}

/// The digest as it stands in files, for example `sha256:e3b0...`.
pub(super) fn text_of(state: Sha256) -> String {
    let mut text = ALGORITHM.to_owned();
    for byte in state.finalize() {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

/// An object of JSON over several lines with its digest as last member and a line feed behind it;
/// `None` when it is no such object.
pub(super) fn seal(pretty: &str) -> Option<String> {
    let members = pretty.strip_suffix("\n}")?;
    let mut sealed = format!("{members},\n");
    let digest = text_of(Sha256::new().chain_update(&sealed));
    sealed.push_str(MEMBER.0);
    sealed.push_str(&digest);
    sealed.push_str(MEMBER.1);
    sealed.push('\n');
    Some(sealed)
}

/// Checks what [`seal`] made; the line feed at the end may be missing.
pub(super) fn check(sealed: &[u8]) -> Result<(), Broken> {
    let object = sealed.strip_suffix(b"\n").unwrap_or(sealed);
    let object = object
        .strip_suffix(MEMBER.1.as_bytes())
        .ok_or(Broken::CutOff)?;
    let start = line_start(object);
    let (before, line) = object.split_at(start);
    let digest = line
        .strip_prefix(MEMBER.0.as_bytes())
        .ok_or(Broken::CutOff)?;
    check_digest(before, digest)
}

/// Compares the digest of `before` with the one that a file gives.
pub(super) fn check_digest(before: &[u8], digest: &[u8]) -> Result<(), Broken> {
    let right = text_of(Sha256::new().chain_update(before));
    if right.as_bytes() == digest {
        Ok(())
    } else {
        Err(Broken::Changed)
    }
}

/// Where the last line begins.
pub(super) fn line_start(text: &[u8]) -> usize {
    let feed = text.iter().rposition(|byte| *byte == b'\n');
    feed.map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_lines_before_it() {
        let sealed = seal("{\n  \"a\": 1\n}").unwrap();
        // printf '{\n  "a": 1,\n' | sha256sum
        let digest = "258d97188c1e1b71d2c4210444fd72c3cf58a6d7d799180006273b33f2d1d054";
        assert_eq!(
            sealed,
            format!("{{\n  \"a\": 1,\n  \"digest\": \"sha256:{digest}\"\n}}\n")
        );
        assert_eq!(check(sealed.as_bytes()), Ok(()));
        assert_eq!(check(sealed.trim_end().as_bytes()), Ok(()));
    }

    #[test]
    fn what_is_no_object_of_several_lines_is_not_sealed() {
        for text in ["", "{}", "[\n1\n]", "{\"a\":1}"] {
            assert_eq!(seal(text), None, "{text}");
        }
    }
}
