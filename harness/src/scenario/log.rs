//! What the logs say of reads, scheduled rotations, attempts and policies.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::audit::{
    ACTIVITY_RECOVER, ACTIVITY_ROTATE, ACTIVITY_UPDATE, AuditEvent, DEVICE_REGISTRATION_SERVICE,
    DirectoryAudit,
};
use protocol::time::{UtcMillis, UtcTicks};
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy, looks};
use super::events;
use super::member::Member;
use crate::case::{
    Case, EventCase, EventFacts, LogCase, PolicyEventsCase, Quiet, SilentCase, UpdateCase,
};
use crate::error::Error;
use crate::limits::POLL_INTERVAL;
use crate::transcript::ExchangeId;

/// Reads of each kind.
const READS: u32 = 2;
/// The shortest age that counts with Microsoft Entra ID (F-021), so that little time has to pass.
const AGE_DAYS: i32 = 7;
/// How far a time in an event may be from the call, beside the difference of the clocks.
const TOLERANCE_MS: i64 = 60_000;

pub(super) async fn run(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let ahead_ms = context.lab.target_ahead_ms().await;
    let mut cohort = Cohort::open(context, "log").await?;
    let ended = devices(&mut cohort, ahead_ms, cases).await;
    cohort.close().await?;
    ended
}

async fn devices(
    cohort: &mut Cohort<'_>,
    ahead_ms: i64,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    cohort.assigned_policy(&entra_policy(AGE_DAYS, 16)).await?;
    let case = policy_events(cohort).await?;
    cases.push(Case::Log(LogCase::Policy(case)));
    let cohort = &*cohort;
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W11_24H2)
        .await?;
    member.check_in().await?;
    let case = quiet_reads(cohort, &member).await?;
    cases.push(Case::Log(LogCase::Silent(case)));
    let case = scheduled(cohort, &mut member).await?;
    cases.push(Case::Log(LogCase::Update(case)));
    let mut member = cohort
        .device(JoinType::EntraJoined, OsBuild::W10_22H2)
        .await?;
    let from = cohort.now();
    member.check_in().await?;
    let facts = Facts {
        cohort,
        ahead_ms,
        member: &mut member,
    };
    for case in facts.collect(from, cases).await? {
        cases.push(Case::Log(LogCase::Event(case)));
    }
    Ok(())
}

/// Reads of metadata and refused reads, beside reads that give the password.
async fn quiet_reads(cohort: &Cohort<'_>, member: &Member) -> Result<SilentCase, Error> {
    let mut exchanges = Vec::new();
    let mut silent = 0;
    let outsider = cohort.actor("metadata-reader");
    for _ in 0..READS {
        let (metadata, read) = cohort.metadata(member).await?;
        silent += u32::from(metadata.status.is_some_and(|status| status < 300));
        let (_op, refused) = outsider
            .read_password_counted(cohort.ledger(), member.entra)
            .await?;
        silent += u32::from(!refused.is_success());
        exchanges.extend([read, refused.exchange]);
    }
    let mut loud = 0;
    for _ in 0..READS {
        let (explicit, _, read) = cohort.password(member).await?;
        loud += u32::from(explicit.status.is_some_and(|status| status < 300));
        exchanges.push(read);
    }
    // Those that must not be there were caused first, so that they are there by now.
    let (events, log) = events::recovers(cohort, member, loud).await?;
    exchanges.push(log);
    Ok(SilentCase {
        quiet: Quiet::Reads,
        device: member.name(),
        silent,
        loud,
        events,
        exchanges,
    })
}

/// Runs the device's clock past the expiry of its password.
async fn scheduled(cohort: &Cohort<'_>, member: &mut Member) -> Result<UpdateCase, Error> {
    let first = member.marks().backups;
    let (before, _) = events::updates(cohort, member, first).await?;
    let past_expiry = i64::from(AGE_DAYS) * UtcMillis::DAY_MS + 2 * UtcMillis::HOUR_MS;
    let until = member.device.now().plus_millis(past_expiry);
    let mut exchanges = Vec::new();
    for seen in member.device.run_until(until).await? {
        exchanges.extend_from_slice(&seen.exchanges);
    }
    let backups = member.marks().backups - first;
    let (after, log) = events::updates(cohort, member, before + backups).await?;
    exchanges.push(log);
    Ok(UpdateCase {
        device: member.name(),
        scheduled: backups,
        events: after.saturating_sub(before),
        exchanges,
    })
}

