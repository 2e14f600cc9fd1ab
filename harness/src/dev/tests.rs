use std::collections::BTreeSet;

use emulator::DEVICE_FAULTS;

use super::*;

fn seen(row: &DevRow) -> String {
    row.violations
        .iter()
        .map(|violation| format!("{}: {}\n", violation.fingerprint, violation.seen))
        .collect()
}

#[tokio::test]
async fn a_device_without_fault_holds_every_row() {
    for seed in [1, 20_260_301, 0x5eed] {
        let rows = run(seed, None).await.unwrap();
        assert_eq!(rows.len(), DEV_REQUIREMENTS.len());
        for row in rows {
            assert!(row.armed > 0, "seed {seed}: {} not armed", row.requirement);
            assert_eq!(
                row.violated,
                0,
                "seed {seed}: {}\n{}",
                row.requirement,
                seen(&row)
            );
        }
    }
}

#[tokio::test]
async fn each_fault_turns_its_row_red() {
    let mut survivors = Vec::new();
    for fault in DEVICE_FAULTS {
        let rows = run(1, Some(fault.fault)).await.unwrap();
        let row = rows
            .iter()
            .find(|row| row.requirement == fault.requirement)
            .unwrap();
        // A device that breaks off is caught by noise, not by the judgement of the row.
        let judged = row
            .violations
            .iter()
            .any(|it| it.fingerprint != "device-broke-off");
        if !judged {
            survivors.push(format!(
                "{} ({} armed): {}",
                fault.name,
                row.armed,
                seen(row)
            ));
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}

#[test]
fn every_row_has_a_fault_and_every_fault_a_row() {
    let rows: BTreeSet<&str> = DEV_REQUIREMENTS.iter().copied().collect();
    let broken: BTreeSet<&str> = DEVICE_FAULTS.iter().map(|row| row.requirement).collect();
    assert_eq!(rows, broken);
    assert_eq!(rows.len(), 25);
}

#[test]
fn every_part_judges_rows_of_the_list_and_together_all_of_them() {
    let judged: BTreeSet<&str> = Part::ALL
        .iter()
        .flat_map(|part| part.requirements().iter().copied())
        .collect();
    assert_eq!(judged, DEV_REQUIREMENTS.iter().copied().collect());
}
