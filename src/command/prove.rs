//! `muster prove`: the suite against the right core, against every fault of the library and against
//! null cores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emulator::{DEVICE_FAULTS, DeviceFaultRow};
use harness::catalogue::{Catalogue, RequirementSet};
use harness::conform::{self, ConformOptions, Selection};
use harness::dev;
use harness::error::Error;
use harness::exit;
use harness::fleet::mix::Mix;
use harness::load::{LoadOptions, Progress};
use harness::profile::Terms;
use harness::prove::{Baseline, FaultOutcome, FaultRow, KillMatrix, NullRow};
use harness::report::Report;
use harness::run::{Controls, Origin, RunOptions};
use harness::verdict::Level;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::conform::all_faults;
use super::{SET_UP, complain, runtime, say};
use crate::child::{CoreChild, CoreOptions};
use crate::cli::ProveArgs;
use crate::serve::null::Null;

/// Faults by rate, which a scenario does not repeat often enough: they are run under load.
const NEEDS_LOAD: [&str; 3] = [
    "M-ASSIGN-alter-1-in-200",
    "M-AUD-lost-1-in-100",
    "M-AUD-duplicate-1-in-100",
];
/// The load of those.
const LOAD_DEVICES: u32 = 300;
const LOAD_DURATION: Duration = Duration::from_secs(3);
/// What a run may take.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// The file below the report's folder.
const MATRIX: &str = "kill-matrix.json";

/// Proves and reports; exit code 5 when something that must be caught was not.
pub(crate) fn prove(arguments: &ProveArgs) -> ExitCode {
    match carry(arguments) {
        Ok(code) => code,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(SET_UP)
        }
    }
}

fn carry(arguments: &ProveArgs) -> Result<ExitCode, Error> {
    if let Some(folder) = &arguments.report {
        prepare(folder)?;
    }
    let plan = Plan::new(arguments)?;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return Ok(code),
    };
    let matrix = runtime.block_on(run(plan));
    runtime.shutdown_background();
    if let Some(folder) = &arguments.report {
        write(folder, &matrix)?;
    }
    Ok(conclude(&matrix))
}

/// What is to be run.
struct Plan {
    jobs: usize,
    seed: u64,
    /// Faults with the level of their requirement.
    faults: Vec<Job>,
    nulls: Vec<Null>,
    /// Faults of our own device with the level of their requirement.
    device: Vec<(&'static DeviceFaultRow, Level)>,
}

/// One fault to be run.
#[derive(Clone, Copy)]
struct Job {
    id: &'static str,
    intended: &'static str,
    level: Level,
    needs_load: bool,
}

impl Plan {
    fn new(arguments: &ProveArgs) -> Result<Self, Error> {
        let catalogue = Catalogue::builtin()?;
        let wanted = |name: &str| {
            let only = arguments.only.as_deref();
            only.is_none_or(|only| conform::matches_pattern(only, name))
        };
        let mut faults = Vec::new();
        for row in all_faults().filter(|row| wanted(row.name)) {
            let requirement = catalogue.requirement(row.requirement).ok_or_else(|| {
                let (name, id) = (row.name, row.requirement);
                Error::Harness(format!("fault `{name}` breaks the unknown `{id}`"))
            })?;
            faults.push(Job {
                id: row.name,
                intended: row.requirement,
                level: requirement.level,
                needs_load: NEEDS_LOAD.contains(&row.name),
            });
        }
        let mut device = Vec::new();
        for row in DEVICE_FAULTS.iter().filter(|row| wanted(row.name)) {
            let level = catalogue
                .requirement(row.requirement)
                .map_or(Level::Must, |requirement| requirement.level);
            device.push((row, level));
        }
        let nulls = Null::ALL.into_iter().filter(|null| wanted(null.as_str()));
        let plan = Self {
            jobs: usize::from(arguments.jobs),
            seed: arguments.seed,
            faults,
            nulls: nulls.collect(),
            device,
        };
        if plan.faults.is_empty() && plan.nulls.is_empty() && plan.device.is_empty() {
            let text = "no fault and no null core fits --only".to_owned();
            return Err(Error::SetUp(text));
        }
        Ok(plan)
    }
}

/// Everything, with a line for each as it ends.
async fn run(plan: Plan) -> KillMatrix {
    let seed = plan.seed;
    let baseline = match judged(seed, None, None, Selection::of_set(SET)).await {
        Ok(report) => Baseline::of_report(&report),
        Err(error) => Baseline {
            exit_code: SET_UP,
            causes: vec![error.to_string()],
            ..Baseline::default()
        },
    };
    say(&format!(
        "{:<44} exit code {}, {:.1} s",
        "the right core", baseline.exit_code, baseline.seconds
    ));
    let mut matrix = KillMatrix::new(seed, baseline);
    let places = Arc::new(Semaphore::new(plan.jobs));
    matrix.faults = faults(&plan, &places).await;
    matrix.null_cores = nulls(&plan, &places).await;
    matrix.device_faults = device_faults(&plan).await;
    matrix.conclude();
    matrix
}

/// The set whose rows the faults break.
const SET: RequirementSet = RequirementSet::Current2025;

async fn faults(plan: &Plan, places: &Arc<Semaphore>) -> Vec<FaultRow> {
    let seed = plan.seed;
    let mut running = JoinSet::new();
    for (order, job) in plan.faults.iter().copied().enumerate() {
        let places = Arc::clone(places);
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            (order, one_fault(job, seed).await)
        });
    }
    let mut rows = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((order, row)) => {
                say(&line(&row));
                rows.push((order, row));
            }
            Err(error) => complain(&format!("a run panicked: {error}")),
        }
    }
    rows.sort_by_key(|(order, _)| *order);
    rows.into_iter().map(|(_, row)| row).collect()
}

