//! From what the scenarios gave to rows, causes and the summary.

use std::collections::{BTreeMap, BTreeSet};

use super::ConformOptions;
use super::play::{Played, PlayedScenario};
use super::scope::{RowState, state_of};
use super::summary::{DeviceRow, NotTested, ScenarioRow, Summary};
use crate::case::Case;
use crate::catalogue::{Catalogue, Requirement};
use crate::checks;
use crate::dev::DevRow;
use crate::error::Error;
use crate::exit::{Cause, ExitCode};
use crate::expectations::Extent;
use crate::leak;
use crate::profile::Bench;
use crate::properties;
use crate::report::evidence::EvidenceFile;
use crate::report::redact::Redactor;
use crate::report::{self, Fleet, Footer, Report, RequirementRow, ViolationRow};
use crate::run::audit::Logs;
use crate::run::{self, Ground, Outcome};
use crate::scenario;
use crate::verdict::{Tally, Verdict};

/// Reads the logs, judges every case and makes the report.
pub(super) async fn conclude(
    ground: &Ground,
    catalogue: &Catalogue,
    options: &ConformOptions,
    mut played: Played,
    device: Result<Vec<DevRow>, Error>,
) -> Outcome {
    let mut causes = Vec::new();
    let mut cases = Vec::new();
    let mut summary = Summary {
        set: options.selection.set.as_str().to_owned(),
        strict: options.strict,
        scenarios: scenario_rows(&played),
        ..Summary::default()
    };
    match device {
        Ok(rows) => {
            causes.extend(rows.iter().filter_map(device_cause));
            summary.device = rows.into_iter().map(device_row).collect();
        }
        Err(error) => causes.push(Cause::from(error)),
    }
    let mut cut = cut(&played);
    let mut logs = Ok(Logs::Cut);
    if let Some(reason) = &cut {
        causes.push(Cause::new(ExitCode::Undetermined, reason.clone()));
    } else {
        causes.extend(scenario_causes(&played));
        logs = collect(ground, &mut played, (&mut cases, &mut causes)).await;
        cut = logs.as_ref().err().cloned();
    }
    let mut report = frame(ground, cut);
    report.audit = logs.unwrap_or(Logs::Cut).books(&ground.ledger);
    let outcomes = played.scenarios.iter().map(|played| &played.outcome);
    let broken = run::broken(outcomes);
    let redactor = ground.redactor();
    let judged = Judged {
        ground,
        catalogue,
        options,
        broken: &broken,
        redactor: &redactor,
    };
    let extent = if causes.is_empty() && report.footer.complete {
        Extent::Whole
    } else {
        Extent::Partial
    };
    let evidence = judged.rows(&cases, &mut report, &mut summary);
    let evidence = evidence.unwrap_or_else(|error| {
        causes.push(Cause::from(error));
        Vec::new()
    });
    causes.extend(run::expected(&options.terms, &mut report, extent));
    ground.record_rows(&report.requirements);
    judged.count(&report, &mut summary);
    causes.extend(judged.causes(&report));
    if ground.ledger.balance().undetermined() {
        let text = "too many operations have an unknown outcome".to_owned();
        causes.push(Cause::new(ExitCode::Undetermined, text));
    }
    report.conform = Some(summary);
    report.conclude(&causes);
    Outcome {
        report,
        evidence,
        causes,
        guard: Some(redactor),
    }
}

/// The cases of the scenarios and of the logs, which it reads.
///
/// # Errors
/// What cut the run short, so that the logs were not read to their end.
async fn collect(
    ground: &Ground,
    played: &mut Played,
    (cases, causes): (&mut Vec<Case>, &mut Vec<Cause>),
) -> Result<Logs, String> {
    cases.extend(take_cases(played));
    cases.extend(scenario::answer_cases(&ground.transcript));
    match run::audit::read(ground, ground.clock.at(0).ticks()).await {
        Ok(Logs::Whole(log)) => {
            cases.extend(scenario::audit_cases(cases, &ground.ledger, &log));
            causes.extend(search(ground, cases).await);
            Ok(Logs::Whole(log))
        }
        Ok(Logs::Cut) => Err(run::ENDED.to_owned()),
        Err(error) => {
            let cause = late(&error);
            let cut = cause.text.clone();
            causes.push(cause);
            Err(cut)
        }
    }
}

