//! The end of a visit: it is counted, its device goes back, and what waited for that starts.

use super::{Cause, Stage, Visit};
use crate::fleet::engine::Engine;
use crate::fleet::round::Turn;
use crate::fleet::slot::Resting;
use crate::metrics::{End, Sample};

impl Engine {
    /// Ends a visit: counts it, puts the device back, and starts what waited for it.
    pub(in crate::fleet) fn close(&mut self, visit: Visit, ended_ns: u64) {
        let complete = visit.is_complete();
        let local = visit.local;
        self.in_flight -= 1;
        self.count(&visit, ended_ns);
        if complete && matches!(visit.cause, Cause::Planned { .. }) {
            self.ground.progress.completed();
        }
        self.put_back(visit);
        let index = self.index_of(local);
        if let Some(slot) = self.slots.get_mut(local)
            && slot.settle_rotation()
        {
            self.close_attempt(local);
            self.resolved(index);
        }
        if !self.start_pushed(local) {
            self.take_turn(local, ended_ns, Turn::AfterSession);
        }
    }

    /// Puts the device of a visit back into its place.
    pub(in crate::fleet) fn put_back(&mut self, visit: Visit) {
        let local = visit.local;
        match visit.stage {
            Stage::Asleep(rested) | Stage::Brief(rested) => {
                if let Some(slot) = self.slots.get_mut(local) {
                    slot.resting = Resting::Asleep(rested);
                }
            }
            Stage::Waiting(device) | Stage::Awake(device) => self.lay_down(local, device),
            Stage::Changing => {}
        }
        let belief = self
            .slots
            .get_mut(local)
            .and_then(|slot| slot.belief.as_mut());
        if let Some(belief) = belief {
            belief.session_over();
        }
    }

    fn count(&mut self, visit: &Visit, ended_ns: u64) {
        match visit.cause {
            Cause::First => {}
            Cause::Planned {
                intended_ns,
                delay_ns,
                free_ns: _,
            } => {
                if visit.is_complete() {
                    self.books.completed += 1;
                } else {
                    self.books.failed += 1;
                }
                self.last_end_ns = self.last_end_ns.max(ended_ns);
                let sent_ns = visit.sent_ns.unwrap_or(ended_ns);
                let sample = Sample {
                    intended_ns,
                    begun_ns: intended_ns + delay_ns,
                    sent_ns,
                    ended_ns,
                };
                let end = if visit.is_complete() {
                    End::Completed
                } else {
                    End::Failed
                };
                self.meter.checked_in(sample, end);
            }
            Cause::Pushed => self.pushed_failed += u64::from(!visit.is_complete()),
        }
    }
}
