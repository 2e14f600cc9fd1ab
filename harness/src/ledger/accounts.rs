//! The accounts behind a ledger: one byte an operation, who did it to which device, and what was
//! seen.

use std::collections::HashMap;

use uuid::Uuid;

use super::owned::Owned;
use super::request_id::RequestIds;
use super::{AuditSeen, Books, Discrepancy, Interval, Op, OpId, OpKind, OpView, Outcome, Tier};

/// See the module.
pub(super) struct Accounts {
    ids: RequestIds,
    ops: Vec<OpByte>,
    parties: Vec<Parties>,
    actors: Vec<String>,
    owned: Owned,
    /// The devices of ours with an operation or an event.
    targets: Vec<Uuid>,
    target_indexes: HashMap<Uuid, u32>,
    /// Operations opened, per kind.
    opened: [u64; 2],
    seen: [Seen; 2],
}

impl Accounts {
    pub(super) fn new(ids: RequestIds) -> Self {
        Self {
            ids,
            ops: Vec::new(),
            parties: Vec::new(),
            actors: Vec::new(),
            owned: Owned::default(),
            targets: Vec::new(),
            target_indexes: HashMap::new(),
            opened: [0; 2],
            seen: [Seen::default(), Seen::default()],
        }
    }

    /// How many operations were opened.
    pub(super) const fn operations(&self) -> usize {
        self.ops.len()
    }

    pub(super) fn own(&mut self, target: Uuid) {
        self.owned.add(target);
    }

    pub(super) fn open(&mut self, kind: OpKind, actor: &str, target: Uuid) -> Op {
        let index = u32::try_from(self.ops.len()).unwrap_or(u32::MAX);
        let parties = Parties {
            actor: self.actor_index(actor),
            target: self.target_index(target),
        };
        self.opened[kind.index()] += 1;
        self.ops.push(OpByte::new(kind));
        self.parties.push(parties);
        Op {
            id: OpId(index),
            client_request_id: self.ids.id(index),
        }
    }

    pub(super) fn settle(&mut self, id: OpId, outcome: Outcome) {
        if let Some(op) = self.ops.get_mut(position(id.0)) {
            op.expect(Expectation::of(op.kind(), outcome));
        }
    }

    pub(super) fn observe(&mut self, event: AuditSeen) {
        let our_op = event
            .correlation
            .and_then(|id| self.ids.index(id))
            .filter(|index| position(*index) < self.ops.len());
        let known = self.target_indexes.get(&event.target).copied();
        let our_target = match known {
            None if self.owned.contains(event.target) => Some(self.target_index(event.target)),
            Some(_) | None => known,
        };
        let agrees = our_op.is_some_and(|index| self.agrees(index, &event));
        let seen = &mut self.seen[event.kind.index()];
        if our_op.is_none() && our_target.is_none() {
            seen.foreign += 1;
            return;
        }
        seen.events += 1;
        if let Some(target) = our_target {
            count_at(&mut seen.by_target, position(target));
        }
        let Some(index) = our_op else {
            seen.phantom(event);
            return;
        };
        seen.with_our_id += 1;
        if !agrees {
            seen.misattributed += 1;
            seen.phantom(event);
            return;
        }
        let op = &mut self.ops[position(index)];
        if op.credited() < OpByte::CREDITED_MAX {
            op.credit();
        } else {
            seen.credits_beyond += 1;
        }
    }

    /// True when the event is what the operation did: kind, device and, if named, actor.
    fn agrees(&self, index: u32, event: &AuditSeen) -> bool {
        let (op, parties) = (self.ops[position(index)], self.parties[position(index)]);
        let actor = &self.actors[position(parties.actor)];
        op.kind() == event.kind
            && self.targets[position(parties.target)] == event.target
            && event
                .actor
                .as_deref()
                .is_none_or(|named| account(named) == account(actor))
    }

    pub(super) fn clear_observations(&mut self) {
        self.seen = [Seen::default(), Seen::default()];
        for op in &mut self.ops {
            op.clear_credits();
        }
    }

    fn tier(&self, kind: OpKind) -> Tier {
        let seen = &self.seen[kind.index()];
        if self.opened[kind.index()] > 0 && seen.events > 0 && seen.with_our_id == 0 {
            Tier::ByDevice
        } else {
            Tier::ById
        }
    }

