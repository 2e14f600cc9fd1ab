//! One run against one core of its own: the catalogue's scenarios, or a short load.

use std::time::Duration;

use harness::catalogue::RequirementSet;
use harness::conform::{self, ConformOptions, Selection};
use harness::error::Error;
use harness::fleet::mix::Mix;
use harness::load::{LoadOptions, Progress};
use harness::profile::Terms;
use harness::report::Report;
use harness::run::{Controls, Origin, RunOptions};
use tokio::sync::watch;

use crate::child::{CoreChild, CoreOptions};
use crate::serve::null::Null;

/// The set whose rows the faults break.
pub(super) const SET: RequirementSet = RequirementSet::Current2025;

/// The load of those.
const LOAD_DEVICES: u32 = 300;
const LOAD_DURATION: Duration = Duration::from_secs(3);
/// What a run may take.
const RUN_LIMIT: Duration = Duration::from_secs(120);

/// A conformance run against a core of its own.
pub(super) async fn judged(
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
        variants: Vec::new(),
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
pub(super) async fn loaded(seed: u64, fault: &'static str) -> Result<Report, Error> {
    let push_token = "muster-prove".to_owned();
    let (core, target) = CoreChild::start(&CoreOptions {
        seed,
        fault: Some(fault),
        push_token: push_token.clone(),
        virtual_clock: false,
        null: None,
        variants: Vec::new(),
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
            key_pool: None,
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
