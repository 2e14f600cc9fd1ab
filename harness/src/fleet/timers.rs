//! The timers of a shard: a calendar ring of short buckets, one entry a device at most.
//!
//! Entries are linked by device index through two arrays, so setting, cancelling and taking an
//! entry of the ring allocates nothing. An entry further away than one turn of the ring stays in its
//! bucket until its turn comes. What is due in the present bucket stands in a small heap, so that
//! the earliest time is known without looking through a bucket again and again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Width of a bucket.
const BUCKET_NS: u64 = 16_000_000;
/// Buckets in the ring; a turn is 32.8 s.
const BUCKETS: usize = 2_048;
/// The end of a list, and the mark of a device without entry.
const NONE: u32 = u32::MAX;
/// The mark of a device whose entry stands in the heap.
const NEAR: u32 = u32::MAX - 1;

/// The timers of the devices 0 to n - 1 of a shard.
#[derive(Debug)]
pub struct Timers {
    /// First device of each bucket.
    heads: Vec<u32>,
    links: Vec<Link>,
    /// Everything that is due before the bucket `cursor` begins, and what was taken back of it.
    near: BinaryHeap<Reverse<(u64, u32)>>,
    /// The first bucket of time, counted from 0, whose entries still stand in the ring.
    cursor: u64,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    due_ns: u64,
    next: u32,
    previous: u32,
    /// The bucket of the entry, [`NEAR`] in the heap, [`NONE`] without one.
    bucket: u32,
}

const UNSET: Link = Link {
    due_ns: 0,
    next: NONE,
    previous: NONE,
    bucket: NONE,
};

impl Timers {
    /// Timers for this many devices, none of them set.
    #[must_use]
    pub fn new(devices: usize) -> Self {
        Self {
            heads: vec![NONE; BUCKETS],
            links: vec![UNSET; devices],
            near: BinaryHeap::new(),
            cursor: 0,
            len: 0,
        }
    }

    /// How many timers are set.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when no timer is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the timer of a device, in the place of the one it had.
    pub fn set(&mut self, device: u32, due_ns: u64) {
        self.cancel(device);
        let Some(link) = index(device).and_then(|slot| self.links.get_mut(slot)) else {
            return;
        };
        self.len += 1;
        if due_ns / BUCKET_NS < self.cursor {
            *link = Link {
                due_ns,
                bucket: NEAR,
                ..UNSET
            };
            self.near.push(Reverse((due_ns, device)));
            return;
        }
        let bucket = place_of(due_ns / BUCKET_NS);
        let Some(head) = self.heads.get_mut(bucket) else {
            return;
        };
        *link = Link {
            due_ns,
            next: *head,
            previous: NONE,
            bucket: u32::try_from(bucket).unwrap_or(NONE),
        };
        let follower = std::mem::replace(head, device);
        if let Some(follower) = index(follower).and_then(|slot| self.links.get_mut(slot)) {
            follower.previous = device;
        }
    }

    /// Takes the timer of a device back; nothing happens without one.
    pub fn cancel(&mut self, device: u32) {
        let Some(link) = index(device).and_then(|slot| self.links.get_mut(slot)) else {
            return;
        };
        let Link {
            next,
            previous,
            bucket,
            due_ns: _,
        } = std::mem::replace(link, UNSET);
        if bucket == NONE {
            return;
        }
        self.len -= 1;
        // What stands in the heap is passed over when its turn comes.
        let Some(place) = index(bucket) else { return };
        if let Some(follower) = index(next).and_then(|next| self.links.get_mut(next)) {
            follower.previous = previous;
        }
        match index(previous).and_then(|previous| self.links.get_mut(previous)) {
            Some(leader) => leader.next = next,
            None => self.heads[place] = next,
        }
    }

    /// Appends every device that is due at `now_ns` with its time, in order of time and then of
    /// device, and takes their timers back.
    pub fn take_due(&mut self, now_ns: u64, due: &mut Vec<(u64, u32)>) {
        while let Some(due_ns) = self.next_due().filter(|due_ns| *due_ns <= now_ns) {
            let Some(Reverse((_, device))) = self.near.pop() else {
                return;
            };
            self.cancel(device);
            due.push((due_ns, device));
        }
    }

