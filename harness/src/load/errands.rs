//! The errands of administrators during a load: begun as planned, each answer held against what
//! it must be, password reads entered in the books.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::directory::password_from_base64;
use protocol::graph::credential::DeviceLocalCredentialInfo;
use protocol::graph::policy::{ConfigurationPolicy, leaves_from_settings};
use protocol::laps_csp::{Leaf, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::managed::Managed;
use super::operations::Errand;
use super::{LoadPlan, SCOPE};
use crate::admin::audit::EventFilter;
use crate::admin::{AdminClient, Reply};
use crate::clock::Clock;
use crate::error::Error;
use crate::lab::Lab;
use crate::ledger::Ledger;
use crate::metrics::{End, Intervals, Measured, Meter, Operation, Round, Sample};
use crate::model::WrongAnswer;
use crate::schedule::{Books, Schedule};
use crate::transcript::LoadPasswords;

/// Errands in flight; one that is due beyond it is not started.
const IN_FLIGHT_MAX: usize = 64;
/// An errand that could not start this long after its time is not started.
const LATE_NS: u64 = 1_000_000_000;
/// How far back the audit log is read, so that the answer stays small.
const AUDIT_WINDOW_MS: i64 = 1_000;
/// A literal that the enumeration of bulk actions does not have (F-233).
const BULK_LITERAL: &str = "rotateLocalAdminPassword";
/// Name of the policy that is edited.
const SCRATCH: &str = "load scratch";
/// The shortest password that an edit asks for (F-023).
const LENGTH_MIN: i32 = 8;
/// How many lengths edits ask for in turn.
const LENGTHS: u64 = 50;
/// Who is signed in, by turns.
const USER: &str = "load-user@muster.test";

/// What errands are run with; clones share everything.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) plan: Arc<LoadPlan>,
    pub(super) clock: Clock,
    pub(super) admin: AdminClient,
    pub(super) lab: Lab,
    pub(super) ledger: Ledger,
    pub(super) managed: Arc<Managed>,
    /// What the devices uploaded.
    pub(super) passwords: Arc<LoadPasswords>,
    /// The devices that errands are about: online and backed up.
    pub(super) devices: Arc<[u32]>,
    pub(super) cancel: watch::Receiver<bool>,
}

/// What errands came to.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) measured: Measured,
    books: BTreeMap<Operation, Books>,
    pub(super) wrong: Vec<WrongAnswer>,
    /// Answers held against what they must be.
    pub(super) verified: u64,
}

/// The policy that errands edit: assigned to no device, so that no check-in depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scratch {
    policy: Uuid,
}

impl Scratch {
    /// True for the policy with settings that an edit gives it. Several edits may be under way, so
    /// any of their lengths is right; none else is. An answer may leave the settings out.
    fn is_shown(self, policy: &ConfigurationPolicy) -> bool {
        let fit = |settings: &Vec<_>| {
            leaves_from_settings(settings)
                .is_ok_and(|shown| (0..LENGTHS).any(|event| shown == leaves(length_of(event))))
        };
        policy.name == SCRATCH
            && policy.id == Some(self.policy)
            && policy.settings.as_ref().is_none_or(fit)
    }
}

/// One errand that is over.
struct Over {
    errand: Errand,
    sample: Sample,
    ended: Ended,
}

/// How an errand ended.
enum Ended {
    Right,
    Wrong(WrongAnswer),
    NoAnswer,
    /// There is no device that it can be about: nothing was sent.
    NotStarted,
}

/// The events of one errand.
struct Queue {
    errand: Errand,
    schedule: Schedule,
    next: u64,
}

impl Ground {
    /// Makes what the errands need: a policy to edit and a user to sign in.
    pub(super) async fn set_up(&self) -> Result<Scratch, Error> {
        let admin = self.admin.actor("policy-admin", SCOPE);
        let policy = admin.create_policy(SCRATCH, &leaves(length_of(0))).await?;
        let policy = policy
            .require("POST /deviceManagement/configurationPolicies")?
            .id;
        let policy = policy.ok_or_else(|| Error::Target {
            what: "POST /deviceManagement/configurationPolicies".to_owned(),
            seen: "a policy without id".to_owned(),
        })?;
        let user = admin.create_user(USER, "Load User").await?;
        // A target that saw a load before knows the user.
        if !user.is_success() && user.status != 409 && user.status != 400 {
            user.require("POST /users")?;
        }
        Ok(Scratch { policy })
    }

