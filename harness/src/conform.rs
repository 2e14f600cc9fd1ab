//! The catalogue against a target: every scenario once, without load, every row judged.
//!
//! | module | job |
//! |---|---|
//! | `scope` | which rows are wanted, and which of them can be judged |
//! | `play` | runs the scenarios, each between two sanity sessions |
//! | `judge` | cases to rows, causes and the summary |
//! | `summary` | what the report says beyond the rows |

mod judge;
mod play;
mod scope;
mod summary;

pub use scope::{RowState, Selection, matches_pattern, state_of};
pub use summary::{CanaryRow, DeviceRow, NotTested, ScenarioRow, Summary};

use crate::catalogue::Catalogue;
use crate::dev::{self, DevRow};
use crate::error::Error;
use crate::load::LoadOptions;
use crate::profile::Terms;
use crate::run::{self, Controls, Exam, Ground, Origin, Outcome, RunOptions};
use crate::target::Target;

/// What a conformance run is to do.
#[derive(Clone, Debug)]
pub struct ConformOptions {
    /// Which rows are judged.
    pub selection: Selection,
    /// A violated SHOULD fails the run.
    pub strict: bool,
    /// Violated rows outside the selection are shown, too.
    pub collateral: bool,
    /// Our own device is judged, too.
    pub device: bool,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Bearer token that the target sends with its pushes.
    pub push_token: String,
    /// Whose target it is.
    pub origin: Origin,
    /// What is declared and known of it.
    pub terms: Terms,
}

/// Runs the scenarios of the selected rows against `target` and judges them. Never fails: what went
/// wrong is a cause in the report.
pub async fn conform(
    target: Target,
    options: ConformOptions,
    controls: impl Into<Controls>,
) -> Outcome {
    let seed = options.seed;
    let catalogue = match Catalogue::builtin() {
        Ok(catalogue) => catalogue,
        Err(error) => return run::nothing(seed, error),
    };
    let ground = match Ground::lay(target, run_options(&options), controls.into()).await {
        Ok(ground) => ground,
        Err(error) => return run::nothing(seed, error),
    };
    ground.record_start();
    let (played, device) = tokio::join!(
        Box::pin(play::play(&ground, &catalogue, &options)),
        Box::pin(device(&catalogue, &options)),
    );
    judge::conclude(&ground, &catalogue, &options, played, device).await
}

/// Our own device's rows, if any is selected.
async fn device(catalogue: &Catalogue, options: &ConformOptions) -> Result<Vec<DevRow>, Error> {
    let mut rows = options.selection.rows(catalogue);
    if !options.device || !rows.any(|row| state_of(row) == RowState::Device) {
        return Ok(Vec::new());
    }
    let mut judged = dev::run(options.seed, None).await?;
    judged.retain(|row| {
        let known = catalogue.requirement(row.requirement);
        known.is_some_and(|row| options.selection.includes(row))
    });
    Ok(judged)
}

/// The options of a run whose load has no devices.
fn run_options(options: &ConformOptions) -> RunOptions {
    RunOptions {
        load: LoadOptions {
            offline_ppm: 0,
            duration: std::time::Duration::from_secs(1),
            ..LoadOptions::even(0, options.seed)
        },
        push_token: options.push_token.clone(),
        origin: options.origin.clone(),
        terms: options.terms.clone(),
        exam: Exam::default(),
    }
}
