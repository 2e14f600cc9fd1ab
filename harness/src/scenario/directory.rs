//! Who may back up where: join states, the tenant's switch, disabled devices, no directory at all,
//! and the identity of somebody else.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::graph::device::ChangeDirectoryDevice;
use protocol::laps_csp::{Leaf, Value};
use protocol::time::UtcMillis;
use uuid::Uuid;

use super::ScenarioContext;
use super::cohort::{Cohort, Reach, entra_policy};
use super::member::Member;
use super::reach::holds;
use crate::case::{
    BackupCase, BackupSituation, BackupTimesCase, Case, ChoiceCase, ChoiceSeen, DirectoryCase,
    ForeignUploadCase, MetadataRead, Question, QuietCase,
};
use crate::error::Error;
use crate::lab::{LabDevice, SessionSeen};
use crate::properties::{Choice, Property};
use crate::transcript::ExchangeId;

/// Days that passwords may have in these scenarios.
const AGE_DAYS: u32 = 10;
const AGE: i32 = 10;
/// Hours that pass on a device's clock while nothing is due, with a check-in every so often.
const QUIET_HOURS: u32 = 24;
const HOURS_BETWEEN: u32 = 8;

/// Counters of a device's uploads at a moment.
#[derive(Clone, Copy)]
struct Counts {
    accepted: usize,
    refused: usize,
    execs: u32,
    broken: u32,
    ad_at: Option<UtcMillis>,
}

impl Counts {
    fn of(device: &mut LabDevice) -> Self {
        let ad_at = device
            .device_mut()
            .active_directory()
            .map(|record| record.updated_at);
        let seen = device.seen();
        Self {
            accepted: seen.uploads_accepted.len(),
            refused: seen.uploads_refused.len(),
            execs: seen.execs,
            broken: seen.sessions_broken,
            ad_at,
        }
    }
}

fn count(from: usize, to: usize) -> u32 {
    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX)
}

/// A situation from here on.
struct Watch {
    situation: BackupSituation,
    counts: Counts,
    before: MetadataRead,
    exchanges: Vec<ExchangeId>,
}

impl Watch {
    async fn begin(
        cohort: &Cohort<'_>,
        member: &mut Member,
        situation: BackupSituation,
    ) -> Result<Self, Error> {
        let (before, read) = cohort.metadata(member).await?;
        Ok(Self {
            situation,
            counts: Counts::of(&mut member.device),
            before,
            exchanges: vec![read],
        })
    }

    fn saw(&mut self, session: &SessionSeen) {
        self.exchanges.extend_from_slice(&session.exchanges);
    }

    async fn end(
        self,
        cohort: &Cohort<'_>,
        member: &mut Member,
        policy: Option<Uuid>,
    ) -> Result<BackupCase, Error> {
        let mut exchanges = self.exchanges;
        let (after, read) = cohort.metadata(member).await?;
        exchanges.push(read);
        let mut device_state = None;
        if let Some(policy) = policy {
            let (both, reads) = cohort.report_after_session(member, policy).await?;
            exchanges.extend_from_slice(&reads);
            [device_state, _] = both;
        }
        let counts = Counts::of(&mut member.device);
        let last = member.device.seen().uploads_accepted.last();
        Ok(BackupCase {
            device: member.name(),
            situation: self.situation,
            delivered: true,
            broken: counts.broken - self.counts.broken,
            accepted: count(self.counts.accepted, counts.accepted),
            refused: count(self.counts.refused, counts.refused),
            ad_backups: u32::from(counts.ad_at != self.counts.ad_at),
            execs: counts.execs - self.counts.execs,
            before: self.before,
            shows_last: last.is_some_and(|upload| after.last == Some(upload.at)),
            after,
            rotation: None,
            device_state,
            twin: true,
            exchanges,
        })
    }
}

fn push(cases: &mut Vec<Case>, case: BackupCase) {
    cases.push(Case::Directory(DirectoryCase::Backup(case)));
}

/// REQ-JOIN-001, -003, -004; REQ-BACKUP-002, -003; REQ-SCHEDULE-004, -006.
pub(super) async fn backups(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut entra = Cohort::open(context, "backups").await?;
    let mut hybrid = Cohort::open(context, "backups").await?;
    let mut none = Cohort::open(context, "backups").await?;
    let ended = back_up([&mut entra, &mut hybrid, &mut none], cases).await;
    for cohort in [entra, hybrid, none] {
        cohort.close().await?;
    }
    ended
}

