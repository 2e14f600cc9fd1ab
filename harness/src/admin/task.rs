//! What ends an enrolment, and several rotations in one call.

use std::collections::BTreeMap;

use protocol::graph::batch::{BatchRequest, BatchResponse, BatchedRequest};
use uuid::Uuid;

use super::directory::pause;
use super::{Actor, Call, NoAnswer, Reply, json, nothing};
use crate::error::Error;
use crate::ledger::{Ledger, OpId, OpKind, Outcome};
use crate::throttle::Repeats;
use crate::transcript::ExchangeId;

/// One rotation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchedRotation {
    /// The managed device.
    pub device: Uuid,
    /// The operation in the ledger.
    pub op: OpId,
    /// The `client-request-id` of this request of the batch.
    pub client_request_id: Uuid,
    /// Its own status; `None` when the batch has no answer to it.
    pub status: Option<u16>,
}

impl Actor {
    /// `POST .../managedDevices/{id}/retire`.
    ///
    /// # Errors
    /// No answer.
    pub async fn retire(&self, device: Uuid) -> Result<Reply<()>, Error> {
        let path = format!("/beta/deviceManagement/managedDevices/{device}/retire");
        Ok(self.call(Call::post_empty(&path), nothing).await?)
    }

    /// `POST .../managedDevices/{id}/wipe`.
    ///
    /// # Errors
    /// No answer.
    pub async fn wipe(&self, device: Uuid) -> Result<Reply<()>, Error> {
        let path = format!("/beta/deviceManagement/managedDevices/{device}/wipe");
        Ok(self.call(Call::post_empty(&path), nothing).await?)
    }

    /// `POST /$batch` with one rotation a device, each an operation of the ledger of its own.
    ///
    /// # Errors
    /// No answer.
    pub async fn rotate_in_batch(
        &self,
        ledger: &Ledger,
        devices: &[Uuid],
    ) -> Result<(Vec<BatchedRotation>, ExchangeId), Error> {
        let mut repeats = Repeats::new();
        loop {
            let (rotations, answer) = self.batch_once(ledger, devices).await?;
            if !repeats.again(pause(&answer)).await {
                return Ok((rotations, answer?.exchange));
            }
        }
    }

    async fn batch_once(
        &self,
        ledger: &Ledger,
        devices: &[Uuid],
    ) -> Result<(Vec<BatchedRotation>, Result<Reply<BatchResponse>, NoAnswer>), Error> {
        let mut rotations: Vec<BatchedRotation> = Vec::new();
        for &device in devices {
            let op = ledger.open(OpKind::Rotation, self.name(), device);
            rotations.push(BatchedRotation {
                device,
                op: op.id,
                client_request_id: op.client_request_id,
                status: None,
            });
        }
        let requests = rotations.iter().enumerate().map(|(place, rotation)| {
            let id = rotation.client_request_id.to_string();
            BatchedRequest {
                id: place.to_string(),
                method: "POST".to_owned(),
                url: format!(
                    "/deviceManagement/managedDevices/{}/rotateLocalAdminPassword",
                    rotation.device
                ),
                headers: BTreeMap::from([("client-request-id".to_owned(), id)]),
                body: None,
            }
        });
        let body = BatchRequest {
            requests: requests.collect(),
        };
        let call = Call::with_json("POST", "/beta/$batch", &body)?;
        let answer = self.call(call, json::<BatchResponse>).await;
        let unanswered = match &answer {
            Ok(reply) if reply.is_success() => Outcome::Unknown,
            Ok(reply) => Outcome::Status(reply.status),
            Err(failure) => failure.outcome,
        };
        for (place, rotation) in rotations.iter_mut().enumerate() {
            let responses = answer.as_ref().ok().and_then(|reply| reply.body.as_ref());
            let id = place.to_string();
            rotation.status = responses
                .and_then(|body| body.responses.iter().find(|response| response.id == id))
                .map(|response| response.status);
            ledger.settle(
                rotation.op,
                rotation.status.map_or(unanswered, Outcome::Status),
            );
        }
        Ok((rotations, answer))
    }
}
