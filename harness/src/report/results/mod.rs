//! `results.jsonl`: what a run found, written while it goes on, one JSON object a line.
//!
//! | line | when |
//! |---|---|
//! | `header` | when the run begins |
//! | `phase` | when a part of `muster run` has ended |
//! | `scenario` | when a scenario has ended: what it put to the test, and what it violated |
//! | `requirement` | when a requirement was judged |
//! | `report` | at the end: the report without its requirements |
//! | `footer` | then: verdict and exit code |
//! | `digest` | last: SHA-256 over every line before it |
//!
//! Each line reaches the operating system before the run goes on, so that a killed process leaves
//! every line that it had come to. A file without its last line is incomplete; one whose digest does
//! not fit was changed, and is never read.

mod read;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Report, RequirementRow, Run, ViolationRow};
use crate::exit::RunVerdict;

pub use read::{read, read_incomplete};
pub use write::Results;

/// The schema that is written and read.
pub const SCHEMA: &str = "muster.results/1";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Header(Header),
    /// A part of `muster run` has ended.
    Phase(PhaseLine),
    /// A scenario has ended.
    Scenario(ScenarioLine),
    /// A requirement was judged.
    Requirement(RequirementRow),
    /// The report without its requirements.
    Report(Box<Report>),
    /// How the run ended.
    Footer(FooterLine),
    /// The last.
    Digest(DigestLine),
}

/// What runs against what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// Version, target, fault and start; what only the end of a run knows is empty.
    pub run: Run,
}

/// A part of `muster run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseLine {
    /// For example `set-up`.
    pub name: String,
    /// Seconds from the start of the run to the end of this part.
    pub ended_s: f64,
}

/// A scenario that has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioLine {
    /// Its name.
    pub name: String,
    /// How long it took; absent where it ran beside a load and was not timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Cases that it collected.
    pub cases: u64,
    /// How often it put each requirement to the test.
    pub armed: BTreeMap<String, u64>,
    /// How often it saw each requirement violated, as far as it shows before the logs are read.
    pub violated: BTreeMap<String, u64>,
    /// The first of these violations.
    pub violations: BTreeMap<String, Vec<ViolationRow>>,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FooterLine {
    /// True when the run came to its planned end.
    pub complete: bool,
    /// The verdict on the run as a whole.
    pub verdict: RunVerdict,
    /// What the process ends with.
    pub exit_code: u8,
    /// Lines before this one.
    pub lines: u64,
}

/// The digest of all lines before its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestLine {
    /// For example `sha256:e3b0...`.
    pub digest: String,
}

impl Header {
    /// The header of a run.
    #[must_use]
    pub fn new(seed: u64, run: Run) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            seed,
            run,
        }
    }
}

#[cfg(test)]
mod tests;
