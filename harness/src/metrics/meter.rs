//! What one shard, or the driver of the admin plane, measures during a round.
//!
//! Times go into the histograms of the present second; when a second is over they are added to
//! those of the round and handed to whoever keeps the intervals. An operation belongs to the
//! window in which it was planned to start, however late it ends.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::{End, Operation, Sample, Timings};
use crate::schedule::Books;

/// Where a meter's seconds go.
pub type Intervals = mpsc::UnboundedSender<Interval>;

const SECOND_NS: u64 = 1_000_000_000;

/// The part of a round that an operation was planned in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// Before the measured phase: not judged.
    WarmUp,
    /// The measured phase.
    Measured,
}

/// The times of a round, on the harness's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// When its schedule begins.
    pub start_ns: u64,
    /// When its measured phase begins.
    pub measured_ns: u64,
}

/// One second of one meter, by the time operations ended.
#[derive(Debug)]
pub struct Interval {
    /// Seconds since the start of the round.
    pub second: u64,
    /// When the operations were planned.
    pub window: Window,
    /// What they were.
    pub operation: Operation,
    /// Their times.
    pub timings: Timings,
}

/// What a round came to.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Check-ins planned before the measured phase.
    pub warm_up: Books,
    /// Check-ins planned in the measured phase.
    pub measured: Books,
    /// Other operations of which it is known how many were planned in the measured phase.
    pub books: BTreeMap<Operation, Books>,
    /// Operations planned in the measured phase.
    pub timings: BTreeMap<Operation, Timings>,
}

/// The meter of one worker.
#[derive(Debug)]
pub struct Meter {
    round: Round,
    sum: Measured,
    second: u64,
    open: BTreeMap<(Window, Operation), Timings>,
    empty: Timings,
    intervals: Option<Intervals>,
}

impl Meter {
    /// A meter before its first round.
    ///
    /// # Errors
    /// The histogram library refuses the bounds, which are constants.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            // Until the first round nothing is counted.
            round: Round {
                start_ns: u64::MAX,
                measured_ns: u64::MAX,
            },
            sum: Measured::default(),
            second: 0,
            open: BTreeMap::new(),
            empty: Timings::new()?,
            intervals: None,
        })
    }

    /// Forgets everything and starts a round with so many check-ins planned before and in its
    /// measured phase; its seconds go to `intervals`.
    pub fn begin(&mut self, round: Round, (warm_up, measured): (u64, u64), intervals: Intervals) {
        self.intervals = Some(intervals);
        let planned = |planned| Books {
            planned,
            ..Books::default()
        };
        self.open.clear();
        self.second = 0;
        self.round = round;
        self.sum = Measured {
            warm_up: planned(warm_up),
            measured: planned(measured),
            books: BTreeMap::new(),
            timings: BTreeMap::new(),
        };
    }

    /// A planned check-in that was begun.
    pub fn started(&mut self, intended_ns: u64) {
        self.books(intended_ns).started += 1;
    }

    /// A planned check-in that could not be begun in time. Where the harness itself came to it
    /// late, it says when: that delay counts like one of a check-in that was begun.
    pub fn not_started(&mut self, intended_ns: u64, came_ns: Option<u64>) {
        self.books(intended_ns).not_started += 1;
        if let Some(came_ns) = came_ns {
            let key = (self.window(intended_ns), Operation::CheckIn);
            self.times(key).record_delay(intended_ns, came_ns);
        }
    }

    /// A planned check-in that is over.
    pub fn checked_in(&mut self, sample: Sample, end: End) {
        let books = self.books(sample.intended_ns);
        match end {
            End::Completed => books.completed += 1,
            End::Failed => books.failed += 1,
        }
        self.record(Operation::CheckIn, sample, end);
    }

    /// An operation that is over. One of an operation before the round is not counted.
    pub fn record(&mut self, operation: Operation, sample: Sample, end: End) {
        if sample.intended_ns < self.round.start_ns {
            return;
        }
        let second = sample.ended_ns.saturating_sub(self.round.start_ns) / SECOND_NS;
        if second > self.second {
            self.flush();
            self.second = second;
        }
        let key = (self.window(sample.intended_ns), operation);
        self.times(key).record(sample, end);
    }

    fn times(&mut self, key: (Window, Operation)) -> &mut Timings {
        let empty = &self.empty;
        self.open.entry(key).or_insert_with(|| empty.clone())
    }

    /// What the round came to so far; the meter goes on.
    pub fn read(&mut self) -> Measured {
        self.flush();
        self.sum.clone()
    }

    fn window(&self, intended_ns: u64) -> Window {
        if intended_ns < self.round.measured_ns {
            Window::WarmUp
        } else {
            Window::Measured
        }
    }

    fn books(&mut self, intended_ns: u64) -> &mut Books {
        match self.window(intended_ns) {
            Window::WarmUp => &mut self.sum.warm_up,
            Window::Measured => &mut self.sum.measured,
        }
    }

    /// Closes the present second.
    fn flush(&mut self) {
        for ((window, operation), timings) in std::mem::take(&mut self.open) {
            if window == Window::Measured {
                self.sum.add(operation, &timings);
            }
            let interval = Interval {
                second: self.second,
                window,
                operation,
                timings,
            };
            // Whoever kept the intervals may be gone at the end of a run.
            if let Some(intervals) = &self.intervals
                && intervals.send(interval).is_err()
            {
                self.intervals = None;
            }
        }
    }
}

