//! Situations with their facts: what was on the wire and what the harness itself knows, for example
//! that a device was offline. Checks judge cases; a case decides nothing.
//!
//! No case holds a password: scenarios compare and keep the outcome.

mod access;
mod action;
mod backup;
mod choice;
mod clash;
mod conflict;
mod credential;
mod leak;
mod log;
mod policy;
mod reach;
mod record;
mod reported;
mod rights;
mod rotation;
mod together;
mod wire;

pub use access::{AccessCase, Attempt, Guarded};
pub use action::{
    ActionCase, EndingCase, ListCase, Look, Moment, OverlapCase, RowSeen, WatchKind,
    WatchedRotation,
};
pub use backup::{
    BackupCase, BackupSituation, BackupTimesCase, DirectoryCase, ForeignUploadCase, QuietCase,
};
pub use choice::{ChoiceCase, ChoiceSeen, Question};
pub use clash::{ClashCase, ClashKind, ClashSessionCase, SettingReport, SeveralCase};
pub use conflict::{
    ConflictCheckInCase, ConflictKind, ConflictReportCase, PolicyReport, PolicyRole, Remedy,
    ResolutionCase,
};
pub use credential::{
    AdViewCase, AdViewKind, BackupShown, CredentialViewCase, ExplicitRead, MetadataRead,
    ScheduleCase, ViewAuditCase,
};
pub use leak::{LeakCase, LeakHit, LeakPlace};
pub use log::{EventCase, EventFacts, LogCase, PolicyEventsCase, Quiet, SilentCase, UpdateCase};
pub use policy::{DeliveryCase, MisfitCase, MisfitKind, UnprocessedCase, WriteSeen};
pub use reach::{
    CadenceCase, EarlyVisitCase, LateDeliveryCase, NotifyCase, PolicyBodyCase, ReachCase,
    SteadyCase, UserPolicyCase, UserQuestion,
};
pub use record::{CurrentPassword, DeletedDevice, RecordCase};
pub use reported::{RefusedSettingCase, ReportCase, StatesCase, SummaryCase, TooOldCase};
pub use rights::{RightsCase, Standing};
pub use rotation::{
    ActionSeen, AttemptAuditCase, AttemptClass, BooksCase, BulkCase, BulkDevice, BulkSync,
    ComebackCase, RotationCase,
};
pub use together::{Aim, OddBulkCase, SingleSeen, SinglesCase, TogetherCase};
pub use wire::{
    AgeCase, AnswerForm, CommandForm, CommandKind, FailedAtomicCase, ItemForm, OldBuildCase,
    SettingSeen, WireCase,
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
    /// Rotations watched step by step, beside each other, in lists.
    Action(ActionCase),
    /// A choice that must be the same for every device.
    Choice(ChoiceCase),
    /// Stored passwords after rotations, and after the end of their device.
    Record(RecordCase),
    /// Events of the audit logs.
    Log(LogCase),
    /// Actors with some rights and without others.
    Rights(RightsCase),
    /// Rotations of several devices at once.
    Together(TogetherCase),
    /// The form of management answers, and settings that a device does not take.
    Wire(WireCase),
    /// Policies on their way to devices and users.
    Reach(ReachCase),
    /// Several policies on one device.
    Several(SeveralCase),
    /// What the directory takes and shows.
    Directory(DirectoryCase),
    /// What is reported of policies.
    Report(ReportCase),
    /// A search for passwords where none may be.
    Leak(LeakCase),
    /// An answer of the load that was not what it had to be.
    WrongAnswer(WrongAnswer),
}
