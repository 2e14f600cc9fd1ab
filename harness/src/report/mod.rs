//! The report of a run: one value that every format is written from.
//!
//! | module | format |
//! |---|---|
//! | [`text`] | the table for people |
//! | [`json`] | `report.json` |
//! | [`junit`] | `junit.xml` |
//! | `audit` | the audit books in it |
//! | [`measurement`], [`capacity`] | what `load` and `capacity` add |
//! | [`results`] | `results.jsonl`, written while a run goes on |
//! | [`evidence`] | one folder a violation, secrets removed |
//! | [`folder`] | the folder they go into |

use std::collections::BTreeMap;

use protocol::JoinType;
use serde::{Deserialize, Serialize};

use crate::catalogue::Requirement;
use crate::conform::Summary;
use crate::exit::{self, Cause, ExitCode, RunVerdict};
use crate::expectations::{ExpectationsNote, ExpectedRow};
use crate::profile::ProfileNote;
use crate::properties::PropertyReport;
use crate::verdict::{Level, Standing, Tally, Verdict};

mod audit;
pub mod capacity;
mod counts;
pub mod evidence;
pub mod folder;
pub mod json;
pub mod junit;
pub mod measurement;
pub mod redact;
pub mod results;
mod seal;
pub mod text;

pub use audit::{Audit, AuditLog};
use redact::Redactor;

/// The schema that [`json`] writes and reads.
pub const SCHEMA: &str = "muster.report/1";

/// Everything that is reported of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The verdict on the run as a whole.
    pub verdict: RunVerdict,
    /// What the process ends with.
    pub exit_code: u8,
    /// Every reason for an exit code other than 0, not only the one that won.
    pub causes: Vec<String>,
    /// The seed of everything that was drawn.
    pub seed: u64,
    /// What ran against what.
    pub run: Run,
    /// The devices.
    pub fleet: Fleet,
    /// One row a requirement, in the catalogue's order.
    pub requirements: Vec<RequirementRow>,
    /// The load and its times.
    pub load: Load,
    /// Operations against audit events.
    pub audit: Audit,
    /// What the target's profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileNote>,
    /// Every property: what was declared, what was seen, and who witnessed it.
    #[serde(default)]
    pub properties: Vec<PropertyReport>,
    /// The list of expected failures, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectations: Option<ExpectationsNote>,
    /// How the load was offered and measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<measurement::Measurement>,
    /// What a search for the capacity found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<capacity::Capacity>,
    /// What only a conformance run has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conform: Option<Summary>,
    /// Whether the run came to its end; in `report.json` only the digest stands behind it.
    pub footer: Footer,
}

/// What ran against what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The version of muster.
    pub muster_version: String,
    /// `built-in`, or `external` for a target that was described by a file.
    pub target: String,
    /// The deliberate defect that was switched on in the built-in core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Digest of every device's identity; equal seeds and options give equal digests.
    pub fleet_digest: String,
    /// Digest of every planned check-in; equal seeds and options give equal digests.
    pub plan_digest: String,
    /// When the run began, UTC.
    pub started_at: String,
    /// From the first step to the report.
    pub wall_s: f64,
    /// Further counts, for example `pushed_sessions`.
    pub counts: BTreeMap<String, u64>,
}

/// The load fleet; `cohort_devices` come on top of `devices`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// Devices of the load fleet.
    pub devices: u64,
    /// Of those, the ones that stayed online.
    pub online: u64,
    /// Of those, the ones that went offline after their first session.
    pub offline: u64,
    /// Devices of the load fleet by join state.
    pub by_join_type: BTreeMap<JoinType, u64>,
    /// Devices of the cohorts that exercise the requirements.
    pub cohort_devices: u64,
}

/// One requirement's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementRow {
    /// For example `REQ-ROTATE-003`.
    pub id: String,
    /// How binding it is.
    pub level: Level,
    /// The result.
    pub verdict: Verdict,
    /// How often a check looked at a case.
    pub evaluated: u64,
    /// How often a wrong target would have been caught.
    pub armed: u64,
    /// [`Tally::at_most_one_in`] of a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_one_in: Option<u64>,
    /// How often it was violated.
    pub violated: u64,
    /// Where it is written, for example `SEED S19`.
    #[serde(default)]
    pub anchors: Vec<String>,
    /// The checks that decided it.
    pub checks: Vec<String>,
    /// Files with the proof, as paths below the report's folder.
    pub evidence: Vec<String>,
    /// The requirement as one sentence.
    pub sentence: String,
    /// The first violations; the file with the proof of the n-th is the n-th of `evidence`.
    pub violations: Vec<ViolationRow>,
    /// How often it was violated in each way, all violations counted.
    #[serde(default)]
    pub fingerprints: BTreeMap<String, u64>,
    /// The positive control that did not pass, of a row that is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
    /// The choices recorded for it, by property.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recorded: BTreeMap<String, String>,
    /// What became of it, if the list of expected failures speaks of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation: Option<ExpectedRow>,
}

