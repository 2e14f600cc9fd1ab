//! What the deliberate defects do on the device side; their table is in `fault`.
//!
//! Each function takes what the rules decided and returns it, spoiled where its defect is switched
//! on. The rules themselves know nothing of defects.

mod action;
mod conform;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};
use protocol::time::{UtcMillis, UtcTicks};

use crate::action::{Decision, NO_BACKUP, OFFLINE, has_backup};
use crate::conflict::{Evaluation, Outlook, Write};
use crate::core::Core;
use crate::fault::{Fault, Faults};
use crate::rows::{PolicyRow, RowState};
use crate::seldom::Absent;
use crate::state::{ActionState, ManagedDevice, ManagedId, PolicyId, Tenant};
use crate::status::rolled_up;

pub(crate) use self::wire::spoil_answer;

/// What defects remember of a device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The first value ever acknowledged for a leaf.
    first_values: BTreeMap<Leaf, Value>,
    once_withheld: BTreeSet<PolicyId>,
    sessions_withheld: u32,
    pub(crate) sessions_since_backup: u32,
    /// An Exec goes out in the next session although none is due.
    owes_exec: Option<Owed>,
    /// Sessions begun.
    sessions: u32,
    /// A push that a change caused found the device away.
    missed_push: bool,
    /// Settings that clashed at some time.
    once_clashed: BTreeSet<Leaf>,
}

impl Absent for Memory {
    fn absent() -> &'static Self {
        static ABSENT: LazyLock<Memory> = LazyLock::new(Memory::default);
        &ABSENT
    }
}

/// Why an Exec goes out that is not due.
#[derive(Clone, Copy, Debug)]
enum Owed {
    /// This defect acts by it.
    By(Fault),
    /// The defect acted before.
    Counted,
}

/// A write as it is sent and as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedWrite {
    pub(crate) leaf: Leaf,
    /// What counts as acknowledged afterwards; `None` for a `Delete`.
    pub(crate) value: Option<Value>,
    pub(crate) wire: Wire,
}

/// What of a [`PlannedWrite`] goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// The value itself.
    Same,
    /// Another value.
    Other(Value),
    /// Nothing.
    Dropped,
    /// The value itself, and it is not remembered.
    Unrecorded,
}

impl From<Write> for PlannedWrite {
    fn from(write: Write) -> Self {
        Self {
            leaf: write.leaf,
            value: write.value,
            wire: Wire::Same,
        }
    }
}

impl Core {
    /// What the answer to its push makes of a rotation.
    pub(crate) fn spoil_decision(
        &mut self,
        now: UtcMillis,
        device: ManagedId,
        refusal: Option<&'static str>,
    ) -> Decision {
        let honest = refusal.map_or(Decision::Deliver, Decision::Refuse);
        if !self.faults.any() {
            return honest;
        }
        if let Some(spoiled) = self.spoil_decision_of_conform(device, refusal) {
            return spoiled;
        }
        let Some(managed) = self.devices.by_id.get_mut(&device) else {
            return honest;
        };
        let on = |fault| self.faults.on_device(fault, managed);
        match refusal {
            None if on(Fault::RotRefusesAll) => Decision::Refuse("refused"),
            None if failed_offline_before(managed) && on(Fault::RotFailureBlocksLater) => {
                Decision::Refuse(OFFLINE)
            }
            None if on(Fault::RotDoneWithoutExec) => Decision::Done,
            None if far_from_expiry(now, &self.tenant, managed) && on(Fault::RotAgeGate) => {
                Decision::Refuse("passwordAge")
            }
            Some(OFFLINE) if on(Fault::RotDoneThoughOffline) => Decision::Done,
            Some(OFFLINE)
                if has_backup(&self.tenant, managed) && on(Fault::RotQueueWhenOffline) =>
            {
                Decision::Deliver
            }
            Some(OFFLINE) if self.faults.due_later(Fault::RotExecAfterFailure, managed) => {
                managed.defects.owes_exec = Some(Owed::By(Fault::RotExecAfterFailure));
                honest
            }
            Some(NO_BACKUP) if on(Fault::RotUnbackedOk) => Decision::Done,
            Some(_) | None => honest,
        }
    }

