//! What a load came to.

use std::collections::BTreeMap;

use protocol::JoinType;

use crate::case::RotationCase;
use crate::fleet::Shortages;
use crate::interval_log::Row;
use crate::metrics::Measured;
use crate::model::WrongAnswer;
use crate::schedule::Books;

/// Answers to load devices and what was wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Answers in the measured phase and after it.
    pub responses: u64,
    /// Those that were held against the model.
    pub verified: u64,
    /// Answers before the measured phase: enrolment and first sessions.
    pub setup_responses: u64,
    /// Those that were held against the model.
    pub setup_verified: u64,
    /// The first wrong answers, at most [`Answers::WRONG_MAX`] a shard.
    pub wrong: Vec<WrongAnswer>,
    /// All wrong answers.
    pub wrong_total: u64,
}

impl Answers {
    /// Most wrong answers that one shard keeps.
    pub const WRONG_MAX: usize = 200;

    /// Counts an answer, in or before the measured phase.
    pub(crate) const fn count(&mut self, measuring: bool, verified: bool) {
        let (responses, checked) = if measuring {
            (&mut self.responses, &mut self.verified)
        } else {
            (&mut self.setup_responses, &mut self.setup_verified)
        };
        *responses += 1;
        if verified {
            *checked += 1;
        }
    }

    /// Keeps a wrong answer, or counts it.
    pub fn wrong(&mut self, wrong: WrongAnswer) {
        self.wrong_total += 1;
        // A breach of a requirement that nothing kept shows yet is kept whatever the number.
        let new = wrong.requirement.is_some()
            && !self
                .wrong
                .iter()
                .any(|kept| kept.requirement == wrong.requirement);
        if self.wrong.len() < Self::WRONG_MAX || new {
            self.wrong.push(wrong);
        }
    }

    /// Adds the answers of another shard.
    pub fn merge(&mut self, other: Self) {
        self.responses += other.responses;
        self.verified += other.verified;
        self.setup_responses += other.setup_responses;
        self.setup_verified += other.setup_verified;
        self.wrong_total += other.wrong_total;
        self.wrong.extend(other.wrong);
    }
}

/// Everything that a load yields.
#[derive(Clone, Debug)]
pub struct LoadOutcome {
    /// Devices of each join state.
    pub by_join_type: BTreeMap<JoinType, u64>,
    /// Devices that stayed online.
    pub online: u64,
    /// Devices that went offline.
    pub offline: u64,
    /// Planned check-ins, warm-up included.
    pub books: Books,
    /// The same by window, what administrators did, and how long everything took in the measured
    /// phase.
    pub measured: Measured,
    /// Every second of the load.
    pub seconds: Vec<Row>,
    /// The answers.
    pub answers: Answers,
    /// The rotation attempts, in order of their planned time.
    pub rotations: Vec<RotationCase>,
    /// Rotation attempts planned; more than made when the load ended early.
    pub rotations_planned: u64,
    /// Attempts whose rows the target did not show, because it gave no answer.
    pub rotations_unread: u64,
    /// Deliveries of the policy that were exactly right, by join state and build.
    pub deliveries: BTreeMap<(JoinType, u32), u64>,
    /// Sessions started by a push, apart from the planned check-ins.
    pub pushed_sessions: u64,
    /// Pushed sessions that did not end properly.
    pub pushed_failed: u64,
    /// Devices that are not set up as they must be: not enrolled, policy not in force, no backup.
    pub setup_failed: u64,
    /// The first reasons why.
    pub setup_failures: Vec<String>,
    /// Most sessions in flight at once in a shard.
    pub in_flight_peak: u64,
    /// Most connections of the shards to one authority, each at its own time.
    pub connections_peak: u64,
    /// From the start of the measured phase to the end of its last session, at least the planned
    /// length.
    pub duration_s: f64,
    /// Completed check-ins of the measured phase a second.
    pub check_ins_per_s: f64,
    /// What the harness's system had none left of.
    pub shortages: Shortages,
    /// How busy the thread of the busiest shard was, in thousandths, where the system tells.
    pub busiest_permille: Option<u64>,
    /// The intervals of the poll table that the target gave, in nanoseconds.
    pub poll_ns: Vec<u64>,
    /// False when the load ended before its plan.
    pub complete: bool,
    /// True when the target stopped taking connections.
    pub target_down: bool,
}
