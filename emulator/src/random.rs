//! Random streams that are a pure function of (seed, index, purpose, counter).
//!
//! Nothing keeps a generator between calls: a value that is needed again is drawn again.

use rand_pcg::Pcg64Mcg;

/// What a stream is for; two purposes never share a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Ids of the device, its accounts and its SID.
    Identity,
    /// A password.
    Password,
    /// The idempotency key of an upload.
    UploadKey,
    /// The minute of the hourly cycle.
    CycleJitter,
    /// The digits of a randomised account name.
    AccountName,
    /// The first session id.
    SessionId,
    /// The message ids of enrolment.
    MessageId,
}

impl Purpose {
    const fn number(self) -> u64 {
        match self {
            Self::Identity => 1,
            Self::Password => 2,
            Self::UploadKey => 3,
            Self::CycleJitter => 4,
            Self::AccountName => 5,
            Self::SessionId => 6,
            Self::MessageId => 7,
        }
    }
}

/// The stream of one purpose; `counter` tells its repeats apart.
pub(crate) fn stream(seed: u64, index: u64, purpose: Purpose, counter: u64) -> Pcg64Mcg {
    let mixed = [index, purpose.number(), counter]
        .into_iter()
        .fold(split_mix(seed), |state, word| split_mix(state ^ word));
    let high = u128::from(split_mix(mixed)) << 64;
    Pcg64Mcg::new(high | u128::from(mixed))
}

/// The finaliser of SplitMix64: every input bit reaches every output bit.
const fn split_mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
