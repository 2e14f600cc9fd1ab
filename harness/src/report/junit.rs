//! `junit.xml`: a suite an area, a case a requirement, one suite for our own device, and one for the
//! run itself.
//!
//! | element | means |
//! |---|---|
//! | `failure` | the target violated the requirement; one a case, whatever the number of violations |
//! | `skipped` | nothing can be said of it, and why |
//! | `error` | the run or our own device is at fault, never the target |
//! | none | passed, or shown for the record: then `system-out` says what was seen |

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::counts::CountsAs;
use super::{Report, RequirementRow};
use crate::catalogue::Area;
use crate::conform::{DeviceRow, NotTested};
use crate::error::Error;
use crate::exit::ExitCode;

/// The report in the form that build servers read.
///
/// # Errors
/// [`Error::Harness`] when the report cannot be put into XML.
pub fn render(report: &Report) -> Result<Vec<u8>, Error> {
    let mut junit = Junit::new("muster");
    for area in Area::ALL {
        let rows = report.requirements.iter();
        let rows = rows.filter(|row| Area::of_id(&row.id) == Some(area));
        let untested = report
            .conform
            .iter()
            .flat_map(|summary| &summary.not_tested);
        let untested = untested.filter(|row| Area::of_id(&row.id) == Some(area));
        let mut cases: Vec<TestCase> = rows.map(|row| case(report, row)).collect();
        cases.extend(untested.map(|row| not_tested(report, row)));
        add_suite(&mut junit, area.as_str(), cases);
    }
    let devices = report.conform.iter().flat_map(|summary| &summary.device);
    let devices: Vec<TestCase> = devices.map(|row| device(report, row)).collect();
    add_suite(&mut junit, DEVICE, devices);
    add_suite(&mut junit, RUN, vec![run(report)]);
    let mut bytes = Vec::new();
    junit
        .serialize(&mut bytes)
        .map_err(|error| Error::Harness(format!("junit.xml: {error}")))?;
    Ok(bytes)
}

/// The suite of our own device's rows, which say nothing of the target.
const DEVICE: &str = "DEVICE";
/// The suite of the run itself.
const RUN: &str = "RUN";

fn add_suite(junit: &mut Junit, name: &str, cases: Vec<TestCase>) {
    if cases.is_empty() {
        return;
    }
    let skipped = |case: &&TestCase| matches!(case.status, TestCaseStatus::Skipped { .. });
    let skipped = cases.iter().filter(skipped).count();
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(cases);
    // The library counts them as `disabled`, which few readers look at.
    let skipped = skipped.to_string();
    suite
        .extra
        .insert("skipped".into(), skipped.as_str().into());
    junit.add_test_suite(suite);
}

fn case(report: &Report, row: &RequirementRow) -> TestCase {
    let area = Area::of_id(&row.id).map_or("", Area::as_str);
    let mut case = named(report, (area, &row.id), status(report, row));
    case.add_property(("level", row.level.as_str()));
    case.add_property(("verdict", row.verdict.as_str()));
    case.add_property(("anchors", row.anchors.join(", ").as_str()));
    case.add_property(("sentence", row.sentence.as_str()));
    case.add_property(("armed", row.armed.to_string().as_str()));
    for path in &row.evidence {
        case.add_property(("evidence", path.as_str()));
    }
    let details = details(row);
    if !details.is_empty() {
        case.set_system_out(details);
    }
    case
}

/// A case with what every case has.
fn named(report: &Report, (class, name): (&str, &str), status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case.add_property(("seed", report.seed.to_string().as_str()));
    if let Some(summary) = &report.conform {
        case.add_property(("set", summary.set.as_str()));
    }
    case
}

