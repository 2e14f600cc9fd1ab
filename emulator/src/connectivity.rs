//! Whether a device reaches the network, and the schedule by which that changes.

use protocol::time::UtcMillis;

/// Whether a device reaches the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connectivity {
    /// Requests go out and pushes arrive.
    Online,
    /// Nothing goes out and nothing arrives; nothing is queued for later either.
    Offline,
}

/// A stretch of time without network, `from` included, `to` excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfflineWindow {
    /// First instant offline.
    pub from: UtcMillis,
    /// First instant online again.
    pub to: UtcMillis,
}

/// When a device is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectivitySchedule {
    /// Online but for these windows.
    Windows(Vec<OfflineWindow>),
    /// Online for `online_ms`, offline for `offline_ms`, over and over from `start` on.
    Cycle {
        /// The instant at which an online stretch begins.
        start: UtcMillis,
        /// Length of an online stretch in milliseconds, at least 1.
        online_ms: i64,
        /// Length of an offline stretch in milliseconds, at least 1.
        offline_ms: i64,
    },
}

impl ConnectivitySchedule {
    /// The connectivity at an instant.
    #[must_use]
    pub fn at(&self, now: UtcMillis) -> Connectivity {
        let offline = match self {
            Self::Windows(windows) => windows
                .iter()
                .any(|window| window.from <= now && now < window.to),
            Self::Cycle {
                start,
                online_ms,
                offline_ms,
            } => {
                let period = period(*online_ms, *offline_ms);
                now.millis_since(*start).rem_euclid(period) >= (*online_ms).max(1)
            }
        };
        if offline {
            Connectivity::Offline
        } else {
            Connectivity::Online
        }
    }

    /// The first instant after `now` at which the connectivity may change.
    #[must_use]
    pub fn next_change(&self, now: UtcMillis) -> Option<UtcMillis> {
        match self {
            Self::Windows(windows) => windows
                .iter()
                .flat_map(|window| [window.from, window.to])
                .filter(|at| *at > now)
                .min(),
            Self::Cycle {
                start,
                online_ms,
                offline_ms,
            } => {
                let period = period(*online_ms, *offline_ms);
                let phase = now.millis_since(*start).rem_euclid(period);
                let online_ms = (*online_ms).max(1);
                let wait = if phase < online_ms {
                    online_ms - phase
                } else {
                    period - phase
                };
                Some(now.plus_millis(wait))
            }
        }
    }
}

/// Length of a whole cycle, at least 2 ms.
fn period(online_ms: i64, offline_ms: i64) -> i64 {
    online_ms.max(1).saturating_add(offline_ms.max(1))
}
