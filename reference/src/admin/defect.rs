//! What the deliberate defects do on the admin plane, where more than one line is needed.

use std::borrow::Cow;

use serde_json::Value;

use super::Call;
use super::route::{Method, Route, Task};
use crate::audit::{ActivityResult, Deed, IntuneActivity};
use crate::core::Core;
use crate::fault::Fault;
use crate::rbac::{ActorId, Right, Rights};

/// The built-in role that some defects single out.
const MANAGER: &str = "endpoint-security-manager";
/// The first build of Windows 11: some defects treat older devices otherwise.
const WINDOWS_11: u32 = 22_000;

/// True when a defect lets an actor do what it has no right to.
pub(super) fn opens(core: &Core, route: Route, actor: ActorId) -> bool {
    let has = |right| core.actors.rights(actor).include(Rights::of(right));
    if matches!(route, Route::DeviceTask(_, Task::Rotate)) {
        has(Right::TaskRotate) && core.faults.on(Fault::RbacRotateAlone)
            || core.actors.name(actor) == MANAGER && core.faults.on(Fault::RbacRoleRotates)
    } else {
        matches!(route, Route::Credential(_))
            && has(Right::CredentialStandardRead)
            && core.faults.on(Fault::RbacMetadataReadsPassword)
    }
}

/// True when a defect keeps an actor from what it has the right to.
pub(super) fn shuts(core: &Core, route: Route, method: Method, actor: ActorId) -> bool {
    let changes = matches!(route, Route::Policies | Route::Policy(_)) && method != Method::Get;
    changes && core.actors.name(actor) == MANAGER && core.faults.on(Fault::RbacManagerRefused)
}

/// A call was refused for want of a right.
pub(super) fn note_refusal(core: &mut Core, call: &Call<'_>, route: Route) {
    let Route::DeviceTask(Some(device), Task::Rotate) = route else {
        return;
    };
    let managed = core.devices.by_id.get(&device);
    let old = managed.filter(|managed| {
        managed.build < WINDOWS_11 && core.faults.on_device(Fault::AudRefusedWavers, managed)
    });
    if let Some(name) = old.map(|managed| managed.device_name.clone()) {
        let activity = IntuneActivity::RotateLocalAdminPassword;
        let deed = call.deed(device, &name);
        core.audit
            .administered(call.now, activity, ActivityResult::Failure, deed);
    }
}

/// What the event of a rotation says.
pub(super) fn spoil_event<'n>(
    core: &Core,
    result: ActivityResult,
    deed: Deed<'n>,
) -> (ActivityResult, Deed<'n>) {
    let device = core.devices.by_id.get(&deed.resource);
    if core.faults.on_any(Fault::AudWrongDevice, device) {
        let other = uuid::Uuid::from_u128(deed.resource.as_u128() ^ 1);
        return (
            result,
            Deed {
                resource: other,
                ..deed
            },
        );
    }
    if core.faults.on_any(Fault::AudWrongResult, device) {
        let opposite = match result {
            ActivityResult::Success => ActivityResult::Failure,
            ActivityResult::Failure => ActivityResult::Success,
        };
        return (opposite, deed);
    }
    (result, deed)
}

/// The body of a policy with an age in range in the place of one that is not, and that one.
pub(super) fn masked_age<'b>(core: &Core, body: &'b [u8]) -> (Cow<'b, [u8]>, Option<i32>) {
    if core.faults.has(Fault::CspAgeUnchecked)
        && let Ok(mut policy) = serde_json::from_slice::<Value>(body)
        && let Some(age) = mask(&mut policy)
        && let Ok(masked) = serde_json::to_vec(&policy)
        && core.faults.on(Fault::CspAgeUnchecked)
    {
        return (Cow::Owned(masked), Some(age));
    }
    (Cow::Borrowed(body), None)
}

fn mask(value: &mut Value) -> Option<i32> {
    match value {
        Value::Object(members) => {
            let names_age = members
                .get("settingDefinitionId")
                .and_then(Value::as_str)
                .is_some_and(|id| id.contains("passwordagedays"));
            if names_age
                && let Some(number) = members
                    .get_mut("simpleSettingValue")
                    .and_then(|simple| simple.get_mut("value"))
                && let Some(age) = number.as_i64().and_then(|age| i32::try_from(age).ok())
                && !(7..=365).contains(&age)
            {
                *number = Value::from(30);
                return Some(age);
            }
            members.values_mut().find_map(mask)
        }
        Value::Array(elements) => elements.iter_mut().find_map(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
