//! Each deliberate defect of the device side does what its sentence says, seen on the wire.

use protocol::JoinType;
use protocol::laps_csp::Leaf;
use reference::Fault;
use uuid::Uuid;

use crate::script::Device;
use crate::world::World;

const EXEC: &str = "Exec ResetPassword";
const AGE_10: &[(Leaf, i32)] = &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 10)];
const AGE_20: &[(Leaf, i32)] = &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 20)];

fn start(fault: Fault) -> (World, Device, Uuid) {
    let mut world = World::faulty(fault);
    let mut device = world.device("PC");
    device.check_in(&mut world);
    let group = world.group("g", &[&device]);
    (world, device, group)
}

/// A device with settings, then a second policy (and a third) that clashes.
fn clash_later(fault: Fault) -> (World, Device, Uuid, Vec<Uuid>) {
    let (mut world, mut device, group) = start(fault);
    let policies: Vec<Uuid> = [AGE_10, AGE_20, AGE_20]
        .map(|leaves| world.policy("p", leaves))
        .to_vec();
    world.assign(policies[0], &[group]);
    device.check_in(&mut world);
    world.edit(
        policies[0],
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 11)],
    );
    device.check_in(&mut world);
    world.assign(policies[1], &[group]);
    world.assign(policies[2], &[group]);
    (world, device, group, policies)
}

fn clash_first(fault: Fault) -> (World, Device, Vec<Uuid>) {
    let (mut world, device, group) = start(fault);
    let policies: Vec<Uuid> = [AGE_10, AGE_20]
        .map(|leaves| world.policy("p", leaves))
        .to_vec();
    for policy in &policies {
        world.assign(*policy, &[group]);
    }
    (world, device, policies)
}

#[test]
fn delivery_defects_show_in_the_first_atomic() {
    for (fault, told) in [
        (
            Fault::AssignDropLeaf,
            &[
                "Atomic",
                "Replace BackupDirectory=1",
                "Replace PasswordAgeDays=10",
            ][..],
        ),
        (
            Fault::AssignWrongValue,
            &[
                "Atomic",
                "Replace BackupDirectory=1",
                "Replace PasswordAgeDays=10",
                "Replace PasswordLength=21",
            ],
        ),
        (
            Fault::AssignExtraLeaf,
            &[
                "Atomic",
                "Replace BackupDirectory=1",
                "Replace PasswordAgeDays=10",
                "Replace PasswordLength=20",
                "Replace PostAuthenticationResetDelay=24",
            ],
        ),
    ] {
        let (mut world, mut device, group) = start(fault);
        let leaves = [
            (Leaf::BackupDirectory, 1),
            (Leaf::PasswordAgeDays, 10),
            (Leaf::PasswordLength, 20),
        ];
        let policy = world.policy("p", &leaves);
        world.assign(policy, &[group]);
        assert_eq!(device.check_in(&mut world), told, "{fault:?}");
        assert_eq!(world.state(&device, policy), "compliant", "{fault:?}");
        assert!(device.check_in(&mut world).is_empty(), "{fault:?}");
    }
}

#[test]
fn one_empty_answer_in_200_carries_a_write() {
    let (mut world, mut device, _) = start(Fault::AssignAlter);
    let altered = (0..400)
        .filter(|_| !device.check_in(&mut world).is_empty())
        .count();
    assert_eq!(altered, 2);
}

#[test]
fn conflict_defects_show_on_a_device_with_settings() {
    let conflict = "conflict";
    for (fault, told, states) in [
        (
            Fault::ConfLastWriter,
            &["Atomic", "Replace PasswordAgeDays=20"][..],
            [conflict, conflict, conflict],
        ),
        (
            Fault::ConfClearLeaf,
            &["Atomic", "Delete PasswordAgeDays"],
            [conflict; 3],
        ),
        (
            Fault::ConfRevertToFirstValue,
            &["Atomic", "Replace PasswordAgeDays=10"],
            [conflict; 3],
        ),
        (
            Fault::ConfOnlyNewReports,
            &[],
            ["compliant", "compliant", conflict],
        ),
        (
            Fault::ConfOnlyOldReports,
            &[],
            [conflict, "compliant", "compliant"],
        ),
        (
            Fault::ConfThirdPolicySilent,
            &[],
            [conflict, conflict, "compliant"],
        ),
    ] {
        let (mut world, mut device, _, policies) = clash_later(fault);
        assert_eq!(device.check_in(&mut world), told, "{fault:?}");
        let shown: Vec<String> = policies
            .iter()
            .map(|policy| world.state(&device, *policy))
            .collect();
        assert_eq!(shown, states, "{fault:?}");
    }
}

#[test]
fn conflict_defects_show_after_the_resolution() {
    for (fault, equalise) in [
        (Fault::ConfStickyAfterUnassign, false),
        (Fault::ConfEqualiseIgnored, true),
    ] {
        let (mut world, mut device, _, policies) = clash_later(fault);
        device.check_in(&mut world);
        for policy in &policies[1..] {
            if equalise {
                world.edit(
                    *policy,
                    &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 11)],
                );
            } else {
                world.assign(*policy, &[]);
            }
        }
        device.check_in(&mut world);
        assert_eq!(world.state(&device, policies[0]), "conflict", "{fault:?}");
    }
}

