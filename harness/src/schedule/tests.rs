//! Schedules as a whole: counts, order, closed forms against counting, and shares of devices.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;

const S: u64 = 1_000_000_000;

fn of(shape: Shape, duration_ns: u64) -> Schedule {
    Schedule::new(&[Phase { shape, duration_ns }], 7).unwrap()
}

fn rate(per_s: u64) -> Rate {
    Rate::per_1000_s(per_s * 1_000)
}

#[test]
fn events_are_even_and_fill_the_phase() {
    for (per_1000_s, duration_ns, events, starts) in [
        (
            700_000,
            10_000_000_000,
            7_000,
            [(0, 0), (1, 1_428_571), (6_999, 9_998_571_428)],
        ),
        (
            3_000_000,
            20_000_000_000,
            60_000,
            [(0, 0), (3, 1_000_000), (59_999, 19_999_666_666)],
        ),
        (
            500,
            3_000_000_000,
            2,
            [(0, 0), (1, 2_000_000_000), (1, 2_000_000_000)],
        ),
    ] {
        let schedule = Schedule::constant(Rate::per_1000_s(per_1000_s), duration_ns);
        assert_eq!(schedule.events(), events);
        for (event, start_ns) in starts {
            assert_eq!(schedule.start_ns(event), start_ns);
        }
        assert!(schedule.start_ns(events - 1) < duration_ns);
        assert_eq!(schedule.start_ns(events), duration_ns);
    }
}

#[test]
fn each_shape_has_the_events_that_its_area_asks_for() {
    for (shape, seconds, events) in [
        (Shape::Constant(rate(500)), 10, 5_000),
        (Shape::Constant(Rate::ZERO), 10, 0),
        (Shape::Ramp(rate(0), rate(100)), 10, 500),
        (Shape::Ramp(rate(100), rate(0)), 10, 500),
        (Shape::Ramp(rate(100), rate(300)), 10, 2_000),
        (Shape::Ramp(rate(70), rate(70)), 10, 700),
        (Shape::Stairs(rate(100), rate(500), 5), 10, 3_000),
        (Shape::Stairs(rate(500), rate(100), 5), 10, 3_000),
        (Shape::Stairs(rate(9), rate(9), 1), 10, 90),
        (
            Shape::Storm {
                events: 1_234,
                spread_ns: 0,
            },
            10,
            1_234,
        ),
    ] {
        assert_eq!(of(shape, seconds * S).events(), events, "{shape:?}");
    }
}

#[test]
fn a_ramp_starts_its_events_where_counting_starts_them() {
    // Counting: the rate is constant within a microsecond to far below one event.
    let (from, to, duration_ns) = (20_u64, 180_u64, 2 * S);
    let schedule = of(Shape::Ramp(rate(from), rate(to)), duration_ns);
    let mut due = 0.0;
    let mut event = 0_u32;
    for step in 0..2_000_000_u32 {
        let share = f64::from(step) / 2e6;
        due += (20.0 + 160.0 * share) / 1e6;
        while f64::from(event) + 1.0 < due {
            event += 1;
            let counted_ns = u64::from(step) * 1_000;
            let planned_ns = schedule.start_ns(u64::from(event));
            assert!(
                planned_ns.abs_diff(counted_ns) <= 2_000,
                "event {event}: {planned_ns} planned, {counted_ns} counted"
            );
        }
    }
    assert_eq!(u64::from(event), schedule.events() - 1);
}

#[test]
fn a_flat_ramp_is_an_even_rate() {
    for per_s in [1, 3, 700, 9_999] {
        let flat = of(Shape::Ramp(rate(per_s), rate(per_s)), 3 * S);
        let even = Schedule::constant(rate(per_s), 3 * S);
        assert_eq!(flat.events(), even.events());
        for event in 0..even.events() {
            assert_eq!(
                flat.start_ns(event),
                even.start_ns(event),
                "{per_s}: {event}"
            );
        }
    }
}

