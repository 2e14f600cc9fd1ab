//! Finds known secrets in a text, in every form that is no protection: as it is, escaped for JSON or
//! XML, as UTF-16, and as base64 of either encoding at each of its three offsets.
//!
//! A fleet has a million passwords in ten forms each. An automaton over all of them takes minutes to
//! build and gigabytes to hold, so the first eight bytes of each form are looked up in a table
//! instead, behind a filter that rules out nearly every place of a text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use quick_xml::escape::escape;

/// Bytes of a form that lead to it.
const WINDOW: usize = 8;
/// Bits of the filter for each form: one place in about so many passes it by chance.
const FILTER_BITS: usize = 32;

/// In which form a secret stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// As it is, or escaped for JSON or XML.
    Clear,
    /// As UTF-16, little-endian.
    Utf16,
    /// As base64 of its UTF-8 form.
    Base64,
    /// As base64 of its UTF-16 form.
    Base64Utf16,
}

impl Form {
    /// The words in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "in clear",
            Self::Utf16 => "in clear as UTF-16LE",
            Self::Base64 => "as base64",
            Self::Base64Utf16 => "as base64 of UTF-16LE",
        }
    }
}

/// A secret found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it begins and ends.
    pub range: (usize, usize),
    /// Its place in the list of secrets.
    pub secret: usize,
    /// In which form it stands there.
    pub form: Form,
}

/// The secrets of a run, ready to be looked for.
#[derive(Clone, Default)]
pub struct Needles {
    secrets: Vec<Box<str>>,
    /// The first bytes of each form with the secret that they lead to, sorted.
    starts: Vec<(u64, u32)>,
    /// One bit a hash of first bytes; the number of bits is a power of two.
    filter: Vec<u64>,
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Needles")
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

impl Needles {
    /// Shorter secrets are not looked for: they stand in too many places by chance.
    pub const SECRET_CHARS_MIN: usize = 8;

    /// Takes the secrets; those that are too short are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let long = |secret: &&str| secret.chars().count() >= Self::SECRET_CHARS_MIN;
        let mut secrets: Vec<Box<str>> = secrets.into_iter().filter(long).map(Into::into).collect();
        secrets.sort_unstable();
        secrets.dedup();
        let mut starts = Vec::new();
        for (number, secret) in (0_u32..).zip(&secrets) {
            let forms = forms_of(secret).into_iter();
            starts.extend(forms.filter_map(|(_, form)| Some((window(&form)?, number))));
        }
        starts.sort_unstable();
        starts.dedup();
        let bits = (starts.len() * FILTER_BITS).next_power_of_two().max(64);
        let mut needles = Self {
            secrets,
            filter: vec![0; bits / 64],
            starts,
        };
        for place in 0..needles.starts.len() {
            let (word, bit) = needles.slot(needles.starts[place].0);
            needles.filter[word] |= bit;
        }
        needles
    }

    /// How many secrets are looked for.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.secrets.len()
    }

    /// True when nothing is looked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The secret at this place of the list.
    #[must_use]
    pub fn secret(&self, place: usize) -> &str {
        self.secrets.get(place).map_or("", |secret| secret)
    }

    /// The first secret at or behind `from`; where several begin, the longest form of them.
    #[must_use]
    pub fn find(&self, text: &[u8], from: usize) -> Option<Found> {
        if self.starts.is_empty() {
            return None;
        }
        let windows = text.get(from..)?.windows(WINDOW);
        (from..).zip(windows).find_map(|(at, bytes)| {
            let window = window(bytes)?;
            let (word, bit) = self.slot(window);
            if self.filter[word] & bit == 0 {
                return None;
            }
            self.found(text, at, window)
        })
    }

    /// Every secret in the text, none within another.
    pub fn find_all<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Found> + 't {
        let mut from = 0;
        std::iter::from_fn(move || {
            let found = self.find(text, from)?;
            from = found.range.1;
            Some(found)
        })
    }

    fn found(&self, text: &[u8], at: usize, window: u64) -> Option<Found> {
        let first = self.starts.partition_point(|(start, _)| *start < window);
        let led = self.starts[first..].iter();
        let led = led.take_while(|(start, _)| *start == window);
        led.filter_map(|(_, number)| {
            let secret = usize::try_from(*number).ok()?;
            let (form, bytes) = forms_of(self.secret(secret))
                .into_iter()
                .filter(|(_, bytes)| text[at..].starts_with(bytes))
                .max_by_key(|(_, bytes)| bytes.len())?;
            Some(Found {
                range: (at, at + bytes.len()),
                secret,
                form,
            })
        })
        .max_by_key(|found| found.range.1)
    }

    /// Where the filter holds the bit of a window.
    fn slot(&self, window: u64) -> (usize, u64) {
        // Fibonacci hashing (Knuth, TAOCP 6.4): the high bits of the product are well mixed.
        let hash = window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let words = self.filter.len();
        let place = usize::try_from(hash).unwrap_or(usize::MAX) & (words * 64 - 1);
        (place / 64, 1 << (place % 64))
    }
}

