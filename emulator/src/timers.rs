//! The timers of a device: a fixed table indexed by [`Timer`].

use protocol::time::UtcMillis;

/// Each thing a device can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Timer {
    /// The connectivity schedule changes.
    Connectivity,
    /// Enrolment goes on after a server asked to wait.
    Enrollment,
    /// A session is due: a push, the user, or the one after enrolment.
    Session,
    /// The poll table asks for a session.
    Poll,
    /// The deadline after an authentication with the managed account.
    PostAuthentication,
    /// The hourly LAPS cycle.
    LapsCycle,
}

impl Timer {
    /// Every timer, in the order in which those due at one instant are served.
    pub(crate) const ALL: [Self; 6] = [
        Self::Connectivity,
        Self::Enrollment,
        Self::Session,
        Self::Poll,
        Self::PostAuthentication,
        Self::LapsCycle,
    ];

    const fn slot(self) -> usize {
        match self {
            Self::Connectivity => 0,
            Self::Enrollment => 1,
            Self::Session => 2,
            Self::Poll => 3,
            Self::PostAuthentication => 4,
            Self::LapsCycle => 5,
        }
    }
}

/// The table; a slot that holds [`UNSET`] is not armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timers {
    slots: [UtcMillis; Timer::ALL.len()],
}

const UNSET: UtcMillis = UtcMillis::from_millis(i64::MAX);

impl Timers {
    /// A table with no timer armed.
    pub(crate) const fn new() -> Self {
        Self {
            slots: [UNSET; Timer::ALL.len()],
        }
    }

    /// What a timer is set to; `i64::MAX` milliseconds when it is not armed.
    pub(crate) const fn raw(&self, timer: Timer) -> UtcMillis {
        self.slots[timer.slot()]
    }

    /// Arms a timer, whatever it was set to.
    pub(crate) const fn set(&mut self, timer: Timer, at: UtcMillis) {
        self.slots[timer.slot()] = at;
    }

    /// Disarms a timer.
    pub(crate) const fn clear(&mut self, timer: Timer) {
        self.slots[timer.slot()] = UNSET;
    }

    /// When a timer is due, if armed.
    pub(crate) fn at(&self, timer: Timer) -> Option<UtcMillis> {
        Some(self.slots[timer.slot()]).filter(|at| *at != UNSET)
    }

    /// Disarms a timer that is due and says whether it was.
    pub(crate) fn take_due(&mut self, timer: Timer, now: UtcMillis) -> bool {
        let due = self.at(timer).is_some_and(|at| at <= now);
        if due {
            self.clear(timer);
        }
        due
    }

    /// The earliest timer.
    pub(crate) fn next(&self) -> Option<UtcMillis> {
        self.slots.iter().copied().min().filter(|at| *at != UNSET)
    }
}
