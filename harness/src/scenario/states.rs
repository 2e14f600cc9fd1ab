//! The states of policies on devices, and how long they are waited for (contract 8, T_report).

use std::sync::atomic::Ordering;

use protocol::graph::report::PolicyState;
use uuid::Uuid;

use super::cohort::{Cohort, looks};
use super::member::Member;
use crate::case::{PolicyReport, PolicyRole};
use crate::error::Error;
use crate::limits;
use crate::transcript::ExchangeId;

impl Cohort<'_> {
    /// What the target says of policies on a device, as soon as every state is the one wanted, or
    /// when the time for reports is over.
    pub(super) async fn reports(
        &self,
        member: &Member,
        policies: &[(PolicyRole, Uuid)],
        wanted: &PolicyState,
    ) -> Result<(Vec<PolicyReport>, Vec<ExchangeId>), Error> {
        let mut wait = self.report_wait();
        loop {
            let (reports, exchanges) = self.reports_now(member, policies).await?;
            let right = reports.iter().all(|report| is_reported(report, wanted));
            if right || !self.look_again(&mut wait).await {
                return Ok((reports, exchanges));
            }
        }
    }

    /// What the target says of a policy on a device that had a session, as soon as it says more
    /// than that it does not know, or when the time for reports is over.
    pub(super) async fn report_after_session(
        &self,
        member: &Member,
        policy: Uuid,
    ) -> Result<([Option<PolicyState>; 2], Vec<ExchangeId>), Error> {
        let mut wait = self.report_wait();
        loop {
            let (reports, exchanges) = self
                .reports_now(member, &[(PolicyRole::Original, policy)])
                .await?;
            let report = reports.into_iter().next();
            let both = report.map_or([None, None], |it| [it.on_device, it.of_policy]);
            let known = |state: &Option<PolicyState>| {
                state
                    .as_ref()
                    .is_some_and(|state| *state != PolicyState::Unknown)
            };
            if both.iter().all(known) || !self.look_again(&mut wait).await {
                return Ok((both, exchanges));
            }
        }
    }

    /// How often reports are still to be looked at.
    pub(super) fn report_wait(&self) -> u128 {
        if self.reports_late.load(Ordering::Relaxed) {
            0
        } else {
            looks(self.context.patience.report)
        }
    }

    /// Waits before another look at reports; false when their time is over. What was too late once
    /// is judged as it stands from then on.
    pub(super) async fn look_again(&self, wait: &mut u128) -> bool {
        let Some(left) = wait.checked_sub(1) else {
            self.reports_late.store(true, Ordering::Relaxed);
            return false;
        };
        *wait = left;
        tokio::time::sleep(limits::POLL_INTERVAL).await;
        true
    }

    /// What the target says of policies on a device at this moment.
    pub(super) async fn reports_now(
        &self,
        member: &Member,
        policies: &[(PolicyRole, Uuid)],
    ) -> Result<(Vec<PolicyReport>, Vec<ExchangeId>), Error> {
        let states = self.admin.device_states(member.managed).await?;
        let mut exchanges = vec![states.exchange];
        let states = states.require("GET .../deviceConfigurationStates")?;
        let mut reports = Vec::new();
        for &(role, policy) in policies {
            let statuses = self.admin.policy_statuses(policy).await?;
            exchanges.push(statuses.exchange);
            let of_policy = statuses
                .require("GET .../deviceStatuses")?
                .into_iter()
                .find(|status| status.device_id == member.managed)
                .map(|status| status.status);
            let on_device = states
                .iter()
                .find(|state| state.id == policy)
                .map(|state| state.state.clone());
            reports.push(PolicyReport {
                role,
                on_device,
                of_policy,
            });
        }
        Ok((reports, exchanges))
    }
}

fn is_reported(report: &PolicyReport, wanted: &PolicyState) -> bool {
    report.on_device.as_ref() == Some(wanted) && report.of_policy.as_ref() == Some(wanted)
}
