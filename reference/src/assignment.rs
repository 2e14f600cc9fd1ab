//! Which policies reach a device, and whom a change concerns (contract 3, 5 and 6).
//!
//! The rows of a device are kept in step: a policy has a row on a device exactly while it reaches
//! the device.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::time::UtcMillis;

use crate::core::Core;
use crate::fault::Fault;
use crate::rows::{PolicyRow, ReportedRow, RowState, SettingRow};
use crate::state::{
    AssignmentTarget, ManagedDevice, ManagedId, ObjectId, Policy, PolicyId, Tenant,
};

/// Whose user policies count on a device, and whether that user is signed in with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserContext {
    /// The user whose policies count.
    pub(crate) user: Option<ObjectId>,
    /// The user is signed in and the session says so; otherwise what only this user's policies set
    /// stays as it is (contract 6, sign-ins).
    pub(crate) present: bool,
}

/// By which way a policy reaches a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By the device, at least.
    Device,
    /// By its user alone.
    User,
}

/// A change that may alter what devices should have; the tenant has it already.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The policy was assigned otherwise; these were its targets before.
    Assignments(PolicyId, Vec<AssignmentTarget>),
    /// The leaves of the policy changed (a new name or description alone is no such change).
    Settings(PolicyId),
    /// The policy was deleted; this is what it was.
    Deleted(PolicyId, Box<Policy>),
    /// The object (device or user) joined or left a group.
    Membership(ObjectId),
    /// Another user, or nobody, is signed in on the device.
    SignIn(ManagedId),
}

impl Core {
    /// Sets the rows of the devices concerned and wakes these devices.
    pub(crate) fn policies_changed(&mut self, _now: UtcMillis, change: Change) {
        self.tenant.policy_revision += 1;
        match change {
            Change::Assignments(policy, before) => {
                let found = self.tenant.policies.get(&policy);
                let after = found.map_or(&[][..], |policy| &policy.assignments);
                let changed = only_in_one(&before, after);
                for device in self.concerned(&changed) {
                    self.refresh_reach(device, policy);
                }
            }
            Change::Deleted(policy, former) => {
                for device in self.reachable(&former.assignments) {
                    self.refresh_reach(device, policy);
                }
            }
            Change::Settings(policy) => self.settings_changed(policy),
            Change::Membership(object) => {
                for device in self.devices_of(object) {
                    self.refresh_all_reach(device);
                }
            }
            Change::SignIn(device) => self.refresh_all_reach(device),
        }
    }

    /// Gives a new device the rows of the policies that reach it.
    pub(crate) fn refresh_all_reach(&mut self, device: ManagedId) {
        let Some(managed) = self.devices.by_id.get(&device) else {
            return;
        };
        let mut policies: BTreeSet<PolicyId> = managed.rows.keys().collect();
        policies.extend(self.tenant.policies.keys().copied());
        for policy in policies {
            self.refresh_reach(device, policy);
        }
    }

    fn settings_changed(&mut self, policy: PolicyId) {
        let Some(found) = self.tenant.policies.get(&policy) else {
            return;
        };
        let targets = found.assignments.clone();
        let unknown = self.common.rows.share(unknown_row(policy, found));
        for device in self.reachable(&targets) {
            let Some(managed) = self.devices.by_id.get_mut(&device) else {
                continue;
            };
            let Some(row) = managed.rows.get(&policy) else {
                continue;
            };
            // Contract 5: an edit does not hide a conflict.
            if row.state != RowState::Conflict {
                let unknown = Arc::clone(&unknown);
                managed.rows.put(ReportedRow::unreported(policy, unknown));
            }
            managed.overtaken(policy);
            self.variant.shows_now(device);
            self.wake(device);
        }
    }

    /// Compares whether a policy reaches a device with whether it has a row there.
    fn refresh_reach(&mut self, device: ManagedId, policy: PolicyId) {
        let Some(managed) = self.devices.by_id.get(&device) else {
            return;
        };
        let user = managed.expected_user();
        let found = self.tenant.policies.get(&policy);
        let reaches = found.is_some_and(|found| {
            self.tenant
                .reach(&found.assignments, managed, user)
                .is_some()
        });
        match (found, reaches, managed.rows.contains_key(&policy)) {
            (Some(found), true, false) => {
                let mut row = unknown_row(policy, found);
                if self.faults.on_device(Fault::AssignOfflineSucceeds, managed) {
                    row.state = RowState::Compliant;
                }
                let row = ReportedRow::unreported(policy, self.common.rows.share(row));
                self.devices.change_rows(device, |rows| rows.put(row));
            }
            (Some(_) | None, false, true) => {
                self.devices
                    .change_rows(device, |rows| rows.remove(&policy));
            }
            (Some(_) | None, true, _) | (Some(_) | None, false, false) => return,
        }
        if let Some(managed) = self.devices.by_id.get_mut(&device) {
            managed.overtaken(policy);
        }
        self.variant.shows_now(device);
        self.wake(device);
    }

