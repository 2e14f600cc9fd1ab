use std::fs;
use std::path::PathBuf;

use super::super::sample;
use super::super::text::{self, Style};
use super::*;
use crate::error::Error;

/// A file of this test alone, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("muster-results-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

fn scenario() -> Line {
    Line::Scenario(ScenarioLine {
        name: "rotate".to_owned(),
        seconds: Some(1.5),
        cases: 12,
        armed: BTreeMap::from([("REQ-ROTATE-003".to_owned(), 40)]),
        violated: BTreeMap::from([("REQ-ROTATE-003".to_owned(), 3)]),
        violations: BTreeMap::from([(
            "REQ-ROTATE-003".to_owned(),
            sample::failed().requirements[1].violations.clone(),
        )]),
        error: None,
    })
}

/// The lines of a run up to its judgement, and the whole file.
fn written(name: &str) -> (Vec<u8>, Vec<u8>) {
    let scratch = Scratch::new(name);
    let results = Results::create(&scratch.0).unwrap();
    let report = sample::failed();
    results.line(&Line::Header(Header::new(report.seed, report.run.clone())));
    results.line(&scenario());
    let begun = fs::read(&scratch.0).unwrap();
    for row in &report.requirements {
        results.line(&Line::Requirement(row.clone()));
    }
    results.finish(&report).unwrap();
    (begun, fs::read(&scratch.0).unwrap())
}

#[test]
fn results_give_the_report_of_the_run_back() {
    let (_, bytes) = written("back");
    let report = read(&bytes).unwrap();
    assert_eq!(report, sample::failed());
    let show = |report| text::render(report, Style::PLAIN);
    assert_eq!(show(&report), show(&sample::failed()));
}

#[test]
fn results_cut_at_any_byte_are_refused() {
    let (_, bytes) = written("cut");
    let end = bytes.trim_ascii_end().len();
    for cut in 0..end {
        assert!(read(&bytes[..cut]).is_err(), "cut at byte {cut}");
    }
    assert!(read(&bytes[..end]).is_ok());
}

#[test]
fn results_with_one_bit_changed_are_refused() {
    let (_, mut bytes) = written("changed");
    for place in 0..bytes.len() {
        let bit = 1 << (place % 8);
        bytes[place] ^= bit;
        assert!(read(&bytes).is_err(), "byte {place}, bit {bit:#x}");
        bytes[place] ^= bit;
    }
    assert!(read(&bytes).is_ok());
}

#[test]
fn every_line_is_there_before_the_run_goes_on() {
    let (begun, _) = written("begun");
    let lines: Vec<&[u8]> = begun.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.ends_with(b"}\n")));
}

#[test]
fn what_there_is_of_a_killed_run_is_shown_as_incomplete_and_passes_nothing() {
    let (begun, whole) = written("killed");
    let header = begun.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in 0..whole.trim_ascii_end().len() {
        let Ok(report) = read_incomplete(&whole[..cut]) else {
            assert!(cut < header, "nothing shown at byte {cut}");
            continue;
        };
        assert!(!report.footer.complete, "at byte {cut}");
        assert_eq!(report.exit_code, 2, "at byte {cut}");
    }
    let report = read_incomplete(&begun).unwrap();
    let [row] = report.requirements.as_slice() else {
        panic!("{:?}", report.requirements);
    };
    assert_eq!(
        (row.id.as_str(), row.violated, row.armed),
        ("REQ-ROTATE-003", 3, 40)
    );
    assert!(
        text::render(&report, Style::PLAIN).contains("incomplete: results.jsonl lacks its end")
    );
}

#[test]
fn a_whole_file_that_was_changed_is_never_shown() {
    let (_, bytes) = written("never");
    let text = String::from_utf8(bytes).unwrap();
    let changed = text.replace("\"violated\":3", "\"violated\":0");
    assert_ne!(changed, text);
    for read in [read, read_incomplete] {
        let error = read(changed.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("it was changed"), "{error}");
    }
    let newer = text.replace(SCHEMA, "muster.results/2");
    let cut = newer.rfind("{\"kind\":\"digest\"").unwrap();
    let error = read_incomplete(&newer.as_bytes()[..cut]).unwrap_err();
    assert!(error.to_string().contains("muster.results/2"), "{error}");
}

#[test]
fn a_run_that_never_began_has_a_header_all_the_same() {
    let scratch = Scratch::new("never-began");
    let results = Results::create(&scratch.0).unwrap();
    results.finish(&sample::interrupted()).unwrap();
    let report = read(&fs::read(&scratch.0).unwrap()).unwrap();
    assert_eq!(report, sample::interrupted());
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_at_the_end() {
    // Every write to this device fails as on a full disk.
    let results = Results::create(std::path::Path::new("/dev/full")).unwrap();
    results.line(&scenario());
    let Err(Error::SetUp(text)) = results.finish(&sample::failed()) else {
        panic!("a full disk was not noticed");
    };
    assert!(text.contains("/dev/full"), "{text}");
}

#[test]
fn nowhere_takes_everything() {
    let results = Results::nowhere();
    results.line(&scenario());
    results.finish(&sample::failed()).unwrap();
    assert_eq!(results.written().unwrap(), b"");
}
