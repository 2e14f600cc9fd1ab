//! `POST /$batch`: several requests in one, each served and audited on its own (contract 5).
//!
//! Every request is served at once, so that the pushes of all rotations go out together; the
//! answer then waits for those pushes one after the other.

use std::collections::{BTreeMap, BTreeSet};

use protocol::graph::batch::{
    BatchRequest, BatchResponse, BatchedRequest, BatchedResponse, MAX_REQUESTS,
};

use super::reply::{AnswerIds, JSON, Refusal, Reply, read_body, respond};
use super::route::Route;
use super::tasks::{Rotation, conclude_rotation};
use super::{Call, Inbound, Outcome, UtcMillis, serve};
use crate::core::{Core, HttpResponse};
use crate::fault::Fault;
use crate::presence::PushId;
use crate::rbac::Caller;

/// A batch whose rotations wait for their pushes.
#[derive(Debug)]
pub(crate) struct Batch {
    /// In the order of the requests.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    id: String,
    ids: AnswerIds,
    state: PartState,
}

#[derive(Debug)]
enum PartState {
    Done(HttpResponse),
    Rotating(Rotation),
}

/// Serves every request of a batch.
pub(super) fn start(core: &mut Core, call: &Call<'_>) -> Outcome {
    match read(call) {
        Ok(requests) => {
            let mut parts: Vec<Part> = Vec::new();
            for request in requests {
                let mut part = serve_part(core, call, request);
                let second = parts.iter().any(Part::rotates) && part.rotates();
                if second && core.faults.on(Fault::BulkParallelSinglesRefused) {
                    let refusal = Refusal::conflict("Another rotation is under way.");
                    part.state = PartState::Done(respond(call.now, part.ids, Err(refusal)));
                }
                parts.push(part);
            }
            Outcome::Batch(Batch { parts })
        }
        Err(refusal) => Outcome::Answered(Err(refusal)),
    }
}

impl Part {
    const fn rotates(&self) -> bool {
        matches!(self.state, PartState::Rotating(_))
    }
}

impl Batch {
    /// Concludes the rotations whose push was answered; the push of the first one that still
    /// waits, if any.
    pub(super) fn advance(&mut self, core: &mut Core, now: UtcMillis) -> Option<PushId> {
        for part in &mut self.parts {
            let PartState::Rotating(rotation) = &part.state else {
                continue;
            };
            if !rotation.waits(core) {
                let answer = conclude_rotation(core, now, rotation);
                part.state = PartState::Done(respond(now, part.ids, answer));
            }
        }
        self.parts.iter().find_map(|part| match &part.state {
            PartState::Rotating(rotation) => Some(rotation.push),
            PartState::Done(_) => None,
        })
    }

    /// The answer to the whole batch.
    pub(super) fn reply(self) -> Reply {
        let responses = self.parts.into_iter().filter_map(|part| match part.state {
            PartState::Done(response) => Some(batched(part.id, &response)),
            PartState::Rotating(_) => None,
        });
        Reply::ok(&BatchResponse {
            responses: responses.collect(),
        })
    }
}

fn read(call: &Call<'_>) -> Result<Vec<BatchedRequest>, Refusal> {
    call.query.allow_only(&[])?;
    let BatchRequest { requests } = read_body(call.body)?;
    if requests.len() > MAX_REQUESTS {
        let message = format!("A batch has at most {MAX_REQUESTS} requests.");
        return Err(Refusal::bad_request(message));
    }
    let mut seen = BTreeSet::new();
    for request in &requests {
        if !seen.insert(request.id.as_str()) {
            let message = format!("The id `{}` stands more than once.", request.id);
            return Err(Refusal::bad_request(message));
        }
        let (path, _) = split_url(call.root, &request.url);
        if matches!(Route::parse(&path), Some((_, Route::Batch))) {
            return Err(Refusal::bad_request("A batch in a batch is not served."));
        }
    }
    Ok(requests)
}

fn serve_part(core: &mut Core, call: &Call<'_>, request: BatchedRequest) -> Part {
    let (path, query) = split_url(call.root, &request.url);
    // Contract 5: the request's own id, else the envelope's.
    let envelope = call.ids.client_request.to_string();
    let wanted = header(&request.headers, "client-request-id").unwrap_or(&envelope);
    let (ids, id_is_guid) = core.answer_ids(Some(wanted));
    let body = request
        .body
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let inbound = Inbound {
        method: &request.method,
        path: &path,
        query,
        caller: Caller::Actor(call.actor),
        content_type: header(&request.headers, "content-type").or(Some(JSON)),
        body: body.as_bytes(),
        ids,
        id_is_guid,
    };
    let state = match serve(core, call.now, &inbound) {
        Outcome::Answered(answer) => PartState::Done(respond(call.now, ids, answer)),
        Outcome::Rotating(rotation) => PartState::Rotating(rotation),
        Outcome::Batch(_) => {
            let nested = Refusal::bad_request("A batch in a batch is not served.");
            PartState::Done(respond(call.now, ids, Err(nested)))
        }
    };
    Part {
        id: request.id,
        ids,
        state,
    }
}

/// Path and query of a URL relative to the root in use.
fn split_url<'u>(root: &str, url: &'u str) -> (String, Option<&'u str>) {
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    (format!("{root}{slash}{path}"), query)
}

fn header<'h>(headers: &'h BTreeMap<String, String>, name: &str) -> Option<&'h str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn batched(id: String, response: &HttpResponse) -> BatchedResponse {
    let mut headers = BTreeMap::new();
    if let Some(client_request) = response.client_request_id {
        headers.insert("client-request-id".to_owned(), client_request.to_string());
    }
    if let Some(content_type) = response.content_type {
        headers.insert("Content-Type".to_owned(), content_type.to_owned());
    }
    if let Some(allow) = response.allow {
        headers.insert("Allow".to_owned(), allow.to_owned());
    }
    BatchedResponse {
        id,
        status: response.status,
        headers,
        body: serde_json::from_slice(&response.body).ok(),
    }
}
