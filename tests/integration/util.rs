//! Starting muster as a user would.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// The executable under test.
pub(crate) const MUSTER: &str = env!("CARGO_BIN_EXE_muster");

/// A muster command with these arguments.
pub(crate) fn muster<S: AsRef<str>>(arguments: &[S]) -> Command {
    let mut command = Command::new(MUSTER);
    command.args(arguments.iter().map(AsRef::as_ref));
    command.env_remove("MUSTER_LOG").stdin(Stdio::null());
    command
}

/// Runs muster to its end.
pub(crate) fn output<S: AsRef<str>>(arguments: &[S]) -> Output {
    muster(arguments).output().unwrap()
}

/// Fleets share two cores with their target: one at a time.
pub(crate) fn one_fleet_at_a_time() -> MutexGuard<'static, ()> {
    static FLEET: Mutex<()> = Mutex::new(());
    FLEET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder of its own below Cargo's folder for test files; removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// The bytes of a file below this folder.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    /// `report.json` below `name`.
    pub(crate) fn report(&self, name: &str) -> Value {
        let bytes = fs::read(self.0.join(name).join("report.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind lies below Cargo's own folder for test files.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A core of its own; ends with the value.
pub(crate) struct Core {
    pub child: Child,
    /// The line of `serve --json`.
    pub line: String,
}

impl Core {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = muster(&["serve", "--json", "--exit-with-stdin"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with('{'), "{line}");
        Self { child, line }
    }

    /// A file in the folder that describes it, for `--target-json`.
    pub(crate) fn target_in(&self, folder: &Folder) -> String {
        let target = folder.join("target.json");
        fs::write(&target, &self.line).unwrap();
        target
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}

/// The verdict of each requirement of a report.
pub(crate) fn verdicts(report: &Value) -> Vec<(String, String)> {
    let rows = report["requirements"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(&row["id"]), text(&row["verdict"])))
        .collect()
}
