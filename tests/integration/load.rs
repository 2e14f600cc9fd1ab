//! `muster load` as a user starts it: exit codes, books, and figures that must be what arithmetic
//! says.
//!
//! The machine may be busy. So times have lower bounds that no noise undercuts, generous upper
//! ones, and limits on check-ins are wide wherever a test is not about them.

use std::path::Path;

use serde_json::Value;

use crate::util::{Core, Folder, one_fleet_at_a_time, output, verdicts};

/// A limit that allows a start delay of 3 s, so that a busy machine makes no figure invalid.
pub(crate) const WIDE: [&str; 2] = ["--threshold", "check_in.latency.max<60s"];

pub(crate) fn load<'a>(arguments: &[&'a str], out: &'a str) -> Vec<&'a str> {
    [&["load", "--report", out], arguments].concat()
}

pub(crate) fn strings(value: &Value) -> String {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// planned = started + not started, started = completed + failed.
pub(crate) fn balanced(books: &Value) {
    let of = |name: &str| books[name].as_u64().unwrap();
    assert_eq!(of("planned"), of("started") + of("not_started"), "{books}");
    assert_eq!(of("started"), of("completed") + of("failed"), "{books}");
}

#[test]
fn a_load_passes_with_everything_booked_and_verified() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("load");
    let out = folder.join("out");
    let arguments = [
        &["--devices", "150", "--rate", "60", "--duration", "3s"][..],
        &["--warm-up", "1s", "--operation", "rotate=5/s"],
        &[
            "--operation",
            "credential_read=4/s",
            "--operation",
            "audit_read=1/s",
        ],
        &[
            "--operation",
            "policy_edit=2/s",
            "--operation",
            "sign_in=2/s",
        ],
        &["--operation", "bulk_attempt=1/s"],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(0), "{text}");
    let report = folder.report("out");
    let measurement = &report["measurement"];
    for (window, planned) in [("warm_up", 60), ("measured", 180)] {
        balanced(&measurement[window]);
        assert_eq!(measurement[window]["planned"], planned, "{window}");
    }
    assert_eq!(
        report["load"]["planned"], 180,
        "only the measured phase is judged"
    );
    for (errand, planned) in [
        ("credential_read", 12),
        ("audit_read", 3),
        ("policy_edit", 6),
        ("sign_in", 6),
        ("bulk_attempt", 3),
    ] {
        let books = &measurement["errands"][errand];
        balanced(books);
        assert_eq!(books["planned"], planned, "{errand}");
        assert_eq!(measurement["operations"][errand]["count"], books["started"]);
    }
    for operation in ["check_in", "message", "backup", "rotate"] {
        let row = &measurement["operations"][operation];
        assert!(row["count"].as_u64().unwrap() > 0, "{operation}");
        assert_eq!(row["failed"], 0, "{operation}");
    }
    let rotations = &measurement["errands"]["rotate"];
    balanced(rotations);
    let rotated = &measurement["operations"]["rotate"]["count"];
    assert_eq!(&rotations["started"], rotated);
    assert_eq!(
        report["load"]["responses"],
        report["load"]["verified_responses"]
    );
    let of = |name: &str| measurement["descriptors"][name].as_u64().unwrap();
    assert!((1..=of("limit")).contains(&of("peak")), "{measurement}");
    let told = format!("descriptors   up to {} of {} open", of("peak"), of("limit"));
    assert!(text.contains(&told), "{text}");
    assert_eq!(report["audit"]["lost"], 0);
    assert!(report["audit"]["password_reads"].as_u64().unwrap() >= 12);
    every_second_is_kept(Path::new(&out), measurement);
}

fn every_second_is_kept(out: &Path, measurement: &Value) {
    let log = std::fs::read_to_string(out.join("intervals.hlog")).unwrap();
    for tag in [
        "Tag=check_in.latency,",
        "Tag=warm_up.check_in.latency,",
        "Tag=rotate.",
    ] {
        assert!(log.contains(tag), "{tag}");
    }
    let seconds = measurement["seconds"].as_array().unwrap();
    let ended: u64 = seconds
        .iter()
        .map(|row| row["ended"].as_u64().unwrap())
        .sum();
    assert_eq!(ended, 240, "every check-in is in some second");
}

#[test]
fn a_storm_on_one_server_takes_what_the_queue_takes() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("storm");
    let core = Core::start(&["--seed", "5", "--limit-rate", "200"]);
    let target = core.target_in(&folder);
    let out = folder.join("out");
    let arguments = [
        &[
            "--devices",
            "420",
            "--offline",
            "0.02",
            "--schedule",
            "storm:400,4s",
            "--connections",
            "64",
        ][..],
        &["--operation", "rotate=0/s", "--target-json", &target],
        &["--threshold", "check_in.latency.max<60s"],
        &["--threshold", "check_in.latency.max<=1s"],
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let report = folder.report("out");
    let check_ins = &report["measurement"]["operations"]["check_in"];
    assert_eq!(check_ins["count"], 400, "{text}");
    // The k-th of N that come at once leaves a server of rate R at k/R: 400 at 200/s.
    for (point, at_least_us) in [("p50", 1_000_000), ("p90", 1_800_000), ("max", 2_000_000)] {
        let seen = check_ins["latency_us"][point].as_u64().unwrap();
        let noise_us = 1_000_000;
        assert!(
            (at_least_us * 999 / 1_000..at_least_us + noise_us).contains(&seen),
            "{point} {seen} us for {at_least_us} us"
        );
    }
    // A clock that starts with the request would see a fraction of the queue only: 64 connections.
    let service = check_ins["service_time_us"]["max"].as_u64().unwrap();
    assert!(service < 1_000_000, "{service}");
    let missed = &report["measurement"]["thresholds"][1];
    assert_eq!(missed["result"], "missed", "{missed}");
    drop(core);
}

