//! Every deliberate defect of the core turns the requirement it names to fail.

use std::collections::BTreeSet;

use super::util::{Folder, one_fleet_at_a_time, output, verdicts};

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
