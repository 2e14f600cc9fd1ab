//! The `client-request-id` of an operation: a GUID made from the run and the operation's index by
//! a permutation that can be undone, so that an id met later in a log maps back to its operation
//! and an id of somebody else is recognised as such.
//!
//! Layout of the 122 bits that a version 4 GUID leaves free: 64 bits hold the permuted index, the
//! other 58 a tag of run and index. It hides nothing and protects nothing.

use uuid::Uuid;

/// Makes and recognises the request ids of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestIds {
    run: u64,
}

impl RequestIds {
    /// The ids of the run that this number names.
    pub(super) const fn new(run: u64) -> Self {
        Self { run }
    }

    /// The id of the operation with this index.
    pub(super) fn id(self, index: u32) -> Uuid {
        let block = self.permute(u64::from(index));
        let free = (u128::from(self.tag(block)) << 64) | u128::from(block);
        let low = free & LOW_MASK;
        let rest = free >> LOW_BITS;
        let high = ((rest >> 12) << 16) | VERSION_4 | (rest & 0xfff);
        Uuid::from_u128((high << 64) | VARIANT | low)
    }

    /// The index of the operation that has this id; `None` when the id is not one of this run.
    pub(super) fn index(self, id: Uuid) -> Option<u32> {
        let bits = id.as_u128();
        let high = bits >> 64;
        if high & 0xf000 != VERSION_4 || bits & VARIANT_MASK != VARIANT {
            return None;
        }
        let rest = ((high >> 16) << 12) | (high & 0xfff);
        let free = (rest << LOW_BITS) | (bits & LOW_MASK);
        let block = u64::try_from(free & u128::from(u64::MAX)).ok()?;
        if free >> 64 != u128::from(self.tag(block)) {
            return None;
        }
        u32::try_from(self.unpermute(block)).ok()
    }

    fn tag(self, block: u64) -> u64 {
        mix(block ^ mix(self.run)) >> (64 - TAG_BITS)
    }

    /// A Feistel network over two halves of 32 bits: any round function makes a permutation.
    fn permute(self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> 32, value & HALF);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        (left << 32) | right
    }

    fn unpermute(self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> 32, value & HALF);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        (left << 32) | right
    }

    /// 32 bits from a half and the round's number.
    fn round(self, round: u64, half: u64) -> u64 {
        mix(half ^ mix(self.run ^ (round + 1))) >> 32
    }
}

/// The finaliser of SplitMix64: every bit of the answer depends on every bit of the value.
const fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

const ROUNDS: u64 = 4;
const HALF: u64 = 0xffff_ffff;
const TAG_BITS: u32 = 58;
const LOW_BITS: u32 = 62;
const LOW_MASK: u128 = (1 << LOW_BITS) - 1;
const VARIANT_MASK: u128 = 0b11 << LOW_BITS;
const VARIANT: u128 = 0b10 << LOW_BITS;
const VERSION_4: u128 = 0x4000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_million_indexes_come_back() {
        let seed = 0x5eed_0001_u64;
        let ids = RequestIds::new(seed);
        for index in (0..1_000_000).chain([u32::MAX - 1, u32::MAX]) {
            let id = ids.id(index);
            assert_eq!(ids.index(id), Some(index), "seed {seed:#x}, index {index}");
        }
    }

    #[test]
    fn ids_are_version_4_and_differ() {
        let ids = RequestIds::new(7);
        let mut seen = BTreeSet::new();
        for index in 0..10_000 {
            let id = ids.id(index);
            assert_eq!(id.get_version_num(), 4, "{id}");
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122, "{id}");
            assert!(seen.insert(id), "{id} twice");
        }
    }

    #[test]
    fn an_id_of_another_run_or_of_nobody_is_foreign() {
        let ours = RequestIds::new(7);
        let theirs = RequestIds::new(8);
        for index in 0..10_000 {
            assert_eq!(ours.index(theirs.id(index)), None, "index {index}");
        }
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "3c5d8d43-0f8e-4f6b-9e6b-6f1f5e0c9a11",
            "3c5d8d43-0f8e-1f6b-9e6b-6f1f5e0c9a11",
        ] {
            assert_eq!(ours.index(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn one_changed_bit_makes_an_id_foreign() {
        let ids = RequestIds::new(0xfeed);
        let id = ids.id(12).as_u128();
        for bit in 0..128 {
            let changed = Uuid::from_u128(id ^ (1 << bit));
            assert_eq!(ids.index(changed), None, "bit {bit}");
        }
    }
}
