//! The state of each policy on each device: computed when a session ends, read by the admin plane
//! (contract 5, "Status of a policy on a device").

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

use protocol::laps_csp::Leaf;

use crate::conflict::{Evaluation, Outlook, Prospect};
use crate::core::Core;
use crate::fault::Fault;
use crate::rows::{PolicyRow, ReportedRow, RowState, Rows, SettingRow};
use crate::state::{ManagedDevice, ManagedId, PolicyId};
use crate::table::Slot;
use crate::variant::Variant;

/// A set of policies that clash on at least one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConflictSummary {
    /// The policies, sorted; one of them may have been deleted since the last check-in.
    pub(crate) policies: Vec<PolicyId>,
    /// The leaves on which exactly these policies clash somewhere.
    pub(crate) leaves: BTreeSet<Leaf>,
    /// On how many devices.
    pub(crate) devices: u64,
}

impl Core {
    /// Every set of policies that clash, in the order of their ids.
    pub(crate) fn conflict_summary(&self) -> Vec<ConflictSummary> {
        let mut summaries: BTreeMap<Vec<PolicyId>, ConflictSummary> = BTreeMap::new();
        for device in self.clashing_devices() {
            for (policies, leaves) in clashes(self.variant.rows_of(device)) {
                let summary = summaries.entry(policies.clone()).or_default();
                summary.policies = policies;
                summary.leaves.extend(leaves);
                summary.devices += 1;
            }
        }
        for summary in summaries.values_mut() {
            summary.devices += u64::from(self.faults.on(Fault::ReportSummaryMiscounts));
        }
        summaries.into_values().collect()
    }

    /// The row of a policy on every device that it reaches, in the order of the devices' places.
    pub(crate) fn policy_rows(
        &self,
        policy: PolicyId,
        places: impl RangeBounds<Slot> + Clone,
    ) -> impl Iterator<Item = (Slot, &ManagedDevice, &ReportedRow)> {
        let late = self.variant.has(Variant::ReportLate);
        let all = late.then(|| self.devices.by_id.places(places.clone()));
        let with_row = (!late).then(|| self.devices.with_row(policy, places));
        let devices = all.into_iter().flatten();
        devices
            .chain(with_row.into_iter().flatten())
            .filter_map(move |(slot, device)| {
                let rows = self.variant.rows_of(device);
                Some((slot, device, rows.get(&policy)?))
            })
    }

    fn clashing_devices(&self) -> impl Iterator<Item = &ManagedDevice> {
        let late = self.variant.has(Variant::ReportLate);
        let all = late.then(|| self.devices.by_id.values());
        let in_conflict = (!late).then(|| self.devices.in_conflict());
        let all = all.into_iter().flatten();
        all.chain(in_conflict.into_iter().flatten())
    }

    /// The rows of a device, in the order of the policies' ids.
    pub(crate) fn device_rows(
        &self,
        device: ManagedId,
    ) -> impl Iterator<Item = (PolicyId, &ReportedRow)> {
        let device = self.devices.by_id.get(&device);
        let rows = device.map(|device| self.variant.rows_of(device));
        rows.into_iter().flat_map(Rows::iter)
    }
}

/// The sets of policies that clash on a device, with the leaves on which they do.
fn clashes(rows: &Rows) -> BTreeMap<Vec<PolicyId>, BTreeSet<Leaf>> {
    let mut clashes: BTreeMap<Vec<PolicyId>, BTreeSet<Leaf>> = BTreeMap::new();
    let settings = rows.values().flat_map(|row| &row.settings);
    for (leaf, setting) in settings {
        if setting.state == RowState::Conflict {
            clashes
                .entry(setting.sources.clone())
                .or_default()
                .insert(*leaf);
        }
    }
    clashes
}

/// The row of a policy at the end of a session.
pub(crate) fn row(
    prospects: &BTreeMap<Leaf, Prospect>,
    device: &ManagedDevice,
    errors: &BTreeMap<Leaf, i64>,
) -> PolicyRow {
    let settings: BTreeMap<Leaf, SettingRow> = prospects
        .iter()
        .map(|(leaf, prospect)| (*leaf, setting_row(*leaf, prospect, device, errors)))
        .collect();
    rolled_up(settings)
}

/// The state of a policy from the states of its settings.
pub(crate) fn rolled_up(settings: BTreeMap<Leaf, SettingRow>) -> PolicyRow {
    let any = |state| settings.values().any(|setting| setting.state == state);
    // Contract 5: conflict when any setting is, notApplicable only when all are.
    let state = if any(RowState::Conflict) {
        RowState::Conflict
    } else if !settings.is_empty()
        && settings
            .values()
            .all(|s| s.state == RowState::NotApplicable)
    {
        RowState::NotApplicable
    } else if any(RowState::Error) {
        RowState::Error
    } else if any(RowState::Unknown) {
        RowState::Unknown
    } else {
        RowState::Compliant
    };
    PolicyRow { state, settings }
}

fn setting_row(
    leaf: Leaf,
    prospect: &Prospect,
    device: &ManagedDevice,
    errors: &BTreeMap<Leaf, i64>,
) -> SettingRow {
    let (state, error_code) = match &prospect.outlook {
        Outlook::NotApplicable => (RowState::NotApplicable, None),
        Outlook::Conflict => (RowState::Conflict, None),
        Outlook::Withheld => (RowState::Unknown, None),
        Outlook::Set(value) if device.acknowledged.get(&leaf) == Some(value) => {
            (RowState::Compliant, None)
        }
        Outlook::Set(_) => match errors.get(&leaf) {
            Some(code) => (RowState::Error, Some(*code)),
            None => (RowState::Unknown, None),
        },
    };
    SettingRow {
        state,
        error_code,
        sources: prospect.sources.clone(),
    }
}

/// True when the device acknowledged everything that the session wanted to write.
pub(crate) fn is_settled(evaluation: &Evaluation, device: &ManagedDevice) -> bool {
    evaluation
        .writes
        .iter()
        .all(|write| device.acknowledged.get(&write.leaf) == write.value.as_ref())
}
