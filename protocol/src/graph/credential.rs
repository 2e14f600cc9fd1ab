//! Local administrator credentials (`/directory/deviceLocalCredentials`).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::Secret;
use crate::time::UtcTicks;
use crate::{Malformed, MalformedKind};

/// What the directory has about a device's managed account. `$select` leaves members out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceLocalCredentialInfo {
    /// Entra device id.
    pub id: Uuid,
    /// Name of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// When the current password was backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup_date_time: Option<UtcTicks>,
    /// When the next rotation is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_date_time: Option<UtcTicks>,
    /// The credentials, newest first; only when asked for by `$select=credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<DeviceLocalCredential>>,
}

impl DeviceLocalCredentialInfo {
    /// Reads the answer for one device: the object itself, or wrapped in `value` as Graph's
    /// documentation prints it (wire-facts 5.1).
    ///
    /// # Errors
    /// Anything that is neither.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let syntax = |error: serde_json::Error| {
            Malformed::new(
                "deviceLocalCredentialInfo",
                0,
                MalformedKind::Syntax(error.to_string()),
            )
        };
        let mut json: serde_json::Value = serde_json::from_slice(bytes).map_err(syntax)?;
        if let Some(inner) = json.get_mut("value").filter(|inner| inner.is_object()) {
            json = inner.take();
        }
        serde_json::from_value(json).map_err(syntax)
    }
}

/// One credential, current or former.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceLocalCredential {
    /// Name of the managed account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// Security identifier of the managed account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<String>,
    /// When it was backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_date_time: Option<UtcTicks>,
    /// Base64 of the password in UTF-16LE, see [`crate::directory::password_from_base64`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_base64: Option<Secret>,
}
