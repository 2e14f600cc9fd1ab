//! The push endpoint: the emulated notification service that the target wakes devices through.
//!
//! It answers as contract 3 and wire-facts 4.3 say, by the connectivity of the device that the
//! channel belongs to. A device hears of a push only when the answer to it has been written out, so
//! that no session starts before the push that causes it was answered.

mod load;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

pub use load::LoadChannels;

use crate::clock::Clock;
use crate::error::Error;
use crate::transcript::{Exchange, ExchangeId, Plane, Transcript};
use protocol::secret::Secret;
use protocol::time::UtcMillis;

/// Most bytes of a push (wire-facts 4.3).
const BODY_MAX: usize = 5_000;
/// Longest wait for the head of a request on an idle connection.
const HEAD: Duration = Duration::from_secs(75);
/// Most connections served at once; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 512;
/// Most refused pushes that are recorded.
const REFUSED_RECORDED_MAX: u64 = 32;

/// What the endpoint says of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Presence {
    /// 200 `connected`: the device hears of the push.
    Connected = 0,
    /// 200 `disconnected`.
    Disconnected = 1,
    /// 200 `tempdisconnected`.
    TempDisconnected = 2,
    /// 410: the channel expired.
    Gone = 3,
}

impl Presence {
    const ALL: [Self; 4] = [
        Self::Connected,
        Self::Disconnected,
        Self::TempDisconnected,
        Self::Gone,
    ];

    fn load(cell: &AtomicU8) -> Self {
        let stored = usize::from(cell.load(Ordering::SeqCst));
        Self::ALL.get(stored).copied().unwrap_or(Self::Gone)
    }

    fn store(self, cell: &AtomicU8) {
        let number = match self {
            Self::Connected => 0,
            Self::Disconnected => 1,
            Self::TempDisconnected => 2,
            Self::Gone => 3,
        };
        cell.store(number, Ordering::SeqCst);
    }
}

/// A push to a device of a cohort.
#[derive(Clone, Debug)]
pub struct PushSeen {
    /// When it arrived.
    pub at: UtcMillis,
    /// True when it was answered `connected`.
    pub answered_connected: bool,
    /// The recorded exchange.
    pub exchange: Option<ExchangeId>,
}

/// Told to a shard about each push to one of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The device.
    pub device: u64,
    /// Where the push stands.
    pub stage: WakeStage,
}

/// Where a push to a load device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeStage {
    /// It is about to be answered `connected`.
    Answering,
    /// The answer was written out: the device may start its session.
    Answered,
    /// It was answered otherwise.
    Absent,
}

/// Counts over all devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushStats {
    /// Well-formed pushes to known channels.
    pub pushes: u64,
    /// Those answered `connected`.
    pub connected: u64,
    /// Requests refused with 400, 401, 404, 405 or 413.
    pub refused: u64,
}

/// The running endpoint; clones share it.
#[derive(Clone, Debug)]
pub struct PushEndpoint {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    base: String,
    authorization: Secret,
    clock: Clock,
    transcript: Transcript,
    slots: RwLock<HashMap<u64, Arc<Slot>>>,
    load: RwLock<Option<Arc<LoadChannels>>>,
    pushes: AtomicU64,
    connected: AtomicU64,
    refused: AtomicU64,
    refused_seen: Mutex<BTreeMap<u16, ExchangeId>>,
}

/// The channel of a device of a cohort.
#[derive(Debug)]
struct Slot {
    presence: AtomicU8,
    pushes: AtomicU64,
    wakes: AtomicU64,
    name: String,
    scope: &'static str,
    woken: watch::Sender<u64>,
    seen: Mutex<Vec<PushSeen>>,
}

/// The push side of one device; clones share it.
#[derive(Clone, Debug)]
pub struct PushSlot {
    slot: Arc<Slot>,
}

