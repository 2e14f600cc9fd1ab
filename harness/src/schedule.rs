//! When check-ins, rotations and other operations are planned: pure functions of the load's
//! options.
//!
//! The model is open: the start of event k is fixed before anything can be late, in integer
//! nanoseconds from the start of the load. A [`Schedule`] is a list of phases one after the other;
//! it stores no event, answers for any of them, and is the same for any number of shards.
//!
//! | module | job |
//! |---|---|
//! | `piece` | one shape over a stretch of time |
//! | `poisson` | arrivals without memory, by number |
//! | [`spec`] | phases as text, for the command line and fleet files |
//! | `turns`, `books` | whose turn an event is; what became of the events |

mod books;
mod piece;
mod poisson;
pub mod spec;
#[cfg(test)]
mod tests;
mod turns;

pub use books::Books;
pub use turns::Turns;

use piece::Piece;

/// Events a phase may hold; keeps the arithmetic of ramps within 128 bits.
pub const EVENTS_MAX: u64 = 1 << 28;
/// Longest phase, about 39 hours; keeps the arithmetic of ramps within 128 bits.
pub const PHASE_NS_MAX: u64 = 1 << 47;
/// Steps of one phase of stairs.
pub const STEPS_MAX: u32 = 1_000;

/// Events in a million seconds: fine enough for a small fleet that checks in every eight hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

/// How the events of a phase lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Even distances.
    Constant(Rate),
    /// A rate that changes evenly from the first to the second.
    Ramp(Rate, Rate),
    /// A rate that changes from the first to the second in equal steps of equal length.
    Stairs(Rate, Rate, u32),
    /// Arrivals without memory, drawn from the seed.
    Poisson(Rate),
    /// So many events, spread evenly over the first nanoseconds of the phase; 0 for all at once.
    Storm {
        /// How many.
        events: u64,
        /// Over how long.
        spread_ns: u64,
    },
}

/// A shape over a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// How the events lie.
    pub shape: Shape,
    /// How long it is.
    pub duration_ns: u64,
}

/// A list of phases, one after the other.
#[derive(Clone, Debug)]
pub struct Schedule {
    pieces: Vec<Piece>,
    events: u64,
    duration_ns: u64,
}

/// A phase that cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    /// Longer than [`PHASE_NS_MAX`].
    TooLong,
    /// More than [`EVENTS_MAX`] events.
    TooMany,
    /// Stairs without a step or with more than [`STEPS_MAX`].
    Steps(u32),
}

impl Rate {
    /// No event at all.
    pub const ZERO: Self = Self(0);

    /// So many events in a thousand seconds.
    #[must_use]
    pub const fn per_1000_s(events: u64) -> Self {
        Self(events.saturating_mul(1_000))
    }

    /// So many events in a million seconds.
    #[must_use]
    pub const fn per_million_s(events: u64) -> Self {
        Self(events)
    }

    /// Every device once in this time, in nanoseconds.
    #[must_use]
    pub fn cadence(devices: u64, every_ns: u64) -> Self {
        let exact = u128::from(devices) * MILLION_SECONDS_NS / u128::from(every_ns.max(1));
        Self(u64::try_from(exact).unwrap_or(u64::MAX))
    }

    /// Events in a million seconds.
    #[must_use]
    pub const fn in_million_s(self) -> u64 {
        self.0
    }

    /// The rate when time runs `factor` times as fast.
    #[must_use]
    pub const fn compressed(self, factor: u32) -> Self {
        // Widening; `u64::from` is not const.
        Self(self.0.saturating_mul(widen(factor)))
    }

    /// Events a second.
    #[must_use]
    pub fn per_s(self) -> f64 {
        let whole = u32::try_from(self.0 / 1_000_000).unwrap_or(u32::MAX);
        let part = u32::try_from(self.0 % 1_000_000).unwrap_or_default();
        f64::from(whole) + f64::from(part) / 1e6
    }
}

/// Nanoseconds of the time that a [`Rate`] counts in.
const MILLION_SECONDS_NS: u128 = 1_000_000_000_000_000;

const fn widen(factor: u32) -> u64 {
    let [a, b, c, d] = factor.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
}

impl Shape {
    /// The rate at its beginning; a storm has none.
    #[must_use]
    pub const fn first_rate(&self) -> Rate {
        match self {
            Self::Constant(rate)
            | Self::Poisson(rate)
            | Self::Ramp(rate, _)
            | Self::Stairs(rate, _, _) => *rate,
            Self::Storm { .. } => Rate::ZERO,
        }
    }
}

impl Phase {
    /// The phase when time runs `factor` times as fast: as many events in less time.
    #[must_use]
    pub fn compressed(self, factor: u32) -> Self {
        let factor_ns = u64::from(factor.max(1));
        let shape = match self.shape {
            Shape::Constant(rate) => Shape::Constant(rate.compressed(factor)),
            Shape::Ramp(from, to) => Shape::Ramp(from.compressed(factor), to.compressed(factor)),
            Shape::Stairs(from, to, steps) => {
                Shape::Stairs(from.compressed(factor), to.compressed(factor), steps)
            }
            Shape::Poisson(rate) => Shape::Poisson(rate.compressed(factor)),
            Shape::Storm { events, spread_ns } => Shape::Storm {
                events,
                spread_ns: spread_ns / factor_ns,
            },
        };
        Self {
            shape,
            duration_ns: self.duration_ns / factor_ns,
        }
    }
}

