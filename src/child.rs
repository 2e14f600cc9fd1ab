//! The built-in core as a child process: started, watched, never left behind.

use std::process::Stdio;
use std::time::Duration;

use std::io::Write as _;

use harness::error::Error;
use harness::leak::TargetLog;
use harness::prove::{Counter, LastLine};
use harness::target::Target;
use reference::FaultChoice;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How long the child may take to print its line.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long the child may take to print its last line.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running `muster serve --json --exit-with-stdin`.
#[derive(Debug)]
pub(crate) struct CoreChild {
    child: Child,
    /// Held open: the child ends when this closes, even when this process is killed.
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pid: u32,
    log: TargetLog,
}

/// What the child is started with.
#[derive(Debug, Default)]
pub(crate) struct CoreOptions {
    /// Seed of its ids and tokens.
    pub seed: u64,
    /// The faults to switch on.
    pub faults: Vec<FaultChoice>,
    /// Names of the legal variants to switch on.
    pub variants: Vec<&'static str>,
    /// Bearer token of its pushes.
    pub push_token: String,
    /// Its clock can be advanced.
    pub virtual_clock: bool,
    /// Name of the null core to start in its place.
    pub null: Option<&'static str>,
}

impl CoreChild {
    /// Starts this executable as a core and reads where it listens.
    ///
    /// # Errors
    /// [`Error::SetUp`] when it cannot be started or does not say where it listens.
    pub(crate) async fn start(options: &CoreOptions) -> Result<(Self, Target), Error> {
        let program = std::env::current_exe()
            .map_err(|error| Error::SetUp(format!("cannot find this executable: {error}")))?;
        let mut command = Command::new(&program);
        command
            .args(["serve", "--json", "--exit-with-stdin", "--seed"])
            .arg(options.seed.to_string())
            .arg("--push-token")
            .arg(&options.push_token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // A terminal sends Ctrl-C to the whole group; the core must outlive it until the report
        // is written.
        command.process_group(0);
        for fault in &options.faults {
            command.arg("--fault").arg(fault.to_string());
        }
        for variant in &options.variants {
            command.args(["--variant", variant]);
        }
        if options.virtual_clock {
            command.arg("--virtual-clock");
        }
        if let Some(null) = options.null {
            command.args(["--null", null]);
        }
        let failed = |what: &str| Error::SetUp(format!("the core `{}` {what}", program.display()));
        let mut child = command
            .spawn()
            .map_err(|error| failed(&format!("cannot be started: {error}")))?;
        let (Some(stdin), Some(stdout), Some(stderr), Some(pid)) = (
            child.stdin.take(),
            child.stdout.take(),
            child.stderr.take(),
            child.id(),
        ) else {
            return Err(failed("has no standard streams"));
        };
        let log = TargetLog::default();
        tokio::spawn(follow(stderr, log.clone()));
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        match tokio::time::timeout(START_LIMIT, stdout.read_line(&mut line)).await {
            Ok(Ok(bytes)) if bytes > 0 => {}
            Ok(Ok(_)) => return Err(failed("ended before it said where it listens")),
            Ok(Err(error)) => return Err(failed(&format!("cannot be read: {error}"))),
            Err(_elapsed) => return Err(failed("did not say where it listens in 20 s")),
        }
        let target = Target::parse(&line)?;
        let core = Self {
            child,
            stdin,
            stdout,
            pid,
            log,
        };
        Ok((core, target))
    }

    /// The process.
    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has written to its standard error, and will.
    pub(crate) fn log(&self) -> TargetLog {
        self.log.clone()
    }

    /// Ends the child and waits for it: standard input closes, and it says what its faults did.
    /// `None` from one that says nothing in time, or has ended before.
    pub(crate) async fn stop(self) -> Option<Vec<Counter>> {
        let Self {
            mut child,
            stdin,
            mut stdout,
            pid: _,
            log: _,
        } = self;
        drop(stdin);
        let mut line = String::new();
        let read = tokio::time::timeout(STOP_LIMIT, stdout.read_line(&mut line)).await;
        let said = match read {
            Ok(Ok(_)) => serde_json::from_str::<LastLine>(&line).ok(),
            Ok(Err(_)) | Err(_) => None,
        };
        if let Err(error) = child.kill().await {
            tracing::debug!(%error, "the core had ended already");
        }
        said.map(|line| line.faults)
    }
}

/// Keeps what the child writes to its standard error and passes it on to ours.
async fn follow(mut stderr: ChildStderr, log: TargetLog) {
    let mut buffer = [0; 8 * 1024];
    while let Ok(bytes) = stderr.read(&mut buffer).await {
        if bytes == 0 {
            return;
        }
        log.add(&buffer[..bytes]);
        let mut ours = std::io::stderr().lock();
        if ours.write_all(&buffer[..bytes]).is_err() {
            tracing::debug!("standard error is closed");
        }
    }
}
