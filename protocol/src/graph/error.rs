//! The error body of the admin, control and directory planes (contract section 0).

use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;

/// The body of a refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetail {
    /// The code.
    pub code: ErrorCode,
    /// One sentence for people.
    pub message: String,
    /// Where to find the request again. Graph prints the name in two ways (wire-facts 5.9).
    #[serde(default, alias = "innererror", skip_serializing_if = "Option::is_none")]
    pub inner_error: Option<InnerError>,
}

/// Where to find a request again; texts, because servers differ in how they print them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InnerError {
    /// The server's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The client's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
}

text_enum! {
    /// The codes of contract section 0.
    pub enum ErrorCode {
        /// 400.
        BadRequest = "BadRequest",
        /// 401.
        Unauthorized = "Unauthorized",
        /// 403.
        Forbidden = "Forbidden",
        /// 404.
        ResourceNotFound = "ResourceNotFound",
        /// 405.
        MethodNotAllowed = "MethodNotAllowed",
        /// 409.
        Conflict = "Conflict",
        /// 413.
        PayloadTooLarge = "PayloadTooLarge",
        /// 415.
        UnsupportedMediaType = "UnsupportedMediaType",
        /// 429.
        TooManyRequests = "TooManyRequests",
        /// 500.
        InternalServerError = "InternalServerError",
        /// 503.
        ServiceUnavailable = "ServiceUnavailable",
    }
}

impl ErrorCode {
    /// The HTTP status that goes with the code; `None` for a code of another server.
    #[must_use]
    pub const fn http_status(&self) -> Option<u16> {
        match self {
            Self::BadRequest => Some(400),
            Self::Unauthorized => Some(401),
            Self::Forbidden => Some(403),
            Self::ResourceNotFound => Some(404),
            Self::MethodNotAllowed => Some(405),
            Self::Conflict => Some(409),
            Self::PayloadTooLarge => Some(413),
            Self::UnsupportedMediaType => Some(415),
            Self::TooManyRequests => Some(429),
            Self::InternalServerError => Some(500),
            Self::ServiceUnavailable => Some(503),
            Self::Other(_) => None,
        }
    }
}
