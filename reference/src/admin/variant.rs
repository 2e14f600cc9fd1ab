//! What legal variants do on the admin plane, where more than one line is needed.

use protocol::JoinType;
use uuid::Uuid;

use super::Call;
use super::reply::{Answer, Cause, Refusal, Reply};
use super::route::{PathId, Route, Task};
use crate::action::OFFLINE;
use crate::audit::{ActivityResult, IntuneActivity};
use crate::core::{Core, RetryAfter};
use crate::rbac::Caller;
use crate::state::{Action, ActionState, ManagedId};
use crate::variant::Variant;

/// After how long a throttled call may be repeated.
const RETRY_S: u32 = 1;

/// One call in some is refused with 429 and has no effect. A caller who is not known gets 401 all
/// the same.
pub(super) fn throttled(core: &mut Core, authorization: Option<&str>) -> Option<Refusal> {
    let after = if core.variant.has(Variant::HttpThrottles) {
        RetryAfter::Seconds(RETRY_S)
    } else if core.variant.has(Variant::HttpThrottlesUntil) {
        RetryAfter::DateAfter(RETRY_S)
    } else {
        return None;
    };
    let known = core.actors.caller(authorization) != Caller::Unknown;
    let message = "Too many calls; repeat this one later.";
    (known && core.variant.throttles())
        .then(|| Refusal::new(Cause::TooManyRequests(after), message))
}

/// A call was refused for want of a right.
pub(super) fn note_refusal(core: &mut Core, call: &Call<'_>, route: Route) {
    if let Route::DeviceTask(Some(device), Task::Rotate) = route {
        note(core, call, device);
    }
}

/// A rotation named a device, and was refused.
pub(super) fn note_unknown(core: &mut Core, call: &Call<'_>, (id, refusal): (PathId, &Refusal)) {
    if let (Some(device), Cause::NotFound) = (id, refusal.cause) {
        note(core, call, device);
    }
}

/// Contract 5: a refused call may be audited.
fn note(core: &mut Core, call: &Call<'_>, device: Uuid) {
    if !core.variant.has(Variant::AuditRefusedCalls) {
        return;
    }
    let managed = core.devices.by_id.get(&device);
    let name = managed.map_or_else(String::new, |managed| managed.device_name.to_string());
    let activity = IntuneActivity::RotateLocalAdminPassword;
    let deed = call.deed(device, &name);
    core.audit
        .administered(call.now, activity, ActivityResult::Failure, deed);
}

/// Contract 5: 204, or a 4xx for an offline Entra joined device, whose action is listed as failed.
pub(super) fn rotation_answer(core: &Core, device: ManagedId, action: u64) -> Answer {
    let managed = core.devices.by_id.get(&device);
    let offline = |found: &Action| {
        found.id == action
            && found.state == ActionState::Failed
            && found.detail.as_deref() == Some(OFFLINE)
    };
    let refused = core.variant.has(Variant::RotationRefusedOffline)
        && managed.is_some_and(|managed| {
            managed.join_type == JoinType::EntraJoined && managed.actions.iter().any(offline)
        });
    if refused {
        return Err(Refusal::conflict("The device is not connected."));
    }
    Ok(Reply::no_content())
}
