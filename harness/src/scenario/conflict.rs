//! Policies that clash: on devices that have one of them in use, and on devices that never had any.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::report::{ConflictSummary, PolicyState};
use protocol::laps_csp::{Leaf, Value};
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, entra_policy};
use super::member::{Member, writes_of};
use crate::case::{
    Case, ConflictCheckInCase, ConflictKind, ConflictReportCase, PolicyReport, PolicyRole, Remedy,
    ResolutionCase,
};
use crate::error::Error;
use crate::lab::SessionSeen;

/// The setting on which policies clash.
const LEAF: Leaf = Leaf::PasswordLength;
/// The first value, the value last set, and the value of the clashing policy.
const FIRST: i32 = 15;
const LAST: i32 = 18;
const OTHER: i32 = 22;

/// Devices of each cohort.
const DEVICES: [(JoinType, OsBuild); 2] = [
    (JoinType::EntraJoined, OsBuild::W11_24H2),
    (JoinType::EntraHybridJoined, OsBuild::W10_22H2),
];

pub(super) async fn in_use_unassigned(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "conflict-unassign").await?;
    let ended = in_use(&mut cohort, Remedy::Unassigned, cases).await;
    cohort.close().await?;
    ended
}

pub(super) async fn in_use_equalised(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "conflict-equalise").await?;
    let ended = in_use(&mut cohort, Remedy::Equalised, cases).await;
    cohort.close().await?;
    ended
}

pub(super) async fn fresh_unassigned(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let scope = "conflict-fresh-unassign";
    let mut twins = Cohort::open(context, scope).await?;
    let mut cohort = Cohort::open(context, scope).await?;
    let ended = fresh(&mut twins, &mut cohort, Remedy::Unassigned, cases).await;
    twins.close().await?;
    cohort.close().await?;
    ended
}

pub(super) async fn fresh_equalised(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let scope = "conflict-fresh-equalise";
    let mut twins = Cohort::open(context, scope).await?;
    let mut cohort = Cohort::open(context, scope).await?;
    let ended = fresh(&mut twins, &mut cohort, Remedy::Equalised, cases).await;
    twins.close().await?;
    cohort.close().await?;
    ended
}

/// The policies of a clash and what is known of it so far.
struct Clash {
    kind: ConflictKind,
    policies: Vec<(PolicyRole, Uuid)>,
    first_value: Option<Value>,
    last_value: Option<Value>,
    /// The check-in to come, from 1.
    check_in: u32,
    twin: bool,
    /// A conflict was reported for at least one of the policies.
    was_reported: bool,
}

/// The clashing policy: another value for the setting, and a setting that clashes with nothing.
fn clashing(length: i32) -> BTreeMap<Leaf, Value> {
    BTreeMap::from([
        (LEAF, Value::Int(length)),
        (Leaf::PostAuthenticationResetDelay, Value::Int(6)),
    ])
}

/// What the policies that are left set once the clash is ended at this length.
fn left(remedy: Remedy, length: i32) -> BTreeMap<Leaf, Value> {
    let mut leaves = entra_policy(30, length);
    if remedy == Remedy::Equalised {
        leaves.extend(clashing(length));
    }
    leaves
}

fn third(length: i32) -> BTreeMap<Leaf, Value> {
    BTreeMap::from([(LEAF, Value::Int(length))])
}

async fn members(cohort: &Cohort<'_>) -> Result<Vec<Member>, Error> {
    let mut members = Vec::new();
    for (join, os) in DEVICES {
        members.push(cohort.device(join, os).await?);
    }
    Ok(members)
}

