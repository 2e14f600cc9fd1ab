//! Policies as they are saved, announced, delivered late and delivered by user; and the check-ins
//! of a fresh enrolment.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::policy::{
    ConfigurationPolicy, Setting, leaves_from_settings, settings_from_leaves,
};
use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use protocol::time::UtcMillis;
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, entra_policy};
use super::member::Member;
use crate::case::{
    CadenceCase, Case, LateDeliveryCase, NotifyCase, PolicyBodyCase, PolicyRole, ReachCase,
    UserPolicyCase, UserQuestion,
};
use crate::error::Error;
use crate::limits;
use crate::transcript::ExchangeId;

const DEVICES: [(JoinType, OsBuild); 2] = [
    (JoinType::EntraJoined, OsBuild::W11_24H2),
    (JoinType::EntraHybridJoined, OsBuild::W10_22H2),
];

/// REQ-POLICY-002.
pub(super) async fn policy_body(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let cohort = Cohort::open(context, "policy-body").await?;
    let description = "Rotates often; \"quoted\" & <marked>";
    let tags = vec!["0".to_owned(), "7".to_owned()];
    let leaves = entra_policy(21, 17);
    let name = format!("muster policy-body {}", cohort.group);
    let written = ConfigurationPolicy {
        description: Some(description.to_owned()),
        role_scope_tag_ids: Some(tags),
        ..ConfigurationPolicy::laps(name.as_str(), settings_from_leaves(&leaves))
    };
    let created = cohort.admin.create_policy_as(&written).await?;
    let status = created.status;
    let mut exchanges = vec![created.exchange];
    let id = created.body.and_then(|policy| policy.id);
    let mut altered = Vec::new();
    if let Some(id) = id {
        altered = differences(&cohort, id, &written, &mut exchanges).await?;
    }
    let nameless = ConfigurationPolicy::laps("", settings_from_leaves(&leaves));
    let nameless = cohort.admin.create_policy_as(&nameless).await?;
    exchanges.push(nameless.exchange);
    let list = cohort.admin.policies().await?;
    exchanges.push(list.exchange);
    let list = list.require("GET .../configurationPolicies")?;
    let listed = list
        .iter()
        .any(|policy| policy.id == id && policy.name == name);
    let nameless_id = nameless.body.as_ref().and_then(|policy| policy.id);
    let nameless_listed = nameless_id.is_some() && list.iter().any(|it| it.id == nameless_id);
    for id in id.into_iter().chain(nameless_id) {
        let _deleted = cohort.admin.delete_policy(id).await?;
    }
    cases.push(Case::Reach(ReachCase::PolicyBody(PolicyBodyCase {
        created: Some(status),
        altered,
        listed,
        nameless: Some(nameless.status),
        nameless_listed,
        exchanges,
    })));
    cohort.close().await
}

/// What reads give back otherwise than it was written.
async fn differences(
    cohort: &Cohort<'_>,
    id: Uuid,
    written: &ConfigurationPolicy,
    exchanges: &mut Vec<ExchangeId>,
) -> Result<Vec<String>, Error> {
    let read = cohort.admin.policy(id).await?;
    exchanges.push(read.exchange);
    let read = read.require("GET .../configurationPolicies/{id}")?;
    let settings = cohort.admin.policy_settings(id).await?;
    exchanges.push(settings.exchange);
    let settings = settings.require("GET .../configurationPolicies/{id}/settings")?;
    let mut altered = Vec::new();
    if read.name != written.name {
        altered.push(format!("the name is `{}`", read.name));
    }
    if read.description != written.description {
        altered.push(format!("the description is {:?}", read.description));
    }
    if read.role_scope_tag_ids != written.role_scope_tag_ids {
        altered.push(format!("the scope tags are {:?}", read.role_scope_tag_ids));
    }
    let leaves = |settings: &[Setting]| leaves_from_settings(settings).ok();
    if leaves(&settings) != written.settings.as_deref().and_then(leaves) {
        altered.push("the settings are not those written".to_owned());
    }
    Ok(altered)
}

