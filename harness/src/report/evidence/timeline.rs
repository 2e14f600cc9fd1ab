//! `timeline.txt`: everything that went over both planes for the devices of a violation, one line an
//! exchange.

use std::fmt::Write as _;

use super::Proof;
use super::gist::gist;
use super::story::{Part, Scene};
use crate::report::redact::Redactor;

/// The file.
pub(super) fn render(proof: &Proof<'_>, redactor: &Redactor) -> String {
    let mut text = format!(
        "{}, violation {}: {}\n\n",
        proof.requirement.id, proof.number, proof.violation.fingerprint
    );
    for (name, ids) in &proof.story.devices {
        let ids: Vec<String> = ids
            .iter()
            .map(|(id, kind)| format!("{} {id}", kind.as_str().to_lowercase()))
            .collect();
        line(&mut text, &format!("device {name}  {}", ids.join("  ")));
    }
    if proof.story.devices.is_empty() {
        line(
            &mut text,
            "no single device: the exchanges that the check cites",
        );
    }
    text.push_str(
        "\nTimes are UTC by the clock of muster, the figure behind is from request to answer. \
         A star marks what proves the violation.\nThe number leads to exchanges.json.\n\n",
    );
    for scene in &proof.story.scenes {
        line(&mut text, &redactor.scan(&told(scene)));
    }
    if proof.story.left_out > 0 {
        let left_out = proof.story.left_out;
        line(
            &mut text,
            &format!("\n{left_out} more exchanges are not shown"),
        );
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// One exchange on one line. Secrets may be in it.
pub(super) fn told(scene: &Scene) -> String {
    let exchange = &scene.exchange;
    let mark = match scene.part {
        Part::Proof => '*',
        Part::Context => ' ',
    };
    let at = exchange.sent_at.to_string();
    // The date is that of the run; the time of day to the millisecond is enough to tell them apart.
    let at = at.get(11..23).unwrap_or(&at);
    let took = exchange.received_at.map_or_else(String::new, |received| {
        format!("{} ms", received.millis_since(exchange.sent_at))
    });
    let status = exchange
        .status
        .map_or_else(|| "-".to_owned(), |status| status.to_string());
    let mut line = format!(
        "{mark} {at} {took:>7}  #{:<6} {:<9} {:<18} {} {} -> {status}",
        scene.id.0,
        exchange.plane.as_str(),
        exchange.party,
        exchange.method,
        exchange.path,
    );
    let gist = gist(exchange);
    if !gist.is_empty() {
        // Writing to a string cannot fail.
        write!(line, "  ({gist})").unwrap_or_default();
    }
    line
}
