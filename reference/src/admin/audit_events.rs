//! The two audit logs as the admin plane shows them (wire-facts 5.5, contract 5).

use protocol::graph::audit::{
    self as wire, AuditActor, AuditApp, AuditEvent, AuditResource, AuditResult, AuditUser,
    DEVICE_REGISTRATION_SERVICE, DirectoryAudit, InitiatedBy, KeyValue, TargetResource,
};
use protocol::time::{UtcMillis, UtcTicks};
use serde::Serialize;

use super::paging::Paging;
use super::query::{Direction, EventFilter};
use super::reply::{Answer, Refusal};
use super::{Call, leak};
use crate::audit::{
    ActivityResult, DirectoryActivity, DirectoryEvent, IntuneEvent, Log, LogName, Timed, event_id,
};
use crate::core::Core;
use crate::fault::Fault;
use crate::rbac::{ActorId, Actors};

pub(super) fn intune(core: &Core, call: &Call<'_>) -> Answer {
    let request = Request::parse(call, "activity")?;
    let log = &core.audit.intune;
    let activity = |event: &IntuneEvent| event.activity.as_str();
    let render = |place, event: &IntuneEvent| {
        let mut event = intune_event(&core.actors, place, event);
        event.activity_date_time = shown_time(core, event.activity_date_time);
        event
    };
    let shown = shown_events(core, call.now, log);
    Ok(request.page(core, call, (log, shown, activity, render)))
}

pub(super) fn directory(core: &Core, call: &Call<'_>) -> Answer {
    let request = Request::parse(call, "activityDisplayName")?;
    let log = &core.audit.directory;
    let activity = |event: &DirectoryEvent| event.activity.as_str();
    let render = |place, event: &DirectoryEvent| {
        let entra = event.entra_id;
        let mut event = directory_event(&core.actors, place, event);
        leak::in_event(core, entra, &mut event);
        event.activity_date_time = shown_time(core, event.activity_date_time);
        event
    };
    let all = log.events().len();
    Ok(request.page(core, call, (log, all, activity, render)))
}

/// The time of an event, unless a deliberate defect says otherwise.
fn shown_time(core: &Core, at: UtcTicks) -> UtcTicks {
    if core.faults.on(Fault::AudClockSkew) {
        at.millis().plus_millis(-UtcMillis::HOUR_MS).ticks()
    } else {
        at
    }
}

/// How many of the events are shown: all, unless a deliberate defect says otherwise.
fn shown_events(core: &Core, now: UtcMillis, log: &Log<IntuneEvent>) -> usize {
    let events = log.events();
    if core.faults.has(Fault::AudLate) {
        let settled = now.plus_millis(-LATE_MS);
        let old = events.partition_point(|event| event.at() <= settled);
        if old < events.len() && core.faults.on(Fault::AudLate) {
            return old;
        }
    }
    if !events.is_empty() && core.faults.on(Fault::AudLastBatch) {
        return events.len().saturating_sub(BATCH);
    }
    events.len()
}

/// [`Fault::AudLate`]: twice as long as the contract lets an event take (section 8, T_audit).
const LATE_MS: i64 = 60_000;
/// [`Fault::AudLastBatch`]: events that are never written out.
const BATCH: usize = 4;

/// What is asked of a log.
struct Request {
    paging: Paging,
    filter: EventFilter,
    direction: Direction,
    /// Place of the last event shown.
    after: Option<usize>,
}

impl Request {
    fn parse(call: &Call<'_>, activity: &str) -> Result<Self, Refusal> {
        let paging = Paging::in_order(call, &["$filter", "$orderby"])?;
        let filter = EventFilter::parse(call.query.option("$filter"), activity)?;
        let direction = Direction::parse(call.query.option("$orderby"))?;
        let after = paging.after()?;
        Ok(Self {
            paging,
            filter,
            direction,
            after,
        })
    }

