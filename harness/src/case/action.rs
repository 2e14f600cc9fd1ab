//! Rotations watched step by step, beside each other, in lists, and against the end of an enrolment.

use protocol::graph::action::ActionState;
use protocol::time::UtcTicks;

use super::ActionSeen;
use crate::transcript::ExchangeId;

/// One situation of a rotation.
#[derive(Clone, Debug)]
pub enum ActionCase {
    /// A rotation looked at step by step.
    Watched(WatchedRotation),
    /// Two requests of which the first is pending.
    Overlap(OverlapCase),
    /// A list of several actions.
    List(ListCase),
    /// A rotation that is pending when the enrolment is to end.
    Ending(EndingCase),
}

/// What is special about a watched rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// Nothing: one request, and sessions enough for a second Exec to show.
    Plain,
    /// The device says that the reset is still running, and the result comes later.
    ResultWithheld,
    /// The reset fails on the device.
    ResultFailed,
    /// The device was online at the time of the request and did not come before T_max was over.
    Dropped,
    /// The connection was cut when the Exec had arrived and its Status had not gone out.
    StatusLost,
}

/// When an action was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request was answered, and the device had no session since.
    Accepted,
    /// The device had the Exec and no result.
    Running,
    /// T_max is over.
    Overdue,
    /// The device reported its result, and a session after it is over.
    Reported,
}

/// A look at the action.
#[derive(Clone, Debug)]
pub struct Look {
    /// When.
    pub moment: Moment,
    /// The action as listed; `None` when it was not.
    pub action: Option<ActionSeen>,
}

/// A rotation looked at step by step.
#[derive(Clone, Debug)]
pub struct WatchedRotation {
    /// The device's name.
    pub device: String,
    /// What is special about it.
    pub kind: WatchKind,
    /// A backup of the device had been accepted before the request.
    pub backed_up: bool,
    /// Status of the request; `None` when no answer came.
    pub status: Option<u16>,
    /// What was seen, in order.
    pub looks: Vec<Look>,
    /// Execs of `ResetPassword` that reached the device since the request.
    pub execs: u32,
    /// Uploads accepted since.
    pub backups: u32,
    /// The HRESULT that the device reported in the end; `None` when it reported none.
    pub hresult: Option<i32>,
    /// Whole sessions after the one of the Exec.
    pub later_sessions: u32,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// Two requests for one device, the second while the first is pending.
#[derive(Clone, Debug)]
pub struct OverlapCase {
    /// The device's name.
    pub device: String,
    /// Status of each request.
    pub statuses: Vec<Option<u16>>,
    /// The first was not final when the second was made.
    pub first_open: bool,
    /// The rotations listed since, in the order of the list.
    pub actions: Vec<ActionSeen>,
    /// A read of the password in the end showed the one that the device holds; `None` when it was
    /// not readable.
    pub password_shown: Option<bool>,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// A list of several actions.
#[derive(Clone, Debug)]
pub struct ListCase {
    /// The device's name.
    pub device: String,
    /// Names of the actions that were accepted, in order; the last one is still open.
    pub accepted: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<RowSeen>,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// A row of a list of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSeen {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ActionState,
    /// When it was accepted.
    pub start: UtcTicks,
    /// When it changed last.
    pub updated: UtcTicks,
}

/// A rotation that is pending when a retire or wipe is asked for.
#[derive(Clone, Debug)]
pub struct EndingCase {
    /// The device's name.
    pub device: String,
    /// `retire` or `wipe`.
    pub ending: &'static str,
    /// Status of the rotation's request.
    pub rotate_status: Option<u16>,
    /// Status of the other request.
    pub ending_status: Option<u16>,
    /// The paths of the Execs that the device got at its next check-in.
    pub execs: Vec<String>,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}
