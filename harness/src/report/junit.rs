//! `junit.xml`: a suite an area, a case a requirement, and one suite for the run itself.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{Report, RequirementRow};
use crate::catalogue::Area;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::verdict::Verdict;

/// The report in the form that build servers read. Only a violated MUST is a failure; a requirement
/// that was not exercised is skipped; everything else that makes the run less than conformant is an
/// error of the case `run`.
///
/// # Errors
/// [`Error::Harness`] when the report cannot be put into XML.
pub fn render(report: &Report) -> Result<Vec<u8>, Error> {
    let mut junit = Junit::new("muster");
    for area in Area::ALL {
        let cases: Vec<TestCase> = report
            .requirements
            .iter()
            .filter(|row| Area::of_id(&row.id) == Some(area))
            .map(case)
            .collect();
        if cases.is_empty() {
            continue;
        }
        let mut suite = TestSuite::new(area.as_str());
        suite.add_test_cases(cases);
        junit.add_test_suite(suite);
    }
    junit.add_test_suite(run_suite(report));
    let mut bytes = Vec::new();
    junit
        .serialize(&mut bytes)
        .map_err(|error| Error::Harness(format!("junit.xml: {error}")))?;
    Ok(bytes)
}

fn case(row: &RequirementRow) -> TestCase {
    let mut case = TestCase::new(row.id.as_str(), status(row));
    let area = Area::of_id(&row.id).map_or("", Area::as_str);
    case.set_classname(area);
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

fn status(row: &RequirementRow) -> TestCaseStatus {
    if row.is_expected() {
        let entries = row.expectation.iter().flat_map(|row| &row.entries);
        let entries: Vec<&str> = entries.map(String::as_str).collect();
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("{}: {}", row.word(), entries.join("; ")));
        return status;
    }
    match row.verdict {
        // A deviation is shown in the output; it fails no build.
        Verdict::Pass | Verdict::Recorded | Verdict::Deviation => TestCaseStatus::success(),
        Verdict::NotExercised => skipped("not exercised: the situation never arose"),
        Verdict::NotApplicable => skipped("not applicable: by the profile"),
        Verdict::NotTested => skipped("not tested: by the profile"),
        Verdict::Blocked => {
            let twin = row.blocked_by.as_deref().unwrap_or_default();
            broken(&format!(
                "blocked: the positive control {twin} did not pass"
            ))
        }
        Verdict::Error => broken("error: the harness broke"),
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!(
                "violated in {} of {} cases",
                row.violated, row.armed
            ));
            if let Some(first) = row.violations.first() {
                status.set_type(first.fingerprint.as_str());
                status.set_description(format!(
                    "required: {}\nseen: {}",
                    first.required, first.seen
                ));
            }
            status
        }
    }
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}

fn broken(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(message);
    status
}

fn details(row: &RequirementRow) -> String {
    let mut lines = Vec::new();
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
fn run_suite(report: &Report) -> TestSuite {
    let decided = report.footer.complete
        && matches!(
            ExitCode::of_number(report.exit_code),
            Some(ExitCode::Pass | ExitCode::Failed)
        );
    let status = if decided {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let meaning = ExitCode::of_number(report.exit_code).map_or("unknown", ExitCode::meaning);
        status.set_message(format!("exit code {}: {meaning}", report.exit_code));
        status.set_type(report.verdict.as_str());
        status.set_description(report.causes.join("\n"));
        status
    };
    let mut case = TestCase::new("run", status);
    case.set_classname("RUN");
    case.add_property(("seed", report.seed.to_string().as_str()));
    case.add_property(("fleet digest", report.run.fleet_digest.as_str()));
    case.add_property(("plan digest", report.run.plan_digest.as_str()));
    let mut suite = TestSuite::new("RUN");
    suite.add_test_case(case);
    suite
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn xml(report: &Report) -> String {
        String::from_utf8(render(report).unwrap()).unwrap()
    }

    #[test]
    fn failures_are_violations_and_nothing_else() {
        let xml = xml(&sample::failed());
        assert_eq!(xml.matches("<failure ").count(), 1, "{xml}");
        assert_eq!(xml.matches("<skipped ").count(), 1, "{xml}");
        assert_eq!(xml.matches("<error ").count(), 0, "{xml}");
        for part in [
            r#"tests="5""#,
            r#"failures="1""#,
            r#"<testcase name="REQ-ROTATE-003" classname="ROTATE""#,
            r#"type="done-though-offline""#,
            "seen: action state &lt;done&gt; &amp; no detail",
            r#"value="evidence/REQ-ROTATE-003-1.json""#,
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }

    #[test]
    fn a_run_that_decides_nothing_is_an_error() {
        let xml = xml(&sample::interrupted());
        assert_eq!(xml.matches("<error ").count(), 1, "{xml}");
        assert!(xml.contains("exit code 130: interrupted"), "{xml}");
        assert!(xml.contains("interrupted by SIGINT after 3.2 s"), "{xml}");
    }

    #[test]
    fn a_passed_run_has_neither_failure_nor_error() {
        let xml = xml(&sample::passed());
        for tag in ["<failure ", "<error ", "<skipped "] {
            assert!(!xml.contains(tag), "{tag} in {xml}");
        }
        assert!(xml.contains(r#"tests="3""#), "{xml}");
    }
}
