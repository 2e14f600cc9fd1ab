//! Who is signed in on a device, over the control plane.

use protocol::control::SignIn;
use uuid::Uuid;

use super::Lab;
use crate::error::Error;
use crate::fleet::wire;

impl Lab {
    /// Tells the target who is signed in on a device from now on.
    ///
    /// # Errors
    /// The target refused or did not answer.
    pub async fn sign_in(&self, managed: Uuid, user: Option<&str>) -> Result<(), Error> {
        let body = serde_json::to_vec(&SignIn {
            entra_device_id: None,
            managed_device_id: Some(managed),
            user_principal_name: user.map(str::to_owned),
        })
        .map_err(|error| Error::Harness(format!("sign-in: {error}")))?;
        let url = format!("{}/muster/v1/signIns", self.target().control);
        let call = wire::Call {
            actor: "control",
            method: "POST",
            url: &url,
            body,
        };
        let what = || format!("POST {url}");
        let answer = wire::call(self.pools(), self.target(), call)
            .await
            .map_err(|failure| Error::Unreachable {
                what: what(),
                cause: failure.to_string(),
            })?;
        if matches!(answer.status, 200..=299) {
            return Ok(());
        }
        Err(Error::Target {
            what: what(),
            seen: format!("status {}", answer.status),
        })
    }
}