/// One violation, without its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViolationRow {
    /// Short stable name of the way it was violated.
    pub fingerprint: String,
    /// What was required.
    pub required: String,
    /// What was seen.
    pub seen: String,
}

/// The load as it was planned and as it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What came before it.
    pub set_up: SetUp,
    /// Check-ins that the plan holds.
    pub planned: u64,
    /// Check-ins that were begun.
    pub started: u64,
    /// Check-ins that could not be begun in time; `planned` is `started` and these.
    pub not_started: u64,
    /// Check-ins that came to their end.
    pub completed: u64,
    /// Check-ins that did not.
    pub failed: u64,
    /// Answers received.
    pub responses: u64,
    /// Answers that were compared with what the device had to get, and were right.
    pub verified_responses: u64,
    /// How long the load lasted.
    pub duration_s: f64,
    /// Completed check-ins a second.
    pub check_ins_per_s: f64,
    /// From the intended start of a check-in to its end.
    pub latency_us: Quantiles,
    /// From the first request of a check-in to its end.
    pub service_time_us: Quantiles,
    /// Processor time of this process during the load.
    pub harness_cpu_s: f64,
    /// Processor time of the core during the load; unknown for an external target.
    pub core_cpu_s: Option<f64>,
    /// Most memory that this process held.
    pub harness_peak_rss_bytes: u64,
    /// Most memory that the core held; unknown for an external target.
    pub core_peak_rss_bytes: Option<u64>,
}

/// From the start of the run until the last device of the fleet was enrolled, with its policy and a
/// password stored, and nothing else had happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetUp {
    /// How long it took.
    pub duration_s: f64,
    /// Processor time of this process.
    pub harness_cpu_s: f64,
    /// Processor time of the core; unknown for an external target.
    pub core_cpu_s: Option<f64>,
    /// Memory that this process held at its end.
    pub harness_rss_bytes: u64,
    /// Memory that the core held at its end; unknown for an external target.
    pub core_rss_bytes: Option<u64>,
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// Whether the report is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// True when the run came to its planned end.
    pub complete: bool,
    /// What cut it short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Report {
    /// A report without content that says how the run ended.
    #[must_use]
    pub fn new(seed: u64, causes: &[Cause], footer: Footer) -> Self {
        let mut report = Self {
            schema: SCHEMA.to_owned(),
            verdict: RunVerdict::Pass,
            exit_code: 0,
            causes: Vec::new(),
            seed,
            run: Run::default(),
            fleet: Fleet::default(),
            requirements: Vec::new(),
            load: Load::default(),
            audit: Audit::default(),
            profile: None,
            properties: Vec::new(),
            expectations: None,
            measurement: None,
            capacity: None,
            conform: None,
            footer,
        };
        report.conclude(causes);
        report
    }

    /// Sets verdict, exit code and causes, which belong together.
    pub fn conclude(&mut self, causes: &[Cause]) {
        let code = exit::gravest(causes);
        self.verdict = code.verdict();
        self.exit_code = code.number();
        self.causes = causes.iter().map(|cause| cause.text.clone()).collect();
    }

    /// The causes that the requirements give: a failed one, and a MUST that was not exercised.
    #[must_use]
    pub fn requirement_causes(&self) -> Vec<Cause> {
        self.requirements
            .iter()
            .filter_map(RequirementRow::cause)
            .collect()
    }

    /// The cause of a report in which no row was put to the test and judged: nothing in it passed.
    #[must_use]
    pub fn nothing_judged(&self) -> Option<Cause> {
        let judged = |row: &RequirementRow| match row.verdict {
            Verdict::Pass | Verdict::Fail | Verdict::Deviation | Verdict::Recorded => true,
            Verdict::NotExercised
            | Verdict::Blocked
            | Verdict::NotApplicable
            | Verdict::NotTested
            | Verdict::Error => false,
        };
        if self.requirements.iter().any(judged) {
            return None;
        }
        let text = "no requirement was put to the test".to_owned();
        Some(Cause::new(ExitCode::Undetermined, text))
    }

    /// Rows that failed or deviated as the list of expected failures says.
    #[must_use]
    pub fn expected_failures(&self) -> usize {
        let rows = self.requirements.iter();
        rows.filter(|row| row.is_expected() && row.violated > 0)
            .count()
    }

    /// Enters what the properties show, and the choices into the rows that record them.
    pub fn record(&mut self, properties: Vec<PropertyReport>) {
        for row in &mut self.requirements {
            let own = properties.iter().filter(|one| one.requirement == row.id);
            row.recorded = own
                .filter_map(|one| Some((one.property.clone(), one.inferred.clone()?)))
                .collect();
        }
        self.properties = properties;
    }
}

