//! How a run ends: the exit codes, which of several causes wins, and the verdict that goes with it.

use serde::{Deserialize, Serialize};

/// What the process ends with. The numbers are fixed: other tools read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Every judged requirement passed.
    Pass,
    /// A requirement failed.
    Failed,
    /// The run says nothing certain: a MUST was not exercised, something is missing, or too many
    /// outcomes are unknown.
    Undetermined,
    /// The list of expected failures does not fit what was seen.
    ExpectationsStale,
    /// The command line, a file, the machine or an unreachable target does not allow the run.
    SetUp,
    /// The suite did not catch a deliberate defect, or broke a promise of its own.
    SelfCheck,
    /// A threshold, capacity target or baseline was missed.
    Threshold,
    /// The measurement is worthless: the generator was the bottleneck or lost a worker.
    MeasurementInvalid,
    /// A defect of the harness.
    Internal,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl ExitCode {
    /// Every code, the gravest first: signals come before all else, since nobody decided the run's
    /// end; then what makes the other findings doubtful; then the findings.
    pub const BY_GRAVITY: [Self; 11] = [
        Self::Interrupted,
        Self::Terminated,
        Self::Internal,
        Self::SelfCheck,
        Self::SetUp,
        Self::Failed,
        Self::ExpectationsStale,
        Self::MeasurementInvalid,
        Self::Threshold,
        Self::Undetermined,
        Self::Pass,
    ];

    /// The number for the operating system.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Failed => 1,
            Self::Undetermined => 2,
            Self::ExpectationsStale => 3,
            Self::SetUp => 4,
            Self::SelfCheck => 5,
            Self::Threshold => 6,
            Self::MeasurementInvalid => 7,
            Self::Internal => 70,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The code with this number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::BY_GRAVITY
            .into_iter()
            .find(|code| code.number() == number)
    }

    /// What the code means, for the last line of a report.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Pass => "every judged requirement passed",
            Self::Failed => "a requirement failed",
            Self::Undetermined => "undetermined: something was not exercised, missing or unknown",
            Self::ExpectationsStale => "the list of expected failures is out of date",
            Self::SetUp => "the run could not be set up",
            Self::SelfCheck => "the suite failed its own check",
            Self::Threshold => "a threshold was missed",
            Self::MeasurementInvalid => "the measurement is invalid",
            Self::Internal => "a defect of muster itself",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// The verdict on the run as a whole.
    #[must_use]
    pub const fn verdict(self) -> RunVerdict {
        match self {
            Self::Pass => RunVerdict::Pass,
            Self::Failed | Self::Threshold => RunVerdict::Fail,
            Self::Undetermined
            | Self::ExpectationsStale
            | Self::SetUp
            | Self::Interrupted
            | Self::Terminated => RunVerdict::Undetermined,
            Self::SelfCheck | Self::MeasurementInvalid | Self::Internal => RunVerdict::Invalid,
        }
    }
}

/// The verdict on a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunVerdict {
    /// Exit code 0.
    Pass,
    /// A requirement failed or a threshold was missed.
    Fail,
    /// Nothing certain can be said of the target.
    Undetermined,
    /// What was measured must not be used.
    Invalid,
}

impl RunVerdict {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Undetermined => "undetermined",
            Self::Invalid => "invalid",
        }
    }
}

/// One reason for an exit code other than 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The code that this reason alone would give.
    pub code: ExitCode,
    /// A sentence part that names the thing and its value, for example
    /// `REQ-ROTATE-003 failed: 3 of 40 cases`.
    pub text: String,
}

impl Cause {
    /// A reason with its text.
    #[must_use]
    pub const fn new(code: ExitCode, text: String) -> Self {
        Self { code, text }
    }
}

impl From<crate::error::Error> for Cause {
    /// A failed step as a reason. An unreachable target is a matter of set-up; whoever knows that
    /// it had answered before makes it undetermined instead.
    fn from(error: crate::error::Error) -> Self {
        use crate::error::Error;
        let text = error.to_string();
        match error {
            Error::SetUp(_) | Error::Unreachable { .. } => Self::new(ExitCode::SetUp, text),
            Error::Target { .. } => Self::new(ExitCode::Undetermined, text),
            Error::Harness(_) => Self::new(ExitCode::Internal, text),
        }
    }
}

/// The gravest code among the causes; [`ExitCode::Pass`] when there are none.
#[must_use]
pub fn gravest(causes: &[Cause]) -> ExitCode {
    ExitCode::BY_GRAVITY
        .into_iter()
        .find(|code| causes.iter().any(|cause| cause.code == *code))
        .unwrap_or(ExitCode::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_cause_wins_in_any_order() {
        for (numbers, winner) in [
            (&[][..], 0),
            (&[0], 0),
            (&[2, 0], 2),
            (&[2, 6], 6),
            (&[6, 7], 7),
            (&[7, 3], 3),
            (&[3, 1, 2], 1),
            (&[1, 4], 4),
            (&[4, 5], 5),
            (&[5, 70], 70),
            (&[70, 143], 143),
            (&[70, 130, 1], 130),
        ] {
            let mut causes: Vec<Cause> = numbers
                .iter()
                .map(|n| Cause::new(ExitCode::of_number(*n).unwrap(), format!("cause {n}")))
                .collect();
            assert_eq!(gravest(&causes).number(), winner, "{numbers:?}");
            causes.reverse();
            assert_eq!(gravest(&causes).number(), winner, "{numbers:?} reversed");
        }
    }

    #[test]
    fn each_code_has_its_verdict() {
        for (number, verdict) in [
            (0, "pass"),
            (1, "fail"),
            (2, "undetermined"),
            (3, "undetermined"),
            (4, "undetermined"),
            (5, "invalid"),
            (6, "fail"),
            (7, "invalid"),
            (70, "invalid"),
            (130, "undetermined"),
            (143, "undetermined"),
        ] {
            let code = ExitCode::of_number(number).unwrap();
            assert_eq!(code.verdict().as_str(), verdict, "{number}");
        }
    }
}
