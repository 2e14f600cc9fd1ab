//! What the harness believes of one load device, and what follows for the next answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::laps_csp::{E_PENDING, Leaf, RESET_PASSWORD_STATUS, Value, is_same_node};
use protocol::syncml::{Command, Item, Limits, Message, Results, Status, StatusCode, decode};

use super::{Http, WrongAnswer, frame};
use asked::Asked;

mod asked;
mod judge;
#[cfg(test)]
mod tests;

/// Reads of the status node in one session: the first and three more (contract 2).
const STATUS_READS_MAX: u8 = 4;
/// The media type of the management plane (contract 2).
const SYNCML: &str = "application/vnd.syncml.dm+xml";

/// What devices of one kind must get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The settings of the policy that reaches the device; `None` for devices that get none.
    pub policy: Option<BTreeMap<Leaf, Value>>,
    /// Names the management server in the device's tree.
    pub provider_id: Box<str>,
}

/// Why a rotation request must not reach its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The device was offline at the request (S19).
    Offline,
    /// The device was never backed up (S16).
    Unbacked,
}

impl Refusal {
    /// The requirement that an Exec would break.
    #[must_use]
    pub const fn requirement(self) -> &'static str {
        match self {
            Self::Offline => "REQ-ROTATE-015",
            Self::Unbacked => "REQ-ROTATE-005",
        }
    }
}

/// Whether the target owes the device something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owed {
    /// It does not.
    #[default]
    No,
    /// It does.
    Yes,
    /// An answer was lost: either is right.
    Maybe,
}

impl Owed {
    const fn doubt(&mut self) {
        if matches!(self, Self::Yes) {
            *self = Self::Maybe;
        }
    }
}

/// Where the rotation request of a device stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// None was made: no Exec.
    #[default]
    None,
    /// A request that must not lead to an Exec.
    Refused(Refusal),
    /// A request was sent and its push not yet answered: an Exec may come.
    Requested,
    /// The push was answered `connected`: the Exec is due in the next first answer, as the target
    /// answers a first message only after the push (contract 3).
    Due,
    /// The Exec came, its end is open.
    Executing,
    /// Its end was told to the target.
    Told,
}

/// The belief about one load device.
#[derive(Clone, Debug)]
pub struct Belief {
    class: Arc<Class>,
    set_up: Owed,
    policy: Owed,
    /// A read of the status node, owed by a session that ended before the reset was over.
    status_read: Owed,
    rotation: Rotation,
    /// An upload was taken since the last Exec.
    uploaded: bool,
    /// Reads of the status node in this session.
    status_reads: u8,
    /// The commands of the last answer, which the next message answers.
    outstanding: Box<[Outstanding]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Outstanding {
    cmd_id: Box<str>,
    what: What,
}

/// What a command of the target was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    PushNode,
    ChannelUri,
    Policy,
    Exec,
    StatusRead,
}

/// What the answer to one message must hold; made when the message is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    first: bool,
    set_up: Owed,
    policy: Owed,
    status_read: Owed,
    rotation: Rotation,
    learned: Learned,
}

impl Expectation {
    /// True when the answer must hold an Exec.
    fn exec_due(&self) -> bool {
        self.first && self.rotation == Rotation::Due
    }
}

/// What the target learns from a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Learned {
    push_nodes: u8,
    channel: bool,
    policy: bool,
    exec: Option<StatusCode>,
    reset: Option<Reset>,
}

/// What the status node said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reset {
    Pending,
    Over,
}

/// What an answer held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The ways in which it was wrong.
    pub wrong: Vec<WrongAnswer>,
    /// `ResetPassword` asked for in it.
    pub execs: u32,
    /// It carried the policy, exactly as it must be.
    pub policy_delivered: bool,
}

impl Belief {
    /// The belief about a device that has just enrolled.
    #[must_use]
    pub fn new(class: Arc<Class>) -> Self {
        let policy = if class.policy.is_some() {
            Owed::Yes
        } else {
            Owed::No
        };
        Self {
            class,
            set_up: Owed::Yes,
            policy,
            status_read: Owed::No,
            rotation: Rotation::None,
            uploaded: false,
            status_reads: 0,
            outstanding: Box::default(),
        }
    }

