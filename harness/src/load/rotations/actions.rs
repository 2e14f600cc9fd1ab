//! What the admin plane lists of the rotation requests of a load, when it has ended.

use std::collections::{HashMap, HashSet};

use protocol::graph::action::{DeviceActionResult, ROTATE_LOCAL_ADMIN_PASSWORD};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Attempt;
use crate::admin::Actor;
use crate::case::ActionSeen;
use crate::limits::POLL_INTERVAL;
use crate::load::{LoadParts, SCOPE};
use crate::transcript::ExchangeId;

/// Reads what the target lists for each attempt, and counts the attempts of which it did not tell; a
/// row that is not final is looked at again for as long as the target may take to fail a rotation.
pub(in crate::load) async fn read_actions(
    parts: &LoadParts,
    mut attempts: Vec<Attempt>,
) -> (Vec<Attempt>, usize) {
    let actor = parts.admin.actor("rotate-operator", SCOPE);
    let devices: HashSet<Uuid> = attempts.iter().map(|attempt| attempt.managed_id).collect();
    let mut reads = JoinSet::new();
    for device in sorted(devices) {
        let (actor, cancel) = (actor.clone(), parts.cancel.clone());
        let limit = tokio::time::Instant::now() + parts.patience.fail;
        reads.spawn(async move { (device, read_rows(&actor, device, limit, &cancel).await) });
    }
    let mut rows = HashMap::new();
    while let Some(read) = reads.join_next().await {
        rows.extend(read.ok());
    }
    // Without an answer nothing is known of the rows: no case, and so no verdict, comes of it.
    let made = attempts.len();
    attempts.retain(|attempt| {
        let read = rows.get(&attempt.managed_id);
        read.is_some_and(|(_, exchange)| exchange.is_some())
    });
    let unread = made - attempts.len();
    assign_rows(&mut attempts, &mut rows);
    (attempts, unread)
}

/// Accepted requests make one row each, in order; the oldest comes first here. Refused ones may
/// make one (contract 5: a 4xx with the action still listed as failed): they did where there are
/// as many rows as requests.
fn assign_rows(attempts: &mut [Attempt], rows: &mut HashMap<Uuid, Rows>) {
    let mut requests: HashMap<Uuid, usize> = HashMap::new();
    for attempt in attempts.iter() {
        *requests.entry(attempt.managed_id).or_default() += 1;
    }
    let each_has_one: HashSet<Uuid> = requests
        .into_iter()
        .filter(|(device, count)| {
            rows.get(device)
                .is_some_and(|(rows, _)| rows.len() == *count)
        })
        .map(|(device, _)| device)
        .collect();
    for attempt in attempts {
        let Some((listed, exchange)) = rows.get_mut(&attempt.managed_id) else {
            continue;
        };
        let accepted = attempt
            .status
            .is_none_or(|status| (200..300).contains(&status));
        let has_row = accepted || each_has_one.contains(&attempt.managed_id);
        if has_row && !listed.is_empty() {
            let row = listed.remove(0);
            attempt.action = Some(ActionSeen {
                state: row.action_state,
                detail: row.detail,
                error_code: row.error_code,
            });
        }
        attempt.exchanges.extend(*exchange);
    }
}

fn sorted(devices: HashSet<Uuid>) -> Vec<Uuid> {
    let mut devices: Vec<Uuid> = devices.into_iter().collect();
    devices.sort_unstable();
    devices
}

type Rows = (Vec<DeviceActionResult>, Option<ExchangeId>);

async fn read_rows(
    actor: &Actor,
    device: Uuid,
    limit: tokio::time::Instant,
    cancel: &watch::Receiver<bool>,
) -> Rows {
    loop {
        let reply = actor.managed_device(device).await;
        let exchange = reply.as_ref().ok().map(|reply| reply.exchange);
        let body = reply.ok().and_then(|reply| reply.body);
        let mut rows = body
            .map(|device| device.device_action_results)
            .unwrap_or_default();
        rows.retain(|row| row.action_name == ROTATE_LOCAL_ADMIN_PASSWORD);
        let over = rows.iter().all(|row| row.action_state.is_final());
        if over || *cancel.borrow() || tokio::time::Instant::now() >= limit {
            // Newest first on the wire (contract 5); equal times keep that order reversed.
            rows.reverse();
            rows.sort_by_key(|row| row.start_date_time);
            return (rows, exchange);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use protocol::graph::action::ActionState;
    use protocol::time::UtcTicks;

    use super::*;
    use crate::fleet::Begun;
    use crate::ledger::OpId;
    use crate::load::AttemptKind;

    #[test]
    fn a_refused_request_has_a_row_where_the_target_lists_one_for_each() {
        // Statuses of the requests on one device, rows listed, and how many of the requests have one.
        for (statuses, rows, expected) in [
            (&[204][..], 1, &[true][..]),
            (&[204], 0, &[false]),
            (&[409], 1, &[true]),
            (&[409], 0, &[false]),
            (&[409, 204], 1, &[false, true]),
            (&[409, 204], 2, &[true, true]),
            (&[204, 403], 1, &[true, false]),
        ] {
            let mut attempts: Vec<Attempt> = statuses.iter().copied().map(attempt).collect();
            let row = DeviceActionResult {
                action_name: ROTATE_LOCAL_ADMIN_PASSWORD.to_owned(),
                action_state: ActionState::Failed,
                start_date_time: UtcTicks::from_ticks(0),
                last_updated_date_time: UtcTicks::from_ticks(0),
                error_code: None,
                detail: None,
            };
            let mut listed = HashMap::from([(Uuid::nil(), (vec![row; rows], None))]);
            assign_rows(&mut attempts, &mut listed);
            let with_row: Vec<bool> = attempts
                .iter()
                .map(|attempt| attempt.action.is_some())
                .collect();
            assert_eq!(with_row, expected, "{statuses:?}, {rows} rows");
        }
    }

    fn attempt(status: u16) -> Attempt {
        Attempt {
            number: 0,
            device: 0,
            kind: AttemptKind::Offline,
            managed_id: Uuid::nil(),
            op: OpId(0),
            status: Some(status),
            begun: Begun {
                ready: true,
                backed_up: true,
                hours_to_expiry: 0,
            },
            action: None,
            exchanges: Vec::new(),
        }
    }
}
