//! Turns what happened into a report: cases, checks, verdicts, evidence, causes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::audit::{self, Logs};
use super::reading::{LoadUsage, Reading};
use super::{Ground, Happened, Outcome, Weight};
use crate::case::Case;
use crate::catalogue::Catalogue;
use crate::checks;
use crate::error::Error;
use crate::exit::{self, Cause, ExitCode};
use crate::expectations::{self, Extent};
use crate::load::LoadOutcome;
use crate::metrics::{Operation, Timings};
use crate::profile::{Bench, Terms};
use crate::properties;
use crate::report::evidence::EvidenceFile;
use crate::report::redact::Redactor;
use crate::report::{self, Fleet, Footer, Report, RequirementRow};
use crate::scenario::{self, ScenarioOutcome};
use crate::threshold::Subject;

/// A run that ended before there was a target to judge.
pub(crate) fn nothing(seed: u64, error: Error) -> Outcome {
    let footer = Footer::incomplete(error.to_string());
    let causes = vec![Cause::from(error)];
    Outcome {
        report: Report::new(seed, &causes, footer),
        evidence: Vec::new(),
        causes,
        guard: None,
    }
}

/// Reads the logs, judges every case and makes the report.
pub(super) async fn conclude(
    ground: &Ground,
    catalogue: &Catalogue,
    mut happened: Happened,
) -> Outcome {
    let mut cases = cases(&mut happened);
    if happened.load.as_ref().is_some_and(|load| load.target_down) {
        // What a target that died left unanswered says nothing of it.
        cases.clear();
    }
    let logs = read_logs(ground, &mut happened).await;
    if let Logs::Whole(log) = &logs {
        cases.extend(scenario::audit_cases(&cases, &ground.ledger, log));
    }
    let mut report = frame(ground, &happened);
    report.audit = logs.books(&ground.ledger);
    ground.record_phase("logs");
    let redactor = ground.redactor();
    let broken = broken(&happened.scenarios);
    let sources = (catalogue, &broken, &redactor);
    let evidence = match judge(ground, sources, &cases, &mut report) {
        Ok(evidence) => evidence,
        Err(error) => {
            happened.causes.push(Cause::from(error));
            Vec::new()
        }
    };
    let extent = if happened.causes.is_empty() && report.footer.complete {
        Extent::Whole
    } else {
        Extent::Partial
    };
    let stale = expected(&ground.options.terms, &mut report, extent);
    if let Some(load) = &mut happened.load {
        let (rows, broken) = ground.kept.close();
        // Those of a search are the seconds of its last trial, which is another load.
        let searched = ground.options.exam.capacity.is_some();
        load.seconds = if searched { Vec::new() } else { rows };
        happened.causes.extend(broken.map(Cause::from));
        let (measurement, causes) = ground.examine(load, &happened.usage);
        report.measurement = Some(measurement);
        happened.causes.extend(causes);
    }
    ground.record_rows(&report.requirements);
    let mut causes = report.requirement_causes();
    causes.extend(report.nothing_judged());
    causes.extend(stale);
    causes.extend(std::mem::take(&mut happened.causes));
    causes.extend(ground_causes(ground, happened.load.as_ref()));
    if happened.ran_short() {
        distrust(&mut causes);
    }
    if let Some(mut capacity) = happened.capacity {
        // A capacity of a target that errs is none.
        if exit::gravest(&causes) == ExitCode::Pass {
            causes.extend(capacity.cause());
        } else {
            capacity.make_void();
        }
        report.capacity = Some(capacity);
    }
    report.conclude(&causes);
    Outcome {
        report,
        evidence,
        causes,
        guard: Some(redactor),
    }
}

/// What the machine of the harness had none left of shows as failures that are not the target's.
fn distrust(causes: &mut [Cause]) {
    let failed = causes
        .iter_mut()
        .filter(|cause| cause.code == ExitCode::Failed);
    for cause in failed {
        cause.code = ExitCode::MeasurementInvalid;
        cause
            .text
            .push_str(", and says nothing: this machine ran out of descriptors or ports");
    }
}

/// The logs of a run that nothing has cut short: what was not read to its end shows losses that are
/// none.
async fn read_logs(ground: &Ground, happened: &mut Happened) -> Logs {
    if happened.cut.is_some() {
        return Logs::Cut;
    }
    match audit::read(ground, ground.clock.at(0).ticks()).await {
        Ok(logs) => {
            happened.note_end(&ground.controls);
            logs
        }
        Err(error) => {
            happened.cut(&error);
            Logs::Cut
        }
    }
}

