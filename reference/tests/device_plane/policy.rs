//! Delivery of policies: what reaches which device, what is written, how it is reported.

use protocol::JoinType;
use protocol::laps_csp::Leaf;
use serde_json::json;

use crate::world::World;

const NOTHING: [&str; 0] = [];
const W11: &str = "10.0.26100.2314";
const W10: &str = "10.0.19045.5011";

#[test]
fn only_leaves_that_differ_are_written_and_unset_ones_deleted() {
    let mut world = World::new();
    let mut device = world.device("PC");
    device.check_in(&mut world);
    let policy = world.policy(
        "p",
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordLength, 20)],
    );
    let group = world.group("g", &[&device]);
    world.assign(policy, &[group]);
    assert_eq!(world.state(&device, policy), "unknown");
    assert_eq!(
        device.check_in(&mut world),
        [
            "Atomic",
            "Replace BackupDirectory=1",
            "Replace PasswordLength=20"
        ]
    );
    assert_eq!(world.state(&device, policy), "compliant");
    assert_eq!(device.check_in(&mut world), NOTHING);

    world.edit(
        policy,
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 9)],
    );
    assert_eq!(world.state(&device, policy), "unknown");
    let told = [
        "Atomic",
        "Replace PasswordAgeDays=9",
        "Delete PasswordLength",
    ];
    assert_eq!(device.check_in(&mut world), told);

    world.assign(policy, &[]);
    assert_eq!(world.state(&device, policy), "-");
    let told = ["Atomic", "Delete BackupDirectory", "Delete PasswordAgeDays"];
    assert_eq!(device.check_in(&mut world), told);
    assert_eq!(device.check_in(&mut world), NOTHING);
}

#[test]
fn a_policy_reaches_a_device_by_its_targets() {
    let mut world = World::new();
    let mut device = world.device("PC");
    let mut alone = world.device_of("AD", JoinType::DomainJoined, W11);
    let (own, other) = (world.group("own", &[&device]), world.group("other", &[]));
    let policy = world.policy("p", &[(Leaf::BackupDirectory, 1)]);
    let group =
        |id| json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": id});
    let exclude = |id| json!({"@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget", "groupId": id});
    let all = json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"});
    for (case, targets, expected) in [
        ("its group", vec![group(own)], ["unknown", "-"]),
        ("another group", vec![group(other)], ["-", "-"]),
        ("excluded", vec![group(own), exclude(own)], ["-", "-"]),
        ("all", vec![all.clone()], ["unknown", "unknown"]),
        ("all but", vec![all, exclude(own)], ["-", "unknown"]),
        ("none", vec![], ["-", "-"]),
    ] {
        world.assign_targets(policy, &targets);
        let states = [world.state(&device, policy), world.state(&alone, policy)];
        assert_eq!(states, expected, "{case}");
    }
    // Membership counts as much as assignment, and a device in both directions.
    let object = world.object(&device);
    world.assign(policy, &[other]);
    world.join(other, object);
    device.check_in(&mut world);
    assert_eq!(world.state(&device, policy), "compliant");
    world.leave(other, object);
    assert_eq!(world.state(&device, policy), "-");
    assert!(
        device
            .check_in(&mut world)
            .contains(&"Delete BackupDirectory".to_owned())
    );
    alone.check_in(&mut world);
}