    /// True when an Exec goes out that nobody asked for.
    pub(crate) fn stray_exec(&mut self, device: ManagedId) -> bool {
        if !self.faults.any() {
            return false;
        }
        let Some(managed) = self.devices.by_id.get_mut(&device) else {
            return false;
        };
        match managed.defects.owes_exec.take() {
            None => {}
            Some(Owed::Counted) => return true,
            Some(Owed::By(fault)) => {
                self.faults.acted(fault);
                return true;
            }
        }
        let object = self.tenant.directory_device(managed.entra_id);
        if object.is_none_or(|object| object.credentials.is_empty()) {
            return false;
        }
        managed.defects.sessions_since_backup += 1;
        let sessions = managed.defects.sessions_since_backup;
        let on = |fault| self.faults.on_device(fault, managed);
        on(Fault::AssignResendForcesRotation)
            || (sessions == 2 && on(Fault::SchedEarlyExec))
            || (sessions == 3 && on(Fault::SchedOwnExec))
    }

    /// What a session wants to write, before it is put into an answer.
    pub(crate) fn spoil_evaluation(&mut self, device: ManagedId, evaluation: &mut Evaluation) {
        if !self.faults.any() {
            return;
        }
        let Some(managed) = self.devices.by_id.get_mut(&device) else {
            return;
        };
        let faults = &self.faults;
        let clashing = clashing(evaluation);
        for (leaf, sources) in &clashing {
            let held = managed.acknowledged.get(leaf);
            let by_age = by_age(&self.tenant, sources);
            let value_of = |policy: Option<&PolicyId>| {
                policy.and_then(|id| self.tenant.policies.get(id)?.leaves.get(leaf).cloned())
            };
            let write = |value: Option<Value>| Write { leaf: *leaf, value };
            let on = |fault| faults.on_device(fault, managed);
            let spoiled = match held {
                Some(held) if faults.has(Fault::ConfLastWriter) => value_of(by_age.last())
                    .filter(|value| value != held && on(Fault::ConfLastWriter))
                    .map(|v| write(Some(v))),
                Some(_) if on(Fault::ConfClearLeaf) => Some(write(None)),
                Some(held) if faults.has(Fault::ConfRevertToFirstValue) => managed
                    .defects
                    .first_values
                    .get(leaf)
                    .filter(|first| *first != held && on(Fault::ConfRevertToFirstValue))
                    .map(|first| write(Some(first.clone()))),
                None if !evaluation.had_leaves && on(Fault::ConfFirstWinsAtOnce) => {
                    value_of(by_age.first()).map(|value| write(Some(value)))
                }
                Some(_) | None => None,
            };
            evaluation.writes.extend(spoiled);
        }
        if faults.has(Fault::ConfGivesInLater) {
            gives_in(&self.tenant, managed, evaluation, faults);
        }
        if faults.has(Fault::ConfNeverResumes) {
            never_resumes(managed, evaluation, faults);
        }
        evaluation.writes.sort_by_key(|write| write.leaf);
        self.spoil_delivery(device, evaluation);
        self.send_unknown_leaves(device, evaluation);
    }

    /// What goes into the answer; the device may have no use for LAPS at all.
    pub(crate) fn spoil_writes(&self, device: ManagedId, writes: &mut Vec<PlannedWrite>) {
        if !self.faults.any() {
            return;
        }
        self.spoil_directory(device, writes);
        if writes.is_empty() {
            let managed = self.devices.by_id.get(&device);
            if self.faults.on_any(Fault::AssignAlter, managed) {
                writes.push(unwanted(Leaf::PostAuthenticationActions, Value::Int(3)));
            }
            return;
        }
        let Some(device) = self
            .devices
            .by_id
            .get(&device)
            .filter(|device| device.acknowledged.is_empty())
        else {
            return;
        };
        let on = |fault| self.faults.on_device(fault, device);
        if let [_, .., write] = writes.as_mut_slice()
            && on(Fault::AssignDropLeaf)
        {
            write.wire = Wire::Dropped;
        }
        if self.faults.has(Fault::AssignWrongValue) {
            let rank = |write: &&mut PlannedWrite| {
                ALTERABLE
                    .iter()
                    .position(|leaf| *leaf == write.leaf)
                    .unwrap_or(usize::MAX)
            };
            if let Some(write) = writes.iter_mut().min_by_key(rank)
                && let Some(value) = &write.value
                && on(Fault::AssignWrongValue)
            {
                write.wire = Wire::Other(altered(write.leaf, value, device.build));
            }
        }
        if let Some((leaf, value)) = EXTRA
            .into_iter()
            .find(|(leaf, _)| writes.iter().all(|write| write.leaf != *leaf))
            && on(Fault::AssignExtraLeaf)
        {
            writes.push(unwanted(leaf, value));
        }
    }

