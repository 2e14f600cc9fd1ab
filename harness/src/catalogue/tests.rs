use super::lint::frozen_ids;
use super::*;
use crate::checks;
use crate::verdict::Level;

/// The requirements that `muster run` judges, typed by hand and not read from the files.
const OF_RUN: [(&str, &[&str]); 10] = [
    ("ASSIGN", &["001", "003"]),
    (
        "CONFLICT",
        &[
            "001", "002", "003", "004", "005", "007", "008", "009", "010",
        ],
    ),
    ("SCHEDULE", &["002", "003"]),
    ("ROTATE", &["001", "003", "004", "005", "006", "015"]),
    ("BULK", &["001", "002", "004"]),
    ("VIEW", &["001", "002", "004"]),
    ("AUDIT", &["001", "002", "003", "004", "005"]),
    ("RBAC", &["001", "003", "007"]),
    ("JOIN", &["002"]),
    ("ACCOUNT", &["003"]),
];

/// How many requirements an area has.
const COUNTS: [(Area, usize); 18] = [
    (Area::Policy, 2),
    (Area::Assign, 8),
    (Area::CheckIn, 2),
    (Area::Conflict, 17),
    (Area::Schedule, 6),
    (Area::Rotate, 15),
    (Area::Bulk, 5),
    (Area::View, 6),
    (Area::Audit, 12),
    (Area::Rbac, 7),
    (Area::Join, 8),
    (Area::Account, 6),
    (Area::Backup, 4),
    (Area::Password, 2),
    (Area::PostAuthentication, 1),
    (Area::Report, 4),
    (Area::Csp, 13),
    (Area::Protocol, 7),
];

fn builtin() -> Catalogue {
    Catalogue::builtin().unwrap()
}

#[test]
fn the_catalogue_holds_exactly_the_published_requirements_in_order() {
    let catalogue = builtin();
    let ids: Vec<&str> = catalogue
        .requirements()
        .iter()
        .map(|row| row.id.as_str())
        .collect();
    assert_eq!(ids.len(), 125);
    assert_eq!(ids, frozen_ids().collect::<Vec<_>>());
}

#[test]
fn every_area_has_its_requirements() {
    let catalogue = builtin();
    assert_eq!(COUNTS.map(|(area, _)| area), Area::ALL);
    for (area, count) in COUNTS {
        let rows = catalogue.requirements().iter();
        let rows = rows.filter(|row| Area::of_id(&row.id) == Some(area));
        assert_eq!(rows.count(), count, "{area:?}");
    }
    assert_eq!(COUNTS.iter().map(|(_, count)| count).sum::<usize>(), 125);
}

#[test]
fn the_run_judges_exactly_its_requirements_in_order() {
    let judged: Vec<String> = OF_RUN
        .iter()
        .flat_map(|(area, numbers)| numbers.iter().map(move |n| format!("REQ-{area}-{n}")))
        .collect();
    let catalogue = builtin();
    let ids: Vec<&str> = catalogue
        .requirements_of_run()
        .map(|row| row.id.as_str())
        .collect();
    assert_eq!(ids.len(), 35);
    assert_eq!(ids, judged);
    for row in catalogue.requirements_of_run() {
        assert_eq!(row.level, Level::Must, "{}", row.id);
        assert_ne!(row.subject, Subject::Device, "{}", row.id);
    }
    assert_eq!(catalogue.judged_by(Suite::Conform).count(), 125);
}

#[test]
fn levels_subjects_and_origins_are_those_of_the_specification() {
    let catalogue = builtin();
    let count = |wanted: fn(&Requirement) -> bool| {
        catalogue
            .requirements()
            .iter()
            .filter(|row| wanted(row))
            .count()
    };
    assert_eq!(count(|row| row.level == Level::Must), LEVELS[0]);
    assert_eq!(count(|row| row.level == Level::Should), LEVELS[1]);
    assert_eq!(count(|row| row.level == Level::Recorded), LEVELS[2]);
    assert_eq!(count(|row| row.subject == Subject::Server), SUBJECTS[0]);
    assert_eq!(count(|row| row.subject == Subject::Directory), SUBJECTS[1]);
    assert_eq!(count(|row| row.subject == Subject::Device), SUBJECTS[2]);
    assert_eq!(count(|row| row.origin == Origin::Seed), ORIGINS[0]);
    assert_eq!(count(|row| row.origin == Origin::SeedInferred), ORIGINS[1]);
    assert_eq!(count(|row| row.origin == Origin::Document), ORIGINS[2]);
    assert_eq!(count(|row| row.origin == Origin::Derived), ORIGINS[3]);
}

