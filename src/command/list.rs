//! `muster requirements` and `muster faults`.

use std::process::ExitCode;

use harness::catalogue::Catalogue;
use harness::checks;
use reference::FAULTS;

use super::{SET_UP, complain, say};

/// One line a requirement: id, level, title, and the checks that judge it.
pub(crate) fn requirements() -> ExitCode {
    let catalogue = match Catalogue::builtin() {
        Ok(catalogue) => catalogue,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(SET_UP);
        }
    };
    for requirement in catalogue.requirements() {
        let checks: Vec<&str> =
            checks::of_requirement(&requirement.id).map(|check| check.id).collect();
        say(&format!(
            "{:<18} {:<6} {} [{}]",
            requirement.id,
            requirement.level.as_str(),
            requirement.title,
            checks.join(", ")
        ));
    }
    ExitCode::SUCCESS
}

/// One line a fault: name, requirement that it fails, what the core does wrong.
pub(crate) fn faults() -> ExitCode {
    let width = FAULTS.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in FAULTS {
        say(&format!(
            "{:<width$}  {:<17}  {}",
            row.name, row.requirement, row.sentence
        ));
    }
    ExitCode::SUCCESS
}
