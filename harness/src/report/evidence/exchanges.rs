//! `exchanges.json`: the exchanges of a violation as they went over the wire, secrets replaced.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Proof;
use super::story::{Part, Scene, Story};
use crate::error::Error;
use crate::report::redact::Redactor;
use crate::transcript::{ExchangeId, Plane};

/// The schema of the file.
pub(super) const SCHEMA: &str = "muster.exchanges/1";

/// Most exchanges that the file shows; the timeline has a line for each of the others.
pub(super) const EXCHANGES_MAX: usize = 50;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    requirement: &'a str,
    fingerprint: &'static str,
    exchanges: Vec<Shown>,
    /// Exchanges of the same devices that are not shown here.
    exchanges_left_out: usize,
}

/// An exchange as the file shows it.
#[derive(Serialize)]
struct Shown {
    id: ExchangeId,
    /// True when the check cites it.
    proves: bool,
    plane: Plane,
    scope: &'static str,
    party: String,
    method: &'static str,
    path: String,
    client_request_id: Option<Uuid>,
    sent_at: String,
    received_at: Option<String>,
    status: Option<u16>,
    failure: Option<String>,
    request: Body,
    response: Body,
}

/// A body: JSON as JSON, everything else as text.
#[derive(Serialize)]
#[serde(untagged)]
enum Body {
    Json(Value),
    Text(String),
}

/// The file.
///
/// # Errors
/// [`Error::Harness`] when it cannot be put into JSON.
pub(super) fn render(proof: &Proof<'_>, redactor: &Redactor) -> Result<Vec<u8>, Error> {
    let story = &proof.story;
    let shown = pick(story);
    let document = Document {
        schema: SCHEMA,
        requirement: &proof.requirement.id,
        fingerprint: proof.violation.fingerprint,
        exchanges_left_out: story.scenes.len() - shown.len() + story.left_out,
        exchanges: shown
            .into_iter()
            .map(|scene| Shown::new(scene, redactor))
            .collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document)
        .map_err(|error| Error::Harness(format!("exchanges.json: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The proofs, and as much before them as there is room for.
fn pick(story: &Story) -> Vec<&Scene> {
    let mut picked: Vec<&Scene> = story.proofs().take(EXCHANGES_MAX).collect();
    let context = story.until_proven().iter().rev();
    let context = context.filter(|scene| scene.part == Part::Context);
    picked.extend(context.take(EXCHANGES_MAX - picked.len()));
    picked.sort_by_key(|scene| (scene.exchange.sent_at, scene.id));
    picked
}

impl Shown {
    fn new(scene: &Scene, redactor: &Redactor) -> Self {
        let exchange = &scene.exchange;
        Self {
            id: scene.id,
            proves: scene.part == Part::Proof,
            plane: exchange.plane,
            scope: exchange.scope,
            party: redactor.scan(&exchange.party),
            method: exchange.method,
            path: redactor.scan(&exchange.path),
            client_request_id: exchange.client_request_id,
            sent_at: exchange.sent_at.to_string(),
            received_at: exchange.received_at.map(|at| at.to_string()),
            status: exchange.status,
            failure: exchange
                .failure
                .as_ref()
                .map(|failure| redactor.scan(failure)),
            request: body(&exchange.request, redactor),
            response: body(&exchange.response, redactor),
        }
    }
}

fn body(bytes: &[u8], redactor: &Redactor) -> Body {
    let text = redactor.body(bytes);
    match serde_json::from_str::<Value>(&text) {
        Ok(json @ (Value::Object(_) | Value::Array(_))) => Body::Json(json),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | Err(_) => {
            Body::Text(text)
        }
    }
}