async fn back_up(
    [entra, hybrid, none]: [&mut Cohort<'_>; 3],
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let leaves = entra_policy(AGE, 16);
    let policy = entra.assigned_policy(&leaves).await?;
    let mut members = Vec::new();
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
        let mut member = entra.device(JoinType::EntraJoined, os).await?;
        let mut watch = Watch::begin(entra, &mut member, BackupSituation::EntraJoined).await?;
        watch.saw(&member.check_in().await?);
        let mut case = watch.end(entra, &mut member, Some(policy)).await?;
        case.delivered = holds(&member, &leaves);
        times(&member, &case, cases);
        push(cases, case);
        cases.push(quiet(&mut member).await?);
        members.push(member);
    }
    let twin = members.iter().all(|member| member.marks().backups > 0);
    foreign(entra, &mut members, cases).await?;
    registered(entra, (policy, twin), cases).await?;
    hybrid_devices(hybrid, cases).await?;
    no_directory(none, twin, cases).await
}

fn times(member: &Member, case: &BackupCase, cases: &mut Vec<Case>) {
    let Some(upload) = member.device.seen().uploads_accepted.last() else {
        return;
    };
    cases.push(Case::Directory(DirectoryCase::Times(BackupTimesCase {
        device: member.name(),
        age_days: AGE_DAYS,
        at: upload.at,
        shown: case.after.clone(),
        exchanges: case.exchanges.clone(),
    })));
}

/// A day of hourly cycles, with check-ins between.
async fn quiet(member: &mut Member) -> Result<Case, Error> {
    let before = Counts::of(&mut member.device);
    let mut exchanges = Vec::new();
    let mut sessions = 0;
    for _ in 0..QUIET_HOURS / HOURS_BETWEEN {
        let ms = i64::from(HOURS_BETWEEN) * UtcMillis::HOUR_MS;
        let until = member.device.now().plus_millis(ms);
        for seen in member.device.run_until(until).await? {
            exchanges.extend_from_slice(&seen.exchanges);
        }
        let session = member.check_in().await?;
        sessions += u32::from(session.complete);
        exchanges.extend_from_slice(&session.exchanges);
    }
    let after = Counts::of(&mut member.device);
    Ok(Case::Directory(DirectoryCase::Quiet(QuietCase {
        device: member.name(),
        hours: QUIET_HOURS,
        sessions,
        backed_up: before.accepted > 0,
        age_days: AGE_DAYS,
        requests: count(before.accepted, after.accepted) + count(before.refused, after.refused),
        exchanges,
    })))
}

/// One device's identity for another device.
async fn foreign(
    cohort: &Cohort<'_>,
    members: &mut [Member],
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let [sender, named] = members else {
        return Ok(());
    };
    let (before, first) = cohort.metadata(named).await?;
    let forced = sender
        .device
        .upload_for(named.entra, "Administrator")
        .await?;
    let (after, second) = cohort.metadata(named).await?;
    let mut exchanges = vec![first, second];
    exchanges.extend(forced.exchange);
    cases.push(Case::Directory(DirectoryCase::Foreign(ForeignUploadCase {
        sender: sender.name(),
        named: named.name(),
        status: forced.status,
        changed: before != after,
        twin: sender.marks().backups > 0,
        exchanges,
    })));
    Ok(())
}

async fn registered(
    cohort: &Cohort<'_>,
    (policy, twin): (Uuid, bool),
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let os = OsBuild::W11_24H2;
    let mut member = cohort.device(JoinType::EntraRegistered, os).await?;
    let mut watch = Watch::begin(cohort, &mut member, BackupSituation::Registered).await?;
    let session = member.check_in().await?;
    watch.saw(&session);
    let forced = member
        .device
        .upload_for(member.entra, "Administrator")
        .await?;
    watch.exchanges.extend(forced.exchange);
    let mut case = watch.end(cohort, &mut member, Some(policy)).await?;
    case.delivered = session.complete;
    case.twin = twin;
    // The upload of the scenario is none of the device's own.
    if forced.accepted() {
        case.accepted += 1;
    } else {
        case.refused += u32::from(forced.status.is_some());
    }
    push(cases, case);
    Ok(())
}

async fn hybrid_devices(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let leaves = entra_policy(AGE, 16);
    let policy = cohort.assigned_policy(&leaves).await?;
    let mut members = Vec::new();
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
        let mut member = cohort.device(JoinType::EntraHybridJoined, os).await?;
        let mut watch = Watch::begin(cohort, &mut member, BackupSituation::HybridEntra).await?;
        watch.saw(&member.check_in().await?);
        let mut case = watch.end(cohort, &mut member, Some(policy)).await?;
        case.delivered = holds(&member, &leaves);
        times(&member, &case, cases);
        let backed_up = case.accepted > 0;
        push(cases, case);
        members.push((member, backed_up));
    }
    let mut to_ad = leaves.clone();
    to_ad.insert(Leaf::BackupDirectory, Value::Int(2));
    cohort.edit(policy, &to_ad).await?;
    for (mut member, backed_up) in members {
        let mut watch = Watch::begin(cohort, &mut member, BackupSituation::HybridAd).await?;
        let mut complete = true;
        for _ in 0..2 {
            let session = member.check_in().await?;
            complete &= session.complete;
            watch.saw(&session);
            // The device rotates for its new directory in its own cycle.
            let later = member.device.now().plus_millis(2 * UtcMillis::HOUR_MS);
            for seen in member.device.run_until(later).await? {
                watch.saw(&seen);
            }
        }
        let mut case = watch.end(cohort, &mut member, Some(policy)).await?;
        // A target that never sends the new directory has not delivered it: that shows too.
        case.delivered = complete;
        case.twin = backed_up;
        push(cases, case);
    }
    Ok(())
}

