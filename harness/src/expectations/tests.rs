//! Lists: everything that can be wrong with one, what becomes of rows, and proposals.

use std::collections::BTreeMap;

use super::*;
use crate::catalogue::Catalogue;
use crate::report::{Footer, Report, RequirementRow};
use crate::verdict::{Level, Verdict};

const TODAY: &str = "2026-03-01";

fn catalogue() -> Catalogue {
    Catalogue::builtin().unwrap()
}

fn read(text: &str) -> Result<Expectations, Vec<Defect>> {
    let today = Date(TODAY.to_owned());
    Expectations::read("list.toml", text, &today, &catalogue())
}

/// A list with one entry whose keys are these; a key with nothing is left out.
fn list(changes: &[(&str, &str)]) -> String {
    let mut keys = BTreeMap::from([
        ("requirement", "\"REQ-ROTATE-004\""),
        ("expect", "\"fail\""),
        ("fingerprint", "\"not-done\""),
        ("reason", "\"queued\""),
        ("bug", "\"https://bugs.example/1\""),
        ("owner", "\"team\""),
        ("expires", "\"2026-12-31\""),
    ]);
    keys.extend(changes.iter().copied());
    let lines = keys.iter().filter(|(_, value)| !value.is_empty());
    let lines: Vec<String> = lines
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("[[expectation]]\n{}\n", lines.join("\n"))
}

fn whole(entries: &[&[(&str, &str)]]) -> String {
    let entries: Vec<String> = entries.iter().map(|changes| list(changes)).collect();
    format!("schema = \"{SCHEMA}\"\n\n{}", entries.join("\n"))
}

#[test]
fn a_list_that_is_right_is_read_with_its_lines() {
    let text = whole(&[
        &[],
        &[("fingerprint", "\"rotation-failed\"")],
        &[
            ("requirement", "\"REQ-BULK-003\""),
            ("expect", "\"deviation\""),
            ("expires", "2026-03-01"),
        ],
        &[
            ("requirement", "\"REQ-VIEW-001\""),
            ("expect", "\"not_applicable\""),
            ("fingerprint", ""),
        ],
    ]);
    let list = read(&text).unwrap();
    let lines: Vec<usize> = list.entries.iter().map(|entry| entry.line).collect();
    assert_eq!(lines, [3, 12, 21, 30], "{text}");
    assert_eq!(list.entries[2].expires.to_string(), TODAY);
}

#[test]
fn every_mistake_of_an_entry_has_its_line_and_sentence() {
    for (changes, sentence) in [
        (&[("requirement", "")][..], "no `requirement`"),
        (
            &[("requirement", "\"REQ-ROTATE-904\"")],
            "`REQ-ROTATE-904` is no requirement",
        ),
        (
            &[("requirement", "\"REQ-ACCOUNT-001\"")],
            "`REQ-ACCOUNT-001` binds our own device; nothing of it can be expected",
        ),
        (&[("expect", "")], "no `expect`"),
        (
            &[("expect", "\"error\"")],
            "expect `error`, expected one of fail, deviation, not_applicable, not_exercised",
        ),
        (
            &[("expect", "\"blocked\"")],
            "expect `blocked`, expected one of fail, deviation, not_applicable, not_exercised",
        ),
        (
            &[("requirement", "\"REQ-BULK-003\"")],
            "`REQ-BULK-003` is a SHOULD and deviates; it never fails",
        ),
        (
            &[("expect", "\"deviation\"")],
            "`REQ-ROTATE-004` is a MUST and fails; it never deviates",
        ),
        (
            &[("fingerprint", "")],
            "no `fingerprint`: a failure is expected in one way, not in any",
        ),
        (
            &[("expect", "\"not_exercised\"")],
            "`fingerprint` beside expect `not_exercised`, which has none",
        ),
        (&[("reason", "")], "no `reason`"),
        (&[("reason", "\" \"")], "no `reason`"),
        (&[("reason", "\"TODO\"")], "`reason` is still `TODO`"),
        (&[("bug", "")], "no `bug`"),
        (&[("bug", "\"TODO\"")], "`bug` is still `TODO`"),
        (&[("bug", "\"1234\"")], "bug `1234` is no link"),
        (&[("owner", "")], "no `owner`"),
        (&[("expires", "")], "no `expires`"),
        (
            &[("expires", "\"2026-02-30\"")],
            "expires `2026-02-30` is no date such as 2026-12-31",
        ),
        (
            &[("expires", "7")],
            "expires `integer` is no date such as 2026-12-31",
        ),
        (&[("expires", "\"2026-02-28\"")], "expired on 2026-02-28"),
    ] {
        let defects = read(&whole(&[changes])).unwrap_err();
        let texts: Vec<String> = defects.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [format!("line 3: {sentence}")], "{changes:?}");
    }
}

