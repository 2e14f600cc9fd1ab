//! A round of planned check-ins: which device starts what when, and what was not started.

use emulator::Endpoint;

use super::engine::Engine;
use super::slot::NEVER;
use super::visit::Cause;
use super::{RoundOrder, RoundReport, Verification};
use crate::metrics::{End, Operation, Sample};
use crate::schedule::{Books, Turns};

/// A check-in that could not start this long after its time is not started.
const LATE_NS: u64 = 1_000_000_000;

/// Why a device is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Its timer fell due: a delay is the harness's own.
    Due,
    /// Its session is over: a delay is the target's.
    AfterSession,
}

/// What the turns of all devices have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnsOfAll {
    pub(super) devices: u64,
    pub(super) events: u64,
}

impl Turn {
    /// When the device was free for a check-in.
    const fn free_ns(self, intended_ns: u64, now_ns: u64) -> u64 {
        match self {
            Self::Due => intended_ns,
            Self::AfterSession => now_ns,
        }
    }

    /// When the harness came to a check-in, where it alone decided that.
    const fn came_ns(self, now_ns: u64) -> Option<u64> {
        match self {
            Self::Due => Some(now_ns),
            Self::AfterSession => None,
        }
    }
}

impl TurnsOfAll {
    /// The turns of a device from an event on.
    const fn of(self, next_event: u64) -> Turns {
        Turns::new(next_event, self.devices, self.events)
    }
}

impl RoundOrder {
    /// When an event is planned to start, on the harness's clock.
    pub(super) fn planned_ns(&self, event: u64) -> u64 {
        self.round
            .start_ns
            .saturating_add(self.schedule.start_ns(event))
    }
}

impl Engine {
    /// True while answers are held against the model.
    pub(super) fn verifies(&self) -> bool {
        self.order
            .as_ref()
            .is_none_or(|order| order.verification == Verification::On)
    }

    /// Enrolments have times of their own from here on, or none.
    pub(super) fn plan_enrolment(&mut self, planned: Option<RoundOrder>) {
        if let Some(order) = &planned {
            self.meter
                .begin(order.round, (0, 0), order.intervals.clone());
        }
        self.enrolment = planned;
    }

    /// Begins a round.
    pub(super) fn measure(&mut self, order: RoundOrder, now_ns: u64) {
        let warming = order
            .schedule
            .events_before(order.round.measured_ns - order.round.start_ns);
        self.turns.events = order.schedule.events();
        let (mut planned, mut in_warm_up) = (0, 0);
        for slot in self
            .slots
            .iter_mut()
            .filter(|slot| slot.next_event != NEVER)
        {
            // Every device keeps its place in the order.
            slot.next_event %= self.turns.devices.max(1);
            let turns = self.turns.of(slot.next_event);
            planned += turns.left();
            in_warm_up += turns.among_first(warming).left();
        }
        self.books = Books {
            planned,
            ..Books::default()
        };
        self.meter.begin(
            order.round,
            (in_warm_up, planned - in_warm_up),
            order.intervals.clone(),
        );
        self.last_end_ns = 0;
        self.order = Some(order);
        for local in 0..self.slots.len() {
            self.take_turn(local, now_ns, Turn::Due);
        }
    }

    /// Sets the timer of a device for its next planned check-in, or starts that, or counts it as
    /// not started. A device in a session takes its turn when the session is over.
    pub(super) fn take_turn(&mut self, local: usize, now_ns: u64, turn: Turn) {
        let Some(order) = &self.order else {
            return;
        };
        let Some(slot) = self.slots.get_mut(local) else {
            return;
        };
        while let Some(event) = self.turns.of(slot.next_event).peek() {
            let intended_ns = order.planned_ns(event);
            if intended_ns > now_ns {
                let timer = u32::try_from(local).unwrap_or(u32::MAX);
                self.timers.set(timer, intended_ns);
                return;
            }
            if !slot.resting.is_here() {
                return;
            }
            slot.next_event = slot.next_event.saturating_add(self.turns.devices.max(1));
            let late = now_ns - intended_ns > LATE_NS;
            if late || self.in_flight >= self.in_flight_max || self.down {
                self.books.not_started += 1;
                self.meter.not_started(intended_ns, turn.came_ns(now_ns));
                continue;
            }
            self.books.started += 1;
            self.meter.started(intended_ns);
            self.ground.progress.started();
            let cause = Cause::Planned {
                intended_ns,
                delay_ns: now_ns - turn.free_ns(intended_ns, now_ns),
                free_ns: (self.in_flight < self.connections_max).then_some(now_ns),
            };
            self.open(local, cause);
            return;
        }
    }

    /// Takes note of how long an exchange took: it is due when the device asks for it.
    pub(super) fn time(
        &mut self,
        endpoint: Endpoint,
        (asked_ns, sent_ns, ended_ns): (u64, u64, u64),
        end: End,
    ) {
        let operation = match endpoint {
            Endpoint::Management => Operation::Message,
            Endpoint::Directory => Operation::Backup,
            Endpoint::Discovery | Endpoint::Policy | Endpoint::Enrollment => return,
        };
        let sample = Sample {
            intended_ns: asked_ns,
            begun_ns: asked_ns,
            sent_ns,
            ended_ns,
        };
        self.meter.record(operation, sample, end);
    }

    /// The target is gone or the user stopped the run: what was not started will not be.
    pub(super) fn give_up(&mut self) {
        if std::mem::replace(&mut self.given_up, true) {
            return;
        }
        for (local, slot) in (0_u32..).zip(&mut self.slots) {
            self.timers.cancel(local);
            let mut turns = self.turns.of(slot.next_event);
            slot.next_event = NEVER;
            let Some(order) = &self.order else {
                continue;
            };
            while let Some(event) = turns.peek() {
                turns.advance();
                self.books.not_started += 1;
                self.meter.not_started(order.planned_ns(event), None);
            }
        }
    }

    /// What the round came to.
    pub(super) fn round_report(&mut self, busy_permille: Option<u64>) -> RoundReport {
        RoundReport {
            books: self.books,
            measured: self.meter.read(),
            last_end_ns: self.last_end_ns,
            wrong_answers: self.answers.wrong_total,
            shortages: self.shortages,
            busy_permille,
        }
    }
}
