//! A part of a device that few devices have.

use std::ops::{Deref, DerefMut};

/// What stands for the part where it is absent.
pub(crate) trait Absent: Default + 'static {
    /// The part as it is at first.
    fn absent() -> &'static Self;
}

/// A part that takes no room until it is written for the first time.
#[derive(Clone, Debug)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Absent> Deref for Seldom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(part) => part,
            None => T::absent(),
        }
    }
}

impl<T: Absent> DerefMut for Seldom<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}
