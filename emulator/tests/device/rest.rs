//! A device that rests after every step against one that never does.

use std::fmt::Write;

use emulator::{
    Commons, Connectivity, ConnectivitySchedule, Device, DeviceId, DeviceSpec, Endpoint, Failure,
    OfflineWindow, OsBuild, ResetTiming, Response, SessionCause, Transmit,
};
use protocol::JoinType;
use protocol::laps_csp::{Leaf, RESET_PASSWORD, RESET_PASSWORD_STATUS, Value};
use protocol::syncml::{Command, Limits, Verb, decode};
use protocol::time::UtcMillis;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::rig::{
    SEED, discover_response, grant, march, policies_response, policy, request, server_message,
    token_response, write,
};

/// The two devices, the time, and what the second one rested with.
struct Pair {
    seed: u64,
    plain: Device,
    resting: Device,
    spec: DeviceSpec,
    commons: Commons,
    now: UtcMillis,
    rests: u32,
    openings: u32,
}

impl Pair {
    fn new(seed: u64, spec: DeviceSpec) -> Self {
        Self {
            seed,
            plain: Device::new(spec.clone()),
            resting: Device::new(spec.clone()),
            spec,
            commons: Commons::default(),
            now: march(1),
            rests: 0,
            openings: 0,
        }
    }

    fn both<T: PartialEq + std::fmt::Debug>(
        &mut self,
        act: impl Fn(&mut Device, UtcMillis) -> T,
    ) -> T {
        let (one, two) = (
            act(&mut self.plain, self.now),
            act(&mut self.resting, self.now),
        );
        assert_eq!(one, two, "seed {}", self.seed);
        self.rest();
        one
    }

    /// Lets the second device rest and wake, where it can, and compares the two whole.
    fn rest(&mut self) {
        let device = std::mem::replace(&mut self.resting, Device::new(self.spec.clone()));
        self.resting = match device.rest(self.spec.clone(), &mut self.commons) {
            Ok(rested) => {
                self.rests += 1;
                assert_eq!(rested.poll_timeout(), self.plain.poll_timeout());
                rested.wake(self.spec.clone(), &self.commons)
            }
            Err(device) => *device,
        };
        assert_eq!(form(&self.plain), form(&self.resting), "seed {}", self.seed);
    }

    /// The opening of a resting device is what the woken one sends.
    fn look_at_opening(&mut self) {
        let Ok(mut rested) = self
            .plain
            .clone()
            .rest(self.spec.clone(), &mut self.commons)
        else {
            return;
        };
        let Some(opening) = rested.opening() else {
            return;
        };
        let mut written = Vec::new();
        opening.write(rested.next_session_id(), self.spec.device_id, &mut written);
        let mut device = rested.wake(self.spec.clone(), &self.commons);
        device.start_session(self.now, SessionCause::Schedule);
        let sent = device.poll_transmit(self.now).expect("a first message");
        assert_eq!(
            String::from_utf8(written),
            String::from_utf8(sent.body.clone())
        );
        assert_eq!(rested.common().request_url(), sent.url);
        let message = decode(&sent.body, &Limits::default()).expect("a message");
        let answer = server_message(&message, Vec::new(), true);
        device.handle_response(self.now, ok(&answer));
        while device.poll_event().is_some() {}
        rested.session_without_work();
        assert_eq!(
            form(&rested.wake(self.spec.clone(), &self.commons)),
            form(&device),
            "seed {}",
            self.seed
        );
        self.openings += 1;
    }

    /// Answers what the devices send until they are silent.
    fn serve(&mut self, rng: &mut Pcg64Mcg) {
        for _ in 0..40 {
            let sent = self.both(|device, now| device.poll_transmit(now).map(flat));
            let Some((endpoint, body)) = sent else { break };
            if rng.random_ratio(1, 12) {
                let failure = [Failure::NotSent, Failure::Unknown][rng.random_range(0..2)];
                self.both(|device, now| device.handle_failure(now, failure));
                continue;
            }
            let (status, answer) = answer_to(endpoint, &body, rng);
            let response = Response {
                status,
                body: &answer,
                retry_after_s: rng.random_bool(0.5).then_some(60),
            };
            self.both(|device, now| device.handle_response(now, response));
            self.both(|device, now| {
                let asked = device.key_request();
                asked.map(|_| device.provide_request(now, vec![1, 2, 3]))
            });
        }
        self.both(|device, _| std::iter::from_fn(|| device.poll_event()).collect::<Vec<_>>());
    }

    fn step(&mut self, rng: &mut Pcg64Mcg) {
        self.now = self
            .now
            .plus_millis(rng.random_range(0..=9 * UtcMillis::HOUR_MS));
        match rng.random_range(0..17) {
            0 | 1 => self.both(|device, now| device.enroll(now, grant())),
            2..=5 => self.both(|device, now| device.start_session(now, SessionCause::Schedule)),
            6 => {
                self.both(|device, now| device.handle_push(now));
            }
            7 => {
                self.both(|device, now| device.sign_in(now, "Administrator"));
            }
            8 => {
                let change = self.now.plus_millis(rng.random_range(0..UtcMillis::DAY_MS));
                let windows = vec![OfflineWindow {
                    from: self.now,
                    to: change,
                }];
                self.both(|device, now| {
                    let schedule = ConnectivitySchedule::Windows(windows.clone());
                    device.set_connectivity_schedule(now, schedule);
                });
            }
            9 => self.both(|device, now| device.set_connectivity(now, Connectivity::Offline)),
            10 | 11 => self.both(|device, now| device.set_connectivity(now, Connectivity::Online)),
            12 => {
                let polling = rng.random_bool(0.5);
                self.both(|device, _| device.set_polling(polling));
            }
            13 if rng.random_ratio(1, 6) => self.both(Device::unenroll),
            14 => self.now = self.now.plus_millis(20 * UtcMillis::DAY_MS),
            _ => {}
        }
        self.both(Device::handle_timeout);
        self.serve(rng);
        self.look_at_opening();
    }
}

