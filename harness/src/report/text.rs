//! The report for people: a table with one line a requirement, what was violated, the load, the
//! audit books, and at the end the verdict with every cause.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::IsTerminal;

use super::{Audit, Load, Quantiles, Report, RequirementRow, SetUp};
use crate::conform::Summary;
use crate::exit::{ExitCode, RunVerdict};
use crate::expectations::ExpectedOutcome;
use crate::properties;
use crate::quantity::rounded_us;
use crate::verdict::Verdict;

/// How the text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    columns: usize,
    colour: Colour,
}

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// With ANSI sequences.
    On,
    /// Plain text.
    Off,
}

impl Style {
    /// Plain text in the full width: for files, pipes and logs.
    pub const PLAIN: Self = Self {
        columns: COLUMNS_MAX,
        colour: Colour::Off,
    };

    /// Colours only on a terminal and while `NO_COLOR` is unset or empty; the width from `COLUMNS`.
    #[must_use]
    pub fn detect(stream: &impl IsTerminal) -> Self {
        if !stream.is_terminal() {
            return Self::PLAIN;
        }
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = if refused { Colour::Off } else { Colour::On };
        let columns = std::env::var_os("COLUMNS");
        Self::new(
            columns
                .as_deref()
                .and_then(OsStr::to_str)
                .and_then(|text| text.parse().ok()),
            colour,
        )
    }

    /// A width within the limits of the layout; the widest when it is not known.
    #[must_use]
    pub fn new(columns: Option<usize>, colour: Colour) -> Self {
        let columns = columns
            .unwrap_or(COLUMNS_MAX)
            .clamp(COLUMNS_MIN, COLUMNS_MAX);
        Self { columns, colour }
    }

    fn paint(self, ansi: &str, word: &str) -> String {
        match self.colour {
            Colour::On => format!("\u{1b}[{ansi}m{word}\u{1b}[0m"),
            Colour::Off => word.to_owned(),
        }
    }
}

/// The whole text.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut page = Page {
        style,
        text: String::new(),
    };
    page.head(report);
    page.table(&report.requirements);
    page.violations(&report.requirements);
    page.expectations(&report.requirements);
    page.properties(report);
    match &report.conform {
        Some(summary) => page.conform(summary),
        None => page.load(&report.load),
    }
    if let Some(measurement) = &report.measurement {
        page.pairs(&measurement.lines());
        page.bounds(&report.requirements);
    }
    if let Some(capacity) = &report.capacity {
        page.pairs(&capacity.lines());
    }
    page.audit(&report.audit);
    page.reproduction(report);
    page.conclusion(report);
    page.text
}

struct Page {
    style: Style,
    text: String,
}

impl Page {
    fn head(&mut self, report: &Report) {
        let (run, fleet) = (&report.run, &report.fleet);
        let fault = run
            .fault
            .as_ref()
            .map(|name| format!(" with the fault {name}"));
        self.labelled(
            "target",
            &format!("{}{}", run.target, fault.unwrap_or_default()),
        );
        self.labelled(
            "fleet",
            &format!(
                "{} devices, {} online, {} offline; {} more in cohorts",
                fleet.devices, fleet.online, fleet.offline, fleet.cohort_devices
            ),
        );
        let mix: Vec<String> = fleet
            .by_join_type
            .iter()
            .map(|(join, count)| format!("{join} {count}"))
            .collect();
        if !mix.is_empty() {
            self.labelled("", &mix.join(", "));
        }
        if let Some(profile) = &report.profile {
            self.labelled("profile", &profile.text());
        }
        self.line("");
    }

    fn properties(&mut self, report: &Report) {
        for line in properties::lines(&report.properties) {
            self.line(&line);
        }
    }

    /// What was expected stands beside what was seen, with its reasons.
    fn expectations(&mut self, rows: &[RequirementRow]) {
        for row in rows {
            let Some(expectation) = &row.expectation else {
                continue;
            };
            let word = expectation.outcome.as_str().replace('_', " ");
            self.line(&format!("{} {word}", row.id));
            for entry in &expectation.entries {
                self.detail("list", entry);
            }
            self.line("");
        }
    }

