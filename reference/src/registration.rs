//! What is known about devices apart from their management: registrations and enrolment
//! credentials, directory objects, join states, who is signed in (contract 4 and 6).

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::JoinType;
use protocol::control::{EnrollmentCredential, RegisterDevice};
use protocol::enrollment::Credential;
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use rand::RngCore;

use crate::assignment::Change;
use crate::core::Core;
use crate::enrollment::{EnrollmentSecret, proof_of};
use crate::fault::Fault;
use crate::state::{DirectoryDevice, EntraId, ManagedId, ObjectId, Registration, Tenant};
use crate::table::{Index, Places, Slot};

/// The registered devices, found by what they present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registrations {
    places: Places<Registration>,
    by_proof: Index,
    by_entra_id: Index,
    /// Of the devices without an Entra device id.
    by_name: Index,
}

impl Registrations {
    /// The registration whose credential this is, its age not looked at.
    pub(crate) fn find(&self, presented: &Credential) -> Option<Slot> {
        let proof = proof_of(presented);
        let mut candidates = self.by_proof.candidates(&proof);
        candidates.find(|slot| self.get(*slot).is_some_and(|found| found.proof == proof))
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Registration> {
        self.places.get(slot)
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Registration> {
        self.places.get_mut(slot)
    }

    /// Takes a registration; the former one of the same device is void.
    fn insert(&mut self, registration: Registration) {
        let former = match registration.entra_id {
            Some(id) => self.place_of(id),
            None => self.place_named(&registration.device_name),
        };
        if let Some(former) = former {
            self.remove(former);
        }
        let (proof, entra_id) = (registration.proof, registration.entra_id);
        let name = Arc::clone(&registration.device_name);
        let slot = self.places.add(registration);
        self.by_proof.insert(&proof, slot);
        match &entra_id {
            Some(id) => self.by_entra_id.insert(id, slot),
            None => self.by_name.insert(&*name, slot),
        }
    }

    fn remove(&mut self, slot: Slot) {
        let Some(former) = self.places.remove(slot) else {
            return;
        };
        self.by_proof.remove(&former.proof, slot);
        match &former.entra_id {
            Some(id) => self.by_entra_id.remove(id, slot),
            None => self.by_name.remove(&*former.device_name, slot),
        }
    }

    fn place_of(&self, id: EntraId) -> Option<Slot> {
        let mut candidates = self.by_entra_id.candidates(&id);
        candidates.find(|slot| {
            let found = self.get(*slot);
            found.is_some_and(|found| found.entra_id == Some(id))
        })
    }

    fn place_named(&self, name: &str) -> Option<Slot> {
        let mut candidates = self.by_name.candidates(name);
        candidates.find(|slot| {
            let found = self.get(*slot);
            found.is_some_and(|found| *found.device_name == *name)
        })
    }

    fn of_entra_id(&mut self, id: EntraId) -> Option<&mut Registration> {
        let slot = self.place_of(id)?;
        self.get_mut(slot)
    }
}

impl Core {
    /// The directory knows the device and one enrolment credential exists for it (contract 6).
    /// The caller has seen to it that join states with a directory object come with an Entra id.
    pub(crate) fn register_device(
        &mut self,
        now: UtcMillis,
        request: &RegisterDevice,
    ) -> EnrollmentCredential {
        let secret = self.new_secret(request.join_type);
        let device_name: Arc<str> = request.device_name.as_str().into();
        let os_version = self.common.texts.share(request.os_version.as_str());
        if request.join_type.has_directory_object()
            && let Some(entra_id) = request.entra_device_id
        {
            let names = (&device_name, &os_version);
            self.put_directory_device(entra_id, request.join_type, names);
        }
        self.registrations.insert(Registration {
            device_name,
            join_type: request.join_type,
            entra_id: request.entra_device_id,
            user_principal_name: request.user_principal_name.as_deref().map(Into::into),
            os_version,
            created_at: now,
            proof: secret.proof(),
            bound_to: None,
        });
        secret.for_device()
    }

    /// The device was joined otherwise; counts from its next session. False: no such device.
    pub(crate) fn rejoin_device(
        &mut self,
        now: UtcMillis,
        entra_id: EntraId,
        join_type: JoinType,
    ) -> bool {
        let Some(registration) = self.registrations.of_entra_id(entra_id) else {
            return false;
        };
        registration.join_type = join_type;
        let name = Arc::clone(&registration.device_name);
        let os_version = Arc::clone(&registration.os_version);
        let object = self.tenant.device_object(Some(entra_id));
        match (object, join_type.has_directory_object()) {
            (None, true) => self.put_directory_device(entra_id, join_type, (&name, &os_version)),
            (Some(object), false) => self.delete_directory_device(now, object),
            (Some(_), true) | (None, false) => {}
        }
        let managed = self.devices.of_entra_id(entra_id);
        match managed.and_then(|id| self.devices.by_id.get_mut(&id)) {
            Some(managed) => {
                managed.next_join_type = Some(join_type);
                managed.settled_for = None;
            }
            None => self.tenant.set_join_type(Some(entra_id), join_type),
        }
        true
    }

    /// Who is signed in on a device now; `None`: nobody.
    pub(crate) fn sign_in(&mut self, now: UtcMillis, device: ManagedId, user: Option<ObjectId>) {
        let Some(managed) = self.devices.by_id.get(&device) else {
            return;
        };
        if managed.signed_in != user {
            self.devices.set_signed_in(device, user);
            self.policies_changed(now, Change::SignIn(device));
        }
    }

    /// Contract 5: a rotation of a disabled device fails, so what is pending fails with it.
    pub(crate) fn set_account_enabled(&mut self, now: UtcMillis, object: ObjectId, enabled: bool) {
        let Some(found) = self.tenant.directory_devices.get_mut(&object) else {
            return;
        };
        found.enabled = enabled;
        if !enabled && let Some(device) = self.device_of_object(object) {
            self.refuse_pending_rotations(now, device, "disabled");
        }
    }

    /// Deletes a directory device with its credentials (contract 4) and memberships.
    pub(crate) fn delete_directory_device(&mut self, _now: UtcMillis, object: ObjectId) {
        let device = self.device_of_object(object);
        let managed = device.and_then(|id| self.devices.by_id.get(&id));
        let known = self.tenant.directory_devices.contains_key(&object);
        if known && self.faults.on_any(Fault::ViewDeletedStillThere, managed) {
            return;
        }
        if self.tenant.remove_directory_device(object).is_none() {
            return;
        }
        if let Some(device) = device {
            self.tenant.policy_revision += 1;
            self.refresh_all_reach(device);
        }
    }

    fn put_directory_device(
        &mut self,
        entra_id: EntraId,
        join_type: JoinType,
        (name, os_version): (&Arc<str>, &Arc<str>),
    ) {
        let object = self.tenant.device_object(Some(entra_id));
        if let Some(known) = object.and_then(|id| self.tenant.directory_devices.get_mut(&id)) {
            known.display_name = Arc::clone(name);
            known.os_version = Arc::clone(os_version);
            known.join_type = join_type;
            return;
        }
        let id = self.new_id();
        self.tenant.add_directory_device(DirectoryDevice {
            id,
            entra_id,
            display_name: Arc::clone(name),
            join_type,
            enabled: true,
            os_version: Arc::clone(os_version),
            groups: Vec::new(),
            credentials: VecDeque::new(),
            recent_uploads: VecDeque::new(),
            uploads: 0,
            ad_acknowledged_at: None,
        });
    }

    /// Contract 6: a token for the join states with a directory object, an account for the others.
    fn new_secret(&mut self, join_type: JoinType) -> EnrollmentSecret {
        if join_type.has_directory_object() {
            return EnrollmentSecret::Token(self.new_secret_text());
        }
        EnrollmentSecret::Account {
            username: format!("enrol-{:016x}@muster.test", self.rng.next_u64()),
            password: self.new_secret_text(),
        }
    }

    /// 192 random bits as base64, whose letters need no escape in XML.
    pub(crate) fn new_secret_text(&mut self) -> Secret {
        use base64::Engine;
        let mut bytes = [0; 24];
        self.rng.fill_bytes(&mut bytes);
        Secret::new(base64::engine::general_purpose::STANDARD.encode(bytes))
    }
}

impl Tenant {
    pub(crate) fn set_join_type(&mut self, entra_id: Option<EntraId>, join_type: JoinType) {
        let object = self.device_object(entra_id);
        if let Some(object) = object.and_then(|id| self.directory_devices.get_mut(&id)) {
            object.join_type = join_type;
        }
    }
}