    fn page<E: Timed, T: Serialize>(
        &self,
        core: &Core,
        call: &Call<'_>,
        (log, shown, activity, render): (
            &Log<E>,
            usize,
            impl Fn(&E) -> &'static str,
            impl Fn(usize, &E) -> T,
        ),
    ) -> super::reply::Reply {
        let readable = core
            .variant
            .audit_readable_to(call.now)
            .map(UtcMillis::ticks);
        let to = self.filter.to.into_iter().chain(readable).min();
        let window = log.window(self.filter.from, to);
        let end = window.end.min(shown);
        let window = window.start.min(end)..end;
        let events = log.events();
        let wanted = |place: &usize| match &self.filter.activity {
            None => true,
            Some(text) => activity(&events[*place]) == text,
        };
        let shown = |place: usize| (place, render(place, &events[place]));
        match self.direction {
            Direction::Ascending => {
                let start = self
                    .after
                    .map_or(window.start, |last| window.start.max(last + 1));
                let places = start..window.end;
                self.paging.page(call, places.filter(wanted).map(shown))
            }
            Direction::Descending => {
                let end = self.after.map_or(window.end, |last| window.end.min(last));
                let places = window.start..end;
                self.paging
                    .page(call, places.rev().filter(wanted).map(shown))
            }
        }
    }
}

fn intune_event(actors: &Actors, place: usize, event: &IntuneEvent) -> AuditEvent {
    let activity = event.activity.as_str();
    let device = event.activity.concerns_device();
    AuditEvent {
        id: event_id(LogName::Intune, place).to_string(),
        display_name: Some(activity.to_owned()),
        component_name: Some(
            if device {
                "ManagedDevices"
            } else {
                "DeviceConfiguration"
            }
            .to_owned(),
        ),
        activity: activity.to_owned(),
        activity_date_time: event.at().ticks(),
        activity_type: Some(activity.to_owned()),
        activity_operation_type: Some(event.activity.operation().to_owned()),
        activity_result: match event.result {
            ActivityResult::Success => wire::ActivityResult::Success,
            ActivityResult::Failure => wire::ActivityResult::Failure,
        },
        correlation_id: Some(event.correlation),
        category: Some(
            if device {
                "Device"
            } else {
                "DeviceConfiguration"
            }
            .to_owned(),
        ),
        actor: Some(AuditActor {
            kind: Some("ItPro".to_owned()),
            user_principal_name: Some(principal_name(actors, event.actor)),
            ..AuditActor::default()
        }),
        resources: vec![AuditResource {
            display_name: Some(event.resource_name.as_ref().to_owned()),
            kind: Some(
                if device {
                    "ManagedDevice"
                } else {
                    "DeviceManagementConfigurationPolicy"
                }
                .to_owned(),
            ),
            resource_id: event.resource.to_string(),
            modified_properties: Vec::new(),
        }],
    }
}

fn directory_event(actors: &Actors, place: usize, event: &DirectoryEvent) -> DirectoryAudit {
    let (operation, reason, initiated_by) = match event.activity {
        // Contract 5: the registration service did it, no user.
        DirectoryActivity::Update => (
            "Update",
            "Successfully updated local credential by device id",
            InitiatedBy {
                user: None,
                app: Some(AuditApp {
                    display_name: Some(DEVICE_REGISTRATION_SERVICE.to_owned()),
                }),
            },
        ),
        DirectoryActivity::Recover(actor) => (
            "Recover",
            "Successfully recovered local credential by device id",
            InitiatedBy {
                user: Some(AuditUser {
                    user_principal_name: Some(principal_name(actors, actor)),
                    display_name: Some(actors.name(actor).to_owned()),
                    ..AuditUser::default()
                }),
                app: None,
            },
        ),
    };
    DirectoryAudit {
        id: event_id(LogName::Directory, place).to_string(),
        category: Some("Device".to_owned()),
        correlation_id: Some(event.correlation),
        result: AuditResult::Success,
        result_reason: Some(reason.to_owned()),
        activity_display_name: event.activity.as_str().to_owned(),
        activity_date_time: event.at().ticks(),
        logged_by_service: Some(DEVICE_REGISTRATION_SERVICE.to_owned()),
        operation_type: Some(operation.to_owned()),
        initiated_by,
        target_resources: vec![TargetResource {
            id: event.entra_id.to_string(),
            display_name: Some(event.device_name.as_ref().to_owned()),
            kind: Some("Device".to_owned()),
            modified_properties: Vec::new(),
        }],
        additional_details: vec![KeyValue {
            key: "Device Id".to_owned(),
            value: Some(event.entra_id.to_string()),
        }],
    }
}

/// Contract 5: `<actor>@muster.test`.
fn principal_name(actors: &Actors, actor: ActorId) -> String {
    format!("{}@muster.test", actors.name(actor))
}
