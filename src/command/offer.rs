//! Offers a load to the built-in core or to a target from a file, and reports: what `run`, `load` and
//! `capacity` have in common.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::error::Error;
use harness::load::LoadOptions;
use harness::profile::Terms;
use harness::prove::Counter;
use harness::report::folder::ReportFolder;
use harness::run::{Controls, Exam, Origin, Outcome, RunOptions};
use reference::FaultChoice;

use super::run::{
    again, controls, fault_name, nothing, publish, shown, target_of_file, under_signals,
};
use super::terms::TermsFrom;
use super::{SET_UP, complain, progress, runtime};
use crate::child::{CoreChild, CoreOptions};

/// Whom a load is offered to, and where the report goes.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) seed: u64,
    pub(super) fault: Option<FaultChoice>,
    pub(super) profile: Option<PathBuf>,
    pub(super) expectations: Option<PathBuf>,
    pub(super) target_json: Option<PathBuf>,
    pub(super) report: Option<PathBuf>,
    pub(super) push_token: String,
}

/// Offers a load and reports.
pub(super) fn offer(load: (LoadOptions, Exam), target: Target) -> ExitCode {
    let from = TermsFrom {
        profile: target.profile.as_deref(),
        expectations: target.expectations.as_deref(),
        target: target.target_json.as_deref(),
        variants: &[],
    };
    let terms = match from.read() {
        Ok(terms) => terms,
        Err(refusal) => return refusal.tell(),
    };
    let folder = match target
        .report
        .as_deref()
        .map(ReportFolder::prepare)
        .transpose()
    {
        Ok(folder) => folder,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(SET_UP);
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let seed = target.seed;
    let outcome = runtime
        .block_on(under_signals(|cancel| {
            let mut controls = controls(cancel, folder.as_ref());
            controls.arguments = again(&[
                ("fault", fault_name(target.fault.as_ref())),
                ("target-json", shown(target.target_json.as_deref())),
                ("profile", shown(target.profile.as_deref())),
            ]);
            carry(load, (target, terms), controls)
        }))
        .unwrap_or_else(|error| nothing(seed, error));
    // Whatever still waits on a socket is of no interest any more.
    runtime.shutdown_background();
    publish(outcome, folder.as_ref())
}

/// What a deliberate defect did: one that never acted says nothing of the suite.
fn tell(fault: &Counter) {
    let Counter {
        id,
        trigger,
        reached,
        fired,
    } = fault;
    progress::line(&format!("{id}@{trigger} acted {fired} of {reached} times"));
}

async fn carry(
    (load, exam): (LoadOptions, Exam),
    (target, terms): (Target, Terms),
    mut controls: Controls,
) -> Result<Outcome, Error> {
    let fault = fault_name(target.fault.as_ref());
    let (core, described) = match &target.target_json {
        Some(path) => (None, target_of_file(path)?),
        None => {
            let (core, described) = CoreChild::start(&CoreOptions {
                seed: target.seed,
                faults: target.fault.into_iter().collect(),
                push_token: target.push_token.clone(),
                virtual_clock: false,
                null: None,
                variants: Vec::new(),
            })
            .await?;
            progress::line(&format!(
                "core process {}, listening at {}",
                core.pid(),
                described.manage
            ));
            (Some(core), described)
        }
    };
    let origin = core
        .as_ref()
        .map_or(Origin::External, |core| Origin::BuiltIn {
            pid: core.pid(),
            fault,
        });
    if let Some(core) = &core {
        controls.log = core.log();
    }
    let progress = controls.progress.clone();
    let shown = tokio::spawn(progress::show(progress, load.devices));
    if load.keys() > 0 {
        progress::line(&format!("the load fleet shares {} keys", load.keys()));
    }
    let options = RunOptions {
        load,
        push_token: target.push_token,
        origin,
        terms,
        exam,
    };
    let outcome = harness::run::run(described, options, controls).await;
    shown.abort();
    // Ended by ourselves: nothing of it is of interest but that it no longer writes.
    drop(shown.await);
    if let Some(core) = core {
        core.stop().await.iter().flatten().for_each(tell);
    }
    Ok(outcome)
}
