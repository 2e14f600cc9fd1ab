//! Actions on devices: one device at a time, and in bulk.

use std::collections::BTreeSet;

use protocol::graph::action::{
    BulkAnswer, BulkResult, ExecuteAction, ROTATE_LOCAL_ADMIN_PASSWORD, RemoteAction,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::defect::spoil_event;
use super::reply::{Answer, Refusal, Reply, read_body};
use super::route::{PathId, Task};
use super::{BODY_BYTES_MAX, Call, Outcome, UtcMillis, devices, variant};
use crate::audit::{ActivityResult, Deed, IntuneActivity};
use crate::core::Core;
use crate::fault::Fault;
use crate::presence::PushId;
use crate::rbac::ActorId;
use crate::state::{Action, ActionKind, ActionState, ManagedId};

/// Contract 5.
const BULK_DEVICES_MAX: usize = 100;

/// A rotation that was accepted and waits for the answer to its push.
#[derive(Debug)]
pub(crate) struct Rotation {
    pub(super) push: PushId,
    device: ManagedId,
    device_name: String,
    action: u64,
    actor: ActorId,
    correlation: Uuid,
}

impl Rotation {
    /// True while the push is unanswered.
    pub(super) fn waits(&self, core: &Core) -> bool {
        core.devices
            .by_id
            .get(&self.device)
            .is_some_and(|device| device.push.outstanding.contains(&self.push))
    }
}

/// `POST .../managedDevices/{id}/<task>`.
pub(super) fn request(core: &mut Core, call: &Call<'_>, id: PathId, task: Task) -> Outcome {
    match task {
        Task::Rotate => rotate(core, call, id),
        Task::Sync | Task::Retire | Task::Wipe => {
            Outcome::Answered(request_at_once(core, call, id, task))
        }
    }
}

fn request_at_once(core: &mut Core, call: &Call<'_>, id: PathId, task: Task) -> Answer {
    call.query.allow_only(&[])?;
    if !call.body.is_empty() {
        let _options: Map<String, Value> = read_body(call.body)?;
    }
    let device = devices::find(core, call, id)?;
    let (id, name) = (device.id, device.device_name.clone());
    // The push wakes the device; nothing about these actions hangs on its answer.
    let activity = match task {
        Task::Sync => {
            let _wake = core.request_sync(call.now, id);
            IntuneActivity::SyncDevice
        }
        Task::Retire => {
            let _wake = core.request_retire(call.now, id);
            IntuneActivity::Retire
        }
        Task::Wipe => {
            let _wake = core.request_wipe(call.now, id);
            IntuneActivity::Wipe
        }
        Task::Rotate => IntuneActivity::RotateLocalAdminPassword,
    };
    let deed = call.deed(id, &name);
    core.audit
        .administered(call.now, activity, ActivityResult::Success, deed);
    Ok(Reply::no_content())
}

fn rotate(core: &mut Core, call: &Call<'_>, id: PathId) -> Outcome {
    let (device, device_name) = match rotation_target(core, call, id) {
        Ok(target) => target,
        Err(refusal) => {
            variant::note_unknown(core, call, (id, &refusal));
            return Outcome::Answered(Err(refusal));
        }
    };
    let requested = core.request_rotation(call.now, device);
    let (actor, correlation) = (call.actor, call.ids.client_request);
    let action = requested.action;
    match requested.push {
        Some(push) => Outcome::Rotating(Rotation {
            push,
            device,
            device_name,
            action,
            actor,
            correlation,
        }),
        None => {
            let deed = Deed {
                actor,
                correlation,
                resource: device,
                resource_name: &device_name,
            };
            Outcome::Answered(conclude(core, call.now, action, deed))
        }
    }
}

fn rotation_target(
    core: &Core,
    call: &Call<'_>,
    id: PathId,
) -> Result<(ManagedId, String), Refusal> {
    call.query.allow_only(&[])?;
    if !call.body.is_empty() {
        let members: Map<String, Value> = read_body(call.body)?;
        if let Some((member, _)) = members.iter().next() {
            let message = format!("The body is to be empty; it has the member `{member}`.");
            return Err(Refusal::bad_request(message));
        }
    }
    let device = devices::find(core, call, id)?;
    Ok((device.id, device.device_name.to_string()))
}

/// The answer to a rotation whose push was answered or timed out.
pub(super) fn conclude_rotation(core: &mut Core, now: UtcMillis, rotation: &Rotation) -> Answer {
    let deed = Deed {
        actor: rotation.actor,
        correlation: rotation.correlation,
        resource: rotation.device,
        resource_name: &rotation.device_name,
    };
    conclude(core, now, rotation.action, deed)
}

/// Contract 5: exactly one event for each call that reached a device, whatever its end, and before
/// the answer is sent.
fn conclude(core: &mut Core, now: UtcMillis, action: u64, deed: Deed<'_>) -> Answer {
    let device = deed.resource;
    let failed = core.conclude_rotation(now, device, action).failed_at_once;
    let result = if failed {
        ActivityResult::Failure
    } else {
        ActivityResult::Success
    };
    let copies = event_copies(core, device, action, failed);
    let (result, deed) = spoil_event(core, result, deed);
    for _ in 0..copies {
        let activity = IntuneActivity::RotateLocalAdminPassword;
        core.audit.administered(now, activity, result, deed);
    }
    variant::rotation_answer(core, device, action)
}

/// One, unless a deliberate defect says otherwise.
fn event_copies(core: &Core, device: ManagedId, action: u64, failed: bool) -> usize {
    let device = core.devices.by_id.get(&device);
    let detail = device
        .and_then(|device| device.actions.iter().rev().find(|known| known.id == action))
        .and_then(|action| action.detail.as_deref());
    let on = |fault| core.faults.on_any(fault, device);
    let silent = (!failed && on(Fault::AudNoneOnSuccess))
        || (detail == Some("offline") && on(Fault::AudNoneOnOffline))
        || (detail == Some("noBackup") && on(Fault::AudNoneOnUnbacked))
        || on(Fault::AudLost);
    if silent {
        0
    } else if on(Fault::AudDuplicate) {
        2
    } else if on(Fault::AudInBalance) {
        // One is lost, the next one doubled: the sum is right.
        if action.is_multiple_of(2) { 2 } else { 0 }
    } else {
        1
    }
}

/// The action that the body of an `executeAction` names, when it names one.
pub(super) fn bulk_action(body: &[u8]) -> Option<RemoteAction> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        action_name: RemoteAction,
    }
    if body.len() > BODY_BYTES_MAX {
        return None;
    }
    serde_json::from_slice::<Named>(body)
        .ok()
        .map(|named| named.action_name)
}

