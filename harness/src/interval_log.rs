//! Keeps the seconds of a round: joins those of all workers, writes them as an HDR interval log
//! that standard tools read, and keeps one short row of each for the report.
//!
//! A log line holds the times of one metric of one operation, tagged `<operation>.<metric>`, with
//! the prefix `warm_up.` before the measured phase. Values are microseconds.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use protocol::time::UtcMillis;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::metrics::{
    Interval, Intervals, Measured, Metric, Operation, Percentiles, Timings, Window,
};

/// The name of the log in the folder of a report.
pub const FILE: &str = "intervals.hlog";
/// A second is complete when some worker is this far beyond it: workers hand over a second with
/// the first operation that ends after it.
const BEHIND_S: u64 = 3;
/// How often what the workers sent is written.
const LOOK: Duration = Duration::from_millis(500);
/// Rows kept for the report: a day of seconds.
const ROWS_MAX: usize = 86_400;

/// One second of check-ins, for the report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Seconds since the start of the load, warm-up included.
    pub second: u64,
    /// Check-ins that ended in it, failed ones included.
    pub ended: u64,
    /// Those that failed.
    pub failed: u64,
    /// Median of their latency, in microseconds.
    pub p50_us: u64,
    /// 99 %.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// What the keeper knows so far; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    incoming: Option<mpsc::UnboundedReceiver<Interval>>,
    open: BTreeMap<u64, BTreeMap<(Window, Operation), Timings>>,
    newest: u64,
    measured: Measured,
    rows: Vec<Row>,
    log: Option<Log>,
    /// Why the log ended early.
    broken: Option<String>,
}