#[test]
fn several_mistakes_are_named_at_once_and_unknown_keys_are_refused() {
    let text = whole(&[&[("reason", ""), ("owner", "")], &[("bug", "\"no\"")]]);
    let defects = read(&text).unwrap_err();
    let lines: Vec<usize> = defects.iter().map(|defect| defect.line).collect();
    assert_eq!(lines, [3, 3, 10], "{defects:?}");
    for (text, line, part) in [
        (
            whole(&[&[("because", "\"x\"")]]),
            4,
            "unknown field `because`",
        ),
        (
            format!("{}list = 1\n", "schema = \"x\"\n"),
            2,
            "unknown field `list`",
        ),
        (
            "schema = \"muster.expectations/9\"\n".to_owned(),
            1,
            "schema",
        ),
        (String::new(), 1, "missing field `schema`"),
        ("schema = \n".to_owned(), 1, ""),
    ] {
        let defects = read(&text).unwrap_err();
        assert_eq!(defects.len(), 1, "{defects:?}");
        assert_eq!(defects[0].line, line, "{text}: {defects:?}");
        assert!(defects[0].text.contains(part), "{text}: {defects:?}");
    }
}

#[test]
fn entries_that_overlap_are_refused() {
    for (second, overlaps) in [
        (&[][..], true),
        (
            &[("expect", "\"not_exercised\""), ("fingerprint", "")],
            true,
        ),
        (&[("fingerprint", "\"rotation-failed\"")], false),
        (&[("requirement", "\"REQ-ROTATE-003\"")], false),
    ] {
        let read = read(&whole(&[&[], second]));
        assert_eq!(read.is_err(), overlaps, "{second:?}");
        for defect in read.err().into_iter().flatten() {
            assert_eq!(
                defect.to_string(),
                "line 12: overlaps with the entry of line 3"
            );
        }
    }
}

fn row(id: &str, level: Level, verdict: Verdict, ways: &[&str]) -> RequirementRow {
    RequirementRow {
        id: id.to_owned(),
        level,
        verdict,
        evaluated: 3,
        armed: 3,
        at_most_one_in: None,
        violated: u64::try_from(ways.len()).unwrap(),
        anchors: Vec::new(),
        checks: Vec::new(),
        evidence: Vec::new(),
        sentence: String::new(),
        violations: Vec::new(),
        fingerprints: ways.iter().map(|way| ((*way).to_owned(), 1)).collect(),
        blocked_by: None,
        recorded: BTreeMap::new(),
        expectation: None,
    }
}

/// Which list a row of the table below means.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// One way of failing.
    One,
    /// Two ways.
    Two,
    /// Not exercised.
    Idle,
}

/// The list, the verdict with its fingerprints, the word of the row, the exit code, and what is said
/// of the list.
type Strict = (
    Which,
    Verdict,
    &'static [&'static str],
    &'static str,
    u8,
    &'static str,
);

