//! Rotations watched step by step: what their action says while the device has no result, has one,
//! or has lost its connection.

use emulator::{OsBuild, ResetTiming};
use protocol::JoinType;
use protocol::laps_csp::{E_PENDING, RESET_PASSWORD_STATUS, Value};

use super::ScenarioContext;
use super::cohort::{Cohort, entra_policy, looks, newest};
use super::member::{Marks, Member};
use crate::case::{ActionCase, Case, Look, Moment, WatchKind, WatchedRotation};
use crate::error::Error;
use crate::lab::{SessionSeen, Trouble};
use crate::limits::POLL_INTERVAL;

/// More reads of the status than a session has, so that the result comes in a later one.
const PENDING_READS: u8 = 5;
/// Sessions in which a device that was asked to rotate waits for its result.
const SESSIONS_MAX: usize = 4;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "watch").await?;
    let ended = devices(&mut cohort, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(30, 16)).await?;
    let cohort = &*cohort;
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
        cases.push(seen(plain(cohort, os).await?));
    }
    cases.push(seen(result_withheld(cohort).await?));
    cases.push(seen(result_failed(cohort).await?));
    cases.push(seen(status_lost(cohort).await?));
    Ok(())
}

const fn seen(rotation: WatchedRotation) -> Case {
    Case::Action(ActionCase::Watched(rotation))
}

/// A rotation that is watched.
pub(super) struct Watch {
    before: Marks,
    case: WatchedRotation,
}

impl Watch {
    /// Asks for the rotation.
    pub(super) async fn ask(
        cohort: &Cohort<'_>,
        member: &mut Member,
        kind: WatchKind,
    ) -> Result<Self, Error> {
        let before = member.marks();
        cohort.new_rotation_rows(member).await?;
        let (_op, reply) = cohort
            .operator
            .rotate_counted(cohort.ledger(), member.managed)
            .await;
        let reply = reply?;
        let case = WatchedRotation {
            device: member.name(),
            kind,
            backed_up: before.backups > 0,
            status: Some(reply.status),
            looks: Vec::new(),
            execs: 0,
            backups: 0,
            hresult: None,
            later_sessions: 0,
            exchanges: vec![reply.exchange],
        };
        Ok(Self { before, case })
    }

    /// Looks at the action once.
    pub(super) async fn look(
        &mut self,
        cohort: &Cohort<'_>,
        member: &Member,
        moment: Moment,
    ) -> Result<bool, Error> {
        let (rows, read) = cohort.rotation_rows(member).await?;
        let action = (rows.len() > member.rows).then(|| newest(&rows)).flatten();
        let is_final = action
            .as_ref()
            .is_some_and(|action| action.state.is_final());
        self.case.exchanges.push(read);
        self.case.looks.retain(|look| look.moment != moment);
        self.case.looks.push(Look { moment, action });
        Ok(is_final)
    }

