//! REQ-SCHEDULE: when passwords are rotated by themselves, by the device's clock.

use protocol::time::UtcTicks;

use super::{Breach, Check, finding, is_success, status_text};
use crate::case::{BackupShown, Case, ScheduleCase};
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "schedule.rotate.after-age",
        requirement: "REQ-SCHEDULE-002",
        source: "S18",
        judge: |case| {
            match_schedule(case)
                .filter(|case| !case.manual_asked)
                .map(rotates_after_age)
        },
    },
    Check {
        id: "schedule.reset.by-manual-rotation",
        requirement: "REQ-SCHEDULE-003",
        source: "S18",
        judge: |case| {
            match_schedule(case)
                .filter(|case| case.manual_asked)
                .map(manual_rotation_resets)
        },
    },
];

const SECOND: i64 = 10_000_000;
const DAY: i64 = 86_400 * SECOND;
/// One cycle of the device (F-062): a password is rotated in the first cycle after its expiry.
const CYCLE: i64 = 3_600 * SECOND;
/// Tolerance of `next = last + age` (REQ-SCHEDULE-004).
const TOLERANCE: i64 = 5 * SECOND;

fn match_schedule(case: &Case) -> Option<&ScheduleCase> {
    if let Case::Schedule(case) = case {
        Some(case)
    } else {
        None
    }
}

/// The instant at which a password of this age expires.
fn expiry(at: UtcTicks, age_days: u32) -> i64 {
    at.as_ticks() + i64::from(age_days) * DAY
}

fn rotates_after_age(case: &ScheduleCase) -> Finding {
    let Some(first) = case.backups.first() else {
        return Finding::NotArmed;
    };
    let due = expiry(first.at, case.age_days);
    let later = &case.backups[1..];
    // Nothing tried is the device's doing, not the target's.
    let tried = !later.is_empty() || case.uploads_refused > 0;
    if case.ran_until.as_ticks() < due + CYCLE + TOLERANCE || !tried {
        return Finding::NotArmed;
    }
    let breach = unasked(case)
        .or_else(|| case.backups.iter().find_map(not_shown))
        .or_else(|| one_backup_when_due(later, due));
    finding(
        breach,
        "a password that is 10 days old is rotated and backed up once, within one hour after its expiry, and the directory shows that backup",
        &case.exchanges,
    )
}

fn manual_rotation_resets(case: &ScheduleCase) -> Finding {
    let manual = case
        .manual
        .and_then(|index| Some((index, case.backups.get(index)?)));
    let Some((index, manual)) = manual else {
        return Finding::NotArmed;
    };
    let due = expiry(manual.at, case.age_days);
    let later = case.backups.get(index + 1..).unwrap_or_default();
    let tried = !later.is_empty() || case.uploads_refused > 0;
    if case.ran_until.as_ticks() < due + CYCLE + TOLERANCE || !tried {
        return Finding::NotArmed;
    }
    let shown = manual.shown.next;
    let not_reset = shown
        .is_none_or(|next| (next.as_ticks() - due).abs() > TOLERANCE)
        .then(|| {
            let next = shown.map_or_else(|| "nothing".to_owned(), |next| next.to_string());
            Breach::new(
                "next-rotation-not-reset",
                format!(
                    "after the manual rotation of {} the next one is shown as {next}",
                    manual.at
                ),
            )
        });
    let former = case
        .backups
        .first()
        .map_or(0, |first| expiry(first.at, case.age_days));
    let on_former_date = later
        .iter()
        .find(|backup| backup.at.as_ticks() < due && backup.at.as_ticks() >= former)
        .map(|backup| {
            Breach::new(
                "rotated-on-former-date",
                format!("a backup of {}", backup.at),
            )
        });
    let breach = not_reset
        .or_else(|| unasked(case))
        .or(on_former_date)
        .or_else(|| one_backup_when_due(later, due))
        .or_else(|| case.backups.iter().find_map(not_shown));
    finding(
        breach,
        "a manual rotation restarts the 10 days: the next one is shown for, and happens, 10 days after it, and nothing happens on the former date",
        &case.exchanges,
    )
}

/// Exactly one backup, within one cycle after `due`.
fn one_backup_when_due(backups: &[BackupShown], due: i64) -> Option<Breach> {
    match backups {
        [] => Some(Breach::new(
            "scheduled-backup-refused",
            "the directory refused the backup that was due".to_owned(),
        )),
        [backup] if (due..=due + CYCLE + TOLERANCE).contains(&backup.at.as_ticks()) => None,
        [backup] => Some(Breach::new(
            "backup-at-another-time",
            format!(
                "backup of {}, due from {}",
                backup.at,
                UtcTicks::from_ticks(due)
            ),
        )),
        more => Some(Breach::new(
            "more-than-one-backup",
            format!("{} backups where one was due", more.len()),
        )),
    }
}

fn unasked(case: &ScheduleCase) -> Option<Breach> {
    (case.unasked_execs > 0).then(|| {
        Breach::new(
            "unasked-exec",
            format!(
                "{} Exec of ResetPassword that nobody asked for",
                case.unasked_execs
            ),
        )
    })
}

/// An accepted backup that the directory does not show.
fn not_shown(backup: &BackupShown) -> Option<Breach> {
    let shown = &backup.shown;
    if shown.status.is_some_and(|status| !is_success(status)) {
        return Some(Breach::new(
            "backup-not-shown",
            format!(
                "backup of {} accepted, its read gave {}",
                backup.at,
                status_text(shown.status)
            ),
        ));
    }
    // Not looked at: of several backups at once only the last can be shown.
    shown.status?;
    (shown.last != Some(backup.at)).then(|| {
        let last = shown
            .last
            .map_or_else(|| "nothing".to_owned(), |last| last.to_string());
        Breach::new(
            "backup-not-shown",
            format!(
                "backup of {} accepted, the last one is shown as {last}",
                backup.at
            ),
        )
    })
}
