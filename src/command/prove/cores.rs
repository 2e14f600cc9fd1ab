//! One run against one core of its own: the catalogue's scenarios, or a short load.

use std::time::Duration;

use harness::catalogue::RequirementSet;
use harness::conform::{self, ConformOptions, Selection};
use harness::error::Error;
use harness::load::LoadOptions;
use harness::profile::Terms;
use harness::prove::Counter;
use harness::report::Report;
use harness::run::{Controls, Exam, Origin, RunOptions};
use reference::FaultChoice;
use tokio::sync::watch;

use crate::child::{CoreChild, CoreOptions};
use crate::serve::null::Null;

/// The set whose rows the faults break.
pub(super) const SET: RequirementSet = RequirementSet::Current2025;
/// The load of faults by rate.
const LOAD_DEVICES: u32 = 300;
const LOAD_DURATION: Duration = Duration::from_secs(3);
/// What a run may take.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// Bearer token of pushes between a core and the run that judges it.
const PUSH_TOKEN: &str = "muster-prove";

/// A core that is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    /// Seed of core and run.
    pub(crate) seed: u64,
    /// The faults that are switched on.
    pub(crate) faults: Vec<FaultChoice>,
    /// The null core in the place of the right one.
    pub(crate) null: Option<Null>,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The report.
    pub(crate) report: Report,
    /// What the core says that its faults did; nothing when it did not say.
    pub(crate) counters: Vec<Counter>,
}

impl Subject {
    /// The right core.
    pub(crate) fn right(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    fn options(&self, virtual_clock: bool) -> CoreOptions {
        CoreOptions {
            seed: self.seed,
            faults: self.faults.clone(),
            push_token: PUSH_TOKEN.to_owned(),
            virtual_clock,
            null: self.null.map(Null::as_str),
            variants: Vec::new(),
        }
    }

    fn terms(&self) -> Result<Terms, Error> {
        if self.faults.is_empty() && self.null.is_none() {
            Terms::built_in()
        } else {
            Terms::faulty()
        }
    }

    fn origin(&self, core: &CoreChild) -> Origin {
        let faults = self.faults.iter().map(ToString::to_string);
        let null = self.null.map(|null| null.as_str().to_owned());
        let wrong: Vec<String> = faults.chain(null).collect();
        Origin::BuiltIn {
            pid: core.pid(),
            fault: (!wrong.is_empty()).then(|| wrong.join(", ")),
        }
    }

    /// A conformance run.
    pub(crate) async fn judged(&self, selection: Selection) -> Result<Judged, Error> {
        let (core, target) = CoreChild::start(&self.options(true)).await?;
        let options = ConformOptions {
            selection,
            strict: false,
            collateral: !self.faults.is_empty(),
            device: false,
            seed: self.seed,
            push_token: PUSH_TOKEN.to_owned(),
            origin: self.origin(&core),
            terms: self.terms()?,
        };
        let (_cancel, cancel) = watch::channel(false);
        let run = Box::pin(conform::conform(target, options, controls(&core, cancel)));
        ended(core, tokio::time::timeout(RUN_LIMIT, run).await).await
    }

    /// A run under load.
    pub(crate) async fn loaded(&self) -> Result<Judged, Error> {
        let (core, target) = CoreChild::start(&self.options(false)).await?;
        let options = RunOptions {
            load: LoadOptions {
                duration: LOAD_DURATION,
                ..LoadOptions::even(LOAD_DEVICES, self.seed)
            },
            push_token: PUSH_TOKEN.to_owned(),
            origin: self.origin(&core),
            terms: self.terms()?,
            exam: Exam::default(),
        };
        let (_cancel, cancel) = watch::channel(false);
        let run = Box::pin(harness::run::run(target, options, controls(&core, cancel)));
        ended(core, tokio::time::timeout(RUN_LIMIT, run).await).await
    }
}

/// What the core writes to its standard error is looked through for passwords.
fn controls(core: &CoreChild, cancel: watch::Receiver<bool>) -> Controls {
    let mut controls = Controls::from(cancel);
    controls.log = core.log();
    controls
}

async fn ended(
    core: CoreChild,
    outcome: Result<harness::run::Outcome, tokio::time::error::Elapsed>,
) -> Result<Judged, Error> {
    let counters = core.stop().await.unwrap_or_default();
    let outcome = outcome
        .map_err(|_elapsed| Error::SetUp(format!("not over after {} s", RUN_LIMIT.as_secs())))?;
    Ok(Judged {
        report: outcome.report,
        counters,
    })
}