    /// Runs the errands of a round to their end; returns early when the run is cancelled.
    pub(super) async fn run(
        &self,
        scratch: Scratch,
        round: Round,
        intervals: Intervals,
    ) -> Result<Run, Error> {
        let mut meter = Meter::new().map_err(|error| Error::Harness(format!("meter: {error}")))?;
        meter.begin(round, (0, 0), intervals);
        let mut run = Run::default();
        let mut queues = self.queues(&mut run);
        let mut flying = JoinSet::new();
        let mut cancel = self.cancel.clone();
        while let Some((at_ns, errand, event)) = next(&mut queues, round) {
            let at = self.clock.deadline(at_ns);
            loop {
                tokio::select! {
                    biased;
                    () = cancelled(&mut cancel) => {
                        return Ok(self.end_early((queues, (errand, event)), flying, (meter, run)).await);
                    }
                    Some(over) = flying.join_next() => run.take(over, &mut meter)?,
                    () = tokio::time::sleep_until(at) => break,
                }
            }
            let late = self.clock.monotonic_ns().saturating_sub(at_ns) > LATE_NS;
            let books = run.books.entry(errand.operation()).or_default();
            if late || flying.len() >= IN_FLIGHT_MAX {
                books.not_started += 1;
                continue;
            }
            let ground = self.clone();
            flying.spawn(async move { ground.go(scratch, (errand, event), at_ns).await });
        }
        while let Some(over) = flying.join_next().await {
            run.take(over, &mut meter)?;
        }
        run.close(&mut meter);
        Ok(run)
    }

    fn queues(&self, run: &mut Run) -> Vec<Queue> {
        let mut queues = Vec::new();
        for (errand, rate) in &self.plan.options().operations.errands {
            let rate = self.plan.operation_rate(*rate);
            let schedule = Schedule::constant(rate, self.plan.measured_ns());
            run.books.insert(
                errand.operation(),
                Books {
                    planned: schedule.events(),
                    ..Books::default()
                },
            );
            queues.push(Queue {
                errand: *errand,
                schedule,
                next: 0,
            });
        }
        queues
    }

    /// Cancelled: what was not begun will not be, what flies is waited for.
    async fn end_early(
        &self,
        (queues, (errand, _event)): (Vec<Queue>, (Errand, u64)),
        mut flying: JoinSet<Over>,
        (mut meter, mut run): (Meter, Run),
    ) -> Run {
        run.books.entry(errand.operation()).or_default().not_started += 1;
        for queue in queues {
            let left = queue.schedule.events() - queue.next;
            let books = run.books.entry(queue.errand.operation()).or_default();
            books.not_started += left;
        }
        while let Some(over) = flying.join_next().await {
            if let Err(error) = run.take(over, &mut meter) {
                tracing::error!(%error, "errand lost");
            }
        }
        run.close(&mut meter);
        run
    }

    async fn go(&self, scratch: Scratch, (errand, event): (Errand, u64), at_ns: u64) -> Over {
        let begun_ns = self.clock.monotonic_ns();
        let mut sent = Sent::default();
        let judged = match errand {
            Errand::CredentialRead => self.read_password(event, &mut sent).await,
            Errand::AuditRead => self.read_audit(&mut sent).await,
            Errand::PolicyEdit => self.edit(scratch, event, &mut sent).await,
            Errand::SignIn => self.sign_in(event).await,
            Errand::BulkAttempt => self.ask_in_bulk(event, &mut sent).await,
        };
        let ended = match judged {
            Ok(()) => Ended::Right,
            Err(Flaw::Wrong(wrong)) => Ended::Wrong(wrong),
            Err(Flaw::NoAnswer(error)) => {
                tracing::debug!(%error, "an errand without answer");
                Ended::NoAnswer
            }
            Err(Flaw::NoDevice) => Ended::NotStarted,
        };
        Over {
            errand,
            sample: Sample {
                intended_ns: at_ns,
                begun_ns,
                sent_ns: sent.first_ns.unwrap_or(begun_ns),
                ended_ns: self.clock.monotonic_ns(),
            },
            ended,
        }
    }

