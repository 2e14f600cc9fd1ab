//! The rotation of devices that no LAPS policy can reach: registered, domain joined, not joined.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::action::{ActionState, DeviceActionResult, ROTATE_LOCAL_ADMIN_PASSWORD};

use super::cohort::{Cohort, looks, newest};
use crate::case::ChoiceSeen;
use crate::error::Error;
use crate::limits::POLL_INTERVAL;
use crate::properties::{Choice, Property};
use crate::transcript::ExchangeId;

const JOINS: [JoinType; 3] = [
    JoinType::EntraRegistered,
    JoinType::DomainJoined,
    JoinType::NotJoined,
];

/// How the rotation of each ends. They are online and have no backup.
pub(super) async fn answers(cohort: &Cohort<'_>) -> Result<Vec<ChoiceSeen>, Error> {
    let mut answers = Vec::new();
    for join in JOINS {
        answers.push(answer(cohort, join).await?);
    }
    Ok(answers)
}

async fn answer(cohort: &Cohort<'_>, join: JoinType) -> Result<ChoiceSeen, Error> {
    let lab = &cohort.context.lab;
    let mut device = lab
        .enrolled_device(cohort.scope, join, OsBuild::W11_24H2)
        .await?;
    let session = device.check_in().await?;
    let managed = match device.managed_id() {
        Some(id) => id,
        None => cohort.managed_id(device.name()).await?,
    };
    cohort.ledger().own(managed);
    let ledger = cohort.ledger();
    let (_op, reply) = cohort.operator.rotate_counted(ledger, managed).await;
    let reply = reply?;
    let mut exchanges = session.exchanges;
    exchanges.push(reply.exchange);
    let mut left = looks(cohort.fail_limit());
    let state = loop {
        let (rows, read) = rotations(cohort, managed).await?;
        let state = newest(&rows).map(|action| action.state);
        let ended = state.as_ref().is_some_and(ActionState::is_final);
        if ended || left == 0 {
            exchanges.push(read);
            break state;
        }
        left -= 1;
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    let shown = match &state {
        Some(ActionState::Failed) => vec![Choice::UnmanagedFails],
        Some(ActionState::NotSupported) => vec![Choice::UnmanagedUnsupported],
        // Contract 5 leaves nothing else open.
        Some(_) | None => Vec::new(),
    };
    let listed = state.map_or_else(|| "not listed".to_owned(), |state| format!("`{state}`"));
    Ok(ChoiceSeen {
        device: device.name().to_owned(),
        choice: format!("{join}, status {}, action {listed}", reply.status),
        shows: vec![(Property::Unmanaged, shown)],
        objection: None,
        exchanges,
    })
}

async fn rotations(
    cohort: &Cohort<'_>,
    managed: uuid::Uuid,
) -> Result<(Vec<DeviceActionResult>, ExchangeId), Error> {
    let reply = cohort.admin.managed_device(managed).await?;
    let exchange = reply.exchange;
    let device = reply.require("GET .../managedDevices/{id}")?;
    let mut rows = device.device_action_results;
    rows.retain(|row| row.action_name == ROTATE_LOCAL_ADMIN_PASSWORD);
    Ok((rows, exchange))
}
