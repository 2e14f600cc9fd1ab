//! `ResetPassword` and `ResetPasswordStatus`.

use emulator::ResetTiming;
use protocol::JoinType;
use protocol::syncml::Verb;

use super::bench::{Bench, NEW, OLD, RESET, RESET_STATUS, Settings, exec, got, request, write};
use super::book::{Book, Rule};
use super::server::{Hall, Turn};
use crate::error::Error;

const ROTATES: Rule = Rule {
    requirement: "REQ-CSP-ResetPassword-001",
    fingerprint: "exec-without-rotation",
    required: "an Exec is answered 200 or 202 and sets and backs up a new password at once, whatever the age of the present one (F-054, F-057)",
};
const EXEC_ONLY: Rule = Rule {
    requirement: "REQ-CSP-ResetPassword-001",
    fingerprint: "verb-accepted",
    required: "ResetPassword takes Exec alone: Get, Replace, Add and Delete are refused and rotate nothing (F-037)",
};
const STATUS: Rule = Rule {
    requirement: "REQ-CSP-ResetPasswordStatus-001",
    fingerprint: "status-misread",
    required: "the status reads 0 before any Exec, -2147483638 while one runs, 0 after success (F-055, F-056)",
};
const FAILURE: Rule = Rule {
    requirement: "REQ-CSP-ResetPasswordStatus-001",
    fingerprint: "failure-not-shown",
    required: "after an Exec that failed the status reads another HRESULT than 0 and E_PENDING (F-055)",
};
const GET_ONLY: Rule = Rule {
    requirement: "REQ-CSP-ResetPasswordStatus-001",
    fingerprint: "verb-accepted",
    required: "ResetPasswordStatus takes Get alone (F-038)",
};

/// `E_PENDING`, 0x8000000A, as a signed decimal (F-056).
const E_PENDING: &str = "-2147483638";

/// Both nodes.
pub(super) async fn both(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    for os in [OLD, NEW] {
        let mut bench = hall.entra(os).await?;
        bench.apply(hall, &[("BackupDirectory", "1")]).await?;
        let before = bench.newest()?.password;
        let code = bench.reset(hall).await?;
        let holds = [200, 202].contains(&code)
            && bench.uploads().len() == 2
            && bench.newest()?.password.expose() != before.expose()
            && bench.in_step();
        book.hold(ROTATES, holds, || {
            format!("status {code}, {} backups", bench.uploads().len())
        });
        verbs(hall, book, &mut bench).await?;
    }
    pending(hall, book).await?;
    failed(hall, book).await
}

async fn verbs(hall: &Hall, book: &mut Book, bench: &mut Bench) -> Result<(), Error> {
    let backups = bench.attempts().len();
    let replace = |path| vec![write("v", Verb::Replace, path, ("int", "1"))];
    let add = |path| vec![write("v", Verb::Add, path, ("int", "1"))];
    let plain = |verb, path| vec![request("v", verb, path)];
    let cases: [(Rule, &str, Turn); 8] = [
        (EXEC_ONLY, "Get of ResetPassword", plain(Verb::Get, RESET)),
        (EXEC_ONLY, "Replace of ResetPassword", replace(RESET)),
        (EXEC_ONLY, "Add of ResetPassword", add(RESET)),
        (
            EXEC_ONLY,
            "Delete of ResetPassword",
            plain(Verb::Delete, RESET),
        ),
        (
            GET_ONLY,
            "Exec of ResetPasswordStatus",
            vec![exec("v", RESET_STATUS)],
        ),
        (
            GET_ONLY,
            "Replace of ResetPasswordStatus",
            replace(RESET_STATUS),
        ),
        (GET_ONLY, "Add of ResetPasswordStatus", add(RESET_STATUS)),
        (
            GET_ONLY,
            "Delete of ResetPasswordStatus",
            plain(Verb::Delete, RESET_STATUS),
        ),
    ];
    for (rule, what, turn) in cases {
        let heard = bench.say(hall, vec![turn]).await?;
        let code = heard.first().map_or(0, |heard| heard.code("v"));
        let silent = bench.attempts().len() == backups;
        let read = heard.iter().any(|heard| !heard.values.is_empty());
        book.hold(rule, code >= 400 && silent && !read, || {
            format!("{what}: status {code}; no rotation: {silent}")
        });
    }
    Ok(())
}

fn read() -> Turn {
    vec![request("g", Verb::Get, RESET_STATUS)]
}

/// What Gets of the status read, in order; `-` for none.
fn readings(heard: &[super::server::Heard]) -> Vec<String> {
    let values = heard.iter().filter(|heard| heard.code("g") != 0).map(got);
    values
        .map(|got| match got.value {
            Some((format, text)) if format == "int" => text,
            Some((format, text)) => format!("{format}:{text}"),
            None => "-".to_owned(),
        })
        .collect()
}

/// A device that answers the Exec first and rotates later.
async fn pending(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let mut spec = hall.spec(JoinType::EntraJoined, NEW);
    spec.reset = ResetTiming::Deferred { reads: 2 };
    let mut bench = hall.bench(spec).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    let turns = vec![
        read(),
        vec![exec("x", RESET)],
        read(),
        read(),
        read(),
        read(),
    ];
    let heard = bench.say(hall, turns).await?;
    let seen = readings(&heard);
    let code = heard.get(1).map_or(0, |heard| heard.code("x"));
    let (during, after) = (seen.get(1), seen.last());
    let holds = [200, 202].contains(&code)
        && seen.first().map(String::as_str) == Some("0")
        && during.map(String::as_str) == Some(E_PENDING)
        && after.map(String::as_str) == Some("0")
        && seen.iter().all(|text| text == "0" || text == E_PENDING)
        && bench.uploads().len() == 2;
    book.hold(STATUS, holds, || format!("Exec {code}; readings {seen:?}"));
    Ok(())
}

/// Execs that fail: the directory refuses, or nothing is managed.
async fn failed(hall: &Hall, book: &mut Book) -> Result<(), Error> {
    let failing: [(&str, u16, Settings<'_>); 3] = [
        (
            "the directory answers 403",
            403,
            &[("BackupDirectory", "1")],
        ),
        (
            "the directory answers 500",
            500,
            &[("BackupDirectory", "1")],
        ),
        (
            "the account does not exist",
            204,
            &[
                ("BackupDirectory", "1"),
                ("AdministratorAccountName", "ghost"),
            ],
        ),
    ];
    for (what, status, settings) in failing {
        let mut bench = hall.entra(NEW).await?;
        bench.apply(hall, settings).await?;
        bench.set_directory(status);
        bench.say(hall, vec![vec![exec("x", RESET)]]).await?;
        let seen = readings(&bench.say(hall, vec![read()]).await?);
        let error = |text: &String| {
            text.parse::<i32>()
                .is_ok_and(|code| code != 0 && text != E_PENDING)
        };
        book.hold(FAILURE, seen.len() == 1 && seen.iter().all(error), || {
            format!("{what}: the status reads {seen:?}")
        });
    }
    // A success afterwards clears it.
    let mut bench = hall.entra(NEW).await?;
    bench.apply(hall, &[("BackupDirectory", "1")]).await?;
    bench.set_directory(500);
    bench.reset(hall).await?;
    bench.set_directory(204);
    bench.reset(hall).await?;
    let seen = readings(&bench.say(hall, vec![read()]).await?);
    book.hold(STATUS, seen == ["0"], || {
        format!("after a success: {seen:?}")
    });
    Ok(())
}
