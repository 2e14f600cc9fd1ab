//! Which account the device manages.

use protocol::JoinType;

use super::bench::{Bench, DAY, HOUR, NEW, OLD, SERVICE, account};
use super::book::{Book, Rule};
use super::server::Hall;
use crate::error::Error;

const BUILT_IN: Rule = Rule {
    requirement: "REQ-ACCOUNT-001",
    fingerprint: "built-in-not-by-rid",
    required: "without a name the account with RID 500 is rotated and backed up, whatever it is called (S2, F-110)",
};
const NAMED: Rule = Rule {
    requirement: "REQ-ACCOUNT-002",
    fingerprint: "not-only-the-named-account",
    required: "the account named is rotated and backed up, and no other (S2)",
};
const NOT_MADE: Rule = Rule {
    requirement: "REQ-ACCOUNT-004",
    fingerprint: "account-made",
    required: "an account that does not exist is not made, and nothing is backed up (S3, F-111)",
};
const CHANGED: Rule = Rule {
    requirement: "REQ-ACCOUNT-005",
    fingerprint: "former-account-managed",
    required: "when the policy names another account, that one is rotated, backed up and current, and the former one is not touched again (F-116)",
};
const AUTOMATIC: Rule = Rule {
    requirement: "REQ-ACCOUNT-006",
    fingerprint: "automatic-account-wrong",
    required: "the automatic mode makes an account named WLapsAdmin and backs it up (F-114)",
};
const RANDOM_NAME: Rule = Rule {
    requirement: "REQ-ACCOUNT-006",
    fingerprint: "random-name-wrong",
    required: "a randomised name is the prefix cut to 14 characters and six digits, new at each rotation, and the directory gets the new name (F-115)",
};
const NAME: Rule = Rule {
    requirement: "REQ-CSP-AdministratorAccountName-001",
    fingerprint: "account-name-misread",
    required: "the account name counts while the automatic mode is off and is ignored while it is on; empty means RID 500 (F-025)",
};

/// The built-in account, a named one, a missing one, and a change of name.
pub(super) async fn named(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut spec = hall.spec(JoinType::EntraJoined, NEW);
    // The name that the built-in account usually has belongs to another.
    spec.accounts = vec![account("chief", 500), account("Administrator", 1002)];
    let mut bench = hall.bench(spec).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    bench.run_for(hall, HOUR).await?;
    book.hold(BUILT_IN, is_only(&bench, "chief", "500"), || shown(&bench));

    for os in [OLD, NEW] {
        let mut bench = hall.entra(os).await?;
        bench
            .apply(
                hall,
                &[
                    ("BackupDirectory", "1"),
                    ("AdministratorAccountName", SERVICE),
                ],
            )
            .await?;
        bench.run_for(hall, HOUR).await?;
        book.hold(NAMED, is_only(&bench, SERVICE, "1001"), || shown(&bench));

        let mut bench = hall.entra(os).await?;
        let before = bench.device.accounts();
        bench
            .apply(
                hall,
                &[
                    ("BackupDirectory", "1"),
                    ("AdministratorAccountName", "ghost"),
                ],
            )
            .await?;
        bench.run_for(hall, 3 * HOUR).await?;
        let same = bench.device.accounts() == before && bench.attempts().is_empty();
        book.hold(NOT_MADE, same, || shown(&bench));
    }
    change_of_name(hall, book).await
}

async fn change_of_name(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut spec = hall.spec(JoinType::EntraJoined, NEW);
    spec.accounts.push(account("ops", 1003));
    let mut bench = hall.bench(spec).await?;
    let first = [
        ("BackupDirectory", "1"),
        ("PasswordAgeDays", "7"),
        ("AdministratorAccountName", SERVICE),
    ];
    bench.apply(hall, &first).await?;
    let former = bench.touched();
    bench
        .apply(hall, &[("AdministratorAccountName", "ops")])
        .await?;
    bench.run_for(hall, HOUR).await?;
    let generation_of_former = |bench: &Bench| {
        let accounts = bench.device.accounts();
        let former = accounts.iter().find(|account| account.name == SERVICE);
        former.map(|account| account.generation)
    };
    let then = generation_of_former(&bench);
    let current = |bench: &Bench| {
        let newest = bench.uploads().pop();
        newest.is_some_and(|upload| upload.account == "ops") && bench.in_step()
    };
    let at_once = current(&bench) && former == ["1001"];
    bench.reset(hall).await?;
    bench.run_for(hall, 8 * DAY).await?;
    let later = current(&bench) && generation_of_former(&bench) == then;
    book.hold(CHANGED, at_once && later, || shown(&bench));
    Ok(())
}

