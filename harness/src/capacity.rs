//! Finds the largest rate at which a target keeps its goals: a pure state machine that says which
//! rate to try next and takes the outcome.
//!
//! Doubling and halving bracket the limit, then the bracket is bisected on a logarithmic scale
//! until it is narrow. A rate counts as bad after two bad trials: one may be a hiccup of the
//! machine. A trial that says nothing, because the harness was late itself, is made again a bounded
//! number of times. The best good rate is then confirmed several times; a failure lowers it by one width
//! and the confirmation begins again. Whatever happens, the number of trials is bounded, and the
//! end is a statement of its kind, never a rate of zero.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::schedule::Rate;

/// How a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first rate.
    pub start: Rate,
    /// The lowest rate that is tried.
    pub min: Rate,
    /// The highest rate that is tried.
    pub max: Rate,
    /// How far apart the bounds may end, in thousandths of the lower one.
    pub width_permille: u32,
    /// Good trials that confirm a rate.
    pub confirmations: u32,
    /// Bad trials after which a rate counts as bad.
    pub bad_trials: u32,
    /// Trials in a row that say nothing after which the generator counts as the limit.
    pub invalid_trials: u32,
    /// Trials altogether.
    pub trials_max: u32,
}

impl Plan {
    /// A thorough search: 5 % apart, five confirmations.
    pub const FULL: Self = Self {
        start: Rate::per_1000_s(64_000),
        min: Rate::per_1000_s(1_000),
        max: Rate::per_1000_s(100_000_000),
        width_permille: 50,
        confirmations: 5,
        bad_trials: 2,
        invalid_trials: 3,
        trials_max: 80,
    };
    /// A quick one: 10 % apart, two confirmations, one bad trial is enough, and a trial that says
    /// nothing is made again once.
    pub const QUICK: Self = Self {
        width_permille: 100,
        confirmations: 2,
        bad_trials: 1,
        invalid_trials: 2,
        trials_max: 40,
        ..Self::FULL
    };
}

/// What broke in a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", content = "how", rename_all = "snake_case")]
pub enum Broke {
    /// A percentile was over its limit.
    Latency(String),
    /// Too many check-ins failed or could not be started.
    Errors(String),
    /// An answer was wrong: the load changed what the target does.
    Invariant(String),
    /// The harness, not the target.
    Generator(String),
    /// The longest trial is too short for so low a rate.
    TooFewSamples(String),
}

/// How a trial went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Every goal was kept.
    Good,
    /// Some was not.
    Bad(Broke),
    /// It says nothing of the target; why.
    Invalid(String),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Offer this rate.
    Try(Rate),
    /// The search is over.
    Done(Found),
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The target keeps its goals at the lower rate, confirmed, and not at the upper.
    Between {
        /// Confirmed.
        lower: Rate,
        /// Where something broke.
        upper: Rate,
        /// What.
        broke: Broke,
    },
    /// The goals were kept, confirmed, up to the highest rate that may be tried.
    AtLeast(Rate),
    /// The goals were not kept at the lowest rate that may be tried.
    NeverGood {
        /// That rate.
        tried: Rate,
        /// What broke.
        broke: Broke,
    },
    /// The trials contradict each other: no rate could be confirmed.
    Undecided {
        /// Trials made.
        trials: u32,
    },
}

/// A search under way.
#[derive(Clone, Debug)]
pub struct Search {
    plan: Plan,
    good: Option<Rate>,
    bad: Option<(Rate, Broke)>,
    at: Rate,
    /// Bad trials at the present rate.
    bad_here: u32,
    /// Trials in a row at the present rate that said nothing.
    invalid_here: u32,
    /// Good confirmations of the present rate; `None` while the bracket is still wide.
    confirmed: Option<u32>,
    trials: u32,
    over: Option<Found>,
}

