//! What a verdict counts as in the formats: the one place where they look that up, so that none of
//! them makes a success of what it does not know.

use crate::verdict::Verdict;

/// What a verdict counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CountsAs {
    /// It held.
    Good,
    /// Shown for the record.
    Shown,
    /// A SHOULD was violated: fails the run only on request.
    Deviating,
    /// The target violated it.
    Violated,
    /// Nothing is said of it, and why.
    Unsaid(&'static str),
    /// It was put to the test in vain, and why.
    Spoilt(&'static str),
}

impl CountsAs {
    /// What this verdict counts as.
    pub(super) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Good,
            Verdict::Recorded => Self::Shown,
            Verdict::Deviation => Self::Deviating,
            Verdict::Fail => Self::Violated,
            Verdict::NotExercised => Self::Unsaid("not exercised: the situation never arose"),
            Verdict::NotApplicable => Self::Unsaid("not applicable: by the profile"),
            Verdict::NotTested => Self::Unsaid("not tested: by the profile"),
            Verdict::Blocked => Self::Spoilt("blocked: the positive control did not pass"),
            Verdict::Error => Self::Spoilt("error: the harness broke"),
        }
    }
}