    /// A managed device of the errand's turn.
    fn device(&self, event: u64) -> Result<Uuid, Flaw> {
        // One that did not enrol is not in the list of managed devices.
        in_turn(&self.devices, event, |device| self.managed.id(device)).ok_or(Flaw::NoDevice)
    }

    async fn read_password(&self, event: u64, sent: &mut Sent) -> Result<(), Flaw> {
        let readable = |device| {
            let entra = self.plan.entra_device_id(device)?;
            // What the target took before it is asked it must show; what comes later it may.
            Some((device, entra, self.passwords.newest_taken(device)?))
        };
        let device = in_turn(&self.devices, event, readable).ok_or(Flaw::NoDevice)?;
        let (device, entra, taken) = device;
        let reader = self.admin.actor("password-reader", SCOPE);
        let (_op, reply) = reader.read_password_counted(&self.ledger, entra).await?;
        sent.note(&reply);
        let known = reply.body.as_ref().is_some_and(|body| {
            body.id == entra && shows_since(&self.passwords, (device, taken), body)
        });
        expect(
            &reply,
            known,
            "status 200 with the newest password that the device uploaded",
        )
    }

    async fn read_audit(&self, sent: &mut Sent) -> Result<(), Flaw> {
        let auditor = self.admin.actor("auditor", SCOPE);
        let from = self.clock.now().plus_millis(-AUDIT_WINDOW_MS).ticks();
        let filter = EventFilter {
            from: Some(from),
            to: None,
            activity: None,
        };
        let reply = auditor.audit_events(filter).await?;
        sent.note(&reply);
        let times: Option<Vec<_>> = reply.body.as_ref().map(|events| {
            events
                .iter()
                .map(|event| event.activity_date_time)
                .collect()
        });
        // Contract 5: ascending by time, and only what the filter lets through.
        let fits = times.is_some_and(|times| {
            times.is_sorted() && times.first().is_none_or(|first| *first >= from)
        });
        expect(
            &reply,
            fits,
            "status 200 with the events from the time on, oldest first",
        )
    }

    async fn edit(&self, scratch: Scratch, event: u64, sent: &mut Sent) -> Result<(), Flaw> {
        let admin = self.admin.actor("policy-admin", SCOPE);
        let put = admin
            .replace_policy(scratch.policy, SCRATCH, &leaves(length_of(event)))
            .await?;
        sent.note(&put);
        expect(&put, true, "status 204 for PUT of a policy")?;
        let shown = admin.policy(scratch.policy).await?;
        let put = shown.body.as_ref();
        let put = put.is_some_and(|policy| scratch.is_shown(policy));
        expect(&shown, put, "status 200 with the policy that was put")
    }

    async fn sign_in(&self, event: u64) -> Result<(), Flaw> {
        let managed = self.device(event)?;
        let user = event.is_multiple_of(2).then_some(USER);
        match self.lab.sign_in(managed, user).await {
            Ok(()) => Ok(()),
            Err(Error::Target { what, seen }) => Err(Flaw::Wrong(WrongAnswer::common(
                format!("status 204 for {what}"),
                seen,
            ))),
            Err(error) => Err(Flaw::NoAnswer(error)),
        }
    }

    async fn ask_in_bulk(&self, event: u64, sent: &mut Sent) -> Result<(), Flaw> {
        let managed = self.device(event)?;
        let operator = self.admin.actor("rotate-operator", SCOPE);
        let reply = operator.execute_action(BULK_LITERAL, &[managed]).await?;
        sent.note(&reply);
        if reply.status == 400 {
            return Ok(());
        }
        Err(Flaw::wrong(
            &reply,
            "status 400 for a bulk action outside the enumeration (contract 5)",
        ))
    }
}

/// When the first request of an errand was handed to a connection, as far as answers tell: it may
/// have waited for one.
#[derive(Debug, Default)]
struct Sent {
    first_ns: Option<u64>,
}

impl Sent {
    fn note<T>(&mut self, reply: &Reply<T>) {
        self.first_ns.get_or_insert(reply.sent_ns);
    }
}

