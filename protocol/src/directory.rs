//! The credential upload of a device, the project's own neutral contract (contract section 4).
//!
//! The upload that Windows uses is not published; this one takes the names of the Graph resource.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::time::UtcTicks;

/// The header that names the generated password, so that a repeat changes nothing.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The body of `PUT {directory}/laps/v1/devices/{entraDeviceId}/credential`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialUpload {
    /// Name of the device.
    pub device_name: String,
    /// Name of the managed account.
    pub account_name: String,
    /// Security identifier of the managed account.
    pub account_sid: String,
    /// Base64 of the password in UTF-16LE, see [`password_to_base64`].
    pub password_base64: Secret,
    /// When the password was generated, by the device's clock.
    pub backup_date_time: UtcTicks,
    /// When it expires, by the device's clock.
    pub refresh_date_time: UtcTicks,
}

/// The path below the directory's base URL to which the device with this Entra id uploads.
#[must_use]
pub fn credential_path(entra_device_id: uuid::Uuid) -> String {
    format!("/laps/v1/devices/{entra_device_id}/credential")
}

/// A password as the wire carries it: base64 of UTF-16LE (wire-facts 5.1).
#[must_use]
pub fn password_to_base64(password: &str) -> String {
    let bytes: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
    STANDARD.encode(bytes)
}

/// The password in a text that [`password_to_base64`] wrote; `None` for anything else.
#[must_use]
pub fn password_from_base64(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).ok()?;
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .collect::<Result<_, _>>()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sample_password_reads_and_writes() {
        let sample = "UQBRAEAAZAA4AGYAOABnAFkA";
        assert_eq!(password_from_base64(sample).as_deref(), Some("QQ@d8f8gY"));
        assert_eq!(password_to_base64("QQ@d8f8gY"), sample);
    }

    #[test]
    fn texts_that_are_no_utf16_are_refused() {
        // Not base64; an odd number of bytes; a lone surrogate.
        for text in ["%", "QQ==", "ANg="] {
            assert_eq!(password_from_base64(text), None, "{text}");
        }
    }
}
