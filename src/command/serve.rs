//! `muster serve`: the built-in core alone.

use std::process::ExitCode;

use harness::prove::{Counter, LastLine};
use protocol::enrollment::{PollSchedule, Retries};
use rand::TryRngCore;
use rand::rngs::OsRng;
use reference::{Config, FaultCount, FaultMonitor, Urls, Variants};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use super::{SET_UP, complain, runtime, say};
use crate::cli::ServeArgs;
use crate::serve::null::{Null, NullServer};
use crate::serve::{Description, Options, Server};

/// Exit codes after a signal: 128 and its number.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Serves until a signal comes, or standard input closes where that was asked for.
pub(crate) fn serve(arguments: ServeArgs) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let code = runtime
        .block_on(start(arguments))
        .unwrap_or_else(|sentence| {
            complain(&sentence);
            ExitCode::from(SET_UP)
        });
    // A read of standard input may still be waiting on its thread: not waited for.
    runtime.shutdown_background();
    code
}

async fn start(arguments: ServeArgs) -> Result<ExitCode, String> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => OsRng
            .try_next_u64()
            .map_err(|error| format!("the system gives no random seed: {error}"))?,
    };
    let variants = variants(&arguments)?;
    let mut interrupt = watch(SignalKind::interrupt())?;
    let mut terminate = watch(SignalKind::terminate())?;
    let twist = arguments.null.and_then(Null::twist);
    if let Some(null) = arguments.null.filter(|_| twist.is_none()) {
        let server = NullServer::bind(null, arguments.listen).await?;
        print(server.description(), arguments.json)?;
        return Ok(tokio::select! {
            () = server.run() => ExitCode::SUCCESS,
            () = input_closed(), if arguments.exit_with_stdin => ExitCode::SUCCESS,
            _ = interrupt.recv() => ExitCode::from(INTERRUPTED),
            _ = terminate.recv() => ExitCode::from(TERMINATED),
        });
    }
    let server = Server::bind(Options {
        listen: arguments.listen,
        push_token: arguments.push_token,
        limit_per_1000_s: arguments.limit_rate,
        twist,
        core: Config {
            seed,
            urls: Urls::default(),
            push_allow: arguments.push_allow,
            virtual_clock: arguments.virtual_clock,
            rights_set: arguments.set,
            poll: poll_schedule(),
            faults: arguments.fault,
            variants,
        },
    })
    .await?;
    print(server.description(), arguments.json)?;
    let faults = server.fault_monitor();
    Ok(tokio::select! {
        () = server.run() => ExitCode::SUCCESS,
        () = input_closed(), if arguments.exit_with_stdin => {
            if arguments.json {
                print_counts(&faults)?;
            }
            ExitCode::SUCCESS
        }
        _ = interrupt.recv() => ExitCode::from(INTERRUPTED),
        _ = terminate.recv() => ExitCode::from(TERMINATED),
    })
}

/// The variants that were named, or those that a seed draws, which is said on standard error.
fn variants(arguments: &ServeArgs) -> Result<Variants, String> {
    if let Some(seed) = arguments.chaos {
        let drawn = Variants::drawn(seed);
        complain(&format!("chaos {seed}: {}", drawn.names().join(" ")));
        return Ok(drawn);
    }
    Variants::of(&arguments.variant).map_err(|contradiction| contradiction.to_string())
}

fn print(description: &Description, json: bool) -> Result<(), String> {
    if json {
        let line = serde_json::to_string(description)
            .map_err(|error| format!("cannot print the description: {error}"))?;
        say(&line);
    } else {
        for line in description.lines() {
            say(&line);
        }
    }
    Ok(())
}

/// The last line: what the deliberate defects did.
fn print_counts(faults: &FaultMonitor) -> Result<(), String> {
    let faults = faults.counts().iter().map(counter).collect();
    let line = serde_json::to_string(&LastLine { faults })
        .map_err(|error| format!("cannot print the counters: {error}"))?;
    say(&line);
    Ok(())
}

fn counter(count: &FaultCount) -> Counter {
    Counter {
        id: count.choice.row.name.to_owned(),
        trigger: count.choice.trigger.to_string(),
        reached: count.reached,
        fired: count.fired,
    }
}

fn watch(kind: SignalKind) -> Result<tokio::signal::unix::Signal, String> {
    signal(kind).map_err(|error| format!("cannot watch signals: {error}"))
}

/// Returns once standard input is at its end.
async fn input_closed() {
    let mut input = tokio::io::stdin();
    let mut scratch = [0; 256];
    while matches!(input.read(&mut scratch).await, Ok(bytes) if bytes > 0) {}
}

/// Intune's published cadence: every 3 minutes five times, every 15 minutes eight times, then
/// every 8 hours for ever (contract section 1; F-156).
const fn poll_schedule() -> PollSchedule {
    PollSchedule {
        first: Retries {
            count: 5,
            interval_min: 3,
        },
        second: Retries {
            count: 8,
            interval_min: 15,
        },
        remaining: Retries {
            count: 0,
            interval_min: 480,
        },
    }
}
