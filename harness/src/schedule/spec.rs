//! Phases as text, on the command line and in fleet files.
//!
//! ```text
//! constant:500/s,60s              an even rate
//! ramp:100/s..500/s,30s           a rate that changes evenly
//! stairs:100/s..500/s/5,50s       ... in equal steps, here 5
//! poisson:200/s,10s               arrivals without memory
//! storm:1000,30s                  so many at once, then nothing up to 30 s
//! storm:all/5s,30s                every online device, spread over the first 5 s
//! ```
//!
//! Phases are separated by `;`. A rate is so many a second (`500/s`, or `500`), or a cadence:
//! `@8h` is every online device once in 8 hours.

use std::fmt;

use super::{Phase, Rate, Shape};
use crate::quantity::{scaled, spoken_ns, time_ns};

/// A phase that does not know its fleet yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSpec {
    shape: ShapeSpec,
    duration_ns: u64,
}

/// A rate, or what it follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateSpec {
    /// So many.
    Rate(Rate),
    /// Every online device once in this time, in nanoseconds.
    Cadence(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShapeSpec {
    Constant(RateSpec),
    Ramp(RateSpec, RateSpec),
    Stairs(RateSpec, RateSpec, u32),
    Poisson(RateSpec),
    Storm { count: Count, spread_ns: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    All,
    Events(u64),
}

/// Reads phases separated by `;`.
///
/// # Errors
/// A sentence that names the part that does not read.
pub fn parse(text: &str) -> Result<Vec<PhaseSpec>, String> {
    text.split(';').map(PhaseSpec::parse).collect()
}

impl PhaseSpec {
    /// An even rate.
    #[must_use]
    pub const fn constant(rate: RateSpec, duration_ns: u64) -> Self {
        Self {
            shape: ShapeSpec::Constant(rate),
            duration_ns,
        }
    }

    /// Reads one phase.
    ///
    /// # Errors
    /// A sentence that names the part that does not read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let in_phase = |complaint: String| format!("{complaint} in the phase `{text}`");
        let (name, rest) = text
            .split_once(':')
            .ok_or_else(|| in_phase("no `shape:`".to_owned()))?;
        let (arguments, time) = rest
            .rsplit_once(',')
            .ok_or_else(|| in_phase("no `,time` at the end".to_owned()))?;
        let shape = ShapeSpec::parse(name, arguments).map_err(in_phase)?;
        let duration_ns = time_ns(time)
            .filter(|ns| *ns > 0)
            .ok_or_else(|| in_phase(format!("`{time}` is no time such as 500ms, 10s or 8h")))?;
        Ok(Self { shape, duration_ns })
    }

    /// How long it is.
    #[must_use]
    pub const fn duration_ns(&self) -> u64 {
        self.duration_ns
    }

    /// How many check-ins of a fleet of so many online devices it plans for one moment, or almost:
    /// those of a storm.
    #[must_use]
    pub fn at_once(&self, online: u64) -> u64 {
        match self.shape {
            ShapeSpec::Storm {
                count: Count::All, ..
            } => online,
            ShapeSpec::Storm {
                count: Count::Events(events),
                ..
            } => events,
            ShapeSpec::Constant(_)
            | ShapeSpec::Ramp(..)
            | ShapeSpec::Stairs(..)
            | ShapeSpec::Poisson(_) => 0,
        }
    }

    /// The cadence that it plays, in nanoseconds, when it is an even rate by a cadence.
    #[must_use]
    pub const fn cadence_ns(&self) -> Option<u64> {
        match self.shape {
            ShapeSpec::Constant(RateSpec::Cadence(every_ns)) => Some(every_ns),
            ShapeSpec::Constant(RateSpec::Rate(_))
            | ShapeSpec::Ramp(..)
            | ShapeSpec::Stairs(..)
            | ShapeSpec::Poisson(_)
            | ShapeSpec::Storm { .. } => None,
        }
    }

    /// The phase for a fleet with so many online devices.
    #[must_use]
    pub fn of_fleet(&self, online: u64) -> Phase {
        let rate = |rate: RateSpec| rate.of_fleet(online);
        let shape = match self.shape {
            ShapeSpec::Constant(one) => Shape::Constant(rate(one)),
            ShapeSpec::Ramp(from, to) => Shape::Ramp(rate(from), rate(to)),
            ShapeSpec::Stairs(from, to, steps) => Shape::Stairs(rate(from), rate(to), steps),
            ShapeSpec::Poisson(one) => Shape::Poisson(rate(one)),
            ShapeSpec::Storm { count, spread_ns } => Shape::Storm {
                events: match count {
                    // Without an online device there is nobody to check in.
                    Count::Events(_) if online == 0 => 0,
                    Count::Events(events) => events,
                    Count::All => online,
                },
                spread_ns,
            },
        };
        Phase {
            shape,
            duration_ns: self.duration_ns,
        }
    }
}

impl RateSpec {
    /// The rate for a fleet with so many online devices; without one there is nobody to check in.
    #[must_use]
    pub fn of_fleet(self, online: u64) -> Rate {
        match self {
            Self::Rate(_) if online == 0 => Rate::ZERO,
            Self::Rate(rate) => rate,
            Self::Cadence(every_ns) => Rate::cadence(online, every_ns),
        }
    }

    /// Reads a rate.
    ///
    /// # Errors
    /// A sentence that names it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(every) = text.strip_prefix('@') {
            return time_ns(every)
                .filter(|ns| *ns > 0)
                .map(Self::Cadence)
                .ok_or_else(|| format!("`{every}` is no time of a cadence such as @8h"));
        }
        let number = text.strip_suffix("/s").unwrap_or(text);
        scaled(number, 6)
            .filter(|rate| *rate <= 1_000_000_000_000)
            .map(|rate| Self::Rate(Rate::per_million_s(rate)))
            .ok_or_else(|| format!("`{text}` is no rate such as 500/s, up to 1000000/s, or @8h"))
    }
}

