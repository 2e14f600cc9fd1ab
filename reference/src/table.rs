//! How a million objects are kept: each in one place, found by its id in the order of ids, and by
//! other keys without a copy of them.
//!
//! A [`Table`] holds the objects and hands out [`Slot`]s, four bytes that name a place; an
//! [`Index`] maps keys to slots and asks the object itself whether it is the one. The key of a
//! device stands in the device and nowhere else.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::RangeBounds;

use hashbrown::HashTable;
use uuid::Uuid;

/// A place in a [`Table`]. It is used again once its object is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u32);

impl Slot {
    /// The number of the place.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The place with this number, whatever stands there.
    pub(crate) const fn from_number(number: u32) -> Self {
        Self(number)
    }

    fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Objects in places.
#[derive(Clone, Debug)]
pub(crate) struct Places<T> {
    slots: Vec<Option<Box<T>>>,
    free: Vec<Slot>,
}

/// Objects by id.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    places: Places<T>,
    by_id: BTreeMap<Uuid, Slot>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            places: Places::default(),
            by_id: BTreeMap::new(),
        }
    }
}

impl<T> Places<T> {
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        self.slots.get(slot.place())?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.slots.get_mut(slot.place())?.as_deref_mut()
    }

    /// Puts an object into a free place.
    pub(crate) fn add(&mut self, object: T) -> Slot {
        let object = Some(Box::new(object));
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slots.get_mut(slot.place())
        {
            *place = object;
            return slot;
        }
        // More places than numbers would need more memory than there is.
        let slot = Slot(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(object);
        slot
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<T> {
        let object = self.slots.get_mut(slot.place())?.take()?;
        self.free.push(slot);
        Some(*object)
    }
}

impl<T> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn contains_key(&self, id: &Uuid) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn get(&self, id: &Uuid) -> Option<&T> {
        self.at(self.slot_of(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &Uuid) -> Option<&mut T> {
        let slot = self.slot_of(id)?;
        self.places.get_mut(slot)
    }

    /// The object with this id, and where it stands.
    pub(crate) fn entry(&mut self, id: &Uuid) -> Option<(Slot, &mut T)> {
        let slot = self.slot_of(id)?;
        Some((slot, self.places.get_mut(slot)?))
    }

    /// Where the object with this id stands.
    pub(crate) fn slot_of(&self, id: &Uuid) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn at(&self, slot: Slot) -> Option<&T> {
        self.places.get(slot)
    }

    /// The objects whose places lie in the range, in the order of places.
    pub(crate) fn places(
        &self,
        places: impl RangeBounds<Slot>,
    ) -> impl Iterator<Item = (Slot, &T)> {
        (0..)
            .map(Slot)
            .zip(&self.places.slots)
            .filter(move |(slot, _)| places.contains(slot))
            .filter_map(|(slot, object)| Some((slot, object.as_deref()?)))
    }

    /// In the order of ids.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Uuid> {
        self.by_id.keys()
    }

    /// In the order of ids.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.range(..).map(|(_, object)| object)
    }

    /// The objects whose ids lie in the range, in the order of ids.
    pub(crate) fn range(&self, ids: impl RangeBounds<Uuid>) -> impl Iterator<Item = (&Uuid, &T)> {
        self.by_id
            .range(ids)
            .filter_map(|(id, slot)| Some((id, self.at(*slot)?)))
    }

    /// Takes an object in the place of one with the same id.
    pub(crate) fn insert(&mut self, id: Uuid, object: T) -> Slot {
        self.remove(&id);
        let slot = self.places.add(object);
        self.by_id.insert(id, slot);
        slot
    }

    pub(crate) fn remove(&mut self, id: &Uuid) -> Option<T> {
        self.places.remove(self.by_id.remove(id)?)
    }
}

/// Slots by a key that the object in the slot has; several may have the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    entries: HashTable<Entry>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Part of the hash of the key, so that few others are asked and none when the table grows.
    tag: u32,
    slot: Slot,
}

impl Entry {
    /// Spreads the tag over the bits that the table looks at.
    const fn hash(&self) -> u64 {
        spread(self.tag)
    }
}

const fn spread(tag: u32) -> u64 {
    // 2^64 divided by the golden ratio (Knuth, volume 3, 6.4).
    u64_from(tag).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

const fn u64_from(number: u32) -> u64 {
    let [a, b, c, d] = number.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
}

impl Index {
    /// Notes that the object in `slot` has this key.
    pub(crate) fn insert(&mut self, key: &(impl Hash + ?Sized), slot: Slot) {
        let entry = Entry {
            tag: self.tag(key),
            slot,
        };
        self.entries.insert_unique(entry.hash(), entry, Entry::hash);
    }

    /// Forgets that the object in `slot` has this key.
    pub(crate) fn remove(&mut self, key: &(impl Hash + ?Sized), slot: Slot) {
        let entry = Entry {
            tag: self.tag(key),
            slot,
        };
        if let Ok(found) = self
            .entries
            .find_entry(entry.hash(), |other| *other == entry)
        {
            found.remove();
        }
    }

    /// The slots whose objects may have this key, and almost always have: to be asked.
    pub(crate) fn candidates<K: Hash + ?Sized>(
        &self,
        key: &K,
    ) -> impl Iterator<Item = Slot> + use<'_, K> {
        let tag = self.tag(key);
        self.entries
            .iter_hash(spread(tag))
            .filter(move |entry| entry.tag == tag)
            .map(|entry| entry.slot)
    }

    fn tag(&self, key: &(impl Hash + ?Sized)) -> u32 {
        let [a, b, c, d, ..] = self.hasher.hash_one(key).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn places_are_used_again_and_the_order_is_that_of_ids() {
        let mut table = Table::default();
        for number in [3, 1, 2] {
            table.insert(id(number), number);
        }
        let gone = table.slot_of(&id(1));
        assert_eq!(table.remove(&id(1)), Some(1));
        assert_eq!(table.remove(&id(1)), None);
        assert_eq!(Some(table.insert(id(9), 9)), gone);
        table.insert(id(3), 30);
        assert_eq!(table.values().copied().collect::<Vec<_>>(), [2, 30, 9]);
        assert_eq!(table.range(id(3)..).count(), 2);
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn an_index_finds_what_was_put_in_and_not_taken_out() {
        let mut index = Index::default();
        for number in 0..10_000_u32 {
            index.insert(&(number / 2), Slot(number));
        }
        for number in (0..10_000).step_by(2) {
            index.remove(&(number / 2), Slot(number));
        }
        for key in 0..5_000_u32 {
            assert!(index.candidates(&key).any(|slot| slot.0 == 2 * key + 1));
            assert!(index.candidates(&key).all(|slot| slot.0 != 2 * key));
        }
    }
}
