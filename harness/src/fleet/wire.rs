//! One request of a device over HTTP: from what the device wants sent to an answer or a failure.

use std::time::Duration;

use bytes::Bytes;
use emulator::{Endpoint, Transmit};
use hyper::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT as USER_AGENT_NAME,
};
use protocol::control::{RegisterDevice, Registration};
use protocol::enrollment::Credential;

use super::visit::Outgoing;
use crate::error::Error;
use crate::http::link::{Links, Ready};
use crate::http::{Answer, Failure, Pools, Request, path_of};
use crate::limits::HTTP_EXCHANGE;
use crate::target::Target;
use crate::throttle::{self, Repeats};
use crate::transcript::Plane;

/// What our devices accept on the management plane (wire-facts 2.1).
const ACCEPT: &str =
    "application/vnd.syncml.dm+xml, application/vnd.syncml.dm+wbxml, application/octet-stream";
/// `User-Agent` on the admin and control planes (contract 0).
pub(crate) const USER_AGENT: &str = concat!("muster/", env!("CARGO_PKG_VERSION"));

/// The plane that an endpoint of a device belongs to.
pub(crate) const fn plane_of(endpoint: Endpoint) -> Plane {
    match endpoint {
        Endpoint::Discovery | Endpoint::Policy | Endpoint::Enrollment => Plane::Enroll,
        Endpoint::Management => Plane::Manage,
        Endpoint::Directory => Plane::Directory,
    }
}

