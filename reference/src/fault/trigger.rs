//! When a defect acts: its trigger, how it is written on the command line, and the draws.
//!
//! Every draw is a function of the seed, the defect's name and what is asked, never of earlier
//! draws, so that the same run draws the same whatever else happens beside it.

use std::fmt;

use protocol::JoinType;
use sha2::{Digest, Sha256};

/// A million: rates and shares are whole parts of it.
pub(super) const PPM_ONE: u32 = 1_000_000;

/// When a defect acts, of all the times that it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Every time.
    Always,
    /// Each time with this probability, in parts per million.
    Ppm(u32),
    /// The nth time alone, counted from 1.
    Nth(u64),
    /// The nth, the 2nth, ... time.
    Every(u64),
    /// Always, on this share of the devices, in parts per million.
    Devices(u32),
    /// Always, on devices of this join state.
    Join(JoinType),
    /// While more requests than this are unanswered.
    InFlight(u32),
    /// Within this time since the core's first request, by the core's clock; the end is outside.
    Window {
        /// Begin, in milliseconds.
        from_ms: i64,
        /// End, in milliseconds.
        to_ms: i64,
    },
}

/// What a trigger is decided by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// Seed of the run.
    pub(super) seed: u64,
    /// Name of the defect.
    pub(super) name: &'a str,
    /// How often this defect could have acted, this time included.
    pub(super) reached: u64,
    /// Id and join state of the device that the answer is about, where it is about one.
    pub(super) device: Option<(&'a str, JoinType)>,
    /// Requests that are unanswered.
    pub(super) in_flight: u32,
    /// Time since the first request.
    pub(super) since_start_ms: i64,
}

impl Trigger {
    /// True when the defect acts. A trigger that looks at the device is false where there is none.
    pub(super) fn fires(self, ask: &Ask<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Ppm(ppm) => {
                let index = ask.reached.to_le_bytes();
                draw(ask.seed, ask.name.as_bytes(), &index) < ppm
            }
            Self::Nth(n) => ask.reached == n,
            Self::Every(n) => ask.reached.is_multiple_of(n),
            // Without the name: two defects that run as a pair meet on the same devices.
            Self::Devices(ppm) => ask
                .device
                .is_some_and(|(id, _)| draw(ask.seed, b"device", id.as_bytes()) < ppm),
            Self::Join(wanted) => ask.device.is_some_and(|(_, join)| join == wanted),
            Self::InFlight(above) => ask.in_flight > above,
            Self::Window { from_ms, to_ms } => (from_ms..to_ms).contains(&ask.since_start_ms),
        }
    }

    /// Reads what stands behind the `@` of `--fault NAME@TRIGGER`.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "always" {
            return Ok(Self::Always);
        }
        let unknown = || {
            format!(
                "`{text}` is no trigger: always, ppm=N, nth=N, every=N, devices=PPM, join=STATE, \
                 inflight=N or window=0s..2h"
            )
        };
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        match name {
            "ppm" => parts(value).map(Self::Ppm),
            "devices" => parts(value).map(Self::Devices),
            "nth" => count(value).map(Self::Nth),
            "every" => count(value).map(Self::Every),
            "join" => join(value).map(Self::Join),
            "inflight" => value
                .parse()
                .map(Self::InFlight)
                .map_err(|_syntax| format!("`{value}` is no number of requests")),
            "window" => window(value),
            _ => Err(unknown()),
        }
    }
}

/// As [`Trigger::parse`] reads it.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Ppm(ppm) => write!(f, "ppm={ppm}"),
            Self::Nth(n) => write!(f, "nth={n}"),
            Self::Every(n) => write!(f, "every={n}"),
            Self::Devices(ppm) => write!(f, "devices={ppm}"),
            Self::Join(join) => write!(f, "join={}", join.as_str()),
            Self::InFlight(above) => write!(f, "inflight={above}"),
            Self::Window { from_ms, to_ms } => write!(f, "window={from_ms}ms..{to_ms}ms"),
        }
    }
}

/// A number below a million, each as likely as the other.
fn draw(seed: u64, name: &[u8], what: &[u8]) -> u32 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    // The length keeps name and what apart.
    let length = u64::try_from(name.len()).unwrap_or_default();
    hash.update(length.to_le_bytes());
    hash.update(name);
    hash.update(what);
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_at(8);
    let number = first
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // 2^64 is so far above a million that what does not divide is of no account.
    u32::try_from(number % u64::from(PPM_ONE)).unwrap_or_default()
}

fn parts(text: &str) -> Result<u32, String> {
    let parts = text.parse().ok().filter(|parts| *parts <= PPM_ONE);
    parts.ok_or_else(|| format!("`{text}` is no share: 0 to {PPM_ONE} parts per million"))
}

fn count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("`{text}` is no count from 1"))
}

fn join(text: &str) -> Result<JoinType, String> {
    let found = JoinType::ALL.into_iter().find(|join| join.as_str() == text);
    found.ok_or_else(|| {
        let states = JoinType::ALL.map(JoinType::as_str).join(", ");
        format!("`{text}` is no join state: {states}")
    })
}

