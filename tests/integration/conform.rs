//! The catalogue against a target, and the proof that the suite can fail.

use std::fs;

use serde_json::Value;

use super::util::{Core, Folder, one_fleet_at_a_time, output, verdicts};

/// Standard output of a command and its exit code.
fn run(arguments: &[&str]) -> (String, Option<i32>) {
    let output = output(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.code())
}

#[test]
fn the_built_in_core_passes_every_requirement_that_can_be_judged() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("conform");
    let (text, code) = run(&["conform", "--report", &folder.join("out")]);
    assert_eq!(code, Some(0), "{text}");
    let report = folder.report("out");
    assert_eq!(report["footer"]["complete"], true);
    for row in report["requirements"].as_array().unwrap() {
        assert_eq!(row["violated"], 0, "{row}");
        if row["level"] == "MUST" {
            assert_eq!(row["verdict"], "pass", "{row}");
            assert!(row["armed"].as_u64().unwrap() >= 1, "{row}");
        }
    }
    let conform = &report["conform"];
    assert_eq!(conform["set"], "current-2025");
    for row in conform["device"].as_array().unwrap() {
        assert_eq!(row["violated"], 0, "{row}");
        assert!(row["armed"].as_u64().unwrap() >= 1, "{row}");
    }
    // Every row of the catalogue is accounted for, and none twice.
    let count = |value: &Value| value.as_array().unwrap().len();
    let (listed, code) = run(&["conform", "--list"]);
    assert_eq!(code, Some(0));
    let listed = listed.lines().filter(|line| line.starts_with("REQ-"));
    let shown =
        count(&report["requirements"]) + count(&conform["not_tested"]) + count(&conform["device"]);
    assert_eq!(listed.count(), shown);
    assert!(report["run"]["wall_s"].as_f64().unwrap() < 60.0);
}

#[test]
fn a_selection_judges_its_rows_alone() {
    let _fleet = one_fleet_at_a_time();
    for (selection, expected) in [
        (&["--only", "ROTATE-003"][..], &["REQ-ROTATE-003"][..]),
        (&["--area", "bulk", "--only", "*-00[14]"], &[][..]),
        (&["--area", "bulk", "--only", "*-004"], &["REQ-BULK-004"]),
    ] {
        let folder = Folder::new("selection");
        let out = folder.join("out");
        let arguments = [&["conform", "--report", &out][..], selection].concat();
        let (text, code) = run(&arguments);
        if expected.is_empty() {
            assert_eq!(code, Some(4), "{selection:?}: {text}");
            continue;
        }
        assert_eq!(code, Some(0), "{selection:?}: {text}");
        let judged: Vec<String> = verdicts(&folder.report("out"))
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        assert_eq!(judged, expected, "{text}");
    }
}

#[test]
fn a_fault_fails_its_requirement_and_leaves_evidence() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("conform-fault");
    let (text, code) = run(&[
        "conform",
        "--only",
        "VIEW-*",
        "--fault",
        "M-VIEW-password-by-default",
        "--report",
        &folder.join("out"),
    ]);
    assert_eq!(code, Some(1), "{text}");
    let report = folder.report("out");
    let rows = report["requirements"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == "REQ-VIEW-002").unwrap();
    assert_eq!(row["verdict"], "fail");
    assert!(!row["evidence"].as_array().unwrap().is_empty(), "{row}");
}

#[test]
fn a_target_that_was_never_there_is_a_matter_of_set_up() {
    let folder = Folder::new("absent");
    let core = Core::start(&["--null", "closed-port"]);
    let description = folder.join("target.json");
    fs::write(&description, &core.line).unwrap();
    let (text, code) = run(&["conform", "--target-json", &description]);
    assert_eq!(code, Some(4), "{text}");
    assert!(!text.contains(" fail "), "{text}");
}

#[test]
fn a_target_that_dies_is_down_and_not_a_list_of_failures() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("dying");
    let core = Core::start(&["--null", "crash-on-rotate"]);
    let description = folder.join("target.json");
    fs::write(&description, &core.line).unwrap();
    let out = folder.join("out");
    let (text, code) = run(&["conform", "--target-json", &description, "--report", &out]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("target down"), "{text}");
    let report = folder.report("out");
    assert_eq!(report["footer"]["complete"], false);
    for (id, verdict) in verdicts(&report) {
        assert_eq!(verdict, "not_exercised", "{id}");
    }
}

#[test]
fn a_canary_is_caught_beside_a_run_against_any_target() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("canary");
    let core = Core::start(&["--virtual-clock"]);
    let description = folder.join("target.json");
    fs::write(&description, &core.line).unwrap();
    let out = folder.join("out");
    let own = [
        "conform",
        "--self-check",
        "--only",
        "BULK-004",
        "--seed",
        "5",
    ];
    let others = ["--target-json", description.as_str()];
    let mut canaries = Vec::new();
    for target in [&[][..], &others[..]] {
        let arguments = [&own[..], &["--report", &out], target].concat();
        let (text, code) = run(&arguments);
        assert_eq!(code, Some(0), "{text}");
        let canary = folder.report("out")["conform"]["canary"].clone();
        assert_eq!(canary["outcome"], "killed", "{canary}");
        let name = canary["fault"].as_str().unwrap().to_owned();
        assert!(text.contains(&format!("canary {name}: killed")), "{text}");
        canaries.push(name);
    }
    // The seed decides which, and not the target.
    assert_eq!(canaries[0], canaries[1]);
}

#[test]
fn nothing_is_raised_against_legal_variants() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("variants");
    let out = folder.join("out");
    let only = ["prove", "--only", "V-*", "--seeds", "1", "--jobs", "4"];
    let (text, code) = run(&[&only[..], &["--report", &out]].concat());
    assert_eq!(code, Some(0), "{text}");
    let bytes = fs::read(folder.path().join("out/kill-matrix.json")).unwrap();
    let matrix: Value = serde_json::from_slice(&bytes).unwrap();
    let rows = matrix["variants"].as_array().unwrap();
    let (listed, _) = run(&["variants"]);
    // Each alone, and one mix for the seed.
    assert_eq!(rows.len(), listed.lines().count() + 1);
    for row in rows {
        assert_eq!(row["exit_code"], 0, "{row}");
        assert_eq!(row["seeds"], serde_json::json!([1]), "{row}");
        assert!(row["violations"].as_array().unwrap().is_empty(), "{row}");
    }
}

#[test]
fn a_requirement_is_explained_with_what_judges_and_breaks_it() {
    let (text, code) = run(&["explain", "REQ-ROTATE-003"]);
    assert_eq!(code, Some(0));
    for part in [
        "rotate.offline.fails",
        "M-ROT-queue-when-offline",
        "REQ-ROTATE-001",
        "SEED S19",
        "muster conform --only REQ-ROTATE-003",
        "rotate.offlineForm: atOnce | later | refused",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(run(&["explain", "REQ-NONE-001"]).1, Some(4));
}
