//! One exchange in a few words, for people who read a timeline.

use protocol::syncml::{Command, Item, Limits, Verb, decode};
use serde_json::Value;

use crate::transcript::{Exchange, Plane};

/// Nodes named of one command.
const NODES_MAX: usize = 3;
/// Longer values are left out.
const VALUE_BYTES_MAX: usize = 40;

/// What went over the wire. Secrets may be in it.
pub(super) fn gist(exchange: &Exchange) -> String {
    if let Some(failure) = &exchange.failure {
        return format!("no answer: {failure}");
    }
    match exchange.plane {
        Plane::Manage => {
            let (sent, answered) = (syncml(&exchange.request), syncml(&exchange.response));
            format!("device: {sent}; server: {answered}")
        }
        Plane::Directory => "backup of a password".to_owned(),
        Plane::Push => format!("our endpoint: {}", first_line(&exchange.response)),
        Plane::Enroll => String::new(),
        Plane::Admin | Plane::Control => answer(&exchange.response),
    }
}

fn first_line(bytes: &[u8]) -> &str {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.lines().next().unwrap_or_default()
}

/// The commands of a message, equal ones counted.
fn syncml(bytes: &[u8]) -> String {
    let Ok(message) = decode(bytes, &Limits::default()) else {
        return "no message".to_owned();
    };
    let mut words: Vec<(String, usize)> = Vec::new();
    for command in &message.commands {
        let word = command_word(command);
        match words.last_mut() {
            Some((last, count)) if *last == word => *count += 1,
            Some(_) | None => words.push((word, 1)),
        }
    }
    let words: Vec<String> = words
        .into_iter()
        .map(|(word, count)| match count {
            1 => word,
            _ => format!("{count} x {word}"),
        })
        .collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

fn command_word(command: &Command<'_>) -> String {
    match command {
        Command::Status(status) => format!("Status {} of {}", status.code, &*status.cmd),
        Command::Results(_) => "Results".to_owned(),
        Command::Alert(alert) => format!("Alert {}", alert.code),
        Command::Request(request) => {
            let nodes = request.items.iter().filter_map(node);
            let nodes: Vec<String> = nodes.take(NODES_MAX).collect();
            let more = if request.items.len() > NODES_MAX {
                ", .."
            } else {
                ""
            };
            format!("{} {}{more}", verb(request.verb), nodes.join(", "))
        }
        Command::Container(container) => {
            let inner: Vec<String> = container.commands.iter().map(command_word).collect();
            format!("{:?} [{}]", container.kind, inner.join(", "))
        }
        Command::Unknown(_) => "an unknown command".to_owned(),
    }
}

/// The last part of an item's path, with its value where that is short.
fn node(item: &Item<'_>) -> Option<String> {
    let (path, written) = match (&item.target, &item.source) {
        (Some(target), _) => (target, item.data.as_ref()),
        // What a device tells of itself is of no interest here.
        (None, Some(source)) => (source, None),
        (None, None) => return None,
    };
    let name = path.rsplit('/').next()?;
    let value = written.map(|data| data.as_str());
    let value = value.filter(|value| (1..=VALUE_BYTES_MAX).contains(&value.len()));
    Some(match value {
        Some(value) => format!("{name}={value}"),
        None => name.to_owned(),
    })
}

const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Add => "Add",
        Verb::Replace => "Replace",
        Verb::Delete => "Delete",
        Verb::Get => "Get",
        Verb::Exec => "Exec",
    }
}

/// The members of an answer of the admin plane that decide most verdicts.
fn answer(bytes: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else {
        return String::new();
    };
    if let Some(code) = answer.pointer("/error/code").and_then(Value::as_str) {
        return format!("error {code}");
    }
    if let Some(actions) = answer.get("deviceActionResults").and_then(Value::as_array) {
        let word = |action: &Value| {
            let member = |name: &str| action.get(name).and_then(Value::as_str).unwrap_or("?");
            format!("{} {}", member("actionName"), member("actionState"))
        };
        let words: Vec<String> = actions.iter().map(word).collect();
        return format!("actions: [{}]", words.join(", "));
    }
    let list = answer.get("value").and_then(Value::as_array);
    list.map_or_else(String::new, |list| format!("{} elements", list.len()))
}
