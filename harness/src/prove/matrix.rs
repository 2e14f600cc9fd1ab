//! `kill-matrix.json`: everything that was run, the score, and what the suite must be repaired for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::{FaultOutcome, FaultRow};
use super::null::NullRow;
use super::pair::{PairOutcome, PairRow};
use super::variant::VariantRow;
use crate::error::Error;
use crate::report::Report;
use crate::verdict::Level;

/// The schema of `kill-matrix.json`.
pub const SCHEMA: &str = "muster.killmatrix/2";

/// The right core, and what the suite said of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The exit code of the run.
    pub exit_code: u8,
    /// Rows by verdict.
    pub counts: BTreeMap<String, u64>,
    /// Requirements that were violated, which none may be.
    pub violated: Vec<String>,
    /// The causes of an exit code other than 0.
    pub causes: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A fault that cannot be run yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRow {
    /// The name that it will have.
    pub id: String,
    /// The requirement that it will break.
    pub intended: String,
    /// What is missing.
    pub reason: String,
}

/// A fault that was declared to be none that an observer could see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquivalentRow {
    /// Its name.
    pub id: String,
    /// Why nothing can show it.
    pub reason: String,
    /// Who looked at it.
    pub reviewer: String,
}

/// Killed of scored, and what does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Faults that were killed.
    pub killed: u64,
    /// Faults that count.
    pub scored: u64,
    /// Those of a MUST that were killed.
    pub must_killed: u64,
    /// Those of a MUST.
    pub must_scored: u64,
    /// Faults that do not count because they are declared equivalent.
    pub equivalent: u64,
    /// Faults that do not count because they cannot be run yet.
    pub planned: u64,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KillMatrix {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of muster.
    pub suite: String,
    /// The seeds of the runs.
    pub seeds: Vec<u64>,
    /// The right core.
    pub baseline: Baseline,
    /// The faults, in the library's order.
    pub faults: Vec<FaultRow>,
    /// Faults that cannot be run yet.
    pub planned: Vec<PlannedRow>,
    /// Faults that were declared equivalent.
    pub equivalents: Vec<EquivalentRow>,
    /// Targets that do nothing right, or nothing on one plane.
    pub null_cores: Vec<NullRow>,
    /// Two faults at once.
    pub pairs: Vec<PairRow>,
    /// The faults of our own device.
    pub device_faults: Vec<FaultRow>,
    /// The legal variants of the right core, in the library's order, and mixes of them.
    pub variants: Vec<VariantRow>,
    /// The sum.
    pub score: Score,
    /// The last member: true when all that was asked for was run.
    pub complete: bool,
}

impl Baseline {
    /// What the suite said of the right core.
    #[must_use]
    pub fn of_report(report: &Report) -> Self {
        let violated = report.requirements.iter().filter(|row| row.violated > 0);
        Self {
            exit_code: report.exit_code,
            counts: report
                .conform
                .as_ref()
                .map(|summary| summary.counts.clone())
                .unwrap_or_default(),
            violated: violated.map(|row| row.id.clone()).collect(),
            causes: report.causes.clone(),
            seconds: report.run.wall_s,
        }
    }
}