    /// The row of a policy, before it is kept.
    pub(crate) fn spoil_row(
        &self,
        device: &ManagedDevice,
        (policy, evaluation): (PolicyId, &Evaluation),
        mut row: PolicyRow,
    ) -> PolicyRow {
        if !self.faults.any() {
            return row;
        }
        let former = device.rows.get(&policy);
        for (leaf, setting) in &mut row.settings {
            if setting.state == RowState::Conflict {
                let sources = &setting.sources;
                setting.state = self.shown_conflict(device, (policy, evaluation), sources);
                continue;
            }
            let Some(former) = former.and_then(|row| row.settings.get(leaf)) else {
                continue;
            };
            let still_there = |source| evaluation.prospects.contains_key(source);
            let fault = if former.sources.iter().all(still_there) {
                Fault::ConfEqualiseIgnored
            } else {
                Fault::ConfStickyAfterUnassign
            };
            let clashed = former.state == RowState::Conflict && evaluation.had_leaves;
            if clashed && self.faults.on_device(fault, device) {
                *setting = former.clone();
            }
        }
        let withheld = evaluation.withheld.contains(&policy);
        if withheld && self.faults.on_device(Fault::ConfReportsSucceeded, device) {
            for setting in row.settings.values_mut() {
                setting.state = RowState::Compliant;
            }
        }
        self.report_needless_errors(device, evaluation, &mut row);
        self.spoil_report(device, (policy, evaluation), &mut row);
        rolled_up(row.settings)
    }

    /// Remembers what a device acknowledged.
    pub(crate) fn note_acknowledged(&mut self, device: ManagedId, leaf: Leaf, value: &Value) {
        if self.faults.has(Fault::ConfRevertToFirstValue)
            && let Some(device) = self.devices.by_id.get_mut(&device)
        {
            device
                .defects
                .first_values
                .entry(leaf)
                .or_insert_with(|| value.clone());
        }
    }

    fn shown_conflict(
        &self,
        device: &ManagedDevice,
        (policy, evaluation): (PolicyId, &Evaluation),
        sources: &[PolicyId],
    ) -> RowState {
        if !evaluation.had_leaves {
            return RowState::Conflict;
        }
        let by_age = by_age(&self.tenant, sources);
        let on = |fault| self.faults.on_device(fault, device);
        let hidden = (by_age.last() != Some(&policy) && on(Fault::ConfOnlyNewReports))
            || (by_age.first() != Some(&policy) && on(Fault::ConfOnlyOldReports))
            || (by_age.get(2) == Some(&policy) && on(Fault::ConfThirdPolicySilent));
        if hidden {
            RowState::Compliant
        } else {
            RowState::Conflict
        }
    }

    fn report_needless_errors(
        &self,
        device: &ManagedDevice,
        evaluation: &Evaluation,
        row: &mut PolicyRow,
    ) {
        let mismatch =
            device.join_type == JoinType::EntraJoined && device.backup_directory() == Some(2);
        let named = row.settings.contains_key(&Leaf::BackupDirectory);
        if mismatch && named && self.faults.on_device(Fault::JoinMismatchErrors, device) {
            set_error(row, Leaf::BackupDirectory);
        }
        let Some(Value::Text(account)) = device.acknowledged.get(&Leaf::AdministratorAccountName)
        else {
            return;
        };
        let backed_up = self
            .tenant
            .directory_device(device.entra_id)
            .is_some_and(|object| {
                object
                    .credentials
                    .iter()
                    .any(|stored| *stored.account_name == **account)
            });
        // In the session that sets the name, the device had no time to back up.
        let just_set = evaluation
            .writes
            .iter()
            .any(|write| write.leaf == Leaf::AdministratorAccountName);
        let named = row.settings.contains_key(&Leaf::AdministratorAccountName);
        let wrong = named && !backed_up && !just_set;
        if wrong && self.faults.on_device(Fault::AccountMissingErrors, device) {
            set_error(row, Leaf::AdministratorAccountName);
        }
    }
}

fn failed_offline_before(device: &ManagedDevice) -> bool {
    device.actions.iter().any(|action| {
        action.state == ActionState::Failed && action.detail.as_deref() == Some(OFFLINE)
    })
}

fn far_from_expiry(now: UtcMillis, tenant: &Tenant, device: &ManagedDevice) -> bool {
    let object = tenant.directory_device(device.entra_id);
    let refresh_at: Option<UtcTicks> =
        object.and_then(|object| Some(object.credentials.front()?.refresh_at));
    refresh_at.is_some_and(|at| at.millis().millis_since(now) > UtcMillis::DAY_MS)
}

