//! `muster prove`: the suite against the right core and its legal variants, against every fault of
//! the library and pairs of them, and against null cores.

pub(crate) mod cores;
mod file;
pub(crate) mod plan;
mod table;
mod variants;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use harness::conform::Selection;
use harness::dev;
use harness::error::Error;
use harness::prove::{
    Baseline, EquivalentRow, FaultRow, KillMatrix, NullRow, PairRow, PlannedRow, Seen,
};
use reference::{EQUIVALENT_FAULTS, PLANNED_FAULTS};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::cores::{Judged, SET, Subject};
use self::plan::{Job, Plan};
use self::table::{conclude, line, null_line, pair_line};
use super::{SET_UP, complain, runtime, say};
use crate::cli::ProveArgs;
use crate::serve::null::Null;

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
    let baseline = Subject::right(seed).judged(Selection::of_set(SET)).await;
    let baseline = match baseline {
        Ok(judged) => Baseline::of_report(&judged.report),
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
    let wanted = (
        plan.faults.len(),
        plan.pairs.len(),
        plan.nulls.len(),
        plan.legal.len(),
    );
    matrix.planned = planned();
    matrix.equivalents = equivalents();
    // The places are given in the order of asking: the longest runs, those of hollow cores, begin
    // first.
    (matrix.null_cores, matrix.faults, matrix.pairs) = tokio::join!(
        each(&places, plan.nulls, null_line, move |core| null(core, seed)),
        each(&places, plan.faults, line, move |job| fault(job, seed)),
        each(&places, plan.pairs, pair_line, move |two| pair(two, seed)),
    );
    matrix.device_faults = device_faults(&plan.device, seed).await;
    matrix.variants = each(&places, plan.legal, variants::line, variants::judged).await;
    let rows = (
        matrix.faults.len(),
        matrix.pairs.len(),
        matrix.null_cores.len(),
        matrix.variants.len(),
    );
    matrix.conclude(rows == wanted);
    matrix
}

/// Runs all of these, as many at a time as there are places, with a line for each as it ends; the
/// rows come in the order of the jobs. One that panics has no row.
async fn each<J, R, F>(
    places: &Arc<Semaphore>,
    jobs: Vec<J>,
    line: fn(&R) -> String,
    run: impl Fn(J) -> F,
) -> Vec<R>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (order, job) in jobs.into_iter().enumerate() {
        let (places, run) = (Arc::clone(places), run(job));
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            (order, run.await)
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

/// The suite against the core with this fault.
pub(crate) async fn fault(job: Job, seed: u64) -> FaultRow {
    let subject = Subject {
        faults: vec![job.choice],
        ..Subject::right(seed)
    };
    let judged = if job.needs_load {
        subject.loaded().await
    } else {
        subject.judged(job.selection()).await
    };
    let row = match &judged {
        Ok(judged) => FaultRow::of_run(&job.declared, seen(judged)),
        Err(error) => FaultRow::broken(&job.declared, error),
    };
    FaultRow {
        needs_load: job.needs_load,
        ..row
    }
}

const fn seen(judged: &Judged) -> Seen<'_> {
    Seen {
        report: &judged.report,
        counters: judged.counters.as_slice(),
    }
}

async fn pair(pair: [Job; 2], seed: u64) -> PairRow {
    let subject = Subject {
        faults: pair.iter().map(|job| job.choice).collect(),
        ..Subject::right(seed)
    };
    let [one, other] = pair.each_ref().map(|job| job.declared.intended.as_str());
    let selection = Selection {
        only: Some(format!("{one},{other}")),
        ..Selection::of_set(SET)
    };
    let declared = pair.each_ref().map(|job| &job.declared);
    match subject.judged(selection).await {
        Ok(judged) => PairRow::of_run(declared, seen(&judged)),
        Err(error) => PairRow::broken(declared, &error),
    }
}

async fn null(null: Null, seed: u64) -> NullRow {
    let subject = Subject {
        null: Some(null),
        ..Subject::right(seed)
    };
    let (kind, forbidden) = (null.kind(), null.forbidden());
    let selection = Selection {
        only: Some(forbidden.to_owned()),
        ..Selection::of_set(SET)
    };
    match subject.judged(selection).await {
        Ok(judged) => NullRow::of_report(null.as_str(), kind, forbidden, &judged.report),
        Err(error) => {
            let report = super::run::nothing(seed, error).report;
            NullRow::of_report(null.as_str(), kind, forbidden, &report)
        }
    }
}

/// Our own device with each of its faults.
async fn device_faults(jobs: &[plan::DeviceJob], seed: u64) -> Vec<FaultRow> {
    let mut rows = Vec::new();
    for job in jobs {
        let began = Instant::now();
        let judged = Box::pin(dev::run(seed, Some(job.fault))).await;
        let row = match judged {
            Ok(judged) => FaultRow::of_device(&job.declared, &judged),
            Err(error) => FaultRow::broken(&job.declared, &error),
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

fn planned() -> Vec<PlannedRow> {
    let rows = PLANNED_FAULTS.iter().map(|row| PlannedRow {
        id: row.name.to_owned(),
        intended: row.requirement.to_owned(),
        reason: row.reason.to_owned(),
    });
    rows.collect()
}

fn equivalents() -> Vec<EquivalentRow> {
    let rows = EQUIVALENT_FAULTS.iter().map(|row| EquivalentRow {
        id: row.name.to_owned(),
        reason: row.reason.to_owned(),
        reviewer: row.reviewer.to_owned(),
    });
    rows.collect()
}
