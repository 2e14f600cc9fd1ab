//! Several policies on one device: agreeing, sharing nothing, clashing on one of several settings,
//! on the directory, on the account.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, entra_policy};
use super::member::{Member, writes};
use super::reach::{holds, known};
use crate::case::{
    Case, ChoiceCase, ChoiceSeen, ClashCase, ClashKind, ClashSessionCase, PolicyRole, Question,
    SettingReport, SeveralCase,
};
use crate::error::Error;
use crate::lab::SessionSeen;
use crate::properties::{Choice, Property};
use crate::transcript::ExchangeId;

const DEVICES: [(JoinType, OsBuild); 2] = [
    (JoinType::EntraJoined, OsBuild::W11_24H2),
    (JoinType::EntraHybridJoined, OsBuild::W10_22H2),
];

type Leaves = BTreeMap<Leaf, Value>;

/// What a case starts from.
struct Setting<'a> {
    kind: ClashKind,
    policies: &'a [(PolicyRole, Uuid)],
    leaf: Option<Leaf>,
    expected: Leaves,
    named_accounts: Vec<String>,
    twin: bool,
    wanted: PolicyState,
}

/// What is to be seen of a device after these sessions.
async fn look(
    cohort: &Cohort<'_>,
    member: &Member,
    setting: &Setting<'_>,
    sessions: &[SessionSeen],
) -> Result<ClashCase, Error> {
    let (policies, mut exchanges) = cohort
        .reports(member, setting.policies, &setting.wanted)
        .await?;
    let states = cohort.admin.device_states(member.managed).await?;
    exchanges.push(states.exchange);
    let states = states.require("GET .../deviceConfigurationStates")?;
    let settings = states.into_iter().flat_map(|state| {
        let policy = state.id;
        state
            .setting_states
            .into_iter()
            .map(move |it| SettingReport {
                policy,
                setting: it.setting,
                state: it.state,
                error_code: it.error_code,
                sources: it.sources.iter().map(|source| source.id).collect(),
            })
    });
    let settings = settings.collect();
    let (metadata, read) = cohort.metadata(member).await?;
    exchanges.push(read);
    let mut complete = true;
    for session in sessions {
        complete &= session.complete;
        exchanges.extend_from_slice(&session.exchanges);
    }
    Ok(ClashCase {
        device: member.name(),
        kind: setting.kind,
        policies,
        ids: setting.policies.iter().map(|(_, id)| *id).collect(),
        settings,
        leaf: setting.leaf,
        expected: known(member, &setting.expected),
        held: member.held.clone(),
        credential: metadata.status.is_some_and(|status| status < 300),
        accounts: member
            .device
            .seen()
            .uploads_accepted
            .iter()
            .map(|upload| upload.account.clone())
            .collect(),
        named_accounts: setting.named_accounts.clone(),
        twin: setting.twin,
        complete,
        exchanges,
    })
}

fn push_case(cases: &mut Vec<Case>, case: ClashCase) {
    cases.push(Case::Several(SeveralCase::Clash(case)));
}

fn push_session(cases: &mut Vec<Case>, member: &Member, session: &SessionSeen, twin: bool) {
    cases.push(Case::Several(SeveralCase::Session(ClashSessionCase {
        device: member.name(),
        writes: writes(session),
        complete: session.complete,
        twin,
        exchanges: session.exchanges.clone(),
    })));
}

async fn members(cohort: &Cohort<'_>) -> Result<Vec<Member>, Error> {
    let mut members = Vec::new();
    for (join, os) in DEVICES {
        members.push(cohort.device(join, os).await?);
    }
    Ok(members)
}

