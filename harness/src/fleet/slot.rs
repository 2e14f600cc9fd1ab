//! What a shard keeps of one device between two sessions.

use std::num::{NonZeroI64, NonZeroU32};

use emulator::{Device, Rested};
use protocol::time::{UtcMillis, UtcTicks};

use super::credentials::Ticket;
use crate::load::AttemptKind;
use crate::model::{Belief, Rotation};

/// A device in its place. Who it is follows from its number and is not kept.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) resting: Resting,
    pub(super) belief: Option<Belief>,
    /// Number of the next planned check-in in the plan, [`NEVER`] for a device without any.
    pub(super) next_event: u64,
    /// When the password expires, by the last upload that was taken, in ticks.
    expires: Option<NonZeroI64>,
    /// The latest rotation attempt, in the shard's list, counted from 1.
    attempt: Option<NonZeroU32>,
    /// A push was answered and its session not yet started.
    pub(super) pushed: bool,
}

/// No planned check-in.
pub(super) const NEVER: u64 = u64::MAX;
const HOUR_TICKS: i64 = 36_000_000_000;

/// The device, or what there is of it.
#[derive(Debug)]
pub(super) enum Resting {
    /// Nothing yet.
    Unknown,
    /// Known to the directory, with this credential for its enrolment.
    Registered(Ticket),
    /// Enrolled, in the compact form.
    Asleep(Rested),
    /// Not fit for the compact form: it failed to enrol, or has something unfinished.
    Awake(Box<Device>),
    /// A session has it.
    Away,
}

impl Resting {
    /// True when a session can have the device.
    pub(super) const fn is_here(&self) -> bool {
        match self {
            Self::Asleep(_) | Self::Awake(_) => true,
            Self::Unknown | Self::Registered(_) | Self::Away => false,
        }
    }
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            resting: Resting::Unknown,
            belief: None,
            next_event: NEVER,
            expires: None,
            attempt: None,
            pushed: false,
        }
    }

    /// A backup was accepted.
    pub(super) const fn is_backed_up(&self) -> bool {
        self.expires.is_some()
    }

    /// The latest rotation attempt, in the shard's list.
    pub(super) fn attempt(&self) -> Option<usize> {
        usize::try_from(self.attempt?.get() - 1).ok()
    }

    /// Notes the latest rotation attempt, by its place in the shard's list.
    pub(super) fn begin_attempt(&mut self, place: usize) {
        let number = u32::try_from(place.saturating_add(1)).ok();
        self.attempt = number.and_then(NonZeroU32::new);
    }

    /// Notes when the password expires that the directory took.
    pub(super) fn expires_at(&mut self, at: UtcTicks) {
        self.expires = NonZeroI64::new(at.as_ticks()).or(NonZeroI64::new(1));
    }

    /// Whole hours until the password expires, 0 without one.
    pub(super) fn hours_to_expiry(&self, now: UtcMillis) -> i64 {
        let now = now.ticks().as_ticks();
        self.expires
            .map_or(0, |at| at.get().saturating_sub(now) / HOUR_TICKS)
    }

    /// Whether the device is as a rotation attempt of this kind needs it.
    pub(super) fn ready(&self, kind: AttemptKind) -> bool {
        // While a session has the device its password cannot be looked at: another moment will do.
        let settled = self.belief.as_ref().is_some_and(Belief::settled) && self.resting.is_here();
        match kind {
            AttemptKind::Online | AttemptKind::Offline => settled && self.is_backed_up(),
            AttemptKind::Unbacked => settled && !self.is_backed_up(),
        }
    }

    /// True when the rotation request of the device has come to an end that the target knows;
    /// takes note of it.
    pub(super) fn settle_rotation(&mut self) -> bool {
        let Some(belief) = &mut self.belief else {
            return false;
        };
        let over = belief.rotation() == Rotation::Told;
        if over {
            belief.settle_rotation();
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_between_sessions_is_small() {
        // With timers, plan, channel and ids a device stays below 400 bytes beside its certificate.
        assert!(size_of::<Slot>() <= 176, "{}", size_of::<Slot>());
    }
}
