//! A cut of the proof that the suite can fail; the whole of it takes minutes.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::util::{Folder, one_fleet_at_a_time, output};

/// Fixed, so that a failure is the same one again; so many that every area has a fault among them.
const SEED: &str = "3";
const SAMPLE: &str = "18";

fn rows<'m>(matrix: &'m Value, name: &str) -> &'m Vec<Value> {
    matrix[name].as_array().unwrap()
}

fn texts(row: &Value, name: &str) -> Vec<String> {
    let texts = row[name].as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_sample_of_faults_dies_as_declared_and_nothing_passes_on_hollow_cores() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("prove");
    let run = output(&[
        "prove",
        // Legal variants have a test of their own.
        "--only",
        "M-*,D-*,hollow-*,*-to-all,closed-port,accept-and-hang,empty-json,echo,crash-on-rotate",
        "--sample",
        SAMPLE,
        "--pairs",
        "3",
        "--seed",
        SEED,
        "--jobs",
        "4",
        "--report",
        &folder.join("out"),
    ]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(0), "seed {SEED}: {text}");
    let bytes = fs::read(folder.path().join("out/kill-matrix.json")).unwrap();
    let matrix: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(matrix["schema"], "muster.killmatrix/2");
    assert_eq!(matrix["complete"], true);
    faults(&matrix);
    for null in rows(&matrix, "null_cores") {
        assert!(texts(null, "passed").is_empty(), "{null}");
        let violated = texts(null, "violated").len();
        assert_eq!(violated > 0, null["kind"] == "hollow", "{null}");
    }
    assert_eq!(rows(&matrix, "null_cores").len(), 14);
    assert_eq!(rows(&matrix, "pairs").len(), 3);
    for pair in rows(&matrix, "pairs") {
        assert_eq!(pair["outcome"], "detected", "{pair}");
    }
    for fault in rows(&matrix, "device_faults") {
        assert_eq!(fault["outcome"], "killed", "{fault}");
    }
    for planned in rows(&matrix, "planned") {
        assert!(!planned["reason"].as_str().unwrap().is_empty(), "{planned}");
    }
}

fn faults(matrix: &Value) {
    let mut areas = BTreeSet::new();
    for fault in rows(matrix, "faults") {
        assert_eq!(fault["outcome"], "killed", "{fault}");
        let count = |name: &str| fault[name].as_u64().unwrap();
        assert!(
            count("fired") >= 1 && count("fired") <= count("reached"),
            "{fault}"
        );
        let declared = texts(fault, "declared");
        let kills = rows(fault, "killed_by");
        let shown = kills.iter().any(|kill| {
            let print = kill["fingerprint"].as_str().unwrap();
            assert!(!texts(kill, "checks").is_empty(), "{fault}");
            declared.iter().any(|declared| declared == print)
        });
        assert!(shown, "{fault}");
        let area = fault["intended"].as_str().unwrap().split('-').nth(1);
        areas.insert(area.unwrap().to_owned());
    }
    // Every area that has a fault of the core.
    assert_eq!(areas.len(), 16, "{areas:?}");
}
