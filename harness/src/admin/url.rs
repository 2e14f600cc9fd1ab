//! Texts in query strings.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters (RFC 3986 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `text` as it may stand in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `text` as a literal of an OData filter: in quotes, inner quotes doubled.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_encoded() {
        for (text, expected) in [
            ("a eq 'b'", "a%20eq%20%27b%27"),
            ("2026-03-11T09:30:00Z", "2026-03-11T09%3A30%3A00Z"),
            ("ä", "%C3%A4"),
        ] {
            assert_eq!(encoded(text), expected);
        }
        assert_eq!(literal("o'brien"), "'o''brien'");
    }
}
