//! The life of a rotation (contract 2 and 5).

use protocol::JoinType;
use protocol::laps_csp::Leaf;
use protocol::time::UtcMillis;
use serde_json::json;

use crate::world::World;

const NOTHING: [&str; 0] = [];
const EXEC: &str = "Exec ResetPassword";
const READ: &str = "Get ResetPasswordStatus";
const PENDING: &str = "-2147483638";

/// Join state, online, backed up; the action at once, whether an Exec goes out, the end.
type Outcome = (JoinType, bool, bool, &'static str, bool, &'static str);

#[rustfmt::skip]
const OUTCOMES: [Outcome; 11] = [
    (JoinType::EntraJoined, true, true, "pending", true, "done"),
    (JoinType::EntraJoined, false, true, "failed offline", false, "failed offline"),
    (JoinType::EntraJoined, true, false, "failed noBackup", false, "failed noBackup"),
    (JoinType::EntraJoined, false, false, "failed offline", false, "failed offline"),
    (JoinType::EntraHybridJoined, true, true, "pending", true, "done"),
    (JoinType::EntraHybridJoined, false, true, "pending", true, "done"),
    (JoinType::EntraHybridJoined, true, false, "failed noBackup", false, "failed noBackup"),
    (JoinType::EntraHybridJoined, false, false, "failed noBackup", false, "failed noBackup"),
    (JoinType::EntraRegistered, true, false, "failed joinType", false, "failed joinType"),
    (JoinType::DomainJoined, true, false, "failed joinType", false, "failed joinType"),
    (JoinType::NotJoined, false, false, "failed joinType", false, "failed joinType"),
];

#[test]
fn the_outcome_depends_on_join_state_presence_and_backup() {
    for (join_type, online, backed_up, at_once, exec, in_the_end) in OUTCOMES {
        let case = format!("{join_type} online={online} backed_up={backed_up}");
        let mut world = World::new();
        let mut device = if backed_up {
            world.backed_up("PC", join_type)
        } else {
            let mut device = world.device_of("PC", join_type, "10.0.26100.1");
            device.check_in(&mut world);
            device
        };
        world.connected.clear();
        if online {
            world.connected.insert(device.channel());
        }
        world.pushed.clear();
        world.rotate(&device);
        assert_eq!(
            world.pushed,
            [device.channel()],
            "{case}: one push an action"
        );
        assert_eq!(world.actions(&device), [at_once], "{case}");
        let uploads = device.uploads;
        let told = device.check_in(&mut world);
        let expected = if exec { &[EXEC, READ][..] } else { &[] };
        assert_eq!(told, expected, "{case}");
        assert_eq!(world.actions(&device), [in_the_end], "{case}");
        assert_eq!(device.uploads, uploads + u128::from(exec), "{case}");
        assert_eq!(device.check_in(&mut world), NOTHING, "{case}");
    }
}

#[test]
fn a_rotation_is_active_while_its_exec_is_out_and_later_requests_follow_one_by_one() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraJoined);
    world.rotate(&device);
    world.rotate(&device);
    assert_eq!(world.actions(&device), ["pending", "pending"]);
    assert_eq!(device.check_in_until(&mut world, 1), [EXEC]);
    assert_eq!(world.actions(&device), ["pending", "active"]);
    // The Exec was lost; it is not repeated, and the upload proves nothing yet.
    assert_eq!(device.check_in(&mut world), [READ]);
    assert_eq!(world.actions(&device), ["pending", "failed lost"]);
    assert_eq!(device.check_in(&mut world), [EXEC, READ]);
    assert_eq!(world.actions(&device), ["done", "failed lost"]);
}

