//! Calls of actors without the right, between the same calls of one who has it.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::policy::leaves_from_settings;
use protocol::laps_csp::{Leaf, Value};
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::Member;
use super::shown::shows_password;
use crate::case::{AccessCase, Attempt, Case, Guarded};
use crate::error::Error;
use crate::transcript::ExchangeId;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "rbac").await?;
    let ended = actors(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn actors(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    for actor in ["help-desk", "nobody"] {
        // Assigned to nobody, so that a target that lets it be changed spoils nothing else.
        let policy = cohort.policy(&entra_policy(30, 16)).await?;
        cases.push(Case::Access(policies(cohort, policy, actor).await?));
    }
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    member.check_in().await?;
    for actor in ["help-desk", "nobody"] {
        let case = rotation(cohort, &mut member, actor, cases).await?;
        cases.push(Case::Access(case));
    }
    cases.push(Case::Access(credential(cohort, &member).await?));
    Ok(())
}

/// The positive control: the right person creates, edits and deletes.
async fn policies_work(cohort: &Cohort<'_>) -> Result<bool, Error> {
    let created = cohort
        .admin
        .create_policy("muster rbac twin", &entra_policy(30, 16))
        .await?;
    let Some(id) = created.body.and_then(|policy| policy.id) else {
        return Ok(false);
    };
    let edited = cohort
        .admin
        .replace_policy(id, "muster rbac twin", &entra_policy(30, 17))
        .await?;
    let deleted = cohort.admin.delete_policy(id).await?;
    Ok(edited.is_success() && deleted.is_success())
}

async fn policies(cohort: &Cohort<'_>, policy: Uuid, actor: &str) -> Result<AccessCase, Error> {
    let before = policies_work(cohort).await?;
    let untouched = settings(cohort, policy).await?.0;
    let outsider = cohort.actor(actor);
    let name = format!("muster rbac by {actor}");
    let created = outsider.create_policy(&name, &entra_policy(30, 20)).await?;
    let edited = outsider
        .replace_policy(policy, &name, &entra_policy(30, 21))
        .await?;
    let (after_edit, read) = settings(cohort, policy).await?;
    let deleted = outsider.delete_policy(policy).await?;
    let list = cohort.admin.policies().await?;
    let mut exchanges = vec![read, list.exchange];
    let attempts = vec![
        Attempt {
            what: "create policy",
            status: Some(created.status),
            exchange: created.exchange,
        },
        Attempt {
            what: "edit policy",
            status: Some(edited.status),
            exchange: edited.exchange,
        },
        Attempt {
            what: "delete policy",
            status: Some(deleted.status),
            exchange: deleted.exchange,
        },
    ];
    let mut effects = Vec::new();
    if untouched != after_edit {
        effects.push("the policy has other settings".to_owned());
    }
    let list = list.require("GET .../configurationPolicies")?;
    match list.iter().find(|listed| listed.id == Some(policy)) {
        None => effects.push("the policy is gone".to_owned()),
        Some(listed) if listed.name == name => {
            effects.push(format!("the policy is now called `{name}`"));
        }
        Some(_) => {}
    }
    for stray in list
        .iter()
        .filter(|listed| listed.name == name && listed.id != Some(policy))
    {
        effects.push(format!("a policy `{name}` is listed"));
        if let Some(id) = stray.id {
            exchanges.push(cohort.admin.delete_policy(id).await?.exchange);
        }
    }
    let after = policies_work(cohort).await?;
    Ok(AccessCase {
        actor: actor.to_owned(),
        guarded: Guarded::Policy,
        attempts,
        effects,
        twin: before && after,
        exchanges,
    })
}

/// The settings of a policy; `None` when they make no sense.
async fn settings(
    cohort: &Cohort<'_>,
    policy: Uuid,
) -> Result<(Option<BTreeMap<Leaf, Value>>, ExchangeId), Error> {
    let reply = cohort.admin.policy_settings(policy).await?;
    let exchange = reply.exchange;
    let body = reply.require("GET .../configurationPolicies/{id}/settings")?;
    Ok((leaves_from_settings(&body).ok(), exchange))
}

async fn rotation(
    cohort: &Cohort<'_>,
    member: &mut Member,
    actor: &str,
    cases: &mut Vec<Case>,
) -> Result<AccessCase, Error> {
    let before = cohort.rotate(member, Reach::Online).await?;
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
        effects.push(format!(
            "{} Exec of ResetPassword",
            seen.execs - marks.execs
        ));
    }
    if rows > 0 {
        effects.push(format!("{rows} rotation actions listed"));
    }
    if seen.password != marks.password {
        effects.push("the device has another password".to_owned());
    }
    let mut exchanges = session.exchanges;
    exchanges.push(read);
    let after = cohort.rotate(member, Reach::Online).await?;
    if after.execs > 1 {
        effects.push(format!(
            "{} Exec of ResetPassword for one rotation by an actor with the right",
            after.execs
        ));
    }
    let twin = [&before, &after]
        .iter()
        .all(|rotation| rotation.execs > 0 && rotation.password_changed);
    cases.extend([Case::Rotation(before), Case::Rotation(after)]);
    Ok(AccessCase {
        actor: actor.to_owned(),
        guarded: Guarded::Rotation,
        attempts: vec![Attempt {
            what: "rotate",
            status: Some(reply.status),
            exchange: reply.exchange,
        }],
        effects,
        twin: twin && session.complete,
        exchanges,
    })
}

async fn credential(cohort: &Cohort<'_>, member: &Member) -> Result<AccessCase, Error> {
    let (before, _, _) = cohort.password(member).await?;
    let nobody = cohort.actor("nobody");
    let metadata = nobody.credential(member.entra).await?;
    let (_op, explicit) = nobody
        .read_password_counted(cohort.ledger(), member.entra)
        .await?;
    let (after, _, exchange) = cohort.password(member).await?;
    let leaks = [
        ("read metadata", metadata.bytes()),
        ("read password", explicit.bytes()),
    ];
    let effects = leaks
        .into_iter()
        .filter(|(_, bytes)| shows_password(member, bytes))
        .map(|(what, _)| format!("the answer to {what} has a password in it"))
        .collect();
    Ok(AccessCase {
        actor: "nobody".to_owned(),
        guarded: Guarded::Credential,
        attempts: vec![
            Attempt {
                what: "read metadata",
                status: Some(metadata.status),
                exchange: metadata.exchange,
            },
            Attempt {
                what: "read password",
                status: Some(explicit.status),
                exchange: explicit.exchange,
            },
        ],
        effects,
        twin: before.password_matches && after.password_matches,
        exchanges: vec![exchange],
    })
}
