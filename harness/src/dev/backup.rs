//! What a refused backup, or a device that was off, leads to.

use std::collections::BTreeSet;

use emulator::{Connectivity, Device};
use protocol::JoinType;
use protocol::time::UtcMillis;

use super::bench::{Bench, DAY, HOUR, NEW};
use super::book::{Book, Rule};
use super::server::{Hall, START};
use crate::error::Error;

const UNCHANGED: Rule = Rule {
    requirement: "REQ-BACKUP-001",
    fingerprint: "local-password-changed",
    required: "when the directory refuses, the local password stays what it was (F-080)",
};
const KEPT: Rule = Rule {
    requirement: "REQ-BACKUP-004",
    fingerprint: "expiry-advanced",
    required: "a failed backup does not advance the expiry, and the next cycle tries again (F-083)",
};
const PACED: Rule = Rule {
    requirement: "REQ-BACKUP-004",
    fingerprint: "more-than-one-attempt-a-cycle",
    required: "a cycle of one hour tries at most once (F-062, F-085)",
};
const COMES_BACK: Rule = Rule {
    requirement: "REQ-BACKUP-004",
    fingerprint: "late-after-absence",
    required: "a device that was off when the password expired backs up in its first cycle (F-062)",
};
const JITTER: Rule = Rule {
    requirement: "REQ-BACKUP-004",
    fingerprint: "cycles-together",
    required: "the cycles of a fleet are spread over the hour (F-085)",
};

/// Devices of the fleet whose minutes are looked at.
const FLEET: usize = 24;
/// Fewest different minutes among them: an even spread gives about twenty.
const MINUTES_MIN: usize = 10;

/// Every way in which a backup fails.
pub(super) async fn failures(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for status in [403, 429, 500, 503] {
        refused(hall, book, status).await?;
    }
    away(hall, book).await?;
    let minutes: BTreeSet<i64> = (0..FLEET).filter_map(|_| minute(hall)).collect();
    book.hold(JITTER, minutes.len() >= MINUTES_MIN, || {
        format!("{FLEET} devices use {} minutes of the hour", minutes.len())
    });
    Ok(())
}

/// A device just before the expiry of its password, and that expiry.
async fn before_expiry(hall: &Hall) -> Result<(Bench, UtcMillis), Error> {
    let mut bench = hall.entra(NEW).await?;
    let settings = [("BackupDirectory", "1"), ("PasswordAgeDays", "7")];
    bench.apply(hall, &settings).await?;
    let expires = bench.newest()?.at.plus_millis(7 * DAY);
    bench.run_to(hall, expires.plus_millis(-1)).await?;
    Ok((bench, expires))
}

async fn refused(hall: &Hall, book: &mut Book, status: u16) -> Result<(), Error> {
    let (mut bench, expires) = before_expiry(hall).await?;
    let backed_up = bench.newest()?.password;
    let accounts = bench.device.accounts();
    bench.set_directory(status);
    bench.run_for(hall, 5 * HOUR).await?;
    let held = bench.device.managed_account();
    let same = held
        .as_ref()
        .is_some_and(|held| held.password == backed_up.expose());
    let tried: Vec<UtcMillis> = bench.attempts().iter().skip(1).map(|it| it.at).collect();
    let unchanged = same && bench.device.accounts() == accounts && !tried.is_empty();
    book.hold(UNCHANGED, unchanged, || {
        format!(
            "status {status}, {} attempts; same password: {same}",
            tried.len()
        )
    });
    let kept = held.is_some_and(|held| held.expires_at == expires);
    let paced = tried
        .windows(2)
        .all(|pair| pair[1].millis_since(pair[0]) >= HOUR - 60_000);
    book.hold(PACED, paced && tried.len() <= 5, || {
        format!("status {status}, attempts at {tried:?}")
    });
    bench.set_directory(204);
    bench.run_for(hall, HOUR).await?;
    let recovered = bench.uploads().len() == 2 && bench.in_step();
    book.hold(KEPT, kept && recovered && tried.len() >= 4, || {
        format!(
            "status {status}, {} attempts in 5 hours; expiry kept: {kept}; backed up afterwards: {recovered}",
            tried.len()
        )
    });
    Ok(())
}

async fn away(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let (mut bench, _expires) = before_expiry(hall).await?;
    bench
        .device
        .set_connectivity(bench.now, Connectivity::Offline);
    bench.run_for(hall, 5 * HOUR).await?;
    let silent = bench.attempts().len() == 1;
    bench
        .device
        .set_connectivity(bench.now, Connectivity::Online);
    bench.run_for(hall, HOUR).await?;
    let back = bench.uploads().len() == 2;
    book.hold(COMES_BACK, silent && back, || {
        format!("silent while off: {silent}; backed up in the first cycle: {back}")
    });
    Ok(())
}

/// The minute of the hour in which a device of the fleet runs its cycle.
fn minute(hall: &Hall) -> Option<i64> {
    let mut device = Device::new(hall.spec(JoinType::EntraJoined, NEW));
    device.handle_timeout(START);
    let cycle = device.poll_timeout()?;
    Some(cycle.as_millis().rem_euclid(HOUR) / 60_000)
}