fn window(text: &str) -> Result<Trigger, String> {
    let wrong = || format!("`{text}` is no window such as 0s..2h");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let from_ms = millis(from).ok_or_else(wrong)?;
    let to_ms = millis(to).ok_or_else(wrong)?;
    if from_ms < to_ms {
        Ok(Trigger::Window { from_ms, to_ms })
    } else {
        Err(format!("the window `{text}` is empty"))
    }
}

/// A whole number with a unit: ms, s, m, h or d.
fn millis(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(reached: u64) -> Ask<'static> {
        Ask {
            seed: 7,
            name: "M-SOME-fault",
            reached,
            device: None,
            in_flight: 0,
            since_start_ms: 0,
        }
    }

    /// The times of the first hundred at which a trigger acts.
    fn acts(trigger: &str, seed: u64) -> Vec<u64> {
        let trigger = Trigger::parse(trigger).unwrap();
        let asks = (1..=100).map(|reached| Ask {
            seed,
            ..ask(reached)
        });
        asks.filter(|ask| trigger.fires(ask))
            .map(|ask| ask.reached)
            .collect()
    }

    #[test]
    fn counted_and_drawn_times_are_exact() {
        for (trigger, seed, expected) in [
            ("always", 7, (1..=100).collect::<Vec<u64>>()),
            ("nth=3", 7, vec![3]),
            ("nth=101", 7, vec![]),
            ("every=40", 7, vec![40, 80]),
            ("ppm=0", 7, vec![]),
            ("ppm=1000000", 7, (1..=100).collect()),
            // Worked out apart from this code, with another implementation of SHA-256.
            ("ppm=30000", 7, vec![52, 67]),
            ("ppm=30000", 8, vec![32, 93]),
            // Where no device is spoken of, what looks at one never acts.
            ("devices=1000000", 7, vec![]),
            ("join=entraJoined", 7, vec![]),
        ] {
            assert_eq!(acts(trigger, seed), expected, "{trigger} with seed {seed}");
        }
    }

    /// Worked out as above.
    const DEVICES: [bool; 8] = [false, false, false, false, true, false, false, true];

    #[test]
    fn a_share_of_devices_is_fixed_by_id_and_seed() {
        let trigger = Trigger::parse("devices=400000").unwrap();
        let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
        for reached in [1, 2, 99] {
            let chosen = ids.map(|id| {
                trigger.fires(&Ask {
                    device: Some((id, JoinType::EntraJoined)),
                    name: "M-OTHER",
                    ..ask(reached)
                })
            });
            assert_eq!(chosen, DEVICES, "at the {reached}th time");
        }
    }

    #[test]
    fn a_trigger_looks_at_join_state_requests_and_time() {
        let joined = |join| Ask {
            device: Some(("a", join)),
            ..ask(1)
        };
        let busy = |in_flight| Ask {
            in_flight,
            ..ask(1)
        };
        let at = |since_start_ms| Ask {
            since_start_ms,
            ..ask(1)
        };
        for (trigger, ask, acts) in [
            ("join=entraJoined", joined(JoinType::EntraJoined), true),
            (
                "join=entraJoined",
                joined(JoinType::EntraHybridJoined),
                false,
            ),
            ("inflight=4", busy(4), false),
            ("inflight=4", busy(5), true),
            ("window=1s..2h", at(999), false),
            ("window=1s..2h", at(1_000), true),
            ("window=1s..2h", at(7_199_999), true),
            ("window=1s..2h", at(7_200_000), false),
        ] {
            let parsed = Trigger::parse(trigger).unwrap();
            assert_eq!(parsed.fires(&ask), acts, "{trigger} of {ask:?}");
        }
    }

    #[test]
    fn a_trigger_is_written_as_it_is_read_and_nonsense_is_refused() {
        for (text, written) in [
            ("always", "always"),
            ("ppm=5000", "ppm=5000"),
            ("nth=3", "nth=3"),
            ("every=7", "every=7"),
            ("devices=250000", "devices=250000"),
            ("join=entraHybridJoined", "join=entraHybridJoined"),
            ("inflight=0", "inflight=0"),
            ("window=0s..2h", "window=0ms..7200000ms"),
        ] {
            let trigger = Trigger::parse(text).unwrap();
            assert_eq!(trigger.to_string(), written);
            assert_eq!(Trigger::parse(written), Ok(trigger));
        }
        for (text, said) in [
            ("", "`` is no trigger"),
            ("sometimes", "`sometimes` is no trigger"),
            ("nth", "`nth` is no trigger"),
            ("odds=3", "`odds=3` is no trigger"),
            ("ppm=1000001", "`1000001` is no share"),
            ("ppm=-1", "`-1` is no share"),
            ("nth=0", "`0` is no count"),
            ("every=0", "`0` is no count"),
            ("join=workgroup", "`workgroup` is no join state"),
            ("inflight=x", "`x` is no number"),
            ("window=2h", "`2h` is no window"),
            ("window=1..2", "`1..2` is no window"),
            ("window=2h..1h", "the window `2h..1h` is empty"),
        ] {
            let error = Trigger::parse(text).unwrap_err();
            assert!(error.starts_with(said), "{text}: {error}");
        }
    }
}