const UNMATCHED: &str = "matched nothing: it was not violated as `not-done`";
const STRICT: [Strict; 13] = [
    (
        Which::One,
        Verdict::Fail,
        &["not-done"],
        "expected_fail",
        0,
        "",
    ),
    // Another way, or one more, is not what was expected.
    (Which::One, Verdict::Fail, &["other"], "fail", 1, UNMATCHED),
    (
        Which::One,
        Verdict::Fail,
        &["not-done", "other"],
        "fail",
        1,
        "",
    ),
    (
        Which::One,
        Verdict::Pass,
        &[],
        "unexpected_pass",
        3,
        "passed unexpectedly: the entry expects `fail`",
    ),
    (
        Which::One,
        Verdict::NotExercised,
        &[],
        "not_exercised",
        3,
        "the verdict is `not_exercised`",
    ),
    // What the harness or a control spoilt is never what was expected.
    (
        Which::One,
        Verdict::Error,
        &[],
        "error",
        3,
        "the verdict is `error`",
    ),
    (
        Which::One,
        Verdict::Blocked,
        &[],
        "blocked",
        3,
        "the verdict is `blocked`",
    ),
    (
        Which::One,
        Verdict::NotTested,
        &[],
        "not_tested",
        3,
        "the verdict is `not_tested`",
    ),
    (
        Which::Two,
        Verdict::Fail,
        &["not-done", "other"],
        "expected_fail",
        0,
        "",
    ),
    (
        Which::Two,
        Verdict::Fail,
        &["not-done"],
        "expected_fail",
        3,
        "it was not violated as `other`",
    ),
    (
        Which::Idle,
        Verdict::NotExercised,
        &[],
        "expected_not_exercised",
        0,
        "",
    ),
    (
        Which::Idle,
        Verdict::Fail,
        &["not-done"],
        "fail",
        1,
        "the verdict is `fail`",
    ),
    (
        Which::Idle,
        Verdict::Pass,
        &[],
        "unexpected_pass",
        3,
        "passed unexpectedly",
    ),
];

#[test]
fn a_list_is_strict_both_ways() {
    for (which, verdict, ways, word, code, says) in STRICT {
        let text = match which {
            Which::One => whole(&[&[]]),
            Which::Two => whole(&[&[], &[("fingerprint", "\"other\"")]]),
            Which::Idle => whole(&[&[("expect", "\"not_exercised\""), ("fingerprint", "")]]),
        };
        let what = format!("{which:?} {verdict:?} {ways:?}");
        let mut report = Report::new(1, &[], Footer::complete());
        report.requirements = vec![row("REQ-ROTATE-004", Level::Must, verdict, ways)];
        let list = read(&text).unwrap();
        let (note, stale) = apply(&list, &mut report.requirements, Extent::Whole);
        assert_eq!(report.requirements[0].word(), word, "{what}");
        let mut causes = report.requirement_causes();
        causes.extend(stale.iter().cloned());
        let ended = crate::exit::gravest(&causes).number();
        assert_eq!(ended, code, "{what}: {causes:?}");
        let named = |text: &str| {
            let place = text.starts_with("list.toml, line ") && text.contains("REQ-ROTATE-004");
            place && text.contains(says)
        };
        let mut texts = stale.iter().map(|cause| cause.text.as_str());
        assert_eq!(texts.any(named), !says.is_empty(), "{what}: {stale:?}");
        let expected = u64::from(word.starts_with("expected"));
        assert_eq!(note.expected, expected, "{what}");
    }
}

#[test]
fn a_run_that_broke_off_makes_no_list_stale_and_excuses_nothing_more() {
    let list = read(&whole(&[&[]])).unwrap();
    for (verdict, ways, word) in [
        (Verdict::Pass, &[][..], "unexpected_pass"),
        (Verdict::NotExercised, &[], "not_exercised"),
        (Verdict::Fail, &["other"], "fail"),
        (Verdict::Fail, &["not-done"], "expected_fail"),
    ] {
        let mut rows = [row("REQ-ROTATE-004", Level::Must, verdict, ways)];
        let (_, causes) = apply(&list, &mut rows, Extent::Partial);
        assert_eq!(rows[0].word(), word);
        assert!(causes.is_empty(), "{causes:?}");
    }
}

#[test]
fn entries_of_rows_that_are_not_judged_are_counted_and_left_alone() {
    let list = read(&whole(&[&[]])).unwrap();
    let mut rows = [row("REQ-VIEW-001", Level::Must, Verdict::Pass, &[])];
    let (note, causes) = apply(&list, &mut rows, Extent::Whole);
    assert_eq!((note.entries, note.expected, note.elsewhere), (1, 0, 1));
    assert!(causes.is_empty());
}

const CURRENT: &str = r#"# Ours; ask the team before editing.
schema = "muster.expectations/1"

# The broker queues.
[[expectation]]
requirement = "REQ-ROTATE-003" # still
expect = "fail"
fingerprint = "not-failed-in-time"
reason = "queued in the broker"
bug = "https://bugs.example/1"
owner = "team"
expires = 2026-12-31

