//! The books: operations that must be audited, held against the events that the target's logs
//! show.
//!
//! Every operation gets a dense index and a `client-request-id` that maps back to it. Its outcome
//! fixes how many events it must have left, as an interval; reading the logs fills in how many it
//! did leave. Counting is exact: no sampling and no sums in which a loss and a duplicate could
//! cancel out.
//!
//! **What is counted**, per kind of operation:
//! - *credited*: an event that carries the id of an operation and agrees with it in kind, actor and
//!   device;
//! - *lost*: events missing below the lower end of an operation's interval;
//! - *duplicated*: events above the upper end of an operation's interval;
//! - *phantom*: an event for a device of ours that no operation accounts for: it carries no id of
//!   ours, or it is misattributed;
//! - *misattributed*: a phantom that carries an id of ours but names another actor, device or kind.
//!   Its operation is not credited, so it is lost as well unless another event credits it;
//! - *foreign*: an event for a device that is not ours and without an id of ours, as a shared target
//!   has them. Not part of the books.
//!
//! So `seen = credited + phantom`, and the books balance when lost, duplicated and phantom are 0.
//!
//! **Tiers.** A target that echoes ids is judged by operation ([`Tier::ById`]). One whose log never
//! shows an id of ours is judged by sums per device ([`Tier::ByDevice`]), where a loss and a
//! duplicate on one device cancel out; the report prints the tier for that reason.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::time::UtcTicks;
use uuid::Uuid;

mod accounts;
mod books;
mod drain;
mod owned;
mod request_id;

use accounts::Accounts;
pub use books::{Books, Discrepancy, Interval, OpView, Tier};
pub use drain::{Drain, Fence, Next, Reading};
use request_id::RequestIds;

/// Names an operation within a run; dense, in order of opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u32);

/// The kinds of operation that leave audit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKind {
    /// A manual rotation was requested; `rotateLocalAdminPassword ManagedDevice`.
    Rotation,
    /// A password was read; `Recover device local administrator password`.
    Recover,
}

impl OpKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Rotation, Self::Recover];

    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Recover => "recover",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Rotation => 0,
            Self::Recover => 1,
        }
    }
}

/// An operation that was opened: send it with this `client-request-id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// Its name in the ledger.
    pub id: OpId,
    /// The header to send.
    pub client_request_id: Uuid,
}

/// How an operation ended on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It provably never left: no event may exist.
    NotSent,
    /// It was answered with this HTTP status.
    Status(u16),
    /// It was written, and no status came back.
    Unknown,
}

/// An event of a target's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSeen {
    /// What the activity's name says was done.
    pub kind: OpKind,
    /// `correlationId`, if the event has one that is a GUID.
    pub correlation: Option<Uuid>,
    /// The actor as the event names it, for example `auditor@muster.test`; `None` when it names none.
    pub actor: Option<String>,
    /// The device: managed device id for a rotation, Entra device id for a password read.
    pub target: Uuid,
    /// `activityDateTime`.
    pub at: UtcTicks,
    /// The result as the event words it.
    pub result: String,
}

/// All operations of a run and the events that were read; clones share the books.
#[derive(Clone)]
pub struct Ledger {
    accounts: Arc<Mutex<Accounts>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("operations", &self.operations())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Empty books of a run. `run` must differ from that of every other run against the same
    /// target, or events of the other run are taken for ours.
    #[must_use]
    pub fn new(run: u64) -> Self {
        Self {
            accounts: Arc::new(Mutex::new(Accounts::new(RequestIds::new(run)))),
        }
    }

    /// Declares a device as ours: an event that no operation accounts for is then a phantom and
    /// not foreign. Opening an operation declares its device, too. A device that has two ids (of
    /// the managed device and of the directory) is declared with both.
    pub fn own(&self, target: Uuid) {
        self.lock().own(target);
    }

    /// Opens an operation by an actor on a device; to be called before it is sent. The actor's name
    /// is compared with the event's up to an `@`.
    #[must_use]
    pub fn open(&self, kind: OpKind, actor: &str, target: Uuid) -> Op {
        self.lock().open(kind, actor, target)
    }

    /// Enters how an operation ended. An operation that is never settled counts as unknown.
    pub fn settle(&self, id: OpId, outcome: Outcome) {
        self.lock().settle(id, outcome);
    }

    /// Enters an event that was read.
    pub fn observe(&self, event: AuditSeen) {
        self.lock().observe(event);
    }

    /// Forgets every event: a full reading of the logs replaces the one before.
    pub fn clear_observations(&self) {
        self.lock().clear_observations();
    }

    /// How many operations were opened.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.lock().operations()
    }

    /// What the log shows of an operation; `None` for an id that was never opened.
    #[must_use]
    pub fn op(&self, id: OpId) -> Option<OpView> {
        self.lock().op(id)
    }

    /// True when each of these operations has at least the events it must have: the fence of
    /// [`Drain`].
    #[must_use]
    pub fn all_seen(&self, ids: &[OpId]) -> bool {
        let accounts = self.lock();
        ids.iter().all(|id| {
            accounts
                .op(*id)
                .is_some_and(|view| view.seen >= view.expected.low)
        })
    }

    /// The books of every kind together.
    #[must_use]
    pub fn balance(&self) -> Books {
        let accounts = self.lock();
        let mut books = Books::empty();
        for kind in OpKind::ALL {
            books.add(accounts.balance(kind));
        }
        books
    }

    /// The books of one kind.
    #[must_use]
    pub fn balance_of(&self, kind: OpKind) -> Books {
        self.lock().balance(kind)
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
