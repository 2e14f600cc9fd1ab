//! One module a subcommand.

pub(crate) mod capacity;
pub(crate) mod conform;
pub(crate) mod doctor;
pub(crate) mod expectations;
pub(crate) mod explain;
pub(crate) mod list;
pub(crate) mod load;
mod offer;
mod progress;
pub(crate) mod properties;
pub(crate) mod prove;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod show;
mod terms;

use std::process::ExitCode;

/// Exit code for usage and set-up errors (ARCHITECTURE.md, exit codes).
const SET_UP: u8 = 4;

/// Prints a sentence for people on standard error.
#[expect(
    clippy::print_stderr,
    reason = "errors of the command line go to people"
)]
fn complain(sentence: &str) {
    eprintln!("muster: {sentence}");
}

/// Prints a line on standard output; a closed pipe is no error.
fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        tracing::debug!("standard output is closed");
    }
}

/// A runtime for the asynchronous shells.
fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            complain(&format!("cannot start the runtime: {error}"));
            ExitCode::from(SET_UP)
        })
}
