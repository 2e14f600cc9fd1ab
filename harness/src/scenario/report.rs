//! A small fleet of every kind at rest: what is reported of policies on it.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::report::{PolicyState, conflict_id};
use protocol::laps_csp::{Leaf, Value};
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, entra_policy};
use super::member::{Member, writes_of};
use super::reach::states;
use crate::case::{Case, RefusedSettingCase, ReportCase, StatesCase, SummaryCase, TooOldCase};
use crate::error::Error;
use crate::lab::Trouble;
use crate::transcript::ExchangeId;

/// Before 17763, the first build with the CSP (F-005).
const OLD: OsBuild = OsBuild::windows(17_134, 1_304);
/// The setting that one device refuses.
const REFUSED: Leaf = Leaf::PasswordLength;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "reports").await?;
    let mut clash = Cohort::open(context, "reports").await?;
    let ended = fleet(&mut cohort, &mut clash, cases).await;
    cohort.close().await?;
    clash.close().await?;
    ended
}

/// What was read of a fleet so far.
#[derive(Default)]
struct Reports {
    states: Vec<(String, PolicyState)>,
    rows: Vec<(String, [Option<PolicyState>; 2])>,
    situations: usize,
    exchanges: Vec<ExchangeId>,
}

impl Reports {
    /// The states of a device that had a session.
    async fn read(
        &mut self,
        cohort: &Cohort<'_>,
        member: &Member,
        policy: Uuid,
    ) -> Result<([Option<PolicyState>; 2], Vec<ExchangeId>), Error> {
        let (both, reads) = cohort.report_after_session(member, policy).await?;
        self.note(member, &both, &reads);
        Ok((both, reads))
    }

    fn note(&mut self, member: &Member, both: &[Option<PolicyState>; 2], reads: &[ExchangeId]) {
        for state in both.iter().flatten() {
            self.states.push((member.name(), state.clone()));
        }
        self.rows.push((member.name(), both.clone()));
        self.exchanges.extend_from_slice(reads);
    }
}

async fn fleet(
    cohort: &mut Cohort<'_>,
    clash: &mut Cohort<'_>,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut reports = Reports::default();
    let leaves = entra_policy(30, 16);
    let policy = cohort.assigned_policy(&leaves).await?;
    // In order, and one that never checks in.
    let pending = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    let (both, reads) = states(cohort, &pending, policy).await?;
    reports.note(&pending, &both, &reads);
    let mut clean = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    let session = clean.check_in().await?;
    let (seen, _) = reports.read(cohort, &clean, policy).await?;
    // Odd words for a policy in force are no reason not to look at the others.
    let twin = session.complete && seen.iter().all(Option::is_some);

    let mut old = cohort.device(JoinType::EntraJoined, OLD).await?;
    let session = old.check_in().await?;
    let (seen, mut exchanges) = reports.read(cohort, &old, policy).await?;
    exchanges.extend_from_slice(&session.exchanges);
    cases.push(Case::Report(ReportCase::TooOld(TooOldCase {
        device: old.name(),
        build: OLD.build,
        complete: session.complete,
        states: seen,
        twin,
        exchanges,
    })));
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
        let case = refuses(cohort, os, (policy, twin), &mut reports).await?;
        cases.push(Case::Report(ReportCase::RefusedSetting(case)));
    }
    let summary = summarised(clash, &mut reports).await?;
    reports.situations = 5;
    cases.push(Case::Report(ReportCase::Summary(SummaryCase {
        rows: reports.rows,
        ..summary
    })));
    cases.push(Case::Report(ReportCase::States(StatesCase {
        states: reports.states,
        situations: reports.situations,
        exchanges: reports.exchanges,
    })));
    Ok(())
}

/// A device that refuses one setting.
async fn refuses(
    cohort: &Cohort<'_>,
    os: OsBuild,
    (policy, twin): (Uuid, bool),
    reports: &mut Reports,
) -> Result<RefusedSettingCase, Error> {
    let mut member = cohort.device(JoinType::EntraJoined, os).await?;
    member.device.set_trouble(Trouble {
        unreadable_leaf: Some(REFUSED),
        ..Trouble::default()
    });
    let session = member.check_in().await?;
    let (both, mut exchanges) = reports.read(cohort, &member, policy).await?;
    exchanges.extend_from_slice(&session.exchanges);
    let listed = cohort.admin.device_states(member.managed).await?;
    exchanges.push(listed.exchange);
    let name = REFUSED.to_string();
    let setting = listed
        .body
        .unwrap_or_default()
        .into_iter()
        .filter(|state| state.id == policy)
        .flat_map(|state| state.setting_states)
        .find(|setting| setting.setting == name);
    Ok(RefusedSettingCase {
        device: member.name(),
        setting: name,
        sent: !writes_of(&session, REFUSED).is_empty(),
        complete: session.complete,
        states: both,
        setting_state: setting.as_ref().map(|setting| setting.state.clone()),
        error_code: setting.and_then(|setting| setting.error_code),
        twin,
        exchanges,
    })
}

/// Two policies that clash on two of three devices.
async fn summarised(cohort: &mut Cohort<'_>, reports: &mut Reports) -> Result<SummaryCase, Error> {
    let one = cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let leaves = std::collections::BTreeMap::from([(Leaf::PasswordAgeDays, Value::Int(12))]);
    let other = cohort.assigned_policy(&leaves).await?;
    let mut complete = true;
    let mut clashing = 0;
    let mut exchanges = Vec::new();
    for (join, os) in [
        (JoinType::EntraJoined, OsBuild::W11_24H2),
        (JoinType::EntraHybridJoined, OsBuild::W10_22H2),
        // Here nothing of LAPS applies, so nothing clashes.
        (JoinType::EntraRegistered, OsBuild::W11_24H2),
    ] {
        let mut member = cohort.device(join, os).await?;
        let session = member.check_in().await?;
        complete &= session.complete;
        let mut conflict = false;
        for policy in [one, other] {
            let (both, reads) = reports.read(cohort, &member, policy).await?;
            conflict |= both.contains(&Some(PolicyState::Conflict));
            exchanges.extend_from_slice(&reads);
        }
        clashing += u32::from(conflict);
    }
    let mut wait = cohort.report_wait();
    let id = conflict_id([one, other]);
    let summed = loop {
        let summary = cohort.admin.conflict_summary().await?;
        exchanges.push(summary.exchange);
        let rows = summary.require("GET .../deviceConfigurationConflictSummary")?;
        let row = rows.iter().find(|row| {
            let named = &row.conflicting_device_configurations;
            row.id == id
                || (named.len() == 2
                    && [one, other]
                        .iter()
                        .all(|id| named.iter().any(|it| it.id == *id)))
        });
        let summed = row.map(|row| row.device_checkins_impacted);
        if summed == Some(clashing) || !cohort.look_again(&mut wait).await {
            break summed;
        }
    };
    Ok(SummaryCase {
        clashing,
        summed,
        rows: Vec::new(),
        complete,
        exchanges,
    })
}