/// Searches everything that was recorded for passwords (REQ-AUDIT-010); the whole of both logs is
/// read once more for it.
async fn search(ground: &Ground, cases: &mut Vec<Case>) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Err(error) = run::audit::read_whole(ground).await {
        causes.push(late(&error));
    }
    let log = &ground.controls.log;
    let leaks = leak::search(&ground.transcript, log);
    cases.extend(leaks.cases.into_iter().map(Case::Leak));
    let own = leaks.own.into_iter();
    causes.extend(own.map(|text| Cause::new(ExitCode::SelfCheck, text)));
    if log.dropped() > 0 {
        let text = format!(
            "{} bytes of the target's log were not searched for passwords",
            log.dropped()
        );
        causes.push(Cause::new(ExitCode::Undetermined, text));
    }
    causes
}

/// A row of our own device that is red, or was not put to the test: the suite cannot be trusted.
fn device_cause(row: &DevRow) -> Option<Cause> {
    let text = match (row.armed, row.violated) {
        (0, 0) => format!("our own device: {} was not exercised", row.requirement),
        (_, 0) => return None,
        (armed, violated) => format!(
            "our own device: {} violated in {violated} of {armed} cases",
            row.requirement
        ),
    };
    Some(Cause::new(ExitCode::SelfCheck, text))
}

fn device_row(row: DevRow) -> DeviceRow {
    let violations = row.violations.into_iter().map(|violation| ViolationRow {
        fingerprint: violation.fingerprint.to_owned(),
        required: violation.required,
        seen: violation.seen,
    });
    DeviceRow {
        id: row.requirement.to_owned(),
        armed: row.armed,
        violated: row.violated,
        violations: violations.collect(),
    }
}

/// What ended the run early.
fn cut(played: &Played) -> Option<String> {
    let cancelled = played.cancelled.then(|| run::ENDED.to_owned());
    played.down.clone().or(cancelled)
}

/// An error after the target had answered.
fn late(error: &Error) -> Cause {
    let code = match error {
        Error::SetUp(_) => ExitCode::SetUp,
        Error::Unreachable { .. } | Error::Target { .. } => ExitCode::Undetermined,
        Error::Harness(_) => ExitCode::Internal,
    };
    Cause::new(code, error.to_string())
}

fn take_cases(played: &mut Played) -> Vec<Case> {
    let scenarios = played.scenarios.iter_mut();
    scenarios
        .flat_map(|played| played.outcome.cases.drain(..))
        .collect()
}

fn scenario_rows(played: &Played) -> Vec<ScenarioRow> {
    let row = |played: &PlayedScenario| {
        let outcome = &played.outcome;
        let tallies = checks::tally(&outcome.cases);
        let armed = tallies.into_iter().filter(|(_, tally)| tally.armed > 0);
        ScenarioRow {
            name: outcome.name.to_owned(),
            seconds: played.seconds,
            cases: u64::try_from(outcome.cases.len()).unwrap_or(u64::MAX),
            armed: armed.map(|(id, _)| id.to_owned()).collect(),
            error: outcome.error.as_ref().map(ToString::to_string),
        }
    };
    played.scenarios.iter().map(row).collect()
}

fn scenario_causes(played: &Played) -> Vec<Cause> {
    let mut causes = Vec::new();
    for PlayedScenario {
        outcome, insane, ..
    } in &played.scenarios
    {
        let name = outcome.name;
        if let Some(error) = &outcome.error {
            let mut cause = late(error);
            cause.text = format!("scenario `{name}` ended early: {}", cause.text);
            causes.push(cause);
        }
        if let Some(insane) = insane {
            let text = format!("the sanity session of scenario `{name}` failed: {insane}");
            causes.push(Cause::new(ExitCode::Undetermined, text));
        }
    }
    causes
}