/// S22, S23.
async fn in_use(
    cohort: &mut Cohort<'_>,
    remedy: Remedy,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let original = cohort.assigned_policy(&entra_policy(30, FIRST)).await?;
    let mut members = members(cohort).await?;
    for member in &mut members {
        member.check_in().await?;
    }
    let first_held: Vec<_> = members
        .iter()
        .map(|member| member.held.get(&LEAF).cloned())
        .collect();
    cohort.edit(original, &entra_policy(30, LAST)).await?;
    let mut clashes = Vec::new();
    for (member, first_value) in members.iter_mut().zip(first_held) {
        member.check_in().await?;
        let policies = vec![(PolicyRole::Original, original)];
        let (reports, _) = cohort
            .reports(member, &policies, &PolicyState::Compliant)
            .await?;
        clashes.push(Clash {
            kind: ConflictKind::InUse,
            policies,
            first_value,
            last_value: member.held.get(&LEAF).cloned(),
            check_in: 1,
            twin: reports.iter().all(is_compliant),
            was_reported: false,
        });
    }
    let mut added = Vec::new();
    for (role, leaves) in [
        (PolicyRole::Clashing, clashing(OTHER)),
        (PolicyRole::Third, third(OTHER)),
    ] {
        let policy = cohort.assigned_policy(&leaves).await?;
        added.push((role, policy));
        for (member, clash) in members.iter_mut().zip(&mut clashes) {
            clash.policies.push((role, policy));
            check_in(cohort, member, clash, cases).await?;
        }
    }
    // And on, without a change: a target that gives in later is found out.
    for (member, clash) in members.iter_mut().zip(&mut clashes) {
        for _ in 0..2 {
            check_in(cohort, member, clash, cases).await?;
        }
    }
    for (role, policy) in added {
        match (remedy, role) {
            (Remedy::Unassigned, _) => cohort.unassign(policy).await?,
            (Remedy::Equalised, PolicyRole::Third) => cohort.edit(policy, &third(LAST)).await?,
            (Remedy::Equalised, PolicyRole::Clashing | PolicyRole::Original) => {
                cohort.edit(policy, &clashing(LAST)).await?;
            }
        }
    }
    resolve(
        cohort,
        &mut members,
        &clashes,
        (remedy, left(remedy, LAST)),
        cases,
    )
    .await
}

/// S24 to S26.
async fn fresh(
    twins: &mut Cohort<'_>,
    cohort: &mut Cohort<'_>,
    remedy: Remedy,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let twin = delivers_clean_policy(twins, cases).await?;
    let original = cohort.assigned_policy(&entra_policy(30, FIRST)).await?;
    let other = cohort.assigned_policy(&clashing(OTHER)).await?;
    let mut members = members(cohort).await?;
    let mut clashes: Vec<Clash> = members
        .iter()
        .map(|_| Clash {
            kind: ConflictKind::Fresh,
            policies: vec![
                (PolicyRole::Original, original),
                (PolicyRole::Clashing, other),
            ],
            first_value: None,
            last_value: None,
            check_in: 1,
            twin,
            was_reported: false,
        })
        .collect();
    for (member, clash) in members.iter_mut().zip(&mut clashes) {
        // The first check-in and three more without resolution.
        for _ in 0..4 {
            check_in(cohort, member, clash, cases).await?;
        }
    }
    match remedy {
        Remedy::Unassigned => cohort.unassign(other).await?,
        Remedy::Equalised => cohort.edit(other, &clashing(FIRST)).await?,
    }
    resolve(
        cohort,
        &mut members,
        &clashes,
        (remedy, left(remedy, FIRST)),
        cases,
    )
    .await
}

/// The positive twin: a device that never had a policy gets one that clashes with nothing.
async fn delivers_clean_policy(
    twins: &mut Cohort<'_>,
    cases: &mut Vec<Case>,
) -> Result<bool, Error> {
    let leaves = entra_policy(30, FIRST);
    let policy = twins.assigned_policy(&leaves).await?;
    let (join, os) = DEVICES[0];
    let mut member = twins.device(join, os).await?;
    twins.first_session(&mut member, &leaves, cases).await?;
    let policies = [(PolicyRole::Original, policy)];
    let (reports, _) = twins
        .reports(&member, &policies, &PolicyState::Compliant)
        .await?;
    Ok(member.held.get(&LEAF) == Some(&Value::Int(FIRST)) && reports.iter().all(is_compliant))
}

