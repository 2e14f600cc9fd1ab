//! What a proof runs: which faults, pairs, null cores, legal variants and faults of our own device.

use std::collections::{BTreeMap, BTreeSet};

use emulator::DEVICE_FAULTS;
use harness::catalogue::Catalogue;
use harness::conform::{self, Selection};
use harness::error::Error;
use harness::prove::Declared;
use harness::verdict::Level;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use reference::{EQUIVALENT_FAULTS, FaultChoice, FaultRow, all_faults};

use super::cores::SET;
use super::variants::{self, Legal};
use crate::cli::ProveArgs;
use crate::serve::null::Null;

/// Faults by rate, which a scenario does not repeat often enough: they are run under load.
const NEEDS_LOAD: [&str; 3] = [
    "M-ASSIGN-alter-1-in-200",
    "M-AUD-lost-1-in-100",
    "M-AUD-duplicate-1-in-100",
];
/// Pairs of a full proof.
const PAIRS: usize = 50;
/// Draws before two faults of one area are taken for want of others.
const DRAWS: u32 = 16;

/// What is to be run.
pub(super) struct Plan {
    pub(super) jobs: usize,
    pub(super) seed: u64,
    pub(super) faults: Vec<Job>,
    pub(super) pairs: Vec<[Job; 2]>,
    pub(super) nulls: Vec<Null>,
    pub(super) legal: Vec<Legal>,
    pub(super) device: Vec<DeviceJob>,
}

/// One fault to be run.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The fault with its trigger.
    pub(crate) choice: FaultChoice,
    /// What must show.
    pub(crate) declared: Declared,
    /// It is run under load.
    pub(crate) needs_load: bool,
}

/// One fault of our own device.
pub(super) struct DeviceJob {
    pub(super) fault: emulator::DeviceFault,
    pub(super) declared: Declared,
}

impl Plan {
    pub(super) fn new(arguments: &ProveArgs) -> Result<Self, Error> {
        let catalogue = Catalogue::builtin()?;
        let wanted = |name: &str| {
            let only = arguments.only.as_deref();
            only.is_none_or(|only| conform::matches_pattern(only, name))
        };
        let every = jobs(&catalogue)?;
        let wants_pairs = arguments
            .pairs
            .map_or(if arguments.full { PAIRS } else { 0 }, usize::from);
        let pairs = pairs(&every, arguments.seed, wants_pairs);
        let device = DEVICE_FAULTS.iter().filter(|row| wanted(row.name));
        let nulls = Null::ALL.into_iter().filter(|null| wanted(null.as_str()));
        let faults = every.into_iter().filter(|job| wanted(job.choice.row.name));
        let faults: Vec<Job> = match arguments.sample {
            None => faults.collect(),
            Some(count) => sample(faults.collect(), arguments.seed, usize::from(count)),
        };
        let plan = Self {
            jobs: usize::from(arguments.jobs),
            seed: arguments.seed,
            faults,
            pairs,
            nulls: nulls.collect(),
            legal: variants::wanted(arguments),
            device: device.map(|row| device_job(&catalogue, row)).collect(),
        };
        let nothing = plan.faults.is_empty() && plan.nulls.is_empty() && plan.device.is_empty();
        if nothing && plan.pairs.is_empty() && plan.legal.is_empty() {
            let text = "no fault, no variant and no null core fits --only".to_owned();
            return Err(Error::SetUp(text));
        }
        Ok(plan)
    }
}

impl Job {
    fn new(catalogue: &Catalogue, row: &'static FaultRow) -> Result<Self, Error> {
        let requirement = catalogue.requirement(row.requirement).ok_or_else(|| {
            let (name, id) = (row.name, row.requirement);
            Error::Harness(format!("fault `{name}` breaks the unknown `{id}`"))
        })?;
        let equivalent = EQUIVALENT_FAULTS
            .iter()
            .find(|known| known.name == row.name);
        let choice = FaultChoice::of_row(row);
        Ok(Self {
            choice,
            declared: Declared {
                id: row.name.to_owned(),
                trigger: choice.trigger.to_string(),
                intended: row.requirement.to_owned(),
                level: requirement.level,
                fingerprints: row.fingerprints.iter().map(ToString::to_string).collect(),
                equivalent: equivalent.map(|known| known.reason.to_owned()),
            },
            needs_load: NEEDS_LOAD.contains(&row.name),
        })
    }

    /// The row that is judged; the scenarios of its positive control run, too.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            only: Some(self.declared.intended.clone()),
            ..Selection::of_set(SET)
        }
    }

    fn area(&self) -> &str {
        self.declared.intended.split('-').nth(1).unwrap_or_default()
    }
}

/// Every fault of the library.
fn jobs(catalogue: &Catalogue) -> Result<Vec<Job>, Error> {
    all_faults().map(|row| Job::new(catalogue, row)).collect()
}

