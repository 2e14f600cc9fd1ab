//! Rotation: one device, bulk, schedule, events.

use protocol::JoinType;
use protocol::graph::action::ActionState;
use protocol::time::UtcTicks;
use uuid::Uuid;

use super::Says::{Held, NotArmed, Violated};
use super::{check, exchange};
use crate::case::{
    ActionSeen, AttemptAuditCase, AttemptClass, BackupShown, BooksCase, BulkCase, BulkDevice,
    BulkSync, Case, ComebackCase, MetadataRead, RotationCase, ScheduleCase,
};
use crate::ledger::{Interval, Ledger, OpId, OpKind, Outcome};

fn action(state: ActionState) -> ActionSeen {
    ActionSeen {
        state,
        detail: None,
        error_code: None,
    }
}

fn done() -> RotationCase {
    RotationCase {
        device: "d".to_owned(),
        managed_id: Uuid::nil(),
        join_type: JoinType::EntraJoined,
        online: true,
        backed_up: true,
        op: OpId(0),
        status: Some(204),
        action: Some(action(ActionState::Done)),
        execs: 1,
        backups: 1,
        password_changed: true,
        password_shown: Some(true),
        hours_to_expiry: 700,
        in_load: false,
        exchanges: vec![exchange(1)],
    }
}

fn failed() -> RotationCase {
    RotationCase {
        action: Some(action(ActionState::Failed)),
        execs: 0,
        backups: 0,
        password_changed: false,
        password_shown: None,
        ..done()
    }
}

#[test]
fn an_online_device_with_a_backup_is_rotated_whatever_the_age() {
    for id in ["rotate.online.succeeds", "rotate.online.far-from-expiry"] {
        check(
            id,
            &done(),
            Case::Rotation,
            &[
                (|_| {}, Held),
                (|case| case.join_type = JoinType::EntraHybridJoined, Held),
                (|case| case.status = Some(202), Held),
                (|case| case.status = None, NotArmed),
                (|case| case.status = Some(409), Violated("rotation-refused")),
                (|case| *case = failed(), Violated("rotation-failed")),
                (|case| case.execs = 0, Violated("done-without-exec")),
                (
                    |case| {
                        case.execs = 0;
                        case.action = Some(action(ActionState::Pending));
                    },
                    Violated("no-exec"),
                ),
                (|case| case.backups = 0, Violated("no-new-backup")),
                (
                    |case| case.password_changed = false,
                    Violated("no-new-backup"),
                ),
                (
                    |case| case.action = Some(action(ActionState::Active)),
                    Violated("not-done"),
                ),
                (|case| case.action = None, Violated("not-done")),
                (|case| case.password_shown = None, Held),
                (
                    |case| case.password_shown = Some(false),
                    Violated("new-password-not-shown"),
                ),
            ],
        );
    }
    let near = RotationCase {
        hours_to_expiry: 3,
        ..done()
    };
    let far = super::super::CHECKS
        .iter()
        .find(|check| check.id == "rotate.online.far-from-expiry")
        .unwrap();
    assert_eq!((far.judge)(&Case::Rotation(near)), None);
}

#[test]
fn an_offline_entra_joined_device_fails_manual_rotation() {
    let right = RotationCase {
        online: false,
        ..failed()
    };
    check(
        "rotate.offline.fails",
        &right,
        Case::Rotation,
        &[
            (|_| {}, Held),
            (|case| case.status = Some(409), Held),
            (|case| case.status = None, NotArmed),
            (
                |case| case.action = Some(action(ActionState::Pending)),
                Violated("not-failed-in-time"),
            ),
            (|case| case.action = None, Violated("not-failed-in-time")),
            (
                |case| case.action = Some(action(ActionState::Done)),
                Violated("done-though-offline"),
            ),
        ],
    );
    let offline = super::super::CHECKS
        .iter()
        .find(|check| check.id == "rotate.offline.fails")
        .unwrap();
    let hybrid = RotationCase {
        join_type: JoinType::EntraHybridJoined,
        ..right
    };
    assert_eq!((offline.judge)(&Case::Rotation(hybrid)), None);
}