#[test]
fn conflict_defects_show_on_a_device_without_settings() {
    let (mut world, mut device, policies) = clash_first(Fault::ConfFirstWinsAtOnce);
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace PasswordAgeDays=10"]
    );
    assert!(world.state(&device, policies[0]).starts_with("conflict"));

    let (mut world, mut device, policies) = clash_first(Fault::ConfReportsSucceeded);
    assert!(device.check_in(&mut world).is_empty());
    assert_eq!(world.state(&device, policies[1]), "compliant");

    let (mut world, mut device, _) = clash_first(Fault::ConfGivesInLater);
    let sent: Vec<usize> = (0..4).map(|_| device.check_in(&mut world).len()).collect();
    assert_eq!(sent, [0, 0, 3, 0]);

    let (mut world, mut device, policies) = clash_first(Fault::ConfNeverResumes);
    device.check_in(&mut world);
    world.assign(policies[1], &[]);
    assert!(device.check_in(&mut world).is_empty());
    assert_eq!(world.state(&device, policies[0]), "unknown");
}

#[test]
fn rotation_defects_show_in_the_action_and_on_the_wire() {
    for (fault, online, backed_up, state, exec) in [
        (Fault::RotRefusesAll, true, true, "failed refused", false),
        (Fault::RotDoneWithoutExec, true, true, "done", false),
        (Fault::RotQueueWhenOffline, false, true, "pending", true),
        (Fault::RotDoneThoughOffline, false, true, "done", false),
        (Fault::RotUnbackedOk, true, false, "done", false),
        (Fault::RotAgeGate, true, true, "failed passwordAge", false),
        (
            Fault::RotExecAfterFailure,
            false,
            true,
            "failed offline",
            true,
        ),
    ] {
        let mut world = World::faulty(fault);
        let mut device = if backed_up {
            world.backed_up("PC", JoinType::EntraJoined)
        } else {
            let mut device = world.device("PC");
            device.check_in(&mut world);
            world.connected.insert(device.channel());
            device
        };
        if !online {
            world.connected.clear();
        }
        world.rotate(&device);
        assert_eq!(world.actions(&device), [state], "{fault:?}");
        let told = device.check_in(&mut world);
        assert_eq!(told.contains(&EXEC.to_owned()), exec, "{fault:?}: {told:?}");
    }
}

#[test]
fn one_failure_for_want_of_connection_fails_all_that_follow() {
    let mut world = World::faulty(Fault::RotFailureBlocksLater);
    let device = world.backed_up("PC", JoinType::EntraJoined);
    world.connected.clear();
    world.rotate(&device);
    world.connected.insert(device.channel());
    world.rotate(&device);
    assert_eq!(world.actions(&device), ["failed offline", "failed offline"]);
}

#[test]
fn schedule_defects_show_in_directory_and_sessions() {
    let mut world = World::faulty(Fault::SchedOwnExec);
    let mut device = world.backed_up("PC", JoinType::EntraJoined);
    let sent: Vec<bool> = (0..4)
        .map(|_| device.check_in(&mut world).contains(&EXEC.to_owned()))
        .collect();
    assert_eq!(sent, [false, false, true, false]);

    for (fault, events) in [(Fault::SchedLosesBackup, 1), (Fault::RotRefusesAll, 2)] {
        let mut world = World::faulty(fault);
        let mut device = world.backed_up("PC", JoinType::EntraJoined);
        world.pass(1000);
        assert_eq!(device.upload(&mut world), 204);
        let url = "/auditLogs/directoryAudits";
        let list = world.admin("auditor", "GET", url, &serde_json::Value::Null);
        assert_eq!(list["value"].as_array().unwrap().len(), events, "{fault:?}");
    }
}

#[test]
fn needless_errors_are_reported() {
    let mut world = World::faulty(Fault::JoinMismatchErrors);
    let mut device = world.device("PC");
    let group = world.group("g", &[&device]);
    let policy = world.policy("p", &[(Leaf::BackupDirectory, 2)]);
    world.assign(policy, &[group]);
    device.check_in(&mut world);
    assert_eq!(world.state(&device, policy), "error");
}

#[test]
fn an_account_that_is_never_backed_up_is_an_error_only_by_defect() {
    for (fault, backs_up, states) in [
        (Fault::AccountMissingErrors, false, ["compliant", "error"]),
        (
            Fault::AccountMissingErrors,
            true,
            ["compliant", "compliant"],
        ),
        (Fault::RotRefusesAll, false, ["compliant", "compliant"]),
    ] {
        let (mut world, mut device, group) = start(fault);
        let policy = world.policy_with_account(if backs_up { "Administrator" } else { "missing" });
        world.assign(policy, &[group]);
        for expected in states {
            device.check_in(&mut world);
            assert_eq!(world.state(&device, policy), expected, "{fault:?}");
            if backs_up {
                device.upload(&mut world);
            }
        }
    }
}
