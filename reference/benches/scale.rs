//! What a device takes, and what calls cost, as the fleet grows: bytes from the process' resident
//! memory, times of one run on one machine, to be compared with each other and nothing else.
//!
//! `cargo bench -p reference --bench scale`, and the sizes of the fleet after `--`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement reads the clock, prints, and ends where it cannot go on"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use protocol::JoinType;
use protocol::laps_csp::Leaf;
use reference::Plane;
use serde_json::{Value, json};
use uuid::Uuid;

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/device_plane/script.rs"]
mod script;
#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/device_plane/world.rs"]
mod world;

use world::World;

/// Devices of the fleets unless others are named.
const FLEETS: [u32; 2] = [10_000, 50_000];
/// Calls of each kind that are timed, at the end of the growth.
const CALLS: u32 = 200;

fn main() {
    let named: Vec<u32> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let fleets = if named.is_empty() {
        FLEETS.to_vec()
    } else {
        named
    };
    for devices in fleets {
        println!("{}", measure(devices));
    }
}

fn measure(devices: u32) -> String {
    let mut world = World::new();
    let leaves = [
        (Leaf::BackupDirectory, 1),
        (Leaf::PasswordAgeDays, 30),
        (Leaf::PasswordComplexity, 4),
        (Leaf::PasswordLength, 20),
        (Leaf::PostAuthenticationActions, 3),
    ];
    let policy = world.policy("All", &leaves);
    let group = world.group("All", &[]);
    world.assign(policy, &[group]);
    let spare = world.group("Spare", &[]);
    let empty = resident_bytes();
    let mut timed = Timed::default();
    let mut objects = Vec::new();
    for number in 0..devices {
        timed.is_on = number + CALLS >= devices;
        objects.push(grow(&mut world, (number, group), &mut timed));
    }
    let full = resident_bytes();
    let mut report = format!("{devices} devices:");
    write!(
        report,
        " {} B a device",
        (full - empty) / u64::from(devices)
    )
    .unwrap();
    let events = read_passwords(&mut world, devices);
    let event = resident_bytes().saturating_sub(full) / u64::from(events);
    write!(report, ", of which {event} B its audit event").unwrap();
    timed.is_on = true;
    for object in objects.iter().rev().take(CALLS as usize) {
        timed.time("join a group", || world.join(spare, *object));
    }
    read_lists(&mut world, (policy, group), &mut timed);
    timed.time("assign to all of a small group", || {
        world.assign(policy, &[group, spare]);
    });
    report + &timed.report()
}

/// One more device: registered, enrolled, in the group, with its policy and a password stored.
fn grow(world: &mut World, (number, group): (u32, Uuid), timed: &mut Timed) -> Uuid {
    let name = format!("DESKTOP-{number:07}");
    let mut device = timed.time("register", || {
        world.register(&name, JoinType::EntraJoined, "10.0.26100.2314")
    });
    timed.time("enrol", || world.enroll(&mut device));
    let object = world.object(&device);
    world.join(group, object);
    timed.time("first session", || device.check_in(world));
    timed.time("store a password", || device.upload(world));
    device.check_in(world);
    object
}

/// Reads the password of some devices, each of which leaves an event; how many.
fn read_passwords(world: &mut World, devices: u32) -> u32 {
    for number in 1..=devices {
        let id = Uuid::from_u128(0xE000_0000_0000_4000_8000_0000_0000_0000 + u128::from(number));
        let url = format!("/directory/deviceLocalCredentials/{id}?$select=credentials");
        world.admin("password-reader", "GET", &url, &Value::Null);
    }
    devices
}

fn read_lists(world: &mut World, (policy, group): (Uuid, Uuid), timed: &mut Timed) {
    let lists = [
        (
            "page of devices",
            "/deviceManagement/managedDevices".to_owned(),
        ),
        (
            "device by name",
            "/deviceManagement/managedDevices?$filter=deviceName%20eq%20'DESKTOP-0000042'"
                .to_owned(),
        ),
        ("page of members", format!("/groups/{group}/members")),
        (
            "page of statuses",
            format!("/deviceManagement/configurationPolicies/{policy}/deviceStatuses"),
        ),
        (
            "conflicts",
            "/deviceManagement/deviceConfigurationConflictSummary".to_owned(),
        ),
    ];
    for (name, url) in lists {
        for _ in 0..CALLS {
            timed.time(name, || {
                world.admin("policy-admin", "GET", &url, &json!(null))
            });
        }
    }
    for number in 0..CALLS {
        let body = json!({"userPrincipalName": format!("u{number}@x.test"), "displayName": "u"});
        timed.time("create a user", || {
            world.json(Plane::Admin, "policy-admin", ("POST", "/v1.0/users", &body))
        });
    }
}

/// Mean times by what was done, in the order in which it was first done.
#[derive(Default)]
struct Timed {
    is_on: bool,
    kinds: Vec<(&'static str, Duration, u32)>,
}

impl Timed {
    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        if self.is_on {
            match self.kinds.iter_mut().find(|(kind, ..)| *kind == name) {
                Some((_, total, count)) => {
                    *total += took;
                    *count += 1;
                }
                None => self.kinds.push((name, took, 1)),
            }
        }
        result
    }

    fn report(&self) -> String {
        let lines = self.kinds.iter().map(|(name, total, count)| {
            format!(
                "\n  {name:<32} {:>9.1} us",
                total.as_secs_f64() * 1e6 / f64::from(*count)
            )
        });
        lines.collect()
    }
}

/// Resident memory of this process (`/proc/self/statm`, second field, in pages of 4 KiB).
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