impl Schedule {
    /// Plans the phases one after the other. The seed decides what is drawn.
    ///
    /// # Errors
    /// A phase that is too long, holds too many events, or has no steps.
    pub fn new(phases: &[Phase], seed: u64) -> Result<Self, ScheduleError> {
        let mut schedule = Self {
            pieces: Vec::new(),
            events: 0,
            duration_ns: 0,
        };
        for phase in phases {
            schedule.add(*phase, seed)?;
        }
        Ok(schedule)
    }

    /// An even rate over a duration, cut at the bounds of a phase.
    #[must_use]
    pub fn constant(rate: Rate, duration_ns: u64) -> Self {
        let duration_ns = duration_ns.min(PHASE_NS_MAX);
        let most = u128::from(EVENTS_MAX) * MILLION_SECONDS_NS / u128::from(duration_ns.max(1));
        let rate = rate.min(Rate(u64::try_from(most).unwrap_or(u64::MAX)));
        let piece = Piece::constant(rate, duration_ns);
        Self {
            events: piece.events(),
            pieces: vec![piece],
            duration_ns,
        }
    }

    /// The first stretch of the schedule: the same events at the same times up to `end_ns`, and
    /// none after. So what is cut in the middle of a phase keeps its rate, slope, steps or draws.
    #[must_use]
    pub fn first(mut self, end_ns: u64) -> Self {
        self.events = self.events_before(end_ns);
        self.duration_ns = self.duration_ns.min(end_ns);
        self.pieces.retain(|piece| piece.first_event < self.events);
        self
    }

    /// How many events there are.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// How long all phases are together.
    #[must_use]
    pub const fn duration_ns(&self) -> u64 {
        self.duration_ns
    }

    /// The planned start of event `event`, from the start of the first phase; never less than that
    /// of the event before. The end of the last phase for an event that there is not.
    #[must_use]
    pub fn start_ns(&self, event: u64) -> u64 {
        if event >= self.events {
            return self.duration_ns;
        }
        let after = self
            .pieces
            .partition_point(|piece| piece.first_event <= event);
        // The first piece begins with event 0, so there is one before.
        let piece = after.checked_sub(1).and_then(|at| self.pieces.get(at));
        piece.map_or(self.duration_ns, |piece| {
            piece.from_ns + piece.start_ns(event - piece.first_event)
        })
    }

    /// How many events start before this time.
    #[must_use]
    pub fn events_before(&self, at_ns: u64) -> u64 {
        let (mut low, mut high) = (0, self.events);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start_ns(middle) < at_ns {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn add(&mut self, phase: Phase, seed: u64) -> Result<(), ScheduleError> {
        if phase.duration_ns > PHASE_NS_MAX {
            return Err(ScheduleError::TooLong);
        }
        let Shape::Stairs(from, to, steps) = phase.shape else {
            // Every phase draws from a stream of its own.
            let number = u64::try_from(self.pieces.len()).unwrap_or(u64::MAX);
            let piece = Piece::new(phase, seed ^ number.rotate_left(32))?;
            self.append(piece, phase.duration_ns);
            return Ok(());
        };
        if !(1..=STEPS_MAX).contains(&steps) {
            return Err(ScheduleError::Steps(steps));
        }
        for step in 0..steps {
            let step_phase = Phase {
                shape: Shape::Constant(piece::between(from, to, (step, steps - 1))),
                duration_ns: share(phase.duration_ns, step, steps),
            };
            self.append(Piece::new(step_phase, seed)?, step_phase.duration_ns);
        }
        Ok(())
    }

    fn append(&mut self, mut piece: Piece, duration_ns: u64) {
        piece.first_event = self.events;
        piece.from_ns = self.duration_ns;
        self.duration_ns = self.duration_ns.saturating_add(duration_ns);
        self.events = self.events.saturating_add(piece.events());
        // A stretch without events would stand before its neighbour under the same number.
        if piece.events() > 0 {
            self.pieces.push(piece);
        }
    }
}

/// The length of one of `steps` equal parts; together they are the whole.
fn share(duration_ns: u64, step: u32, steps: u32) -> u64 {
    let edge = |step: u32| {
        let exact = u128::from(duration_ns) * u128::from(step) / u128::from(steps.max(1));
        u64::try_from(exact).unwrap_or(u64::MAX)
    };
    edge(step + 1) - edge(step)
}

impl std::fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => f.write_str("a phase may be 39 hours long at most"),
            Self::TooMany => write!(f, "a phase may hold {EVENTS_MAX} events at most"),
            Self::Steps(steps) => write!(f, "stairs have 1 to {STEPS_MAX} steps, not {steps}"),
        }
    }
}

impl std::error::Error for ScheduleError {}

/// `count` instants spread evenly over a phase, each in the middle of its share.
pub fn spread(count: u64, duration_ns: u64) -> impl Iterator<Item = u64> {
    let middle = move |place: u64| {
        let exact = u128::from(2 * place + 1) * u128::from(duration_ns);
        u64::try_from(exact / u128::from(2 * count.max(1))).unwrap_or(u64::MAX)
    };
    (0..count).map(middle)
}
