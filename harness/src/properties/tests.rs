//! The table holds together, and inference from handmade observations.

use std::collections::BTreeSet;

use super::*;
use crate::catalogue::Catalogue;

fn seen(property: Property, shown: &[Choice], device: &str, exchange: u64) -> Observation {
    Observation {
        property,
        shown: shown.to_vec(),
        device: device.to_owned(),
        seen: format!("what {device} did"),
        exchanges: vec![ExchangeId(exchange)],
    }
}

fn withhold(choice: Choice, device: &str, exchange: u64) -> Observation {
    seen(Property::Withhold, &[choice], device, exchange)
}

fn report(judgement: &Judgement, property: Property) -> &PropertyReport {
    let mut reports = judgement.reports.iter();
    reports
        .find(|report| report.property == property.name())
        .unwrap()
}

#[test]
fn every_property_and_choice_stands_in_the_table_once() {
    let catalogue = Catalogue::builtin().unwrap();
    let names: BTreeSet<&str> = PROPERTIES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), PROPERTIES.len());
    let mut choices = BTreeSet::new();
    for row in &PROPERTIES {
        assert_eq!(Property::by_name(row.name), Some(row.property));
        assert!(row.choices.len() >= 2, "{}", row.name);
        let words: BTreeSet<&str> = row.property.words().collect();
        assert_eq!(words.len(), row.choices.len(), "{}", row.name);
        assert!(!words.contains(AUTO), "{}", row.name);
        for choice in row.choices {
            assert!(choices.insert(choice.choice), "{:?}", choice.choice);
            assert_eq!(choice.choice.word(), choice.word);
            assert_eq!(row.property.choice(choice.word), Some(choice.choice));
        }
        assert!(row.touches.contains(&row.owner), "{}", row.name);
        for id in row.touches {
            assert!(catalogue.requirement(id).is_some(), "{}: {id}", row.name);
        }
    }
}

#[test]
fn every_row_that_records_a_choice_owns_a_property() {
    let catalogue = Catalogue::builtin().unwrap();
    let owners: BTreeSet<&str> = PROPERTIES.iter().map(|row| row.owner).collect();
    let rows = catalogue.requirements().iter();
    for row in rows.filter(|row| row.level == crate::verdict::Level::Recorded) {
        assert!(owners.contains(row.id.as_str()), "{}", row.id);
    }
}

#[test]
fn the_first_observation_that_decides_is_the_witness() {
    let property = Property::OnlineRule;
    let observations = [
        // Says nothing, then narrows, then decides, then agrees.
        seen(
            property,
            &[
                Choice::OnlineByPush,
                Choice::OnlineByCheckIn,
                Choice::OnlineByBoth,
            ],
            "A",
            1,
        ),
        seen(
            property,
            &[Choice::OnlineByPush, Choice::OnlineByBoth],
            "B",
            2,
        ),
        seen(property, &[Choice::OnlineByPush], "C", 3),
        seen(
            property,
            &[Choice::OnlineByPush, Choice::OnlineByBoth],
            "D",
            4,
        ),
    ];
    for (upto, inferred, witness, count) in [
        (1, None, None, 0),
        (2, Some("push or both"), Some("B"), 1),
        (3, Some("push"), Some("C"), 2),
        (4, Some("push"), Some("C"), 3),
    ] {
        let judgement = judge(&Declarations::default(), &observations[..upto]);
        let report = report(&judgement, property);
        assert_eq!(report.declared, AUTO);
        assert_eq!(report.inferred.as_deref(), inferred, "{upto}");
        let device = report.witness.as_ref().map(|seen| seen.device.as_str());
        assert_eq!(device, witness, "{upto}");
        assert_eq!(report.observations, count, "{upto}");
        assert!(judgement.violations.is_empty(), "{upto}");
    }
}

#[test]
fn a_contradiction_names_both_witnesses_and_the_first_choice_stays() {
    let (policy, setting) = (Choice::WithholdPolicy, Choice::WithholdSetting);
    for (first, second, words) in [
        (policy, setting, ("policy", "setting")),
        (setting, policy, ("setting", "policy")),
    ] {
        let observations = [
            withhold(first, "A", 11),
            withhold(second, "B", 12),
            withhold(first, "C", 13),
            withhold(second, "D", 14),
        ];
        let judgement = judge(&Declarations::default(), &observations);
        let report = report(&judgement, Property::Withhold);
        assert_eq!(report.inferred.as_deref(), Some(words.0));
        assert_eq!((report.observations, report.contradictions), (4, 2));
        let devices = ["B", "D"].into_iter().zip([12, 14]);
        assert_eq!(judgement.violations.len(), 2);
        for ((owner, violation), (device, exchange)) in judgement.violations.iter().zip(devices) {
            assert_eq!(*owner, "REQ-CONFLICT-015");
            assert_eq!(violation.fingerprint, "choice-differs");
            let exchanges = [ExchangeId(11), ExchangeId(exchange)];
            assert_eq!(violation.exchanges, exchanges);
            let sentence = format!(
                "conflict.withhold: A shows `{}` (what A did, exchange 11); {device} shows `{}` (what {device} did, exchange {exchange})",
                words.0, words.1
            );
            assert_eq!(violation.seen, sentence);
        }
    }
}