    /// The earliest time that is set.
    #[must_use]
    pub fn next_due(&mut self) -> Option<u64> {
        if self.is_empty() {
            self.near.clear();
            return None;
        }
        loop {
            match self.near.peek().copied() {
                Some(Reverse((due_ns, device))) if self.stands(due_ns, device) => {
                    return Some(due_ns);
                }
                Some(_taken_back) => {
                    self.near.pop();
                }
                None => self.draw_near(),
            }
        }
    }

    /// True for an entry of the heap that was not taken back.
    fn stands(&self, due_ns: u64, device: u32) -> bool {
        let link = index(device).and_then(|slot| self.links.get(slot));
        link.is_some_and(|link| link.bucket == NEAR && link.due_ns == due_ns)
    }

    /// Moves the entries of the next bucket of time into the heap.
    fn draw_near(&mut self) {
        let bucket = self.cursor;
        self.cursor += 1;
        let mut device = self.heads[place_of(bucket)];
        while let Some(link) = index(device).and_then(|slot| self.links.get(slot)).copied() {
            if link.due_ns / BUCKET_NS == bucket {
                // The entry is now due before the cursor, and so goes into the heap.
                self.set(device, link.due_ns);
            }
            device = link.next;
        }
    }
}

fn place_of(bucket: u64) -> usize {
    usize::try_from(bucket).unwrap_or(usize::MAX) % BUCKETS
}

/// The place in an array of a device or bucket; `None` for [`NONE`] and [`NEAR`].
fn index(number: u32) -> Option<usize> {
    if number >= NEAR {
        None
    } else {
        usize::try_from(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    const DEVICES: u32 = 300;

    /// Runs random settings, cancellations and takings against a sorted set.
    fn compare(seed: u64) {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut timers = Timers::new(DEVICES.try_into().unwrap());
        let mut sorted: BTreeSet<(u64, u32)> = BTreeSet::new();
        let mut now_ns = 0;
        for step in 0..4_000 {
            let device = rng.random_range(0..DEVICES);
            match rng.random_range(0..10) {
                0..6 => {
                    // Due already, soon, in this turn of the ring, or many turns away.
                    let reach = [0, 40_000_000, 5_000_000_000, 400_000_000_000];
                    let reach = reach[rng.random_range(0..4)];
                    let ahead = rng.random_range(0..=reach);
                    sorted.retain(|(_, of)| *of != device);
                    sorted.insert((now_ns + ahead, device));
                    timers.set(device, now_ns + ahead);
                }
                6..8 => {
                    sorted.retain(|(_, of)| *of != device);
                    timers.cancel(device);
                }
                _ => {
                    now_ns += rng.random_range(0..2_000_000_000);
                    let mut due = Vec::new();
                    timers.take_due(now_ns, &mut due);
                    let later = sorted.split_off(&(now_ns + 1, 0));
                    let expected: Vec<_> =
                        std::mem::replace(&mut sorted, later).into_iter().collect();
                    assert_eq!(due, expected, "seed {seed} step {step}");
                }
            }
            assert_eq!(timers.len(), sorted.len(), "seed {seed} step {step}");
            let first = sorted.first().map(|(due, _)| *due);
            assert_eq!(timers.next_due(), first, "seed {seed} step {step}");
        }
    }

    #[test]
    fn the_ring_agrees_with_a_sorted_set() {
        for seed in 0..20 {
            compare(seed);
        }
    }

    #[test]
    fn a_long_pause_takes_everything_once() {
        let mut timers = Timers::new(3);
        timers.set(0, 10);
        timers.set(1, 50_000_000_000);
        timers.set(2, 3_600_000_000_000);
        let mut due = Vec::new();
        timers.take_due(3_600_000_000_000, &mut due);
        assert_eq!(due, [(10, 0), (50_000_000_000, 1), (3_600_000_000_000, 2)]);
        assert!(timers.is_empty());
        assert_eq!(timers.next_due(), None);
    }
}
