//! When a rotation begins, and how it ends: directory first, then the local account (F-080).

use protocol::JoinType;
use protocol::directory::{CredentialUpload, password_to_base64};
use protocol::laps_csp::E_PENDING;
use protocol::secret::Secret;
use protocol::time::UtcMillis;
use uuid::Uuid;

use crate::connectivity::Connectivity;
use crate::event::{BackupFailure, Event, Events, NothingManaged, RotationKind};
use crate::fault::DeviceFault;
use crate::identity::{Identity, ResetTiming};
use crate::laps::account::{self, Account};
use crate::laps::directory::ActiveDirectoryRecord;
use crate::laps::policy::{BackupDirectory, PolicySource};
use crate::laps::{Backup, Ground, Laps, Rotation, Settled, Stage, Store, password};
use crate::random::{Purpose, stream};

/// An upload to the directory.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) key: Uuid,
    /// JSON of a [`CredentialUpload`].
    pub(crate) body: Vec<u8>,
}

/// How an upload ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UploadEnd {
    Answered(u16),
    NoAnswer,
    Offline,
}

/// How often a rotation after an authentication is tried again (F-120).
const POST_AUTHENTICATION_RETRIES: u8 = 100;

impl Laps {
    /// One cycle: rotates when it is time to (F-062, F-070).
    pub(crate) fn cycle(&mut self, now: UtcMillis, ground: &Ground<'_>, events: &mut Events) {
        let (store, at) = match self.target(ground) {
            Ok(target) => target,
            Err(reason) => return self.manage_nothing(reason, events),
        };
        self.unmanaged = None;
        if self.rotation.is_none()
            && let Some(kind) = self.due(now, store, at, ground)
        {
            self.rotate(now, kind, ground, events);
        }
    }

    /// An Exec of `ResetPassword`: a new password whatever the age of the present one (F-054).
    pub(crate) fn reset_password(
        &mut self,
        now: UtcMillis,
        ground: &Ground<'_>,
        events: &mut Events,
    ) {
        if let Some(rotation) = self.rotation.as_deref_mut() {
            // One password answers both: the one under way is newer than the Exec.
            rotation.kind = RotationKind::Manual;
            rotation.answers_exec = true;
            self.reset_status = E_PENDING;
            return;
        }
        match self.target(ground) {
            Err(NothingManaged::AccountMissing) => self.reset_status = ACCOUNT_NOT_FOUND,
            Err(NothingManaged::BackupDisabled | NothingManaged::JoinType) => {
                self.reset_status = NOT_SUPPORTED;
            }
            Ok(_) if self.minds_age(now, ground) => self.reset_status = 0,
            Ok(_) => match ground.identity.reset {
                ResetTiming::BeforeStatus => self.rotate(now, RotationKind::Manual, ground, events),
                ResetTiming::Deferred { reads } => {
                    self.begin(RotationKind::Manual, Stage::Deferred { reads }, ground);
                }
            },
        }
    }

    /// A read of `ResetPasswordStatus`; a rotation held back goes on when its reads are used up.
    pub(crate) fn status_read(&mut self, now: UtcMillis, ground: &Ground<'_>, events: &mut Events) {
        let Some(rotation) = self.rotation.as_deref_mut() else {
            return;
        };
        match rotation.stage {
            Stage::Deferred { reads: 0 } => self.release(now, ground, events),
            Stage::Deferred { reads } => rotation.stage = Stage::Deferred { reads: reads - 1 },
            Stage::Waiting | Stage::Sent { .. } => {}
        }
    }

    /// The end of a session: a rotation whose reads are used up goes on.
    pub(crate) fn session_ended(
        &mut self,
        now: UtcMillis,
        ground: &Ground<'_>,
        events: &mut Events,
    ) {
        if let Some(Stage::Deferred { reads: 0 }) = self.rotation.as_ref().map(|it| it.stage) {
            self.release(now, ground, events);
        }
    }

    /// The deadline after an authentication with the managed account (F-120).
    pub(crate) fn post_authentication(
        &mut self,
        now: UtcMillis,
        ground: &Ground<'_>,
        events: &mut Events,
    ) {
        // F-121: a delay of 0 disables it, also when it came after the authentication.
        let wanted = ground.policy.post_authentication_delay_h > 0 && self.target(ground).is_ok();
        if wanted && self.rotation.is_none() {
            self.rotate(now, RotationKind::PostAuthentication, ground, events);
        }
    }

