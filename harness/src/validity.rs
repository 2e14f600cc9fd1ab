//! The harness distrusts itself: what makes a measurement worthless, whatever it says of the
//! target.
//!
//! `load` ends with exit code 7 on any of these, `capacity` makes the trial again, `run` prints a note.
//! Where descriptors or ports ran out, failures are taken for worthless everywhere.

use std::fmt;

use crate::metrics::{Measured, Metric, Operation, Quantile};
use crate::quantity::rounded_us;
use crate::threshold::{Held, Judged, Threshold};
use crate::usage::Descriptors;

/// The start delay that is always allowed: below it the clock of a busy machine is not told apart.
const DELAY_FLOOR_US: u64 = 10_000;
/// The share of a limit asked for that the start delay may reach, in percent.
const DELAY_PERCENT: u64 = 5;
/// The share of its processors that the harness may use, in percent.
const CPU_PERCENT: u32 = 85;
/// The share of the descriptors, and of the ports, that may be in use, in percent: the few that are
/// left are gone between two looks.
const IN_USE_PERCENT: u64 = 90;

/// Why a measurement is worthless.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// Check-ins were started too late: the load offered was not the load asked for.
    StartDelay {
        /// The start delay's 99 %, in microseconds.
        p99_us: u64,
        /// The most that is allowed.
        limit_us: u64,
    },
    /// The harness was short of processor time.
    Processor {
        /// Processors used on average.
        used: f64,
        /// Processors that it may use.
        allowed: f64,
    },
    /// The thread of a shard had no time left, in thousandths of it: working, or waiting for a
    /// processor.
    Shard(u64),
    /// The system had hardly any left: what was in use of what there is.
    Nearly(&'static str, u64, u64),
    /// The system gave no more sockets.
    OutOf(&'static str, u64),
    /// Planned, started and ended do not add up.
    Books(String),
    /// A threshold names a percentile with too few operations behind it.
    TooFewSamples(Judged),
}

/// What is known about the harness in a measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Own {
    /// Processor time used in it, in seconds, when the system tells.
    pub cpu_s: Option<f64>,
    /// How long it was, in seconds.
    pub duration_s: f64,
    /// Processors that the harness may use.
    pub processors: f64,
    /// How busy the thread of the busiest shard was, in thousandths.
    pub busiest_permille: Option<u64>,
    /// Descriptors in use, when the system tells.
    pub descriptors: Option<Descriptors>,
    /// Requests that found no descriptor.
    pub out_of_descriptors: u64,
    /// Requests that found no port.
    pub out_of_ports: u64,
}

/// Everything that speaks against a measurement.
#[must_use]
pub fn doubts(measured: &Measured, own: Own, thresholds: &[Threshold]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    doubts.extend(start_delay(measured, thresholds));
    doubts.extend(processor(own));
    let busiest = own.busiest_permille.unwrap_or_default();
    if busiest > u64::from(CPU_PERCENT) * 10 {
        doubts.push(Doubt::Shard(busiest));
    }
    doubts.extend(own.descriptors.into_iter().flat_map(nearly));
    for (what, count) in [
        ("file descriptors", own.out_of_descriptors),
        ("ports", own.out_of_ports),
    ] {
        if count > 0 {
            doubts.push(Doubt::OutOf(what, count));
        }
    }
    for (phase, books) in [
        ("warm-up", &measured.warm_up),
        ("measured phase", &measured.measured),
    ] {
        if !books.balance() {
            doubts.push(Doubt::Books(format!("{phase}: {books:?}")));
        }
    }
    doubts
}

/// Too few operations behind a percentile that a threshold names.
pub fn too_few(judged: &[Judged]) -> impl Iterator<Item = Doubt> {
    let few = judged
        .iter()
        .filter(|judged| judged.result == Held::TooFewSamples);
    few.cloned().map(Doubt::TooFewSamples)
}

/// What speaks against the books of what administrators did.
pub fn errands(measured: &Measured) -> impl Iterator<Item = Doubt> {
    let unbalanced = measured.books.iter().filter(|(_, books)| !books.balance());
    unbalanced.map(|(operation, books)| Doubt::Books(format!("{operation}: {books:?}")))
}

/// The most that the 99 % of the start delay of check-ins may be under these thresholds, in
/// microseconds: a share of the tightest limit on a time of them.
#[must_use]
pub fn delay_limit_us(thresholds: &[Threshold]) -> u64 {
    let of_check_ins = thresholds
        .iter()
        .filter(|threshold| threshold.subject.operation() == Operation::CheckIn);
    let asked = of_check_ins.filter_map(Threshold::limit_us).min();
    asked.map_or(DELAY_FLOOR_US, |limit| {
        DELAY_FLOOR_US.max(limit * DELAY_PERCENT / 100)
    })
}

fn start_delay(measured: &Measured, thresholds: &[Threshold]) -> Option<Doubt> {
    let limit_us = delay_limit_us(thresholds);
    let p99_us = measured
        .of(Operation::CheckIn)
        .map_or(0, |timings| timings.at(Metric::StartDelay, Quantile::P99));
    (p99_us > limit_us).then_some(Doubt::StartDelay { p99_us, limit_us })
}

/// What there is hardly any left of. An open connection has a descriptor and a port, so that the peak
/// of descriptors bounds that of open connections; ports of closed ones show when they run out.
fn nearly(seen: Descriptors) -> impl Iterator<Item = Doubt> {
    let limits = [
        ("file descriptors", Some(seen.limit)),
        ("ports", seen.ports),
    ];
    limits.into_iter().filter_map(move |(what, limit)| {
        let limit = limit?;
        let near = seen.peak.saturating_mul(100) > limit.saturating_mul(IN_USE_PERCENT);
        near.then_some(Doubt::Nearly(what, seen.peak, limit))
    })
}

