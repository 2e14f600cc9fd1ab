//! Calls that the target refused with 429: the only ones that are repeated, because nothing else
//! proves that a call had no effect.

use std::time::{Duration, SystemTime};

use crate::http::Answer;

/// How often one call is repeated.
const REPEATS_MAX: u8 = 5;
/// The longest pause that is kept; a target that asks for more is asked again all the same.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The pause where the target names none.
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);

/// How often a call may still be repeated.
#[derive(Debug)]
pub(crate) struct Repeats {
    left: u8,
}

impl Repeats {
    pub(crate) const fn new() -> Self {
        Self { left: REPEATS_MAX }
    }

    /// Waits as long as the target asked for; false when the answer is final.
    pub(crate) async fn again(&mut self, pause: Option<Duration>) -> bool {
        let Some(pause) = pause.filter(|_| self.left > 0) else {
            return false;
        };
        self.left -= 1;
        tokio::time::sleep(pause).await;
        true
    }
}

/// How long a refused call has to wait; `None` for every answer but 429 (contract 0).
pub(crate) fn pause(answer: &Answer) -> Option<Duration> {
    if answer.status != 429 {
        return None;
    }
    let named = answer
        .header("retry-after")
        .and_then(|after| asked_for(after, answer.header("date")));
    Some(named.unwrap_or(PAUSE_DEFAULT).min(PAUSE_MAX))
}

/// Seconds, or a date, which is held against that of the same answer: clocks may differ
/// (RFC 9110 10.2.3).
fn asked_for(after: &str, date: Option<&str>) -> Option<Duration> {
    let after = after.trim();
    if let Ok(seconds) = after.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(after).ok()?;
    let from: SystemTime = httpdate::parse_http_date(date?.trim()).ok()?;
    // Earlier than the answer: at once.
    Some(until.duration_since(from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_retry_after_are_understood() {
        let noon = Some("Sun, 06 Nov 1994 12:00:00 GMT");
        for (after, date, expected_s) in [
            ("0", None, Some(0)),
            (" 7 ", noon, Some(7)),
            ("Sun, 06 Nov 1994 12:00:03 GMT", noon, Some(3)),
            ("Sun, 06 Nov 1994 11:59:00 GMT", noon, Some(0)),
            ("Sun, 06 Nov 1994 12:00:03 GMT", None, None),
            ("soon", noon, None),
            ("-1", noon, None),
        ] {
            let expected = expected_s.map(Duration::from_secs);
            assert_eq!(asked_for(after, date), expected, "{after} at {date:?}");
        }
    }
}