/// MUST, SHOULD, REC.
const LEVELS: [usize; 3] = [90, 28, 7];
/// SRV, DIR, DEV.
const SUBJECTS: [usize; 3] = [76, 24, 25];
/// SEED, SEED+, DOC, DER.
const ORIGINS: [usize; 4] = [42, 14, 56, 13];

#[test]
fn sets_grow_and_the_first_one_is_the_article() {
    let catalogue = builtin();
    for row in catalogue.requirements() {
        let id = &row.id;
        assert!(row.is_in(RequirementSet::Current2025), "{id}");
        let of_article = matches!(row.origin, Origin::Seed | Origin::SeedInferred);
        assert_eq!(row.is_in(RequirementSet::Seed202304), of_article, "{id}");
        let in_order: Vec<_> = RequirementSet::ALL
            .into_iter()
            .filter(|set| row.is_in(*set))
            .collect();
        assert_eq!(row.sets, in_order, "{id}");
        let grows = !of_article || row.is_in(RequirementSet::Ga202310);
        assert!(grows, "{id}");
    }
    for (id, ga) in [
        ("REQ-AUDIT-007", true),
        ("REQ-RBAC-004", true),
        ("REQ-RBAC-005", false),
        ("REQ-ACCOUNT-006", false),
    ] {
        let row = catalogue.requirement(id).unwrap();
        assert_eq!(row.is_in(RequirementSet::Ga202310), ga, "{id}");
    }
    assert_eq!(catalogue.in_set(RequirementSet::Current2025).count(), 125);
    for set in RequirementSet::ALL {
        assert_eq!(RequirementSet::by_name(set.as_str()), Some(set));
    }
}

#[test]
fn every_row_is_written_for_readers() {
    for row in builtin().requirements() {
        let id = &row.id;
        assert!(row.title.chars().count() <= 80, "{id}: title");
        assert!(!row.title.ends_with('.'), "{id}: title");
        assert!(row.sentence.chars().count() <= 77, "{id}: sentence");
        assert!(row.sentence.ends_with('.'), "{id}: sentence");
        assert!(row.why.ends_with('.'), "{id}: why");
        let parts = [&row.given, &row.when, &row.then];
        for part in parts.into_iter().chain(&row.allowed).chain(&row.forbidden) {
            assert!(!part.is_empty() && !part.ends_with('.'), "{id}: {part}");
        }
        // One sentence says it all only for what may happen; what may not has to be listed.
        assert!(
            !row.negative || !row.forbidden.is_empty(),
            "{id}: forbidden"
        );
        for note in &row.interpretation {
            assert!(note.question.ends_with('?'), "{id}: {}", note.question);
            assert!(note.decision.ends_with('.'), "{id}: {}", note.decision);
            assert!(note.reason.ends_with('.'), "{id}: {}", note.reason);
        }
    }
}

#[test]
fn every_time_limit_that_a_row_speaks_of_is_a_parameter_and_used() {
    for row in builtin().requirements() {
        let id = &row.id;
        let said = format!("{} {} {:?}", row.when, row.then, row.allowed);
        for (name, param) in [
            ("T_push", Param::Push),
            ("T_fail", Param::Fail),
            ("T_audit", Param::Audit),
            ("T_report", Param::Report),
            ("T_max", Param::Max),
        ] {
            let declared = row.params.contains(&param);
            assert!(declared || !said.contains(name), "{id}: {name}");
        }
    }
}

#[test]
fn documents_and_facts_are_all_used() {
    let catalogue = builtin();
    let sources: Vec<&Source> = catalogue
        .requirements()
        .iter()
        .flat_map(|row| &row.source)
        .collect();
    for document in &catalogue.documents {
        let used = sources.iter().any(|source| source.doc == document.key);
        assert!(used, "{}", document.key);
    }
    for anchor in catalogue.facts.keys() {
        let used = sources.iter().any(|source| source.anchor == *anchor);
        assert!(used, "{anchor}");
    }
}

