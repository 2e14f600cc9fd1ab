//! Policies: delivery, conflicts, misfits, rights.

use std::collections::BTreeMap;

use protocol::graph::action::ActionState;
use protocol::graph::report::PolicyState;
use protocol::laps_csp::{Leaf, Value};
use protocol::syncml::Verb;

use super::Says::{Held, NotArmed, Violated};
use super::{check, exchange};
use crate::case::{
    AccessCase, ActionSeen, Attempt, Case, ConflictCheckInCase, ConflictKind, ConflictReportCase,
    DeliveryCase, Guarded, MisfitCase, MisfitKind, PolicyReport, PolicyRole, Remedy,
    ResolutionCase, UnprocessedCase, WriteSeen,
};

fn write(leaf: Leaf, data: &str) -> WriteSeen {
    WriteSeen {
        verb: Verb::Replace,
        loc_uri: leaf.node().loc_uri.to_owned(),
        format: Some(leaf.node().format.as_str().to_owned()),
        data: Some(data.to_owned()),
        exchange: exchange(1),
    }
}

fn delete(leaf: Leaf) -> WriteSeen {
    WriteSeen {
        verb: Verb::Delete,
        format: None,
        data: None,
        ..write(leaf, "")
    }
}

fn delivery() -> DeliveryCase {
    DeliveryCase {
        device: "d".to_owned(),
        configured: BTreeMap::from([
            (Leaf::PasswordLength, Value::Int(15)),
            (Leaf::ADPasswordEncryptionEnabled, Value::Bool(true)),
            (Leaf::AdministratorAccountName, Value::Text("a".into())),
        ]),
        writes: vec![
            write(Leaf::PasswordLength, "15"),
            // F-041: case of truth values does not matter.
            write(Leaf::ADPasswordEncryptionEnabled, "True"),
            WriteSeen {
                format: None,
                ..write(Leaf::AdministratorAccountName, "a")
            },
        ],
        complete: true,
        exchanges: vec![exchange(1)],
    }
}

#[test]
fn a_delivery_is_exact_or_named_by_what_is_wrong() {
    check(
        "assign.deliver.exact",
        &delivery(),
        Case::Delivery,
        &[
            (|_| {}, Held),
            (|case| case.complete = false, NotArmed),
            (|case| case.configured.clear(), NotArmed),
            (|case| drop(case.writes.pop()), Violated("leaf-missing")),
            (|case| case.writes.clear(), Violated("leaf-missing")),
            (
                |case| case.writes.push(case.writes[0].clone()),
                Violated("leaf-written-twice"),
            ),
            (
                |case| case.writes[0].data = Some("16".to_owned()),
                Violated("leaf-wrong-value"),
            ),
            (
                |case| case.writes[2].data = Some("A".to_owned()),
                Violated("leaf-wrong-value"),
            ),
            (
                |case| case.writes[0].data = None,
                Violated("leaf-wrong-value"),
            ),
            (
                |case| case.writes[0].format = Some("chr".to_owned()),
                Violated("leaf-wrong-format"),
            ),
            (
                |case| case.writes[0].format = None,
                Violated("leaf-wrong-format"),
            ),
            (
                |case| case.writes[0] = delete(Leaf::PasswordLength),
                Violated("leaf-deleted"),
            ),
        ],
    );
}

#[test]
fn a_delivery_touches_nothing_that_is_not_configured() {
    check(
        "assign.deliver.exact",
        &delivery(),
        Case::Delivery,
        &[
            (
                |case| case.writes.push(write(Leaf::PasswordComplexity, "4")),
                Violated("leaf-not-configured"),
            ),
            (
                |case| case.writes.push(delete(Leaf::PasswordComplexity)),
                Violated("leaf-not-configured"),
            ),
            (
                |case| {
                    case.writes[0].loc_uri =
                        "./Device/Vendor/MSFT/LAPS/Policies/Passwordlength".to_owned();
                },
                Violated("leaf-not-configured"),
            ),
        ],
    );
}

