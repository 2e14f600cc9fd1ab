//! Reads a SyncML message from its bytes.
use super::Message;
use crate::Malformed;
/// Bounds of the reader.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest message, in bytes.
    pub size: usize,
    /// Deepest element, counted from the root as 1.
    pub depth: usize,
    /// Most commands and items together.
    pub count: usize,
    /// Most skipped elements that are remembered.
    pub ignored: usize,
}
impl Default for Limits {
    fn default() -> Self {
        Self { size: 512 * 1024, depth: 32, count: 10_000, ignored: 64 }
    }
}
/// Reads a message.
///
/// # Errors
/// [`Malformed`] names the element, the byte offset and the reason.
pub fn decode<'a>(_bytes: &'a [u8], _limits: &Limits) -> Result<Message<'a>, Malformed> {
    todo!()
}