impl PushEndpoint {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// [`Error::SetUp`] when no port can be had.
    pub async fn start(
        clock: Clock,
        push_token: String,
        transcript: Transcript,
    ) -> Result<Self, Error> {
        let no_port = |error: std::io::Error| Error::SetUp(format!("push endpoint: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
        let port = listener.local_addr().map_err(no_port)?.port();
        let shared = Arc::new(Shared {
            base: format!("http://127.0.0.1:{port}/channels/"),
            authorization: Secret::new(format!("Bearer {push_token}")),
            clock,
            transcript,
            slots: RwLock::default(),
            load: RwLock::default(),
            pushes: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            refused_seen: Mutex::default(),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// The URL that a device gives as `Push/ChannelURI`.
    #[must_use]
    pub fn channel_uri(&self, device: u64) -> String {
        format!("{}{device}", self.shared.base)
    }

    /// Opens the channel of a device of a cohort; its pushes are kept and recorded.
    #[must_use]
    pub fn register(
        &self,
        device: u64,
        name: &str,
        scope: &'static str,
        presence: Presence,
    ) -> PushSlot {
        let slot = Arc::new(Slot {
            presence: AtomicU8::new(0),
            pushes: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            name: name.to_owned(),
            scope,
            woken: watch::Sender::new(0),
            seen: Mutex::default(),
        });
        presence.store(&slot.presence);
        let mut slots = self
            .shared
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        slots.insert(device, Arc::clone(&slot));
        PushSlot { slot }
    }

    /// Opens the channels of the load devices 0 to n - 1, in the place of a former fleet's. Their
    /// shards hear of each push through `shards`.
    #[must_use]
    pub fn open_load(
        &self,
        devices: u32,
        shards: Vec<mpsc::UnboundedSender<Wake>>,
    ) -> Arc<LoadChannels> {
        let channels = Arc::new(LoadChannels::new(devices, shards));
        let mut load = self
            .shared
            .load
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *load = Some(Arc::clone(&channels));
        channels
    }

    /// The counts so far.
    #[must_use]
    pub fn stats(&self) -> PushStats {
        PushStats {
            pushes: self.shared.pushes.load(Ordering::SeqCst),
            connected: self.shared.connected.load(Ordering::SeqCst),
            refused: self.shared.refused.load(Ordering::SeqCst),
        }
    }

    /// One recorded exchange for each status with which requests were refused.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<u16, ExchangeId> {
        self.shared
            .refused_seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl PushSlot {
    /// Says from now on that the device is connected, or not.
    pub fn set_connected(&self, connected: bool) {
        self.set_presence(if connected {
            Presence::Connected
        } else {
            Presence::Disconnected
        });
    }

    /// Says this of the device from now on.
    pub fn set_presence(&self, presence: Presence) {
        presence.store(&self.slot.presence);
    }

    /// Pushes to this device so far, whatever the answer.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.slot.pushes.load(Ordering::SeqCst)
    }

    /// Pushes answered `connected` so far.
    #[must_use]
    pub fn wakes(&self) -> u64 {
        self.slot.wakes.load(Ordering::SeqCst)
    }

    /// Waits until more than `after` pushes were answered `connected`; false when `limit` passed
    /// first.
    pub async fn woken(&self, after: u64, limit: Duration) -> bool {
        let mut woken = self.slot.woken.subscribe();
        let reached = woken.wait_for(|wakes| *wakes > after);
        tokio::time::timeout(limit, reached)
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// The pushes to the device, in order.
    #[must_use]
    pub fn pushes(&self) -> Vec<PushSeen> {
        let seen = &self.slot.seen;
        seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(stream, shared).await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: the next connection may fare better.
            Err(_refused) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "push connection");
    }
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "push connection");
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Told> {
    let at = shared.clock.now();
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX)
        .collect()
        .await
        .map(|body| body.to_bytes());
    let channel = channel_of(shared, head.uri.path());
    let refusal = match (&channel, &body) {
        _ if head.method != hyper::Method::POST => Some(StatusCode::METHOD_NOT_ALLOWED),
        _ if !authorized(shared, &head.headers) => Some(StatusCode::UNAUTHORIZED),
        (None, _) => Some(StatusCode::NOT_FOUND),
        (Some(_), Err(_)) => Some(StatusCode::PAYLOAD_TOO_LARGE),
        (Some(_), Ok(_)) if !well_formed(&head.headers) => Some(StatusCode::BAD_REQUEST),
        (Some(_), Ok(_)) => None,
    };
    let seen = Incomings {
        at,
        path: head.uri.path(),
        body: body.unwrap_or_default(),
    };
    match (refusal, channel) {
        (None, Some(channel)) => {
            let status_wanted = header(&head.headers, "x-wns-requestforstatus")
                .is_some_and(|value| value.eq_ignore_ascii_case("true"));
            notify(shared, channel, &seen, status_wanted)
        }
        (refusal, _) => refuse(shared, &seen, refusal.unwrap_or(StatusCode::NOT_FOUND)),
    }
}

/// What arrived, for the transcript.
struct Incomings<'a> {
    at: UtcMillis,
    path: &'a str,
    body: Bytes,
}

/// Whom a push is for.
enum Channel {
    Cohort(Arc<Slot>),
    Load(Arc<LoadChannels>, u32),
}

fn channel_of(shared: &Shared, path: &str) -> Option<Channel> {
    let device: u64 = path.strip_prefix("/channels/")?.parse().ok()?;
    let slots = shared.slots.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = slots.get(&device) {
        return Some(Channel::Cohort(Arc::clone(slot)));
    }
    drop(slots);
    let load = shared.load.read().unwrap_or_else(PoisonError::into_inner);
    let channels = load.as_ref()?;
    let index = u32::try_from(device).ok()?;
    channels.presence(index)?;
    Some(Channel::Load(Arc::clone(channels), index))
}

fn header<'a>(headers: &'a hyper::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn authorized(shared: &Shared, headers: &hyper::HeaderMap) -> bool {
    let sent = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    sent == Some(shared.authorization.expose())
}

fn well_formed(headers: &hyper::HeaderMap) -> bool {
    // Contract 3: the type of a raw notification and its media type are fixed.
    header(headers, "x-wns-type") == Some("wns/raw")
        && header(headers, CONTENT_TYPE.as_str()) == Some("application/octet-stream")
}

/// Answers a push to a known channel by the device's presence and tells the device.
fn notify(
    shared: &Shared,
    channel: Channel,
    seen: &Incomings<'_>,
    status_wanted: bool,
) -> Response<Told> {
    let number = shared.pushes.fetch_add(1, Ordering::SeqCst);
    let presence = channel.presence();
    let (status, word, taken) = match presence {
        Presence::Connected => (StatusCode::OK, "connected", "received"),
        Presence::Disconnected => (StatusCode::OK, "disconnected", "dropped"),
        Presence::TempDisconnected => (StatusCode::OK, "tempdisconnected", "dropped"),
        Presence::Gone => (StatusCode::GONE, "disconnected", "dropped"),
    };
    let connected = presence == Presence::Connected;
    if connected {
        shared.connected.fetch_add(1, Ordering::SeqCst);
    }
    channel.answering(shared, seen, connected, (status, word));
    let waker = connected.then(|| Waker { channel });
    let mut response = Response::new(Told { waker });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    put("x-wns-status", HeaderValue::from_static(taken));
    if let Ok(id) = HeaderValue::from_str(&format!("{number:016X}")) {
        put("x-wns-msg-id", id);
    }
    if status_wanted && status == StatusCode::OK {
        put(
            "x-wns-deviceconnectionstatus",
            HeaderValue::from_static(word),
        );
    }
    response
}

fn refuse(shared: &Shared, seen: &Incomings<'_>, status: StatusCode) -> Response<Told> {
    if shared.refused.fetch_add(1, Ordering::SeqCst) < REFUSED_RECORDED_MAX {
        let exchange = seen.exchange(shared, "push", "unknown", (status, "refused"));
        let id = shared.transcript.record(exchange);
        let mut refused = shared
            .refused_seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        refused.entry(status.as_u16()).or_insert(id);
    }
    let mut response = Response::new(Told { waker: None });
    *response.status_mut() = status;
    response
}

impl Incomings<'_> {
    fn exchange(
        &self,
        shared: &Shared,
        scope: &'static str,
        party: &str,
        (status, word): (StatusCode, &str),
    ) -> Exchange {
        Exchange {
            plane: Plane::Push,
            scope,
            party: party.to_owned(),
            method: "POST",
            path: self.path.to_owned(),
            client_request_id: None,
            sent_at: self.at,
            received_at: Some(shared.clock.now()),
            request: self.body.to_vec(),
            status: Some(status.as_u16()),
            response: word.as_bytes().to_vec(),
            failure: None,
        }
    }
}

impl Channel {
    fn presence(&self) -> Presence {
        match self {
            Self::Cohort(slot) => Presence::load(&slot.presence),
            Self::Load(channels, device) => channels.presence(*device).unwrap_or(Presence::Gone),
        }
    }

    /// What is known before the answer leaves.
    fn answering(
        &self,
        shared: &Shared,
        seen: &Incomings<'_>,
        connected: bool,
        answer: (StatusCode, &str),
    ) {
        match self {
            Self::Cohort(slot) => {
                slot.pushes.fetch_add(1, Ordering::SeqCst);
                let exchange = seen.exchange(shared, slot.scope, &slot.name, answer);
                let push = PushSeen {
                    at: seen.at,
                    answered_connected: connected,
                    exchange: Some(shared.transcript.record(exchange)),
                };
                slot.seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(push);
            }
            Self::Load(channels, device) => channels.answering(*device, connected),
        }
    }

    /// The answer `connected` has been written out.
    fn answered(&self) {
        match self {
            Self::Cohort(slot) => {
                let count = slot.wakes.fetch_add(1, Ordering::SeqCst) + 1;
                slot.woken.send_replace(count);
            }
            Self::Load(channels, device) => channels.answered(*device),
        }
    }
}

/// An empty body that tells when hyper has written it: the whole answer is then on its way.
struct Told {
    waker: Option<Waker>,
}

struct Waker {
    channel: Channel,
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.channel.answered();
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.waker = None;
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Authority, Connection, Request, path_of};

    const GOOD: [(&str, &str); 4] = [
        ("Authorization", "Bearer wake"),
        ("X-WNS-Type", "wns/raw"),
        ("X-WNS-RequestForStatus", "true"),
        ("Content-Type", "application/octet-stream"),
    ];

    async fn endpoint() -> PushEndpoint {
        PushEndpoint::start(Clock::start(), "wake".to_owned(), Transcript::default())
            .await
            .unwrap()
    }

    async fn push(
        uri: &str,
        method: &'static str,
        headers: &[(&'static str, &str)],
        body: usize,
    ) -> crate::http::Answer {
        let mut connection = Connection::new(Authority::of_url(uri).unwrap(), Clock::start());
        let body = Bytes::from(vec![b'x'; body]);
        let request = Request {
            method,
            path: path_of(uri),
            headers,
            body,
        };
        connection
            .send(request, Duration::from_secs(5))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_push_is_answered_by_the_presence_of_the_device() {
        let endpoint = endpoint().await;
        let slot = endpoint.register(7, "L7", "test", Presence::Connected);
        for (presence, status, word) in [
            (Presence::Connected, 200, Some("connected")),
            (Presence::Disconnected, 200, Some("disconnected")),
            (Presence::TempDisconnected, 200, Some("tempdisconnected")),
            (Presence::Gone, 410, None),
        ] {
            slot.set_presence(presence);
            let answer = push(&endpoint.channel_uri(7), "POST", &GOOD, 5).await;
            assert_eq!(answer.status, status, "{presence:?}");
            assert_eq!(
                answer.header("x-wns-deviceconnectionstatus"),
                word,
                "{presence:?}"
            );
            assert!(answer.header("x-wns-msg-id").unwrap().len() <= 16);
        }
        assert!(slot.woken(0, Duration::from_secs(5)).await);
        assert_eq!(slot.wakes(), 1);
        assert_eq!(slot.count(), 4);
        assert_eq!(
            slot.pushes()
                .iter()
                .filter(|push| push.answered_connected)
                .count(),
            1
        );
        assert_eq!(
            endpoint.stats(),
            PushStats {
                pushes: 4,
                connected: 1,
                refused: 0
            }
        );
    }

    fn with(name: &str, value: &'static str) -> [(&'static str, &'static str); 4] {
        GOOD.map(|(key, old)| (key, if key == name { value } else { old }))
    }

    #[tokio::test]
    async fn a_push_that_breaks_the_rules_is_refused_and_wakes_nobody() {
        let endpoint = endpoint().await;
        let slot = endpoint.register(7, "L7", "test", Presence::Connected);
        let known = endpoint.channel_uri(7);
        for (uri, method, headers, body, status) in [
            (known.as_str(), "GET", GOOD, 0, 405),
            (
                known.as_str(),
                "POST",
                with("Authorization", "Bearer other"),
                5,
                401,
            ),
            (
                known.as_str(),
                "POST",
                with("X-WNS-Type", "wns/toast"),
                5,
                400,
            ),
            (
                known.as_str(),
                "POST",
                with("Content-Type", "text/xml"),
                5,
                400,
            ),
            (known.as_str(), "POST", GOOD, BODY_MAX + 1, 413),
            (&endpoint.channel_uri(8), "POST", GOOD, 5, 404),
        ] {
            assert_eq!(
                push(uri, method, &headers, body).await.status,
                status,
                "{uri} {method}"
            );
        }
        assert_eq!((slot.count(), slot.wakes()), (0, 0));
        assert!(!slot.woken(0, Duration::ZERO).await);
        assert_eq!(endpoint.stats().refused, 6);
    }

    #[tokio::test]
    async fn a_shard_hears_of_the_answer_before_and_after_it_leaves() {
        let endpoint = endpoint().await;
        let (sender, mut wakes) = mpsc::unbounded_channel();
        let channels = endpoint.open_load(4, vec![sender.clone(), sender]);
        let answer = push(&endpoint.channel_uri(4), "POST", &GOOD, 5).await;
        assert_eq!(answer.status, 404, "the fleet has four devices");
        let answer = push(&endpoint.channel_uri(3), "POST", &GOOD[..2], 5).await;
        assert_eq!(answer.status, 400, "the media type is required");
        let answer = push(&endpoint.channel_uri(3), "POST", &GOOD, 5).await;
        assert_eq!(answer.status, 200);
        channels.set_presence(3, Presence::Disconnected);
        let _dropped = push(&endpoint.channel_uri(3), "POST", &GOOD, 5).await;
        for stage in [WakeStage::Answering, WakeStage::Answered, WakeStage::Absent] {
            assert_eq!(wakes.recv().await, Some(Wake { device: 3, stage }));
        }
        assert_eq!((channels.wakes(3), channels.wakes(2)), (1, 0));
    }
}
