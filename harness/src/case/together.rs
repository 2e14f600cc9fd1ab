//! Rotations of several devices at once: bulk calls of odd forms, and single calls side by side.

use protocol::graph::action::ActionState;

use crate::transcript::ExchangeId;

/// One situation of several devices.
#[derive(Clone, Debug)]
pub enum TogetherCase {
    /// A bulk call of an odd form.
    Odd(OddBulkCase),
    /// Single calls side by side.
    Singles(SinglesCase),
}

/// What a bulk call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// One managed device.
    OneDevice,
    /// A group of the directory.
    Group,
}

/// A bulk call that asks for rotation and names one device or a group.
#[derive(Clone, Debug)]
pub struct OddBulkCase {
    /// What it names.
    pub aim: Aim,
    /// Its status; `None` when no answer came.
    pub status: Option<u16>,
    /// A bulk synchronisation of the device was accepted.
    pub alive: bool,
    /// Execs of `ResetPassword` at the check-ins after it.
    pub execs: u32,
    /// Rotation actions listed that were not before.
    pub rows: usize,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// Single calls side by side.
#[derive(Clone, Debug)]
pub struct SinglesCase {
    /// Inside one batch; otherwise over connections of their own.
    pub in_batch: bool,
    /// Each device.
    pub devices: Vec<SingleSeen>,
}

/// What became of one device.
#[derive(Clone, Debug)]
pub struct SingleSeen {
    /// Its name.
    pub device: String,
    /// Status of its request; `None` when no answer came.
    pub status: Option<u16>,
    /// Rotations listed since, by state.
    pub states: Vec<ActionState>,
    /// Events of an attempt on it since.
    pub events: u32,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}
