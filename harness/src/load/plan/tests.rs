//! What a plan must be, whatever the options.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::fleet::Verification;

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

#[test]
fn the_first_part_of_the_phases_is_counted_in_their_own_time() {
    let mut options = LoadOptions {
        phases: crate::schedule::spec::parse("constant:10/s,20s;ramp:0/s..60/s,60s;storm:all,1h")
            .unwrap(),
        warm_up: Duration::from_secs(3),
        compression: 10,
        ..options(100, 3)
    };
    let seconds = Duration::from_secs;
    for (first_s, played, events) in [(15, 1, 150), (20, 1, 200), (50, 2, 200 + 450)] {
        options.play_first(seconds(first_s)).unwrap();
        assert_eq!(options.played().count(), played, "{first_s} s");
        let plan = LoadPlan::new(options.clone()).unwrap();
        assert_eq!(plan.measured_ns(), first_s * 100_000_000, "{first_s} s");
        // The warm-up goes on at the rate of the first phase: 100 a second for 3 s.
        assert_eq!(plan.rate().events(), 300 + events, "{first_s} s");
        let end_ns = plan.rate().duration_ns();
        assert!(plan.rotations().iter().all(|one| one.at_ns < end_ns));
    }
    let whole = seconds(3_680);
    assert_eq!(options.play_first(whole), Ok(()));
    let complaint = options.play_first(whole + seconds(1)).unwrap_err();
    assert!(complaint.contains("ends after 3680s"), "{complaint}");
    let complaint = LoadOptions::even(10, 3).play_first(seconds(1)).unwrap_err();
    assert!(complaint.contains("no schedule to cut"), "{complaint}");
}

#[test]
fn a_storm_may_be_under_way_as_a_whole() {
    for (phases, given, most) in [
        ("constant:5/s,1s", None, 2_048),
        ("constant:5/s,1s;storm:all,9s", None, 20_000),
        ("storm:7000,9s;storm:3000/2s,9s", None, 7_000),
        ("storm:90000,9s", None, 20_000),
        ("storm:all,9s", Some(64), 64),
    ] {
        let options = LoadOptions {
            phases: crate::schedule::spec::parse(phases).unwrap(),
            in_flight: given,
            ..LoadOptions::even(20_000, 1)
        };
        assert_eq!(options.in_flight_max(), most, "{phases}");
    }
}