/// Why an errand did not end as it must.
enum Flaw {
    Wrong(WrongAnswer),
    NoAnswer(Error),
    /// There is no device that it can be about: nothing was sent.
    NoDevice,
}

impl Flaw {
    fn wrong<T>(reply: &Reply<T>, required: &str) -> Self {
        let seen = if reply.is_success() {
            format!("status {} and another body", reply.status)
        } else {
            format!("status {}", reply.status)
        };
        let mut wrong = WrongAnswer::common(required, seen);
        wrong.exchange = Some(reply.exchange);
        Self::Wrong(wrong)
    }
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        Self::NoAnswer(error)
    }
}

fn expect<T>(reply: &Reply<T>, fits: bool, required: &str) -> Result<(), Flaw> {
    if reply.is_success() && fits {
        Ok(())
    } else {
        Err(Flaw::wrong(reply, required))
    }
}

impl Run {
    fn close(&mut self, meter: &mut Meter) {
        self.measured = meter.read();
        self.measured.books = std::mem::take(&mut self.books);
    }

    fn take(
        &mut self,
        over: Result<Over, tokio::task::JoinError>,
        meter: &mut Meter,
    ) -> Result<(), Error> {
        let over = over.map_err(|panic| Error::Harness(format!("errand: {panic}")))?;
        let operation = over.errand.operation();
        let books = self.books.entry(operation).or_default();
        let end = match over.ended {
            Ended::NotStarted => {
                books.not_started += 1;
                return Ok(());
            }
            Ended::Right => {
                self.verified += 1;
                End::Completed
            }
            Ended::Wrong(wrong) => {
                self.verified += 1;
                self.wrong.push(wrong);
                End::Failed
            }
            Ended::NoAnswer => End::Failed,
        };
        books.started += 1;
        match end {
            End::Completed => books.completed += 1,
            End::Failed => books.failed += 1,
        }
        meter.record(operation, over.sample, end);
        Ok(())
    }
}

/// The first of the devices, from the one whose turn it is, of which `choose` makes something.
fn in_turn<T>(devices: &[u32], event: u64, choose: impl FnMut(u32) -> Option<T>) -> Option<T> {
    let count = u64::try_from(devices.len()).unwrap_or(u64::MAX);
    let place = usize::try_from(event % count.max(1)).ok()?;
    let (before, from) = devices.split_at_checked(place)?;
    from.iter().chain(before).copied().find_map(choose)
}

/// True unless the newest password shown is none that the device uploaded, or an older one than the
/// one with the number `taken`.
fn shows_since(
    passwords: &LoadPasswords,
    (device, taken): (u32, u32),
    shown: &DeviceLocalCredentialInfo,
) -> bool {
    let entries = || shown.credentials.iter().flatten();
    let newest = entries().map(|entry| entry.backup_date_time).max();
    // The order of the entries is left to the target, so that of equal times each may be the newest.
    entries()
        .filter(|entry| Some(entry.backup_date_time) == newest)
        .filter_map(|entry| password_from_base64(entry.password_base64.as_ref()?.expose()))
        .any(|text| passwords.is_since((device, taken), &text).unwrap_or(true))
}

/// The errand that is due next, taken from its queue.
fn next(queues: &mut [Queue], round: Round) -> Option<(u64, Errand, u64)> {
    let due = |queue: &Queue| queue.schedule.start_ns(queue.next);
    let queue = queues
        .iter_mut()
        .filter(|queue| queue.next < queue.schedule.events())
        .min_by_key(|queue| due(queue))?;
    let event = queue.next;
    queue.next += 1;
    let at_ns = round.measured_ns + queue.schedule.start_ns(event);
    Some((at_ns, queue.errand, event))
}

/// Returns when the run is cancelled; never when nobody can cancel it any more.
async fn cancelled(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The length of passwords that an edit sets.
fn length_of(event: u64) -> i32 {
    LENGTH_MIN + i32::try_from(event % LENGTHS).unwrap_or_default()
}

fn leaves(length: i32) -> BTreeMap<Leaf, Value> {
    BTreeMap::from([
        (Leaf::BackupDirectory, Value::Int(1)),
        (Leaf::PasswordLength, Value::Int(length)),
    ])
}

#[cfg(test)]
mod tests;
