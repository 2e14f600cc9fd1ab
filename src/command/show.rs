//! `muster show`: prints the text of a report again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::error::Error;
use harness::report::text::{self, Style};
use harness::report::{Report, results};

use super::{SET_UP, complain, say};
use crate::cli::ShowArgs;

/// The names that files have in a report folder, the one that is tried first at the front.
const NAMES: [&str; 2] = ["report.json", "results.jsonl"];

/// Shows a report; the exit code is that of the run, or 4 when the file is not to be trusted.
pub(crate) fn show(arguments: &ShowArgs) -> ExitCode {
    match read(arguments) {
        Ok(report) => {
            let style = Style::detect(&std::io::stdout());
            say(text::render(&report, style).trim_end());
            ExitCode::from(report.exit_code)
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(SET_UP)
        }
    }
}

fn read(arguments: &ShowArgs) -> Result<Report, Error> {
    let path = file(&arguments.path)?;
    let named = |error: Error| Error::SetUp(format!("`{}`: {error}", path.display()));
    let bytes = fs::read(&path)
        .map_err(|cause| Error::SetUp(format!("cannot read `{}`: {cause}", path.display())))?;
    if !is_results(&bytes) {
        return Report::read(&bytes).map_err(named);
    }
    match (results::read(&bytes), arguments.incomplete) {
        (Ok(report), _) => Ok(report),
        (Err(_), true) => results::read_incomplete(&bytes).map_err(named),
        (Err(error), false) => {
            let hint = "; --incomplete shows what there is of a run that was killed";
            Err(Error::SetUp(format!("{}{hint}", named(error))))
        }
    }
}

/// The file itself, or the first of the known names in a folder.
fn file(path: &Path) -> Result<PathBuf, Error> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut names = NAMES.iter().map(|name| path.join(name));
    names.find(|file| file.is_file()).ok_or_else(|| {
        let path = path.display();
        Error::SetUp(format!("no report.json and no results.jsonl in `{path}`"))
    })
}

/// Results are told by what they hold, not by their name: an object on one line.
fn is_results(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"{\n")
}
