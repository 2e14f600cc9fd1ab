//! A rotation attempt as its device sees it: what reached it because of the request.

use protocol::time::{UtcMillis, UtcTicks};
use sha2::{Digest, Sha256};

use super::shard::{Slot, State};
use crate::load::AttemptKind;
use crate::model::Rotation;
use crate::transcript::ExchangeId;

/// The announcement of a rotation request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin {
    pub(crate) device: u32,
    /// Number of the attempt in the load.
    pub(crate) attempt: u32,
    pub(crate) kind: AttemptKind,
}

/// The device at the moment of the announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// It is at rest and set up as the attempt needs it.
    pub(crate) ready: bool,
    /// A backup of it was accepted before.
    pub(crate) backed_up: bool,
    /// Whole hours until its password expires.
    pub(crate) hours_to_expiry: i64,
}

/// What one attempt came to at the device.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRecord {
    /// Number of the attempt in the load.
    pub(crate) attempt: u32,
    /// Execs that arrived because of it.
    pub(crate) execs: u32,
    /// Uploads taken after it.
    pub(crate) backups: u32,
    /// Pushes answered `connected` when it was announced, and by the end.
    pub(crate) wakes: (u64, u64),
    /// The device holds another password than before.
    pub(crate) password_changed: bool,
    /// The exchanges that show it.
    pub(crate) exchanges: Vec<ExchangeId>,
    password_before: Option<[u8; 32]>,
}

/// An Exec for a device that was offline at the request breaks this (S19).
const OFFLINE: &str = "REQ-ROTATE-015";
/// An Exec for a device that was never backed up breaks this (S16).
const UNBACKED: &str = "REQ-ROTATE-005";
const HOUR_TICKS: i64 = 36_000_000_000;

impl State {
    /// Takes note of a request that is about to be sent.
    pub(super) fn begin_attempt(&mut self, local: usize, begin: Begin, now: UtcMillis) -> Begun {
        let refused = match begin.kind {
            AttemptKind::Online => None,
            AttemptKind::Offline => Some(OFFLINE),
            AttemptKind::Unbacked => Some(UNBACKED),
        };
        let place = self.attempts.len();
        let Some(slot) = self.slots.get_mut(local) else {
            return Begun {
                ready: false,
                backed_up: false,
                hours_to_expiry: 0,
            };
        };
        let begun = Begun {
            ready: slot.ready(begin.kind),
            backed_up: slot.expires.is_some(),
            hours_to_expiry: slot.hours_to_expiry(now),
        };
        if !begun.ready {
            return begun;
        }
        if let Some(belief) = &mut slot.belief {
            belief.request_rotation(refused);
        }
        let wakes = slot.push.as_ref().map_or(0, |push| push.wakes());
        slot.attempt = Some(place);
        self.attempts.push(AttemptRecord {
            attempt: begin.attempt,
            execs: 0,
            backups: 0,
            wakes: (wakes, wakes),
            password_changed: false,
            exchanges: Vec::new(),
            password_before: slot.device.as_ref().and_then(password_digest),
        });
        begun
    }

    /// Takes note of the answer to a request. True when nothing more is to come of it.
    pub(super) fn posted(&mut self, local: usize, status: Option<u16>) -> bool {
        let Some(belief) = self
            .slots
            .get_mut(local)
            .and_then(|slot| slot.belief.as_mut())
        else {
            return true;
        };
        match (belief.rotation(), status) {
            (Rotation::Refused(_) | Rotation::Told | Rotation::None, _) => true,
            // A refused request makes no action (contract 5).
            (Rotation::Requested | Rotation::Due, Some(status))
                if !(200..300).contains(&status) =>
            {
                belief.settle_rotation();
                true
            }
            (Rotation::Requested | Rotation::Due, None) => {
                belief.doubt_rotation();
                false
            }
            (Rotation::Requested | Rotation::Due | Rotation::Executing, _) => false,
        }
    }

    /// The attempt that is under way at a device.
    pub(super) fn attempt_of(&mut self, local: usize) -> Option<&mut AttemptRecord> {
        let place = self.slots.get(local)?.attempt?;
        self.attempts.get_mut(place)
    }

    /// Fills in what is known at the end.
    pub(super) fn close_attempts(&mut self) {
        for slot in &self.slots {
            let Some(attempt) = slot.attempt.and_then(|place| self.attempts.get_mut(place)) else {
                continue;
            };
            attempt.close(slot);
        }
    }

    /// Fills in what is known of the former attempt of a device before another begins.
    pub(super) fn close_attempt(&mut self, local: usize) {
        let Some(slot) = self.slots.get(local) else {
            return;
        };
        if let Some(attempt) = slot.attempt.and_then(|place| self.attempts.get_mut(place)) {
            attempt.close(slot);
        }
    }
}

impl AttemptRecord {
    fn close(&mut self, slot: &Slot) {
        self.wakes.1 = slot.push.as_ref().map_or(0, |push| push.wakes());
        if let Some(device) = &slot.device {
            self.password_changed = password_digest(device) != self.password_before;
        }
    }
}

impl Slot {
    fn ready(&self, kind: AttemptKind) -> bool {
        // While a session has the device its password cannot be looked at: another moment will do.
        let settled = self
            .belief
            .as_ref()
            .is_some_and(crate::model::Belief::settled)
            && self.device.is_some();
        match kind {
            AttemptKind::Online | AttemptKind::Offline => settled && self.expires.is_some(),
            AttemptKind::Unbacked => settled && self.expires.is_none(),
        }
    }

    fn hours_to_expiry(&self, now: UtcMillis) -> i64 {
        let ticks = |expires: UtcTicks| expires.as_ticks() - now.ticks().as_ticks();
        self.expires
            .map_or(0, |expires| ticks(expires) / HOUR_TICKS)
    }
}

fn password_digest(device: &emulator::Device) -> Option<[u8; 32]> {
    let account = device.managed_account()?;
    Some(Sha256::digest(account.password).into())
}
