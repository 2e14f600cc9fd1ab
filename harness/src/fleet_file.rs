//! Fleet files: named loads, each choice with its source. The shipped ones are part of the
//! program; others are read from a path.
//!
//! Unknown keys are refused, and so is a choice without a source: a load whose numbers come from
//! nowhere says nothing of a server.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::error::Error;
use crate::fleet::mix::{Mix, PPM_ONE};
use crate::load::{LoadOptions, OperationsMix};
use crate::quantity::{scaled, time_ns};
use crate::run::Poll;
use crate::schedule::spec::{PhaseSpec, RateSpec};
use crate::threshold::Threshold;

/// The only form of fleet files.
const SCHEMA: &str = "muster.fleet/1";
/// Most devices of a fleet.
const DEVICES_MAX: u32 = 1_000_000;
/// Most that time may be compressed.
const COMPRESSION_MAX: u32 = 10_000;

/// The shipped fleets: name and text.
const SHIPPED: [(&str, &str); 8] = [
    (
        "steady-8h",
        include_str!("../../fixtures/fleets/steady-8h.toml"),
    ),
    (
        "poll-1m",
        include_str!("../../fixtures/fleets/poll-1m.toml"),
    ),
    (
        "post-enrolment",
        include_str!("../../fixtures/fleets/post-enrolment.toml"),
    ),
    (
        "enrolment-storm",
        include_str!("../../fixtures/fleets/enrolment-storm.toml"),
    ),
    (
        "policy-push-storm",
        include_str!("../../fixtures/fleets/policy-push-storm.toml"),
    ),
    (
        "monday-morning",
        include_str!("../../fixtures/fleets/monday-morning.toml"),
    ),
    (
        "expiry-cohort",
        include_str!("../../fixtures/fleets/expiry-cohort.toml"),
    ),
    (
        "outage-recovery",
        include_str!("../../fixtures/fleets/outage-recovery.toml"),
    ),
];

/// A load that was read.
#[derive(Clone, Debug)]
pub struct FleetFile {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub about: String,
    /// The load.
    pub load: LoadOptions,
    /// The thresholds.
    pub thresholds: Vec<Threshold>,
    /// What its cadences mean where the target's poll table has others.
    pub poll: Poll,
}

/// A choice and where it comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sourced<T> {
    value: T,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    name: String,
    about: String,
    devices: Sourced<u32>,
    offline: Sourced<String>,
    mix: Sourced<String>,
    compression: Option<Sourced<u32>>,
    poll: Option<Sourced<PollWord>>,
    warm_up: Option<Sourced<String>>,
    enrolment: Option<Sourced<String>>,
    phases: Vec<Sourced<String>>,
    #[serde(default)]
    operations: BTreeMap<String, Sourced<String>>,
    #[serde(default)]
    thresholds: Vec<Sourced<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PollWord {
    Obey,
    Ignore,
}

/// The names of the shipped fleets.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The shipped fleet of this name, or the one in the file at this path.
///
/// # Errors
/// [`Error::SetUp`] that names the file and what is wrong with it.
pub fn find(name: &str, seed: u64) -> Result<FleetFile, Error> {
    if let Some((_, text)) = SHIPPED.iter().find(|(known, _)| *known == name) {
        return parse(name, text, seed);
    }
    let path = Path::new(name);
    if !path.exists() {
        let known: Vec<&str> = names().collect();
        return Err(Error::SetUp(format!(
            "`{name}` is neither a file nor a shipped fleet: {}",
            known.join(", ")
        )));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|cause| Error::SetUp(format!("cannot read `{name}`: {cause}")))?;
    parse(name, &text, seed)
}

/// Reads the text of a fleet file.
///
/// # Errors
/// [`Error::SetUp`] that names the file and what is wrong with it.
pub fn parse(named: &str, text: &str, seed: u64) -> Result<FleetFile, Error> {
    let complain = |complaint: String| Error::SetUp(format!("fleet file `{named}`: {complaint}"));
    let file: File = toml::from_str(text).map_err(|error| complain(error.to_string()))?;
    file.check_sources().map_err(complain)?;
    file.take(seed).map_err(complain)
}

impl File {
    fn check_sources(&self) -> Result<(), String> {
        let some = |name: &str, source: &str| (name.to_owned(), source.trim().is_empty());
        let mut sources = vec![
            some("devices", &self.devices.source),
            some("offline", &self.offline.source),
            some("mix", &self.mix.source),
        ];
        sources.extend(
            self.compression
                .iter()
                .map(|one| some("compression", &one.source)),
        );
        sources.extend(self.poll.iter().map(|one| some("poll", &one.source)));
        sources.extend(self.warm_up.iter().map(|one| some("warm_up", &one.source)));
        sources.extend(
            self.enrolment
                .iter()
                .map(|one| some("enrolment", &one.source)),
        );
        sources.extend(self.phases.iter().map(|one| some(&one.value, &one.source)));
        sources.extend(
            self.thresholds
                .iter()
                .map(|one| some(&one.value, &one.source)),
        );
        let operations = self.operations.iter();
        sources.extend(operations.map(|(name, one)| some(name, &one.source)));
        match sources.into_iter().find(|(_, missing)| *missing) {
            Some((name, _)) => Err(format!("`{name}` has no source")),
            None => Ok(()),
        }
    }