async fn no_directory(
    cohort: &mut Cohort<'_>,
    twin: bool,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut unset = entra_policy(AGE, 16);
    unset.remove(&Leaf::BackupDirectory);
    let mut zero = entra_policy(AGE, 16);
    zero.insert(Leaf::BackupDirectory, Value::Int(0));
    let policy = cohort.assigned_policy(&zero).await?;
    for leaves in [&zero, &unset] {
        cohort.edit(policy, leaves).await?;
        for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
            let mut case = without_directory(cohort, os, policy).await?;
            case.twin = twin;
            push(cases, case);
        }
    }
    Ok(())
}

/// Check-ins with hours of the device's own cycles between them.
async fn without_directory(
    cohort: &Cohort<'_>,
    os: OsBuild,
    policy: Uuid,
) -> Result<BackupCase, Error> {
    let mut member = cohort.device(JoinType::EntraJoined, os).await?;
    let mut watch = Watch::begin(cohort, &mut member, BackupSituation::NoDirectory).await?;
    for _ in 0..3 {
        watch.saw(&member.check_in().await?);
        let later = member.device.now().plus_millis(2 * UtcMillis::HOUR_MS);
        for seen in member.device.run_until(later).await? {
            watch.saw(&seen);
        }
    }
    watch.end(cohort, &mut member, Some(policy)).await
}

/// REQ-JOIN-005, -007.
pub(super) async fn states_of_devices(
    context: &ScenarioContext,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "device-states").await?;
    let leaves = entra_policy(AGE, 16);
    let mut ended = disabled(&mut cohort, cases).await;
    if ended.is_ok() {
        ended = unjoined(&cohort, &leaves, cases).await;
    }
    cohort.close().await?;
    ended
}

async fn object_of(cohort: &Cohort<'_>, member: &Member) -> Result<Uuid, Error> {
    let found = cohort.admin.directory_devices(member.entra).await?;
    let found = found.require("GET /devices")?;
    found
        .first()
        .map(|device| device.id)
        .ok_or_else(|| Error::Target {
            what: "GET /devices".to_owned(),
            seen: format!("no device `{}`", member.entra),
        })
}

async fn disabled(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let policy = cohort.assigned_policy(&entra_policy(AGE, 16)).await?;
    for os in [OsBuild::W11_24H2, OsBuild::W10_22H2] {
        let mut member = cohort.device(JoinType::EntraJoined, os).await?;
        member.check_in().await?;
        let object = object_of(cohort, &member).await?;
        let mut watch = Watch::begin(cohort, &mut member, BackupSituation::Disabled).await?;
        enable(cohort, object, false).await?;
        let due = i64::from(AGE_DAYS) * UtcMillis::DAY_MS + 2 * UtcMillis::HOUR_MS;
        let due = member.device.now().plus_millis(due);
        for seen in member.device.run_until(due).await? {
            watch.saw(&seen);
        }
        // The action row and the audit event of this request are other requirements' affair.
        let rotation = cohort.rotate(&mut member, Reach::Online).await?;
        watch.exchanges.extend_from_slice(&rotation.exchanges);
        let mut case = watch.end(cohort, &mut member, Some(policy)).await?;
        case.rotation = rotation.action;
        enable(cohort, object, true).await?;
        let before = member.marks().backups;
        let later = member.device.now().plus_millis(2 * UtcMillis::HOUR_MS);
        for seen in member.device.run_until(later).await? {
            case.exchanges.extend_from_slice(&seen.exchanges);
        }
        // A target that took the upload before has nothing more to take.
        case.twin = member.marks().backups > before || case.accepted > 0;
        push(cases, case);
    }
    Ok(())
}

async fn enable(cohort: &Cohort<'_>, object: Uuid, account_enabled: bool) -> Result<(), Error> {
    let change = ChangeDirectoryDevice { account_enabled };
    let actor = cohort.actor("device-admin");
    let reply = actor.change_directory_device(object, change).await?;
    reply.require("PATCH /devices/{id}")
}

