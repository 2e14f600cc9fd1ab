//! What goes out of a device and what comes back, as values that a driver carries.

use uuid::Uuid;

/// The service a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// MS-MDE2 discovery.
    Discovery,
    /// MS-MDE2 certificate policy.
    Policy,
    /// MS-MDE2 certificate enrolment.
    Enrollment,
    /// The OMA-DM management service.
    Management,
    /// The directory that keeps backed-up passwords.
    Directory,
}

/// The HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

impl Method {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// A request to be sent. Its `Debug` form leaves the body out: it may carry a credential.
pub struct Transmit {
    /// The service it is for.
    pub endpoint: Endpoint,
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// `Content-Type`; empty when there is no body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// `Idempotency-Key` of an upload.
    pub idempotency_key: Option<Uuid>,
    /// `User-Agent`.
    pub user_agent: &'static str,
}

impl std::fmt::Debug for Transmit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transmit")
            .field("endpoint", &self.endpoint)
            .field("method", &self.method)
            .field("url", &self.url)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The answer to the outstanding request.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u32>,
}

/// How the outstanding request ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It certainly did not reach the server.
    NotSent,
    /// It may have reached the server.
    Unknown,
}

/// `User-Agent` of the enrolment client.
pub(crate) const ENROLLMENT_AGENT: &str = "ENROLLClient";
/// `User-Agent` of the OMA-DM client (MS-MDM 2.1).
pub(crate) const MANAGEMENT_AGENT: &str = "MSFT OMA DM Client/1.2.0.1";
/// `User-Agent` of the LAPS upload, the project's own.
pub(crate) const DIRECTORY_AGENT: &str = "muster LAPS/1";