#[test]
fn a_device_without_backup_fails_manual_rotation() {
    let right = RotationCase {
        backed_up: false,
        ..failed()
    };
    check(
        "rotate.unbacked.fails",
        &right,
        Case::Rotation,
        &[
            (|_| {}, Held),
            (|case| case.status = None, NotArmed),
            (
                |case| case.action = Some(action(ActionState::Done)),
                Violated("not-failed-without-backup"),
            ),
            (
                |case| case.action = Some(action(ActionState::Pending)),
                Violated("not-failed-without-backup"),
            ),
            (
                |case| case.action = Some(action(ActionState::NotSupported)),
                Violated("not-failed-without-backup"),
            ),
            (|case| case.execs = 1, Violated("exec-without-backup")),
            (
                |case| {
                    case.join_type = JoinType::EntraRegistered;
                    case.action = Some(action(ActionState::NotSupported));
                },
                Held,
            ),
        ],
    );
}

fn comeback() -> ComebackCase {
    ComebackCase {
        refused: RotationCase {
            online: false,
            ..failed()
        },
        sessions: 2,
        execs: 0,
        backups: 0,
        password_changed: false,
        next_before: Some(UtcTicks::from_ticks(5)),
        next_after: Some(UtcTicks::from_ticks(5)),
        later: Some(done()),
        exchanges: vec![exchange(2)],
    }
}

#[test]
fn a_failed_offline_rotation_has_no_effect_later() {
    check(
        "rotate.offline.no-effect-later",
        &comeback(),
        Case::Comeback,
        &[
            (|_| {}, Held),
            (|case| case.sessions = 0, NotArmed),
            (|case| case.refused.status = None, NotArmed),
            (|case| case.execs = 1, Violated("exec-after-failed-action")),
            (
                |case| case.backups = 1,
                Violated("password-changed-by-failed-action"),
            ),
            (
                |case| case.password_changed = true,
                Violated("password-changed-by-failed-action"),
            ),
            (
                |case| case.next_after = None,
                Violated("schedule-changed-by-failed-action"),
            ),
        ],
    );
}

#[test]
fn a_failed_offline_rotation_blocks_none_after_it() {
    check(
        "rotate.offline.later-succeeds",
        &comeback(),
        Case::Comeback,
        &[
            (|_| {}, Held),
            (|case| case.later = None, NotArmed),
            (|case| case.sessions = 0, NotArmed),
            (
                |case| case.later = Some(failed()),
                Violated("rotation-failed"),
            ),
            (
                |case| case.later = Some(RotationCase { execs: 2, ..done() }),
                Violated("more-than-one-exec"),
            ),
        ],
    );
    check(
        "rotate.offline.fails",
        &comeback(),
        Case::Comeback,
        &[(|_| {}, Held)],
    );
    let under_load = RotationCase {
        online: false,
        in_load: true,
        ..failed()
    };
    check(
        "rotate.offline.no-exec-under-load",
        &under_load,
        Case::Rotation,
        &[
            (|_| {}, NotArmed),
            (|case| case.execs = 1, Violated("exec-after-failed-action")),
        ],
    );
}

fn sync() -> BulkSync {
    BulkSync {
        status: Some(200),
        named: 2,
        successful: 2,
        exchange: exchange(1),
    }
}

fn bulk() -> BulkCase {
    let device = BulkDevice {
        device: "d".to_owned(),
        checked_in: true,
        execs: 0,
        backups: 0,
        rotate_rows: 0,
        password_changed: false,
        exchanges: vec![exchange(3)],
    };
    BulkCase {
        literal: "rotateLocalAdminPassword",
        status: Some(400),
        sync_before: sync(),
        sync_after: Some(sync()),
        devices: vec![device.clone(), device],
        exchange: exchange(2),
    }
}

