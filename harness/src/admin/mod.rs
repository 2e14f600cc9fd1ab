//! The admin plane as a client: typed calls, one exchange each, every one recorded.
//!
//! A call never fails because of what the target answers: any status is a [`Reply`]. Only a missing
//! answer is an error. Nothing is ever sent twice, but for a call that was refused with 429: it is
//! repeated under another request id, and where the ledger counts it, as another operation.

pub mod audit;
mod device;
mod directory;
mod policy;
pub mod task;
mod tenant;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use protocol::graph::error::ErrorBody;
use protocol::graph::list::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::Error;
use crate::http::{Authority, Failure, Pool, Request, path_of};
use crate::ledger::Outcome;
use crate::limits;
use crate::target::Target;
use crate::throttle::{self, Repeats};
use crate::transcript::{Exchange, ExchangeId, Plane, Transcript};

/// Calls in flight at once; further ones wait for a connection.
pub const CONNECTIONS_MAX: usize = 16;
/// Pages read of one list before it counts as endless.
pub const PAGES_MAX: usize = 10_000;
/// Elements asked for in one page (contract 0: `$top` is at most 999).
const PAGE_SIZE: u32 = 999;
/// Pages of a long list that are kept whole whatever is in them.
const PAGES_KEPT: usize = 16;
const USER_AGENT: &str = concat!("muster/", env!("CARGO_PKG_VERSION"));

/// The admin plane of one target; clones share connections.
#[derive(Clone)]
pub struct AdminClient {
    shared: Arc<Shared>,
}

struct Shared {
    target: Target,
    /// The path of the admin plane's base URL, without a slash at its end.
    base_path: String,
    pool: Pool,
    clock: Clock,
    transcript: Transcript,
    run_id: u64,
    calls: AtomicU64,
}

impl std::fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminClient")
            .field("target", &self.shared.target)
            .finish_non_exhaustive()
    }
}

/// One actor at the admin plane: its token, and the scope under which its calls are recorded.
#[derive(Clone)]
pub struct Actor {
    client: AdminClient,
    name: String,
    scope: &'static str,
    bearer: String,
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor")
            .field("name", &self.name)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Clone)]
pub struct Reply<T> {
    /// The HTTP status.
    pub status: u16,
    /// The body of a 2xx answer, when it reads as what it should be.
    pub body: Option<T>,
    /// `error.code` of a refusal, when its body has one.
    pub error_code: Option<String>,
    /// The exchange; of a list of several pages, that of the last one.
    pub exchange: ExchangeId,
    /// The `client-request-id` that was sent.
    pub client_request_id: Uuid,
    /// When the first request of the call was handed to a connection, on [`Clock::monotonic_ns`]:
    /// that of the first page of a list, and the first one where calls were refused with 429.
    pub sent_ns: u64,
    bytes: Bytes,
    /// How long to wait before the call is repeated, when it was refused with 429.
    pause: Option<Duration>,
}

/// A call that got no answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// Whether the request may have reached the target; never [`Outcome::Status`].
    pub outcome: Outcome,
    /// The failure as an error.
    pub error: Error,
}

impl<T> std::fmt::Debug for Reply<T> {
    /// Leaves the body out: a password may be in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("error_code", &self.error_code)
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

impl<T> Reply<T> {
    /// True for 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body as it came. A password may be in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The body apart from the rest.
    fn split(self) -> (Option<T>, Reply<()>) {
        let Self {
            status,
            body,
            error_code,
            exchange,
            client_request_id,
            sent_ns,
            bytes,
            pause,
        } = self;
        (
            body,
            Reply {
                status,
                body: None,
                error_code,
                exchange,
                client_request_id,
                sent_ns,
                bytes,
                pause,
            },
        )
    }

    /// The same reply to a call whose first request was sent at `first_ns`, or just now for the
    /// first one.
    fn since(mut self, first_ns: &mut Option<u64>) -> Self {
        self.sent_ns = *first_ns.get_or_insert(self.sent_ns);
        self
    }

    /// The same reply with another body.
    fn with_body<U>(self, body: Option<U>) -> Reply<U> {
        let (_body, rest) = self.split();
        Reply {
            status: rest.status,
            body,
            error_code: rest.error_code,
            exchange: rest.exchange,
            client_request_id: rest.client_request_id,
            sent_ns: rest.sent_ns,
            bytes: rest.bytes,
            pause: rest.pause,
        }
    }