/// Everything about a device, secrets included.
fn form(device: &Device) -> String {
    let mut text = format!("{device:?}");
    let password = device
        .managed_account()
        .map(|account| account.password.to_owned());
    write!(text, "{password:?}{:?}", device.digest_secret()).expect("a String takes everything");
    text
}

fn ok(body: &[u8]) -> Response<'_> {
    Response {
        status: 200,
        body,
        retry_after_s: None,
    }
}

type Flat = (Endpoint, Vec<u8>);

fn flat(transmit: Transmit) -> Flat {
    (transmit.endpoint, transmit.body)
}

fn answer_to(endpoint: Endpoint, body: &[u8], rng: &mut Pcg64Mcg) -> (u16, Vec<u8>) {
    if rng.random_ratio(1, 15) {
        return (*[403, 429, 500, 503].choose(rng).expect("four"), Vec::new());
    }
    match endpoint {
        Endpoint::Discovery => (200, discover_response().encode()),
        Endpoint::Policy => (200, policies_response().encode()),
        Endpoint::Enrollment => (200, token_response().encode()),
        Endpoint::Directory => (204, Vec::new()),
        Endpoint::Management => {
            let message = decode(body, &Limits::default()).expect("a message");
            let is_final = rng.random_ratio(9, 10);
            (200, server_message(&message, wishes(rng), is_final))
        }
    }
}

/// What a server asks in one message.
fn wishes(rng: &mut Pcg64Mcg) -> Vec<Command<'static>> {
    let push = "./Vendor/MSFT/DMClient/Provider/muster/Push/PFN";
    match rng.random_range(0..9) {
        0 => vec![request("8", Verb::Exec, RESET_PASSWORD)],
        1 => vec![request("8", Verb::Get, RESET_PASSWORD_STATUS)],
        2 => vec![write("8", Verb::Add, push, ("chr", "Muster.Test_0"))],
        3 | 4 => {
            let backup = Value::Int(rng.random_range(0..3));
            let length = Value::Int(rng.random_range(8..=30));
            let settings = [
                (Leaf::BackupDirectory, backup),
                (Leaf::PasswordLength, length),
            ];
            vec![policy("8", &settings)]
        }
        5 => {
            let name = *["svc-local", "nobody", ""].choose(rng).expect("three");
            let setting = (Leaf::AdministratorAccountName, Value::Text(name.into()));
            vec![policy("8", &[setting])]
        }
        6 => {
            let on = Value::Bool(rng.random_bool(0.5));
            let settings = [
                (Leaf::AutomaticAccountManagementEnabled, on),
                (
                    Leaf::AutomaticAccountManagementRandomizeName,
                    Value::Bool(true),
                ),
            ];
            vec![policy("8", &settings)]
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_device_that_rests_after_every_step_does_what_it_would_have_done() {
    let (mut rests, mut openings) = (0, 0);
    for seed in 0..60_u64 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let joins = JoinType::ALL;
        let os = [OsBuild::W10_22H2, OsBuild::W11_24H2];
        let (join, os) = (
            joins[rng.random_range(0..joins.len())],
            os[rng.random_range(0..2)],
        );
        let mut spec = DeviceSpec::derive(SEED, rng.random_range(0..3), "PC-", join, os);
        if rng.random_bool(0.3) {
            spec.reset = ResetTiming::Deferred { reads: 1 };
        }
        let mut pair = Pair::new(seed, spec);
        pair.both(|device, now| device.enroll(now, grant()));
        pair.serve(&mut rng);
        for _ in 0..80 {
            pair.step(&mut rng);
        }
        rests += pair.rests;
        openings += pair.openings;
    }
    assert!(
        rests > 5_000 && openings > 1_000,
        "{rests} rests, {openings} openings"
    );
}

#[test]
fn the_id_of_a_device_is_known_without_the_rest_of_it() {
    for index in 0..50 {
        let spec = DeviceSpec::derive(SEED, index, "PC-", JoinType::NotJoined, OsBuild::W10_22H2);
        assert_eq!(DeviceId::derive(SEED, index), spec.device_id);
        assert_eq!(
            spec.device_id.text()[..],
            *spec.device_id.to_string().as_bytes()
        );
    }
}

#[test]
fn a_device_in_the_middle_of_something_does_not_rest() {
    let spec = DeviceSpec::derive(SEED, 1, "PC-", JoinType::EntraJoined, OsBuild::W11_24H2);
    let mut commons = Commons::default();
    let fresh = Device::new(spec.clone());
    assert!(
        fresh.rest(spec.clone(), &mut commons).is_err(),
        "not enrolled"
    );
    let mut rig = crate::rig::Rig::of(spec.clone());
    assert!(rig.device.clone().rest(spec.clone(), &mut commons).is_ok());
    let mut other = spec.clone();
    other.device_name.push('X');
    assert!(
        rig.device.clone().rest(other, &mut commons).is_err(),
        "another"
    );
    rig.device.start_session(rig.now, SessionCause::User);
    assert!(
        rig.device.clone().rest(spec, &mut commons).is_err(),
        "in a session"
    );
}
