//! `muster prove`: the suite against the right core and its legal variants, against every fault of
//! the library and against null cores.

mod cores;
mod file;
mod plan;
mod table;
mod variants;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use harness::conform::Selection;
use harness::dev;
use harness::error::Error;
use harness::prove::{Baseline, FaultRow, KillMatrix, NullRow};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::cores::{SET, judged, loaded};
use self::plan::{Job, Plan};
use self::table::{conclude, line};
use super::{SET_UP, complain, runtime, say};
use crate::cli::ProveArgs;

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
        file::prepare(folder)?;
    }
    let plan = Plan::new(arguments)?;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return Ok(code),
    };
    let matrix = runtime.block_on(run(plan));
    runtime.shutdown_background();
    if let Some(folder) = &arguments.report {
        file::write(folder, &matrix)?;
    }
    Ok(conclude(&matrix))
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
    matrix.variants = variants::prove(plan.legal, &places).await;
    matrix.conclude();
    matrix
}

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