    fn take(self, seed: u64) -> Result<FleetFile, String> {
        if self.schema != SCHEMA {
            return Err(format!("unknown schema `{}`", self.schema));
        }
        let (devices, compression) = (self.devices.value, self.compression.map_or(1, |c| c.value));
        if !(1..=DEVICES_MAX).contains(&devices) {
            return Err(format!("`{devices}` devices are not 1 to {DEVICES_MAX}"));
        }
        if !(1..=COMPRESSION_MAX).contains(&compression) {
            return Err(format!(
                "a compression is 1 to {COMPRESSION_MAX}, not `{compression}`"
            ));
        }
        if self.phases.is_empty() {
            return Err("no phase".to_owned());
        }
        let phases = self
            .phases
            .iter()
            .map(|phase| PhaseSpec::parse(&phase.value));
        let mut operations = OperationsMix::default();
        for (name, rate) in &self.operations {
            operations.set(name, RateSpec::parse(&rate.value)?)?;
        }
        let enrolment = self.enrolment.map(|phase| PhaseSpec::parse(&phase.value));
        let thresholds = self.thresholds.iter().map(|one| one.value.parse());
        let poll = self.poll.map_or(Poll::Obey, |poll| match poll.value {
            PollWord::Obey => Poll::Obey,
            PollWord::Ignore => Poll::Ignore,
        });
        let load = LoadOptions {
            offline_ppm: fraction(&self.offline.value)?,
            mix: self.mix.value.parse::<Mix>()?,
            phases: phases.collect::<Result<_, _>>()?,
            enrolment: enrolment.transpose()?,
            warm_up: self
                .warm_up
                .map_or(Ok(Duration::ZERO), |time| duration(&time.value))?,
            compression,
            operations,
            ..LoadOptions::even(devices, seed)
        };
        Ok(FleetFile {
            name: self.name,
            about: self.about,
            load,
            thresholds: thresholds.collect::<Result<_, _>>()?,
            poll,
        })
    }
}

fn fraction(text: &str) -> Result<u32, String> {
    scaled(text, 6)
        .and_then(|ppm| u32::try_from(ppm).ok())
        .filter(|ppm| *ppm <= PPM_ONE)
        .ok_or_else(|| format!("`{text}` is not a fraction from 0 to 1"))
}

fn duration(text: &str) -> Result<Duration, String> {
    time_ns(text)
        .map(Duration::from_nanos)
        .ok_or_else(|| format!("`{text}` is no time such as 10s"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::LoadPlan;

    #[test]
    fn every_shipped_fleet_reads_and_can_be_planned() {
        for name in names() {
            let file = find(name, 1).unwrap();
            assert_eq!(file.name, name);
            assert!(!file.thresholds.is_empty(), "{name}");
            let plan = LoadPlan::new(LoadOptions {
                devices: 100,
                ..file.load
            })
            .unwrap();
            assert!(plan.rate().events() > 0, "{name}");
            let minutes = plan.measured_ns() / 60_000_000_000;
            assert!(minutes <= 2, "{name} takes {minutes} minutes");
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/fleets");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), SHIPPED.len());
    }

    #[test]
    fn a_million_devices_at_eight_hours_check_in_thirty_five_times_a_second() {
        let file = find("steady-8h", 1).unwrap();
        // F-165: 34.7 a second, here 480 times as fast.
        let phase = file.load.phases[0].of_fleet(1_000_000).compressed(480);
        let rate = phase.shape.first_rate().per_s() / 480.0;
        assert!((rate - 34.72).abs() < 0.01, "{rate}");
    }

    #[test]
    fn a_complaint_names_the_file_and_the_part() {
        let (_, good) = SHIPPED[0];
        for (from, to, named) in [
            ("name =", "nome =", "nome"),
            (
                "muster.fleet/1",
                "muster.fleet/9",
                "unknown schema `muster.fleet/9`",
            ),
            ("constant:@8h,8h", "constant:@8h", "no `,time`"),
            ("value = 20000", "value = 0", "`0` devices"),
            ("value = 480", "value = 0", "not `0`"),
            (
                "value = \"0.3\"",
                "value = \"1.3\"",
                "`1.3` is not a fraction",
            ),
            (
                "operations.audit_read",
                "operations.audit",
                "`audit` is no operation",
            ),
            (
                "check_in.latency.max<10s",
                "latency.max<10s",
                "`latency` is no operation",
            ),
            ("entra=50", "entra=49", "100"),
            (
                "source = \"own choice: 8 hours in a minute\"",
                "source = \" \"",
                "`compression` has no source",
            ),
        ] {
            assert!(good.contains(from), "{from}");
            let text = good.replace(from, to);
            let complaint = parse("x.toml", &text, 1).unwrap_err().to_string();
            assert!(complaint.contains("fleet file `x.toml`"), "{complaint}");
            assert!(complaint.contains(named), "{from}: {complaint}");
        }
        let complaint = find("no-such-fleet", 1).unwrap_err().to_string();
        assert!(complaint.contains("steady-8h, poll-1m"), "{complaint}");
    }
}
