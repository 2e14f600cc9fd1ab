//! The command line as users and other tools meet it: figures, files, exit codes, bad input.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use super::util::{Core, Folder, MUSTER, muster, one_fleet_at_a_time, output, verdicts};

#[test]
fn a_small_run_passes_every_requirement_and_writes_its_reports() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("small");
    let run = output(&[
        "run",
        "--devices",
        "300",
        "--duration",
        "3s",
        "--report",
        &folder.join("out"),
    ]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(0), "{text}");
    let report = folder.report("out");
    assert_eq!(report["schema"], "muster.report/1");
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["footer"]["complete"], true);
    for row in report["requirements"].as_array().unwrap() {
        assert_eq!(row["verdict"], "pass", "{row}");
        assert!(row["armed"].as_u64().unwrap() >= 1, "{row}");
        assert_eq!(row["violated"], 0, "{row}");
        assert!(!row["checks"].as_array().unwrap().is_empty(), "{row}");
    }
    assert_eq!(report["requirements"].as_array().unwrap().len(), 35);
    fleet_figures(&report);
    load_figures(&report);
    audit_figures(&report);
    let junit = fs::read_to_string(folder.path().join("out/junit.xml")).unwrap();
    assert!(junit.contains("REQ-ROTATE-003"), "{junit}");
    assert!(!junit.contains("<failure"), "{junit}");
}

fn fleet_figures(report: &Value) {
    let fleet = &report["fleet"];
    assert_eq!(fleet["devices"], 300);
    assert_eq!(fleet["offline"], 90);
    assert_eq!(fleet["online"], 210);
    assert!(fleet["cohort_devices"].as_u64().unwrap() > 0);
    let expected = [
        ("entraJoined", 150),
        ("entraHybridJoined", 90),
        ("entraRegistered", 15),
        ("domainJoined", 30),
        ("notJoined", 15),
    ];
    for (join_type, count) in expected {
        assert_eq!(fleet["by_join_type"][join_type], count, "{join_type}");
    }
}

fn load_figures(report: &Value) {
    let load = &report["load"];
    let figure = |name: &str| {
        load[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {load}"))
    };
    assert_eq!(figure("planned"), 315);
    assert_eq!(figure("planned"), figure("started") + figure("not_started"));
    assert_eq!(figure("started"), figure("completed") + figure("failed"));
    assert_eq!(figure("failed"), 0);
    assert!(figure("responses") >= figure("completed"));
    assert_eq!(figure("responses"), figure("verified_responses"));
    for histogram in ["latency_us", "service_time_us"] {
        let at = |name: &str| load[histogram][name].as_u64().unwrap();
        assert!(at("p50") > 0, "{load}");
        assert!(at("p50") <= at("p90") && at("p90") <= at("p99"), "{load}");
        assert!(at("p99") <= at("p999") && at("p999") <= at("max"), "{load}");
    }
    for name in [
        "harness_cpu_s",
        "core_cpu_s",
        "check_ins_per_s",
        "duration_s",
    ] {
        assert!(load[name].as_f64().unwrap() > 0.0, "{name}: {load}");
    }
    for name in ["harness_peak_rss_bytes", "core_peak_rss_bytes"] {
        assert!(figure(name) > 1_000_000, "{name}: {load}");
    }
}

fn audit_figures(report: &Value) {
    let audit = &report["audit"];
    let figure = |name: &str| {
        audit[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {audit}"))
    };
    assert!(figure("expected_low") <= figure("seen"));
    assert!(figure("seen") <= figure("expected_high"));
    assert!(figure("seen") >= 100, "{audit}");
    for name in ["lost", "duplicated", "phantom"] {
        assert_eq!(figure(name), 0, "{name}: {audit}");
    }
}

#[test]
fn equal_seeds_give_equal_fleets_and_plans() {
    let _fleet = one_fleet_at_a_time();
    let digests = |seed: &str| {
        let run = output(&["run", "--devices", "40", "--duration", "1s", "--seed", seed]);
        let text = String::from_utf8(run.stdout).unwrap();
        assert_eq!(run.status.code(), Some(0), "{text}");
        let lines: Vec<String> = text
            .lines()
            .filter(|line| line.starts_with("fleet digest: ") || line.starts_with("plan digest: "))
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        lines
    };
    let first = digests("7");
    assert_eq!(first, digests("7"));
    let other = digests("8");
    assert!(
        first.iter().zip(&other).all(|(a, b)| a != b),
        "{first:?} {other:?}"
    );
}

#[test]
fn wrong_arguments_exit_4_with_a_sentence_that_names_the_value() {
    let rows: [(&[&str], &str); 12] = [
        (&["run", "--mix", "entra=50,hybrid=30"], "80"),
        (&["run", "--mix", "entra=50,moon=50"], "moon"),
        (&["run", "--offline", "1.5"], "1.5"),
        (&["run", "--fault", "M-NO-such"], "M-NO-such"),
        (&["run", "--devices", "0"], "0"),
        (&["run", "--duration", "ten"], "ten"),
        (&["run", "--rate", "-3"], "-3"),
        (
            &["run", "--target-json", "/nowhere/target.json"],
            "/nowhere/target.json",
        ),
        (&["run", "--report", "/proc/muster"], "/proc/muster"),
        (&["serve", "--set", "tomorrow"], "tomorrow"),
        (&["serve", "--listen", "0.0.0.0:0"], "0.0.0.0:0"),
        (&["fly"], "fly"),
    ];
    for (arguments, named) in rows {
        let run = output(arguments);
        let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(4), "{arguments:?}: {complaint}");
        assert!(complaint.contains(named), "{arguments:?}: {complaint}");
        assert!(
            !complaint.contains("panicked"),
            "{arguments:?}: {complaint}"
        );
    }
}

#[test]
fn a_port_in_use_exits_4_and_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = output(&["serve", "--listen", &address]);
    let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(4), "{complaint}");
    assert!(complaint.contains(&address), "{complaint}");
}

