//! Sets of variants; what each variant changes is tested at the boundary.

use std::collections::BTreeSet;

use super::{Contradiction, EXCLUSIVE, VARIANTS, Variant, Variants};

#[test]
fn names_are_unique_and_found_again() {
    let names: BTreeSet<&str> = VARIANTS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), VARIANTS.len());
    for row in VARIANTS {
        assert_eq!(
            Variant::by_name(row.name),
            Some(row.variant),
            "{}",
            row.name
        );
        assert!(row.name.starts_with("V-") && !row.freedom.is_empty());
        let alone = Variants::of(&[row.variant]).unwrap();
        assert_eq!(alone.names(), [row.name]);
    }
    assert_eq!(Variant::by_name("V-NONE"), None);
    assert!(Variants::of(&[]).unwrap().is_empty());
}

#[test]
fn variants_that_contradict_each_other_are_refused() {
    let both = Variants::of(&[Variant::ListShuffled, Variant::ListReversed]);
    let named = Contradiction("V-LIST-reversed", "V-LIST-shuffled");
    assert_eq!(both, Err(named));
}

#[test]
fn a_mix_is_that_of_its_seed_and_without_contradictions() {
    let mut ever = BTreeSet::new();
    for seed in 0..200 {
        let mix = Variants::drawn(seed);
        assert_eq!(mix, Variants::drawn(seed), "seed {seed}");
        for group in EXCLUSIVE {
            let chosen = group.iter().filter(|variant| mix.has(**variant));
            assert!(chosen.count() <= 1, "seed {seed}: {group:?}");
        }
        ever.extend(mix.names());
    }
    assert_eq!(ever.len(), VARIANTS.len(), "each is drawn by some seed");
    assert_ne!(Variants::drawn(1), Variants::drawn(2));
}
