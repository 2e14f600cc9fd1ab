//! What variants remember that act late, or now and then.

use std::collections::{BTreeMap, VecDeque};

use protocol::JoinType;
use protocol::time::UtcMillis;

use super::{Variant, Variants};
use crate::action::{End, OFFLINE};
use crate::core::Core;
use crate::presence::PushId;
use crate::rows::Rows;
use crate::state::{ManagedDevice, ManagedId};

/// How late what is late is shown: well below every limit of contract 8.
const LATE_MS: i64 = 400;
/// One admin call in so many is refused while throttling.
const THROTTLED_OF: u64 = 20;
/// Life of an action that expires early.
const SHORT_LIFE_MS: i64 = 6 * UtcMillis::HOUR_MS;
/// Contract 8, `T_max`: at most 7 d.
const LONG_LIFE_MS: i64 = 7 * UtcMillis::DAY_MS;

/// The variants switched on, and what they remember; empty while none is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    on: Variants,
    /// Admin calls so far.
    calls: u64,
    /// Rotations that are to fail, by action.
    doomed: BTreeMap<u64, (UtcMillis, ManagedId)>,
    /// Pushes held back, with the time at which they go out once it is known.
    held: VecDeque<(PushId, Option<UtcMillis>)>,
    /// Rows from before a session that ended just now, and until when they are shown.
    former_rows: BTreeMap<ManagedId, (UtcMillis, Rows)>,
}

impl Memory {
    pub(crate) fn new(on: Variants) -> Self {
        Self {
            on,
            ..Self::default()
        }
    }

    /// True when the variant is switched on.
    pub(crate) const fn has(&self, variant: Variant) -> bool {
        self.on.has(variant)
    }

    /// The variants switched on.
    pub(crate) const fn on(&self) -> Variants {
        self.on
    }

    /// Contract 5: an action that is open for longer has failed.
    pub(crate) const fn action_life_ms(&self) -> i64 {
        if self.has(Variant::RotationExpiresEarly) {
            SHORT_LIFE_MS
        } else if self.has(Variant::RotationExpiresLate) {
            LONG_LIFE_MS - 1
        } else {
            UtcMillis::DAY_MS
        }
    }

    /// Contract 4: how many credentials of a device are stored.
    pub(crate) const fn credentials_kept(&self) -> usize {
        if self.has(Variant::DirectoryKeepsOne) {
            1
        } else if self.has(Variant::DirectoryKeepsFive) {
            5
        } else {
            3
        }
    }

    /// Contract 2: how often a session asks again for the result of a rotation.
    pub(crate) const fn repeated_reads(&self) -> u8 {
        if self.has(Variant::RotationReadsOnce) {
            0
        } else {
            3
        }
    }

    /// Contract 5: the rotation of a hybrid joined device that is not online may fail at once.
    pub(crate) fn refusal(
        &self,
        device: &ManagedDevice,
        online: bool,
        refusal: Option<&'static str>,
    ) -> Option<&'static str> {
        let offline = device.join_type == JoinType::EntraHybridJoined && !online;
        if refusal.is_none() && offline && self.has(Variant::RotationHybridNeedsConnection) {
            Some(OFFLINE)
        } else {
            refusal
        }
    }

    /// Fails a rotation a little later; false where it is to fail at once.
    pub(crate) fn dooms(
        &mut self,
        now: UtcMillis,
        (device, action): (ManagedId, u64),
        reason: &str,
    ) -> bool {
        let late = reason == OFFLINE && self.has(Variant::RotationFailsLate);
        if late {
            self.doomed
                .insert(action, (now.plus_millis(LATE_MS), device));
        }
        late
    }

    /// True for a rotation that is to fail and must not go out.
    pub(crate) fn is_doomed(&self, action: u64) -> bool {
        self.doomed.contains_key(&action)
    }

    /// When something late falls due.
    pub(crate) fn due_at(&self) -> Option<UtcMillis> {
        self.doomed.values().map(|(at, _)| *at).min()
    }

    /// True when this admin call is refused with 429. Two calls in a row are never refused, so that
    /// a repetition comes through.
    pub(crate) fn throttles(&mut self) -> bool {
        self.calls += 1;
        self.calls.is_multiple_of(THROTTLED_OF)
    }

    /// Contract 8, `T_audit`: the last time whose events are readable; `None` for all of them.
    pub(crate) fn audit_readable_to(&self, now: UtcMillis) -> Option<UtcMillis> {
        let late = self.has(Variant::AuditLate);
        late.then(|| now.plus_millis(-LATE_MS))
    }

    /// Contract 8, `T_push`: holds the push for a change back.
    pub(crate) fn hold(&mut self, push: Option<PushId>) {
        self.held.extend(push.map(|push| (push, None)));
    }

    /// The push held back that is to be sent now.
    pub(crate) fn release(&mut self, now: UtcMillis) -> Option<PushId> {
        let unknown = self.held.iter_mut().rev().map(|(_, at)| at);
        for at in unknown.take_while(|at| at.is_none()) {
            *at = Some(now.plus_millis(LATE_MS));
        }
        let due = |(_, at): &mut (PushId, Option<UtcMillis>)| at.is_some_and(|at| at <= now);
        let (push, _) = self.held.pop_front_if(due)?;
        Some(push)
    }

    /// The rows of a session that just ended come after a while; until then, these are shown.
    pub(crate) fn shows_first(&mut self, now: UtcMillis, device: ManagedId, rows: &Rows) {
        if self.has(Variant::ReportLate) {
            let until = now.plus_millis(LATE_MS);
            self.former_rows.insert(device, (until, rows.clone()));
        }
    }

    /// A change altered the rows of a device, which is seen at once (contract 5).
    pub(crate) fn shows_now(&mut self, device: ManagedId) {
        self.former_rows.remove(&device);
    }

    /// The rows that are shown of a device.
    pub(crate) fn rows_of<'r>(&'r self, device: &'r ManagedDevice) -> &'r Rows {
        let former = self.former_rows.get(&device.id);
        former.map_or(&device.rows, |(_, rows)| rows)
    }
}

impl Core {
    /// Lets happen what variants put off.
    pub(crate) fn catch_up(&mut self, now: UtcMillis) {
        if self.variant.on.is_empty() {
            return;
        }
        self.variant
            .former_rows
            .retain(|_, (until, _)| *until > now);
        let doomed = &mut self.variant.doomed;
        let due: Vec<(u64, ManagedId)> = doomed
            .iter()
            .filter(|(_, (at, _))| *at <= now)
            .map(|(action, (_, device))| (*action, *device))
            .collect();
        for (action, device) in due {
            self.end_action(now, device, action, End::Refused(OFFLINE));
            self.variant.doomed.remove(&action);
        }
    }
}
