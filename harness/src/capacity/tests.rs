//! The search against targets made of arithmetic: sharp, noisy, flaky, never good, never bad.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;

const BOTH: [Plan; 2] = [Plan::FULL, Plan::QUICK];

fn rate(per_s: u64) -> Rate {
    Rate::per_1000_s(per_s * 1_000)
}

fn bad() -> Trial {
    Trial::Bad(Broke::Latency("p90 over its limit".to_owned()))
}

/// A good trial where the goals were kept.
fn good_if(kept: bool) -> Trial {
    if kept { Trial::Good } else { bad() }
}

/// Runs a search to its end: what was found, and the rates that were tried.
fn run(plan: Plan, mut target: impl FnMut(Rate) -> Trial) -> (Found, Vec<Rate>) {
    let mut search = Search::new(plan);
    let mut tried = Vec::new();
    loop {
        match search.next() {
            Step::Done(found) => return (found, tried),
            Step::Try(rate) => {
                assert_eq!(search.next(), Step::Try(rate), "asking changes nothing");
                assert!(rate >= plan.min && rate <= plan.max);
                tried.push(rate);
                search.tell(target(rate));
            }
        }
    }
}

fn bounds(found: &Found) -> (f64, f64) {
    let Found::Between { lower, upper, .. } = found else {
        panic!("{found:?}");
    };
    (lower.per_s(), upper.per_s())
}

#[test]
fn a_sharp_limit_is_bracketed_to_the_width() {
    for plan in BOTH {
        for limit in [2, 37, 64, 65, 200, 5_000, 99_999] {
            let (found, tried) = run(plan, |at| good_if(at <= rate(limit)));
            let (lower, upper) = bounds(&found);
            let limit_s = rate(limit).per_s();
            let width = f64::from(plan.width_permille) / 1_000.0;
            assert!(
                lower <= limit_s && limit_s < upper,
                "{limit}: {lower} to {upper}"
            );
            assert!(upper <= lower * (1.0 + width) + 0.001, "{lower} to {upper}");
            assert!(tried.len() < 40, "{} trials", tried.len());
            let confirmed = tried
                .iter()
                .rev()
                .take_while(|at| (at.per_s() - lower).abs() < 1e-6);
            let confirmations = usize::try_from(plan.confirmations).unwrap();
            assert!(confirmed.count() >= confirmations);
        }
    }
}

#[test]
fn a_noisy_limit_is_found_within_its_noise() {
    for seed in 0..50 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        // Within 10 % of the limit a trial may go either way.
        let (found, _) = run(Plan::FULL, |at| {
            let limit = 1_000.0 * rng.random_range(0.9..1.1);
            if at.per_s() <= limit {
                Trial::Good
            } else {
                bad()
            }
        });
        match found {
            Found::Between { lower, .. } => {
                let lower = lower.per_s();
                assert!((700.0..1_100.0).contains(&lower), "seed {seed}: {lower}");
            }
            Found::Undecided { .. } => {}
            Found::AtLeast(_) | Found::NeverGood { .. } => panic!("seed {seed}: {found:?}"),
        }
    }
}

#[test]
fn one_hiccup_below_the_limit_changes_nothing() {
    for hiccup in 0..12 {
        let mut trial = 0;
        let (found, _) = run(Plan::FULL, |at| {
            trial += 1;
            if trial - 1 == hiccup && at < rate(900) || at > rate(1_000) {
                bad()
            } else {
                Trial::Good
            }
        });
        let (lower, _) = bounds(&found);
        assert!(lower > 900.0, "hiccup {hiccup}: {lower}");
    }
}

#[test]
fn a_flaky_target_ends_and_never_as_zero() {
    for seed in 0..50 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        for plan in BOTH {
            let (found, tried) = run(plan, |_| good_if(rng.random_bool(0.5)));
            assert!(tried.len() <= usize::try_from(plan.trials_max).unwrap());
            match found {
                Found::Between { lower, .. } | Found::AtLeast(lower) => {
                    assert!(lower >= plan.min, "seed {seed}");
                }
                Found::NeverGood { tried, .. } => assert_eq!(tried, plan.min, "seed {seed}"),
                Found::Undecided { trials } => assert_eq!(trials, plan.trials_max),
            }
        }
    }
}

#[test]
fn extremes_are_told_in_their_own_words() {
    for plan in BOTH {
        let (never_bad, tried) = run(plan, |_| Trial::Good);
        assert_eq!(never_bad, Found::AtLeast(plan.max));
        assert!(tried.len() < 40);
        let (never_good, _) = run(plan, |_| bad());
        assert!(matches!(never_good, Found::NeverGood { tried, .. } if tried == plan.min));
    }
}

#[test]
fn what_broke_at_the_upper_bound_is_kept() {
    let (found, _) = run(Plan::QUICK, |at| {
        if at < rate(300) {
            Trial::Good
        } else if at < rate(310) {
            Trial::Bad(Broke::Errors("one failed".to_owned()))
        } else {
            bad()
        }
    });
    let Found::Between { broke, upper, .. } = found else {
        panic!("{found:?}");
    };
    let errors = matches!(broke, Broke::Errors(_));
    assert_eq!(errors, upper < rate(310), "{upper:?}: {broke}");
}

#[test]
fn a_trial_that_says_nothing_is_made_again() {
    for plan in BOTH {
        // All trials are worthless but one in so many that the search does not give a rate up.
        let mut trial = 0;
        let (found, _) = run(plan, |at| {
            trial += 1;
            if trial % plan.invalid_trials != 0 {
                Trial::Invalid("the machine was busy".to_owned())
            } else if at <= rate(200) {
                Trial::Good
            } else {
                bad()
            }
        });
        let (lower, upper) = bounds(&found);
        assert!(lower <= 200.0 && upper > 200.0, "{lower} to {upper}");
        // Always worthless: the generator is what cannot do it.
        let (found, tried) = run(plan, |_| Trial::Invalid("late".to_owned()));
        assert!(
            matches!(
                &found,
                Found::NeverGood {
                    broke: Broke::Generator(_),
                    ..
                }
            ),
            "{found:?}"
        );
        assert!(tried.len() <= usize::try_from(plan.trials_max).unwrap());
    }
}
