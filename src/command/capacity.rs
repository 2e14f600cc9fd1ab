//! `muster capacity`: finds the largest rate at which a target keeps its goals.

use std::process::ExitCode;
use std::time::Duration;

use harness::capacity::Plan;
use harness::error::Error;
use harness::load::{LoadOptions, OperationsMix};
use harness::run::{CapacityOptions, Exam, Weight};
use harness::schedule::Rate;
use harness::schedule::spec::RateSpec;
use harness::threshold::Threshold;

use super::SET_UP;
use super::complain;
use super::offer::offer;
use crate::cli::CapacityArgs;

/// Operations that stand behind a percentile of a quick trial.
const QUICK_SAMPLES: u64 = 500;
/// Length of the planned load before the trials, which exercises the requirements.
const VERIFY: Duration = Duration::from_secs(5);
/// Its check-ins and rotations in a thousand seconds: far below what any target is searched for.
const VERIFY_CHECK_INS: u64 = 20_000;
const VERIFY_ROTATIONS: u64 = 4_000;

/// Searches and reports; the exit code is that of the gravest cause.
pub(crate) fn capacity(arguments: CapacityArgs) -> ExitCode {
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(SET_UP);
        }
    };
    let load = LoadOptions {
        offline_ppm: OFFLINE_PPM,
        duration: VERIFY,
        per_1000_s: Some(VERIFY_CHECK_INS),
        operations: OperationsMix {
            rotate: Some(RateSpec::Rate(Rate::per_1000_s(VERIFY_ROTATIONS))),
            ..OperationsMix::default()
        },
        key_pool: arguments.key_pool,
        shards: arguments.shards.map(usize::from),
        connections: arguments.bounds.connections,
        in_flight: arguments.bounds.in_flight,
        ..LoadOptions::even(arguments.devices, arguments.target.seed)
    };
    let exam = Exam {
        weight: Weight::Binding,
        capacity: Some(options),
        ..Exam::default()
    };
    offer((load, exam), arguments.target)
}

/// Some devices are offline, so that the requirements about them are exercised.
const OFFLINE_PPM: u32 = 100_000;

fn options(arguments: &CapacityArgs) -> Result<CapacityOptions, Error> {
    let per_1000_s = |rate: Option<u64>, otherwise: Rate| rate.map_or(otherwise, Rate::per_1000_s);
    let base = if arguments.quick {
        Plan::QUICK
    } else {
        Plan::FULL
    };
    let plan = Plan {
        max: per_1000_s(arguments.max_rate, base.max),
        start: per_1000_s(arguments.start_rate, base.start),
        ..base
    };
    let default = if arguments.quick {
        ["check_in.latency.p90<500ms", "check_in.error_ratio<0.1%"]
    } else {
        ["check_in.latency.p99<1s", "check_in.error_ratio<0.1%"]
    };
    let goals = if arguments.goals.is_empty() {
        let parsed = default.iter().map(|goal| goal.parse::<Threshold>());
        parsed.collect::<Result<_, _>>().map_err(Error::Harness)?
    } else {
        arguments.goals.clone()
    };
    let (trial, trial_max, warm_up) = if arguments.quick {
        (
            Duration::from_secs(10),
            Duration::from_secs(60),
            Duration::from_secs(1),
        )
    } else {
        (
            Duration::from_secs(60),
            Duration::from_secs(600),
            Duration::from_secs(5),
        )
    };
    let trial = arguments.trial.unwrap_or(trial);
    let mut options = CapacityOptions {
        plan,
        goals,
        trial,
        trial_max: trial_max.max(trial),
        warm_up: warm_up.min(trial / 2),
        samples: arguments.quick.then_some(QUICK_SAMPLES),
    };
    // Below that no trial says anything of the goals.
    let lowest = options.lowest();
    if lowest > plan.max {
        return Err(Error::SetUp(format!(
            "the goals need {:.1} check-ins a second in the longest trial, more than --max-rate {:.1}",
            lowest.per_s(),
            plan.max.per_s()
        )));
    }
    options.plan.min = plan.min.max(lowest);
    options.plan.start = plan.start.max(lowest);
    Ok(options)
}
