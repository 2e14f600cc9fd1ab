//! The streams of random numbers of a plan, one for each purpose.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::AttemptKind;

/// What numbers are drawn for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Members,
    Builds,
    Order,
    Rotations,
    Policy,
    Attempts(AttemptKind),
}

/// The stream of a purpose.
pub(super) fn stream(seed: u64, purpose: Purpose) -> Pcg64Mcg {
    let number = match purpose {
        Purpose::Members => 1,
        Purpose::Builds => 2,
        Purpose::Order => 3,
        Purpose::Rotations => 4,
        Purpose::Policy => 5,
        Purpose::Attempts(AttemptKind::Online) => 6,
        Purpose::Attempts(AttemptKind::Offline) => 7,
        Purpose::Attempts(AttemptKind::Unbacked) => 8,
    };
    // seed_from_u64 spreads neighbouring numbers over the whole state.
    Pcg64Mcg::seed_from_u64(seed.rotate_left(8) ^ number)
}