    fn table(&mut self, rows: &[RequirementRow]) {
        if rows.is_empty() {
            return;
        }
        let heading = format!(
            "{:ID$}  {:VERDICT$}  {:>ARMED$}  REQUIRED",
            "REQUIREMENT", "VERDICT", "ARMED"
        );
        let heading = self.style.paint("1", &heading);
        self.line(&heading);
        for row in rows {
            let word = format!("{:VERDICT$}", spoken(row));
            let word = self.style.paint(ansi_of(row.verdict), &word);
            let start = format!("{:ID$}  {word}  {:>ARMED$}  ", row.id, row.armed);
            self.folded(&start, SENTENCE_AT, &row.sentence);
        }
        self.line("");
    }

    fn violations(&mut self, rows: &[RequirementRow]) {
        for row in rows.iter().filter(|row| row.violated > 0) {
            let id = self.style.paint(ansi_of(row.verdict), &row.id);
            let (violated, armed) = (row.violated, row.armed);
            self.line(&format!("{id} violated in {violated} of {armed} cases"));
            let mut evidence = row.evidence.iter();
            for violation in &row.violations {
                self.detail("how", &violation.fingerprint);
                self.detail("required", &violation.required);
                self.detail("seen", &violation.seen);
                self.detail(
                    "evidence",
                    evidence
                        .next()
                        .map_or("not written: no --report", |path| path),
                );
                self.line("");
            }
        }
    }

    fn load(&mut self, load: &Load) {
        self.set_up(&load.set_up);
        self.labelled(
            "check-ins",
            &format!(
                "{} planned, {} started, {} not started, {} completed, {} failed",
                load.planned, load.started, load.not_started, load.completed, load.failed
            ),
        );
        self.labelled(
            "rate",
            &format!(
                "{:.1} check-ins per second over {:.1} s",
                load.check_ins_per_s, load.duration_s
            ),
        );
        self.labelled("latency", &quantiles(load.latency_us));
        self.labelled("service time", &quantiles(load.service_time_us));
        self.labelled(
            "verified",
            &format!(
                "{} of {} answers{}",
                load.verified_responses,
                load.responses,
                percentage(load.verified_responses, load.responses)
            ),
        );
        let core_cpu = load
            .core_cpu_s
            .map_or_else(unknown, |cpu| format!("{cpu:.1} s"));
        self.labelled(
            "processor",
            &format!("harness {:.1} s, core {core_cpu}", load.harness_cpu_s),
        );
        let core_rss = load.core_peak_rss_bytes.map_or_else(unknown, mebibytes);
        let harness_rss = mebibytes(load.harness_peak_rss_bytes);
        self.labelled(
            "peak memory",
            &format!("harness {harness_rss}, core {core_rss}"),
        );
        self.line("");
    }

    /// What came before the load, apart from it.
    fn set_up(&mut self, set_up: &SetUp) {
        let core = match (set_up.core_cpu_s, set_up.core_rss_bytes) {
            (Some(cpu), Some(rss)) => format!("{cpu:.1} s and {}", mebibytes(rss)),
            (None, _) | (_, None) => unknown(),
        };
        self.labelled(
            "set-up",
            &format!(
                "{:.1} s before the load; harness {:.1} s of processor time and {}, core {core}",
                set_up.duration_s,
                set_up.harness_cpu_s,
                mebibytes(set_up.harness_rss_bytes)
            ),
        );
    }

    /// How rare a fault may be that this load did not show.
    fn bounds(&mut self, rows: &[RequirementRow]) {
        let of = |row: &RequirementRow| {
            let cases = row.at_most_one_in.filter(|cases| *cases >= BOUND_MIN)?;
            Some(format!("{} 1 in {cases}", row.id))
        };
        let bounds: Vec<String> = rows.iter().filter_map(of).collect();
        if !bounds.is_empty() {
            let told = format!(
                "with 95 % certainty no more such cases fail than: {}",
                bounds.join(", ")
            );
            self.labelled("unseen", &told);
            self.line("");
        }
    }

    /// Lines with a label each.
    fn pairs(&mut self, lines: &[(String, String)]) {
        for (label, value) in lines {
            self.labelled(label, value);
        }
        if !lines.is_empty() {
            self.line("");
        }
    }

    fn conform(&mut self, summary: &Summary) {
        for line in summary.lines() {
            self.line(&line);
        }
    }

    fn audit(&mut self, audit: &Audit) {
        let [events, operations] = audit.lines();
        self.labelled("audit books", &events);
        self.labelled("", &operations);
        self.line("");
    }

