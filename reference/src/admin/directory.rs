//! Users, groups and their members, directory devices, and the tenant's registration policy.

use std::ops::RangeBounds;

use protocol::graph::device::{
    ChangeDirectoryDevice, DeviceRegistrationPolicy, DirectoryDevice, LocalAdminPasswordSettings,
    TrustType,
};
use protocol::graph::group::{Group, Member, MemberKind, MemberReference, NewGroup, NewUser, User};

use super::Call;
use super::paging::Paging;
use super::query::equality;
use super::reply::{Answer, Refusal, Reply, read_body};
use super::route::PathId;
use crate::assignment::Change;
use crate::core::Core;
use crate::state::{self, ObjectId, Tenant};

pub(super) fn create_user(core: &mut Core, call: &Call<'_>) -> Answer {
    call.query.allow_only(&[])?;
    let new: NewUser = read_body(call.body)?;
    named("userPrincipalName", &new.user_principal_name)?;
    named("displayName", &new.display_name)?;
    if core.tenant.user_named(&new.user_principal_name).is_some() {
        let message = format!("The user `{}` exists already.", new.user_principal_name);
        return Err(Refusal::conflict(message));
    }
    let id = core.new_id();
    let user = state::User {
        id,
        user_principal_name: new.user_principal_name.clone(),
        display_name: new.display_name.clone(),
        groups: Vec::new(),
    };
    core.tenant.add_user(user);
    Ok(Reply::created(&User {
        id,
        user_principal_name: new.user_principal_name,
        display_name: new.display_name,
    }))
}

pub(super) fn create_group(core: &mut Core, call: &Call<'_>) -> Answer {
    call.query.allow_only(&[])?;
    let new: NewGroup = read_body(call.body)?;
    named("displayName", &new.display_name)?;
    named("mailNickname", &new.mail_nickname)?;
    if new.mail_enabled || !new.security_enabled {
        return Err(Refusal::bad_request(
            "Only security groups without mail are served.",
        ));
    }
    let id = core.new_id();
    let group = state::Group {
        display_name: new.display_name,
        mail_nickname: new.mail_nickname,
        members: std::collections::BTreeSet::new(),
    };
    let created = Reply::created(&group_view(id, &group));
    core.tenant.groups.insert(id, group);
    Ok(created)
}

pub(super) fn members(core: &Core, call: &Call<'_>, group: PathId) -> Answer {
    let paging = Paging::parse(call, &[])?;
    let range = paging.ids()?;
    let group = find_group(&core.tenant, call, group)?;
    let members = core.tenant.groups[&group]
        .members
        .range(range)
        .filter_map(|id| member(&core.tenant, *id).map(|member| (*id, member)));
    Ok(paging.page(call, members))
}

pub(super) fn add_member(core: &mut Core, call: &Call<'_>, group: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let reference: MemberReference = read_body(call.body)?;
    let Some(object) = reference.object_id() else {
        let message = format!(
            "`{}` does not end in the id of an object.",
            reference.odata_id
        );
        return Err(Refusal::bad_request(message));
    };
    let group = find_group(&core.tenant, call, group)?;
    if core.tenant.groups.contains_key(&object) {
        return Err(Refusal::bad_request(
            "Groups as members of groups are not served.",
        ));
    }
    if member(&core.tenant, object).is_none() {
        return Err(Refusal::not_found("directory object", object));
    }
    let added = core
        .tenant
        .groups
        .get_mut(&group)
        .is_some_and(|group| group.members.insert(object));
    if !added {
        // Contract 5: 400, not 409.
        let message = format!("The object `{object}` is a member of the group already.");
        return Err(Refusal::bad_request(message));
    }
    if let Some(groups) = core.tenant.groups_of_mut(object) {
        groups.reserve_exact(1);
        groups.push(group);
    }
    core.policies_changed(call.now, Change::Membership(object));
    Ok(Reply::no_content())
}

pub(super) fn remove_member(
    core: &mut Core,
    call: &Call<'_>,
    group: PathId,
    object: PathId,
) -> Answer {
    call.query.allow_only(&[])?;
    let group = find_group(&core.tenant, call, group)?;
    let removed = object.filter(|object| {
        core.tenant
            .groups
            .get_mut(&group)
            .is_some_and(|group| group.members.remove(object))
    });
    let Some(object) = removed else {
        return Err(Refusal::new(
            super::reply::Cause::NotFound,
            format!("The group `{group}` has no such member."),
        ));
    };
    if let Some(groups) = core.tenant.groups_of_mut(object) {
        groups.retain(|other| *other != group);
    }
    core.policies_changed(call.now, Change::Membership(object));
    Ok(Reply::no_content())
}