    /// Looks until the action has ended or its time is over.
    pub(super) async fn look_for_end(
        &mut self,
        cohort: &Cohort<'_>,
        member: &Member,
        moment: Moment,
    ) -> Result<(), Error> {
        for _ in 0..looks(cohort.fail_limit()) {
            if self.look(cohort, member, moment).await? {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.look(cohort, member, moment).await.map(|_is_final| ())
    }

    /// A session that counts as one after that of the Exec.
    pub(super) async fn later_session(&mut self, member: &mut Member) -> Result<(), Error> {
        let session = member.check_in().await?;
        self.case.later_sessions += u32::from(session.complete);
        self.case.exchanges.extend_from_slice(&session.exchanges);
        Ok(())
    }

    /// The sessions up to the one that brings the Exec.
    async fn exec_session(
        &mut self,
        cohort: &Cohort<'_>,
        member: &mut Member,
    ) -> Result<(), Error> {
        for _ in 0..SESSIONS_MAX {
            // A request that is refused for want of a backup need not be followed by a push.
            let pushed = if self.case.backed_up {
                member.answer_push(cohort.push_limit()).await
            } else {
                None
            };
            let is_last = pushed.is_none();
            let session: SessionSeen = match pushed {
                Some(session) => session,
                None => member.check_in().await?,
            };
            self.case.exchanges.extend_from_slice(&session.exchanges);
            if is_last || session.execs() > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Execs since the request.
    pub(super) fn execs_so_far(&self, member: &Member) -> u32 {
        member.marks().execs - self.before.execs
    }

    /// What was seen in all.
    pub(super) fn end(mut self, member: &mut Member) -> WatchedRotation {
        let after = member.marks();
        self.case.execs = after.execs - self.before.execs;
        self.case.backups = after.backups - self.before.backups;
        self.case.hresult = (self.case.execs > 0)
            .then(|| reset_status(member))
            .flatten()
            .filter(|status| *status != E_PENDING);
        self.case
    }
}

/// What the device says of its last reset.
fn reset_status(member: &mut Member) -> Option<i32> {
    match member.device.device_mut().csp_value(RESET_PASSWORD_STATUS) {
        Some(Value::Int(status)) => Some(status),
        Some(Value::Bool(_) | Value::Text(_)) | None => None,
    }
}

async fn backed_up(cohort: &Cohort<'_>, os: OsBuild) -> Result<Member, Error> {
    let mut member = cohort.device(JoinType::EntraJoined, os).await?;
    member.check_in().await?;
    Ok(member)
}

async fn plain(cohort: &Cohort<'_>, os: OsBuild) -> Result<WatchedRotation, Error> {
    let mut member = backed_up(cohort, os).await?;
    let mut watch = Watch::ask(cohort, &mut member, WatchKind::Plain).await?;
    watch.exec_session(cohort, &mut member).await?;
    for _ in 0..2 {
        watch.later_session(&mut member).await?;
    }
    watch
        .look_for_end(cohort, &member, Moment::Reported)
        .await?;
    Ok(watch.end(&mut member))
}

async fn result_withheld(cohort: &Cohort<'_>) -> Result<WatchedRotation, Error> {
    let mut member = cohort
        .device_with(JoinType::EntraJoined, OsBuild::W11_24H2, |spec| {
            spec.reset = ResetTiming::Deferred {
                reads: PENDING_READS,
            };
        })
        .await?;
    member.check_in().await?;
    let mut watch = Watch::ask(cohort, &mut member, WatchKind::ResultWithheld).await?;
    watch.look(cohort, &member, Moment::Accepted).await?;
    watch.exec_session(cohort, &mut member).await?;
    // Contract 2: at the end of the next session a target may give up, how often soever it asked.
    if reset_status(&mut member) == Some(E_PENDING) {
        watch.look(cohort, &member, Moment::Running).await?;
    }
    for _ in 0..SESSIONS_MAX {
        if reset_status(&mut member) != Some(E_PENDING) {
            break;
        }
        watch.later_session(&mut member).await?;
    }
    watch
        .look_for_end(cohort, &member, Moment::Reported)
        .await?;
    Ok(watch.end(&mut member))
}

async fn result_failed(cohort: &Cohort<'_>) -> Result<WatchedRotation, Error> {
    let mut member = backed_up(cohort, OsBuild::W11_24H2).await?;
    member.device.set_trouble(Trouble {
        directory_unreachable: true,
        ..Trouble::default()
    });
    let mut watch = Watch::ask(cohort, &mut member, WatchKind::ResultFailed).await?;
    watch.exec_session(cohort, &mut member).await?;
    watch.later_session(&mut member).await?;
    watch
        .look_for_end(cohort, &member, Moment::Reported)
        .await?;
    Ok(watch.end(&mut member))
}

async fn status_lost(cohort: &Cohort<'_>) -> Result<WatchedRotation, Error> {
    let mut member = backed_up(cohort, OsBuild::W11_24H2).await?;
    member.device.set_trouble(Trouble {
        cut_after_exec: true,
        ..Trouble::default()
    });
    let mut watch = Watch::ask(cohort, &mut member, WatchKind::StatusLost).await?;
    watch.exec_session(cohort, &mut member).await?;
    member.device.set_trouble(Trouble::default());
    for _ in 0..2 {
        watch.later_session(&mut member).await?;
    }
    watch
        .look_for_end(cohort, &member, Moment::Reported)
        .await?;
    Ok(watch.end(&mut member))
}
