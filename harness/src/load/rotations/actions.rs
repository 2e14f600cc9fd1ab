//! What the admin plane lists of the rotation requests of a load, when it has ended.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use protocol::graph::action::{DeviceActionResult, ROTATE_LOCAL_ADMIN_PASSWORD};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Attempt;
use crate::admin::{Actor, CONNECTIONS_MAX};
use crate::case::ActionSeen;
use crate::limits::POLL_INTERVAL;
use crate::load::{LoadParts, SCOPE};
use crate::transcript::ExchangeId;

/// How long the look-ups of a load may take in all, beside the time that the target has to fail a
/// rotation: a hundred thousand devices at 50 ms each over all connections.
const LOOK_UP_MAX: Duration = Duration::from_secs(300);

/// The same when the user stopped the run.
const LOOK_UP_CANCELLED: Duration = Duration::from_secs(10);

/// Until when the target is asked.
#[derive(Clone, Copy)]
struct Limits {
    /// For a row that is not final: every request was made before, so that it is the same for all.
    rows: tokio::time::Instant,
    /// For anything at all.
    all: tokio::time::Instant,
}

/// Reads what the target lists for each attempt, and counts the attempts of which it did not tell; a
/// row that is not final is looked at again for as long as the target may take to fail a rotation.
pub(in crate::load) async fn read_actions(
    parts: &LoadParts,
    mut attempts: Vec<Attempt>,
) -> (Vec<Attempt>, usize) {
    let actor = parts.admin.actor("rotate-operator", SCOPE);
    let devices: HashSet<Uuid> = attempts.iter().map(|attempt| attempt.managed_id).collect();
    let now = tokio::time::Instant::now();
    let limits = if *parts.cancel.borrow() {
        Limits {
            rows: now,
            all: now + LOOK_UP_CANCELLED,
        }
    } else {
        Limits {
            rows: now + parts.patience.fail,
            all: now + parts.patience.fail + LOOK_UP_MAX,
        }
    };
    let read = move |device| {
        let (actor, cancel) = (actor.clone(), parts.cancel.clone());
        async move { read_rows(&actor, device, limits.rows, &cancel).await }
    };
    let mut rows = look_up(sorted(devices), limits.all, read).await;
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

/// Reads of all devices, as many at once as there are connections: none waits for one. What is not
/// read when the time is over stays unread.
async fn look_up<T, F>(
    devices: Vec<Uuid>,
    limit: tokio::time::Instant,
    read: impl Fn(Uuid) -> F,
) -> HashMap<Uuid, T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut rows = HashMap::new();
    let mut waiting = devices.into_iter();
    let mut reads = JoinSet::new();
    loop {
        for device in waiting.by_ref().take(CONNECTIONS_MAX - reads.len()) {
            let read = read(device);
            reads.spawn(async move { (device, read.await) });
        }
        match tokio::time::timeout_at(limit, reads.join_next()).await {
            Ok(Some(read)) => rows.extend(read.ok()),
            // Dropped reads end with the set.
            Ok(None) | Err(_) => return rows,
        }
    }
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

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// A look-up that tells how many others are under way.
    async fn others_in_flight(in_flight: Arc<AtomicUsize>) -> usize {
        let others = in_flight.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        in_flight.fetch_sub(1, Ordering::SeqCst);
        others
    }

    #[tokio::test]
    async fn as_many_look_ups_are_in_flight_as_there_are_connections() {
        let devices: Vec<Uuid> = (1..=100).map(Uuid::from_u128).collect();
        let in_flight = Arc::new(AtomicUsize::new(0));
        let limit = tokio::time::Instant::now() + Duration::from_secs(3_600);
        let read = |_device| others_in_flight(Arc::clone(&in_flight));
        let rows = look_up(devices, limit, read).await;
        let most = rows.values().max().map(|others| others + 1);
        assert_eq!((rows.len(), most), (100, Some(CONNECTIONS_MAX)));
    }

    #[tokio::test]
    async fn look_ups_that_do_not_end_are_given_up_when_their_time_is_over() {
        let devices: Vec<Uuid> = (1..=100).map(Uuid::from_u128).collect();
        let over = tokio::time::Instant::now();
        let rows = look_up(devices, over, |_device| std::future::pending::<()>()).await;
        assert!(rows.is_empty());
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
