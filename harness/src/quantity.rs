//! Numbers with units as people write them on the command line and in fleet files, read without
//! floating point.

/// A decimal number without sign, times ten to the power of `places`; more places, and what does
/// not fit, are refused.
#[must_use]
pub fn scaled(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let empty = whole.is_empty() && part.is_empty();
    if empty || part.len() > places || !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part:0<places$}").parse().ok()
}

/// A time such as `250us`, `1.5ms`, `10s`, `2m` or `8h`, in nanoseconds. A number without unit is
/// refused.
#[must_use]
pub fn time_ns(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ns: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    // Three places of any unit are whole nanoseconds, but for those of nanoseconds.
    let thousandths = scaled(number, 3)?;
    u64::try_from(u128::from(thousandths) * u128::from(unit_ns) / 1_000).ok()
}

/// A time as people read it, from its nanoseconds: the largest unit that leaves a whole number.
#[must_use]
pub fn spoken_ns(ns: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    let whole = |(unit_ns, _): &&(u64, &str)| ns > 0 && ns.is_multiple_of(*unit_ns);
    UNITS.iter().find(whole).map_or_else(
        || format!("{ns}ns"),
        |(unit_ns, name)| format!("{}{name}", ns / unit_ns),
    )
}

/// A measured time as people read it, from its microseconds: three digits or more of the unit that
/// fits, rounded down.
#[must_use]
pub fn rounded_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_read_exactly() {
        for (text, places, value) in [
            ("12", 0, Some(12)),
            ("0.5", 3, Some(500)),
            (".5", 1, Some(5)),
            ("1.2345", 3, None),
            ("", 3, None),
            (".", 3, None),
            ("-1", 3, None),
            ("1e3", 3, None),
            ("99999999999999999999", 0, None),
        ] {
            assert_eq!(scaled(text, places), value, "{text}");
        }
        for (text, ns) in [
            ("250us", Some(250_000)),
            ("1.5ms", Some(1_500_000)),
            ("10s", Some(10_000_000_000)),
            ("8h", Some(28_800_000_000_000)),
            ("2m", Some(120_000_000_000)),
            ("10", None),
            ("s", None),
            ("1d", None),
        ] {
            assert_eq!(time_ns(text), ns, "{text}");
        }
    }

    #[test]
    fn a_spoken_time_reads_back() {
        for text in ["0ns", "1ns", "250us", "1500ms", "10s", "90m", "8h"] {
            let ns = time_ns(text).unwrap();
            assert_eq!(time_ns(&spoken_ns(ns)), Some(ns), "{text}");
        }
    }

    #[test]
    fn a_measured_time_is_rounded_down_to_its_unit() {
        for (us, text) in [
            (0, "0 us"),
            (999, "999 us"),
            (1_009, "1.00 ms"),
            (999_999, "999.99 ms"),
            (2_775_039, "2.77 s"),
        ] {
            assert_eq!(rounded_us(us), text);
        }
    }
}
