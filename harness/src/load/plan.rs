//! The plan of a load: who is in the fleet, when check-ins and rotations happen. All of it is a
//! pure function of the options, and the two digests prove it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use emulator::{DeviceId, DeviceSpec, HardwareId, OsBuild, generate_password};
use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sha2::{Digest, Sha256};

use super::operations::OperationsMix;
use crate::error::Error;
use crate::fleet::Verification;
use crate::fleet::mix::{Mix, offline_of_each};
use crate::schedule::spec::{PhaseSpec, RateSpec};
use crate::schedule::{Phase, Rate, Schedule, Shape, spread};

/// Fewest rotation attempts where the fleet is large enough to spread them.
const ATTEMPTS_MIN: u64 = 140;
/// The first passwords of a device that go into the fleet digest.
const PASSWORDS: u32 = 3;

/// What the user asks of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Devices in the load fleet.
    pub devices: u32,
    /// The share that goes offline before the measured phase, in millionths.
    pub offline_ppm: u32,
    /// The join states.
    pub mix: Mix,
    /// Length of the measured phase; not looked at where `phases` are given.
    pub duration: Duration,
    /// Check-ins in a thousand seconds; `None` for one check-in of every online device in 2 s. Not
    /// looked at where `phases` are given.
    pub per_1000_s: Option<u64>,
    /// The measured phase in other shapes than an even rate; empty for that.
    pub phases: Vec<PhaseSpec>,
    /// When devices enrol; `None` for as soon as possible. Every device enrols, so only the times
    /// of its events count.
    pub enrolment: Option<PhaseSpec>,
    /// How long the load goes on before the measured phase, at the rate with which that begins.
    pub warm_up: Duration,
    /// How much faster than the phases say time runs.
    pub compression: u32,
    /// What administrators do meanwhile.
    pub operations: OperationsMix,
    /// Whether answers are held against the model in the measured phase.
    pub verification: Verification,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// Tells the devices of several runs against one target apart; 0 for a target of our own. It
    /// changes ids and names and neither digest.
    pub salt: u64,
    /// Shards; `None` for one a core, at least 2 and at most 4.
    pub shards: Option<usize>,
    /// Keys that the fleet shares; `None` for a key a device up to [`OWN_KEYS_MAX`] devices.
    pub key_pool: Option<u32>,
}

/// Devices of a fleet in which each has a key of its own unless the user wants otherwise.
pub const OWN_KEYS_MAX: u32 = 50_000;
/// Keys of a larger fleet.
const POOLED_KEYS: u32 = 1_024;

impl LoadOptions {
    /// Keys that the fleet shares; 0 for a key a device.
    #[must_use]
    pub fn keys(&self) -> u32 {
        let small = self.devices <= OWN_KEYS_MAX;
        self.key_pool.unwrap_or(if small { 0 } else { POOLED_KEYS })
    }
}

impl LoadOptions {
    /// An even load of so many devices without warm-up, in real time.
    #[must_use]
    pub fn even(devices: u32, seed: u64) -> Self {
        Self {
            devices,
            offline_ppm: 300_000,
            mix: Mix::DEFAULT,
            duration: Duration::from_secs(10),
            per_1000_s: None,
            phases: Vec::new(),
            enrolment: None,
            warm_up: Duration::ZERO,
            compression: 1,
            operations: OperationsMix::default(),
            verification: Verification::On,
            seed,
            salt: 0,
            shards: None,
            key_pool: None,
        }
    }
}

/// What is fixed about one device of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Join state.
    pub join: JoinType,
    /// Windows build.
    pub os: OsBuild,
    /// True for devices that go offline before the measured phase.
    pub offline: bool,
}

/// Why a rotation attempt is made, as far as the plan knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptKind {
    /// Entra joined or hybrid, online and backed up: rotates.
    Online,
    /// Entra joined and offline: fails (S19).
    Offline,
    /// Online and never backed up: fails (S16).
    Unbacked,
}

/// A planned rotation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRotation {
    /// From the start of the measured phase.
    pub at_ns: u64,
    /// The device.
    pub device: u32,
    /// Why.
    pub kind: AttemptKind,
}

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