impl RequirementRow {
    /// The row of a requirement from the counts of its checks. Sentences about what was seen are
    /// freed from secrets.
    #[must_use]
    pub fn new(
        requirement: &Requirement,
        (tally, standing): (&Tally, Standing),
        checks: Vec<String>,
        redactor: &Redactor,
    ) -> Self {
        let violations = tally
            .violations
            .iter()
            .map(|violation| ViolationRow {
                fingerprint: violation.fingerprint.to_owned(),
                required: redactor.scan(&violation.required),
                seen: redactor.scan(&violation.seen),
            })
            .collect();
        let verdict = tally.verdict(requirement.level, standing);
        Self {
            id: requirement.id.clone(),
            level: requirement.level,
            verdict,
            evaluated: tally.evaluated,
            armed: tally.armed,
            at_most_one_in: match verdict {
                Verdict::Pass => tally.at_most_one_in(),
                Verdict::Fail
                | Verdict::Deviation
                | Verdict::Recorded
                | Verdict::NotExercised
                | Verdict::Blocked
                | Verdict::NotApplicable
                | Verdict::NotTested
                | Verdict::Error => None,
            },
            violated: tally.violated,
            anchors: requirement
                .source
                .iter()
                .map(|source| format!("{} {}", source.doc, source.anchor))
                .collect(),
            checks,
            evidence: Vec::new(),
            sentence: requirement.sentence.clone(),
            violations,
            fingerprints: tally
                .fingerprints
                .iter()
                .map(|(fingerprint, count)| ((*fingerprint).to_owned(), *count))
                .collect(),
            blocked_by: match verdict {
                Verdict::Blocked => requirement.twin.clone(),
                Verdict::Pass
                | Verdict::Fail
                | Verdict::Deviation
                | Verdict::Recorded
                | Verdict::NotExercised
                | Verdict::NotApplicable
                | Verdict::NotTested
                | Verdict::Error => None,
            },
            recorded: BTreeMap::new(),
            expectation: None,
        }
    }

    /// True when it ended as the list of expected failures says.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        let expectation = self.expectation.as_ref();
        expectation.is_some_and(|row| row.outcome.is_as_expected())
    }

    /// The word in tables: the verdict, or what became of an expectation.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.expectation {
            Some(row) => row.outcome.as_str(),
            None => self.verdict.as_str(),
        }
    }

    fn cause(&self) -> Option<Cause> {
        if self.is_expected() {
            return None;
        }
        match (self.verdict, self.level) {
            (Verdict::Fail, _) => Some(Cause::new(
                ExitCode::Failed,
                format!(
                    "{} failed: violated in {} of {} cases",
                    self.id, self.violated, self.armed
                ),
            )),
            (Verdict::NotExercised, Level::Must) => Some(Cause::new(
                ExitCode::Undetermined,
                format!("{} was not exercised", self.id),
            )),
            (Verdict::Blocked, _) => Some(Cause::new(
                ExitCode::Undetermined,
                format!(
                    "{} is blocked: its positive control {} did not pass",
                    self.id,
                    self.blocked_by.as_deref().unwrap_or("is unknown and")
                ),
            )),
            (Verdict::Error, _) => Some(Cause::new(
                ExitCode::Undetermined,
                format!("{} was not judged: the harness broke", self.id),
            )),
            (
                Verdict::Pass
                | Verdict::Deviation
                | Verdict::Recorded
                | Verdict::NotExercised
                | Verdict::NotApplicable
                | Verdict::NotTested,
                Level::Must | Level::Should | Level::Recorded,
            ) => None,
        }
    }
}

impl Footer {
    /// The run came to its planned end.
    #[must_use]
    pub const fn complete() -> Self {
        Self {
            complete: true,
            reason: None,
        }
    }

    /// The run was cut short.
    #[must_use]
    pub const fn incomplete(reason: String) -> Self {
        Self {
            complete: false,
            reason: Some(reason),
        }
    }
}

#[cfg(test)]
pub(crate) mod sample;
