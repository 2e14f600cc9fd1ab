//! Trials against a target, until the search knows its capacity.

use std::sync::Arc;
use std::time::Duration;

use super::exam::processors;
use super::{Ground, Happened};
use crate::capacity::{Broke, Found, Plan, Search, Step, Trial};
use crate::error::Error;
use crate::load::{Load, RoundOutcome};
use crate::metrics::{Operation, Timings};
use crate::quantity::spoken_ns;
use crate::report::capacity::{Capacity, TrialRow};
use crate::schedule::{Rate, Schedule};
use crate::threshold::{Held, Judged, Subject, Threshold};
use crate::usage;
use crate::validity::{self, Own};

/// Pause after a bad trial: beyond its capacity one measures what a target still has to work off.
const SETTLE: Duration = Duration::from_secs(1);

/// One in so many check-ins of a trial is more than its percentiles need.
const SPARE: u64 = 50;

/// What the user asks of a search.
#[derive(Clone, Debug)]
pub struct CapacityOptions {
    /// How the search goes.
    pub plan: Plan,
    /// What the target must keep to.
    pub goals: Vec<Threshold>,
    /// The shortest measured phase of a trial.
    pub trial: Duration,
    /// The longest: a trial is longer at a low rate, for the sake of its percentiles.
    pub trial_max: Duration,
    /// The warm-up before it.
    pub warm_up: Duration,
    /// Operations that are enough behind a percentile; `None` for the table of thresholds.
    pub samples: Option<u64>,
}

impl CapacityOptions {
    /// Operations that a trial needs for its percentiles.
    fn samples_needed(&self) -> u64 {
        let of_goal = |goal: &Threshold| match goal.subject {
            Subject::Time(_, _, quantile) => self
                .samples
                .unwrap_or_else(|| crate::threshold::samples_needed(quantile)),
            Subject::ErrorRatio(_) => 1,
        };
        self.goals.iter().map(of_goal).max().unwrap_or(1)
    }

    /// Check-ins that a trial is planned with: a few of them may fail, or not be started.
    const fn planned_for(samples: u64) -> u64 {
        samples + samples.div_ceil(SPARE)
    }

    /// The lowest rate whose longest trial says something of the goals.
    #[must_use]
    pub fn lowest(&self) -> Rate {
        let most_s = self.trial_max.max(self.trial).as_secs().max(1);
        let planned = Self::planned_for(self.samples_needed());
        Rate::per_1000_s(planned.saturating_mul(1_000).div_ceil(most_s).max(1))
    }

    /// How long a trial at this rate is.
    fn length(&self, rate: Rate) -> Duration {
        let needed_ns = u128::from(Self::planned_for(self.samples_needed()))
            * 1_000_000_000_000_000
            / u128::from(rate.in_million_s().max(1));
        let needed = Duration::from_nanos(u64::try_from(needed_ns).unwrap_or(u64::MAX));
        needed.clamp(self.trial, self.trial_max.max(self.trial))
    }
}

impl Ground {
    /// Makes trials until the search is over; `None` when the run was ended.
    pub(super) async fn search(
        &self,
        load: &Load,
        options: &CapacityOptions,
        happened: &mut Happened,
    ) -> Option<Capacity> {
        let mut search = Search::new(options.plan);
        let mut rows = Vec::new();
        let mut wrong_before = load.wrong_answers();
        let mut short_before = load.shortages();
        loop {
            let rate = match search.next() {
                Step::Done(found) => return Some(Capacity::new(&found, rows, options)),
                Step::Try(rate) => rate,
            };
            let (round, mut own) = match self.trial(load, options, rate).await {
                Ok(trial) => trial,
                Err(error) => {
                    happened.cut(&error);
                    return None;
                }
            };
            if *self.controls.cancel.borrow() || load.is_down() {
                return None;
            }
            let short = round.shortages.since(short_before);
            short_before = round.shortages;
            own.out_of_descriptors = short.descriptors;
            own.out_of_ports = short.ports;
            let trial = judge(&round, own, (options, round.wrong_answers > wrong_before));
            wrong_before = round.wrong_answers;
            rows.push(row(rate, &round, &trial));
            self.controls.progress.tried(rate, &trial);
            match trial {
                Trial::Good => {}
                Trial::Bad(_) | Trial::Invalid(_) => tokio::time::sleep(SETTLE).await,
            }
            search.tell(trial);
        }
    }

