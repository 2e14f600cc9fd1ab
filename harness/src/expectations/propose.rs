//! A list from a report, for people to edit: what failed and is not in the current list is added
//! with a reason to be written, and what no longer fails is dropped. Comments stay.

use std::collections::BTreeSet;

use protocol::time::UtcMillis;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::{Date, SCHEMA, TODO};
use crate::error::Error;
use crate::report::Report;
use crate::verdict::{Level, Verdict};

/// How long a proposed entry holds.
const DAYS: i64 = 90;
const ENTRIES: &str = "expectation";

/// Requirement, how it ends, and the fingerprint if it has one.
type Key = (String, String, Option<String>);

/// A proposal for a list that fits `report`, from the current list if there is one.
///
/// # Errors
/// [`Error::SetUp`] for a report of a run that broke off, which says of nothing that it passed, and
/// for a current list that is no TOML.
pub fn propose(report: &Report, current: Option<&str>, now: UtcMillis) -> Result<String, Error> {
    if !report.footer.complete {
        let text = "the report is of a run that broke off: nothing can be proposed from it";
        return Err(Error::SetUp(text.to_owned()));
    }
    let mut document = document(current)?;
    let seen = seen(report);
    let judged: BTreeSet<&str> = report
        .requirements
        .iter()
        .map(|row| row.id.as_str())
        .collect();
    let not_a_list = || {
        let text = format!("the current list: `{ENTRIES}` is no list of tables");
        Error::SetUp(text)
    };
    let entries = document
        .entry(ENTRIES)
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or_else(not_a_list)?;
    // What this run did not judge is neither right nor wrong.
    entries.retain(|entry| {
        let key = key(entry);
        !judged.contains(key.0.as_str()) || seen.contains(&key)
    });
    let known: BTreeSet<Key> = entries.iter().map(key).collect();
    let expires = Date::of(now.plus_millis(DAYS * UtcMillis::DAY_MS)).to_string();
    for key in seen.difference(&known) {
        entries.push(entry(key, &expires));
    }
    Ok(document.to_string())
}

fn document(current: Option<&str>) -> Result<DocumentMut, Error> {
    let fresh = format!("schema = \"{SCHEMA}\"\n");
    let text = current.unwrap_or(&fresh);
    text.parse()
        .map_err(|error| Error::SetUp(format!("the current list: {error}")))
}

/// Everything that is to be expected for the report to be without surprise.
fn seen(report: &Report) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for row in &report.requirements {
        let word = row.verdict.as_str().to_owned();
        match (row.verdict, row.level) {
            (Verdict::Fail | Verdict::Deviation, _) => {
                let ways = row.fingerprints.keys();
                keys.extend(ways.map(|way| (row.id.clone(), word.clone(), Some(way.clone()))));
            }
            // Of the others only a MUST makes a run undetermined.
            (Verdict::NotExercised, Level::Must) => {
                keys.insert((row.id.clone(), word, None));
            }
            // Known already, or else no entry is needed.
            (Verdict::NotApplicable, _) | (Verdict::NotExercised, _)
                if row.expectation.is_some() =>
            {
                keys.insert((row.id.clone(), word, None));
            }
            (
                Verdict::Pass
                | Verdict::Recorded
                | Verdict::NotExercised
                | Verdict::Blocked
                | Verdict::NotApplicable
                | Verdict::NotTested
                | Verdict::Error,
                _,
            ) => {}
        }
    }
    keys
}

fn key(entry: &Table) -> Key {
    let text = |name: &str| entry.get(name).and_then(Item::as_str).map(str::to_owned);
    (
        text("requirement").unwrap_or_default(),
        text("expect").unwrap_or_default(),
        text("fingerprint"),
    )
}

fn entry((requirement, expect, fingerprint): &Key, expires: &str) -> Table {
    let mut entry = Table::new();
    entry.insert("requirement", value(requirement));
    entry.insert("expect", value(expect));
    if let Some(fingerprint) = fingerprint {
        entry.insert("fingerprint", value(fingerprint));
    }
    for key in ["reason", "bug", "owner"] {
        entry.insert(key, value(TODO));
    }
    entry.insert("expires", value(expires));
    entry
}