/// One policy from its creation to its end; it is assigned to nobody.
async fn policy_events(cohort: &Cohort<'_>) -> Result<PolicyEventsCase, Error> {
    let admin = &cohort.admin;
    let name = "muster log events";
    let created = admin.create_policy(name, &entra_policy(30, 16)).await?;
    let mut exchanges = vec![created.exchange];
    let Some(policy) = created.body.and_then(|policy| policy.id) else {
        return Ok(PolicyEventsCase {
            accepted: false,
            activities: Vec::new(),
            exchanges,
        });
    };
    let edited = admin
        .replace_policy(policy, name, &entra_policy(30, 17))
        .await?;
    let assigned = admin.assign_groups(policy, &[]).await?;
    let deleted = admin.delete_policy(policy).await?;
    exchanges.extend([edited.exchange, assigned.exchange, deleted.exchange]);
    let mut left = looks(cohort.audit_limit());
    let activities = loop {
        let (events, log) = events::managed(cohort, policy, None).await?;
        if events.len() >= 4 || left == 0 {
            exchanges.push(log);
            break events.into_iter().map(|event| event.activity).collect();
        }
        left -= 1;
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    Ok(PolicyEventsCase {
        accepted: edited.is_success() && assigned.is_success() && deleted.is_success(),
        activities,
        exchanges,
    })
}

/// One device, one call of each kind, and the event that each left.
struct Facts<'f, 'c> {
    cohort: &'f Cohort<'c>,
    ahead_ms: i64,
    member: &'f mut Member,
}

/// A call whose event is looked for.
struct CallMade {
    what: &'static str,
    expected: EventFacts,
    correlation: Uuid,
    /// Calls of this kind to this device before it, each with its event.
    before: usize,
    /// When the target listed it as failed, by the target's clock.
    failed_at: Option<UtcTicks>,
    from: UtcMillis,
    to: UtcMillis,
    exchange: ExchangeId,
}

impl Facts<'_, '_> {
    async fn collect(
        self,
        enrolled: UtcMillis,
        cases: &mut Vec<Case>,
    ) -> Result<Vec<EventCase>, Error> {
        let updated = self.update(enrolled).await?;
        let accepted = self
            .rotation(0, "a rotation that was accepted", "Success")
            .await?;
        self.member.check_in().await?;
        self.member.device.set_online(false);
        let offline = self
            .rotation(
                1,
                "a rotation that was listed as failed before the answer",
                "Failure",
            )
            .await?;
        self.member.device.set_online(true);
        let recovered = self.recover().await?;
        let mut found = vec![updated];
        let calls: Vec<CallMade> = [accepted, offline].into_iter().flatten().collect();
        let ours: Vec<Uuid> = calls.iter().map(|call| call.correlation).collect();
        for call in calls {
            found.extend(self.managed_event(call, &ours).await?);
        }
        found.push(self.recover_event(recovered).await?);
        // The device goes on as any other.
        let rotation = self.cohort.rotate(self.member, Reach::Online).await?;
        cases.push(Case::Rotation(rotation));
        Ok(found)
    }

    /// `None` when the action is not what this result stands for.
    async fn rotation(
        &self,
        before: usize,
        what: &'static str,
        result: &'static str,
    ) -> Result<Option<CallMade>, Error> {
        let from = self.cohort.now();
        let operator = &self.cohort.operator;
        let (_op, reply) = operator
            .rotate_counted(self.cohort.ledger(), self.member.managed)
            .await;
        let reply = reply?;
        let (rows, _) = self.cohort.rotation_rows(self.member).await?;
        let failed = super::cohort::newest(&rows).is_some_and(|action| action.state.is_final());
        let newest = rows.iter().max_by_key(|row| row.start_date_time);
        let failed_at = newest.map(|row| row.last_updated_date_time);
        // Contract 5: Failure says that the action was listed as failed before the answer.
        let stands = reply.is_success() && failed == (result == "Failure");
        Ok(stands.then(|| CallMade {
            what,
            expected: EventFacts {
                actor: Some(format!("{}@muster.test", operator.name())),
                target: Some(self.member.managed.to_string()),
                activity: ACTIVITY_ROTATE.to_owned(),
                result: result.to_owned(),
            },
            correlation: reply.client_request_id,
            before,
            failed_at: failed_at.filter(|_| failed),
            from,
            to: self.cohort.now(),
            exchange: reply.exchange,
        }))
    }

    async fn recover(&self) -> Result<CallMade, Error> {
        let from = self.cohort.now();
        let reader = &self.cohort.reader;
        let (_op, reply) = reader
            .read_password_counted(self.cohort.ledger(), self.member.entra)
            .await?;
        Ok(CallMade {
            what: "a read of the password",
            expected: self.of_directory(format!("{}@muster.test", reader.name()), ACTIVITY_RECOVER),
            correlation: reply.client_request_id,
            before: 0,
            failed_at: None,
            from,
            to: self.cohort.now(),
            exchange: reply.exchange,
        })
    }

    async fn update(&self, from: UtcMillis) -> Result<EventCase, Error> {
        let to = self.cohort.now();
        let upload = self.member.device.seen().uploads_accepted.last();
        let mut exchanges: Vec<_> = upload.map(|upload| upload.exchange).into_iter().collect();
        events::updates(self.cohort, self.member, 1).await?;
        let (events, log) = events::directory(self.cohort, ACTIVITY_UPDATE).await?;
        exchanges.push(log);
        let entra = self.member.entra;
        let event = events.into_iter().find(|event| events::names(event, entra));
        let expected = self.of_directory(DEVICE_REGISTRATION_SERVICE.to_owned(), ACTIVITY_UPDATE);
        Ok(EventCase {
            what: "a password update",
            expected,
            between: self.between(from, to),
            at: event.as_ref().map(|event| event.activity_date_time),
            seen: event.map(|event| directory_facts(&event)),
            exchanges,
        })
    }

    fn of_directory(&self, actor: String, activity: &str) -> EventFacts {
        EventFacts {
            actor: Some(actor),
            target: Some(self.member.entra.to_string()),
            activity: activity.to_owned(),
            result: "success".to_owned(),
        }
    }

    /// The event with the id of the call, or else, where the log has ids of its own or none
    /// (contract 0: open), the one whose place among those of the device is that of the call.
    /// `None` when the action failed after its event was written, so that the event may say either.
    async fn managed_event(
        &self,
        call: CallMade,
        ours: &[Uuid],
    ) -> Result<Option<EventCase>, Error> {
        let device = self.member.managed.to_string();
        let mut left = looks(self.cohort.audit_limit());
        let (event, log) = loop {
            let (events, log) = events::all_managed(self.cohort, Some(ACTIVITY_ROTATE)).await?;
            let by_id = |event: &&AuditEvent| event.correlation_id == Some(call.correlation);
            let by_device = |event: &&AuditEvent| {
                event.correlation_id.is_none_or(|id| !ours.contains(&id))
                    && event
                        .resources
                        .iter()
                        .any(|resource| resource.resource_id == device)
            };
            let mut found = events.iter().filter(by_id);
            let by_place = || events.iter().filter(by_device).nth(call.before);
            let event = found.next().or_else(by_place);
            if event.is_some() || left == 0 {
                break (event.cloned(), log);
            }
            left -= 1;
            tokio::time::sleep(POLL_INTERVAL).await;
        };
        let at = event.as_ref().map(|event| event.activity_date_time);
        if at.is_some_and(|at| call.failed_at.is_some_and(|failed_at| failed_at > at)) {
            return Ok(None);
        }
        Ok(Some(EventCase {
            between: self.between(call.from, call.to),
            what: call.what,
            expected: call.expected,
            at,
            seen: event.map(|event| managed_facts(&event)),
            exchanges: vec![call.exchange, log],
        }))
    }

    async fn recover_event(&self, call: CallMade) -> Result<EventCase, Error> {
        events::recovers(self.cohort, self.member, 1).await?;
        let (events, log) = events::directory(self.cohort, ACTIVITY_RECOVER).await?;
        let by_id = |event: &&DirectoryAudit| event.correlation_id == Some(call.correlation);
        let entra = self.member.entra;
        // The only read of this device.
        let by_device = || events.iter().rfind(|event| events::names(event, entra));
        let event = events.iter().find(by_id).or_else(by_device);
        Ok(EventCase {
            between: self.between(call.from, call.to),
            what: call.what,
            expected: call.expected,
            at: event.map(|event| event.activity_date_time),
            seen: event.map(directory_facts),
            exchanges: vec![call.exchange, log],
        })
    }

    /// The same stretch of time by the target's clock.
    fn between(&self, from: UtcMillis, to: UtcMillis) -> (UtcTicks, UtcTicks) {
        let early = from.plus_millis(self.ahead_ms - TOLERANCE_MS);
        let late = to.plus_millis(self.ahead_ms + TOLERANCE_MS);
        (early.ticks(), late.ticks())
    }
}

fn managed_facts(event: &AuditEvent) -> EventFacts {
    let actor = event.actor.as_ref();
    EventFacts {
        actor: actor.and_then(|actor| actor.user_principal_name.clone()),
        target: event
            .resources
            .first()
            .map(|resource| resource.resource_id.to_ascii_lowercase()),
        activity: event.activity.clone(),
        result: event.activity_result.to_string(),
    }
}

fn directory_facts(event: &DirectoryAudit) -> EventFacts {
    let by = &event.initiated_by;
    let user = by.user.as_ref();
    let app = by.app.as_ref();
    EventFacts {
        actor: user
            .and_then(|user| user.user_principal_name.clone())
            .or_else(|| app.and_then(|app| app.display_name.clone())),
        target: event
            .target_resources
            .first()
            .map(|target| target.id.to_ascii_lowercase()),
        activity: event.activity_display_name.clone(),
        result: event.result.to_string(),
    }
}
