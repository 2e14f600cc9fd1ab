//! HTTP/1.1 towards the target: one request at a time on a kept-alive connection, over hyper's
//! connection-level client.
//!
//! Nothing is sent twice on its own: a request that fails is reported with what is known of its
//! fate, and only the next request opens a new connection. That is what makes the books of the
//! ledger exact.

pub(crate) mod link;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::clock::Clock;

/// Largest answer body that is read.
pub const BODY_MAX: usize = 4 * 1024 * 1024;
/// Longest wait for a TCP connection.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection that idled this long is not used again: the target may close it after 75 s
/// (contract 0), and a request that crosses the close would have an unknown fate.
const IDLE_NS: u64 = 30_000_000_000;

/// Host and port of a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    /// Name or address, an IPv6 address with its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Authority {
    /// Reads host and port of an `http://` URL; the port is 80 when none is written.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let (host, port) = host_and_port(url)?;
        Some(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// The value of the header `Host`.
    fn host_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string())
            .unwrap_or_else(|_unprintable| HeaderValue::from_static("invalid"))
    }

    /// A TCP connection to it.
    async fn connect(&self) -> Result<TcpStream, Failure> {
        // The brackets belong to the URL, not to the address.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let not_sent = |error: std::io::Error| Failure::NotSent(error.to_string());
        let stream = TcpStream::connect((host, self.port))
            .await
            .map_err(not_sent)?;
        stream.set_nodelay(true).map_err(not_sent)?;
        Ok(stream)
    }

    /// True when the URL leads to this host and port.
    #[must_use]
    pub fn serves(&self, url: &str) -> bool {
        host_and_port(url).is_some_and(|(host, port)| host == self.host && port == self.port)
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Path and query of an `http://` URL, `/` when it has none.
#[must_use]
pub fn path_of(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn host_and_port(url: &str) -> Option<(&str, u16)> {
    let rest = url.strip_prefix("http://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // The last colon outside brackets separates the port; an IPv6 address keeps its own colons.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    (!host.is_empty() && !host.contains('@')).then_some((host, port))
}

/// A request; `Host` and `Content-Length` are added.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Path and query.
    pub path: &'a str,
    /// Further headers.
    pub headers: &'a [(&'static str, &'a str)],
    /// The body, empty for none.
    pub body: Bytes,
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// When the request was handed to the connection, on [`Clock::monotonic_ns`].
    pub sent_ns: u64,
    /// When the answer was complete.
    pub received_ns: u64,
    headers: HeaderMap,
}

impl Answer {
    /// An answer that came some other way than over a connection of this module.
    #[must_use]
    pub fn new(
        status: u16,
        headers: &[(&'static str, &str)],
        body: Bytes,
        (sent_ns, received_ns): (u64, u64),
    ) -> Self {
        let readable = headers.iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_str(value).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        Self {
            status,
            body,
            sent_ns,
            received_ns,
            headers: readable.collect(),
        }
    }

    /// The value of a header, `None` when it is absent or not ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Proof that the request never left: no connection, or handed back unsent.
    NotSent(String),
    /// The request may have arrived: reset, timeout, truncated answer.
    Unknown(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSent(cause) => write!(f, "not sent: {cause}"),
            Self::Unknown(cause) => write!(f, "outcome unknown: {cause}"),
        }
    }
}

impl From<Failure> for emulator::Failure {
    /// What the device is told.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent(_) => Self::NotSent,
            Failure::Unknown(_) => Self::Unknown,
        }
    }
}

/// One kept-alive connection, opened when a request needs it.
#[derive(Debug)]
pub struct Connection {
    authority: Authority,
    host: HeaderValue,
    clock: Clock,
    open: Option<SendRequest<Full<Bytes>>>,
    used_ns: u64,
}

impl Connection {
    /// A connection that is not open yet.
    #[must_use]
    pub fn new(authority: Authority, clock: Clock) -> Self {
        Self {
            host: authority.host_header(),
            authority,
            clock,
            open: None,
            used_ns: 0,
        }
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`Failure`] tells whether the request can have arrived. After any failure the connection is
    /// closed; the next request opens another.
    pub async fn send(
        &mut self,
        request: Request<'_>,
        timeout: Duration,
    ) -> Result<Answer, Failure> {
        let built = self.build(request)?;
        let mut sender = self.sender().await?;
        let sent_ns = self.clock.monotonic_ns();
        let answer = tokio::time::timeout(timeout, exchange(&mut sender, built))
            .await
            .unwrap_or_else(|_elapsed| {
                Err(Failure::Unknown(format!(
                    "no answer within {} ms",
                    timeout.as_millis()
                )))
            })?;
        // Only a connection that delivered a whole answer is kept.
        self.open = Some(sender);
        self.used_ns = self.clock.monotonic_ns();
        let (status, headers, body) = answer;
        Ok(Answer {
            status,
            body,
            sent_ns,
            received_ns: self.used_ns,
            headers,
        })
    }

    fn build(&self, request: Request<'_>) -> Result<hyper::Request<Full<Bytes>>, Failure> {
        let unfit = |what: &dyn std::fmt::Display| Failure::NotSent(format!("request: {what}"));
        let mut built = hyper::Request::builder()
            .method(request.method)
            .uri(request.path)
            .body(Full::new(request.body))
            .map_err(|error| unfit(&error))?;
        let headers = built.headers_mut();
        headers.insert(HOST, self.host.clone());
        for (name, value) in request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unfit(&error))?;
            let value = HeaderValue::from_str(value).map_err(|error| unfit(&error))?;
            headers.append(name, value);
        }
        Ok(built)
    }

    /// The open connection if it can still be used, or a new one.
    async fn sender(&mut self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let idle_ns = self.clock.monotonic_ns().saturating_sub(self.used_ns);
        if let Some(mut sender) = self.open.take()
            && idle_ns < IDLE_NS
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let connecting = async {
            let stream = self.authority.connect().await?;
            http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| Failure::NotSent(error.to_string()))
        };
        let (sender, connection) = tokio::time::timeout(CONNECT, connecting)
            .await
            .unwrap_or_else(|_elapsed| Err(Failure::NotSent("connect timed out".to_owned())))?;
        // The task ends when the sender is dropped or the peer closes; its error, if any, reaches
        // the request in flight.
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        Ok(sender)
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: hyper::Request<Full<Bytes>>,
) -> Result<(u16, HeaderMap, Bytes), Failure> {
    let response = sender
        .try_send_request(request)
        .await
        .map_err(|mut error| {
            let cause = causes(error.error());
            match error.take_message() {
                Some(_unsent) => Failure::NotSent(cause),
                None => Failure::Unknown(cause),
            }
        })?;
    let (parts, mut incoming) = response.into_parts();
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Failure::Unknown(causes(&error)))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + whole.len() + data.len() > BODY_MAX {
            return Err(Failure::Unknown(format!(
                "answer body over {BODY_MAX} bytes"
            )));
        }
        // Nearly every answer arrives in one frame, which is kept as it is.
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    let body = if whole.is_empty() {
        first
    } else {
        whole.freeze()
    };
    Ok((parts.status.as_u16(), parts.headers, body))
}