#[test]
fn poisson_distances_have_their_mean_and_their_spread() {
    let schedule = of(Shape::Poisson(rate(1_000)), 100 * S);
    let again = of(Shape::Poisson(rate(1_000)), 100 * S);
    let events = u32::try_from(schedule.events()).unwrap();
    // The count is normal with deviation sqrt(100,000) = 316; five of them.
    assert!(events.abs_diff(100_000) < 1_600, "{events} events");
    let distances: Vec<f64> = (1..u64::from(events))
        .map(|event| schedule.start_ns(event) - schedule.start_ns(event - 1))
        .map(|ns| f64::from(u32::try_from(ns).unwrap()) / 1e6)
        .collect();
    let count = f64::from(events - 1);
    let mean = distances.iter().sum::<f64>() / count;
    let variance = distances.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / count;
    // Exponential: the deviation equals the mean, and a share of 1/e is longer than the mean.
    assert!((mean - 1.0).abs() < 0.02, "mean {mean} ms");
    assert!((variance.sqrt() - mean).abs() < 0.03, "variance {variance}");
    let longer = distances
        .iter()
        .filter(|distance| **distance > mean)
        .count();
    let share = f64::from(u32::try_from(longer).unwrap()) / count;
    assert!(
        (share - 0.3679).abs() < 0.01,
        "{share} longer than the mean"
    );
    for event in (0..u64::from(events)).step_by(997) {
        assert_eq!(schedule.start_ns(event), again.start_ns(event));
    }
    let other = Schedule::new(
        &[Phase {
            shape: Shape::Poisson(rate(1_000)),
            duration_ns: 100 * S,
        }],
        8,
    )
    .unwrap();
    assert_ne!(schedule.start_ns(500), other.start_ns(500));
}

#[test]
fn any_schedule_is_ordered_exact_and_dealt_out_whole() {
    for seed in 0..40 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let phases: Vec<Phase> = (0..rng.random_range(1..5)).map(|_| any(&mut rng)).collect();
        let schedule = Schedule::new(&phases, seed).unwrap();
        let shown = format!("seed {seed}: {phases:?}");
        let mut last_ns = 0;
        for event in 0..schedule.events() {
            let at_ns = schedule.start_ns(event);
            assert!(
                at_ns >= last_ns && at_ns < schedule.duration_ns(),
                "{shown}"
            );
            last_ns = at_ns;
        }
        // The events of a phase lie in it, and their number is that of the phase alone.
        let mut from_ns = 0;
        for phase in &phases {
            let to_ns = from_ns + phase.duration_ns;
            let inside = schedule.events_before(to_ns) - schedule.events_before(from_ns);
            let drawn = matches!(phase.shape, Shape::Poisson(_));
            let alone = Schedule::new(&[*phase], seed).unwrap().events();
            assert!(drawn || inside == alone, "{shown}");
            from_ns = to_ns;
        }
        dealt_out_whole(&schedule, rng.random_range(1..50));
    }
}

/// However many devices share the turns, every event is taken once, at the same time.
fn dealt_out_whole(schedule: &Schedule, devices: u64) {
    let mut starts = Vec::new();
    for place in 0..devices {
        let mut turns = Turns::new(place, devices, schedule.events());
        while let Some(event) = turns.peek() {
            starts.push((event, schedule.start_ns(event)));
            turns.advance();
        }
    }
    starts.sort_unstable();
    let expected: Vec<(u64, u64)> = (0..schedule.events())
        .map(|event| (event, schedule.start_ns(event)))
        .collect();
    assert_eq!(starts, expected);
}

fn any(rng: &mut Pcg64Mcg) -> Phase {
    let (one, two) = (
        Rate::per_million_s(rng.random_range(0..900_000_000)),
        Rate::per_million_s(rng.random_range(0..900_000_000)),
    );
    let duration_ns = rng.random_range(1..3 * S);
    let shape = match rng.random_range(0..5) {
        0 => Shape::Constant(one),
        1 => Shape::Ramp(one, two),
        2 => Shape::Stairs(one, two, rng.random_range(1..9)),
        3 => Shape::Poisson(one),
        _ => Shape::Storm {
            events: rng.random_range(0..900),
            spread_ns: rng.random_range(0..duration_ns),
        },
    };
    Phase { shape, duration_ns }
}

#[test]
fn compressed_time_holds_the_same_events() {
    for shape in [
        Shape::Constant(rate(3)),
        Shape::Ramp(rate(1), rate(9)),
        Shape::Stairs(rate(2), rate(8), 4),
        Shape::Storm {
            events: 50,
            spread_ns: S,
        },
    ] {
        let phase = Phase {
            shape,
            duration_ns: 60 * S,
        };
        let plain = Schedule::new(&[phase], 1).unwrap();
        let fast = Schedule::new(&[phase.compressed(60)], 1).unwrap();
        assert_eq!(plain.events(), fast.events(), "{shape:?}");
        assert_eq!(fast.duration_ns(), S);
        for event in 0..plain.events() {
            let expected = plain.start_ns(event) / 60;
            assert!(fast.start_ns(event).abs_diff(expected) <= 1, "{shape:?}");
        }
    }
}

