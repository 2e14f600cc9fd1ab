//! What the report of a conformance run says beyond its rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exit::{Cause, ExitCode};
use crate::prove::{FaultOutcome, FaultRow};
use crate::report::ViolationRow;
use crate::verdict::Level;

/// The part of a report that only a conformance run has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The requirement set.
    pub set: String,
    /// True when a violated SHOULD fails the run.
    pub strict: bool,
    /// Rows by verdict, `not_tested` among them.
    pub counts: BTreeMap<String, u64>,
    /// Rows that no check judges, with the reason. None of them counts as passed.
    pub not_tested: Vec<NotTested>,
    /// The scenarios that ran.
    pub scenarios: Vec<ScenarioRow>,
    /// Our own device's rows, which say nothing of the target.
    pub device: Vec<DeviceRow>,
    /// The deliberate fault that the suite had to catch beside the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryRow>,
}

/// A deliberate fault of the built-in core, run to prove that the suite can fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRow {
    /// Its name.
    pub fault: String,
    /// The requirement that it breaks.
    pub intended: String,
    /// What became of it.
    pub outcome: FaultOutcome,
    /// The ways in which that requirement was violated.
    pub fingerprints: Vec<String>,
}

impl CanaryRow {
    /// The canary of a fault's row.
    #[must_use]
    pub fn of_fault(row: &FaultRow) -> Self {
        let ways = row.killed_by.iter().map(|kill| kill.fingerprint.clone());
        Self {
            fault: row.id.clone(),
            intended: row.intended.clone(),
            outcome: row.outcome,
            fingerprints: ways.collect(),
        }
    }

    /// Why the suite cannot be trusted; `None` when it caught the fault.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        if self.outcome == FaultOutcome::Killed {
            return None;
        }
        let (fault, intended) = (&self.fault, &self.intended);
        let text = format!(
            "the suite cannot be trusted: it did not catch the deliberate fault `{fault}` of the \
             built-in core, which breaks {intended} ({})",
            self.outcome.as_str()
        );
        Some(Cause::new(ExitCode::SelfCheck, text))
    }

    fn line(&self) -> String {
        let (fault, intended) = (&self.fault, &self.intended);
        let ways = self.fingerprints.join(", ");
        let word = self.outcome.as_str();
        format!("canary {fault}: {word}, {intended} violated by: {ways}")
    }
}

/// A row that no check judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotTested {
    /// The requirement.
    pub id: String,
    /// How binding it is.
    pub level: Level,
    /// Why it is not judged.
    pub reason: String,
}

/// A scenario that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioRow {
    /// Its name.
    pub name: String,
    /// How long it took with its sanity sessions.
    pub seconds: f64,
    /// Cases that it collected.
    pub cases: u64,
    /// The requirements that these cases put to the test.
    pub armed: Vec<String>,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A requirement of our own device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// The requirement.
    pub id: String,
    /// How often a wrong device would have been caught.
    pub armed: u64,
    /// How often it was violated.
    pub violated: u64,
    /// The first violations.
    pub violations: Vec<ViolationRow>,
}

impl Summary {
    /// The text for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.not_tested.is_empty() {
            lines.push(format!("not tested: {} rows", self.not_tested.len()));
            for row in &self.not_tested {
                let level = row.level.as_str();
                lines.push(format!("  {:<40} {level:<6}  {}", row.id, row.reason));
            }
            lines.push(String::new());
        }
        if !self.device.is_empty() {
            lines.extend(self.device_lines());
            lines.push(String::new());
        }
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(verdict, rows)| format!("{rows} {}", verdict.replace('_', " ")))
            .collect();
        lines.push(format!("set {}: {}", self.set, counts.join(", ")));
        lines.extend(self.canary.as_ref().map(CanaryRow::line));
        let slowest = self
            .scenarios
            .iter()
            .max_by(|one, other| one.seconds.total_cmp(&other.seconds));
        if let Some(slowest) = slowest {
            lines.push(format!(
                "{} scenarios, the longest `{}` with {:.1} s",
                self.scenarios.len(),
                slowest.name,
                slowest.seconds
            ));
        }
        lines.push(String::new());
        lines
    }

    fn device_lines(&self) -> Vec<String> {
        let mut lines = vec!["our own emulated device (says nothing of the target)".to_owned()];
        for row in &self.device {
            let word = match (row.armed, row.violated) {
                (0, 0) => "not exercised",
                (_, 0) => "pass",
                (_, _) => "FAIL",
            };
            lines.push(format!("  {:<44} {word:<13}  {:>7}", row.id, row.armed));
            for violation in &row.violations {
                lines.push(format!("    {}: {}", violation.fingerprint, violation.seen));
            }
        }
        lines
    }
}
