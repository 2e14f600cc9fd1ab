//! What a proof runs: which faults, null cores and faults of our own device.

use emulator::{DEVICE_FAULTS, DeviceFaultRow};
use harness::catalogue::Catalogue;
use harness::conform;
use harness::error::Error;
use harness::verdict::Level;

use super::super::conform::all_faults;
use super::variants::{self, Legal};
use crate::cli::ProveArgs;
use crate::serve::null::Null;

/// Faults by rate, which a scenario does not repeat often enough: they are run under load.
const NEEDS_LOAD: [&str; 3] = [
    "M-ASSIGN-alter-1-in-200",
    "M-AUD-lost-1-in-100",
    "M-AUD-duplicate-1-in-100",
];

/// What is to be run.
pub(super) struct Plan {
    pub(super) jobs: usize,
    pub(super) seed: u64,
    /// Faults with the level of their requirement.
    pub(super) faults: Vec<Job>,
    pub(super) nulls: Vec<Null>,
    pub(super) legal: Vec<Legal>,
    /// Faults of our own device with the level of their requirement.
    pub(super) device: Vec<(&'static DeviceFaultRow, Level)>,
}

/// One fault to be run.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub(super) id: &'static str,
    pub(super) intended: &'static str,
    pub(super) level: Level,
    pub(super) needs_load: bool,
}

impl Plan {
    pub(super) fn new(arguments: &ProveArgs) -> Result<Self, Error> {
        let catalogue = Catalogue::builtin()?;
        let wanted = |name: &str| {
            let only = arguments.only.as_deref();
            only.is_none_or(|only| conform::matches_pattern(only, name))
        };
        let mut faults = Vec::new();
        for row in all_faults().filter(|row| wanted(row.name)) {
            let requirement = catalogue.requirement(row.requirement).ok_or_else(|| {
                let (name, id) = (row.name, row.requirement);
                Error::Harness(format!("fault `{name}` breaks the unknown `{id}`"))
            })?;
            faults.push(Job {
                id: row.name,
                intended: row.requirement,
                level: requirement.level,
                needs_load: NEEDS_LOAD.contains(&row.name),
            });
        }
        let mut device = Vec::new();
        for row in DEVICE_FAULTS.iter().filter(|row| wanted(row.name)) {
            let level = catalogue
                .requirement(row.requirement)
                .map_or(Level::Must, |requirement| requirement.level);
            device.push((row, level));
        }
        let nulls = Null::ALL.into_iter().filter(|null| wanted(null.as_str()));
        let plan = Self {
            jobs: usize::from(arguments.jobs),
            seed: arguments.seed,
            faults,
            nulls: nulls.collect(),
            legal: variants::wanted(arguments),
            device,
        };
        let nothing = plan.faults.is_empty() && plan.nulls.is_empty() && plan.device.is_empty();
        if nothing && plan.legal.is_empty() {
            let text = "no fault, no variant and no null core fits --only".to_owned();
            return Err(Error::SetUp(text));
        }
        Ok(plan)
    }
}