    /// The body, for a step that cannot go on without it.
    ///
    /// # Errors
    /// [`Error::Target`] when the status is no 2xx or the body does not read.
    pub fn require(self, what: &str) -> Result<T, Error> {
        let status = self.status;
        let success = self.is_success();
        self.body.filter(|_| success).ok_or_else(|| Error::Target {
            what: what.to_owned(),
            seen: match self.error_code {
                Some(code) => format!("status {status}, code {code}"),
                None => format!("status {status}"),
            },
        })
    }
}

impl From<NoAnswer> for Error {
    fn from(failure: NoAnswer) -> Self {
        failure.error
    }
}

/// What a call sends; the rest is the same for every call.
struct Call<'a> {
    method: &'static str,
    /// Below the version, for example `/groups?$top=1`, already encoded.
    path: &'a str,
    body: Bytes,
    client_request_id: Option<Uuid>,
}

impl<'a> Call<'a> {
    const fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            body: Bytes::new(),
            client_request_id: None,
        }
    }

    const fn delete(path: &'a str) -> Self {
        Self {
            method: "DELETE",
            path,
            body: Bytes::new(),
            client_request_id: None,
        }
    }

    const fn post_empty(path: &'a str) -> Self {
        Self {
            method: "POST",
            path,
            body: Bytes::new(),
            client_request_id: None,
        }
    }

    fn with_json<B: Serialize>(
        method: &'static str,
        path: &'a str,
        body: &B,
    ) -> Result<Self, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Error::Harness(format!("body of {method} {path}: {error}")))?;
        Ok(Self {
            method,
            path,
            body: body.into(),
            client_request_id: None,
        })
    }

    const fn with_id(mut self, client_request_id: Uuid) -> Self {
        self.client_request_id = Some(client_request_id);
        self
    }
}

/// Whether an exchange has to be kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// It may be forgotten.
    No,
    /// It is evidence.
    Yes,
}

impl AdminClient {
    /// A client of the target's admin plane. `run_id` goes into the request ids that it makes.
    #[must_use]
    pub fn new(target: &Target, clock: Clock, transcript: Transcript, run_id: u64) -> Self {
        let authority = Authority::of_url(&target.admin).unwrap_or(Authority {
            host: String::new(),
            port: 0,
        });
        Self {
            shared: Arc::new(Shared {
                base_path: path_of(&target.admin).trim_end_matches('/').to_owned(),
                target: target.clone(),
                pool: Pool::new(authority, clock.clone(), CONNECTIONS_MAX),
                clock,
                transcript,
                run_id,
                calls: AtomicU64::new(0),
            }),
        }
    }

    /// The actor of this name; its calls are recorded under `scope`. An actor that the target did
    /// not name has an unknown token, and the target refuses its calls with 401.
    #[must_use]
    pub fn actor(&self, name: &str, scope: &'static str) -> Actor {
        let token = self
            .shared
            .target
            .tokens
            .get(name)
            .map_or("", String::as_str);
        Actor {
            client: self.clone(),
            name: name.to_owned(),
            scope,
            bearer: format!("Bearer {token}"),
        }
    }

    /// A request id of a call that no ledger counts.
    fn next_request_id(&self) -> Uuid {
        let call = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let high = (self.shared.run_id & !0xf000) | 0x4000;
        Uuid::from_u64_pair(high, (1 << 63) | (call & (u64::MAX >> 2)))
    }
}

impl Actor {
    /// The actor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One call, repeated while it is refused with 429, unless its id was given: that of an
    /// operation goes out once.
    async fn call<T>(
        &self,
        call: Call<'_>,
        read: fn(&[u8]) -> Option<T>,
    ) -> Result<Reply<T>, NoAnswer> {
        let (mut repeats, mut first_ns) = (Repeats::new(), None);
        loop {
            let reply = self.exchange(&call, read).await?.since(&mut first_ns);
            if call.client_request_id.is_some() || !repeats.again(reply.pause).await {
                return Ok(reply);
            }
        }
    }

    /// One exchange; `read` turns the body of a 2xx answer into what it stands for.
    async fn exchange<T>(
        &self,
        call: &Call<'_>,
        read: fn(&[u8]) -> Option<T>,
    ) -> Result<Reply<T>, NoAnswer> {
        let shared = &self.client.shared;
        let client_request_id = call
            .client_request_id
            .unwrap_or_else(|| self.client.next_request_id());
        let path = format!("{}{}", shared.base_path, call.path);
        let request_id = client_request_id.to_string();
        let mut headers = vec![
            ("authorization", self.bearer.as_str()),
            ("user-agent", USER_AGENT),
            ("client-request-id", request_id.as_str()),
        ];
        if !call.body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let asked_at = shared.clock.now();
        let request = Request {
            method: call.method,
            path: &path,
            headers: &headers,
            body: call.body.clone(),
        };
        let answer = shared.pool.send(request, limits::HTTP_EXCHANGE).await;
        let exchange = shared.transcript.record(Exchange {
            plane: Plane::Admin,
            scope: self.scope,
            party: self.name.clone(),
            method: call.method,
            path: path.clone(),
            client_request_id: Some(client_request_id),
            sent_at: answer
                .as_ref()
                .map_or(asked_at, |answer| shared.clock.at(answer.sent_ns)),
            received_at: answer
                .as_ref()
                .ok()
                .map(|answer| shared.clock.at(answer.received_ns)),
            request: call.body.to_vec(),
            status: answer.as_ref().ok().map(|answer| answer.status),
            response: answer
                .as_ref()
                .map(|answer| answer.body.to_vec())
                .unwrap_or_default(),
            failure: answer
                .as_ref()
                .err()
                .map(|failure| complaint(failure).to_owned()),
        });
        let answer = answer.map_err(|failure| no_answer(call.method, &path, &failure))?;
        let success = matches!(answer.status, 200..=299);
        Ok(Reply {
            status: answer.status,
            body: success.then(|| read(&answer.body)).flatten(),
            error_code: (!success).then(|| error_code(&answer.body)).flatten(),
            exchange,
            client_request_id,
            sent_ns: answer.sent_ns,
            pause: throttle::pause(&answer),
            bytes: answer.body,
        })
    }

