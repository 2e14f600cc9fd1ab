//! Local administrator credentials: metadata, and the password on explicit request.

use protocol::graph::credential::{DeviceLocalCredential, DeviceLocalCredentialInfo};
use protocol::secret::Secret;
use protocol::time::{UtcMillis, UtcTicks};

use super::Call;
use super::paging::Paging;
use super::reply::{Answer, Refusal, Reply};
use super::route::PathId;
use crate::core::Core;
use crate::fault::Fault;
use crate::state::{ActionKind, DirectoryDevice, ManagedDevice, StoredCredential};

/// `BackupDirectory` for Active Directory (F-020).
const ACTIVE_DIRECTORY: i32 = 2;

/// The first build of Windows 11: a defect treats older devices otherwise.
const WINDOWS_11: u32 = 22_000;

const MEMBERS: [&str; 5] = [
    "id",
    "deviceName",
    "lastBackupDateTime",
    "refreshDateTime",
    "credentials",
];

pub(super) fn list(core: &Core, call: &Call<'_>) -> Answer {
    let paging = Paging::parse(call, &["$select"])?;
    known_members(call)?;
    if call.query.selects("credentials") {
        return Err(Refusal::bad_request(
            "`credentials` are read one device at a time.",
        ));
    }
    let range = paging.ids()?;
    let records = core
        .tenant
        .directory_devices
        .range(range)
        .filter_map(|(id, device)| Some((*id, Record::of(core, device)?.metadata(core))));
    Ok(paging.page(call, records))
}

pub(super) fn read(core: &mut Core, call: &Call<'_>, entra_id: PathId) -> Answer {
    call.query.allow_only(&["$select"])?;
    known_members(call)?;
    let device = core.tenant.directory_device(entra_id);
    let record = device.and_then(|device| Record::of(core, device));
    let Some(record) = record else {
        return Err(call.no_such("device with a stored credential", entra_id));
    };
    let mut info = record.metadata(core);
    let explicit = call.query.selects("credentials");
    let managed = managed(core, record.device);
    if explicit || core.faults.on_any(Fault::ViewPasswordByDefault, managed) {
        info.credentials = Some(record.credentials(core));
    }
    let subject = (record.device.entra_id, record.device.display_name.clone());
    if explicit || core.faults.on_any(Fault::AudMetadataReadLogged, managed) {
        // Contract 5: one event for each explicit read.
        let copies = if core.faults.on_any(Fault::AudViewSilent, managed) {
            0
        } else if core.faults.on_any(Fault::AudViewDouble, managed) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let subject = (subject.0, &*subject.1);
            core.audit
                .credential_recovered(call.now, call.actor, call.ids.client_request, subject);
        }
    }
    Ok(Reply::ok(&info))
}

fn known_members(call: &Call<'_>) -> Result<(), Refusal> {
    match call
        .query
        .selection()
        .find(|member| !MEMBERS.contains(member))
    {
        None => Ok(()),
        Some(unknown) => Err(Refusal::bad_request(format!(
            "`$select` names the unknown member `{unknown}`."
        ))),
    }
}

/// What may be shown of a device, newest first; never empty.
struct Record<'c> {
    device: &'c DirectoryDevice,
    newest: Shown<'c>,
    former: Vec<&'c StoredCredential>,
}

enum Shown<'c> {
    Stored(&'c StoredCredential),
    /// Made up by a deliberate defect.
    Invented(StoredCredential),
}

impl Shown<'_> {
    const fn credential(&self) -> &StoredCredential {
        match self {
            Self::Stored(credential) => credential,
            Self::Invented(credential) => credential,
        }
    }
}

impl<'c> Record<'c> {
    fn of(core: &'c Core, device: &'c DirectoryDevice) -> Option<Self> {
        let managed = managed(core, device);
        let directory = managed.and_then(ManagedDevice::backup_directory);
        // Contract 5: 404 once the device acknowledged Active Directory after the backup.
        let newest_at = device.credentials.front().map(|newest| newest.received_at);
        let hidden = directory == Some(ACTIVE_DIRECTORY) || device.ad_acknowledged_at > newest_at;
        let mut stored = device.credentials.iter();
        if let Some(newest) = stored.next() {
            if hidden && !core.faults.on_any(Fault::ViewAdDeviceLeak, managed) {
                return None;
            }
            let newest = Shown::Stored(newest);
            return Some(Self {
                device,
                newest,
                former: stored.collect(),
            });
        }
        let unprocessed = managed.filter(|_| directory.is_none())?;
        core.faults
            .on_device(Fault::AssignVisibleBeforeProcessing, unprocessed)
            .then(|| Self {
                device,
                newest: Shown::Invented(invented(unprocessed)),
                former: Vec::new(),
            })
    }

