//! What must be true, from the seed article ("Avoid policy conflicts") and the contract: section 2
//! "LAPS policy", section 5 "Status of a policy on a device" and "Conflicts".
//!
//! Written for one leaf and one device, where withholding a leaf and withholding a policy are the
//! same, and on purpose in another form than the core: no claims, no prospects, just what each of
//! the sentences says.

use std::collections::{BTreeMap, BTreeSet};

use protocol::time::UtcMillis;
use uuid::Uuid;

use super::command::{POLICIES, Setting};

/// What the reports say about a policy on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// "Not checked in since the assignment changed."
    Unknown,
    /// In force; these policies agree on the value.
    Compliant {
        policies: BTreeSet<Uuid>,
        at: UtcMillis,
    },
    /// These policies clash.
    Conflict {
        policies: BTreeSet<Uuid>,
        at: UtcMillis,
    },
}

/// What a check-in writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// `Replace` with this value.
    Value(i64),
    /// `Delete`.
    Delete,
}

/// What the conflict summary shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Summary {
    /// No row.
    Empty,
    /// One row, about these policies.
    Row(BTreeSet<Uuid>),
    /// That row or none: every policy of the clash has left the device since its check-in. They
    /// have no rows any more, and the check-in at which the conflict disappears is still to come;
    /// the contract does not say which of the two counts.
    RowOrEmpty(BTreeSet<Uuid>),
}

/// The world as it must be.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// The policies that reach the device, and their value.
    assigned: BTreeMap<Uuid, i64>,
    /// What the device has acknowledged.
    held: Option<i64>,
    states: BTreeMap<Uuid, State>,
    /// The policies that clashed at the last check-in.
    clash: Option<BTreeSet<Uuid>>,
    settings: [Option<Setting>; POLICIES],
}

impl Model {
    /// The state of each policy, as set.
    pub(super) fn settings(&self) -> [Setting; POLICIES] {
        self.settings
            .map(|setting| setting.unwrap_or(Setting::Absent))
    }

    /// The value that the device holds.
    pub(super) const fn held(&self) -> Option<i64> {
        self.held
    }

    /// The states of the policies that reach the device: "one row a policy that reaches the
    /// device".
    pub(super) const fn states(&self) -> &BTreeMap<Uuid, State> {
        &self.states
    }

    /// The policy in this place, known by this id, was brought to this state.
    pub(super) fn set(&mut self, place: usize, id: Uuid, setting: Setting) {
        self.settings[place] = Some(setting);
        let Some(value) = setting.value() else {
            self.assigned.remove(&id);
            self.states.remove(&id);
            return;
        };
        let was_assigned = self.assigned.insert(id, value).is_some();
        // "a conflict appears and disappears only at a check-in, an edit does not hide it"
        let is_hidden =
            was_assigned && matches!(self.states.get(&id), Some(State::Conflict { .. }));
        if !is_hidden {
            self.states.insert(id, State::Unknown);
        }
    }

    /// What the next check-in has to write.
    pub(super) fn next_write(&self) -> Option<Write> {
        let values: BTreeSet<i64> = self.assigned.values().copied().collect();
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            // "Delete for a leaf that no policy sets any more"
            (None, _) => self.held.map(|_| Write::Delete),
            // "only leaves whose value differs from what the device last acknowledged"
            (Some(value), None) => (self.held != Some(value)).then_some(Write::Value(value)),
            // seed: "Settings that were in use on the device remain on the device at the value
            // last set", and "Settings aren't sent to the device".
            (Some(_), Some(_)) => None,
        }
    }

    /// The device has checked in; what that must have written.
    pub(super) fn check_in(&mut self, at: UtcMillis) -> Option<Write> {
        let write = self.next_write();
        match write {
            Some(Write::Value(value)) => self.held = Some(value),
            Some(Write::Delete) => self.held = None,
            None => {}
        }
        let policies: BTreeSet<Uuid> = self.assigned.keys().copied().collect();
        let first = self.assigned.values().next();
        let is_clash = self.assigned.values().any(|value| Some(value) != first);
        // seed: "Both policies, the original and the new, report as being in conflict", also of a
        // device that had none: "both policies are reported as having conflicts".
        let state = if is_clash {
            State::Conflict {
                policies: policies.clone(),
                at,
            }
        } else {
            State::Compliant {
                policies: policies.clone(),
                at,
            }
        };
        self.states = policies.iter().map(|id| (*id, state.clone())).collect();
        self.clash = is_clash.then_some(policies);
        write
    }

    /// "one row for each set of policies that clash on one leaf on at least one device"
    pub(super) fn summary(&self) -> Summary {
        let Some(clash) = &self.clash else {
            return Summary::Empty;
        };
        let is_shown = |state: &State| matches!(state, State::Conflict { .. });
        if self.states.values().any(is_shown) {
            Summary::Row(clash.clone())
        } else {
            Summary::RowOrEmpty(clash.clone())
        }
    }
}