    async fn trial(
        &self,
        load: &Load,
        options: &CapacityOptions,
        rate: Rate,
    ) -> Result<(RoundOutcome, Own), Error> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let warm_up_ns = nanos(options.warm_up);
        let length_ns = warm_up_ns.saturating_add(nanos(options.length(rate)));
        let schedule = Arc::new(Schedule::constant(rate, length_ns));
        self.controls.progress.plan(schedule.events());
        let before = usage::of_self();
        let from_ns = self.clock.monotonic_ns();
        let (round, descriptors) = usage::watched(load.trial(schedule, warm_up_ns)).await;
        let round = round?;
        let took_ns = self.clock.monotonic_ns().saturating_sub(from_ns);
        let cpu_s = before
            .zip(usage::of_self())
            .map(|(before, after)| after.cpu_s - before.cpu_s);
        let own = Own {
            cpu_s,
            duration_s: Duration::from_nanos(took_ns).as_secs_f64(),
            processors: processors(),
            busiest_permille: round.busiest_permille,
            descriptors,
            ..Own::default()
        };
        Ok((round, own))
    }
}

/// What a trial says: a wrong answer is the gravest; what speaks against the harness comes before
/// what speaks against the target.
fn judge(round: &RoundOutcome, own: Own, (options, wrong): (&CapacityOptions, bool)) -> Trial {
    if wrong {
        let how = "answers were wrong under this load".to_owned();
        return Trial::Bad(Broke::Invariant(how));
    }
    let doubts = validity::doubts(&round.measured, own, &options.goals);
    if let Some(doubt) = doubts.first() {
        return Trial::Invalid(doubt.to_string());
    }
    for goal in &options.goals {
        let judged = goal.judge(&round.measured, options.samples);
        match (judged.result, goal.subject) {
            (Held::Kept, _) => {}
            (Held::Missed, Subject::Time(..)) => {
                return Trial::Bad(Broke::Latency(missed(&judged)));
            }
            (Held::Missed, Subject::ErrorRatio(_)) => {
                return Trial::Bad(Broke::Errors(missed(&judged)));
            }
            (Held::TooFewSamples, _) => {
                let how = format!(
                    "{} operations are too few for `{}`, which needs {}, in the longest trial",
                    judged.samples, judged.threshold, judged.samples_needed
                );
                return Trial::Bad(Broke::TooFewSamples(how));
            }
        }
    }
    Trial::Good
}

fn missed(judged: &Judged) -> String {
    format!("{} missed: {}", judged.threshold, judged.measured)
}

fn row(rate: Rate, round: &RoundOutcome, trial: &Trial) -> TrialRow {
    let check_ins = round.measured.of(Operation::CheckIn);
    TrialRow {
        per_s: rate.per_s(),
        measured: round.measured.measured.into(),
        latency_us: check_ins.map(Timings::latency).unwrap_or_default().into(),
        broke: match trial {
            Trial::Good | Trial::Invalid(_) => None,
            Trial::Bad(broke) => Some(broke.clone()),
        },
        invalid: match trial {
            Trial::Good | Trial::Bad(_) => None,
            Trial::Invalid(why) => Some(why.clone()),
        },
    }
}

