//! Two faults at once: one that hides another would hide it in a real target, too.

use serde::{Deserialize, Serialize};

use super::fault::{Declared, Kill, Seen};
use crate::error::Error;

/// What became of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairOutcome {
    /// One of the two was seen in a way that it declares, having acted.
    Detected,
    /// Neither was.
    Masked,
    /// The core did not start, or the run did not come to its end.
    Broken,
}

/// Two faults that ran together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRow {
    /// Their names.
    pub faults: [String; 2],
    /// How often each of them acted.
    pub fired: [u64; 2],
    /// What became of them.
    pub outcome: PairOutcome,
    /// The faults that were seen.
    pub seen: Vec<String>,
    /// The ways in which their requirements were violated.
    pub killed_by: Vec<Kill>,
    /// The causes of a run that detected nothing.
    pub causes: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl PairRow {
    /// The row of two faults whose run showed this.
    #[must_use]
    pub fn of_run(pair: [&Declared; 2], seen: Seen<'_>) -> Self {
        let fired = pair.map(|declared| {
            let mut counters = seen.counters.iter();
            let counter = counters.find(|counter| counter.id == declared.id);
            counter.map_or(0, |counter| counter.fired)
        });
        let mut killed_by: Vec<Kill> = pair
            .iter()
            .flat_map(|declared| seen.report.kills_of(&declared.intended))
            .collect();
        killed_by.sort();
        killed_by.dedup();
        let shown = pair
            .iter()
            .zip(fired)
            .filter(|(declared, fired)| *fired > 0 && declared.is_shown_by(&killed_by));
        let shown: Vec<String> = shown.map(|(declared, _)| declared.id.clone()).collect();
        let outcome = match (shown.is_empty(), seen.counters.is_empty()) {
            (false, _) => PairOutcome::Detected,
            (true, true) => PairOutcome::Broken,
            (true, false) => PairOutcome::Masked,
        };
        Self {
            faults: pair.map(|declared| declared.id.clone()),
            fired,
            outcome,
            seen: shown,
            killed_by,
            causes: seen.report.causes.clone(),
            seconds: seen.report.run.wall_s,
        }
    }

    /// The row of a pair whose core did not start.
    #[must_use]
    pub fn broken(pair: [&Declared; 2], error: &Error) -> Self {
        Self {
            faults: pair.map(|declared| declared.id.clone()),
            fired: [0, 0],
            outcome: PairOutcome::Broken,
            seen: Vec::new(),
            killed_by: Vec::new(),
            causes: vec![error.to_string()],
            seconds: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Counter;
    use super::super::fault::tests::{counter, declared};
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_pair_is_detected_by_a_declared_violation_of_either_that_acted() {
        let (failed, passed) = (sample::failed(), sample::passed());
        let other = Declared {
            id: "M-OTHER-fault".to_owned(),
            intended: "REQ-JOIN-002".to_owned(),
            ..declared()
        };
        let second = |fired| Counter {
            id: other.id.clone(),
            ..counter(fired)
        };
        for (report, counters, outcome) in [
            (&failed, vec![counter(1), second(0)], PairOutcome::Detected),
            (&failed, vec![counter(0), second(1)], PairOutcome::Masked),
            (&passed, vec![counter(1), second(1)], PairOutcome::Masked),
            (&failed, vec![], PairOutcome::Broken),
        ] {
            let counters = &counters;
            for pair in [[&declared(), &other], [&other, &declared()]] {
                let row = PairRow::of_run(pair, Seen { report, counters });
                assert_eq!(row.outcome, outcome, "{counters:?}");
            }
        }
        let error = Error::SetUp("no".to_owned());
        let row = PairRow::broken([&declared(), &other], &error);
        assert_eq!(row.outcome, PairOutcome::Broken);
    }
}