/// Everything of the report but rows, verdict and causes.
fn frame(ground: &Ground, cut: Option<String>) -> Report {
    let footer = cut.map_or_else(Footer::complete, Footer::incomplete);
    let mut report = Report::new(ground.options.load.seed, &[], footer);
    report.fleet = Fleet {
        cohort_devices: ground.lab.devices(),
        ..Fleet::default()
    };
    report.run = report::Run {
        wall_s: ground.elapsed_s(),
        ..ground.described()
    };
    report
}

struct Judged<'a> {
    ground: &'a Ground,
    catalogue: &'a Catalogue,
    options: &'a ConformOptions,
    /// Requirements of scenarios that a defect of the harness ended.
    broken: &'a BTreeSet<&'static str>,
    redactor: &'a Redactor,
}

impl Judged<'_> {
    /// One row for each requirement that has a check; the others are named with their reason.
    fn rows(
        &self,
        cases: &[Case],
        report: &mut Report,
        summary: &mut Summary,
    ) -> Result<Vec<EvidenceFile>, Error> {
        let profile = &self.options.terms.profile;
        let mut tallies = checks::tally(cases);
        let properties = properties::settle(&profile.properties, cases, &mut tallies);
        let bench = Bench::new(profile, &tallies, self.broken);
        let command = self.command();
        let prover = self.ground.prover(self.catalogue, self.redactor, &command);
        let mut files = Vec::new();
        for requirement in self.catalogue.requirements() {
            let tally = tallies.remove(requirement.id.as_str()).unwrap_or_default();
            if !self.shown(requirement, &tally) {
                continue;
            }
            match state_of(requirement) {
                RowState::Tested => {}
                RowState::Device => continue,
                state @ (RowState::Planned | RowState::Untestable(_)) => {
                    summary.not_tested.push(NotTested {
                        id: requirement.id.clone(),
                        level: requirement.level,
                        reason: state.reason().unwrap_or_default(),
                    });
                    continue;
                }
            }
            let checks = checks::of_requirement(&requirement.id).map(|check| check.id.to_owned());
            let judged = (&tally, bench.standing(requirement));
            let mut row = RequirementRow::new(requirement, judged, checks.collect(), self.redactor);
            files.extend(
                self.ground
                    .prove(&prover, &mut row, (requirement, &tally))?,
            );
            report.requirements.push(row);
        }
        report.record(properties);
        report.profile = Some(profile.note());
        Ok(files)
    }

    /// What to type to see one requirement judged again.
    fn command(&self) -> String {
        let options = self.options;
        format!(
            "muster conform --only {{id}} --set {} --seed {}{} --report DIR",
            options.selection.set.as_str(),
            options.seed,
            self.ground.controls.arguments
        )
    }

    fn shown(&self, requirement: &Requirement, tally: &Tally) -> bool {
        let collateral = self.options.collateral && tally.violated > 0;
        collateral || self.options.selection.includes(requirement)
    }

    fn count(&self, report: &Report, summary: &mut Summary) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for row in &report.requirements {
            *counts.entry(row.word().to_owned()).or_default() += 1;
        }
        let untested = u64::try_from(summary.not_tested.len()).unwrap_or(u64::MAX);
        if untested > 0 {
            *counts.entry("not_tested".to_owned()).or_default() += untested;
        }
        summary.counts = counts;
    }

    /// The causes of the rows; with `strict` a deviation is one, too. A selection without a row
    /// that can be judged is none that passed.
    fn causes(&self, report: &Report) -> Vec<Cause> {
        let mut causes = report.requirement_causes();
        if self.options.strict {
            let deviations = report
                .requirements
                .iter()
                .filter(|row| row.verdict == Verdict::Deviation && !row.is_expected());
            causes.extend(deviations.map(|row| {
                let text = format!(
                    "{} deviates: violated in {} of {} cases, which --strict counts",
                    row.id, row.violated, row.armed
                );
                Cause::new(ExitCode::Failed, text)
            }));
        }
        causes.extend(report.nothing_judged());
        causes
    }
}
