//! The policy that manages the load fleet.

use std::collections::BTreeMap;

use protocol::laps_csp::{Leaf, Value};
use rand::Rng;

use super::LoadPlan;
use super::draw::{Purpose, stream};

/// One policy with several settings, none of which needs the newer build.
pub(super) fn policy(seed: u64) -> BTreeMap<Leaf, Value> {
    let mut rng = stream(seed, Purpose::Policy);
    let actions = [1, 3, 5];
    BTreeMap::from([
        (Leaf::BackupDirectory, Value::Int(1)),
        (Leaf::PasswordAgeDays, Value::Int(30)),
        (Leaf::PasswordComplexity, Value::Int(4)),
        (Leaf::PasswordLength, Value::Int(rng.random_range(14..=30))),
        (
            Leaf::PostAuthenticationResetDelay,
            Value::Int(rng.random_range(1..=24)),
        ),
        (
            Leaf::PostAuthenticationActions,
            Value::Int(actions[rng.random_range(0..3)]),
        ),
    ])
}

impl LoadPlan {
    /// The settings that reach the Entra joined and hybrid devices.
    #[must_use]
    pub const fn policy(&self) -> &BTreeMap<Leaf, Value> {
        &self.policy
    }

    /// Complexity and length of the passwords that the policy asks for.
    #[must_use]
    pub fn password_policy(&self) -> (u32, u32) {
        let number = |leaf: Leaf, otherwise: u32| match self.policy.get(&leaf) {
            Some(Value::Int(number)) => u32::try_from(*number).unwrap_or(otherwise),
            Some(Value::Bool(_) | Value::Text(_)) | None => otherwise,
        };
        (
            number(Leaf::PasswordComplexity, 4),
            number(Leaf::PasswordLength, 14),
        )
    }
}
