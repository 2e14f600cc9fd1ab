//! What each answer to a load device must contain at that moment.
//!
//! The harness is the device: it knows what was sent, which pushes were answered how, and what
//! the target had acknowledged. From that, and from nothing inside the emulator or a core, the
//! model says what the next answer must hold, and it says so before the device sees the answer.

mod belief;
mod enrollment;
mod frame;
mod shape;

pub use belief::{Belief, Class, Expectation, Judgement, Owed, Refusal, Rotation};
pub use enrollment::{Provisioned, check_directory, check_discovery, check_policies, check_token};
pub use frame::Http;
pub use shape::{Ids, Shape};

use crate::transcript::ExchangeId;

/// An answer of the target that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongAnswer {
    /// The requirement that it breaks, when it breaks one by itself.
    pub requirement: Option<&'static str>,
    /// Short stable name of the way it is wrong.
    pub fingerprint: &'static str,
    /// What was required, as a sentence.
    pub required: String,
    /// What was seen, as a sentence with the values.
    pub seen: String,
    /// The answer.
    pub exchange: Option<ExchangeId>,
}

impl WrongAnswer {
    /// A breach of the common rules that no single requirement owns.
    pub(crate) fn common(required: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            requirement: None,
            fingerprint: "wrong-answer",
            required: required.into(),
            seen: seen.into(),
            exchange: None,
        }
    }

    /// A breach of a requirement.
    pub(crate) fn of(
        requirement: &'static str,
        fingerprint: &'static str,
        required: impl Into<String>,
        seen: impl Into<String>,
    ) -> Self {
        Self {
            requirement: Some(requirement),
            fingerprint,
            required: required.into(),
            seen: seen.into(),
            exchange: None,
        }
    }
}