    /// Every element of a list. A page that is refused or does not read ends it: its reply then
    /// has no body.
    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Reply<Vec<T>>, Error> {
        let mut elements = Vec::new();
        let reply = self
            .each_page(path, |page: Vec<T>, _exchange| elements.extend(page))
            .await?;
        Ok(match reply.split() {
            (Some(()), reply) => reply.with_body(Some(elements)),
            (None, reply) => reply.with_body(None),
        })
    }

    /// A list one element at a time as the pages come, without keeping it; otherwise as
    /// [`Self::list`]. `take` says whether the page, whose exchange it is told, has to be kept as
    /// evidence; the first few are in any case.
    async fn each_element<T: DeserializeOwned>(
        &self,
        path: &str,
        mut take: impl FnMut(T, ExchangeId) -> Kept,
    ) -> Result<Reply<()>, Error> {
        let mut pages = 0;
        self.each_page(path, |page: Vec<T>, exchange| {
            let mut kept = Kept::No;
            for element in page {
                kept = kept.max(take(element, exchange));
            }
            pages += 1;
            if kept == Kept::No && pages > PAGES_KEPT {
                self.client.shared.transcript.release(exchange);
            }
        })
        .await
    }

    /// A list page by page, of which the last one is the reply; otherwise as [`Self::list`].
    async fn each_page<T: DeserializeOwned>(
        &self,
        path: &str,
        mut take: impl FnMut(Vec<T>, ExchangeId),
    ) -> Result<Reply<()>, Error> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut next = format!("{path}{separator}$top={PAGE_SIZE}");
        let mut first_ns = None;
        for _page in 0..PAGES_MAX {
            let reply = self.call(Call::get(&next), json::<Page<T>>).await?;
            let (page, reply) = reply.since(&mut first_ns).split();
            let Some(page) = page else {
                return Ok(reply.with_body(None));
            };
            take(page.value, reply.exchange);
            match page.next_link {
                None => return Ok(reply.with_body(Some(()))),
                Some(link) => next = self.below_base(&link)?,
            }
        }
        Err(Error::Target {
            what: format!("GET {path}"),
            seen: format!("more than {PAGES_MAX} pages"),
        })
    }

    /// The part of a next link below the base of the admin plane.
    fn below_base(&self, link: &str) -> Result<String, Error> {
        let shared = &self.client.shared;
        let ours = shared.pool.authority().serves(link);
        path_of(link)
            .strip_prefix(shared.base_path.as_str())
            .filter(|_| ours)
            .map(str::to_owned)
            .ok_or_else(|| Error::Target {
                what: "a list".to_owned(),
                seen: format!("next link `{link}` outside the admin plane"),
            })
    }
}

/// Reads JSON.
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// For answers whose body does not matter.
#[expect(
    clippy::unnecessary_wraps,
    reason = "one shape for every reader of bodies"
)]
fn nothing(_bytes: &[u8]) -> Option<()> {
    Some(())
}

fn error_code(bytes: &[u8]) -> Option<String> {
    json::<ErrorBody>(bytes).map(|body| body.error.code.as_str().to_owned())
}

fn complaint(failure: &Failure) -> &str {
    match failure {
        Failure::NotSent(text) | Failure::Unknown(text) => text,
    }
}

fn no_answer(method: &str, path: &str, failure: &Failure) -> NoAnswer {
    NoAnswer {
        outcome: match failure {
            Failure::NotSent(_) => Outcome::NotSent,
            Failure::Unknown(_) => Outcome::Unknown,
        },
        error: Error::Unreachable {
            what: format!("{method} {path}"),
            cause: complaint(failure).to_owned(),
        },
    }
}
