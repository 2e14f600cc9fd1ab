//! The harness against the built-in core: `muster load` as a user starts it, and its report.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// Rotations beside the check-ins: as few as make a load, so that check-ins are what is measured.
const ROTATE: &str = "rotate=1/s";

/// A load that is offered.
pub(crate) struct Offer {
    pub(crate) devices: u32,
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) verified: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    /// Check-ins completed a second.
    pub(crate) per_s: f64,
    /// Processor time of the harness a completed check-in, in microseconds.
    pub(crate) harness_us: f64,
    /// The 99 % of the start delay, in microseconds.
    pub(crate) start_delay_us: f64,
    /// Resident memory of the harness once the fleet was enrolled, in bytes.
    pub(crate) harness_bytes: f64,
    /// That of the core.
    pub(crate) core_bytes: f64,
    /// Seconds from the first device that was registered to the last that was enrolled.
    pub(crate) set_up_s: f64,
}

/// Offers the load and reads the report. A load that is more than the machine carries is no
/// failure here; a wrong answer, or one that was not verified, is.
pub(crate) fn offer(muster: &str, offer: &Offer, folder: &Path) -> Came {
    let folder = folder.join("load");
    let mut command = Command::new(muster);
    command
        .arg("load")
        .args(["--devices", &offer.devices.to_string()])
        .args(["--rate", &offer.rate.to_string()])
        .args(["--duration", &format!("{}s", offer.seconds)])
        .args(["--operation", ROTATE])
        .arg("--report")
        .arg(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !offer.verified {
        command.arg("--no-verify");
    }
    let status = command.status().unwrap();
    let bytes = std::fs::read(folder.join("report.json"))
        .unwrap_or_else(|error| panic!("{command:?} ended with {status} and no report: {error}"));
    let report: Json = serde_json::from_slice(&bytes).unwrap();
    let load = &report["load"];
    let number = |value: &Json, name: &str| -> f64 {
        value[name]
            .as_f64()
            .unwrap_or_else(|| panic!("no `{name}` in {value}"))
    };
    let failed = load["failed"].as_u64();
    assert_eq!(failed, Some(0), "failed check-ins: {load}");
    if offer.verified {
        let (verified, all) = (&load["verified_responses"], &load["responses"]);
        assert_eq!(verified, all, "not every answer was verified: {load}");
    }
    let completed = number(load, "completed");
    Came {
        per_s: number(load, "check_ins_per_s"),
        harness_us: number(load, "harness_cpu_s") * 1e6 / completed,
        start_delay_us: number(&report["run"]["counts"], "start_delay_us_p99"),
        harness_bytes: number(&load["set_up"], "harness_rss_bytes"),
        core_bytes: number(&load["set_up"], "core_rss_bytes"),
        set_up_s: number(&load["set_up"], "duration_s"),
    }
}
