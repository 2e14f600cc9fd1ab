//! Writes results, line by line.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::{DigestLine, FooterLine, Header, Line};
use crate::error::Error;
use crate::report::{Report, seal};

/// Takes the lines of a run; clones write to one file. One that writes nowhere takes them all the
/// same, so that runs need not ask.
#[derive(Clone, Debug, Default)]
pub struct Results {
    open: Option<Arc<Mutex<Open>>>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    /// Over everything written so far.
    digest: Sha256,
    lines: u64,
    /// The first failure; nothing is written behind it.
    failure: Option<Error>,
}

impl Results {
    /// Writes nowhere.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self { open: None }
    }

    /// True when nobody keeps what is written.
    #[must_use]
    pub const fn is_nowhere(&self) -> bool {
        self.open.is_none()
    }

    /// Writes a new file.
    ///
    /// # Errors
    /// [`Error::SetUp`] when it cannot be created.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|cause| failed(path, &cause))?;
        let open = Open {
            path: path.to_owned(),
            file,
            digest: Sha256::new(),
            lines: 0,
            failure: None,
        };
        Ok(Self {
            open: Some(Arc::new(Mutex::new(open))),
        })
    }

    /// Writes a line. A failure shows at the end, in [`Results::finish`].
    pub fn line(&self, line: &Line) {
        self.with(|open| open.line(line));
    }

    /// Ends the file with the report, the footer and the digest. Writes the header, too, when the
    /// run did not come to it.
    ///
    /// # Errors
    /// [`Error::SetUp`] when this line or a former one cannot be written.
    pub fn finish(&self, report: &Report) -> Result<(), Error> {
        self.with(|open| open.finish(report));
        let failure = self.with(|open| open.failure.take()).flatten();
        failure.map_or(Ok(()), Err)
    }

    /// Removes the file: something is in it that must not be there.
    ///
    /// # Errors
    /// [`Error::SetUp`] when it cannot be removed.
    pub fn withhold(&self) -> Result<(), Error> {
        let removed = self
            .with(|open| fs::remove_file(&open.path).map_err(|cause| failed(&open.path, &cause)));
        removed.unwrap_or(Ok(()))
    }

    /// Everything that was written.
    ///
    /// # Errors
    /// [`Error::SetUp`] when it cannot be read.
    pub fn written(&self) -> Result<Vec<u8>, Error> {
        let bytes =
            self.with(|open| fs::read(&open.path).map_err(|cause| failed(&open.path, &cause)));
        bytes.unwrap_or_else(|| Ok(Vec::new()))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let open = self.open.as_ref()?;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        Some(act(&mut open))
    }
}

impl Open {
    fn line(&mut self, line: &Line) {
        if self.failure.is_some() {
            return;
        }
        let written = serde_json::to_vec(line)
            .map_err(|error| Error::Harness(format!("results.jsonl: {error}")))
            .and_then(|bytes| self.bytes(bytes));
        self.failure = written.err();
    }

    fn bytes(&mut self, mut line: Vec<u8>) -> Result<(), Error> {
        line.push(b'\n');
        // One call a line and no buffer: what was written survives the end of this process.
        self.file
            .write_all(&line)
            .map_err(|cause| failed(&self.path, &cause))?;
        self.digest.update(&line);
        self.lines += 1;
        Ok(())
    }

    fn finish(&mut self, report: &Report) {
        if self.lines == 0 {
            let header = Header::new(report.seed, report.run.clone());
            self.line(&Line::Header(header));
        }
        let mut rest = report.clone();
        rest.requirements.clear();
        self.line(&Line::Report(Box::new(rest)));
        self.line(&Line::Footer(FooterLine {
            complete: report.footer.complete,
            verdict: report.verdict,
            exit_code: report.exit_code,
            lines: self.lines,
        }));
        let digest = seal::text_of(self.digest.clone());
        self.line(&Line::Digest(DigestLine { digest }));
        if self.failure.is_none() {
            let synced = self.file.sync_all();
            self.failure = synced.err().map(|cause| failed(&self.path, &cause));
        }
    }
}

fn failed(path: &Path, cause: &io::Error) -> Error {
    Error::SetUp(format!("cannot write `{}`: {cause}", path.display()))
}
