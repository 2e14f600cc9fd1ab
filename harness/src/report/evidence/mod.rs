//! The proof of a violation, secrets replaced: a folder each, written for the engineer who has to
//! believe it.
//!
//! | file | what it holds |
//! |---|---|
//! | `violation.md` | what was required, what was seen, why it matters, where it is written, how to see it again |
//! | `exchanges.json` | the messages of both planes, in order |
//! | `timeline.txt` | everything that happened to the device, a line each |
//! | `repeat.sh`, `bodies/` | the admin calls as curl calls |

mod exchanges;
mod gist;
mod objects;
mod repeat;
mod story;
#[cfg(test)]
mod tests;
mod timeline;
mod violation;

use super::RequirementRow;
use super::redact::Redactor;
use crate::catalogue::{Catalogue, Requirement};
use crate::error::Error;
use crate::transcript::Transcript;
use crate::verdict::{Tally, Violation};
use story::Story;

/// The folder of evidence below the report's.
pub(super) const FOLDER: &str = "evidence";

/// A file to be written below the report's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceFile {
    /// For example `evidence/REQ-ROTATE-003-1/violation.md`.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// What it is for.
    pub use_as: UseAs,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseAs {
    /// To be read.
    Text,
    /// To be executed.
    Script,
}

/// What the proofs of a run are made from.
#[derive(Debug)]
pub struct Prover<'a> {
    /// Where the requirements come from.
    pub catalogue: &'a Catalogue,
    /// What went over the wire.
    pub transcript: &'a Transcript,
    /// Replaces secrets.
    pub redactor: &'a Redactor,
    /// Base URL of the target's admin plane.
    pub admin_url: &'a str,
    /// The command that does it all again; `{id}` stands for the requirement.
    pub command: &'a str,
}

/// One violation with everything that is told of it.
struct Proof<'a> {
    requirement: &'a Requirement,
    violation: &'a Violation,
    /// Counts from 1.
    number: usize,
    tally: &'a Tally,
    story: Story,
}

impl Prover<'_> {
    /// Makes the evidence of a requirement and names it in its row: for each violation the file to
    /// begin with.
    ///
    /// # Errors
    /// [`Error::Harness`] when evidence cannot be put into JSON.
    pub fn attach(
        &self,
        row: &mut RequirementRow,
        requirement: &Requirement,
        tally: &Tally,
    ) -> Result<Vec<EvidenceFile>, Error> {
        let mut files = Vec::new();
        for (index, violation) in tally.violations.iter().enumerate() {
            let proof = Proof {
                requirement,
                violation,
                number: index + 1,
                tally,
                story: Story::of(violation, self.transcript),
            };
            let folder = format!("{FOLDER}/{}-{}", row.id, proof.number);
            row.evidence.push(format!("{folder}/violation.md"));
            files.extend(self.files(&proof, &folder)?);
        }
        Ok(files)
    }

    fn files(&self, proof: &Proof<'_>, folder: &str) -> Result<Vec<EvidenceFile>, Error> {
        let file = |name: &str, bytes: Vec<u8>, use_as| EvidenceFile {
            path: format!("{folder}/{name}"),
            bytes,
            use_as,
        };
        let timeline = timeline::render(proof, self.redactor).into_bytes();
        let exchanges = exchanges::render(proof, self.redactor)?;
        let repeat = repeat::Repeat::new(proof, self.admin_url, self.redactor);
        let text = violation::render(self, proof, repeat.as_ref());
        let mut files = vec![
            file("violation.md", text.into_bytes(), UseAs::Text),
            file("exchanges.json", exchanges, UseAs::Text),
            file("timeline.txt", timeline, UseAs::Text),
        ];
        if let Some(repeat) = repeat {
            files.push(file("repeat.sh", repeat.script.into_bytes(), UseAs::Script));
            let bodies = repeat.bodies.into_iter();
            files.extend(bodies.map(|(name, bytes)| file(&name, bytes, UseAs::Text)));
        }
        Ok(files)
    }
}