async fn one_fault(job: Job, seed: u64) -> FaultRow {
    let report = if job.needs_load {
        loaded(seed, job.id).await
    } else {
        let selection = Selection {
            only: Some(job.intended.to_owned()),
            ..Selection::of_set(SET)
        };
        judged(seed, Some(job.id), None, selection).await
    };
    let row = match report {
        Ok(report) => FaultRow::of_report(job.id, job.intended, job.level, &report),
        Err(error) => FaultRow::broken(job.id, job.intended, job.level, &error),
    };
    FaultRow {
        needs_load: job.needs_load,
        ..row
    }
}

async fn nulls(plan: &Plan, places: &Arc<Semaphore>) -> Vec<NullRow> {
    let seed = plan.seed;
    let mut running = JoinSet::new();
    for null in plan.nulls.iter().copied() {
        let places = Arc::clone(places);
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            let selection = Selection::of_set(SET);
            (null, judged(seed, None, Some(null), selection).await)
        });
    }
    let mut rows = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((null, Ok(report))) => rows.push(NullRow::of_report(null.as_str(), &report)),
            Ok((null, Err(error))) => complain(&format!("null core {}: {error}", null.as_str())),
            Err(error) => complain(&format!("a run panicked: {error}")),
        }
    }
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    for row in &rows {
        let (id, code, passed) = (&row.id, row.exit_code, row.passed.len());
        say(&format!(
            "null core {id:<34} exit code {code}, {passed} passed, {:.1} s",
            row.seconds
        ));
    }
    rows
}

/// Our own device with each of its faults.
async fn device_faults(plan: &Plan) -> Vec<FaultRow> {
    let mut rows = Vec::new();
    for (fault, level) in &plan.device {
        let began = Instant::now();
        let judged = Box::pin(dev::run(plan.seed, Some(fault.fault))).await;
        let row = match judged {
            Ok(judged) => FaultRow::of_device(fault.name, fault.requirement, *level, &judged),
            Err(error) => FaultRow::broken(fault.name, fault.requirement, *level, &error),
        };
        let row = FaultRow {
            seconds: began.elapsed().as_secs_f64(),
            ..row
        };
        say(&line(&row));
        rows.push(row);
    }
    rows
}

/// A conformance run against a core of its own.
async fn judged(
    seed: u64,
    fault: Option<&'static str>,
    null: Option<Null>,
    selection: Selection,
) -> Result<Report, Error> {
    let push_token = "muster-prove".to_owned();
    let (core, target) = CoreChild::start(&CoreOptions {
        seed,
        fault,
        push_token: push_token.clone(),
        virtual_clock: true,
        null: null.map(Null::as_str),
    })
    .await?;
    let options = ConformOptions {
        selection,
        strict: false,
        collateral: fault.is_some(),
        device: false,
        seed,
        push_token,
        origin: Origin::BuiltIn {
            pid: core.pid(),
            fault,
        },
        terms: Terms::built_in()?,
    };
    let (_cancel, cancelled) = watch::channel(false);
    let run = Box::pin(conform::conform(target, options, cancelled));
    let outcome = tokio::time::timeout(RUN_LIMIT, run).await;
    core.stop().await;
    outcome
        .map(|outcome| outcome.report)
        .map_err(|_elapsed| too_long())
}

