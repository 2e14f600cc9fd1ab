//! What the sources leave open: the same question put for two devices each.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::credential::DeviceLocalCredential;
use protocol::laps_csp::{Leaf, Value};

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy, newest};
use super::events;
use super::member::Member;
use super::watch::Watch;
use crate::case::{
    ActionSeen, Case, ChoiceCase, ChoiceSeen, CurrentPassword, Moment, Question, RecordCase,
    WatchKind,
};
use crate::error::Error;

/// Rotations before the history is read: more than any number of entries that is documented.
const ROTATIONS: u32 = 4;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "choice").await?;
    let mut directory = Cohort::open(context, "choice").await?;
    let ended = devices(&mut cohort, &mut directory, cases).await;
    cohort.close().await?;
    directory.close().await?;
    ended
}

/// Settings that back up to Active Directory.
fn ad_policy() -> BTreeMap<Leaf, Value> {
    let mut policy = entra_policy(30, 16);
    policy.insert(Leaf::BackupDirectory, Value::Int(2));
    policy
}

async fn devices(
    cohort: &mut Cohort<'_>,
    directory: &mut Cohort<'_>,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    directory.assigned_policy(&ad_policy()).await?;
    let (cohort, directory) = (&*cohort, &*directory);

    let mut answers = Vec::new();
    for member in &mut with_backup(cohort, JoinType::EntraJoined).await? {
        member.device.set_online(false);
        answers.push(counted_online(cohort, member).await?);
    }
    cases.push(asked(Question::OnlineByCheckIn, answers));

    let mut answers = Vec::new();
    for member in &mut with_backup(cohort, JoinType::EntraHybridJoined).await? {
        member.device.set_online(false);
        answers.push(course(cohort, member).await?);
    }
    cases.push(asked(Question::HybridOffline, answers));

    let mut answers = Vec::new();
    for member in &mut with_backup(directory, JoinType::EntraHybridJoined).await? {
        answers.push(course(directory, member).await?);
    }
    cases.push(asked(Question::HybridActiveDirectory, answers));

    let mut answers = Vec::new();
    for member in &mut with_backup(cohort, JoinType::EntraJoined).await? {
        answers.push(history(cohort, member, cases).await?);
    }
    cases.push(asked(Question::History, answers));

    let mut answers = Vec::new();
    for member in &mut with_backup(cohort, JoinType::EntraJoined).await? {
        answers.push(refused_attempt(cohort, member, cases).await?);
    }
    cases.push(asked(Question::RefusedAttempt, answers));
    Ok(())
}

const fn asked(question: Question, answers: Vec<ChoiceSeen>) -> Case {
    Case::Choice(ChoiceCase { question, answers })
}

/// Two devices that are backed up and whose target has seen it.
pub(super) async fn with_backup(cohort: &Cohort<'_>, join: JoinType) -> Result<[Member; 2], Error> {
    let mut members = [
        cohort.device(join, OsBuild::W11_24H2).await?,
        cohort.device(join, OsBuild::W10_22H2).await?,
    ];
    for member in &mut members {
        // The second session shows a backup to Active Directory.
        for _ in 0..2 {
            member.check_in().await?;
        }
    }
    Ok(members)
}

/// Whether a rotation is refused for want of connection; the device comes online in the end.
pub(super) async fn counted_online(
    cohort: &Cohort<'_>,
    member: &mut Member,
) -> Result<ChoiceSeen, Error> {
    cohort.new_rotation_rows(member).await?;
    let (_op, reply) = cohort
        .operator
        .rotate_counted(cohort.ledger(), member.managed)
        .await;
    let reply = reply?;
    let (rows, read) = cohort.rotation_rows(member).await?;
    let action = (rows.len() > member.rows).then(|| newest(&rows)).flatten();
    let open = action.is_some_and(|action| !action.state.is_final());
    let choice = if reply.is_success() && open {
        "counts as online"
    } else {
        "counts as offline"
    };
    member.device.set_online(true);
    let session = member.check_in().await?;
    let mut exchanges = vec![reply.exchange, read];
    exchanges.extend_from_slice(&session.exchanges);
    Ok(ChoiceSeen {
        device: member.name(),
        choice: choice.to_owned(),
        objection: None,
        exchanges,
    })
}

