//! Several actions of one device: two rotations at once, a list of them, and one against the end of
//! the enrolment.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::action::{DeviceActionResult, ROTATE_LOCAL_ADMIN_PASSWORD};
use protocol::syncml::Verb;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy, looks};
use super::member::Member;
use crate::admin::Reply;
use crate::case::{ActionCase, ActionSeen, Case, EndingCase, ListCase, OverlapCase, RowSeen};
use crate::error::Error;
use crate::limits::POLL_INTERVAL;
use crate::transcript::ExchangeId;

/// Sessions that two rotations may take, one after the other.
const SESSIONS: usize = 3;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "actions").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let cohort = &*cohort;
    let case = overlap(cohort).await?;
    cases.push(Case::Action(ActionCase::Overlap(case)));
    let case = list(cohort, cases).await?;
    cases.push(Case::Action(ActionCase::List(case)));
    for ending in ["retire", "wipe"] {
        let case = against(cohort, ending).await?;
        cases.push(Case::Action(ActionCase::Ending(case)));
    }
    Ok(())
}

async fn backed_up(cohort: &Cohort<'_>) -> Result<Member, Error> {
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    member.check_in().await?;
    Ok(member)
}

/// A request and nothing more: no session of the device.
async fn ask(cohort: &Cohort<'_>, member: &Member) -> Result<Reply<()>, Error> {
    let (_op, reply) = cohort
        .operator
        .rotate_counted(cohort.ledger(), member.managed)
        .await;
    reply
}

async fn overlap(cohort: &Cohort<'_>) -> Result<OverlapCase, Error> {
    let mut member = backed_up(cohort).await?;
    let first = ask(cohort, &member).await?;
    let (rows, read) = cohort.rotation_rows(&member).await?;
    let first_open = rows.iter().any(|row| !row.action_state.is_final());
    let second = ask(cohort, &member).await?;
    let mut exchanges = vec![first.exchange, read, second.exchange];
    for _ in 0..SESSIONS {
        let session = member.check_in().await?;
        exchanges.extend_from_slice(&session.exchanges);
    }
    let mut looks = looks(cohort.fail_limit());
    let rows = loop {
        let (rows, read) = cohort.rotation_rows(&member).await?;
        let ended = rows.iter().filter(|row| row.action_state.is_final());
        looks = looks.saturating_sub(1);
        if ended.count() >= 2 || looks == 0 {
            exchanges.push(read);
            break rows;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    let (explicit, _, read) = cohort.password(&member).await?;
    exchanges.push(read);
    let readable = explicit.status.is_some_and(|status| status < 300);
    Ok(OverlapCase {
        device: member.name(),
        statuses: vec![Some(first.status), Some(second.status)],
        first_open,
        actions: rows.into_iter().map(action_seen).collect(),
        password_shown: readable.then_some(explicit.password_matches),
        exchanges,
    })
}

fn action_seen(row: DeviceActionResult) -> ActionSeen {
    ActionSeen {
        state: row.action_state,
        detail: row.detail,
        error_code: row.error_code,
    }
}

/// Two rotations that are over, and one that waits.
async fn list(cohort: &Cohort<'_>, cases: &mut Vec<Case>) -> Result<ListCase, Error> {
    let mut member = backed_up(cohort).await?;
    let mut exchanges: Vec<ExchangeId> = Vec::new();
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let rotation = cohort.rotate(&mut member, Reach::Online).await?;
        if rotation.status.is_some_and(|status| status < 300) {
            accepted.push(ROTATE_LOCAL_ADMIN_PASSWORD);
        }
        exchanges.extend_from_slice(&rotation.exchanges);
        cases.push(Case::Rotation(rotation));
    }
    let reply = ask(cohort, &member).await?;
    if reply.is_success() {
        accepted.push(ROTATE_LOCAL_ADMIN_PASSWORD);
    }
    exchanges.push(reply.exchange);
    let (rows, read) = cohort.rotation_rows(&member).await?;
    exchanges.push(read);
    let rows = rows.into_iter().map(|row| RowSeen {
        name: row.action_name,
        state: row.action_state,
        start: row.start_date_time,
        updated: row.last_updated_date_time,
    });
    let case = ListCase {
        device: member.name(),
        accepted,
        rows: rows.collect(),
        exchanges,
    };
    member.check_in().await?;
    Ok(case)
}

async fn against(cohort: &Cohort<'_>, ending: &'static str) -> Result<EndingCase, Error> {
    let mut member = backed_up(cohort).await?;
    let rotate = ask(cohort, &member).await?;
    let device_admin = cohort.actor("device-admin");
    let asked = if ending == "wipe" {
        device_admin.wipe(member.managed).await?
    } else {
        device_admin.retire(member.managed).await?
    };
    let session = member.check_in().await?;
    let execs = session
        .commands
        .iter()
        .filter(|command| command.verb == Verb::Exec)
        .map(|command| command.loc_uri.clone());
    let mut exchanges = vec![rotate.exchange, asked.exchange];
    exchanges.extend_from_slice(&session.exchanges);
    Ok(EndingCase {
        device: member.name(),
        ending,
        rotate_status: Some(rotate.status),
        ending_status: Some(asked.status),
        execs: execs.collect(),
        exchanges,
    })
}