    /// Notes a failed rotation after an authentication and says whether to try again.
    pub(crate) fn post_authentication_retries(&mut self, events: &mut Events) -> bool {
        if self.post_authentication_failures >= POST_AUTHENTICATION_RETRIES {
            self.post_authentication_failures = 0;
            events.push(Event::PostAuthenticationExhausted);
            return false;
        }
        self.post_authentication_failures += 1;
        true
    }

    /// True when an authentication with this account starts the delay.
    pub(crate) fn is_managed(&self, name: &str) -> bool {
        let Some(backup) = self.backup.as_deref() else {
            return false;
        };
        let managed = |account: &Account| account.rid == backup.rid;
        self.accounts
            .iter()
            .any(|account| managed(account) && account.name.eq_ignore_ascii_case(name))
    }

    /// The upload that has to go out; from here on it waits for its answer.
    pub(crate) fn take_upload(&mut self, now: UtcMillis, ground: &Ground<'_>) -> Option<Upload> {
        let rotation = self.rotation.as_deref_mut()?;
        if rotation.stage != Stage::Waiting {
            return None;
        }
        // F-090: the expiry is the time of the update plus the age, exactly.
        let expires_at = now.plus_millis(ground.policy.age_ms());
        rotation.stage = Stage::Sent {
            changed_at: now,
            expires_at,
        };
        let body = CredentialUpload {
            device_name: ground.identity.name.as_ref().to_owned(),
            account_name: rotation.name.as_ref().to_owned(),
            account_sid: ground.identity.machine_sid.account(rotation.rid),
            password_base64: Secret::new(password_to_base64(rotation.password.expose())),
            backup_date_time: now.ticks(),
            refresh_date_time: expires_at.ticks(),
        };
        Some(Upload {
            key: upload_key(ground.identity, rotation.generation),
            body: serde_json::to_vec(&body).expect("a structure of texts is always JSON"),
        })
    }

    /// Takes the outcome of an upload; a failed one changes nothing on the device (F-080).
    pub(crate) fn finish_upload(&mut self, end: UploadEnd, events: &mut Events) {
        let Some(rotation) = self.rotation.take() else {
            return;
        };
        let stored = matches!(end, UploadEnd::Answered(200..=299));
        match rotation.stage {
            Stage::Sent {
                changed_at,
                expires_at,
            } if stored => {
                self.commit(*rotation, (changed_at, expires_at), events);
            }
            Stage::Sent { .. } | Stage::Waiting | Stage::Deferred { .. } => {
                let (status, reason) = match end {
                    UploadEnd::Answered(status) => (Some(status), BackupFailure::Refused),
                    UploadEnd::NoAnswer => (None, BackupFailure::NoAnswer),
                    UploadEnd::Offline => (None, BackupFailure::Offline),
                };
                self.fail(&rotation, failure_hresult(end), (status, reason), events);
            }
        }
    }

    fn fail(
        &mut self,
        rotation: &Rotation,
        hresult: i32,
        (status, reason): (Option<u16>, BackupFailure),
        events: &mut Events,
    ) {
        if rotation.answers_exec {
            self.reset_status = hresult;
        }
        self.settled = Some(Settled::Failed(rotation.kind));
        events.push(Event::BackupFailed {
            kind: rotation.kind,
            status,
            reason,
        });
    }

    /// The directory and the account that the policy means on this device.
    fn target(&mut self, ground: &Ground<'_>) -> Result<(Store, usize), NothingManaged> {
        let policy = &ground.policy;
        let store = store(
            ground.identity.join_type,
            policy.source,
            policy.backup_directory,
        )?;
        let next = self.generation.saturating_add(1);
        let at = account::managed(&mut self.accounts, ground.identity, policy, next)?;
        Ok((store, self.kept_account(ground).unwrap_or(at)))
    }

    fn manage_nothing(&mut self, reason: NothingManaged, events: &mut Events) {
        // What is managed again later counts as managed for the first time (F-063).
        self.backup = None;
        let under_way = self.rotation.as_deref().map(|rotation| rotation.stage);
        if let Some(Stage::Waiting | Stage::Deferred { .. }) = under_way
            && let Some(rotation) = self.rotation.take()
            && rotation.answers_exec
        {
            self.reset_status = NOT_SUPPORTED;
        }
        if self.unmanaged != Some(reason) {
            self.unmanaged = Some(reason);
            events.push(Event::NothingManaged { reason });
        }
    }

