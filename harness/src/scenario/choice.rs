//! What the sources leave open: the same question put for two devices each.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::action::ActionState;
use protocol::graph::credential::DeviceLocalCredential;
use protocol::laps_csp::{Leaf, Value};

use super::cohort::{Cohort, Reach, entra_policy};
use super::events;
use super::member::Member;
use super::watch::Watch;
use super::{ScenarioContext, unmanaged};
use crate::case::{
    ActionSeen, Case, ChoiceCase, ChoiceSeen, CurrentPassword, Moment, Question, RecordCase,
    WatchKind, WatchedRotation,
};
use crate::error::Error;
use crate::properties::{Choice, Property};
use crate::push::Presence;

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

    for (question, standing) in [
        (Question::OnlineByCheckIn, Standing::Closed),
        (Question::OnlineForNow, Standing::Away),
    ] {
        let mut answers = Vec::new();
        for member in &mut with_backup(cohort, JoinType::EntraJoined).await? {
            answers.push(counted_online(cohort, member, standing).await?);
        }
        cases.push(asked(question, answers));
    }

    let question = Question::HybridOffline;
    let mut answers = Vec::new();
    for member in &mut with_backup(cohort, JoinType::EntraHybridJoined).await? {
        member.device.set_online(false);
        answers.push(course(cohort, member, question).await?);
    }
    cases.push(asked(question, answers));

    let question = Question::HybridActiveDirectory;
    let mut answers = Vec::new();
    for member in &mut with_backup(directory, JoinType::EntraHybridJoined).await? {
        answers.push(course(directory, member, question).await?);
    }
    cases.push(asked(question, answers));
    cases.push(asked(
        Question::Unmanaged,
        unmanaged::answers(cohort).await?,
    ));

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

/// How a device stands when its rotation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its channel is open; its last check-in is long past.
    Open,
    /// Its channel is closed; its last check-in is just past.
    Closed,
    /// Its connection is lost for a while; its last check-in is just past.
    Away,
}

impl Standing {
    /// What an answer is compatible with.
    fn shows(self, online: bool) -> (Property, Vec<Choice>) {
        let rule = Property::OnlineRule;
        match (self, online) {
            (Self::Open, true) => (rule, vec![Choice::OnlineByPush]),
            (Self::Open, false) => (rule, vec![Choice::OnlineByCheckIn, Choice::OnlineByBoth]),
            (Self::Closed, true) => (rule, vec![Choice::OnlineByCheckIn]),
            (Self::Closed, false) => (rule, vec![Choice::OnlineByPush, Choice::OnlineByBoth]),
            (Self::Away, true) => (Property::TempDisconnected, vec![Choice::TempOnline]),
            (Self::Away, false) => (Property::TempDisconnected, vec![Choice::TempOffline]),
        }
    }
}

/// Whether a rotation is refused for want of connection; the device comes online in the end.
pub(super) async fn counted_online(
    cohort: &Cohort<'_>,
    member: &mut Member,
    standing: Standing,
) -> Result<ChoiceSeen, Error> {
    match standing {
        Standing::Open => {}
        Standing::Closed => member.device.set_online(false),
        Standing::Away => {
            member.device.set_online(false);
            let slot = member.device.push_slot();
            slot.set_presence(Presence::TempDisconnected);
        }
    }
    let mut watch = Watch::ask(cohort, member, WatchKind::Plain).await?;
    let at_once = watch.look(cohort, member, Moment::Accepted).await?;
    match standing {
        // A device with an open channel comes when it is called, and once more with its result.
        Standing::Open => {
            for _ in 0..2 {
                watch.later_session(member).await?;
            }
        }
        // One without has time to be taken for offline.
        Standing::Closed | Standing::Away => {}
    }
    watch.look_for_end(cohort, member, Moment::Reported).await?;
    let execs = watch.execs_so_far(member);
    member.device.set_online(true);
    watch.later_session(member).await?;
    let seen = watch.end(member);
    let last = look(&seen, Moment::Reported);
    let failed = last.is_some_and(|action| action.state == ActionState::Failed);
    let status = seen.status.unwrap_or_default();
    let online = (200..=299).contains(&status) && !(failed && execs == 0);
    let mut shows = vec![standing.shows(online)];
    if standing == Standing::Closed && failed && !online {
        shows.push((Property::OfflineForm, offline_form(status, at_once)));
    }
    Ok(ChoiceSeen {
        device: member.name(),
        choice: format!(
            "{standing:?} channel, status {status}, action {}",
            state_of(last)
        ),
        shows,
        objection: None,
        exchanges: seen.exchanges,
    })
}

/// Contract 5: listed as failed before the answer is sent; or within `T_fail`; or refused.
fn offline_form(status: u16, at_once: bool) -> Vec<Choice> {
    match (status, at_once) {
        // A target that may take its time is sometimes quick.
        (200..=299, true) => vec![Choice::FailedAtOnce, Choice::FailedLater],
        (200..=299, false) => vec![Choice::FailedLater],
        _ => vec![Choice::FailedAndRefused],
    }
}

