//! What went over the wire: every exchange of the cohorts, and the exchanges of the load that a
//! verdict needs as evidence.
//!
//! Checks cite exchanges by id; the report writes the cited ones out with secrets removed.

mod passwords;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::directory::{CredentialUpload, password_from_base64};
use protocol::time::UtcMillis;
use uuid::Uuid;

pub use passwords::LoadPasswords;

/// Names an exchange within a run; dense, in order of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct ExchangeId(pub u64);

/// Which of the target's planes (or ours) an exchange went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// Enrolment (MS-MDE2).
    Enroll,
    /// Management (SyncML).
    Manage,
    /// The credential upload.
    Directory,
    /// The admin plane.
    Admin,
    /// The control plane.
    Control,
    /// A push that the target sent to our endpoint.
    Push,
}

/// Which of its ids names a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdKind {
    /// The Entra device id, which credentials carry.
    Entra,
    /// The id of the managed device.
    Managed,
    /// The id of the directory object, which groups refer to.
    Object,
}

/// The ids of one device.
pub type DeviceIds = BTreeMap<String, IdKind>;

impl IdKind {
    /// The word in evidence, fit for the name of a variable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "ENTRA",
            Self::Managed => "MANAGED",
            Self::Object => "OBJECT",
        }
    }
}

impl Plane {
    /// The word in evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Manage => "manage",
            Self::Directory => "directory",
            Self::Admin => "admin",
            Self::Control => "control",
            Self::Push => "push",
        }
    }
}

/// One request and its answer.
#[derive(Clone)]
pub struct Exchange {
    /// Which plane.
    pub plane: Plane,
    /// Which cohort or phase it belongs to, for example `rotate` or `load`.
    pub scope: &'static str,
    /// The device's name on device planes and pushes; the actor's name on the others.
    pub party: String,
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Path and query below the authority.
    pub path: String,
    /// The `client-request-id` sent, on the admin and control planes.
    pub client_request_id: Option<Uuid>,
    /// When the request was written, by the harness's clock.
    pub sent_at: UtcMillis,
    /// When the answer was complete; `None` when none came.
    pub received_at: Option<UtcMillis>,
    /// The body sent. Secrets are in it: only the evidence writer's redaction may print it.
    pub request: Vec<u8>,
    /// The status, `None` when no answer came.
    pub status: Option<u16>,
    /// The body received; of a push, what we said of the device. Secrets may be in it.
    pub response: Vec<u8>,
    /// The transport's complaint when no answer came.
    pub failure: Option<String>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("plane", &self.plane)
            .field("party", &self.party)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Stands for any device of a load fleet.
const LOAD_FLEET: &str = "a load device";

/// All recorded exchanges of a run; clones share the store.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    /// Bodies of uploads whose exchanges are not kept: their passwords are secrets all the same.
    uploads: Arc<Mutex<Vec<Box<[u8]>>>>,
    /// The passwords of load fleets, which need not be kept to be known.
    fleets: Arc<Mutex<Vec<Arc<LoadPasswords>>>>,
    /// The ids under which admin calls name a device, by the device's name.
    devices: Arc<Mutex<BTreeMap<String, DeviceIds>>>,
}

impl Transcript {
    /// Most exchanges that are kept; beyond it the newest are dropped and counted by id alone.
    pub const EXCHANGES_MAX: usize = 200_000;

    /// Most uploads that are remembered for the sake of their passwords.
    pub const UPLOADS_MAX: usize = 1_000_000;

    /// Remembers an upload whose exchange is not kept.
    pub fn note_upload(&self, body: &[u8]) {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        if uploads.len() < Self::UPLOADS_MAX {
            uploads.push(body.into());
        }
    }

    /// Makes the passwords of a load fleet known.
    pub fn know_fleet(&self, passwords: Arc<LoadPasswords>) {
        let mut fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        fleets.push(passwords);
    }

    /// Every password that a device uploaded, as far as the bodies can be read.
    #[must_use]
    pub fn passwords(&self) -> Vec<String> {
        let uploaded = self.uploaded().into_iter();
        uploaded.map(|(_, password)| password).collect()
    }

    /// Every password that a device uploaded, behind the name that the upload gives the device;
    /// those of load fleets, which are known without their uploads, behind [`LOAD_FLEET`].
    #[must_use]
    pub fn uploaded(&self) -> Vec<(String, String)> {
        let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        let derived = fleets.iter().flat_map(|fleet| fleet.all());
        let derived = derived.map(|password| (LOAD_FLEET.to_owned(), password));
        let kept = self.requests(Plane::Directory);
        let noted = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .map(Vec::as_slice)
            .chain(noted.iter().map(|body| &body[..]))
            .filter_map(|body| serde_json::from_slice::<CredentialUpload>(body).ok())
            .filter_map(|upload| {
                let password = password_from_base64(upload.password_base64.expose())?;
                Some((upload.device_name, password))
            })
            .chain(derived)
            .collect()
    }

    /// Keeps an exchange and names it.
    #[must_use]
    pub fn record(&self, exchange: Exchange) -> ExchangeId {
        let mut exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let id = ExchangeId(u64::try_from(exchanges.len()).unwrap_or(u64::MAX));
        if exchanges.len() < Self::EXCHANGES_MAX {
            exchanges.push(exchange);
        }
        id
    }

    /// Forgets the bodies of an exchange that no verdict will cite.
    pub fn release(&self, id: ExchangeId) {
        let mut exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(id.0).ok();
        if let Some(exchange) = place.and_then(|place| exchanges.get_mut(place)) {
            exchange.request = Vec::new();
            exchange.response = Vec::new();
        }
    }

    /// The bodies sent over a plane, in order.
    #[must_use]
    pub fn requests(&self, plane: Plane) -> Vec<Vec<u8>> {
        let exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_plane = exchanges.iter().filter(|exchange| exchange.plane == plane);
        of_plane.map(|exchange| exchange.request.clone()).collect()
    }

    /// The exchanges that went over a plane, in order.
    #[must_use]
    pub fn ids(&self, plane: Plane) -> Vec<ExchangeId> {
        let exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_plane = (0..).zip(exchanges.iter());
        of_plane
            .filter(|(_, exchange)| exchange.plane == plane)
            .map(|(id, _)| ExchangeId(id))
            .collect()
    }

    /// Remembers that admin calls name the device `name` by `id`.
    pub fn note_device(&self, name: &str, kind: IdKind, id: String) {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.entry(name.to_owned()).or_default().insert(id, kind);
    }

    /// Remembers the id of the directory object of the device with this Entra device id, if one is
    /// known.
    pub fn note_object(&self, entra: &str, object: String) {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let named = devices.values_mut().find(|ids| ids.contains_key(entra));
        if let Some(ids) = named {
            ids.insert(object, IdKind::Object);
        }
    }

    /// The ids of each device, by its name.
    #[must_use]
    pub fn devices(&self) -> BTreeMap<String, DeviceIds> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.clone()
    }

    /// Shows every kept exchange to `visit`, in order.
    pub fn for_each(&self, mut visit: impl FnMut(ExchangeId, &Exchange)) {
        let exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (id, exchange) in (0..).zip(exchanges.iter()) {
            visit(ExchangeId(id), exchange);
        }
    }

    /// The exchange with this id, if it was kept.
    #[must_use]
    pub fn exchange(&self, id: ExchangeId) -> Option<Exchange> {
        let exchanges = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        exchanges.get(usize::try_from(id.0).ok()?).cloned()
    }
}