/// Sends what a load device wants sent.
pub(super) async fn send_load(links: &mut Links, outgoing: &Outgoing) -> Result<Answer, Failure> {
    let mut headers = HeaderMap::with_capacity(6);
    let key = outgoing.idempotency_key.map(|key| key.to_string());
    if !outgoing.content_type.is_empty() {
        let value = HeaderValue::from_static(outgoing.content_type);
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(
        USER_AGENT_NAME,
        HeaderValue::from_static(outgoing.user_agent),
    );
    let plane = plane_of(outgoing.endpoint);
    let accept = (plane == Plane::Manage).then(|| HeaderValue::from_static(ACCEPT));
    headers.extend(accept.map(|value| (hyper::header::ACCEPT, value)));
    let certificate = match plane {
        Plane::Manage | Plane::Directory => outgoing.certificate.clone(),
        Plane::Enroll | Plane::Admin | Plane::Control | Plane::Push => None,
    };
    for (name, value) in [
        ("client-cert", certificate),
        ("idempotency-key", key.map(Bytes::from)),
    ] {
        let Some(value) = value else { continue };
        let value = HeaderValue::from_maybe_shared(value)
            .map_err(|error| Failure::NotSent(format!("header {name}: {error}")))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    let ready = Ready {
        method: method_of(outgoing.method),
        url: outgoing.url(),
        headers,
        body: outgoing.body.clone(),
    };
    links.send(ready, HTTP_EXCHANGE).await
}

const fn method_of(method: emulator::Method) -> hyper::Method {
    match method {
        emulator::Method::Get => hyper::Method::GET,
        emulator::Method::Post => hyper::Method::POST,
        emulator::Method::Put => hyper::Method::PUT,
    }
}

/// Sends what a device wants sent. `certificate` is the value of the header `Client-Cert`
/// (RFC 9440), which goes to the planes that ask who the device is.
pub(crate) async fn send(
    pools: &Pools,
    transmit: &Transmit,
    body: Bytes,
    certificate: Option<&str>,
) -> Result<Answer, Failure> {
    let pool = pools
        .of_url(&transmit.url)
        .ok_or_else(|| Failure::NotSent(format!("`{}` is no http URL", transmit.url)))?;
    let key = transmit.idempotency_key.map(|key| key.to_string());
    let mut headers: Vec<(&'static str, &str)> = Vec::with_capacity(5);
    headers.push(("user-agent", transmit.user_agent));
    if !transmit.content_type.is_empty() {
        headers.push(("content-type", transmit.content_type));
    }
    if let Some(key) = &key {
        headers.push(("idempotency-key", key));
    }
    match (plane_of(transmit.endpoint), certificate) {
        (Plane::Manage, Some(certificate)) => {
            headers.push(("accept", ACCEPT));
            headers.push(("client-cert", certificate));
        }
        (Plane::Directory, Some(certificate)) => headers.push(("client-cert", certificate)),
        (
            Plane::Enroll
            | Plane::Manage
            | Plane::Directory
            | Plane::Admin
            | Plane::Control
            | Plane::Push,
            _,
        ) => {}
    }
    let request = Request {
        method: transmit.method.as_str(),
        path: path_of(&transmit.url),
        headers: &headers,
        body,
    };
    pool.send(request, HTTP_EXCHANGE).await
}

/// The value of `Client-Cert` for a certificate in base64.
pub(crate) fn client_cert(base64: &str) -> String {
    format!(":{base64}:")
}

/// `Retry-After` of an answer, in seconds.
pub(crate) fn retry_after_s(answer: &Answer) -> Option<u32> {
    answer.header("retry-after")?.parse().ok()
}

/// Where the enrolment of a device starts.
pub(crate) fn discovery_url(target: &Target) -> String {
    format!("{}/EnrollmentServer/Discovery.svc", target.enroll)
}

/// Makes a device known to the target's directory (contract 6) and returns the credential of its
/// enrolment.
pub(crate) async fn register(
    pools: &Pools,
    target: &Target,
    device: &RegisterDevice,
) -> Result<Credential, Error> {
    let url = format!("{}/muster/v1/devices", target.control);
    let what = || format!("POST {url} for device `{}`", device.device_name);
    let body = serde_json::to_vec(device)
        .map_err(|error| Error::Harness(format!("registration: {error}")))?;
    let answer = call(
        pools,
        target,
        Call {
            actor: "control",
            method: "POST",
            url: &url,
            body,
        },
    )
    .await
    .map_err(|failure| Error::Unreachable {
        what: what(),
        cause: failure.to_string(),
    })?;
    if answer.status != 201 {
        return Err(Error::Target {
            what: what(),
            seen: format!("status {}", answer.status),
        });
    }
    let registration: Registration =
        serde_json::from_slice(&answer.body).map_err(|error| Error::Target {
            what: what(),
            seen: error.to_string(),
        })?;
    Ok(registration.enrollment.into())
}

/// A call of an actor that no verdict rests on: set-up of the load fleet.
pub(crate) struct Call<'a> {
    pub(crate) actor: &'static str,
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) body: Vec<u8>,
}

/// Sends a set-up call with the token of its actor, again while it is refused with 429.
pub(crate) async fn call(
    pools: &Pools,
    target: &Target,
    call: Call<'_>,
) -> Result<Answer, Failure> {
    let pool = pools
        .of_url(call.url)
        .ok_or_else(|| Failure::NotSent(format!("`{}` is no http URL", call.url)))?;
    let token = target.tokens.get(call.actor).map_or("", String::as_str);
    let authorization = format!("Bearer {token}");
    let body = Bytes::from(call.body);
    let mut repeats = Repeats::new();
    loop {
        // The id only has to be a GUID here: no ledger entry hangs on it.
        let id = pools.next_request_id().to_string();
        let json = [
            ("authorization", authorization.as_str()),
            ("user-agent", USER_AGENT),
            ("client-request-id", &id),
            ("content-type", "application/json"),
        ];
        let headers = if body.is_empty() {
            &json[..3]
        } else {
            &json[..]
        };
        let request = Request {
            method: call.method,
            path: path_of(call.url),
            headers,
            body: body.clone(),
        };
        let answer = pool.send(request, Duration::from_secs(30)).await?;
        if !repeats.again(throttle::pause(&answer)).await {
            return Ok(answer);
        }
    }
}
