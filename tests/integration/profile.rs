//! What a target declares of itself, from the file to the verdicts.

use std::fs;

use serde_json::Value;

use super::util::{Core, Folder, one_fleet_at_a_time, output, verdicts};

fn profile(folder: &Folder, body: &str) -> String {
    let path = folder.join("profile.toml");
    fs::write(&path, format!("schema = \"muster.profile/1\"\n{body}\n")).unwrap();
    path
}

fn conform(arguments: &[&str]) -> (String, Option<i32>) {
    let output = output(&[&["conform"], arguments].concat());
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    (text, output.status.code())
}

fn property<'r>(report: &'r Value, name: &str) -> &'r Value {
    let mut properties = report["properties"].as_array().unwrap().iter();
    properties.find(|row| row["property"] == name).unwrap()
}

#[test]
fn what_the_target_shows_first_is_inferred_and_a_waverer_fails_with_both_witnesses() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("waverer");
    // Nothing is declared, so that only the devices can contradict each other.
    let open = profile(&folder, "[properties]\nunassign.effect = \"auto\"");
    let judged = ["--only", "ASSIGN-008", "--profile", &open, "--report"];
    let right = folder.join("right");
    let (text, code) = conform(&[&judged[..], &[&right]].concat());
    assert_eq!(code, Some(0), "{text}");
    let report = folder.report("right");
    let row = property(&report, "unassign.effect");
    assert_eq!(row["declared"], "auto");
    assert_eq!(row["inferred"], "delete");
    assert_eq!(row["contradictions"], 0);
    assert!(row["witness"]["device"].is_string(), "{row}");
    assert!(!row["witness"]["exchanges"].as_array().unwrap().is_empty());
    assert_eq!(report["requirements"][0]["verdict"], "recorded");
    assert_eq!(
        report["requirements"][0]["recorded"]["unassign.effect"],
        "delete"
    );

    let wrong = folder.join("wrong");
    let fault = ["--fault", "M-ASSIGN-unassign-uneven"];
    let (text, code) = conform(&[&judged[..], &[&wrong], &fault].concat());
    assert_eq!(code, Some(1), "{text}");
    let row = &folder.report("wrong")["requirements"][0];
    assert_eq!(row["verdict"], "fail");
    assert_eq!(row["level"], "REC");
    let seen = row["violations"][0]["seen"].as_str().unwrap();
    let witnesses = seen.matches("LAB-").count();
    assert!(
        seen.starts_with("unassign.effect: ") && witnesses >= 2,
        "{seen}"
    );
    assert!(
        seen.contains("`delete`") && seen.contains("`keep`"),
        "{seen}"
    );
}

#[test]
fn a_declared_choice_that_the_target_does_not_make_fails_the_row_that_owns_it() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("declared");
    for (line, only, owner, level) in [
        (
            "unassign.effect = \"keep\"",
            "ASSIGN-008",
            "REQ-ASSIGN-008",
            "fail",
        ),
        (
            "rotate.acceptedStatus = \"202\"",
            "ROTATE-001",
            "REQ-ROTATE-001",
            "fail",
        ),
        (
            "rotate.offlineForm = \"refused\"",
            "ROTATE-003",
            "REQ-ROTATE-003",
            "fail",
        ),
        (
            "rotate.offlineForm = \"later\"",
            "ROTATE-003",
            "REQ-ROTATE-003",
            "pass",
        ),
        ("history.depth = \"5+\"", "VIEW-005", "REQ-VIEW-005", "fail"),
        (
            "audit.correlation = \"absent\"",
            "AUDIT-009",
            "REQ-AUDIT-009",
            "deviation",
        ),
    ] {
        let file = profile(&folder, &format!("[properties]\n{line}"));
        let out = folder.join("out");
        let arguments = ["--only", only, "--profile", &file, "--report", &out];
        let (text, code) = conform(&arguments);
        let verdict = verdicts(&folder.report("out"));
        assert_eq!(
            verdict,
            [(owner.to_owned(), level.to_owned())],
            "{line}: {text}"
        );
        let expected = if level == "fail" { 1 } else { 0 };
        assert_eq!(code, Some(expected), "{line}: {text}");
    }
}

