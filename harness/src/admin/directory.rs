//! Users, groups, directory devices and credentials.

use protocol::graph::credential::DeviceLocalCredentialInfo;
use protocol::graph::device::{ChangeDirectoryDevice, DirectoryDevice};
use protocol::graph::group::{Group, Member, MemberReference, NewGroup, NewUser, User};
use std::time::Duration;
use uuid::Uuid;

use super::url::{encoded, literal};
use super::{Actor, Call, Kept, NoAnswer, Reply, json, nothing};
use crate::error::Error;
use crate::ledger::{Ledger, OpId, OpKind, Outcome};
use crate::throttle::Repeats;
use crate::transcript::ExchangeId;

impl Actor {
    /// `POST /users`.
    ///
    /// # Errors
    /// No answer.
    pub async fn create_user(
        &self,
        user_principal_name: &str,
        display_name: &str,
    ) -> Result<Reply<User>, Error> {
        let user = NewUser {
            user_principal_name: user_principal_name.to_owned(),
            display_name: display_name.to_owned(),
        };
        let call = Call::with_json("POST", "/v1.0/users", &user)?;
        Ok(self.call(call, json).await?)
    }

    /// `POST /groups`: a security group.
    ///
    /// # Errors
    /// No answer.
    pub async fn create_group(&self, display_name: &str) -> Result<Reply<Group>, Error> {
        let nickname: String = display_name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(60)
            .collect();
        let group = NewGroup::security(display_name, nickname);
        let call = Call::with_json("POST", "/v1.0/groups", &group)?;
        Ok(self.call(call, json).await?)
    }

    /// `POST /groups/{id}/members/$ref`; `object` is the object id of a user or device.
    ///
    /// # Errors
    /// No answer.
    pub async fn add_member(&self, group: Uuid, object: Uuid) -> Result<Reply<()>, Error> {
        let base = format!(
            "{}/v1.0",
            self.client.shared.target.admin.trim_end_matches('/')
        );
        let path = format!("/v1.0/groups/{group}/members/$ref");
        let call = Call::with_json("POST", &path, &MemberReference::new(&base, object))?;
        Ok(self.call(call, nothing).await?)
    }

    /// `DELETE /groups/{id}/members/{objectId}/$ref`.
    ///
    /// # Errors
    /// No answer.
    pub async fn remove_member(&self, group: Uuid, object: Uuid) -> Result<Reply<()>, Error> {
        let path = format!("/v1.0/groups/{group}/members/{object}/$ref");
        Ok(self.call(Call::delete(&path), nothing).await?)
    }

    /// `GET /groups/{id}/members`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn members(&self, group: Uuid) -> Result<Reply<Vec<Member>>, Error> {
        self.list(&format!("/v1.0/groups/{group}/members")).await
    }

    /// `GET /devices?$filter=deviceId eq '...'`.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn directory_devices(
        &self,
        entra_device_id: Uuid,
    ) -> Result<Reply<Vec<DirectoryDevice>>, Error> {
        let filter = encoded(&format!(
            "deviceId eq {}",
            literal(&entra_device_id.to_string())
        ));
        let reply: Reply<Vec<DirectoryDevice>> = self
            .list(&format!("/v1.0/devices?$filter={filter}"))
            .await?;
        // Groups name a device by this id.
        for device in reply.body.iter().flatten() {
            let transcript = &self.client.shared.transcript;
            transcript.note_object(&entra_device_id.to_string(), device.id.to_string());
        }
        Ok(reply)
    }

    /// `PATCH /devices/{objectId}`.
    ///
    /// # Errors
    /// No answer.
    pub async fn change_directory_device(
        &self,
        object: Uuid,
        change: ChangeDirectoryDevice,
    ) -> Result<Reply<()>, Error> {
        let path = format!("/v1.0/devices/{object}");
        let call = Call::with_json("PATCH", &path, &change)?;
        Ok(self.call(call, nothing).await?)
    }

    /// `DELETE /devices/{objectId}`.
    ///
    /// # Errors
    /// No answer.
    pub async fn delete_directory_device(&self, object: Uuid) -> Result<Reply<()>, Error> {
        let path = format!("/v1.0/devices/{object}");
        Ok(self.call(Call::delete(&path), nothing).await?)
    }

    /// `GET /directory/deviceLocalCredentials/{entraDeviceId}`: the metadata.
    ///
    /// # Errors
    /// No answer.
    pub async fn credential(
        &self,
        entra_device_id: Uuid,
    ) -> Result<Reply<DeviceLocalCredentialInfo>, Error> {
        let path = format!("/v1.0/directory/deviceLocalCredentials/{entra_device_id}");
        Ok(self.call(Call::get(&path), credential).await?)
    }

    /// `GET /directory/deviceLocalCredentials`, every page, one element at a time with every member
    /// that it has, also those that none should have: the list may be that of a large fleet. `take`
    /// says whether the page has to be kept as evidence.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn each_credential(
        &self,
        take: impl FnMut(serde_json::Value, ExchangeId) -> Kept,
    ) -> Result<Reply<()>, Error> {
        let path = "/v1.0/directory/deviceLocalCredentials";
        self.each_element(path, take).await
    }

    /// The credential of one device with `$select=credentials`: the password, which is audited. The caller opened the
    /// operation and settles it.
    ///
    /// # Errors
    /// No answer.
    pub async fn read_password(
        &self,
        entra_device_id: Uuid,
        client_request_id: Uuid,
    ) -> Result<Reply<DeviceLocalCredentialInfo>, NoAnswer> {
        let path = format!(
            "/v1.0/directory/deviceLocalCredentials/{entra_device_id}?$select=id,deviceName,lastBackupDateTime,refreshDateTime,credentials"
        );
        self.call(Call::get(&path).with_id(client_request_id), credential)
            .await
    }

    /// [`Actor::read_password`] as an operation of the ledger, opened and settled here.
    ///
    /// # Errors
    /// No answer.
    pub async fn read_password_counted(
        &self,
        ledger: &Ledger,
        entra_device_id: Uuid,
    ) -> Result<(OpId, Reply<DeviceLocalCredentialInfo>), Error> {
        let (mut repeats, mut first_ns) = (Repeats::new(), None);
        loop {
            let op = ledger.open(OpKind::Recover, &self.name, entra_device_id);
            let answer = self
                .read_password(entra_device_id, op.client_request_id)
                .await
                .map(|reply| reply.since(&mut first_ns));
            ledger.settle(op.id, outcome(&answer));
            if !repeats.again(pause(&answer)).await {
                return Ok((op.id, answer?));
            }
        }
    }
}

fn credential(bytes: &[u8]) -> Option<DeviceLocalCredentialInfo> {
    DeviceLocalCredentialInfo::decode(bytes).ok()
}

/// How long to wait before a call is repeated.
pub(super) fn pause<T>(answer: &Result<Reply<T>, NoAnswer>) -> Option<Duration> {
    answer.as_ref().ok().and_then(|reply| reply.pause)
}

/// How a call ended, for the ledger.
pub(super) const fn outcome<T>(answer: &Result<Reply<T>, NoAnswer>) -> Outcome {
    match answer {
        Ok(reply) => Outcome::Status(reply.status),
        Err(failure) => failure.outcome,
    }
}
