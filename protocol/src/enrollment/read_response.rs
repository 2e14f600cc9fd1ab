//! Reading answers, as a device does.

use super::envelope::{self, Envelope};
use super::{
    AuthPolicy, DiscoverResponse, Fault, FaultSubcode, GetPoliciesResponse, ProvisioningDocument,
    Reply, TokenResponse,
};
use crate::time::UtcTicks;
use crate::xml::Element;
use crate::{Malformed, MalformedKind};

impl DiscoverResponse {
    /// Reads the answer to a `Discover`.
    ///
    /// # Errors
    /// What is missing, doubled or wrong, by the name of its element.
    pub fn decode(bytes: &[u8]) -> Result<Reply<Self>, Malformed> {
        read(bytes, "DiscoverResponse", |relates_to, _, body| {
            let result = body.required("DiscoverResult")?;
            let policy = result.required_text("AuthPolicy")?;
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Ok(Self {
                relates_to,
                auth_policy: AuthPolicy::parse(policy)
                    .ok_or_else(|| result.wrong("AuthPolicy", policy))?,
                enrollment_version: owned(result.optional_text("EnrollmentVersion")?)
                    .unwrap_or_default(),
                policy_url: owned(result.optional_text("EnrollmentPolicyServiceUrl")?),
                enrollment_url: result.required_text("EnrollmentServiceUrl")?.to_owned(),
                authentication_url: owned(result.optional_text("AuthenticationServiceUrl")?),
            })
        })
    }
}

impl GetPoliciesResponse {
    /// Reads the answer to a `GetPolicies`; of several policies the first counts.
    ///
    /// # Errors
    /// What is missing, doubled or wrong, by the name of its element.
    pub fn decode(bytes: &[u8]) -> Result<Reply<Self>, Malformed> {
        read(bytes, "GetPoliciesResponse", |relates_to, _, body| {
            let policies = body.required("response")?.required("policies")?;
            let policy = policies
                .all("policy")
                .next()
                .ok_or_else(|| Malformed::new("policy", policies.offset, MalformedKind::Missing))?;
            let attributes = policy.required("attributes")?;
            let validity = attributes.required("certificateValidity")?;
            let key = attributes.required("privateKeyAttributes")?;
            let algorithm = key.optional_text("algorithmOIDReference")?;
            let hash = attributes.optional_text("hashAlgorithmOIDReference")?;
            Ok(Self {
                relates_to,
                minimal_key_length: key.required_number("minimalKeyLength")?,
                algorithm_oid: oid(body, algorithm)?,
                hash_oid: oid(body, hash)?,
                validity_s: validity.required_number("validityPeriodSeconds")?,
                renewal_s: validity.required_number("renewalPeriodSeconds")?,
            })
        })
    }
}

impl TokenResponse {
    /// Reads the answer to a `RequestSecurityToken` and the document inside it.
    ///
    /// # Errors
    /// What is missing, doubled or wrong, by the name of its element or its path in the document.
    pub fn decode(bytes: &[u8]) -> Result<Reply<Self>, Malformed> {
        read(
            bytes,
            "RequestSecurityTokenResponseCollection",
            |relates_to, header, body| {
                let header =
                    header.ok_or_else(|| Malformed::new("s:Header", 0, MalformedKind::Missing))?;
                let timestamp = header.required("o:Security")?.required("u:Timestamp")?;
                let token = body
                    .required("RequestSecurityTokenResponse")?
                    .required("RequestedSecurityToken")?
                    .required("BinarySecurityToken")?;
                let document = envelope::base64(token, "BinarySecurityToken")?;
                Ok(Self {
                    relates_to,
                    created: instant(timestamp, "u:Created")?,
                    expires: instant(timestamp, "u:Expires")?,
                    document: ProvisioningDocument::decode(&document)?,
                })
            },
        )
    }
}

impl Fault {
    /// Reads a fault; element names count in any case (wire-facts 1.9).
    fn read(relates_to: String, fault: &Element) -> Result<Self, Malformed> {
        let path = |names: &[&str]| {
            names
                .iter()
                .try_fold(fault, |element, name| element.child_in_any_case(name))
                .map(Element::text)
                .filter(|text| !text.is_empty())
        };
        // SOAP 1.1 has one code, which then says as much as the sub-code of 1.2.
        let code = path(&["Code", "Subcode", "Value"])
            .or_else(|| path(&["Code", "Value"]))
            .or_else(|| path(&["faultcode"]))
            .ok_or_else(|| Malformed::new("s:Subcode", fault.offset, MalformedKind::Missing))?;
        let reason = path(&["Reason", "Text"]).or_else(|| path(&["faultstring"]));
        let detail =
            |name| path(&["Detail", "DeviceEnrollmentServiceError", name]).map(str::to_owned);
        Ok(Self {
            relates_to: Some(relates_to).filter(|id| !id.is_empty()),
            subcode: FaultSubcode::parse(code),
            reason: reason.unwrap_or_default().to_owned(),
            error_type: detail("ErrorType"),
            trace_id: detail("TraceId"),
        })
    }
}

/// Reads an envelope whose body is `name` or a fault.
fn read<T>(
    bytes: &[u8],
    name: &str,
    answer: impl FnOnce(String, Option<&Element>, &Element) -> Result<T, Malformed>,
) -> Result<Reply<T>, Malformed> {
    let envelope = Envelope::read(bytes)?;
    let header = envelope.header()?;
    let relates_to = match header {
        Some(header) => header
            .optional_text("a:RelatesTo")?
            .unwrap_or_default()
            .to_owned(),
        None => String::new(),
    };
    let body = envelope.content()?;
    if body.name.eq_ignore_ascii_case("Fault") {
        return Fault::read(relates_to, body).map(Reply::Fault);
    }
    if body.name != name {
        return Err(Malformed::new(
            body.name.as_str(),
            body.offset,
            MalformedKind::Unexpected,
        ));
    }
    answer(relates_to, header, body).map(Reply::Answer)
}

/// The object identifier with this reference; empty when the policy refers to none.
fn oid(body: &Element, reference: Option<&str>) -> Result<String, Malformed> {
    let Some(reference) = reference else {
        return Ok(String::new());
    };
    let oids = body.required("oIDs")?;
    for oid in oids.all("oID") {
        if oid.optional_text("oIDReferenceID")? == Some(reference) {
            return Ok(oid.required_text("value")?.to_owned());
        }
    }
    Err(oids.wrong("oIDReferenceID", reference))
}

fn instant(parent: &Element, label: &str) -> Result<UtcTicks, Malformed> {
    let text = parent.required_text(label)?;
    UtcTicks::parse(text).map_err(|_shape| parent.wrong(label, text))
}
