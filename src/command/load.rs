//! `muster load`: offers a load, judges every answer, and holds the figures against thresholds.

use std::process::ExitCode;

use harness::error::Error;
use harness::fleet_file::{self, FleetFile};
use harness::load::{LoadOptions, OperationsMix, Verification};
use harness::run::{Exam, Lost, Poll, Weight};

use super::offer::offer;
use super::{SET_UP, complain};
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
        folder: arguments.target.report.clone(),
    };
    offer((fleet.load, exam), arguments.target)
}

/// The fleet file, or an even load, with what the command line says otherwise.
fn fleet(arguments: &LoadArgs) -> Result<FleetFile, Error> {
    let mut fleet = match &arguments.fleet {
        Some(name) => fleet_file::find(name, arguments.target.seed)?,
        None => FleetFile {
            name: String::new(),
            about: String::new(),
            load: LoadOptions::even(DEVICES, arguments.target.seed),
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
    load.connections = arguments.bounds.connections;
    load.in_flight = arguments.bounds.in_flight.or(load.in_flight);
    if let Some(phases) = &arguments.schedule {
        load.phases.clone_from(&phases.0);
    }
    if let Some(first) = arguments.first {
        load.play_first(first)
            .map_err(|complaint| Error::SetUp(format!("--first: {complaint}")))?;
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
