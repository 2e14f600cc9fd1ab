//! What the suite says of legal variants of the right core: nothing, or the suite is wrong.

use serde::{Deserialize, Serialize};

use crate::exit::ExitCode;
use crate::report::Report;

/// A legal variant, or a mix of several, and what the suite said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantRow {
    /// Its name; of a mix, the seed that drew it.
    pub id: String,
    /// The variants of a mix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mix: Vec<String>,
    /// The seeds of the runs.
    pub seeds: Vec<u64>,
    /// What was violated, which nothing may be.
    pub violations: Vec<FalseAlarm>,
    /// The gravest exit code of the runs, 0 when all passed.
    pub exit_code: u8,
    /// The causes of an exit code other than 0.
    pub causes: Vec<String>,
}

/// A violation that a legal variant was charged with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FalseAlarm {
    /// The seed of the run.
    pub seed: u64,
    /// The requirement.
    pub requirement: String,
    /// The short stable name of the way.
    pub fingerprint: String,
}

impl VariantRow {
    /// A row without runs.
    #[must_use]
    pub const fn new(id: String, mix: Vec<String>) -> Self {
        Self {
            id,
            mix,
            seeds: Vec::new(),
            violations: Vec::new(),
            exit_code: 0,
            causes: Vec::new(),
        }
    }

    /// Enters the report of a run.
    pub fn add(&mut self, seed: u64, report: &Report) {
        self.seeds.push(seed);
        // A recorded row without one choice for all devices is violated, too.
        for row in report.requirements.iter().filter(|row| row.violated > 0) {
            let ways = row.violations.iter();
            let ways = ways.map(|violation| violation.fingerprint.clone());
            let alarm = |fingerprint| FalseAlarm {
                seed,
                requirement: row.id.clone(),
                fingerprint,
            };
            self.violations.extend(ways.map(alarm));
            if row.violations.is_empty() {
                self.violations.push(alarm(String::new()));
            }
        }
        self.violations.sort();
        self.violations.dedup();
        self.enter(report.exit_code, &report.causes);
    }

    /// Enters a run that did not come about.
    pub fn add_failure(&mut self, seed: u64, error: &crate::error::Error) {
        self.seeds.push(seed);
        self.enter(ExitCode::SetUp.number(), &[error.to_string()]);
    }

    /// True when the suite found nothing.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.exit_code == 0 && !self.seeds.is_empty()
    }

    /// What the suite must be repaired for, as a sentence.
    #[must_use]
    pub fn defect(&self) -> Option<String> {
        if self.is_clean() {
            return None;
        }
        let alarms = self.violations.iter();
        let alarms = alarms.map(|alarm| format!("{} ({})", alarm.requirement, alarm.fingerprint));
        let (id, code, seeds) = (&self.id, self.exit_code, &self.seeds);
        let what: Vec<String> = if self.violations.is_empty() {
            self.causes.clone()
        } else {
            alarms.collect()
        };
        let what = what.join("; ");
        Some(format!(
            "legal variant {id}, seeds {seeds:?}: exit code {code}: {what}"
        ))
    }

    fn enter(&mut self, exit_code: u8, causes: &[String]) {
        let gravity = |number: u8| {
            let mut codes = ExitCode::BY_GRAVITY.iter();
            codes.position(|code| code.number() == number)
        };
        if gravity(exit_code) < gravity(self.exit_code) {
            self.exit_code = exit_code;
        }
        if exit_code != 0 {
            self.causes.extend_from_slice(causes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_violation_or_an_exit_code_is_a_false_alarm() {
        let row = || VariantRow::new("V-SOME-variant".to_owned(), Vec::new());
        assert!(
            !row().is_clean(),
            "a variant that was not run proves nothing"
        );
        let mut clean = row();
        clean.add(1, &sample::passed());
        clean.add(2, &sample::passed());
        assert!(clean.is_clean() && clean.defect().is_none());
        assert_eq!(clean.seeds, [1, 2]);

        let mut charged = clean.clone();
        charged.add(3, &sample::failed());
        assert_eq!(charged.exit_code, 1);
        assert!(charged.violations.iter().all(|alarm| alarm.seed == 3));
        let defect = charged.defect().unwrap_or_default();
        assert!(defect.contains("REQ-ROTATE-003"), "{defect}");

        let mut undetermined = clean;
        let report = Report {
            exit_code: 2,
            causes: vec!["REQ-ROTATE-001 was not exercised".to_owned()],
            ..sample::passed()
        };
        undetermined.add(3, &report);
        undetermined.add(4, &sample::passed());
        let defect = undetermined.defect().unwrap_or_default();
        assert!(defect.contains("exit code 2"), "{defect}");
        assert!(defect.contains("not exercised"), "{defect}");
    }
}
