//! Every deliberate defect of the core turns the requirement it names to fail.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};

use super::util::{Folder, muster, one_fleet_at_a_time, output, verdicts};

/// One row of `muster faults`: name, requirement.
fn rows() -> Vec<(String, String)> {
    let listed = output(&["faults"]);
    assert_eq!(listed.status.code(), Some(0));
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap().to_owned();
            let requirement = words.next().unwrap().to_owned();
            assert!(words.next().is_some(), "`{name}` has no sentence");
            (name, requirement)
        })
        .collect()
}

#[test]
fn each_fault_fails_the_requirement_it_names() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("faults");
    let mut wrong = Vec::new();
    for (name, requirement) in rows() {
        let out = folder.join(&name);
        let run = output(&[
            "run",
            "--devices",
            "300",
            "--duration",
            "3s",
            "--fault",
            &name,
            "--report",
            &out,
        ]);
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        if run.status.code() != Some(1) {
            wrong.push(format!("{name}: exit {:?}\n{text}", run.status.code()));
            continue;
        }
        let report = folder.report(&name);
        let failed = verdicts(&report)
            .into_iter()
            .any(|(id, verdict)| id == requirement && verdict == "fail");
        if !failed {
            wrong.push(format!("{name}: {requirement} did not fail\n{text}"));
        }
        let row = report["requirements"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["id"] == requirement.as_str())
            .unwrap();
        for path in row["evidence"].as_array().unwrap() {
            let path = folder.path().join(&name).join(path.as_str().unwrap());
            assert!(path.is_file(), "{} is cited and absent", path.display());
        }
        if failed && row["evidence"].as_array().unwrap().is_empty() {
            wrong.push(format!("{name}: {requirement} failed without evidence"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_judged_requirement_has_a_fault() {
    let listed = output(&["requirements"]);
    assert_eq!(listed.status.code(), Some(0));
    let text = String::from_utf8(listed.stdout).unwrap();
    let judged: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.starts_with("REQ-"))
        .map(str::to_owned)
        .collect();
    let broken: BTreeSet<String> = rows()
        .into_iter()
        .map(|(_, requirement)| requirement)
        .collect();
    assert_eq!(judged.len(), 35);
    assert_eq!(judged, broken);
}

/// Runs part of the catalogue against a core with these faults; what the core said at its end.
fn counted(faults: &[&str], only: &str) -> Value {
    let folder = Folder::new("counted");
    let mut arguments = vec!["serve", "--json", "--exit-with-stdin", "--virtual-clock"];
    for fault in faults {
        arguments.extend(["--fault", fault]);
    }
    let mut core = muster(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(core.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let description = folder.join("target.json");
    fs::write(&description, &line).unwrap();
    let run = output(&["conform", "--target-json", &description, "--only", only]);
    drop(core.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(core.wait().unwrap().success());
    assert!(run.status.code().is_some());
    serde_json::from_str::<Value>(&rest).unwrap()["faults"].clone()
}

#[test]
fn a_core_says_at_its_end_how_often_each_fault_could_act_and_did() {
    let _fleet = one_fleet_at_a_time();
    let never = "M-VIEW-swaps-times@ppm=0";
    let third = "M-VIEW-no-account-name@nth=3";
    let hybrid = "M-AUD-view-double@join=entraHybridJoined";
    let counts = counted(&[never, third, hybrid, "M-BULK-accepts"], "VIEW-001");
    let row = |place: usize, name: &str| counts[place][name].as_u64().unwrap();
    assert_eq!(counts.as_array().unwrap().len(), 4, "{counts}");
    assert_eq!(counts[0]["id"], "M-VIEW-swaps-times");
    assert_eq!(counts[0]["trigger"], "ppm=0");
    assert!(row(0, "reached") > 3, "{counts}");
    assert_eq!(row(0, "fired"), 0, "{counts}");
    assert!(row(1, "reached") >= 3, "{counts}");
    assert_eq!(row(1, "fired"), 1, "{counts}");
    // The scenario reads passwords of devices of both join states.
    assert!(row(2, "fired") >= 1, "{counts}");
    assert!(row(2, "fired") < row(2, "reached"), "{counts}");
    let unreached = json!({
        "id": "M-BULK-accepts", "trigger": "always", "reached": 0, "fired": 0,
    });
    assert_eq!(counts[3], unreached);
}

#[test]
fn an_unknown_fault_or_trigger_is_refused_with_what_is_known() {
    for (fault, parts) in [
        ("M-NO-such", &["M-NO-such", "muster faults"][..]),
        ("M-BULK-accepts@often", &["often", "ppm=N", "window=0s..2h"]),
        ("M-BULK-accepts@join=home", &["home", "entraJoined"]),
        ("M-BULK-accepts@window=2h..1h", &["2h..1h", "empty"]),
    ] {
        for command in ["serve", "run", "conform"] {
            let refused = output(&[command, "--fault", fault]);
            let text = String::from_utf8(refused.stderr).unwrap();
            assert_eq!(refused.status.code(), Some(4), "{command} {fault}: {text}");
            for part in parts {
                assert!(text.contains(part), "{command} {fault}: {text}");
            }
        }
    }
}