    /// What another run needs to do the same; one `name: value` a line, for programs.
    fn reproduction(&mut self, report: &Report) {
        if report.conform.is_some() {
            self.line(&format!("seed: {}", report.seed));
            self.line("");
            return;
        }
        for (name, count) in &report.run.counts {
            self.line(&format!("{:<25} {count:>9}", name.replace('_', " ")));
        }
        self.line("");
        self.line(&format!("seed: {}", report.seed));
        self.line(&format!("fleet digest: {}", report.run.fleet_digest));
        self.line(&format!("plan digest: {}", report.run.plan_digest));
        self.line("");
    }

    fn conclusion(&mut self, report: &Report) {
        self.line(&format!(
            "expected failures: {}",
            report.expected_failures()
        ));
        if !report.footer.complete {
            let reason = report
                .footer
                .reason
                .as_deref()
                .unwrap_or("for a reason that is not known");
            self.folded("incomplete: ", 12, reason);
        }
        let ansi = match report.verdict {
            RunVerdict::Pass => GREEN,
            RunVerdict::Fail | RunVerdict::Invalid => RED,
            RunVerdict::Undetermined => YELLOW,
        };
        let word = self.style.paint(ansi, report.verdict.as_str());
        self.line(&format!("verdict: {word}"));
        let code = report.exit_code;
        let meaning = ExitCode::of_number(code).map_or("unknown", ExitCode::meaning);
        let but = if code == 0 && report.expected_failures() > 0 {
            ", or failed as expected"
        } else {
            ""
        };
        self.line(&format!("exit code {code}: {meaning}{but}"));
        for cause in &report.causes {
            self.folded("  - ", 4, cause);
        }
    }

    fn labelled(&mut self, label: &str, value: &str) {
        self.folded(&format!("{label:LABEL$}  "), LABEL + 2, value);
    }

    fn detail(&mut self, label: &str, value: &str) {
        self.folded(&format!("  {label:DETAIL$}  "), DETAIL + 4, value);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes `start`, of which `indent` columns are visible, and the text after it, folded at
    /// spaces and continued below itself.
    fn folded(&mut self, start: &str, indent: usize, text: &str) {
        let room = self.style.columns.saturating_sub(indent).max(1);
        let mut line = String::new();
        let mut lines = Vec::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
        let joined = lines.join(&format!("\n{:indent$}", ""));
        self.line(format!("{start}{joined}").trim_end());
    }
}

/// The word of the column, which is narrow.
fn spoken(row: &RequirementRow) -> String {
    match row.expectation.as_ref().map(|row| row.outcome) {
        Some(ExpectedOutcome::ExpectedFail) => "expected fail".to_owned(),
        Some(ExpectedOutcome::ExpectedDeviation) => "exp. deviates".to_owned(),
        Some(ExpectedOutcome::UnexpectedPass) => "unexp. pass".to_owned(),
        Some(ExpectedOutcome::ExpectedNotApplicable | ExpectedOutcome::ExpectedNotExercised)
        | None => match row.verdict {
            Verdict::NotApplicable => "n/a".to_owned(),
            Verdict::Pass
            | Verdict::Fail
            | Verdict::Deviation
            | Verdict::Recorded
            | Verdict::NotExercised
            | Verdict::Blocked
            | Verdict::NotTested
            | Verdict::Error => row.verdict.as_str().replace('_', " "),
        },
    }
}

const fn ansi_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass | Verdict::Recorded => GREEN,
        Verdict::Fail => RED,
        Verdict::Deviation
        | Verdict::NotExercised
        | Verdict::Blocked
        | Verdict::NotApplicable
        | Verdict::NotTested
        | Verdict::Error => YELLOW,
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn quantiles(times: Quantiles) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("p50", times.p50),
        ("p90", times.p90),
        ("p99", times.p99),
        ("p99.9", times.p999),
        ("max", times.max),
    ] {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        write!(text, "{separator}{name} {}", rounded_us(value)).unwrap_or_default();
    }
    text
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

/// The share in percent, rounded down: only all of them are 100 %.
fn percentage(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    match (hundredths / 100, hundredths % 100) {
        (percent, 0) => format!(" ({percent} %)"),
        (percent, rest) => format!(" ({percent}.{rest:02} %)"),
    }
}

