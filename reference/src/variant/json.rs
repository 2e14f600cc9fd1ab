//! How answers in JSON are written: members, order, white space, words. What they say stays the
//! same.

use protocol::time::UtcTicks;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Variant, Variants};
use crate::admin::reply::JSON;
use crate::core::{Core, HttpResponse, Plane, Step};

/// The variants that need an answer in JSON taken apart.
const REWRITING: &[Variant] = &[
    Variant::HttpAccepted,
    Variant::JsonExtraMembers,
    Variant::JsonOtherForm,
    Variant::JsonLongTimes,
    Variant::ErrorOtherWords,
    Variant::ListReversed,
    Variant::AuditNoCorrelation,
    Variant::AuditOwnCorrelation,
    Variant::RotationNotSupported,
    Variant::RotationOtherWords,
];

/// Arrays inside an object whose order no section of the contract names.
const UNORDERED: [&str; 7] = [
    "responses",
    "settingStates",
    "sources",
    "conflictingDeviceConfigurations",
    "contributingSettings",
    "successfulDeviceIds",
    "notSupportedDeviceIds",
];

/// Mixed into ids of audit events that are the core's own.
const FOREIGN: u128 = 0x6c6f_6769_642d_4f77_6e2d_6964_2d6d_7573;

impl Core {
    /// The step as the variants write it.
    pub(crate) fn dressed(&self, plane: Plane, step: Step) -> Step {
        let on = self.variant.on();
        match step {
            Step::Done(response) if !on.is_empty() => Step::Done(match plane {
                Plane::Manage => super::syncml::outgoing(on, response),
                Plane::Enroll => enrolled(on, response),
                Plane::Directory | Plane::Admin | Plane::Control => answered(on, response),
            }),
            step @ (Step::Done(_) | Step::Await { .. }) => step,
        }
    }
}

/// Contract 1: faults go out with 500, or with 200.
fn enrolled(on: Variants, response: HttpResponse) -> HttpResponse {
    let accepted = response.status == 500 && on.has(Variant::EnrollFaultsAccepted);
    HttpResponse {
        status: if accepted { 200 } else { response.status },
        ..response
    }
}

fn answered(on: Variants, response: HttpResponse) -> HttpResponse {
    let accepted = response.status == 204 && on.has(Variant::HttpAccepted);
    let status = if accepted { 202 } else { response.status };
    let body = match serde_json::from_slice::<Value>(&response.body) {
        Ok(mut value) if response.content_type == Some(JSON) && on.any_of(REWRITING) => {
            rewrite(on, &mut value);
            let mut text = String::new();
            write(on, &value, &mut text);
            text.into_bytes()
        }
        Ok(_) | Err(_) => response.body,
    };
    HttpResponse {
        status,
        body,
        ..response
    }
}

fn rewrite(on: Variants, value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in &mut *members {
                // The names below `headers` are HTTP's.
                if name != "headers" {
                    rewrite(on, member);
                }
                rewrite_member(on, name, member);
            }
            rewrite_object(on, members);
        }
        Value::Array(elements) => {
            for element in elements {
                rewrite(on, element);
            }
        }
        Value::String(text) if on.has(Variant::JsonLongTimes) => {
            if let Some(long) = long_time(text) {
                *text = long;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn rewrite_member(on: Variants, name: &str, member: &mut Value) {
    match (name, member) {
        (name, Value::Array(elements))
            if on.has(Variant::ListReversed) && UNORDERED.contains(&name) =>
        {
            elements.reverse();
        }
        ("responses", Value::Array(responses)) if on.has(Variant::HttpAccepted) => {
            for response in responses {
                if response["status"] == 204 {
                    response["status"] = Value::from(202);
                }
            }
        }
        ("error", Value::Object(error)) if on.has(Variant::ErrorOtherWords) => {
            error.insert(
                "message".to_owned(),
                Value::from("The service refused the call."),
            );
        }
        ("correlationId", Value::String(id)) if on.has(Variant::AuditOwnCorrelation) => {
            if let Ok(ours) = Uuid::try_parse(id) {
                *id = Uuid::from_u128(ours.as_u128() ^ FOREIGN).to_string();
            }
        }
        (_, _) => {}
    }
}

fn rewrite_object(on: Variants, members: &mut Map<String, Value>) {
    if on.has(Variant::AuditNoCorrelation) {
        members.remove("correlationId");
    }
    if members.contains_key("actionState") {
        rewrite_action(on, members);
    }
    if on.has(Variant::JsonExtraMembers) {
        let extra = serde_json::json!({ "note": [1, null, "two"] });
        members.insert("extension_of_the_vendor".to_owned(), extra);
        members.insert("@vendor.etag".to_owned(), Value::from("W/\"1\""));
    }
}

/// Contract 5: `detail` may be text of the target's own, and a device whose join state has no
/// rotation may be notSupported.
fn rewrite_action(on: Variants, action: &mut Map<String, Value>) {
    let unsupported = action.get("detail") == Some(&Value::from("joinType"));
    if unsupported && on.has(Variant::RotationNotSupported) {
        action.insert("actionState".to_owned(), Value::from("notSupported"));
    }
    if on.has(Variant::RotationOtherWords)
        && let Some(Value::String(detail)) = action.get_mut("detail")
    {
        "It could not be done.".clone_into(detail);
    }
}

/// A time with seven digits behind the second; `None` for other text.
fn long_time(text: &str) -> Option<String> {
    let ticks = UtcTicks::parse(text).ok()?;
    let seconds = text.get(..19)?;
    let fraction = ticks.as_ticks().rem_euclid(10_000_000);
    Some(format!("{seconds}.{fraction:07}Z"))
}

/// Writes a value as serde_json does, or in another form that means the same.
fn write(on: Variants, value: &Value, out: &mut String) {
    let other = on.has(Variant::JsonOtherForm);
    let gap = if other { "\r\n\t " } else { "" };
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            if other {
                names.reverse();
            }
            out.push('{');
            for (place, name) in names.into_iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(gap);
                text(on, name, out);
                out.push(':');
                out.push_str(gap);
                if let Some(member) = members.get(name) {
                    write(on, member, out);
                }
            }
            out.push_str(gap);
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (place, element) in elements.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(gap);
                write(on, element, out);
            }
            out.push_str(gap);
            out.push(']');
        }
        Value::String(string) => text(on, string, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

/// A string; in the other form with an escape for each character that is no letter or digit.
fn text(on: Variants, string: &str, out: &mut String) {
    if !on.has(Variant::JsonOtherForm) {
        out.push_str(&Value::from(string).to_string());
        return;
    }
    out.push('"');
    for unit in string.encode_utf16() {
        match char::from_u32(u32::from(unit)).filter(char::is_ascii_alphanumeric) {
            Some(plain) => out.push(plain),
            None => out.extend(escape(unit)),
        }
    }
    out.push('"');
}

/// A UTF-16 unit as JSON escapes it (RFC 8259 7).
fn escape(unit: u16) -> [char; 6] {
    let digit = |shift: u32| {
        let nibble = u32::from(unit >> shift & 0xf);
        char::from_digit(nibble, 16).unwrap_or('0')
    };
    ['\\', 'u', digit(12), digit(8), digit(4), digit(0)]
}
