//! What is declared and known of a target: `--profile` and `--expectations`, read before a run.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use harness::catalogue::{Catalogue, RequirementSet};
use harness::clock::Clock;
use harness::error::Error;
use harness::exit;
use harness::expectations::{Date, Expectations};
use harness::profile::{Profile, Terms};
use reference::Variant;

use super::{SET_UP, complain};

/// Why a run is not begun.
pub(super) struct Refusal {
    code: u8,
    sentences: Vec<String>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            code: SET_UP,
            sentences: vec![error.to_string()],
        }
    }
}

impl Refusal {
    /// Says why, and gives the exit code.
    pub(super) fn tell(&self) -> ExitCode {
        for sentence in &self.sentences {
            complain(sentence);
        }
        ExitCode::from(self.code)
    }
}

/// Where a target's terms come from.
pub(super) struct TermsFrom<'a> {
    /// `--profile`.
    pub profile: Option<&'a Path>,
    /// `--expectations`.
    pub expectations: Option<&'a Path>,
    /// `--target-json`: what is not built in declares nothing unless a profile does.
    pub target: Option<&'a Path>,
    /// Legal variants of the built-in core.
    pub variants: &'a [Variant],
}

impl TermsFrom<'_> {
    /// Reads the files; without a profile the built-in core has its own.
    pub(super) fn read(&self) -> Result<Terms, Refusal> {
        let mut terms = match (self.profile, self.target) {
            (Some(path), _) => {
                let text = read(path)?;
                Terms {
                    profile: Profile::parse(&path.display().to_string(), &text)?,
                    ..Terms::undeclared()
                }
            }
            (None, Some(_)) => Terms::undeclared(),
            (None, None) if !self.variants.is_empty() => Terms::variant()?,
            (None, None) => Terms::built_in()?,
        };
        terms.expectations = self.expectations.map(expectations).transpose()?;
        Ok(terms)
    }
}

/// The set that is judged: the one asked for, or the profile's, or the newest. Two that differ are a
/// mistake of somebody.
pub(super) fn set(asked: Option<RequirementSet>, terms: &Terms) -> Result<RequirementSet, Error> {
    match (asked, terms.profile.set) {
        // What the built-in core declares is no opinion of the user's.
        (Some(asked), Some(declared)) if asked != declared && terms.profile.name != "built-in" => {
            Err(Error::SetUp(format!(
                "--set {} and the profile's set {} differ",
                asked.as_str(),
                declared.as_str()
            )))
        }
        (Some(set), _) | (None, Some(set)) => Ok(set),
        (None, None) => Ok(RequirementSet::Current2025),
    }
}

/// A list of expected failures; one that is wrong in itself ends with its own exit code.
pub(super) fn expectations(path: &Path) -> Result<Expectations, Refusal> {
    let text = read(path)?;
    let name = path.display().to_string();
    let today = Date::of(Clock::start().now());
    let catalogue = Catalogue::builtin()?;
    Expectations::read(&name, &text, &today, &catalogue).map_err(|defects| Refusal {
        code: exit::ExitCode::ExpectationsStale.number(),
        sentences: defects
            .iter()
            .map(|defect| format!("{name}, {defect}"))
            .collect(),
    })
}

/// A file that a person wrote.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path)
        .map_err(|error| Error::SetUp(format!("cannot read `{}`: {error}", path.display())))
}
