//! What this machine allows a load to be: descriptors, ports, processors, the clock, and the
//! largest load that it can offer honestly.

use std::fs;

use crate::clock::Clock;
use crate::run::processors;
use crate::usage;

/// Processor time of a verified check-in without work in a release build, in microseconds, with
/// room: the budget that the generator is held to.
const CHECK_IN_US: f64 = 15.0;
/// The share of the processors beyond which a measurement is invalid, in percent.
const CPU_PERCENT: f64 = 85.0;
/// Readings of the clock.
const READINGS: u32 = 10_000;

/// The machine's limits; `None` where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// File descriptors of this process.
    pub descriptors: Option<u64>,
    /// Local ports for connections to one address.
    pub ports: Option<u64>,
    /// Processors that this process may use.
    pub processors: f64,
    /// Memory that is free, in bytes.
    pub memory_bytes: Option<u64>,
    /// The smallest step of the clock seen, in nanoseconds.
    pub clock_step_ns: u64,
}

/// Looks at the machine.
#[must_use]
pub fn examine() -> Limits {
    let read = |path: &str| fs::read_to_string(path).ok();
    Limits {
        descriptors: usage::descriptor_limit(),
        ports: usage::local_ports(),
        processors: processors(),
        memory_bytes: read("/proc/meminfo").and_then(|text| memory(&text)),
        clock_step_ns: clock_step_ns(),
    }
}

impl Limits {
    /// Check-ins a second beyond which the harness alone would use more of its processors than a
    /// valid measurement may.
    #[must_use]
    pub fn check_ins_per_s(&self) -> f64 {
        self.processors * CPU_PERCENT / 100.0 * 1e6 / CHECK_IN_US
    }

    /// The limits and what follows from them, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let told =
            |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), |v| v.to_string());
        let memory = self.memory_bytes.map_or_else(
            || "unknown".to_owned(),
            |bytes| format!("{} MiB", bytes >> 20),
        );
        let shared = self.check_ins_per_s() / 2.0;
        vec![
            format!("file descriptors  {}", told(self.descriptors)),
            format!("local ports       {}", told(self.ports)),
            format!("processors        {:.0}", self.processors),
            format!("memory available  {memory}"),
            format!("clock step        {} ns", self.clock_step_ns),
            format!(
                "largest load      about {:.0} check-ins per second by processor time ({CHECK_IN_US} us each, release build, {CPU_PERCENT} % of the processors)",
                self.check_ins_per_s()
            ),
            format!("with the core     about {shared:.0}, half of that, when the target runs on this machine"),
            "An estimate of the generator, and no statement on a target: a load that is too large ends with exit code 7.".to_owned(),
        ]
    }
}

fn memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn clock_step_ns() -> u64 {
    let clock = Clock::start();
    let mut last = clock.monotonic_ns();
    let mut step = u64::MAX;
    for _ in 0..READINGS {
        let now = clock.monotonic_ns();
        if now > last {
            step = step.min(now - last);
        }
        last = now;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_read_from_the_systems_own_file() {
        assert_eq!(
            memory("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"),
            Some(2_097_152)
        );
        assert_eq!(memory("nothing"), None);
    }

    #[test]
    fn the_largest_load_follows_from_the_processors() {
        let machine = Limits {
            processors: 2.0,
            ..Limits::default()
        };
        // 2 processors, 85 %, 15 us each.
        assert!((machine.check_ins_per_s() - 113_333.3).abs() < 1.0);
        assert_eq!(machine.lines().len(), 8);
        assert!(examine().clock_step_ns < 1_000_000_000);
    }
}
