//! Targets that do nothing right, and targets of which one plane is hollow: the suite must let
//! nothing pass that such a target cannot do.

use serde::{Deserialize, Serialize};

use crate::conform::matches_pattern;
use crate::report::Report;
use crate::verdict::Verdict;

/// What kind of target it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullKind {
    /// It does nothing right.
    Null,
    /// The right core, of which one plane does nothing.
    Hollow,
}

/// Such a target, and what the suite said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NullRow {
    /// Its name.
    pub id: String,
    /// What kind it is.
    pub kind: NullKind,
    /// The requirements that may not pass, as patterns.
    pub forbidden: String,
    /// The exit code of the run.
    pub exit_code: u8,
    /// Requirements that passed and may not.
    pub passed: Vec<String>,
    /// Requirements that may not pass and were violated, the proof that it was looked at.
    pub violated: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl NullRow {
    /// The row of a target whose run gave this report; `forbidden` are patterns for ids, with
    /// commas between them.
    #[must_use]
    pub fn of_report(id: &str, kind: NullKind, forbidden: &str, report: &Report) -> Self {
        let passed = report
            .requirements
            .iter()
            .filter(|row| row.verdict == Verdict::Pass);
        let wrong = passed.filter(|row| matches_pattern(forbidden, &row.id));
        let violated = report
            .requirements
            .iter()
            .filter(|row| row.violated > 0 && matches_pattern(forbidden, &row.id));
        Self {
            id: id.to_owned(),
            kind,
            forbidden: forbidden.to_owned(),
            exit_code: report.exit_code,
            passed: wrong.map(|row| row.id.clone()).collect(),
            violated: violated.map(|row| row.id.clone()).collect(),
            seconds: report.run.wall_s,
        }
    }

    /// True when the suite let nothing of it pass; a hollow target must be found wrong, too, and
    /// not only untestable.
    #[must_use]
    pub const fn is_caught(&self) -> bool {
        let proved = match self.kind {
            NullKind::Null => true,
            NullKind::Hollow => !self.violated.is_empty(),
        };
        proved && self.passed.is_empty() && self.exit_code != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_target_is_caught_when_nothing_forbidden_passes() {
        let (failed, passed) = (sample::failed(), sample::passed());
        for (kind, forbidden, report, caught) in [
            (NullKind::Null, "*", &failed, false),
            (NullKind::Null, "*", &passed, false),
            (NullKind::Null, "ROTATE-003", &failed, true),
            (NullKind::Null, "JOIN-*", &failed, true),
            // A hollow plane that no requirement speaks of proves nothing.
            (NullKind::Hollow, "JOIN-*", &failed, false),
            (NullKind::Hollow, "JOIN-*,ROTATE-003", &failed, true),
            (NullKind::Hollow, "ROTATE-*", &failed, false),
            (NullKind::Hollow, "ROTATE-003", &passed, false),
        ] {
            let row = NullRow::of_report("some", kind, forbidden, report);
            assert_eq!(row.is_caught(), caught, "{forbidden}: {row:?}");
        }
    }
}