/// What becomes of a rotation, from the request to the end of two sessions.
async fn course(cohort: &Cohort<'_>, member: &mut Member) -> Result<ChoiceSeen, Error> {
    let mut watch = Watch::ask(cohort, member, WatchKind::Plain).await?;
    watch.look(cohort, member, Moment::Accepted).await?;
    member.device.set_online(true);
    for _ in 0..2 {
        watch.later_session(member).await?;
    }
    watch.look_for_end(cohort, member, Moment::Reported).await?;
    let seen = watch.end(member);
    let action = |moment: Moment| {
        let look = seen.looks.iter().find(|look| look.moment == moment);
        look.and_then(|look| look.action.as_ref())
    };
    let accepted = seen.status.is_some_and(|status| status < 300);
    let last = action(Moment::Reported);
    let ended = last.is_some_and(|action| action.state.is_final());
    let objection = (accepted && !ended)
        .then(|| format!("the action is {} after two sessions", state_of(last)));
    Ok(ChoiceSeen {
        device: member.name(),
        choice: format!(
            "{} at the request, {} in the end",
            state_of(action(Moment::Accepted)),
            state_of(last)
        ),
        objection,
        exchanges: seen.exchanges,
    })
}

fn state_of(action: Option<&ActionSeen>) -> String {
    action.map_or_else(
        || "not listed".to_owned(),
        |action| format!("`{}`", action.state),
    )
}

/// Rotates again and again, and reads the password each time.
async fn history(
    cohort: &Cohort<'_>,
    member: &mut Member,
    cases: &mut Vec<Case>,
) -> Result<ChoiceSeen, Error> {
    for _ in 0..ROTATIONS {
        let rotation = cohort.rotate(member, Reach::Online).await?;
        let mut exchanges = rotation.exchanges.clone();
        cases.push(Case::Rotation(rotation));
        let (explicit, _, read) = cohort.password(member).await?;
        exchanges.push(read);
        cases.push(Case::Record(RecordCase::Current(CurrentPassword {
            device: member.name(),
            backups: member.marks().backups,
            status: explicit.status,
            matches: explicit.password_matches,
            exchanges,
        })));
    }
    let (_op, reply) = cohort
        .reader
        .read_password_counted(cohort.ledger(), member.entra)
        .await?;
    let exchange = reply.exchange;
    let entries = reply.body.and_then(|body| body.credentials);
    let entries = entries.unwrap_or_default();
    let held = member.device.held_password();
    let current = entries
        .iter()
        .rev()
        .max_by_key(|entry| entry.backup_date_time)
        .and_then(|entry| entry.password_base64.as_ref());
    let is_current =
        current.is_some() && current == held.as_ref().map(|held| &held.password_base64);
    Ok(ChoiceSeen {
        device: member.name(),
        choice: format!("{} entries, {}", entries.len(), order(&entries)),
        objection: (held.is_some() && !is_current)
            .then(|| "the newest entry is not the current password".to_owned()),
        exchanges: vec![exchange],
    })
}

fn order(entries: &[DeviceLocalCredential]) -> &'static str {
    let pairs = || entries.iter().zip(entries.iter().skip(1));
    if pairs().all(|(one, next)| one.backup_date_time >= next.backup_date_time) {
        "newest first"
    } else if pairs().all(|(one, next)| one.backup_date_time <= next.backup_date_time) {
        "oldest first"
    } else {
        "in no order"
    }
}

/// A request by somebody without the right, then one by somebody who has it.
async fn refused_attempt(
    cohort: &Cohort<'_>,
    member: &mut Member,
    cases: &mut Vec<Case>,
) -> Result<ChoiceSeen, Error> {
    let (before, _) = events::attempts(cohort, member, 0).await?;
    let outsider = cohort.actor("help-desk");
    let (_op, refused) = outsider
        .rotate_counted(cohort.ledger(), member.managed)
        .await;
    let refused = refused?;
    let rotation = cohort.rotate(member, Reach::Online).await?;
    cases.push(Case::Rotation(rotation));
    // The event of the second request comes after that of the first, if there is one.
    let (after, log) = events::attempts(cohort, member, before + 1).await?;
    let own = after.saturating_sub(before).saturating_sub(1);
    Ok(ChoiceSeen {
        device: member.name(),
        choice: format!("status {}, {own} events", refused.status),
        objection: None,
        exchanges: vec![refused.exchange, log],
    })
}
