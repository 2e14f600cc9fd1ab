//! How long check-ins took: three histograms a shard, merged at the end.

use hdrhistogram::Histogram;
use serde::Serialize;

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

/// The times of one shard, or of all after merging. Failed check-ins are in them at the time they
/// took to fail.
#[derive(Clone, Debug)]
pub struct Timings {
    latency: Histogram<u64>,
    service_time: Histogram<u64>,
    start_delay: Histogram<u64>,
}

/// The times of one check-in, in nanoseconds on the harness's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was planned to start.
    pub intended_ns: u64,
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
        })
    }

    /// Counts a check-in.
    pub fn record(&mut self, sample: Sample) {
        let Sample {
            intended_ns,
            sent_ns,
            ended_ns,
        } = sample;
        self.latency
            .saturating_record(micros(intended_ns, ended_ns));
        self.service_time
            .saturating_record(micros(sent_ns, ended_ns));
        self.start_delay
            .saturating_record(micros(intended_ns, sent_ns));
    }

    /// Adds the values of another shard.
    ///
    /// # Errors
    /// Never with the bounds of this module: all timings have the same.
    pub fn merge(&mut self, other: &Self) -> Result<(), hdrhistogram::AdditionError> {
        self.latency.add(&other.latency)?;
        self.service_time.add(&other.service_time)?;
        self.start_delay.add(&other.start_delay)
    }

    /// How many check-ins are in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.latency.len()
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

    /// From the planned start to the send.
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
        timings.record(Sample {
            intended_ns: 0,
            sent_ns: 500_000,
            ended_ns: 700_000,
        });
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
                sent_ns: 0,
                ended_ns: value * 1_000,
            };
            if value % 2 == 0 {
                one.record(sample);
            } else {
                two.record(sample);
            }
        }
        one.merge(&two).unwrap();
        assert_eq!(one.count(), 1_000);
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
        timings.record(Sample {
            intended_ns: 0,
            sent_ns: 0,
            ended_ns: u64::MAX,
        });
        assert!(timings.latency().max >= HIGH_US);
    }
}