    fn metadata(&self, core: &Core) -> DeviceLocalCredentialInfo {
        let newest = self.newest.credential();
        let (mut last, mut next) = (newest.backup_at, self.refresh_at(core));
        if core
            .faults
            .on_any(Fault::ViewSwapsTimes, managed(core, self.device))
        {
            (last, next) = (next, last);
        }
        DeviceLocalCredentialInfo {
            id: self.device.entra_id,
            device_name: Some(self.device.display_name.to_string()),
            last_backup_date_time: Some(last),
            refresh_date_time: Some(next),
            credentials: None,
        }
    }

    fn refresh_at(&self, core: &Core) -> UtcTicks {
        let newest = self.newest.credential();
        let managed = managed(core, self.device);
        if core.faults.has(Fault::RotScheduleNotReset)
            && let Some(former) = self.former.first()
            && was_rotated_by_hand(core, self.device, former, newest)
            && core.faults.on_any(Fault::RotScheduleNotReset, managed)
        {
            return former.refresh_at;
        }
        if core.faults.on_any(Fault::ViewLocalTime, managed) {
            return newest
                .refresh_at
                .millis()
                .plus_millis(2 * UtcMillis::HOUR_MS)
                .ticks();
        }
        newest.refresh_at
    }

    fn credentials(&self, core: &Core) -> Vec<DeviceLocalCredential> {
        let managed = managed(core, self.device);
        let on = |fault| core.faults.on_any(fault, managed);
        let named = !on(Fault::ViewNoAccountName);
        let old = managed.is_some_and(|managed| managed.build < WINDOWS_11);
        let forgets = old && !self.former.is_empty() && on(Fault::ViewHistoryWavers);
        let former = if forgets { &[] } else { self.former.as_slice() };
        let stale = self.former.first().filter(|_| on(Fault::ViewStalePassword));
        let mut entries: Vec<DeviceLocalCredential> = std::iter::once(self.newest.credential())
            .chain(former.iter().copied())
            .map(|credential| DeviceLocalCredential {
                account_name: named.then(|| credential.account_name.to_string()),
                account_sid: Some(credential.account_sid.to_string()),
                backup_date_time: Some(credential.backup_at),
                password_base64: Some(Secret::new(credential.password_base64.to_string())),
            })
            .collect();
        if let (Some(stale), Some(newest)) = (stale, entries.first_mut()) {
            newest.password_base64 = Some(Secret::new(stale.password_base64.to_string()));
        }
        entries
    }
}

fn managed<'c>(core: &'c Core, device: &DirectoryDevice) -> Option<&'c ManagedDevice> {
    let managed = core.devices.of_entra_id(device.entra_id)?;
    core.devices.by_id.get(&managed)
}

/// True when a rotation was sent to the device between the two backups.
fn was_rotated_by_hand(
    core: &Core,
    device: &DirectoryDevice,
    former: &StoredCredential,
    newest: &StoredCredential,
) -> bool {
    let between = |sent: UtcMillis| former.received_at <= sent && sent <= newest.received_at;
    managed(core, device).is_some_and(|managed| {
        managed.actions.iter().any(|action| {
            action.kind == ActionKind::RotateLocalAdminPassword
                && action.exec_sent_at.is_some_and(between)
        })
    })
}

fn invented(device: &ManagedDevice) -> StoredCredential {
    StoredCredential {
        account_name: "Administrator".into(),
        account_sid: "S-1-5-21-1-2-3-500".into(),
        // "x" in UTF-16LE.
        password_base64: "eAA=".into(),
        backup_at: device.enrolled_at.ticks(),
        refresh_at: device
            .enrolled_at
            .plus_millis(30 * UtcMillis::DAY_MS)
            .ticks(),
        received_at: device.enrolled_at,
    }
}
