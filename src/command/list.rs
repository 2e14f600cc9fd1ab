//! `muster requirements`, `muster faults` and `muster variants`.

use std::process::ExitCode;

use harness::catalogue::Catalogue;
use harness::checks;
use reference::{CONFORM_FAULTS, FAULTS, PLANNED_FAULTS, Trigger, VARIANTS};

use super::{SET_UP, complain, say};
use crate::cli::FaultsArgs;

/// One line a requirement: id, level, title, and the checks that judge it.
pub(crate) fn requirements() -> ExitCode {
    let catalogue = match Catalogue::builtin() {
        Ok(catalogue) => catalogue,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(SET_UP);
        }
    };
    for requirement in catalogue.requirements_of_run() {
        let checks: Vec<&str> = checks::of_requirement(&requirement.id)
            .map(|check| check.id)
            .collect();
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
pub(crate) fn faults(arguments: &FaultsArgs) -> ExitCode {
    let listed = if arguments.all { CONFORM_FAULTS } else { &[] };
    let rows = || FAULTS.iter().chain(listed);
    let width = rows().map(|row| row.name.len()).max().unwrap_or(0);
    for row in rows() {
        let trigger = if row.trigger == Trigger::Always {
            String::new()
        } else {
            format!(" [{}]", row.trigger)
        };
        say(&format!(
            "{:<width$}  {:<17}  {}{trigger}",
            row.name, row.requirement, row.sentence
        ));
    }
    let planned = PLANNED_FAULTS.iter().filter(|_| arguments.all);
    for row in planned {
        say(&format!(
            "{:<width$}  {:<17}  planned: {}",
            row.name, row.requirement, row.reason
        ));
    }
    ExitCode::SUCCESS
}

/// One line a variant: name, where it is left free, what the core does otherwise.
pub(crate) fn variants() -> ExitCode {
    let widest = |text: fn(&reference::VariantRow) -> &'static str| {
        VARIANTS
            .iter()
            .map(|row| text(row).len())
            .max()
            .unwrap_or(0)
    };
    let (name, freedom) = (widest(|row| row.name), widest(|row| row.freedom));
    for row in VARIANTS {
        say(&format!(
            "{:<name$}  {:<freedom$}  {}",
            row.name, row.freedom, row.sentence
        ));
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use emulator::DEVICE_FAULTS;
    use harness::catalogue::LintError;
    use harness::catalogue::lint::device_check;
    use harness::dev::DEV_REQUIREMENTS;

    use super::*;
    use reference::all_faults;

    type Pairs = Vec<(String, String)>;

    fn registered() -> Pairs {
        let checks = checks::CHECKS.iter();
        let checks = checks.map(|check| (check.id.to_owned(), check.requirement.to_owned()));
        let device = DEV_REQUIREMENTS.iter();
        let device = device.map(|id| (device_check(id), (*id).to_owned()));
        checks.chain(device).collect()
    }

    fn library() -> Pairs {
        let core = all_faults().map(|row| (row.name, row.requirement));
        let device = DEVICE_FAULTS.iter().map(|row| (row.name, row.requirement));
        let owned = |(name, id): (&str, &str)| (name.to_owned(), id.to_owned());
        core.chain(device).map(owned).collect()
    }

    fn borrowed(pairs: &Pairs) -> Vec<(&str, &str)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, id)| (name.as_str(), id.as_str()))
            .collect()
    }

    fn refusals(faults: &Pairs) -> BTreeSet<LintError> {
        let checks = registered();
        let catalogue = Catalogue::builtin().unwrap();
        let errors = catalogue.lint(&borrowed(&checks), &borrowed(faults));
        errors.into_iter().filter(LintError::is_refusal).collect()
    }

    #[test]
    fn catalogue_checks_and_faults_agree() {
        let refused = refusals(&library());
        assert!(refused.is_empty(), "{refused:#?}");
    }

    #[test]
    fn a_fault_that_goes_is_missed() {
        let library = library();
        for gone in 0..library.len() {
            let mut left = library.clone();
            let (fault, id) = left.remove(gone);
            let wanted = LintError::LostFault { id, fault };
            assert!(refusals(&left).contains(&wanted), "{wanted}");
        }
    }
}
