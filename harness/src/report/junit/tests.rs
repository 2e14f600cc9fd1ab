use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::super::sample;
use super::*;
use crate::conform::Summary;
use crate::exit::Cause;
use crate::report::ViolationRow;
use crate::verdict::{Level, Verdict};

fn xml(report: &Report) -> String {
    String::from_utf8(render(report).unwrap()).unwrap()
}

/// One element as build servers see it.
#[derive(Clone, Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Self>,
    text: String,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let name = String::from_utf8(attribute.key.0.to_vec()).unwrap();
            (name, attribute.unescape_value().unwrap().into_owned())
        });
        Self {
            name: String::from_utf8(start.name().0.to_vec()).unwrap(),
            attributes: attributes.collect(),
            ..Self::default()
        }
    }

    fn named<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn number(&self, attribute: &str) -> usize {
        self.attributes[attribute].parse().unwrap()
    }

    fn property(&self, name: &str) -> Option<&str> {
        let properties = self.named("properties").flat_map(|all| &all.children);
        let found = properties.filter(|property| property.attributes["name"] == name);
        found
            .map(|property| property.attributes["value"].as_str())
            .next()
    }
}

fn parse(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(Element::of(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(Element::of(&start)),
            Event::End(_) => {
                let closed = open.pop().unwrap();
                open.last_mut().unwrap().children.push(closed);
            }
            Event::Text(text) => open
                .last_mut()
                .unwrap()
                .text
                .push_str(&String::from_utf8_lossy(&text)),
            Event::Eof => return open.pop().unwrap().children.pop().unwrap(),
            Event::GeneralRef(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
    }
}

/// The shape that the schema of Jenkins' xUnit plug-in, `junit-10.xsd`, and its relatives share.
fn assert_shape(root: &Element) {
    assert_eq!(root.name, "testsuites");
    let mut sums = [0; 3];
    for suite in &root.children {
        assert_eq!(suite.name, "testsuite");
        assert!(!suite.attributes["name"].is_empty());
        let cases: Vec<&Element> = suite.named("testcase").collect();
        assert_eq!(cases.len(), suite.children.len(), "{suite:?}");
        let holding = |name: &str| {
            let cases = cases.iter();
            cases
                .filter(|case| case.named(name).next().is_some())
                .count()
        };
        let counts = [cases.len(), holding("failure"), holding("error")];
        let names = ["tests", "failures", "errors"];
        for (name, (count, sum)) in names.iter().zip(counts.iter().zip(&mut sums)) {
            assert_eq!(suite.number(name), *count, "{name} of {suite:?}");
            *sum += count;
        }
        assert_eq!(suite.number("skipped"), holding("skipped"));
        cases.into_iter().for_each(assert_case);
    }
    for (name, sum) in ["tests", "failures", "errors"].iter().zip(sums) {
        assert_eq!(root.number(name), sum, "{name}");
    }
}

fn assert_case(case: &Element) {
    for attribute in ["name", "classname"] {
        assert!(!case.attributes[attribute].is_empty(), "{case:?}");
    }
    let mut outcomes = 0;
    for child in &case.children {
        match child.name.as_str() {
            "failure" | "error" => {
                outcomes += 1;
                assert!(!child.attributes["message"].is_empty(), "{case:?}");
                assert!(!child.attributes["type"].is_empty(), "{case:?}");
            }
            "skipped" => {
                outcomes += 1;
                assert!(!child.attributes["message"].is_empty(), "{case:?}");
            }
            "properties" => assert!(child.children.iter().all(|one| one.name == "property")),
            "system-out" => {}
            other => panic!("`{other}` in {case:?}"),
        }
    }
    // Build servers keep one outcome a case.
    assert!(outcomes <= 1, "{case:?}");
}

/// A conformance run with a row of every verdict.
fn conformance() -> Report {
    let mut report = sample::failed();
    let row = |id: &str, verdict, level| {
        let mut row = report.requirements[0].clone();
        row.id = id.to_owned();
        row.verdict = verdict;
        row.level = level;
        row
    };
    let mut deviating = row("REQ-AUDIT-009", Verdict::Deviation, Level::Should);
    deviating.violated = 1;
    deviating.violations = vec![ViolationRow {
        fingerprint: "wrong-result".to_owned(),
        required: "an event names the result".to_owned(),
        seen: "`Success` instead of `Failure`".to_owned(),
    }];
    let recorded = row("REQ-VIEW-005", Verdict::Recorded, Level::Recorded);
    report.requirements.extend([deviating, recorded]);
    report.conform = Some(Summary {
        set: "current-2025".to_owned(),
        not_tested: vec![NotTested {
            id: "REQ-ROTATE-099".to_owned(),
            level: Level::Must,
            reason: "planned: no check yet".to_owned(),
        }],
        device: vec![
            DeviceRow {
                id: "REQ-PWGEN-001".to_owned(),
                armed: 3,
                violated: 0,
                violations: Vec::new(),
            },
            DeviceRow {
                id: "REQ-PWGEN-002".to_owned(),
                armed: 3,
                violated: 1,
                violations: Vec::new(),
            },
        ],
        ..Summary::default()
    });
    report
}

/// What each case came to: its outcome element, or `success`.
fn outcomes(root: &Element) -> BTreeMap<String, String> {
    let cases = root.children.iter().flat_map(|suite| &suite.children);
    cases
        .map(|case| {
            let outcome = case
                .children
                .iter()
                .find(|child| matches!(child.name.as_str(), "failure" | "error" | "skipped"));
            let outcome = outcome.map_or("success", |child| child.name.as_str());
            (case.attributes["name"].clone(), outcome.to_owned())
        })
        .collect()
}

#[test]
fn every_report_has_the_common_shape() {
    for report in [
        sample::passed(),
        sample::failed(),
        sample::interrupted(),
        conformance(),
    ] {
        assert_shape(&parse(&xml(&report)));
    }
}

#[test]
fn each_verdict_has_its_element() {
    let mut report = conformance();
    for (strict, deviation) in [(false, "success"), (true, "failure")] {
        report.conform.as_mut().unwrap().strict = strict;
        let root = parse(&xml(&report));
        let expected = [
            ("REQ-ASSIGN-001", "success"),
            ("REQ-AUDIT-009", deviation),
            ("REQ-JOIN-002", "skipped"),
            ("REQ-PWGEN-001", "success"),
            ("REQ-PWGEN-002", "error"),
            ("REQ-ROTATE-001", "success"),
            ("REQ-ROTATE-003", "failure"),
            ("REQ-ROTATE-099", "skipped"),
            ("REQ-VIEW-005", "success"),
            ("run", "success"),
        ];
        let expected = expected.map(|(name, outcome)| (name.to_owned(), outcome.to_owned()));
        assert_eq!(
            outcomes(&root),
            BTreeMap::from(expected),
            "strict: {strict}"
        );
    }
}

#[test]
fn as_many_cases_fail_as_requirements() {
    let report = sample::failed();
    let failed = |row: &&RequirementRow| row.verdict == Verdict::Fail;
    let failed = report.requirements.iter().filter(failed).count();
    assert_eq!(parse(&xml(&report)).number("failures"), failed);
}

#[test]
fn a_case_says_where_it_comes_from_and_where_its_proof_is() {
    let root = parse(&xml(&conformance()));
    let cases: Vec<&Element> = root
        .children
        .iter()
        .flat_map(|suite| &suite.children)
        .collect();
    let case = |name: &str| {
        let found = cases.iter().find(|case| case.attributes["name"] == name);
        *found.unwrap()
    };
    let failed = case("REQ-ROTATE-003");
    for (name, value) in [
        ("level", "MUST"),
        ("set", "current-2025"),
        ("anchors", "SEED S19"),
        ("seed", "7"),
        ("evidence", "evidence/REQ-ROTATE-003-1/violation.md"),
    ] {
        assert_eq!(failed.property(name), Some(value), "{name}");
    }
    let failure = failed.named("failure").next().unwrap();
    assert_eq!(
        failure.attributes["message"],
        "violated in 3 of 40 cases: action state <done> & no detail"
    );
    assert_eq!(failure.attributes["type"], "done-though-offline");
    let recorded = case("REQ-VIEW-005").named("system-out").next().unwrap();
    assert!(recorded.text.contains("recorded over"), "{recorded:?}");
}

#[test]
fn a_run_that_decides_nothing_is_an_error_and_no_failure() {
    let mut report = sample::passed();
    let down = "target down, noticed in scenario `rotate`".to_owned();
    report.footer = super::super::Footer::incomplete(down.clone());
    report.conclude(&[Cause::new(ExitCode::Undetermined, down)]);
    for (report, named) in [
        (report, "exit code 2: undetermined"),
        (sample::interrupted(), "exit code 130: interrupted"),
    ] {
        let root = parse(&xml(&report));
        assert_eq!(root.number("failures"), 0);
        assert_eq!(root.number("errors"), 1);
        assert_eq!(outcomes(&root)["run"], "error");
        let text = xml(&report);
        assert!(text.contains(named), "{text}");
    }
}