#[test]
fn what_several_devices_exclude_together_is_a_contradiction_with_the_one_that_decided() {
    let property = Property::OnlineRule;
    let (push, check_in, both) = (
        Choice::OnlineByPush,
        Choice::OnlineByCheckIn,
        Choice::OnlineByBoth,
    );
    let observations = [
        seen(property, &[push, both], "A", 1),
        seen(property, &[check_in, both], "B", 2),
        seen(property, &[push, check_in], "C", 3),
    ];
    let judgement = judge(&Declarations::default(), &observations);
    let [(owner, violation)] = judgement.violations.as_slice() else {
        panic!("{:?}", judgement.violations);
    };
    assert_eq!(*owner, "REQ-ROTATE-007");
    assert!(violation.seen.contains("B shows `checkIn or both`"));
    assert!(violation.seen.contains("C shows `push or checkIn`"));
}

#[test]
fn a_declared_choice_is_asserted_from_the_first_observation_on() {
    let mut declared = Declarations::default();
    declared.declare(Property::Withhold, Choice::WithholdPolicy);
    for (shown, violated) in [
        (vec![Choice::WithholdPolicy], false),
        (vec![Choice::WithholdSetting], true),
    ] {
        let observation = seen(Property::Withhold, &shown, "A", 5);
        let judgement = judge(&declared, &[observation]);
        assert_eq!(!judgement.violations.is_empty(), violated);
        let report = report(&judgement, Property::Withhold);
        assert_eq!(report.declared, "policy");
        assert_eq!(report.inferred.as_deref(), Some(shown[0].word()));
        for (_, violation) in &judgement.violations {
            assert_eq!(violation.fingerprint, "choice-not-declared");
            assert!(
                violation.seen.contains("the profile declares `policy`"),
                "{}",
                violation.seen
            );
        }
    }
}

#[test]
fn a_target_that_may_take_its_time_may_also_be_quick() {
    let property = Property::OfflineForm;
    let quick = [Choice::FailedAtOnce, Choice::FailedLater];
    let observations = [
        seen(property, &quick, "A", 1),
        seen(property, &[Choice::FailedLater], "B", 2),
        seen(property, &quick, "C", 3),
    ];
    let judgement = judge(&Declarations::default(), &observations);
    assert!(judgement.violations.is_empty());
    let inferred = report(&judgement, property).inferred.as_deref();
    assert_eq!(inferred, Some("later"));
    let mut declared = Declarations::default();
    declared.declare(property, Choice::FailedAtOnce);
    let judgement = judge(&declared, &observations);
    assert_eq!(judgement.violations.len(), 1);
}

#[test]
fn what_is_no_choice_at_all_is_a_violation() {
    let observation = seen(Property::Unmanaged, &[], "A", 1);
    let judgement = judge(&Declarations::default(), &[observation]);
    let [(owner, violation)] = judgement.violations.as_slice() else {
        panic!("{:?}", judgement.violations);
    };
    assert_eq!(*owner, "REQ-ROTATE-005");
    assert_eq!(violation.fingerprint, "choice-not-acceptable");
    let reports = &judgement.reports;
    let lines = lines(reports);
    assert!(lines[1].contains("undecided"), "{lines:?}");
    assert!(lines[1].contains("CONTRADICTED 1 times"), "{lines:?}");
}

#[test]
fn violations_are_counted_for_the_requirement_that_owns_the_property() {
    let answer = |device: &str, choice| crate::case::ChoiceSeen {
        device: device.to_owned(),
        choice: String::new(),
        shows: vec![(Property::Unassign, vec![choice])],
        objection: None,
        exchanges: Vec::new(),
    };
    let case = Case::Choice(crate::case::ChoiceCase {
        question: crate::case::Question::Unassign,
        answers: vec![
            answer("A", Choice::UnassignDeletes),
            answer("B", Choice::UnassignKeeps),
        ],
    });
    let mut tallies = crate::checks::tally(std::slice::from_ref(&case));
    let held = tallies["REQ-ASSIGN-008"].clone();
    assert_eq!((held.armed, held.violated), (1, 0));
    let reports = settle(&Declarations::default(), &[case], &mut tallies);
    assert_eq!(tallies["REQ-ASSIGN-008"].violated, 1);
    let verdict = tallies["REQ-ASSIGN-008"].verdict(
        crate::verdict::Level::Recorded,
        crate::verdict::Standing::default(),
    );
    assert_eq!(verdict, crate::verdict::Verdict::Fail);
    let unassign = reports.iter().find(|one| one.property == "unassign.effect");
    assert_eq!(unassign.unwrap().contradictions, 1);
}
