//! The rotation requests of a load: when, on which device, and how each must end.

use protocol::JoinType;
use rand::seq::SliceRandom;

use super::draw::{Purpose, stream};
use super::members::select;
use super::{LoadPlan, Member, manages};
use crate::fleet::Verification;
use crate::schedule::{Schedule, spread};

/// Fewest rotation attempts where the fleet is large enough to spread them.
const ATTEMPTS_MIN: u64 = 140;

/// The actor that requests the load's rotations.
pub const ROTATION_ACTOR: &str = "rotate-operator";

/// Why a rotation attempt is made, as far as the plan knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptKind {
    /// Entra joined or hybrid, online and backed up: rotates.
    Online,
    /// Entra joined and offline: fails (S19).
    Offline,
    /// Online and never backed up: fails (S16).
    Unbacked,
}

/// A planned rotation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRotation {
    /// From the start of the measured phase.
    pub at_ns: u64,
    /// The device.
    pub device: u32,
    /// Why.
    pub kind: AttemptKind,
}

impl LoadPlan {
    /// The planned rotation requests, in order of time.
    #[must_use]
    pub fn rotations(&self) -> &[PlannedRotation] {
        &self.rotations
    }

    /// The devices of a kind of attempt, in the order in which they are taken.
    #[must_use]
    pub fn candidates(&self, kind: AttemptKind) -> Vec<u32> {
        let fits = |member: &Member| match kind {
            AttemptKind::Online => !member.offline && manages(member.join),
            AttemptKind::Offline => member.offline && member.join == JoinType::EntraJoined,
            AttemptKind::Unbacked => !member.offline && !manages(member.join),
        };
        let mut devices = select(&self.members, fits);
        devices.shuffle(&mut stream(self.options.seed, Purpose::Attempts(kind)));
        devices
    }

    /// A tenth of the online devices at least rotate, [`ATTEMPTS_MIN`] attempts at least are made,
    /// and a quarter of all are made on devices that must not rotate.
    pub(super) fn plan_rotations(&self) -> Vec<PlannedRotation> {
        let kinds = [
            AttemptKind::Online,
            AttemptKind::Offline,
            AttemptKind::Unbacked,
        ]
        .map(|kind| (kind, self.candidates(kind)));
        let [online, offline, unbacked] = kinds
            .each_ref()
            .map(|(_, devices)| u64::try_from(devices.len()).unwrap_or(0));
        let seconds = (self.measured_ns() / 1_000_000_000).max(1);
        let bound = seconds.saturating_mul(self.online()).saturating_mul(2);
        let floor = ATTEMPTS_MIN.min(bound);
        let tenth = self.online().div_ceil(10);
        let total = match (self.options.verification, self.options.operations.rotate) {
            // Nobody would notice the end of a rotation.
            (Verification::Off, _) => 0,
            (Verification::On, Some(rate)) => {
                let rate = self.operation_rate(rate);
                Schedule::constant(rate, self.measured_ns()).events()
            }
            (Verification::On, None) => floor.max((tenth * 4).div_ceil(3)),
        };
        // What one kind has no device for, another takes.
        let refused = if online == 0 { total } else { total / 4 };
        let counts = match (online, offline, unbacked) {
            (0, 0, 0) => [0, 0, 0],
            (_, 0, 0) => [total, 0, 0],
            (_, _, 0) => [total - refused, refused, 0],
            (_, 0, _) => [total - refused, 0, refused],
            (_, _, _) => [total - refused, refused.div_ceil(2), refused / 2],
        };
        let mut attempts: Vec<(AttemptKind, u32)> = Vec::new();
        for ((kind, devices), count) in kinds.iter().zip(counts) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            attempts.extend(
                devices
                    .iter()
                    .cycle()
                    .take(count)
                    .map(|device| (*kind, *device)),
            );
        }
        attempts.shuffle(&mut stream(self.options.seed, Purpose::Rotations));
        let count = u64::try_from(attempts.len()).unwrap_or(0);
        spread(count, self.measured_ns())
            .zip(attempts)
            .map(|(at_ns, (kind, device))| PlannedRotation {
                at_ns: self.warm_up_ns + at_ns,
                device,
                kind,
            })
            .collect()
    }
}
