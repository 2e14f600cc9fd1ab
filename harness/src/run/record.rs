//! Writes results while a run goes on.

use super::{Ground, Origin};
use crate::catalogue::{Catalogue, Requirement};
use crate::checks;
use crate::error::Error;
use crate::report::evidence::{EvidenceFile, Prover};
use crate::report::redact::Redactor;
use crate::report::results::{Header, Line, PhaseLine, ScenarioLine};
use crate::report::{RequirementRow, Run, ViolationRow};
use crate::scenario::ScenarioOutcome;
use crate::verdict::Tally;

impl Ground {
    /// The first line.
    pub(crate) fn record_start(&self) {
        let header = Header::new(self.options.load.seed, self.described());
        self.controls.results.line(&Line::Header(header));
    }

    /// A part of `muster run` has ended.
    pub(super) fn record_phase(&self, name: &str) {
        self.controls.results.line(&Line::Phase(PhaseLine {
            name: name.to_owned(),
            ended_s: self.elapsed_s(),
        }));
    }

    /// A scenario has ended.
    pub(crate) fn record_scenario(&self, outcome: &ScenarioOutcome, seconds: Option<f64>) {
        if self.controls.results.is_nowhere() {
            return;
        }
        let mut line = ScenarioLine {
            name: outcome.name.to_owned(),
            seconds,
            cases: u64::try_from(outcome.cases.len()).unwrap_or(u64::MAX),
            ..ScenarioLine::default()
        };
        let mut redactor = None;
        let mut clean = |text: &str| redactor.get_or_insert_with(|| self.redactor()).scan(text);
        for (id, tally) in checks::tally(&outcome.cases) {
            if tally.armed > 0 {
                line.armed.insert(id.to_owned(), tally.armed);
            }
            if tally.violated > 0 {
                let rows = tally.violations.iter().map(|violation| ViolationRow {
                    fingerprint: violation.fingerprint.to_owned(),
                    required: clean(&violation.required),
                    seen: clean(&violation.seen),
                });
                line.violations.insert(id.to_owned(), rows.collect());
                line.violated.insert(id.to_owned(), tally.violated);
            }
        }
        line.error = outcome
            .error
            .as_ref()
            .map(|error| clean(&error.to_string()));
        self.controls.results.line(&Line::Scenario(line));
    }

    /// Makes the proofs of this run; `command` does it all again.
    pub(crate) fn prover<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        redactor: &'a Redactor,
        command: &'a str,
    ) -> Prover<'a> {
        Prover {
            catalogue,
            transcript: &self.transcript,
            redactor,
            admin_url: &self.target.admin,
            command,
        }
    }

    /// Makes the proof of a judged requirement. Where nobody keeps files, none is made.
    pub(crate) fn prove(
        &self,
        prover: &Prover<'_>,
        row: &mut RequirementRow,
        (requirement, tally): (&Requirement, &Tally),
    ) -> Result<Vec<EvidenceFile>, Error> {
        if self.controls.results.is_nowhere() {
            return Ok(Vec::new());
        }
        prover.attach(row, requirement, tally)
    }

    /// Writes the judged requirements, after everything that is said of them was entered.
    pub(crate) fn record_rows(&self, rows: &[RequirementRow]) {
        let results = &self.controls.results;
        if !results.is_nowhere() {
            let rows = rows.iter().cloned().map(Line::Requirement);
            rows.for_each(|row| results.line(&row));
        }
    }

    /// What runs against what, as far as it is known from the start.
    pub(crate) fn described(&self) -> Run {
        let (target, fault) = match self.options.origin {
            Origin::BuiltIn { ref fault, .. } => ("built-in", fault.clone()),
            Origin::External => ("external", None),
        };
        Run {
            muster_version: env!("CARGO_PKG_VERSION").to_owned(),
            target: target.to_owned(),
            fault,
            started_at: self.clock.at(0).to_string(),
            ..Run::default()
        }
    }

    pub(crate) fn elapsed_s(&self) -> f64 {
        std::time::Duration::from_nanos(self.clock.monotonic_ns()).as_secs_f64()
    }
}
