//! The HTTP server shell of the reference core: one request in, one answer out.
//!
//! All planes of the target contract stand on one listener. The shell owns sockets, clock, keys
//! and limits; every decision is the core's.

mod authority;
mod connection;
mod hollow;
mod io;
mod limit;
pub(crate) mod null;
mod push;
mod route;
mod variant;
mod workers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::time::UtcMillis;
use reference::{
    Config, Core, FaultMonitor, HttpRequest, HttpResponse, Plane, Step, Variant, Variants,
};
use serde::Serialize;
use tokio::net::TcpListener;

use limit::Limit;
use null::Twist;
use push::Pushes;
use route::Paths;
use workers::Workers;

/// How often time limits of the core are looked at when it names no earlier time.
const HOUSEKEEPING: Duration = Duration::from_millis(250);

/// What the core needs to be told before it can serve.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where to listen; loopback only, because identity is a header.
    pub listen: SocketAddr,
    /// Bearer token that goes with pushes.
    pub push_token: String,
    /// Requests of the management plane in a thousand seconds; `None` for as many as it can.
    pub limit_per_1000_s: Option<u64>,
    /// What the shell does wrong, if anything.
    pub twist: Option<Twist>,
    /// Everything the core decides by; its URLs are filled in once the port is known.
    pub core: Config,
}

/// A core that listens.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    workers: Workers,
    shared: Arc<Shared>,
    description: Description,
}

/// The line that `muster serve --json` prints: URLs and tokens.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Description {
    enroll: String,
    manage: String,
    directory: String,
    admin: String,
    control: String,
    tokens: BTreeMap<String, String>,
    /// The legal variants switched on; a harness has no use for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variants: Vec<&'static str>,
}

/// The core with its clock, for all connections.
#[derive(Debug)]
struct Shared {
    core: RwLock<Core>,
    clock: WallClock,
    pushes: Pushes,
    paths: Paths,
    variants: Variants,
    limit: Option<Limit>,
    twist: Option<Twist>,
    faults: FaultMonitor,
}

/// Wall time that never steps back: the time of the start plus a monotonic clock.
#[derive(Debug)]
struct WallClock {
    started: Instant,
    started_at: UtcMillis,
}

impl Server {
    /// Binds the listener and starts the core.
    ///
    /// # Errors
    /// A sentence that names the address or the certificate authority's complaint.
    pub(crate) async fn bind(mut options: Options) -> Result<Self, String> {
        let wanted = options.listen;
        if !wanted.ip().is_loopback() {
            return Err(format!(
                "cannot listen on `{wanted}`: a device's identity is a header, which is honoured on loopback only"
            ));
        }
        let listener = TcpListener::bind(wanted)
            .await
            .map_err(|error| format!("cannot listen on `{wanted}`: {error}"))?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("cannot listen on `{wanted}`: {error}"))?;
        let clock = WallClock::start();
        let base = format!("http://{address}");
        let variants = options.core.variants;
        let paths = if variants.has(Variant::HttpOtherPaths) {
            Paths::other(options.core.seed)
        } else {
            Paths::usual()
        };
        options.core.urls = paths.urls(&base);
        let authority = authority::Authority::new(clock.now())
            .map_err(|error| format!("cannot make the certificate authority: {error}"))?;
        let pushes = Pushes::new(options.push_token);
        let core = Core::new(options.core, Arc::new(authority));
        let description = Description {
            variants: variants.names(),
            ..Description::new(paths.urls(&base), core.tokens())
        };
        let faults = core.fault_monitor();
        let shared = Arc::new(Shared {
            core: RwLock::new(core),
            clock,
            pushes,
            paths,
            variants,
            limit: options.limit_per_1000_s.map(Limit::new),
            twist: options.twist,
            faults,
        });
        let workers = Workers::start(&shared)
            .map_err(|error| format!("cannot start the threads of the core: {error}"))?;
        Ok(Self {
            listener,
            workers,
            shared,
            description,
        })
    }

    /// URLs and tokens.
    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    /// What the deliberate defects of the core do, also when it serves no more.
    pub(crate) fn fault_monitor(&self) -> FaultMonitor {
        self.shared.faults.clone()
    }

    /// Serves until the task is dropped.
    pub(crate) async fn run(self) {
        tokio::join!(
            workers::accept(self.listener, &self.workers),
            keep_time(self.shared),
        );
    }
}

