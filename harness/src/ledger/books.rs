//! What the books say: figures, and the differences one by one.

use uuid::Uuid;

use super::{AuditSeen, OpId, OpKind};

/// How many events are right: at least `low`, at most `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Fewest.
    pub low: u64,
    /// Most.
    pub high: u64,
}

/// How exactly events could be matched with operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Tier 1: events carry the id of their operation.
    ById,
    /// Tier 3: events are counted per device; a loss and a duplicate on one device cancel out.
    ByDevice,
}

impl Tier {
    /// The tier's number, as reports print it.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::ById => 1,
            Self::ByDevice => 3,
        }
    }
}

/// What the log shows of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpView {
    /// How many events are right.
    pub expected: Interval,
    /// How many there are.
    pub seen: u64,
    /// [`Tier::ById`]: both figures are of this operation alone. [`Tier::ByDevice`]: both are sums
    /// over every operation of its kind on its device.
    pub tier: Tier,
}

impl OpView {
    /// True when the number of events is one of the right ones.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.expected.low <= self.seen && self.seen <= self.expected.high
    }
}

/// The books of one kind, or of all kinds together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Operations opened, those that never left included.
    pub operations: u64,
    /// Fewest events that are right.
    pub expected_low: u64,
    /// Most events that are right.
    pub expected_high: u64,
    /// Events of ours in the log: credited and phantom ones.
    pub seen: u64,
    /// Events that are missing.
    pub lost: u64,
    /// Events that are too many for their operation.
    pub duplicated: u64,
    /// Events without an operation, misattributed ones included.
    pub phantom: u64,
    /// Events with an id of ours and the wrong actor, device or kind; part of `phantom`.
    pub misattributed: u64,
    /// Events of devices that are not ours; not part of `seen`.
    pub foreign: u64,
    /// Operations whose outcome is not known: no answer, an answer of 500 and above, or never settled.
    pub unknown_outcomes: u64,
    /// How exactly events were matched; the weakest of the kinds.
    pub tier: Tier,
    /// The first differences, at most [`Books::DISCREPANCIES_MAX`].
    pub discrepancies: Vec<Discrepancy>,
}

impl Books {
    /// Most differences that are listed one by one.
    pub const DISCREPANCIES_MAX: usize = 20;

    /// True when no event is lost, duplicated or phantom.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.phantom == 0
    }

    /// True when so many outcomes are unknown that the books say nothing: above 1 % of the
    /// operations.
    #[must_use]
    pub const fn undetermined(&self) -> bool {
        self.unknown_outcomes * 100 > self.operations
    }

    pub(super) const fn empty() -> Self {
        Self {
            operations: 0,
            expected_low: 0,
            expected_high: 0,
            seen: 0,
            lost: 0,
            duplicated: 0,
            phantom: 0,
            misattributed: 0,
            foreign: 0,
            unknown_outcomes: 0,
            tier: Tier::ById,
            discrepancies: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.expected_low += other.expected_low;
        self.expected_high += other.expected_high;
        self.seen += other.seen;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.phantom += other.phantom;
        self.misattributed += other.misattributed;
        self.foreign += other.foreign;
        self.unknown_outcomes += other.unknown_outcomes;
        self.tier = self.tier.max(other.tier);
        for discrepancy in other.discrepancies {
            self.note(discrepancy);
        }
    }

    pub(super) fn note(&mut self, discrepancy: Discrepancy) {
        if self.discrepancies.len() < Self::DISCREPANCIES_MAX {
            self.discrepancies.push(discrepancy);
        }
    }
}

/// A difference between operations and events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discrepancy {
    /// An operation has fewer or more events than it should.
    Operation {
        /// Which operation.
        id: OpId,
        /// Its kind.
        kind: OpKind,
        /// Its device.
        target: Uuid,
        /// The header it was sent with.
        client_request_id: Uuid,
        /// How many events are right.
        expected: Interval,
        /// How many there are.
        seen: u64,
    },
    /// A device has fewer or more events than it should ([`Tier::ByDevice`]).
    Device {
        /// The kind of the events.
        kind: OpKind,
        /// Which device.
        target: Uuid,
        /// How many events are right.
        expected: Interval,
        /// How many there are.
        seen: u64,
    },
    /// An event has no operation, or is not what its operation did.
    Event(AuditSeen),
}

impl std::fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operation {
                id: _,
                kind,
                target,
                client_request_id,
                expected,
                seen,
            } => write!(
                f,
                "{} of device {target} with client-request-id {client_request_id}: {seen} events, {} to {} expected",
                kind.as_str(),
                expected.low,
                expected.high
            ),
            Self::Device {
                kind,
                target,
                expected,
                seen,
            } => write!(
                f,
                "device {target}: {seen} {} events, {} to {} expected",
                kind.as_str(),
                expected.low,
                expected.high
            ),
            Self::Event(event) => {
                write!(
                    f,
                    "{} event at {} for device {}",
                    event.kind.as_str(),
                    event.at,
                    event.target
                )?;
                match &event.actor {
                    Some(actor) => write!(f, " by {actor}")?,
                    None => f.write_str(" by nobody")?,
                }
                match event.correlation {
                    Some(id) => write!(f, " with correlationId {id}")?,
                    None => f.write_str(" without correlationId")?,
                }
                write!(f, ", result {}: no such operation", event.result)
            }
        }
    }
}

impl Interval {
    pub(super) const fn add(&mut self, other: Self) {
        self.low += other.low;
        self.high += other.high;
    }

    pub(super) const fn hold(self, count: u64) -> bool {
        self.low <= count && count <= self.high
    }
}
