//! The folder of a report. Old files go first, new ones are written beside and renamed, and
//! `report.json` comes last: whatever goes wrong, no file is there that reads as a whole report and
//! is none. `results.jsonl` alone grows during the run; only its last line makes it whole.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::evidence::{EvidenceFile, FOLDER as EVIDENCE, UseAs};
use super::results::Results;
use super::{Report, junit};
use crate::error::Error;
use crate::interval_log;

/// A folder that is ready to take a report.
#[derive(Clone, Debug)]
pub struct ReportFolder {
    path: PathBuf,
    results: Results,
}

/// One of the files that a run ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndFile {
    /// `junit.xml` or `report.json`.
    pub name: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl ReportFolder {
    /// Creates the folder if needed, removes the files of a former run from it, and makes sure that
    /// it can be written to.
    ///
    /// # Errors
    /// [`Error::SetUp`] that names the path and what is wrong with it.
    pub fn prepare(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path)
            .map_err(|cause| failed("create the report folder", path, &cause))?;
        let mut folder = Self {
            path: path.to_owned(),
            results: Results::nowhere(),
        };
        folder.remove_former()?;
        let probe = folder.path.join(PROBE);
        let written = write_synced(&probe, &[0; 4096]);
        remove(&probe)?;
        written.map_err(|cause| failed("write to the report folder", path, &cause))?;
        folder.results = Results::create(&folder.path.join(RESULTS))?;
        Ok(folder)
    }

    /// Takes the results of the run that is about to begin.
    #[must_use]
    pub fn results(&self) -> Results {
        self.results.clone()
    }

    /// Writes the evidence. It is not forced to the disk: there may be hundreds of files, and the
    /// report that cites them is.
    ///
    /// # Errors
    /// [`Error::SetUp`] that names the file and what went wrong.
    pub fn write_evidence(&self, evidence: &[EvidenceFile]) -> Result<(), Error> {
        evidence.iter().try_for_each(|file| self.write_proof(file))
    }

    /// The files that a run ends with, `report.json` last.
    ///
    /// # Errors
    /// [`Error::Harness`] when the report cannot be put into their form.
    pub fn ends(report: &Report) -> Result<[EndFile; 2], Error> {
        Ok([
            EndFile {
                name: JUNIT,
                bytes: junit::render(report)?,
            },
            EndFile {
                name: REPORT,
                bytes: report.to_json()?,
            },
        ])
    }

    /// Writes one of [`ReportFolder::ends`].
    ///
    /// # Errors
    /// [`Error::SetUp`] that names the file and what went wrong.
    pub fn write_end(&self, file: &EndFile) -> Result<(), Error> {
        let path = self.path.join(file.name);
        let part = part_of(&path);
        let written = write_synced(&part, &file.bytes).and_then(|()| fs::rename(&part, &path));
        written.map_err(|cause| {
            // Already failing: that the half file cannot be removed either adds nothing.
            fs::remove_file(&part).unwrap_or_default();
            failed("write", &path, &cause)
        })
    }

    /// Where the report is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write_proof(&self, file: &EvidenceFile) -> Result<(), Error> {
        let path = self.path.join(&file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .map_err(|cause| failed("create the folder", folder, &cause))?;
        }
        let mode = match file.use_as {
            UseAs::Text => 0o644,
            UseAs::Script => 0o755,
        };
        fs::write(&path, &file.bytes)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)))
            .map_err(|cause| failed("write", &path, &cause))
    }

    fn remove_former(&self) -> Result<(), Error> {
        for name in [REPORT, JUNIT, RESULTS, interval_log::FILE] {
            let path = self.path.join(name);
            remove(&path)?;
            remove(&part_of(&path))?;
        }
        let folder = self.path.join(EVIDENCE);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(failed("read the folder", &folder, &cause)),
        };
        for entry in entries {
            let entry = entry.map_err(|cause| failed("read the folder", &folder, &cause))?;
            if is_ours(&entry.file_name().to_string_lossy()) {
                remove_all(&entry.path())?;
            }
        }
        Ok(())
    }
}

const REPORT: &str = "report.json";
const JUNIT: &str = "junit.xml";
const RESULTS: &str = "results.jsonl";
const PROBE: &str = ".muster-probe";

/// True for the names that the folders of violations have, `REQ-ROTATE-003-1`; others below
/// `evidence` belong to somebody else.
fn is_ours(name: &str) -> bool {
    let number = name.rsplit_once('-').map_or("", |(_, number)| number);
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    name.starts_with("REQ-") && numbered
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(failed("remove the old file", path, &cause)),
    }
}

