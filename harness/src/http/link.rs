//! The connections of one worker of a shard: kept-alive HTTP/1.1, one for each authority, driven in
//! the worker's own task.
//!
//! A [`Connection`](super::Connection) has a task of its own, and each exchange then wakes two tasks
//! in turn. Here the worker polls its connection while it waits for the answer, and while it waits
//! for work, so that a close by the peer is noticed before the next request.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Method, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Answer, Authority, CONNECT, Failure, IDLE_NS, exchange, path_of};
use crate::clock::Clock;

/// A request whose headers are ready; `Host` and `Content-Length` are added.
#[derive(Debug)]
pub(crate) struct Ready<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The connections of a worker.
#[derive(Debug)]
pub(crate) struct Links {
    clock: Clock,
    links: Vec<Link>,
    /// Where the latest request went: the next one most often goes there, too.
    latest: Option<Route>,
}

#[derive(Debug)]
struct Route {
    url: Box<str>,
    link: usize,
    path: Uri,
}

#[derive(Debug)]
struct Link {
    authority: Authority,
    host: HeaderValue,
    open: Option<Open>,
    used_ns: u64,
}

type Driver = Pin<Box<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>>;

#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

impl Links {
    pub(crate) const fn new(clock: Clock) -> Self {
        Self {
            clock,
            links: Vec::new(),
            latest: None,
        }
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`Failure`] tells whether the request can have arrived. After any failure the connection is
    /// closed; the next request opens another.
    pub(crate) async fn send(
        &mut self,
        request: Ready<'_>,
        timeout: Duration,
    ) -> Result<Answer, Failure> {
        let (link, path) = self.route(request.url)?;
        let link = self
            .links
            .get_mut(link)
            .ok_or_else(|| Failure::NotSent("no connection".to_owned()))?;
        let mut built = hyper::Request::new(Full::new(request.body));
        *built.method_mut() = request.method;
        *built.uri_mut() = path;
        *built.headers_mut() = request.headers;
        built.headers_mut().insert(HOST, link.host.clone());
        let mut open = link.open(&self.clock).await?;
        let sent_ns = self.clock.monotonic_ns();
        let answered = tokio::time::timeout(timeout, open.exchange(built)).await;
        let (answer, alive) = answered.unwrap_or_else(|_elapsed| {
            let waited = format!("no answer within {} ms", timeout.as_millis());
            (Err(Failure::Unknown(waited)), false)
        });
        let (status, headers, body) = answer?;
        let received_ns = self.clock.monotonic_ns();
        // Only a connection that delivered a whole answer is kept.
        link.open = alive.then_some(open);
        link.used_ns = received_ns;
        Ok(Answer {
            status,
            body,
            sent_ns,
            received_ns,
            headers,
        })
    }

    /// Waits for something, and keeps an eye on the open connections meanwhile.
    pub(crate) async fn idle_until(&mut self, wake: impl Future<Output = ()>) {
        let mut wake = pin!(wake);
        poll_fn(|cx| {
            for link in &mut self.links {
                link.look(cx);
            }
            wake.as_mut().poll(cx)
        })
        .await;
    }

    /// The connection that leads to a URL, and what to ask for on it.
    fn route(&mut self, url: &str) -> Result<(usize, Uri), Failure> {
        if let Some(latest) = &self.latest
            && *latest.url == *url
        {
            return Ok((latest.link, latest.path.clone()));
        }
        let not_sent = |what: String| Failure::NotSent(format!("`{url}` {what}"));
        let authority =
            Authority::of_url(url).ok_or_else(|| not_sent("is no http URL".to_owned()))?;
        let path: Uri = path_of(url)
            .parse()
            .map_err(|error| not_sent(format!("has no path: {error}")))?;
        let known = self.links.iter().position(|it| it.authority == authority);
        let link = known.unwrap_or_else(|| {
            self.links.push(Link::new(authority));
            self.links.len() - 1
        });
        self.latest = Some(Route {
            url: url.into(),
            link,
            path: path.clone(),
        });
        Ok((link, path))
    }
}

impl Link {
    fn new(authority: Authority) -> Self {
        Self {
            host: authority.host_header(),
            authority,
            open: None,
            used_ns: 0,
        }
    }

    /// Notices a close by the peer.
    fn look(&mut self, cx: &mut Context<'_>) {
        let closed = match &mut self.open {
            Some(open) => open.driver.as_mut().poll(cx).is_ready(),
            None => false,
        };
        if closed {
            self.open = None;
        }
    }

    /// The open connection if it can still be used, or a new one.
    async fn open(&mut self, clock: &Clock) -> Result<Open, Failure> {
        let idle_ns = clock.monotonic_ns().saturating_sub(self.used_ns);
        if let Some(mut open) = self.open.take()
            && idle_ns < IDLE_NS
            && open.is_ready().await
        {
            return Ok(open);
        }
        let connecting = async {
            let stream = self.authority.connect().await?;
            http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| Failure::NotSent(error.to_string()))
        };
        let (sender, driver) = tokio::time::timeout(CONNECT, connecting)
            .await
            .unwrap_or_else(|_elapsed| Err(Failure::NotSent("connect timed out".to_owned())))?;
        Ok(Open {
            sender,
            driver: Box::pin(driver),
        })
    }
}

impl Open {
    /// True when a request can be sent at once.
    async fn is_ready(&mut self) -> bool {
        let Self { sender, driver } = self;
        let (ready, alive) = together(driver, sender.ready()).await;
        ready.is_ok() && alive
    }

    /// One request and its answer, and whether the connection lives on.
    async fn exchange(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
    ) -> (Result<(u16, HeaderMap, Bytes), Failure>, bool) {
        let Self { sender, driver } = self;
        together(driver, exchange(sender, request)).await
    }
}

/// Drives a connection until some work on it is done; also tells whether it is still open.
async fn together<T>(driver: &mut Driver, work: impl Future<Output = T>) -> (T, bool) {
    let mut work = pin!(work);
    let mut open = true;
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready((done, open));
        }
        // The error of a connection, if any, reaches the work.
        open = open && driver.as_mut().poll(cx).is_pending();
        work.as_mut().poll(cx).map(|done| (done, open))
    })
    .await
}
