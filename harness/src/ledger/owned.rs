//! The devices that are ours: most of a large fleet never has an operation, and a membership is all
//! that is kept of those.

use uuid::Uuid;

/// A set of ids in 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct Owned {
    ids: Vec<Uuid>,
    /// How many of them are in order; the others came since the last question.
    ordered: usize,
}

/// Room that is added at least.
const GROWTH_MIN: usize = 1_024;

impl Owned {
    pub(super) fn add(&mut self, id: Uuid) {
        if self.ids.len() == self.ids.capacity() {
            // Doubling would leave half of a large set empty.
            self.ids.reserve_exact(self.ids.len() / 8 + GROWTH_MIN);
        }
        self.ids.push(id);
    }

    pub(super) fn contains(&mut self, id: Uuid) -> bool {
        if self.ordered < self.ids.len() {
            self.ids.sort_unstable();
            self.ids.dedup();
            self.ids.shrink_to_fit();
            self.ordered = self.ids.len();
        }
        self.ids.binary_search(&id).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_in_it_whenever_it_was_added() {
        let mut owned = Owned::default();
        let id = Uuid::from_u128;
        assert!(!owned.contains(id(1)));
        for number in [5, 1, 3, 1] {
            owned.add(id(number));
        }
        assert!(owned.contains(id(1)) && owned.contains(id(5)) && !owned.contains(id(2)));
        owned.add(id(2));
        assert!(owned.contains(id(2)) && owned.contains(id(3)) && !owned.contains(id(4)));
    }
}
