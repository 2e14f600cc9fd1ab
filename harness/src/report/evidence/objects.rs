//! The policies and groups that reach a device: found from the calls that name it, step by step.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::transcript::{DeviceIds, Exchange, Plane, Transcript};

/// Steps from a device: to its group, to the policy assigned to that, to what made both.
const STEPS: usize = 3;
/// Most objects of a story.
const OBJECTS_MAX: usize = 24;

/// The ids of the objects that calls of change bring together with these devices.
pub(super) fn of(
    devices: &BTreeMap<String, DeviceIds>,
    transcript: &Transcript,
) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = devices.values().flat_map(BTreeMap::keys).cloned().collect();
    if known.is_empty() {
        return known;
    }
    for _ in 0..STEPS {
        let mut found = BTreeSet::new();
        transcript.for_each(|_, exchange| {
            if changes(exchange, &known) {
                found.extend(named(exchange));
            }
        });
        let before = known.len();
        let room = OBJECTS_MAX.saturating_sub(before);
        let new: Vec<String> = found.difference(&known).take(room).cloned().collect();
        known.extend(new);
        if known.len() == before {
            break;
        }
    }
    known
}

/// True for a successful admin call that changes one of these objects, makes it, or assigns it.
pub(super) fn changes(exchange: &Exchange, objects: &BTreeSet<String>) -> bool {
    if exchange.plane != Plane::Admin || exchange.method == "GET" || objects.is_empty() {
        return false;
    }
    if !matches!(exchange.status, Some(200..=299)) {
        return false;
    }
    let body = std::str::from_utf8(&exchange.request).unwrap_or_default();
    let made = made(exchange);
    objects.iter().any(|id| {
        exchange.path.contains(id.as_str()) || body.contains(id.as_str()) || made == Some(id)
    })
}

/// The id of what a call made.
pub(super) fn made(exchange: &Exchange) -> Option<&str> {
    if exchange.method != "POST" || !matches!(exchange.status, Some(200..=299)) {
        return None;
    }
    first_id(std::str::from_utf8(&exchange.response).ok()?)
}

/// The first member `id` of a JSON text, if it is a GUID.
fn first_id(json: &str) -> Option<&str> {
    let (_, behind) = json.split_once("\"id\"")?;
    let value = behind.trim_start().strip_prefix(':')?.trim_start();
    let (id, _) = value.strip_prefix('"')?.split_once('"')?;
    is_guid(id).then_some(id)
}

/// The objects that a call names in its path, and the one that it made.
fn named(exchange: &Exchange) -> impl Iterator<Item = String> + '_ {
    let path = exchange.path.split(['/', '?', '(', ')', '\'']);
    let path = path.filter(|part| is_guid(part));
    path.chain(made(exchange)).map(str::to_owned)
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}