/// The error and what it says caused it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A bounded set of connections to one authority; clones share it.
#[derive(Clone, Debug)]
pub struct Pool {
    shared: Arc<PoolShared>,
}

#[derive(Debug)]
struct PoolShared {
    authority: Authority,
    clock: Clock,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// At most `connections` connections to `authority`.
    #[must_use]
    pub fn new(authority: Authority, clock: Clock, connections: usize) -> Self {
        let shared = PoolShared {
            authority,
            clock,
            permits: Semaphore::new(connections.max(1)),
            idle: Mutex::new(Vec::new()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Where the connections lead.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.shared.authority
    }

    /// Sends on an idle connection, or on a new one, or waits until one is free.
    ///
    /// `timeout` bounds the wait for a connection and, anew, the exchange on it.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn send(&self, request: Request<'_>, timeout: Duration) -> Result<Answer, Failure> {
        let permit = tokio::time::timeout(timeout, self.shared.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            let waited = format!("no connection free within {} ms", timeout.as_millis());
            return Err(Failure::NotSent(waited));
        };
        let idle = self
            .shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut connection = idle.unwrap_or_else(|| {
            Connection::new(self.shared.authority.clone(), self.shared.clock.clone())
        });
        let answer = connection.send(request, timeout).await;
        self.shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        answer
    }
}

/// Pools by authority: the planes of a target need not share one.
#[derive(Debug)]
pub struct Pools {
    clock: Clock,
    connections: usize,
    pools: Mutex<Vec<Pool>>,
    requests: AtomicU64,
}

impl Pools {
    /// Pools of at most `connections` connections each.
    #[must_use]
    pub const fn new(clock: Clock, connections: usize) -> Self {
        Self {
            clock,
            connections,
            pools: Mutex::new(Vec::new()),
            requests: AtomicU64::new(0),
        }
    }

    /// An id for a request that nobody will look up: unique among the requests of these pools.
    pub fn next_request_id(&self) -> Uuid {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u64_pair(self.clock.monotonic_ns(), number)
    }

