//! Writes a SyncML message as bytes, in the order of the DTD.
use super::Message;
/// Appends the message to `out`.
pub fn encode(_message: &Message<'_>, _out: &mut Vec<u8>) {
    todo!()
}
