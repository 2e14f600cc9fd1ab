//! Situations with their facts: what was on the wire and what the harness itself knows, for example
//! that a device was offline. Checks judge cases; a case decides nothing.
//!
//! No case holds a password: scenarios compare and keep the outcome.

mod access;
mod conflict;
mod credential;
mod policy;
mod rotation;

pub use access::{AccessCase, Attempt, Guarded};
pub use conflict::{
    ConflictCheckInCase, ConflictKind, ConflictReportCase, PolicyReport, PolicyRole, Remedy,
    ResolutionCase,
};
pub use credential::{
    AdViewCase, AdViewKind, BackupShown, CredentialViewCase, ExplicitRead, MetadataRead,
    ScheduleCase, ViewAuditCase,
};
pub use policy::{DeliveryCase, MisfitCase, MisfitKind, UnprocessedCase, WriteSeen};
pub use rotation::{
    ActionSeen, AttemptAuditCase, AttemptClass, BooksCase, BulkCase, BulkDevice, BulkSync,
    ComebackCase, RotationCase,
};

pub use crate::model::WrongAnswer;

/// One situation.
#[derive(Clone, Debug)]
pub enum Case {
    /// A policy reached its first device session.
    Delivery(DeliveryCase),
    /// Answers of the load that carried a whole policy and were verified to the value.
    Deliveries {
        /// How many.
        count: u64,
    },
    /// A policy is assigned and the device has not processed it.
    Unprocessed(UnprocessedCase),
    /// A check-in while policies clash.
    ConflictCheckIn(ConflictCheckInCase),
    /// What is reported while policies clash.
    ConflictReport(ConflictReportCase),
    /// What is sent and reported once they clash no more.
    Resolution(ResolutionCase),
    /// The days after a first backup, by the device's clock.
    Schedule(ScheduleCase),
    /// A manual rotation.
    Rotation(RotationCase),
    /// A device that comes online after a rotation failed for want of connection.
    Comeback(ComebackCase),
    /// A bulk call that asks for rotation, between two that ask for synchronisation.
    Bulk(BulkCase),
    /// The views of a credential that is backed up to Microsoft Entra ID.
    CredentialView(CredentialViewCase),
    /// The view of a device that uses Active Directory.
    AdView(AdViewCase),
    /// Passwords read, and the events of it.
    ViewAudit(ViewAuditCase),
    /// One rotation attempt, and the events of it.
    AttemptAudit(AttemptAuditCase),
    /// The books of the whole run.
    Books(BooksCase),
    /// Calls of an actor without the right, between two of one who has it.
    Access(AccessCase),
    /// A policy that a device takes and that cannot lead to a backup.
    Misfit(MisfitCase),
    /// An answer of the load that was not what it had to be.
    WrongAnswer(WrongAnswer),
}
