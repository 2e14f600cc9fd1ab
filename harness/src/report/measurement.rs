//! How the load went, as it is reported: what was offered, how long each kind of operation took,
//! which thresholds were kept, and what speaks against the measurement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Quantiles;
use crate::interval_log::Row;
use crate::metrics::{Percentiles, Timings};
use crate::schedule::Books;
use crate::threshold::{Held, Judged};
use crate::usage::Descriptors;

/// A load as it was planned and measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The fleet file, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What the load was, in words: phases, warm-up, compression, poll table, verification.
    pub offered: Vec<String>,
    /// False when the answers of the measured phase were not held against the model.
    pub verified: bool,
    /// Check-ins planned before the measured phase.
    pub warm_up: BooksRow,
    /// Check-ins planned in the measured phase.
    pub measured: BooksRow,
    /// Every kind of operation that was timed.
    pub operations: BTreeMap<String, OperationRow>,
    /// Errands of administrators.
    pub errands: BTreeMap<String, BooksRow>,
    /// The thresholds.
    pub thresholds: Vec<Judged>,
    /// What makes the measurement invalid.
    pub doubts: Vec<String>,
    /// Descriptors of the harness in the measured phase, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Descriptors>,
    /// Every second of the load.
    pub seconds: Vec<Row>,
    /// Whether doubts and thresholds decide the verdict, as in `load`, or are notes, as in `run`.
    pub binding: bool,
}

/// Planned operations and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BooksRow {
    /// In the plan.
    pub planned: u64,
    /// Begun.
    pub started: u64,
    /// Not begun in time.
    pub not_started: u64,
    /// Brought to their proper end.
    pub completed: u64,
    /// Not brought to it.
    pub failed: u64,
}

/// The times of one kind of operation in the measured phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRow {
    /// How many there were, failed ones included.
    pub count: u64,
    /// How many failed; they are in the times at the value they took to fail.
    pub failed: u64,
    /// How many took longer than the 60 s at which they are counted.
    pub saturated: u64,
    /// From the planned start.
    pub latency_us: Quantiles,
    /// From the send.
    pub service_time_us: Quantiles,
    /// From the planned start to the begin: what the harness alone was late.
    pub start_delay_us: Quantiles,
}

impl From<Books> for BooksRow {
    fn from(books: Books) -> Self {
        let Books {
            planned,
            started,
            not_started,
            completed,
            failed,
        } = books;
        Self {
            planned,
            started,
            not_started,
            completed,
            failed,
        }
    }
}

impl From<Percentiles> for Quantiles {
    fn from(percentiles: Percentiles) -> Self {
        let Percentiles {
            p50,
            p90,
            p99,
            p999,
            max,
        } = percentiles;
        Self {
            p50,
            p90,
            p99,
            p999,
            max,
        }
    }
}

impl From<&Timings> for OperationRow {
    fn from(timings: &Timings) -> Self {
        Self {
            count: timings.count(),
            failed: timings.failed(),
            saturated: timings.saturated(),
            latency_us: timings.latency().into(),
            service_time_us: timings.service_time().into(),
            start_delay_us: timings.start_delay().into(),
        }
    }
}

impl Measurement {
    /// The lines of the text report, a label and a value each.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut line = |label: &str, text: String| lines.push((label.to_owned(), text));
        if self.binding {
            let mut label = "load";
            for text in self.profile.iter().chain(&self.offered) {
                line(label, text.clone());
                label = "";
            }
            line("warm-up", self.warm_up.to_string());
            line("measured", self.measured.to_string());
            for (name, books) in &self.errands {
                line("errands", format!("{name}: {books}"));
            }
            for (name, row) in &self.operations {
                line("operation", format!("{name}: {row}"));
            }
            if let Some(Descriptors { peak, limit, ports }) = self.descriptors {
                let ports = ports.map(|ports| format!("; {ports} local ports, one a connection"));
                let ports = ports.unwrap_or_default();
                line(
                    "descriptors",
                    format!("up to {peak} of {limit} open{ports}"),
                );
            }
            for judged in &self.thresholds {
                line("threshold", spoken(judged));
            }
        }
        let label = if self.binding { "invalid" } else { "note" };
        for doubt in &self.doubts {
            line(label, doubt.clone());
        }
        lines
    }
}

impl std::fmt::Display for BooksRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} planned = {} started + {} not started; {} completed, {} failed",
            self.planned, self.started, self.not_started, self.completed, self.failed
        )
    }
}

impl std::fmt::Display for OperationRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (latency, service) = (self.latency_us, self.service_time_us);
        write!(
            f,
            "{} ({} failed); latency p50 {}, p90 {}, p99 {}, max {} us; service time p50 {}, p99 {} us; start delay p99 {} us",
            self.count,
            self.failed,
            latency.p50,
            latency.p90,
            latency.p99,
            latency.max,
            service.p50,
            service.p99,
            self.start_delay_us.p99
        )?;
        if self.saturated > 0 {
            write!(f, "; {} over 60 s, counted at that", self.saturated)?;
        }
        Ok(())
    }
}

fn spoken(judged: &Judged) -> String {
    let Judged {
        threshold,
        result,
        measured,
        samples,
        samples_needed,
    } = judged;
    match result {
        Held::Kept => format!("{threshold}: kept, {measured} ({samples} operations)"),
        Held::Missed => format!("{threshold}: missed, {measured} ({samples} operations)"),
        Held::TooFewSamples => {
            format!("{threshold}: not judged, {samples} operations of {samples_needed} needed")
        }
    }
}