impl Capacity {
    fn new(found: &Found, trials: Vec<TrialRow>, options: &CapacityOptions) -> Self {
        let mut capacity = Self {
            goals: options.goals.iter().map(ToString::to_string).collect(),
            samples_needed: options.samples_needed(),
            trials,
            ..Self::default()
        };
        capacity.take(found);
        capacity.basis.push(format!(
            "trials of {} to {}, bounds {} % apart, {} confirmations",
            spoken_ns(u64::try_from(options.trial.as_nanos()).unwrap_or(u64::MAX)),
            spoken_ns(u64::try_from(options.trial_max.as_nanos()).unwrap_or(u64::MAX)),
            f64::from(options.plan.width_permille) / 10.0,
            options.plan.confirmations
        ));
        if let Some(samples) = options.samples {
            capacity.basis.push(format!(
                "percentiles on {samples} operations a trial, fewer than the table for a measurement asks for"
            ));
        }
        capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Shortages;
    use crate::metrics::{End, Measured, Meter, Round, Sample};
    use crate::schedule::Books;

    const S: u64 = 1_000_000_000;

    /// What a meter shows of one server that takes 1/R for each check-in, with an endless queue in
    /// front, when check-ins are offered evenly: arithmetic, without a clock.
    fn one_server(limit: Rate, schedule: &Schedule, warm_up_ns: u64) -> Measured {
        let (intervals, _receiver) = tokio::sync::mpsc::unbounded_channel();
        let round = Round {
            start_ns: 0,
            measured_ns: warm_up_ns,
        };
        let in_warm_up = schedule.events_before(warm_up_ns);
        let mut meter = Meter::new().unwrap();
        meter.begin(
            round,
            (in_warm_up, schedule.events() - in_warm_up),
            intervals,
        );
        let service_ns = 1_000_000_000_000_000 / limit.in_million_s();
        let mut free_ns = 0;
        for event in 0..schedule.events() {
            let intended_ns = schedule.start_ns(event);
            free_ns = free_ns.max(intended_ns) + service_ns;
            meter.started(intended_ns);
            let sample = Sample {
                intended_ns,
                begun_ns: intended_ns,
                sent_ns: intended_ns,
                ended_ns: free_ns,
            };
            meter.checked_in(sample, End::Completed);
        }
        meter.read()
    }

    fn round(measured: Measured) -> RoundOutcome {
        RoundOutcome {
            shortages: Shortages::default(),
            books: Books::default(),
            measured,
            round: Round::default(),
            last_end_ns: 0,
            wrong_answers: 0,
            busiest_permille: None,
        }
    }

    #[test]
    fn the_lowest_rate_has_operations_to_spare_in_the_longest_trial() {
        let p99 = CapacityOptions {
            goals: vec!["check_in.latency.p99<1s".parse().unwrap()],
            trial: Duration::from_secs(60),
            trial_max: Duration::from_secs(600),
            samples: None,
            ..options()
        };
        // 270,336 operations behind a p99, and one in fifty to spare, in 600 s.
        let lowest = p99.lowest();
        assert!((459.0..460.0).contains(&lowest.per_s()), "{lowest:?}");
        for (rate, seconds) in [(lowest, 599..=600), (Rate::per_1000_s(4_596_000), 60..=60)] {
            let length = p99.length(rate);
            assert!(seconds.contains(&length.as_secs()), "{length:?}");
            let planned = rate.per_s() * length.as_secs_f64();
            assert!(planned > 275_000.0, "{planned}");
        }
    }

    fn options() -> CapacityOptions {
        CapacityOptions {
            plan: Plan::QUICK,
            goals: ["check_in.latency.p90<500ms", "error_ratio<0.1%"]
                .map(|goal| goal.parse().unwrap())
                .to_vec(),
            trial: Duration::from_secs(10),
            trial_max: Duration::from_secs(60),
            warm_up: Duration::from_secs(1),
            samples: Some(500),
        }
    }

    fn capacity_of(limit: Rate, options: &CapacityOptions) -> Found {
        let mut search = Search::new(options.plan);
        loop {
            let rate = match search.next() {
                Step::Done(found) => return found,
                Step::Try(rate) => rate,
            };
            let length = S + u64::try_from(options.length(rate).as_nanos()).unwrap();
            let round = round(one_server(limit, &Schedule::constant(rate, length), S));
            search.tell(judge(&round, Own::default(), (options, false)));
        }
    }

    #[test]
    fn the_rate_of_one_server_is_found_within_a_tenth() {
        let options = options();
        for limit in [20, 200, 3_000] {
            let limit = Rate::per_1000_s(limit * 1_000);
            let found = capacity_of(limit, &options);
            let Found::Between { lower, upper, .. } = found else {
                panic!("{found:?}");
            };
            let ratio = lower.per_s() / limit.per_s();
            assert!((0.9..=1.1).contains(&ratio), "{lower:?} for {limit:?}");
            assert!(upper > limit, "{upper:?} for {limit:?}");
        }
    }

    #[test]
    fn a_trial_is_as_long_as_its_percentiles_need_and_no_longer_than_allowed() {
        let options = options();
        // 500 operations and one in fifty to spare.
        let lengths = [
            (1_000, 10_000),
            (51, 10_000),
            (25, 20_400),
            (10, 51_000),
            (1, 60_000),
        ];
        for (per_s, millis) in lengths {
            let length = options.length(Rate::per_1000_s(per_s * 1_000));
            assert_eq!(length, Duration::from_millis(millis), "{per_s}/s");
        }
    }

    #[test]
    fn a_wrong_answer_breaks_a_trial_whatever_its_times() {
        let schedule = Schedule::constant(Rate::per_1000_s(100_000), 10 * S);
        let round = round(one_server(Rate::per_1000_s(900_000), &schedule, 0));
        let options = options();
        assert_eq!(
            judge(&round, Own::default(), (&options, false)),
            Trial::Good
        );
        let wrong = judge(&round, Own::default(), (&options, true));
        assert!(
            matches!(wrong, Trial::Bad(Broke::Invariant(_))),
            "{wrong:?}"
        );
        let busy = Own {
            cpu_s: Some(10.0),
            duration_s: 10.0,
            processors: 1.0,
            ..Own::default()
        };
        let busy = judge(&round, busy, (&options, false));
        assert!(matches!(busy, Trial::Invalid(_)), "{busy:?}");
    }
}
