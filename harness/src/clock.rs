//! The harness's one clock: monotonic, with one wall-clock reading taken at the start.
//!
//! Only this file reads the system's clocks. An instant of [`Clock::now`] never runs backwards,
//! whatever the machine's wall clock does during the run.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use protocol::time::UtcMillis;

/// The clock of a run; clones read the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    wall: UtcMillis,
}

impl Clock {
    /// Starts the clock: reads the wall clock once.
    #[must_use]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            origin: Instant::now(),
            wall: UtcMillis::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(0)),
        }
    }

    /// The present instant: the wall clock at the start plus the time run since.
    #[must_use]
    pub fn now(&self) -> UtcMillis {
        self.at(self.monotonic_ns())
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant that lies `monotonic_ns` nanoseconds after the start.
    #[must_use]
    pub fn at(&self, monotonic_ns: u64) -> UtcMillis {
        self.wall
            .plus_millis(i64::try_from(monotonic_ns / 1_000_000).unwrap_or(i64::MAX))
    }

    /// The runtime's instant that lies `monotonic_ns` nanoseconds after the start.
    #[must_use]
    pub fn deadline(&self, monotonic_ns: u64) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.origin + std::time::Duration::from_nanos(monotonic_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readings_run_together_and_never_backwards() {
        let clock = Clock::start();
        let first = clock.monotonic_ns();
        let second = clock.monotonic_ns();
        assert!(second >= first);
        assert_eq!(clock.at(5_000_000).millis_since(clock.at(0)), 5);
    }
}