impl ShapeSpec {
    fn parse(name: &str, arguments: &str) -> Result<Self, String> {
        match name {
            "constant" => Ok(Self::Constant(RateSpec::parse(arguments)?)),
            "poisson" => Ok(Self::Poisson(RateSpec::parse(arguments)?)),
            "ramp" => {
                let (from, to) = range(arguments)?;
                Ok(Self::Ramp(from, to))
            }
            "stairs" => {
                let (rates, steps) = arguments
                    .rsplit_once('/')
                    .ok_or_else(|| format!("no `/steps` in `{arguments}`"))?;
                let steps = steps
                    .parse()
                    .map_err(|_syntax| format!("`{steps}` is no number of steps"))?;
                let (from, to) = range(rates)?;
                Ok(Self::Stairs(from, to, steps))
            }
            "storm" => {
                let (count, spread) = arguments.split_once('/').unwrap_or((arguments, "0s"));
                let count = match count {
                    "all" => Count::All,
                    number => Count::Events(
                        scaled(number, 0)
                            .ok_or_else(|| format!("`{number}` is no number of events, nor all"))?,
                    ),
                };
                let spread_ns =
                    time_ns(spread).ok_or_else(|| format!("`{spread}` is no time of a spread"))?;
                Ok(Self::Storm { count, spread_ns })
            }
            _ => Err(format!(
                "`{name}` is no shape: constant, ramp, stairs, poisson or storm"
            )),
        }
    }
}

fn range(text: &str) -> Result<(RateSpec, RateSpec), String> {
    let (from, to) = text
        .split_once("..")
        .ok_or_else(|| format!("no `from..to` in `{text}`"))?;
    Ok((RateSpec::parse(from)?, RateSpec::parse(to)?))
}

