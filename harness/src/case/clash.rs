//! Several policies on one device, beyond the two cases of the seed's section on conflicts.

use std::collections::BTreeMap;

use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use uuid::Uuid;

use super::{PolicyReport, WriteSeen};
use crate::transcript::ExchangeId;

/// Several policies on one device.
#[derive(Clone, Debug)]
pub enum SeveralCase {
    /// What holds and is reported after check-ins.
    Clash(ClashCase),
    /// One session while they clash.
    Session(ClashSessionCase),
}

/// How the policies of a case stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClashKind {
    /// They clashed in use, and the one that was there first was unassigned (S23).
    OriginalGone,
    /// They give the same settings the same values (S23, S26).
    Equal,
    /// They share no setting (F-171).
    Disjoint,
    /// They clash on the directory of a device without policy (S4, S24).
    Directory,
    /// They name different accounts on a device without policy (F-173).
    Account,
    /// They clash on one of several settings (F-172).
    OneSetting,
}

/// What is said of one setting of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingReport {
    /// The policy.
    pub policy: Uuid,
    /// Name of the setting.
    pub setting: String,
    /// Its state.
    pub state: PolicyState,
    /// Its code.
    pub error_code: Option<i64>,
    /// The policies named as its sources.
    pub sources: Vec<Uuid>,
}

/// A device that several policies reach, after its check-ins.
#[derive(Clone, Debug)]
pub struct ClashCase {
    /// The device's name.
    pub device: String,
    /// How the policies stand to each other.
    pub kind: ClashKind,
    /// The states of the policies that reach the device.
    pub policies: Vec<PolicyReport>,
    /// Their ids, in the same order.
    pub ids: Vec<Uuid>,
    /// The states of their settings.
    pub settings: Vec<SettingReport>,
    /// The setting that clashes, if one does.
    pub leaf: Option<Leaf>,
    /// What the device must hold, where that is said.
    pub expected: BTreeMap<Leaf, Value>,
    /// What it holds, from the writes it acknowledged.
    pub held: BTreeMap<Leaf, Value>,
    /// A credential of the device is shown.
    pub credential: bool,
    /// The accounts whose passwords were uploaded.
    pub accounts: Vec<String>,
    /// The accounts that the policies name.
    pub named_accounts: Vec<String>,
    /// The policies clashed and were reported so, or a single one worked, before or beside.
    pub twin: bool,
    /// The sessions came to their proper end.
    pub complete: bool,
    /// The sessions and the reads.
    pub exchanges: Vec<ExchangeId>,
}

/// One session of a device on which policies clash.
#[derive(Clone, Debug)]
pub struct ClashSessionCase {
    /// The device's name.
    pub device: String,
    /// Writes of LAPS settings, also of those that do not clash.
    pub writes: Vec<WriteSeen>,
    /// The session came to its proper end.
    pub complete: bool,
    /// The target delivers to devices of this scenario at all.
    pub twin: bool,
    /// The session.
    pub exchanges: Vec<ExchangeId>,
}
