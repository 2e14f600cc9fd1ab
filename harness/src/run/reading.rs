//! What harness and core have used, read at the turning points of a run.

use std::time::Duration;

use super::{Ground, Origin};
use crate::usage::{self, Descriptors, Usage};

/// What both had used at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    pub(super) harness: Option<Usage>,
    /// An external target is none of our processes.
    pub(super) core: Option<Usage>,
    /// When, on the run's clock, which starts with the run.
    pub(super) at_ns: u64,
}

/// The readings of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoadUsage {
    /// When the last device had enrolled.
    pub(super) enrolled: Reading,
    /// Around the load.
    pub(super) before: Reading,
    pub(super) after: Reading,
    /// Descriptors of the harness during the load.
    pub(super) descriptors: Option<Descriptors>,
}

impl Ground {
    pub(super) fn read_usage(&self) -> Reading {
        Reading {
            harness: usage::of_self(),
            core: match self.options.origin {
                Origin::BuiltIn { pid, .. } => usage::of_process(pid),
                Origin::External => None,
            },
            at_ns: self.clock.monotonic_ns(),
        }
    }
}

impl LoadUsage {
    /// How long the load was.
    pub(super) fn seconds(&self) -> f64 {
        let ns = self.after.at_ns.saturating_sub(self.before.at_ns);
        Duration::from_nanos(ns).as_secs_f64()
    }

    /// Processor time of the harness in it.
    pub(super) fn harness_cpu_s(&self) -> Option<f64> {
        Some(self.after.harness?.cpu_s - self.before.harness?.cpu_s)
    }

    /// Processor time of the core in it.
    pub(super) fn core_cpu_s(&self) -> Option<f64> {
        Some(self.after.core?.cpu_s - self.before.core?.cpu_s)
    }
}