impl Description {
    fn new(urls: reference::Urls, tokens: BTreeMap<String, String>) -> Self {
        Self {
            enroll: urls.enroll,
            manage: urls.manage,
            directory: urls.directory,
            admin: urls.admin,
            control: urls.control,
            tokens,
            variants: Vec::new(),
        }
    }

    /// The planes by name with their URLs, and the tokens by actor, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let planes = [
            ("enroll", &self.enroll),
            ("manage", &self.manage),
            ("directory", &self.directory),
            ("admin", &self.admin),
            ("control", &self.control),
        ];
        let planes = planes
            .into_iter()
            .map(|(plane, url)| format!("{plane:<28} {url}"));
        let tokens = self
            .tokens
            .iter()
            .map(|(actor, token)| format!("{actor:<28} {token}"));
        let variants = self.variants.iter();
        let variants = variants.map(|name| format!("{:<28} {name}", "variant"));
        planes.chain(tokens).chain(variants).collect()
    }
}

impl Shared {
    /// Serves one request: asks the core, and while an answer hangs on a push, waits for that push.
    async fn serve(self: &Arc<Self>, request: &HttpRequest<'_>) -> HttpResponse {
        if let Some(response) = self.serve_shared(request) {
            return response;
        }
        match self.with_core(|core, now| core.handle(now, request)) {
            Step::Done(response) => response,
            waiting @ Step::Await { .. } => {
                // In a task of its own: what was begun is brought to its end, and audited, even
                // when the client does not wait for the answer.
                let finished = tokio::spawn(Arc::clone(self).finish(waiting)).await;
                finished.unwrap_or_else(|_panic| HttpResponse::empty(500))
            }
        }
    }

    /// Check-ins without news need not wait for each other, and nobody waits for a signature.
    fn serve_shared(self: &Arc<Self>, request: &HttpRequest<'_>) -> Option<HttpResponse> {
        let now = self.clock.now();
        let core = self.core.read().unwrap_or_else(PoisonError::into_inner);
        match request.plane {
            Plane::Manage => core.try_check_in(now, request),
            Plane::Enroll => {
                let signing = core.try_sign(now, request)?;
                drop(core);
                let signed = signing.sign();
                Some(self.with_core(|core, now| core.enroll_signed(now, signed)))
            }
            Plane::Directory | Plane::Admin | Plane::Control => None,
        }
    }

    /// Goes on with a request each time the push that it waits for has been answered.
    async fn finish(self: Arc<Self>, mut step: Step) -> HttpResponse {
        loop {
            match step {
                Step::Done(response) => return response,
                Step::Await { push, ticket } => {
                    self.pushes.answered(push).await;
                    step = self.with_core(|core, now| core.resume(now, ticket));
                }
            }
        }
    }

    /// Lets the core work and sends the pushes that it wants sent.
    fn with_core<T>(self: &Arc<Self>, work: impl FnOnce(&mut Core, UtcMillis) -> T) -> T {
        let now = self.clock.now();
        // A panic while the lock was held is a defect of one request; the others go on.
        let mut core = self.core.write().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut core, now);
        // Under the lock: a push that a step waits for is known before the step is seen.
        while let Some(push) = core.poll_push(now) {
            self.pushes.send(Arc::clone(self), push);
        }
        drop(core);
        result
    }
}

impl WallClock {
    fn start() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Self {
            started: Instant::now(),
            started_at: UtcMillis::from_millis(millis),
        }
    }

    fn now(&self) -> UtcMillis {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.started_at.plus_millis(elapsed)
    }
}

/// Lets the core act on its time limits.
async fn keep_time(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    loop {
        ticks.tick().await;
        shared.with_core(|core, now| {
            if core.poll_timeout().is_some_and(|due| due <= now) {
                core.handle_timeout(now);
            }
        });
    }
}
