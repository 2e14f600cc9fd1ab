//! Policies that a device takes without error and that cannot lead to a backup.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use protocol::time::UtcMillis;
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, entra_policy};
use super::member::Member;
use super::rotate::MISSING_ACCOUNT;
use crate::case::{Case, MisfitCase, MisfitKind, PolicyRole};
use crate::error::Error;

/// Hours that the device's cycles run after the policy arrived.
const CYCLES: i64 = 5;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut twins = Cohort::open(context, "misfit").await?;
    let mut joined = Cohort::open(context, "misfit").await?;
    let mut account = Cohort::open(context, "misfit").await?;
    let ended = devices([&mut twins, &mut joined, &mut account], cases).await;
    for cohort in [twins, joined, account] {
        cohort.close().await?;
    }
    ended
}

async fn devices(
    [twins, joined, account]: [&mut Cohort<'_>; 3],
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    // The positive twin: with a policy that fits, the same way leads to a backup.
    twins.assigned_policy(&entra_policy(30, 16)).await?;
    let mut member = twins
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    member.check_in().await?;
    let twin = twins.metadata(&member).await?.0.last.is_some();

    let mut misfit = entra_policy(30, 16);
    misfit.insert(Leaf::BackupDirectory, Value::Int(2));
    both_builds(joined, (MisfitKind::JoinState, twin), &misfit, cases).await?;

    let mut misfit = entra_policy(30, 16);
    misfit.insert(
        Leaf::AdministratorAccountName,
        Value::Text(MISSING_ACCOUNT.into()),
    );
    both_builds(account, (MisfitKind::MissingAccount, twin), &misfit, cases).await
}

async fn both_builds(
    cohort: &mut Cohort<'_>,
    (kind, twin): (MisfitKind, bool),
    leaves: &BTreeMap<Leaf, Value>,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let policy = cohort.assigned_policy(leaves).await?;
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
        let mut member = cohort.device(JoinType::EntraJoined, os).await?;
        let mut case = live_with(cohort, &mut member, policy, kind).await?;
        case.delivered &= leaves
            .iter()
            .all(|(leaf, value)| member.held.get(leaf) == Some(value));
        case.twin = twin;
        cases.push(Case::Misfit(case));
    }
    Ok(())
}

/// The first session, hours of the device's own cycles, two more sessions, then the reads.
async fn live_with(
    cohort: &Cohort<'_>,
    member: &mut Member,
    policy: Uuid,
    kind: MisfitKind,
) -> Result<MisfitCase, Error> {
    let first = member.check_in().await?;
    let mut exchanges = first.exchanges.clone();
    let later = member.device.now().plus_millis(CYCLES * UtcMillis::HOUR_MS);
    for seen in member.device.run_until(later).await? {
        exchanges.extend_from_slice(&seen.exchanges);
    }
    for _ in 0..2 {
        member.check_in().await?;
    }
    let policies = [(PolicyRole::Original, policy)];
    let (reports, reads) = cohort
        .reports(member, &policies, &PolicyState::Compliant)
        .await?;
    exchanges.extend_from_slice(&reads);
    let states = cohort.admin.device_states(member.managed).await?;
    let settings_in_error = states
        .body
        .unwrap_or_default()
        .into_iter()
        .filter(|state| state.id == policy)
        .flat_map(|state| state.setting_states)
        .filter(|setting| setting.state == PolicyState::Error || setting.error_code.is_some())
        .map(|setting| setting.setting)
        .collect();
    let (credential, read) = cohort.metadata(member).await?;
    exchanges.extend([states.exchange, read]);
    let report = reports.into_iter().next();
    Ok(MisfitCase {
        device: member.name(),
        kind,
        delivered: first.complete,
        device_state: report.as_ref().and_then(|report| report.on_device.clone()),
        settings_in_error,
        policy_status: report.and_then(|report| report.of_policy),
        credential_status: credential.status,
        backups: member.marks().backups,
        twin: false,
        exchanges,
    })
}
