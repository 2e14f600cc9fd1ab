//! Manual rotations, one by one and in bulk.

use protocol::JoinType;
use protocol::graph::action::ActionState;
use protocol::time::UtcTicks;
use uuid::Uuid;

use crate::ledger::{Books, Interval, OpId, OpKind};
use crate::transcript::ExchangeId;

/// A manual rotation of one device, from the request to the end of what it caused.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact by itself, seen or known"
)]
pub struct RotationCase {
    /// The device's name.
    pub device: String,
    /// Id of the managed device.
    pub managed_id: Uuid,
    /// Its join state.
    pub join_type: JoinType,
    /// The device answered pushes as connected at the time of the request.
    pub online: bool,
    /// A backup of the device had been accepted before the request.
    pub backed_up: bool,
    /// The operation in the ledger.
    pub op: OpId,
    /// Status of the request; `None` when no answer came.
    pub status: Option<u16>,
    /// The action as listed in the end; `None` when none was listed.
    pub action: Option<ActionSeen>,
    /// Execs of `ResetPassword` that reached the device because of it.
    pub execs: u32,
    /// Uploads accepted after it.
    pub backups: u32,
    /// The device holds another password than before.
    pub password_changed: bool,
    /// A read of the password afterwards showed the one that the device holds; `None` when it was
    /// not read.
    pub password_shown: Option<bool>,
    /// Whole hours from the request to the expiry of the password, by the device's clock.
    pub hours_to_expiry: i64,
    /// It happened under load.
    pub in_load: bool,
    /// The exchanges that prove all this.
    pub exchanges: Vec<ExchangeId>,
}

/// An action as the target lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSeen {
    /// Its state.
    pub state: ActionState,
    /// Its detail, for example `offline`.
    pub detail: Option<String>,
    /// Its error code.
    pub error_code: Option<i64>,
}

/// A device whose rotation failed while it was offline, after it came online again.
#[derive(Clone, Debug)]
pub struct ComebackCase {
    /// The rotation asked for while the device was offline.
    pub refused: RotationCase,
    /// Sessions that the device completed after it came online and before the next request.
    pub sessions: u32,
    /// Execs of `ResetPassword` in those sessions.
    pub execs: u32,
    /// Uploads accepted in or after those sessions.
    pub backups: u32,
    /// The device holds another password than before.
    pub password_changed: bool,
    /// Next rotation as shown before the request that failed.
    pub next_before: Option<UtcTicks>,
    /// Next rotation as shown after those sessions.
    pub next_after: Option<UtcTicks>,
    /// The rotation asked for then, with the device online.
    pub later: Option<RotationCase>,
    /// The exchanges that prove it, without those of the two rotations.
    pub exchanges: Vec<ExchangeId>,
}

/// A bulk call that asks for rotation.
#[derive(Clone, Debug)]
pub struct BulkCase {
    /// The `actionName` sent.
    pub literal: &'static str,
    /// Its status; `None` when no answer came.
    pub status: Option<u16>,
    /// The bulk synchronisation before it.
    pub sync_before: BulkSync,
    /// The bulk synchronisation after it.
    pub sync_after: Option<BulkSync>,
    /// What it did to each device named, up to and with a check-in after it.
    pub devices: Vec<BulkDevice>,
    /// The bulk call itself.
    pub exchange: ExchangeId,
}

/// A bulk call that asks for synchronisation.
#[derive(Clone, Debug)]
pub struct BulkSync {
    /// Its status; `None` when no answer came.
    pub status: Option<u16>,
    /// Devices named in the call.
    pub named: usize,
    /// Of those, the ones listed as successful.
    pub successful: usize,
    /// The call.
    pub exchange: ExchangeId,
}

/// A device after a bulk call that asked for its rotation.
#[derive(Clone, Debug)]
pub struct BulkDevice {
    /// Its name.
    pub device: String,
    /// A whole check-in happened after the call, so that an Exec would have arrived.
    pub checked_in: bool,
    /// Execs of `ResetPassword` since the call.
    pub execs: u32,
    /// Accepted uploads since the call.
    pub backups: u32,
    /// Rotation actions listed that were not before.
    pub rotate_rows: usize,
    /// The device holds another password than before.
    pub password_changed: bool,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// Why a rotation attempt ends as it does, as the harness knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptClass {
    /// Online and backed up: it succeeds.
    Success,
    /// Entra joined and offline: it fails.
    Offline,
    /// Online and never backed up: it fails.
    Unbacked,
}

/// One rotation attempt and how many events tell of it. Where events carry no id of their
/// operation, both figures are sums over the attempts on the device.
#[derive(Clone, Debug)]
pub struct AttemptAuditCase {
    /// The device's name.
    pub device: String,
    /// Why it ends as it does.
    pub class: AttemptClass,
    /// Status of the request; `None` when no answer came.
    pub status: Option<u16>,
    /// How many events are right, by the attempts made.
    pub expected: Interval,
    /// Events found.
    pub events: u64,
    /// The request and what belongs to it.
    pub exchanges: Vec<ExchangeId>,
}

/// The books of the whole run.
#[derive(Clone, Debug)]
pub struct BooksCase {
    /// Whose books: rotations or reads of passwords.
    pub kind: OpKind,
    /// The books.
    pub books: Books,
    /// What belongs to the operations that do not balance, as far as it is known.
    pub exchanges: Vec<ExchangeId>,
}
