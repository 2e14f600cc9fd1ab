//! What a load is held against, and what comes of it.

use std::path::PathBuf;
use std::time::Duration;

use super::reading::LoadUsage;
use super::{CapacityOptions, Ground, Happened};
use crate::error::Error;
use crate::exit::{Cause, ExitCode};
use crate::load::{LoadOutcome, Verification};
use crate::metrics::{Operation, Timings};
use crate::quantity::spoken_ns;
use crate::report::measurement::{BooksRow, Measurement, OperationRow};
use crate::schedule::spec::PhaseSpec;
use crate::threshold::{Held, Subject, Threshold};
use crate::usage::Descriptors;
use crate::validity::{self, Doubt, Own};

/// How often a load is looked at that ends early when a threshold is lost.
const LOOK: Duration = Duration::from_millis(500);

/// What the user asks of the measurement.
#[derive(Clone, Debug, Default)]
pub struct Exam {
    /// Whether the measurement decides the verdict.
    pub weight: Weight,
    /// The name of the fleet file.
    pub profile: Option<String>,
    /// The limits.
    pub thresholds: Vec<Threshold>,
    /// What happens when a limit can no longer be kept.
    pub lost: Lost,
    /// Cadences that the target's poll table does not have are played all the same.
    pub poll: Poll,
    /// Trials after the load, to find the capacity of the target.
    pub capacity: Option<CapacityOptions>,
    /// Where the interval log goes.
    pub folder: Option<PathBuf>,
}

/// Whether a measurement decides the verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// Doubts about it are notes; scenarios run beside the load.
    #[default]
    Note,
    /// It does: a missed threshold and a doubt have exit codes. Scenarios run before the load, so
    /// that the measured phase holds what was planned and nothing else.
    Binding,
}

/// What happens when a threshold can no longer be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lost {
    /// The load goes on to its end.
    #[default]
    GoOn,
    /// It ends.
    Abort,
}

/// What a cadence means that the target's poll table does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Poll {
    /// The load is refused: devices obey the table.
    #[default]
    Obey,
    /// The load is played all the same, and the report says so.
    Ignore,
}

impl Ground {
    /// Returns the threshold that can no longer be kept; never when the load shall go on.
    pub(super) async fn lost_threshold(&self) -> Threshold {
        let exam = &self.options.exam;
        if exam.lost == Lost::GoOn {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(LOOK).await;
            let so_far = self.kept.so_far();
            let lost = exam.thresholds.iter().find(|threshold| {
                let planned = self.planned(threshold.subject);
                planned.is_some_and(|planned| threshold.is_lost(&so_far, planned))
            });
            if let Some(lost) = lost {
                return *lost;
            }
        }
    }

    /// How many operations the plan has of what a threshold speaks of, where it knows.
    fn planned(&self, subject: Subject) -> Option<u64> {
        if subject.operation() != Operation::CheckIn {
            return None;
        }
        let schedule = self.plan.rate();
        Some(schedule.events() - schedule.events_before(self.plan.warm_up_ns()))
    }

    /// Refuses cadences that the target's poll table does not have, unless it is to be ignored.
    pub(super) fn obey_poll(&self, intervals_ns: &[u64]) -> Result<(), Error> {
        let departing = self.departing_cadence(intervals_ns);
        match (departing, self.options.exam.poll) {
            (None, _) | (Some(_), Poll::Ignore) => Ok(()),
            (Some(cadence_ns), Poll::Obey) => Err(Error::SetUp(format!(
                "the target's poll table has {} and no cadence of {}; --ignore-poll plays it all the same",
                spoken_list(intervals_ns),
                spoken_ns(cadence_ns)
            ))),
        }
    }

    fn departing_cadence(&self, intervals_ns: &[u64]) -> Option<u64> {
        let phases = self.plan.options().played();
        let mut cadences = phases.filter_map(PhaseSpec::cadence_ns);
        cadences.find(|cadence| !intervals_ns.contains(cadence))
    }

