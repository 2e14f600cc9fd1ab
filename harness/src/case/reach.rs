//! Policies on their way to devices and users, and the check-ins that bring them.

use std::collections::BTreeMap;

use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};

use super::{ActionSeen, WriteSeen};
use crate::transcript::ExchangeId;

/// A policy on its way.
#[derive(Clone, Debug)]
pub enum ReachCase {
    /// A policy that was saved and read back.
    PolicyBody(PolicyBodyCase),
    /// An assignment and its push.
    Notify(NotifyCase),
    /// The policies of a user.
    UserPolicy(UserPolicyCase),
    /// A policy assigned while the device was away.
    LateDelivery(LateDeliveryCase),
    /// Check-ins without a change.
    Steady(SteadyCase),
    /// The check-ins of a fresh enrolment.
    Cadence(CadenceCase),
    /// A check-in soon after another.
    EarlyVisit(EarlyVisitCase),
}

/// A policy that was saved and read back, and one that must not be saved.
#[derive(Clone, Debug)]
pub struct PolicyBodyCase {
    /// Status of the call that saves.
    pub created: Option<u16>,
    /// Members that a read gave back otherwise than they were written, each as a sentence.
    pub altered: Vec<String>,
    /// The policy stands in the list.
    pub listed: bool,
    /// Status of the call that saves a policy without a name.
    pub nameless: Option<u16>,
    /// The list grew by the policy without a name.
    pub nameless_listed: bool,
    /// The calls.
    pub exchanges: Vec<ExchangeId>,
}

/// An assignment and the push that it should cause.
#[derive(Clone, Debug)]
pub struct NotifyCase {
    /// The device's name.
    pub device: String,
    /// The device told its channel and answers pushes as connected.
    pub reachable: bool,
    /// A push came within the time there is.
    pub pushed: bool,
    /// The session that came next brought the policy: there was something to tell.
    pub delivered: bool,
    /// The assignment, the pushes and the session.
    pub exchanges: Vec<ExchangeId>,
}

/// Which question about the policies of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserQuestion {
    /// A user signs in on a second device (S5).
    SecondDevice,
    /// Another user signs in on a shared device (S5).
    Switch,
}

/// A device on which a user with policies of his own is signed in.
#[derive(Clone, Debug)]
pub struct UserPolicyCase {
    /// The device's name.
    pub device: String,
    /// Which question.
    pub question: UserQuestion,
    /// The first device, or the first user, got what was due.
    pub first: bool,
    /// The settings of the user who is signed in.
    pub expected: BTreeMap<Leaf, Value>,
    /// What the device holds, from the writes it acknowledged.
    pub held: BTreeMap<Leaf, Value>,
    /// The session came to its proper end.
    pub complete: bool,
    /// How often the configuration changed with the user.
    pub flips: u32,
    /// The sessions.
    pub exchanges: Vec<ExchangeId>,
}

/// A policy that was assigned while the device was away.
#[derive(Clone, Debug)]
pub struct LateDeliveryCase {
    /// The device's name.
    pub device: String,
    /// The states shown before the device came back, of the device's list and of the policy's.
    pub before: [Option<PolicyState>; 2],
    /// What the policy configures and this build knows.
    pub configured: BTreeMap<Leaf, Value>,
    /// What the device held after its next session.
    pub held: BTreeMap<Leaf, Value>,
    /// The session came to its proper end.
    pub complete: bool,
    /// A device that was not away got the same policy.
    pub twin: bool,
    /// The reads and the session.
    pub exchanges: Vec<ExchangeId>,
}

/// Check-ins of a device for which nothing changed.
#[derive(Clone, Debug)]
pub struct SteadyCase {
    /// The device's name.
    pub device: String,
    /// The policy was delivered before, and the password backed up.
    pub settled: bool,
    /// Check-ins that came to their proper end.
    pub sessions: u32,
    /// Writes of LAPS settings in them.
    pub writes: Vec<WriteSeen>,
    /// What the device held before.
    pub held: BTreeMap<Leaf, Value>,
    /// Execs of `ResetPassword` in them.
    pub execs: u32,
    /// Uploads that followed.
    pub uploads: u32,
    /// The sessions.
    pub exchanges: Vec<ExchangeId>,
}

/// A fresh enrolment and the check-ins of its poll table.
#[derive(Clone, Debug)]
pub struct CadenceCase {
    /// The device's name.
    pub device: String,
    /// Check-ins that the published cadence has in the time that passed.
    pub due: u32,
    /// Check-ins that the device made in that time.
    pub made: u32,
    /// Of them, those that did not come to their proper end.
    pub broken: u32,
    /// Breaches of the message rules.
    pub protocol_errors: Vec<String>,
    /// The sessions.
    pub exchanges: Vec<ExchangeId>,
}

/// A check-in soon after the one before, with an action pending.
#[derive(Clone, Debug)]
pub struct EarlyVisitCase {
    /// The device's name.
    pub device: String,
    /// Minutes between the two, by the device's clock.
    pub minutes: i64,
    /// The session came to its proper end.
    pub complete: bool,
    /// Breaches of the message rules.
    pub protocol_errors: Vec<String>,
    /// The rotation was accepted, and the device could be backed up before.
    pub asked: bool,
    /// Execs of `ResetPassword`.
    pub execs: u32,
    /// The action in the end.
    pub action: Option<ActionSeen>,
    /// The call and the session.
    pub exchanges: Vec<ExchangeId>,
}
