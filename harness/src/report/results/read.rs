//! Reads results back into a report.

use std::collections::BTreeMap;

use super::{Header, Line, SCHEMA, ScenarioLine};
use crate::catalogue::{Catalogue, Requirement};
use crate::error::Error;
use crate::exit::{Cause, ExitCode};
use crate::leak::Needles;
use crate::report::redact::Redactor;
use crate::report::{Footer, Report, RequirementRow, seal};
use crate::verdict::{Level, Standing, Tally, Verdict};

/// Reads whole results: the report that the same run wrote.
///
/// # Errors
/// [`Error::SetUp`] when the file was cut off, changed, or is of another schema.
pub fn read(bytes: &[u8]) -> Result<Report, Error> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let (before, last) = text.split_at(seal::line_start(text));
    let Ok(Line::Digest(digest)) = serde_json::from_slice(last) else {
        return Err(wrong(seal::Broken::CutOff.as_str()));
    };
    seal::check_digest(before, digest.digest.as_bytes())
        .map_err(|broken| wrong(broken.as_str()))?;
    // The digest does not cover its own line: there is one way to write it.
    let written = serde_json::to_vec(&Line::Digest(digest)).unwrap_or_default();
    if written != last {
        return Err(wrong(seal::Broken::Changed.as_str()));
    }
    let lines = lines_of(before)?;
    header(&lines)?;
    let Some((Line::Footer(footer), found)) = lines.split_last() else {
        return Err(wrong("its last line but one is no footer"));
    };
    if u64::try_from(found.len()).ok() != Some(footer.lines) {
        return Err(wrong("its footer counts other lines"));
    }
    let Some(Line::Report(report)) = found.last() else {
        return Err(wrong("it holds no report"));
    };
    let mut report = Report::clone(report);
    report.requirements = requirements(found);
    Ok(report)
}

/// Reads what there is of results that lack their end. What is broken otherwise is refused.
///
/// # Errors
/// [`Error::SetUp`] when not even the header is there, or a line in the middle cannot be read.
pub fn read_incomplete(bytes: &[u8]) -> Result<Report, Error> {
    // The last line was being written when the process ended.
    let whole = &bytes[..seal::line_start(bytes)];
    let lines = lines_of(whole)?;
    if lines.iter().any(|line| matches!(line, Line::Digest(_))) {
        return read(bytes);
    }
    let header = header(&lines)?;
    let scenarios: Vec<&ScenarioLine> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Scenario(scenario) => Some(scenario),
            Line::Header(_)
            | Line::Phase(_)
            | Line::Requirement(_)
            | Line::Report(_)
            | Line::Footer(_)
            | Line::Digest(_) => None,
        })
        .collect();
    let reason = format!(
        "results.jsonl lacks its end: {} lines, {} scenarios ended",
        lines.len(),
        scenarios.len()
    );
    let cause = Cause::new(ExitCode::Undetermined, reason.clone());
    let mut report = Report::new(header.seed, &[cause], Footer::incomplete(reason));
    report.run = header.run.clone();
    report.requirements = requirements(&lines);
    if report.requirements.is_empty() {
        report.requirements = rows_so_far(&scenarios)?;
    }
    Ok(report)
}

fn wrong(text: &str) -> Error {
    Error::SetUp(format!("results.jsonl: {text}"))
}

fn lines_of(text: &[u8]) -> Result<Vec<Line>, Error> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            serde_json::from_slice(line)
                .map_err(|error| wrong(&format!("line {}: {error}", number + 1)))
        })
        .collect()
}

fn header(lines: &[Line]) -> Result<&Header, Error> {
    match lines.first() {
        Some(Line::Header(header)) if header.schema == SCHEMA => Ok(header),
        Some(Line::Header(header)) => Err(wrong(&format!(
            "unknown schema `{}`; this version reads `{SCHEMA}`",
            header.schema
        ))),
        Some(
            Line::Phase(_)
            | Line::Scenario(_)
            | Line::Requirement(_)
            | Line::Report(_)
            | Line::Footer(_)
            | Line::Digest(_),
        )
        | None => Err(wrong("its first line is no header")),
    }
}

fn requirements(lines: &[Line]) -> Vec<RequirementRow> {
    let rows = lines.iter().filter_map(|line| match line {
        Line::Requirement(row) => Some(row.clone()),
        Line::Header(_)
        | Line::Phase(_)
        | Line::Scenario(_)
        | Line::Report(_)
        | Line::Footer(_)
        | Line::Digest(_) => None,
    });
    rows.collect()
}

/// The rows that were violated before the run came to its judgement. The others are left out: none
/// of them passed yet.
fn rows_so_far(scenarios: &[&ScenarioLine]) -> Result<Vec<RequirementRow>, Error> {
    let catalogue = Catalogue::builtin()?;
    let rows = catalogue.requirements().iter();
    Ok(rows
        .filter_map(|requirement| row_so_far(requirement, scenarios))
        .collect())
}

fn row_so_far(requirement: &Requirement, scenarios: &[&ScenarioLine]) -> Option<RequirementRow> {
    let id = requirement.id.as_str();
    let sum = |count: fn(&ScenarioLine) -> &BTreeMap<String, u64>| -> u64 {
        let counts = scenarios.iter().filter_map(|line| count(line).get(id));
        counts.sum()
    };
    let violated = sum(|line| &line.violated);
    if violated == 0 {
        return None;
    }
    let violations = scenarios.iter().filter_map(|line| line.violations.get(id));
    // What was written is clean already: there is nothing to be replaced.
    let redactor = Redactor::new([0; 16], Needles::default());
    let judged = (&Tally::default(), Standing::default());
    let mut row = RequirementRow::new(requirement, judged, Vec::new(), &redactor);
    row.verdict = match requirement.level {
        Level::Must | Level::Recorded => Verdict::Fail,
        Level::Should => Verdict::Deviation,
    };
    row.evaluated = sum(|line| &line.armed);
    row.armed = row.evaluated;
    row.violated = violated;
    row.violations = violations.flatten().cloned().collect();
    Some(row)
}
