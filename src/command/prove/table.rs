//! What a proof prints: a line for each run, the sum, and what has to be repaired.

use std::process::ExitCode;

use harness::exit;
use harness::prove::{FaultOutcome, FaultRow, KillMatrix, NullKind, NullRow, PairOutcome, PairRow};

use super::super::say;

/// One fault.
pub(super) fn line(row: &FaultRow) -> String {
    let ways: Vec<&str> = row
        .killed_by
        .iter()
        .map(|kill| kill.fingerprint.as_str())
        .collect();
    let seen = match row.outcome {
        FaultOutcome::Killed => ways.join(", "),
        FaultOutcome::KilledElsewhere => {
            let declared = row.declared.join(" or ");
            let other = [ways.join(", "), row.collateral.join(", ")];
            let other: Vec<String> = other.into_iter().filter(|text| !text.is_empty()).collect();
            format!("{}, declared {declared}", other.join(", "))
        }
        FaultOutcome::ByNoise
        | FaultOutcome::Survived
        | FaultOutcome::NotReached
        | FaultOutcome::Broken
        | FaultOutcome::Equivalent => row.causes.join("; "),
    };
    format!(
        "{:<44} {:<16}  {:<18}  fired {:>5} of {:>5}  {:>5.1} s  {seen}",
        row.id,
        row.outcome.as_str(),
        row.intended,
        row.fired,
        row.reached,
        row.seconds
    )
}

/// One null core.
pub(super) fn null_line(row: &NullRow) -> String {
    let word = match row.kind {
        NullKind::Null => "null core",
        NullKind::Hollow => "hollow core",
    };
    let mark = if row.is_caught() {
        "caught"
    } else {
        "NOT CAUGHT"
    };
    format!(
        "{word:<11} {:<32} {mark:<16}  exit code {}, {} violated, {} passed that may not{}, {:.1} s",
        row.id,
        row.exit_code,
        row.violated.len(),
        row.passed.len(),
        if row.passed.is_empty() {
            String::new()
        } else {
            format!(" ({})", row.passed.join(", "))
        },
        row.seconds
    )
}

/// One pair.
pub(super) fn pair_line(row: &PairRow) -> String {
    let [one, other] = &row.faults;
    let (word, seen) = match row.outcome {
        PairOutcome::Detected => ("detected", format!("by {}", row.seen.join(" and "))),
        PairOutcome::Masked => ("MASKED", row.causes.join("; ")),
        PairOutcome::Broken => ("BROKEN", row.causes.join("; ")),
    };
    format!("{one} with {other}: {word} {seen}, {:.1} s", row.seconds)
}

/// The sum, what is to be repaired, and the exit code.
pub(super) fn conclude(matrix: &KillMatrix) -> ExitCode {
    say("");
    for outcome in FaultOutcome::ALL {
        let rows = matrix.faults.iter().filter(|row| row.outcome == outcome);
        let count = rows.count();
        if count > 0 {
            say(&format!("{:<17} {count:>4}", outcome.as_str()));
        }
    }
    for row in &matrix.planned {
        let (id, intended) = (&row.id, &row.intended);
        say(&format!("planned  {id} ({intended}): {}", row.reason));
    }
    for row in &matrix.equivalents {
        let (id, reviewer) = (&row.id, &row.reviewer);
        say(&format!("equivalent  {id}: {} ({reviewer})", row.reason));
    }
    sum(matrix);
    let defects = matrix.defects();
    for defect in &defects {
        say(&format!("  - {defect}"));
    }
    let code = if defects.is_empty() {
        exit::ExitCode::Pass
    } else {
        exit::ExitCode::SelfCheck
    };
    say(&format!("exit code {}: {}", code.number(), meaning(code)));
    ExitCode::from(code.number())
}

fn sum(matrix: &KillMatrix) {
    let score = matrix.score;
    let of = |kind: NullKind| {
        let rows = || matrix.null_cores.iter().filter(|row| row.kind == kind);
        let caught = rows().filter(|row| row.is_caught()).count();
        format!("{caught} of {}", rows().count())
    };
    let device = matrix.device_faults.iter();
    let device = device.filter(|row| row.outcome == FaultOutcome::Killed);
    let pairs = matrix.pairs.iter();
    let detected = pairs.filter(|row| row.outcome == PairOutcome::Detected);
    say(&format!(
        "{} killed of {} scored, {} planned and {} equivalent outside the score; of a MUST {} of {}",
        score.killed,
        score.scored,
        score.planned,
        score.equivalent,
        score.must_killed,
        score.must_scored,
    ));
    say(&format!(
        "{} null cores and {} hollow cores caught; {} of {} pairs detected; \
         {} of {} faults of our own device killed",
        of(NullKind::Null),
        of(NullKind::Hollow),
        detected.count(),
        matrix.pairs.len(),
        device.count(),
        matrix.device_faults.len()
    ));
    let clean = matrix.variants.iter().filter(|row| row.is_clean());
    say(&format!(
        "nothing raised against {} of {} legal variants",
        clean.count(),
        matrix.variants.len()
    ));
}

const fn meaning(code: exit::ExitCode) -> &'static str {
    match code {
        exit::ExitCode::Pass => "everything that must be caught was",
        exit::ExitCode::Failed
        | exit::ExitCode::Undetermined
        | exit::ExitCode::ExpectationsStale
        | exit::ExitCode::SetUp
        | exit::ExitCode::SelfCheck
        | exit::ExitCode::Threshold
        | exit::ExitCode::MeasurementInvalid
        | exit::ExitCode::Internal
        | exit::ExitCode::Interrupted
        | exit::ExitCode::Terminated => code.meaning(),
    }
}
