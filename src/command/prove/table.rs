//! What a proof prints: a line for each run, the sum, and what has to be repaired.

use std::process::ExitCode;

use harness::exit;
use harness::prove::{FaultOutcome, FaultRow, KillMatrix};

use super::super::say;

pub(super) fn line(row: &FaultRow) -> String {
    let ways: Vec<&str> = row
        .killed_by
        .iter()
        .map(|kill| kill.fingerprint.as_str())
        .collect();
    let seen = match row.outcome {
        FaultOutcome::Killed => ways.join(", "),
        FaultOutcome::KilledElsewhere => row.collateral.join(", "),
        FaultOutcome::ByNoise
        | FaultOutcome::Survived
        | FaultOutcome::NotReached
        | FaultOutcome::Broken => row.causes.join("; "),
    };
    format!(
        "{:<44} {:<16}  {:<18}  {:>5.1} s  {seen}",
        row.id,
        row.outcome.as_str(),
        row.intended,
        row.seconds
    )
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
    let score = matrix.score;
    let device = matrix.device_faults.iter();
    let device = device.filter(|row| row.outcome == FaultOutcome::Killed);
    let caught = matrix.null_cores.iter().filter(|row| row.is_caught());
    say(&format!(
        "{} killed of {} scored; of a MUST {} of {}; {} of {} null cores caught; \
         {} of {} faults of our own device killed",
        score.killed,
        score.scored,
        score.must_killed,
        score.must_scored,
        caught.count(),
        matrix.null_cores.len(),
        device.count(),
        matrix.device_faults.len()
    ));
    let clean = matrix.variants.iter().filter(|row| row.is_clean());
    say(&format!(
        "nothing raised against {} of {} legal variants",
        clean.count(),
        matrix.variants.len()
    ));
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