impl fmt::Display for PhaseSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            ShapeSpec::Constant(rate) => write!(f, "constant:{rate}")?,
            ShapeSpec::Ramp(from, to) => write!(f, "ramp:{from}..{to}")?,
            ShapeSpec::Stairs(from, to, steps) => write!(f, "stairs:{from}..{to}/{steps}")?,
            ShapeSpec::Poisson(rate) => write!(f, "poisson:{rate}")?,
            ShapeSpec::Storm { count, spread_ns } => {
                match count {
                    Count::All => f.write_str("storm:all")?,
                    Count::Events(events) => write!(f, "storm:{events}")?,
                }
                if spread_ns > 0 {
                    write!(f, "/{}", spoken_ns(spread_ns))?;
                }
            }
        }
        write!(f, ",{}", spoken_ns(self.duration_ns))
    }
}

impl fmt::Display for RateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cadence(every_ns) => write!(f, "@{}", spoken_ns(*every_ns)),
            Self::Rate(rate) => {
                let millionths = rate.in_million_s();
                let (whole, part) = (millionths / 1_000_000, millionths % 1_000_000);
                let part = format!("{part:06}");
                match part.trim_end_matches('0') {
                    "" => write!(f, "{whole}/s"),
                    part => write!(f, "{whole}.{part}/s"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_read_back_as_they_are_written() {
        for text in [
            "constant:500/s,60s",
            "constant:0.5/s,90m",
            "ramp:100/s..500/s,30s",
            "stairs:100/s..500/s/5,50s",
            "poisson:200/s,10s",
            "storm:1000,30s",
            "storm:all/5s,30s",
            "constant:@8h,10m",
            "ramp:0/s..@1m,500ms",
        ] {
            let phase = PhaseSpec::parse(text).unwrap();
            let canonical = text.replace("60s", "1m");
            assert_eq!(phase.to_string(), canonical);
            assert_eq!(PhaseSpec::parse(&phase.to_string()), Ok(phase));
        }
    }

    #[test]
    fn a_complaint_names_the_part_that_does_not_read() {
        for (text, named) in [
            ("", "no `shape:`"),
            ("constant", "no `shape:`"),
            ("constant:500/s", "no `,time`"),
            ("constant:500/s,10", "`10`"),
            ("constant:500/s,0s", "`0s`"),
            ("constant:x,10s", "`x` is no rate"),
            ("constant:1000001/s,10s", "`1000001/s` is no rate"),
            ("constant:@8,10s", "`8` is no time of a cadence"),
            ("ramp:5/s,10s", "no `from..to` in `5/s`"),
            ("stairs:1..2/x,10s", "`x` is no number of steps"),
            ("storm:some,10s", "`some` is no number of events"),
            ("storm:5/x,10s", "`x` is no time of a spread"),
            ("wave:5/s,10s", "`wave` is no shape"),
        ] {
            let complaint = PhaseSpec::parse(text).unwrap_err();
            assert!(complaint.contains(named), "{text}: {complaint}");
        }
        let complaint = parse("constant:5/s,1s;wave:1,1s").unwrap_err();
        assert!(
            complaint.ends_with("in the phase `wave:1,1s`"),
            "{complaint}"
        );
    }

    #[test]
    fn cadences_and_storms_follow_the_fleet() {
        for (text, online, shape) in [
            // 1,000,000 devices once in 8 h: 34.7 a second.
            (
                "constant:@8h,1s",
                1_000_000,
                Shape::Constant(Rate::per_million_s(34_722_222)),
            ),
            (
                "poisson:@1m,1s",
                60,
                Shape::Poisson(Rate::per_1000_s(1_000)),
            ),
            (
                "storm:all,1s",
                700,
                Shape::Storm {
                    events: 700,
                    spread_ns: 0,
                },
            ),
            ("constant:5/s,1s", 0, Shape::Constant(Rate::ZERO)),
        ] {
            let phase = PhaseSpec::parse(text).unwrap().of_fleet(online);
            assert_eq!(phase.shape, shape, "{text}");
        }
    }
}