const COLUMNS_MIN: usize = 80;
const COLUMNS_MAX: usize = 120;
const ID: usize = 16;
const VERDICT: usize = 13;
const ARMED: usize = 7;
const SENTENCE_AT: usize = ID + VERDICT + ARMED + 6;
const LABEL: usize = 12;
/// Rarer faults than this are worth a word: the others are many cases away from being excluded.
const BOUND_MIN: u64 = 10;
const DETAIL: usize = 8;
const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn text(report: &Report, style: Style) -> String {
        render(report, style)
    }

    #[test]
    fn a_failed_run_reads_like_this() {
        let expected = "\
target        built-in with the fault M-ROT-done-though-offline
fleet         2000 devices, 1400 online, 600 offline; 48 more in cohorts
              entraJoined 1000, entraHybridJoined 600, entraRegistered 100, domainJoined 200, notJoined 100

REQUIREMENT       VERDICT          ARMED  REQUIRED
REQ-ASSIGN-001    pass              2004  What REQ-ASSIGN-001 demands, in one sentence that is long enough to be folded.
REQ-ROTATE-003    fail                40  What REQ-ROTATE-003 demands, in one sentence that is long enough to be folded.
REQ-ROTATE-001    pass                98  What REQ-ROTATE-001 demands, in one sentence that is long enough to be folded.
REQ-JOIN-002      not exercised        0  What REQ-JOIN-002 demands, in one sentence that is long enough to be folded.

REQ-ROTATE-003 violated in 3 of 40 cases
  how       done-though-offline
  required  the action of an offline Entra joined device ends as failed
  seen      action state <done> & no detail
  evidence  evidence/REQ-ROTATE-003-1/violation.md

set-up        12.5 s before the load; harness 6.2 s of processor time and 64 MiB, core 5.0 s and 32 MiB
check-ins     7000 planned, 7000 started, 0 not started, 6999 completed, 1 failed
rate          699.9 check-ins per second over 10.0 s
latency       p50 850 us, p90 1.40 ms, p99 4.80 ms, p99.9 12.34 ms, max 1.25 s
service time  p50 800 us, p90 1.30 ms, p99 4.10 ms, p99.9 9.90 ms, max 31.00 ms
verified      14210 of 14211 answers (99.99 %)
processor     harness 4.5 s, core 3.2 s
peak memory   harness 96 MiB, core 40 MiB

audit books   160 to 163 events expected, 161 seen: 0 lost, 0 duplicated, 0 phantom
              150 rotation attempts, 13 password reads; 0 unknown outcomes; matched one by one, by request id

pushed sessions                 171

seed: 7
fleet digest: f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1
plan digest: 2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a

expected failures: 0
verdict: fail
exit code 1: a requirement failed
  - REQ-ROTATE-003 failed: violated in 3 of 40 cases
  - REQ-JOIN-002 was not exercised
";
        assert_eq!(text(&sample::failed(), Style::PLAIN), expected);
    }

    #[test]
    fn an_interrupted_run_says_so_at_the_end() {
        let text = text(&sample::interrupted(), Style::PLAIN);
        let last: Vec<&str> = text.lines().rev().take(4).collect();
        assert_eq!(
            last,
            [
                "  - interrupted by SIGINT after 3.2 s",
                "exit code 130: interrupted",
                "verdict: undetermined",
                "incomplete: interrupted by SIGINT after 3.2 s",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_asked() {
        for columns in [80, 100, 120] {
            let text = text(&sample::failed(), Style::new(Some(columns), Colour::Off));
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn colour_changes_no_visible_character() {
        let plain = text(&sample::failed(), Style::PLAIN);
        let mut coloured = text(&sample::failed(), Style::new(None, Colour::On));
        assert_ne!(coloured, plain);
        for ansi in [
            "\u{1b}[0m",
            "\u{1b}[1m",
            "\u{1b}[31m",
            "\u{1b}[32m",
            "\u{1b}[33m",
        ] {
            coloured = coloured.replace(ansi, "");
        }
        assert_eq!(coloured, plain);
    }

    #[test]
    fn only_all_answers_are_a_hundred_percent() {
        for (part, whole, text) in [
            (0, 0, ""),
            (0, 3, " (0 %)"),
            (1, 3, " (33.33 %)"),
            (999_999, 1_000_000, " (99.99 %)"),
            (1_000_000, 1_000_000, " (100 %)"),
            (u64::MAX, u64::MAX, " (100 %)"),
        ] {
            assert_eq!(percentage(part, whole), text, "{part} of {whole}");
        }
    }
}
