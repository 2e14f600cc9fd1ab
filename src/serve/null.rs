//! Null cores: servers that do nothing right. A suite that lets a requirement pass on one of them
//! judges nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use harness::prove::NullKind;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use reference::{HttpRequest, HttpResponse};
use tokio::net::{TcpListener, TcpStream};

use super::hollow::Hollow;
use super::route::Paths;
use super::{Description, Shared};

/// The health check, which all that answer at all answer as healthy: without that no scenario would
/// begin, and their emptiness would prove nothing.
const HEALTH: &str = "/muster/v1/health";
/// The actors that the harness works with; a null core takes any token.
const ACTORS: [&str; 11] = [
    "control",
    "policy-admin",
    "endpoint-security-manager",
    "rotate-operator",
    "rotate-only",
    "help-desk",
    "password-reader",
    "metadata-reader",
    "auditor",
    "device-admin",
    "nobody",
];

/// A server that does nothing right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Null {
    ClosedPort,
    AcceptAndHang,
    NoContent,
    NotFound,
    InternalError,
    EmptyJson,
    Echo,
    /// The right core, which ends at the first request for a rotation.
    CrashOnRotate,
    /// The right core, of which one plane does nothing.
    Hollow(Hollow),
}

impl Null {
    /// Every one.
    pub(crate) const ALL: [Self; 14] = [
        Self::ClosedPort,
        Self::AcceptAndHang,
        Self::NoContent,
        Self::NotFound,
        Self::InternalError,
        Self::EmptyJson,
        Self::Echo,
        Self::CrashOnRotate,
        Self::Hollow(Hollow::Rotation),
        Self::Hollow(Hollow::Actions),
        Self::Hollow(Hollow::Audit),
        Self::Hollow(Hollow::Directory),
        Self::Hollow(Hollow::Management),
        Self::Hollow(Hollow::Credentials),
    ];

    /// The name on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ClosedPort => "closed-port",
            Self::AcceptAndHang => "accept-and-hang",
            Self::NoContent => "204-to-all",
            Self::NotFound => "404-to-all",
            Self::InternalError => "500-to-all",
            Self::EmptyJson => "empty-json",
            Self::Echo => "echo",
            Self::CrashOnRotate => "crash-on-rotate",
            Self::Hollow(hollow) => hollow.as_str(),
        }
    }

    /// Whether it does nothing at all or nothing on one plane.
    pub(crate) const fn kind(self) -> NullKind {
        if let Self::Hollow(_) = self {
            NullKind::Hollow
        } else {
            NullKind::Null
        }
    }

    /// The requirements that may not pass on it, as patterns.
    pub(crate) const fn forbidden(self) -> &'static str {
        if let Self::Hollow(hollow) = self {
            hollow.forbidden()
        } else {
            "*"
        }
    }

    /// The right core with something that it does wrong; `None` for a server of its own.
    pub(crate) fn twist(self) -> Option<Twist> {
        match self {
            Self::CrashOnRotate => Some(Twist::CrashOnRotate),
            Self::Hollow(hollow) => Some(Twist::Hollow(hollow)),
            Self::ClosedPort
            | Self::AcceptAndHang
            | Self::NoContent
            | Self::NotFound
            | Self::InternalError
            | Self::EmptyJson
            | Self::Echo => None,
        }
    }

    /// The one with this name.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|null| null.as_str() == name)
    }
}

/// What the shell of the right core does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    /// It ends at the first request for a rotation.
    CrashOnRotate,
    /// One plane does nothing.
    Hollow(Hollow),
}

impl Twist {
    /// Serves a request in the place of the shell.
    pub(super) async fn serve(
        self,
        shared: &Arc<Shared>,
        request: &HttpRequest<'_>,
    ) -> HttpResponse {
        match self {
            Self::CrashOnRotate if request.path.ends_with("/rotateLocalAdminPassword") => {
                std::process::abort();
            }
            Self::CrashOnRotate => shared.serve(request).await,
            Self::Hollow(hollow) => match hollow.answer(request) {
                Some(answer) => answer,
                None => hollow.empty(request, shared.serve(request).await),
            },
        }
    }
}

/// A null core that listens, or does not.
#[derive(Debug)]
pub(crate) struct NullServer {
    null: Null,
    /// Absent for the closed port.
    listener: Option<TcpListener>,
    description: Description,
}

impl NullServer {
    /// Takes the address.
    ///
    /// # Errors
    /// A sentence that names the address.
    pub(crate) async fn bind(null: Null, listen: SocketAddr) -> Result<Self, String> {
        let failed = |error| format!("cannot listen at {listen}: {error}");
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let tokens = ACTORS.map(|actor| (actor.to_owned(), format!("null-{actor}")));
        Ok(Self {
            null,
            listener: (null != Null::ClosedPort).then_some(listener),
            description: Description::new(
                Paths::usual().urls(&format!("http://{local}")),
                tokens.into(),
            ),
        })
    }

    /// URLs and tokens.
    pub(crate) const fn description(&self) -> &Description {
        &self.description
    }

    /// Does nothing right until the task is dropped.
    pub(crate) async fn run(self) {
        let Some(listener) = self.listener else {
            return std::future::pending().await;
        };
        let mut held = Vec::new();
        loop {
            let Ok((stream, _peer)) = listener.accept().await else {
                continue;
            };
            if self.null == Null::AcceptAndHang {
                held.push(stream);
            } else {
                tokio::spawn(serve(stream, self.null));
            }
        }
    }
}

async fn serve(stream: TcpStream, null: Null) {
    let service = service_fn(|request| answer(request, null));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(
    request: Request<Incoming>,
    null: Null,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let healthy = request.uri().path().ends_with(HEALTH);
    let kind = request.headers().get(CONTENT_TYPE).cloned();
    let sent = request
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let empty_json = || (StatusCode::OK, Bytes::from_static(b"{}"));
    let (status, body) = match null {
        _ if healthy => empty_json(),
        Null::NoContent => (StatusCode::NO_CONTENT, Bytes::new()),
        Null::NotFound => (StatusCode::NOT_FOUND, Bytes::new()),
        Null::InternalError => (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
        Null::EmptyJson => empty_json(),
        Null::Echo => (StatusCode::OK, sent),
        Null::ClosedPort | Null::AcceptAndHang | Null::CrashOnRotate | Null::Hollow(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Bytes::new())
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    let kind = kind.filter(|_| null == Null::Echo).unwrap_or(json);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
