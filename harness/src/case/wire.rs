//! The form of management answers, and what comes of settings that a device does not take.

use protocol::graph::report::PolicyState;
use protocol::laps_csp::Leaf;
use protocol::syncml::Verb;

use crate::transcript::ExchangeId;

/// One situation on the management plane.
#[derive(Clone, Debug)]
pub enum WireCase {
    /// The commands of one answer.
    Answer(AnswerForm),
    /// A device that answers an Atomic with 507.
    FailedAtomic(FailedAtomicCase),
    /// A device whose build does not know all settings of its policy.
    OldBuild(OldBuildCase),
    /// A `PasswordAgeDays` that an administrator asked for.
    Age(AgeCase),
}

/// The commands of one answer, in order, those inside containers after their container.
#[derive(Clone, Debug)]
pub struct AnswerForm {
    /// The device's name.
    pub device: String,
    /// The commands.
    pub commands: Vec<CommandForm>,
    /// The exchange.
    pub exchange: ExchangeId,
}

/// What a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// `Add`, `Replace`, `Delete`, `Get` or `Exec`.
    Request(Verb),
    /// `Atomic`.
    Atomic,
    /// `Sequence`.
    Sequence,
    /// `Status`, `Results` or `Alert`.
    Other,
}

/// One command.
#[derive(Clone, Debug)]
pub struct CommandForm {
    /// What it is.
    pub kind: CommandKind,
    /// Its `CmdID`.
    pub cmd_id: Option<String>,
    /// Its items; none for containers.
    pub items: Vec<ItemForm>,
    /// The `Atomic`s around it, each by its place in the list of commands, the outermost first.
    pub atomics: Vec<usize>,
}

/// One item of a command.
#[derive(Clone, Debug)]
pub struct ItemForm {
    /// The node.
    pub loc_uri: String,
    /// `Meta/Format` of the item, or else of the command.
    pub format: Option<String>,
    /// The value.
    pub data: Option<String>,
}

/// State of a setting as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingSeen {
    /// The setting.
    pub leaf: Leaf,
    /// Its state; `None` when it is not listed.
    pub state: Option<PolicyState>,
}

/// A device that refuses one setting of its policy, so that the whole Atomic fails.
#[derive(Clone, Debug)]
pub struct FailedAtomicCase {
    /// The device's name.
    pub device: String,
    /// Atomics with settings in each session while the device refused, in order.
    pub attempts: Vec<usize>,
    /// The policy's state after the first of these sessions.
    pub policy: Option<PolicyState>,
    /// The states of its settings then.
    pub settings: Vec<SettingSeen>,
    /// The policy's state after a session in which the device took everything: the positive
    /// control.
    pub policy_after: Option<PolicyState>,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// A device whose build does not know all settings of its policy.
#[derive(Clone, Debug)]
pub struct OldBuildCase {
    /// The device's name.
    pub device: String,
    /// The build is old; otherwise it is the positive control, which knows all settings.
    pub old: bool,
    /// The positive control got the settings: the target delivers at all.
    pub control: bool,
    /// The unknown settings that were sent all the same; on the control, the settings sent.
    pub sent: Vec<Leaf>,
    /// The states of the settings that an old build does not know.
    pub unknown: Vec<SettingSeen>,
    /// The states of the others.
    pub known: Vec<SettingSeen>,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}

/// A `PasswordAgeDays` that an administrator asked for, with backup to Microsoft Entra ID.
#[derive(Clone, Debug)]
pub struct AgeCase {
    /// The age in days.
    pub days: i32,
    /// Status of the call that creates the policy; `None` when no answer came.
    pub status: Option<u16>,
    /// What the device was sent for it; `None` when nothing was.
    pub sent: Option<String>,
    /// The device had a session that came to its proper end after the policy was assigned.
    pub checked_in: bool,
    /// The exchanges that prove it.
    pub exchanges: Vec<ExchangeId>,
}