/// Removes the folder of a violation.
fn remove_all(path: &Path) -> Result<(), Error> {
    fs::remove_dir_all(path).map_err(|cause| failed("remove the old folder", path, &cause))
}

fn failed(what: &str, path: &Path, cause: &io::Error) -> Error {
    Error::SetUp(format!("cannot {what} `{}`: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::run::Outcome;

    /// A folder of this test alone, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("muster-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self, below: &str) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.0.join(below))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap_or_default();
        }
    }

    fn evidence() -> Vec<EvidenceFile> {
        let file = |name: &str, use_as| EvidenceFile {
            path: format!("evidence/REQ-ROTATE-003-1/{name}"),
            bytes: b"x\n".to_vec(),
            use_as,
        };
        vec![
            file("violation.md", UseAs::Text),
            file("repeat.sh", UseAs::Script),
            file("bodies/01.json", UseAs::Text),
        ]
    }

    fn write(folder: &ReportFolder) -> Result<(), Error> {
        let mut outcome = Outcome {
            report: sample::failed(),
            evidence: evidence(),
            causes: Vec::new(),
            guard: None,
        };
        outcome.write(folder)
    }

    #[test]
    fn a_report_is_written_with_its_evidence_and_nothing_else() {
        let scratch = Scratch::new("written");
        let folder = ReportFolder::prepare(&scratch.0.join("a/b")).unwrap();
        assert_eq!(scratch.names("a/b"), ["results.jsonl"]);
        write(&folder).unwrap();
        assert_eq!(
            scratch.names("a/b"),
            ["evidence", "junit.xml", "report.json", "results.jsonl"]
        );
        let proof = "a/b/evidence/REQ-ROTATE-003-1";
        assert_eq!(
            scratch.names(proof),
            ["bodies", "repeat.sh", "violation.md"]
        );
        for (name, mode) in [("repeat.sh", 0o755), ("violation.md", 0o644)] {
            let file = fs::metadata(scratch.0.join(proof).join(name)).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, mode, "{name}");
        }
        let bytes = fs::read(scratch.0.join("a/b/report.json")).unwrap();
        assert_eq!(Report::read(&bytes).unwrap(), sample::failed());
    }

    #[test]
    fn files_of_a_former_run_go_first_and_those_of_others_stay() {
        let scratch = Scratch::new("former");
        let folder = ReportFolder::prepare(&scratch.0).unwrap();
        write(&folder).unwrap();
        for theirs in ["notes.txt", "evidence/notes.json", "report.json.part"] {
            fs::write(scratch.0.join(theirs), "x").unwrap();
        }
        let _folder = ReportFolder::prepare(&scratch.0).unwrap();
        assert_eq!(
            scratch.names("."),
            ["evidence", "notes.txt", "results.jsonl"]
        );
        assert_eq!(fs::read(scratch.0.join("results.jsonl")).unwrap(), b"");
        assert_eq!(scratch.names("evidence"), ["notes.json"]);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let scratch = Scratch::new("unusable");
        let file = scratch.0.join("file");
        fs::write(&file, "x").unwrap();
        let blocked = scratch.0.join("blocked");
        fs::create_dir_all(blocked.join("report.json")).unwrap();
        for (path, named) in [
            (file.clone(), "file`"),
            (file.join("below"), "file/below`"),
            (blocked, "report.json`"),
        ] {
            let Err(Error::SetUp(text)) = ReportFolder::prepare(&path) else {
                panic!("{path:?} was taken");
            };
            assert!(text.contains(named), "{text}");
        }
    }

    #[test]
    fn when_a_part_cannot_be_written_there_is_no_report() {
        for blocked in ["evidence", "junit.xml", "report.json"] {
            let scratch = Scratch::new(&format!("blocked-{blocked}"));
            let folder = ReportFolder::prepare(&scratch.0).unwrap();
            let path = scratch.0.join(blocked);
            if blocked == "evidence" {
                fs::write(&path, "a file in the place of a folder").unwrap();
            } else {
                fs::create_dir(&path).unwrap();
            }
            let Err(Error::SetUp(text)) = write(&folder) else {
                panic!("{blocked} was written");
            };
            assert!(text.contains(blocked), "{text}");
            assert!(!scratch.0.join("report.json").is_file(), "{blocked}");
            assert!(
                scratch
                    .names(".")
                    .iter()
                    .all(|name| !name.ends_with(".part"))
            );
        }
    }
}
