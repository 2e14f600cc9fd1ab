//! Instants: [`UtcMillis`] for clocks and timers, [`UtcTicks`] for times on the wire.
//!
//! The wire carries `YYYY-MM-DDThh:mm:ss[.fffffff]Z` and an instant must come back with at
//! least 100 ns kept (contract section 0), hence the second type.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{Malformed, MalformedKind};

const TICKS_PER_MILLI: i64 = 10_000;
const TICKS_PER_SECOND: i64 = 10_000_000;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(i64);

impl UtcMillis {
    /// One hour, in milliseconds.
    pub const HOUR_MS: i64 = 3_600_000;
    /// One day of 24 hours, in milliseconds.
    pub const DAY_MS: i64 = 24 * Self::HOUR_MS;

    /// The instant `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `millis` later (earlier if negative), saturating at the ends of the range.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same instant in units of 100 ns.
    #[must_use]
    pub const fn ticks(self) -> UtcTicks {
        UtcTicks(self.0.saturating_mul(TICKS_PER_MILLI))
    }
}

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ticks().fmt(f)
    }
}

/// A point in time, in units of 100 ns since 1970-01-01T00:00:00Z, as the wire carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTicks(i64);

impl UtcTicks {
    /// The instant `ticks` units of 100 ns after the epoch.
    #[must_use]
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// Units of 100 ns since the epoch.
    #[must_use]
    pub const fn as_ticks(self) -> i64 {
        self.0
    }

    /// The same instant in whole milliseconds, rounded down.
    #[must_use]
    pub const fn millis(self) -> UtcMillis {
        UtcMillis(self.0.div_euclid(TICKS_PER_MILLI))
    }

    /// Reads `YYYY-MM-DDThh:mm:ss[.f]Z`; digits below 100 ns are cut.
    ///
    /// # Errors
    /// Anything else, an offset other than `Z` included.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let wrong = || Malformed::new("time", 0, MalformedKind::Value(text.to_owned()));
        if !text.ends_with('Z') {
            return Err(wrong());
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_shape| wrong())?;
        let ticks = parsed.unix_timestamp_nanos().div_euclid(100);
        i64::try_from(ticks).map(Self).map_err(|_range| wrong())
    }
}

impl fmt::Display for UtcTicks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(TICKS_PER_SECOND);
        let fraction = self.0.rem_euclid(TICKS_PER_SECOND);
        let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else {
            return write!(f, "{seconds}s");
        };
        let (date, clock) = (at.date(), at.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        )?;
        if fraction == 0 {
            f.write_str("Z")
        } else {
            write!(f, ".{fraction:07}Z")
        }
    }
}

impl From<UtcMillis> for UtcTicks {
    fn from(at: UtcMillis) -> Self {
        at.ticks()
    }
}

impl Serialize for UtcTicks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcTicks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_a_hundred_nanoseconds_both_ways() {
        for (text, ticks) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.0000001Z", 1),
            ("2026-03-11T09:30:00Z", 17_732_214_000_000_000),
            ("2026-03-11T09:30:00.1234567Z", 17_732_214_001_234_567),
            ("1969-12-31T23:59:59.9999999Z", -1),
        ] {
            assert_eq!(UtcTicks::parse(text).unwrap().as_ticks(), ticks, "{text}");
            assert_eq!(UtcTicks::from_ticks(ticks).to_string(), text);
        }
    }

    #[test]
    fn a_time_without_z_is_refused() {
        for text in [
            "2026-03-11T09:30:00",
            "2026-03-11T09:30:00+01:00",
            "11 March",
            "",
        ] {
            assert!(UtcTicks::parse(text).is_err(), "{text}");
        }
    }
}