    /// Whether the password of the account is due.
    fn due(
        &self,
        now: UtcMillis,
        store: Store,
        at: usize,
        ground: &Ground<'_>,
    ) -> Option<RotationKind> {
        let account = self.accounts.get(at)?;
        let same = |backup: &&Backup| backup.store == store && backup.rid == account.rid;
        let Some(backup) = self.backup.as_deref().filter(same) else {
            let waits = ground.identity.has(DeviceFault::SchedFirstWaits);
            return (!waits).then_some(RotationKind::Initial);
        };
        let expires_at = match (store, &self.directory) {
            (Store::ActiveDirectory, Some(record)) => record.expires_at,
            _ if ground.identity.has(DeviceFault::SchedAgeMovesExpiry) => {
                backup.changed_at.plus_millis(ground.policy.age_ms())
            }
            (Store::Entra | Store::ActiveDirectory, _) => backup.expires_at,
        };
        // F-070 (h): in Active Directory an expiry further off than the age is not accepted.
        let too_far = store == Store::ActiveDirectory
            && ground.policy.expiration_protection
            && expires_at > now.plus_millis(ground.policy.age_ms());
        (now >= expires_at || too_far).then_some(RotationKind::Scheduled)
    }

    /// Generates a password and sends it on its way.
    fn rotate(
        &mut self,
        now: UtcMillis,
        kind: RotationKind,
        ground: &Ground<'_>,
        events: &mut Events,
    ) {
        self.begin(kind, Stage::Waiting, ground);
        self.release(now, ground, events);
    }

    fn begin(&mut self, kind: RotationKind, stage: Stage, ground: &Ground<'_>) {
        let Ok((store, at)) = self.target(ground) else {
            return;
        };
        self.generation = self.generation.saturating_add(1);
        let account = &self.accounts[at];
        let answers_exec = kind == RotationKind::Manual;
        if answers_exec {
            self.reset_status = E_PENDING;
        }
        self.rotation = Some(Box::new(Rotation {
            kind,
            store,
            rid: account.rid,
            name: account::next_name(account, ground.identity, &ground.policy, self.generation),
            generation: self.generation,
            password: password::for_policy(ground.identity, self.generation, &ground.policy),
            stage,
            answers_exec,
        }));
    }

    /// Lets the rotation go to its directory; Active Directory answers at once.
    fn release(&mut self, now: UtcMillis, ground: &Ground<'_>, events: &mut Events) {
        let Some(rotation) = self.rotation.as_deref_mut() else {
            return;
        };
        rotation.stage = Stage::Waiting;
        let reachable = match rotation.store {
            Store::Entra => ground.directory_known,
            Store::ActiveDirectory => true,
        };
        if ground.connectivity == Connectivity::Offline || !reachable {
            // The cycle needs its directory; the next cycle tries again (F-083).
            return self.finish_upload(UploadEnd::Offline, events);
        }
        if rotation.store == Store::Entra
            && ground.identity.has(DeviceFault::PrincipalStopsEntra)
            && !ground.policy.principal_resolves()
        {
            return self.finish_upload(UploadEnd::Offline, events);
        }
        if rotation.store == Store::ActiveDirectory
            && let Some(rotation) = self.rotation.take()
        {
            self.store_in_active_directory(now, *rotation, ground, events);
        }
    }

    fn store_in_active_directory(
        &mut self,
        now: UtcMillis,
        rotation: Rotation,
        ground: &Ground<'_>,
        events: &mut Events,
    ) {
        let policy = &ground.policy;
        if policy.encryption && !policy.principal_resolves() {
            // F-043: the whole cycle fails and nothing is backed up.
            let why = (None, BackupFailure::EncryptionPrincipal);
            return self.fail(&rotation, NONE_MAPPED, why, events);
        }
        let expires_at = now.plus_millis(policy.age_ms());
        let record = ActiveDirectoryRecord {
            account_name: rotation.name.as_ref().to_owned(),
            password: rotation.password.clone(),
            updated_at: now,
            expires_at,
            encrypted: policy.encryption,
            history: Vec::new(),
        };
        let former = self.directory.take().map(|former| *former);
        let kept = if ground.identity.has(DeviceFault::HistoryUntrimmed) {
            u32::MAX
        } else {
            policy.history_size
        };
        self.directory = Some(Box::new(record.succeed(former, kept)));
        self.commit(rotation, (now, expires_at), events);
    }

