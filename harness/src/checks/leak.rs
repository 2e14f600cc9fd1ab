//! REQ-AUDIT-010: no password outside its upload and the reads that asked for it.

use super::{Breach, Check, finding};
use crate::case::{Case, LeakCase};
use crate::transcript::ExchangeId;
use crate::verdict::Finding;

pub(super) const CHECKS: &[Check] = &[Check {
    id: "audit.no-password.anywhere",
    requirement: "REQ-AUDIT-010",
    source: "F-010",
    judge: |case| {
        if let Case::Leak(case) = case {
            Some(no_password(case))
        } else {
            None
        }
    },
}];

/// Hits that are cited: one is enough to be believed, some more help to find the cause.
const CITED_MAX: usize = 8;

fn no_password(case: &LeakCase) -> Finding {
    // A search that does not even find the passwords that were uploaded would find nothing here.
    if case.searched == 0 || case.passwords == 0 || case.control == 0 {
        return Finding::NotArmed;
    }
    let breach = case.hits.first().map(|hit| {
        let place = case.place.as_str();
        let request = if hit.request.is_empty() {
            String::new()
        } else {
            format!(" ({})", hit.request)
        };
        let more = match case.hits.len() {
            1 => String::new(),
            count => format!("; {count} in all"),
        };
        Breach::new(
            "password-found",
            format!(
                "the password of {} stands {} in {place}{request}{more}",
                hit.device, hit.form
            ),
        )
    });
    let cited = case.hits.iter().filter_map(|hit| hit.exchange);
    let cited: Vec<ExchangeId> = cited.take(CITED_MAX).collect();
    finding(
        breach,
        "no password is found outside the upload of its device and the answers to explicit reads",
        &cited,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{LeakHit, LeakPlace};

    fn case(searched: u64, control: u64, hits: usize) -> LeakCase {
        let hit = LeakHit {
            device: "LAB-0001".to_owned(),
            form: "as base64",
            request: "GET /graph/beta/deviceManagement/auditEvents".to_owned(),
            exchange: Some(ExchangeId(7)),
        };
        LeakCase {
            place: LeakPlace::Audit,
            searched,
            passwords: 3,
            control,
            hits: vec![hit; hits],
        }
    }

    #[test]
    fn a_password_found_is_a_violation_and_a_blind_search_says_nothing() {
        for (case, judged) in [
            (case(0, 4, 0), "not armed"),
            (case(9, 0, 0), "not armed"),
            (case(9, 4, 0), "held"),
            (case(9, 4, 1), "violated"),
            (case(9, 4, 2), "violated"),
        ] {
            let word = match no_password(&case) {
                Finding::NotArmed => "not armed",
                Finding::Held => "held",
                Finding::Violated(violation) => {
                    assert_eq!(violation.exchanges.len(), case.hits.len());
                    assert!(violation.seen.contains("LAB-0001"), "{}", violation.seen);
                    "violated"
                }
            };
            assert_eq!(word, judged, "{case:?}");
        }
    }
}
