//! The short way of a check-in with nothing to do: a message made from a template, and an answer
//! that is known byte for byte but for its ids.
//!
//! The first such answers of a class of devices go the whole way: the model judges them, the device
//! takes them. What was found right is kept as a [`Shape`]. A later answer of that shape says
//! nothing that was not judged; any other answer goes the whole way again.

use std::sync::Arc;

use emulator::Common;

use crate::model::{Http, Ids, Shape};

/// Shapes kept of one class: a target may have a few ways of saying nothing. One that never says
/// the same twice is always taken the whole way.
const SHAPES_MAX: usize = 4;
/// Classes of devices whose shapes are kept. A fleet has a few; a target that makes every device
/// another is taken the whole way.
const CLASSES_MAX: usize = 64;

/// Whether the short way is taken where it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneMode {
    /// It is.
    On,
    /// Every answer goes the whole way.
    #[cfg(test)]
    Off,
}

/// The shapes that a shard has learned.
#[derive(Debug)]
pub(super) struct Lane {
    mode: LaneMode,
    known: Vec<(Arc<Common>, Vec<Shape>)>,
    /// Answers that had a known shape.
    pub(super) hits: u64,
}

impl Lane {
    pub(super) const fn new(mode: LaneMode) -> Self {
        Self {
            mode,
            known: Vec::new(),
            hits: 0,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.mode == LaneMode::On
    }

    /// True for an answer that is known to be right and to ask for nothing.
    pub(super) fn knows(&mut self, common: &Arc<Common>, ids: Ids<'_>, http: Http<'_>) -> bool {
        let of = |known: &&(Arc<Common>, Vec<Shape>)| Arc::ptr_eq(&known.0, common);
        let found = self.known.iter().find(of);
        let fits = found.is_some_and(|(_, shapes)| shapes.iter().any(|one| one.fits(ids, http)));
        self.hits += u64::from(fits);
        fits
    }

    /// Keeps the shape of an answer that was judged, found right and asked for nothing.
    pub(super) fn learn(&mut self, common: &Arc<Common>, http: Http<'_>) {
        let Some(shape) = Shape::of(http) else { return };
        let of = |known: &&mut (Arc<Common>, Vec<Shape>)| Arc::ptr_eq(&known.0, common);
        let is_full = self.known.len() >= CLASSES_MAX;
        match self.known.iter_mut().find(of) {
            Some((_, shapes)) if shapes.len() < SHAPES_MAX => shapes.push(shape),
            Some(_) => {}
            None if is_full => {}
            None => self.known.push((Arc::clone(common), vec![shape])),
        }
    }
}
