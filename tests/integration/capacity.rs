//! `muster capacity` and `doctor` as a user starts them.

use crate::load::strings;
use crate::util::{Core, Folder, one_fleet_at_a_time, output};

#[test]
fn the_capacity_of_one_server_is_its_rate_or_the_machine_is_told_to_be_the_limit() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("capacity");
    let core = Core::start(&["--seed", "6", "--limit-rate", "100"]);
    let target = core.target_in(&folder);
    let run = output(&[
        "capacity",
        "--quick",
        "--devices",
        "200",
        "--start-rate",
        "80",
        "--max-rate",
        "160",
        "--trial",
        "6s",
        "--goal",
        "check_in.latency.p90<500ms",
        "--report",
        &folder.join("out"),
        "--target-json",
        &target,
    ]);
    let report = folder.report("out");
    let capacity = &report["capacity"];
    let trials = capacity["trials"].as_array().unwrap();
    let invalid = trials.iter().any(|trial| !trial["invalid"].is_null());
    match run.status.code() {
        // A busy machine may have said nothing of some rate: then the bound is the generator's.
        Some(0) if invalid => assert!(capacity["lower_per_s"].as_f64().unwrap() < 115.0),
        Some(0) => {
            let lower = capacity["lower_per_s"].as_f64().unwrap();
            assert!((90.0..=110.0).contains(&lower), "{capacity}");
            let day = capacity["supports"][0]["devices"].as_f64().unwrap();
            assert!((day - lower * 28_800.0).abs() < 1.0, "{capacity}");
        }
        Some(2 | 7) => assert!(invalid && capacity["lower_per_s"].is_null(), "{capacity}"),
        other => panic!("{other:?}: {}", strings(&report["causes"])),
    }
    drop(core);
}

#[test]
fn doctor_tells_the_limits() {
    let run = output(&["doctor"]);
    assert_eq!(run.status.code(), Some(0));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    for named in [
        "file descriptors",
        "local ports",
        "processors",
        "clock step",
        "largest load",
    ] {
        assert!(text.contains(named), "{text}");
    }
}
