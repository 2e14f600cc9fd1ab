//! Managed devices and their actions.

use protocol::graph::action::BulkAnswer;
use protocol::graph::device::ManagedDevice;
use serde::Serialize;
use uuid::Uuid;

use super::directory::{outcome, pause};
use super::url::{encoded, literal};
use super::{Actor, Call, Kept, NoAnswer, Reply, json, nothing};
use crate::error::Error;
use crate::ledger::{Ledger, OpId, OpKind};
use crate::throttle::Repeats;
use crate::transcript::ExchangeId;

const DEVICES: &str = "/beta/deviceManagement/managedDevices";

/// The body of a bulk action. The name is a plain text: tests send names outside the enumeration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BulkAction<'a> {
    action_name: &'a str,
    device_ids: &'a [Uuid],
}

impl Actor {
    /// `GET .../managedDevices/{id}`.
    ///
    /// # Errors
    /// No answer.
    pub async fn managed_device(&self, device: Uuid) -> Result<Reply<ManagedDevice>, Error> {
        let path = format!("{DEVICES}/{device}");
        Ok(self.call(Call::get(&path), json).await?)
    }

    /// `GET .../managedDevices?$filter=deviceName eq '...'`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn managed_devices_named(
        &self,
        name: &str,
    ) -> Result<Reply<Vec<ManagedDevice>>, Error> {
        let filter = encoded(&format!("deviceName eq {}", literal(name)));
        self.list(&format!("{DEVICES}?$filter={filter}")).await
    }

    /// `GET .../managedDevices`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn managed_devices(&self) -> Result<Reply<Vec<ManagedDevice>>, Error> {
        self.list(DEVICES).await
    }

    /// The same, one device at a time as the pages come, without keeping the list. `take` says
    /// whether the page has to be kept as evidence.
    ///
    /// # Errors
    /// As [`Self::managed_devices`].
    pub async fn each_managed_device(
        &self,
        take: impl FnMut(ManagedDevice, ExchangeId) -> Kept,
    ) -> Result<Reply<()>, Error> {
        self.each_element(DEVICES, take).await
    }

    /// `POST .../managedDevices/{id}/rotateLocalAdminPassword`, once. The caller opened the
    /// operation and settles it.
    ///
    /// # Errors
    /// No answer.
    pub async fn rotate(
        &self,
        device: Uuid,
        client_request_id: Uuid,
    ) -> Result<Reply<()>, NoAnswer> {
        let path = format!("{DEVICES}/{device}/rotateLocalAdminPassword");
        self.call(Call::post_empty(&path).with_id(client_request_id), nothing)
            .await
    }

    /// [`Actor::rotate`] as an operation of the ledger, opened and settled here; where it was
    /// refused with 429, the last of several.
    pub async fn rotate_counted(
        &self,
        ledger: &Ledger,
        device: Uuid,
    ) -> (OpId, Result<Reply<()>, Error>) {
        let (mut repeats, mut first_ns) = (Repeats::new(), None);
        loop {
            let op = ledger.open(OpKind::Rotation, &self.name, device);
            let answer = self.rotate(device, op.client_request_id).await;
            let answer = answer.map(|reply| reply.since(&mut first_ns));
            ledger.settle(op.id, outcome(&answer));
            if !repeats.again(pause(&answer)).await {
                return (op.id, answer.map_err(Error::from));
            }
        }
    }

    /// `POST .../managedDevices/{id}/syncDevice`.
    ///
    /// # Errors
    /// No answer.
    pub async fn sync(&self, device: Uuid) -> Result<Reply<()>, Error> {
        let path = format!("{DEVICES}/{device}/syncDevice");
        Ok(self.call(Call::post_empty(&path), nothing).await?)
    }

    /// `POST .../managedDevices/executeAction` with this `actionName`, whatever it is.
    ///
    /// # Errors
    /// No answer.
    pub async fn execute_action(
        &self,
        action_name: &str,
        devices: &[Uuid],
    ) -> Result<Reply<BulkAnswer>, Error> {
        let path = format!("{DEVICES}/executeAction");
        let body = BulkAction {
            action_name,
            device_ids: devices,
        };
        Ok(self
            .call(Call::with_json("POST", &path, &body)?, json)
            .await?)
    }

    /// `DELETE .../managedDevices/{id}`.
    ///
    /// # Errors
    /// No answer.
    pub async fn delete_managed_device(&self, device: Uuid) -> Result<Reply<()>, Error> {
        let path = format!("{DEVICES}/{device}");
        Ok(self.call(Call::delete(&path), nothing).await?)
    }
}
