//! The proof that the suite can fail: what a run against a deliberately wrong target says of the
//! suite, and the matrix of all of them.
//!
//! This crate knows no fault by itself: names, intended requirements and reports come in.

pub mod variant;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::variant::VariantRow;
use crate::dev::DevRow;
use crate::error::Error;
use crate::report::{Report, RequirementRow};
use crate::verdict::{Level, Verdict};

/// The schema of `kill-matrix.json`.
pub const SCHEMA: &str = "muster.killmatrix/1";

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultOutcome {
    /// The requirement that it breaks was violated.
    Killed,
    /// Only other requirements were violated: the mapping or a check is wrong.
    KilledElsewhere,
    /// No requirement was violated, and the run did not pass either: not a kill.
    ByNoise,
    /// Everything passed.
    Survived,
    /// The situation of the intended requirement never arose: no scenario makes it.
    NotReached,
    /// The faulty core did not even start.
    Broken,
}

impl FaultOutcome {
    /// Every outcome, the best first.
    pub const ALL: [Self; 6] = [
        Self::Killed,
        Self::KilledElsewhere,
        Self::ByNoise,
        Self::Survived,
        Self::NotReached,
        Self::Broken,
    ];

    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::KilledElsewhere => "killed elsewhere",
            Self::ByNoise => "by noise",
            Self::Survived => "survived",
            Self::NotReached => "not reached",
            Self::Broken => "broken",
        }
    }
}

/// One fault and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRow {
    /// The fault's name.
    pub id: String,
    /// The requirement that must be violated.
    pub intended: String,
    /// How binding that requirement is.
    pub level: Level,
    /// True for a fault by rate, which was run under load.
    pub needs_load: bool,
    /// What became of it.
    pub outcome: FaultOutcome,
    /// The ways in which the intended requirement was violated.
    pub killed_by: Vec<Kill>,
    /// Other requirements that were violated, too.
    pub collateral: Vec<String>,
    /// The exit code of the run.
    pub exit_code: u8,
    /// The causes of a run that killed nothing.
    pub causes: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// True when no scenario of a conformance run ended early.
    fn sane(&self) -> bool {
        let mut scenarios = self.conform.iter().flat_map(|summary| &summary.scenarios);
        scenarios.all(|scenario| scenario.error.is_none())
    }
}

/// One way in which a requirement was violated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kill {
    /// The requirement.
    pub requirement: String,
    /// The short stable name of the way.
    pub fingerprint: String,
}

/// A target that does nothing right, and what the suite said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NullRow {
    /// Its name.
    pub id: String,
    /// The exit code of the run.
    pub exit_code: u8,
    /// Requirements that passed, which none may.
    pub passed: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

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

/// Killed of scored.
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
}

/// All of it: `kill-matrix.json`.
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
    /// The null cores.
    pub null_cores: Vec<NullRow>,
    /// The faults of our own device.
    pub device_faults: Vec<FaultRow>,
    /// The legal variants of the right core, in the library's order, and mixes of them.
    #[serde(default)]
    pub variants: Vec<VariantRow>,
    /// The sum.
    pub score: Score,
    /// The last member: true when all that was asked for was run.
    pub complete: bool,
}

impl FaultRow {
    /// The row of a fault whose run gave this report.
    #[must_use]
    pub fn of_report(id: &str, intended: &str, level: Level, report: &Report) -> Self {
        let violated = report.requirements.iter().filter(|row| row.violated > 0);
        let (ours, others): (Vec<&RequirementRow>, Vec<_>) =
            violated.partition(|row| row.id == intended);
        let mut killed_by: Vec<Kill> = ours
            .iter()
            .flat_map(|row| &row.violations)
            .map(|violation| Kill {
                requirement: intended.to_owned(),
                fingerprint: violation.fingerprint.clone(),
            })
            .collect();
        killed_by.sort();
        killed_by.dedup();
        let mut rows = report.requirements.iter();
        let armed = rows.any(|row| row.id == intended && row.armed > 0);
        let quiet = report.footer.complete && report.sane();
        let outcome = if !ours.is_empty() {
            FaultOutcome::Killed
        } else if !others.is_empty() {
            FaultOutcome::KilledElsewhere
        } else if report.exit_code == 0 && armed {
            FaultOutcome::Survived
        } else if quiet && !armed {
            FaultOutcome::NotReached
        } else {
            FaultOutcome::ByNoise
        };
        Self {
            id: id.to_owned(),
            intended: intended.to_owned(),
            level,
            needs_load: false,
            outcome,
            killed_by,
            collateral: others.iter().map(|row| row.id.clone()).collect(),
            exit_code: report.exit_code,
            causes: if outcome == FaultOutcome::Killed {
                Vec::new()
            } else {
                report.causes.clone()
            },
            seconds: report.run.wall_s,
        }
    }

    /// The row of a fault of our own device, whose requirements were judged so.
    #[must_use]
    pub fn of_device(id: &str, intended: &str, level: Level, judged: &[DevRow]) -> Self {
        let violated = judged.iter().filter(|row| row.violated > 0);
        let (ours, others): (Vec<_>, Vec<_>) =
            violated.partition(|row| row.requirement == intended);
        let kills = ours.iter().flat_map(|row| &row.violations);
        let mut killed_by: Vec<Kill> = kills
            .map(|violation| Kill {
                requirement: intended.to_owned(),
                fingerprint: violation.fingerprint.to_owned(),
            })
            .collect();
        killed_by.sort();
        killed_by.dedup();
        let outcome = match (ours.is_empty(), others.is_empty()) {
            (false, _) => FaultOutcome::Killed,
            (true, false) => FaultOutcome::KilledElsewhere,
            (true, true) => FaultOutcome::Survived,
        };
        Self {
            id: id.to_owned(),
            intended: intended.to_owned(),
            level,
            needs_load: false,
            outcome,
            killed_by,
            collateral: others
                .iter()
                .map(|row| row.requirement.to_owned())
                .collect(),
            exit_code: 0,
            causes: Vec::new(),
            seconds: 0.0,
        }
    }