/// A machine that is not joined, and the same machine joined later.
async fn unjoined(
    cohort: &Cohort<'_>,
    leaves: &std::collections::BTreeMap<Leaf, Value>,
    cases: &mut Vec<Case>,
) -> Result<(), Error> {
    let lab = &cohort.context.lab;
    let os = OsBuild::W11_24H2;
    let mut unjoined = lab
        .enrolled_device(cohort.scope, JoinType::NotJoined, os)
        .await?;
    let mut exchanges = Vec::new();
    for _ in 0..2 {
        exchanges.extend_from_slice(&unjoined.check_in().await?.exchanges);
    }
    let mut device_state = None;
    if let Some(managed) = unjoined.managed_id() {
        let states = cohort.admin.device_states(managed).await?;
        exchanges.push(states.exchange);
        let states = states.body.unwrap_or_default();
        device_state = states.into_iter().next().map(|state| state.state);
    }
    let counts = Counts::of(&mut unjoined);
    let name = unjoined.name().to_owned();

    let mut member = cohort.device(JoinType::EntraJoined, os).await?;
    let mut watch = Watch::begin(cohort, &mut member, BackupSituation::JoinedSince).await?;
    watch.saw(&member.check_in().await?);
    let mut after = watch.end(cohort, &mut member, None).await?;
    after.delivered = holds(&member, leaves);
    let before = BackupCase {
        device: name,
        situation: BackupSituation::Unjoined,
        broken: counts.broken,
        accepted: count(0, counts.accepted),
        refused: count(0, counts.refused),
        ad_backups: u32::from(counts.ad_at.is_some()),
        execs: counts.execs,
        after: MetadataRead::default(),
        shows_last: false,
        device_state,
        twin: after.delivered,
        exchanges,
        ..after.clone()
    };
    push(cases, before);
    push(cases, after);
    Ok(())
}

/// REQ-JOIN-006, -008. Nothing may run beside it.
pub(super) async fn switch(context: &ScenarioContext, cases: &mut Vec<Case>) -> Result<(), Error> {
    let mut cohort = Cohort::open(context, "switch").await?;
    let ended = with_switch_off(&mut cohort, cases).await;
    // Whatever happened: no other scenario may find the switch off.
    let restored = set_switch(&cohort, true).await;
    cohort.close().await?;
    ended.and(restored)
}

async fn set_switch(cohort: &Cohort<'_>, is_enabled: bool) -> Result<(), Error> {
    let reply = cohort.admin.set_laps_switch(is_enabled).await?;
    reply.require("PUT /policies/deviceRegistrationPolicy")
}

async fn with_switch_off(cohort: &mut Cohort<'_>, cases: &mut Vec<Case>) -> Result<(), Error> {
    let leaves = entra_policy(AGE, 16);
    let policy = cohort.assigned_policy(&leaves).await?;
    set_switch(cohort, false).await?;
    let mut pending = Vec::new();
    let mut answers = Vec::new();
    for (join, os) in [
        (JoinType::EntraJoined, OsBuild::W11_24H2),
        (JoinType::EntraJoined, OsBuild::W10_22H2),
        (JoinType::EntraHybridJoined, OsBuild::W11_24H2),
        (JoinType::EntraHybridJoined, OsBuild::W10_22H2),
    ] {
        let mut member = cohort.device(join, os).await?;
        let mut watch = Watch::begin(cohort, &mut member, BackupSituation::SwitchOff).await?;
        watch.saw(&member.check_in().await?);
        let mut case = watch.end(cohort, &mut member, Some(policy)).await?;
        case.delivered = holds(&member, &leaves);
        if join == JoinType::EntraJoined {
            pending.push((member, case));
        } else if case.accepted + case.refused > 0 {
            answers.push(ChoiceSeen {
                device: member.name(),
                choice: format!("{} backups taken, {} refused", case.accepted, case.refused),
                shows: vec![(
                    Property::SwitchHybrid,
                    vec![if case.accepted > 0 {
                        Choice::SwitchTakes
                    } else {
                        Choice::SwitchRefuses
                    }],
                )],
                objection: None,
                exchanges: case.exchanges,
            });
        }
    }
    set_switch(cohort, true).await?;
    for (mut member, mut case) in pending {
        let before = member.marks().backups;
        let later = member.device.now().plus_millis(2 * UtcMillis::HOUR_MS);
        for seen in member.device.run_until(later).await? {
            case.exchanges.extend_from_slice(&seen.exchanges);
        }
        case.twin = member.marks().backups > before || case.accepted > 0;
        push(cases, case);
    }
    cases.push(Case::Choice(ChoiceCase {
        question: Question::SwitchHybrid,
        answers,
    }));
    Ok(())
}