#[test]
fn before_processing_there_is_no_data_and_no_rotation() {
    let right = UnprocessedCase {
        device: "d".to_owned(),
        metadata_status: Some(404),
        explicit_status: Some(404),
        listed: false,
        rotation: Some(action(ActionState::Failed)),
        execs: 0,
        twin_read: true,
        exchanges: vec![exchange(1)],
    };
    check(
        "assign.process.nothing-before",
        &right,
        Case::Unprocessed,
        &[
            (|_| {}, Held),
            (|case| case.rotation = None, Held),
            (|case| case.twin_read = false, NotArmed),
            (|case| case.metadata_status = None, NotArmed),
            (|case| case.metadata_status = Some(500), NotArmed),
            (|case| case.explicit_status = Some(429), NotArmed),
            (
                |case| case.metadata_status = Some(200),
                Violated("account-data-before-processing"),
            ),
            (
                |case| case.explicit_status = Some(200),
                Violated("account-data-before-processing"),
            ),
            (
                |case| case.listed = true,
                Violated("account-data-before-processing"),
            ),
            (
                |case| case.execs = 1,
                Violated("rotation-before-processing"),
            ),
            (
                |case| case.rotation = Some(action(ActionState::Done)),
                Violated("rotation-before-processing"),
            ),
        ],
    );
}

fn action(state: ActionState) -> ActionSeen {
    ActionSeen {
        state,
        detail: None,
        error_code: None,
    }
}

fn check_in_case(kind: ConflictKind, check_in: u32) -> ConflictCheckInCase {
    ConflictCheckInCase {
        device: "d".to_owned(),
        kind,
        check_in,
        leaf: Leaf::PasswordLength,
        first_value: Some(Value::Int(15)),
        last_value: Some(Value::Int(18)),
        writes: Vec::new(),
        complete: true,
        twin: true,
        exchanges: vec![exchange(1)],
    }
}

#[test]
fn a_setting_in_use_keeps_the_value_last_set() {
    let right = check_in_case(ConflictKind::InUse, 1);
    check(
        "conflict.keep.last-value",
        &right,
        Case::ConflictCheckIn,
        &[
            (|_| {}, Held),
            (
                |case| case.writes.push(write(Leaf::PasswordLength, "18")),
                Held,
            ),
            // The first value is the other check's business.
            (
                |case| case.writes.push(write(Leaf::PasswordLength, "15")),
                Held,
            ),
            (|case| case.complete = false, NotArmed),
            (|case| case.twin = false, NotArmed),
            (|case| case.last_value = None, NotArmed),
            (
                |case| case.writes.push(write(Leaf::PasswordLength, "22")),
                Violated("clashing-value-sent"),
            ),
            (
                |case| case.writes.push(write(Leaf::PasswordLength, "x")),
                Violated("clashing-value-sent"),
            ),
            (
                |case| case.writes.push(delete(Leaf::PasswordLength)),
                Violated("setting-deleted"),
            ),
        ],
    );
    check(
        "conflict.keep.not-first-value",
        &right,
        Case::ConflictCheckIn,
        &[
            (|_| {}, Held),
            (
                |case| case.writes.push(write(Leaf::PasswordLength, "22")),
                Held,
            ),
            (|case| case.first_value = None, NotArmed),
            (|case| case.first_value = case.last_value.clone(), NotArmed),
            (|case| case.complete = false, NotArmed),
            (
                |case| case.writes.push(write(Leaf::PasswordLength, "15")),
                Violated("first-value-sent"),
            ),
        ],
    );
}

