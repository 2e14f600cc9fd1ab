//! An artificial limit: the management plane as one server that works on one request at a time and
//! takes the same time for each, with an endless queue in front. Tests of load and capacity know by
//! that what they must find.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The one server.
#[derive(Debug)]
pub(crate) struct Limit {
    service: Duration,
    /// When it has worked off everything that waits.
    free_at: Mutex<Option<Instant>>,
}

impl Limit {
    /// A server of this rate, in requests in a thousand seconds.
    pub(crate) fn new(per_1000_s: u64) -> Self {
        Self {
            service: Duration::from_nanos(1_000_000_000_000 / per_1000_s.max(1)),
            free_at: Mutex::new(None),
        }
    }

    /// Returns when the request has been served.
    pub(crate) async fn pass(&self) {
        let served_at = self.enqueue(Instant::now());
        tokio::time::sleep_until(served_at).await;
    }

    /// When a request that arrives now is served: after all that wait.
    fn enqueue(&self, now: Instant) -> Instant {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = free_at.map_or(now, |free_at| free_at.max(now));
        let served_at = begins + self.service;
        *free_at = Some(served_at);
        served_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_served_one_after_the_other() {
        let limit = Limit::new(200_000);
        let start = Instant::now();
        let ms = Duration::from_millis(1);
        for (arrives_ms, served_ms) in [(0, 5), (0, 10), (2, 15), (30, 35), (36, 41)] {
            let served_at = limit.enqueue(start + ms * arrives_ms);
            assert_eq!(
                served_at - start,
                ms * served_ms,
                "arrived at {arrives_ms} ms"
            );
        }
    }
}
