//! One connection: reading a request within its limits, writing the answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::time::UtcMillis;
use reference::{HttpRequest, HttpResponse, Plane, RetryAfter};
use tokio::net::TcpStream;

use super::Shared;
use super::io::{Phase, TimedStream};
use super::variant;

/// Largest body of the management plane (contract section 2).
const MANAGE_BODY_MAX: usize = 512 * 1024;
/// Largest body elsewhere (contract section 0).
const BODY_MAX: usize = 1024 * 1024;
/// Most header lines of a request.
const HEADERS_MAX: usize = 64;
/// Largest head of a request, and what a connection buffers at most.
const BUFFER_MAX: usize = 64 * 1024;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no-delay refused");
    }
    let phase = Phase::new();
    let io = TokioIo::new(TimedStream::new(stream, Arc::clone(&phase)));
    let trusted = peer.ip().is_loopback();
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        let phase = Arc::clone(&phase);
        async move {
            let response = answer(request, trusted, &shared, &phase).await;
            phase.idle();
            Ok::<_, Infallible>(variant::sent(shared.variants, response))
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX)
        .half_close(false)
        .serve_connection(io, service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Reads the rest of a request, lets the core answer it and dresses the answer.
async fn answer(
    request: Request<Incoming>,
    trusted: bool,
    shared: &Arc<Shared>,
    phase: &Phase,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Some((plane, path)) = shared.paths.plane_of(head.uri.path()) else {
        return bare(StatusCode::NOT_FOUND);
    };
    let limit = match plane {
        Plane::Manage => MANAGE_BODY_MAX,
        Plane::Enroll | Plane::Directory | Plane::Admin | Plane::Control => BODY_MAX,
    };
    let received = tokio::time::timeout_at(phase.request_deadline(), receive(body, limit)).await;
    let Ok(Ok((body, complete))) = received else {
        return closing(bare(StatusCode::BAD_REQUEST));
    };
    phase.serving();
    if let (Plane::Manage, Some(limit)) = (plane, &shared.limit) {
        limit.pass().await;
    }
    let _unanswered = shared.faults.request();
    let header = |name: &HeaderName| text(&head.headers, name);
    let request = HttpRequest {
        plane,
        method: head.method.as_str(),
        path,
        query: head.uri.query(),
        authorization: header(&AUTHORIZATION),
        client_certificate: header(&CLIENT_CERT).filter(|_| trusted),
        content_type: header(&CONTENT_TYPE),
        client_request_id: header(&CLIENT_REQUEST_ID),
        idempotency_key: header(&IDEMPOTENCY_KEY),
        body: &body,
    };
    let response = match shared.twist {
        None => shared.serve(&request).await,
        Some(twist) => twist.serve(shared, &request).await,
    };
    let response = dress(response, shared.clock.now());
    if complete {
        response
    } else {
        closing(response)
    }
}

/// The body, or its first `limit + 1` bytes: one byte too many is what tells the core that the
/// body is too large, so that 413 takes its place in the order of refusals.
async fn receive(mut body: Incoming, limit: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let room = (limit + 1).saturating_sub(all.len());
        if data.len() >= room {
            all.extend_from_slice(data.get(..room).unwrap_or_default());
            return Ok((all.freeze(), false));
        }
        all.extend_from_slice(&data);
    }
    Ok((all.freeze(), true))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or(""))
}

fn dress(answer: HttpResponse, now: UtcMillis) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(content_type) = answer.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Some(methods) = answer.allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if let Some(after) = answer.retry_after.and_then(|after| retry_after(after, now)) {
        headers.insert(RETRY_AFTER, after);
    }
    if let Some(id) = answer.client_request_id
        && let Ok(value) = HeaderValue::from_str(&id.hyphenated().to_string())
    {
        headers.insert(CLIENT_REQUEST_ID, value);
    }
    response
}

/// Seconds, or a date in the form that HTTP prefers (RFC 9110 10.2.3, 5.6.7).
fn retry_after(after: RetryAfter, now: UtcMillis) -> Option<HeaderValue> {
    match after {
        RetryAfter::Seconds(seconds) => Some(HeaderValue::from(seconds)),
        RetryAfter::DateAfter(seconds) => {
            let now = u64::try_from(now.as_millis()).ok()?;
            let after = Duration::from_millis(now) + Duration::from_secs(u64::from(seconds));
            let date = UNIX_EPOCH.checked_add(after)?;
            HeaderValue::try_from(httpdate::fmt_http_date(date)).ok()
        }
    }
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// The same answer, after which the connection ends: the rest of the request was not read.
fn closing(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
