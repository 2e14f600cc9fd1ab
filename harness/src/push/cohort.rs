//! The channels of the devices of cohorts: each push is kept and recorded.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Presence;
use crate::transcript::ExchangeId;
use protocol::time::UtcMillis;

/// A push to a device of a cohort.
#[derive(Clone, Debug)]
pub struct PushSeen {
    /// When it arrived.
    pub at: UtcMillis,
    /// True when it was answered `connected`.
    pub answered_connected: bool,
    /// The recorded exchange.
    pub exchange: Option<ExchangeId>,
}

#[derive(Debug)]
struct Slot {
    presence: AtomicU8,
    pushes: AtomicU64,
    wakes: AtomicU64,
    name: String,
    scope: &'static str,
    woken: watch::Sender<u64>,
    seen: Mutex<Vec<PushSeen>>,
}

/// The push side of one device; clones share it.
#[derive(Clone, Debug)]
pub struct PushSlot {
    slot: Arc<Slot>,
}

impl PushSlot {
    /// A channel that nothing was pushed to yet.
    pub(super) fn open(name: &str, scope: &'static str, presence: Presence) -> Self {
        let slot = Slot {
            presence: AtomicU8::new(0),
            pushes: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            name: name.to_owned(),
            scope,
            woken: watch::Sender::new(0),
            seen: Mutex::default(),
        };
        presence.store(&slot.presence);
        Self {
            slot: Arc::new(slot),
        }
    }

    /// Says from now on that the device is connected, or not.
    pub fn set_connected(&self, connected: bool) {
        self.set_presence(if connected {
            Presence::Connected
        } else {
            Presence::Disconnected
        });
    }

    /// Says this of the device from now on.
    pub fn set_presence(&self, presence: Presence) {
        presence.store(&self.slot.presence);
    }

    /// Pushes to this device so far, whatever the answer.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.slot.pushes.load(Ordering::SeqCst)
    }

    /// Pushes answered `connected` so far.
    #[must_use]
    pub fn wakes(&self) -> u64 {
        self.slot.wakes.load(Ordering::SeqCst)
    }

    /// Waits until more than `after` pushes were answered `connected`; false when `limit` passed
    /// first.
    pub async fn woken(&self, after: u64, limit: Duration) -> bool {
        let mut woken = self.slot.woken.subscribe();
        let reached = woken.wait_for(|wakes| *wakes > after);
        tokio::time::timeout(limit, reached)
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// The pushes to the device, in order.
    #[must_use]
    pub fn pushes(&self) -> Vec<PushSeen> {
        let seen = &self.slot.seen;
        seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is said of the device.
    pub(super) fn presence(&self) -> Presence {
        Presence::load(&self.slot.presence)
    }

    /// The name of the device, and the scope of its exchanges.
    pub(super) fn party(&self) -> (&str, &'static str) {
        (&self.slot.name, self.slot.scope)
    }

    /// A push is about to be answered.
    pub(super) fn answering(&self, push: PushSeen) {
        self.slot.pushes.fetch_add(1, Ordering::SeqCst);
        let seen = &self.slot.seen;
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(push);
    }

    /// The answer `connected` has been written out.
    pub(super) fn answered(&self) {
        let count = self.slot.wakes.fetch_add(1, Ordering::SeqCst) + 1;
        self.slot.woken.send_replace(count);
    }
}
