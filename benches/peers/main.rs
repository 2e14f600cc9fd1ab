//! The core beside a server with a fixed reply, and the harness beside clients that neither parse nor
//! verify: all of it in one run on one machine, as ratios of medians.
//!
//! `cargo bench --bench peers`, and after `--`: `--rounds N` (5), `--resident N` devices of the large
//! fleet (1,000,000), `--test` for a run of some seconds that measures nothing and shows that it works.
//! wrk is needed; oha and h2load are measured where they are installed. Nothing is installed.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measurement prints, counts in floating point, and ends where it cannot go on"
)]

mod fixed;
mod ours;
mod prepare;
mod process;
mod table;
mod walk;

use std::path::{Path, PathBuf};

use fixed::Fixed;
use ours::{Came, Offer, offer};
use prepare::Fleet;
use table::{Better, Figure, median};
use walk::{Still, THREADS, TOOLS, Walked, walk};

/// The executable that is measured, built with this bench.
const MUSTER: &str = env!("CARGO_BIN_EXE_muster");

/// How much is measured.
struct Size {
    rounds: u32,
    /// Devices whose check-ins are prepared, and of the small fleet.
    devices: u32,
    /// Prepared requests of a round.
    requests: usize,
    /// Devices of the large fleet.
    resident: u32,
    /// How long a load and a client go on.
    seconds: u64,
}

const WHOLE: Size = Size {
    rounds: 5,
    devices: 10_000,
    requests: 100_000,
    resident: 1_000_000,
    seconds: 5,
};

