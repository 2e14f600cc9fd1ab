//! Lists of expected failures, from the command line to the exit code.

use std::fs;

use super::util::{Folder, one_fleet_at_a_time, output};

const FAULT: &str = "M-VIEW-password-by-default";

/// A list that expects what [`FAULT`] breaks, with one thing replaced.
fn list(folder: &Folder, from: &str, to: &str) -> String {
    let text = r#"schema = "muster.expectations/1"

[[expectation]]
requirement = "REQ-VIEW-002"
expect = "fail"
fingerprint = "password-by-default"
reason = "the list view shows it"
bug = "https://bugs.example/7"
owner = "team"
expires = "2999-12-31"
"#;
    assert!(text.contains(from), "{from}");
    let path = folder.join("list.toml");
    fs::write(&path, text.replace(from, to)).unwrap();
    path
}

/// Standard output and error, and the exit code.
fn run(arguments: &[&str]) -> (String, Option<i32>) {
    let output = output(arguments);
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    (text, output.status.code())
}

#[test]
fn a_known_failure_passes_with_its_entry_and_fails_without() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("expected");
    let right = list(&folder, "", "");
    let out = folder.join("out");
    let judged = ["conform", "--only", "VIEW-002", "--fault", FAULT];
    let (text, code) = run(&judged);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("expected failures: 0"), "{text}");
    let with = [&judged[..], &["--expectations", &right, "--report", &out]].concat();
    let (text, code) = run(&with);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "REQ-VIEW-002      expected fail",
        "line 3: the list view shows it (https://bugs.example/7, team, until 2999-12-31)",
        "expected failures: 1",
        "exit code 0: every judged requirement passed, or failed as expected",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let report = folder.report("out");
    let row = &report["requirements"][0];
    // The list changes what follows from the verdict, and not the verdict.
    assert_eq!(row["verdict"], "fail");
    assert_eq!(row["expectation"]["outcome"], "expected_fail");
    assert_eq!(report["expectations"]["expected"], 1);
    let junit = fs::read_to_string(folder.path().join("out/junit.xml")).unwrap();
    assert_eq!(junit.matches("<failure ").count(), 0, "{junit}");
    assert!(
        junit.contains(r#"<skipped message="expected_fail: line 3:"#),
        "{junit}"
    );
}

#[test]
fn a_list_that_does_not_fit_ends_with_its_own_code_and_names_the_line() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("unfit");
    for (from, to, sentence) in [
        (
            "REQ-VIEW-002",
            "REQ-VIEW-202",
            "line 3: `REQ-VIEW-202` is no requirement",
        ),
        ("2999-12-31", "2020-12-31", "line 3: expired on 2020-12-31"),
        ("reason =", "raisin =", "line 7: unknown field `raisin`"),
        ("bug = \"https://bugs.example/7\"\n", "", "line 3: no `bug`"),
    ] {
        let list = list(&folder, from, to);
        let judged = ["conform", "--only", "VIEW-002", "--fault", FAULT];
        let (text, code) = run(&[&judged[..], &["--expectations", &list]].concat());
        assert_eq!(code, Some(3), "{sentence}: {text}");
        assert!(text.contains(sentence), "{sentence}: {text}");
        // Refused before anything ran, and by the linter alike.
        assert!(!text.contains("verdict"), "{text}");
        let (text, code) = run(&["expectations", "check", &list]);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains(sentence), "{sentence}: {text}");
    }
    // A target that was repaired, and one that fails in another way.
    let right = list(&folder, "", "");
    let (text, code) = run(&["conform", "--only", "VIEW-002", "--expectations", &right]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("line 3: REQ-VIEW-002 passed unexpectedly"),
        "{text}"
    );
    let other = list(&folder, "password-by-default", "password-by-chance");
    let judged = ["conform", "--only", "VIEW-002", "--fault", FAULT];
    let (text, code) = run(&[&judged[..], &["--expectations", &other]].concat());
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("line 3: REQ-VIEW-002 matched nothing"),
        "{text}"
    );
    let (_, code) = run(&["conform", "--expectations", &folder.join("none.toml")]);
    assert_eq!(code, Some(4));
}

#[test]
fn a_proposal_is_a_new_file_that_somebody_has_to_edit() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("proposal");
    let out = folder.join("out");
    let judged = ["conform", "--only", "VIEW-002", "--fault", FAULT];
    assert_eq!(run(&[&judged[..], &["--report", &out]].concat()).1, Some(1));
    let report = folder.join("out/report.json");
    let current = list(
        &folder,
        "fingerprint = \"password-by-default\"",
        "fingerprint = \"gone\" # why?",
    );
    let proposal = folder.join("proposal.toml");
    let propose = [
        "expectations",
        "propose",
        "--report",
        &report,
        "--current",
        &current,
        "--out",
    ];
    // The list in use is not overwritten, by its own name or another.
    let before = fs::read_to_string(&current).unwrap();
    let (text, code) = run(&[&propose[..], &[&current]].concat());
    assert_eq!(code, Some(4), "{text}");
    assert_eq!(fs::read_to_string(&current).unwrap(), before);
    let (text, code) = run(&[&propose[..], &[&proposal]].concat());
    assert_eq!(code, Some(0), "{text}");
    let (text, code) = run(&["expectations", "check", &proposal]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("`reason` is still `TODO`"), "{text}");
    let edited = fs::read_to_string(&proposal)
        .unwrap()
        .replace("bug = \"TODO\"", "bug = \"https://bugs.example/8\"")
        .replace("TODO", "known");
    assert!(!edited.contains("gone"), "{edited}");
    fs::write(&proposal, edited).unwrap();
    let (text, code) = run(&["expectations", "check", &proposal]);
    assert_eq!(code, Some(0), "{text}");
    let judged = ["conform", "--only", "VIEW-002", "--fault", FAULT];
    let (text, code) = run(&[&judged[..], &["--expectations", &proposal]].concat());
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_run_takes_a_list_as_well() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("expected-run");
    let list = list(&folder, "", "");
    let load = [
        "run",
        "--devices",
        "20",
        "--duration",
        "500ms",
        "--fault",
        FAULT,
    ];
    let (text, code) = run(&load);
    assert_eq!(code, Some(1), "{text}");
    let (text, code) = run(&[&load[..], &["--expectations", &list]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("expected failures: 1"), "{text}");
}
