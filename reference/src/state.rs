//! What the core keeps: the tenant (directory, policies, actors) and the managed devices.
//!
//! Plain data with lookups. The rules live in the modules that change it: enrolment, sessions,
//! assignment, conflicts, actions, the admin plane.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};
use protocol::time::{UtcMillis, UtcTicks};
use uuid::Uuid;

use crate::guarded::{Guarded, Moment};
use crate::interned::Interned;
use crate::rows::{PolicyRow, Rows};
use crate::seldom::Seldom;
use crate::table::{Index, Table};

/// Object id of a directory object (user, group, device).
pub(crate) type ObjectId = Uuid;
/// Microsoft Entra device id.
pub(crate) type EntraId = Uuid;
/// Id of a managed device.
pub(crate) type ManagedId = Uuid;
/// Id of a policy.
pub(crate) type PolicyId = Uuid;

/// Everything that is not state of one managed device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tenant {
    pub(crate) users: Table<User>,
    /// By [`User::key`].
    users_by_name: Index,
    pub(crate) groups: BTreeMap<ObjectId, Group>,
    pub(crate) directory_devices: Table<DirectoryDevice>,
    objects_by_entra_id: Index,
    pub(crate) policies: BTreeMap<PolicyId, Policy>,
    /// Counts every change of policies and assignments; a session notes the value it was computed from.
    pub(crate) policy_revision: u64,
    /// How many policies were ever made.
    pub(crate) policies_made: u64,
    pub(crate) laps_enabled: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: ObjectId,
    pub(crate) user_principal_name: String,
    pub(crate) display_name: String,
    /// The groups that hold it, kept in step with them.
    pub(crate) groups: Vec<ObjectId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) display_name: String,
    pub(crate) mail_nickname: String,
    pub(crate) members: BTreeSet<ObjectId>,
}

#[derive(Clone, Debug)]
pub(crate) struct DirectoryDevice {
    pub(crate) id: ObjectId,
    pub(crate) entra_id: EntraId,
    pub(crate) display_name: Arc<str>,
    pub(crate) join_type: JoinType,
    pub(crate) enabled: bool,
    pub(crate) os_version: Arc<str>,
    /// The groups that hold it, kept in step with them.
    pub(crate) groups: Vec<ObjectId>,
    /// Newest first, at most 3 (contract 4).
    pub(crate) credentials: VecDeque<StoredCredential>,
    /// Keys of the last 16 uploads with a digest of the body (contract 4).
    pub(crate) recent_uploads: VecDeque<(Uuid, crate::credential::BodyDigest)>,
    /// Counts the uploads stored, so that an upload after an Exec is told from one before it.
    pub(crate) uploads: u64,
    /// When the device last acknowledged `BackupDirectory` 2, which hides what was stored before
    /// (contract 5, `deviceLocalCredentials`).
    pub(crate) ad_acknowledged_at: Option<UtcMillis>,
}

/// A credential as uploaded; the password is not printed.
#[derive(Clone)]
pub(crate) struct StoredCredential {
    pub(crate) account_name: Arc<str>,
    pub(crate) account_sid: Box<str>,
    pub(crate) password_base64: Box<str>,
    pub(crate) backup_at: UtcTicks,
    pub(crate) refresh_at: UtcTicks,
    /// By the core's clock.
    pub(crate) received_at: UtcMillis,
}

impl std::fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredCredential")
            .field("account_name", &self.account_name)
            .field("backup_at", &self.backup_at)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) scope_tags: Vec<String>,
    /// The settings exactly as given, for reading back.
    pub(crate) settings: Vec<protocol::graph::policy::Setting>,
    /// What they mean for a device.
    pub(crate) leaves: BTreeMap<Leaf, Value>,
    pub(crate) assignments: Vec<AssignmentTarget>,
    pub(crate) created_at: UtcMillis,
    /// How many policies were made before it: several are made within a millisecond.
    pub(crate) order: u64,
    pub(crate) modified_at: UtcMillis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AssignmentTarget {
    Group(ObjectId),
    ExcludedGroup(ObjectId),
    AllDevices,
    AllLicensedUsers,
}

