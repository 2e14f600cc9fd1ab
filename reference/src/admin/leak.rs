//! What the deliberate defects that let a password slip out do on the admin plane.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::directory::password_from_base64;
use protocol::graph::action::DeviceActionResult;
use protocol::graph::audit::DirectoryAudit;
use protocol::graph::device::ManagedDevice;

use super::reply::Refusal;
use super::route::Route;
use crate::core::Core;
use crate::fault::Fault;
use crate::state::EntraId;

/// The newest password of a device as it was uploaded: base64 of UTF-16LE.
fn newest(core: &Core, entra: Option<EntraId>) -> Option<&str> {
    let device = core.tenant.directory_device(entra)?;
    let credential = device.credentials.front()?;
    Some(&credential.password_base64)
}

/// An event of the directory's log; its reason tells the password as base64.
pub(super) fn in_event(core: &Core, entra: EntraId, event: &mut DirectoryAudit) {
    if core.faults.any()
        && let Some(password) = newest(core, Some(entra)).and_then(password_from_base64)
        && let Some(reason) = &mut event.result_reason
        && core.faults.on(Fault::AudPasswordInEvent)
    {
        *reason = format!("{reason}, value {}", STANDARD.encode(password));
    }
}

/// A refusal for want of a right; its sentence tells the password in clear.
pub(super) fn in_error(core: &Core, route: Route, mut refusal: Refusal) -> Refusal {
    if core.faults.any()
        && let Route::Credential(entra) = route
        && let Some(password) = newest(core, entra).and_then(password_from_base64)
        && core.faults.on(Fault::AudPasswordInError)
    {
        refusal.message = format!("{} The credential is `{password}`.", refusal.message);
    }
    refusal
}

/// A managed device; the details of its actions tell the password as base64 of UTF-16LE.
pub(super) fn in_action(core: &Core, mut device: ManagedDevice) -> ManagedDevice {
    let empty = |action: &DeviceActionResult| action.detail.is_none();
    if core.faults.any()
        && device.device_action_results.iter().any(empty)
        && let Some(password) = newest(core, device.azure_ad_device_id)
        && core.faults.on(Fault::AudPasswordInAction)
    {
        let results = device.device_action_results.iter_mut();
        for action in results.filter(|action| empty(action)) {
            action.detail = Some(password.to_owned());
        }
    }
    device
}
