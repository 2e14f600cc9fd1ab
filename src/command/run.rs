//! `muster run`: starts the built-in core or takes a target from a file, runs, reports.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use harness::error::Error;
use harness::exit::{self, Cause};
use harness::fleet::mix::PPM_ONE;
use harness::load::LoadOptions;
use harness::report::folder::ReportFolder;
use harness::report::text::{self, Style};
use harness::report::{Footer, Report};
use harness::run::{Controls, Exam, Outcome};
use harness::target::Target;
use reference::FaultChoice;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{complain, offer, say};
use crate::cli::RunArgs;

/// Runs and reports; the exit code is that of the gravest cause.
pub(crate) fn run(arguments: RunArgs) -> ExitCode {
    let load = load_options(&arguments);
    offer::offer((load, Exam::default()), arguments.target)
}

/// Watches signals while the work goes on; a signal ends it early and becomes a cause. The work
/// gets a receiver that turns true when it shall end.
pub(super) async fn under_signals<W, F>(work: W) -> Result<Outcome, Error>
where
    W: FnOnce(watch::Receiver<bool>) -> F,
    F: Future<Output = Result<Outcome, Error>>,
{
    let mut interrupt = watch_signal(SignalKind::interrupt())?;
    let mut terminate = watch_signal(SignalKind::terminate())?;
    let (cancel, cancelled) = watch::channel(false);
    let run = work(cancelled);
    tokio::pin!(run);
    let signal = tokio::select! {
        outcome = &mut run => return outcome,
        _ = interrupt.recv() => exit::ExitCode::Interrupted,
        _ = terminate.recv() => exit::ExitCode::Terminated,
    };
    complain("ending the run early; a second signal ends it without a report");
    let _receivers = cancel.send_replace(true);
    let mut outcome = tokio::select! {
        outcome = &mut run => outcome?,
        _ = interrupt.recv() => return Err(Error::SetUp("ended by a second signal".to_owned())),
        _ = terminate.recv() => return Err(Error::SetUp("ended by a second signal".to_owned())),
    };
    let cause = Cause::new(signal, signal.meaning().to_owned());
    outcome.report.footer = Footer::incomplete(cause.text.clone());
    outcome.causes.push(cause);
    outcome.report.conclude(&outcome.causes);
    Ok(outcome)
}

/// What goes along with the work: results go into the report folder, if there is one.
pub(super) fn controls(cancel: watch::Receiver<bool>, folder: Option<&ReportFolder>) -> Controls {
    let mut controls = Controls::from(cancel);
    if let Some(folder) = folder {
        controls.results = folder.results();
    }
    controls
}

/// The arguments with a value, as they stand on a command line.
pub(super) fn again(arguments: &[(&str, Option<String>)]) -> String {
    let given = arguments
        .iter()
        .filter_map(|(name, value)| Some(format!(" --{name} {}", value.as_ref()?)));
    given.collect()
}

/// A path as an argument for a shell.
pub(super) fn shown(path: Option<&Path>) -> Option<String> {
    Some(quoted(&path?.display().to_string()))
}

/// An argument for a shell.
pub(super) fn quoted(argument: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-=@:,%+".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// The target that a file describes.
pub(super) fn target_of_file(path: &Path) -> Result<Target, Error> {
    let line = fs::read_to_string(path)
        .map_err(|error| Error::SetUp(format!("cannot read `{}`: {error}", path.display())))?;
    Target::parse(&line)
}

/// The name of a defect of the core.
pub(super) fn fault_name(fault: Option<&FaultChoice>) -> Option<String> {
    fault.map(ToString::to_string)
}

fn load_options(arguments: &RunArgs) -> LoadOptions {
    LoadOptions {
        offline_ppm: arguments.offline.min(PPM_ONE),
        mix: arguments.mix,
        duration: arguments.duration,
        per_1000_s: arguments.rate,
        key_pool: arguments.key_pool,
        ..LoadOptions::even(arguments.devices, arguments.target.seed)
    }
}

fn watch_signal(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|error| Error::SetUp(format!("cannot watch signals: {error}")))
}

/// A run that ended before it had anything to report.
pub(super) fn nothing(seed: u64, error: Error) -> Outcome {
    let footer = Footer::incomplete(error.to_string());
    let causes = vec![Cause::from(error)];
    Outcome {
        report: Report::new(seed, &causes, footer),
        evidence: Vec::new(),
        causes,
        guard: None,
    }
}

/// Writes the folder, then the text: a folder that cannot be written changes the outcome. A text in
/// which a secret of the run stands is not shown.
pub(super) fn publish(mut outcome: Outcome, folder: Option<&ReportFolder>) -> ExitCode {
    if let Some(folder) = folder
        && let Err(error) = outcome.write(folder)
    {
        complain(&error.to_string());
        outcome.causes.push(Cause::from(error));
        outcome.report.conclude(&outcome.causes);
    }
    if let Some(reason) = &outcome.report.footer.reason {
        complain(&format!("incomplete: {reason}"));
    }
    let style = Style::detect(&std::io::stdout());
    let text = text::render(&outcome.report, style);
    if outcome.leaks(text.as_bytes()) {
        complain("the report would hold a secret and is withheld: a defect of muster");
        return ExitCode::from(exit::ExitCode::Internal.number());
    }
    say(text.trim_end());
    ExitCode::from(outcome.report.exit_code)
}
