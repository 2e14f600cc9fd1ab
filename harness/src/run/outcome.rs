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
        let ends = ReportFolder::ends(&self.report)?;
        let spoilt: Vec<&'static str> = ends
            .iter()
            .filter(|file| self.leaks(&file.bytes))
            .map(|file| file.name)
            .collect();
        for name in &spoilt {
            self.withheld(name);
        }
        // Everything that makes the run a defect is known by now, but what this file itself holds.
        let results = folder.results();
        results.finish(&self.report)?;
        if self.leaks(&results.written()?) {
            results.withhold()?;
            self.withheld("results.jsonl");
        }
        folder.write_evidence(&self.evidence)?;
        if let Some(name) = spoilt.first() {
            return Err(Error::Harness(format!(
                "`{name}` would hold a secret and is withheld"
            )));
        }
        for file in ReportFolder::ends(&self.report)? {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::leak::Needles;
    use crate::report::evidence::UseAs;
    use crate::report::results::{Line, PhaseLine};
    use crate::report::sample;

    const SECRET: &str = "Vq2}ZxkR7#ab";

    /// A folder of this test alone, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("muster-outcome-{}-{name}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap_or_default();
        }
    }

    fn outcome(report: Report, proof: &str) -> Outcome {
        Outcome {
            report,
            evidence: vec![EvidenceFile {
                path: "evidence/REQ-ROTATE-003-1/violation.md".to_owned(),
                bytes: proof.as_bytes().to_vec(),
                use_as: UseAs::Text,
            }],
            causes: Vec::new(),
            guard: Some(Redactor::new([1; 16], Needles::new([SECRET]))),
        }
    }

    /// The end of a run whose results hold `line`; exit code and names of what was written.
    fn written(
        name: &str,
        mut outcome: Outcome,
        line: &str,
    ) -> (Result<(), Error>, u8, Vec<&'static str>) {
        let scratch = Scratch::new(name);
        let folder = ReportFolder::prepare(&scratch.0).unwrap();
        folder.results().line(&Line::Phase(PhaseLine {
            name: line.to_owned(),
            ended_s: 1.0,
        }));
        let ended = outcome.write(&folder);
        let names = [
            "evidence/REQ-ROTATE-003-1/violation.md",
            "results.jsonl",
            "junit.xml",
            "report.json",
        ];
        let there = names
            .into_iter()
            .filter(|name| scratch.0.join(name).is_file());
        (ended, outcome.report.exit_code, there.collect())
    }

    #[test]
    fn a_file_with_a_secret_in_it_is_withheld_and_the_run_is_a_defect_of_ours() {
        let proof = "evidence/REQ-ROTATE-003-1/violation.md";
        let spoilt = format!("seen: {SECRET}");
        let clean = outcome(sample::passed(), "clean");
        let (ended, code, there) = written("clean", clean, "load");
        assert!(ended.is_ok());
        assert_eq!(code, 0);
        assert_eq!(there, [proof, "results.jsonl", "junit.xml", "report.json"]);

        let (ended, code, there) = written("proof", outcome(sample::passed(), &spoilt), "load");
        assert!(ended.is_ok());
        assert_eq!(code, 70);
        assert_eq!(there, ["results.jsonl", "junit.xml", "report.json"]);

        let (ended, code, there) = written("results", outcome(sample::passed(), "clean"), &spoilt);
        assert!(ended.is_ok());
        assert_eq!(code, 70);
        assert_eq!(there, [proof, "junit.xml", "report.json"]);

        let mut report = sample::failed();
        report.requirements[1].violations[0].seen = spoilt;
        let (ended, code, there) = written("report", outcome(report, "clean"), "load");
        assert!(matches!(ended, Err(Error::Harness(_))), "{ended:?}");
        assert_eq!(code, 70);
        assert_eq!(there, [proof, "results.jsonl"]);
    }
}
