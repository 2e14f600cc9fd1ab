//! Findings of checks, and the one function that turns counts into verdicts.

use serde::Serialize;

use crate::transcript::ExchangeId;

/// How binding a requirement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub enum Level {
    /// A violation fails the target.
    #[serde(rename = "MUST")]
    Must,
    /// A violation is a deviation.
    #[serde(rename = "SHOULD")]
    Should,
    /// Recorded and reported only.
    #[serde(rename = "REC")]
    Recorded,
}

/// The result for one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Armed at least once, never violated.
    Pass,
    /// A MUST was violated.
    Fail,
    /// A SHOULD was violated.
    Deviation,
    /// A REC row with its value.
    Recorded,
    /// The situation never arose.
    NotExercised,
}

impl Level {
    /// The word in the catalogue and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::Recorded => "REC",
        }
    }
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Deviation => "deviation",
            Self::Recorded => "recorded",
            Self::NotExercised => "not_exercised",
        }
    }
}

/// What a check says of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The check looked at the case and its precondition did not hold.
    NotArmed,
    /// The precondition held: a wrong target would have been caught, this one was right.
    Held,
    /// The requirement was violated.
    Violated(Violation),
}

/// A violation with what is needed to believe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Short stable name of the way it was violated, for example `exec-after-failed-action`.
    pub fingerprint: &'static str,
    /// What was required, as a sentence.
    pub required: String,
    /// What was seen, as a sentence with the values.
    pub seen: String,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// The counts of one requirement in a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often a check of the requirement looked at a case.
    pub evaluated: u64,
    /// How often its precondition held.
    pub armed: u64,
    /// How often it was violated.
    pub violated: u64,
    /// The first violations, at most [`Tally::VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
}

impl Tally {
    /// Most violations that are kept with their evidence.
    pub const VIOLATIONS_MAX: usize = 5;

    /// Counts a finding.
    pub fn count(&mut self, finding: Finding) {
        self.evaluated += 1;
        match finding {
            Finding::NotArmed => {}
            Finding::Held => self.armed += 1,
            Finding::Violated(violation) => {
                self.armed += 1;
                self.violated += 1;
                if self.violations.len() < Self::VIOLATIONS_MAX {
                    self.violations.push(violation);
                }
            }
        }
    }

    /// The verdict of a requirement of this level. Unknown never becomes a pass.
    #[must_use]
    pub fn verdict(&self, level: Level) -> Verdict {
        match (level, self.violated, self.armed) {
            (_, 0, 0) => Verdict::NotExercised,
            (Level::Must | Level::Should, 0, _) => Verdict::Pass,
            (Level::Must, _, _) => Verdict::Fail,
            (Level::Should, _, _) => Verdict::Deviation,
            (Level::Recorded, _, _) => Verdict::Recorded,
        }
    }
}