fn processor(own: Own) -> Option<Doubt> {
    let used = own.cpu_s.filter(|_| own.duration_s > 0.0)? / own.duration_s;
    let over = used * 100.0 > own.processors * f64::from(CPU_PERCENT);
    over.then_some(Doubt::Processor {
        used,
        allowed: own.processors,
    })
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartDelay { p99_us, limit_us } => write!(
                f,
                "99 % of the check-ins started up to {} late, more than {}: the generator was the bottleneck",
                rounded_us(*p99_us),
                rounded_us(*limit_us)
            ),
            Self::Processor { used, allowed } => write!(
                f,
                "the harness used {used:.2} of its {allowed:.2} processors, more than {CPU_PERCENT} %"
            ),
            Self::Shard(permille) => write!(
                f,
                "the thread of a shard worked or waited for a processor in {}.{} % of the time, more than {CPU_PERCENT} %: the generator was the bottleneck",
                permille / 10,
                permille % 10
            ),
            Self::Nearly(what, peak, limit) => write!(
                f,
                "up to {peak} of {limit} {what} were in use, more than {IN_USE_PERCENT} %"
            ),
            Self::OutOf(what, count) => write!(f, "{count} requests found no {what} left"),
            Self::Books(books) => write!(f, "the books do not balance, {books}"),
            Self::TooFewSamples(judged) => write!(
                f,
                "{} operations are too few for `{}`, which needs {}",
                judged.samples, judged.threshold, judged.samples_needed
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{End, Sample, Timings};
    use crate::schedule::Books;

    fn measured(delay_us: u64, not_started: u64) -> Measured {
        let mut timings = Timings::new().unwrap();
        let sample = Sample {
            intended_ns: 0,
            begun_ns: delay_us * 1_000,
            sent_ns: delay_us * 1_000,
            ended_ns: delay_us * 1_000 + 1_000,
        };
        (0..100).for_each(|_| timings.record(sample, End::Completed));
        let mut measured = Measured {
            measured: Books {
                planned: 100 + not_started,
                started: 100,
                not_started,
                completed: 100,
                failed: 0,
            },
            ..Measured::default()
        };
        measured.add(Operation::CheckIn, &timings);
        measured
    }

    fn own(cpu_s: f64) -> Own {
        Own {
            cpu_s: Some(cpu_s),
            duration_s: 10.0,
            processors: 2.0,
            ..Own::default()
        }
    }

    #[test]
    fn each_reason_alone_makes_a_measurement_doubtful() {
        let limits = |text: &str| vec![text.parse::<Threshold>().unwrap()];
        let none = Vec::new();
        let busy = Own {
            busiest_permille: Some(851),
            ..own(1.0)
        };
        let out = Own {
            out_of_ports: 3,
            ..own(1.0)
        };
        for (measured, own, thresholds, named) in [
            (measured(9_000, 1), own(16.9), none.clone(), None),
            (
                measured(11_000, 0),
                own(1.0),
                none.clone(),
                Some("started up to"),
            ),
            // 5 % of a limit of 400 ms are 20 ms.
            (
                measured(19_000, 0),
                own(1.0),
                limits("check_in.latency.p99<400ms"),
                None,
            ),
            (
                measured(21_000, 0),
                own(1.0),
                limits("check_in.latency.p99<400ms"),
                Some("more than 20.00 ms"),
            ),
            (
                measured(0, 0),
                own(17.1),
                none.clone(),
                Some("1.71 of its 2.00"),
            ),
            (measured(0, 0), busy, none.clone(), Some("in 85.1 %")),
            (measured(0, 0), out, none, Some("3 requests found no ports")),
        ] {
            let shown: Vec<String> = doubts(&measured, own, &thresholds)
                .iter()
                .map(ToString::to_string)
                .collect();
            match named {
                None => assert_eq!(shown, [""; 0]),
                Some(named) => {
                    assert_eq!(shown.len(), 1, "{shown:?}");
                    assert!(shown[0].contains(named), "{shown:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_nearly_used_up_makes_a_measurement_doubtful() {
        for (peak, limit, ports, named) in [
            (900, 1_000, 1_000, None),
            (901, 1_000, 9_000, Some("901 of 1000 file descriptors")),
            (901, 9_000, 1_000, Some("901 of 1000 ports")),
        ] {
            let descriptors = Some(Descriptors {
                peak,
                limit,
                ports: Some(ports),
            });
            let own = Own {
                descriptors,
                ..own(1.0)
            };
            let doubts = doubts(&measured(0, 0), own, &[]);
            assert_eq!(doubts.len(), usize::from(named.is_some()), "{doubts:?}");
            let shown = doubts.first().map(ToString::to_string).unwrap_or_default();
            assert!(shown.contains(named.unwrap_or_default()), "{shown}");
        }
    }

    #[test]
    fn books_that_do_not_balance_are_told() {
        let mut unbalanced = measured(0, 0);
        unbalanced.measured.started += 1;
        let shown = doubts(&unbalanced, own(1.0), &[]);
        assert!(matches!(shown.as_slice(), [Doubt::Books(_)]), "{shown:?}");
    }

    #[test]
    fn a_percentile_on_few_operations_is_no_measurement() {
        let threshold: Threshold = "check_in.latency.p99<400ms".parse().unwrap();
        let judged = threshold.judge(&measured(0, 0), None);
        let shown: Vec<String> = too_few(&[judged]).map(|doubt| doubt.to_string()).collect();
        assert_eq!(
            shown,
            ["100 operations are too few for `check_in.latency.p99<400ms`, which needs 270336"]
        );
    }
}