    pub(super) fn op(&self, id: OpId) -> Option<OpView> {
        let op = *self.ops.get(position(id.0))?;
        let tier = self.tier(op.kind());
        Some(match tier {
            Tier::ById => OpView {
                expected: op.expectation().interval(),
                seen: u64::from(op.credited()),
                tier,
            },
            Tier::ByDevice => {
                let target = self.parties[position(id.0)].target;
                OpView {
                    expected: self.expected_of_target(op.kind(), target),
                    seen: self.seen[op.kind().index()].of_target(position(target)),
                    tier,
                }
            }
        })
    }

    fn expected_of_target(&self, kind: OpKind, target: u32) -> Interval {
        let mut sum = Interval::default();
        for (op, parties) in self.ops.iter().zip(&self.parties) {
            if op.kind() == kind && parties.target == target {
                sum.add(op.expectation().interval());
            }
        }
        sum
    }

    pub(super) fn balance(&self, kind: OpKind) -> Books {
        let seen = &self.seen[kind.index()];
        let mut books = Books {
            seen: seen.events,
            foreign: seen.foreign,
            tier: self.tier(kind),
            ..Books::empty()
        };
        for op in self.ops.iter().filter(|op| op.kind() == kind) {
            let expected = op.expectation().interval();
            books.operations += 1;
            books.expected_low += expected.low;
            books.expected_high += expected.high;
            books.unknown_outcomes += u64::from(op.expectation() == Expectation::Unknown);
        }
        match books.tier {
            Tier::ById => self.balance_by_id(kind, &mut books),
            Tier::ByDevice => self.balance_by_device(kind, &mut books),
        }
        books
    }

    fn balance_by_id(&self, kind: OpKind, books: &mut Books) {
        let seen = &self.seen[kind.index()];
        books.phantom = seen.phantom;
        books.misattributed = seen.misattributed;
        books.duplicated = seen.credits_beyond;
        for (index, (op, parties)) in self.ops.iter().zip(&self.parties).enumerate() {
            let expected = op.expectation().interval();
            let credited = u64::from(op.credited());
            if op.kind() != kind || expected.hold(credited) {
                continue;
            }
            books.lost += expected.low.saturating_sub(credited);
            books.duplicated += credited.saturating_sub(expected.high);
            let id = OpId(u32::try_from(index).unwrap_or(u32::MAX));
            books.note(Discrepancy::Operation {
                id,
                kind,
                target: self.targets[position(parties.target)],
                client_request_id: self.ids.id(id.0),
                expected,
                seen: credited,
            });
        }
        for event in &seen.phantoms {
            books.note(Discrepancy::Event(event.clone()));
        }
    }

    fn balance_by_device(&self, kind: OpKind, books: &mut Books) {
        let mut expected = vec![None; self.targets.len()];
        for (op, parties) in self.ops.iter().zip(&self.parties) {
            if op.kind() == kind {
                expected[position(parties.target)]
                    .get_or_insert_with(Interval::default)
                    .add(op.expectation().interval());
            }
        }
        for (index, (target, expected)) in self.targets.iter().zip(expected).enumerate() {
            let count = self.seen[kind.index()].of_target(index);
            match expected {
                Some(expected) => {
                    books.lost += expected.low.saturating_sub(count);
                    books.duplicated += count.saturating_sub(expected.high);
                }
                None => books.phantom += count,
            }
            let expected = expected.unwrap_or_default();
            if !expected.hold(count) {
                books.note(Discrepancy::Device {
                    kind,
                    target: *target,
                    expected,
                    seen: count,
                });
            }
        }
    }