impl Search {
    /// A search before its first trial.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let max = plan.max.max(plan.min);
        Self {
            at: plan.start.clamp(plan.min, max),
            plan: Plan { max, ..plan },
            good: None,
            bad: None,
            bad_here: 0,
            invalid_here: 0,
            confirmed: None,
            trials: 0,
            over: None,
        }
    }

    /// What to do next; the same until an outcome is told.
    #[must_use]
    pub fn next(&self) -> Step {
        self.over.clone().map_or(Step::Try(self.at), Step::Done)
    }

    /// Takes the outcome of a trial at the rate of [`Step::Try`].
    pub fn tell(&mut self, trial: Trial) {
        if self.over.is_some() {
            return;
        }
        self.trials += 1;
        self.take(trial);
        if self.over.is_none() && self.trials >= self.plan.trials_max {
            self.over = Some(Found::Undecided {
                trials: self.trials,
            });
        }
    }

    fn take(&mut self, trial: Trial) {
        if let Trial::Invalid(why) = trial {
            self.invalid_here += 1;
            if self.invalid_here >= self.plan.invalid_trials {
                self.invalid_here = 0;
                self.bad_here = self.plan.bad_trials;
                self.take(Trial::Bad(Broke::Generator(why)));
            }
            return;
        }
        self.invalid_here = 0;
        match (trial, self.confirmed) {
            (Trial::Good, Some(confirmed)) => self.confirm(confirmed + 1),
            (Trial::Good, None) => self.went_well(),
            (Trial::Bad(broke), Some(_)) => self.lower(broke),
            (Trial::Bad(broke), None) => self.went_badly(broke),
            (Trial::Invalid(_), _) => {}
        }
    }

    fn went_well(&mut self) {
        self.good = Some(self.at);
        self.bad_here = 0;
        match &self.bad {
            None if self.at >= self.plan.max => self.confirm(0),
            None => self.at = times(self.at, 2, 1).min(self.plan.max),
            Some(_) => self.narrow(),
        }
    }

    fn went_badly(&mut self, broke: Broke) {
        self.bad_here += 1;
        if self.bad_here < self.plan.bad_trials {
            return;
        }
        self.bad_here = 0;
        if self.at <= self.plan.min {
            self.over = Some(Found::NeverGood {
                tried: self.at,
                broke,
            });
            return;
        }
        self.bad = Some((self.at, broke));
        match self.good {
            None => self.at = times(self.at, 1, 2).max(self.plan.min),
            Some(_) => self.narrow(),
        }
    }

    /// Halves the bracket on a logarithmic scale, or begins to confirm its lower end.
    fn narrow(&mut self) {
        let (Some(good), Some((bad, _))) = (self.good, &self.bad) else {
            return;
        };
        if *bad <= self.wider(good) {
            self.at = good;
            self.confirm(0);
        } else {
            self.at = geometric_mean(good, *bad);
        }
    }

    fn confirm(&mut self, confirmed: u32) {
        self.confirmed = Some(confirmed);
        if confirmed < self.plan.confirmations {
            return;
        }
        self.over = Some(match self.bad.take() {
            Some((upper, broke)) => Found::Between {
                lower: self.at,
                upper,
                broke,
            },
            None => Found::AtLeast(self.at),
        });
    }

    /// A confirmation failed: the rate is bad, and one width less is the next candidate.
    fn lower(&mut self, broke: Broke) {
        if self.at <= self.plan.min {
            self.over = Some(Found::NeverGood {
                tried: self.at,
                broke,
            });
            return;
        }
        self.bad = Some((self.at, broke));
        let lower = times(self.at, 1_000, u64::from(1_000 + self.plan.width_permille));
        self.at = lower.max(self.plan.min);
        self.good = None;
        self.confirmed = Some(0);
    }

    /// The rate one width above.
    fn wider(&self, rate: Rate) -> Rate {
        times(rate, u64::from(1_000 + self.plan.width_permille), 1_000)
    }
}

fn times(rate: Rate, by: u64, over: u64) -> Rate {
    let exact = u128::from(rate.in_million_s()) * u128::from(by) / u128::from(over.max(1));
    Rate::per_million_s(u64::try_from(exact).unwrap_or(u64::MAX))
}

fn geometric_mean(low: Rate, high: Rate) -> Rate {
    let product = u128::from(low.in_million_s()) * u128::from(high.in_million_s());
    Rate::per_million_s(u64::try_from(product.isqrt()).unwrap_or(u64::MAX))
}

impl fmt::Display for Broke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, how) = match self {
            Self::Latency(how) => ("latency", how),
            Self::Errors(how) => ("errors", how),
            Self::Invariant(how) => ("an invariant", how),
            Self::Generator(how) => ("the generator", how),
            Self::TooFewSamples(how) => ("too few operations", how),
        };
        write!(f, "{what}: {how}")
    }
}

#[cfg(test)]
mod tests;