/// The cases of the scenarios and of the load.
fn cases(happened: &mut Happened) -> Vec<Case> {
    let mut cases: Vec<Case> = happened
        .scenarios
        .iter_mut()
        .flat_map(|outcome| outcome.cases.drain(..))
        .collect();
    if let Some(load) = &mut happened.load {
        let deliveries = load.deliveries.values().sum();
        let rotations = std::mem::take(&mut load.rotations);
        cases.extend(scenario::load_cases(
            rotations,
            load.answers.wrong.clone(),
            deliveries,
        ));
    }
    cases
}

/// One row a requirement, and the proof of the violations.
fn judge(
    ground: &Ground,
    (catalogue, broken, redactor): (&Catalogue, &BTreeSet<&str>, &Redactor),
    cases: &[Case],
    report: &mut Report,
) -> Result<Vec<EvidenceFile>, Error> {
    let mut tallies = checks::tally(cases);
    let profile = &ground.options.terms.profile;
    let properties = properties::settle(&profile.properties, cases, &mut tallies);
    let bench = Bench::new(profile, &tallies, broken);
    let prover = ground.prover(catalogue, redactor, &ground.controls.command);
    let mut files = Vec::new();
    for requirement in catalogue.requirements_of_run() {
        let tally = tallies.remove(requirement.id.as_str()).unwrap_or_default();
        let checks = checks::of_requirement(&requirement.id).map(|check| check.id.to_owned());
        let judged = (&tally, bench.standing(requirement));
        let mut row = RequirementRow::new(requirement, judged, checks.collect(), redactor);
        files.extend(ground.prove(&prover, &mut row, (requirement, &tally))?);
        report.requirements.push(row);
    }
    report.record(properties);
    report.profile = Some(profile.note());
    Ok(files)
}

/// The list of expected failures against the rows, if there is one.
pub(crate) fn expected(terms: &Terms, report: &mut Report, extent: Extent) -> Vec<Cause> {
    let Some(expectations) = &terms.expectations else {
        return Vec::new();
    };
    let rows = &mut report.requirements;
    let (note, causes) = expectations::apply(expectations, rows, extent);
    report.expectations = Some(note);
    causes
}

/// The requirements of scenarios that a defect of the harness ended.
pub(crate) fn broken<'o>(
    outcomes: impl IntoIterator<Item = &'o ScenarioOutcome>,
) -> BTreeSet<&'static str> {
    let died = |outcome: &&ScenarioOutcome| matches!(outcome.error, Some(Error::Harness(_)));
    let outcomes = outcomes.into_iter().filter(died);
    outcomes
        .flat_map(|outcome| scenario::requirements_of(outcome.name))
        .copied()
        .collect()
}

/// Everything of the report but requirements, verdict and causes.
fn frame(ground: &Ground, happened: &Happened) -> Report {
    let footer = happened
        .cut
        .clone()
        .map_or_else(Footer::complete, Footer::incomplete);
    let mut report = Report::new(ground.options.load.seed, &[], footer);
    let plan = &ground.plan;
    report.fleet = Fleet {
        devices: u64::from(plan.options().devices),
        online: plan.online(),
        offline: u64::from(plan.options().devices) - plan.online(),
        by_join_type: plan.by_join_type(),
        cohort_devices: ground.lab.devices(),
    };
    report.load = load(happened.load.as_ref(), happened.usage);
    let in_warm_up = plan.rate().events_before(plan.warm_up_ns());
    let planned = plan.rate().events() - in_warm_up;
    report.load.planned = report.load.planned.max(planned);
    report.run = run(ground, happened.load.as_ref());
    report
}

fn run(ground: &Ground, load: Option<&LoadOutcome>) -> report::Run {
    report::Run {
        fleet_digest: ground.plan.fleet_digest(),
        plan_digest: ground.plan.plan_digest(),
        wall_s: ground.elapsed_s(),
        counts: load.map(counts).unwrap_or_default(),
        ..ground.described()
    }
}

fn counts(load: &LoadOutcome) -> BTreeMap<String, u64> {
    let check_ins = load.measured.of(Operation::CheckIn);
    let delay = check_ins.map(Timings::start_delay).unwrap_or_default();
    [
        ("connections_peak", load.connections_peak),
        ("in_flight_peak", load.in_flight_peak),
        ("policy_deliveries", load.deliveries.values().sum()),
        ("pushed_sessions", load.pushed_sessions),
        ("pushed_sessions_failed", load.pushed_failed),
        ("rotations_planned", load.rotations_planned),
        ("setup_responses", load.answers.setup_responses),
        ("setup_verified_responses", load.answers.setup_verified),
        ("start_delay_us_p50", delay.p50),
        ("start_delay_us_p99", delay.p99),
        ("wrong_answers", load.answers.wrong_total),
    ]
    .into_iter()
    .map(|(name, count)| (name.to_owned(), count))
    .collect()
}

