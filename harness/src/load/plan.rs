//! The plan of a load: who is in the fleet, when check-ins and rotations happen. All of it is a
//! pure function of the options, and the two digests prove it.
//!
//! | module | job |
//! |---|---|
//! | `options` | what the user asks for |
//! | `members`, `identity` | who is in the fleet; what a device is called and known by |
//! | `policy` | the settings that manage it |
//! | `rotations` | the rotation requests |
//! | `digest` | proves that two plans are the same |
//! | `draw` | streams of random numbers |

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};
use rand::seq::SliceRandom;

use crate::error::Error;
use crate::schedule::spec::RateSpec;
use crate::schedule::{Phase, Rate, Schedule, Shape};

mod digest;
mod draw;
mod identity;
mod members;
mod options;
mod policy;
mod rotations;
#[cfg(test)]
mod tests;

pub use members::{Member, manages};
pub use options::{CONNECTIONS, LoadOptions, OWN_KEYS_MAX};
pub use rotations::{AttemptKind, PlannedRotation, ROTATION_ACTOR};

use draw::{Purpose, stream};
use members::{members, select};
use options::nanos;
use policy::policy;

/// The plan.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    options: LoadOptions,
    members: Vec<Member>,
    /// The online devices in the order of their turns.
    order: Vec<u32>,
    rate: Arc<Schedule>,
    enrolment: Option<Arc<Schedule>>,
    warm_up_ns: u64,
    policy: BTreeMap<Leaf, Value>,
    rotations: Vec<PlannedRotation>,
}

impl LoadPlan {
    /// Makes the plan.
    ///
    /// # Errors
    /// [`Error::SetUp`] when a phase cannot be planned.
    pub fn new(options: LoadOptions) -> Result<Self, Error> {
        let members = members(&options);
        let mut order: Vec<u32> = select(&members, |member| !member.offline);
        order.shuffle(&mut stream(options.seed, Purpose::Order));
        let online = u64::try_from(order.len()).unwrap_or(u64::MAX);
        let phases = phases(&options, online);
        let rate = Schedule::new(&phases, options.seed)
            .map_err(|error| Error::SetUp(format!("schedule of check-ins: {error}")))?
            .first(end_ns(&options));
        let enrolment = options.enrolment.map(|phase| {
            let phase = phase.of_fleet(u64::from(options.devices));
            Schedule::new(&[phase.compressed(options.compression)], options.seed)
                .map_err(|error| Error::SetUp(format!("schedule of enrolments: {error}")))
        });
        let enrolment = enrolment.transpose()?.map(Arc::new);
        let warm_up_ns = nanos(options.warm_up);
        let policy = policy(options.seed);
        let mut plan = Self {
            options,
            members,
            order,
            rate: Arc::new(rate),
            enrolment,
            warm_up_ns,
            policy,
            rotations: Vec::new(),
        };
        plan.rotations = plan.plan_rotations();
        Ok(plan)
    }

    /// What was asked for.
    #[must_use]
    pub const fn options(&self) -> &LoadOptions {
        &self.options
    }

    /// The devices, by index.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The online devices in the order of their turns: event k belongs to device k mod n.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// When check-ins start, warm-up included.
    #[must_use]
    pub const fn rate(&self) -> &Arc<Schedule> {
        &self.rate
    }

    /// How often an operation is begun, in the time of the load.
    #[must_use]
    pub fn operation_rate(&self, rate: RateSpec) -> Rate {
        rate.of_fleet(self.online())
            .compressed(self.options.compression)
    }

    /// When devices enrol, by their numbers; `None` for as soon as possible.
    #[must_use]
    pub const fn enrolment(&self) -> Option<&Arc<Schedule>> {
        self.enrolment.as_ref()
    }

    /// Length of the warm-up.
    #[must_use]
    pub const fn warm_up_ns(&self) -> u64 {
        self.warm_up_ns
    }

    /// Length of the measured phase.
    #[must_use]
    pub fn measured_ns(&self) -> u64 {
        self.rate.duration_ns().saturating_sub(self.warm_up_ns)
    }

    /// Devices that stay online.
    #[must_use]
    pub fn online(&self) -> u64 {
        u64::try_from(self.order.len()).unwrap_or(u64::MAX)
    }

    /// Devices of each join state.
    #[must_use]
    pub fn by_join_type(&self) -> BTreeMap<JoinType, u64> {
        let mut counts: BTreeMap<JoinType, u64> =
            JoinType::ALL.into_iter().map(|join| (join, 0)).collect();
        for member in &self.members {
            *counts.entry(member.join).or_default() += 1;
        }
        counts
    }
}

/// When the load ends at the latest: behind the warm-up, and as much of the phases as is played.
fn end_ns(options: &LoadOptions) -> u64 {
    options.first.map_or(u64::MAX, |first| {
        let played_ns = nanos(first) / u64::from(options.compression.max(1));
        nanos(options.warm_up).saturating_add(played_ns)
    })
}

/// Warm-up and measured phase.
fn phases(options: &LoadOptions, online: u64) -> Vec<Phase> {
    let measured: Vec<Phase> = if options.phases.is_empty() {
        // Without an online device there is nobody to check in.
        let per_1000_s = match (online, options.per_1000_s) {
            (0, _) => 0,
            (_, Some(per_1000_s)) => per_1000_s,
            (_, None) => online * 500,
        };
        vec![Phase {
            shape: Shape::Constant(Rate::per_1000_s(per_1000_s)),
            duration_ns: nanos(options.duration),
        }]
    } else {
        let of_fleet = options.played().map(|phase| phase.of_fleet(online));
        of_fleet
            .map(|phase| phase.compressed(options.compression))
            .collect()
    };
    let first = measured
        .first()
        .map_or(Rate::ZERO, |phase| phase.shape.first_rate());
    let warm_up = Phase {
        shape: Shape::Constant(first),
        duration_ns: nanos(options.warm_up),
    };
    std::iter::once(warm_up).chain(measured).collect()
}