/// The actor that requests the load's rotations.
pub const ROTATION_ACTOR: &str = "rotate-operator";

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
            .map_err(|error| Error::SetUp(format!("schedule of check-ins: {error}")))?;
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

    /// The settings that reach the Entra joined and hybrid devices.
    #[must_use]
    pub const fn policy(&self) -> &BTreeMap<Leaf, Value> {
        &self.policy
    }

    /// Complexity and length of the passwords that the policy asks for.
    #[must_use]
    pub fn password_policy(&self) -> (u32, u32) {
        let number = |leaf: Leaf, otherwise: u32| match self.policy.get(&leaf) {
            Some(Value::Int(number)) => u32::try_from(*number).unwrap_or(otherwise),
            Some(Value::Bool(_) | Value::Text(_)) | None => otherwise,
        };
        (
            number(Leaf::PasswordComplexity, 4),
            number(Leaf::PasswordLength, 14),
        )
    }

    /// The planned rotation requests, in order of time.
    #[must_use]
    pub fn rotations(&self) -> &[PlannedRotation] {
        &self.rotations
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

    /// The devices of a kind of attempt, in the order in which they are taken.
    #[must_use]
    pub fn candidates(&self, kind: AttemptKind) -> Vec<u32> {
        let fits = |member: &Member| match kind {
            AttemptKind::Online => !member.offline && manages(member.join),
            AttemptKind::Offline => member.offline && member.join == JoinType::EntraJoined,
            AttemptKind::Unbacked => !member.offline && !manages(member.join),
        };
        let mut devices = select(&self.members, fits);
        devices.shuffle(&mut stream(self.options.seed, Purpose::Attempts(kind)));
        devices
    }

    /// Everything that is fixed about a device, names and ids of this run included.
    #[must_use]
    pub fn spec(&self, device: u32) -> Option<DeviceSpec> {
        let mut spec = self.unsalted(device)?;
        let salt = self.options.salt;
        if salt != 0 {
            let mut rng = self.salted(device);
            spec.device_name = format!("LOAD-{salt:08x}-{device:06}");
            spec.device_id = DeviceId::from_bytes(rng.random());
            spec.hardware_id = HardwareId::from_bytes(rng.random());
            let entra = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
            spec.entra_device_id = spec.entra_device_id.map(|_derived| entra);
        }
        Some(spec)
    }

    /// The id of a device in management: that of [`Self::spec`], without the rest of it.
    #[must_use]
    pub fn device_id(&self, device: u32) -> Option<DeviceId> {
        self.members.get(usize::try_from(device).ok()?)?;
        let seed = self.options.seed;
        Some(match self.options.salt {
            0 => DeviceId::derive(seed, u64::from(device)),
            _ => DeviceId::from_bytes(self.salted(device).random()),
        })
    }

    /// The id of a device in the directory: that of [`Self::spec`].
    #[must_use]
    pub fn entra_device_id(&self, device: u32) -> Option<uuid::Uuid> {
        self.spec(device)?.entra_device_id
    }

    /// The device with this name.
    #[must_use]
    pub fn device_named(&self, name: &str) -> Option<u32> {
        let (_, number) = name.rsplit_once('-')?;
        let device = number.parse().ok()?;
        (self.spec(device)?.device_name == name).then_some(device)
    }

    /// The stream of the ids that only this run has.
    fn salted(&self, device: u32) -> Pcg64Mcg {
        let LoadOptions { seed, salt, .. } = self.options;
        let mut rng = Pcg64Mcg::seed_from_u64(salt ^ seed.rotate_left(17));
        rng.advance(u128::from(device) * 16);
        rng
    }

    /// SHA-256 over every device: identity, join state, build, accounts, offline or not, and its
    /// first passwords under the policy. Equal seeds prove equal fleets and equal passwords.
    #[must_use]
    pub fn fleet_digest(&self) -> String {
        let mut hash = Sha256::new();
        let (_, length) = self.password_policy();
        for (device, member) in (0_u32..).zip(&self.members) {
            let Some(spec) = self.unsalted(device) else {
                continue;
            };
            hash.update(format!(
                "{device} {} {} {} {} {:?} {} {} {}",
                spec.device_name,
                spec.join_type,
                spec.os,
                spec.device_id,
                spec.entra_device_id,
                spec.hardware_id,
                spec.machine_sid,
                member.offline,
            ));
            for account in &spec.accounts {
                hash.update(format!(
                    "{} {} {};",
                    account.name, account.rid, account.enabled
                ));
            }
            for generation in 1..=PASSWORDS {
                let key = (spec.seed, spec.index, generation);
                hash.update(generate_password(key, 4, length).expose());
            }
        }
        hex(&hash.finalize())
    }

    /// SHA-256 over every planned check-in and every planned rotation.
    #[must_use]
    pub fn plan_digest(&self) -> String {
        let mut hash = Sha256::new();
        for (event, device) in (0..self.rate.events()).zip(self.order.iter().cycle()) {
            hash.update(device.to_le_bytes());
            hash.update(self.rate.start_ns(event).to_le_bytes());
        }
        for rotation in &self.rotations {
            hash.update(rotation.device.to_le_bytes());
            hash.update(rotation.at_ns.to_le_bytes());
            hash.update(ROTATION_ACTOR);
        }
        for (leaf, value) in &self.policy {
            hash.update(format!("{leaf}={value};"));
        }
        hex(&hash.finalize())
    }

    fn unsalted(&self, device: u32) -> Option<DeviceSpec> {
        let member = self.members.get(usize::try_from(device).ok()?)?;
        let Member {
            join,
            os,
            offline: _,
        } = *member;
        Some(DeviceSpec::derive(
            self.options.seed,
            u64::from(device),
            "LOAD-",
            join,
            os,
        ))
    }

    /// A tenth of the online devices at least rotate, [`ATTEMPTS_MIN`] attempts at least are made,
    /// and a quarter of all are made on devices that must not rotate.
    fn plan_rotations(&self) -> Vec<PlannedRotation> {
        let kinds = [
            AttemptKind::Online,
            AttemptKind::Offline,
            AttemptKind::Unbacked,
        ]
        .map(|kind| (kind, self.candidates(kind)));
        let [online, offline, unbacked] = kinds
            .each_ref()
            .map(|(_, devices)| u64::try_from(devices.len()).unwrap_or(0));
        let seconds = (self.measured_ns() / 1_000_000_000).max(1);
        let bound = seconds.saturating_mul(self.online()).saturating_mul(2);
        let floor = ATTEMPTS_MIN.min(bound);
        let tenth = self.online().div_ceil(10);
        let total = match (self.options.verification, self.options.operations.rotate) {
            // Nobody would notice the end of a rotation.
            (Verification::Off, _) => 0,
            (Verification::On, Some(rate)) => {
                let rate = self.operation_rate(rate);
                Schedule::constant(rate, self.measured_ns()).events()
            }
            (Verification::On, None) => floor.max((tenth * 4).div_ceil(3)),
        };
        // What one kind has no device for, another takes.
        let refused = if online == 0 { total } else { total / 4 };
        let counts = match (online, offline, unbacked) {
            (0, 0, 0) => [0, 0, 0],
            (_, 0, 0) => [total, 0, 0],
            (_, _, 0) => [total - refused, refused, 0],
            (_, 0, _) => [total - refused, 0, refused],
            (_, _, _) => [total - refused, refused.div_ceil(2), refused / 2],
        };
        let mut attempts: Vec<(AttemptKind, u32)> = Vec::new();
        for ((kind, devices), count) in kinds.iter().zip(counts) {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            attempts.extend(
                devices
                    .iter()
                    .cycle()
                    .take(count)
                    .map(|device| (*kind, *device)),
            );
        }
        attempts.shuffle(&mut stream(self.options.seed, Purpose::Rotations));
        let count = u64::try_from(attempts.len()).unwrap_or(0);
        spread(count, self.measured_ns())
            .zip(attempts)
            .map(|(at_ns, (kind, device))| PlannedRotation {
                at_ns: self.warm_up_ns + at_ns,
                device,
                kind,
            })
            .collect()
    }
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
        let of_fleet = options.phases.iter().map(|phase| phase.of_fleet(online));
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

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// True for the join states whose password the load policy manages.
#[must_use]
pub const fn manages(join: JoinType) -> bool {
    match join {
        JoinType::EntraJoined | JoinType::EntraHybridJoined => true,
        JoinType::EntraRegistered | JoinType::DomainJoined | JoinType::NotJoined => false,
    }
}

#[derive(Clone, Copy)]
enum Purpose {
    Members,
    Builds,
    Order,
    Rotations,
    Policy,
    Attempts(AttemptKind),
}

fn stream(seed: u64, purpose: Purpose) -> Pcg64Mcg {
    let number = match purpose {
        Purpose::Members => 1,
        Purpose::Builds => 2,
        Purpose::Order => 3,
        Purpose::Rotations => 4,
        Purpose::Policy => 5,
        Purpose::Attempts(AttemptKind::Online) => 6,
        Purpose::Attempts(AttemptKind::Offline) => 7,
        Purpose::Attempts(AttemptKind::Unbacked) => 8,
    };
    // seed_from_u64 spreads neighbouring numbers over the whole state.
    Pcg64Mcg::seed_from_u64(seed.rotate_left(8) ^ number)
}

fn members(options: &LoadOptions) -> Vec<Member> {
    let counts = options.mix.apportion(u64::from(options.devices));
    let offline = offline_of_each(counts, options.offline_ppm);
    let mut members = Vec::new();
    for ((join, count), offline) in JoinType::ALL.into_iter().zip(counts).zip(offline) {
        for place in 0..count {
            members.push(Member {
                join,
                os: OsBuild::W11_24H2,
                offline: place < offline,
            });
        }
    }
    members.shuffle(&mut stream(options.seed, Purpose::Members));
    let mut rng = stream(options.seed, Purpose::Builds);
    for member in &mut members {
        if rng.random_bool(0.5) {
            member.os = OsBuild::W10_22H2;
        }
    }
    members
}

fn select(members: &[Member], fits: impl Fn(&Member) -> bool) -> Vec<u32> {
    (0_u32..)
        .zip(members)
        .filter(|(_, member)| fits(member))
        .map(|(device, _)| device)
        .collect()
}

/// One policy with several settings, none of which needs the newer build.
fn policy(seed: u64) -> BTreeMap<Leaf, Value> {
    let mut rng = stream(seed, Purpose::Policy);
    let actions = [1, 3, 5];
    BTreeMap::from([
        (Leaf::BackupDirectory, Value::Int(1)),
        (Leaf::PasswordAgeDays, Value::Int(30)),
        (Leaf::PasswordComplexity, Value::Int(4)),
        (Leaf::PasswordLength, Value::Int(rng.random_range(14..=30))),
        (
            Leaf::PostAuthenticationResetDelay,
            Value::Int(rng.random_range(1..=24)),
        ),
        (
            Leaf::PostAuthenticationActions,
            Value::Int(actions[rng.random_range(0..3)]),
        ),
    ])
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn options(devices: u32, seed: u64) -> LoadOptions {
        LoadOptions::even(devices, seed)
    }

    #[test]
    fn equal_options_give_equal_digests_and_other_seeds_do_not() {
        let digests = |options: LoadOptions| {
            let plan = LoadPlan::new(options).unwrap();
            (plan.fleet_digest(), plan.plan_digest())
        };
        let first = digests(options(200, 7));
        assert_eq!(first, digests(options(200, 7)));
        let other = digests(options(200, 8));
        assert_ne!(first.0, other.0);
        assert_ne!(first.1, other.1);
        let salted = digests(LoadOptions {
            salt: 99,
            ..options(200, 7)
        });
        assert_eq!(first, salted, "the salt is no part of the digests");
    }

    #[test]
    fn the_salt_changes_every_id_and_name() {
        let plain = LoadPlan::new(options(20, 7)).unwrap();
        let salted = LoadPlan::new(LoadOptions {
            salt: 99,
            ..options(20, 7)
        })
        .unwrap();
        let mut names = BTreeSet::new();
        for device in 0..20 {
            let (one, two) = (plain.spec(device).unwrap(), salted.spec(device).unwrap());
            assert_eq!(plain.device_id(device), Some(one.device_id));
            assert_eq!(salted.device_named(&two.device_name), Some(device));
            assert_eq!(salted.device_named(&one.device_name), None);
            assert_eq!(salted.device_id(device), Some(two.device_id));
            assert_ne!(one.device_id, two.device_id);
            assert_ne!(one.device_name, two.device_name);
            assert_eq!(one.entra_device_id.is_some(), two.entra_device_id.is_some());
            assert_eq!(one.join_type, two.join_type);
            names.extend([one.device_name, two.device_name]);
            names.extend([one.device_id.to_string(), two.device_id.to_string()]);
        }
        assert_eq!(names.len(), 80);
    }

    #[test]
    fn the_default_fleet_checks_in_at_seven_hundred_a_second() {
        let plan = LoadPlan::new(options(2_000, 1)).unwrap();
        assert_eq!(plan.online(), 1_400);
        assert_eq!(plan.rate().events(), 7_000);
    }

    #[test]
    fn a_tenth_of_the_online_devices_rotate_and_each_kind_is_attempted() {
        for (devices, seconds, attempts) in [
            (2_000, 10, 187),
            (20_000, 20, 1_867),
            (300, 3, 140),
            (20, 1, 28),
            (1, 10, 20),
        ] {
            let duration = Duration::from_secs(seconds);
            let plan = LoadPlan::new(LoadOptions {
                duration,
                ..options(devices, 3)
            })
            .unwrap();
            let of = |kind| {
                plan.rotations()
                    .iter()
                    .filter(|one| one.kind == kind)
                    .count()
            };
            assert_eq!(plan.rotations().len(), attempts, "{devices} devices");
            let rotated: BTreeSet<u32> = plan
                .rotations()
                .iter()
                .filter(|one| one.kind == AttemptKind::Online)
                .map(|one| one.device)
                .collect();
            assert!(
                rotated.len() * 10 >= plan.order().len(),
                "{devices} devices"
            );
            if devices >= 20 {
                assert!(of(AttemptKind::Offline) > 0 && of(AttemptKind::Unbacked) > 0);
            }
            let ns: Vec<u64> = plan.rotations().iter().map(|one| one.at_ns).collect();
            assert!(ns.is_sorted() && ns.iter().all(|at| *at < plan.rate().duration_ns()));
        }
    }

    #[test]
    fn a_fleet_without_online_devices_plans_nothing_that_needs_one() {
        let plan = LoadPlan::new(LoadOptions {
            offline_ppm: 1_000_000,
            ..options(50, 3)
        })
        .unwrap();
        assert_eq!(plan.online(), 0);
        assert_eq!(plan.rate().events(), 0);
    }

    #[test]
    fn a_warm_up_goes_before_the_phases_and_leaves_rotations_to_them() {
        let phases = crate::schedule::spec::parse("storm:all/1s,10s;ramp:10/s..30/s,20s").unwrap();
        let plan = LoadPlan::new(LoadOptions {
            phases,
            warm_up: Duration::from_secs(5),
            compression: 10,
            ..options(200, 3)
        })
        .unwrap();
        assert_eq!(plan.measured_ns(), 3_000_000_000);
        assert_eq!(plan.warm_up_ns(), 5_000_000_000);
        assert_eq!(
            plan.rate().events_before(5_000_000_000),
            0,
            "a storm has no rate"
        );
        assert_eq!(plan.rate().events(), plan.online() + 400);
        let within = 5_000_000_000..8_000_000_000;
        assert!(
            plan.rotations()
                .iter()
                .all(|one| within.contains(&one.at_ns))
        );
        let steady = LoadPlan::new(LoadOptions {
            warm_up: Duration::from_secs(5),
            ..options(200, 3)
        })
        .unwrap();
        assert_eq!(steady.rate().events_before(5_000_000_000), 350);
        assert_eq!(steady.rate().events(), 1_050);
    }

    #[test]
    fn without_verification_nothing_is_rotated() {
        let plan = LoadPlan::new(LoadOptions {
            verification: Verification::Off,
            ..options(200, 3)
        })
        .unwrap();
        assert!(plan.rotations().is_empty());
    }
}