    /// The pool that leads to a URL; `None` when it is no `http://` URL.
    pub fn of_url(&self, url: &str) -> Option<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.iter().find(|pool| pool.authority().serves(url)) {
            return Some(pool.clone());
        }
        let pool = Pool::new(
            Authority::of_url(url)?,
            self.clock.clone(),
            self.connections,
        );
        pools.push(pool.clone());
        Some(pool)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn authorities_and_paths_come_out_of_urls() {
        for (url, authority, path) in [
            (
                "http://127.0.0.1:8080/a/b?c=d",
                Some(("127.0.0.1", 8080)),
                "/a/b?c=d",
            ),
            ("http://core.example", Some(("core.example", 80)), "/"),
            ("http://[::1]:99/x", Some(("[::1]", 99)), "/x"),
            ("http://[::1]/x", Some(("[::1]", 80)), "/x"),
            ("https://core.example/", None, "https://core.example/"),
            ("http://:80/", None, "/"),
            ("http://core:port/", None, "/"),
        ] {
            let read = Authority::of_url(url);
            assert_eq!(
                read.as_ref().map(|a| (a.host.as_str(), a.port)),
                authority,
                "{url}"
            );
            if authority.is_some() {
                assert_eq!(path_of(url), path, "{url}");
            }
        }
    }

    /// What a server does with the next connection.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Answer,
        AnswerTwice,
        CloseBeforeReading,
        CloseAfterReading,
        Truncate,
        Stall,
    }

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nhi";

    async fn serve(listener: TcpListener, acts: Vec<Act>) {
        for act in acts {
            let (mut stream, _peer) = listener.accept().await.unwrap();
            let mut buffer = [0_u8; 4096];
            if matches!(act, Act::CloseBeforeReading) {
                stream.set_zero_linger().unwrap();
                drop(stream);
                continue;
            }
            let _read = stream.read(&mut buffer).await.unwrap();
            match act {
                Act::Answer => stream.write_all(OK).await.unwrap(),
                Act::AnswerTwice => {
                    stream.write_all(OK).await.unwrap();
                    let _read = stream.read(&mut buffer).await.unwrap();
                    stream.write_all(OK).await.unwrap();
                }
                Act::Truncate => {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi")
                        .await
                        .unwrap();
                }
                Act::Stall => {
                    let _end = stream.read(&mut buffer).await;
                }
                Act::CloseAfterReading | Act::CloseBeforeReading => {}
            }
        }
    }

    async fn outcomes(acts: Vec<Act>, requests: usize) -> Vec<Result<u16, Failure>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(serve(listener, acts));
        let authority = Authority {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let mut connection = Connection::new(authority, Clock::start());
        let mut outcomes = Vec::new();
        for _ in 0..requests {
            let request = Request {
                method: "POST",
                path: "/x",
                headers: &[("x-y", "z")],
                body: Bytes::from_static(b"b"),
            };
            let answer = connection.send(request, Duration::from_millis(300)).await;
            outcomes.push(answer.map(|answer| answer.status));
        }
        server.abort();
        outcomes
    }

    #[tokio::test]
    async fn a_connection_is_kept_and_reopened_for_the_next_request_only() {
        let kept = outcomes(vec![Act::AnswerTwice], 2).await;
        assert_eq!(kept, [Ok(200), Ok(200)]);
        let reopened = outcomes(vec![Act::CloseAfterReading, Act::Answer], 2).await;
        assert!(
            matches!(reopened[0], Err(Failure::Unknown(_))),
            "{reopened:?}"
        );
        assert_eq!(reopened[1], Ok(200));
    }

    #[tokio::test]
    async fn a_request_that_may_have_arrived_has_an_unknown_outcome() {
        for act in [Act::CloseAfterReading, Act::Truncate, Act::Stall] {
            let outcome = outcomes(vec![act], 1).await;
            assert!(
                matches!(outcome[0], Err(Failure::Unknown(_))),
                "{act:?}: {outcome:?}"
            );
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_proof_that_nothing_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let authority = Authority {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let mut connection = Connection::new(authority, Clock::start());
        let request = Request {
            method: "GET",
            path: "/",
            headers: &[],
            body: Bytes::new(),
        };
        let outcome = connection.send(request, Duration::from_secs(1)).await;
        assert!(matches!(outcome, Err(Failure::NotSent(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_close_before_anything_was_read_never_counts_as_an_answer() {
        let outcome = outcomes(vec![Act::CloseBeforeReading, Act::Answer], 2).await;
        assert!(outcome[0].is_err(), "{outcome:?}");
        assert_eq!(outcome[1], Ok(200));
    }

    #[tokio::test]
    async fn a_pool_never_opens_more_connections_than_it_may() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(serve(listener, vec![Act::AnswerTwice]));
        let authority = Authority {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let pool = Pool::new(authority, Clock::start(), 1);
        let request = || Request {
            method: "GET",
            path: "/",
            headers: &[],
            body: Bytes::new(),
        };
        let (first, second) = tokio::join!(
            pool.send(request(), Duration::from_secs(1)),
            pool.send(request(), Duration::from_secs(1)),
        );
        assert_eq!((first.unwrap().status, second.unwrap().status), (200, 200));
        server.abort();
    }
}
