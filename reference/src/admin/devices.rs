//! Managed devices with their actions, and what policies came to on them.

use std::ops::{Bound, RangeBounds};

use protocol::graph::action::{ActionState as WireState, DeviceActionResult};
use protocol::graph::device::ManagedDevice;
use protocol::graph::report::{
    ConfigurationState, ConflictSummary, DeviceStatus, PolicyReference, PolicyState, SettingState,
};

use super::paging::Paging;
use super::query::equality;
use super::reply::{Answer, Refusal, Reply};
use super::route::PathId;
use super::{Call, leak};
use crate::audit::{ActivityResult, IntuneActivity};
use crate::core::Core;
use crate::fault::Fault;
use crate::rows::{PolicyRow, RowState};
use crate::state::{self, Action, ActionKind, ActionState, ManagedId, PolicyId};
use crate::table::Slot;

pub(super) fn list(core: &Core, call: &Call<'_>) -> Answer {
    let paging = Paging::parse(call, &["$filter"])?;
    let devices = core.devices.by_id.range(paging.ids()?);
    let Some(filter) = call.query.option("$filter") else {
        return Ok(paging.page(call, devices.map(|(id, device)| (*id, view(device)))));
    };
    let (member, wanted) = equality(filter, &["deviceName", "azureADDeviceId"])?;
    if member == "deviceName" {
        let named = core.devices.named(&wanted);
        let named = named
            .range(paging.ids()?)
            .filter_map(|id| core.devices.by_id.get(id));
        return Ok(paging.page(call, named.map(|device| (device.id, view(device)))));
    }
    let range = paging.ids()?;
    let found = uuid::Uuid::try_parse(&wanted)
        .ok()
        .and_then(|entra_id| core.devices.of_entra_id(entra_id))
        .filter(|id| range.contains(id))
        .and_then(|id| core.devices.by_id.get(&id));
    Ok(paging.page(
        call,
        found.into_iter().map(|device| (device.id, view(device))),
    ))
}

pub(super) fn read(core: &Core, call: &Call<'_>, id: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let device = find(core, call, id)?;
    let mut view = leak::in_action(core, view(device));
    let several = view.device_action_results.len() > 1;
    if several && core.faults.on_device(Fault::RotKeepsOnlyLastAction, device) {
        view.device_action_results.truncate(1);
    }
    Ok(Reply::ok(&view))
}

pub(super) fn delete(core: &mut Core, call: &Call<'_>, id: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let device = find(core, call, id)?;
    let (id, name) = (device.id, std::sync::Arc::clone(&device.device_name));
    core.delete_managed_device(call.now, id);
    let deed = call.deed(id, &name);
    let activity = IntuneActivity::DeleteDevice;
    core.audit
        .administered(call.now, activity, ActivityResult::Success, deed);
    Ok(Reply::no_content())
}

/// One row a policy that reaches the device.
pub(super) fn configuration_states(core: &Core, call: &Call<'_>, id: PathId) -> Answer {
    let paging = Paging::parse(call, &[])?;
    let range = paging.ids()?;
    let device = find(core, call, id)?.id;
    let rows = core
        .device_rows(device)
        .filter(|(policy, _)| range.contains(policy) && core.tenant.policies.contains_key(policy))
        .map(|(policy, row)| (policy, configuration_state(core, policy, row)));
    Ok(paging.page(call, rows))
}

/// One row a device that the policy reaches.
pub(super) fn policy_statuses(core: &Core, call: &Call<'_>, id: PathId) -> Answer {
    let paging = Paging::parse(call, &[])?;
    let after = paging.after::<u32>()?.map(Slot::from_number);
    let places = (
        after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    );
    let Some(policy) = id.filter(|id| core.tenant.policies.contains_key(id)) else {
        return Err(call.no_such("policy", id));
    };
    let rows = core
        .policy_rows(policy, places)
        .map(|(place, device, row)| {
            let status = DeviceStatus {
                device_id: device.id,
                device_display_name: device.device_name.to_string(),
                status: shown_state(core, row.state),
                last_reported_date_time: row.reported_at.at().map(Into::into),
            };
            // The key of the page: a device keeps its place.
            (place.number(), status)
        });
    Ok(paging.page(call, rows))
}

