//! Contract 5, conflicts, on a device with settings (S22) and on one without (S24).

use protocol::laps_csp::Leaf;
use serde_json::Value;
use uuid::Uuid;

use crate::script::Device;
use crate::world::World;

const NOTHING: [&str; 0] = [];

/// A device with set-up done, and a group that holds it.
fn start() -> (World, Device, Uuid) {
    let mut world = World::new();
    let mut device = world.device("PC");
    device.check_in(&mut world);
    let group = world.group("g", &[&device]);
    (world, device, group)
}

fn states<const N: usize>(world: &mut World, device: &Device, policies: [Uuid; N]) -> [String; N] {
    policies.map(|policy| world.state(device, policy))
}

fn summary(world: &mut World) -> Vec<(usize, String, u64)> {
    let url = "/deviceManagement/deviceConfigurationConflictSummary";
    let list = world.admin("help-desk", "GET", url, &Value::Null);
    list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let policies = row["conflictingDeviceConfigurations"]
                .as_array()
                .unwrap()
                .len();
            let leaves: Vec<&str> = row["contributingSettings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|leaf| leaf.as_str().unwrap())
                .collect();
            (
                policies,
                leaves.join(" "),
                row["deviceCheckinsImpacted"].as_u64().unwrap(),
            )
        })
        .collect()
}

const AGE_10: &[(Leaf, i32)] = &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 10)];
const AGE_20: &[(Leaf, i32)] = &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 20)];

#[test]
fn settings_in_use_stay_and_every_policy_that_sets_them_is_in_conflict() {
    let (mut world, mut device, group) = start();
    let first = world.policy("p1", AGE_10);
    world.assign(first, &[group]);
    device.check_in(&mut world);
    world.edit(
        first,
        &[(Leaf::BackupDirectory, 1), (Leaf::PasswordAgeDays, 11)],
    );
    device.check_in(&mut world);

    let second = world.policy(
        "p2",
        &[(Leaf::PasswordAgeDays, 20), (Leaf::PasswordLength, 30)],
    );
    world.assign(second, &[group]);
    // A conflict appears only at a check-in.
    assert_eq!(
        states(&mut world, &device, [first, second]),
        ["compliant", "unknown"]
    );
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace PasswordLength=30"]
    );
    assert_eq!(device.csp["PasswordAgeDays"], "11");
    assert_eq!(
        states(&mut world, &device, [first, second]),
        ["conflict", "conflict"]
    );
    assert_eq!(summary(&mut world), [(2, "PasswordAgeDays".to_owned(), 1)]);

    // Whatever is edited meanwhile; an edit does not hide the conflict.
    world.edit(first, AGE_10);
    assert_eq!(
        states(&mut world, &device, [first, second]),
        ["conflict", "conflict"]
    );
    assert_eq!(device.check_in(&mut world), NOTHING);
    let third = world.policy("p3", &[(Leaf::PasswordAgeDays, 20)]);
    world.assign(third, &[group]);
    assert_eq!(device.check_in(&mut world), NOTHING);
    let all = states(&mut world, &device, [first, second, third]);
    assert_eq!(all, ["conflict", "conflict", "conflict"]);
    assert_eq!(summary(&mut world), [(3, "PasswordAgeDays".to_owned(), 1)]);
}

#[test]
fn a_conflict_on_a_device_with_settings_is_resolved_in_three_ways() {
    for (how, told, shown) in [
        ("unassign the new", &[][..], ["compliant", "-"]),
        (
            "unassign the old",
            &["Atomic", "Replace PasswordAgeDays=20"],
            ["-", "compliant"],
        ),
        ("delete the new", &[], ["compliant", "-"]),
        ("equalise", &[], ["compliant", "compliant"]),
    ] {
        let (mut world, mut device, group) = start();
        let (first, second) = (world.policy("p1", AGE_10), world.policy("p2", AGE_20));
        world.assign(first, &[group]);
        device.check_in(&mut world);
        world.assign(second, &[group]);
        assert_eq!(device.check_in(&mut world), NOTHING);
        match how {
            "unassign the new" => world.assign(second, &[]),
            "unassign the old" => world.assign(first, &[]),
            "delete the new" => world.delete_policy(second),
            _ => world.edit(second, AGE_10),
        }
        // It disappears only at a check-in.
        if shown[0] != "-" {
            assert_eq!(world.state(&device, first), "conflict", "{how}");
        }
        assert_eq!(device.check_in(&mut world), told, "{how}");
        assert_eq!(states(&mut world, &device, [first, second]), shown, "{how}");
        assert!(summary(&mut world).is_empty(), "{how}");
    }
}

