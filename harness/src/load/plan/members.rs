//! Who is in the fleet: join state, build, and whether a device goes offline.

use emulator::OsBuild;
use protocol::JoinType;
use rand::Rng;
use rand::seq::SliceRandom;

use super::LoadOptions;
use super::draw::{Purpose, stream};
use crate::fleet::mix::offline_of_each;

/// What is fixed about one device of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Join state.
    pub join: JoinType,
    /// Windows build.
    pub os: OsBuild,
    /// True for devices that go offline before the measured phase.
    pub offline: bool,
}

/// True for the join states whose password the load policy manages.
#[must_use]
pub const fn manages(join: JoinType) -> bool {
    match join {
        JoinType::EntraJoined | JoinType::EntraHybridJoined => true,
        JoinType::EntraRegistered | JoinType::DomainJoined | JoinType::NotJoined => false,
    }
}

/// The fleet: each join state by its share, and in each of them the offline ones.
pub(super) fn members(options: &LoadOptions) -> Vec<Member> {
    let counts = options.mix.apportion(u64::from(options.devices));
    let offline = offline_of_each(counts, options.offline_ppm);
    let mut members = Vec::new();
    for ((join, count), offline) in JoinType::ALL.into_iter().zip(counts).zip(offline) {
        for place in 0..count {
            members.push(Member {
                join,
                os: OsBuild::W11_24H2,
                offline: place < offline,
            });
        }
    }
    members.shuffle(&mut stream(options.seed, Purpose::Members));
    let mut rng = stream(options.seed, Purpose::Builds);
    for member in &mut members {
        if rng.random_bool(0.5) {
            member.os = OsBuild::W10_22H2;
        }
    }
    members
}

/// The devices that fit, by index.
pub(super) fn select(members: &[Member], fits: impl Fn(&Member) -> bool) -> Vec<u32> {
    (0_u32..)
        .zip(members)
        .filter(|(_, member)| fits(member))
        .map(|(device, _)| device)
        .collect()
}
