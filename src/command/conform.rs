//! `muster conform`: the catalogue against the built-in core or a target from a file.

use std::process::ExitCode;

use harness::catalogue::{Catalogue, Requirement};
use harness::conform::{self, CanaryRow, ConformOptions, RowState, Selection};
use harness::error::Error;
use harness::profile::Terms;
use harness::report::folder::ReportFolder;
use harness::run::{Controls, Origin, Outcome};
use reference::{Variant, Variants};

use super::run::{again, controls, nothing, publish, shown, target_of_file, under_signals};
use super::terms::{self, TermsFrom};
use super::{SET_UP, complain, prove, runtime, say};
use crate::child::{CoreChild, CoreOptions};
use crate::cli::ConformArgs;

/// Lists or judges; the exit code is that of the gravest cause.
pub(crate) fn conform(arguments: ConformArgs) -> ExitCode {
    let from = TermsFrom {
        profile: arguments.profile.as_deref(),
        expectations: arguments.expectations.as_deref(),
        target: arguments.target_json.as_deref(),
        variants: &arguments.variant,
    };
    let terms = match from.read() {
        Ok(terms) => terms,
        Err(refusal) => return refusal.tell(),
    };
    let selection = match selection(&arguments, &terms) {
        Ok(selection) => selection,
        Err(error) => return refuse(&error),
    };
    if arguments.list {
        return list(&selection);
    }
    let folder = arguments.report.as_deref().map(ReportFolder::prepare);
    let folder = match folder.transpose() {
        Ok(folder) => folder,
        Err(error) => return refuse(&error),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let seed = arguments.seed;
    let outcome = runtime
        .block_on(under_signals(|cancel| {
            let mut controls = controls(cancel, folder.as_ref());
            controls.arguments = named_again(&arguments);
            carry(arguments, (selection, terms), controls)
        }))
        .unwrap_or_else(|error| nothing(seed, error));
    runtime.shutdown_background();
    publish(outcome, folder.as_ref())
}

fn refuse(error: &Error) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(SET_UP)
}

/// The rows that are wanted; a selection without rows is a mistake of its author.
fn selection(arguments: &ConformArgs, terms: &Terms) -> Result<Selection, Error> {
    let selection = Selection {
        set: terms::set(arguments.set, terms)?,
        only: arguments.only.clone(),
        area: arguments.area,
    };
    let catalogue = Catalogue::builtin()?;
    if selection.rows(&catalogue).next().is_none() {
        return Err(Error::SetUp(
            "no requirement of this set fits --only and --area; `--list` shows all".to_owned(),
        ));
    }
    Ok(selection)
}

/// The arguments that name the same target again.
fn named_again(arguments: &ConformArgs) -> String {
    let fault = arguments.fault.as_ref().map(ToString::to_string);
    let mut again = again(&[
        ("fault", fault),
        ("target-json", shown(arguments.target_json.as_deref())),
        ("profile", shown(arguments.profile.as_deref())),
    ]);
    for variant in variants(&arguments.variant).unwrap_or_default() {
        again.push_str(" --variant ");
        again.push_str(variant);
    }
    again
}

async fn carry(
    arguments: ConformArgs,
    (selection, terms): (Selection, Terms),
    mut controls: Controls,
) -> Result<Outcome, Error> {
    let (core, target) = match &arguments.target_json {
        Some(path) => (None, target_of_file(path)?),
        None => {
            let (core, target) = CoreChild::start(&CoreOptions {
                seed: arguments.seed,
                faults: arguments.fault.into_iter().collect(),
                push_token: arguments.push_token.clone(),
                virtual_clock: true,
                variants: variants(&arguments.variant)?,
                ..CoreOptions::default()
            })
            .await?;
            (Some(core), target)
        }
    };
    let origin = core
        .as_ref()
        .map_or(Origin::External, |core| Origin::BuiltIn {
            pid: core.pid(),
            fault: arguments.fault.as_ref().map(ToString::to_string),
        });
    let options = ConformOptions {
        selection,
        strict: arguments.strict,
        collateral: false,
        device: true,
        seed: arguments.seed,
        push_token: arguments.push_token,
        origin,
        terms,
    };
    if let Some(core) = &core {
        controls.log = core.log();
    }
    let cancel = controls.cancel.clone();
    let mut outcome = conform::conform(target, options, controls).await;
    if let Some(core) = core {
        let _counters = core.stop().await;
    }
    if arguments.self_check && !*cancel.borrow() {
        check_self(arguments.seed, &mut outcome).await?;
    }
    Ok(outcome)
}

/// The names of variants that do not contradict each other.
fn variants(wanted: &[Variant]) -> Result<Vec<&'static str>, Error> {
    let set =
        Variants::of(wanted).map_err(|contradiction| Error::SetUp(contradiction.to_string()))?;
    Ok(set.names())
}

/// Runs one deliberate fault of the built-in core, chosen by the seed: a suite that does not catch
/// it proves nothing about any target.
async fn check_self(seed: u64, outcome: &mut Outcome) -> Result<(), Error> {
    let canary = prove::plan::canary(seed)?;
    let row = CanaryRow::of_fault(&Box::pin(prove::fault(canary, seed)).await);
    if let Some(cause) = row.cause() {
        outcome.causes.push(cause);
        outcome.report.conclude(&outcome.causes);
    }
    if let Some(summary) = &mut outcome.report.conform {
        summary.canary = Some(row);
    }
    Ok(())
}

/// One line a row: id, level, state, title.
fn list(selection: &Selection) -> ExitCode {
    let catalogue = match Catalogue::builtin() {
        Ok(catalogue) => catalogue,
        Err(error) => return refuse(&error),
    };
    let rows: Vec<&Requirement> = selection.rows(&catalogue).collect();
    let width = rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
    let mut counts = [
        ("tested", 0_u32),
        ("device", 0),
        ("planned", 0),
        ("untestable", 0),
    ];
    for row in &rows {
        let state = conform::state_of(row);
        for (name, count) in &mut counts {
            *count += u32::from(*name == state.as_str());
        }
        let level = row.level.as_str();
        let why = match &state {
            RowState::Untestable(why) => format!(" ({why})"),
            RowState::Tested | RowState::Device | RowState::Planned => String::new(),
        };
        let state = state.as_str();
        say(&format!(
            "{:<width$}  {level:<6}  {state:<10}  {}{why}",
            row.id, row.title
        ));
    }
    let counts = counts.map(|(name, count)| format!("{count} {name}"));
    say(&format!("{} rows: {}", rows.len(), counts.join(", ")));
    ExitCode::SUCCESS
}