const TEST: Size = Size {
    rounds: 1,
    devices: 200,
    requests: 2_000,
    resident: 1_000,
    seconds: 1,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| -> Option<u32> {
        let at = arguments.iter().position(|argument| argument == name)?;
        let value = arguments.get(at + 1).and_then(|value| value.parse().ok());
        Some(value.unwrap_or_else(|| panic!("{name} needs a number")))
    };
    if let Some(bytes) = after(fixed::ARGUMENT) {
        return fixed::serve(bytes as usize).unwrap();
    }
    if !process::is_there("wrk") {
        eprintln!("wrk is not installed: nothing was measured");
        return;
    }
    let test = arguments.iter().any(|argument| argument == "--test");
    let base = if test { TEST } else { WHOLE };
    let size = Size {
        rounds: after("--rounds").unwrap_or(base.rounds),
        resident: after("--resident").unwrap_or(base.resident),
        ..base
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("peers");
    std::fs::create_dir_all(&folder).unwrap();
    println!("{}", measure(&size, &folder));
    std::fs::remove_dir_all(&folder).unwrap();
}

fn measure(size: &Size, folder: &Path) -> String {
    let servers = Servers::measure(size, folder);
    let harness = Harness::measure(size, folder, servers.answer_bytes);
    let resident = Resident::measure(size, folder, harness.rate());
    let mut figures = vec![servers.figure()];
    figures.extend(harness.figures());
    figures.extend(resident.figures(servers.certificate_bytes));
    format!(
        "{}; medians of {} alternating rounds.\n\n{}\n{}\n{}",
        table::machine(),
        size.rounds,
        table::figures(&figures),
        servers.table(),
        harness.table()
    )
}

fn said(text: &str) {
    eprintln!("{text}");
}

/// The core and the fixed reply under the same prepared requests.
struct Servers {
    core: Vec<Walked>,
    fixed: Vec<Walked>,
    answer_bytes: usize,
    certificate_bytes: usize,
}

impl Servers {
    fn measure(size: &Size, folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        said("enrolling devices whose check-ins wrk will send");
        let mut fleet = runtime.block_on(Fleet::enrol(MUSTER, size.devices));
        let fixed = Fixed::start(fleet.answer_bytes);
        let mut servers = Self {
            core: Vec::new(),
            fixed: Vec::new(),
            answer_bytes: fleet.answer_bytes,
            certificate_bytes: fleet.certificate_bytes,
        };
        for round in 0..size.rounds {
            said(&format!("prepared check-ins, round {}", round + 1));
            fleet.write(folder, (size.requests, THREADS));
            let before = runtime.block_on(fleet.check_ins());
            let core = walk(fleet.url(), &fleet.core, folder);
            let answered = runtime.block_on(fleet.check_ins()) - before;
            assert_eq!(
                answered, core.requests,
                "check-ins that the core answered, and requests that wrk sent"
            );
            servers.core.push(core);
            servers.fixed.push(walk(&fixed.url, &fixed.process, folder));
        }
        servers
    }

    fn figure(&self) -> Figure {
        let per_s = |walked: &[Walked]| median(walked.iter().map(|it| it.per_s));
        let server_us = |walked: &[Walked]| median(walked.iter().map(|it| it.server_us));
        let (core, fixed) = (per_s(&self.core), per_s(&self.fixed));
        let (core_us, fixed_us) = (server_us(&self.core), server_us(&self.fixed));
        Figure {
            what: "core: no-op check-ins/s under wrk / requests/s of a fixed reply".to_owned(),
            value: core / fixed,
            bound: 0.45,
            aim: 0.6,
            better: Better::Higher,
            unit: "",
            from: format!(
                "{core:.0} / {fixed:.0}; server time {core_us:.1} / {fixed_us:.1} us; each request a new session, counted by the core"
            ),
        }
    }

    fn table(&self) -> String {
        let row = |name: &str, walked: &[Walked]| {
            let server_us = median(walked.iter().map(|it| it.server_us));
            let per_s = median(walked.iter().map(|it| it.per_s));
            (name.to_owned(), server_us, per_s)
        };
        table::pairs(
            [
                "server under prepared check-ins",
                "server us/request",
                "requests/s",
            ],
            &[
                row("hyper, fixed reply", &self.fixed),
                row("muster serve", &self.core),
            ],
        )
    }
}

/// The harness flat out, at half of that, and without verification.
struct Harness {
    /// Each tool against the fixed reply.
    tools: Vec<(&'static str, Vec<Walked>)>,
    flat_out: Vec<Came>,
    half: Vec<Came>,
    verified: Vec<Came>,
    unverified: Vec<Came>,
}

impl Harness {
    fn measure(size: &Size, folder: &Path, answer_bytes: usize) -> Self {
        let offered = |rate: f64, verified: bool| {
            let offered = Offer {
                devices: size.devices,
                rate: rate as u64,
                seconds: size.seconds,
                verified,
            };
            offer(MUSTER, &offered, folder)
        };
        said("how much the machine carries");
        let most = offered(if size.rounds > 1 { 100_000.0 } else { 500.0 }, true).per_s;
        let body = folder.join("body");
        std::fs::write(&body, vec![b'x'; BODY_BYTES]).unwrap();
        let mut harness = Self {
            tools: TOOLS.map(|tool| (tool, Vec::new())).into(),
            flat_out: Vec::new(),
            half: Vec::new(),
            verified: Vec::new(),
            unverified: Vec::new(),
        };
        for round in 0..size.rounds {
            said(&format!("clients and loads, round {}", round + 1));
            harness.run_tools(&Fixed::start(answer_bytes), size, &body);
            harness.flat_out.push(offered(most * BEYOND, true));
            harness.half.push(offered(most / 2.0, true));
            harness.verified.push(offered(most * STEADY, true));
            harness.unverified.push(offered(most * STEADY, false));
        }
        harness
    }

    fn run_tools(&mut self, fixed: &Fixed, size: &Size, body: &Path) {
        let still = Still {
            url: &fixed.url,
            body,
            certificate: &format!(":{}:", "A".repeat(CERTIFICATE_CHARACTERS)),
            requests: size.requests as u64 * 3,
            seconds: size.seconds,
        };
        for (tool, walked) in &mut self.tools {
            walked.extend(walk::run(tool, &fixed.process, &still));
        }
    }

    /// A rate that the machine carries with ease.
    fn rate(&self) -> f64 {
        median(self.flat_out.iter().map(|it| it.per_s)) * STEADY
    }

    fn figures(&self) -> Vec<Figure> {
        let of = |came: &[Came], what: fn(&Came) -> f64| median(came.iter().map(what));
        let wrk_us = median(self.tools[0].1.iter().map(|it| it.client_us));
        let wrk_per_s = median(self.tools[0].1.iter().map(|it| it.per_s));
        let ours_us = of(&self.flat_out, |it| it.harness_us);
        let per_s = of(&self.flat_out, |it| it.per_s);
        let (verified, unverified) = (
            of(&self.verified, |it| it.harness_us),
            of(&self.unverified, |it| it.harness_us),
        );
        vec![
            Figure {
                what: "harness: processor time a verified no-op check-in / wrk's a request"
                    .to_owned(),
                value: ours_us / wrk_us,
                bound: 2.5,
                aim: 1.9,
                better: Better::Lower,
                unit: "",
                from: format!("{ours_us:.1} us / {wrk_us:.1} us, both flat out"),
            },
            Figure {
                what: "end to end, all verified: check-ins/s / wrk's requests/s of a fixed reply"
                    .to_owned(),
                value: per_s / wrk_per_s,
                bound: 0.25,
                aim: 0.4,
                better: Better::Higher,
                unit: "",
                from: format!("{per_s:.0} / {wrk_per_s:.0}"),
            },
            Figure {
                what: "start delay p99 at half the capacity".to_owned(),
                value: of(&self.half, |it| it.start_delay_us) / 1e3,
                bound: 1.0,
                aim: 0.3,
                better: Better::Lower,
                unit: " ms",
                from: format!("at {:.0} check-ins/s", of(&self.half, |it| it.per_s)),
            },
            Figure {
                what: "verification's share of the harness's processor time".to_owned(),
                value: (verified - unverified) / verified * 100.0,
                bound: 5.0,
                aim: 3.0,
                better: Better::Lower,
                unit: " %",
                from: format!("{verified:.1} us with it, {unverified:.1} us without"),
            },
        ]
    }

    fn table(&self) -> String {
        let mut rows: Vec<(String, f64, f64)> = Vec::new();
        for (tool, walked) in self.tools.iter().filter(|(_, walked)| !walked.is_empty()) {
            let us = median(walked.iter().map(|it| it.client_us));
            rows.push((
                format!("{tool}, fixed reply"),
                us,
                median(walked.iter().map(|it| it.per_s)),
            ));
        }
        for (name, came) in [
            ("muster load, built-in core, flat out", &self.flat_out),
            ("muster load, at half of that", &self.half),
        ] {
            let us = median(came.iter().map(|it| it.harness_us));
            rows.push((name.to_owned(), us, median(came.iter().map(|it| it.per_s))));
        }
        table::pairs(["client", "client us/request", "requests/s"], &rows)
    }
}

/// How much more than the machine carries is offered flat out.
const BEYOND: f64 = 1.2;
/// The share of what the machine carries at which costs are compared.
const STEADY: f64 = 0.6;
/// A first message of a check-in, and a certificate in base64, are about this long.
const BODY_BYTES: usize = 1_500;
const CERTIFICATE_CHARACTERS: usize = 480;

/// A large fleet beside a small one.
struct Resident {
    small: Came,
    large: Came,
    devices: (u32, u32),
}

impl Resident {
    fn measure(size: &Size, folder: &Path, rate: f64) -> Self {
        let of = |devices: u32| {
            said(&format!("a fleet of {devices}"));
            let offered = Offer {
                devices,
                rate: rate as u64,
                seconds: size.seconds * 4,
                verified: true,
            };
            offer(MUSTER, &offered, folder)
        };
        Self {
            small: of(size.devices),
            large: of(size.resident),
            devices: (size.devices, size.resident),
        }
    }

    fn figures(&self, certificate_bytes: usize) -> Vec<Figure> {
        let (few, many) = (f64::from(self.devices.0), f64::from(self.devices.1));
        let more = many - few;
        let certificate = certificate_bytes as f64;
        let harness = (self.large.harness_bytes - self.small.harness_bytes) / more;
        let core = (self.large.core_bytes - self.small.core_bytes) / more;
        vec![
            Figure {
                what: "harness memory a resident device beyond its certificate".to_owned(),
                value: harness - certificate,
                bound: 400.0,
                aim: 200.0,
                better: Better::Lower,
                unit: " B",
                from: format!(
                    "{harness:.0} B resident a device between {few} and {many}, {certificate:.0} B of them the certificate; enrolled in {:.0} s",
                    self.large.set_up_s
                ),
            },
            Figure {
                what: "core memory an enrolled device, audit events included".to_owned(),
                value: core,
                bound: 1536.0,
                aim: 800.0,
                better: Better::Lower,
                unit: " B",
                from: format!("resident, between {few} and {many}"),
            },
            Figure {
                what: format!("cost of a check-in with {many} devices / with {few}"),
                value: self.large.harness_us / self.small.harness_us,
                bound: 1.3,
                aim: 1.1,
                better: Better::Lower,
                unit: "",
                from: format!(
                    "{:.1} us / {:.1} us at {:.0} and {:.0} check-ins/s",
                    self.large.harness_us,
                    self.small.harness_us,
                    self.large.per_s,
                    self.small.per_s
                ),
            },
        ]
    }
}