#[test]
fn a_clashing_setting_is_withheld_from_a_fresh_device_at_every_check_in() {
    for (id, check_in) in [
        ("conflict.fresh.withheld", 1),
        ("conflict.fresh.withheld-later", 4),
    ] {
        let right = check_in_case(ConflictKind::Fresh, check_in);
        check(
            id,
            &right,
            Case::ConflictCheckIn,
            &[
                (|_| {}, Held),
                (|case| case.complete = false, NotArmed),
                (|case| case.twin = false, NotArmed),
                (
                    |case| case.writes.push(write(Leaf::PasswordLength, "15")),
                    Violated("clashing-setting-sent"),
                ),
                (
                    |case| case.writes.push(delete(Leaf::PasswordLength)),
                    Violated("clashing-setting-sent"),
                ),
            ],
        );
    }
}

fn report(role: PolicyRole, state: &PolicyState) -> PolicyReport {
    PolicyReport {
        role,
        on_device: Some(state.clone()),
        of_policy: Some(state.clone()),
    }
}

#[test]
fn every_policy_of_a_conflict_reports_it_on_both_sides() {
    for (id, kind, check_in) in [
        ("conflict.report.every-policy", ConflictKind::InUse, 1),
        ("conflict.fresh.reported", ConflictKind::Fresh, 1),
        ("conflict.fresh.still-reported", ConflictKind::Fresh, 2),
    ] {
        let right = ConflictReportCase {
            device: "d".to_owned(),
            kind,
            check_in,
            policies: [
                PolicyRole::Original,
                PolicyRole::Clashing,
                PolicyRole::Third,
            ]
            .map(|role| report(role, &PolicyState::Conflict))
            .to_vec(),
            complete: true,
            twin: true,
            exchanges: vec![exchange(1)],
        };
        check(
            id,
            &right,
            Case::ConflictReport,
            &[
                (|_| {}, Held),
                (|case| case.complete = false, NotArmed),
                (|case| case.twin = false, NotArmed),
                (|case| case.policies.truncate(1), NotArmed),
                (
                    |case| case.policies[0] = report(PolicyRole::Original, &PolicyState::Compliant),
                    Violated("conflict-not-reported"),
                ),
                (
                    |case| case.policies[1].on_device = Some(PolicyState::Unknown),
                    Violated("conflict-not-reported"),
                ),
                (
                    |case| case.policies[2].of_policy = None,
                    Violated("conflict-not-reported"),
                ),
            ],
        );
    }
}

fn resolution(kind: ConflictKind, remedy: Remedy) -> ResolutionCase {
    ResolutionCase {
        device: "d".to_owned(),
        kind,
        remedy,
        was_reported: true,
        reaching: vec![report(PolicyRole::Original, &PolicyState::Compliant)],
        stale_conflicts: 0,
        summary_rows: 0,
        expected: BTreeMap::from([(Leaf::PasswordLength, Value::Int(18))]),
        held: BTreeMap::from([(Leaf::PasswordLength, Value::Int(18))]),
        complete: true,
        exchanges: vec![exchange(1)],
    }
}

#[test]
fn a_resolved_conflict_is_gone_everywhere_and_the_value_is_there() {
    for (id, kind, remedy) in [
        (
            "conflict.resolve.unassign",
            ConflictKind::InUse,
            Remedy::Unassigned,
        ),
        (
            "conflict.resolve.equalise",
            ConflictKind::InUse,
            Remedy::Equalised,
        ),
        (
            "conflict.fresh.resolve",
            ConflictKind::Fresh,
            Remedy::Unassigned,
        ),
        (
            "conflict.fresh.resolve",
            ConflictKind::Fresh,
            Remedy::Equalised,
        ),
    ] {
        let right = resolution(kind, remedy);
        check(
            id,
            &right,
            Case::Resolution,
            &[
                (|_| {}, Held),
                (|case| case.complete = false, NotArmed),
                (|case| case.was_reported = false, NotArmed),
                (
                    |case| case.reaching[0] = report(PolicyRole::Original, &PolicyState::Conflict),
                    Violated("still-conflict"),
                ),
                (
                    |case| case.reaching[0].of_policy = Some(PolicyState::Unknown),
                    Violated("not-compliant-after-resolution"),
                ),
                (|case| case.stale_conflicts = 1, Violated("still-conflict")),
                (
                    |case| case.summary_rows = 1,
                    Violated("summary-still-names-it"),
                ),
                (
                    |case| case.held = BTreeMap::from([(Leaf::PasswordLength, Value::Int(22))]),
                    Violated("wrong-value-after-resolution"),
                ),
                (
                    |case| {
                        let leaf = Leaf::BackupDirectory;
                        case.expected.insert(leaf, Value::Int(1));
                    },
                    Violated("not-delivered-after-resolution"),
                ),
                (
                    |case| case.held.clear(),
                    Violated("not-delivered-after-resolution"),
                ),
            ],
        );
    }
}

