//! Policies that give one setting different values.

use std::collections::BTreeMap;

use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};

use super::WriteSeen;
use crate::transcript::ExchangeId;

/// Which of the two cases of the seed's section on conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// The device had a policy in use when the clashing one came (S22).
    InUse,
    /// The device never had a policy (S24).
    Fresh,
}

/// A check-in while policies clash on one setting.
#[derive(Clone, Debug)]
pub struct ConflictCheckInCase {
    /// The device's name.
    pub device: String,
    /// Which case.
    pub kind: ConflictKind,
    /// Which check-in since the clash, from 1.
    pub check_in: u32,
    /// The setting that clashes.
    pub leaf: Leaf,
    /// The value the device acknowledged first, where it was changed later.
    pub first_value: Option<Value>,
    /// The value the device acknowledged last.
    pub last_value: Option<Value>,
    /// Writes of that setting in the session.
    pub writes: Vec<WriteSeen>,
    /// The session came to its proper end.
    pub complete: bool,
    /// The target proved that it delivers what does not clash: the first policy in the same cohort,
    /// or a clean policy to a device without one.
    pub twin: bool,
    /// The messages of the session.
    pub exchanges: Vec<ExchangeId>,
}

/// The part of a policy in a clash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyRole {
    /// It was there first.
    Original,
    /// It came with another value.
    Clashing,
    /// It came later and agrees with one of the two.
    Third,
}

impl PolicyRole {
    /// The word in sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Clashing => "clashing",
            Self::Third => "third",
        }
    }
}

/// What the target says of one policy on one device, from both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyReport {
    /// The policy's part in the clash.
    pub role: PolicyRole,
    /// The state in the device's list of policies; `None` when it has no row.
    pub on_device: Option<PolicyState>,
    /// The status in the policy's list of devices; `None` when it has no row.
    pub of_policy: Option<PolicyState>,
}

/// What is reported after a check-in while policies clash.
#[derive(Clone, Debug)]
pub struct ConflictReportCase {
    /// The device's name.
    pub device: String,
    /// Which case.
    pub kind: ConflictKind,
    /// Which check-in since the clash, from 1.
    pub check_in: u32,
    /// The policies that set the clashing setting.
    pub policies: Vec<PolicyReport>,
    /// The session came to its proper end.
    pub complete: bool,
    /// A policy alone was reported as compliant before, or on a twin device.
    pub twin: bool,
    /// The reads.
    pub exchanges: Vec<ExchangeId>,
}

/// How a clash was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// All but one of the policies were unassigned.
    Unassigned,
    /// The policies were edited to one value.
    Equalised,
}

/// What was sent and is reported after a clash was ended and the device checked in.
#[derive(Clone, Debug)]
pub struct ResolutionCase {
    /// The device's name.
    pub device: String,
    /// Which case.
    pub kind: ConflictKind,
    /// How it was ended.
    pub remedy: Remedy,
    /// At least one of the policies was reported as conflict before.
    pub was_reported: bool,
    /// The policies that still reach the device.
    pub reaching: Vec<PolicyReport>,
    /// Policies that no longer reach the device and are still listed as conflict for it.
    pub stale_conflicts: usize,
    /// Rows of the conflict summary that name one of the policies.
    pub summary_rows: usize,
    /// The settings of the policies that still reach the device: what it must hold.
    pub expected: BTreeMap<Leaf, Value>,
    /// What it holds, from the writes it acknowledged.
    pub held: BTreeMap<Leaf, Value>,
    /// The session came to its proper end.
    pub complete: bool,
    /// The session and the reads.
    pub exchanges: Vec<ExchangeId>,
}