pub(super) fn devices(core: &Core, call: &Call<'_>) -> Answer {
    let paging = Paging::parse(call, &["$filter"])?;
    let range = paging.ids()?;
    let devices = &core.tenant.directory_devices;
    let Some(filter) = call.query.option("$filter") else {
        let all = devices
            .range(range)
            .filter_map(|(id, device)| Some((*id, view(*id, device)?)));
        return Ok(paging.page(call, all));
    };
    let (_, wanted) = equality(filter, &["deviceId"])?;
    let found = uuid::Uuid::try_parse(&wanted)
        .ok()
        .and_then(|entra_id| core.tenant.device_object(Some(entra_id)))
        .filter(|id| range.contains(id))
        .and_then(|id| Some((id, view(id, devices.get(&id)?)?)));
    Ok(paging.page(call, found.into_iter()))
}

pub(super) fn change_device(core: &mut Core, call: &Call<'_>, device: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let change: ChangeDirectoryDevice = read_body(call.body)?;
    let object = find_device(&core.tenant, call, device)?;
    core.set_account_enabled(call.now, object, change.account_enabled);
    Ok(Reply::no_content())
}

pub(super) fn delete_device(core: &mut Core, call: &Call<'_>, device: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let object = find_device(&core.tenant, call, device)?;
    core.delete_directory_device(call.now, object);
    Ok(Reply::no_content())
}

pub(super) fn registration_policy(core: &Core, call: &Call<'_>) -> Answer {
    call.query.allow_only(&[])?;
    Ok(Reply::ok(&switch(core.tenant.laps_enabled)))
}

pub(super) fn set_registration_policy(core: &mut Core, call: &Call<'_>) -> Answer {
    call.query.allow_only(&[])?;
    let policy: DeviceRegistrationPolicy = read_body(call.body)?;
    core.tenant.laps_enabled = policy.local_admin_password.is_enabled;
    Ok(Reply::ok(&switch(core.tenant.laps_enabled)))
}

const fn switch(is_enabled: bool) -> DeviceRegistrationPolicy {
    DeviceRegistrationPolicy {
        local_admin_password: LocalAdminPasswordSettings { is_enabled },
    }
}

fn named(member: &str, value: &str) -> Result<(), Refusal> {
    if value.trim().is_empty() {
        return Err(Refusal::bad_request(format!("`{member}` is empty.")));
    }
    Ok(())
}

fn find_group(tenant: &Tenant, call: &Call<'_>, id: PathId) -> Result<ObjectId, Refusal> {
    id.filter(|id| tenant.groups.contains_key(id))
        .ok_or_else(|| call.no_such("group", id))
}

fn find_device(tenant: &Tenant, call: &Call<'_>, id: PathId) -> Result<ObjectId, Refusal> {
    id.filter(|id| tenant.directory_devices.contains_key(id))
        .ok_or_else(|| call.no_such("directory device", id))
}

fn member(tenant: &Tenant, id: ObjectId) -> Option<Member> {
    let (kind, name) = match (tenant.users.get(&id), tenant.directory_devices.get(&id)) {
        (Some(user), _) => (MemberKind::User, user.display_name.as_str()),
        (None, Some(device)) => (MemberKind::Device, &*device.display_name),
        (None, None) => return None,
    };
    Some(Member {
        kind: Some(kind),
        id,
        display_name: Some(name.to_owned()),
    })
}

fn group_view(id: ObjectId, group: &state::Group) -> Group {
    Group {
        id,
        display_name: group.display_name.clone(),
        mail_enabled: false,
        mail_nickname: group.mail_nickname.clone(),
        security_enabled: true,
    }
}

/// `None` for a join state without a directory object.
fn view(id: ObjectId, device: &state::DirectoryDevice) -> Option<DirectoryDevice> {
    Some(DirectoryDevice {
        id,
        device_id: device.entra_id,
        display_name: device.display_name.to_string(),
        account_enabled: device.enabled,
        trust_type: TrustType::of(device.join_type)?,
        operating_system_version: Some(device.os_version.to_string()),
    })
}
