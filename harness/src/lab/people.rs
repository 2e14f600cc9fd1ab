//! Who is signed in on a device, over the control plane.

use protocol::control::SignIn;
use uuid::Uuid;

use super::Lab;
use crate::error::Error;

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
        let answer = self.control_call("POST", "/signIns", body).await?;
        if matches!(answer.status, 200..=299) {
            return Ok(());
        }
        Err(Error::Target {
            what: "POST /muster/v1/signIns".to_owned(),
            seen: format!("status {}", answer.status),
        })
    }
}