#[test]
fn what_reset_password_status_reads_decides() {
    for (case, reads, uploads, told, end) in [
        ("done", &["0"][..], true, 2, "done"),
        (
            "done, hexadecimal pending first",
            &["0x8000000A", "0"],
            true,
            3,
            "done",
        ),
        (
            "unsigned pending",
            &["2147483658", PENDING, PENDING, "0"],
            true,
            5,
            "done",
        ),
        (
            "another HRESULT",
            &["-2147024891"],
            false,
            2,
            "failed -2147024891",
        ),
        (
            "another HRESULT in hexadecimal",
            &["0x80070005"],
            false,
            2,
            "failed -2147024891",
        ),
        (
            "text",
            &["ready"],
            false,
            2,
            "failed ResetPasswordStatus `ready` is no HRESULT",
        ),
        // Asked again at most three times; 0 without a credential counts as pending.
        ("no credential", &[], false, 5, "active"),
        (
            "pending for ever",
            &[PENDING, PENDING, PENDING, PENDING, PENDING],
            true,
            5,
            "active",
        ),
    ] {
        let mut world = World::new();
        let mut device = world.backed_up("PC", JoinType::EntraJoined);
        device.uploads_on_exec = uploads;
        device.reset_status.extend(reads);
        world.rotate(&device);
        assert_eq!(device.check_in(&mut world).len(), told, "{case}");
        assert_eq!(world.actions(&device), [end], "{case}");
    }
}

#[test]
fn a_rotation_still_pending_at_the_end_of_the_next_session_has_failed() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraJoined);
    device.uploads_on_exec = false;
    world.rotate(&device);
    assert_eq!(device.check_in(&mut world), [EXEC, READ, READ, READ, READ]);
    world.rotate(&device);
    // No second Exec beside the first.
    assert_eq!(device.check_in(&mut world), [READ, READ, READ, READ]);
    assert_eq!(world.actions(&device), ["pending", "failed noCredential"]);
    device.uploads_on_exec = true;
    assert_eq!(device.check_in(&mut world), [EXEC, READ]);
    assert_eq!(world.actions(&device), ["done", "failed noCredential"]);
}

#[test]
fn a_late_credential_makes_it_done() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraJoined);
    device.uploads_on_exec = false;
    world.rotate(&device);
    device.check_in(&mut world);
    assert_eq!(device.upload(&mut world), 204);
    assert_eq!(device.check_in(&mut world), [READ]);
    assert_eq!(world.actions(&device), ["done"]);
}

#[test]
fn after_a_lost_exec_pending_proves_that_it_arrived() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraJoined);
    world.rotate(&device);
    assert_eq!(device.check_in_until(&mut world, 1), [EXEC]);
    device.reset_status.extend([PENDING; 8]);
    assert_eq!(device.check_in(&mut world), [READ; 4]);
    assert_eq!(world.actions(&device), ["active"]);
    assert_eq!(device.check_in(&mut world), [READ; 4]);
    assert_eq!(world.actions(&device), ["failed noCredential"]);
}

#[test]
fn after_a_lost_exec_a_credential_or_another_hresult_decides() {
    for (read, uploaded, end) in [
        ("0", true, "done"),
        ("0", false, "failed lost"),
        ("-5", false, "failed -5"),
    ] {
        let mut world = World::new();
        let mut device = world.backed_up("PC", JoinType::EntraJoined);
        world.rotate(&device);
        device.check_in_until(&mut world, 1);
        if uploaded {
            device.upload(&mut world);
        }
        device.reset_status.push_back(read);
        assert_eq!(device.check_in(&mut world), [READ]);
        assert_eq!(world.actions(&device), [end]);
    }
}

#[test]
fn an_exec_that_is_refused_fails_the_rotation_with_its_code() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraJoined);
    device.codes.insert("Exec ResetPassword", 405);
    world.rotate(&device);
    assert_eq!(device.check_in(&mut world), [EXEC]);
    assert_eq!(world.actions(&device), ["failed 405"]);
}

#[test]
fn an_action_expires_after_a_day() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraHybridJoined);
    world.connected.clear();
    world.rotate(&device);
    world.pass(UtcMillis::DAY_MS);
    assert_eq!(world.actions(&device), ["pending"]);
    assert_eq!(world.core.poll_timeout(), Some(world.now.plus_millis(1)));
    world.pass(1);
    assert_eq!(world.actions(&device), ["failed expired"]);
    assert_eq!(world.core.poll_timeout(), None);
    assert_eq!(device.check_in(&mut world), NOTHING);
}

