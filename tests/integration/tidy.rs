//! Rules about the code itself: who may know whom, where the clock is read, which licences are in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Licences that a dependency may offer; each expression must hold one of them.
const LICENCES: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "BSD-3-Clause",
    "BSD-2-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "Unlicense",
    "Apache-2.0 WITH LLVM-exception",
];

/// What each package must never reach, directly or through another: ARCHITECTURE.md, rule 1.
const BANNED: [(&str, &[&str]); 4] = [
    (
        "protocol",
        &[
            "emulator",
            "reference",
            "harness",
            "muster",
            "tokio",
            "hyper",
            "rand",
        ],
    ),
    (
        "emulator",
        &["reference", "harness", "muster", "tokio", "hyper"],
    ),
    (
        "reference",
        &["emulator", "harness", "muster", "tokio", "hyper"],
    ),
    ("harness", &["reference", "muster"]),
];

#[test]
fn packages_reach_only_what_they_may_know() {
    let graph = Graph::read();
    for (package, banned) in BANNED {
        let reached = graph.reach(package);
        for name in banned {
            assert!(!reached.contains(*name), "`{package}` reaches `{name}`");
        }
    }
}

#[test]
fn the_harness_does_not_know_the_core_in_its_tests_either() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("harness/Cargo.toml")).unwrap();
    assert!(!manifest.contains("reference"));
}

#[test]
fn checks_read_what_was_recorded_and_nothing_else() {
    // ARCHITECTURE.md, rule 2: never a device's inside, never the core.
    let allowed = [
        "crate::case",
        "crate::verdict",
        "crate::transcript",
        "crate::checks",
        "crate::ledger",
        "super",
    ];
    for (path, text) in rust_files("harness/src/checks") {
        for line in text
            .lines()
            .filter(|line| line.trim_start().starts_with("use "))
        {
            let import = line.trim_start().trim_start_matches("use ");
            let fine = allowed.iter().any(|prefix| import.starts_with(prefix))
                || import.starts_with("std::")
                || import.starts_with("protocol::")
                || import.starts_with("uuid::");
            assert!(fine, "{}: `{line}`", path.display());
        }
        assert!(!text.contains("emulator::"), "{}", path.display());
    }
}

#[test]
fn the_model_shares_no_code_with_device_or_core() {
    // ARCHITECTURE.md, rule 6.
    for (path, text) in rust_files("harness/src/model") {
        for name in ["emulator::", "reference::"] {
            assert!(!text.contains(name), "{} names `{name}`", path.display());
        }
    }
}

#[test]
fn the_clock_is_read_in_the_shells_only() {
    let allowed = [
        "harness/src/clock.rs",
        "src/serve/mod.rs",
        "src/serve/io.rs",
    ];
    for folder in [
        "protocol/src",
        "emulator/src",
        "reference/src",
        "harness/src",
        "src",
    ] {
        for (path, text) in rust_files(folder) {
            let relative = path
                .strip_prefix(ROOT)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if allowed.contains(&relative.as_str()) {
                continue;
            }
            for call in ["SystemTime::now(", "std::time::Instant::now("] {
                assert!(!text.contains(call), "{relative} calls `{call}`");
            }
        }
    }
}

#[test]
fn every_dependency_has_a_known_licence() {
    for (name, licence) in Graph::read().licences {
        let known = LICENCES.iter().any(|known| licence.contains(known));
        assert!(known, "`{name}` has the licence `{licence}`");
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    // CONTRIBUTING.md: at most 600 lines without the tests at the bottom.
    for folder in [
        "protocol/src",
        "emulator/src",
        "reference/src",
        "harness/src",
        "src",
    ] {
        for (path, text) in rust_files(folder) {
            if path.ends_with("tests.rs") {
                continue;
            }
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().count();
            assert!(lines <= 600, "{} has {lines} lines", path.display());
        }
    }
}

/// The dependency graph as cargo resolves it.
struct Graph {
    /// Name of each package to the names it needs, development apart.
    edges: BTreeMap<String, BTreeSet<String>>,
    licences: BTreeMap<String, String>,
}

impl Graph {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            // Packages of other platforms may not have been fetched.
            .args(["--filter-platform", &host()])
            .current_dir(ROOT)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut names = BTreeMap::new();
        let mut licences = BTreeMap::new();
        for package in metadata["packages"].as_array().unwrap() {
            let name = package["name"].as_str().unwrap().to_owned();
            names.insert(package["id"].as_str().unwrap().to_owned(), name.clone());
            licences.insert(
                name,
                package["license"].as_str().unwrap_or("none").to_owned(),
            );
        }
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().unwrap() {
            let from = names[node["id"].as_str().unwrap()].clone();
            let needs = edges.entry(from).or_default();
            let of_library = |dependency: &&Value| {
                let kinds = dependency["dep_kinds"].as_array().unwrap();
                kinds.iter().any(|kind| kind["kind"].is_null())
            };
            let dependencies = node["deps"].as_array().unwrap().iter().filter(of_library);
            needs.extend(dependencies.map(|one| names[one["pkg"].as_str().unwrap()].clone()));
        }
        Self { edges, licences }
    }

    /// Every package that `from` needs, directly or through another.
    fn reach(&self, from: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(name) = open.pop() {
            let needed = self.edges.get(&name).into_iter().flatten();
            let new: Vec<_> = needed
                .filter(|next| !reached.contains(*next))
                .cloned()
                .collect();
            reached.extend(new.iter().cloned());
            open.extend(new);
        }
        assert!(
            !reached.is_empty(),
            "`{from}` needs nothing: is it still a package?"
        );
        reached
    }
}

/// The platform that this runs on, for example `x86_64-unknown-linux-gnu`.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap()
        .to_owned()
}

/// Every Rust file below a folder with its text.
fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut open = vec![Path::new(ROOT).join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no Rust file below {folder}");
    files
}