#[test]
fn a_policy_that_cannot_lead_to_a_backup_is_no_error() {
    for (id, kind) in [
        ("join.mismatch.no-error", MisfitKind::JoinState),
        ("account.missing.no-error", MisfitKind::MissingAccount),
    ] {
        let right = MisfitCase {
            device: "d".to_owned(),
            kind,
            delivered: true,
            device_state: Some(PolicyState::Compliant),
            settings_in_error: Vec::new(),
            policy_status: Some(PolicyState::Compliant),
            credential_status: Some(404),
            backups: 0,
            twin: true,
            exchanges: vec![exchange(1)],
        };
        check(
            id,
            &right,
            Case::Misfit,
            &[
                (|_| {}, Held),
                (|case| case.delivered = false, NotArmed),
                // Withheld because of an error is an error, too.
                (
                    |case| {
                        case.delivered = false;
                        case.device_state = Some(PolicyState::Error);
                    },
                    Violated("error-reported"),
                ),
                (|case| case.twin = false, NotArmed),
                (|case| case.device_state = None, NotArmed),
                (
                    |case| case.device_state = Some(PolicyState::Unknown),
                    NotArmed,
                ),
                (
                    |case| case.device_state = Some(PolicyState::Error),
                    Violated("error-reported"),
                ),
                (
                    |case| case.policy_status = Some(PolicyState::Error),
                    Violated("error-reported"),
                ),
                (
                    |case| case.settings_in_error.push("BackupDirectory".to_owned()),
                    Violated("error-reported"),
                ),
                (
                    |case| case.credential_status = Some(200),
                    Violated("credential-recorded"),
                ),
                (|case| case.backups = 1, Violated("credential-recorded")),
            ],
        );
    }
}

#[test]
fn calls_without_the_right_are_forbidden_and_change_nothing() {
    for (id, guarded) in [
        ("rbac.policy.refused", Guarded::Policy),
        ("rbac.rotate.refused", Guarded::Rotation),
        ("rbac.read.refused", Guarded::Credential),
    ] {
        let right = AccessCase {
            actor: "nobody".to_owned(),
            guarded,
            attempts: vec![Attempt {
                what: "call",
                status: Some(403),
                exchange: exchange(1),
            }],
            effects: Vec::new(),
            twin: true,
            exchanges: Vec::new(),
        };
        check(
            id,
            &right,
            Case::Access,
            &[
                (|_| {}, Held),
                (|case| case.twin = false, NotArmed),
                (|case| case.attempts.clear(), NotArmed),
                (|case| case.attempts[0].status = None, NotArmed),
                (|case| case.attempts[0].status = Some(429), NotArmed),
                (|case| case.attempts[0].status = Some(500), NotArmed),
                (
                    |case| case.attempts[0].status = Some(204),
                    Violated("allowed-without-right"),
                ),
                (
                    |case| case.attempts[0].status = Some(404),
                    Violated("refused-for-another-reason"),
                ),
                (
                    |case| case.effects.push("gone".to_owned()),
                    Violated("effect-of-refused-call"),
                ),
            ],
        );
    }
}
