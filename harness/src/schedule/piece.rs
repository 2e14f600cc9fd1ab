//! One shape over a stretch of time: how many events it has, and when each of them starts.

use super::poisson::Poisson;
use super::{EVENTS_MAX, MILLION_SECONDS_NS, Phase, Rate, ScheduleError, Shape};

/// A stretch of a schedule with its place in it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Number of its first event in the schedule.
    pub(super) first_event: u64,
    /// When it begins.
    pub(super) from_ns: u64,
    events: u64,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Constant(Rate),
    Ramp(Ramp),
    Poisson(Poisson),
    Storm { spread_ns: u64 },
}

/// A rate that changes evenly. The number of events that are due by time t is the integral of the
/// rate, a t + (b - a) t^2 / 2T: a closed form, in which the start of an event is looked up.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    from: Rate,
    to: Rate,
    duration_ns: u64,
}

impl Piece {
    /// The piece of a phase that is no stairs.
    pub(super) fn new(phase: Phase, seed: u64) -> Result<Self, ScheduleError> {
        let duration_ns = phase.duration_ns;
        let form = match phase.shape {
            Shape::Constant(rate) | Shape::Stairs(rate, _, _) => {
                bounded(rate, duration_ns)?;
                return Ok(Self::constant(rate, duration_ns));
            }
            Shape::Ramp(from, to) => {
                bounded(from.max(to), duration_ns)?;
                let ramp = Ramp {
                    from,
                    to,
                    duration_ns,
                };
                (ramp.events(), Form::Ramp(ramp))
            }
            Shape::Poisson(rate) => {
                bounded(rate, duration_ns)?;
                let poisson = Poisson::new(rate, duration_ns, seed);
                (poisson.events(), Form::Poisson(poisson))
            }
            Shape::Storm { events, spread_ns } => {
                if events > EVENTS_MAX {
                    return Err(ScheduleError::TooMany);
                }
                let spread_ns = spread_ns.min(duration_ns);
                (events, Form::Storm { spread_ns })
            }
        };
        Ok(Self::of(form))
    }

    pub(super) fn constant(rate: Rate, duration_ns: u64) -> Self {
        let exact = u128::from(duration_ns) * u128::from(rate.in_million_s());
        let events = u64::try_from(exact.div_ceil(MILLION_SECONDS_NS)).unwrap_or(u64::MAX);
        Self::of((events, Form::Constant(rate)))
    }

    fn of((events, form): (u64, Form)) -> Self {
        Self {
            first_event: 0,
            from_ns: 0,
            events,
            form,
        }
    }

    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    /// The start of an event of this piece, from its begin.
    pub(super) fn start_ns(&self, event: u64) -> u64 {
        match &self.form {
            Form::Constant(rate) => {
                let exact = u128::from(event) * MILLION_SECONDS_NS;
                let rate = u128::from(rate.in_million_s().max(1));
                u64::try_from(exact / rate).unwrap_or(u64::MAX)
            }
            Form::Ramp(ramp) => ramp.start_ns(event),
            Form::Poisson(poisson) => poisson.start_ns(event),
            Form::Storm { spread_ns } => {
                let exact = u128::from(event) * u128::from(*spread_ns);
                u64::try_from(exact / u128::from(self.events.max(1))).unwrap_or(u64::MAX)
            }
        }
    }
}

impl Ramp {
    /// Events whose start lies before the end: start(k) < T exactly when k < integral(T).
    fn events(&self) -> u64 {
        let scale = self.scale();
        if scale == 0 {
            return 0;
        }
        let total = self.integral(self.duration_ns);
        u64::try_from((total + scale - 1) / scale).unwrap_or_default()
    }

    /// The last nanosecond by which no more than `event` events are due: where the integral
    /// reaches the number of the event, rounded down.
    fn start_ns(&self, event: u64) -> u64 {
        let due = i128::from(event) * self.scale();
        let (mut low, mut high) = (0, self.duration_ns);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.integral(middle) <= due {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    /// One event on the scale of [`Ramp::integral`].
    fn scale(&self) -> i128 {
        let million_seconds_ns = i128::try_from(MILLION_SECONDS_NS).unwrap_or(i128::MAX);
        2 * i128::from(self.duration_ns) * million_seconds_ns
    }

    /// 2 a T t + (b - a) t^2. With at most 2^28 events of 10^15 ns each in at most 2^47 ns this
    /// stays below 2^127.
    fn integral(&self, at_ns: u64) -> i128 {
        let (from, to) = (
            i128::from(self.from.in_million_s()),
            i128::from(self.to.in_million_s()),
        );
        let at = i128::from(at_ns);
        (2 * from * i128::from(self.duration_ns) + (to - from) * at) * at
    }
}

/// Refuses what the arithmetic of this module has no room for.
fn bounded(rate: Rate, duration_ns: u64) -> Result<(), ScheduleError> {
    let events = u128::from(rate.in_million_s()) * u128::from(duration_ns) / MILLION_SECONDS_NS;
    if events > u128::from(EVENTS_MAX) {
        return Err(ScheduleError::TooMany);
    }
    Ok(())
}

/// The rate at step `at` of `last` steps from one rate to the other; the last one exactly.
pub(super) fn between(from: Rate, to: Rate, (at, last): (u32, u32)) -> Rate {
    let (start, end) = (from.in_million_s(), to.in_million_s());
    let part = |distance: u64| {
        let exact = u128::from(distance) * u128::from(at) / u128::from(last.max(1));
        u64::try_from(exact).unwrap_or(u64::MAX)
    };
    Rate::per_million_s(if end >= start {
        start + part(end - start)
    } else {
        start - part(start - end)
    })
}
