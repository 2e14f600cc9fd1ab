//! What a search for the capacity of a target found, as it is reported.

use serde::{Deserialize, Serialize};

use super::Quantiles;
use super::measurement::BooksRow;
use crate::capacity::{Broke, Found};
use crate::exit::{Cause, ExitCode};

/// The cadences at which the supported fleet is told: name and seconds. The first three are those
/// that Intune publishes (F-155, F-156); some servers poll once a minute.
const CADENCES: [(&str, f64); 4] = [
    ("8 h", 28_800.0),
    ("15 min", 900.0),
    ("3 min", 180.0),
    ("1 min", 60.0),
];

/// A search and its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// How it ended.
    pub outcome: Outcome,
    /// The largest rate at which every goal was kept, confirmed; check-ins a second. Absent unless
    /// the outcome is `between` or `at_least`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_per_s: Option<f64>,
    /// The rate at which something broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_per_s: Option<f64>,
    /// What broke there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke: Option<Broke>,
    /// Devices that the lower rate supports, by cadence.
    pub supports: Vec<Supported>,
    /// The goals.
    pub goals: Vec<String>,
    /// Operations behind each percentile.
    pub samples_needed: u64,
    /// How the figures came about, in words.
    pub basis: Vec<String>,
    /// Every trial, in order.
    pub trials: Vec<TrialRow>,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The verdict of the same run is no pass: there is no capacity of a target that errs.
    #[default]
    Void,
    /// Between two rates.
    Between,
    /// As high as was tried.
    AtLeast,
    /// Not even at the lowest rate.
    NeverGood,
    /// The trials contradict each other.
    Undecided,
}

/// A fleet that a rate supports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Supported {
    /// Once in this time.
    pub cadence: String,
    /// Devices.
    pub devices: u64,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    /// The rate offered.
    pub per_s: f64,
    /// What became of its check-ins.
    pub measured: BooksRow,
    /// How long they took.
    pub latency_us: Quantiles,
    /// What broke; absent in a good trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke: Option<Broke>,
    /// Why it says nothing; absent in one that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
}

impl Capacity {
    /// Takes the end of a search.
    pub fn take(&mut self, found: &Found) {
        match found {
            Found::Between {
                lower,
                upper,
                broke,
            } => {
                self.outcome = Outcome::Between;
                self.hold(lower.per_s());
                self.upper_per_s = Some(upper.per_s());
                self.broke = Some(broke.clone());
            }
            Found::AtLeast(lower) => {
                self.outcome = Outcome::AtLeast;
                self.hold(lower.per_s());
            }
            Found::NeverGood { tried, broke } => {
                self.outcome = Outcome::NeverGood;
                self.upper_per_s = Some(tried.per_s());
                self.broke = Some(broke.clone());
            }
            Found::Undecided { .. } => self.outcome = Outcome::Undecided,
        }
    }

    fn hold(&mut self, per_s: f64) {
        self.lower_per_s = Some(per_s);
        self.supports = CADENCES
            .iter()
            .map(|(cadence, seconds)| Supported {
                cadence: (*cadence).to_owned(),
                devices: whole(per_s * seconds),
            })
            .collect();
    }

    /// The run's verdict is no pass: nothing may be said of a capacity.
    pub fn make_void(&mut self) {
        self.outcome = Outcome::Void;
        self.lower_per_s = None;
        self.supports.clear();
    }

