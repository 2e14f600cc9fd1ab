//! The managed devices and the ways to find them.
//!
//! Whatever is asked of one device is answered without looking at the others: by certificate,
//! DeviceID, directory device, name, user, policy, and which devices have a conflict.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeBounds;

use crate::rows::{RowState, Rows};
use crate::state::{EntraId, ManagedDevice, ManagedId, ObjectId, PolicyId};
use crate::table::{Index, Slot, Table};

/// All managed devices with their indexes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Devices {
    pub(crate) by_id: Table<ManagedDevice>,
    by_certificate: Index,
    by_device_id: Index,
    by_entra_id: Index,
    by_name: Index,
    /// By [`ManagedDevice::expected_user`].
    by_user: Index,
    /// The devices with a row of each policy.
    by_policy: HashMap<PolicyId, BTreeSet<Slot>>,
    /// The devices with a row in conflict.
    in_conflict: BTreeSet<ManagedId>,
}

impl Devices {
    /// Puts a device into all indexes.
    pub(crate) fn insert(&mut self, device: ManagedDevice) {
        let id = device.id;
        self.remove(id);
        let slot = self.by_id.insert(id, device);
        let Some(device) = self.by_id.at(slot) else {
            return;
        };
        self.by_certificate.insert(&device.certificate_digest, slot);
        self.by_device_id.insert(&*device.device_id, slot);
        self.by_name.insert(&*device.device_name, slot);
        if let Some(entra_id) = &device.entra_id {
            self.by_entra_id.insert(entra_id, slot);
        }
        if let Some(user) = &device.expected_user() {
            self.by_user.insert(user, slot);
        }
        self.change_rows(id, |_| {});
    }

    /// Takes a device out of all indexes.
    pub(crate) fn remove(&mut self, id: ManagedId) -> Option<ManagedDevice> {
        let slot = self.by_id.slot_of(&id)?;
        let device = self.by_id.remove(&id)?;
        self.by_certificate.remove(&device.certificate_digest, slot);
        self.by_device_id.remove(&*device.device_id, slot);
        self.by_name.remove(&*device.device_name, slot);
        if let Some(entra_id) = &device.entra_id {
            self.by_entra_id.remove(entra_id, slot);
        }
        if let Some(user) = &device.expected_user() {
            self.by_user.remove(user, slot);
        }
        for policy in device.rows.keys() {
            self.forget_row(policy, slot);
        }
        self.in_conflict.remove(&id);
        Some(device)
    }

    /// The device with this certificate.
    pub(crate) fn of_certificate(&self, digest: &[u8; 32]) -> Option<&ManagedDevice> {
        self.found(&self.by_certificate, digest)
            .find(|device| device.certificate_digest == *digest)
    }

    /// The device with this DeviceID.
    pub(crate) fn of_device_id(&self, device_id: &str) -> Option<ManagedId> {
        self.found(&self.by_device_id, device_id)
            .find(|device| *device.device_id == *device_id)
            .map(|device| device.id)
    }

    /// The enrolment of a directory device.
    pub(crate) fn of_entra_id(&self, entra_id: EntraId) -> Option<ManagedId> {
        self.found(&self.by_entra_id, &entra_id)
            .find(|device| device.entra_id == Some(entra_id))
            .map(|device| device.id)
    }

    /// The devices with this name, in the order of their ids.
    pub(crate) fn named(&self, name: &str) -> BTreeSet<ManagedId> {
        self.found(&self.by_name, name)
            .filter(|device| *device.device_name == *name)
            .map(|device| device.id)
            .collect()
    }

    /// The devices on which this user is expected.
    pub(crate) fn with_user(&self, user: ObjectId) -> impl Iterator<Item = ManagedId> {
        self.found(&self.by_user, &user)
            .filter(move |device| device.expected_user() == Some(user))
            .map(|device| device.id)
    }

    /// Who is signed in on a device from now on.
    pub(crate) fn set_signed_in(&mut self, id: ManagedId, user: Option<ObjectId>) {
        let Some((slot, device)) = self.by_id.entry(&id) else {
            return;
        };
        let before = device.expected_user();
        device.signed_in = user;
        let after = device.expected_user();
        if let Some(before) = &before {
            self.by_user.remove(before, slot);
        }
        if let Some(after) = &after {
            self.by_user.insert(after, slot);
        }
    }

    /// Changes the rows of a device; whatever adds, removes or computes one goes this way.
    pub(crate) fn change_rows(&mut self, id: ManagedId, change: impl FnOnce(&mut Rows)) {
        let Some((slot, device)) = self.by_id.entry(&id) else {
            return;
        };
        let before: Vec<PolicyId> = device.rows.keys().collect();
        change(&mut device.rows);
        let after: Vec<PolicyId> = device.rows.keys().collect();
        let clashes = device
            .rows
            .values()
            .any(|row| row.has_setting(RowState::Conflict));
        if clashes {
            self.in_conflict.insert(id);
        } else {
            self.in_conflict.remove(&id);
        }
        for policy in before.iter().filter(|policy| !after.contains(policy)) {
            self.forget_row(*policy, slot);
        }
        for policy in after {
            self.by_policy.entry(policy).or_default().insert(slot);
        }
    }

    /// The devices with a row of this policy, in the order of their places.
    pub(crate) fn with_row(
        &self,
        policy: PolicyId,
        places: impl RangeBounds<Slot>,
    ) -> impl Iterator<Item = (Slot, &ManagedDevice)> {
        let slots = self.by_policy.get(&policy);
        let slots = slots.into_iter().flat_map(move |slots| {
            let bounds = (places.start_bound().cloned(), places.end_bound().cloned());
            slots.range(bounds)
        });
        slots.filter_map(move |slot| Some((*slot, self.by_id.at(*slot)?)))
    }

    /// The devices with a row in conflict, in the order of their ids.
    pub(crate) fn in_conflict(&self) -> impl Iterator<Item = &ManagedDevice> {
        self.in_conflict.iter().filter_map(|id| self.by_id.get(id))
    }

    fn forget_row(&mut self, policy: PolicyId, slot: Slot) {
        if let Some(slots) = self.by_policy.get_mut(&policy) {
            slots.remove(&slot);
            if slots.is_empty() {
                self.by_policy.remove(&policy);
            }
        }
    }

    fn found<'s, K: std::hash::Hash + ?Sized>(
        &'s self,
        index: &'s Index,
        key: &K,
    ) -> impl Iterator<Item = &'s ManagedDevice> + use<'s, K> {
        index.candidates(key).filter_map(|slot| self.by_id.at(slot))
    }
}
