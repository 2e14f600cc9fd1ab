//! What the parts of a load came to, in one outcome.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::rotations::{self, Attempt};
use super::{Answers, LoadOutcome, LoadParts, LoadPlan, RoundOutcome, Shortages, errands};
use crate::fleet::{AttemptRecord, ShardReport};
use crate::metrics::Measured;
use crate::model::WrongAnswer;
use crate::schedule::Books;

/// Reasons kept of devices that could not be set up.
const FAILURES_MAX: usize = 10;

/// What a load is summed up from.
pub(super) struct Parts {
    pub(super) reports: Vec<ShardReport>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) wrong: Vec<WrongAnswer>,
    pub(super) rounds: Vec<RoundOutcome>,
    pub(super) errands: errands::Run,
}

/// Sums up.
pub(super) fn sum_up(parts: &LoadParts, from: Parts) -> LoadOutcome {
    let plan = &parts.plan;
    let mut outcome = LoadOutcome {
        by_join_type: plan.by_join_type(),
        online: plan.online(),
        offline: u64::from(plan.options().devices) - plan.online(),
        books: Books::default(),
        measured: Measured::default(),
        seconds: Vec::new(),
        answers: Answers::default(),
        rotations: Vec::new(),
        rotations_planned: u64::try_from(plan.rotations().len()).unwrap_or(u64::MAX),
        rotations_unread: 0,
        deliveries: BTreeMap::new(),
        pushed_sessions: 0,
        pushed_failed: 0,
        setup_failed: 0,
        setup_failures: Vec::new(),
        in_flight_peak: 0,
        connections_peak: 0,
        shortages: Shortages::default(),
        busiest_permille: None,
        poll_ns: Vec::new(),
        duration_s: 0.0,
        check_ins_per_s: 0.0,
        complete: !from.rounds.is_empty() && !*parts.cancel.borrow(),
        target_down: false,
    };
    let mut records = HashMap::new();
    for report in from.reports {
        outcome.take(report, &mut records);
    }
    outcome.setup_failures.truncate(FAILURES_MAX);
    outcome.answers.responses += from.errands.verified;
    outcome.answers.verified += from.errands.verified;
    from.wrong
        .into_iter()
        .for_each(|wrong| outcome.answers.wrong(wrong));
    outcome.rotations = rotations::cases(plan, from.attempts, &mut records);
    outcome.complete &= !outcome.target_down;
    // The first round is the planned load; those after it have reports of their own.
    if let Some(round) = from.rounds.into_iter().next() {
        outcome.measure(plan, round);
    }
    outcome
}

impl LoadOutcome {
    fn take(&mut self, report: ShardReport, records: &mut HashMap<u32, AttemptRecord>) {
        self.answers.merge(report.answers);
        for (class, count) in report.deliveries {
            *self.deliveries.entry(class).or_default() += count;
        }
        self.pushed_sessions += report.pushed_sessions;
        self.pushed_failed += report.pushed_failed;
        self.setup_failed += report.setup_failed;
        self.setup_failures.extend(report.setup_failures);
        self.in_flight_peak += report.in_flight_peak;
        self.connections_peak += report.connections;
        self.target_down |= report.target_down;
        self.shortages.merge(report.shortages);
        let attempts = report.attempts.into_iter();
        records.extend(attempts.map(|record| (record.attempt, record)));
    }

    fn measure(&mut self, plan: &LoadPlan, round: RoundOutcome) {
        let measured_ns = round.last_end_ns.saturating_sub(round.round.measured_ns);
        // A phase that ended early is as long as it was.
        let planned_ns = if self.complete { plan.measured_ns() } else { 0 };
        let length = Duration::from_nanos(measured_ns.max(planned_ns));
        self.books = round.books;
        self.busiest_permille = round.busiest_permille;
        self.measured = round.measured;
        self.duration_s = length.as_secs_f64();
        if self.duration_s > 0.0 {
            let completed = u32::try_from(self.measured.measured.completed).unwrap_or(u32::MAX);
            self.check_ins_per_s = f64::from(completed) / self.duration_s;
        }
    }
}
