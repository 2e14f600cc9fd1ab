//! The answers of the enrolment plane and of the directory plane to a load device.

use protocol::enrollment::{
    AuthPolicy, DiscoverResponse, GetPoliciesResponse, PollSchedule, Reply, TokenResponse,
};
use uuid::Uuid;

use super::{Http, WrongAnswer};
use crate::http::Authority;

/// The media type of the enrolment plane (contract 1).
const SOAP: &str = "application/soap+xml";

/// What a device gets to know when it enrols, as far as later checks need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// `PROVIDER-ID`: names the management server in the device's tree.
    pub provider_id: Box<str>,
    /// `EntDMID`: the managed device.
    pub managed_id: Option<Uuid>,
    /// How often the device is to check in.
    pub poll: PollSchedule,
}

/// Checks the answer to a Discover message; `federated` tells whether the device offered it.
pub fn check_discovery(http: Http<'_>, federated: bool) -> Vec<WrongAnswer> {
    let mut wrong = Vec::new();
    http.check(SOAP, &mut wrong);
    let Some(found) = read(
        DiscoverResponse::decode(http.body),
        "DiscoverResponse",
        &mut wrong,
    ) else {
        return wrong;
    };
    // Contract 1: Federated when offered, else OnPremise; EnrollmentVersion 4.0.
    let expected = if federated {
        AuthPolicy::Federated
    } else {
        AuthPolicy::OnPremise
    };
    if found.auth_policy != expected {
        wrong.push(WrongAnswer::common(
            format!("AuthPolicy {}", expected.as_str()),
            format!("AuthPolicy {}", found.auth_policy.as_str()),
        ));
    }
    if found.enrollment_version != "4.0" {
        wrong.push(WrongAnswer::common(
            "EnrollmentVersion 4.0",
            format!("EnrollmentVersion {}", found.enrollment_version),
        ));
    }
    for url in [
        found.policy_url.as_deref(),
        Some(found.enrollment_url.as_str()),
    ] {
        let url = url.unwrap_or("none");
        if Authority::of_url(url).is_none() {
            wrong.push(WrongAnswer::common(
                "the URLs of both services",
                format!("URL `{url}`"),
            ));
        }
    }
    wrong
}

/// Checks the answer to a `GetPolicies` message.
pub fn check_policies(http: Http<'_>) -> Vec<WrongAnswer> {
    let mut wrong = Vec::new();
    http.check(SOAP, &mut wrong);
    let Some(found) = read(
        GetPoliciesResponse::decode(http.body),
        "GetPoliciesResponse",
        &mut wrong,
    ) else {
        return wrong;
    };
    // Contract 1: P-256 with SHA-256.
    if found.minimal_key_length != 256 {
        wrong.push(WrongAnswer::common(
            "minimalKeyLength 256",
            format!("minimalKeyLength {}", found.minimal_key_length),
        ));
    }
    if found.algorithm_oid != "1.2.840.10045.2.1" {
        wrong.push(WrongAnswer::common(
            "the algorithm 1.2.840.10045.2.1",
            format!("algorithm {}", found.algorithm_oid),
        ));
    }
    wrong
}

/// Checks the answer to a security token request of the device with this DeviceID.
pub fn check_token(http: Http<'_>, device_id: &str) -> (Vec<WrongAnswer>, Option<Provisioned>) {
    let mut wrong = Vec::new();
    http.check(SOAP, &mut wrong);
    let Some(found) = read(
        TokenResponse::decode(http.body),
        "token response",
        &mut wrong,
    ) else {
        return (wrong, None);
    };
    let document = &found.document;
    let managed_id = Uuid::parse_str(&document.dm_client.ent_dm_id).ok();
    if managed_id.is_none() {
        wrong.push(WrongAnswer::common(
            "a GUID as EntDMID",
            format!("`{}`", document.dm_client.ent_dm_id),
        ));
    }
    // The common name is a string in the certificate: its characters stand there as they are.
    let cn = device_id.as_bytes();
    if !document
        .client_der
        .windows(cn.len().max(1))
        .any(|window| window == cn)
    {
        wrong.push(WrongAnswer::common(
            format!("a certificate with the common name {device_id}"),
            format!(
                "{} bytes of certificate without it",
                document.client_der.len()
            ),
        ));
    }
    if document.root_der.is_empty() {
        wrong.push(WrongAnswer::common("the root certificate", "none"));
    }
    if Authority::of_url(&document.application.addr).is_none() {
        wrong.push(WrongAnswer::common(
            "the management URL as ADDR",
            format!("`{}`", document.application.addr),
        ));
    }
    let provider_id = document.application.provider_id.as_str();
    if provider_id.is_empty() {
        wrong.push(WrongAnswer::common("a PROVIDER-ID", "an empty one"));
    }
    (
        wrong,
        Some(Provisioned {
            provider_id: provider_id.into(),
            managed_id,
            poll: document.dm_client.poll,
        }),
    )
}

/// Checks the answer to the upload of a credential that nothing speaks against.
#[must_use]
pub fn check_directory(http: Http<'_>) -> Vec<WrongAnswer> {
    // Contract 0: 202 for 204 is open everywhere.
    if matches!(http.status, 202 | 204) {
        return Vec::new();
    }
    vec![WrongAnswer::common(
        "status 204 for the upload of a new password",
        format!("status {}", http.status),
    )]
}

fn read<T>(
    decoded: Result<Reply<T>, protocol::Malformed>,
    what: &str,
    wrong: &mut Vec<WrongAnswer>,
) -> Option<T> {
    let seen = match decoded {
        Ok(Reply::Answer(answer)) => return Some(answer),
        Ok(Reply::Fault(fault)) => format!("a fault: {}", fault.reason),
        Err(malformed) => malformed.to_string(),
    };
    wrong.push(WrongAnswer::common(format!("a {what}"), seen));
    None
}
