//! Whether an answer of the target shows a password.

use protocol::directory::password_from_base64;

use super::member::Member;

/// True when the password that the device holds, or any under the usual name, stands in an answer.
pub(super) fn shows_password(member: &Member, bytes: &[u8]) -> bool {
    let Some(held) = member.device.held_password() else {
        return contains(bytes, b"passwordBase64");
    };
    let base64 = held.password_base64.expose();
    let text = password_from_base64(base64).unwrap_or_default();
    // In JSON a quote or backslash of the password stands escaped.
    let escaped = serde_json::Value::from(text.as_str()).to_string();
    let escaped = escaped.trim_matches('"');
    [
        b"passwordBase64",
        base64.as_bytes(),
        text.as_bytes(),
        escaped.as_bytes(),
    ]
    .into_iter()
    .any(|needle| contains(bytes, needle))
}

/// True when `needle` stands in `bytes`.
fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && bytes.windows(needle.len()).any(|window| window == needle)
}
