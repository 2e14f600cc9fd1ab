//! Choices that the sources leave to an implementation, which must make them alike for every device.

use crate::properties::{Choice, Property};
use crate::transcript::ExchangeId;

/// What is left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The push channel is open and the last check-in is long past: does the device count as online?
    OnlineByPush,
    /// The push channel is closed and the last check-in is just past: does it count as online?
    OnlineByCheckIn,
    /// The connection is lost for a while (`tempdisconnected`): does the device count as online?
    OnlineForNow,
    /// What becomes of a rotation of a hybrid joined device that is offline.
    HybridOffline,
    /// What becomes of a rotation of a hybrid joined device that backs up to Active Directory.
    HybridActiveDirectory,
    /// What becomes of a rotation of a device that no LAPS policy can reach.
    Unmanaged,
    /// How many former passwords a read shows, and in which order.
    History,
    /// How many events a refused request for a rotation leaves.
    RefusedAttempt,
    /// What becomes of settings when their policy is unassigned (F-164).
    Unassign,
    /// How much of a clashing policy is withheld from a device without policy (F-175).
    Withhold,
    /// Whether a hybrid joined device may back up while the tenant's switch is off (C-07).
    SwitchHybrid,
}

/// The same question put for several devices.
#[derive(Clone, Debug)]
pub struct ChoiceCase {
    /// What was asked.
    pub question: Question,
    /// What was seen of each device.
    pub answers: Vec<ChoiceSeen>,
}

/// What was seen of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceSeen {
    /// The device's name.
    pub device: String,
    /// What was seen, in words.
    pub choice: String,
    /// What that is compatible with, for each property that it says something of. The whole run is
    /// held to what is inferred from it ([`crate::properties::judge`]).
    pub shows: Vec<(Property, Vec<Choice>)>,
    /// Why no choice of this kind is acceptable, if so; for example an action that never ended.
    pub objection: Option<String>,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}
