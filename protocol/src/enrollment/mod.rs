//! Enrolment as MS-MDE2 describes it: SOAP messages as types, reading and writing.
//!
//! Reading is tolerant where deployed servers and clients differ: any prefix, any order of
//! members, the SOAP 1.1 envelope, fault elements in lower case, a trailing slash on a namespace,
//! line breaks inside base64. Writing produces one form, without white space between elements.

mod envelope;
mod fault;
mod message;
mod provisioning;
mod read_provisioning;
mod read_request;
mod read_response;
mod write;
mod write_provisioning;

pub use fault::{Fault, FaultSubcode};
pub use message::{
    AuthPolicy, Credential, Discover, DiscoverResponse, GetPolicies, GetPoliciesResponse, Reply,
    Request, RequestSecurityToken, TokenResponse,
};
pub use provisioning::{
    AppAuth, Application, DmClient, PollSchedule, ProvisioningDocument, Retries, Store,
};
pub use read_request::decode_request;

/// The media type of every message.
pub const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";
/// Path of the discovery service, fixed by MS-MDE2.
pub const DISCOVERY_PATH: &str = "/EnrollmentServer/Discovery.svc";
/// `ValueType` of a token that the authentication service of the server issued.
pub const TOKEN_TYPE_USER: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken";
/// `ValueType` of a Microsoft Entra token.
pub const TOKEN_TYPE_JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// Object identifier of elliptic-curve keys.
pub const OID_EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
/// Object identifier of RSA keys.
pub const OID_RSA: &str = "1.2.840.113549.1.1.1";
/// Object identifier of SHA-256.
pub const OID_SHA256: &str = "2.16.840.1.101.3.4.2.1";

/// Namespaces and actions (wire-facts 1.2).
pub(crate) mod names {
    pub(crate) const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
    pub(crate) const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
    pub(crate) const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
    pub(crate) const UTILITY: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    pub(crate) const SECURITY: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    pub(crate) const BASE64_BINARY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary";
    pub(crate) const PASSWORD_TEXT: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
    pub(crate) const TRUST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
    pub(crate) const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue";
    pub(crate) const AUTHORIZATION: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization";
    pub(crate) const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
    pub(crate) const DISCOVERY: &str =
        "http://schemas.microsoft.com/windows/management/2012/01/enrollment";
    pub(crate) const POLICY: &str =
        "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy";
    pub(crate) const ENROLLMENT: &str =
        "http://schemas.microsoft.com/windows/pki/2009/01/enrollment";
    pub(crate) const PKCS10: &str =
        "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS10";
    pub(crate) const TOKEN: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken";
    /// Encoding of the management sessions; the binary one is not spoken here.
    pub(crate) const DEFAULT_ENCODING: &str = "application/vnd.syncml.dm+xml";
    pub(crate) const PROVISION_DOC: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentProvisionDoc";

    pub(crate) const ACTION_DISCOVER: &str = "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/Discover";
    pub(crate) const ACTION_DISCOVER_RESPONSE: &str = "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/DiscoverResponse";
    pub(crate) const ACTION_GET_POLICIES: &str =
        "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPolicies";
    pub(crate) const ACTION_GET_POLICIES_RESPONSE: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPoliciesResponse";
    pub(crate) const ACTION_RST: &str =
        "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RST/wstep";
    pub(crate) const ACTION_RSTRC: &str =
        "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RSTRC/wstep";
    /// Action of a fault (WS-Addressing 1.0 SOAP binding, section 6).
    pub(crate) const ACTION_FAULT: &str = "http://www.w3.org/2005/08/addressing/soap/fault";
}
