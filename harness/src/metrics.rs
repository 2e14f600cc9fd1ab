//! How long operations took: three histograms for each kind of operation, filled where the
//! operation runs, merged at the end.
//!
//! | module | job |
//! |---|---|
//! | `meter` | what one shard measures, second by second |
//! | `operation` | the kinds of operation, and the times of each |

mod meter;
mod operation;

use hdrhistogram::Histogram;
use serde::Serialize;

pub use meter::{Interval, Intervals, Measured, Meter, Round, Window};
pub use operation::{End, Metric, Operation, Quantile};

/// The shortest time told apart.
const LOW_US: u64 = 1;
/// The longest; what is longer is counted at this value.
const HIGH_US: u64 = 60_000_000;
/// Significant decimal digits.
const DIGITS: u8 = 3;

/// Points of a distribution in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half of the values are at most this.
    pub p50: u64,
    /// Nine tenths.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p999: u64,
    /// The largest.
    pub max: u64,
}

/// The times of one kind of operation. Failed ones are in them at the time they took to fail.
#[derive(Clone, Debug)]
pub struct Timings {
    latency: Histogram<u64>,
    service_time: Histogram<u64>,
    start_delay: Histogram<u64>,
    failed: u64,
    saturated: u64,
}

/// The times of one operation, in nanoseconds on the harness's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was planned to start.
    pub intended_ns: u64,
    /// When it was begun: its first request handed over, which may then wait for a connection.
    pub begun_ns: u64,
    /// When its first request was sent.
    pub sent_ns: u64,
    /// When it was over.
    pub ended_ns: u64,
}

impl Timings {
    /// Timings without a value.
    ///
    /// # Errors
    /// The histogram library refuses the bounds, which are constants here.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        let empty = Histogram::new_with_bounds(LOW_US, HIGH_US, DIGITS)?;
        Ok(Self {
            latency: empty.clone(),
            service_time: empty.clone(),
            start_delay: empty,
            failed: 0,
            saturated: 0,
        })
    }

    /// Counts an operation.
    pub fn record(&mut self, sample: Sample, end: End) {
        self.failed += u64::from(end == End::Failed);
        let latency_us = micros(sample.intended_ns, sample.ended_ns);
        self.saturated += u64::from(latency_us > HIGH_US);
        let Sample {
            intended_ns,
            begun_ns,
            sent_ns,
            ended_ns,
        } = sample;
        self.latency.saturating_record(latency_us);
        self.service_time
            .saturating_record(micros(sent_ns, ended_ns));
        self.start_delay
            .saturating_record(micros(intended_ns, begun_ns));
    }

    /// Counts the delay of an operation that was not begun.
    pub fn record_delay(&mut self, intended_ns: u64, now_ns: u64) {
        self.start_delay
            .saturating_record(micros(intended_ns, now_ns));
    }

    /// Adds the values of another shard.
    ///
    /// # Errors
    /// Never with the bounds of this module: all timings have the same.
    pub fn merge(&mut self, other: &Self) -> Result<(), hdrhistogram::AdditionError> {
        self.latency.add(&other.latency)?;
        self.service_time.add(&other.service_time)?;
        self.failed += other.failed;
        self.saturated += other.saturated;
        self.start_delay.add(&other.start_delay)
    }

    /// How many operations are in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.latency.len()
    }

    /// How many of them failed.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// How many took longer than 60 s and are counted at that.
    #[must_use]
    pub const fn saturated(&self) -> u64 {
        self.saturated
    }

    /// The histogram of a metric, in microseconds.
    #[must_use]
    pub const fn histogram(&self, metric: Metric) -> &Histogram<u64> {
        match metric {
            Metric::Latency => &self.latency,
            Metric::ServiceTime => &self.service_time,
            Metric::StartDelay => &self.start_delay,
        }
    }

    /// The time, in microseconds, that this share of the operations did not exceed.
    #[must_use]
    pub fn at(&self, metric: Metric, quantile: Quantile) -> u64 {
        let histogram = self.histogram(metric);
        match quantile {
            Quantile::Max => histogram.max(),
            Quantile::PerMillion(share) => {
                histogram.value_at_quantile(f64::from(share) / 1_000_000.0)
            }
        }
    }

    /// From the planned start to the end.
    #[must_use]
    pub fn latency(&self) -> Percentiles {
        percentiles(&self.latency)
    }

    /// From the send to the end.
    #[must_use]
    pub fn service_time(&self) -> Percentiles {
        percentiles(&self.service_time)
    }

    /// From the planned start to the begin.
    #[must_use]
    pub fn start_delay(&self) -> Percentiles {
        percentiles(&self.start_delay)
    }
}

fn micros(from_ns: u64, to_ns: u64) -> u64 {
    to_ns.saturating_sub(from_ns) / 1_000
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    if histogram.is_empty() {
        return Percentiles::default();
    }
    Percentiles {
        p50: histogram.value_at_quantile(0.50),
        p90: histogram.value_at_quantile(0.90),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_start_counts_from_its_planned_time() {
        let mut timings = Timings::new().unwrap();
        timings.record(
            Sample {
                intended_ns: 0,
                begun_ns: 500_000,
                sent_ns: 500_000,
                ended_ns: 700_000,
            },
            End::Completed,
        );
        assert_eq!(timings.latency().max, 700);
        assert_eq!(timings.service_time().max, 200);
        assert_eq!(timings.start_delay().max, 500);
    }

    #[test]
    fn merged_shards_give_the_percentiles_of_all() {
        let mut one = Timings::new().unwrap();
        let mut two = Timings::new().unwrap();
        for value in 1..=1_000_u64 {
            let sample = Sample {
                intended_ns: 0,
                begun_ns: 0,
                sent_ns: 0,
                ended_ns: value * 1_000,
            };
            if value % 2 == 0 {
                one.record(sample, End::Completed);
            } else {
                two.record(sample, End::Failed);
            }
        }
        one.merge(&two).unwrap();
        assert_eq!((one.count(), one.failed()), (1_000, 500));
        let Percentiles {
            p50,
            p90,
            p99,
            p999,
            max,
        } = one.latency();
        assert_eq!((p50, p90, p99, p999, max), (500, 900, 990, 999, 1_000));
    }

    #[test]
    fn no_values_and_endless_values_have_bounds() {
        let mut timings = Timings::new().unwrap();
        assert_eq!(timings.latency(), Percentiles::default());
        timings.record(
            Sample {
                intended_ns: 0,
                begun_ns: 0,
                sent_ns: 0,
                ended_ns: u64::MAX,
            },
            End::Failed,
        );
        assert!(timings.latency().max >= HIGH_US);
        assert_eq!((timings.count(), timings.saturated()), (1, 1));
    }
}
