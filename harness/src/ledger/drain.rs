//! When a log has been read to its end: a fence of sentinel operations, and two readings that
//! agree.

use std::time::Duration;

use protocol::time::UtcMillis;

/// Decides after each full reading of an audit log whether another one is needed.
///
/// The log is complete when every sentinel operation (the last ones of the run) is in it and two
/// readings in a row counted the same, or when a reading began after the time that a target has
/// to make an event readable (contract section 8, `T_audit`): what it did not show then is lost.
#[derive(Clone, Debug)]
pub struct Drain {
    deadline: UtcMillis,
    last_count: Option<u64>,
}

/// One full reading of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When the first page was asked for.
    pub started_at: UtcMillis,
    /// How many events it held.
    pub events: u64,
    /// Whether every sentinel was among them ([`super::Ledger::all_seen`]).
    pub fence: Fence,
}

/// Whether the sentinels are in a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// All of them are.
    Visible,
    /// At least one is not.
    Hidden,
}

/// What to do after a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read the log once more from its beginning.
    ReadAgain,
    /// The log is complete: the sentinels are there and two readings agreed.
    Complete,
    /// The time limit has passed: this reading counts, whatever is missing.
    TimeUp,
}

impl Drain {
    /// Starts when the last operation of the run was answered.
    #[must_use]
    pub fn new(last_answer: UtcMillis, limit: Duration) -> Self {
        let limit_ms = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        Self {
            deadline: last_answer.plus_millis(limit_ms),
            last_count: None,
        }
    }

    /// Takes a reading and tells what follows.
    pub fn take(&mut self, reading: Reading) -> Next {
        let agrees = self.last_count == Some(reading.events);
        self.last_count = Some(reading.events);
        match reading.fence {
            Fence::Visible if agrees => Next::Complete,
            Fence::Visible | Fence::Hidden if reading.started_at >= self.deadline => Next::TimeUp,
            Fence::Visible | Fence::Hidden => Next::ReadAgain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_complete_behind_the_fence_or_when_time_is_up() {
        const LIMIT: Duration = Duration::from_millis(5_000);
        use Fence::{Hidden, Visible};
        use Next::{Complete, ReadAgain, TimeUp};
        // Milliseconds after the last answer, events, sentinels, what follows.
        let tables: [&[(i64, u64, Fence, Next)]; 5] = [
            &[(0, 10, Visible, ReadAgain), (10, 10, Visible, Complete)],
            &[
                (0, 10, Visible, ReadAgain),
                (10, 11, Visible, ReadAgain),
                (20, 11, Visible, Complete),
            ],
            &[
                (0, 9, Hidden, ReadAgain),
                (10, 9, Hidden, ReadAgain),
                (20, 9, Visible, Complete),
            ],
            &[
                (0, 9, Hidden, ReadAgain),
                (4_999, 9, Hidden, ReadAgain),
                (5_000, 9, Hidden, TimeUp),
            ],
            &[(6_000, 9, Visible, TimeUp)],
        ];
        for table in tables {
            let ended = UtcMillis::from_millis(1_000_000);
            let mut drain = Drain::new(ended, LIMIT);
            for &(after_ms, events, fence, next) in table {
                let started_at = ended.plus_millis(after_ms);
                let reading = Reading {
                    started_at,
                    events,
                    fence,
                };
                assert_eq!(drain.take(reading), next, "{table:?} at {after_ms}");
            }
        }
    }
}
