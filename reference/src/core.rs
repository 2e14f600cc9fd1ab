//! One request in, one step out: the core itself, its configuration, and the dispatch by plane.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use protocol::enrollment::PollSchedule;
use protocol::time::UtcMillis;
use rand::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;
use uuid::Uuid;

use crate::audit::AuditLog;
use crate::authority::CertificateAuthority;
use crate::devices::Devices;
use crate::fault::{FaultChoice, FaultMonitor, Faults};
use crate::guarded::Count;
use crate::presence::{PushId, Pushes};
use crate::rbac::Actors;
use crate::registration::Registrations;
use crate::state::{Common, ManagedId, Tenant};
use crate::variant::{self, Variants};

/// How a core is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seeds ids, tokens and secrets.
    pub seed: u64,
    /// Where the planes are reached.
    pub urls: Urls,
    /// Hosts that may be pushed to, `HOST` or `HOST:PORT`; empty stands for loopback.
    pub push_allow: Vec<String>,
    /// Whether the control plane may move the clock.
    pub virtual_clock: bool,
    /// The rights that a rotation needs.
    pub rights_set: RightsSet,
    /// The poll table of the provisioning document.
    pub poll: PollSchedule,
    /// The deliberate defects that are switched on.
    pub faults: Vec<FaultChoice>,
    /// The legal differences switched on.
    pub variants: Variants,
}

/// Base URLs, without a slash at the end.
#[derive(Clone, Debug, Default)]
pub struct Urls {
    /// Enrolment plane.
    pub enroll: String,
    /// Management plane.
    pub manage: String,
    /// Directory plane.
    pub directory: String,
    /// Admin plane.
    pub admin: String,
    /// Control plane.
    pub control: String,
}

/// Which rights a rotation needs (contract 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RightsSet {
    /// `seed-2023-04`.
    Seed202304,
    /// `ga-2023-10`.
    Ga202310,
    /// `current-2025`.
    #[default]
    Current2025,
}

impl RightsSet {
    /// The set with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Seed202304, Self::Ga202310, Self::Current2025]
            .into_iter()
            .find(|set| set.as_str() == name)
    }

    /// Its name, as in the target profile and after `--set`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seed202304 => "seed-2023-04",
            Self::Ga202310 => "ga-2023-10",
            Self::Current2025 => "current-2025",
        }
    }
}

/// The plane a request came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Contract 1.
    Enroll,
    /// Contract 2.
    Manage,
    /// Contract 4.
    Directory,
    /// Contract 5.
    Admin,
    /// Contract 6.
    Control,
}

/// One request, with the headers that count.
#[derive(Clone, Copy)]
pub struct HttpRequest<'a> {
    /// Which plane.
    pub plane: Plane,
    /// The method, for example `POST`.
    pub method: &'a str,
    /// The path after the plane's base, for example `/EnrollmentServer/Policy.svc`.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `Client-Cert` (RFC 9440), only where the peer is trusted to set it.
    pub client_certificate: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `client-request-id`.
    pub client_request_id: Option<&'a str>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl fmt::Debug for HttpRequest<'_> {
    /// Without the headers and bodies that carry secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("plane", &self.plane)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// One answer.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<&'static str>,
    /// `client-request-id`, on the planes that repeat it.
    pub client_request_id: Option<Uuid>,
    /// `Retry-After`.
    pub retry_after: Option<RetryAfter>,
    /// `Allow`, with 405.
    pub allow: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// An answer without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: None,
            client_request_id: None,
            retry_after: None,
            allow: None,
            body: Vec::new(),
        }
    }

    /// An answer with a body.
    #[must_use]
    pub fn with_body(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            content_type: Some(content_type),
            body,
            ..Self::empty(status)
        }
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// When a refused request may be repeated (RFC 9110 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so many seconds.
    Seconds(u32),
    /// The same, to be written as a date by the clock of the shell.
    DateAfter(u32),
}

/// What the shell does with a request.
#[derive(Debug)]
pub enum Step {
    /// Send this answer.
    Done(HttpResponse),
    /// Wait until that push was answered ([`Core::handle_push_answer`]), then call
    /// [`Core::resume`].
    Await {
        /// The push to wait for.
        push: PushId,
        /// What to hand back.
        ticket: Ticket,
    },
}

/// A request that waits for the answer to a push.
#[derive(Debug)]
pub struct Ticket(Waiting);

#[derive(Debug)]
enum Waiting {
    /// Package 1 of a device whose rotation is being decided (contract 3).
    Manage(HeldRequest),
    /// A call of the admin plane.
    Admin(crate::admin::Continuation),
}

/// A management request as it has to be served again.
pub(crate) struct HeldRequest {
    pub(crate) client_certificate: String,
    pub(crate) body: Vec<u8>,
}