    /// Every device that these targets may reach. An exclusion concerns only devices that another
    /// target reaches.
    fn reachable(&self, targets: &[AssignmentTarget]) -> BTreeSet<ManagedId> {
        let reaches = |target: &AssignmentTarget| match target {
            AssignmentTarget::Group(_)
            | AssignmentTarget::AllDevices
            | AssignmentTarget::AllLicensedUsers => true,
            AssignmentTarget::ExcludedGroup(_) => false,
        };
        let targets: Vec<AssignmentTarget> = targets.iter().copied().filter(reaches).collect();
        self.concerned(&targets)
    }

    /// Every device to which these targets make a difference.
    fn concerned(&self, targets: &[AssignmentTarget]) -> BTreeSet<ManagedId> {
        if targets.contains(&AssignmentTarget::AllDevices) {
            return self.devices.by_id.keys().copied().collect();
        }
        let mut devices = BTreeSet::new();
        let mut users = BTreeSet::new();
        for target in targets {
            let members = match target {
                AssignmentTarget::Group(group) | AssignmentTarget::ExcludedGroup(group) => {
                    self.tenant.groups.get(group)
                }
                AssignmentTarget::AllLicensedUsers => {
                    users.extend(self.tenant.users.keys().copied());
                    None
                }
                AssignmentTarget::AllDevices => None,
            };
            let members = members.into_iter().flat_map(|group| &group.members);
            for member in members {
                match self.device_of_object(*member) {
                    Some(device) => devices.extend([device]),
                    None => users.extend([*member]),
                }
            }
        }
        if !users.is_empty() {
            let with_user = users
                .into_iter()
                .flat_map(|user| self.devices.with_user(user));
            devices.extend(with_user);
        }
        devices
    }

    /// The devices on which a directory object counts.
    fn devices_of(&self, object: ObjectId) -> Vec<ManagedId> {
        if let Some(device) = self.device_of_object(object) {
            return vec![device];
        }
        if !self.tenant.users.contains_key(&object) {
            return Vec::new();
        }
        self.devices.with_user(object).collect()
    }

    pub(crate) fn device_of_object(&self, object: ObjectId) -> Option<ManagedId> {
        let entra_id = self.tenant.directory_devices.get(&object)?.entra_id;
        self.devices.of_entra_id(entra_id)
    }
}

impl Tenant {
    /// Whether a policy with these targets reaches a device with this user, and by which way.
    pub(crate) fn reach(
        &self,
        targets: &[AssignmentTarget],
        device: &ManagedDevice,
        user: Option<ObjectId>,
    ) -> Option<Reach> {
        let of_device = self
            .directory_device(device.entra_id)
            .map_or(&[][..], |object| &object.groups);
        let of_user = user.map_or(&[][..], |user| self.groups_of(user));
        let mut by_device = false;
        let mut by_user = false;
        for target in targets {
            match *target {
                AssignmentTarget::AllDevices => by_device = true,
                AssignmentTarget::AllLicensedUsers => by_user |= user.is_some(),
                AssignmentTarget::Group(group) => {
                    by_device |= of_device.contains(&group);
                    by_user |= of_user.contains(&group);
                }
                AssignmentTarget::ExcludedGroup(group)
                    if of_device.contains(&group) || of_user.contains(&group) =>
                {
                    return None;
                }
                AssignmentTarget::ExcludedGroup(_) => {}
            }
        }
        match (by_device, by_user) {
            (true, _) => Some(Reach::Device),
            (false, true) => Some(Reach::User),
            (false, false) => None,
        }
    }
}

impl ManagedDevice {
    /// The user whose policies will count at the next session, as far as is known now.
    pub(crate) fn expected_user(&self) -> Option<ObjectId> {
        self.signed_in.or(self.last_user)
    }

    /// The user whose policies count in a session with this LoginStatus (contract 6).
    pub(crate) fn user_context(&self, login_is_user: bool) -> UserContext {
        match self.signed_in {
            Some(user) if login_is_user => UserContext {
                user: Some(user),
                present: true,
            },
            Some(_) | None => UserContext {
                user: self.last_user,
                present: false,
            },
        }
    }

    /// What the device should get from this policy changed: the next session looks again, and one
    /// that is running does not speak for this policy.
    fn overtaken(&mut self, policy: PolicyId) {
        self.settled_for = None;
        if let Some(session) = &mut self.session {
            session.overtaken.insert(policy);
        }
    }
}

/// The targets that stand in one of the lists and not in the other.
fn only_in_one(one: &[AssignmentTarget], other: &[AssignmentTarget]) -> Vec<AssignmentTarget> {
    let missing = |from: &[AssignmentTarget], target: &AssignmentTarget| !from.contains(target);
    let gone = one.iter().filter(|target| missing(other, target));
    let new = other.iter().filter(|target| missing(one, target));
    gone.chain(new).copied().collect()
}

fn unknown_row(id: PolicyId, policy: &Policy) -> PolicyRow {
    let unknown = SettingRow {
        state: RowState::Unknown,
        error_code: None,
        sources: vec![id],
    };
    PolicyRow {
        state: RowState::Unknown,
        settings: policy
            .leaves
            .keys()
            .map(|leaf| (*leaf, unknown.clone()))
            .collect(),
    }
}
