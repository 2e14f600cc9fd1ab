//! One fault: what it declares, what the core counted, what the run showed, what became of it.

use serde::{Deserialize, Serialize};

use crate::dev::DevRow;
use crate::error::Error;
use crate::report::{Report, RequirementRow};
use crate::verdict::Level;

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultOutcome {
    /// It acted, and the requirement that it breaks was violated in a way that it declares.
    Killed,
    /// Other requirements were violated, or the intended one in another way: the mapping or a check
    /// is wrong.
    KilledElsewhere,
    /// No requirement was violated, and the run did not pass either: not a kill.
    ByNoise,
    /// It acted, and everything passed: no check sees it.
    Survived,
    /// It never acted: no scenario makes the situation.
    NotReached,
    /// The faulty core did not even start, or said nothing of its counters.
    Broken,
    /// Declared to be none that an observer could see; never inferred from a run.
    Equivalent,
}

impl FaultOutcome {
    /// Every outcome, the best first.
    pub const ALL: [Self; 7] = [
        Self::Killed,
        Self::KilledElsewhere,
        Self::ByNoise,
        Self::Survived,
        Self::NotReached,
        Self::Broken,
        Self::Equivalent,
    ];

    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::KilledElsewhere => "killed elsewhere",
            Self::ByNoise => "by noise",
            Self::Survived => "survived",
            Self::NotReached => "not reached",
            Self::Broken => "broken",
            Self::Equivalent => "equivalent",
        }
    }
}

/// What a fault did in a core, as the core itself counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The fault's name.
    pub id: String,
    /// When it was to act.
    pub trigger: String,
    /// How often the core asked: everything else that the fault needs was there.
    pub reached: u64,
    /// How often it acted.
    pub fired: u64,
}

/// The last line of `muster serve --json`, printed when standard input closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLine {
    /// The faults that were switched on, in the order of the command line.
    pub faults: Vec<Counter>,
}

/// What is known of a fault before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub id: String,
    /// When it acts.
    pub trigger: String,
    /// The requirement that must be violated.
    pub intended: String,
    /// How binding that requirement is.
    pub level: Level,
    /// The violations that count; any of them is enough.
    pub fingerprints: Vec<String>,
    /// Why nothing can see it, when that was declared.
    pub equivalent: Option<String>,
}

/// What a run against the faulty core showed.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The report.
    pub report: &'a Report,
    /// What the core counted; nothing when it did not say.
    pub counters: &'a [Counter],
}

/// One fault and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRow {
    /// The fault's name.
    pub id: String,
    /// When it was to act.
    pub trigger: String,
    /// How often it could have acted.
    pub reached: u64,
    /// How often it acted.
    pub fired: u64,
    /// The requirement that must be violated.
    pub intended: String,
    /// How binding that requirement is.
    pub level: Level,
    /// True for a fault by rate, which was run under load.
    pub needs_load: bool,
    /// The fingerprints that count.
    pub declared: Vec<String>,
    /// What became of it.
    pub outcome: FaultOutcome,
    /// The ways in which the intended requirement was violated, those that do not count among them.
    pub killed_by: Vec<Kill>,
    /// Other requirements that were violated, too.
    pub collateral: Vec<String>,
    /// The exit code of the run.
    pub exit_code: u8,
    /// The causes of a run that killed nothing.
    pub causes: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// One way in which a requirement was violated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kill {
    /// The requirement.
    pub requirement: String,
    /// The checks that decide it.
    pub checks: Vec<String>,
    /// The short stable name of the way.
    pub fingerprint: String,
}

impl Report {
    /// True when no scenario of a conformance run ended early.
    fn sane(&self) -> bool {
        let mut scenarios = self.conform.iter().flat_map(|summary| &summary.scenarios);
        scenarios.all(|scenario| scenario.error.is_none())
    }

    /// Every way in which a requirement was violated.
    pub(super) fn kills_of(&self, requirement: &str) -> Vec<Kill> {
        let rows = self.requirements.iter().filter(|row| row.id == requirement);
        let mut kills: Vec<Kill> = rows
            .filter(|row| row.violated > 0)
            .flat_map(kills)
            .collect();
        kills.sort();
        kills.dedup();
        kills
    }
}

