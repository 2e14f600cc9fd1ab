//! What a run yields, and how it is written without a secret in it.

use crate::error::Error;
use crate::exit::{Cause, ExitCode};
use crate::report::Report;
use crate::report::evidence::EvidenceFile;
use crate::report::folder::ReportFolder;
use crate::report::redact::Redactor;

/// What a run yields, whatever happened.
#[derive(Debug)]
pub struct Outcome {
    /// The report, concluded with the causes.
    pub report: Report,
    /// The proof of the violations.
    pub evidence: Vec<EvidenceFile>,
    /// Every cause for an exit code other than 0, for whoever adds one.
    pub causes: Vec<Cause>,
    /// Knows the secrets of the run: nothing is written in which it finds one. `None` for a run
    /// that never had any.
    pub guard: Option<Redactor>,
}

impl Outcome {
    /// Writes the files of a report folder, `report.json` last. A file in which a secret of the run
    /// is found is withheld; that is a defect of muster, and becomes a cause.
    ///
    /// # Errors
    /// [`Error::SetUp`] when a file cannot be written, [`Error::Harness`] when `junit.xml` or
    /// `report.json` itself holds a secret; there is no `report.json` then.
    pub fn write(&mut self, folder: &ReportFolder) -> Result<(), Error> {
        let evidence = std::mem::take(&mut self.evidence);
        let (withheld, safe): (Vec<_>, Vec<_>) = evidence
            .into_iter()
            .partition(|file| self.leaks(&file.bytes));
        self.evidence = safe;
        for file in withheld {
            self.withheld(&file.path);
        }
        let results = folder.results();
        results.finish(&self.report)?;
        if self.leaks(&results.written()?) {
            results.withhold()?;
            self.withheld("results.jsonl");
        }
        folder.write_evidence(&self.evidence)?;
        for file in ReportFolder::ends(&self.report)? {
            if self.leaks(&file.bytes) {
                self.withheld(file.name);
                let text = format!("`{}` would hold a secret and is withheld", file.name);
                return Err(Error::Harness(text));
            }
            folder.write_end(&file)?;
        }
        Ok(())
    }

    /// True when a secret of the run stands in these bytes.
    #[must_use]
    pub fn leaks(&self, bytes: &[u8]) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.finds(bytes))
    }

    fn withheld(&mut self, name: &str) {
        let text = format!("`{name}` would hold a secret and is withheld");
        self.causes.push(Cause::new(ExitCode::Internal, text));
        self.report.conclude(&self.causes);
    }
}
