//! Loads that end early or badly: interrupted, with a dead core, on a machine that has nothing left,
//! and with a core that errs while it is under load.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Running, incomplete};
use crate::load::{WIDE, balanced, load, strings};
use crate::util::{Core, Folder, MUSTER, one_fleet_at_a_time, output};

#[test]
fn an_interrupted_load_exits_130_with_a_readable_report() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("load-interrupted");
    let out = folder.join("out");
    let mut run = Running::start(&load(&["--devices", "100", "--duration", "60s"], &out));
    run.wait_for("measuring");
    let pid = run.pid();
    let kill = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(kill.success());
    assert_eq!(run.end(), Some(130));
    incomplete(&folder.report("out"));
}

#[test]
fn a_log_whose_reading_is_interrupted_shows_no_losses() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("load-reading");
    // No event is visible when the load ends, and for half a minute nobody gives up on them.
    let core = Core::start(&["--fault", "M-AUD-late-beyond-bound"]);
    let target = core.target_in(&folder);
    let out = folder.join("out");
    let arguments = [
        &["--devices", "60", "--duration", "2s", "--rate", "20"][..],
        &["--operation", "rotate=5/s", "--target-json", &target],
        &WIDE,
    ]
    .concat();
    let mut run = Running::start(&load(&arguments, &out));
    run.wait_for("reading the audit log");
    let pid = run.pid();
    let kill = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(kill.success());
    assert_eq!(run.end(), Some(130));
    let report = folder.report("out");
    incomplete(&report);
    assert!(report["audit"]["expected_low"].as_u64().unwrap() >= 10);
    let shown = output(&["show", &out, "--incomplete"]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        text.contains("events expected, the log was not read"),
        "{text}"
    );
    assert!(!text.contains(" seen: "), "{text}");
    drop(core);
}

#[test]
fn a_core_killed_under_load_exits_2_with_a_readable_report() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("load-killed");
    let mut core = Core::start(&[]);
    let target = core.target_in(&folder);
    let out = folder.join("out");
    let arguments = [
        &[
            "--devices",
            "100",
            "--duration",
            "20s",
            "--rate",
            "100",
            "--target-json",
            &target,
        ][..],
        &WIDE,
    ]
    .concat();
    let mut run = Running::start(&load(&arguments, &out));
    run.wait_for("measuring");
    core.child.kill().unwrap();
    core.child.wait().unwrap();
    assert_eq!(run.end(), Some(2));
    incomplete(&folder.report("out"));
}

#[test]
fn one_event_lost_under_load_fails_and_its_operation_is_named() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("lost");
    let out = folder.join("out");
    // One of a few hundred: what a debug build carries in seconds. The scenarios before the load
    // rotate, too, but not as often.
    let arguments = [
        &["--devices", "150", "--rate", "20", "--duration", "8s"][..],
        &["--operation", "rotate=30/s"],
        &["--fault", "M-AUD-lost-1-in-100@nth=200"],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(told.contains("@nth=200 acted 1 of "), "{told}");
    let report = folder.report("out");
    assert_eq!(report["audit"]["lost"], 1, "{text}");
    assert!(report["audit"]["rotation_attempts"].as_u64().unwrap() >= 240);
    let rows = report["requirements"].as_array().unwrap();
    let books = rows
        .iter()
        .find(|row| row["id"] == "REQ-AUDIT-004")
        .unwrap();
    assert_eq!(books["verdict"], "fail");
    let violation = &books["violations"][0];
    assert_eq!(violation["fingerprint"], "lost-event");
    let seen = violation["seen"].as_str().unwrap();
    assert!(seen.contains(": 1 lost, 0 duplicated, 0 phantom"), "{seen}");
    // The operation that is named was sent, and accepted or refused by rule.
    let (_, named) = seen.split_once("with client-request-id ").unwrap();
    let id = &named[..36];
    let proof = books["evidence"][0].as_str().unwrap();
    let exchanges = Path::new(&out).join(proof).with_file_name("exchanges.json");
    let exchanges: Value = serde_json::from_slice(&std::fs::read(exchanges).unwrap()).unwrap();
    assert!(
        exchanges.to_string().contains(id),
        "{id} is in no exchange of the evidence"
    );
}

#[test]
fn an_outdated_password_under_load_fails() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("outdated");
    let out = folder.join("out");
    let arguments = [
        &["--devices", "100", "--rate", "40", "--duration", "4s"][..],
        &["--operation", "rotate=40/s"],
        &["--operation", "credential_read=40/s"],
        &["--fault", "M-VIEW-stale-password"],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(1), "{text}");
    let report = folder.report("out");
    let books = &report["measurement"]["errands"]["credential_read"];
    balanced(books);
    // Of a device that never rotated the only password is the newest.
    assert!(books["failed"].as_u64().unwrap() > 0, "{text}");
    let causes = strings(&report["causes"]);
    assert!(
        causes.contains("the newest password that the device uploaded"),
        "{causes}"
    );
}

#[test]
fn without_a_device_to_rotate_nothing_is_waited_for() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("no-backup");
    let out = folder.join("out");
    let run = output(&[
        "run",
        "--devices",
        "80",
        "--mix",
        "entra=100",
        "--duration",
        "3s",
        "--fault",
        "M-JOIN-entra-refused",
        "--report",
        &out,
    ]);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(1), "{text}");
    let report = folder.report("out");
    let books = &report["measurement"]["errands"]["rotate"];
    balanced(books);
    // Each of them put off for two seconds would be minutes.
    assert!(books["planned"].as_u64().unwrap() > 60, "{books}");
    assert_eq!(books["not_started"], books["planned"], "{text}");
    assert!(report["run"]["wall_s"].as_f64().unwrap() < 60.0, "{text}");
}

#[test]
fn a_full_folder_under_load_exits_4_and_leaves_no_report() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("load-full");
    let out = folder.join("out");
    // The interval log is the first file that finds no room.
    let script = format!(
        "trap '' XFSZ; ulimit -f 16; exec {MUSTER} load --devices 60 --duration 3s --report {out}"
    );
    let run = Command::new("sh").args(["-c", &script]).output().unwrap();
    let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(4), "{complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
    assert!(!folder.path().join("out/report.json").exists());
}

#[test]
fn a_harness_without_descriptors_blames_nobody_else() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("load-descriptors");
    let core = Core::start(&[]);
    let target = core.target_in(&folder);
    // Hardly enough; on a machine with many processors too few even for set-up.
    let script = format!(
        "ulimit -n 116; exec {MUSTER} load --target-json {target} --devices 200 --rate 400 \
         --duration 1s --operation rotate=5/s"
    );
    let run = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let code = run.status.code().unwrap();
    assert!(![0, 1, 70].contains(&code), "exit code {code}: {said}");
    assert!(!said.contains("stopped answering"), "{said}");
    let named = ["Too many open files", "file descriptors"];
    assert!(named.iter().any(|named| said.contains(named)), "{said}");
}
