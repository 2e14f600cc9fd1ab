//! The rotation requests that are not over, and what became of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::load::AttemptKind;
use crate::metrics::{End, Measured, Meter, Operation, Sample};
use crate::schedule::Books;
use crate::transcript::LoadPasswords;

/// How a request was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    /// `None` without an answer.
    pub(super) status: Option<u16>,
    /// When it was handed to a connection, where an answer tells.
    pub(super) sent_ns: Option<u64>,
}

/// A request that is not over: it is when it was answered and its device is done with it.
#[derive(Debug)]
struct Open {
    kind: AttemptKind,
    /// When it was planned and begun.
    times_ns: (u64, u64),
    /// The number of the device's newest password that the target had taken.
    taken: Option<u32>,
    /// When the target knew the end of it.
    ended_ns: Option<u64>,
    answered: Option<Answered>,
}

/// The requests of a round. A device has one open request at a time.
#[derive(Debug)]
pub(super) struct Requests {
    passwords: Arc<LoadPasswords>,
    meter: Meter,
    books: Books,
    open: BTreeMap<u32, Open>,
}

impl Requests {
    /// Without a request; so many are planned that are to rotate their devices.
    pub(super) fn new(passwords: Arc<LoadPasswords>, meter: Meter, planned: u64) -> Self {
        Self {
            passwords,
            meter,
            books: Books {
                planned,
                ..Books::default()
            },
            open: BTreeMap::new(),
        }
    }

    pub(super) fn is_open(&self, device: u32) -> bool {
        self.open.contains_key(&device)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A request is about to be sent; it was planned and is begun at these times.
    pub(super) fn begin(&mut self, (device, kind): (u32, AttemptKind), times_ns: (u64, u64)) {
        let open = Open {
            kind,
            times_ns,
            taken: self.passwords.newest_taken(device),
            ended_ns: None,
            answered: None,
        };
        self.books.started += u64::from(open.rotates());
        self.open.insert(device, open);
    }

    /// A request was answered, or will have no answer.
    pub(super) fn answered(&mut self, device: u32, answered: Answered) {
        if let Some(open) = self.open.get_mut(&device) {
            open.answered = Some(answered);
        }
        self.conclude(device);
    }

    /// The target knows the end of the device's request.
    pub(super) fn over(&mut self, device: u32, now_ns: u64) {
        if let Some(open) = self.open.get_mut(&device) {
            open.ended_ns.get_or_insert(now_ns);
        }
        self.conclude(device);
    }

    /// Ends the round. What nobody told the end of took as long as it was waited for, and failed.
    pub(super) fn finish(&mut self, now_ns: u64) -> Measured {
        for open in std::mem::take(&mut self.open).into_values() {
            let ended_ns = open.ended_ns.unwrap_or(now_ns);
            self.record(&open, ended_ns, End::Failed);
        }
        self.books.not_started = self.books.planned.saturating_sub(self.books.started);
        let mut measured = self.meter.read();
        if self.books != Books::default() {
            measured.books.insert(Operation::Rotate, self.books);
        }
        measured
    }

    fn conclude(&mut self, device: u32) {
        let Some(open) = self.open.get(&device) else {
            return;
        };
        let (Some(ended_ns), Some(answered)) = (open.ended_ns, open.answered) else {
            return;
        };
        let end = open.end(answered, self.passwords.newest_taken(device));
        if let Some(open) = self.open.remove(&device) {
            self.record(&open, ended_ns, end);
        }
    }

    fn record(&mut self, open: &Open, ended_ns: u64, end: End) {
        if !open.rotates() {
            return;
        }
        match end {
            End::Completed => self.books.completed += 1,
            End::Failed => self.books.failed += 1,
        }
        let (intended_ns, begun_ns) = open.times_ns;
        let sample = Sample {
            intended_ns,
            begun_ns,
            // It may have waited for a connection.
            sent_ns: open.answered.and_then(|it| it.sent_ns).unwrap_or(begun_ns),
            ended_ns,
        };
        self.meter.record(Operation::Rotate, sample, end);
    }
}

impl Open {
    /// One that must come to nothing is no rotation to be timed.
    const fn rotates(&self) -> bool {
        match self.kind {
            AttemptKind::Online => true,
            AttemptKind::Offline | AttemptKind::Unbacked => false,
        }
    }

    /// A rotation is completed when it was not refused and the target has a newer password of the
    /// device than before: neither after an Exec that failed nor after one that never came.
    fn end(&self, answered: Answered, taken: Option<u32>) -> End {
        let refused = answered
            .status
            .is_some_and(|status| !(200..300).contains(&status));
        let rotated = match (self.taken, taken) {
            (Some(before), Some(now)) => now > before,
            // What cannot be told speaks against nobody.
            (None, _) | (_, None) => true,
        };
        if rotated && !refused {
            End::Completed
        } else {
            End::Failed
        }
    }
}

#[cfg(test)]
mod tests;