    /// The reason for an exit code that the end of the search is.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let (code, text) = match self.outcome {
            Outcome::Between | Outcome::AtLeast | Outcome::Void => return None,
            Outcome::NeverGood => match &self.broke {
                Some(Broke::Generator(how) | Broke::TooFewSamples(how)) => {
                    (ExitCode::MeasurementInvalid, how.clone())
                }
                Some(broke) => (
                    ExitCode::Threshold,
                    format!("the goals are not kept at the lowest rate tried: {broke}"),
                ),
                None => (ExitCode::Threshold, "the goals are never kept".to_owned()),
            },
            Outcome::Undecided => (
                ExitCode::Undetermined,
                "the trials contradict each other: no rate could be confirmed".to_owned(),
            ),
        };
        Some(Cause::new(code, text))
    }

    /// The lines of the text report, a label and a value each.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut line = |label: &str, text: String| lines.push((label.to_owned(), text));
        for trial in &self.trials {
            let how = match (&trial.broke, &trial.invalid) {
                (_, Some(why)) => format!("invalid, {why}"),
                (Some(broke), None) => format!("bad, {broke}"),
                (None, None) => "good".to_owned(),
            };
            let text = format!(
                "{:.1}/s: {how} ({}; p90 {} us, p99 {} us)",
                trial.per_s, trial.measured, trial.latency_us.p90, trial.latency_us.p99
            );
            line("trial", text);
        }
        line("goals", self.goals.join(", "));
        for basis in &self.basis {
            line("", basis.clone());
        }
        line("capacity", self.sentence());
        for Supported { cadence, devices } in &self.supports {
            line("", format!("supports {} at {cadence}", people(*devices)));
        }
        lines
    }

    fn sentence(&self) -> String {
        let broke = self
            .broke
            .as_ref()
            .map_or_else(String::new, |broke| format!(" ({broke})"));
        let upper = self.upper_per_s.unwrap_or_default();
        if let (Outcome::Between, Some(lower), Some(Broke::Generator(how))) =
            (self.outcome, self.lower_per_s, &self.broke)
        {
            return format!(
                "at least {lower:.1} check-ins per second; at {upper:.1} this machine was the limit: {how}"
            );
        }
        match (self.outcome, self.lower_per_s) {
            (Outcome::Between, Some(lower)) => {
                format!("{lower:.1} check-ins per second are kept, {upper:.1} are not{broke}")
            }
            (Outcome::AtLeast, Some(lower)) => {
                format!("at least {lower:.1} check-ins per second, the highest rate tried")
            }
            (Outcome::NeverGood, _) => {
                format!("none found: not even {upper:.1} check-ins per second are kept{broke}")
            }
            (Outcome::Undecided, _) => "none found: the trials contradict each other".to_owned(),
            (Outcome::Void | Outcome::Between | Outcome::AtLeast, _) => {
                "void: the verdict of the same run is no pass".to_owned()
            }
        }
    }
}

/// A number of devices as people say it.
fn people(devices: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", devices / unit, devices % unit / (unit / 10));
    match devices {
        0..10_000 => format!("{devices} devices"),
        10_000..1_000_000 => format!("{} thousand devices", tenths(1_000)),
        _ => format!("{} million devices", tenths(1_000_000)),
    }
}

/// The whole part of a number of devices, without a cast.
fn whole(devices: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(devices).map_or(u64::MAX, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Rate;

    fn of(found: &Found) -> Capacity {
        let mut capacity = Capacity::default();
        capacity.take(found);
        capacity
    }

    fn broke() -> Broke {
        Broke::Latency("p90 missed".to_owned())
    }

    #[test]
    fn a_rate_is_told_as_the_fleet_that_it_supports() {
        let capacity = of(&Found::Between {
            lower: Rate::per_million_s(66_000_000),
            upper: Rate::per_million_s(70_000_000),
            broke: broke(),
        });
        let lines: Vec<String> = capacity.lines().into_iter().map(|(_, text)| text).collect();
        assert!(
            lines.contains(&"supports 1.9 million devices at 8 h".to_owned()),
            "{lines:?}"
        );
        assert!(lines.contains(&"supports 59.4 thousand devices at 15 min".to_owned()));
        assert!(
            lines.contains(&"supports 3960 devices at 1 min".to_owned()),
            "{lines:?}"
        );
        assert!(capacity.cause().is_none());
    }

    #[test]
    fn an_end_without_a_rate_says_so_and_is_no_zero() {
        for (found, code) in [
            (
                Found::NeverGood {
                    tried: Rate::per_1000_s(1_000),
                    broke: broke(),
                },
                6,
            ),
            (
                Found::NeverGood {
                    tried: Rate::per_1000_s(1_000),
                    broke: Broke::Generator("late".to_owned()),
                },
                7,
            ),
            (Found::Undecided { trials: 80 }, 2),
        ] {
            let capacity = of(&found);
            assert_eq!(capacity.lower_per_s, None);
            assert_eq!(capacity.cause().unwrap().code.number(), code, "{found:?}");
            assert!(capacity.sentence().starts_with("none found"));
        }
        let by_generator = of(&Found::Between {
            lower: Rate::per_1000_s(5_000),
            upper: Rate::per_1000_s(6_000),
            broke: Broke::Generator("late".to_owned()),
        });
        assert!(by_generator.sentence().starts_with("at least 5.0"));
        let mut void = of(&Found::AtLeast(Rate::per_1000_s(5_000)));
        void.make_void();
        assert_eq!((void.lower_per_s, void.supports.len()), (None, 0));
        assert!(void.sentence().starts_with("void"));
    }
}
