//! The form of management answers, and settings that a device does not take or know.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use protocol::syncml::{Command, ContainerKind, Limits, Request, Verb, decode};
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::{Member, writes, writes_of};
use crate::case::{
    AgeCase, AnswerForm, Case, CommandForm, CommandKind, FailedAtomicCase, ItemForm, OldBuildCase,
    SettingSeen, WireCase,
};
use crate::error::Error;
use crate::lab::{SessionSeen, Trouble};
use crate::transcript::{Exchange, ExchangeId, Plane, Transcript};

/// Sessions in which the device refuses a setting.
const REFUSING_SESSIONS: usize = 3;
/// Ages at both ends of the range, and just beyond them (F-021).
const AGES: [i32; 4] = [6, 7, 365, 366];
/// Settings that builds before 26100 do not know (F-005).
const NEW_LEAVES: [Leaf; 2] = [
    Leaf::PassphraseLength,
    Leaf::AutomaticAccountManagementEnabled,
];

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohorts = Vec::new();
    for _ in 0..4 {
        cohorts.push(Cohort::open(context, "wire").await?);
    }
    let ended = devices(context, &mut cohorts, cases).await;
    for cohort in cohorts {
        cohort.close().await?;
    }
    ended
}

async fn devices(
    context: &ScenarioContext,
    cohorts: &mut [Cohort<'_>],
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let [plain, failing, old, ages] = cohorts else {
        return Err(Error::Harness("not four cohorts".to_owned()));
    };
    let exchanges = life_of_a_policy(plain, cases).await?;
    cases.extend(answers(context.lab.transcript(), exchanges));
    let case = failed_atomic(failing).await?;
    cases.push(Case::Wire(WireCase::FailedAtomic(case)));
    for case in old_build(old).await? {
        cases.push(Case::Wire(WireCase::OldBuild(case)));
    }
    for case in age_range(ages).await? {
        cases.push(Case::Wire(WireCase::Age(case)));
    }
    Ok(())
}

/// One case for every management answer of a transcript that asks something of a device.
pub(super) fn answers(
    transcript: &Transcript,
    exchanges: impl IntoIterator<Item = ExchangeId>,
) -> Vec<Case> {
    let kept = exchanges
        .into_iter()
        .filter_map(|id| Some((id, transcript.exchange(id)?)));
    kept.filter_map(|(id, exchange)| answer_form(id, &exchange))
        .map(|form| Case::Wire(WireCase::Answer(form)))
        .collect()
}

fn answer_form(id: ExchangeId, exchange: &Exchange) -> Option<AnswerForm> {
    if exchange.plane != Plane::Manage || exchange.status != Some(200) {
        return None;
    }
    let message = decode(&exchange.response, &Limits::default()).ok()?;
    let mut commands = Vec::new();
    for command in &message.commands {
        add_form(command, &[], &mut commands);
    }
    let asks = |form: &CommandForm| form.kind != CommandKind::Other;
    commands.iter().any(asks).then(|| AnswerForm {
        device: exchange.party.clone(),
        commands,
        exchange: id,
    })
}

fn add_form(command: &Command<'_>, atomics: &[usize], commands: &mut Vec<CommandForm>) {
    let place = commands.len();
    let (kind, items) = match command {
        Command::Request(request) => (CommandKind::Request(request.verb), item_forms(request)),
        Command::Container(container) => match container.kind {
            ContainerKind::Atomic => (CommandKind::Atomic, Vec::new()),
            ContainerKind::Sequence => (CommandKind::Sequence, Vec::new()),
        },
        Command::Status(_) | Command::Results(_) | Command::Alert(_) | Command::Unknown(_) => {
            (CommandKind::Other, Vec::new())
        }
    };
    commands.push(CommandForm {
        kind,
        cmd_id: command.cmd_id().map(str::to_owned),
        items,
        atomics: atomics.to_vec(),
    });
    if let Command::Container(container) = command {
        let mut around = atomics.to_vec();
        if kind == CommandKind::Atomic {
            around.push(place);
        }
        for inner in &container.commands {
            add_form(inner, &around, commands);
        }
    }
}

fn item_forms(request: &Request<'_>) -> Vec<ItemForm> {
    let items = request.items.iter().map(|item| {
        let meta = item.meta.as_ref().or(request.meta.as_ref());
        ItemForm {
            loc_uri: item.target.as_deref().unwrap_or_default().to_owned(),
            format: meta
                .and_then(|meta| meta.format.as_deref())
                .map(str::to_owned),
            data: item.data.as_ref().map(|data| data.as_str().to_owned()),
        }
    });
    items.collect()
}

/// Every format once, a rotation, an edit and the end of the assignment.
async fn life_of_a_policy(
    cohort: &mut Cohort<'_>,
    cases: &mut Vec<Case>,
) -> Result<Vec<ExchangeId>, Error> {
    let mut leaves = entra_policy(30, 16);
    leaves.insert(
        Leaf::AdministratorAccountName,
        Value::Text("svc-local".into()),
    );
    leaves.insert(Leaf::AutomaticAccountManagementEnabled, Value::Bool(false));
    let policy = cohort.assigned_policy(&leaves).await?;
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    let mut exchanges = member.check_in().await?.exchanges;
    let rotation = cohort.rotate(&mut member, Reach::Online).await?;
    exchanges.extend_from_slice(&rotation.exchanges);
    cases.push(Case::Rotation(rotation));
    leaves.insert(Leaf::PasswordLength, Value::Int(18));
    leaves.remove(&Leaf::AutomaticAccountManagementEnabled);
    cohort.edit(policy, &leaves).await?;
    exchanges.extend(member.check_in().await?.exchanges);
    cohort.unassign(policy).await?;
    exchanges.extend(member.check_in().await?.exchanges);
    Ok(exchanges)
}

async fn failed_atomic(cohort: &mut Cohort<'_>) -> Result<FailedAtomicCase, Error> {
    let leaves = entra_policy(30, 16);
    let policy = cohort.assigned_policy(&leaves).await?;
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    member.device.set_trouble(Trouble {
        unreadable_leaf: Some(Leaf::PasswordLength),
        ..Trouble::default()
    });
    let mut attempts = Vec::new();
    let mut exchanges = Vec::new();
    let mut reported = (None, Vec::new());
    for session in 0..REFUSING_SESSIONS {
        let seen = member.device.check_in().await?;
        attempts.push(atomics(&seen));
        exchanges.extend_from_slice(&seen.exchanges);
        if session == 0 {
            let report = report(cohort, &member, policy).await?;
            exchanges.push(report.exchange);
            reported = (report.policy.clone(), report.of(leaves.keys()));
        }
    }
    member.device.set_trouble(Trouble::default());
    exchanges.extend(member.check_in().await?.exchanges);
    let mut wait = cohort.report_wait();
    let policy_after = loop {
        let report = report(cohort, &member, policy).await?;
        let settled = report.policy == Some(PolicyState::Compliant);
        if settled || !cohort.look_again(&mut wait).await {
            exchanges.push(report.exchange);
            break report.policy;
        }
    };
    let (policy, settings) = reported;
    Ok(FailedAtomicCase {
        device: member.name(),
        attempts,
        policy,
        settings,
        policy_after,
        exchanges,
    })
}

/// Answers of a session that write settings.
fn atomics(session: &SessionSeen) -> usize {
    let mut answers: Vec<ExchangeId> = writes(session)
        .into_iter()
        .map(|write| write.exchange)
        .collect();
    answers.dedup();
    answers.len()
}

/// What is reported of one policy on one device.
struct Report {
    policy: Option<PolicyState>,
    settings: BTreeMap<Leaf, PolicyState>,
    exchange: ExchangeId,
}

impl Report {
    fn of<'l>(&self, leaves: impl IntoIterator<Item = &'l Leaf>) -> Vec<SettingSeen> {
        let seen = leaves.into_iter().map(|leaf| SettingSeen {
            leaf: *leaf,
            state: self.settings.get(leaf).cloned(),
        });
        seen.collect()
    }
}

