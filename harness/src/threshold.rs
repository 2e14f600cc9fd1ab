//! What a load must keep to: a limit on a percentile or on the share of errors.
//!
//! ```text
//! check_in.latency.p99<250ms       a percentile of a time of an operation, `max` for the largest
//! check_in.error_ratio<0.1%        the share that did not come to its proper end
//! error_ratio<0.1%                 the same of check-ins
//! ```
//!
//! A percentile speaks for the target only when enough operations stand behind it
//! ([`samples_needed`]); with fewer nothing is judged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::metrics::{Measured, Metric, Operation, Quantile};
use crate::quantity::{rounded_us, scaled, spoken_ns, time_ns};

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Of what.
    pub subject: Subject,
    /// The value must be below it, or may equal it.
    pub comparison: Comparison,
    /// Microseconds of a percentile, billionths of a ratio.
    limit: u64,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A point of the distribution of a time.
    Time(Operation, Metric, Quantile),
    /// The share of an operation that failed or was not started.
    ErrorRatio(Operation),
}

/// How a value stands to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// What a threshold says of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The threshold as it was given.
    pub threshold: String,
    /// Whether it was kept.
    pub result: Held,
    /// What was measured, in words.
    pub measured: String,
    /// How many operations stand behind it.
    pub samples: u64,
    /// How many would be enough.
    pub samples_needed: u64,
}

/// Whether a threshold was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// It was.
    Kept,
    /// It was not.
    Missed,
    /// Too few operations to say.
    TooFewSamples,
}

/// Operations that a percentile must stand on, for a confidence of 99 % and the margins of the
/// MLPerf inference rules (early stopping table: 270,336 for 99 %, 57,344 for 95 %, 24,576 for
/// 90 %). Between the rows the next stricter one counts. A largest value or a ratio needs none: it
/// is a statement on what was seen.
const SAMPLES: [(u32, u64); 3] = [(900_000, 24_576), (950_000, 57_344), (990_000, 270_336)];

/// One billion: the scale of ratios.
const ONE: u64 = 1_000_000_000;

/// How many operations a percentile needs behind it.
#[must_use]
pub fn samples_needed(quantile: Quantile) -> u64 {
    let share = match quantile {
        Quantile::Max => return 1,
        Quantile::PerMillion(share) => share,
    };
    let row = SAMPLES.iter().find(|(to, _)| share <= *to);
    row.map_or_else(
        // Beyond the table the number grows as the tail gets thinner: a p99.9 wants ten times as
        // many as a p99.
        || 270_336 * 10_000 / u64::from(1_000_000 - share.min(999_999)),
        |(_, samples)| *samples,
    )
}

impl Threshold {
    /// A limit on the share of check-ins that fail, in billionths.
    #[must_use]
    pub const fn error_ratio_billionths(limit: u64) -> Self {
        Self {
            subject: Subject::ErrorRatio(Operation::CheckIn),
            comparison: Comparison::Below,
            limit,
        }
    }

    /// A limit on a percentile, in microseconds.
    #[must_use]
    pub const fn time_us(subject: (Operation, Metric, Quantile), limit: u64) -> Self {
        let (operation, metric, quantile) = subject;
        Self {
            subject: Subject::Time(operation, metric, quantile),
            comparison: Comparison::Below,
            limit,
        }
    }

    /// The limit of a time, in microseconds.
    #[must_use]
    pub const fn limit_us(&self) -> Option<u64> {
        match self.subject {
            Subject::Time(..) => Some(self.limit),
            Subject::ErrorRatio(_) => None,
        }
    }

    /// Holds a measurement against it. With `needed` given, so many operations are enough for a
    /// percentile instead of the number of the table.
    #[must_use]
    pub fn judge(&self, measured: &Measured, needed: Option<u64>) -> Judged {
        let (value, shown, samples, samples_needed) = match self.subject {
            Subject::Time(operation, metric, quantile) => {
                let timings = measured.of(operation);
                let value = timings.map_or(0, |timings| timings.at(metric, quantile));
                let samples = timings.map_or(0, crate::metrics::Timings::count);
                let enough = needed.unwrap_or_else(|| samples_needed(quantile));
                (value, rounded_us(value), samples, enough)
            }
            Subject::ErrorRatio(operation) => {
                let (bad, all) = errors(measured, operation);
                let ratio = u128::from(bad) * u128::from(ONE) / u128::from(all.max(1));
                let ratio = u64::try_from(ratio).unwrap_or(u64::MAX);
                (ratio, format!("{bad} of {all}"), all, 1)
            }
        };
        let result = if samples < samples_needed {
            Held::TooFewSamples
        } else if self.allows(value) {
            Held::Kept
        } else {
            Held::Missed
        };
        Judged {
            threshold: self.to_string(),
            result,
            measured: shown,
            samples,
            samples_needed,
        }
    }