#[test]
fn a_bound_on_sessions_under_way_is_told_where_it_kept_check_ins_from_starting() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("in-flight");
    let core = Core::start(&["--seed", "5", "--limit-rate", "100"]);
    let target = core.target_in(&folder);
    let out = folder.join("out");
    let arguments = [
        &["--devices", "60", "--offline", "0.02"][..],
        &["--schedule", "storm:50,2s", "--in-flight", "10"],
        &["--operation", "rotate=0/s", "--target-json", &target],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let report = folder.report("out");
    let books = &report["measurement"]["measured"];
    balanced(books);
    // All are due at once, and none of the ten is over before the last of the others was due.
    assert_eq!(
        (&books["started"], &books["not_started"]),
        (&10.into(), &40.into())
    );
    let causes = strings(&report["causes"]);
    assert!(causes.contains("40 of 50 check-ins"), "{causes}");
    assert!(
        causes.contains("10 were under way, the most of --in-flight"),
        "{causes}"
    );
    assert_ne!(run.status.code(), Some(0));
    drop(core);
}

#[test]
fn a_missed_threshold_exits_6_and_names_itself() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("missed");
    let out = folder.join("out");
    let arguments = [
        &["--devices", "100", "--duration", "1s", "--rate", "50"][..],
        &["--threshold", "rotate.latency.max<1us"],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(6), "{text}");
    let report = folder.report("out");
    assert_eq!(report["verdict"], "fail");
    let causes = strings(&report["causes"]);
    assert!(causes.contains("rotate.latency.max<1us missed"), "{causes}");
}

#[test]
fn a_percentile_on_few_check_ins_exits_7() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("few");
    let out = folder.join("out");
    let arguments = [
        &["--devices", "100", "--duration", "1s", "--rate", "50"][..],
        &["--threshold", "check_in.latency.p99<60s"],
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    assert_eq!(run.status.code(), Some(7));
    let causes = strings(&folder.report("out")["causes"]);
    assert!(causes.contains("which needs 270336"), "{causes}");
}

#[test]
fn a_generator_that_is_asked_too_much_exits_7() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("overload");
    let out = folder.join("out");
    let arguments = [
        &["--devices", "1500", "--offline", "0.02", "--shards", "1"][..],
        &["--schedule", "constant:100000/s,2s"],
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let report = folder.report("out");
    let causes = strings(&report["causes"]);
    assert_eq!(run.status.code(), Some(7), "{causes}");
    assert!(
        causes.contains("the generator was the bottleneck"),
        "{causes}"
    );
    assert_eq!(report["verdict"], "invalid");
    balanced(&report["measurement"]["measured"]);
}

#[test]
fn a_threshold_that_is_lost_ends_the_load_where_that_is_asked_for() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("abort");
    let out = folder.join("out");
    let arguments = [
        &["--devices", "60", "--duration", "10m", "--rate", "20"][..],
        &["--abort-on-fail", "--threshold", "check_in.latency.max<1us"],
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    // The limit is so tight that the start delay may be over its share, too.
    assert!(matches!(run.status.code(), Some(6 | 7)), "{:?}", run.status);
    let report = folder.report("out");
    assert_eq!(report["footer"]["complete"], false);
    let causes = strings(&report["causes"]);
    assert!(causes.contains("can no longer be kept"), "{causes}");
    assert!(report["run"]["wall_s"].as_f64().unwrap() < 120.0);
    balanced(&report["measurement"]["measured"]);
}

#[test]
fn without_verification_there_is_no_pass() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("no-verify");
    let out = folder.join("out");
    let arguments = [
        &[
            "--devices",
            "60",
            "--duration",
            "1s",
            "--rate",
            "30",
            "--no-verify",
        ][..],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    assert_eq!(run.status.code(), Some(2));
    let report = folder.report("out");
    assert_eq!(report["verdict"], "undetermined");
    assert_eq!(report["load"]["verified_responses"], 0);
    assert_eq!(report["measurement"]["verified"], false);
    let offered = strings(&report["measurement"]["offered"]);
    assert!(offered.contains("not verified"), "{offered}");
}

