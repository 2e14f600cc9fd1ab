//! Actors with some rights and without others.

use super::Attempt;

use crate::transcript::ExchangeId;

/// Whose rights are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The Endpoint Security Manager, who handles policies.
    PolicyManager,
    /// The right to rotate alone, without those to read devices and the organisation.
    RotateAlone,
    /// A built-in role, which has no right to rotate.
    BuiltInRole,
    /// The right to metadata alone.
    MetadataReader,
}

/// The calls of one actor.
#[derive(Clone, Debug)]
pub struct RightsCase {
    /// The actor.
    pub actor: String,
    /// Whose rights are looked at.
    pub standing: Standing,
    /// Calls that must be allowed.
    pub allowed: Vec<Attempt>,
    /// Calls that must be refused.
    pub refused: Vec<Attempt>,
    /// What the refused calls did all the same, each as a sentence.
    pub effects: Vec<String>,
    /// An actor with all rights succeeded with the same calls.
    pub twin: bool,
    /// The exchanges that prove effects and twins.
    pub exchanges: Vec<ExchangeId>,
}