    /// True when a measurement that is not over shows that the threshold will be missed at its
    /// end, whatever comes: so many of `planned` operations are over the limit already.
    #[must_use]
    pub fn is_lost(&self, so_far: &Measured, planned: u64) -> bool {
        match self.subject {
            Subject::ErrorRatio(operation) => {
                let bad = so_far
                    .of(operation)
                    .map_or(0, crate::metrics::Timings::failed);
                let ratio = u128::from(bad) * u128::from(ONE) / u128::from(planned.max(1));
                !self.allows(u64::try_from(ratio).unwrap_or(u64::MAX))
            }
            Subject::Time(operation, metric, quantile) => {
                let Some(timings) = so_far.of(operation) else {
                    return false;
                };
                let histogram = timings.histogram(metric);
                let within = histogram.count_between(0, self.limit.saturating_sub(1).max(1));
                let over = histogram.len() - within;
                let share = match quantile {
                    Quantile::Max => 1_000_000,
                    Quantile::PerMillion(share) => share,
                };
                // Lost when more than the rest of the share is over the limit.
                let rest = u128::from(planned) * u128::from(1_000_000 - share) / 1_000_000;
                u128::from(over) > rest
            }
        }
    }

    const fn allows(&self, value: u64) -> bool {
        match self.comparison {
            Comparison::Below => value < self.limit,
            Comparison::AtMost => value <= self.limit,
        }
    }
}

/// What failed or was not started, and all there were to be. Parts of other operations, such as
/// messages, are planned by nobody: of them what was begun counts.
fn errors(measured: &Measured, operation: Operation) -> (u64, u64) {
    let books = if operation == Operation::CheckIn {
        Some(&measured.measured)
    } else {
        measured.books.get(&operation)
    };
    let timed = || {
        measured
            .of(operation)
            .map_or((0, 0), |timings| (timings.failed(), timings.count()))
    };
    books.map_or_else(timed, |books| {
        (books.failed + books.not_started, books.planned)
    })
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let complain = |complaint: String| format!("{complaint} in the threshold `{text}`");
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (subject, rest) = compact
            .split_once('<')
            .ok_or_else(|| complain("no `<`".to_owned()))?;
        let (comparison, limit) = rest
            .strip_prefix('=')
            .map_or((Comparison::Below, rest), |limit| {
                (Comparison::AtMost, limit)
            });
        let subject = subject.parse().map_err(complain)?;
        let limit = match subject {
            Subject::Time(..) => time_ns(limit)
                .map(|ns| ns / 1_000)
                .filter(|us| *us > 0)
                .ok_or_else(|| complain(format!("`{limit}` is no time such as 250ms"))),
            Subject::ErrorRatio(_) => ratio(limit)
                .ok_or_else(|| complain(format!("`{limit}` is no ratio such as 0.1% or 0.001"))),
        }?;
        Ok(Self {
            subject,
            comparison,
            limit,
        })
    }
}

impl Subject {
    /// The operation that it speaks of.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Time(operation, ..) | Self::ErrorRatio(operation) => *operation,
        }
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        match parts.as_slice() {
            ["error_ratio"] => Ok(Self::ErrorRatio(Operation::CheckIn)),
            [operation, "error_ratio"] => Ok(Self::ErrorRatio(known_operation(operation)?)),
            [operation, metric, quantile @ ..] => {
                let operation = known_operation(operation)?;
                let known = |one: &Metric| one.as_str() == *metric;
                let metric = Metric::ALL.into_iter().find(known).ok_or_else(|| {
                    format!(
                        "`{metric}` is neither latency, service_time, start_delay nor error_ratio"
                    )
                })?;
                let quantile = quantile.join(".");
                let quantile = percentile(&quantile).ok_or_else(|| {
                    format!("`{quantile}` is no percentile such as p99 or p99.9, nor max")
                })?;
                Ok(Self::Time(operation, metric, quantile))
            }
            _ => Err(format!("`{text}` names no operation and value")),
        }
    }
}

fn known_operation(name: &str) -> Result<Operation, String> {
    Operation::by_name(name).ok_or_else(|| {
        let names = Operation::ALL.map(Operation::as_str).join(", ");
        format!("`{name}` is no operation: {names}")
    })
}

fn percentile(text: &str) -> Option<Quantile> {
    if text == "max" {
        return Some(Quantile::Max);
    }
    let share = scaled(text.strip_prefix('p')?, 4)?;
    let share = u32::try_from(share).ok()?;
    (1..1_000_000)
        .contains(&share)
        .then_some(Quantile::PerMillion(share))
}

/// Billionths.
fn ratio(text: &str) -> Option<u64> {
    let billionths = match text.strip_suffix('%') {
        Some(percent) => scaled(percent, 7)?,
        None => scaled(text, 9)?,
    };
    (billionths <= ONE).then_some(billionths)
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.comparison {
            Comparison::Below => "<",
            Comparison::AtMost => "<=",
        };
        match self.subject {
            Subject::Time(operation, metric, quantile) => write!(
                f,
                "{operation}.{}.{quantile}{sign}{}",
                metric.as_str(),
                spoken_ns(self.limit * 1_000)
            ),
            Subject::ErrorRatio(operation) => {
                let (whole, part) = (self.limit / 10_000_000, self.limit % 10_000_000);
                let part = format!("{part:07}");
                let part = part.trim_end_matches('0');
                let dot = if part.is_empty() { "" } else { "." };
                write!(f, "{operation}.error_ratio{sign}{whole}{dot}{part}%")
            }
        }
    }
}

#[cfg(test)]
mod tests;