/// The file.
struct Log {
    path: PathBuf,
    out: BufWriter<File>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Kept {
    /// A keeper that writes no file.
    #[must_use]
    pub fn without_log() -> Self {
        Self::default()
    }

    /// A keeper that writes [`FILE`] into this folder.
    ///
    /// # Errors
    /// [`Error::SetUp`] when the file cannot be made.
    pub fn with_log(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let out = File::create(&path).map_err(|cause| {
            Error::SetUp(format!("cannot create `{}`: {cause}", path.display()))
        })?;
        let kept = Self::default();
        kept.with(|state| {
            state.log = Some(Log {
                path,
                out: BufWriter::new(out),
            });
        });
        Ok(kept)
    }

    /// Starts to take the seconds of a round that begins at this time; the workers send them to
    /// what it gives. What was kept of another round is written, and its rows are forgotten.
    #[must_use]
    pub fn open(&self, start: UtcMillis) -> Intervals {
        let (sender, receiver) = mpsc::unbounded_channel();
        let first = self.with(|state| state.begin(start, receiver));
        if first {
            tokio::spawn(write_in_time(Arc::downgrade(&self.state)));
        }
        sender
    }

    /// What was measured in the seconds that are complete.
    #[must_use]
    pub fn so_far(&self) -> Measured {
        self.with(|state| state.measured.clone())
    }

    /// Closes the seconds that are still open and the log; the rows, and what ended the log early.
    #[must_use]
    pub fn close(&self) -> (Vec<Row>, Option<Error>) {
        self.with(|state| {
            state.close_before(u64::MAX);
            state.incoming = None;
            if let Some(mut log) = state.log.take() {
                let ended = log.out.flush().and_then(|()| log.out.get_ref().sync_all());
                state.note(&log.path, ended);
            }
            let broken = state.broken.take().map(Error::SetUp);
            (std::mem::take(&mut state.rows), broken)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.drain();
        work(&mut state)
    }
}

/// Takes and writes what the workers send while the round goes on, away from their threads.
async fn write_in_time(state: Weak<Mutex<State>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(state) = state.upgrade() else { return };
        Kept { state }.with(|_drained| {});
    }
}

impl State {
    /// True for the first round.
    fn begin(&mut self, start: UtcMillis, incoming: mpsc::UnboundedReceiver<Interval>) -> bool {
        self.close_before(u64::MAX);
        self.newest = 0;
        self.measured = Measured::default();
        self.rows.clear();
        self.write(|out| header(out, start));
        self.incoming.replace(incoming).is_none()
    }

    /// Takes what the workers have sent.
    fn drain(&mut self) {
        while let Some(Ok(interval)) = self
            .incoming
            .as_mut()
            .map(mpsc::UnboundedReceiver::try_recv)
        {
            self.take(interval);
        }
    }

    fn take(&mut self, interval: Interval) {
        let Interval {
            second,
            window,
            operation,
            timings,
        } = interval;
        let of_second = self.open.entry(second).or_default();
        match of_second.get_mut(&(window, operation)) {
            Some(sum) => sum
                .merge(&timings)
                .unwrap_or_else(|error| tracing::error!(%error, "histograms do not fit")),
            None => {
                of_second.insert((window, operation), timings);
            }
        }
        self.newest = self.newest.max(second);
        self.close_before(self.newest.saturating_sub(BEHIND_S));
    }

    fn close_before(&mut self, second: u64) {
        while let Some(first) = self.open.first_entry() {
            if *first.key() >= second {
                return;
            }
            let (second, operations) = first.remove_entry();
            self.close(second, &operations);
        }
    }

    fn close(&mut self, second: u64, operations: &BTreeMap<(Window, Operation), Timings>) {
        let mut row = Row {
            second,
            ..Row::default()
        };
        for ((window, operation), timings) in operations {
            if *window == Window::Measured {
                self.measured.add(*operation, timings);
            }
            if *operation == Operation::CheckIn {
                row.add(timings);
            }
        }
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        }
        self.write(|out| {
            operations
                .iter()
                .try_for_each(|((window, operation), timings)| {
                    second_of(out, second, (*window, *operation), timings)
                })
        });
    }

    fn write(&mut self, work: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        let Some(mut log) = self.log.take() else {
            return;
        };
        // Line by line on the disk, so that a killed run leaves what it measured.
        let written = work(&mut log.out).and_then(|()| log.out.flush());
        let path = log.path.clone();
        if written.is_ok() {
            self.log = Some(log);
        }
        self.note(&path, written);
    }

    fn note(&mut self, path: &Path, written: io::Result<()>) {
        if let Err(cause) = written {
            let text = format!("cannot write `{}`: {cause}", path.display());
            self.broken.get_or_insert(text);
        }
    }
}

impl Row {
    fn add(&mut self, timings: &Timings) {
        let Percentiles { p50, p99, max, .. } = timings.latency();
        self.ended += timings.count();
        self.failed += timings.failed();
        // Warm-up and measured phase share one second at most: the larger values are shown.
        self.p50_us = self.p50_us.max(p50);
        self.p99_us = self.p99_us.max(p99);
        self.max_us = self.max_us.max(max);
    }
}

fn header(out: &mut BufWriter<File>, start: UtcMillis) -> io::Result<()> {
    let millis = u64::try_from(start.as_millis()).unwrap_or_default();
    let start = UNIX_EPOCH + Duration::from_millis(millis);
    let mut serializer = V2DeflateSerializer::new();
    let _writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("muster: times in microseconds, one line a second, operation and metric")
        .with_start_time(start)
        .with_base_time(start)
        .begin_log_with(out, &mut serializer)?;
    Ok(())
}

fn second_of(
    out: &mut BufWriter<File>,
    second: u64,
    (window, operation): (Window, Operation),
    timings: &Timings,
) -> io::Result<()> {
    for metric in Metric::ALL {
        let prefix = match window {
            Window::WarmUp => "warm_up.",
            Window::Measured => "",
        };
        let tag = format!("{prefix}{operation}.{}", metric.as_str());
        let mut line = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            // Microseconds; the column of the log is in milliseconds by custom.
            .with_max_value_divisor(1_000.0)
            .begin_log_with(&mut line, &mut serializer)?
            .write_histogram(
                timings.histogram(metric),
                Duration::from_secs(second),
                Duration::from_secs(1),
                Tag::new(&tag),
            )
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        // What stands before the histogram is the head of a log, which this one has already.
        let entries = line.split_inclusive(|byte| *byte == b'\n');
        let of_histogram =
            entries.filter(|entry| !entry.starts_with(b"#") && !entry.starts_with(b"\""));
        for entry in of_histogram {
            out.write_all(entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::metrics::{End, Sample};

    fn interval(second: u64, window: Window, took_ms: &[u64]) -> Interval {
        let mut timings = Timings::new().unwrap();
        for ms in took_ms {
            let sample = Sample {
                intended_ns: 0,
                begun_ns: 0,
                sent_ns: 0,
                ended_ns: ms * 1_000_000,
            };
            timings.record(sample, End::Completed);
        }
        Interval {
            second,
            window,
            operation: Operation::CheckIn,
            timings,
        }
    }

    /// Second, tag, count and largest value in milliseconds of a line of latencies.
    fn latency(entry: LogEntry<'_>) -> Option<(u64, String, u64, u64)> {
        let LogEntry::Interval(line) = entry else {
            return None;
        };
        let tag = line.tag()?.as_str().to_owned();
        let bytes = STANDARD.decode(line.encoded_histogram()).unwrap();
        let histogram: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .unwrap();
        let start_s = line.start_timestamp().as_secs();
        tag.ends_with(".latency")
            .then(|| (start_s, tag, histogram.len(), histogram.max() / 1_000))
    }

    #[tokio::test]
    async fn the_log_reads_back_with_the_seconds_of_all_workers_joined() {
        let folder = std::env::temp_dir().join(format!("muster-{}-hlog", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let kept = Kept::with_log(&folder).unwrap();
        let sender = kept.open(UtcMillis::from_millis(1_700_000_000_000));
        for one in [
            interval(0, Window::WarmUp, &[900]),
            interval(0, Window::Measured, &[10]),
            // Another worker is late with its first second.
            interval(2, Window::Measured, &[30, 40]),
            interval(0, Window::Measured, &[20]),
        ] {
            sender.send(one).unwrap();
        }
        let (rows, broken) = kept.close();
        assert!(broken.is_none());
        let shown: Vec<_> = rows.iter().map(|row| (row.second, row.ended)).collect();
        assert_eq!(shown, [(0, 3), (2, 2)]);
        let text = fs::read(folder.join(FILE)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let seen: Vec<_> = IntervalLogIterator::new(&text)
            .filter_map(|entry| latency(entry.unwrap()))
            .collect();
        assert_eq!(
            seen,
            [
                (0, "warm_up.check_in.latency".to_owned(), 1, 900),
                (0, "check_in.latency".to_owned(), 2, 20),
                (2, "check_in.latency".to_owned(), 2, 40),
            ]
        );
    }

    #[tokio::test]
    async fn the_measured_sum_leaves_the_warm_up_out_and_ends_with_its_round() {
        let kept = Kept::without_log();
        let sender = kept.open(UtcMillis::from_millis(0));
        sender.send(interval(0, Window::WarmUp, &[900])).unwrap();
        sender.send(interval(1, Window::Measured, &[10])).unwrap();
        sender.send(interval(9, Window::Measured, &[10])).unwrap();
        let count = |kept: &Kept| {
            let so_far = kept.so_far();
            so_far.of(Operation::CheckIn).map_or(0, Timings::count)
        };
        // The ninth second is not complete yet.
        assert_eq!(count(&kept), 1);
        let _next = kept.open(UtcMillis::from_millis(0));
        assert_eq!(count(&kept), 0);
    }

    #[tokio::test]
    async fn a_full_disk_ends_the_log_and_not_the_load() {
        let kept = Kept::without_log();
        kept.with(|state| {
            state.log = Some(Log {
                path: PathBuf::from("/dev/full"),
                out: BufWriter::new(File::create("/dev/full").unwrap()),
            });
        });
        let sender = kept.open(UtcMillis::from_millis(0));
        sender.send(interval(0, Window::Measured, &[10])).unwrap();
        let (rows, broken) = kept.close();
        assert_eq!(rows.len(), 1);
        let broken = broken.unwrap().to_string();
        assert!(broken.contains("`/dev/full`"), "{broken}");
    }
}