#[test]
fn a_shipped_fleet_is_played_in_its_time() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("fleet");
    let out = folder.join("out");
    let arguments = [
        &[
            "--fleet",
            "enrolment-storm",
            "--devices",
            "90",
            "--compress",
            "60",
        ][..],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let report = folder.report("out");
    let measurement = &report["measurement"];
    let enrolments = &measurement["operations"]["enrol"];
    assert_eq!(
        (&enrolments["count"], &enrolments["failed"]),
        (&90.into(), &0.into()),
        "{text}"
    );
    // 90 devices once in 3 minutes, 60 times as fast for 3 s.
    assert_eq!(measurement["measured"]["completed"], 90);
    let offered = strings(&measurement["offered"]);
    assert!(
        offered.contains("time compressed 60 times: 3s stand for 3m"),
        "{offered}"
    );
    assert!(text.contains("enrolment-storm: "), "{text}");
}

#[test]
fn the_first_part_of_a_fleet_is_played_alone() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("first");
    let out = folder.join("out");
    let arguments = [
        &["--fleet", "post-enrolment", "--devices", "60"][..],
        &["--first", "20m", "--compress", "600"],
        &["--operation", "rotate=1/s"],
        &WIDE,
    ]
    .concat();
    let run = output(&load(&arguments, &out));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(0), "{text}");
    let measurement = &folder.report("out")["measurement"];
    // Every 3 minutes for 15 minutes: 5 for each device; then 5 of every 15 minutes.
    assert_eq!(measurement["measured"]["planned"], 60 * 5 + 60 / 3);
    let offered = strings(&measurement["offered"]);
    for told in [
        "constant:@3m,15m\nconstant:@15m,2h\nof these phases only the first 20m of 150m in all",
        "time compressed 600 times: 2s stand for 20m",
    ] {
        assert!(offered.contains(told), "{offered}");
    }
    assert!(!offered.contains("@8h"), "a phase behind: {offered}");
    assert!(text.contains("only the first 20m of 150m"), "{text}");
}

#[test]
fn a_cadence_that_the_poll_table_does_not_have_is_refused_or_told() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("poll");
    for (ignore, code) in [(None, 4), (Some("--ignore-poll"), 0)] {
        let out = folder.join("out");
        let arguments = [
            &[
                "--devices",
                "60",
                "--schedule",
                "constant:@1m,2m",
                "--compress",
                "60",
            ][..],
            &WIDE,
        ]
        .concat();
        let mut arguments = load(&arguments, &out);
        arguments.extend(ignore);
        let run = output(&arguments);
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert_eq!(run.status.code(), Some(code), "{text}");
        assert!(text.contains("poll table"), "{text}");
    }
}

#[test]
fn what_does_not_read_exits_4_and_is_named() {
    for (arguments, named) in [
        (&["--threshold", "check_in.latency.p99>5ms"][..], "no `<`"),
        (&["--fleet", "monday"], "neither a file nor a shipped fleet"),
        (&["--schedule", "wave:5/s,1s"], "`wave` is no shape"),
        (&["--operation", "dance=1/s"], "`dance` is no operation"),
        (
            &["--schedule", "constant:1000000/s,30h"],
            "268435456 events",
        ),
        (&["--fleet", "poll-1m", "--rate", "5"], "--rate"),
        (
            &["--fleet", "poll-1m", "--first", "0s"],
            "`0s` is not a time",
        ),
        (&["--first", "5s"], "no schedule to cut"),
        (
            &["--fleet", "post-enrolment", "--first", "151m"],
            "`151m` is longer than the schedule, which ends after 150m",
        ),
        (
            &["--schedule", "constant:5/s,1s", "--first", "1001ms"],
            "which ends after 1s",
        ),
    ] {
        let run = output(&[&["load"], arguments].concat());
        let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(4), "{complaint}");
        assert!(complaint.contains(named), "{complaint}");
    }
}

#[test]
fn a_slow_core_is_measured_and_not_failed() {
    let _fleet = one_fleet_at_a_time();
    let folder = Folder::new("slow");
    // One request at a time, 10 ms each.
    let core = Core::start(&["--seed", "8", "--limit-rate", "100"]);
    let target = core.target_in(&folder);
    let out = folder.join("out");
    for (limit, code, verdict) in [
        ("message.service_time.max<60s", 0, "pass"),
        ("message.service_time.max<9ms", 6, "fail"),
    ] {
        let arguments = [
            &["--devices", "40", "--rate", "10", "--duration", "3s"][..],
            &["--operation", "rotate=1/s", "--target-json", &target],
            &["--threshold", limit],
            &WIDE,
        ]
        .concat();
        let run = output(&load(&arguments, &out));
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert_eq!(run.status.code(), Some(code), "{text}");
        let report = folder.report("out");
        assert_eq!(report["verdict"], verdict, "{text}");
        let verdicts = verdicts(&report);
        assert!(
            verdicts.iter().all(|(_, one)| one == "pass"),
            "{verdicts:?}"
        );
        let check_ins = &report["measurement"]["operations"]["check_in"];
        assert_eq!(
            (&check_ins["count"], &check_ins["failed"]),
            (&30.into(), &0.into())
        );
        let p50 = check_ins["latency_us"]["p50"].as_u64().unwrap();
        assert!(p50 >= 9_990, "{p50} us, of which the core takes 10 ms");
    }
    drop(core);
}
