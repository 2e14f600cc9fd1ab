//! Which events belong to which device.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