/// REQ-ASSIGN-002, REQ-ASSIGN-006.
pub(super) async fn announced(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "announced").await?;
    let ended = announce(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn announce(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut present = Vec::new();
    let mut away = Vec::new();
    for (join, os) in DEVICES {
        for members in [&mut present, &mut away] {
            let mut member = cohort.device(join, os).await?;
            // The first session tells the channel.
            member.check_in().await?;
            members.push(member);
        }
    }
    for member in &mut away {
        member.device.set_online(false);
    }
    let leaves = entra_policy(14, 18);
    let policy = cohort.assigned_policy(&leaves).await?;
    let mut twin = true;
    for member in &mut present {
        let session = member.answer_push(cohort.push_limit()).await;
        let pushed = session.is_some();
        let mut exchanges: Vec<ExchangeId> = member
            .device
            .push_slot()
            .pushes()
            .iter()
            .filter_map(|push| push.exchange)
            .collect();
        let session = match session {
            Some(session) => session,
            None => member.check_in().await?,
        };
        exchanges.extend_from_slice(&session.exchanges);
        let delivered = session.complete && holds(member, &leaves);
        twin &= delivered;
        cases.push(Case::Reach(ReachCase::Notify(NotifyCase {
            device: member.name(),
            reachable: true,
            pushed,
            delivered,
            exchanges,
        })));
    }
    for mut member in away {
        // The push must have come and gone before the device is back.
        let seen = member.device.push_slot().count();
        let limit = tokio::time::Instant::now() + PUSH_SETTLES;
        while member.device.push_slot().count() == seen && tokio::time::Instant::now() < limit {
            tokio::time::sleep(limits::POLL_INTERVAL).await;
        }
        let (before, mut exchanges) = states(cohort, &member, policy).await?;
        member.device.set_online(true);
        let session = member.check_in().await?;
        exchanges.extend_from_slice(&session.exchanges);
        cases.push(Case::Reach(ReachCase::LateDelivery(LateDeliveryCase {
            device: member.name(),
            before,
            configured: known(&member, &leaves),
            held: member.held.clone(),
            complete: session.complete,
            twin,
            exchanges,
        })));
    }
    Ok(())
}

/// Time for a push that was already on its way.
const PUSH_SETTLES: std::time::Duration = std::time::Duration::from_millis(200);

/// The states of a policy on a device, of both lists.
pub(super) async fn states(
    cohort: &Cohort<'_>,
    member: &Member,
    policy: Uuid,
) -> Result<([Option<PolicyState>; 2], Vec<ExchangeId>), Error> {
    let (reports, exchanges) = cohort
        .reports_now(member, &[(PolicyRole::Original, policy)])
        .await?;
    let report = reports.into_iter().next();
    let states = report.map_or([None, None], |it| [it.on_device, it.of_policy]);
    Ok((states, exchanges))
}

/// The settings that the build of a device knows.
pub(super) fn known(member: &Member, leaves: &BTreeMap<Leaf, Value>) -> BTreeMap<Leaf, Value> {
    leaves
        .iter()
        .filter(|(leaf, value)| leaf.node().allows(value, member.os.build))
        .map(|(leaf, value)| (*leaf, value.clone()))
        .collect()
}

/// True when a device holds these settings.
pub(super) fn holds(member: &Member, leaves: &BTreeMap<Leaf, Value>) -> bool {
    known(member, leaves)
        .iter()
        .all(|(leaf, value)| member.held.get(leaf) == Some(value))
}

/// REQ-ASSIGN-004, REQ-ASSIGN-005.
pub(super) async fn users(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "users").await?;
    let ended = of_users(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

/// A user with a policy of his own.
struct Person {
    name: String,
    leaves: BTreeMap<Leaf, Value>,
}

async fn person(cohort: &mut Cohort<'_>, letter: char, length: i32) -> Result<Person, Error> {
    let name = format!("{letter}-{}@muster.test", cohort.group.simple());
    let display = format!("muster users {letter}");
    let user = cohort.admin.create_user(&name, &display).await?;
    let user = user.require("POST /users")?;
    let group = cohort.admin.create_group(&display).await?;
    let group = group.require("POST /groups")?;
    let added = cohort.admin.add_member(group.id, user.id).await?;
    added.require("POST /groups/{id}/members/$ref")?;
    let leaves = entra_policy(14, length);
    let policy = cohort.policy(&leaves).await?;
    let assigned = cohort.admin.assign_groups(policy, &[group.id]).await?;
    assigned.require("POST .../assign")?;
    Ok(Person { name, leaves })
}

async fn of_users(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let a = person(cohort, 'a', 18).await?;
    let b = person(cohort, 'b', 23).await?;
    let lab = cohort.context.lab.clone();
    let mut first = cohort
        .outsider_device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    lab.sign_in(first.managed, Some(&a.name)).await?;
    first.check_in().await?;
    let first_has = holds(&first, &a.leaves);
    let mut second = cohort
        .outsider_device(JoinType::EntraJoined, OsBuild::W10_22H2)
        .await?;
    lab.sign_in(second.managed, Some(&a.name)).await?;
    let session = second.check_in().await?;
    cases.push(user_case(
        (&second, UserQuestion::SecondDevice),
        &a,
        (first_has, session.complete, 0),
        session.exchanges,
    ));
    // The first device becomes a shared one: b, a, b.
    let mut flips = 0;
    for now in [&b, &a, &b] {
        lab.sign_in(first.managed, Some(&now.name)).await?;
        let session = first.check_in().await?;
        flips += u32::from(holds(&first, &now.leaves));
        cases.push(user_case(
            (&first, UserQuestion::Switch),
            now,
            (first_has, session.complete, flips),
            session.exchanges,
        ));
    }
    Ok(())
}

fn user_case(
    (member, question): (&Member, UserQuestion),
    person: &Person,
    (first, complete, flips): (bool, bool, u32),
    exchanges: Vec<ExchangeId>,
) -> Case {
    Case::Reach(ReachCase::UserPolicy(UserPolicyCase {
        device: member.name(),
        question,
        first,
        expected: known(member, &person.leaves),
        held: member.held.clone(),
        complete,
        flips,
        exchanges,
    }))
}

/// REQ-CHECKIN-001.
pub(super) async fn cadence(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "cadence").await?;
    let ended = follow_table(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

/// F-156: every 3 min for 15 min, then every 15 min for 2 h, then every 8 h. Two of the last kind.
const DUE: u32 = 5 + 8 + 2;
const HOURS: i64 = 19;

async fn follow_table(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    for (join, os) in DEVICES {
        let mut device = cohort
            .context
            .lab
            .registered_device(cohort.scope, join, os)
            .await?;
        device.device_mut().set_polling(true);
        device.enroll().await?;
        let until = device.now().plus_millis(HOURS * UtcMillis::HOUR_MS);
        let all = device.run_until(until).await?;
        let mut case = CadenceCase {
            device: device.name().to_owned(),
            due: DUE,
            made: device.seen().sessions,
            broken: device.seen().sessions_broken,
            protocol_errors: Vec::new(),
            exchanges: Vec::new(),
        };
        for seen in all {
            case.protocol_errors.extend(seen.protocol_errors);
            case.exchanges.extend_from_slice(&seen.exchanges);
        }
        cases.push(Case::Reach(ReachCase::Cadence(case)));
    }
    Ok(())
}