/// What the control plane registered and the device has to present when it enrols.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) device_name: Arc<str>,
    pub(crate) join_type: JoinType,
    pub(crate) entra_id: Option<EntraId>,
    pub(crate) user_principal_name: Option<Arc<str>>,
    pub(crate) os_version: Arc<str>,
    pub(crate) created_at: UtcMillis,
    /// By what the credential that the device presents is known.
    pub(crate) proof: crate::enrollment::Proof,
    /// The DeviceID of the first success (contract 1).
    pub(crate) bound_to: Option<Arc<str>>,
}

/// One enrolment of one device.
#[derive(Clone, Debug)]
pub(crate) struct ManagedDevice {
    pub(crate) id: ManagedId,
    /// `./DevInfo/DevId`, the CN of the certificate.
    pub(crate) device_id: Arc<str>,
    pub(crate) device_name: Arc<str>,
    pub(crate) join_type: JoinType,
    /// How the device was joined meanwhile; counts from the next session (contract 6).
    pub(crate) next_join_type: Option<JoinType>,
    pub(crate) entra_id: Option<EntraId>,
    pub(crate) user_principal_name: Option<Arc<str>>,
    pub(crate) os_version: Arc<str>,
    /// Third number of the version, for example 26100.
    pub(crate) build: u32,
    pub(crate) certificate_digest: [u8; 32],
    pub(crate) certificate_expires_at: UtcMillis,
    pub(crate) enrolled_at: UtcMillis,
    pub(crate) last_sync_at: Moment,
    /// Who is signed in, as the control plane says (contract 6).
    pub(crate) signed_in: Option<ObjectId>,
    /// The user whose policies counted last, which stay while nobody is signed in.
    pub(crate) last_user: Option<ObjectId>,
    /// Values the device acknowledged.
    pub(crate) acknowledged: Arc<BTreeMap<Leaf, Value>>,
    /// State of each policy that reaches the device, as of the end of its last session.
    pub(crate) rows: Rows,
    /// Policies withheld as a whole until they are in no conflict on this device (contract 5).
    pub(crate) withheld: BTreeSet<PolicyId>,
    /// The user context for which the device has all it should have; `None` when anything changed
    /// since, so that a check-in without news touches nothing but this row.
    pub(crate) settled_for: Option<crate::assignment::UserContext>,
    /// Newest last; never shortened (contract 5: every past action stays listed).
    pub(crate) actions: Vec<Action>,
    pub(crate) push: PushChannel,
    /// An LAPS status that was read as successful under AD backup (contract 2, F-055).
    pub(crate) ad_backup_seen: bool,
    pub(crate) session: Option<Box<crate::session::Session>>,
    /// The answer to the message last answered, for repeats within 60 s (contract 2).
    pub(crate) last_answer: Guarded<Option<LastAnswer>>,
    /// What deliberate defects remember; empty while none is switched on.
    pub(crate) defects: Seldom<crate::defect::Memory>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct PushChannel {
    pub(crate) uri: Option<Box<str>>,
    /// When the channel was last read as good; asked again after 15 days.
    pub(crate) good_at: Option<UtcMillis>,
    /// `Push` and `Push/PFN` were acknowledged in this enrolment.
    pub(crate) configured: bool,
    /// Unanswered pushes of rotations, which hold package 1 back (contract 3).
    pub(crate) outstanding: Vec<crate::presence::PushId>,
}

#[derive(Clone, Debug)]
pub(crate) struct LastAnswer {
    /// The bytes answered, SessionID and MsgID among them.
    pub(crate) request_digest: crate::session::MessageDigest,
    pub(crate) answered_at: UtcMillis,
    pub(crate) kept: crate::session::Kept,
}

/// One requested action of a device.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) id: u64,
    pub(crate) kind: ActionKind,
    pub(crate) state: ActionState,
    pub(crate) started_at: UtcMillis,
    pub(crate) updated_at: UtcMillis,
    pub(crate) error_code: Option<i64>,
    pub(crate) detail: Option<String>,
    /// When its Exec went out (core's clock).
    pub(crate) exec_sent_at: Option<UtcMillis>,
    /// [`DirectoryDevice::uploads`] when its Exec went out.
    pub(crate) uploads_before: u64,
    /// The push whose answer decides whether it may go out at all (contract 3).
    pub(crate) awaiting: Option<crate::presence::PushId>,
    /// The Exec is known to have arrived: its Status, or E_PENDING after a lost Status.
    pub(crate) arrived: bool,
    /// Sessions that ended with the rotation still running (contract 2, rotation).
    pub(crate) sessions_waited: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionKind {
    RotateLocalAdminPassword,
    SyncDevice,
    Retire,
    Wipe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionState {
    Pending,
    Active,
    Done,
    Failed,
    Canceled,
}

impl ActionState {
    /// True for pending and active.
    pub(crate) const fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Active => true,
            Self::Done | Self::Failed | Self::Canceled => false,
        }
    }
}

