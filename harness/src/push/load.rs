//! The channels of a load fleet: a few bytes a device, found by its index.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tokio::sync::mpsc;

use super::Presence;

/// Told to a shard about each push to one of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The device.
    pub device: u64,
    /// Where the push stands.
    pub stage: WakeStage,
}

/// Where a push to a load device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeStage {
    /// It is about to be answered `connected`.
    Answering,
    /// The answer was written out: the device may start its session.
    Answered,
    /// It was answered otherwise.
    Absent,
}

/// The channels of a load fleet. Device `n` belongs to shard `n` modulo the number of shards.
#[derive(Debug)]
pub struct LoadChannels {
    presence: Box<[AtomicU8]>,
    wakes: Box<[AtomicU32]>,
    /// The queue of each shard. What the target pushes bounds it: one push a rotation request.
    shards: Vec<mpsc::UnboundedSender<Wake>>,
}

impl LoadChannels {
    /// Channels for the devices 0 to n - 1, all of them connected.
    pub(super) fn new(devices: u32, shards: Vec<mpsc::UnboundedSender<Wake>>) -> Self {
        Self {
            presence: (0..devices).map(|_| AtomicU8::new(0)).collect(),
            wakes: (0..devices).map(|_| AtomicU32::new(0)).collect(),
            shards,
        }
    }

    /// Says from now on that a device is connected, or not.
    pub fn set_presence(&self, device: u32, presence: Presence) {
        if let Some(cell) = place(device).and_then(|place| self.presence.get(place)) {
            presence.store(cell);
        }
    }

    /// Pushes to a device answered `connected` so far.
    #[must_use]
    pub fn wakes(&self, device: u32) -> u32 {
        let cell = place(device).and_then(|place| self.wakes.get(place));
        cell.map_or(0, |cell| cell.load(Ordering::SeqCst))
    }

    /// What is said of a device; `None` when it is none of the fleet.
    pub(super) fn presence(&self, device: u32) -> Option<Presence> {
        self.presence.get(place(device)?).map(Presence::load)
    }

    /// What is known before the answer leaves.
    pub(super) fn answering(&self, device: u32, connected: bool) {
        self.tell(
            device,
            if connected {
                WakeStage::Answering
            } else {
                WakeStage::Absent
            },
        );
    }

    /// The answer `connected` has been written out.
    pub(super) fn answered(&self, device: u32) {
        if let Some(cell) = place(device).and_then(|place| self.wakes.get(place)) {
            cell.fetch_add(1, Ordering::SeqCst);
        }
        self.tell(device, WakeStage::Answered);
    }

    fn tell(&self, device: u32, stage: WakeStage) {
        let shards = self.shards.len().max(1);
        let shard = place(device).and_then(|place| self.shards.get(place % shards));
        let wake = Wake {
            device: u64::from(device),
            stage,
        };
        if shard.is_none_or(|shard| shard.send(wake).is_err()) {
            tracing::debug!(device, "push after the end of the shard");
        }
    }
}

fn place(device: u32) -> Option<usize> {
    usize::try_from(device).ok()
}
