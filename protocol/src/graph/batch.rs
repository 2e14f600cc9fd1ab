//! The JSON batch (`POST /$batch`): several requests in one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most requests in one batch.
pub const MAX_REQUESTS: usize = 20;

/// The body of the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchRequest {
    /// The requests.
    pub requests: Vec<BatchedRequest>,
}

/// One request of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchedRequest {
    /// Id, unique in the batch.
    pub id: String,
    /// HTTP method.
    pub method: String,
    /// Path and query, relative to the root in use.
    pub url: String,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
}

/// The answer to the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchResponse {
    /// One answer a request, in any order.
    pub responses: Vec<BatchedResponse>,
}

/// The answer to one request of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchedResponse {
    /// Id of the request.
    pub id: String,
    /// HTTP status.
    pub status: u16,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
}
