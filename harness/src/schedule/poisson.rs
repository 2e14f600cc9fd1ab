//! Arrivals without memory: exponential distances, drawn so that any event can be looked up
//! without the ones before.
//!
//! Only integers are used, so that every machine draws the same. Of each block of events the
//! beginning is kept; a block draws from a generator of its own.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{MILLION_SECONDS_NS, Rate};

/// Events of a block: a look-up draws half of them on average, and 8 bytes are kept for each block.
const BLOCK: u64 = 64;

/// A stretch of arrivals.
#[derive(Clone, Debug)]
pub(super) struct Poisson {
    rate: Rate,
    seed: u64,
    events: u64,
    /// When the first event of each block starts.
    blocks: Arc<[u64]>,
}

impl Poisson {
    pub(super) fn new(rate: Rate, duration_ns: u64, seed: u64) -> Self {
        let mut poisson = Self {
            rate,
            seed,
            events: 0,
            blocks: Arc::default(),
        };
        if rate == Rate::ZERO {
            return poisson;
        }
        let mut blocks = Vec::new();
        let mut at_ns = 0_u64;
        let mut rng = poisson.stream(0);
        for event in 0_u64.. {
            let begins_block = event.is_multiple_of(BLOCK);
            if begins_block {
                rng = poisson.stream(event / BLOCK);
            }
            at_ns = at_ns.saturating_add(poisson.distance_ns(&mut rng));
            if at_ns >= duration_ns {
                break;
            }
            if begins_block {
                blocks.push(at_ns);
            }
            poisson.events += 1;
        }
        poisson.blocks = blocks.into();
        poisson
    }

    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn start_ns(&self, event: u64) -> u64 {
        let block = event / BLOCK;
        let begin = usize::try_from(block)
            .ok()
            .and_then(|block| self.blocks.get(block));
        let mut at_ns = begin.copied().unwrap_or(u64::MAX);
        let mut rng = self.stream(block);
        // The distance to the first event of the block is in its beginning already.
        let _before_the_block = self.distance_ns(&mut rng);
        for _ in 0..event % BLOCK {
            at_ns = at_ns.saturating_add(self.distance_ns(&mut rng));
        }
        at_ns
    }

    fn stream(&self, block: u64) -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(self.seed.rotate_left(11) ^ block)
    }

    fn distance_ns(&self, rng: &mut Pcg64Mcg) -> u64 {
        let exact = (u128::from(exponential_q32(rng)) * MILLION_SECONDS_NS)
            / u128::from(self.rate.in_million_s().max(1));
        u64::try_from(exact >> 32).unwrap_or(u64::MAX)
    }
}

/// An exponential variable of mean 1 with 32 binary places, by von Neumann's comparison of uniform
/// numbers (Knuth, TAOCP 2, 3.4.1): exact, and without a logarithm that machines round differently.
fn exponential_q32(rng: &mut Pcg64Mcg) -> u64 {
    let mut whole = 0_u64;
    loop {
        let first: u32 = rng.random();
        let mut last = first;
        let mut run = 1_u32;
        loop {
            let next: u32 = rng.random();
            if next > last {
                break;
            }
            last = next;
            run += 1;
        }
        if run % 2 == 1 {
            return (whole << 32) | u64::from(first);
        }
        whole += 1;
    }
}
