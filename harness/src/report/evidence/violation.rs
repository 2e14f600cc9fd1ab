//! `violation.md`: the page that an engineer reads first.

use std::fmt::Write as _;

use quick_xml::events::Event;
use quick_xml::{Reader, Writer};
use serde_json::Value;

use super::repeat::Repeat;
use super::story::{Scene, Story};
use super::timeline::told;
use super::{Proof, Prover};
use crate::catalogue::Source;

/// The latest proofs are shown on the page itself.
const SHOWN_MAX: usize = 2;
/// Longer lists are shown in part.
const ELEMENTS_MAX: usize = 5;
/// Lines of the timeline on the page.
const LINES_MAX: usize = 12;
/// Longest body on the page, in characters.
const BODY_CHARS_MAX: usize = 4_000;

/// The file.
pub(super) fn render(prover: &Prover<'_>, proof: &Proof<'_>, repeat: Option<&Repeat>) -> String {
    let mut page = Page::default();
    head(prover, proof, &mut page);
    happened(prover, proof, &mut page);
    deciding(prover, proof, &mut page);
    written(prover, proof, &mut page);
    again(prover, proof, repeat, &mut page);
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        self.line(text);
        self.line("");
    }

    fn heading(&mut self, text: &str) {
        self.paragraph(&format!("## {text}"));
    }
}

fn head(prover: &Prover<'_>, proof: &Proof<'_>, page: &mut Page) {
    let Proof {
        requirement,
        violation,
        number,
        tally,
        ..
    } = proof;
    page.paragraph(&format!("# {}: {}", requirement.id, requirement.title));
    page.paragraph(&format!(
        "Violation {number} of {}, kind `{}`; level {}; {} of {} cases violated.",
        tally.violations.len(),
        violation.fingerprint,
        requirement.level.as_str(),
        tally.violated,
        tally.armed
    ));
    let scan = |text: &str| prover.redactor.scan(text);
    page.line(&format!("- **Required:** {}.", scan(&violation.required)));
    page.line(&format!("- **Seen:** {}.", scan(&violation.seen)));
    page.paragraph(&format!("- **Why it matters:** {}", requirement.why));
}

/// The lines of the timeline that lead to the last proof.
fn happened(prover: &Prover<'_>, proof: &Proof<'_>, page: &mut Page) {
    let story = proof.story.until_proven();
    if story.is_empty() {
        return;
    }
    page.heading("What happened");
    page.paragraph(
        "Both planes of the devices concerned; a star marks what proves the violation. \
         `timeline.txt` has the whole.",
    );
    page.line("````");
    let first = story.len().saturating_sub(LINES_MAX);
    for scene in &story[first..] {
        page.line(&prover.redactor.scan(&told(scene)));
    }
    page.paragraph("````");
}

/// The latest of the proofs with their bodies.
fn deciding(prover: &Prover<'_>, proof: &Proof<'_>, page: &mut Page) {
    let count = proof.story.proofs().count();
    let mut last: Vec<&Scene> = proof.story.proofs().rev().take(SHOWN_MAX).collect();
    last.reverse();
    page.heading("Seen on the wire");
    let which = match (count, last.len()) {
        (0, _) => {
            "No exchange was kept that shows it; the sentence above says what was seen.".to_owned()
        }
        (1, _) => "The exchange that proves it:".to_owned(),
        (count, shown) if count == shown => format!("The {count} exchanges that prove it:"),
        (count, shown) => format!(
            "The last {shown} of {count} exchanges that prove it; all are in `exchanges.json`."
        ),
    };
    page.paragraph(&which);
    for scene in last {
        shown(prover, proof, scene, page);
    }
}

fn shown(prover: &Prover<'_>, proof: &Proof<'_>, scene: &Scene, page: &mut Page) {
    let exchange = &scene.exchange;
    let status = exchange.status.map_or_else(
        || "no answer".to_owned(),
        |status| format!("status {status}"),
    );
    let path = prover.redactor.scan(&exchange.path);
    let party = prover.redactor.scan(&exchange.party);
    page.paragraph(&format!(
        "**#{}**, {} plane, {party}, {}: `{} {path}` gave {status}.",
        scene.id.0,
        exchange.plane.as_str(),
        exchange.sent_at,
        exchange.method,
    ));
    for (name, bytes) in [
        ("request", &exchange.request),
        ("answer", &exchange.response),
    ] {
        // Shortened only when it is laid out: half a list cannot be.
        let body = prover.redactor.whole_body(bytes);
        if body.is_empty() {
            continue;
        }
        let (language, text, elements) = laid_out(&body, &proof.story);
        page.paragraph(&format!("The {name}{}:", elements.sentence()));
        // Four back-ticks: a body may hold three.
        page.paragraph(&format!("````{language}\n{}\n````", cut(&text)));
    }
}

/// What is shown of a list.
enum Elements {
    All,
    /// Those that speak of the story, and how many there are.
    Some {
        shown: usize,
        of: usize,
    },
}