    fn actor_index(&mut self, actor: &str) -> u32 {
        let known = self.actors.iter().position(|known| known == actor);
        let index = known.unwrap_or_else(|| {
            self.actors.push(actor.to_owned());
            self.actors.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    fn target_index(&mut self, target: Uuid) -> u32 {
        *self.target_indexes.entry(target).or_insert_with(|| {
            self.targets.push(target);
            u32::try_from(self.targets.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// What an outcome lets expect; two bits of an [`OpByte`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expectation {
    /// No event may exist.
    None,
    /// Exactly one event.
    One,
    /// None or one, and that is right: the contract leaves it open.
    Open,
    /// None or one, because the outcome is not known.
    Unknown,
}

impl Expectation {
    const fn interval(self) -> Interval {
        match self {
            Self::None => Interval { low: 0, high: 0 },
            Self::One => Interval { low: 1, high: 1 },
            Self::Open | Self::Unknown => Interval { low: 0, high: 1 },
        }
    }

    /// How many events an operation of this kind with this outcome must leave.
    const fn of(kind: OpKind, outcome: Outcome) -> Self {
        match (outcome, kind) {
            (Outcome::NotSent, _) => Self::None,
            (Outcome::Status(200..=299), _) => Self::One,
            // Throttled: an attempt took place or did not.
            (Outcome::Status(429), _) => Self::Open,
            // Contract 5: a refused call may be audited; a call that does not reach the action at
            // all (method, media type, size) is treated alike.
            (Outcome::Status(401 | 403 | 404 | 405 | 413 | 415), OpKind::Rotation) => Self::Open,
            // S17: every attempt counts, also one that is refused by rule instead of being listed
            // as failed.
            (Outcome::Status(400..=499), OpKind::Rotation) => Self::One,
            // Contract 5: a refused read leaves no Recover event.
            (Outcome::Status(400..=499), OpKind::Recover) => Self::None,
            (Outcome::Status(_) | Outcome::Unknown, _) => Self::Unknown,
        }
    }
}

/// One operation in one byte: bits 0 and 1 the expectation, bit 2 the kind, bits 4 to 7 the number
/// of credited events up to 15.
#[derive(Clone, Copy)]
struct OpByte(u8);

impl OpByte {
    const CREDITED_MAX: u8 = 15;

    const fn new(kind: OpKind) -> Self {
        let kind_bit = match kind {
            OpKind::Rotation => 0,
            OpKind::Recover => 0b100,
        };
        Self(kind_bit | 0b11)
    }

    const fn kind(self) -> OpKind {
        if self.0 & 0b100 == 0 {
            OpKind::Rotation
        } else {
            OpKind::Recover
        }
    }

    const fn expectation(self) -> Expectation {
        match self.0 & 0b11 {
            0 => Expectation::None,
            1 => Expectation::One,
            2 => Expectation::Open,
            _ => Expectation::Unknown,
        }
    }

    const fn expect(&mut self, expectation: Expectation) {
        let bits = match expectation {
            Expectation::None => 0,
            Expectation::One => 1,
            Expectation::Open => 2,
            Expectation::Unknown => 3,
        };
        self.0 = (self.0 & !0b11) | bits;
    }

    const fn credited(self) -> u8 {
        self.0 >> 4
    }

    const fn credit(&mut self) {
        self.0 += 1 << 4;
    }

    const fn clear_credits(&mut self) {
        self.0 &= 0b1111;
    }
}

/// Who did an operation to which device, as indexes.
#[derive(Clone, Copy)]
struct Parties {
    actor: u32,
    target: u32,
}

/// What was seen of one kind.
#[derive(Default)]
struct Seen {
    /// Events of devices of ours or with ids of ours.
    events: u64,
    /// Of those, the ones that carry an id of ours.
    with_our_id: u64,
    /// Credits beyond what an [`OpByte`] can hold; all of them are duplicates.
    credits_beyond: u64,
    phantom: u64,
    misattributed: u64,
    foreign: u64,
    /// The first phantoms.
    phantoms: Vec<AuditSeen>,
    /// Events per device of ours, by index; shorter than the device table where none were seen.
    by_target: Vec<u64>,
}

impl Seen {
    fn phantom(&mut self, event: AuditSeen) {
        self.phantom += 1;
        if self.phantoms.len() < Books::DISCREPANCIES_MAX {
            self.phantoms.push(event);
        }
    }

    fn of_target(&self, index: usize) -> u64 {
        self.by_target.get(index).copied().unwrap_or(0)
    }
}

/// The name of an account without its domain.
fn account(name: &str) -> &str {
    name.split_once('@')
        .map_or(name, |(account, _domain)| account)
}

fn count_at(counts: &mut Vec<u64>, index: usize) {
    if counts.len() <= index {
        counts.resize(index + 1, 0);
    }
    counts[index] += 1;
}

/// An index as a position; the tables it points into are in memory, so it fits.
fn position(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