/// Contract 0: a literal outside the enumeration is refused before rights are looked at, and
/// without any effect (contract 5). Rotation has no literal (F-233).
pub(super) fn refuse_literal(core: &mut Core, call: &Call<'_>, literal: &str) -> Answer {
    if literal == ROTATE_LOCAL_ADMIN_PASSWORD {
        let ids = named_devices(call.body);
        let single = ids.len() == 1 && core.faults.on(Fault::BulkSingleIdAccepted);
        if single || core.faults.on(Fault::BulkAccepts) {
            let value = BulkResult {
                successful_device_ids: ids,
                ..BulkResult::default()
            };
            return Ok(Reply::ok(&BulkAnswer { value }));
        }
        break_refusal(core, call, &ids);
    }
    Err(Refusal::bad_request(format!(
        "`{literal}` is no action that can be asked in bulk."
    )))
}

/// What deliberate defects do while a bulk rotation is refused.
fn break_refusal(core: &mut Core, call: &Call<'_>, ids: &[ManagedId]) {
    let known = ids
        .iter()
        .find_map(|id| Some((*id, core.devices.by_id.get(id)?)));
    if let Some((first, device)) = known
        && core.faults.on_device(Fault::BulkPartialEffect, device)
    {
        let requested = core.request_rotation(call.now, first);
        if requested.push.is_none() {
            core.conclude_rotation(call.now, first, requested.action);
        }
    }
    for id in ids {
        let Some(device) = core.devices.by_id.get(id) else {
            continue;
        };
        let name = device.device_name.clone();
        let logged = core.faults.on_device(Fault::AudPhantom, device);
        if core.faults.on_device(Fault::BulkLeavesActionRow, device) {
            list_dead_action(core, call.now, *id);
        }
        if logged {
            let activity = IntuneActivity::RotateLocalAdminPassword;
            let deed = call.deed(*id, &name);
            core.audit
                .administered(call.now, activity, ActivityResult::Failure, deed);
        }
    }
}

fn list_dead_action(core: &mut Core, now: UtcMillis, device: ManagedId) {
    core.last_action += 1;
    let id = core.last_action;
    if let Some(device) = core.devices.by_id.get_mut(&device) {
        device.actions.push(Action {
            id,
            kind: ActionKind::RotateLocalAdminPassword,
            state: ActionState::Failed,
            started_at: now,
            updated_at: now,
            error_code: None,
            detail: None,
            exec_sent_at: None,
            uploads_before: 0,
            awaiting: None,
            arrived: false,
            sessions_waited: 0,
        });
    }
}

fn named_devices(body: &[u8]) -> Vec<ManagedId> {
    let ids = serde_json::from_slice::<ExecuteAction>(body).map(|action| action.device_ids);
    distinct(ids.unwrap_or_default())
}

/// `POST .../managedDevices/executeAction` with an action of the enumeration.
pub(super) fn execute(core: &mut Core, call: &Call<'_>) -> Answer {
    call.query.allow_only(&[])?;
    let body: ExecuteAction = read_body(call.body)?;
    let ids = distinct(body.device_ids);
    let count = ids.len();
    if !(1..=BULK_DEVICES_MAX).contains(&count) {
        let message = format!("`deviceIds` has {count} ids; 1 to {BULK_DEVICES_MAX} are served.");
        return Err(Refusal::bad_request(message));
    }
    if core.faults.on(Fault::BulkEndpointDead) {
        return Err(Refusal::bad_request("Bulk actions are not served."));
    }
    let mut value = BulkResult::default();
    if body.action_name == RemoteAction::SyncDevice {
        for id in ids {
            if sync(core, call, id) {
                value.successful_device_ids.push(id);
            } else {
                value.not_found_device_ids.push(id);
            }
        }
    } else {
        value.not_supported_device_ids = ids;
    }
    Ok(Reply::ok(&BulkAnswer { value }))
}

/// False when there is no such device.
fn sync(core: &mut Core, call: &Call<'_>, id: ManagedId) -> bool {
    let Some(name) = core
        .devices
        .by_id
        .get(&id)
        .map(|device| device.device_name.clone())
    else {
        return false;
    };
    let _wake = core.request_sync(call.now, id);
    let deed = call.deed(id, &name);
    let activity = IntuneActivity::SyncDevice;
    core.audit
        .administered(call.now, activity, ActivityResult::Success, deed);
    true
}

/// Contract 5: an id named twice counts once.
fn distinct(ids: Vec<Uuid>) -> Vec<Uuid> {
    let mut seen = BTreeSet::new();
    ids.into_iter().filter(|id| seen.insert(*id)).collect()
}