/// REQ-CONFLICT-006, -014, -016.
pub(super) async fn in_use(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "clash-in-use").await?;
    let ended = clash_in_use(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn clash_in_use(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let leaves = entra_policy(30, 15);
    let original = cohort.assigned_policy(&leaves).await?;
    let mut members = members(cohort).await?;
    let mut delivered = Vec::new();
    for member in &mut members {
        member.check_in().await?;
        delivered.push(holds(member, &leaves));
    }
    let mut other_leaves = entra_policy(30, 22);
    other_leaves.insert(Leaf::PostAuthenticationResetDelay, Value::Int(6));
    let other = cohort.assigned_policy(&other_leaves).await?;
    let both = [
        (PolicyRole::Original, original),
        (PolicyRole::Clashing, other),
    ];
    let mut told = Vec::new();
    for (member, twin) in members.iter_mut().zip(&delivered) {
        let session = member.check_in().await?;
        push_session(cases, member, &session, *twin);
        let setting = Setting {
            kind: ClashKind::OneSetting,
            policies: &both,
            leaf: Some(Leaf::PasswordLength),
            expected: Leaves::new(),
            named_accounts: Vec::new(),
            twin: *twin,
            wanted: PolicyState::Conflict,
        };
        let case = look(cohort, member, &setting, &[session]).await?;
        told.push(
            case.policies
                .iter()
                .any(|report| report.on_device == Some(PolicyState::Conflict)),
        );
        push_case(cases, case);
    }
    cohort.unassign(original).await?;
    for (member, told) in members.iter_mut().zip(told) {
        let session = member.check_in().await?;
        let setting = Setting {
            kind: ClashKind::OriginalGone,
            policies: &both[1..],
            leaf: Some(Leaf::PasswordLength),
            expected: other_leaves.clone(),
            named_accounts: Vec::new(),
            twin: told,
            wanted: PolicyState::Compliant,
        };
        let case = look(cohort, member, &setting, &[session]).await?;
        push_case(cases, case);
    }
    Ok(())
}

/// REQ-CONFLICT-012, -017.
pub(super) async fn agreeing(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut equal = Cohort::open(context, "agreeing").await?;
    let mut disjoint = Cohort::open(context, "agreeing").await?;
    let leaves = entra_policy(30, 20);
    let other = Leaves::from([(Leaf::PostAuthenticationResetDelay, Value::Int(7))]);
    let mut ended = agree(&mut equal, (ClashKind::Equal, &leaves, &leaves), cases).await;
    if ended.is_ok() {
        ended = agree(&mut disjoint, (ClashKind::Disjoint, &leaves, &other), cases).await;
    }
    equal.close().await?;
    disjoint.close().await?;
    ended
}

async fn agree(
    cohort: &mut Cohort<'_>,
    (kind, one, other): (ClashKind, &Leaves, &Leaves),
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let policies = [
        (PolicyRole::Original, cohort.assigned_policy(one).await?),
        (PolicyRole::Third, cohort.assigned_policy(other).await?),
    ];
    let mut expected = one.clone();
    expected.extend(other.clone());
    for mut member in members(cohort).await? {
        let first = member.check_in().await?;
        let second = member.check_in().await?;
        let setting = Setting {
            kind,
            policies: &policies,
            leaf: None,
            expected: expected.clone(),
            named_accounts: Vec::new(),
            twin: true,
            wanted: PolicyState::Compliant,
        };
        let case = look(cohort, &member, &setting, &[first, second]).await?;
        push_case(cases, case);
    }
    Ok(())
}

/// REQ-CONFLICT-011, -013, -015, -016.
pub(super) async fn fresh(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut twins = Cohort::open(context, "clash-fresh").await?;
    let mut directory = Cohort::open(context, "clash-fresh").await?;
    let mut account = Cohort::open(context, "clash-fresh").await?;
    let ended = clash_fresh([&mut twins, &mut directory, &mut account], cases).await;
    for cohort in [twins, directory, account] {
        cohort.close().await?;
    }
    ended
}

async fn clash_fresh(
    [twins, directory, account]: [&mut Cohort<'_>; 3],
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let leaves = entra_policy(30, 16);
    twins.assigned_policy(&leaves).await?;
    let (join, os) = DEVICES[0];
    let mut member = twins.device(join, os).await?;
    member.check_in().await?;
    let twin = holds(&member, &leaves) && member.marks().backups > 0;

    let mut none = leaves.clone();
    none.insert(Leaf::BackupDirectory, Value::Int(0));
    let clash = (ClashKind::Directory, Leaf::BackupDirectory, &leaves, &none);
    let withheld = clash_on(directory, clash, twin, cases).await?;
    cases.push(Case::Choice(ChoiceCase {
        question: Question::Withhold,
        answers: withheld,
    }));

    let named = |name: &str| {
        let mut leaves = leaves.clone();
        leaves.insert(Leaf::AdministratorAccountName, Value::Text(name.into()));
        leaves
    };
    let (one, other) = (named(emulator::SERVICE_ACCOUNT), named("Guest"));
    let leaf = Leaf::AdministratorAccountName;
    let clash = (ClashKind::Account, leaf, &one, &other);
    clash_on(account, clash, twin, cases).await?;
    Ok(())
}

/// Check-ins while two policies clash on a setting; what is withheld of their clean settings.
async fn clash_on(
    cohort: &mut Cohort<'_>,
    (kind, leaf, one, other): (ClashKind, Leaf, &Leaves, &Leaves),
    twin: bool,
    cases: &mut Vec<Case>,
) -> Result<Vec<ChoiceSeen>, Error> {
    let policies = [
        (PolicyRole::Original, cohort.assigned_policy(one).await?),
        (PolicyRole::Clashing, cohort.assigned_policy(other).await?),
    ];
    let names = [one, other].into_iter().filter_map(|leaves| {
        leaves
            .get(&Leaf::AdministratorAccountName)
            .map(ToString::to_string)
    });
    let named_accounts: Vec<String> = names.collect();
    let mut withheld = Vec::new();
    for mut member in members(cohort).await? {
        let mut sessions = Vec::new();
        for _ in 0..3 {
            let session = member.check_in().await?;
            push_session(cases, &member, &session, twin);
            sessions.push(session);
        }
        withheld.extend(granularity(&member, (leaf, one), &sessions));
        let setting = Setting {
            kind,
            policies: &policies,
            leaf: Some(leaf),
            expected: Leaves::new(),
            named_accounts: named_accounts.clone(),
            twin,
            wanted: PolicyState::Conflict,
        };
        let case = look(cohort, &member, &setting, &sessions).await?;
        push_case(cases, case);
    }
    Ok(withheld)
}

fn granularity(
    member: &Member,
    (leaf, policy): (Leaf, &Leaves),
    sessions: &[SessionSeen],
) -> Option<ChoiceSeen> {
    if !sessions.iter().all(|session| session.complete) {
        return None;
    }
    let clean = policy.keys().filter(|clean| **clean != leaf);
    let sent = clean
        .filter(|clean| member.held.contains_key(clean))
        .count();
    let exchanges: Vec<ExchangeId> = sessions
        .iter()
        .flat_map(|session| session.exchanges.iter().copied())
        .collect();
    Some(ChoiceSeen {
        device: member.name(),
        choice: format!("{sent} settings that clash with none were sent"),
        shows: vec![(
            Property::Withhold,
            vec![if sent == 0 {
                Choice::WithholdPolicy
            } else {
                Choice::WithholdSetting
            }],
        )],
        objection: None,
        exchanges,
    })
}