fn clashing(evaluation: &Evaluation) -> BTreeMap<Leaf, Vec<PolicyId>> {
    evaluation
        .prospects
        .values()
        .flatten()
        .filter(|(_, prospect)| prospect.outlook == Outlook::Conflict)
        .map(|(leaf, prospect)| (*leaf, prospect.sources.clone()))
        .collect()
}

/// The oldest first.
fn by_age(tenant: &Tenant, policies: &[PolicyId]) -> Vec<PolicyId> {
    let mut by_age = policies.to_vec();
    by_age.sort_by_key(|id| tenant.policies.get(id).map(|policy| policy.order));
    by_age
}

/// From the third session on, everything the withheld policies set, the oldest first.
fn gives_in(
    tenant: &Tenant,
    device: &mut ManagedDevice,
    evaluation: &mut Evaluation,
    faults: &Faults,
) {
    if evaluation.withheld.is_empty() {
        return;
    }
    device.defects.sessions_withheld += 1;
    let due = device.defects.sessions_withheld >= 3 && device.acknowledged.is_empty();
    if !due || !faults.on_device(Fault::ConfGivesInLater, device) {
        return;
    }
    let withheld: Vec<PolicyId> = evaluation.withheld.iter().copied().collect();
    for id in by_age(tenant, &withheld) {
        let leaves = tenant
            .policies
            .get(&id)
            .into_iter()
            .flat_map(|policy| &policy.leaves);
        for (leaf, value) in leaves {
            if evaluation.writes.iter().all(|write| write.leaf != *leaf)
                && leaf.node().allows(value, device.build)
            {
                evaluation.writes.push(Write {
                    leaf: *leaf,
                    value: Some(value.clone()),
                });
            }
        }
    }
}

fn never_resumes(device: &mut ManagedDevice, evaluation: &mut Evaluation, faults: &Faults) {
    let once = &mut device.defects.once_withheld;
    once.extend(evaluation.withheld.iter().copied());
    let resumes = |id: &PolicyId| !evaluation.withheld.contains(id);
    let due = once.iter().any(resumes) && !evaluation.writes.is_empty();
    if !due || !faults.on_device(Fault::ConfNeverResumes, device) {
        return;
    }
    let once = &device.defects.once_withheld;
    let (prospects, writes) = (&mut evaluation.prospects, &mut evaluation.writes);
    writes.retain(|write| {
        let mut sources = prospects.values().filter_map(|of| of.get(&write.leaf));
        sources
            .next()
            .is_none_or(|prospect| prospect.sources.iter().any(|id| !once.contains(id)))
    });
    for (_, of_policy) in prospects.iter_mut().filter(|(id, _)| once.contains(id)) {
        for prospect in of_policy.values_mut() {
            if matches!(prospect.outlook, Outlook::Set(_)) {
                prospect.outlook = Outlook::Withheld;
            }
        }
    }
}

const fn unwanted(leaf: Leaf, value: Value) -> PlannedWrite {
    PlannedWrite {
        leaf,
        value: Some(value),
        wire: Wire::Unrecorded,
    }
}

/// Another value that the leaf takes as well on this build.
fn altered(leaf: Leaf, value: &Value, build: u32) -> Value {
    match value {
        Value::Int(number) => [number + 1, number - 1, number + 2, number - 2]
            .into_iter()
            .map(Value::Int)
            .find(|other| leaf.node().allows(other, build))
            .unwrap_or_else(|| value.clone()),
        Value::Bool(truth) => Value::Bool(!truth),
        Value::Text(text) => Value::Text(format!("{text}x").into()),
    }
}

fn set_error(row: &mut PolicyRow, leaf: Leaf) {
    if let Some(setting) = row.settings.get_mut(&leaf) {
        setting.state = RowState::Error;
        setting.error_code = Some(500);
    }
}

/// Leaves whose value can be altered with little else coming of it, the most harmless first.
const ALTERABLE: [Leaf; 4] = [
    Leaf::PasswordLength,
    Leaf::PostAuthenticationResetDelay,
    Leaf::PassphraseLength,
    Leaf::PasswordComplexity,
];

/// Leaves at their default, so that the device behaves as before.
const EXTRA: [(Leaf, Value); 3] = [
    (Leaf::PostAuthenticationResetDelay, Value::Int(24)),
    (Leaf::PostAuthenticationActions, Value::Int(3)),
    (Leaf::PasswordExpirationProtectionEnabled, Value::Bool(true)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_leaves_are_at_their_default() {
        for (leaf, value) in EXTRA {
            let node = leaf.node();
            assert!(node.allows(&value, 19_045), "{leaf}");
            assert_eq!(
                format!("{:?}", node.default),
                format!("{value:?}"),
                "{leaf}"
            );
        }
    }
}
