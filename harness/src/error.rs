//! What can go wrong, and whose fault it is.

use std::fmt;

/// A failure that ends a step, a scenario or the run.
///
/// Only [`Error::Target`] speaks of the implementation under test; none of these is a verdict on a
/// requirement. Verdicts come from checks, which read what was recorded.
#[derive(Debug)]
pub enum Error {
    /// The command line, a file or the machine does not allow the run; exit code 4.
    SetUp(String),
    /// The target could not be reached, or stopped answering; `answered` tells whether it ever did.
    Unreachable {
        /// What was tried, for example `POST http://127.0.0.1:8080/...`.
        what: String,
        /// The transport's complaint.
        cause: String,
    },
    /// The target answered something that ends the step.
    Target {
        /// What was tried.
        what: String,
        /// What came back.
        seen: String,
    },
    /// A defect of the harness itself; exit code 70.
    Harness(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetUp(text) => f.write_str(text),
            Self::Unreachable { what, cause } => write!(f, "no answer to {what}: {cause}"),
            Self::Target { what, seen } => write!(f, "unexpected answer to {what}: {seen}"),
            Self::Harness(text) => write!(f, "harness defect: {text}"),
        }
    }
}

impl std::error::Error for Error {}
