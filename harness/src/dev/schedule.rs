//! Which policy root counts, and when the device rotates by itself.

use std::collections::BTreeMap;

use emulator::{BUILT_IN_ADMINISTRATOR, Event, LocalPolicy, RotationKind};
use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value};

use super::bench::{DAY, HOUR, NEW, SERVICE};
use super::book::{Book, Rule};
use super::server::{Hall, UploadSeen};
use crate::error::Error;

const ONE_ROOT: Rule = Rule {
    requirement: "REQ-POLICY-001",
    fingerprint: "roots-mixed",
    required: "once the CSP has a setting, the settings of Group Policy and legacy LAPS do not count; what the CSP leaves out is default: 14 characters, 30 days, the built-in administrator (F-007, F-060)",
};
const FIRST: Rule = Rule {
    requirement: "REQ-SCHEDULE-001",
    fingerprint: "first-rotation-missing",
    required: "the first policy with a directory rotates and backs up once, at once or within one cycle (F-063)",
};
const AGE_EDIT: Rule = Rule {
    requirement: "REQ-SCHEDULE-005",
    fingerprint: "age-edit-moved-schedule",
    required: "a new age neither moves the expiry nor rotates; it counts from the next rotation on (F-071)",
};

/// Days between a backup and the expiry that it names.
pub(super) fn days_named(upload: &UploadSeen) -> i64 {
    (upload.refresh.as_ticks() - upload.backup.as_ticks()) / (DAY * 10_000)
}

/// A device with settings in the lower roots gets one setting by the CSP.
pub(super) async fn roots(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let settings: BTreeMap<Leaf, Value> = [
        (Leaf::PasswordLength, Value::Int(20)),
        (Leaf::PasswordAgeDays, Value::Int(10)),
        (Leaf::AdministratorAccountName, Value::Text(SERVICE.into())),
    ]
    .into();
    for legacy in [false, true] {
        let mut spec = hall.spec(JoinType::EntraJoined, NEW);
        spec.local_policy = if legacy {
            LocalPolicy {
                legacy: settings.clone(),
                ..LocalPolicy::default()
            }
        } else {
            LocalPolicy {
                group_policy: settings.clone(),
                ..LocalPolicy::default()
            }
        };
        let mut bench = hall.bench(spec).await?;
        bench.apply(hall, &[("BackupDirectory", "1")]).await?;
        bench.run_for(hall, 2 * HOUR).await?;
        let uploads = bench.uploads();
        let plain = |upload: &UploadSeen| {
            upload.password.expose().len() == 14
                && days_named(upload) == 30
                && upload.sid.ends_with(&format!("-{BUILT_IN_ADMINISTRATOR}"))
        };
        let holds = uploads.len() == 1 && uploads.iter().all(plain);
        book.hold(ONE_ROOT, holds, || {
            format!("legacy settings: {legacy}; backups: {uploads:?}")
        });
    }
    Ok(())
}

/// The first rotation, and an age that changes under way.
pub(super) async fn expiry(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut bench = hall.entra(NEW).await?;
    let start = bench.now;
    let settings = [("BackupDirectory", "1"), ("PasswordAgeDays", "30")];
    bench.apply(hall, &settings).await?;
    bench.run_for(hall, HOUR).await?;
    let first = bench.uploads();
    let told = |event: &&Event| {
        matches!(
            event,
            Event::Rotated {
                kind: RotationKind::Initial,
                ..
            }
        )
    };
    let told = bench.events.iter().filter(told).count();
    let once = first.len() == 1 && told == 1 && bench.in_step();
    book.hold(FIRST, once, || {
        format!(
            "backups within one cycle: {}, rotations told: {told}",
            first.len()
        )
    });
    let Some(expires) = first.first().map(|upload| upload.at.plus_millis(30 * DAY)) else {
        return Ok(());
    };
    bench.run_to(hall, start.plus_millis(10 * DAY)).await?;
    bench.apply(hall, &[("PasswordAgeDays", "7")]).await?;
    bench.run_to(hall, expires.plus_millis(-1)).await?;
    let held = bench.device.managed_account();
    let kept = held.is_some_and(|account| account.expires_at == expires);
    let before = bench.uploads().len();
    book.hold(AGE_EDIT, before == 1 && kept, || {
        format!("backups before the expiry: {before}; expiry kept: {kept}")
    });
    bench.run_for(hall, HOUR + 1).await?;
    let uploads = bench.uploads();
    let days: Vec<i64> = uploads.iter().map(days_named).collect();
    book.hold(AGE_EDIT, days == [30, 7], || {
        format!("ages named by the backups: {days:?}")
    });
    Ok(())
}