#[test]
fn a_target_that_never_answers_exits_4() {
    let folder = Folder::new("silent");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let planes = ["enroll", "manage", "directory", "admin", "control"]
        .map(|plane| format!("\"{plane}\":\"{url}\""))
        .join(",");
    let file = folder.join("target.json");
    fs::write(
        &file,
        format!("{{{planes},\"tokens\":{{\"control\":\"x\"}}}}"),
    )
    .unwrap();
    let run = output(&[
        "run",
        "--devices",
        "20",
        "--duration",
        "1s",
        "--target-json",
        &file,
    ]);
    let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(4), "{complaint}");
    assert!(complaint.contains(&url), "{complaint}");
}

#[test]
fn another_process_as_target_gives_the_same_verdicts_twice() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("target");
    let core = Core::start(&[]);
    let file = core.target_in(&folder);
    for name in ["first", "second"] {
        let run = output(&[
            "run",
            "--devices",
            "100",
            "--duration",
            "2s",
            "--target-json",
            &file,
            "--report",
            &folder.join(name),
        ]);
        assert_eq!(
            run.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&run.stdout)
        );
        let verdicts = verdicts(&folder.report(name));
        assert!(
            verdicts.iter().all(|(_, verdict)| verdict == "pass"),
            "{verdicts:?}"
        );
    }
}

#[test]
fn a_core_that_dies_in_mid_run_exits_2_with_an_incomplete_report() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("dies");
    let mut core = Core::start(&[]);
    let file = core.target_in(&folder);
    let mut run = Running::start(&[
        "run",
        "--devices",
        "200",
        "--duration",
        "20s",
        "--target-json",
        &file,
        "--report",
        &folder.join("out"),
    ]);
    run.wait_for("measuring");
    core.child.kill().unwrap();
    core.child.wait().unwrap();
    assert_eq!(run.end(), Some(2));
    incomplete(&folder.report("out"));
}

#[test]
fn an_interrupted_run_exits_130_and_leaves_no_child() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("interrupted");
    let mut run = Running::start(&[
        "run",
        "--devices",
        "200",
        "--duration",
        "30s",
        "--report",
        &folder.join("out"),
    ]);
    let core = run.wait_for("core process");
    run.wait_for("measuring");
    let pid = run.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(run.end(), Some(130));
    incomplete(&folder.report("out"));
    let core_pid: u32 = core
        .split_whitespace()
        .find_map(|word| word.trim_matches(',').parse().ok())
        .unwrap();
    assert!(
        !Path::new(&format!("/proc/{core_pid}")).exists(),
        "the core {core_pid} lives on"
    );
}

#[test]
fn a_full_report_folder_exits_4_and_leaves_no_report() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("full");
    // No file may grow over so many blocks of 512 bytes: what a full disk does to the writer. The
    // first is full before the run, the second at its end.
    for (blocks, named) in [(1, "out"), (16, "out/results.jsonl")] {
        let out = folder.join("out");
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {MUSTER} run --devices 20 --duration 1s --report {out}"
        );
        let run = Command::new("sh").args(["-c", &script]).output().unwrap();
        let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(4), "{complaint}");
        assert!(complaint.contains(named), "{complaint}");
        assert!(!complaint.contains("panicked"), "{complaint}");
        assert!(!folder.path().join("out/report.json").exists());
    }
}

/// A run that never finished says so: footer, verdict and exit code.
pub(crate) fn incomplete(report: &Value) {
    assert_eq!(report["footer"]["complete"], false);
    assert_eq!(report["verdict"], "undetermined");
    assert!(report["exit_code"].as_u64().unwrap() > 0);
    assert!(report["load"]["completed"].as_u64().is_some());
    unread(report);
}

/// A log that was not read shows no losses, and nobody is blamed for any.
fn unread(report: &Value) {
    let audit = &report["audit"];
    assert_eq!(audit["log"], "not_read", "{audit}");
    assert_eq!(audit.get("lost"), None, "{audit}");
    for (id, verdict) in verdicts(report) {
        let books = ["REQ-AUDIT-004", "REQ-AUDIT-005"].contains(&id.as_str());
        assert!(!books || verdict != "fail", "{id} {verdict}");
    }
}

/// A run that is watched while it goes on.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = muster(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines }
    }

    /// The first line from here on that holds `word`.
    pub(crate) fn wait_for(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "no line with `{word}`"
            );
            if line.contains(word) {
                return line;
            }
        }
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Reads to the end; the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        std::io::copy(&mut self.lines, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap().code()
    }
}