#[test]
fn bulk_rotation_is_refused_whole() {
    check(
        "bulk.rotate.refused",
        &bulk(),
        Case::Bulk,
        &[
            (|_| {}, Held),
            (|case| case.status = None, NotArmed),
            (|case| case.status = Some(429), NotArmed),
            (|case| case.sync_after = None, NotArmed),
            (|case| case.sync_before.status = Some(400), NotArmed),
            (
                |case| case.status = Some(200),
                Violated("bulk-rotation-accepted"),
            ),
            (|case| case.status = Some(500), Violated("no-client-error")),
        ],
    );
}

#[test]
fn bulk_rotation_has_no_effect_and_bulk_sync_is_accepted() {
    check(
        "bulk.rotate.no-effect",
        &bulk(),
        Case::Bulk,
        &[
            (|_| {}, Held),
            (|case| case.devices[1].checked_in = false, NotArmed),
            (|case| case.sync_before.successful = 1, NotArmed),
            (
                |case| case.devices[1].execs = 1,
                Violated("exec-after-bulk"),
            ),
            (
                |case| case.devices[1].rotate_rows = 1,
                Violated("action-listed-after-bulk"),
            ),
            (
                |case| case.devices[0].backups = 1,
                Violated("backup-after-bulk"),
            ),
            (
                |case| case.devices[0].password_changed = true,
                Violated("backup-after-bulk"),
            ),
        ],
    );
    check(
        "bulk.sync.accepted",
        &bulk(),
        Case::Bulk,
        &[
            (|_| {}, Held),
            (|case| case.sync_after = None, Held),
            (
                |case| {
                    case.sync_before.status = None;
                    case.sync_after = None;
                },
                NotArmed,
            ),
            (
                |case| case.sync_before.status = Some(400),
                Violated("bulk-sync-refused"),
            ),
            (
                |case| case.sync_before.successful = 1,
                Violated("bulk-sync-incomplete"),
            ),
        ],
    );
}

/// A time of March 2026.
fn march(day: u32, time: &str) -> UtcTicks {
    UtcTicks::parse(&format!("2026-03-{day:02}T{time}Z")).unwrap()
}

fn backup(day: u32, time: &str) -> BackupShown {
    let (at, refresh) = (march(day, time), march(day + 10, time));
    BackupShown {
        at,
        refresh,
        shown: MetadataRead {
            status: Some(200),
            last: Some(at),
            next: Some(refresh),
        },
    }
}

#[test]
fn a_policy_of_1_march_rotates_on_11_march() {
    let right = ScheduleCase {
        device: "d".to_owned(),
        age_days: 10,
        manual: None,
        manual_asked: false,
        uploads_refused: 0,
        backups: vec![backup(1, "09:00:00"), backup(11, "09:30:00")],
        unasked_execs: 0,
        sessions: 10,
        ran_until: march(11, "10:05:00"),
        exchanges: vec![exchange(1)],
    };
    check(
        "schedule.rotate.after-age",
        &right,
        Case::Schedule,
        &[
            (|_| {}, Held),
            (|case| case.backups.clear(), NotArmed),
            (|case| case.ran_until = march(11, "09:30:00"), NotArmed),
            // Nothing was tried: that is the device's doing.
            (|case| case.backups.truncate(1), NotArmed),
            (
                |case| {
                    case.backups.truncate(1);
                    case.uploads_refused = 2;
                },
                Violated("scheduled-backup-refused"),
            ),
            (
                |case| case.backups[1] = backup(11, "08:59:59"),
                Violated("backup-at-another-time"),
            ),
            (
                |case| case.backups[1] = backup(11, "10:01:00"),
                Violated("backup-at-another-time"),
            ),
            (
                |case| case.backups.push(backup(11, "09:40:00")),
                Violated("more-than-one-backup"),
            ),
            (|case| case.unasked_execs = 1, Violated("unasked-exec")),
            (
                |case| case.backups[1].shown.last = Some(march(1, "09:00:00")),
                Violated("backup-not-shown"),
            ),
            (
                |case| case.backups[0].shown.status = Some(404),
                Violated("backup-not-shown"),
            ),
            (
                |case| case.backups[0].shown.last = None,
                Violated("backup-not-shown"),
            ),
            // Not read, so not judged.
            (|case| case.backups[0].shown = MetadataRead::default(), Held),
        ],
    );
}

