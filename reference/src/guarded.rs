//! The parts of a device that change under a shared borrow of the core: when it was last heard,
//! and what it was told.
//!
//! A check-in without news touches nothing else, so that such check-ins need not wait for each
//! other. Whoever has the core for itself reads and writes the same parts without a lock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::time::UtcMillis;

/// A point in time, or none yet.
///
/// Readers that need it to be in step with anything else have the core for themselves.
pub(crate) struct Moment(AtomicI64);

impl Moment {
    const NONE: i64 = i64::MIN;

    pub(crate) fn new(at: Option<UtcMillis>) -> Self {
        Self(AtomicI64::new(at.map_or(Self::NONE, UtcMillis::as_millis)))
    }

    pub(crate) fn at(&self) -> Option<UtcMillis> {
        let millis = self.0.load(Ordering::Relaxed);
        (millis != Self::NONE).then(|| UtcMillis::from_millis(millis))
    }

    pub(crate) fn set(&self, at: UtcMillis) {
        self.0.store(at.as_millis(), Ordering::Relaxed);
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Clone for Moment {
    fn clone(&self) -> Self {
        Self::new(self.at())
    }
}

impl std::fmt::Debug for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.at().fmt(f)
    }
}

/// A value with a lock of its own.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // The value is replaced as a whole, so that a panic elsewhere leaves no half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, for whoever has the core for itself.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Clone for Guarded<T> {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// The count with this one.
    pub(crate) fn add_one(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clone for Count {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.get()))
    }
}
