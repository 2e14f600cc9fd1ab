//! Characters of XML: which are legal, what a reference stands for, line ends.

use std::borrow::Cow;

use crate::syncml::Text;

/// Longest piece of a message that an error quotes, in characters.
const QUOTED: usize = 64;

/// What one pass over a message found.
pub(super) struct Scan {
    /// The first character that XML 1.0 does not allow, and its offset.
    pub(super) illegal: Option<(usize, char)>,
    /// True when a carriage return stands somewhere.
    pub(super) has_carriage_return: bool,
}

/// Looks once at every byte.
pub(super) fn scan(source: &str) -> Scan {
    let mut is_suspect = false;
    let mut has_carriage_return = false;
    for byte in source.bytes() {
        has_carriage_return |= byte == b'\r';
        // U+FFFE and U+FFFF start with 0xEF, as other characters do.
        is_suspect |= byte == 0xEF || (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'));
    }
    let illegal = is_suspect
        .then(|| source.char_indices().find(|(_, c)| !is_legal(*c)))
        .flatten();
    Scan {
        illegal,
        has_carriage_return,
    }
}

/// True for a character that XML 1.0 allows (section 2.2, `Char`).
pub(super) fn is_legal(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => false,
        _ => true,
    }
}

/// True when the text is white space of XML, or empty.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// True for a name without a colon; letters outside ASCII are not told apart.
pub(super) fn is_name(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii();
    name.bytes().next().is_some_and(is_start)
        && name
            .bytes()
            .all(|byte| is_start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// What `&name;` stands for: a predefined entity or a character reference.
pub(super) fn resolve(name: &str) -> Option<char> {
    match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "quot" => return Some('"'),
        _ => {}
    }
    let number = name.strip_prefix('#')?;
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` takes a sign, a reference does not.
    let code = digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, radix).ok())
        .flatten()?;
    char::from_u32(code).filter(|character| is_legal(*character))
}

/// The value of an attribute; `None` when it holds a reference that stands for nothing.
pub(super) fn unescape(raw: &str) -> Option<Text<'_>> {
    if !raw.contains('&') {
        return Some(Cow::Borrowed(raw));
    }
    let mut pieces = raw.split('&');
    let mut value = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once(';')?;
        value.push(resolve(name)?);
        value.push_str(rest);
    }
    Some(Cow::Owned(value))
}

/// Line ends as XML 1.0 wants them seen (section 2.11): one line feed each.
pub(super) fn normalize_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The text, cut to what an error should quote.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}
