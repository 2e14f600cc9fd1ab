//! Events of the audit logs: those that must be there, those that must not, and what they say.

use protocol::time::UtcTicks;

use crate::transcript::ExchangeId;

/// One situation of a log.
#[derive(Clone, Debug)]
pub enum LogCase {
    /// Calls that must leave no event.
    Silent(SilentCase),
    /// Backups and their events.
    Update(UpdateCase),
    /// What one event says.
    Event(EventCase),
    /// The events of one policy.
    Policy(PolicyEventsCase),
}

/// Which calls must leave no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Reads of metadata, and reads of the password that were refused.
    Reads,
    /// A bulk rotation that was refused.
    BulkRotation,
}

/// Calls that must leave no event, beside calls that leave one each.
#[derive(Clone, Debug)]
pub struct SilentCase {
    /// Which calls.
    pub quiet: Quiet,
    /// The device's name.
    pub device: String,
    /// Calls that must leave none.
    pub silent: u32,
    /// Calls that leave one event each: the positive control.
    pub loud: u32,
    /// Events of the device of that kind.
    pub events: u32,
    /// The calls and the log.
    pub exchanges: Vec<ExchangeId>,
}

/// Scheduled rotations and the events of the backups that they made.
#[derive(Clone, Debug)]
pub struct UpdateCase {
    /// The device's name.
    pub device: String,
    /// Scheduled rotations whose upload was accepted.
    pub scheduled: u32,
    /// Events of an update since the first backup.
    pub events: u32,
    /// The uploads and the log.
    pub exchanges: Vec<ExchangeId>,
}

/// What one event says, and what it should.
#[derive(Clone, Debug)]
pub struct EventCase {
    /// What was done, for example `a rotation that was accepted`.
    pub what: &'static str,
    /// What it should say.
    pub expected: EventFacts,
    /// The earliest and latest time that is right, by the target's clock.
    pub between: (UtcTicks, UtcTicks),
    /// What it says; `None` when there is no event.
    pub seen: Option<EventFacts>,
    /// When it says that it was.
    pub at: Option<UtcTicks>,
    /// The call and the log.
    pub exchanges: Vec<ExchangeId>,
}

/// Who did what to which device, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFacts {
    /// The user principal name of the actor; the app's name where no user did it.
    pub actor: Option<String>,
    /// The id of the target.
    pub target: Option<String>,
    /// The activity.
    pub activity: String,
    /// The result.
    pub result: String,
}

/// The events of one policy, each kind with its number.
#[derive(Clone, Debug)]
pub struct PolicyEventsCase {
    /// Every call was accepted: create, edit, assign, delete, one each.
    pub accepted: bool,
    /// The activities of the events of that policy, in the order of the log.
    pub activities: Vec<String>,
    /// The calls and the log.
    pub exchanges: Vec<ExchangeId>,
}