    /// The row of a fault whose core did not start.
    #[must_use]
    pub fn broken(id: &str, intended: &str, level: Level, error: &Error) -> Self {
        Self {
            id: id.to_owned(),
            intended: intended.to_owned(),
            level,
            needs_load: false,
            outcome: FaultOutcome::Broken,
            killed_by: Vec::new(),
            collateral: Vec::new(),
            exit_code: 4,
            causes: vec![error.to_string()],
            seconds: 0.0,
        }
    }
}

impl NullRow {
    /// The row of a null core whose run gave this report.
    #[must_use]
    pub fn of_report(id: &str, report: &Report) -> Self {
        let passed = report
            .requirements
            .iter()
            .filter(|row| row.verdict == Verdict::Pass)
            .map(|row| row.id.clone());
        Self {
            id: id.to_owned(),
            exit_code: report.exit_code,
            passed: passed.collect(),
            seconds: report.run.wall_s,
        }
    }

    /// True when the suite let nothing of it pass.
    #[must_use]
    pub const fn is_caught(&self) -> bool {
        self.passed.is_empty() && self.exit_code != 0
    }
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
            null_cores: Vec::new(),
            device_faults: Vec::new(),
            variants: Vec::new(),
            score: Score::default(),
            complete: false,
        }
    }

    /// Counts what is there and marks it as all that was asked for.
    pub fn conclude(&mut self) {
        self.score = Score::default();
        for row in &self.faults {
            let killed = u64::from(row.outcome == FaultOutcome::Killed);
            let must = u64::from(row.level == Level::Must);
            self.score.killed += killed;
            self.score.scored += 1;
            self.score.must_killed += killed * must;
            self.score.must_scored += must;
        }
        self.complete = true;
    }

    /// Everything that the suite must be repaired for, as sentences.
    #[must_use]
    pub fn defects(&self) -> Vec<String> {
        let mut defects = Vec::new();
        if self.baseline.exit_code != 0 {
            let causes = self.baseline.causes.join("; ");
            defects.push(format!(
                "the right core did not pass: exit code {}: {causes}",
                self.baseline.exit_code
            ));
        }
        for row in self.faults.iter().chain(&self.device_faults) {
            if row.level == Level::Must && row.outcome != FaultOutcome::Killed {
                let (id, outcome, intended) = (&row.id, row.outcome.as_str(), &row.intended);
                defects.push(format!("{id}: {outcome}, intended {intended}"));
            }
        }
        for row in self.null_cores.iter().filter(|row| !row.is_caught()) {
            let (id, code) = (&row.id, row.exit_code);
            let passed = row.passed.join(", ");
            defects.push(format!(
                "null core {id}: exit code {code}, passed: {passed}"
            ));
        }
        defects.extend(self.variants.iter().filter_map(VariantRow::defect));
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
    use super::*;
    use crate::exit::Cause;
    use crate::report::sample;

    fn row(intended: &str, report: &Report) -> FaultRow {
        FaultRow::of_report("M-SOME-fault", intended, Level::Must, report)
    }

    #[test]
    fn only_a_violation_of_the_intended_requirement_kills() {
        let failed = sample::failed();
        let passed = sample::passed();
        let noisy = Report {
            exit_code: 2,
            ..sample::passed()
        };
        let cut = Report {
            footer: crate::report::Footer::incomplete("target down".to_owned()),
            ..noisy.clone()
        };
        for (intended, report, outcome) in [
            ("REQ-ROTATE-003", &failed, FaultOutcome::Killed),
            ("REQ-ROTATE-004", &failed, FaultOutcome::KilledElsewhere),
            ("REQ-ROTATE-001", &noisy, FaultOutcome::ByNoise),
            ("REQ-NONE-001", &noisy, FaultOutcome::NotReached),
            ("REQ-NONE-001", &cut, FaultOutcome::ByNoise),
            ("REQ-ROTATE-001", &passed, FaultOutcome::Survived),
        ] {
            assert_eq!(row(intended, report).outcome, outcome, "{intended}");
        }
        assert!(!row("REQ-ROTATE-003", &failed).killed_by.is_empty());
    }

    #[test]
    fn a_surviving_must_a_passing_null_core_and_a_red_baseline_are_defects() {
        let clean = Baseline::of_report(&sample::passed());
        let mut matrix = KillMatrix::new(1, clean);
        matrix.faults = vec![
            row("REQ-ROTATE-003", &sample::failed()),
            row("REQ-ROTATE-003", &sample::passed()),
        ];
        let error = Error::SetUp("no".to_owned());
        let nothing = Report::new(
            1,
            &[Cause::from(error)],
            crate::report::Footer::incomplete("no".to_owned()),
        );
        matrix.null_cores = vec![
            NullRow::of_report("closed-port", &nothing),
            NullRow::of_report("echo", &sample::passed()),
        ];
        matrix.conclude();
        assert_eq!((matrix.score.killed, matrix.score.scored), (1, 2));
        assert_eq!(matrix.defects().len(), 2, "{:?}", matrix.defects());
        matrix.baseline = Baseline::of_report(&sample::failed());
        assert_eq!(matrix.defects().len(), 3, "{:?}", matrix.defects());
    }
}