#[test]
fn what_a_build_or_join_state_has_no_use_for_is_not_sent() {
    let settings = [
        (Leaf::BackupDirectory, 1),
        (Leaf::PasswordComplexity, 6),
        (Leaf::PassphraseLength, 5),
    ];
    let all = [
        "Atomic",
        "Replace BackupDirectory=1",
        "Replace PasswordComplexity=6",
        "Replace PassphraseLength=5",
    ];
    for (join_type, os, told, state) in [
        (JoinType::EntraJoined, W11, &all[..], "compliant"),
        (JoinType::EntraHybridJoined, W11, &all, "compliant"),
        (
            JoinType::EntraJoined,
            W10,
            &["Atomic", "Replace BackupDirectory=1"],
            "compliant PasswordComplexity=notApplicable PassphraseLength=notApplicable",
        ),
        (JoinType::EntraJoined, "10.0.17134.1", &[], "notApplicable"),
        (JoinType::EntraRegistered, W11, &[], "notApplicable"),
        (JoinType::DomainJoined, W11, &[], "notApplicable"),
        (JoinType::NotJoined, W11, &[], "notApplicable"),
    ] {
        let mut world = World::new();
        let mut device = world.device_of("PC", join_type, os);
        let policy = world.policy("p", &settings);
        let everyone = json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"});
        world.assign_targets(policy, &[everyone]);
        let sent = device.check_in(&mut world);
        assert_eq!(sent[4..], *told, "{join_type} {os}");
        let mut shown: Vec<String> = world
            .state(&device, policy)
            .split(' ')
            .map(str::to_owned)
            .collect();
        let mut expected: Vec<String> = state.split(' ').map(str::to_owned).collect();
        shown.sort();
        expected.sort();
        assert_eq!(shown, expected, "{join_type} {os}");
    }
}

#[test]
fn a_device_joined_otherwise_counts_so_from_its_next_session() {
    let mut world = World::new();
    let mut device = world.device_of("PC", JoinType::EntraRegistered, W11);
    let policy = world.policy("p", &[(Leaf::BackupDirectory, 1)]);
    let group = world.group("g", &[&device]);
    world.assign(policy, &[group]);
    device.check_in(&mut world);
    assert_eq!(world.state(&device, policy), "notApplicable");
    let path = format!("devices/{}", device.entra.unwrap());
    world.control("PATCH", &path, &json!({"joinType": "entraJoined"}));
    assert_eq!(device.upload(&mut world), 403, "not yet");
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace BackupDirectory=1"]
    );
    assert_eq!(world.state(&device, policy), "compliant");
    assert_eq!(device.upload(&mut world), 204);
}

#[test]
fn an_atomic_counts_by_its_own_status() {
    let settings = [(Leaf::BackupDirectory, 1), (Leaf::PasswordLength, 20)];
    for (case, codes, state, again) in [
        ("accepted", &[("Atomic", 202)][..], "compliant", false),
        (
            "children speak for themselves",
            &[("Replace PasswordLength", 500)],
            "compliant",
            false,
        ),
        (
            "one is to blame",
            &[
                ("Atomic", 507),
                ("Replace BackupDirectory", 216),
                ("Replace PasswordLength", 500),
            ],
            "error BackupDirectory=unknown",
            true,
        ),
        ("none is to blame", &[("Atomic", 507)], "error", true),
    ] {
        let mut world = World::new();
        let mut device = world.device("PC");
        device.check_in(&mut world);
        let policy = world.policy("p", &settings);
        let group = world.group("g", &[&device]);
        world.assign(policy, &[group]);
        device.codes.extend(codes.iter().copied());
        let first = device.check_in(&mut world);
        assert_eq!(first.len(), 3, "never twice in one session: {first:?}");
        assert_eq!(world.state(&device, policy), state, "{case}");
        device.codes.clear();
        let second = device.check_in(&mut world);
        assert_eq!(second, if again { first } else { Vec::new() }, "{case}");
        assert_eq!(world.state(&device, policy), "compliant", "{case}");
    }
}

#[test]
fn an_unanswered_policy_is_sent_again_at_the_next_session() {
    let mut world = World::new();
    let mut device = world.device("PC");
    device.check_in(&mut world);
    let policy = world.policy("p", &[(Leaf::BackupDirectory, 1)]);
    let group = world.group("g", &[&device]);
    world.assign(policy, &[group]);
    let told = ["Atomic", "Replace BackupDirectory=1"];
    assert_eq!(device.check_in_until(&mut world, 1), told);
    device.silent.extend(["Atomic", "Replace BackupDirectory"]);
    assert_eq!(device.check_in(&mut world), told);
    assert_eq!(world.state(&device, policy), "unknown");
    device.silent.clear();
    assert_eq!(device.check_in(&mut world), told);
    assert_eq!(world.state(&device, policy), "compliant");
}