fn kills(row: &RequirementRow) -> impl Iterator<Item = Kill> {
    row.violations.iter().map(|violation| Kill {
        requirement: row.id.clone(),
        checks: row.checks.clone(),
        fingerprint: violation.fingerprint.clone(),
    })
}

impl Declared {
    /// True when one of these violations is one that the fault declares.
    pub(super) fn is_shown_by(&self, kills: &[Kill]) -> bool {
        let declared = |kill: &Kill| self.fingerprints.contains(&kill.fingerprint);
        kills
            .iter()
            .any(|kill| kill.requirement == self.intended && declared(kill))
    }

    /// A row in which nothing was seen yet.
    fn row(&self, outcome: FaultOutcome) -> FaultRow {
        FaultRow {
            id: self.id.clone(),
            trigger: self.trigger.clone(),
            reached: 0,
            fired: 0,
            intended: self.intended.clone(),
            level: self.level,
            needs_load: false,
            declared: self.fingerprints.clone(),
            outcome,
            killed_by: Vec::new(),
            collateral: Vec::new(),
            exit_code: 0,
            causes: Vec::new(),
            seconds: 0.0,
        }
    }
}

impl FaultRow {
    /// The row of a fault whose run showed this.
    #[must_use]
    pub fn of_run(declared: &Declared, seen: Seen<'_>) -> Self {
        let report = seen.report;
        let counter = seen.counters.iter().find(|it| it.id == declared.id);
        let killed_by = report.kills_of(&declared.intended);
        let others = report
            .requirements
            .iter()
            .filter(|row| row.violated > 0 && row.id != declared.intended);
        let collateral: Vec<String> = others.map(|row| row.id.clone()).collect();
        let mut causes = report.causes.clone();
        let outcome = match counter {
            _ if declared.equivalent.is_some() => FaultOutcome::Equivalent,
            None => {
                causes.push("the core did not say what the fault did".to_owned());
                FaultOutcome::Broken
            }
            Some(counter) if counter.fired == 0 => FaultOutcome::NotReached,
            Some(_) if declared.is_shown_by(&killed_by) => FaultOutcome::Killed,
            Some(_) if !killed_by.is_empty() || !collateral.is_empty() => {
                FaultOutcome::KilledElsewhere
            }
            Some(_) if report.exit_code == 0 && report.footer.complete && report.sane() => {
                FaultOutcome::Survived
            }
            Some(_) => FaultOutcome::ByNoise,
        };
        if outcome == FaultOutcome::Killed {
            causes.clear();
        }
        Self {
            reached: counter.map_or(0, |counter| counter.reached),
            fired: counter.map_or(0, |counter| counter.fired),
            killed_by,
            collateral,
            exit_code: report.exit_code,
            causes,
            seconds: report.run.wall_s,
            ..declared.row(outcome)
        }
    }

    /// The row of a fault of our own device, whose requirements were judged so. The device counts
    /// nothing: a violation that it shows has happened.
    #[must_use]
    pub fn of_device(declared: &Declared, judged: &[DevRow]) -> Self {
        let violated = judged.iter().filter(|row| row.violated > 0);
        let (ours, others): (Vec<_>, Vec<_>) =
            violated.partition(|row| row.requirement == declared.intended);
        let kills = ours.iter().flat_map(|row| &row.violations);
        let mut killed_by: Vec<Kill> = kills
            .map(|violation| Kill {
                requirement: declared.intended.clone(),
                checks: vec![crate::catalogue::lint::device_check(&declared.intended)],
                fingerprint: violation.fingerprint.to_owned(),
            })
            .collect();
        killed_by.sort();
        killed_by.dedup();
        let outcome = match (ours.is_empty(), others.is_empty()) {
            (false, _) => FaultOutcome::Killed,
            (true, false) => FaultOutcome::KilledElsewhere,
            (true, true) => FaultOutcome::Survived,
        };
        Self {
            killed_by,
            collateral: others
                .iter()
                .map(|row| row.requirement.to_owned())
                .collect(),
            ..declared.row(outcome)
        }
    }

