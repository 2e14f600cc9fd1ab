//! Answers pushes over HTTP: who may push what, and how it is answered.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::channel::{Channel, Incomings, Told, Waker, channel_of};
use super::{Presence, Shared};

/// Most bytes of a push (wire-facts 4.3).
pub(super) const BODY_MAX: usize = 5_000;
/// Longest wait for the head of a request on an idle connection.
const HEAD: Duration = Duration::from_secs(75);
/// Most connections served at once; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 512;
/// Most refused pushes that are recorded.
const REFUSED_RECORDED_MAX: u64 = 32;

/// Takes connections for as long as the endpoint lives.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
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
