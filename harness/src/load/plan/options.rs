//! What the user asks of a load.

use std::time::Duration;

use crate::fleet::Verification;
use crate::fleet::mix::Mix;
use crate::load::operations::OperationsMix;
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
}

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
            enrolment: None,
            warm_up: Duration::ZERO,
            compression: 1,
            operations: OperationsMix::default(),
            verification: Verification::On,
            seed,
            salt: 0,
            shards: None,
            key_pool: None,
        }
    }
}
