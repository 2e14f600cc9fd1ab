//! A rotation attempt as its device sees it: what reached it because of the request.

use emulator::Device;
use sha2::{Digest, Sha256};

use super::engine::Engine;
use super::slot::Resting;
use crate::load::AttemptKind;
use crate::model::{Belief, Refusal, Rotation};
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

impl Engine {
    /// Takes note of a request that is about to be sent.
    pub(super) fn begin_attempt(&mut self, begin: Begin, now_ns: u64) -> Begun {
        let now = self.at(now_ns);
        let local = self.local(begin.device).unwrap_or(usize::MAX);
        self.close_attempt(local);
        let refused = match begin.kind {
            AttemptKind::Online => None,
            AttemptKind::Offline => Some(Refusal::Offline),
            AttemptKind::Unbacked => Some(Refusal::Unbacked),
        };
        let place = self.attempts.len();
        let wakes = u64::from(self.ground.channels.wakes(begin.device));
        let Some(slot) = self.slots.get_mut(local) else {
            return Begun {
                ready: false,
                backed_up: false,
                hours_to_expiry: 0,
            };
        };
        let begun = Begun {
            ready: slot.ready(begin.kind),
            backed_up: slot.is_backed_up(),
            hours_to_expiry: slot.hours_to_expiry(now),
        };
        if !begun.ready {
            return begun;
        }
        if let Some(belief) = &mut slot.belief {
            belief.request_rotation(refused);
        }
        slot.begin_attempt(place);
        let password_before = self.password_digest(local);
        self.attempts.push(AttemptRecord {
            attempt: begin.attempt,
            execs: 0,
            backups: 0,
            wakes: (wakes, wakes),
            password_changed: false,
            exchanges: Vec::new(),
            password_before,
        });
        begun
    }

    /// Takes note of the answer to a request.
    pub(super) fn posted(&mut self, device: u32, status: Option<u16>) {
        let local = self.local(device).unwrap_or(usize::MAX);
        let slot = self.slots.get_mut(local);
        let over = slot
            .and_then(|slot| slot.belief.as_mut())
            .is_none_or(|belief| posted(belief, status));
        if over {
            self.resolved(device);
        }
    }

    /// The attempt that is under way at a device.
    pub(super) fn attempt_of(&mut self, local: usize) -> Option<&mut AttemptRecord> {
        let place = self.slots.get(local)?.attempt()?;
        self.attempts.get_mut(place)
    }

    /// Fills in what is known at the end.
    pub(super) fn close_attempts(&mut self) {
        for local in 0..self.slots.len() {
            self.close_attempt(local);
        }
    }

    /// Fills in what is known of the latest attempt of a device.
    pub(super) fn close_attempt(&mut self, local: usize) {
        if self.attempt_of(local).is_none() {
            return;
        }
        let wakes = u64::from(self.ground.channels.wakes(self.index_of(local)));
        let here = self.slots.get(local).is_some_and(|it| it.resting.is_here());
        let password = self.password_digest(local);
        if let Some(attempt) = self.attempt_of(local) {
            attempt.wakes.1 = wakes;
            if here {
                attempt.password_changed = password != attempt.password_before;
            }
        }
    }

    /// A digest of the password that a device at rest holds.
    fn password_digest(&self, local: usize) -> Option<[u8; 32]> {
        let digest = |device: &Device| {
            let account = device.managed_account()?;
            Some(Sha256::digest(account.password).into())
        };
        match &self.slots.get(local)?.resting {
            Resting::Asleep(rested) => digest(self.awake(local, rested)?.as_ref()),
            Resting::Awake(device) => digest(device),
            Resting::Unknown | Resting::Registered(_) | Resting::Away => None,
        }
    }
}

/// The belief after the answer to a rotation request. True when nothing more is to come of it.
fn posted(belief: &mut Belief, status: Option<u16>) -> bool {
    match (belief.rotation(), status) {
        (Rotation::Refused(_) | Rotation::Told | Rotation::None, _) => true,
        // A refused request makes no action (contract 5).
        (Rotation::Requested | Rotation::Due, Some(status)) if !(200..300).contains(&status) => {
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
