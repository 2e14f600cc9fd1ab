//! Policies, their assignments, and what is reported of them.

use std::collections::BTreeMap;

use protocol::graph::list::Page;
use protocol::graph::policy::{
    Assign, Assignment, ConfigurationPolicy, Target, settings_from_leaves,
};
use protocol::graph::report::{ConfigurationState, ConflictSummary, DeviceStatus};
use protocol::laps_csp::{Leaf, Value};
use uuid::Uuid;

use super::{Actor, Call, Reply, json, nothing};
use crate::error::Error;

const POLICIES: &str = "/beta/deviceManagement/configurationPolicies";

impl Actor {
    /// `POST /deviceManagement/configurationPolicies`: a LAPS policy that sets these leaves.
    ///
    /// # Errors
    /// No answer.
    pub async fn create_policy(
        &self,
        name: &str,
        leaves: &BTreeMap<Leaf, Value>,
    ) -> Result<Reply<ConfigurationPolicy>, Error> {
        let policy = ConfigurationPolicy::laps(name, settings_from_leaves(leaves));
        Ok(self
            .call(Call::with_json("POST", POLICIES, &policy)?, json)
            .await?)
    }

    /// `PUT .../configurationPolicies/{id}`: name and settings anew.
    ///
    /// # Errors
    /// No answer.
    pub async fn replace_policy(
        &self,
        policy: Uuid,
        name: &str,
        leaves: &BTreeMap<Leaf, Value>,
    ) -> Result<Reply<()>, Error> {
        let whole = ConfigurationPolicy::laps(name, settings_from_leaves(leaves));
        let path = format!("{POLICIES}/{policy}");
        Ok(self
            .call(Call::with_json("PUT", &path, &whole)?, nothing)
            .await?)
    }

    /// `DELETE .../configurationPolicies/{id}`.
    ///
    /// # Errors
    /// No answer.
    pub async fn delete_policy(&self, policy: Uuid) -> Result<Reply<()>, Error> {
        let path = format!("{POLICIES}/{policy}");
        Ok(self.call(Call::delete(&path), nothing).await?)
    }

    /// `POST .../configurationPolicies/{id}/assign`: replaces the list by these groups.
    ///
    /// # Errors
    /// No answer.
    pub async fn assign_groups(
        &self,
        policy: Uuid,
        groups: &[Uuid],
    ) -> Result<Reply<Page<Assignment>>, Error> {
        let targets = groups.iter().map(|&group_id| Target::Group { group_id });
        let body = Assign {
            assignments: targets.map(Assignment::from).collect(),
        };
        let path = format!("{POLICIES}/{policy}/assign");
        Ok(self
            .call(Call::with_json("POST", &path, &body)?, json)
            .await?)
    }

    /// `GET .../configurationPolicies`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn policies(&self) -> Result<Reply<Vec<ConfigurationPolicy>>, Error> {
        self.list(POLICIES).await
    }

    /// `GET .../configurationPolicies/{id}`.
    ///
    /// # Errors
    /// No answer.
    pub async fn policy(&self, policy: Uuid) -> Result<Reply<ConfigurationPolicy>, Error> {
        let path = format!("{POLICIES}/{policy}");
        Ok(self.call(Call::get(&path), json).await?)
    }

    /// `GET .../configurationPolicies/{id}/settings`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn policy_settings(
        &self,
        policy: Uuid,
    ) -> Result<Reply<Vec<protocol::graph::policy::Setting>>, Error> {
        self.list(&format!("{POLICIES}/{policy}/settings")).await
    }

    /// `GET .../configurationPolicies/{id}/deviceStatuses`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn policy_statuses(&self, policy: Uuid) -> Result<Reply<Vec<DeviceStatus>>, Error> {
        self.list(&format!("{POLICIES}/{policy}/deviceStatuses"))
            .await
    }

    /// `GET .../managedDevices/{id}/deviceConfigurationStates`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn device_states(
        &self,
        device: Uuid,
    ) -> Result<Reply<Vec<ConfigurationState>>, Error> {
        self.list(&format!(
            "/beta/deviceManagement/managedDevices/{device}/deviceConfigurationStates"
        ))
        .await
    }

    /// `GET /deviceManagement/deviceConfigurationConflictSummary`, every page.
    ///
    /// # Errors
    /// No answer, or no end of pages.
    pub async fn conflict_summary(&self) -> Result<Reply<Vec<ConflictSummary>>, Error> {
        self.list("/beta/deviceManagement/deviceConfigurationConflictSummary")
            .await
    }
}
