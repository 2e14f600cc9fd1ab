//! Findings of checks, and the one function that turns counts into verdicts.

use std::collections::BTreeMap;

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
    /// A MUST was violated, or a target made a choice of a REC row in two ways.
    Fail,
    /// A SHOULD was violated.
    Deviation,
    /// A REC row with its value.
    Recorded,
    /// The situation never arose.
    NotExercised,
    /// A refusal was seen whose positive control did not pass: it means nothing.
    Blocked,
    /// The profile says that the target has no such part.
    NotApplicable,
    /// The profile leaves it untested.
    NotTested,
    /// The harness broke where the situation should have arisen.
    Error,
}

/// What the profile says of a requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// It is judged.
    #[default]
    Judged,
    /// It does not apply to the target.
    NotApplicable,
    /// It is not to be judged.
    Untested,
}

/// How the positive control of a requirement went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// The requirement has none.
    #[default]
    None,
    /// It passed in this run.
    Passed,
    /// It did not: it failed or never took place.
    NotPassed,
}

/// How the scenarios of a requirement went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Course {
    /// To their end, or as far as the target let them.
    #[default]
    Whole,
    /// A defect of the harness ended one.
    Broken,
}

/// Everything besides the counts that a verdict depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the profile says.
    pub claim: Claim,
    /// The positive control.
    pub control: Control,
    /// The scenarios.
    pub course: Course,
}

/// What the counts say.
#[derive(Clone, Copy)]
enum Seen {
    Nothing,
    Held,
    Violated,
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
            Self::Blocked => "blocked",
            Self::NotApplicable => "not_applicable",
            Self::NotTested => "not_tested",
            Self::Error => "error",
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
    /// How often it was violated in each way, by the fingerprint.
    pub fingerprints: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Most violations that are kept with their evidence.
    pub const VIOLATIONS_MAX: usize = 5;

    /// Without a violation: with 95 % certainty at most one in so many such cases fails. In n
    /// independent cases the rate of faults is then below 3/n, by the rule of three.
    #[must_use]
    pub const fn at_most_one_in(&self) -> Option<u64> {
        if self.violated == 0 && self.armed >= 3 {
            Some(self.armed / 3)
        } else {
            None
        }
    }

    /// Counts a finding.
    pub fn count(&mut self, finding: Finding) {
        self.evaluated += 1;
        match finding {
            Finding::NotArmed => {}
            Finding::Held => self.armed += 1,
            Finding::Violated(violation) => {
                self.armed += 1;
                self.violated += 1;
                *self.fingerprints.entry(violation.fingerprint).or_default() += 1;
                if self.violations.len() < Self::VIOLATIONS_MAX {
                    self.violations.push(violation);
                }
            }
        }
    }

    const fn seen(&self) -> Seen {
        if self.violated > 0 {
            Seen::Violated
        } else if self.armed > 0 {
            Seen::Held
        } else {
            Seen::Nothing
        }
    }

    /// True when it was put to the test and never violated: what a positive control must be.
    #[must_use]
    pub const fn held(&self) -> bool {
        match self.seen() {
            Seen::Held => true,
            Seen::Nothing | Seen::Violated => false,
        }
    }