/// A fault of a MUST that a scenario catches, chosen by the seed: the canary of a run.
pub(crate) fn canary(seed: u64) -> Result<Job, Error> {
    let mut jobs = jobs(&Catalogue::builtin()?)?;
    jobs.retain(|job| {
        let scored = job.declared.equivalent.is_none() && !job.needs_load;
        scored && job.declared.level == Level::Must
    });
    let count = jobs.len();
    let chosen = (count > 0).then(|| Pcg64Mcg::seed_from_u64(seed).random_range(0..count));
    let chosen = chosen.map(|place| jobs.swap_remove(place));
    chosen.ok_or_else(|| Error::Harness("the library has no fault of a MUST".to_owned()))
}

/// So many faults, chosen by the seed: one of each area before a second one of any.
fn sample(every: Vec<Job>, seed: u64, count: usize) -> Vec<Job> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut shuffled: Vec<usize> = (0..every.len()).collect();
    shuffled.shuffle(&mut rng);
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, usize)> = shuffled
        .into_iter()
        .map(|place| {
            let of_area = taken.entry(every[place].area()).or_default();
            *of_area += 1;
            (*of_area, place)
        })
        .collect();
    // Stable: within a round the draw decides.
    ranked.sort_by_key(|(round, _)| *round);
    let chosen: BTreeSet<usize> = ranked.iter().take(count).map(|(_, place)| *place).collect();
    let every = every.into_iter().enumerate();
    every
        .filter(|(place, _)| chosen.contains(place))
        .map(|(_, job)| job)
        .collect()
}

/// Pairs chosen by the seed, of different areas where that can be had; none twice.
fn pairs(every: &[Job], seed: u64, count: usize) -> Vec<[Job; 2]> {
    let singles: Vec<&Job> = every
        .iter()
        .filter(|job| !job.needs_load && job.declared.equivalent.is_none())
        .collect();
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut pairs: Vec<[Job; 2]> = Vec::new();
    // Far more than are needed, so that the loop has an end whatever the library holds.
    for draw in 0..count.saturating_mul(8) {
        if pairs.len() == count {
            break;
        }
        let Some(pair) = drawn(&singles, &mut rng) else {
            break;
        };
        let names = pair.each_ref().map(|job| job.choice.row.name);
        let known = pairs.iter().any(|pair| {
            let known = pair.each_ref().map(|job| job.choice.row.name);
            names.iter().all(|name| known.contains(name))
        });
        if known {
            tracing::debug!(draw, ?names, "drawn before");
        } else {
            pairs.push(pair);
        }
    }
    pairs
}

/// Two faults that differ; of different areas within [`DRAWS`].
fn drawn(singles: &[&Job], rng: &mut Pcg64Mcg) -> Option<[Job; 2]> {
    let mut found = None;
    for _ in 0..DRAWS {
        let mut two = singles.choose_multiple(rng, 2);
        let (one, other) = (two.next()?, two.next()?);
        if one.choice.row.fault == other.choice.row.fault {
            continue;
        }
        let pair = [(*one).clone(), (*other).clone()];
        if one.area() != other.area() {
            return Some(pair);
        }
        found = found.or(Some(pair));
    }
    found
}

fn device_job(catalogue: &Catalogue, row: &'static emulator::DeviceFaultRow) -> DeviceJob {
    let requirement = catalogue.requirement(row.requirement);
    DeviceJob {
        fault: row.fault,
        declared: Declared {
            id: row.name.to_owned(),
            trigger: "always".to_owned(),
            intended: row.requirement.to_owned(),
            level: requirement.map_or(Level::Must, |requirement| requirement.level),
            fingerprints: Vec::new(),
            equivalent: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Job> {
        jobs(&Catalogue::builtin().unwrap()).unwrap()
    }

    #[test]
    fn pairs_are_fixed_by_the_seed_and_differ() {
        let names = |seed| {
            let pairs = pairs(&every(), seed, PAIRS);
            let names = pairs.iter().map(|pair| {
                let [one, other] = pair.each_ref();
                assert_ne!(one.area(), other.area());
                let mut names = [one.choice.row.name, other.choice.row.name];
                names.sort_unstable();
                names
            });
            names.collect::<BTreeSet<_>>()
        };
        assert_eq!(names(1).len(), PAIRS);
        assert_eq!(names(1), names(1));
        assert_ne!(names(1), names(2));
    }

    #[test]
    fn a_sample_takes_every_area_before_it_takes_one_twice() {
        let all = every();
        let areas: BTreeSet<String> = all.iter().map(|job| job.area().to_owned()).collect();
        let sampled = sample(all, 1, areas.len());
        let seen: BTreeSet<String> = sampled.iter().map(|job| job.area().to_owned()).collect();
        assert_eq!(seen, areas);
        assert_eq!(sample(every(), 1, 1000).len(), every().len());
    }

    #[test]
    fn the_canary_is_a_must_that_a_scenario_catches_and_changes_with_the_seed() {
        let names: BTreeSet<&str> = (0..40)
            .map(|seed| {
                let canary = canary(seed).unwrap();
                assert_eq!(canary.declared.level, Level::Must);
                assert!(!canary.needs_load);
                canary.choice.row.name
            })
            .collect();
        assert!(names.len() > 20, "{names:?}");
    }
}
