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
}
