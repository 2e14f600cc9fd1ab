//! `muster load`: offers a load, judges every answer, and holds the figures against thresholds.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::error::Error;
use harness::fleet_file::{self, FleetFile};
use harness::load::{LoadOptions, OperationsMix, Verification};
use harness::profile::Terms;
use harness::report::folder::ReportFolder;
use harness::run::{Controls, Exam, Lost, Origin, Outcome, Poll, RunOptions, Weight};
use reference::FaultChoice;

use super::run::{
    again, controls, fault_name, nothing, publish, shown, target_of_file, under_signals,
};
use super::terms::TermsFrom;
use super::{SET_UP, complain, progress, runtime};
use crate::child::{CoreChild, CoreOptions};
use crate::cli::LoadArgs;

/// Runs and reports; the exit code is that of the gravest cause.
pub(crate) fn load(arguments: LoadArgs) -> ExitCode {
    let fleet = match fleet(&arguments) {
        Ok(fleet) => fleet,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(SET_UP);
        }
    };
    let exam = Exam {
        weight: Weight::Binding,
        profile: (!fleet.name.is_empty()).then(|| format!("{}: {}", fleet.name, fleet.about)),
        thresholds: fleet.thresholds,
        lost: if arguments.abort_on_fail {
            Lost::Abort
        } else {
            Lost::GoOn
        },
        poll: fleet.poll,
        capacity: None,
        folder: arguments.report.clone(),
    };
    let target = Target {
        seed: arguments.seed,
        fault: arguments.fault,
        profile: arguments.profile,
        expectations: arguments.expectations,
        target_json: arguments.target_json,
        report: arguments.report,
        push_token: arguments.push_token,
    };
    offer((fleet.load, exam), target)
}

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

/// The fleet file, or an even load, with what the command line says otherwise.
fn fleet(arguments: &LoadArgs) -> Result<FleetFile, Error> {
    let mut fleet = match &arguments.fleet {
        Some(name) => fleet_file::find(name, arguments.seed)?,
        None => FleetFile {
            name: String::new(),
            about: String::new(),
            load: LoadOptions::even(DEVICES, arguments.seed),
            thresholds: Vec::new(),
            poll: Poll::Obey,
        },
    };
    let load = &mut fleet.load;
    load.devices = arguments.devices.unwrap_or(load.devices);
    load.offline_ppm = arguments.offline.unwrap_or(load.offline_ppm);
    load.duration = arguments.duration.unwrap_or(load.duration);
    load.per_1000_s = arguments.rate.or(load.per_1000_s);
    load.compression = arguments.compress.unwrap_or(load.compression);
    load.warm_up = arguments.warm_up.unwrap_or(load.warm_up);
    load.key_pool = arguments.key_pool.or(load.key_pool);
    load.shards = arguments.shards.map(usize::from).or(load.shards);
    if let Some(phases) = &arguments.schedule {
        load.phases.clone_from(&phases.0);
    }
    if !arguments.operations.is_empty() {
        load.operations = OperationsMix::default();
    }
    for (name, rate) in &arguments.operations {
        load.operations
            .set(name, *rate)
            .map_err(|complaint| Error::SetUp(format!("--operation: {complaint}")))?;
    }
    if arguments.no_verify {
        load.verification = Verification::Off;
    }
    if arguments.ignore_poll {
        fleet.poll = Poll::Ignore;
    }
    if !arguments.thresholds.is_empty() {
        fleet.thresholds.clone_from(&arguments.thresholds);
    }
    Ok(fleet)
}

/// Devices of a fleet that nothing is said of.
const DEVICES: u32 = 2_000;

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
    if let Some(core) = core {
        let _counters = core.stop().await;
    }
    Ok(outcome)
}