/// The account of the automatic mode.
pub(super) async fn automatic(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut bench = hall.entra(NEW).await?;
    let before = bench.device.accounts().len();
    let mode = [
        ("BackupDirectory", "1"),
        ("AutomaticAccountManagementEnabled", "true"),
        ("AutomaticAccountManagementTarget", "1"),
    ];
    bench.apply(hall, &mode).await?;
    bench.run_for(hall, HOUR).await?;
    let made = bench.device.accounts().len() == before + 1
        && bench.uploads().len() == 1
        && bench.newest()?.account == "WLapsAdmin"
        && bench.touched() != ["500"]
        && bench.in_step();
    book.hold(AUTOMATIC, made, || shown(&bench));

    let mut bench = hall.entra(NEW).await?;
    let randomised = [
        (
            "AutomaticAccountManagementNameOrPrefix",
            "ABCDEFGHIJKLMNOPQRST",
        ),
        ("AutomaticAccountManagementRandomizeName", "true"),
    ];
    bench
        .apply(hall, &[&mode[..], &randomised[..]].concat())
        .await?;
    bench.run_for(hall, HOUR).await?;
    for _ in 0..2 {
        bench.reset(hall).await?;
    }
    let names: Vec<String> = bench.uploads().into_iter().map(|it| it.account).collect();
    let fits = |name: &String| {
        let digits = name.strip_prefix("ABCDEFGHIJKLMN").unwrap_or_default();
        digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let fresh = names.windows(2).all(|pair| pair[0] != pair[1]);
    let holds = names.len() == 3 && names.iter().all(fits) && fresh && bench.in_step();
    book.hold(RANDOM_NAME, holds, || format!("names backed up: {names:?}"));
    Ok(())
}

/// The account name with the automatic mode on and off.
pub(super) async fn name_setting(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let enabled = ("AutomaticAccountManagementEnabled", "true");
    let target = |value| ("AutomaticAccountManagementTarget", value);
    let name = ("AdministratorAccountName", SERVICE);
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[name], SERVICE),
        (&[("AdministratorAccountName", "")], "Administrator"),
        (&[name, enabled, target("1")], "WLapsAdmin"),
        (&[name, enabled, target("0")], "Administrator"),
    ];
    for (settings, expected) in cases {
        let mut bench = hall.entra(NEW).await?;
        bench
            .apply(hall, &[&[("BackupDirectory", "1")], settings].concat())
            .await?;
        bench.run_for(hall, HOUR).await?;
        let accounts: Vec<String> = bench.uploads().into_iter().map(|it| it.account).collect();
        let holds = accounts == [expected] && bench.in_step();
        book.hold(NAME, holds, || {
            format!("{settings:?}: accounts backed up {accounts:?}")
        });
    }
    Ok(())
}

/// One backup, of this account, and no other account touched.
fn is_only(bench: &Bench, name: &str, rid: &str) -> bool {
    let uploads = bench.uploads();
    let right = uploads
        .iter()
        .all(|upload| upload.account == name && upload.sid.ends_with(&format!("-{rid}")));
    uploads.len() == 1 && right && bench.touched() == [rid] && bench.in_step()
}

fn shown(bench: &Bench) -> String {
    let uploads: Vec<String> = bench.uploads().into_iter().map(|it| it.account).collect();
    format!(
        "accounts backed up {uploads:?}; accounts of the device {:?}",
        bench.device.accounts()
    )
}
