//! What a sign-in with the managed account leads to.

use protocol::time::UtcMillis;

use super::bench::{Bench, DAY, HOUR, NEW};
use super::book::{Book, Rule};
use super::server::Hall;
use crate::error::Error;

const AT_DEADLINE: Rule = Rule {
    requirement: "REQ-POSTAUTH-001",
    fingerprint: "not-at-the-deadline",
    required: "a sign-in of the managed account rotates and backs up once when the delay is over, not before (F-120)",
};
const RESTARTED: Rule = Rule {
    requirement: "REQ-POSTAUTH-001",
    fingerprint: "schedule-not-restarted",
    required: "the rotation after a sign-in restarts the schedule (F-120, S18)",
};
const RETRIED: Rule = Rule {
    requirement: "REQ-POSTAUTH-001",
    fingerprint: "not-tried-again",
    required: "a rotation after a sign-in that fails is tried again until it succeeds (F-120)",
};
const BOUNDED: Rule = Rule {
    requirement: "REQ-POSTAUTH-001",
    fingerprint: "tried-without-end",
    required: "it is tried again at most 100 times (F-120)",
};
const DELAY: Rule = Rule {
    requirement: "REQ-CSP-PostAuthenticationResetDelay-001",
    fingerprint: "delay-misread",
    required: "a delay of 24 rotates after 24 hours, 0 never, 25 is refused or counts as 24 (F-030, F-121)",
};

/// A device whose managed account has just signed in.
async fn signed_in(hall: &Hall, settings: &[(&str, &str)]) -> Result<Bench, Error> {
    let mut bench = hall.entra(NEW).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    bench.write(hall, settings).await?;
    bench.run_for(hall, DAY).await?;
    let account = bench.newest()?.account;
    bench.device.sign_in(bench.now, &account);
    Ok(bench)
}

/// The rotation, its retries and their end.
pub(super) async fn rotation(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let settings = [
        ("PostAuthenticationResetDelay", "4"),
        ("PasswordAgeDays", "30"),
    ];
    let mut bench = signed_in(hall, &settings).await?;
    let former = bench.newest()?.at.plus_millis(30 * DAY);
    bench.run_for(hall, 4 * HOUR - 1).await?;
    let early = bench.uploads().len();
    bench.run_for(hall, HOUR + 1).await?;
    let uploads = bench.uploads();
    let holds = early == 1 && uploads.len() == 2 && bench.in_step();
    book.hold(AT_DEADLINE, holds, || {
        format!(
            "backups before the deadline {early}, an hour after it {}",
            uploads.len()
        )
    });
    let due = bench.newest()?.at.plus_millis(30 * DAY);
    bench.run_to(hall, former.plus_millis(HOUR + 1)).await?;
    let on_former = bench.uploads().len();
    bench.run_to(hall, due.plus_millis(HOUR + 1)).await?;
    let after = bench.uploads().len();
    book.hold(RESTARTED, on_former == 2 && after == 3, || {
        format!("backups by the former date {on_former}, by the new one {after}")
    });

    let settings = [
        ("PostAuthenticationResetDelay", "4"),
        ("PasswordAgeDays", "365"),
    ];
    let mut bench = signed_in(hall, &settings).await?;
    bench.set_directory(500);
    bench.run_for(hall, 8 * HOUR).await?;
    let tried = bench.attempts().len() - 1;
    bench.set_directory(204);
    bench.run_for(hall, 2 * HOUR).await?;
    let done = bench.uploads().len() == 2 && bench.in_step();
    book.hold(RETRIED, tried >= 2 && done, || {
        format!("{tried} attempts in 4 hours after the deadline; backed up afterwards: {done}")
    });

    let mut bench = signed_in(hall, &settings).await?;
    bench.set_directory(503);
    bench.run_for(hall, 154 * HOUR).await?;
    let tried = bench.attempts().len() - 1;
    book.hold(BOUNDED, (1..=101).contains(&tried), || {
        format!("{tried} attempts in 150 hours after the deadline")
    });
    Ok(())
}

/// The delay itself.
pub(super) async fn delay(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for (value, expected) in [("0", None), ("24", Some(24)), ("25", Some(24))] {
        let settings = [("PasswordAgeDays", "365")];
        let mut bench = hall.entra(NEW).await?;
        bench
            .apply(hall, &[("BackupDirectory", "1"), settings[0]])
            .await?;
        bench
            .write(hall, &[("PostAuthenticationResetDelay", value)])
            .await?;
        let signed_in_at = bench.now;
        let account = bench.newest()?.account;
        bench.device.sign_in(bench.now, &account);
        bench.run_for(hall, 30 * HOUR).await?;
        let after: Vec<i64> = bench
            .uploads()
            .iter()
            .skip(1)
            .map(|upload| hours(upload.at, signed_in_at))
            .collect();
        let wanted: Vec<i64> = expected.into_iter().collect();
        book.hold(DELAY, after == wanted, || {
            format!("delay {value}: rotated {after:?} hours after the sign-in")
        });
    }
    Ok(())
}

/// Whole hours between two instants.
fn hours(later: UtcMillis, earlier: UtcMillis) -> i64 {
    later.millis_since(earlier) / HOUR
}
