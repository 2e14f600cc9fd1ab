//! Complexity, lengths, actions and the automatic mode: which values count on which build.

use super::bench::{Bench, HOUR, NEW, OLD, SERVICE, Settings, rid, uri};
use super::book::{Book, Rule};
use super::expected::{SETTINGS, effective};
use super::server::Hall;
use super::words::{is_password, is_phrase};
use crate::error::Error;

const COMPLEXITY: Rule = Rule {
    requirement: "REQ-CSP-PasswordComplexity-001",
    fingerprint: "complexity-misread",
    required: "1 to 4 count everywhere, 5 to 8 from build 26100 on; any other value is refused or counts as 4 (F-022, F-043)",
};
const LENGTH: Rule = Rule {
    requirement: "REQ-CSP-PasswordLength-001",
    fingerprint: "length-misread",
    required: "8 to 64 count, another length is refused or counts as 14, and passphrases ignore it (F-023, F-105)",
};
const PHRASE_LENGTH: Rule = Rule {
    requirement: "REQ-CSP-PassphraseLength-001",
    fingerprint: "phrase-length-misread",
    required: "3 to 10 words count, another number is refused or counts as 6, and passwords ignore it (F-024, F-105)",
};
const PHRASE_OLD: Rule = Rule {
    requirement: "REQ-CSP-PassphraseLength-001",
    fingerprint: "new-setting-on-old-build",
    required: "a build without the setting answers with an error (F-005)",
};
const ACTIONS: Rule = Rule {
    requirement: "REQ-CSP-PostAuthenticationActions-001",
    fingerprint: "actions-misread",
    required: "1, 3 and 5 count everywhere, 11 from build 26100 on; any other value is refused or counts as 3 (F-031, F-043)",
};
const AUTOMATIC_OLD: Rule = Rule {
    requirement: "REQ-CSP-AutomaticAccountManagement-001",
    fingerprint: "new-setting-on-old-build",
    required: "a build without the setting answers with an error (F-005)",
};
const AUTOMATIC: Rule = Rule {
    requirement: "REQ-CSP-AutomaticAccountManagement-001",
    fingerprint: "automatic-mode-misread",
    required: "enabled alone means a disabled account of its own named WLapsAdmin; without it the other settings do not count (F-032 to F-036)",
};

/// Writes one setting from unset, sets a new password, and returns status and password.
async fn password_with(
    bench: &mut Bench,
    hall: &Hall,
    (name, value): (&str, &str),
) -> Result<(u32, String), Error> {
    bench.clear(hall, &[name]).await?;
    let code = bench.write(hall, &[(name, value)]).await?;
    bench.reset(hall).await?;
    Ok((code, bench.newest()?.password.expose().to_owned()))
}

/// Complexity 0 to 9 on both builds.
pub(super) async fn complexity(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for os in [OLD, NEW] {
        let mut bench = hall.entra(os).await?;
        bench.apply(hall, &[("BackupDirectory", "1")]).await?;
        for value in 0..=9_u32 {
            let known = (1..=4).contains(&value) || (os == NEW && (5..=8).contains(&value));
            let expected = if known { value } else { 4 };
            let setting = ("PasswordComplexity", value.to_string());
            let (code, password) = password_with(&mut bench, hall, (setting.0, &setting.1)).await?;
            let acted = effective(&bench.device, setting.0);
            let looks = if expected >= 6 {
                is_phrase(&password, 6)
            } else {
                is_password(&password, expected, 14)
            };
            let holds = looks && acted == expected.to_string() && (!known || code == 200);
            book.hold(COMPLEXITY, holds, || {
                format!("{value} on {os}: status {code}, effective {acted}, password fits {expected}: {looks}")
            });
        }
    }
    Ok(())
}

/// The lengths of passwords and phrases.
pub(super) async fn lengths(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut bench = hall.entra(NEW).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    for (value, expected) in [("7", 14), ("8", 8), ("64", 64), ("65", 14)] {
        let setting = ("PasswordLength", value);
        let (code, password) = password_with(&mut bench, hall, setting).await?;
        book.hold(LENGTH, is_password(&password, 4, expected), || {
            format!(
                "length {value}: status {code}, {} characters",
                password.len()
            )
        });
    }
    // Phrases, with a length of passwords that must not matter.
    bench
        .apply(
            hall,
            &[("PasswordComplexity", "7"), ("PasswordLength", "20")],
        )
        .await?;
    for (value, expected) in [("2", 6), ("3", 3), ("10", 10), ("11", 6)] {
        let setting = ("PassphraseLength", value);
        let (code, password) = password_with(&mut bench, hall, setting).await?;
        let holds = is_phrase(&password, expected);
        let seen = || format!("{value} words: status {code}, not {expected} words");
        book.hold(PHRASE_LENGTH, holds, seen);
        book.hold(LENGTH, password.len() != 20 || holds, seen);
    }
    bench.clear(hall, &["PassphraseLength"]).await?;
    bench.reset(hall).await?;
    let password = bench.newest()?.password;
    book.hold(LENGTH, is_phrase(password.expose(), 6), || {
        "the password length governs a passphrase".to_owned()
    });
    // Passwords, with a length of phrases that must not matter.
    bench
        .apply(
            hall,
            &[("PasswordComplexity", "4"), ("PassphraseLength", "9")],
        )
        .await?;
    bench.reset(hall).await?;
    let password = bench.newest()?.password;
    book.hold(PHRASE_LENGTH, is_password(password.expose(), 4, 20), || {
        "the passphrase length governs a password".to_owned()
    });
    refused_on_old(hall, book, PHRASE_OLD, "PassphraseLength").await
}