    /// The measurement as it is reported, and the causes that follow from it.
    pub(super) fn examine(
        &self,
        outcome: &mut LoadOutcome,
        usage: &LoadUsage,
    ) -> (Measurement, Vec<Cause>) {
        let exam = &self.options.exam;
        let measured = &outcome.measured;
        let judged: Vec<_> = exam
            .thresholds
            .iter()
            .map(|threshold| threshold.judge(measured, None))
            .collect();
        let own = Own {
            cpu_s: usage.harness_cpu_s(),
            duration_s: usage.seconds(),
            processors: processors(),
            busiest_permille: outcome.busiest_permille,
            descriptors: usage.descriptors,
            out_of_descriptors: outcome.shortages.descriptors,
            out_of_ports: outcome.shortages.ports,
        };
        let mut doubts = validity::doubts(measured, own, &exam.thresholds);
        doubts.extend(validity::errands(measured));
        doubts.extend(validity::too_few(&judged));
        let missed = judged.iter().filter(|judged| judged.result == Held::Missed);
        let mut causes: Vec<Cause> = missed
            .map(|judged| {
                let text = format!("{} missed: {}", judged.threshold, judged.measured);
                Cause::new(ExitCode::Threshold, text)
            })
            .collect();
        causes.extend(doubts.iter().map(invalid));
        // What is measured of a capacity are the trials; the load before them exercises the
        // requirements.
        let binding = exam.weight == Weight::Binding && exam.capacity.is_none();
        if !binding {
            causes.clear();
        }
        let rows = |timings: &Timings| OperationRow::from(timings);
        let measurement = Measurement {
            profile: exam.profile.clone(),
            offered: self.offered(&outcome.poll_ns),
            verified: self.plan.options().verification == Verification::On,
            warm_up: measured.warm_up.into(),
            measured: measured.measured.into(),
            operations: measured
                .timings
                .iter()
                .map(|(operation, timings)| (operation.to_string(), rows(timings)))
                .collect(),
            errands: measured
                .books
                .iter()
                .map(|(operation, books)| (operation.to_string(), BooksRow::from(*books)))
                .collect(),
            thresholds: judged,
            doubts: doubts.iter().map(ToString::to_string).collect(),
            descriptors: usage.descriptors,
            seconds: std::mem::take(&mut outcome.seconds),
            binding,
        };
        (measurement, causes)
    }

    /// What the load was, in words.
    fn offered(&self, poll_ns: &[u64]) -> Vec<String> {
        let options = self.plan.options();
        let mut offered: Vec<String> = if options.phases.is_empty() {
            vec![format!(
                "constant rate for {}",
                spoken_ns(self.plan.measured_ns())
            )]
        } else {
            options.played().map(ToString::to_string).collect()
        };
        if let Some(first) = options.first {
            let first_ns = u64::try_from(first.as_nanos()).unwrap_or(u64::MAX);
            offered.push(format!(
                "of these phases only the first {} of {} in all",
                spoken_ns(first_ns),
                spoken_ns(options.phases_ns())
            ));
        }
        if self.plan.warm_up_ns() > 0 {
            let warm_up = spoken_ns(self.plan.warm_up_ns());
            offered.push(format!("after a warm-up of {warm_up}, which is not judged"));
        }
        if options.compression > 1 {
            offered.push(format!(
                "time compressed {} times: {} stand for {}",
                options.compression,
                spoken_ns(self.plan.measured_ns()),
                spoken_ns(
                    self.plan
                        .measured_ns()
                        .saturating_mul(u64::from(options.compression))
                ),
            ));
        }
        if let Some(cadence_ns) = self.departing_cadence(poll_ns) {
            offered.push(format!(
                "the target's poll table ({}) is ignored: devices check in every {}",
                spoken_list(poll_ns),
                spoken_ns(cadence_ns)
            ));
        }
        if options.verification == Verification::Off {
            offered.push(
                "answers of the measured phase are not verified: its figures say nothing of the target"
                    .to_owned(),
            );
        }
        offered
    }
}

impl Happened {
    /// Whether requests found no descriptor or port; those of scenarios show in the peak alone.
    pub(super) fn ran_short(&self) -> bool {
        let refused = self.load.as_ref().is_some_and(|load| load.shortages.any());
        let used_up = |seen: Descriptors| seen.peak >= seen.limit;
        refused || self.usage.descriptors.is_some_and(used_up)
    }
}

fn invalid(doubt: &Doubt) -> Cause {
    Cause::new(ExitCode::MeasurementInvalid, doubt.to_string())
}

fn spoken_list(intervals_ns: &[u64]) -> String {
    let spoken: Vec<String> = intervals_ns.iter().map(|ns| spoken_ns(*ns)).collect();
    spoken.join(", ")
}

/// Processors that this process may use.
pub fn processors() -> f64 {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
