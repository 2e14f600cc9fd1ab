//! Offers a load to the built-in core or to a target from a file, and reports: what `run`, `load` and
//! `capacity` have in common.

use std::process::ExitCode;

use harness::error::Error;
use harness::load::LoadOptions;
use harness::profile::Terms;
use harness::prove::Counter;
use harness::report::folder::ReportFolder;
use harness::run::{Controls, Exam, Origin, Outcome, RunOptions};

use super::run::{controls, fault_name, nothing, publish, quoted, target_of_file, under_signals};
use super::terms::TermsFrom;
use super::{SET_UP, complain, progress, runtime};
use crate::child::{CoreChild, CoreOptions};
use crate::cli::TargetArgs;

/// Offers a load and reports.
pub(super) fn offer(load: (LoadOptions, Exam), target: TargetArgs) -> ExitCode {
    let from = TermsFrom {
        profile: target.profile.as_deref(),
        expectations: target.expectations.as_deref(),
        target: target.target_json.as_deref(),
        variants: &[],
    };
    let terms = match from.read() {
        Ok(terms) => terms,
        Err(refusal) => return refusal.tell(),
    };
    let folder = match target
        .report
        .as_deref()
        .map(ReportFolder::prepare)
        .transpose()
    {
        Ok(folder) => folder,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(SET_UP);
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let seed = target.seed;
    let outcome = runtime
        .block_on(under_signals(|cancel| {
            let mut controls = controls(cancel, folder.as_ref());
            // What is no Unicode is told as well as it can be.
            let arguments = std::env::args_os().map(|it| it.to_string_lossy().into_owned());
            controls.command = as_typed(arguments.skip(1));
            carry(load, (target, terms), controls)
        }))
        .unwrap_or_else(|error| nothing(seed, error));
    // Whatever still waits on a socket is of no interest any more.
    runtime.shutdown_background();
    publish(outcome, folder.as_ref())
}

/// What a deliberate defect did: one that never acted says nothing of the suite.
fn tell(fault: &Counter) {
    let Counter {
        id,
        trigger,
        reached,
        fired,
    } = fault;
    progress::line(&format!("{id}@{trigger} acted {fired} of {reached} times"));
}

/// The command again, for a shell: with a report folder for the reader to name, and without the
/// token of the pushes.
fn as_typed(arguments: impl Iterator<Item = String>) -> String {
    let mut command = "muster".to_owned();
    let mut hidden: Option<&str> = None;
    for argument in arguments {
        let (name, value) = argument
            .split_once('=')
            .map_or((&*argument, None), |(name, value)| (name, Some(value)));
        let stand_in = match name {
            "--report" => Some("DIR"),
            "--push-token" => Some("TOKEN"),
            _ => None,
        };
        let word = match (hidden.take(), stand_in, value) {
            (Some(stand_in), _, _) => stand_in.to_owned(),
            (None, Some(stand_in), Some(_)) => format!("{name}={stand_in}"),
            (None, Some(stand_in), None) => {
                hidden = Some(stand_in);
                name.to_owned()
            }
            (None, None, _) => quoted(&argument),
        };
        command.push(' ');
        command.push_str(&word);
    }
    command
}

async fn carry(
    (load, exam): (LoadOptions, Exam),
    (target, terms): (TargetArgs, Terms),
    mut controls: Controls,
) -> Result<Outcome, Error> {
    let fault = fault_name(target.fault.as_ref());
    let (core, described) = match &target.target_json {
        Some(path) => (None, target_of_file(path)?),
        None => {
            let (core, described) = CoreChild::start(&CoreOptions {
                seed: target.seed,
                faults: target.fault.into_iter().collect(),
                push_token: target.push_token.clone(),
                ..CoreOptions::default()
            })
            .await?;
            progress::line(&format!(
                "core process {}, listening at {}",
                core.pid(),
                described.manage
            ));
            (Some(core), described)
        }
    };
    let origin = core
        .as_ref()
        .map_or(Origin::External, |core| Origin::BuiltIn {
            pid: core.pid(),
            fault,
        });
    if let Some(core) = &core {
        controls.log = core.log();
    }
    let progress = controls.progress.clone();
    let shown = tokio::spawn(progress::show(progress, load.devices));
    if load.keys() > 0 {
        progress::line(&format!("the load fleet shares {} keys", load.keys()));
    }
    let options = RunOptions {
        load,
        push_token: target.push_token,
        origin,
        terms,
        exam,
    };
    let outcome = harness::run::run(described, options, controls).await;
    shown.abort();
    // Ended by ourselves: nothing of it is of interest but that it no longer writes.
    drop(shown.await);
    if let Some(core) = core {
        core.stop().await.iter().flatten().for_each(tell);
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_again_without_its_token_and_its_folder() {
        for (typed, told) in [
            (&["run"][..], "muster run"),
            (
                &[
                    "load",
                    "--schedule",
                    "ramp:1/s..2/s,5s;constant:9/s,1m",
                    "--seed=4",
                ],
                "muster load --schedule 'ramp:1/s..2/s,5s;constant:9/s,1m' --seed=4",
            ),
            (
                &[
                    "run",
                    "--push-token",
                    "secret",
                    "--report",
                    "out",
                    "--devices",
                    "3",
                ],
                "muster run --push-token TOKEN --report DIR --devices 3",
            ),
            (
                &["run", "--push-token=secret", "--report=out"],
                "muster run --push-token=TOKEN --report=DIR",
            ),
            (
                &["load", "--fleet", "it's"],
                r"muster load --fleet 'it'\''s'",
            ),
        ] {
            let typed = typed.iter().map(|&word| word.to_owned());
            assert_eq!(as_typed(typed), told);
        }
    }
}
