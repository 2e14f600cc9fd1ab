//! The control plane, every call recorded; and the target's own clock.

use protocol::control::{AdvanceClock, ClockState, RegisterDevice, Registration};
use protocol::enrollment::Credential;
use protocol::time::{UtcMillis, UtcTicks};

use super::Lab;
use crate::error::Error;
use crate::fleet::wire;
use crate::http::{Answer, path_of};
use crate::transcript::{Exchange, Plane};

/// The actor of the control plane, and the scope of its exchanges.
const CONTROL: &str = "control";

impl Lab {
    /// The target's present time; `None` when it does not tell.
    pub async fn target_now(&self) -> Option<UtcTicks> {
        self.clock_call("GET", Vec::new()).await.ok().flatten()
    }

    /// Moves the target's clock; false when the target has no virtual clock.
    ///
    /// # Errors
    /// [`Error::Harness`] when the call could not be made.
    pub async fn advance_target(&self, advance_ms: i64) -> Result<bool, Error> {
        let advance_ms = u64::try_from(advance_ms).unwrap_or(0);
        let body = serde_json::to_vec(&AdvanceClock { advance_ms })
            .map_err(|error| Error::Harness(format!("clock: {error}")))?;
        Ok(self.clock_call("POST", body).await?.is_some())
    }

    /// How far the target's clock is ahead of the harness's; 0 when it does not tell.
    pub async fn target_ahead_ms(&self) -> i64 {
        let own = self.clock().now();
        self.target_now()
            .await
            .map_or(0, |target| target.millis().millis_since(own))
    }

    async fn clock_call(
        &self,
        method: &'static str,
        body: Vec<u8>,
    ) -> Result<Option<UtcTicks>, Error> {
        let answer = self.control_call(method, "/clock", body).await?;
        if answer.status != 200 {
            return Ok(None);
        }
        let state: Option<ClockState> = serde_json::from_slice(&answer.body).ok();
        Ok(state.map(|state| state.now))
    }

    /// Makes a device known to the target's directory (contract 6), and takes the credential of its
    /// enrolment.
    pub(super) async fn register(&self, device: &RegisterDevice) -> Result<Credential, Error> {
        let what = || format!("POST /devices for device `{}`", device.device_name);
        let body = serde_json::to_vec(device)
            .map_err(|error| Error::Harness(format!("registration: {error}")))?;
        let answer = self.control_call("POST", "/devices", body).await?;
        if answer.status != 201 {
            return Err(Error::Target {
                what: what(),
                seen: format!("status {}", answer.status),
            });
        }
        let registration: Registration =
            serde_json::from_slice(&answer.body).map_err(|error| Error::Target {
                what: what(),
                seen: error.to_string(),
            })?;
        Ok(registration.enrollment.into())
    }

    /// One call of the control plane below its version.
    pub(super) async fn control_call(
        &self,
        method: &'static str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Answer, Error> {
        let url = format!("{}/muster/v1{path}", self.target().control);
        let sent_at = self.clock().now();
        let request = body.clone();
        let call = wire::Call {
            actor: CONTROL,
            method,
            url: &url,
            body,
        };
        let answer = wire::call(self.pools(), self.target(), call).await;
        let _id = self.transcript().record(Exchange {
            plane: Plane::Control,
            scope: CONTROL,
            party: CONTROL.to_owned(),
            method,
            path: path_of(&url).to_owned(),
            client_request_id: None,
            sent_at,
            received_at: answer
                .as_ref()
                .ok()
                .map(|answer| self.clock().at(answer.received_ns)),
            request,
            status: answer.as_ref().ok().map(|answer| answer.status),
            response: answer
                .as_ref()
                .map_or_else(|_failure| Vec::new(), |answer| answer.body.to_vec()),
            failure: answer.as_ref().err().map(ToString::to_string),
        });
        answer.map_err(|failure| Error::Unreachable {
            what: format!("{method} {url}"),
            cause: failure.to_string(),
        })
    }
}

/// A stretch of time that is over even by the hardest limit a target may declare for the end of
/// an action (contract 8, T_max: at most 7 d).
pub const PAST_T_MAX_MS: i64 = 7 * UtcMillis::DAY_MS + 60_000;