impl KillMatrix {
    /// An empty matrix.
    #[must_use]
    pub fn new(seed: u64, baseline: Baseline) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            suite: env!("CARGO_PKG_VERSION").to_owned(),
            seeds: vec![seed],
            baseline,
            faults: Vec::new(),
            planned: Vec::new(),
            equivalents: Vec::new(),
            null_cores: Vec::new(),
            pairs: Vec::new(),
            device_faults: Vec::new(),
            variants: Vec::new(),
            score: Score::default(),
            complete: false,
        }
    }

    /// Counts what is there; `complete` tells whether that is all that was asked for.
    pub fn conclude(&mut self, complete: bool) {
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        self.score = Score {
            planned: count(self.planned.len()),
            ..Score::default()
        };
        for row in &self.faults {
            if row.outcome == FaultOutcome::Equivalent {
                self.score.equivalent += 1;
                continue;
            }
            let killed = u64::from(row.outcome == FaultOutcome::Killed);
            let must = u64::from(row.level == Level::Must);
            self.score.killed += killed;
            self.score.scored += 1;
            self.score.must_killed += killed * must;
            self.score.must_scored += must;
        }
        self.complete = complete;
    }

    /// Everything that the suite must be repaired for, as sentences.
    #[must_use]
    pub fn defects(&self) -> Vec<String> {
        let mut defects = Vec::new();
        if !self.complete {
            defects.push("not everything that was asked for was run".to_owned());
        }
        if self.baseline.exit_code != 0 {
            let causes = self.baseline.causes.join("; ");
            defects.push(format!(
                "the right core did not pass: exit code {}: {causes}",
                self.baseline.exit_code
            ));
        }
        let faults = self.faults.iter().chain(&self.device_faults);
        for row in faults.filter(|row| row.is_defect()) {
            let (id, outcome, intended) = (&row.id, row.outcome.as_str(), &row.intended);
            defects.push(format!("{id}: {outcome}, intended {intended}"));
        }
        for row in self.null_cores.iter().filter(|row| !row.is_caught()) {
            let (id, code) = (&row.id, row.exit_code);
            let (passed, violated) = (row.passed.join(", "), row.violated.len());
            defects.push(format!(
                "null core {id}: exit code {code}, {violated} violated, passed: {passed}"
            ));
        }
        defects.extend(self.variants.iter().filter_map(VariantRow::defect));
        for row in &self.pairs {
            let word = match row.outcome {
                PairOutcome::Detected => continue,
                PairOutcome::Masked => "masked",
                PairOutcome::Broken => "broken",
            };
            let [one, other] = &row.faults;
            defects.push(format!("{one} with {other}: {word}"));
        }
        defects
    }

    /// The matrix as it stands in `kill-matrix.json`.
    ///
    /// # Errors
    /// [`Error::Harness`] when it cannot be put into JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::Harness(format!("kill-matrix.json: {error}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::tests::{counter, declared};
    use super::super::{Declared, NullKind, Seen};
    use super::*;
    use crate::report::sample;

    fn row(declared: &Declared, report: &Report) -> FaultRow {
        let counters = &[counter(1)];
        FaultRow::of_run(declared, Seen { report, counters })
    }

    fn matrix() -> KillMatrix {
        KillMatrix::new(1, Baseline::of_report(&sample::passed()))
    }

    #[test]
    fn equivalent_and_planned_faults_are_outside_the_score() {
        let equivalent = Declared {
            equivalent: Some("nothing shows it".to_owned()),
            ..declared()
        };
        let should = Declared {
            level: Level::Should,
            ..declared()
        };
        let mut matrix = matrix();
        matrix.faults = vec![
            row(&declared(), &sample::failed()),
            row(&declared(), &sample::passed()),
            row(&should, &sample::passed()),
            row(&equivalent, &sample::passed()),
        ];
        matrix.planned = vec![PlannedRow {
            id: "M-LATER".to_owned(),
            intended: "REQ-AUDIT-004".to_owned(),
            reason: "not yet".to_owned(),
        }];
        matrix.conclude(true);
        let expected = Score {
            killed: 1,
            scored: 3,
            must_killed: 1,
            must_scored: 2,
            equivalent: 1,
            planned: 1,
        };
        assert_eq!(matrix.score, expected);
        assert_eq!(matrix.defects().len(), 2, "{:?}", matrix.defects());
    }

    #[test]
    fn everything_that_was_not_caught_is_a_defect() {
        let mut matrix = matrix();
        matrix.conclude(true);
        assert!(matrix.defects().is_empty(), "{:?}", matrix.defects());
        let passed = sample::passed();
        let null = NullRow::of_report("echo", NullKind::Null, "*", &passed);
        matrix.null_cores = vec![null];
        assert_eq!(matrix.defects().len(), 1, "{:?}", matrix.defects());
        let seen = Seen {
            report: &passed,
            counters: &[counter(1)],
        };
        matrix.pairs = vec![PairRow::of_run([&declared(), &declared()], seen)];
        assert_eq!(matrix.defects().len(), 2, "{:?}", matrix.defects());
        matrix.baseline = Baseline::of_report(&sample::failed());
        assert_eq!(matrix.defects().len(), 3, "{:?}", matrix.defects());
        matrix.conclude(false);
        assert_eq!(matrix.defects().len(), 4, "{:?}", matrix.defects());
    }
}