    /// The row of a fault whose core did not start.
    #[must_use]
    pub fn broken(declared: &Declared, error: &Error) -> Self {
        Self {
            exit_code: 4,
            causes: vec![error.to_string()],
            ..declared.row(FaultOutcome::Broken)
        }
    }

    /// True when the suite has to be repaired for it.
    #[must_use]
    pub const fn is_defect(&self) -> bool {
        match self.outcome {
            FaultOutcome::Killed | FaultOutcome::Equivalent => false,
            FaultOutcome::KilledElsewhere
            | FaultOutcome::ByNoise
            | FaultOutcome::Survived
            | FaultOutcome::NotReached
            | FaultOutcome::Broken => true,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::{Footer, sample};

    /// A fault that the sample of a failed run shows, unless changed.
    pub(in crate::prove) fn declared() -> Declared {
        Declared {
            id: "M-SOME-fault".to_owned(),
            trigger: "always".to_owned(),
            intended: "REQ-ROTATE-003".to_owned(),
            level: Level::Must,
            fingerprints: vec!["done-though-offline".to_owned()],
            equivalent: None,
        }
    }

    pub(in crate::prove) fn counter(fired: u64) -> Counter {
        Counter {
            id: "M-SOME-fault".to_owned(),
            trigger: "always".to_owned(),
            reached: 5,
            fired,
        }
    }

    #[test]
    fn every_outcome_is_reached_by_what_was_seen_and_counted() {
        let (failed, passed) = (sample::failed(), sample::passed());
        let red = Report {
            exit_code: 2,
            ..sample::passed()
        };
        let cut = Report {
            footer: Footer::incomplete("target down".to_owned()),
            ..sample::passed()
        };
        let of = |intended: &str, fingerprint: &str| Declared {
            intended: intended.to_owned(),
            fingerprints: vec![fingerprint.to_owned()],
            ..declared()
        };
        let ours = || declared();
        let equivalent = || Declared {
            equivalent: Some("nothing shows it".to_owned()),
            ..declared()
        };
        let fired = [counter(3)];
        let idle = [counter(0)];
        let none: [Counter; 0] = [];
        let cases: [(Declared, &Report, &[Counter], FaultOutcome); 12] = [
            (ours(), &failed, &fired, FaultOutcome::Killed),
            // The same violation without the fault having acted is a false alarm, no kill.
            (ours(), &failed, &idle, FaultOutcome::NotReached),
            (
                of("REQ-ROTATE-003", "another-way"),
                &failed,
                &fired,
                FaultOutcome::KilledElsewhere,
            ),
            // The fingerprint counts at the intended requirement alone.
            (
                of("REQ-ROTATE-004", "done-though-offline"),
                &failed,
                &fired,
                FaultOutcome::KilledElsewhere,
            ),
            (ours(), &red, &fired, FaultOutcome::ByNoise),
            (ours(), &cut, &fired, FaultOutcome::ByNoise),
            (ours(), &passed, &fired, FaultOutcome::Survived),
            (ours(), &passed, &idle, FaultOutcome::NotReached),
            (ours(), &red, &idle, FaultOutcome::NotReached),
            (ours(), &failed, &none, FaultOutcome::Broken),
            (equivalent(), &passed, &fired, FaultOutcome::Equivalent),
            (equivalent(), &failed, &fired, FaultOutcome::Equivalent),
        ];
        let mut reached = Vec::new();
        for (declared, report, counters, outcome) in cases {
            let row = FaultRow::of_run(&declared, Seen { report, counters });
            assert_eq!(row.outcome, outcome, "{declared:?} {counters:?}");
            reached.push(row.outcome);
        }
        for outcome in FaultOutcome::ALL {
            assert!(reached.contains(&outcome), "{outcome:?}");
        }
    }

    #[test]
    fn a_core_that_does_not_start_is_broken() {
        let row = FaultRow::broken(&declared(), &Error::SetUp("no".to_owned()));
        assert_eq!(row.outcome, FaultOutcome::Broken);
        assert!(row.is_defect());
    }
}
