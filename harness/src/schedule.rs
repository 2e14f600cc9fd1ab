//! When check-ins and rotations are planned: pure functions of the load's options.
//!
//! The model is open: the start of event k is fixed before anything can be late, in integer
//! nanoseconds from the start of the measured phase.

/// An even rate over a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConstantRate {
    /// Events in a thousand seconds.
    pub per_1000_s: u64,
    /// Length of the measured phase.
    pub duration_ns: u64,
}

const THOUSAND_SECONDS_NS: u128 = 1_000_000_000_000;

impl ConstantRate {
    /// How many events start before the phase ends.
    #[must_use]
    pub fn events(&self) -> u64 {
        let exact = u128::from(self.duration_ns) * u128::from(self.per_1000_s);
        u64::try_from(exact.div_ceil(THOUSAND_SECONDS_NS)).unwrap_or(u64::MAX)
    }

    /// The planned start of event `event`, from the start of the phase.
    #[must_use]
    pub fn start_ns(&self, event: u64) -> u64 {
        let exact = u128::from(event) * THOUSAND_SECONDS_NS;
        u64::try_from(exact / u128::from(self.per_1000_s.max(1))).unwrap_or(u64::MAX)
    }
}

/// The planned check-ins of one device: every `stride`-th event from `next` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// The next event of the device.
    next: u64,
    stride: u64,
    events: u64,
}

impl Turns {
    /// The turns of the device at `place` of `devices` devices that take `events` events in turn.
    #[must_use]
    pub const fn new(place: u64, devices: u64, events: u64) -> Self {
        Self {
            next: place,
            stride: if devices == 0 { 1 } else { devices },
            events,
        }
    }

    /// The next event, if the phase has one left for the device.
    #[must_use]
    pub fn peek(&self) -> Option<u64> {
        (self.next < self.events).then_some(self.next)
    }

    /// Passes on to the event after.
    pub const fn advance(&mut self) {
        self.next = self.next.saturating_add(self.stride);
    }

    /// Events that are left.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.events.saturating_sub(self.next).div_ceil(self.stride)
    }
}

/// The books of the planned check-ins. What starts is counted where it starts, so that the sums
/// prove that nothing was lost in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Check-ins that the plan holds.
    pub planned: u64,
    /// Sessions started for a planned check-in.
    pub started: u64,
    /// Planned check-ins that could not start within a second of their time.
    pub not_started: u64,
    /// Started ones that came to their proper end.
    pub completed: u64,
    /// Started ones that did not.
    pub failed: u64,
}

impl Books {
    /// True when planned = started + `not_started` and started = completed + failed.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.planned == self.started + self.not_started
            && self.started == self.completed + self.failed
    }

    /// Adds the books of another shard.
    pub const fn merge(&mut self, other: &Self) {
        self.planned += other.planned;
        self.started += other.started;
        self.not_started += other.not_started;
        self.completed += other.completed;
        self.failed += other.failed;
    }
}

/// `count` instants spread evenly over a phase, each in the middle of its share.
pub fn spread(count: u64, duration_ns: u64) -> impl Iterator<Item = u64> {
    let middle = move |place: u64| {
        let exact = u128::from(2 * place + 1) * u128::from(duration_ns);
        u64::try_from(exact / u128::from(2 * count.max(1))).unwrap_or(u64::MAX)
    };
    (0..count).map(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_even_and_fill_the_phase() {
        for (per_1000_s, duration_ns, events, starts) in [
            (
                700_000,
                10_000_000_000,
                7_000,
                [(0, 0), (1, 1_428_571), (6_999, 9_998_571_428)],
            ),
            (
                3_000_000,
                20_000_000_000,
                60_000,
                [(0, 0), (3, 1_000_000), (59_999, 19_999_666_666)],
            ),
            (
                500,
                3_000_000_000,
                2,
                [(0, 0), (1, 2_000_000_000), (1, 2_000_000_000)],
            ),
        ] {
            let rate = ConstantRate {
                per_1000_s,
                duration_ns,
            };
            assert_eq!(rate.events(), events);
            for (event, start_ns) in starts {
                assert_eq!(rate.start_ns(event), start_ns);
            }
            assert!(rate.start_ns(events - 1) < duration_ns);
            assert!(rate.start_ns(events) >= duration_ns);
        }
    }

    #[test]
    fn devices_take_every_event_once() {
        for (devices, events) in [(3_u64, 10_u64), (10, 3), (1, 5), (7, 7), (4, 0)] {
            let mut taken = vec![0; usize::try_from(events).unwrap()];
            (0..devices).for_each(|place| take(Turns::new(place, devices, events), &mut taken));
            assert!(taken.iter().all(|count| *count == 1), "{devices} {events}");
        }
    }

    fn take(mut turns: Turns, taken: &mut [u32]) {
        for left in (0..turns.left()).rev() {
            let event = turns.peek().unwrap();
            taken[usize::try_from(event).unwrap()] += 1;
            turns.advance();
            assert_eq!(turns.left(), left);
        }
        assert_eq!(turns.peek(), None);
    }

    #[test]
    fn books_balance_over_shards() {
        let mut one = Books {
            planned: 5,
            started: 4,
            not_started: 1,
            completed: 3,
            failed: 1,
        };
        let two = Books {
            planned: 2,
            started: 2,
            not_started: 0,
            completed: 2,
            failed: 0,
        };
        assert!(one.balance() && two.balance());
        one.merge(&two);
        assert!(one.balance());
        one.started += 1;
        assert!(!one.balance());
    }

    #[test]
    fn spread_instants_keep_equal_distances() {
        assert_eq!(
            spread(4, 8_000).collect::<Vec<_>>(),
            [1_000, 3_000, 5_000, 7_000]
        );
        assert_eq!(spread(0, 8_000).count(), 0);
    }
}