fn status(report: &Report, row: &RequirementRow) -> TestCaseStatus {
    if row.is_expected() {
        let entries = row.expectation.iter().flat_map(|row| &row.entries);
        let entries: Vec<&str> = entries.map(String::as_str).collect();
        return skipped(&format!("{}: {}", row.word(), entries.join("; ")));
    }
    let strict = report
        .conform
        .as_ref()
        .is_some_and(|summary| summary.strict);
    match CountsAs::of(row.verdict) {
        CountsAs::Good | CountsAs::Shown => TestCaseStatus::success(),
        CountsAs::Deviating if strict => failure(row),
        // Shown in the output; it fails no build that did not ask for it.
        CountsAs::Deviating => TestCaseStatus::success(),
        CountsAs::Violated => failure(row),
        CountsAs::Unsaid(why) => skipped(why),
        CountsAs::Spoilt(why) => {
            let twin = row.blocked_by.as_ref();
            let twin = twin.map_or_else(String::new, |twin| format!(": {twin}"));
            error(format!("{why}{twin}"), row.verdict.as_str(), String::new())
        }
    }
}

fn failure(row: &RequirementRow) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let count = format!("violated in {} of {} cases", row.violated, row.armed);
    let Some(first) = row.violations.first() else {
        status.set_message(count);
        return status;
    };
    status.set_message(format!("{count}: {}", first.seen));
    status.set_type(first.fingerprint.as_str());
    status.set_description(format!(
        "required: {}\nseen: {}",
        first.required, first.seen
    ));
    status
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}

fn error(message: String, kind: &str, text: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(message);
    status.set_type(kind);
    status.set_description(text);
    status
}

fn not_tested(report: &Report, row: &NotTested) -> TestCase {
    let area = Area::of_id(&row.id).map_or("", Area::as_str);
    let why = format!("not tested: {}", row.reason);
    let mut case = named(report, (area, &row.id), skipped(&why));
    case.add_property(("level", row.level.as_str()));
    case
}

/// A requirement of our own device: whatever is wrong with it is an error of muster.
fn device(report: &Report, row: &DeviceRow) -> TestCase {
    let status = match (row.armed, row.violated) {
        (0, 0) => error(
            "our own device was not put to the test".to_owned(),
            "not-exercised",
            String::new(),
        ),
        (_, 0) => TestCaseStatus::success(),
        (armed, violated) => {
            let seen = row
                .violations
                .iter()
                .map(|violation| violation.seen.clone());
            error(
                format!("our own device violated it in {violated} of {armed} cases"),
                "own-device",
                seen.collect::<Vec<_>>().join("\n"),
            )
        }
    };
    named(report, (DEVICE, &row.id), status)
}

fn details(row: &RequirementRow) -> String {
    let mut lines = Vec::new();
    if CountsAs::of(row.verdict) == CountsAs::Shown {
        lines.push(format!("recorded over {} cases", row.armed));
    }
    let recorded = row.recorded.iter();
    lines.extend(recorded.map(|(property, value)| format!("{property}: {value}")));
    for (index, violation) in row.violations.iter().enumerate() {
        lines.push(format!("how: {}", violation.fingerprint));
        lines.push(format!("required: {}", violation.required));
        lines.push(format!("seen: {}", violation.seen));
        if let Some(path) = row.evidence.get(index) {
            lines.push(format!("evidence: {path}"));
        }
    }
    lines.join("\n")
}

/// The run itself: an error unless it came to a verdict on the requirements.
fn run(report: &Report) -> TestCase {
    let decided = report.footer.complete
        && matches!(
            ExitCode::of_number(report.exit_code),
            Some(ExitCode::Pass | ExitCode::Failed)
        );
    let status = if decided {
        TestCaseStatus::success()
    } else {
        let meaning = ExitCode::of_number(report.exit_code).map_or("unknown", ExitCode::meaning);
        error(
            format!("exit code {}: {meaning}", report.exit_code),
            report.verdict.as_str(),
            report.causes.join("\n"),
        )
    };
    let mut case = named(report, (RUN, "run"), status);
    case.add_property(("target", report.run.target.as_str()));
    case.add_property(("fleet digest", report.run.fleet_digest.as_str()));
    case.add_property(("plan digest", report.run.plan_digest.as_str()));
    case
}

#[cfg(test)]
mod tests;