fn set_up(enrolled: &Reading) -> report::SetUp {
    let Reading {
        harness,
        core,
        at_ns,
    } = enrolled;
    report::SetUp {
        duration_s: Duration::from_nanos(*at_ns).as_secs_f64(),
        harness_cpu_s: harness.map_or(0.0, |usage| usage.cpu_s),
        core_cpu_s: core.map(|usage| usage.cpu_s),
        harness_rss_bytes: harness.map_or(0, |usage| usage.rss_bytes),
        core_rss_bytes: core.map(|usage| usage.rss_bytes),
    }
}

fn load(outcome: Option<&LoadOutcome>, usage: LoadUsage) -> report::Load {
    let mut load = report::Load {
        set_up: set_up(&usage.enrolled),
        harness_cpu_s: usage.harness_cpu_s().unwrap_or_default(),
        core_cpu_s: usage.core_cpu_s(),
        harness_peak_rss_bytes: usage.after.harness.map_or(0, |it| it.peak_rss_bytes),
        core_peak_rss_bytes: usage.after.core.map(|it| it.peak_rss_bytes),
        ..report::Load::default()
    };
    let Some(outcome) = outcome else { return load };
    let books = &outcome.measured.measured;
    load.planned = books.planned;
    load.started = books.started;
    load.not_started = books.not_started;
    load.completed = books.completed;
    load.failed = books.failed;
    load.responses = outcome.answers.responses;
    load.verified_responses = outcome.answers.verified;
    load.duration_s = outcome.duration_s;
    load.check_ins_per_s = outcome.check_ins_per_s;
    if let Some(check_ins) = outcome.measured.of(Operation::CheckIn) {
        load.latency_us = check_ins.latency().into();
        load.service_time_us = check_ins.service_time().into();
    }
    load
}

/// Causes that no requirement owns.
fn ground_causes(ground: &Ground, load: Option<&LoadOutcome>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut undetermined = |text| causes.push(Cause::new(ExitCode::Undetermined, text));
    if ground.ledger.balance().undetermined() {
        undetermined("too many operations have an unknown outcome".to_owned());
    }
    let Some(load) = load else { return causes };
    let load_options = &ground.options.load;
    if load.setup_failed > 0 {
        let first = load.setup_failures.first().map_or("", String::as_str);
        undetermined(format!(
            "{} devices could not be set up, first: {first}",
            load.setup_failed
        ));
    }
    if load.rotations_unread > 0 {
        undetermined(format!(
            "{} rotations could not be looked up at the end",
            load.rotations_unread
        ));
    }
    let books = &load.measured.measured;
    let failed = books.failed + load.pushed_failed;
    // Where a limit on errors was asked for, that decides.
    let limited = ground.options.exam.thresholds.iter();
    let limited = limited
        .map(|threshold| threshold.subject)
        .any(|subject| subject == Subject::ErrorRatio(Operation::CheckIn));
    if failed > 0 && !limited && load.answers.wrong_total == 0 {
        undetermined(format!("{failed} check-ins failed without a wrong answer"));
    }
    if ground.options.exam.weight == Weight::Binding
        && books.not_started.saturating_mul(100) > books.planned
    {
        let most = u64::from(load_options.in_flight_max());
        let bound = if load.in_flight_peak >= most {
            format!("; {most} were under way, the most of --in-flight")
        } else {
            String::new()
        };
        undetermined(format!(
            "{} of {} check-ins could not be started in time: the load was less than planned{bound}",
            books.not_started, books.planned
        ));
    }
    if load.answers.responses != load.answers.verified {
        let unverified = load.answers.responses - load.answers.verified;
        undetermined(format!(
            "{unverified} answers of the load were not verified"
        ));
    }
    let unowned: Vec<_> = load
        .answers
        .wrong
        .iter()
        .filter(|wrong| wrong.requirement.is_none())
        .collect();
    if let Some(first) = unowned.first() {
        let text = format!(
            "answers of the load were wrong, first: required {}, seen {}",
            first.required, first.seen
        );
        causes.push(Cause::new(ExitCode::Failed, text));
    }
    if !load.books.balance() {
        let text = format!("the books of check-ins do not balance: {:?}", load.books);
        causes.push(Cause::new(ExitCode::Internal, text));
    }
    causes
}
