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

    /// Begins again with as many events; the device keeps its place in the order.
    pub const fn restart(&mut self, events: u64) {
        self.next %= self.stride;
        self.events = events;
    }

    /// Those of the turns that belong to the first `events` events.
    #[must_use]
    pub const fn among_first(mut self, events: u64) -> Self {
        if events < self.events {
            self.events = events;
        }
        self
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

    #[test]
    fn a_new_round_keeps_the_order_of_devices() {
        for place in 0..5 {
            let mut turns = Turns::new(place, 5, 23);
            let first: Vec<_> = std::iter::from_fn(|| {
                let event = turns.peek()?;
                turns.advance();
                Some(event)
            })
            .collect();
            turns.restart(23);
            assert_eq!(turns.peek(), first.first().copied());
            assert_eq!(turns.among_first(7).left(), if place < 2 { 2 } else { 1 });
            assert_eq!(turns.left(), u64::try_from(first.len()).unwrap());
        }
    }
}
