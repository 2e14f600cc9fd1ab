//! The messages of enrolment, apart from the fault and the provisioning document.

use std::fmt;

use super::{Fault, ProvisioningDocument};
use crate::secret::Secret;
use crate::time::UtcTicks;

/// A request to one of the three services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To the discovery service.
    Discover(Discover),
    /// To the policy service.
    GetPolicies(GetPolicies),
    /// To the enrolment service.
    RequestSecurityToken(RequestSecurityToken),
}

/// The answer to a request, or the fault in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<T> {
    /// The answer.
    Answer(T),
    /// The fault.
    Fault(Fault),
}

/// How the device proves who enrols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthPolicy {
    /// With user name and password.
    OnPremise,
    /// With a token.
    Federated,
    /// With a certificate.
    Certificate,
}

impl AuthPolicy {
    /// The text on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnPremise => "OnPremise",
            Self::Federated => "Federated",
            Self::Certificate => "Certificate",
        }
    }

    /// Reads the text on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::OnPremise, Self::Federated, Self::Certificate]
            .into_iter()
            .find(|policy| policy.as_str() == text)
    }
}

impl fmt::Display for AuthPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Asks for the URLs of the services and the way to authenticate (wire-facts 1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover {
    /// `urn:uuid:<guid>`.
    pub message_id: String,
    /// URL of the discovery service.
    pub to: String,
    /// User principal name, `DOMAIN\user`, or empty.
    pub email_address: String,
    /// For example `5.0`.
    pub request_version: String,
    /// `CIMClient_Windows` on a desktop.
    pub device_type: String,
    /// Version of the system, for example `10.0.26100.2314`.
    pub application_version: String,
    /// Product type, for example 4 for Enterprise.
    pub os_edition: u32,
    /// The ways to authenticate that the device offers; unknown ones are left out when reading.
    pub auth_policies: Vec<AuthPolicy>,
}

/// The answer to [`Discover`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverResponse {
    /// `message_id` of the request; empty when the answer names none.
    pub relates_to: String,
    /// The way to authenticate.
    pub auth_policy: AuthPolicy,
    /// For example `4.0`; empty when the answer names none.
    pub enrollment_version: String,
    /// URL of the policy service; without it the defaults hold (2048 bits).
    pub policy_url: Option<String>,
    /// URL of the enrolment service.
    pub enrollment_url: String,
    /// URL of the authentication service.
    pub authentication_url: Option<String>,
}

/// Who enrols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A `BinarySecurityToken`.
    Token {
        /// [`super::TOKEN_TYPE_USER`] or [`super::TOKEN_TYPE_JWT`].
        value_type: String,
        /// Content of the element, as it is.
        text: Secret,
    },
    /// A `UsernameToken`.
    UsernameToken {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
}

/// Asks for the rules of the key and the certificate (wire-facts 1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetPolicies {
    /// `urn:uuid:<guid>`.
    pub message_id: String,
    /// URL of the policy service.
    pub to: String,
    /// Who enrols; `None` when the request carries nothing of that kind.
    pub credential: Option<Credential>,
}

/// The answer to [`GetPolicies`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetPoliciesResponse {
    /// `message_id` of the request; empty when the answer names none.
    pub relates_to: String,
    /// Smallest key in bits.
    pub minimal_key_length: u32,
    /// Object identifier of the kind of key; empty when the answer names none.
    pub algorithm_oid: String,
    /// Object identifier of the digest; empty when the answer names none.
    pub hash_oid: String,
    /// Life of the certificate in seconds.
    pub validity_s: u32,
    /// When to renew it, in seconds before its end.
    pub renewal_s: u32,
}

/// Asks for the certificate and the provisioning document (wire-facts 1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSecurityToken {
    /// `urn:uuid:<guid>`.
    pub message_id: String,
    /// URL of the enrolment service.
    pub to: String,
    /// Who enrols; `None` when the request carries nothing of that kind.
    pub credential: Option<Credential>,
    /// The certificate request, DER.
    pub pkcs10_der: Vec<u8>,
    /// The context items in the order of the message; a name may repeat (`MAC`, `IMEI`).
    pub context: Vec<(String, String)>,
}

impl RequestSecurityToken {
    /// The first context item with this name.
    #[must_use]
    pub fn context_item(&self, name: &str) -> Option<&str> {
        self.context
            .iter()
            .find(|(item, _)| item == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The answer to [`RequestSecurityToken`] (wire-facts 1.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenResponse {
    /// `message_id` of the request; empty when the answer names none.
    pub relates_to: String,
    /// From when the answer holds.
    pub created: UtcTicks,
    /// Until when the answer holds.
    pub expires: UtcTicks,
    /// What the device installs.
    pub document: ProvisioningDocument,
}
