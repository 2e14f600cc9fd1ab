//! What a call of the admin or control plane is answered with: JSON, nothing, or a refusal.

use protocol::graph::error::{ErrorBody, ErrorCode, ErrorDetail, InnerError};
use protocol::time::UtcMillis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::core::{HttpResponse, RetryAfter};

/// The content type of every body of the admin and control planes.
pub(crate) const JSON: &str = "application/json";

/// An answer before the headers that every answer has.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Empty for 204.
    pub(crate) body: Vec<u8>,
}

/// A call that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    /// A sentence naming the thing and its value.
    pub(crate) message: String,
}

/// Why a call is not served; the order is that of contract section 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Unauthorized,
    NotFound,
    /// With the methods that the path takes.
    MethodNotAllowed(&'static str),
    Forbidden,
    UnsupportedMediaType,
    PayloadTooLarge,
    BadRequest,
    Conflict,
    /// With the time of the repetition.
    TooManyRequests(RetryAfter),
}

/// How a call ends.
pub(crate) type Answer = Result<Reply, Refusal>;

impl Reply {
    pub(crate) const fn no_content() -> Self {
        Self {
            status: 204,
            body: Vec::new(),
        }
    }

    pub(crate) fn ok<T: Serialize>(value: &T) -> Self {
        Self::json(200, value)
    }

    pub(crate) fn created<T: Serialize>(value: &T) -> Self {
        Self::json(201, value)
    }

    fn json<T: Serialize>(status: u16, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status, body },
            // Only a map whose keys are no text cannot be written, and no resource has one.
            Err(_unwritable) => Self {
                status: 500,
                body: Vec::new(),
            },
        }
    }
}

impl Refusal {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Cause::BadRequest, message)
    }

    pub(crate) fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Cause::NotFound, format!("No {what} has the id `{id}`."))
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Cause::Conflict, message)
    }
}

impl Cause {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::Forbidden => 403,
            Self::UnsupportedMediaType => 415,
            Self::PayloadTooLarge => 413,
            Self::BadRequest => 400,
            Self::Conflict => 409,
            Self::TooManyRequests(_) => 429,
        }
    }

    const fn code(self) -> ErrorCode {
        match self {
            Self::Unauthorized => ErrorCode::Unauthorized,
            Self::NotFound => ErrorCode::ResourceNotFound,
            Self::MethodNotAllowed(_) => ErrorCode::MethodNotAllowed,
            Self::Forbidden => ErrorCode::Forbidden,
            Self::UnsupportedMediaType => ErrorCode::UnsupportedMediaType,
            Self::PayloadTooLarge => ErrorCode::PayloadTooLarge,
            Self::BadRequest => ErrorCode::BadRequest,
            Self::Conflict => ErrorCode::Conflict,
            Self::TooManyRequests(_) => ErrorCode::TooManyRequests,
        }
    }

    const fn allow(self) -> Option<&'static str> {
        match self {
            Self::MethodNotAllowed(methods) => Some(methods),
            Self::Unauthorized
            | Self::NotFound
            | Self::Forbidden
            | Self::UnsupportedMediaType
            | Self::PayloadTooLarge
            | Self::BadRequest
            | Self::Conflict
            | Self::TooManyRequests(_) => None,
        }
    }

    const fn retry_after(self) -> Option<RetryAfter> {
        match self {
            Self::TooManyRequests(after) => Some(after),
            Self::Unauthorized
            | Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::Forbidden
            | Self::UnsupportedMediaType
            | Self::PayloadTooLarge
            | Self::BadRequest
            | Self::Conflict => None,
        }
    }
}

/// The ids that every answer carries (contract 0).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerIds {
    /// The request's `client-request-id`, or one made for it.
    pub(crate) client_request: Uuid,
    /// The core's own id of the request, for the body of a refusal.
    pub(crate) request: Uuid,
}

/// The whole answer, headers included.
pub(crate) fn respond(now: UtcMillis, ids: AnswerIds, answer: Answer) -> HttpResponse {
    let cause = answer.as_ref().err().map(|refusal| refusal.cause);
    let (status, body) = match answer {
        Ok(reply) => (reply.status, reply.body),
        Err(refusal) => (refusal.cause.status(), error_body(now, ids, &refusal)),
    };
    HttpResponse {
        status,
        content_type: (!body.is_empty()).then_some(JSON),
        client_request_id: Some(ids.client_request),
        retry_after: cause.and_then(Cause::retry_after),
        allow: cause.and_then(Cause::allow),
        body,
    }
}

fn error_body(now: UtcMillis, ids: AnswerIds, refusal: &Refusal) -> Vec<u8> {
    let body = ErrorBody {
        error: ErrorDetail {
            code: refusal.cause.code(),
            message: refusal.message.clone(),
            inner_error: Some(InnerError {
                request_id: Some(ids.request.to_string()),
                date: Some(now.to_string()),
                client_request_id: Some(ids.client_request.to_string()),
            }),
        },
    };
    Reply::ok(&body).body
}

/// Reads a JSON body; unknown members are ignored, wrong types refused (contract 0).
pub(crate) fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The body is not as it should be: {error}.")))
}