#[test]
fn a_manual_rotation_on_5_march_moves_the_next_to_15_march() {
    let right = ScheduleCase {
        device: "d".to_owned(),
        age_days: 10,
        manual: Some(1),
        manual_asked: true,
        uploads_refused: 0,
        backups: vec![
            backup(1, "09:00:00"),
            backup(5, "09:00:01"),
            backup(15, "09:59:00"),
        ],
        unasked_execs: 0,
        sessions: 14,
        ran_until: march(15, "10:05:00"),
        exchanges: vec![exchange(1)],
    };
    check(
        "schedule.reset.by-manual-rotation",
        &right,
        Case::Schedule,
        &[
            (|_| {}, Held),
            (|case| case.manual = None, NotArmed),
            (|case| case.ran_until = march(15, "09:00:00"), NotArmed),
            (
                |case| case.backups[1].shown.next = Some(march(11, "09:00:00")),
                Violated("next-rotation-not-reset"),
            ),
            (
                |case| case.backups[1].shown.next = None,
                Violated("next-rotation-not-reset"),
            ),
            (
                |case| case.backups.insert(2, backup(11, "09:20:00")),
                Violated("rotated-on-former-date"),
            ),
            (
                |case| case.backups[2] = backup(15, "11:00:00"),
                Violated("backup-at-another-time"),
            ),
            (|case| case.unasked_execs = 1, Violated("unasked-exec")),
        ],
    );
}

#[test]
fn each_attempt_leaves_one_event() {
    for (id, class) in [
        ("audit.rotate.success", AttemptClass::Success),
        ("audit.rotate.offline", AttemptClass::Offline),
        ("audit.rotate.unbacked", AttemptClass::Unbacked),
    ] {
        let right = AttemptAuditCase {
            device: "d".to_owned(),
            class,
            status: Some(204),
            expected: Interval { low: 1, high: 1 },
            events: 1,
            exchanges: vec![exchange(1)],
        };
        check(
            id,
            &right,
            Case::AttemptAudit,
            &[
                (|_| {}, Held),
                (|case| case.status = None, NotArmed),
                (|case| case.expected.low = 0, NotArmed),
                (|case| case.events = 0, Violated("attempt-not-logged")),
                (|case| case.events = 2, Violated("attempt-logged-twice")),
            ],
        );
    }
}

#[test]
fn the_books_of_the_run_balance() {
    let ledger = Ledger::new(1);
    let op = ledger.open(OpKind::Rotation, "rotate-operator", Uuid::nil());
    ledger.settle(op.id, Outcome::Status(204));
    let mut books = ledger.balance();
    (books.lost, books.seen) = (0, 1);
    books.discrepancies.clear();
    let right = BooksCase {
        kind: OpKind::Rotation,
        books,
        exchanges: vec![exchange(1)],
    };
    check(
        "audit.rotate.books",
        &right,
        Case::Books,
        &[
            (|_| {}, Held),
            (|case| case.books.expected_low = 0, NotArmed),
            (|case| case.books.unknown_outcomes = 1, NotArmed),
            (|case| case.books.lost = 1, Violated("lost-event")),
            (
                |case| case.books.duplicated = 1,
                Violated("duplicated-event"),
            ),
            (|case| case.books.phantom = 1, Violated("phantom-event")),
        ],
    );
}