/// A run under load against a core of its own.
async fn loaded(seed: u64, fault: &'static str) -> Result<Report, Error> {
    let push_token = "muster-prove".to_owned();
    let (core, target) = CoreChild::start(&CoreOptions {
        seed,
        fault: Some(fault),
        push_token: push_token.clone(),
        virtual_clock: false,
        null: None,
    })
    .await?;
    let options = RunOptions {
        load: LoadOptions {
            devices: LOAD_DEVICES,
            offline_ppm: 300_000,
            mix: Mix::DEFAULT,
            duration: LOAD_DURATION,
            per_1000_s: None,
            seed,
            salt: 0,
            shards: None,
        },
        push_token,
        origin: Origin::BuiltIn {
            pid: core.pid(),
            fault: Some(fault),
        },
        terms: Terms::built_in()?,
    };
    let (_cancel, cancel) = watch::channel(false);
    let controls = Controls {
        progress: Progress::default(),
        cancel,
    };
    let run = Box::pin(harness::run::run(target, options, controls));
    let outcome = tokio::time::timeout(RUN_LIMIT, run).await;
    core.stop().await;
    outcome
        .map(|outcome| outcome.report)
        .map_err(|_elapsed| too_long())
}

fn too_long() -> Error {
    Error::SetUp(format!("not over after {} s", RUN_LIMIT.as_secs()))
}

fn line(row: &FaultRow) -> String {
    let ways: Vec<&str> = row
        .killed_by
        .iter()
        .map(|kill| kill.fingerprint.as_str())
        .collect();
    let seen = match row.outcome {
        FaultOutcome::Killed => ways.join(", "),
        FaultOutcome::KilledElsewhere => row.collateral.join(", "),
        FaultOutcome::ByNoise
        | FaultOutcome::Survived
        | FaultOutcome::NotReached
        | FaultOutcome::Broken => row.causes.join("; "),
    };
    format!(
        "{:<44} {:<16}  {:<18}  {:>5.1} s  {seen}",
        row.id,
        row.outcome.as_str(),
        row.intended,
        row.seconds
    )
}

/// The sum, what is to be repaired, and the exit code.
fn conclude(matrix: &KillMatrix) -> ExitCode {
    say("");
    for outcome in FaultOutcome::ALL {
        let rows = matrix.faults.iter().filter(|row| row.outcome == outcome);
        let count = rows.count();
        if count > 0 {
            say(&format!("{:<17} {count:>4}", outcome.as_str()));
        }
    }
    let score = matrix.score;
    let device = matrix.device_faults.iter();
    let device = device.filter(|row| row.outcome == FaultOutcome::Killed);
    let caught = matrix.null_cores.iter().filter(|row| row.is_caught());
    say(&format!(
        "{} killed of {} scored; of a MUST {} of {}; {} of {} null cores caught; \
         {} of {} faults of our own device killed",
        score.killed,
        score.scored,
        score.must_killed,
        score.must_scored,
        caught.count(),
        matrix.null_cores.len(),
        device.count(),
        matrix.device_faults.len()
    ));
    let defects = matrix.defects();
    for defect in &defects {
        say(&format!("  - {defect}"));
    }
    let code = if defects.is_empty() {
        exit::ExitCode::Pass
    } else {
        exit::ExitCode::SelfCheck
    };
    say(&format!("exit code {}: {}", code.number(), meaning(code)));
    ExitCode::from(code.number())
}

const fn meaning(code: exit::ExitCode) -> &'static str {
    match code {
        exit::ExitCode::Pass => "everything that must be caught was",
        exit::ExitCode::Failed
        | exit::ExitCode::Undetermined
        | exit::ExitCode::ExpectationsStale
        | exit::ExitCode::SetUp
        | exit::ExitCode::SelfCheck
        | exit::ExitCode::Threshold
        | exit::ExitCode::MeasurementInvalid
        | exit::ExitCode::Internal
        | exit::ExitCode::Interrupted
        | exit::ExitCode::Terminated => code.meaning(),
    }
}

/// Creates the folder and removes the matrix of a former proof.
fn prepare(folder: &Path) -> Result<(), Error> {
    let failed =
        |error: std::io::Error| Error::SetUp(format!("cannot use `{}`: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    match fs::remove_file(folder.join(MATRIX)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes the matrix beside and renames it.
fn write(folder: &Path, matrix: &KillMatrix) -> Result<(), Error> {
    let path: PathBuf = folder.join(MATRIX);
    let part = folder.join(format!("{MATRIX}.part"));
    let bytes = matrix.to_json()?;
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
    written.map_err(|error| Error::SetUp(format!("cannot write `{}`: {error}", path.display())))
}