# Repaired since.
[[expectation]]
requirement = "REQ-ROTATE-004"
expect = "fail"
fingerprint = "not-done"
reason = "old"
bug = "https://bugs.example/2"
owner = "team"
expires = "2026-12-31"

# Not judged by this run.
[[expectation]]
requirement = "REQ-VIEW-001"
expect = "not_applicable"
reason = "no directory"
bug = "https://bugs.example/3"
owner = "team"
expires = "2026-12-31"
"#;

fn report_of_a_run() -> Report {
    let mut report = Report::new(1, &[], Footer::complete());
    report.requirements = vec![
        row(
            "REQ-ROTATE-003",
            Level::Must,
            Verdict::Fail,
            &["done-though-offline", "not-failed-in-time"],
        ),
        row("REQ-ROTATE-004", Level::Must, Verdict::Pass, &[]),
        row(
            "REQ-BULK-003",
            Level::Should,
            Verdict::Deviation,
            &["accepted"],
        ),
        row("REQ-JOIN-002", Level::Must, Verdict::NotExercised, &[]),
        row("REQ-JOIN-005", Level::Should, Verdict::NotExercised, &[]),
        row("REQ-ROTATE-005", Level::Must, Verdict::Blocked, &[]),
    ];
    report
}

#[test]
fn a_proposal_keeps_comments_drops_what_is_stale_and_adds_what_is_new() {
    let now = protocol::time::UtcTicks::parse("2026-03-01T10:00:00Z").unwrap();
    let proposal = propose(&report_of_a_run(), Some(CURRENT), now.millis()).unwrap();
    for part in [
        "# Ours; ask the team before editing.",
        "# The broker queues.\n[[expectation]]\nrequirement = \"REQ-ROTATE-003\" # still\n",
        "reason = \"queued in the broker\"",
        "expires = 2026-12-31",
        "# Not judged by this run.\n[[expectation]]\nrequirement = \"REQ-VIEW-001\"",
        "fingerprint = \"done-though-offline\"\nreason = \"TODO\"\nbug = \"TODO\"\nowner = \"TODO\"\nexpires = \"2026-05-30\"",
        "requirement = \"REQ-BULK-003\"\nexpect = \"deviation\"\nfingerprint = \"accepted\"",
        "requirement = \"REQ-JOIN-002\"\nexpect = \"not_exercised\"\nreason = \"TODO\"",
    ] {
        assert!(proposal.contains(part), "{part} in\n{proposal}");
    }
    for part in [
        "Repaired since",
        "REQ-ROTATE-004",
        "REQ-JOIN-005",
        "REQ-ROTATE-005",
    ] {
        assert!(!proposal.contains(part), "{part} in\n{proposal}");
    }
    // It is refused until somebody wrote the reasons, and right afterwards.
    let defects = read(&proposal).unwrap_err();
    assert_eq!(defects.len(), 9, "{defects:?}");
    let edited = proposal
        .replace("bug = \"TODO\"", "bug = \"https://bugs.example/4\"")
        .replace("TODO", "known");
    let list = read(&edited).unwrap();
    let mut report = report_of_a_run();
    report.requirements.pop();
    let (note, stale) = apply(&list, &mut report.requirements, Extent::Whole);
    assert!(stale.is_empty(), "{stale:?}");
    assert_eq!((note.entries, note.expected, note.elsewhere), (5, 3, 1));
    assert!(report.requirement_causes().is_empty());
}

#[test]
fn without_a_current_list_and_without_failures_a_proposal_is_empty_and_right() {
    let report = Report::new(1, &[], Footer::complete());
    let now = UtcMillis::from_millis(0);
    let proposal = propose(&report, None, now).unwrap();
    assert_eq!(read(&proposal).unwrap().entries.len(), 0, "{proposal}");
}

#[test]
fn nothing_is_proposed_from_half_a_run_or_for_what_is_no_list() {
    let now = UtcMillis::from_millis(0);
    let half = Report::new(1, &[], Footer::incomplete("target down".to_owned()));
    let whole = Report::new(1, &[], Footer::complete());
    for (report, current, part) in [
        (&half, None, "broke off"),
        (&whole, Some("schema = "), "the current list"),
        (&whole, Some("expectation = 1\n"), "no list of tables"),
    ] {
        let error = propose(report, current, now).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