#[test]
fn the_largest_phases_do_not_overflow_and_larger_ones_are_refused() {
    let largest = Phase {
        shape: Shape::Ramp(Rate::ZERO, Rate::per_million_s(1_900_000_000)),
        duration_ns: PHASE_NS_MAX,
    };
    let schedule = Schedule::new(&[largest], 1).unwrap();
    assert!(schedule.events() > 130_000_000);
    assert!(schedule.start_ns(schedule.events() - 1) < PHASE_NS_MAX);
    for (shape, duration_ns, error) in [
        (
            Shape::Constant(rate(1)),
            PHASE_NS_MAX + 1,
            ScheduleError::TooLong,
        ),
        (
            Shape::Constant(rate(1_000_000)),
            300 * S,
            ScheduleError::TooMany,
        ),
        (
            Shape::Storm {
                events: EVENTS_MAX + 1,
                spread_ns: 0,
            },
            S,
            ScheduleError::TooMany,
        ),
        (
            Shape::Stairs(rate(1), rate(2), 0),
            S,
            ScheduleError::Steps(0),
        ),
    ] {
        let refused = Schedule::new(&[Phase { shape, duration_ns }], 1);
        assert_eq!(refused.unwrap_err(), error, "{shape:?}");
    }
}

#[test]
fn events_before_a_time_are_counted_by_their_starts() {
    let schedule = Schedule::new(
        &[
            Phase {
                shape: Shape::Storm {
                    events: 3,
                    spread_ns: 0,
                },
                duration_ns: S,
            },
            Phase {
                shape: Shape::Constant(rate(2)),
                duration_ns: S,
            },
        ],
        1,
    )
    .unwrap();
    for (at_ns, before) in [(0, 0), (1, 3), (S, 3), (S + 1, 4), (2 * S, 5)] {
        assert_eq!(schedule.events_before(at_ns), before, "{at_ns}");
    }
}

#[test]
fn spread_instants_keep_equal_distances() {
    assert_eq!(
        spread(4, 8_000).collect::<Vec<_>>(),
        [1_000, 3_000, 5_000, 7_000]
    );
    assert_eq!(spread(0, 8_000).count(), 0);
}

#[test]
fn the_first_part_of_a_schedule_has_the_same_events_up_to_its_end() {
    let storm = Shape::Storm {
        events: 100,
        spread_ns: 10 * S,
    };
    let at_once = Shape::Storm {
        events: 100,
        spread_ns: 0,
    };
    for (shape, seconds, end_s, events) in [
        (Shape::Constant(rate(100)), 10, 4, Some(400)),
        // The slope stays: after half the time a quarter of the area.
        (Shape::Ramp(rate(0), rate(100)), 10, 5, Some(125)),
        (Shape::Ramp(rate(100), rate(0)), 10, 5, Some(375)),
        // 10 and 20 a second for 10 s each, half of the step with 30.
        (Shape::Stairs(rate(10), rate(50), 5), 50, 25, Some(450)),
        (Shape::Poisson(rate(200)), 10, 3, None),
        (storm, 30, 4, Some(40)),
        (storm, 30, 20, Some(100)),
        (at_once, 30, 1, Some(100)),
    ] {
        // Behind another phase, and before one that is not reached.
        let phases = [
            (Shape::Constant(rate(10)), 2),
            (shape, seconds),
            (Shape::Constant(rate(1_000)), 5),
        ];
        let phases = phases.map(|(shape, seconds)| Phase {
            shape,
            duration_ns: seconds * S,
        });
        let whole = Schedule::new(&phases, 7).unwrap();
        let end_ns = (2 + end_s) * S;
        let first = whole.clone().first(end_ns);
        assert_eq!(first.duration_ns(), end_ns, "{shape:?}");
        assert_eq!(first.events(), whole.events_before(end_ns), "{shape:?}");
        if let Some(events) = events {
            assert_eq!(first.events(), 20 + events, "{shape:?}");
        }
        for event in 0..first.events() {
            assert_eq!(first.start_ns(event), whole.start_ns(event), "{shape:?}");
        }
        assert_eq!(first.start_ns(first.events()), end_ns, "{shape:?}");
        let longer = whole.duration_ns() + 1;
        assert_eq!(whole.clone().first(longer).events(), whole.events());
        assert_eq!(
            whole.clone().first(longer).duration_ns(),
            whole.duration_ns()
        );
        assert_eq!(whole.first(0).events(), 0, "{shape:?}");
    }
}