fn look(seen: &WatchedRotation, moment: Moment) -> Option<&ActionSeen> {
    let look = seen.looks.iter().find(|look| look.moment == moment);
    look.and_then(|look| look.action.as_ref())
}

/// What becomes of a rotation, from the request to the end of two sessions.
async fn course(
    cohort: &Cohort<'_>,
    member: &mut Member,
    question: Question,
) -> Result<ChoiceSeen, Error> {
    let mut watch = Watch::ask(cohort, member, WatchKind::Plain).await?;
    watch.look(cohort, member, Moment::Accepted).await?;
    member.device.set_online(true);
    for _ in 0..2 {
        watch.later_session(member).await?;
    }
    watch.look_for_end(cohort, member, Moment::Reported).await?;
    let seen = watch.end(member);
    let accepted = seen.status.is_some_and(|status| status < 300);
    let last = look(&seen, Moment::Reported);
    let ended = last.is_some_and(|action| action.state.is_final());
    let objection = (accepted && !ended)
        .then(|| format!("the action is {} after two sessions", state_of(last)));
    Ok(ChoiceSeen {
        device: member.name(),
        choice: format!(
            "{} at the request, {} in the end, {} Execs",
            state_of(look(&seen, Moment::Accepted)),
            state_of(last),
            seen.execs
        ),
        shows: hybrid(question, last, seen.execs),
        objection,
        exchanges: seen.exchanges,
    })
}

/// Delivered, failed without having been delivered, or not supported.
fn hybrid(
    question: Question,
    last: Option<&ActionSeen>,
    execs: u32,
) -> Vec<(Property, Vec<Choice>)> {
    let offline = question == Question::HybridOffline;
    let (property, delivered, fails, unsupported) = if offline {
        (
            Property::HybridOffline,
            Choice::HybridWaits,
            Choice::HybridFails,
            Choice::HybridUnsupported,
        )
    } else {
        (
            Property::HybridDirectory,
            Choice::DirectoryDelivered,
            Choice::DirectoryFails,
            Choice::DirectoryUnsupported,
        )
    };
    let Some(last) = last.filter(|last| last.state.is_final()) else {
        return Vec::new();
    };
    if execs > 0 {
        let mut shows = vec![(property, vec![delivered])];
        if !offline {
            shows.push((Property::DirectoryEvidence, vec![Choice::EvidenceStatus]));
        }
        return shows;
    }
    let mut shows = Vec::new();
    if last.state == ActionState::NotSupported {
        shows.push((property, vec![unsupported]));
    } else if last.state == ActionState::Failed {
        shows.push((property, vec![fails]));
        if !offline && last.detail.as_deref() == Some("noBackup") {
            shows.push((Property::DirectoryEvidence, vec![Choice::EvidenceNone]));
        }
    }
    shows
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
    let (order, in_words) = order(&entries);
    let mut shows = depth(entries.len());
    shows.push((Property::HistoryOrder, order));
    Ok(ChoiceSeen {
        device: member.name(),
        choice: format!("{} entries, {in_words}", entries.len()),
        shows,
        objection: (held.is_some() && !is_current)
            .then(|| "the newest entry is not the current password".to_owned()),
        exchanges: vec![exchange],
    })
}

/// There were five passwords: the first one and those of [`ROTATIONS`].
fn depth(entries: usize) -> Vec<(Property, Vec<Choice>)> {
    let choice = match entries {
        0 => return Vec::new(),
        1 => Choice::History1,
        2 => Choice::History2,
        3 => Choice::History3,
        4 => Choice::History4,
        _ => Choice::History5,
    };
    vec![(Property::HistoryDepth, vec![choice])]
}

/// The orders that the entries are in: of fewer than two, any.
fn order(entries: &[DeviceLocalCredential]) -> (Vec<Choice>, &'static str) {
    let pairs = || entries.iter().zip(entries.iter().skip(1));
    let newest = pairs().all(|(one, next)| one.backup_date_time >= next.backup_date_time);
    let oldest = pairs().all(|(one, next)| one.backup_date_time <= next.backup_date_time);
    // What has no rule may come in any order now and then.
    match (newest, oldest) {
        (true, true) => (
            vec![Choice::NewestFirst, Choice::OldestFirst, Choice::Unordered],
            "in any order",
        ),
        (true, false) => (vec![Choice::NewestFirst, Choice::Unordered], "newest first"),
        (false, true) => (vec![Choice::OldestFirst, Choice::Unordered], "oldest first"),
        (false, false) => (vec![Choice::Unordered], "in no order"),
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
        shows: match own {
            0 => vec![(Property::RefusedCounts, vec![Choice::RefusedUnaudited])],
            1 => vec![(Property::RefusedCounts, vec![Choice::RefusedAudited])],
            _ => Vec::new(),
        },
        objection: (own > 1).then(|| format!("{own} events of one refused request")),
        exchanges: vec![refused.exchange, log],
    })
}