#[test]
fn the_virtual_clock_expires_actions_too() {
    let mut world = World::new();
    let device = world.backed_up("PC", JoinType::EntraHybridJoined);
    world.connected.clear();
    world.rotate(&device);
    world.control(
        "POST",
        "clock",
        &json!({"advanceMs": UtcMillis::DAY_MS + 1}),
    );
    assert_eq!(world.actions(&device), ["failed expired"]);
}

#[test]
fn a_disabled_device_rotates_nothing() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraHybridJoined);
    world.connected.clear();
    world.rotate(&device);
    let object = world.object(&device);
    let url = format!("/devices/{object}");
    world.admin(
        "policy-admin",
        "PATCH",
        &url,
        &json!({"accountEnabled": false}),
    );
    assert_eq!(world.actions(&device), ["failed disabled"]);
    world.connected.insert(device.channel());
    world.rotate(&device);
    assert_eq!(
        world.actions(&device),
        ["failed disabled", "failed disabled"]
    );
    assert_eq!(device.check_in(&mut world), NOTHING);
    assert_eq!(device.upload(&mut world), 403);
    world.admin(
        "policy-admin",
        "PATCH",
        &url,
        &json!({"accountEnabled": true}),
    );
    world.rotate(&device);
    assert_eq!(device.check_in(&mut world), [EXEC, READ]);
}

#[test]
fn a_backup_to_active_directory_is_known_by_a_status_of_0() {
    let mut world = World::new();
    let mut device = world.device_of("PC", JoinType::EntraHybridJoined, "10.0.26100.1");
    device.check_in(&mut world);
    device.uploads_on_exec = false;
    let policy = world.policy("p", &[(Leaf::BackupDirectory, 2)]);
    let group = world.group("g", &[&device]);
    world.assign(policy, &[group]);
    device.reset_status.extend(["-2147024891", "-2147024891"]);
    // The session that acknowledges it ends with the read, and so does each until it reads 0.
    let told = device.check_in(&mut world);
    assert_eq!(told, ["Atomic", "Replace BackupDirectory=2", READ]);
    assert_eq!(device.check_in(&mut world), [READ]);
    world.connected.insert(device.channel());
    world.rotate(&device);
    assert_eq!(world.actions(&device), ["failed noBackup"]);
    assert_eq!(device.check_in(&mut world), [READ]);
    assert_eq!(device.check_in(&mut world), NOTHING);
    world.rotate(&device);
    assert_eq!(device.check_in(&mut world), [EXEC, READ]);
    assert_eq!(world.actions(&device)[0], "done");
}

#[test]
fn an_entra_joined_device_has_no_backup_in_active_directory() {
    let mut world = World::new();
    let mut device = world.device("PC");
    let policy = world.policy("p", &[(Leaf::BackupDirectory, 2)]);
    let group = world.group("g", &[&device]);
    world.assign(policy, &[group]);
    device.check_in(&mut world);
    assert_eq!(world.state(&device, policy), "compliant");
    world.connected.insert(device.channel());
    world.rotate(&device);
    assert_eq!(world.actions(&device), ["failed noBackup"]);
    assert_eq!(device.check_in(&mut world), NOTHING);
}

#[test]
fn a_sync_is_done_when_the_next_session_ends() {
    let mut world = World::new();
    let mut device = world.device("PC");
    world.task(&device, "rotate-operator", "syncDevice");
    assert_eq!(world.actions(&device), ["pending"]);
    device.check_in(&mut world);
    assert_eq!(world.actions(&device), ["done"]);
}

#[test]
fn a_channel_on_a_host_that_is_not_allowed_counts_as_offline() {
    let mut world = World::new();
    let mut device = world.backed_up("PC", JoinType::EntraJoined);
    world.pass(15 * UtcMillis::DAY_MS);
    device.channel_uri = Some("http://198.51.100.7/channel");
    device.check_in(&mut world);
    world.pushed.clear();
    world.rotate(&device);
    assert_eq!(world.actions(&device), ["failed offline"]);
    assert!(world.pushed.is_empty());
}
