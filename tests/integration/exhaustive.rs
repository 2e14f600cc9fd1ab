//! Every sequence of six commands about three policies that set one leaf: small enough to leave
//! nothing to chance.
//!
//! A command sets one of the policies to one of its two other states (absent, value a, value b) or
//! lets the device check in. The sequences are walked as a tree: core and device are copied at
//! each fork and go on from there, in one thread and in virtual time, over the bytes of the real
//! planes. After every step a model, written from the seed article and the contract and sharing
//! nothing with the core, says what must have been written, what the device holds, and what the
//! reports show. The same walk must find every deliberate defect of the conflict rules: a model
//! that lets one pass proves nothing.

mod command;
mod model;
mod rig;
mod walk;

use reference::{CONFORM_FAULTS, FAULTS};

use self::command::Sequence;
use self::rig::Manner;
use self::walk::{Breadth, Walk, replay};

/// Without optimisation the walk takes minutes: the full depth is for `cargo test --release`.
const DEPTH: usize = if cfg!(debug_assertions) { 4 } else { 6 };

/// The nodes of the whole tree below its root: 7 + 7^2 + ... + 7^depth.
fn steps_of(depth: usize) -> u64 {
    (1..=depth)
        .map(|length| 7_u64.pow(u32::try_from(length).unwrap()))
        .sum()
}

fn walk_everything(manner: Manner) {
    let walk = Walk {
        fault: None,
        manner,
        breadth: Breadth::Every,
        depth: DEPTH,
    };
    match walk.run() {
        Ok(steps) => assert_eq!(steps, steps_of(DEPTH)),
        // The walk goes deep first: what it comes upon is rarely the shortest.
        Err(violation) => panic!("{}", walk.shortest_violation().unwrap_or(violation)),
    }
}

#[test]
fn conflict_rules_hold_in_every_sequence_of_edits_and_unassignments() {
    walk_everything(Manner::EditThenAssign);
}

#[test]
fn conflict_rules_hold_in_every_sequence_of_deletions_and_late_edits() {
    walk_everything(Manner::AssignThenEdit);
}

/// Sequences worth their own line: what the seed article tells, and what once went wrong. The
/// line that a violation prints goes here.
const SEQUENCES: &[&str] = &[
    // seed, Avoid policy conflicts: a device with policy gets another; unassigned again.
    "1=a check-in 2=b check-in 2=absent check-in",
    // The same, made equal; the former value in use gives way.
    "1=a check-in 2=b check-in 1=b check-in check-in",
    // A device without policy gets two at the same time; nothing is sent while they clash.
    "1=a 2=b check-in check-in 2=a check-in",
    // Three clash, and two of them go on clashing.
    "1=a 2=b 3=b check-in 2=absent check-in 3=absent check-in",
    // A policy in conflict leaves and comes back between two check-ins.
    "1=a check-in 2=b check-in 1=absent 1=b check-in",
];

#[test]
fn sequences_of_interest_hold() {
    for text in SEQUENCES {
        let sequence = Sequence::parse(text);
        assert_eq!(sequence.to_string(), *text);
        for manner in [Manner::EditThenAssign, Manner::AssignThenEdit] {
            if let Err(violation) = replay(None, manner, &sequence) {
                panic!("{violation}");
            }
        }
    }
}

/// The defects that show with one leaf, and the number of commands that it takes to see them.
const FOUND: &[(&str, usize)] = &[
    ("M-CONF-last-writer", 4),
    ("M-CONF-clear-leaf", 4),
    ("M-CONF-only-new-reports", 4),
    ("M-CONF-only-old-reports", 4),
    ("M-CONF-third-policy-silent", 5),
    ("M-CONF-revert-to-first-value", 6),
    ("M-CONF-sticky-after-unassign", 6),
    ("M-CONF-equalise-ignored", 6),
    ("M-CONF-first-wins-at-once", 3),
    ("M-CONF-reports-succeeded", 3),
    ("M-CONF-gives-in-later", 5),
    ("M-CONF-never-resumes", 5),
    ("M-CONF-keeps-first-owner", 5),
    ("M-CONF-equal-values-conflict", 3),
    ("M-CONF-sources-missing", 3),
    ("M-CONF-two-values-in-one-session", 3),
    // Not about conflicts, but about what is written all the same.
    ("M-ASSIGN-extra-leaf", 2),
    ("M-ASSIGN-wrong-value", 2),
];

/// Defects of the conflict rules that need another leaf, a second one, or a second device.
const OUT_OF_REACH: &[&str] = &[
    "M-CONF-account-first-wins",
    "M-CONF-directory-first-wins",
    "M-CONF-disjoint-conflict",
    "M-CONF-marks-every-setting",
    "M-CONF-withhold-uneven",
];

#[test]
fn walk_finds_every_defect_of_the_conflict_rules() {
    let mut wrong = Vec::new();
    for (name, length) in FOUND {
        let fault = name.parse().unwrap();
        let walk = Walk {
            fault: Some(fault),
            manner: Manner::EditThenAssign,
            breadth: Breadth::UpToRenaming,
            depth: 6,
        };
        match walk.shortest_violation() {
            Some(violation) if violation.length() == *length => {}
            Some(violation) => {
                wrong.push(format!("{name}: expected {length} commands\n{violation}"));
            }
            None => wrong.push(format!("{name}: not found in sequences of 6 commands")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_defect_of_the_conflict_rules_is_in_a_table() {
    let all = FAULTS.iter().chain(CONFORM_FAULTS);
    for row in all.filter(|row| row.name.starts_with("M-CONF-")) {
        let found = FOUND.iter().any(|(name, _)| *name == row.name);
        assert!(
            found != OUT_OF_REACH.contains(&row.name),
            "{} belongs to FOUND, or to OUT_OF_REACH",
            row.name
        );
    }
}
