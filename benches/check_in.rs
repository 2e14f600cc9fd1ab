//! Check-ins without a socket: device and core in one thread with the real bytes, and the core
//! alone with messages written beforehand.

#![expect(
    clippy::unwrap_used,
    reason = "the world is shared with the tests and panics as they do"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use reference::Step;
use serde_json::{Value, json};

mod settled;

use settled::{World, certificate, first_message, message, one_session, settled};

/// Messages written beforehand; when the last was sent the first is no repeat any more.
const MESSAGES: u32 = 1_000;

fn check_in(criterion: &mut Criterion) {
    let (mut world, device) = settled();
    criterion.bench_function("check_in/no-op", |bencher| {
        bencher.iter(|| {
            // A session a millisecond: nothing of the device's own schedule falls due in between.
            world.now = world.now.plus_millis(1);
            one_session(&mut world, device);
            world.messages
        });
    });
    let asked = world.messages;
    assert!(asked > 2, "the device never spoke");
}

/// The core alone, through either of its ways.
fn core(criterion: &mut Criterion) {
    let (mut world, device) = settled();
    let certificate = certificate(&world, device);
    let bodies = first_messages(&mut world, device);
    let now = world.now;
    let request = |body| message(&certificate, body);
    let core = &mut world.core;
    let mut next = bodies.iter().cycle();
    criterion.bench_function("core/no-op/shared", |bencher| {
        bencher.iter(|| {
            let body = next.next().unwrap();
            core.try_check_in(now, black_box(&request(body))).unwrap()
        });
    });
    criterion.bench_function("core/no-op/exclusive", |bencher| {
        bencher.iter(|| {
            let body = next.next().unwrap();
            let Step::Done(answer) = core.handle(now, black_box(&request(body))) else {
                unreachable!("nothing waits for a push");
            };
            answer
        });
    });
}

/// Two policies that clash are edited, and the device's next session resolves them.
fn conflict(criterion: &mut Criterion) {
    let (mut world, device) = settled();
    let policies = [(14, 30), (20, 30)].map(|(length, age)| {
        let policy = policy(&mut world, (length, age));
        let assign = format!("{POLICIES}/{policy}/assign");
        let target = json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"});
        let body = json!({"assignments": [{"target": target}]});
        let (status, answer) = world.admin("policy-admin", "POST", &assign, &body);
        assert_eq!(status, 200, "{answer}");
        policy
    });
    one_session(&mut world, device);
    let mut round = 0;
    criterion.bench_function("check_in/conflict", |bencher| {
        bencher.iter(|| {
            round += 1;
            let settings = body("clashing", (14, 30 + round % 2));
            let url = format!("{POLICIES}/{}", policies[0]);
            let (status, answer) = world.admin("policy-admin", "PUT", &url, &settings);
            assert_eq!(status, 204, "{answer}");
            world.now = world.now.plus_millis(1);
            one_session(&mut world, device);
        });
    });
}

const POLICIES: &str = "/v1.0/deviceManagement/configurationPolicies";

fn policy(world: &mut World, leaves: (i32, i32)) -> String {
    let (status, answer) = world.admin("policy-admin", "POST", POLICIES, &body("P", leaves));
    assert_eq!(status, 201, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

fn body(name: &str, (length, age): (i32, i32)) -> Value {
    use protocol::graph::policy::{ConfigurationPolicy, settings_from_leaves};
    use protocol::laps_csp::{Leaf, Value as LeafValue};
    let leaves = [
        (Leaf::BackupDirectory, 1),
        (Leaf::PasswordLength, length),
        (Leaf::PasswordAgeDays, age),
    ];
    let leaves = leaves
        .into_iter()
        .map(|(leaf, value)| (leaf, LeafValue::Int(value)))
        .collect();
    serde_json::to_value(ConfigurationPolicy::laps(
        name,
        settings_from_leaves(&leaves),
    ))
    .unwrap()
}

/// First messages of as many sessions of the device, none of which is sent.
fn first_messages(world: &mut World, device: usize) -> Vec<Vec<u8>> {
    let first = String::from_utf8(first_message(world, device)).unwrap();
    let (head, rest) = first.split_once("<SessionID>").unwrap();
    let (_, tail) = rest.split_once("</SessionID>").unwrap();
    (0..MESSAGES)
        .map(|number| format!("{head}<SessionID>{number:08X}</SessionID>{tail}").into_bytes())
        .collect()
}

criterion_group!(benches, check_in, core, conflict);
criterion_main!(benches);
