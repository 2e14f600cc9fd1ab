//! The proof that the suite can fail: what a run against a deliberately wrong target says of the
//! suite, and the matrix of all of them.
//!
//! This crate knows no fault by itself: names, intended requirements, fingerprints, counters and
//! reports come in.
//!
//! | module | job |
//! |---|---|
//! | `fault` | one fault, and what became of it |
//! | `pair` | two faults at once, which must not hide each other |
//! | `variant` | legal variants of the right core, against which nothing may be raised |
//! | `null` | targets that do nothing right, or nothing on one plane |
//! | `matrix` | all of it: `kill-matrix.json`, the score, the defects of the suite |

mod fault;
mod matrix;
mod null;
mod pair;
pub mod variant;

pub use fault::{Counter, Declared, FaultOutcome, FaultRow, Kill, LastLine, Seen};
pub use matrix::{Baseline, EquivalentRow, KillMatrix, PlannedRow, SCHEMA, Score};
pub use null::{NullKind, NullRow};
pub use pair::{PairOutcome, PairRow};
