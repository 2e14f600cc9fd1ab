//! What is known about devices apart from their management: registrations and enrolment
//! credentials, directory objects, join states, who is signed in (contract 4 and 6).

use std::collections::{BTreeMap, HashMap, VecDeque};

use protocol::JoinType;
use protocol::control::{EnrollmentCredential, RegisterDevice};
use protocol::enrollment::Credential;
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use rand::RngCore;

use crate::assignment::Change;
use crate::core::Core;
use crate::enrollment::EnrollmentSecret;
use crate::fault::Fault;
use crate::state::{DirectoryDevice, EntraId, ManagedId, ObjectId, Registration, Tenant};

/// The registered devices, found by what they present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registrations {
    pub(crate) by_number: BTreeMap<u64, Registration>,
    /// Token text or user name.
    by_presented: HashMap<String, u64>,
    by_entra_id: HashMap<EntraId, u64>,
    /// Of the devices without an Entra device id.
    by_name: HashMap<String, u64>,
    last: u64,
}

impl Registrations {
    /// The registration whose credential this is, its age not looked at.
    pub(crate) fn find(&self, presented: &Credential) -> Option<u64> {
        let key = match presented {
            Credential::Token { text, .. } => text.expose(),
            Credential::UsernameToken { username, .. } => username.as_str(),
        };
        let number = *self.by_presented.get(key)?;
        let registration = self.by_number.get(&number)?;
        registration.secret.is(presented).then_some(number)
    }

    /// Takes a registration; the former one of the same device is void.
    fn insert(&mut self, registration: Registration) {
        self.last += 1;
        let number = self.last;
        let former = match registration.entra_id {
            Some(id) => self.by_entra_id.insert(id, number),
            None => self
                .by_name
                .insert(registration.device_name.clone(), number),
        };
        if let Some(former) = former.and_then(|former| self.by_number.remove(&former)) {
            self.by_presented.remove(former.secret.key());
        }
        self.by_presented
            .insert(registration.secret.key().to_owned(), number);
        self.by_number.insert(number, registration);
    }

    fn of_entra_id(&mut self, id: EntraId) -> Option<&mut Registration> {
        self.by_number.get_mut(self.by_entra_id.get(&id)?)
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
        if request.join_type.has_directory_object()
            && let Some(entra_id) = request.entra_device_id
        {
            self.put_directory_device(entra_id, request);
        }
        let answer = secret.for_device();
        self.registrations.insert(Registration {
            device_name: request.device_name.clone(),
            join_type: request.join_type,
            entra_id: request.entra_device_id,
            user_principal_name: request.user_principal_name.clone(),
            os_version: request.os_version.clone(),
            created_at: now,
            secret,
            bound_to: None,
        });
        answer
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
        let request = RegisterDevice {
            device_name: registration.device_name.clone(),
            join_type,
            entra_device_id: Some(entra_id),
            user_principal_name: None,
            os_version: registration.os_version.clone(),
        };
        let object = self.tenant.device_object(Some(entra_id));
        match (object, join_type.has_directory_object()) {
            (None, true) => self.put_directory_device(entra_id, &request),
            (Some(object), false) => self.delete_directory_device(now, object),
            (Some(_), true) | (None, false) => {}
        }
        let managed = self.devices.by_entra_id.get(&entra_id);
        match managed.and_then(|id| self.devices.by_id.get_mut(id)) {
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
        let Some(managed) = self.devices.by_id.get_mut(&device) else {
            return;
        };
        if managed.signed_in != user {
            managed.signed_in = user;
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
        if self.faults.on(Fault::ViewDeletedStillThere) {
            return;
        }
        let device = self.device_of_object(object);
        let Some(removed) = self.tenant.directory_devices.remove(&object) else {
            return;
        };
        self.tenant.object_by_entra_id.remove(&removed.entra_id);
        for group in self.tenant.groups_of.remove(&object).unwrap_or_default() {
            if let Some(group) = self.tenant.groups.get_mut(&group) {
                group.members.remove(&object);
            }
        }
        if let Some(device) = device {
            self.tenant.policy_revision += 1;
            self.refresh_all_reach(device);
        }
    }

    fn put_directory_device(&mut self, entra_id: EntraId, request: &RegisterDevice) {
        let object = self.tenant.device_object(Some(entra_id));
        if let Some(known) = object.and_then(|id| self.tenant.directory_devices.get_mut(&id)) {
            known.display_name.clone_from(&request.device_name);
            known.os_version.clone_from(&request.os_version);
            known.join_type = request.join_type;
            return;
        }
        let object = self.new_id();
        self.tenant.object_by_entra_id.insert(entra_id, object);
        self.tenant.directory_devices.insert(
            object,
            DirectoryDevice {
                entra_id,
                display_name: request.device_name.clone(),
                join_type: request.join_type,
                enabled: true,
                os_version: request.os_version.clone(),
                credentials: VecDeque::new(),
                recent_uploads: VecDeque::new(),
                uploads: 0,
                ad_acknowledged_at: None,
            },
        );
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