#[test]
fn a_profile_with_a_mistake_is_refused_before_anything_runs() {
    let folder = Folder::new("mistakes");
    for (body, sentence) in [
        (
            "[limits_ms]\nT_report = 60001",
            "T_report of 60001 ms is above the contract's maximum of 60000 ms",
        ),
        ("[limit_ms]\nT_report = 1", "unknown field `limit_ms`"),
        (
            "[properties]\nonline.rule = \"moon\"",
            "property `online.rule` is `moon`, expected auto or one of push, checkIn, both",
        ),
        (
            "set = \"seed-2023-04\"",
            "--set ga-2023-10 and the profile's set seed-2023-04 differ",
        ),
    ] {
        let file = profile(&folder, body);
        let (text, code) = conform(&["--profile", &file, "--set", "ga-2023-10"]);
        assert_eq!(code, Some(4), "{text}");
        assert!(text.contains(sentence), "{sentence}: {text}");
        assert!(!text.contains("verdict"), "{text}");
    }
}

#[test]
fn claims_are_shown_and_pass_nothing() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("claims");
    let file = profile(
        &folder,
        "directory = \"external\"\n[claims]\nBULK = \"untested\"",
    );
    let out = folder.join("out");
    let mut seen = Vec::new();
    for only in ["VIEW-002", "BULK-001"] {
        // Without a row that is judged there is nothing to pass.
        let (text, code) = conform(&["--only", only, "--profile", &file, "--report", &out]);
        assert_eq!(code, Some(2), "{text}");
        assert!(
            text.contains("no requirement was put to the test"),
            "{text}"
        );
        seen.extend(verdicts(&folder.report("out")));
    }
    let (text, code) = conform(&["--only", "*-003", "--profile", &file, "--report", &out]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("directory external; claimed untested: BULK"),
        "{text}"
    );
    let of = |id: &str| {
        let all = verdicts(&folder.report("out"));
        let row = all.into_iter().find(|(row, _)| row == id);
        row.map(|(_, verdict)| verdict).unwrap()
    };
    assert_eq!(seen[0].1, "not_applicable");
    assert_eq!(seen[1].1, "not_tested");
    assert_eq!(of("REQ-BULK-003"), "not_tested");
    assert_eq!(of("REQ-VIEW-003"), "not_applicable");
    assert_eq!(of("REQ-ROTATE-003"), "pass");
}

#[test]
fn a_refusal_whose_positive_control_does_not_pass_proves_nothing() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("blocked");
    let out = folder.join("out");
    let fault = ["--fault", "M-ROT-refuses-all"];
    let (text, code) = conform(&[&["--only", "ROTATE-003", "--report", &out], &fault[..]].concat());
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains(
            "REQ-ROTATE-003 is blocked: its positive control REQ-ROTATE-001 did not pass"
        ),
        "{text}"
    );
    let report = folder.report("out");
    let all = verdicts(&report);
    assert_eq!(all, [("REQ-ROTATE-003".to_owned(), "blocked".to_owned())]);
}

#[test]
fn a_target_that_does_nothing_is_undetermined_and_never_a_list_of_failures() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("nothing");
    let list = folder.join("list.toml");
    let expected = "schema = \"muster.expectations/1\"\n\n[[expectation]]\nrequirement = \"REQ-ROTATE-003\"\nexpect = \"not_exercised\"\nreason = \"x\"\nbug = \"https://bugs.example/1\"\nowner = \"x\"\nexpires = \"2999-12-31\"\n";
    fs::write(&list, expected).unwrap();
    for null in ["closed-port", "404-to-all", "500-to-all"] {
        let core = Core::start(&["--null", null]);
        let target = core.target_in(&folder);
        let out = folder.join("out");
        let arguments = [
            "--target-json",
            &target,
            "--report",
            &out,
            "--expectations",
            &list,
        ];
        let (text, code) = conform(&[&arguments[..], &["--only", "ROTATE-00*"]].concat());
        assert!(matches!(code, Some(2 | 4)), "{null}: {code:?} {text}");
        for (id, verdict) in verdicts(&folder.report("out")) {
            assert!(
                verdict != "fail" && verdict != "pass",
                "{null}: {id} {verdict}"
            );
        }
    }
}
