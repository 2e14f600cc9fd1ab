//! Calls of actors without the right.

use crate::transcript::ExchangeId;

/// What a right protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// Creating, editing and deleting policies (S6).
    Policy,
    /// Rotating a password (S15).
    Rotation,
    /// Reading credentials (S11).
    Credential,
}

/// One call of an actor without the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was called, for example `delete policy`.
    pub what: &'static str,
    /// Its status; `None` when no answer came.
    pub status: Option<u16>,
    /// The call.
    pub exchange: ExchangeId,
}

/// Calls of an actor without the right, and what they changed.
#[derive(Clone, Debug)]
pub struct AccessCase {
    /// The actor.
    pub actor: String,
    /// What is protected.
    pub guarded: Guarded,
    /// The calls.
    pub attempts: Vec<Attempt>,
    /// What the calls changed all the same, each as a sentence.
    pub effects: Vec<String>,
    /// An actor with the right succeeded with the same calls before and after.
    pub twin: bool,
    /// The exchanges that prove effects and twins.
    pub exchanges: Vec<ExchangeId>,
}