impl Tenant {
    /// An empty tenant whose LAPS switch is on (contract 4).
    pub(crate) fn new() -> Self {
        Self {
            laps_enabled: true,
            ..Self::default()
        }
    }

    /// The directory object of a device, while it exists.
    pub(crate) fn device_object(&self, entra_id: Option<EntraId>) -> Option<ObjectId> {
        let entra_id = entra_id?;
        self.device_with(entra_id).map(|(object, _)| object)
    }

    fn device_with(&self, entra_id: EntraId) -> Option<(ObjectId, &DirectoryDevice)> {
        self.objects_by_entra_id
            .candidates(&entra_id)
            .filter_map(|slot| self.directory_devices.at(slot))
            .find(|device| device.entra_id == entra_id)
            .map(|device| (device.id, device))
    }

    /// Takes a new directory device.
    pub(crate) fn add_directory_device(&mut self, device: DirectoryDevice) {
        let entra_id = device.entra_id;
        let slot = self.directory_devices.insert(device.id, device);
        self.objects_by_entra_id.insert(&entra_id, slot);
    }

    /// Deletes a directory device with its memberships.
    pub(crate) fn remove_directory_device(&mut self, object: ObjectId) -> Option<DirectoryDevice> {
        let slot = self.directory_devices.slot_of(&object)?;
        let device = self.directory_devices.remove(&object)?;
        self.objects_by_entra_id.remove(&device.entra_id, slot);
        for group in &device.groups {
            if let Some(group) = self.groups.get_mut(group) {
                group.members.remove(&object);
            }
        }
        Some(device)
    }

    /// Takes a new user.
    pub(crate) fn add_user(&mut self, user: User) {
        let key = user.key();
        let slot = self.users.insert(user.id, user);
        self.users_by_name.insert(key.as_str(), slot);
    }

    /// The user with this name, in any case.
    pub(crate) fn user_named(&self, name: &str) -> Option<ObjectId> {
        let key = name.to_ascii_lowercase();
        self.users_by_name
            .candidates(key.as_str())
            .filter_map(|slot| self.users.at(slot))
            .find(|user| user.user_principal_name.eq_ignore_ascii_case(name))
            .map(|user| user.id)
    }

    /// The groups that hold an object; `None` when there is no such object.
    pub(crate) fn groups_of_mut(&mut self, object: ObjectId) -> Option<&mut Vec<ObjectId>> {
        match self.users.get_mut(&object) {
            Some(user) => Some(&mut user.groups),
            None => self
                .directory_devices
                .get_mut(&object)
                .map(|device| &mut device.groups),
        }
    }

    pub(crate) fn directory_device(&self, entra_id: Option<EntraId>) -> Option<&DirectoryDevice> {
        self.device_with(entra_id?).map(|(_, device)| device)
    }

    /// The groups that hold an object.
    pub(crate) fn groups_of(&self, object: ObjectId) -> &[ObjectId] {
        match (self.users.get(&object), self.directory_devices.get(&object)) {
            (Some(user), _) => &user.groups,
            (None, Some(device)) => &device.groups,
            (None, None) => &[],
        }
    }
}

impl User {
    /// What it is found by.
    fn key(&self) -> String {
        self.user_principal_name.to_ascii_lowercase()
    }
}

/// What many devices have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Common {
    pub(crate) texts: Interned<str>,
    pub(crate) rows: Interned<PolicyRow>,
    pub(crate) acknowledged: Interned<BTreeMap<Leaf, Value>>,
}

impl ManagedDevice {
    /// The action with this id.
    pub(crate) fn action_mut(&mut self, id: u64) -> Option<&mut Action> {
        self.actions.iter_mut().rev().find(|action| action.id == id)
    }

    /// What the device acknowledged for `BackupDirectory`.
    pub(crate) fn backup_directory(&self) -> Option<i32> {
        match self.acknowledged.get(&Leaf::BackupDirectory) {
            Some(Value::Int(directory)) => Some(*directory),
            Some(Value::Bool(_) | Value::Text(_)) | None => None,
        }
    }
}
