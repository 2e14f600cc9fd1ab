//! Legal variants that act late, in virtual time: when what they put off is seen.

use protocol::JoinType;
use protocol::laps_csp::Leaf;
use reference::Variant;
use serde_json::Value;

use super::world::World;

/// By this time, everything late has come; well below every limit of contract 8.
const LATE_MS: i64 = 1_000;
/// At this time, nothing late has come.
const EARLY_MS: i64 = 100;

/// What is seen early and late: of the core as it stands, and with the variant.
#[track_caller]
fn expect(variant: Variant, probe: fn(&mut World, i64) -> String, seen: [[&str; 2]; 2]) {
    let worlds = [World::new(), World::varied(variant)];
    for (mut world, seen) in worlds.into_iter().zip(seen) {
        let early = probe(&mut world, EARLY_MS);
        let late = probe(&mut world, LATE_MS);
        assert_eq!([early.as_str(), late.as_str()], seen, "{variant:?}");
    }
}

#[test]
fn events_of_the_log_come_late() {
    let probe = |world: &mut World, wait| {
        let device = world.backed_up(&format!("pc{wait}"), JoinType::EntraJoined);
        world.rotate(&device);
        world.pass(wait);
        let url = "/deviceManagement/auditEvents";
        let log = world.admin("auditor", "GET", url, &Value::Null);
        let events = log["value"].as_array().unwrap().iter();
        let id = device.managed.to_string();
        let own = events.filter(|event| event["resources"][0]["resourceId"] == id.as_str());
        own.count().to_string()
    };
    expect(Variant::AuditLate, probe, [["1", "1"], ["0", "1"]]);
}

#[test]
fn states_of_a_session_come_late() {
    let probe = |world: &mut World, wait| {
        let mut device = world.device(&format!("pc{wait}"));
        let policy = world.policy(&format!("policy{wait}"), &[(Leaf::PasswordLength, 20)]);
        let group = world.group(&format!("group{wait}"), &[&device]);
        world.assign(policy, &[group]);
        device.check_in(world);
        world.pass(wait);
        world.state(&device, policy)
    };
    let seen = [["compliant", "compliant"], ["unknown", "compliant"]];
    expect(Variant::ReportLate, probe, seen);
}

#[test]
fn a_change_after_a_session_is_seen_at_once() {
    let mut world = World::varied(Variant::ReportLate);
    let mut device = world.device("pc");
    let policy = world.policy("policy", &[(Leaf::PasswordLength, 20)]);
    let group = world.group("group", &[&device]);
    world.assign(policy, &[group]);
    device.check_in(&mut world);
    world.pass(LATE_MS);
    device.check_in(&mut world);
    assert_eq!(world.state(&device, policy), "compliant");
    world.edit(policy, &[(Leaf::PasswordLength, 21)]);
    assert_eq!(world.state(&device, policy), "unknown");
}

#[test]
fn a_rotation_of_an_offline_device_fails_late_and_never_goes_out() {
    let probe = |world: &mut World, wait| {
        let mut device = world.backed_up(&format!("pc{wait}"), JoinType::EntraJoined);
        world.connected.remove(&device.channel());
        world.rotate(&device);
        let sent = device.check_in(world);
        assert!(
            !sent.iter().any(|command| command.contains("Exec")),
            "{sent:?}"
        );
        world.pass(wait);
        world.actions(&device).join(", ")
    };
    let seen = [
        ["failed offline", "failed offline"],
        ["pending", "failed offline"],
    ];
    expect(Variant::RotationFailsLate, probe, seen);
}

#[test]
fn the_push_for_a_change_goes_out_late() {
    let probe = |world: &mut World, wait| {
        let mut device = world.device(&format!("pc{wait}"));
        device.check_in(world);
        let policy = world.policy(&format!("policy{wait}"), &[(Leaf::PasswordLength, 20)]);
        let group = world.group(&format!("group{wait}"), &[&device]);
        world.assign(policy, &[group]);
        world.pass(wait);
        world.answer_pushes();
        let pushes = world.pushed.iter().filter(|uri| **uri == device.channel());
        pushes.count().to_string()
    };
    expect(Variant::PushLate, probe, [["1", "1"], ["0", "1"]]);
}

#[test]
fn the_push_of_an_action_is_never_late() {
    let mut world = World::varied(Variant::PushLate);
    let device = world.backed_up("pc", JoinType::EntraJoined);
    world.rotate(&device);
    assert_eq!(world.actions(&device), ["pending"]);
}
