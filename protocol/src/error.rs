//! The one error of this crate: bytes that are not the message they should be.

use std::fmt;

/// Bytes that do not form the message expected: which element, where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The element, member or header concerned, for example `SyncHdr/SessionID`.
    pub element: String,
    /// Offset in bytes from the start of the message; 0 where a position makes no sense (headers).
    pub offset: usize,
    /// What is wrong with it.
    pub kind: MalformedKind,
}

/// What is wrong with an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MalformedKind {
    /// The bytes are not well-formed XML or JSON; the text is the parser's.
    Syntax(String),
    /// The bytes are not UTF-8.
    NotUtf8,
    /// A document type declaration, which no plane accepts.
    DoctypeRefused,
    /// The element is required and absent.
    Missing,
    /// The element stands more than once where one is allowed.
    Repeated,
    /// The element holds a value that its type does not allow.
    Value(String),
    /// The element is not allowed at this place.
    Unexpected,
    /// A limit of the reader was passed; the text names the limit and its value.
    Limit(&'static str, usize),
}

impl Malformed {
    /// A complaint about `element` at byte `offset`.
    #[must_use]
    pub fn new(element: impl Into<String>, offset: usize, kind: MalformedKind) -> Self {
        Self {
            element: element.into(),
            offset,
            kind,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "element `{}` at byte {}: ", self.element, self.offset)?;
        match &self.kind {
            MalformedKind::Syntax(text) => write!(f, "not well formed: {text}"),
            MalformedKind::NotUtf8 => f.write_str("not UTF-8"),
            MalformedKind::DoctypeRefused => f.write_str("a document type is refused"),
            MalformedKind::Missing => f.write_str("required and absent"),
            MalformedKind::Repeated => f.write_str("stands more than once"),
            MalformedKind::Value(text) => write!(f, "value `{text}` is not allowed"),
            MalformedKind::Unexpected => f.write_str("not allowed here"),
            MalformedKind::Limit(name, value) => write!(f, "over the limit {name} of {value}"),
        }
    }
}

impl std::error::Error for Malformed {}
