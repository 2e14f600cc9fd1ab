//! What the user asks of a load.

use std::time::Duration;

use crate::fleet::Verification;
use crate::fleet::mix::Mix;
use crate::load::operations::OperationsMix;
use crate::quantity::spoken_ns;
use crate::schedule::spec::PhaseSpec;

/// What the user asks of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Devices in the load fleet.
    pub devices: u32,
    /// The share that goes offline before the measured phase, in millionths.
    pub offline_ppm: u32,
    /// The join states.
    pub mix: Mix,
    /// Length of the measured phase; not looked at where `phases` are given.
    pub duration: Duration,
    /// Check-ins in a thousand seconds; `None` for one check-in of every online device in 2 s. Not
    /// looked at where `phases` are given.
    pub per_1000_s: Option<u64>,
    /// The measured phase in other shapes than an even rate; empty for that.
    pub phases: Vec<PhaseSpec>,
    /// How much of the phases is played, in their own time; `None` for all. Set by
    /// [`Self::play_first`].
    pub first: Option<Duration>,
    /// When devices enrol; `None` for as soon as possible. Every device enrols, so only the times
    /// of its events count.
    pub enrolment: Option<PhaseSpec>,
    /// How long the load goes on before the measured phase, at the rate with which that begins.
    pub warm_up: Duration,
    /// How much faster than the phases say time runs.
    pub compression: u32,
    /// What administrators do meanwhile.
    pub operations: OperationsMix,
    /// Whether answers are held against the model in the measured phase.
    pub verification: Verification,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// Tells the devices of several runs against one target apart; 0 for a target of our own. It
    /// changes ids and names and neither digest.
    pub salt: u64,
    /// Shards; `None` for one a core, at least 2 and at most 4.
    pub shards: Option<usize>,
    /// Keys that the fleet shares; `None` for a key a device up to [`OWN_KEYS_MAX`] devices.
    pub key_pool: Option<u32>,
    /// Most requests of the fleet that are out at a time, each with a connection of its own. More
    /// wait in the harness, and that counts as the target's time: it decides how long they take.
    pub connections: u32,
    /// Most sessions of the fleet under way at a time; a check-in that is due beyond them is not
    /// started. `None` for [`IN_FLIGHT`], or as many as a storm starts.
    pub in_flight: Option<u32>,
}

/// Connections of a fleet unless the user wants otherwise: a target that takes 100 ms for a check-in
/// can do 2,560 a second by them.
pub const CONNECTIONS: u32 = 256;
/// Sessions of a fleet under way unless the user wants otherwise, or its schedule has a storm.
const IN_FLIGHT: u32 = 2_048;

/// Devices of a fleet in which each has a key of its own unless the user wants otherwise.
pub const OWN_KEYS_MAX: u32 = 50_000;
/// Keys of a larger fleet.
const POOLED_KEYS: u32 = 1_024;

impl LoadOptions {
    /// Keys that the fleet shares; 0 for a key a device.
    #[must_use]
    pub fn keys(&self) -> u32 {
        let small = self.devices <= OWN_KEYS_MAX;
        self.key_pool.unwrap_or(if small { 0 } else { POOLED_KEYS })
    }

    /// Most sessions under way at a time.
    #[must_use]
    pub fn in_flight_max(&self) -> u32 {
        let devices = u64::from(self.devices);
        let storms = self.phases.iter().map(|phase| phase.at_once(devices));
        let largest = storms.max().unwrap_or(0).min(devices);
        let largest = u32::try_from(largest).unwrap_or(u32::MAX);
        self.in_flight.unwrap_or_else(|| largest.max(IN_FLIGHT))
    }

    /// Plays the first part of the phases alone; `first` is their own time, before any compression.
    ///
    /// # Errors
    /// A sentence: there are no phases, or they are shorter than that.
    pub fn play_first(&mut self, first: Duration) -> Result<(), String> {
        let (first_ns, whole_ns) = (nanos(first), self.phases_ns());
        if self.phases.is_empty() {
            return Err(
                "there is no schedule to cut: an even load is as long as --duration says"
                    .to_owned(),
            );
        }
        if first_ns > whole_ns {
            return Err(format!(
                "`{}` is longer than the schedule, which ends after {}",
                spoken_ns(first_ns),
                spoken_ns(whole_ns)
            ));
        }
        self.first = Some(first);
        Ok(())
    }

    /// How long all phases are together, in their own time.
    #[must_use]
    pub fn phases_ns(&self) -> u64 {
        let phases = self.phases.iter().map(PhaseSpec::duration_ns);
        phases.fold(0, u64::saturating_add)
    }

    /// The phases that are played; the last one perhaps not to its end.
    pub fn played(&self) -> impl Iterator<Item = &PhaseSpec> {
        let end_ns = self.first.map_or(u64::MAX, nanos);
        let begins = self.phases.iter().scan(0_u64, |at_ns, phase| {
            let begin_ns = *at_ns;
            *at_ns = at_ns.saturating_add(phase.duration_ns());
            Some((begin_ns, phase))
        });
        begins
            .take_while(move |(begin_ns, _)| *begin_ns < end_ns)
            .map(|(_, phase)| phase)
    }

    /// An even load of so many devices without warm-up, in real time.
    #[must_use]
    pub fn even(devices: u32, seed: u64) -> Self {
        Self {
            devices,
            offline_ppm: 300_000,
            mix: Mix::DEFAULT,
            duration: Duration::from_secs(10),
            per_1000_s: None,
            phases: Vec::new(),
            first: None,
            enrolment: None,
            warm_up: Duration::ZERO,
            compression: 1,
            operations: OperationsMix::default(),
            verification: Verification::On,
            seed,
            salt: 0,
            shards: None,
            key_pool: None,
            connections: CONNECTIONS,
            in_flight: None,
        }
    }
}

/// A duration in nanoseconds.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
