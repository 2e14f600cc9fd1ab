//! Values that many devices have in common, kept once.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Weak};

/// Fewest entries at which the dead ones are looked for.
const SWEEP_MIN: usize = 64;

/// The values in use. A value that nobody uses any more goes with the next sweep.
#[derive(Debug)]
pub(crate) struct Interned<T: ?Sized> {
    by_hash: HashMap<u64, Weak<T>>,
    /// Number of entries at which the next sweep is due.
    sweep_at: usize,
}

impl<T: ?Sized> Default for Interned<T> {
    fn default() -> Self {
        Self {
            by_hash: HashMap::new(),
            sweep_at: SWEEP_MIN,
        }
    }
}

impl<T: ?Sized> Clone for Interned<T> {
    fn clone(&self) -> Self {
        Self {
            by_hash: self.by_hash.clone(),
            sweep_at: self.sweep_at,
        }
    }
}

impl<T: Hash + Eq + ?Sized> Interned<T> {
    /// The one copy of a value. Of two values with the same hash only the later is shared.
    pub(crate) fn share<V>(&mut self, value: V) -> Arc<T>
    where
        V: Borrow<T> + Into<Arc<T>>,
    {
        let hash = self.by_hash.hasher().hash_one(value.borrow());
        let known = self.by_hash.get(&hash).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| **known == *value.borrow()) {
            return known;
        }
        let shared: Arc<T> = value.into();
        self.by_hash.insert(hash, Arc::downgrade(&shared));
        self.sweep();
        shared
    }

    fn sweep(&mut self) {
        if self.by_hash.len() < self.sweep_at {
            return;
        }
        self.by_hash.retain(|_, value| value.strong_count() > 0);
        self.sweep_at = SWEEP_MIN.max(2 * self.by_hash.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_unused_ones_go() {
        let mut texts = Interned::<str>::default();
        let first = texts.share("10.0.26100.1");
        assert!(Arc::ptr_eq(&first, &texts.share("10.0.26100.1")));
        for number in 0..10 * SWEEP_MIN {
            texts.share(number.to_string());
        }
        assert!(texts.by_hash.len() <= 2 * SWEEP_MIN);
        assert!(Arc::ptr_eq(&first, &texts.share("10.0.26100.1")));
    }
}