/// One row a set of policies that clash on one leaf on at least one device.
pub(super) fn conflict_summary(core: &Core, call: &Call<'_>) -> Answer {
    let paging = Paging::parse(call, &[])?;
    let after: Option<String> = paging.after()?;
    let rows = core
        .conflict_summary()
        .into_iter()
        .map(|clash| ConflictSummary {
            id: protocol::graph::report::conflict_id(clash.policies.iter().copied()),
            conflicting_device_configurations: references(core, clash.policies.iter().copied()),
            contributing_settings: clash.leaves.iter().map(ToString::to_string).collect(),
            device_checkins_impacted: u32::try_from(clash.devices).unwrap_or(u32::MAX),
        })
        .filter(|row| after.as_ref().is_none_or(|after| row.id > *after));
    Ok(paging.page(call, rows.map(|row| (row.id.clone(), row))))
}

pub(super) fn find<'c>(
    core: &'c Core,
    call: &Call<'_>,
    id: PathId,
) -> Result<&'c state::ManagedDevice, Refusal> {
    id.and_then(|id: ManagedId| core.devices.by_id.get(&id))
        .ok_or_else(|| call.no_such("managed device", id))
}

fn view(device: &state::ManagedDevice) -> ManagedDevice {
    ManagedDevice {
        id: device.id,
        device_name: device.device_name.to_string(),
        azure_ad_device_id: device.entra_id,
        join_type: device.join_type.into(),
        operating_system: Some("Windows".to_owned()),
        os_version: Some(device.os_version.to_string()),
        user_principal_name: device.user_principal_name.as_deref().map(str::to_owned),
        enrolled_date_time: Some(device.enrolled_at.ticks()),
        last_sync_date_time: device.last_sync_at.at().map(Into::into),
        // Contract 5: every past action stays listed, newest first.
        device_action_results: device.actions.iter().rev().map(action_view).collect(),
    }
}

fn action_view(action: &Action) -> DeviceActionResult {
    DeviceActionResult {
        action_name: action_name(action.kind).to_owned(),
        action_state: match action.state {
            ActionState::Pending => WireState::Pending,
            ActionState::Active => WireState::Active,
            ActionState::Done => WireState::Done,
            ActionState::Failed => WireState::Failed,
            ActionState::Canceled => WireState::Canceled,
        },
        start_date_time: action.started_at.ticks(),
        last_updated_date_time: action.updated_at.ticks(),
        error_code: action.error_code,
        detail: action.detail.clone(),
    }
}

const fn action_name(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::RotateLocalAdminPassword => {
            protocol::graph::action::ROTATE_LOCAL_ADMIN_PASSWORD
        }
        ActionKind::SyncDevice => "syncDevice",
        ActionKind::Retire => "retire",
        ActionKind::Wipe => "wipe",
    }
}

fn configuration_state(core: &Core, id: PolicyId, row: &PolicyRow) -> ConfigurationState {
    let setting_states = row.settings.iter().map(|(leaf, setting)| SettingState {
        setting: leaf.to_string(),
        state: policy_state(setting.state),
        error_code: setting.error_code,
        sources: references(core, setting.sources.iter().copied()),
    });
    ConfigurationState {
        id,
        display_name: policy_name(core, id).unwrap_or_default(),
        state: shown_state(core, row.state),
        setting_states: setting_states.collect(),
    }
}

fn references(core: &Core, ids: impl Iterator<Item = PolicyId>) -> Vec<PolicyReference> {
    ids.map(|id| PolicyReference {
        id,
        display_name: policy_name(core, id),
    })
    .collect()
}

fn policy_name(core: &Core, id: PolicyId) -> Option<String> {
    core.tenant
        .policies
        .get(&id)
        .map(|policy| policy.name.clone())
}

fn shown_state(core: &Core, state: RowState) -> PolicyState {
    if state == RowState::Compliant && core.faults.on(Fault::ReportOddState) {
        return PolicyState::Other("applied".to_owned());
    }
    policy_state(state)
}

const fn policy_state(state: RowState) -> PolicyState {
    match state {
        RowState::Unknown => PolicyState::Unknown,
        RowState::Compliant => PolicyState::Compliant,
        RowState::Conflict => PolicyState::Conflict,
        RowState::Error => PolicyState::Error,
        RowState::NotApplicable => PolicyState::NotApplicable,
    }
}
