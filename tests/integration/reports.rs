//! Reports as their readers meet them: shown again, cut off, killed, repeated, free of passwords.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::util::{Core, Folder, muster, one_fleet_at_a_time, output, verdicts};

/// Standard output, standard error and exit code of `muster show`.
fn show(arguments: &[&str]) -> (String, String, Option<i32>) {
    let shown = output(&[&["show"], arguments].concat());
    (
        String::from_utf8(shown.stdout).unwrap(),
        String::from_utf8(shown.stderr).unwrap(),
        shown.status.code(),
    )
}

#[test]
fn a_report_is_shown_again_word_for_word_and_no_other_is() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("shown");
    let out = folder.join("out");
    let fault = "M-VIEW-password-by-default";
    let run = output(&[
        "conform", "--only", "VIEW-002", "--fault", fault, "--report", &out,
    ]);
    assert_eq!(run.status.code(), Some(1));
    let text = String::from_utf8(run.stdout).unwrap();
    let (report, results) = (format!("{out}/report.json"), format!("{out}/results.jsonl"));
    for path in [&out, &report, &results] {
        assert_eq!(
            show(&[path]),
            (text.clone(), String::new(), Some(1)),
            "{path}"
        );
    }
    for (name, bytes) in [
        ("report.json", folder.bytes("out/report.json")),
        ("results.jsonl", folder.bytes("out/results.jsonl")),
    ] {
        let broken = folder.join(name);
        let half = bytes[..bytes.len() / 2].to_vec();
        let mut changed = bytes.clone();
        let place = bytes.len() / 2;
        changed[place] ^= 1;
        for (bytes, how) in [(half, "cut"), (changed, "changed")] {
            fs::write(&broken, bytes).unwrap();
            let (shown, complaint, code) = show(&[&broken]);
            assert_eq!((shown.as_str(), code), ("", Some(4)), "{name} {how}");
            assert!(complaint.contains(name), "{complaint}");
        }
    }
    let (_, complaint, code) = show(&[&folder.join("nothing-here")]);
    assert_eq!(code, Some(4), "{complaint}");
}

#[test]
fn a_killed_run_leaves_what_it_had_found() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("killed");
    let out = folder.join("out");
    let arguments = [
        "conform",
        "--fault",
        "M-VIEW-password-by-default",
        "--report",
        &out,
    ];
    let mut run = muster(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let results = folder.path().join("out/results.jsonl");
    let violated = "\"violated\":{\"REQ-VIEW-002\"";
    wait_until(|| {
        let text = fs::read_to_string(&results).unwrap_or_default();
        text.contains(violated) || text.contains("\"kind\":\"digest\"")
    });
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(
        !folder.path().join("out/report.json").exists(),
        "the run had ended"
    );
    let (text, complaint, code) = show(&[&out]);
    assert_eq!((text.as_str(), code), ("", Some(4)), "{complaint}");
    assert!(complaint.contains("--incomplete"), "{complaint}");
    let (text, _, code) = show(&[&out, "--incomplete"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("incomplete: results.jsonl lacks its end"),
        "{text}"
    );
    assert!(text.contains("REQ-VIEW-002 violated in "), "{text}");
    assert!(!text.contains(" pass "), "{text}");
}

/// Looks again and again until it is so; within bounds.
fn wait_until(mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it never came to that"
        );
        std::thread::yield_now();
    }
}

/// Every script of evidence below a report.
fn scripts(report: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(report.join("evidence")).unwrap();
    let scripts = folders.map(|folder| folder.unwrap().path().join("repeat.sh"));
    let mut scripts: Vec<PathBuf> = scripts.filter(|script| script.is_file()).collect();
    scripts.sort();
    scripts
}

/// Runs a script of evidence against a core.
fn repeat(script: &Path, core: &Core) -> Output {
    let target: Value = serde_json::from_str(&core.line).unwrap();
    let mut command = Command::new("sh");
    command
        .arg(script)
        .env("ADMIN_URL", target["admin"].as_str().unwrap());
    for (actor, token) in target["tokens"].as_object().unwrap() {
        let name = actor.to_uppercase().replace('-', "_");
        command.env(format!("TOKEN_{name}"), token.as_str().unwrap());
    }
    command.output().unwrap()
}

#[test]
fn evidence_repeats_against_the_target_that_was_judged_and_tells_another_apart() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("repeated");
    let faults = [
        ("M-VIEW-password-by-default", "VIEW-002"),
        ("M-BULK-accepts", "BULK-001"),
        ("M-CONF-last-writer", "CONFLICT-001"),
    ];
    for (fault, only) in faults {
        let core = Core::start(&["--fault", fault]);
        let description = core.target_in(&folder);
        let out = folder.join(fault);
        let run = output(&[
            "conform",
            "--target-json",
            &description,
            "--only",
            only,
            "--report",
            &out,
        ]);
        assert_eq!(run.status.code(), Some(1), "{fault}");
        let scripts = scripts(Path::new(&out));
        assert!(!scripts.is_empty(), "{fault}");
        for script in &scripts {
            let syntax = Command::new("sh").arg("-n").arg(script).status().unwrap();
            assert!(syntax.success(), "{}", script.display());
            let same = repeat(script, &core);
            let text = String::from_utf8_lossy(&same.stdout).into_owned();
            let complaint = String::from_utf8_lossy(&same.stderr).into_owned();
            assert_eq!(same.status.code(), Some(0), "{fault}: {text}{complaint}");
            assert!(text.contains("recorded 20"), "{text}");
        }
        let other = Core::start(&[]);
        let differs = repeat(&scripts[0], &other);
        let text = String::from_utf8_lossy(&differs.stdout).into_owned();
        assert_eq!(differs.status.code(), Some(1), "{fault}: {text}");
        assert!(text.contains("DIFFERENT"), "{text}");
    }
}

#[test]
fn a_password_that_slips_out_is_found_and_written_nowhere() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("leak");
    for (fault, form, around) in [
        (
            "M-AUD-password-in-event",
            "as base64 in an audit log",
            "local credential by device id, value <secret: ",
        ),
        (
            "M-AUD-password-in-error",
            "in clear in an answer of the admin plane",
            "The credential is `<secret: ",
        ),
        (
            "M-AUD-password-in-action",
            "as base64 of UTF-16LE in an answer",
            "\"detail\": \"<secret: ",
        ),
    ] {
        let out = folder.join(fault);
        let run = output(&[
            "conform",
            "--only",
            "AUDIT-010",
            "--fault",
            fault,
            "--report",
            &out,
        ]);
        let text = String::from_utf8(run.stdout).unwrap();
        assert_eq!(run.status.code(), Some(1), "{fault}: {text}");
        assert_eq!(
            verdicts(&folder.report(fault)),
            [("REQ-AUDIT-010".to_owned(), "fail".to_owned())]
        );
        let row = &folder.report(fault)["requirements"][0];
        let seen = row["violations"][0]["seen"].as_str().unwrap();
        assert!(seen.contains(form), "{fault}: {seen}");
        let shown = folder.bytes(&format!("{fault}/evidence/REQ-AUDIT-010-1/exchanges.json"));
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains(around), "{fault}: {shown}");
    }
}
