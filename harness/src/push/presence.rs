//! What the endpoint says of a device.

use std::sync::atomic::{AtomicU8, Ordering};

/// What the endpoint says of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Presence {
    /// 200 `connected`: the device hears of the push.
    Connected = 0,
    /// 200 `disconnected`.
    Disconnected = 1,
    /// 200 `tempdisconnected`.
    TempDisconnected = 2,
    /// 410: the channel expired.
    Gone = 3,
}

impl Presence {
    const ALL: [Self; 4] = [
        Self::Connected,
        Self::Disconnected,
        Self::TempDisconnected,
        Self::Gone,
    ];

    pub(super) fn load(cell: &AtomicU8) -> Self {
        let stored = usize::from(cell.load(Ordering::SeqCst));
        Self::ALL.get(stored).copied().unwrap_or(Self::Gone)
    }

    pub(super) fn store(self, cell: &AtomicU8) {
        let number = match self {
            Self::Connected => 0,
            Self::Disconnected => 1,
            Self::TempDisconnected => 2,
            Self::Gone => 3,
        };
        cell.store(number, Ordering::SeqCst);
    }
}
