//! Uploads that no device of ours would make by itself: with its own identity for whatever device
//! the scenario names.

use emulator::{Endpoint, Method, Transmit};
use protocol::directory::{CredentialUpload, credential_path, password_to_base64};
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use uuid::Uuid;

use super::LabDevice;
use crate::error::Error;
use crate::lab::SessionSeen;
use crate::transcript::ExchangeId;

/// How an upload ended that the scenario made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForcedUpload {
    /// The status; `None` when no answer came.
    pub status: Option<u16>,
    /// The exchange.
    pub exchange: Option<ExchangeId>,
}

impl ForcedUpload {
    /// True when the directory took it (contract 0: 202 is as good as 204).
    #[must_use]
    pub const fn accepted(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }
}

impl LabDevice {
    /// Uploads a made-up password with this device's identity for the device with this Entra id.
    /// It is none of the device's own uploads, and the device knows nothing of it.
    ///
    /// # Errors
    /// [`Error::Harness`] when the body cannot be written.
    pub async fn upload_for(&mut self, entra: Uuid, account: &str) -> Result<ForcedUpload, Error> {
        let now = self.now();
        let key = Uuid::from_u64_pair(
            entra.as_u64_pair().1,
            u64::try_from(now.as_millis()).unwrap_or_default() ^ self.index,
        );
        let body = CredentialUpload {
            device_name: self.name().to_owned(),
            account_name: account.to_owned(),
            account_sid: "S-1-5-21-1-2-3-500".to_owned(),
            password_base64: Secret::new(password_to_base64(&format!("forced {key}"))),
            backup_date_time: now.ticks(),
            refresh_date_time: now.plus_millis(30 * UtcMillis::DAY_MS).ticks(),
        };
        let body = serde_json::to_vec(&body)
            .map_err(|error| Error::Harness(format!("upload: {error}")))?;
        let transmit = Transmit {
            endpoint: Endpoint::Directory,
            method: Method::Put,
            url: format!(
                "{}{}",
                self.lab.target().directory.trim_end_matches('/'),
                credential_path(entra)
            ),
            content_type: "application/json",
            body,
            idempotency_key: Some(key),
            user_agent: "muster LAPS/1",
        };
        let mut session = SessionSeen::default();
        self.exchange(transmit, &mut session).await;
        Ok(ForcedUpload {
            status: session.uploads.first().and_then(|upload| upload.status),
            exchange: session.exchanges.first().copied(),
        })
    }
}
