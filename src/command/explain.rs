//! `muster explain`: one row of the catalogue, with what judges and what breaks it.

use std::process::ExitCode;

use harness::catalogue::{Catalogue, Requirement, Source};
use harness::checks;
use harness::conform;
use harness::properties::PROPERTIES;
use reference::all_faults;

use super::{SET_UP, complain, say};
use crate::cli::ExplainArgs;

/// Prints the row.
pub(crate) fn explain(arguments: &ExplainArgs) -> ExitCode {
    let catalogue = match Catalogue::builtin() {
        Ok(catalogue) => catalogue,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(SET_UP);
        }
    };
    let wanted = arguments.requirement.to_ascii_uppercase();
    let found = catalogue.requirements().iter().find(|row| {
        let id = row.id.to_ascii_uppercase();
        id == wanted || id.strip_prefix("REQ-") == Some(wanted.as_str())
    });
    let Some(requirement) = found else {
        complain(&format!(
            "`{}` is no requirement; `muster conform --list` shows all",
            arguments.requirement
        ));
        return ExitCode::from(SET_UP);
    };
    for line in lines(&catalogue, requirement) {
        say(&line);
    }
    ExitCode::SUCCESS
}

fn lines(catalogue: &Catalogue, row: &Requirement) -> Vec<String> {
    let mut page = Page::default();
    page.lines.push(format!("{}  {}", row.id, row.title));
    page.lines.push(String::new());
    page.member("level", row.level.as_str());
    page.member("state", conform::state_of(row).as_str());
    if let Some(reason) = conform::state_of(row).reason() {
        page.member("", &reason);
    }
    facts(catalogue, row, &mut page);
    page.member("given", &row.given);
    page.member("when", &row.when);
    page.member("then", &row.then);
    page.member("why", &row.why);
    page.list("allowed", &row.allowed);
    page.list("forbidden", &row.forbidden);
    if let Some(twin) = &row.twin {
        page.member("twin", &format!("{twin} must hold at the same place"));
    }
    page.list("left open", &properties(&row.id));
    let checks: Vec<String> = checks::of_requirement(&row.id)
        .map(|check| check.id.to_owned())
        .collect();
    page.list("checks", &checks);
    let broken: Vec<String> = all_faults()
        .filter(|fault| fault.requirement == row.id)
        .map(|fault| format!("{}: {}", fault.name, fault.sentence))
        .collect();
    page.list("faults", &broken);
    for note in &row.interpretation {
        page.member("question", &note.question);
        page.member("decision", &format!("{} ({})", note.decision, note.reason));
    }
    reproduction(row, &mut page);
    page.lines
}

/// What is left open in its situations, with the choices.
fn properties(requirement: &str) -> Vec<String> {
    let rows = PROPERTIES.iter();
    let rows = rows.filter(|row| row.touches.contains(&requirement));
    rows.map(|row| {
        let words: Vec<&str> = row.property.words().collect();
        format!("{}: {}", row.name, words.join(" | "))
    })
    .collect()
}

/// Where it comes from and whom it binds.
fn facts(catalogue: &Catalogue, row: &Requirement, page: &mut Page) {
    let sets: Vec<&str> = row.sets.iter().map(|set| set.as_str()).collect();
    page.member("sets", &sets.join(", "));
    page.member("subject", row.subject.as_str());
    page.member("origin", row.origin.as_str());
    let sources: Vec<String> = row
        .source
        .iter()
        .map(|source| cited(catalogue, source))
        .collect();
    page.list("source", &sources);
}

/// A source with the name of its document and what it states.
fn cited(catalogue: &Catalogue, source: &Source) -> String {
    let document = catalogue
        .document(&source.doc)
        .map_or(source.doc.as_str(), |document| document.title.as_str());
    let fact = catalogue
        .fact(&source.anchor)
        .map_or_else(String::new, |fact| format!(": {fact}"));
    format!("{} {}, {document}{fact}", source.doc, source.anchor)
}

/// What to type to see it judged, and to see it fail.
fn reproduction(row: &Requirement, page: &mut Page) {
    if checks::of_requirement(&row.id).next().is_none() {
        return;
    }
    let mut commands = vec![format!("muster conform --only {} --report out", row.id)];
    let fault = all_faults().find(|fault| fault.requirement == row.id);
    commands.extend(
        fault.map(|fault| format!("muster conform --only {} --fault {}", row.id, fault.name)),
    );
    page.list("reproduce", &commands);
}

/// Lines with a label column.
#[derive(Default)]
struct Page {
    lines: Vec<String>,
}

impl Page {
    fn member(&mut self, label: &str, value: &str) {
        self.lines.push(format!("{label:<10}  {value}"));
    }

    fn list(&mut self, label: &str, values: &[String]) {
        for (index, value) in values.iter().enumerate() {
            self.member(if index == 0 { label } else { "" }, value);
        }
    }
}
