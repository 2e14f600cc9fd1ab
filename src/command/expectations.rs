//! `muster expectations`: checks a list of expected failures, and proposes one from a report.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use harness::clock::Clock;
use harness::error::Error;
use harness::expectations;
use harness::report::Report;

use super::terms::{self, Refusal};
use super::{SET_UP, complain, say};
use crate::cli::{ExpectationsCommand, ProposeArgs};

/// Exit code 0, 3 for a list that must not be used, 4 for a file that cannot be read or written.
pub(crate) fn expectations(command: &ExpectationsCommand) -> ExitCode {
    match command {
        ExpectationsCommand::Check(arguments) => check(&arguments.file),
        ExpectationsCommand::Propose(arguments) => match propose(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error.to_string());
                ExitCode::from(SET_UP)
            }
        },
    }
}

fn check(file: &Path) -> ExitCode {
    match terms::expectations(file) {
        Ok(list) => {
            say(&format!("{}: {} entries", list.name, list.entries.len()));
            ExitCode::SUCCESS
        }
        Err(refusal) => Refusal::tell(&refusal),
    }
}

fn propose(arguments: &ProposeArgs) -> Result<(), Error> {
    let bytes = terms::read(&arguments.report)?;
    let report = Report::read(bytes.as_bytes())?;
    let current = arguments.current.as_deref().map(terms::read).transpose()?;
    let now = Clock::start().now();
    let proposal = expectations::propose(&report, current.as_deref(), now)?;
    // Never in place: what is there, the list in use above all, is not overwritten.
    let out = &arguments.out;
    let cannot = |error| Error::SetUp(format!("cannot write `{}`: {error}", out.display()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(out)
        .map_err(cannot)?;
    file.write_all(proposal.as_bytes()).map_err(cannot)?;
    say(&format!(
        "{}: replace every `{}`, then `muster expectations check` it",
        out.display(),
        expectations::TODO
    ));
    Ok(())
}
