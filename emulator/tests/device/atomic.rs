//! Atomic and Sequence: all or nothing, and who gets which status.

use emulator::OsBuild;
use protocol::JoinType;
use protocol::laps_csp::{Leaf, RESET_PASSWORD};
use protocol::syncml::{Command, ContainerKind, Verb};

use crate::rig::*;

const AGE: &str = "./Device/Vendor/MSFT/LAPS/Policies/PasswordAgeDays";
const LENGTH: &str = "./Device/Vendor/MSFT/LAPS/Policies/PasswordLength";

fn rig() -> Rig {
    let mut rig = Rig::enrolled(JoinType::EntraJoined, OsBuild::W11_24H2);
    rig.apply(&entra(10));
    rig
}

fn check(command: Command<'static>, expected: &[(&str, u32)]) -> Rig {
    let mut rig = rig();
    let answer = rig.tell(vec![command]);
    let seen = codes(&answer);
    let expected: Vec<(String, u32)> = expected
        .iter()
        .map(|(id, code)| ((*id).to_owned(), *code))
        .collect();
    assert_eq!(seen[1..], expected);
    if expected[0].1 != 200 {
        assert_eq!(
            rig.device.csp_value(AGE),
            Some(int(10)),
            "nothing is in force"
        );
        assert_eq!(rig.device.csp_value(LENGTH), None);
    }
    rig
}

#[test]
fn the_container_stands_first_and_its_children_follow() {
    check(
        atomic(
            "5",
            vec![
                set("6", Leaf::PasswordAgeDays, &int(20)),
                write("7", Verb::Add, LENGTH, ("int", "20")),
            ],
        ),
        &[("5", 200), ("6", 200), ("7", 200)],
    );
}

#[test]
fn one_failure_undoes_what_was_done_and_leaves_out_the_rest() {
    let bad = || set("7", Leaf::PasswordLength, &int(200));
    let good = || set("6", Leaf::PasswordAgeDays, &int(20));
    let rest = || set("8", Leaf::PasswordComplexity, &int(1));
    let rig = check(
        atomic("5", vec![good(), bad(), rest()]),
        &[("5", 507), ("6", 216), ("7", 500), ("8", 215)],
    );
    assert_eq!(rig.rotations(), 1);
    // Delete of a missing leaf, Add of a present one.
    check(
        atomic("5", vec![good(), request("7", Verb::Delete, LENGTH)]),
        &[("5", 507), ("6", 216), ("7", 404)],
    );
    check(
        atomic("5", vec![write("6", Verb::Add, AGE, ("int", "20"))]),
        &[("5", 507), ("6", 418)],
    );
}

#[test]
fn get_and_containers_inside_an_atomic_fail() {
    let good = || set("6", Leaf::PasswordAgeDays, &int(20));
    check(
        atomic("5", vec![good(), request("7", Verb::Get, AGE)]),
        &[("5", 507), ("6", 216), ("7", 500)],
    );
    let length = || write("8", Verb::Add, LENGTH, ("int", "20"));
    check(
        atomic("5", vec![good(), atomic("7", vec![length()])]),
        &[("5", 507), ("6", 216), ("7", 500), ("8", 215)],
    );
}

#[test]
fn add_and_then_replace_of_one_node_inside_an_atomic_is_refused() {
    let add = write("6", Verb::Add, LENGTH, ("int", "20"));
    let replace = set("7", Leaf::PasswordLength, &int(30));
    check(
        atomic("5", vec![add, replace]),
        &[("5", 507), ("6", 216), ("7", 500)],
    );
}

#[test]
fn a_child_without_id_fails_the_atomic_with_an_empty_reference() {
    let Command::Request(mut nameless) = set("7", Leaf::PasswordLength, &int(20)) else {
        unreachable!("a request");
    };
    nameless.cmd_id = None;
    check(
        atomic("5", vec![Command::Request(nameless)]),
        &[("5", 507), ("", 400)],
    );
}

#[test]
fn an_exec_that_was_rolled_back_does_nothing() {
    let rig = check(
        atomic(
            "5",
            vec![
                request("6", Verb::Exec, RESET_PASSWORD),
                set("7", Leaf::PasswordLength, &int(200)),
            ],
        ),
        &[("5", 507), ("6", 216), ("7", 500)],
    );
    assert_eq!(rig.rotations(), 1, "the first application alone");
}

#[test]
fn a_sequence_goes_on_after_a_failure_and_may_hold_an_atomic() {
    let inner = atomic("7", vec![set("8", Leaf::PasswordAgeDays, &int(20))]);
    let commands = vec![request("6", Verb::Get, LENGTH), inner];
    let rig = check(
        container("5", ContainerKind::Sequence, commands),
        &[("5", 200), ("6", 404), ("7", 200), ("8", 200)],
    );
    assert_eq!(rig.device.csp_value(AGE), Some(int(20)));
}

#[test]
fn a_repeated_atomic_changes_nothing() {
    let mut rig = rig();
    rig.apply(&entra(10));
    rig.apply(&entra(10));
    assert_eq!(rig.rotations(), 1);
}
