//! Lists of expected failures: what a target is known to fail, why, who answers for it and until
//! when. A list excuses nothing for long: it is strict both ways, and one that does not fit what was
//! seen ends a run with exit code 3.
//!
//! | module | job |
//! |---|---|
//! | `read` | the file, and everything that can be wrong with it before a run |
//! | `judge` | the list against the rows of a run |
//! | `propose` | a list from a report, for people to edit |

mod judge;
mod propose;
mod read;

#[cfg(test)]
mod tests;

use std::fmt;

use protocol::time::UtcMillis;
use serde::{Deserialize, Serialize};

pub use judge::{Extent, apply};
pub use propose::propose;

/// The schema of a list.
pub const SCHEMA: &str = "muster.expectations/1";
/// What a proposal says where a person has to decide; a list that still says it is refused.
pub const TODO: &str = "TODO";

/// A list that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// What reports call it.
    pub name: String,
    /// The entries, in the order of the file.
    pub entries: Vec<Entry>,
}

/// One thing that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line of the file that it begins on.
    pub line: usize,
    /// The requirement.
    pub requirement: String,
    /// How it ends.
    pub expect: Expect,
    /// The way in which it is violated; [`Expect::Fail`] and [`Expect::Deviation`] have one.
    pub fingerprint: Option<String>,
    /// Why it is expected.
    pub reason: String,
    /// Link to whatever tracks it.
    pub bug: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// How a requirement is expected to end. Nothing that the harness or the set-up spoils can be
/// expected, nor a target that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// A violated MUST, or a choice made in two ways.
    Fail,
    /// A violated SHOULD.
    Deviation,
    /// The profile says that it does not apply.
    NotApplicable,
    /// Its situation does not arise.
    NotExercised,
}

impl Expect {
    const ALL: [Self; 4] = [
        Self::Fail,
        Self::Deviation,
        Self::NotApplicable,
        Self::NotExercised,
    ];

    /// The word in lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Deviation => "deviation",
            Self::NotApplicable => "not_applicable",
            Self::NotExercised => "not_exercised",
        }
    }
}

/// What became of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedOutcome {
    /// It failed as expected.
    ExpectedFail,
    /// It deviated as expected.
    ExpectedDeviation,
    /// It did not apply, as expected.
    ExpectedNotApplicable,
    /// It was not exercised, as expected.
    ExpectedNotExercised,
    /// It passed.
    UnexpectedPass,
}

impl ExpectedOutcome {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExpectedFail => "expected_fail",
            Self::ExpectedDeviation => "expected_deviation",
            Self::ExpectedNotApplicable => "expected_not_applicable",
            Self::ExpectedNotExercised => "expected_not_exercised",
            Self::UnexpectedPass => "unexpected_pass",
        }
    }

    /// True when it came as it was expected.
    #[must_use]
    pub const fn is_as_expected(self) -> bool {
        match self {
            Self::ExpectedFail
            | Self::ExpectedDeviation
            | Self::ExpectedNotApplicable
            | Self::ExpectedNotExercised => true,
            Self::UnexpectedPass => false,
        }
    }
}

/// What a report says of a row that was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedRow {
    /// What became of it.
    pub outcome: ExpectedOutcome,
    /// The reasons, each with its line, link, owner and last day.
    pub entries: Vec<String>,
}

/// What a report says of the whole list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationsNote {
    /// The file.
    pub name: String,
    /// Its entries.
    pub entries: u64,
    /// Rows that ended as expected.
    pub expected: u64,
    /// Entries of requirements that this run does not judge.
    pub elsewhere: u64,
}

/// Something that is wrong with a list, with its line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Defect {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// A day, written `2026-12-31`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(String);

impl Date {
    /// The day of an instant, in UTC.
    #[must_use]
    pub fn of(instant: UtcMillis) -> Self {
        Self(instant.to_string().chars().take(10).collect())
    }

    /// The day that is written so; `None` when none is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let day = protocol::time::UtcTicks::parse(&format!("{text}T00:00:00Z")).ok()?;
        let day = Self::of(day.millis());
        (day.0 == text).then_some(day)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
