//! Thresholds: how they read, and what they say of measurements.

use super::*;
use crate::metrics::{End, Sample, Timings};
use crate::schedule::Books;

/// Check-ins that took 1 ms, 2 ms, ... and of which the last `failed` failed.
fn measured(count: u64, failed: u64, not_started: u64) -> Measured {
    let mut timings = Timings::new().unwrap();
    for place in 1..=count {
        let sample = Sample {
            intended_ns: 0,
            begun_ns: 0,
            sent_ns: 0,
            ended_ns: place * 1_000_000,
        };
        let end = if place > count - failed {
            End::Failed
        } else {
            End::Completed
        };
        timings.record(sample, end);
    }
    let mut measured = Measured {
        measured: Books {
            planned: count + not_started,
            started: count,
            not_started,
            completed: count - failed,
            failed,
        },
        ..Measured::default()
    };
    measured.add(Operation::CheckIn, &timings);
    measured
}

#[test]
fn thresholds_read_back_as_they_are_written() {
    for (text, canonical) in [
        ("check_in.latency.p99<250ms", "check_in.latency.p99<250ms"),
        (
            "check_in.latency.p99.9 <= 1.5s",
            "check_in.latency.p99.9<=1500ms",
        ),
        ("rotate.service_time.max<2s", "rotate.service_time.max<2s"),
        (
            "message.start_delay.p50<800us",
            "message.start_delay.p50<800us",
        ),
        ("error_ratio<0.1%", "check_in.error_ratio<0.1%"),
        ("error_ratio<=0.001", "check_in.error_ratio<=0.1%"),
        ("backup.error_ratio<=0%", "backup.error_ratio<=0%"),
    ] {
        let threshold: Threshold = text.parse().unwrap();
        assert_eq!(threshold.to_string(), canonical);
        assert_eq!(canonical.parse::<Threshold>(), Ok(threshold));
    }
}

#[test]
fn a_complaint_names_the_part_that_does_not_read() {
    for (text, named) in [
        ("", "no `<`"),
        ("check_in.latency.p99>5ms", "no `<`"),
        ("checkin.latency.p99<5ms", "`checkin` is no operation"),
        ("check_in.speed.p99<5ms", "`speed` is neither"),
        ("check_in.latency.p100<5ms", "`p100` is no percentile"),
        ("check_in.latency.p0<5ms", "`p0` is no percentile"),
        ("check_in.latency<5ms", "`` is no percentile"),
        ("check_in.latency.p99<5", "`5` is no time"),
        ("check_in.latency.p99<0ms", "`0ms` is no time"),
        ("error_ratio<101%", "`101%` is no ratio"),
        ("error_ratio<x", "`x` is no ratio"),
        ("latency<5ms", "names no operation"),
    ] {
        let complaint = text.parse::<Threshold>().unwrap_err();
        assert!(complaint.contains(named), "{text}: {complaint}");
        assert!(complaint.contains(&format!("`{text}`")), "{complaint}");
    }
}

#[test]
fn a_percentile_is_judged_on_enough_samples_only() {
    for (quantile, samples) in [
        (Quantile::PerMillion(500_000), 24_576),
        (Quantile::P90, 24_576),
        (Quantile::PerMillion(950_000), 57_344),
        (Quantile::P99, 270_336),
        (Quantile::PerMillion(999_000), 2_703_360),
        (Quantile::Max, 1),
    ] {
        assert_eq!(samples_needed(quantile), samples, "{quantile}");
    }
    let threshold: Threshold = "check_in.latency.p90<950ms".parse().unwrap();
    for (needed, result) in [
        (None, Held::TooFewSamples),
        (Some(1_001), Held::TooFewSamples),
        (Some(1_000), Held::Kept),
    ] {
        let judged = threshold.judge(&measured(1_000, 0, 0), needed);
        assert_eq!(judged.result, result, "{needed:?}");
        assert_eq!(judged.samples, 1_000);
    }
    let nothing = threshold.judge(&Measured::default(), Some(1));
    assert_eq!(nothing.result, Held::TooFewSamples, "silence is no pass");
}

#[test]
fn limits_are_kept_or_missed_by_their_comparison() {
    for (text, kept) in [
        ("check_in.latency.p50<496ms", true),
        ("check_in.latency.p50<495ms", false),
        ("check_in.latency.max<2s", true),
        ("check_in.latency.max<990ms", false),
        ("error_ratio<2%", false),
        ("error_ratio<=2%", true),
        ("error_ratio<1.9%", false),
        ("backup.error_ratio<1%", false),
    ] {
        let threshold: Threshold = text.parse().unwrap();
        // 20 of 1,000 planned ones failed or were not started.
        let judged = threshold.judge(&measured(990, 10, 10), Some(1));
        let result = match judged.result {
            Held::Kept => true,
            Held::Missed | Held::TooFewSamples => false,
        };
        assert_eq!(result, kept, "{text}: {judged:?}");
    }
}

#[test]
fn an_operation_that_was_planned_and_not_started_is_an_error_of_it() {
    let books = |not_started, failed| Books {
        planned: 100,
        started: 100 - not_started,
        not_started,
        completed: 100 - not_started - failed,
        failed,
    };
    for (books, held, said) in [
        (books(0, 0), Held::Kept, "0 of 100"),
        (books(0, 9), Held::Kept, "9 of 100"),
        (books(4, 6), Held::Missed, "10 of 100"),
        // None was begun: there is no time of it.
        (books(100, 0), Held::Missed, "100 of 100"),
    ] {
        for operation in [Operation::Rotate, Operation::CredentialRead] {
            let mut measured = measured(10, 0, 0);
            measured.books.insert(operation, books);
            let threshold: Threshold = format!("{operation}.error_ratio<10%").parse().unwrap();
            let judged = threshold.judge(&measured, None);
            let seen = (judged.result, judged.measured.as_str(), judged.samples);
            assert_eq!(seen, (held, said, 100), "{operation} {books:?}");
            let check_ins: Threshold = "error_ratio<10%".parse().unwrap();
            assert_eq!(check_ins.judge(&measured, None).measured, "0 of 10");
        }
    }
}

#[test]
fn a_threshold_is_lost_early_only_when_nothing_can_save_it() {
    let so_far = measured(100, 3, 0);
    for (text, planned, lost) in [
        // 100 samples of up to 100 ms: 10 of them above 90.5 ms, and 91 above 9.5 ms.
        ("check_in.latency.p90<90.5ms", 100, false),
        ("check_in.latency.p90<90.5ms", 90, true),
        ("check_in.latency.p90<90.5ms", 1_000, false),
        ("check_in.latency.p90<9.5ms", 900, true),
        ("check_in.latency.max<99.5ms", 1_000_000, true),
        ("check_in.latency.max<101ms", 1_000_000, false),
        ("error_ratio<3%", 100, true),
        ("error_ratio<=3%", 100, false),
        ("error_ratio<3%", 101, false),
    ] {
        let threshold: Threshold = text.parse().unwrap();
        assert_eq!(
            threshold.is_lost(&so_far, planned),
            lost,
            "{text} of {planned}"
        );
    }
}