#[test]
fn every_refusal_has_a_positive_control() {
    let catalogue = builtin();
    for id in [
        "REQ-ASSIGN-003",
        "REQ-CONFLICT-001",
        "REQ-CONFLICT-003",
        "REQ-CONFLICT-007",
        "REQ-CONFLICT-009",
        "REQ-CONFLICT-011",
        "REQ-ROTATE-003",
        "REQ-ROTATE-005",
        "REQ-ROTATE-015",
        "REQ-BULK-001",
        "REQ-BULK-002",
        "REQ-BULK-003",
        "REQ-VIEW-002",
        "REQ-VIEW-004",
        "REQ-VIEW-006",
        "REQ-AUDIT-008",
        "REQ-AUDIT-010",
        "REQ-RBAC-001",
        "REQ-RBAC-003",
        "REQ-RBAC-004",
        "REQ-RBAC-005",
        "REQ-RBAC-006",
        "REQ-RBAC-007",
        "REQ-JOIN-002",
        "REQ-JOIN-004",
        "REQ-JOIN-006",
        "REQ-JOIN-007",
        "REQ-ACCOUNT-003",
        "REQ-BACKUP-003",
    ] {
        let row = catalogue.requirement(id).unwrap();
        assert!(row.negative, "{id}");
        let twin = row
            .twin
            .as_deref()
            .and_then(|twin| catalogue.requirement(twin));
        assert!(twin.is_some_and(|twin| !twin.negative), "{id}");
    }
}

#[test]
fn ids_belong_to_areas() {
    for (id, area) in [
        ("REQ-ROTATE-003", Some(Area::Rotate)),
        ("REQ-CSP-PasswordLength-001", Some(Area::Csp)),
        ("REQ-CSP-001", None),
        ("REQ-CSP--001", None),
        ("REQ-CSP-A-B-001", None),
        ("REQ-ROTATE-x-003", None),
        ("REQ-ROTATE-3", None),
        ("REQ-ROTATE-0a3", None),
        ("REQ-TURN-003", None),
        ("ROTATE-003", None),
    ] {
        assert_eq!(Area::of_id(id), area, "{id}");
    }
}

