//! The directory, the age, and the settings for Active Directory alone.

use super::bench::{Bench, DAY, HOUR, NEW, RESET, exec};
use super::book::{Book, Rule};
use super::expected::effective;
use super::schedule::days_named;
use super::server::Hall;
use crate::error::Error;

const CHOICE: Rule = Rule {
    requirement: "REQ-CSP-BackupDirectory-001",
    fingerprint: "directory-misread",
    required: "0 backs up nowhere, 1 to Microsoft Entra ID, 2 to Active Directory on a hybrid device (F-020)",
};
const NO_BACKUP: Rule = Rule {
    requirement: "REQ-CSP-BackupDirectory-001",
    fingerprint: "backup-by-illegal-value",
    required: "an illegal directory is refused or counts as 0: there is never a backup (F-043)",
};
const AGE: Rule = Rule {
    requirement: "REQ-CSP-PasswordAgeDays-002",
    fingerprint: "age-misread",
    required: "with Microsoft Entra ID an age below 7 is refused or counts as 30, with Active Directory 1 counts (F-021, F-043)",
};
const NO_EFFECT: Rule = Rule {
    requirement: "REQ-CSP-ADonly-001",
    fingerprint: "ad-setting-touched-entra",
    required: "the settings for Active Directory have no effect on a backup to Microsoft Entra ID (F-008)",
};
const HISTORY: Rule = Rule {
    requirement: "REQ-CSP-ADonly-001",
    fingerprint: "history-misread",
    required: "the history holds as many former passwords as told, 0 to 12; 13 is refused or counts as 0 (F-029, F-093)",
};

/// Uploads so far, and whether Active Directory holds anything.
fn stores(bench: &Bench) -> (usize, bool) {
    (
        bench.attempts().len(),
        bench.device.active_directory().is_some(),
    )
}

/// Legal and illegal directories on both kinds of device.
pub(super) async fn choice(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for (hybrid, value, expected) in [
        (false, "0", (0, false)),
        (false, "1", (1, false)),
        (false, "2", (0, false)),
        (true, "0", (0, false)),
        (true, "1", (1, false)),
        (true, "2", (0, true)),
    ] {
        let mut bench = device(hall, hybrid).await?;
        bench.apply(hall, &[("BackupDirectory", value)]).await?;
        bench.run_for(hall, 2 * HOUR).await?;
        let shown = effective(&bench.device, "BackupDirectory");
        let holds = stores(&bench) == expected && shown == value;
        book.hold(CHOICE, holds, || {
            format!(
                "directory {value}, hybrid {hybrid}: uploads and AD {:?}, effective {shown}",
                stores(&bench)
            )
        });
    }
    for hybrid in [false, true] {
        for value in ["3", "-1", "x"] {
            let mut bench = device(hall, hybrid).await?;
            let code = bench.write(hall, &[("BackupDirectory", value)]).await?;
            bench.run_for(hall, 2 * HOUR).await?;
            book.hold(NO_BACKUP, stores(&bench) == (0, false), || {
                format!(
                    "directory {value}, status {code}: uploads and AD {:?}",
                    stores(&bench)
                )
            });
        }
    }
    Ok(())
}

async fn device(hall: &Hall, hybrid: bool) -> Result<Bench, Error> {
    if hybrid {
        hall.hybrid(NEW).await
    } else {
        hall.entra(NEW).await
    }
}

/// The smallest ages.
pub(super) async fn age(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for (value, expected) in [("6", 30), ("1", 30), ("7", 7), ("365", 365)] {
        let mut bench = hall.entra(NEW).await?;
        let settings = [("BackupDirectory", "1"), ("PasswordAgeDays", value)];
        if bench.write(hall, &settings).await? >= 400 {
            // Refused with its Atomic: the directory alone shows the default.
            bench.apply(hall, &settings[..1]).await?;
        }
        bench.run_for(hall, HOUR).await?;
        let days = days_named(&bench.newest()?);
        book.hold(AGE, days == expected, || {
            format!("age {value} with Entra: {days} days")
        });
    }
    let mut bench = hall.hybrid(NEW).await?;
    let settings = [("BackupDirectory", "2"), ("PasswordAgeDays", "1")];
    bench.apply(hall, &settings).await?;
    let record = bench.device.active_directory();
    let lasts = record.map(|it| it.expires_at.millis_since(it.updated_at));
    book.hold(AGE, lasts == Some(DAY), || {
        format!("age 1 with Active Directory: {lasts:?} ms")
    });
    Ok(())
}

/// The four settings for Active Directory.
pub(super) async fn ad_only(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for hybrid in [false, true] {
        let mut bench = device(hall, hybrid).await?;
        let settings = [
            ("PasswordExpirationProtectionEnabled", "false"),
            ("ADPasswordEncryptionEnabled", "true"),
            ("ADPasswordEncryptionPrincipal", "nobody"),
            ("ADEncryptedPasswordHistorySize", "12"),
            ("BackupDirectory", "1"),
        ];
        bench.apply(hall, &settings).await?;
        bench.run_for(hall, 2 * HOUR).await?;
        let uploads = bench.uploads();
        let holds = uploads.len() == 1
            && uploads.iter().all(|upload| days_named(upload) == 30)
            && bench.in_step()
            && bench.device.active_directory().is_none();
        book.hold(NO_EFFECT, holds, || {
            format!(
                "hybrid {hybrid}: {} backups to Entra in 2 hours",
                uploads.len()
            )
        });
    }
    for (size, expected) in [("0", 0), ("3", 3), ("12", 12), ("13", 0)] {
        let mut bench = hall.hybrid(NEW).await?;
        let settings = [
            ("BackupDirectory", "2"),
            ("ADPasswordEncryptionEnabled", "true"),
        ];
        bench.apply(hall, &settings).await?;
        let code = bench
            .write(hall, &[("ADEncryptedPasswordHistorySize", size)])
            .await?;
        bench.say(hall, vec![vec![exec("x", RESET)]; 15]).await?;
        let record = bench.device.active_directory();
        let kept = record.map(|record| record.history.len());
        book.hold(HISTORY, kept == Some(expected), || {
            format!(
                "history size {size}, status {code}: {kept:?} former passwords after 15 rotations"
            )
        });
    }
    Ok(())
}
