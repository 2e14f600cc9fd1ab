//! Other clients, against any server: how many requests they send, and what one costs them.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::process::{Process, is_there};

/// Connections of every client.
const CONNECTIONS: &str = "64";
/// Threads of every client, one a processor of the machine that the bounds were set for.
pub(crate) const THREADS: usize = 2;

/// What a client did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked {
    pub(crate) requests: u64,
    /// Requests a second.
    pub(crate) per_s: f64,
    /// Processor time of the client a request, in microseconds.
    pub(crate) client_us: f64,
    /// Processor time of the server a request, in microseconds.
    pub(crate) server_us: f64,
}

impl Walked {
    fn of(requests: u64, took_us: f64, (client_us, server_us): (u64, u64)) -> Self {
        let each = |us: u64| us as f64 / requests as f64;
        Self {
            requests,
            per_s: requests as f64 * 1e6 / took_us,
            client_us: each(client_us),
            server_us: each(server_us),
        }
    }
}

/// wrk sends every prepared request of the folder once.
pub(crate) fn walk(url: &str, server: &Process, folder: &Path) -> Walked {
    let mut command = wrk("walk.lua", "600s");
    command.arg(url).arg("--").arg(folder);
    let before = server.cpu_us();
    let mut wrk = Process::start(&mut command);
    let (mut requests, mut longest_us) = (0, 0.0);
    for _ in 0..THREADS {
        let (sent, us) = told(&mut wrk);
        requests += sent;
        longest_us = f64::max(longest_us, us);
    }
    let used = (wrk.cpu_us(), server.cpu_us() - before);
    Walked::of(requests, longest_us, used)
}

fn wrk(script: &str, time: &str) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let mut command = Command::new("wrk");
    command
        .args(["-c", CONNECTIONS, "-d", time, "-t"])
        .arg(THREADS.to_string())
        .arg("-s")
        .arg(scripts.join(script));
    command
}

/// Requests sent and the microseconds that took, as the next line of a script tells them.
fn told(wrk: &mut Process) -> (u64, f64) {
    loop {
        let line = wrk.line();
        assert!(!line.is_empty(), "wrk ended before its script");
        if let Some(figures) = line.trim_end().strip_prefix("WALKED requests=") {
            let (requests, us) = figures.split_once(" us=").unwrap();
            return (requests.parse().unwrap(), us.parse().unwrap());
        }
    }
}

/// What every tool sends: one body as long as a check-in's, again and again.
pub(crate) struct Still<'a> {
    pub(crate) url: &'a str,
    pub(crate) body: &'a Path,
    /// The value of `Client-Cert`.
    pub(crate) certificate: &'a str,
    pub(crate) requests: u64,
    pub(crate) seconds: u64,
}

/// The tools whose cost a request is measured, where they are installed.
pub(crate) const TOOLS: [&str; 3] = ["wrk", "oha", "h2load"];

/// Runs a tool against a server; `None` when it is not installed.
pub(crate) fn run(tool: &str, server: &Process, still: &Still<'_>) -> Option<Walked> {
    if !is_there(tool) {
        return None;
    }
    let before = server.cpu_us();
    let begun = Instant::now();
    let mut client = Process::start(&mut still.command(tool));
    let (requests, took_us) = if tool == "wrk" {
        told(&mut client)
    } else {
        (still.requests, 0.0)
    };
    let (used, said) = client.end();
    let took_us = if took_us > 0.0 {
        took_us
    } else {
        begun.elapsed().as_secs_f64() * 1e6
    };
    // wrk's script has looked for itself.
    let well = match tool {
        "oha" => said.contains("100.00%"),
        "h2load" => said.contains(&format!("{requests} succeeded")),
        _ => true,
    };
    assert!(well, "{tool} did not have every request answered: {said}");
    let used = (used, server.cpu_us() - before);
    Some(Walked::of(requests, took_us, used))
}

impl Still<'_> {
    fn command(&self, tool: &str) -> Command {
        let content_type = protocol::syncml::CONTENT_TYPE;
        let headers = [
            format!("content-type: {content_type}"),
            format!("client-cert: {}", self.certificate),
        ];
        let requests = self.requests.to_string();
        match tool {
            "wrk" => {
                let mut command = wrk("still.lua", &format!("{}s", self.seconds));
                command.arg(self.url).arg("--").arg(self.body);
                command.args([self.certificate, content_type]);
                command
            }
            "oha" => {
                let mut command = Command::new("oha");
                command.args(["--no-tui", "-m", "POST", "-n", &requests, "-c", CONNECTIONS]);
                command.arg("-D").arg(self.body);
                command.args(headers.iter().flat_map(|header| ["-H", header]));
                command.arg(self.url);
                command
            }
            _ => {
                let mut command = Command::new("h2load");
                command.args(["--h1", "-n", &requests, "-c", CONNECTIONS, "-t"]);
                command.arg(THREADS.to_string()).arg("-d").arg(self.body);
                command.args(headers.iter().flat_map(|header| ["-H", header]));
                command.arg(self.url);
                command
            }
        }
    }
}
