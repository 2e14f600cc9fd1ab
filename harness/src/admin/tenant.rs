//! The switch of the tenant, and policies sent as they are.

use protocol::graph::device::{DeviceRegistrationPolicy, LocalAdminPasswordSettings};
use protocol::graph::policy::ConfigurationPolicy;

use super::{Actor, Call, Reply, json, nothing};
use crate::error::Error;

const SWITCH: &str = "/v1.0/policies/deviceRegistrationPolicy";

impl Actor {
    /// `GET /policies/deviceRegistrationPolicy`.
    ///
    /// # Errors
    /// No answer.
    pub async fn laps_switch(&self) -> Result<Reply<DeviceRegistrationPolicy>, Error> {
        Ok(self.call(Call::get(SWITCH), json).await?)
    }

    /// `PUT /policies/deviceRegistrationPolicy`: whether the tenant takes local administrator
    /// passwords at all.
    ///
    /// # Errors
    /// No answer.
    pub async fn set_laps_switch(&self, is_enabled: bool) -> Result<Reply<()>, Error> {
        let policy = DeviceRegistrationPolicy {
            local_admin_password: LocalAdminPasswordSettings { is_enabled },
        };
        let call = Call::with_json("PUT", SWITCH, &policy)?;
        Ok(self.call(call, nothing).await?)
    }

    /// `POST /deviceManagement/configurationPolicies` with this policy, whatever it is.
    ///
    /// # Errors
    /// No answer.
    pub async fn create_policy_as(
        &self,
        policy: &ConfigurationPolicy,
    ) -> Result<Reply<ConfigurationPolicy>, Error> {
        let path = "/beta/deviceManagement/configurationPolicies";
        Ok(self
            .call(Call::with_json("POST", path, policy)?, json)
            .await?)
    }
}