    /// The directory has it: now the local account changes.
    fn commit(
        &mut self,
        rotation: Rotation,
        (changed_at, expires_at): (UtcMillis, UtcMillis),
        events: &mut Events,
    ) {
        if rotation.answers_exec {
            self.reset_status = 0;
        }
        self.post_authentication_failures = 0;
        self.settled = Some(Settled::Rotated);
        let account = self
            .accounts
            .iter_mut()
            .find(|account| account.rid == rotation.rid);
        if let Some(account) = account {
            account.name.clone_from(&rotation.name);
            account.generation = rotation.generation;
        }
        events.push(Event::Rotated {
            kind: rotation.kind,
            account: rotation.name.into_string(),
            generation: rotation.generation,
        });
        self.backup = Some(Box::new(Backup {
            store: rotation.store,
            rid: rotation.rid,
            password: rotation.password,
            changed_at,
            expires_at,
        }));
    }
}

/// The join state matrix (F-130 to F-134).
fn store(
    join_type: JoinType,
    source: PolicySource,
    directory: BackupDirectory,
) -> Result<Store, NothingManaged> {
    let by_csp = source == PolicySource::Csp;
    match (directory, join_type) {
        (BackupDirectory::Disabled, _) => Err(NothingManaged::BackupDisabled),
        (BackupDirectory::Entra, JoinType::EntraJoined | JoinType::EntraHybridJoined) => {
            Ok(Store::Entra)
        }
        (BackupDirectory::ActiveDirectory, JoinType::EntraHybridJoined) => {
            Ok(Store::ActiveDirectory)
        }
        // F-132: joined to a domain alone, LAPS works by Group Policy, not by the CSP.
        (BackupDirectory::ActiveDirectory, JoinType::DomainJoined) if !by_csp => {
            Ok(Store::ActiveDirectory)
        }
        (
            BackupDirectory::Entra | BackupDirectory::ActiveDirectory,
            JoinType::EntraJoined
            | JoinType::EntraRegistered
            | JoinType::DomainJoined
            | JoinType::NotJoined,
        ) => Err(NothingManaged::JoinType),
    }
}

/// One key a generated password (contract section 4).
fn upload_key(identity: &Identity, generation: u32) -> Uuid {
    use rand::Rng;
    let counter = u64::from(generation);
    let mut rng = stream(identity.seed, identity.index, Purpose::UploadKey, counter);
    uuid::Builder::from_random_bytes(rng.random()).into_uuid()
}

/// What `ResetPasswordStatus` reads after a failed upload.
fn failure_hresult(end: UploadEnd) -> i32 {
    match end {
        UploadEnd::Answered(401 | 403) => ACCESS_DENIED,
        UploadEnd::Answered(status) => HTTP_STATUS_BASE.wrapping_add(i32::from(status)),
        UploadEnd::NoAnswer | UploadEnd::Offline => CANNOT_CONNECT,
    }
}

/// `E_ACCESSDENIED`, 0x80070005.
const ACCESS_DENIED: i32 = hresult(0x8007_0005);
/// `HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED)`, 0x80070032.
const NOT_SUPPORTED: i32 = hresult(0x8007_0032);
/// `HRESULT_FROM_WIN32(ERROR_NONE_MAPPED)`, 0x80070534.
const NONE_MAPPED: i32 = hresult(0x8007_0534);
/// `HRESULT_FROM_WIN32(NERR_UserNotFound)`, 0x800708AD.
const ACCOUNT_NOT_FOUND: i32 = hresult(0x8007_08ad);
/// `HRESULT_FROM_WIN32(ERROR_INTERNET_CANNOT_CONNECT)`, 0x80072EFD.
const CANNOT_CONNECT: i32 = hresult(0x8007_2efd);
/// `HTTP_E_STATUS_*`: 0x80190000 and the status.
const HTTP_STATUS_BASE: i32 = hresult(0x8019_0000);

const fn hresult(code: u32) -> i32 {
    i32::from_ne_bytes(code.to_ne_bytes())
}