/// On a build without a setting, writing and reading it are errors and leave nothing behind.
async fn refused_on_old(
    hall: &Hall,
    book: &mut Book,
    rule: Rule,
    name: &'static str,
) -> Result<(), Error> {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    let sample = setting.map_or("", |setting| setting.sample);
    let mut bench = hall.entra(OLD).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    let code = bench.write(hall, &[(name, sample)]).await?;
    let read = bench.get(hall, &uri(name)).await?;
    bench.reset(hall).await?;
    let holds = code >= 400
        && read.code >= 400
        && read.value.is_none()
        && bench.newest()?.account == "Administrator"
        && is_password(bench.newest()?.password.expose(), 4, 14);
    book.hold(rule, holds, || {
        format!("`{name}` on {OLD}: write {code}, read {read:?}")
    });
    Ok(())
}

/// What happens after a sign-in, as the device reads it.
pub(super) async fn actions(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    const NAME: &str = "PostAuthenticationActions";
    for os in [OLD, NEW] {
        let mut bench = hall.entra(os).await?;
        for value in ["1", "3", "5", "11", "2", "0", "12"] {
            let known = ["1", "3", "5"].contains(&value) || (os == NEW && value == "11");
            let expected = if known { value } else { "3" };
            bench.clear(hall, &[NAME]).await?;
            let code = bench.write(hall, &[(NAME, value)]).await?;
            let acted = effective(&bench.device, NAME);
            let holds = acted == expected && (!known || code == 200);
            book.hold(ACTIONS, holds, || {
                format!("{value} on {os}: status {code}, effective {acted}")
            });
        }
    }
    Ok(())
}

/// The automatic mode on both builds.
pub(super) async fn automatic(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for setting in SETTINGS
        .iter()
        .filter(|setting| setting.new && setting.requirement == AUTOMATIC_OLD.requirement)
    {
        refused_on_old(hall, book, AUTOMATIC_OLD, setting.name).await?;
    }
    let prefix = "AutomaticAccountManagement";
    let cases: [(Settings<'_>, &str, bool); 4] = [
        // The defaults of F-033 to F-036.
        (&[("Enabled", "true")], "WLapsAdmin", false),
        (
            &[
                ("Enabled", "true"),
                ("EnableAccount", "true"),
                ("NameOrPrefix", "Keeper"),
            ],
            "Keeper",
            true,
        ),
        (
            &[("Enabled", "true"), ("Target", "0")],
            "Administrator",
            true,
        ),
        (
            &[
                ("Enabled", "false"),
                ("Target", "1"),
                ("NameOrPrefix", "Keeper"),
                ("EnableAccount", "true"),
            ],
            "Administrator",
            true,
        ),
    ];
    for (settings, expected, enabled) in cases {
        let mut bench = hall.entra(NEW).await?;
        let names: Vec<String> = settings
            .iter()
            .map(|(name, _)| format!("{prefix}{name}"))
            .collect();
        let mut written: Vec<(&str, &str)> = vec![("BackupDirectory", "1")];
        written.extend(
            names
                .iter()
                .zip(settings)
                .map(|(name, (_, value))| (name.as_str(), *value)),
        );
        bench.apply(hall, &written).await?;
        bench.run_for(hall, HOUR).await?;
        let accounts = bench.device.accounts();
        let made = accounts.iter().find(|account| {
            !["500", "501", "1001"].contains(&rid(account)) && account.name != SERVICE
        });
        let own = expected != "Administrator";
        let holds = bench.newest()?.account == expected
            && bench.in_step()
            && made.is_some() == own
            && made.is_none_or(|account| account.enabled == enabled);
        book.hold(AUTOMATIC, holds, || {
            format!("{settings:?}: accounts {accounts:?}")
        });
    }
    Ok(())
}