impl Measured {
    /// Adds what another meter measured in the same round.
    pub fn merge(&mut self, other: &Self) {
        self.warm_up.merge(&other.warm_up);
        self.measured.merge(&other.measured);
        for (operation, books) in &other.books {
            self.books.entry(*operation).or_default().merge(books);
        }
        for (operation, timings) in &other.timings {
            self.add(*operation, timings);
        }
    }

    /// The times of an operation, if there was one.
    #[must_use]
    pub fn of(&self, operation: Operation) -> Option<&Timings> {
        self.timings.get(&operation)
    }

    /// Adds times of an operation.
    pub fn add(&mut self, operation: Operation, timings: &Timings) {
        match self.timings.get_mut(&operation) {
            // Every histogram of this module has the same bounds, so none can refuse.
            Some(sum) => sum
                .merge(timings)
                .unwrap_or_else(|error| tracing::error!(%error, "histograms do not fit")),
            None => {
                self.timings.insert(operation, timings.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn sample(intended_ns: u64, took_ns: u64) -> Sample {
        Sample {
            intended_ns,
            begun_ns: intended_ns,
            sent_ns: intended_ns,
            ended_ns: intended_ns + took_ns,
        }
    }

    #[test]
    fn an_operation_counts_where_it_was_planned_and_is_logged_when_it_ended() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut meter = Meter::new().unwrap();
        let round = Round {
            start_ns: 500 * MS,
            measured_ns: 2_500 * MS,
        };
        meter.begin(round, (1, 2), sender);
        for (at_ms, took_ms) in [(2_400, 300), (2_500, 2_000), (2_600, 100)] {
            let planned = sample(at_ms * MS, took_ms * MS);
            meter.started(planned.intended_ns);
        }
        meter.checked_in(sample(2_400 * MS, 300 * MS), End::Completed);
        meter.checked_in(sample(2_600 * MS, 100 * MS), End::Failed);
        meter.checked_in(sample(2_500 * MS, 2_000 * MS), End::Completed);
        // Begun before the round: an enrolment, say.
        meter.record(Operation::Message, sample(100 * MS, MS), End::Completed);
        let measured = meter.read();
        assert!(measured.warm_up.balance() && measured.measured.balance());
        assert_eq!(
            (measured.warm_up.completed, measured.measured.failed),
            (1, 1)
        );
        let check_ins = measured.of(Operation::CheckIn).unwrap();
        assert_eq!((check_ins.count(), check_ins.failed()), (2, 1));
        assert!(measured.of(Operation::Message).is_none());
        drop(meter);
        let mut seen = Vec::new();
        while let Ok(interval) = receiver.try_recv() {
            seen.push((interval.second, interval.window, interval.timings.count()));
        }
        assert_eq!(
            seen,
            [
                (2, Window::WarmUp, 1),
                (2, Window::Measured, 1),
                (4, Window::Measured, 1),
            ]
        );
    }

    #[test]
    fn a_new_round_forgets_the_former() {
        let mut meter = Meter::new().unwrap();
        let (sender, _receiver) = mpsc::unbounded_channel();
        meter.begin(Round::default(), (0, 1), sender.clone());
        meter.started(0);
        meter.checked_in(sample(0, MS), End::Completed);
        assert_eq!(meter.read().measured.completed, 1);
        meter.begin(Round::default(), (0, 0), sender);
        assert_eq!(meter.read().measured, Books::default());
        assert!(meter.read().timings.is_empty());
    }
}
