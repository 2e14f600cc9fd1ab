//! The target's own clock, over the control plane.

use protocol::control::{AdvanceClock, ClockState};
use protocol::time::{UtcMillis, UtcTicks};

use super::Lab;
use crate::error::Error;
use crate::fleet::wire;

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
        let url = format!("{}/muster/v1/clock", self.target().control);
        let call = wire::Call {
            actor: "control",
            method,
            url: &url,
            body,
        };
        let answer = wire::call(self.pools(), self.target(), call)
            .await
            .map_err(|failure| Error::Unreachable {
                what: format!("{method} {url}"),
                cause: failure.to_string(),
            })?;
        if answer.status != 200 {
            return Ok(None);
        }
        let state: Option<ClockState> = serde_json::from_slice(&answer.body).ok();
        Ok(state.map(|state| state.now))
    }
}

/// A stretch of time that is over even by the hardest limit a target may declare for the end of
/// an action (contract 8, T_max: at most 7 d).
pub const PAST_T_MAX_MS: i64 = 7 * UtcMillis::DAY_MS + 60_000;