/// One check-in while policies clash.
async fn check_in(
    cohort: &Cohort<'_>,
    member: &mut Member,
    clash: &mut Clash,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let session = member.check_in().await?;
    cases.push(Case::ConflictCheckIn(ConflictCheckInCase {
        device: member.name(),
        kind: clash.kind,
        check_in: clash.check_in,
        leaf: LEAF,
        first_value: clash.first_value.clone(),
        last_value: clash.last_value.clone(),
        writes: writes_of(&session, LEAF),
        complete: session.complete,
        twin: clash.twin,
        exchanges: session.exchanges.clone(),
    }));
    let (policies, exchanges) = cohort
        .reports(member, &clash.policies, &PolicyState::Conflict)
        .await?;
    clash.was_reported |= policies.iter().any(is_conflict);
    cases.push(Case::ConflictReport(ConflictReportCase {
        device: member.name(),
        kind: clash.kind,
        check_in: clash.check_in,
        policies,
        complete: session.complete,
        twin: clash.twin,
        exchanges,
    }));
    clash.check_in += 1;
    Ok(())
}

/// The check-ins after the clash was ended, and then what is reported: the conflict summary speaks
/// of all devices at once.
async fn resolve(
    cohort: &Cohort<'_>,
    members: &mut [Member],
    clashes: &[Clash],
    end: (Remedy, BTreeMap<Leaf, Value>),
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut sessions = Vec::new();
    for member in members.iter_mut() {
        sessions.push(member.check_in().await?);
    }
    for ((member, clash), session) in members.iter().zip(clashes).zip(&sessions) {
        let case = resolution(cohort, (member, clash), session, &end).await?;
        cases.push(Case::Resolution(case));
    }
    Ok(())
}

async fn resolution(
    cohort: &Cohort<'_>,
    (member, clash): (&Member, &Clash),
    session: &SessionSeen,
    (remedy, expected): &(Remedy, BTreeMap<Leaf, Value>),
) -> Result<ResolutionCase, Error> {
    let (reaching, gone): (Vec<_>, Vec<_>) = clash
        .policies
        .iter()
        .copied()
        .partition(|(role, _)| *remedy == Remedy::Equalised || *role == PolicyRole::Original);
    let names_one = |row: &ConflictSummary| {
        row.device_checkins_impacted > 0
            && row
                .conflicting_device_configurations
                .iter()
                .any(|named| clash.policies.iter().any(|(_, policy)| *policy == named.id))
    };
    let mut wait = cohort.report_wait();
    let (reports, stale_conflicts, summary_rows, mut exchanges) = loop {
        let (reports, mut exchanges) = cohort.reports_now(member, &reaching).await?;
        let (stale, reads) = cohort.reports_now(member, &gone).await?;
        let summary = cohort.admin.conflict_summary().await?;
        exchanges.extend_from_slice(&reads);
        exchanges.push(summary.exchange);
        let summary = summary.require("GET .../deviceConfigurationConflictSummary")?;
        let stale = stale.iter().filter(|report| is_conflict(report)).count();
        let rows = summary.into_iter().filter(names_one).count();
        let over = reports.iter().all(is_compliant) && stale == 0 && rows == 0;
        if over || !cohort.look_again(&mut wait).await {
            break (reports, stale, rows, exchanges);
        }
    };
    exchanges.extend_from_slice(&session.exchanges);
    let expected = expected
        .iter()
        .filter(|(leaf, value)| leaf.node().allows(value, member.os.build))
        .map(|(leaf, value)| (*leaf, value.clone()))
        .collect();
    Ok(ResolutionCase {
        device: member.name(),
        kind: clash.kind,
        remedy: *remedy,
        was_reported: clash.was_reported,
        reaching: reports,
        stale_conflicts,
        summary_rows,
        expected,
        held: member.held.clone(),
        complete: session.complete,
        exchanges,
    })
}

fn is_compliant(report: &PolicyReport) -> bool {
    report.on_device == Some(PolicyState::Compliant)
        && report.of_policy == Some(PolicyState::Compliant)
}

fn is_conflict(report: &PolicyReport) -> bool {
    report.on_device == Some(PolicyState::Conflict)
        || report.of_policy == Some(PolicyState::Conflict)
}
