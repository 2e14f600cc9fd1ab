//! A policy with many settings on both builds: what is known before the first session, what the
//! first session writes, what is known after it.

use std::collections::BTreeMap;

use emulator::OsBuild;
use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};

use super::ScenarioContext;
use super::cohort::{Cohort, Reach};
use super::member::Member;
use crate::case::{Case, UnprocessedCase};
use crate::error::Error;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "assign").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let configured = settings();
    cohort.assigned_policy(&configured).await?;
    for (join, os) in [
        (JoinType::EntraJoined, OsBuild::W11_24H2),
        (JoinType::EntraJoined, OsBuild::W10_22H2),
        (JoinType::EntraHybridJoined, OsBuild::W11_24H2),
    ] {
        let mut member = cohort.device(join, os).await?;
        first_session(cohort, &mut member, &configured, cases).await?;
        // The positive twin: with a backup the same request succeeds.
        let rotation = cohort.rotate(&mut member, Reach::Online).await?;
        cases.push(Case::Rotation(rotation));
    }
    Ok(())
}

async fn first_session(
    cohort: &Cohort<'_>,
    member: &mut Member,
    configured: &BTreeMap<Leaf, Value>,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let (metadata, metadata_exchange) = cohort.metadata(member).await?;
    let (explicit, _has_password, explicit_exchange) = cohort.password(member).await?;
    let entra = member.entra.to_string();
    let names = |info: &serde_json::Value| info.to_string().contains(&entra);
    let (listed, list_exchanges) = cohort.listed_credentials(names).await?;
    let rotation = cohort.rotate(member, Reach::Offline).await?;
    let session = cohort.first_session(member, configured, cases).await?;
    let (after, after_exchange) = cohort.metadata(member).await?;
    let mut exchanges = vec![metadata_exchange, explicit_exchange];
    exchanges.extend(list_exchanges);
    exchanges.extend_from_slice(&rotation.exchanges);
    exchanges.extend_from_slice(&session.exchanges);
    exchanges.push(after_exchange);
    cases.push(Case::Unprocessed(UnprocessedCase {
        device: member.name(),
        metadata_status: metadata.status,
        explicit_status: explicit.status,
        listed,
        rotation: rotation.action.clone(),
        execs: member.marks().execs,
        twin_read: after.last.is_some(),
        exchanges,
    }));
    cases.push(Case::Rotation(rotation));
    Ok(())
}

/// A value for each kind of leaf, each different from its default where that still backs up.
fn settings() -> BTreeMap<Leaf, Value> {
    BTreeMap::from([
        (Leaf::BackupDirectory, Value::Int(1)),
        (Leaf::PasswordAgeDays, Value::Int(17)),
        (Leaf::PasswordComplexity, Value::Int(3)),
        (Leaf::PasswordLength, Value::Int(21)),
        (Leaf::PassphraseLength, Value::Int(5)),
        (Leaf::AdministratorAccountName, Value::Text("".into())),
        (
            Leaf::PasswordExpirationProtectionEnabled,
            Value::Bool(false),
        ),
        (Leaf::ADPasswordEncryptionEnabled, Value::Bool(true)),
        (
            Leaf::ADPasswordEncryptionPrincipal,
            Value::Text("EXAMPLE\\LAPS & <readers>".into()),
        ),
        (Leaf::ADEncryptedPasswordHistorySize, Value::Int(3)),
        (Leaf::PostAuthenticationResetDelay, Value::Int(5)),
        (Leaf::PostAuthenticationActions, Value::Int(1)),
        (Leaf::AutomaticAccountManagementEnabled, Value::Bool(false)),
    ])
}