#[test]
fn a_delete_answered_404_counts_as_deleted() {
    let mut world = World::new();
    let mut device = world.device("PC");
    device.check_in(&mut world);
    let policy = world.policy(
        "p",
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordLength, 20)],
    );
    let group = world.group("g", &[&device]);
    world.assign(policy, &[group]);
    device.check_in(&mut world);
    world.edit(
        policy,
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 9)],
    );
    device
        .codes
        .extend([("Atomic", 507), ("Delete PasswordLength", 404)]);
    let told = [
        "Atomic",
        "Replace PasswordAgeDays=9",
        "Delete PasswordLength",
    ];
    assert_eq!(device.check_in(&mut world), told);
    device.codes.clear();
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace PasswordAgeDays=9"]
    );
    assert_eq!(world.state(&device, policy), "compliant");
}

#[test]
fn user_policies_count_while_the_user_is_signed_in_and_stay_afterwards() {
    let mut world = World::new();
    let mut device = world.device("PC");
    device.check_in(&mut world);
    let (anna, bert) = (
        world.user("anna@muster.test"),
        world.user("bert@muster.test"),
    );
    let (of_anna, of_bert) = (world.group("anna", &[]), world.group("bert", &[]));
    world.join(of_anna, anna);
    world.join(of_bert, bert);
    let first = world.policy(
        "p1",
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordLength, 20)],
    );
    let second = world.policy(
        "p2",
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordLength, 30)],
    );
    world.assign(first, &[of_anna]);
    world.assign(second, &[of_bert]);
    assert_eq!(device.check_in(&mut world), NOTHING);

    world.sign_in(&device, Some("anna@muster.test"));
    assert_eq!(world.pushed.len(), 1);
    assert_eq!(world.state(&device, first), "unknown");
    // Named by the control plane, but the session does not say so.
    assert_eq!(device.check_in(&mut world), NOTHING);
    device.login = "user";
    let told = [
        "Atomic",
        "Replace BackupDirectory=1",
        "Replace PasswordLength=20",
    ];
    assert_eq!(device.check_in(&mut world), told);
    assert_eq!(world.state(&device, first), "compliant");

    // Nobody there: what anna's policies set stays as it is, even when they are edited.
    world.sign_in(&device, None);
    assert_eq!(device.check_in(&mut world), NOTHING);
    assert_eq!(world.state(&device, first), "compliant");
    world.edit(
        first,
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordLength, 21)],
    );
    assert_eq!(device.check_in(&mut world), NOTHING);
    assert_eq!(world.state(&device, first), "unknown");

    world.sign_in(&device, Some("bert@muster.test"));
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace PasswordLength=30"]
    );
    assert_eq!(world.state(&device, first), "-");
    assert_eq!(world.state(&device, second), "compliant");
}

#[test]
fn a_change_pushes_once_to_each_device_concerned() {
    let mut world = World::new();
    let mut device = world.device("PC");
    let mut other = world.device("Other");
    device.check_in(&mut world);
    other.check_in(&mut world);
    let policy = world.policy("p", &[(Leaf::BackupDirectory, 1)]);
    let group = world.group("g", &[&device]);
    world.assign(policy, &[group]);
    assert_eq!(world.pushed, [device.channel()]);
    world.assign(policy, &[group]);
    assert_eq!(
        world.pushed.len(),
        1,
        "the same targets again alter nothing"
    );
    world.edit(policy, &[(Leaf::BackupDirectory, 2)]);
    world.delete_policy(policy);
    world.answer_pushes();
    assert_eq!(world.pushed.len(), 3);
}
