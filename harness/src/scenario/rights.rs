//! Actors with some rights and without others: what they may do, and what they may not.

use emulator::OsBuild;
use protocol::JoinType;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::Member;
use super::shown::shows_password;
use crate::admin::Reply;
use crate::case::{Attempt, Case, RightsCase, Standing};
use crate::error::Error;

/// The built-in roles that a target has actors for (F-188, F-220).
const BUILT_IN_ROLES: [&str; 2] = ["endpoint-security-manager", "help-desk"];

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "rights").await?;
    let ended = actors(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn actors(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let cohort = &*cohort;
    cases.push(Case::Rights(policy_manager(cohort).await?));
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    member.check_in().await?;
    let roles = BUILT_IN_ROLES.map(|role| (role, Standing::BuiltInRole));
    for (actor, standing) in [("rotate-only", Standing::RotateAlone)]
        .into_iter()
        .chain(roles)
    {
        let case = rotation(cohort, &mut member, (actor, standing), cases).await?;
        cases.push(Case::Rights(case));
    }
    cases.push(Case::Rights(metadata_reader(cohort, &member).await?));
    Ok(())
}

const fn attempt<T>(what: &'static str, reply: &Reply<T>) -> Attempt {
    Attempt {
        what,
        status: Some(reply.status),
        exchange: reply.exchange,
    }
}

async fn policy_manager(cohort: &Cohort<'_>) -> Result<RightsCase, Error> {
    let name = "muster rights manager";
    let manager = cohort.actor("endpoint-security-manager");
    let created = manager.create_policy(name, &entra_policy(30, 16)).await?;
    let mut allowed = vec![attempt("create policy", &created)];
    if let Some(policy) = created.body.and_then(|policy| policy.id) {
        let edited = manager
            .replace_policy(policy, name, &entra_policy(30, 17))
            .await?;
        let assigned = manager.assign_groups(policy, &[]).await?;
        let deleted = manager.delete_policy(policy).await?;
        allowed.extend([
            attempt("edit policy", &edited),
            attempt("assign policy", &assigned),
            attempt("delete policy", &deleted),
        ]);
        if !deleted.is_success() {
            let _deleted = cohort.admin.delete_policy(policy).await?;
        }
    }
    // The policy administrator's own policy stands, so the calls work as such.
    Ok(RightsCase {
        actor: manager.name().to_owned(),
        standing: Standing::PolicyManager,
        allowed,
        refused: Vec::new(),
        effects: Vec::new(),
        twin: true,
        exchanges: Vec::new(),
    })
}

async fn rotation(
    cohort: &Cohort<'_>,
    member: &mut Member,
    (actor, standing): (&str, Standing),
    cases: &mut Vec<Case>,
) -> Result<RightsCase, Error> {
    // What an earlier rotation left behind comes before it.
    member.check_in().await?;
    let marks = member.marks();
    let outsider = cohort.actor(actor);
    let (_op, reply) = outsider
        .rotate_counted(cohort.ledger(), member.managed)
        .await;
    let reply = reply?;
    let session = member.check_in().await?;
    let (rows, read) = cohort.new_rotation_rows(member).await?;
    let seen = member.marks();
    let mut effects = Vec::new();
    if seen.execs > marks.execs {
        let execs = seen.execs - marks.execs;
        effects.push(format!("{execs} Exec of ResetPassword"));
    }
    if rows > 0 {
        effects.push(format!("{rows} rotation actions listed"));
    }
    if seen.password != marks.password {
        effects.push("the device has another password".to_owned());
    }
    let twin = cohort.rotate(member, Reach::Online).await?;
    let works = twin.execs > 0 && twin.password_changed && session.complete;
    cases.push(Case::Rotation(twin));
    let mut exchanges = session.exchanges;
    exchanges.push(read);
    Ok(RightsCase {
        actor: actor.to_owned(),
        standing,
        allowed: Vec::new(),
        refused: vec![attempt("rotate", &reply)],
        effects,
        twin: works,
        exchanges,
    })
}

async fn metadata_reader(cohort: &Cohort<'_>, member: &Member) -> Result<RightsCase, Error> {
    let reader = cohort.actor("metadata-reader");
    let metadata = reader.credential(member.entra).await?;
    let (_op, explicit) = reader
        .read_password_counted(cohort.ledger(), member.entra)
        .await?;
    let (twin, _, exchange) = cohort.password(member).await?;
    let leaks = [
        ("read metadata", metadata.bytes()),
        ("read password", explicit.bytes()),
    ];
    let effects = leaks
        .into_iter()
        .filter(|(_, bytes)| shows_password(member, bytes))
        .map(|(what, _)| format!("the answer to {what} has a password in it"));
    Ok(RightsCase {
        actor: reader.name().to_owned(),
        standing: Standing::MetadataReader,
        allowed: vec![attempt("read metadata", &metadata)],
        refused: vec![attempt("read password", &explicit)],
        effects: effects.collect(),
        twin: twin.status.is_some_and(|status| status < 300),
        exchanges: vec![exchange],
    })
}
