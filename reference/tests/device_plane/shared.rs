//! Check-ins under a shared borrow: random histories, once with them and once without, give the
//! same answers and leave the same state.

use protocol::JoinType;
use protocol::laps_csp::Leaf;
use protocol::time::UtcMillis;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use reference::Plane;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::script::Device;
use crate::world::{Way, World};

const HISTORIES: u64 = 40;
const STEPS: u32 = 120;
/// Answers are compared at every step, what the admin plane shows at every so many.
const OBSERVED_EVERY: u32 = 6;
const USERS: [&str; 2] = ["one@muster.test", "two@muster.test"];

/// What happens next; the numbers name devices, policies and groups.
#[derive(Clone, Copy, Debug)]
enum Event {
    CheckIn(usize),
    /// The device goes away after so many messages.
    BreaksOff(usize, u32),
    /// Something happens between the first message and the second.
    During(usize, Call),
    /// The last first message comes once more.
    Repeat(usize),
    /// A first message in another form, which means the same.
    Pretty(usize),
    Garbage(usize),
    Login(usize, &'static str),
    Pass(i64),
    Upload(usize),
    Connect(usize, bool),
    Silence(usize, &'static str),
    Fails(usize, u32),
    EnrollAgain(usize),
    Admin(Call),
}

/// A call of an administrator or of the control plane, which may well be refused.
#[derive(Clone, Copy, Debug)]
enum Call {
    SignIn(usize, Option<&'static str>),
    Task(usize, &'static str),
    Delete(usize),
    Rejoin(usize, JoinType),
    Enable(usize, bool),
    Assign(usize, usize),
    Unassign(usize),
    Edit(usize, i32),
    Join(usize, usize),
    Leave(usize, usize),
}

/// One of the two worlds.
struct Side {
    world: World,
    devices: Vec<Device>,
    /// The directory objects of the devices, then the users.
    objects: Vec<Uuid>,
    policies: Vec<Uuid>,
    groups: Vec<Uuid>,
}

#[test]
fn shared_check_ins_change_nothing_but_the_way() {
    let seed = 0x5EED_0003;
    let mut shared = 0;
    for history in 0..HISTORIES {
        shared += replay(seed + history);
    }
    // Otherwise both sides went the same way.
    assert!(shared > 400, "seed {seed}: {shared}");
}

/// Plays the history of a seed on both sides; how many check-ins were shared.
fn replay(seed: u64) -> u32 {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut sides = [Way::Exclusive, Way::SharedFirst].map(Side::new);
    for step in 0..STEPS {
        let event = draw(&mut rng);
        for side in &mut sides {
            side.apply(event);
            if step % OBSERVED_EVERY == 0 {
                side.observe();
            }
        }
        let [exclusive, with_shared] = &mut sides;
        let answers = |side: &mut Side| {
            let answers = std::mem::take(&mut side.world.answers);
            let shown = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
            answers
                .into_iter()
                .map(|answer| (answer.status, shown(&answer.body), answer))
                .collect::<Vec<_>>()
        };
        let (left, right) = (answers(exclusive), answers(with_shared));
        assert_eq!(left, right, "seed {seed} step {step}: {event:?}");
        let (left, right) = (&exclusive.world.pushed, &with_shared.world.pushed);
        assert_eq!(left, right, "seed {seed} step {step}: {event:?}");
    }
    let [_, with_shared] = sides;
    with_shared.world.shared
}

fn draw(rng: &mut Pcg64Mcg) -> Event {
    let device = rng.random_range(0..4);
    match rng.random_range(0..40) {
        0..=11 => Event::CheckIn(device),
        12 | 13 => Event::During(device, draw_call(device, rng)),
        14 => Event::BreaksOff(device, rng.random_range(1..3)),
        15..=17 => Event::Repeat(device),
        18 | 19 => Event::Pretty(device),
        20 => Event::Garbage(device),
        21 => Event::Login(device, one_of(&["none", "user"], rng)),
        22..=24 => Event::Pass(one_of(&PAUSES_MS, rng)),
        25 | 26 => Event::Upload(device),
        27 => Event::Connect(device, rng.random()),
        28 => Event::Silence(device, one_of(&SILENCES, rng)),
        29 => Event::Fails(device, one_of(&[200, 507], rng)),
        30 => Event::EnrollAgain(device),
        _ => Event::Admin(draw_call(device, rng)),
    }
}

fn draw_call(device: usize, rng: &mut Pcg64Mcg) -> Call {
    let (policy, group) = (rng.random_range(0..3), rng.random_range(0..2));
    match rng.random_range(0..20) {
        0..=4 => Call::Task(device, "rotateLocalAdminPassword"),
        5 => Call::Task(device, "syncDevice"),
        6 => Call::Task(device, "wipe"),
        7 if rng.random() => Call::Delete(device),
        7 | 8 => Call::SignIn(device, one_of(&[None, Some(USERS[0]), Some(USERS[1])], rng)),
        9 => Call::Rejoin(device, one_of(&JOINS, rng)),
        10 => Call::Enable(device, rng.random()),
        11..=13 => Call::Assign(policy, group),
        14 => Call::Unassign(policy),
        15 | 16 => Call::Edit(policy, one_of(&[10, 20], rng)),
        17 | 18 => Call::Join(group, device),
        _ => Call::Leave(group, device),
    }
}

fn one_of<T: Copy>(choices: &[T], rng: &mut Pcg64Mcg) -> T {
    choices[rng.random_range(0..choices.len())]
}

/// Within the time of repeats and beyond it, beyond the life of an action and of a channel.
const PAUSES_MS: [i64; 5] = [1, 59_000, 120_000, 25 * 3_600_000, 16 * UtcMillis::DAY_MS];
const SILENCES: [&str; 4] = [
    "Exec ResetPassword",
    "Get ResetPasswordStatus",
    "Atomic",
    "Get Push/ChannelURI",
];
const JOINS: [JoinType; 3] = [
    JoinType::EntraJoined,
    JoinType::EntraHybridJoined,
    JoinType::EntraRegistered,
];

impl Side {
    fn new(way: Way) -> Self {
        let mut world = World::new();
        let joins = [
            JoinType::EntraJoined,
            JoinType::EntraJoined,
            JoinType::EntraHybridJoined,
            JoinType::DomainJoined,
        ];
        let mut devices: Vec<Device> = (0..)
            .zip(joins)
            .map(|(place, join)| world.device_of(&format!("D{place}"), join, "10.0.26100.1"))
            .collect();
        let mut objects: Vec<Uuid> = devices
            .iter()
            .filter(|device| device.entra.is_some())
            .map(|device| world.object(device))
            .collect();
        objects.extend(USERS.map(|user| world.user(user)));
        let ages = [10, 20, 10].map(|age| (Leaf::PasswordAgeDays, age));
        let policies = [1, 1, 2].map(|directory| (Leaf::BackupDirectory, directory));
        let policies: Vec<Uuid> = (0..)
            .zip(policies)
            .zip(ages)
            .map(|((place, directory), age)| world.policy(&format!("P{place}"), &[directory, age]))
            .collect();
        let groups = vec![
            world.group("G0", &[&devices[0], &devices[1]]),
            world.group("G1", &[&devices[2]]),
        ];
        world.assign(policies[0], &groups[..1]);
        world.assign(policies[2], &groups[1..]);
        // Otherwise there is evidence of its backup from the first session on.
        devices[2].silent.insert(SILENCES[1]);
        for device in &mut devices {
            // The directory may refuse it at any time; uploads are events of their own.
            device.uploads_on_exec = false;
            device.check_in(&mut world);
            world.connected.insert(device.channel());
        }
        world.way = way;
        Self {
            world,
            devices,
            objects,
            policies,
            groups,
        }
    }

    fn apply(&mut self, event: Event) {
        let world = &mut self.world;
        match event {
            Event::CheckIn(device) => self.devices[device].knock(world, 8),
            Event::BreaksOff(device, messages) => self.devices[device].knock(world, messages),
            Event::During(place, call) => {
                let device = &mut self.devices[place];
                device.session += 1;
                let first = device.package_1(device.session);
                let second = device.say(world, 1, &first);
                self.administer(call);
                if let Some(second) = second {
                    self.devices[place].say(&mut self.world, 2, &second);
                }
            }
            Event::Repeat(device) => {
                let device = &self.devices[device];
                let body = device.package_1(device.session);
                device.send(world, &body);
            }
            Event::Pretty(device) => {
                let device = &mut self.devices[device];
                device.session += 1;
                let body = String::from_utf8(device.package_1(device.session)).unwrap();
                let body = body.replace("><", ">\n<");
                device.send(world, body.as_bytes());
            }
            Event::Garbage(device) => drop(self.devices[device].send(world, b"<SyncML>")),
            Event::Login(device, login) => self.devices[device].login = login,
            Event::Pass(millis) => world.pass(millis),
            Event::Upload(device) => {
                self.devices[device].upload(world);
            }
            Event::Connect(device, connected) => {
                let channel = self.devices[device].channel();
                if connected {
                    world.connected.insert(channel);
                } else {
                    world.connected.remove(&channel);
                }
            }
            Event::Silence(device, what) => {
                let silent = &mut self.devices[device].silent;
                if !silent.remove(what) {
                    silent.insert(what);
                }
            }
            Event::Fails(device, code) => {
                self.devices[device].codes.insert("Atomic", code);
            }
            Event::EnrollAgain(device) => {
                let device = &mut self.devices[device];
                world.register_again(device);
                world.enroll(device);
            }
            Event::Admin(call) => self.administer(call),
        }
        self.world.answer_pushes();
    }

    fn administer(&mut self, call: Call) {
        let managed = |side: &Self, device: usize| side.devices[device].managed;
        match call {
            Call::Task(device, task) => {
                let actor = if task == "wipe" {
                    "device-admin"
                } else {
                    "rotate-operator"
                };
                let url = format!(
                    "/deviceManagement/managedDevices/{}/{task}",
                    managed(self, device)
                );
                self.call(actor, "POST", &url, &Value::Null);
            }
            Call::Delete(device) => {
                let url = format!("/deviceManagement/managedDevices/{}", managed(self, device));
                self.call("device-admin", "DELETE", &url, &Value::Null);
            }
            Call::SignIn(device, user) => {
                let body =
                    json!({"managedDeviceId": managed(self, device), "userPrincipalName": user});
                self.control("POST", "/muster/v1/signIns", &body);
            }
            Call::Rejoin(device, join_type) => {
                let Some(entra) = self.devices[device].entra else {
                    return;
                };
                let url = format!("/muster/v1/devices/{entra}");
                self.control("PATCH", &url, &json!({"joinType": join_type.as_str()}));
            }
            Call::Enable(device, enabled) => {
                let Some(object) = self.objects.get(device) else {
                    return;
                };
                let url = format!("/devices/{object}");
                self.call(
                    "policy-admin",
                    "PATCH",
                    &url,
                    &json!({"accountEnabled": enabled}),
                );
            }
            Call::Assign(policy, group) => {
                let group = self.groups[group];
                self.world.assign(self.policies[policy], &[group]);
            }
            Call::Unassign(policy) => self.world.assign(self.policies[policy], &[]),
            Call::Edit(policy, age) => {
                let leaves = [(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, age)];
                self.world.edit(self.policies[policy], &leaves);
            }
            Call::Join(group, device) => {
                let object = self.objects.get(device).copied().unwrap_or_default();
                let reference = format!("https://graph.test/v1.0/directoryObjects/{object}");
                let url = format!("/groups/{}/members/$ref", self.groups[group]);
                self.call(
                    "policy-admin",
                    "POST",
                    &url,
                    &json!({"@odata.id": reference}),
                );
            }
            Call::Leave(group, device) => {
                let object = self.objects.get(device).copied().unwrap_or_default();
                let url = format!("/groups/{}/members/{object}/$ref", self.groups[group]);
                self.call("policy-admin", "DELETE", &url, &Value::Null);
            }
        }
    }

    fn call(&mut self, actor: &str, method: &str, url: &str, body: &Value) {
        let url = format!("/v1.0{url}");
        self.world.json(Plane::Admin, actor, (method, &url, body));
    }

    fn control(&mut self, method: &str, url: &str, body: &Value) {
        self.world
            .json(Plane::Control, "control", (method, url, body));
    }

    /// Reads everything that the admin plane shows.
    fn observe(&mut self) {
        let mut lists = vec![
            (
                "policy-admin",
                "/deviceManagement/managedDevices".to_owned(),
            ),
            ("policy-admin", "/devices".to_owned()),
            (
                "policy-admin",
                "/deviceManagement/deviceConfigurationConflictSummary".to_owned(),
            ),
            (
                "metadata-reader",
                "/directory/deviceLocalCredentials".to_owned(),
            ),
            (
                "auditor",
                "/deviceManagement/auditEvents?$top=999".to_owned(),
            ),
            ("auditor", "/auditLogs/directoryAudits?$top=999".to_owned()),
        ];
        lists.extend(self.devices.iter().map(|device| {
            let id = device.managed;
            let url = format!("/deviceManagement/managedDevices/{id}/deviceConfigurationStates");
            ("policy-admin", url)
        }));
        lists.extend(self.policies.iter().map(|id| {
            let url = format!("/deviceManagement/configurationPolicies/{id}/deviceStatuses");
            ("policy-admin", url)
        }));
        for (actor, url) in lists {
            self.call(actor, "GET", &url, &Value::Null);
        }
    }
}

#[test]
fn a_check_in_at_rest_is_shared_and_its_repeat_is_no_second_one() {
    let mut world = World::new();
    let mut device = world.backed_up("D", JoinType::EntraJoined);
    device.check_in(&mut world);
    world.pass(UtcMillis::DAY_MS / 2);
    world.way = Way::SharedFirst;
    device.check_in(&mut world);
    let first = device.package_1(device.session);
    world.pass(59_000);
    device.send(&mut world, &first);
    assert_eq!(world.shared, 2);
    let [answer, repeated] = world.answers.as_slice() else {
        panic!("two answers");
    };
    assert_eq!(answer, repeated);
    let synced = world.now.plus_millis(-59_000).to_string();
    let row = world.admin(
        "help-desk",
        "GET",
        &format!("/deviceManagement/managedDevices/{}", device.managed),
        &Value::Null,
    );
    assert_eq!(row["lastSyncDateTime"], synced);
}

#[test]
fn gauges_tell_what_was_done() {
    let mut world = World::new();
    let mut device = world.backed_up("D", JoinType::EntraJoined);
    let gauges = |world: &mut World| {
        let (status, gauges) = world.json(
            Plane::Control,
            "control",
            ("GET", "/muster/v1/stats", &Value::Null),
        );
        assert_eq!(status, 200);
        gauges
    };
    let before = gauges(&mut world);
    device.check_in(&mut world);
    world.way = Way::SharedFirst;
    device.check_in(&mut world);
    device.check_in(&mut world);
    let after = gauges(&mut world);
    let grown = |name: &str| after[name].as_u64().unwrap() - before[name].as_u64().unwrap();
    assert_eq!(grown("evaluatedSessions"), 0);
    assert_eq!(grown("unchangedCheckIns"), 3);
    assert_eq!(grown("sharedCheckIns"), 2);
    assert_eq!(before["evaluatedSessions"], 1);
    assert_eq!(after["enrolledDevices"], 1);
    // Policy made and assigned, password stored.
    assert_eq!(after["auditEvents"], 3);
}
