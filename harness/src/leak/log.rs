//! What a target that muster started wrote to its standard error.

use std::sync::{Arc, Mutex, PoisonError};

/// The log of a target; clones share it. Empty for a target that somebody else started.
#[derive(Clone, Debug, Default)]
pub struct TargetLog {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    text: Vec<u8>,
    /// Bytes that came when the log was full.
    dropped: u64,
}

impl std::fmt::Debug for Kept {
    /// Leaves the text out: a password may be in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("bytes", &self.text.len())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

impl TargetLog {
    /// Most bytes that are kept.
    pub const BYTES_MAX: usize = 16 * 1024 * 1024;

    /// Adds what the target wrote.
    pub fn add(&self, text: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Self::BYTES_MAX.saturating_sub(kept.text.len());
        let taken = room.min(text.len());
        kept.text.extend_from_slice(&text[..taken]);
        let dropped = u64::try_from(text.len() - taken).unwrap_or(u64::MAX);
        kept.dropped = kept.dropped.saturating_add(dropped);
    }

    /// Everything that was kept.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.text.clone()
    }

    /// Bytes that were not kept, so that nothing can be said of them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.dropped
    }
}
