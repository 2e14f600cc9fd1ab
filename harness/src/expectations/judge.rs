//! A list against the rows of a run, strict both ways.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Expect, Expectations, ExpectationsNote, ExpectedOutcome, ExpectedRow};
use crate::exit::{Cause, ExitCode};
use crate::report::RequirementRow;
use crate::verdict::Verdict;

/// How much of a run there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Something broke off: what did not show itself says nothing of the list.
    Partial,
}

/// Marks the rows that ended as expected, and gives what the report says of the list with the
/// causes that the list makes. Entries of requirements that have no row here are left alone.
#[must_use]
pub fn apply(
    expectations: &Expectations,
    rows: &mut [RequirementRow],
    extent: Extent,
) -> (ExpectationsNote, Vec<Cause>) {
    let mut of_row: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in &expectations.entries {
        of_row.entry(&entry.requirement).or_default().push(entry);
    }
    let mut stale = Vec::new();
    let mut expected = 0;
    for row in rows {
        let Some(entries) = of_row.remove(row.id.as_str()) else {
            continue;
        };
        row.expectation = one(row, &entries, &mut stale);
        expected += u64::from(row.is_expected());
    }
    let elsewhere: usize = of_row.values().map(Vec::len).sum();
    let note = ExpectationsNote {
        name: expectations.name.clone(),
        entries: u64::try_from(expectations.entries.len()).unwrap_or(u64::MAX),
        expected,
        elsewhere: u64::try_from(elsewhere).unwrap_or(u64::MAX),
    };
    let causes = match extent {
        Extent::Whole => stale
            .into_iter()
            .map(|(entry, text)| cause(&expectations.name, entry, &text))
            .collect(),
        Extent::Partial => Vec::new(),
    };
    (note, causes)
}

fn cause(name: &str, entry: &Entry, text: &str) -> Cause {
    let Entry {
        line, requirement, ..
    } = entry;
    Cause::new(
        ExitCode::ExpectationsStale,
        format!("{name}, line {line}: {requirement} {text}"),
    )
}

fn one<'e>(
    row: &RequirementRow,
    entries: &[&'e Entry],
    stale: &mut Vec<(&'e Entry, String)>,
) -> Option<ExpectedRow> {
    // A list whose entries for one requirement differ in kind is refused.
    let expect = entries.first()?.expect;
    let outcome = match (expect, row.verdict) {
        (Expect::Fail, Verdict::Fail) => {
            return violated(row, entries, stale)
                .map(|()| expected(ExpectedOutcome::ExpectedFail, entries));
        }
        (Expect::Deviation, Verdict::Deviation) => {
            return violated(row, entries, stale)
                .map(|()| expected(ExpectedOutcome::ExpectedDeviation, entries));
        }
        (Expect::NotApplicable, Verdict::NotApplicable) => ExpectedOutcome::ExpectedNotApplicable,
        (Expect::NotExercised, Verdict::NotExercised) => ExpectedOutcome::ExpectedNotExercised,
        (_, Verdict::Pass | Verdict::Recorded) => {
            let word = expect.as_str();
            let text = format!("passed unexpectedly: the entry expects `{word}`");
            stale.extend(entries.iter().map(|entry| (*entry, text.clone())));
            ExpectedOutcome::UnexpectedPass
        }
        (
            Expect::Fail | Expect::Deviation | Expect::NotApplicable | Expect::NotExercised,
            Verdict::Fail
            | Verdict::Deviation
            | Verdict::NotExercised
            | Verdict::Blocked
            | Verdict::NotApplicable
            | Verdict::NotTested
            | Verdict::Error,
        ) => {
            let (word, seen) = (expect.as_str(), row.verdict.as_str());
            let text =
                format!("matched nothing: the entry expects `{word}`, the verdict is `{seen}`");
            stale.extend(entries.iter().map(|entry| (*entry, text.clone())));
            return None;
        }
    };
    Some(expected(outcome, entries))
}

fn expected(outcome: ExpectedOutcome, entries: &[&Entry]) -> ExpectedRow {
    let text = |entry: &&Entry| {
        let Entry {
            line,
            reason,
            bug,
            owner,
            expires,
            ..
        } = entry;
        format!("line {line}: {reason} ({bug}, {owner}, until {expires})")
    };
    ExpectedRow {
        outcome,
        entries: entries.iter().map(text).collect(),
    }
}

/// `None` when it was violated in a way that no entry expects: then nothing of it is expected.
fn violated<'e>(
    row: &RequirementRow,
    entries: &[&'e Entry],
    stale: &mut Vec<(&'e Entry, String)>,
) -> Option<()> {
    let known: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry.fingerprint.as_deref())
        .collect();
    for entry in entries {
        let fingerprint = entry.fingerprint.as_deref().unwrap_or_default();
        if !row.fingerprints.contains_key(fingerprint) {
            let text = format!("matched nothing: it was not violated as `{fingerprint}`");
            stale.push((entry, text));
        }
    }
    let mut seen = row.fingerprints.keys();
    seen.all(|fingerprint| known.contains(fingerprint.as_str()))
        .then_some(())
}