impl fmt::Debug for HeldRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldRequest")
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Ticket {
    /// A call of the admin plane goes on after the push.
    pub(crate) const fn admin(continuation: crate::admin::Continuation) -> Self {
        Self(Waiting::Admin(continuation))
    }

    /// A management request is served again after the push.
    pub(crate) const fn manage(request: HeldRequest) -> Self {
        Self(Waiting::Manage(request))
    }
}

/// The reference management core. A copy has the same state and goes its own way from there.
#[derive(Clone)]
pub struct Core {
    pub(crate) config: Config,
    pub(crate) authority: Arc<dyn CertificateAuthority>,
    pub(crate) last_serial: Count,
    pub(crate) tenant: Tenant,
    pub(crate) devices: Devices,
    pub(crate) registrations: Registrations,
    pub(crate) actors: Actors,
    pub(crate) audit: AuditLog,
    pub(crate) faults: Faults,
    pub(crate) variant: variant::Memory,
    pub(crate) rng: Pcg64Mcg,
    /// What the control plane added to the shell's clock (contract 6).
    pub(crate) clock_offset_ms: i64,
    pub(crate) pushes: Pushes,
    /// When each open action expires.
    pub(crate) expiries: BTreeSet<(UtcMillis, ManagedId, u64)>,
    pub(crate) last_action: u64,
    pub(crate) common: Common,
    pub(crate) counters: Counters,
}

/// What was done so far, for measurements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// Sessions that looked at every policy of their device.
    pub(crate) evaluations: Count,
    /// Sessions without news that [`Core::handle`] served.
    pub(crate) unchanged_check_ins: Count,
    /// Sessions without news that [`Core::try_check_in`] served.
    pub(crate) shared_check_ins: Count,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("devices", &self.devices.by_id.len())
            .field("policies", &self.tenant.policies.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    /// A core with an empty tenant whose LAPS switch is on (contract 4) and the actors of
    /// contract 7.
    #[must_use]
    pub fn new(config: Config, authority: Arc<dyn CertificateAuthority>) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(config.seed);
        let actors = Actors::built_in(&mut rng);
        Self {
            faults: Faults::new(config.seed, &config.faults),
            variant: variant::Memory::new(config.variants),
            config,
            authority,
            last_serial: Count::default(),
            tenant: Tenant::new(),
            devices: Devices::default(),
            registrations: Registrations::default(),
            actors,
            audit: AuditLog::default(),
            rng,
            clock_offset_ms: 0,
            pushes: Pushes::default(),
            expiries: BTreeSet::new(),
            last_action: 0,
            common: Common::default(),
            counters: Counters::default(),
        }
    }

    /// Every bearer token by the name of its actor, and `control`.
    #[must_use]
    pub fn tokens(&self) -> BTreeMap<String, String> {
        self.actors.tokens()
    }

    /// What the shell tells the deliberate defects and learns of them.
    #[must_use]
    pub fn fault_monitor(&self) -> FaultMonitor {
        self.faults.monitor()
    }

    /// Serves a request. `now` is the shell's clock; the core adds what the control plane moved.
    pub fn handle(&mut self, now: UtcMillis, request: &HttpRequest<'_>) -> Step {
        let now = self.core_time(now);
        self.faults.note_time(now);
        self.expire_actions(now);
        let step = match request.plane {
            Plane::Enroll => Step::Done(self.handle_enroll(now, request)),
            Plane::Manage => {
                let body = variant::incoming(self.variant.on(), request.body);
                let body = &body;
                self.handle_manage(now, &HttpRequest { body, ..*request })
            }
            Plane::Directory => Step::Done(self.handle_directory(now, request)),
            Plane::Admin => self.handle_admin(now, request),
            Plane::Control => Step::Done(self.handle_control(now, request)),
        };
        self.dressed(request.plane, step)
    }

    /// Goes on with a request that waited for a push, which has been answered or has timed out.
    pub fn resume(&mut self, now: UtcMillis, ticket: Ticket) -> Step {
        let now = self.core_time(now);
        self.faults.note_time(now);
        self.expire_actions(now);
        let (plane, step) = match ticket.0 {
            Waiting::Manage(held) => (Plane::Manage, self.resume_manage(now, &held)),
            Waiting::Admin(continuation) => (Plane::Admin, self.resume_admin(now, continuation)),
        };
        self.dressed(plane, step)
    }

    /// When [`Core::handle_timeout`] has something to do, by the shell's clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UtcMillis> {
        let expiry = self.expiries.first().map(|(at, ..)| *at);
        let due = expiry.into_iter().chain(self.variant.due_at()).min();
        due.map(|at| at.plus_millis(-self.clock_offset_ms))
    }

    /// Ends what has waited too long; harmless when nothing is due.
    pub fn handle_timeout(&mut self, now: UtcMillis) {
        let now = self.core_time(now);
        self.expire_actions(now);
    }

    pub(crate) const fn core_time(&self, now: UtcMillis) -> UtcMillis {
        now.plus_millis(self.clock_offset_ms)
    }

    /// A new random id (version 4).
    pub(crate) fn new_id(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}