impl Elements {
    fn sentence(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Some { shown: 0, of } => {
                format!("; none of its {of} elements speaks of the devices and requests above")
            }
            Self::Some { shown, of } => format!(
                "; of its {of} elements the {shown} that speak of the devices and requests above"
            ),
        }
    }
}

/// A body as the page shows it: of a long list the elements that concern the story.
fn laid_out(body: &str, story: &Story) -> (&'static str, String, Elements) {
    let Ok(mut json) = serde_json::from_str::<Value>(body) else {
        return match indented(body) {
            Some(xml) => ("xml", xml, Elements::All),
            None => ("", body.to_owned(), Elements::All),
        };
    };
    let list = json.get_mut("value").and_then(Value::as_array_mut);
    let elements = match list {
        Some(list) if list.len() > ELEMENTS_MAX => {
            let (marks, of) = (marks(story), list.len());
            list.retain(|element| {
                let text = element.to_string();
                marks.iter().any(|mark| text.contains(mark.as_str()))
            });
            let shown = list.len();
            Elements::Some { shown, of }
        }
        Some(_) | None => Elements::All,
    };
    let text = serde_json::to_string_pretty(&json).unwrap_or_default();
    ("json", text, elements)
}

/// XML with a line for each element; `None` for anything else.
fn indented(body: &str) -> Option<String> {
    if !body.starts_with('<') {
        return None;
    }
    let mut reader = Reader::from_str(body);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    loop {
        let event = reader.read_event().ok()?;
        if matches!(event, Event::Eof) {
            break;
        }
        writer.write_event(event).ok()?;
    }
    String::from_utf8(writer.into_inner()).ok()
}

/// What tells an element of a list that concerns the story: names and ids of its devices, and the
/// request ids of the proofs.
fn marks(story: &Story) -> Vec<String> {
    let ids = story.devices.values().flat_map(|ids| ids.keys());
    let requests = story
        .proofs()
        .filter_map(|scene| scene.exchange.client_request_id);
    let names = story.devices.keys().chain(ids).cloned();
    names.chain(requests.map(|id| id.to_string())).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(BODY_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}\n[cut; the whole is in exchanges.json]", &text[..at]),
    }
}

/// Where the requirement is written, and how this suite reads it.
fn written(prover: &Prover<'_>, proof: &Proof<'_>, page: &mut Page) {
    let requirement = proof.requirement;
    page.heading("Where it is required");
    for source in &requirement.source {
        page.line(&format!("- {}", cited(prover, source)));
    }
    let sets: Vec<&str> = requirement.sets.iter().map(|set| set.as_str()).collect();
    page.line(&format!("- Requirement sets: {}.", sets.join(", ")));
    page.line("");
    page.paragraph(&format!(
        "Given that {}: when {}, then {}.",
        requirement.given, requirement.when, requirement.then
    ));
    list("Right is:", &requirement.allowed, page);
    list("Wrong in any case is:", &requirement.forbidden, page);
    if requirement.interpretation.is_empty() {
        return;
    }
    page.heading("How this suite reads it where the text is open");
    for note in &requirement.interpretation {
        page.line(&format!(
            "- {} **{}** {}",
            note.question, note.decision, note.reason
        ));
    }
    page.line("");
}

fn list(title: &str, items: &[String], page: &mut Page) {
    if items.is_empty() {
        return;
    }
    page.paragraph(title);
    for item in items {
        page.line(&format!("- {item}"));
    }
    page.line("");
}

/// A source with its document and, where it is a fact of the catalogue, what that says.
fn cited(prover: &Prover<'_>, source: &Source) -> String {
    let mut text = format!("**{} {}**", source.doc, source.anchor);
    if let Some(document) = prover.catalogue.document(&source.doc) {
        // Writing to a string cannot fail.
        write!(text, ": \"{}\", `{}`", document.title, document.path).unwrap_or_default();
        if let Some(date) = &document.date {
            write!(text, ", {date}").unwrap_or_default();
        }
    }
    if let Some(fact) = prover.catalogue.fact(&source.anchor) {
        write!(text, ". It says: {fact}").unwrap_or_default();
    }
    text
}

/// How to see it again.
fn again(prover: &Prover<'_>, proof: &Proof<'_>, repeat: Option<&Repeat>, page: &mut Page) {
    let id = &proof.requirement.id;
    page.heading("See it again");
    page.paragraph("Both sides, with devices of muster's own:");
    let command = prover.command.replace("{id}", id);
    page.paragraph(&format!("    {command}"));
    if let Some(repeat) = repeat {
        page.paragraph(&format!(
            "The admin side alone, {} calls with curl against a target that still has these \
             devices; the head of the script says what it needs:",
            repeat.calls
        ));
        page.paragraph("    sh repeat.sh");
    }
    page.paragraph(&format!(
        "`muster explain {id}` says what else judges and breaks this requirement. Secrets were \
         replaced by digests: equal ones are equal within this run and with no other."
    ));
}