fn window(bytes: &[u8]) -> Option<u64> {
    let first: [u8; WINDOW] = bytes.get(..WINDOW)?.try_into().ok()?;
    Some(u64::from_le_bytes(first))
}

/// A secret as it may stand in a text.
fn forms_of(secret: &str) -> Vec<(Form, Vec<u8>)> {
    let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut forms = vec![(Form::Clear, secret.as_bytes().to_owned())];
    let json = serde_json::to_string(secret).unwrap_or_default();
    for escaped in [json.trim_matches('"'), &escape(secret)] {
        if escaped != secret {
            forms.push((Form::Clear, escaped.as_bytes().to_owned()));
        }
    }
    for shift in base64_shifts(secret.as_bytes()) {
        forms.push((Form::Base64, shift));
    }
    for shift in base64_shifts(&utf16) {
        forms.push((Form::Base64Utf16, shift));
    }
    forms.push((Form::Utf16, utf16));
    forms
}

/// The part of the base64 of some bytes that does not depend on what stands before and behind them,
/// at each of the three offsets.
fn base64_shifts(bytes: &[u8]) -> [Vec<u8>; 3] {
    // Characters that bytes before have a part in, by how many these are.
    [(0, 0), (1, 2), (2, 3)].map(|(before, mixed)| {
        let mut shifted = vec![0; before];
        shifted.extend_from_slice(bytes);
        let whole = shifted.len() * 8 / 6;
        STANDARD_NO_PAD.encode(&shifted).as_bytes()[mixed..whole].to_owned()
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const PASSWORD: &str = "kR7<&\"vq2}Zx";
    const OTHER: &str = "3f9c7a1be52d4e0fa6c8";

    fn needles() -> Needles {
        Needles::new([PASSWORD, OTHER, "short"])
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_secret_is_found_in_every_form_at_every_offset() {
        let json = serde_json::to_string(&format!("a {PASSWORD} b")).unwrap();
        let mut rows: Vec<(Vec<u8>, Form)> = vec![
            (format!("x{PASSWORD}y").into_bytes(), Form::Clear),
            (json.into_bytes(), Form::Clear),
            (escape(PASSWORD).into_owned().into_bytes(), Form::Clear),
            (utf16(&format!("x{PASSWORD}y")), Form::Utf16),
        ];
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}{PASSWORD} tail");
            rows.push((STANDARD.encode(&text).into_bytes(), Form::Base64));
            let mut bytes = before.as_bytes().to_owned();
            bytes.extend(utf16(PASSWORD));
            rows.push((STANDARD.encode(bytes).into_bytes(), Form::Base64Utf16));
        }
        let needles = needles();
        for (text, form) in rows {
            let found: Vec<Found> = needles.find_all(&text).collect();
            let shown = String::from_utf8_lossy(&text);
            assert_eq!(found.len(), 1, "{form:?}: {shown}");
            assert_eq!(found[0].form, form, "{shown}");
            assert_eq!(needles.secret(found[0].secret), PASSWORD, "{shown}");
        }
    }

    #[test]
    fn every_place_is_found_once_and_in_order() {
        let text = format!("{OTHER}{PASSWORD} {OTHER}");
        let found: Vec<(usize, usize)> = needles()
            .find_all(text.as_bytes())
            .map(|found| found.range)
            .collect();
        assert_eq!(found, [(0, 20), (20, 32), (33, 53)]);
    }

    #[test]
    fn what_is_no_secret_is_not_found() {
        for text in ["", "short", "kR7<&", &PASSWORD[..11], &"x".repeat(100)] {
            assert_eq!(needles().find(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(Needles::new([]).find(b"anything at all", 0), None);
        assert_eq!(Needles::new(["short"]).len(), 0);
    }

    #[test]
    fn of_two_secrets_with_one_beginning_the_longer_is_found() {
        let needles = Needles::new(["abcdefgh", "abcdefghij"]);
        let found = needles.find(b"..abcdefghij..", 0).unwrap();
        assert_eq!(found.range, (2, 12));
    }
}