#[test]
fn a_file_with_a_mistake_is_refused_and_the_mistake_named() {
    let good = Area::Policy.text();
    assert!(read_area(Area::Policy, good).is_ok());
    for (from, to, named) in [
        ("why =", "because =", "because"),
        ("level = \"MUST\"", "level = \"MAY\"", "MAY"),
        ("subject = \"SRV\"", "subject = \"APP\"", "APP"),
        ("origin = \"SEED\"", "origin = \"SOIL\"", "SOIL"),
        ("\"ga-2023-10\"", "\"ga-2023-11\"", "ga-2023-11"),
        ("[\"conform\"]", "[\"confirm\"]", "confirm"),
        ("sentence =", "#", "sentence"),
        ("allowed =", "alowed =", "alowed"),
        ("REQ-POLICY-002", "REQ-ROTATE-002", "REQ-ROTATE-002"),
        ("REQ-POLICY-002", "REQ-POLICY-2", "REQ-POLICY-2"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = read_area(Area::Policy, &good.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(named), "{from} -> {to}: {error}");
    }
}

#[test]
fn a_double_id_and_an_unknown_twin_are_refused() {
    let rows = read_area(Area::Rbac, Area::Rbac.text()).unwrap();
    let mut twice = builtin();
    twice.requirements = [rows.clone(), rows.clone()].concat();
    let mut alone = builtin();
    alone.requirements = rows;
    let error = |catalogue: &Catalogue| catalogue.check_references().unwrap_err().to_string();
    assert!(error(&twice).contains("twice"));
    assert!(error(&alone).contains("unknown twin"));
}

mod lint {
    use std::collections::BTreeSet;

    use super::super::LintError;
    use super::super::lint::device_check;
    use super::*;
    use crate::dev::DEV_REQUIREMENTS;

    type Pairs = Vec<(String, String)>;

    fn lint(catalogue: &Catalogue, checks: &Pairs, faults: &Pairs) -> Vec<LintError> {
        catalogue.lint(&borrowed(checks), &borrowed(faults))
    }

    fn borrowed(pairs: &Pairs) -> Vec<(&str, &str)> {
        pairs
            .iter()
            .map(|(name, id)| (name.as_str(), id.as_str()))
            .collect()
    }

    fn refusals(errors: Vec<LintError>) -> Vec<LintError> {
        errors.into_iter().filter(LintError::is_refusal).collect()
    }

    fn registered() -> Pairs {
        let checks = checks::CHECKS.iter();
        let checks = checks.map(|check| (check.id.to_owned(), check.requirement.to_owned()));
        let device = DEV_REQUIREMENTS.iter();
        let device = device.map(|id| (device_check(id), (*id).to_owned()));
        checks.chain(device).collect()
    }

    /// The defects that the rows list; the libraries themselves are compared where they are known.
    fn listed(catalogue: &Catalogue) -> Pairs {
        catalogue
            .requirements()
            .iter()
            .flat_map(|row| {
                row.faults
                    .iter()
                    .map(|fault| (fault.clone(), row.id.clone()))
            })
            .collect()
    }

    #[test]
    fn the_builtin_catalogue_and_the_checks_agree() {
        let catalogue = builtin();
        let refused = refusals(lint(&catalogue, &registered(), &listed(&catalogue)));
        assert!(refused.is_empty(), "{refused:#?}");
    }

    #[test]
    fn the_faults_of_the_device_are_those_that_its_rows_list() {
        let catalogue = builtin();
        let mut known: Pairs = emulator::DEVICE_FAULTS
            .iter()
            .map(|row| (row.name.to_owned(), row.requirement.to_owned()))
            .collect();
        let mut rows: Pairs = listed(&catalogue);
        rows.retain(|(_, id)| {
            let row = catalogue.requirement(id);
            row.is_some_and(|row| row.subject == Subject::Device)
        });
        known.sort();
        rows.sort();
        assert_eq!(rows, known);
    }

    #[test]
    fn a_planned_row_is_reported_and_not_refused() {
        let catalogue = builtin();
        let planned: BTreeSet<String> = catalogue
            .requirements()
            .iter()
            .filter(|row| row.planned)
            .map(|row| format!("{}: planned, no check yet", row.id))
            .collect();
        let errors = lint(&catalogue, &registered(), &listed(&catalogue));
        let reported: BTreeSet<String> = errors
            .iter()
            .filter(|error| !error.is_refusal())
            .map(ToString::to_string)
            .collect();
        assert_eq!(reported, planned);
    }

    #[test]
    fn a_check_that_goes_is_missed() {
        let catalogue = builtin();
        let (checks, faults) = (registered(), listed(&catalogue));
        for gone in 0..checks.len() {
            let mut left = checks.clone();
            let (check, id) = left.remove(gone);
            let refused = refusals(lint(&catalogue, &left, &faults));
            let wanted = LintError::LostCheck { id, check };
            assert!(refused.contains(&wanted), "{wanted}: {refused:?}");
        }
    }

    #[test]
    fn a_fault_that_goes_is_missed() {
        let catalogue = builtin();
        let (checks, faults) = (registered(), listed(&catalogue));
        assert!(faults.len() >= 49);
        for gone in 0..faults.len() {
            let mut left = faults.clone();
            let (fault, id) = left.remove(gone);
            let refused = refusals(lint(&catalogue, &checks, &left));
            let wanted = LintError::LostFault { id, fault };
            assert!(refused.contains(&wanted), "{wanted}: {refused:?}");
        }
    }

    #[test]
    fn a_row_that_goes_is_missed() {
        let whole = builtin();
        let (checks, faults) = (registered(), listed(&whole));
        for gone in 0..whole.requirements.len() {
            let mut catalogue = builtin();
            let id = catalogue.requirements.remove(gone).id;
            let refused = refusals(lint(&catalogue, &checks, &faults));
            let wanted = LintError::MissingId { id: id.clone() };
            assert!(refused.contains(&wanted), "{id}: {refused:?}");
        }
    }

    /// A catalogue of a positive row with check and fault, a negative one of which it is the twin,
    /// a recorded one, and an untestable one; and what belongs to it.
    fn small() -> (Catalogue, BTreeSet<String>, Pairs, Pairs) {
        let mut catalogue = builtin();
        let mut row = catalogue.requirement("REQ-ROTATE-001").unwrap().clone();
        row.checks = vec!["rotate.a".to_owned()];
        row.faults = vec!["M-a".to_owned()];
        let mut negative = catalogue.requirement("REQ-ROTATE-003").unwrap().clone();
        negative.checks = vec!["rotate.b".to_owned()];
        negative.faults = vec!["M-b".to_owned()];
        let mut recorded = catalogue.requirement("REQ-ROTATE-007").unwrap().clone();
        recorded.planned = false;
        recorded.checks = vec!["rotate.c".to_owned()];
        recorded.faults.clear();
        let mut hidden = catalogue.requirement("REQ-ROTATE-013").unwrap().clone();
        hidden.planned = false;
        hidden.checks.clear();
        hidden.faults.clear();
        hidden.untestable = Some("nobody can see it".to_owned());
        catalogue.requirements = vec![row, negative, recorded, hidden];
        let frozen = catalogue
            .requirements
            .iter()
            .map(|row| row.id.clone())
            .collect();
        let pair = |name: &str, id: &str| (name.to_owned(), id.to_owned());
        let checks = vec![
            pair("rotate.a", "REQ-ROTATE-001"),
            pair("rotate.b", "REQ-ROTATE-003"),
            pair("rotate.c", "REQ-ROTATE-007"),
        ];
        let faults = vec![pair("M-a", "REQ-ROTATE-001"), pair("M-b", "REQ-ROTATE-003")];
        (catalogue, frozen, checks, faults)
    }

    /// Changes one thing of the small catalogue; the lint must say all of this and nothing else.
    fn says(change: impl FnOnce(&mut Catalogue, &mut Pairs, &mut Pairs), wanted: &[&str]) {
        let (mut catalogue, frozen, mut checks, mut faults) = small();
        change(&mut catalogue, &mut checks, &mut faults);
        let errors = catalogue.lint_against(&frozen, &borrowed(&checks), &borrowed(&faults));
        let mut said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        said.sort();
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_sound_catalogue_is_left_alone() {
        says(|_, _, _| {}, &[]);
    }

    #[test]
    fn ids_are_known_and_unique() {
        says(
            |catalogue, _, _| {
                let last = catalogue.requirements[3].clone();
                catalogue.requirements.push(last);
            },
            &["REQ-ROTATE-013: stands twice"],
        );
        says(
            |catalogue, _, _| catalogue.requirements[3].id = "REQ-ROTATE-099".to_owned(),
            &[
                "REQ-ROTATE-099: no published id",
                "REQ-ROTATE-013: published, and without a row",
            ],
        );
    }

    #[test]
    fn rows_are_decided_and_broken() {
        says(
            |catalogue, checks, _| {
                catalogue.requirements[0].checks.clear();
                checks.remove(0);
            },
            &["REQ-ROTATE-001: no check decides it"],
        );
        says(
            |catalogue, _, faults| {
                catalogue.requirements[0].faults.clear();
                faults.remove(0);
            },
            &["REQ-ROTATE-001: no fault breaks it"],
        );
        says(
            |catalogue, _, _| catalogue.requirements[0].judged_by = vec![Suite::Run],
            &["REQ-ROTATE-001: not judged by `conform`"],
        );
        says(
            |catalogue, _, _| catalogue.requirements[0].allowed.clear(),
            &["REQ-ROTATE-001: no allowed outcome"],
        );
    }

    #[test]
    fn a_negative_row_has_a_positive_twin() {
        says(
            |catalogue, _, _| catalogue.requirements[1].twin = None,
            &["REQ-ROTATE-003: negative and without a twin"],
        );
        for twin in ["REQ-ROTATE-003", "REQ-ROTATE-098"] {
            says(
                |catalogue, _, _| catalogue.requirements[1].twin = Some(twin.to_owned()),
                &[&format!(
                    "REQ-ROTATE-003: `{twin}` is no positive control of it"
                )],
            );
        }
        says(
            |catalogue, _, _| {
                catalogue.requirements[0].negative = true;
                catalogue.requirements[0].twin = Some("REQ-ROTATE-007".to_owned());
            },
            &["REQ-ROTATE-003: `REQ-ROTATE-001` is no positive control of it"],
        );
    }

    #[test]
    fn checks_and_faults_name_requirements_and_are_listed() {
        let pair = |name: &str, id: &str| (name.to_owned(), id.to_owned());
        says(
            |_, checks, _| checks.push(pair("rotate.d", "REQ-ROTATE-001")),
            &["REQ-ROTATE-001: the row does not list its check `rotate.d`"],
        );
        says(
            |_, _, faults| faults.push(pair("M-d", "REQ-ROTATE-001")),
            &["REQ-ROTATE-001: the row does not list its fault `M-d`"],
        );
        says(
            |_, checks, _| checks.push(pair("rotate.d", "REQ-ROTATE-097")),
            &["check `rotate.d`: there is no requirement `REQ-ROTATE-097`"],
        );
        says(
            |_, _, faults| faults.push(pair("M-d", "REQ-ROTATE-097")),
            &["fault `M-d`: there is no requirement `REQ-ROTATE-097`"],
        );
        says(
            |_, checks, _| checks.push(checks[0].clone()),
            &["check `rotate.a`: stands twice"],
        );
        says(
            |_, checks, _| checks[0].1 = "REQ-ROTATE-003".to_owned(),
            &[
                "REQ-ROTATE-001: its check `rotate.a` does not exist or decides another one",
                "REQ-ROTATE-001: no check decides it",
                "REQ-ROTATE-003: the row does not list its check `rotate.a`",
            ],
        );
        says(
            |_, _, faults| faults[0].1 = "REQ-ROTATE-003".to_owned(),
            &[
                "REQ-ROTATE-001: its fault `M-a` does not exist or breaks another one",
                "REQ-ROTATE-001: no fault breaks it",
                "REQ-ROTATE-003: the row does not list its fault `M-a`",
            ],
        );
    }

    #[test]
    fn an_untestable_row_is_used_by_nobody() {
        let reason = Some("nobody can see it".to_owned());
        says(
            |catalogue, _, _| catalogue.requirements[0].untestable = reason,
            &[
                "REQ-ROTATE-001: marked untestable, and yet `M-a`",
                "REQ-ROTATE-001: marked untestable, and yet `rotate.a`",
            ],
        );
        says(
            |catalogue, _, _| catalogue.requirements[3].planned = true,
            &["REQ-ROTATE-013: marked untestable, and yet `planned`"],
        );
    }

    #[test]
    fn a_planned_row_has_no_check_yet() {
        says(
            |catalogue, _, _| {
                catalogue.requirements[3].untestable = None;
                catalogue.requirements[3].planned = true;
            },
            &["REQ-ROTATE-013: planned, no check yet"],
        );
        says(
            |catalogue, _, _| catalogue.requirements[2].planned = true,
            &[
                "REQ-ROTATE-007: marked planned, and yet `rotate.c`",
                "REQ-ROTATE-007: planned, no check yet",
            ],
        );
    }

    #[test]
    fn sources_resolve() {
        for (doc, anchor) in [
            ("SEED", "S28"),
            ("SEED", "S0"),
            ("SEED", "F-001"),
            ("SEAD", "S1"),
            ("CSP24", "S1"),
            ("CSP24", "F-999"),
        ] {
            says(
                |catalogue, _, _| {
                    catalogue.requirements[0].source[0] = Source {
                        doc: doc.to_owned(),
                        anchor: anchor.to_owned(),
                    };
                },
                &[&format!(
                    "REQ-ROTATE-001: the source `{doc} {anchor}` is unknown"
                )],
            );
        }
        says(
            |catalogue, _, _| catalogue.requirements[0].source.clear(),
            &["REQ-ROTATE-001: the source `` is unknown"],
        );
    }
}