#[test]
fn nothing_of_clashing_policies_goes_to_a_device_without_settings() {
    for (how, told, shown) in [
        (
            "unassign",
            &[
                "Atomic",
                "Replace BackupDirectory=1",
                "Replace PasswordAgeDays=10",
            ][..],
            ["compliant", "-"],
        ),
        (
            "equalise",
            &[
                "Atomic",
                "Replace BackupDirectory=1",
                "Replace PasswordAgeDays=10",
            ],
            ["compliant", "compliant"],
        ),
    ] {
        let (mut world, mut device, group) = start();
        let (first, second) = (world.policy("p1", AGE_10), world.policy("p2", AGE_20));
        world.assign(first, &[group]);
        world.assign(second, &[group]);
        for _ in 0..4 {
            assert_eq!(device.check_in(&mut world), NOTHING);
            let states = states(&mut world, &device, [first, second]);
            // The clean setting of a withheld policy reads unknown.
            let withheld = "conflict BackupDirectory=unknown";
            assert_eq!(states, [withheld, withheld]);
        }
        match how {
            "unassign" => world.assign(second, &[]),
            _ => world.edit(second, AGE_10),
        }
        assert_eq!(device.check_in(&mut world), told, "{how}");
        assert_eq!(states(&mut world, &device, [first, second]), shown, "{how}");
    }
}

#[test]
fn a_policy_that_clashes_with_none_is_sent_beside_withheld_ones() {
    let (mut world, mut device, group) = start();
    let (first, second) = (world.policy("p1", AGE_10), world.policy("p2", AGE_20));
    let clean = world.policy("p3", &[(Leaf::PasswordLength, 20)]);
    for policy in [first, second, clean] {
        world.assign(policy, &[group]);
    }
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace PasswordLength=20"]
    );
    assert_eq!(world.state(&device, clean), "compliant");
    // Withheld as a whole they stay, whatever else the device has by now.
    assert_eq!(device.check_in(&mut world), NOTHING);
    let withheld = "conflict BackupDirectory=unknown";
    assert_eq!(
        states(&mut world, &device, [first, second]),
        [withheld, withheld]
    );
    world.edit(clean, &[(Leaf::PasswordLength, 21)]);
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace PasswordLength=21"]
    );
    assert_eq!(
        states(&mut world, &device, [first, second]),
        [withheld, withheld]
    );
}

#[test]
fn a_leaf_without_use_for_the_device_does_not_clash() {
    let mut world = World::new();
    let mut device = world.device_of("PC", protocol::JoinType::EntraJoined, "10.0.19045.5011");
    device.check_in(&mut world);
    let group = world.group("g", &[&device]);
    let old = world.policy("p1", &[(Leaf::PasswordComplexity, 4)]);
    let new = world.policy("p2", &[(Leaf::PasswordComplexity, 6)]);
    world.assign(old, &[group]);
    world.assign(new, &[group]);
    assert_eq!(
        device.check_in(&mut world),
        ["Atomic", "Replace PasswordComplexity=4"]
    );
    assert_eq!(
        states(&mut world, &device, [old, new]),
        ["compliant", "notApplicable"]
    );
}

#[test]
fn equal_and_disjoint_policies_do_not_clash() {
    let (mut world, mut device, group) = start();
    let (first, second) = (world.policy("p1", AGE_10), world.policy("p2", AGE_10));
    let third = world.policy("p3", &[(Leaf::PasswordLength, 20)]);
    for policy in [first, second, third] {
        world.assign(policy, &[group]);
    }
    let told = [
        "Atomic",
        "Replace BackupDirectory=1",
        "Replace PasswordAgeDays=10",
        "Replace PasswordLength=20",
    ];
    assert_eq!(device.check_in(&mut world), told);
    let all = states(&mut world, &device, [first, second, third]);
    assert_eq!(all, ["compliant", "compliant", "compliant"]);
}