    /// The verdict of a requirement of this level: the one place where a verdict is made. Unknown
    /// never becomes a pass, and what a control or the harness spoilt does neither; a violation is
    /// one whatever became of the control.
    #[must_use]
    pub const fn verdict(&self, level: Level, standing: Standing) -> Verdict {
        match standing.claim {
            Claim::NotApplicable => return Verdict::NotApplicable,
            Claim::Untested => return Verdict::NotTested,
            Claim::Judged => {}
        }
        match (self.seen(), standing.course, standing.control) {
            (Seen::Violated, Course::Whole | Course::Broken, _) => match level {
                Level::Must | Level::Recorded => Verdict::Fail,
                Level::Should => Verdict::Deviation,
            },
            (Seen::Nothing | Seen::Held, Course::Broken, _) => Verdict::Error,
            (Seen::Nothing, Course::Whole, _) => Verdict::NotExercised,
            (Seen::Held, Course::Whole, Control::NotPassed) => Verdict::Blocked,
            (Seen::Held, Course::Whole, Control::None | Control::Passed) => match level {
                Level::Must | Level::Should => Verdict::Pass,
                Level::Recorded => Verdict::Recorded,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(armed: u64, violated: u64) -> Tally {
        Tally {
            evaluated: armed,
            armed,
            violated,
            ..Tally::default()
        }
    }

    #[test]
    fn every_standing_has_its_verdict() {
        use Level::{Must, Recorded, Should};
        let whole = Standing::default();
        let control = |control| Standing { control, ..whole };
        let claim = |claim| Standing { claim, ..whole };
        let broken = Standing {
            course: Course::Broken,
            ..whole
        };
        for (armed, violated, level, standing, word) in [
            (3, 0, Must, whole, "pass"),
            (3, 0, Should, whole, "pass"),
            (3, 0, Recorded, whole, "recorded"),
            (3, 1, Must, whole, "fail"),
            (3, 1, Should, whole, "deviation"),
            // A choice that wavers is no choice (contract 0).
            (3, 1, Recorded, whole, "fail"),
            (0, 0, Must, whole, "not_exercised"),
            (0, 0, Recorded, whole, "not_exercised"),
            (3, 0, Must, control(Control::Passed), "pass"),
            (3, 0, Must, control(Control::NotPassed), "blocked"),
            (3, 1, Must, control(Control::NotPassed), "fail"),
            (0, 0, Must, control(Control::NotPassed), "not_exercised"),
            (3, 0, Must, broken, "error"),
            (0, 0, Must, broken, "error"),
            (3, 1, Must, broken, "fail"),
            (3, 0, Must, claim(Claim::Untested), "not_tested"),
            (3, 1, Must, claim(Claim::Untested), "not_tested"),
            (3, 0, Must, claim(Claim::NotApplicable), "not_applicable"),
        ] {
            let verdict = tally(armed, violated).verdict(level, standing);
            assert_eq!(
                verdict.as_str(),
                word,
                "{armed} armed, {violated} violated, {level:?}, {standing:?}"
            );
        }
    }

    #[test]
    fn only_what_was_armed_and_judged_passes() {
        const CLAIMS: [Claim; 3] = [Claim::Judged, Claim::NotApplicable, Claim::Untested];
        const CONTROLS: [Control; 3] = [Control::None, Control::Passed, Control::NotPassed];
        const COURSES: [Course; 2] = [Course::Whole, Course::Broken];
        const COUNTS: [(u64, u64); 3] = [(0, 0), (1, 0), (1, 1)];
        let mut passes = Vec::new();
        for number in 0..54 {
            let standing = Standing {
                claim: CLAIMS[number % 3],
                control: CONTROLS[number / 3 % 3],
                course: COURSES[number / 9 % 2],
            };
            let (armed, violated) = COUNTS[number / 18];
            if tally(armed, violated).verdict(Level::Must, standing) == Verdict::Pass {
                passes.push((armed, violated, standing));
            }
        }
        let control = |control| Standing {
            control,
            ..Standing::default()
        };
        let expected = [Control::None, Control::Passed].map(|one| (1, 0, control(one)));
        assert_eq!(passes, expected);
    }

    #[test]
    fn the_more_cases_held_the_rarer_a_fault_that_was_not_seen() {
        for (armed, violated, cases) in [
            (0, 0, None),
            (2, 0, None),
            (3, 0, Some(1)),
            (800_008, 0, Some(266_669)),
            (800_008, 1, None),
        ] {
            assert_eq!(tally(armed, violated).at_most_one_in(), cases, "{armed}");
        }
    }
}
