//! The `muster` command: parses the command line, does what it says, and turns the outcome into an
//! exit code.

mod child;
mod cli;
mod command;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};

/// What the process ends with when the command line is wrong (ARCHITECTURE.md, exit codes).
const USAGE: u8 = 4;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("MUSTER_LOG").unwrap_or_else(|_unset| EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    match cli.command {
        Command::Run(arguments) => command::run::run(arguments),
        Command::Load(arguments) => command::load::load(arguments),
        Command::Capacity(arguments) => command::capacity::capacity(arguments),
        Command::Doctor(arguments) => command::doctor::doctor(&arguments),
        Command::Conform(arguments) => command::conform::conform(arguments),
        Command::Explain(arguments) => command::explain::explain(&arguments),
        Command::Prove(arguments) => command::prove::prove(&arguments),
        Command::Show(arguments) => command::show::show(&arguments),
        Command::Serve(arguments) => command::serve::serve(arguments),
        Command::Requirements => command::list::requirements(),
        Command::Properties => command::properties::properties(),
        Command::Expectations { command } => command::expectations::expectations(&command),
        Command::Faults(arguments) => command::list::faults(&arguments),
        Command::Variants => command::list::variants(),
    }
}

/// Prints what is wrong with the command line, or the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match (error.kind(), printed) {
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::from(USAGE),
    }
}
