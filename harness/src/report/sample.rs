//! Reports made by hand for the tests of the formats.

use std::collections::BTreeMap;

use protocol::JoinType;

use super::{
    Audit, AuditLog, Fleet, Footer, Load, Quantiles, Report, RequirementRow, Run, SetUp,
    ViolationRow,
};
use crate::exit::{Cause, ExitCode};
use crate::verdict::{Level, Verdict};

/// A run in which all went well.
pub(crate) fn passed() -> Report {
    let mut report = Report::new(7, &[], Footer::complete());
    report.run = run();
    report.fleet = fleet();
    report.requirements = vec![row("REQ-ASSIGN-001", 2004), row("REQ-ROTATE-001", 98)];
    report.load = load();
    report.audit = audit();
    report
}

/// A run in which one requirement failed and another was not exercised.
pub(crate) fn failed() -> Report {
    let mut report = passed();
    let mut wrong = row("REQ-ROTATE-003", 40);
    wrong.verdict = Verdict::Fail;
    wrong.violated = 3;
    wrong.checks = vec!["rotate.offline.fails".to_owned()];
    wrong.evidence = vec!["evidence/REQ-ROTATE-003-1/violation.md".to_owned()];
    wrong.violations = vec![ViolationRow {
        fingerprint: "done-though-offline".to_owned(),
        required: "the action of an offline Entra joined device ends as failed".to_owned(),
        seen: "action state <done> & no detail".to_owned(),
    }];
    let mut idle = row("REQ-JOIN-002", 0);
    idle.verdict = Verdict::NotExercised;
    idle.evaluated = 0;
    report.requirements.insert(1, wrong);
    report.requirements.push(idle);
    report.run.fault = Some("M-ROT-done-though-offline".to_owned());
    let causes = report.requirement_causes();
    report.conclude(&causes);
    report
}

/// A run that was cut short.
pub(crate) fn interrupted() -> Report {
    let cause = Cause::new(
        ExitCode::Interrupted,
        "interrupted by SIGINT after 3.2 s".to_owned(),
    );
    let footer = Footer::incomplete(cause.text.clone());
    Report {
        run: run(),
        ..Report::new(7, &[cause], footer)
    }
}

fn run() -> Run {
    Run {
        muster_version: "0.1.0".to_owned(),
        target: "built-in".to_owned(),
        fault: None,
        fleet_digest: "f1".repeat(32),
        plan_digest: "2a".repeat(32),
        started_at: "2026-03-01T09:00:00Z".to_owned(),
        wall_s: 41.25,
        counts: BTreeMap::from([("pushed_sessions".to_owned(), 171)]),
    }
}

fn fleet() -> Fleet {
    Fleet {
        devices: 2000,
        online: 1400,
        offline: 600,
        by_join_type: BTreeMap::from([
            (JoinType::EntraJoined, 1000),
            (JoinType::EntraHybridJoined, 600),
            (JoinType::EntraRegistered, 100),
            (JoinType::DomainJoined, 200),
            (JoinType::NotJoined, 100),
        ]),
        cohort_devices: 48,
    }
}

fn row(id: &str, armed: u64) -> RequirementRow {
    RequirementRow {
        id: id.to_owned(),
        level: Level::Must,
        verdict: Verdict::Pass,
        evaluated: armed + 2,
        armed,
        at_most_one_in: None,
        violated: 0,
        anchors: vec!["SEED S19".to_owned()],
        checks: vec!["some.check".to_owned()],
        evidence: Vec::new(),
        sentence: format!("What {id} demands, in one sentence that is long enough to be folded."),
        violations: Vec::new(),
        fingerprints: BTreeMap::new(),
        blocked_by: None,
        recorded: BTreeMap::new(),
        expectation: None,
    }
}

fn load() -> Load {
    Load {
        set_up: SetUp {
            duration_s: 12.5,
            harness_cpu_s: 6.25,
            core_cpu_s: Some(5.0),
            harness_rss_bytes: 64 * 1024 * 1024,
            core_rss_bytes: Some(32 * 1024 * 1024),
        },
        planned: 7000,
        started: 7000,
        not_started: 0,
        completed: 6999,
        failed: 1,
        responses: 14_211,
        verified_responses: 14_210,
        duration_s: 10.0,
        check_ins_per_s: 699.9,
        latency_us: Quantiles {
            p50: 850,
            p90: 1_400,
            p99: 4_800,
            p999: 12_345,
            max: 1_250_000,
        },
        service_time_us: Quantiles {
            p50: 800,
            p90: 1_300,
            p99: 4_100,
            p999: 9_900,
            max: 31_000,
        },
        harness_cpu_s: 4.5,
        core_cpu_s: Some(3.25),
        harness_peak_rss_bytes: 96 * 1024 * 1024,
        core_peak_rss_bytes: Some(40 * 1024 * 1024),
    }
}

const fn audit() -> Audit {
    Audit {
        expected_low: 160,
        expected_high: 163,
        unknown_outcomes: 0,
        rotation_attempts: 150,
        password_reads: 13,
        log: AuditLog::Read {
            seen: 161,
            lost: 0,
            duplicated: 0,
            phantom: 0,
            misattributed: 0,
            foreign: 0,
            tier: 1,
        },
    }
}
