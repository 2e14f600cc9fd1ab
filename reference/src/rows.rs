//! What policies came to on a device (contract 5: `deviceConfigurationStates`).
//!
//! Devices with the same policies mostly have the same rows, so a row is shared between them and
//! only the time of its report is a device's own.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use protocol::laps_csp::Leaf;
use protocol::time::UtcMillis;

use crate::guarded::Moment;
use crate::state::PolicyId;

/// State of a policy on a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PolicyRow {
    pub(crate) state: RowState,
    pub(crate) settings: BTreeMap<Leaf, SettingRow>,
}

/// State of one setting of a policy on a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SettingRow {
    pub(crate) state: RowState,
    pub(crate) error_code: Option<i64>,
    /// The policies that set the leaf on this device.
    pub(crate) sources: Vec<PolicyId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowState {
    Unknown,
    Compliant,
    Conflict,
    Error,
    NotApplicable,
}

/// A row with the time of its report.
#[derive(Clone, Debug)]
pub(crate) struct ReportedRow {
    policy: PolicyId,
    row: Arc<PolicyRow>,
    /// None while `unknown`.
    pub(crate) reported_at: Moment,
}

/// The rows of a device, in the order of the policies' ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows(Vec<ReportedRow>);

impl PolicyRow {
    /// True when any setting is in this state.
    pub(crate) fn has_setting(&self, state: RowState) -> bool {
        self.settings.values().any(|setting| setting.state == state)
    }
}

impl ReportedRow {
    /// A row as of now.
    pub(crate) fn new(policy: PolicyId, row: Arc<PolicyRow>, now: UtcMillis) -> Self {
        // Contract 5: `lastReportedDateTime` is null while `unknown`.
        let reported_at = (row.state != RowState::Unknown).then_some(now);
        Self {
            policy,
            row,
            reported_at: Moment::new(reported_at),
        }
    }

    /// A row that no session has reported.
    pub(crate) fn unreported(policy: PolicyId, row: Arc<PolicyRow>) -> Self {
        Self {
            policy,
            row,
            reported_at: Moment::default(),
        }
    }
}

impl Deref for ReportedRow {
    type Target = PolicyRow;

    fn deref(&self) -> &PolicyRow {
        &self.row
    }
}

impl Rows {
    pub(crate) fn get(&self, policy: &PolicyId) -> Option<&ReportedRow> {
        self.0.get(self.place(policy).ok()?)
    }

    pub(crate) fn contains_key(&self, policy: &PolicyId) -> bool {
        self.place(policy).is_ok()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = PolicyId> {
        self.0.iter().map(|row| row.policy)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &ReportedRow> {
        self.0.iter()
    }

    /// The policies with their rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PolicyId, &ReportedRow)> {
        self.0.iter().map(|row| (row.policy, row))
    }

    /// Takes a row in the place of that policy's former one.
    pub(crate) fn put(&mut self, row: ReportedRow) {
        match self.place(&row.policy) {
            Ok(place) => {
                if let Some(former) = self.0.get_mut(place) {
                    *former = row;
                }
            }
            Err(place) => {
                // Rows are few and come seldom: no room for others is kept.
                self.0.reserve_exact(1);
                self.0.insert(place, row);
            }
        }
    }

    pub(crate) fn remove(&mut self, policy: &PolicyId) {
        self.0.retain(|row| row.policy != *policy);
    }

    /// Keeps the rows of these policies.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(PolicyId) -> bool) {
        self.0.retain(|row| is_kept(row.policy));
    }

    fn place(&self, policy: &PolicyId) -> Result<usize, usize> {
        self.0.binary_search_by(|row| row.policy.cmp(policy))
    }
}
