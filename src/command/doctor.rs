//! `muster doctor`: what this machine allows a load to be.

use std::process::ExitCode;

use harness::doctor;

use super::say;
use crate::cli::DoctorArgs;

/// Prints the limits and what follows from them.
pub(crate) fn doctor(arguments: &DoctorArgs) -> ExitCode {
    let DoctorArgs {} = arguments;
    for line in doctor::examine().lines() {
        say(&line);
    }
    ExitCode::SUCCESS
}
