//! Other programs: started, read, and charged for the processor time they took.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often a program is looked at that is about to end.
const LOOK: Duration = Duration::from_millis(2);

/// A program under way; it is killed when the value goes.
pub(crate) struct Process {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Process {
    /// Starts a program and keeps a hold on its standard streams.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line of its output; empty at its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// User and system time so far, in microseconds; readable until the process is waited for.
    pub(crate) fn cpu_us(&self) -> u64 {
        let seconds = harness::usage::cpu_of_process(self.child.id()).unwrap();
        (seconds * 1e6) as u64
    }

    /// Waits until it has ended by itself; what it has used, and what it said.
    pub(crate) fn end(mut self) -> (u64, String) {
        let mut said = String::new();
        // To the end: a pipe that is full would keep it from ending.
        self.output.read_to_string(&mut said).unwrap();
        while !self.has_ended() {
            std::thread::sleep(LOOK);
        }
        let used = self.cpu_us();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {said}");
        (used, said)
    }

    /// True when it has ended and nobody has waited for it: state `Z`, behind the command name.
    fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit_once(')').unwrap().1.starts_with(" Z")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is as well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether a program can be found.
pub(crate) fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}