    /// Where the rotation request stands.
    #[must_use]
    pub const fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// A rotation request is about to be sent; `refused` says why its device must not get an Exec,
    /// where it must not.
    pub const fn request_rotation(&mut self, refused: Option<Refusal>) {
        self.rotation = match refused {
            Some(refusal) => Rotation::Refused(refusal),
            None => Rotation::Requested,
        };
    }

    /// A push to the device is about to be answered `connected`.
    pub fn push_answered(&mut self) {
        if self.rotation == Rotation::Requested {
            self.rotation = Rotation::Due;
        }
    }

    /// The rotation request is known to have come to nothing, or its outcome is settled.
    pub const fn settle_rotation(&mut self) {
        self.rotation = Rotation::None;
    }

    /// The rotation request had an unknown outcome: what was due only may come.
    pub fn doubt_rotation(&mut self) {
        if self.rotation == Rotation::Due {
            self.rotation = Rotation::Requested;
        }
    }

    /// The directory took an upload of the device.
    pub const fn uploaded(&mut self) {
        self.uploaded = true;
    }

    /// True when the target has been told everything that it needs: set-up done, policy in force.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.set_up == Owed::No && self.policy == Owed::No && self.status_read == Owed::No
    }

    /// What the first answer of a session must hold, when that is nothing: nothing is owed, and no
    /// Exec is due.
    #[must_use]
    pub fn expect_nothing(&self) -> Option<Expectation> {
        let open = match self.rotation {
            Rotation::None | Rotation::Refused(_) | Rotation::Requested => false,
            Rotation::Due | Rotation::Executing | Rotation::Told => true,
        };
        (self.settled() && !open).then_some(Expectation {
            first: true,
            set_up: Owed::No,
            policy: Owed::No,
            status_read: Owed::No,
            rotation: self.rotation,
            learned: Learned::default(),
        })
    }

    /// A session is over: what only counted within it is forgotten. The next first answer would
    /// have replaced it.
    pub fn session_over(&mut self) {
        self.status_reads = 0;
        self.outstanding = Box::default();
    }

    /// What the answer to this message must hold.
    ///
    /// Nothing changes yet: a message whose answer gets lost may be sent again.
    #[must_use]
    pub fn expect(&self, request: &Message<'_>) -> Expectation {
        let first = request.header.msg_id == 1;
        let learned = if first {
            Learned::default()
        } else {
            self.learn(request)
        };
        let read_again = match learned.reset {
            Some(Reset::Pending) => self.status_reads < STATUS_READS_MAX,
            Some(Reset::Over) | None => false,
        };
        let exec_taken = learned.exec.is_some_and(|code| !code.is_failure());
        let status_read = match (first, exec_taken || read_again) {
            (true, _) => self.status_read,
            (false, true) => Owed::Yes,
            (false, false) => Owed::No,
        };
        Expectation {
            first,
            set_up: if first { self.set_up } else { Owed::No },
            policy: if first { self.policy } else { Owed::No },
            status_read,
            rotation: self.rotation,
            learned,
        }
    }

    /// Holds an answer against what was expected of it when its request was sent, and takes over
    /// what both sides know now.
    pub fn judge(
        &mut self,
        request: &Message<'_>,
        expectation: &Expectation,
        http: Http<'_>,
    ) -> Judgement {
        let mut judgement = Judgement::default();
        http.check(SYNCML, &mut judgement.wrong);
        if http.status != 200 {
            self.lost();
            return judgement;
        }
        let answer = match decode(http.body, &Limits::default()) {
            Ok(answer) => answer,
            Err(malformed) => {
                judgement.wrong.push(WrongAnswer::common(
                    "a SyncML message",
                    malformed.to_string(),
                ));
                self.lost();
                return judgement;
            }
        };
        frame::check(request, &answer, &mut judgement.wrong);
        self.take_over(expectation);
        let asked = Asked::of(&answer, &self.class.provider_id);
        self.judge_commands(expectation, &asked, &mut judgement);
        if asked.execs.is_empty() && expectation.exec_due() {
            // Told once; the request is over as far as this device goes.
            self.rotation = Rotation::Told;
        }
        self.remember(&asked);
        judgement
    }

    /// No answer came, or none that the device understands: what it would have told is in doubt.
    pub fn lost(&mut self) {
        self.set_up.doubt();
        self.policy.doubt();
        self.status_read.doubt();
        match self.rotation {
            Rotation::Due => self.rotation = Rotation::Requested,
            Rotation::Executing => self.status_read = Owed::Maybe,
            Rotation::None | Rotation::Refused(_) | Rotation::Requested | Rotation::Told => {}
        }
    }

    /// What the target learns from a message about the commands of its last answer.
    fn learn(&self, request: &Message<'_>) -> Learned {
        let mut learned = Learned::default();
        for command in &request.commands {
            match command {
                Command::Status(status) => self.learn_status(status, &mut learned),
                Command::Results(results) => self.learn_results(results, &mut learned),
                Command::Alert(_)
                | Command::Request(_)
                | Command::Container(_)
                | Command::Unknown(_) => {}
            }
        }
        learned
    }

    fn learn_status(&self, status: &Status<'_>, learned: &mut Learned) {
        let code = status.code;
        match self.what(&status.cmd_ref) {
            // Contract 2: 418 counts as success.
            Some(What::PushNode) => {
                let done = code.is_success() || code == StatusCode::ALREADY_EXISTS;
                learned.push_nodes += u8::from(done);
            }
            // Contract 2: by the Atomic's own Status, 200 or 202.
            Some(What::Policy) => {
                learned.policy = code == StatusCode::OK || code == StatusCode::ACCEPTED;
            }
            Some(What::Exec) => learned.exec = Some(code),
            Some(What::ChannelUri | What::StatusRead) | None => {}
        }
    }

    fn learn_results(&self, results: &Results<'_>, learned: &mut Learned) {
        match self.what(&results.cmd_ref) {
            Some(What::ChannelUri) => {
                learned.channel |= results.items.iter().any(|item| {
                    let source = item.source.as_deref().unwrap_or_default();
                    source.ends_with("/Push/ChannelURI") && !item.text().is_empty()
                });
            }
            Some(What::StatusRead) => {
                let text = results.items.first().map_or("", Item::text);
                learned.reset = Some(self.reset(text));
            }
            Some(What::PushNode | What::Policy | What::Exec) | None => {}
        }
    }

    fn what(&self, cmd_ref: &str) -> Option<What> {
        self.outstanding
            .iter()
            .find(|one| &*one.cmd_id == cmd_ref)
            .map(|one| one.what)
    }

    /// The meaning of the status node's value (contract 2): 0 without a credential since the Exec
    /// counts as pending.
    fn reset(&self, text: &str) -> Reset {
        match text.trim().parse::<i64>() {
            Ok(0) if self.uploaded => Reset::Over,
            Ok(0) => Reset::Pending,
            Ok(code) if code == i64::from(E_PENDING) => Reset::Pending,
            Ok(_) | Err(_) => Reset::Over,
        }
    }

    /// The answer proves that the message arrived: the target knows what it told.
    fn take_over(&mut self, expectation: &Expectation) {
        let learned = expectation.learned;
        if expectation.first {
            self.status_reads = 0;
        }
        if learned.push_nodes == 2 && learned.channel {
            self.set_up = Owed::No;
        }
        if learned.policy {
            self.policy = Owed::No;
        }
        if learned.exec.is_some_and(StatusCode::is_failure) {
            self.rotation = Rotation::Told;
        }
        match learned.reset {
            Some(Reset::Over) => {
                self.rotation = Rotation::Told;
                self.status_read = Owed::No;
            }
            // Asked again at the next session when this one has no more reads left.
            Some(Reset::Pending) => self.status_read = Owed::Yes,
            None => {}
        }
    }

    fn remember(&mut self, asked: &Asked<'_>) {
        let outstanding = asked.answers().map(|(cmd_id, what)| Outstanding {
            cmd_id: cmd_id.into(),
            what,
        });
        self.outstanding = outstanding.collect();
        if !asked.execs.is_empty() {
            self.rotation = Rotation::Executing;
            self.uploaded = false;
        }
        self.status_reads += u8::try_from(asked.status_reads.len()).unwrap_or(u8::MAX);
    }
}

/// True for the path of the status node.
fn is_status_node(loc_uri: &str) -> bool {
    is_same_node(loc_uri, RESET_PASSWORD_STATUS)
}