async fn report(cohort: &Cohort<'_>, member: &Member, policy: Uuid) -> Result<Report, Error> {
    let states = cohort.admin.device_states(member.managed).await?;
    let exchange = states.exchange;
    let states = states.require("GET .../deviceConfigurationStates")?;
    let row = states.into_iter().find(|state| state.id == policy);
    let settings = row.iter().flat_map(|row| &row.setting_states);
    let settings = settings
        .filter_map(|seen| Some((Leaf::by_name(&seen.setting)?, seen.state.clone())))
        .collect();
    Ok(Report {
        policy: row.map(|row| row.state),
        settings,
        exchange,
    })
}

async fn old_build(cohort: &mut Cohort<'_>) -> Result<Vec<OldBuildCase>, Error> {
    let known = entra_policy(30, 16);
    let mut leaves = known.clone();
    leaves.insert(Leaf::PassphraseLength, Value::Int(5));
    leaves.insert(Leaf::AutomaticAccountManagementEnabled, Value::Bool(false));
    let policy = cohort.assigned_policy(&leaves).await?;
    let mut cases = Vec::new();
    let mut control = false;
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
        let mut member = cohort.device(JoinType::EntraJoined, os).await?;
        let session = member.check_in().await?;
        let sent: Vec<Leaf> = NEW_LEAVES
            .into_iter()
            .filter(|leaf| !writes_of(&session, *leaf).is_empty())
            .collect();
        let old = os == OsBuild::W10_22H2;
        control |= !old && sent.len() == NEW_LEAVES.len();
        let mut wait = cohort.report_wait();
        let report = loop {
            let report = report(cohort, &member, policy).await?;
            let compliant = |leaf| report.settings.get(leaf) == Some(&PolicyState::Compliant);
            let settled = known.keys().all(compliant);
            if settled || !cohort.look_again(&mut wait).await {
                break report;
            }
        };
        let mut exchanges = session.exchanges;
        exchanges.push(report.exchange);
        cases.push(OldBuildCase {
            device: member.name(),
            old,
            control,
            sent,
            unknown: report.of(&NEW_LEAVES),
            known: report.of(known.keys()),
            exchanges,
        });
    }
    Ok(cases)
}

async fn age_range(cohort: &Cohort<'_>) -> Result<Vec<AgeCase>, Error> {
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    member.check_in().await?;
    let mut cases = Vec::new();
    for days in AGES {
        let name = format!("muster wire {days} days");
        let created = cohort
            .admin
            .create_policy(&name, &entra_policy(days, 16))
            .await?;
        let mut case = AgeCase {
            days,
            status: Some(created.status),
            sent: None,
            checked_in: false,
            exchanges: vec![created.exchange],
        };
        if let Some(policy) = created.body.and_then(|policy| policy.id) {
            cohort.assign(policy).await?;
            let session = member.check_in().await?;
            let mut written = writes_of(&session, Leaf::PasswordAgeDays);
            written.retain(|write| write.verb != Verb::Delete);
            case.sent = written.pop().and_then(|write| write.data);
            case.checked_in = session.complete;
            case.exchanges.extend_from_slice(&session.exchanges);
            let deleted = cohort.admin.delete_policy(policy).await?;
            deleted.require("DELETE .../configurationPolicies/{id}")?;
        }
        cases.push(case);
    }
    Ok(cases)
}
