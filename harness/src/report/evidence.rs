//! The proof of a violation: what was required, what was seen, why it matters, and the exchanges
//! with their secrets removed. One file a violation.

use serde::Serialize;
use uuid::Uuid;

use super::RequirementRow;
use super::redact::Redactor;
use crate::catalogue::{Requirement, Source};
use crate::error::Error;
use crate::transcript::{Exchange, ExchangeId, Plane, Transcript};
use crate::verdict::{Tally, Violation};

/// The schema of an evidence file.
pub const SCHEMA: &str = "muster.evidence/1";

/// Most exchanges that a file shows.
pub const EXCHANGES_MAX: usize = 50;

/// A file to be written below the report's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceFile {
    /// For example `evidence/REQ-ROTATE-003-1.json`.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Makes the evidence files of a requirement and names them in its row.
///
/// # Errors
/// [`Error::Harness`] when evidence cannot be put into JSON.
pub fn attach(
    row: &mut RequirementRow,
    requirement: &Requirement,
    tally: &Tally,
    transcript: &Transcript,
    redactor: &Redactor,
) -> Result<Vec<EvidenceFile>, Error> {
    let mut files = Vec::new();
    for (index, violation) in tally.violations.iter().enumerate() {
        let path = format!("{FOLDER}/{}-{}.json", row.id, index + 1);
        let document = Document::new(requirement, violation, transcript, redactor);
        let mut bytes = serde_json::to_vec_pretty(&document)
            .map_err(|error| Error::Harness(format!("{path}: {error}")))?;
        bytes.push(b'\n');
        files.push(EvidenceFile { path, bytes });
    }
    row.evidence = files.iter().map(|file| file.path.clone()).collect();
    Ok(files)
}

/// The folder of evidence files below the report's.
pub(super) const FOLDER: &str = "evidence";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    requirement: &'a str,
    title: &'a str,
    fingerprint: &'static str,
    required: String,
    seen: String,
    why: &'a str,
    given: &'a str,
    when: &'a str,
    then: &'a str,
    source: &'a [Source],
    exchanges: Vec<Shown>,
    /// Exchanges that are not shown: not kept, or beyond [`EXCHANGES_MAX`].
    exchanges_left_out: usize,
}

impl<'a> Document<'a> {
    fn new(
        requirement: &'a Requirement,
        violation: &Violation,
        transcript: &Transcript,
        redactor: &Redactor,
    ) -> Self {
        let exchanges: Vec<Shown> = violation
            .exchanges
            .iter()
            .take(EXCHANGES_MAX)
            .filter_map(|id| Some(Shown::new(*id, transcript.exchange(*id)?, redactor)))
            .collect();
        Self {
            schema: SCHEMA,
            requirement: &requirement.id,
            title: &requirement.title,
            fingerprint: violation.fingerprint,
            required: redactor.scan(&violation.required),
            seen: redactor.scan(&violation.seen),
            why: &requirement.why,
            given: &requirement.given,
            when: &requirement.when,
            then: &requirement.then,
            source: &requirement.source,
            exchanges_left_out: violation.exchanges.len() - exchanges.len(),
            exchanges,
        }
    }
}

/// An exchange as evidence shows it.
#[derive(Serialize)]
struct Shown {
    id: ExchangeId,
    plane: Plane,
    scope: &'static str,
    party: String,
    method: &'static str,
    path: String,
    client_request_id: Option<Uuid>,
    sent_at: String,
    received_at: Option<String>,
    status: Option<u16>,
    failure: Option<String>,
    request: String,
    response: String,
}

impl Shown {
    fn new(id: ExchangeId, exchange: Exchange, redactor: &Redactor) -> Self {
        Self {
            id,
            plane: exchange.plane,
            scope: exchange.scope,
            party: redactor.scan(&exchange.party),
            method: exchange.method,
            path: redactor.scan(&exchange.path),
            client_request_id: exchange.client_request_id,
            sent_at: exchange.sent_at.to_string(),
            received_at: exchange.received_at.map(|at| at.to_string()),
            status: exchange.status,
            failure: exchange.failure.map(|failure| redactor.scan(&failure)),
            request: redactor.body(&exchange.request),
            response: redactor.body(&exchange.response),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::time::UtcMillis;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::verdict::Finding;

    const PASSWORD: &str = "Vq2}ZxkR7#ab";

    fn exchange(n: i64) -> Exchange {
        Exchange {
            plane: Plane::Admin,
            scope: "rotate",
            party: "password-reader".to_owned(),
            method: "GET",
            path: "/v1.0/deviceLocalCredentials/1".to_owned(),
            client_request_id: Some(Uuid::from_u128(5)),
            sent_at: UtcMillis::from_millis(n),
            received_at: Some(UtcMillis::from_millis(n + 1)),
            request: Vec::new(),
            status: Some(200),
            response: format!(r#"{{"credentials":[{{"passwordBase64":"c2VjcmV0"}}],"n":{n}}}"#)
                .into_bytes(),
            failure: None,
        }
    }

    #[test]
    fn a_violation_leaves_its_proof_without_secrets() {
        let catalogue = Catalogue::builtin().unwrap();
        let requirement = catalogue.requirement("REQ-VIEW-002").unwrap();
        let redactor = Redactor::new([1; 16], [PASSWORD]).unwrap();
        let transcript = Transcript::default();
        let exchanges: Vec<ExchangeId> = (0..i64::try_from(EXCHANGES_MAX).unwrap() + 2)
            .map(|n| transcript.record(exchange(n)))
            .collect();
        let mut tally = Tally::default();
        for _ in 0..2 {
            tally.count(Finding::Violated(Violation {
                fingerprint: "password-without-being-asked",
                required: "no password".to_owned(),
                seen: format!("the password {PASSWORD}"),
                exchanges: exchanges.clone(),
            }));
        }
        let mut row = RequirementRow::new(
            requirement,
            (&tally, crate::verdict::Standing::default()),
            Vec::new(),
            &redactor,
        );
        let files = attach(&mut row, requirement, &tally, &transcript, &redactor).unwrap();

        assert_eq!(
            row.evidence,
            [
                "evidence/REQ-VIEW-002-1.json",
                "evidence/REQ-VIEW-002-2.json"
            ]
        );
        assert!(!row.violations[0].seen.contains(PASSWORD));
        for file in &files {
            let text = std::str::from_utf8(&file.bytes).unwrap();
            assert!(
                !text.contains(PASSWORD) && !text.contains("c2VjcmV0"),
                "{text}"
            );
            let document: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(document["required"], "no password");
            assert_eq!(document["why"], requirement.why.as_str());
            assert_eq!(
                document["exchanges"].as_array().unwrap().len(),
                EXCHANGES_MAX
            );
            assert_eq!(document["exchanges_left_out"], 2);
            assert_eq!(document["exchanges"][1]["status"], 200);
            assert_eq!(
                document["exchanges"][1]["sent_at"],
                "1970-01-01T00:00:00.0010000Z"
            );
        }
    }
}
