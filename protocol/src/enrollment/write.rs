//! Writing requests, answers and faults.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::envelope::{self, MUST_UNDERSTAND};
use super::{
    AuthPolicy, Credential, Discover, DiscoverResponse, Fault, GetPolicies, GetPoliciesResponse,
    RequestSecurityToken, TokenResponse, names,
};
use crate::xml::Writer;

impl Discover {
    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = envelope::open(names::ACTION_DISCOVER, &[]);
        write_addresses(&mut w, &self.message_id, &self.to);
        envelope::open_body(&mut w);
        w.open("Discover", &[("xmlns", names::DISCOVERY)]);
        w.open("request", &[]);
        w.leaf("EmailAddress", &[], &self.email_address);
        w.leaf("RequestVersion", &[], &self.request_version);
        w.leaf("DeviceType", &[], &self.device_type);
        w.leaf("ApplicationVersion", &[], &self.application_version);
        w.leaf("OSEdition", &[], &self.os_edition.to_string());
        w.open("AuthPolicies", &[]);
        for policy in self.auth_policies.iter().copied().map(AuthPolicy::as_str) {
            w.leaf("AuthPolicy", &[], policy);
        }
        w.into_bytes()
    }
}

impl GetPolicies {
    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = envelope::open(names::ACTION_GET_POLICIES, REQUEST_NAMESPACES);
        write_addresses(&mut w, &self.message_id, &self.to);
        write_security(&mut w, self.credential.as_ref());
        envelope::open_body(&mut w);
        w.open("GetPolicies", POLICY_NAMESPACES);
        w.open("client", &[]);
        nil(&mut w, &["lastUpdate", "preferredLanguage"]);
        w.close();
        nil(&mut w, &["requestFilter"]);
        w.into_bytes()
    }
}

impl RequestSecurityToken {
    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut namespaces = REQUEST_NAMESPACES.to_vec();
        namespaces.push(("xmlns:wst", names::TRUST));
        namespaces.push(("xmlns:ac", names::AUTHORIZATION));
        let mut w = envelope::open(names::ACTION_RST, &namespaces);
        write_addresses(&mut w, &self.message_id, &self.to);
        write_security(&mut w, self.credential.as_ref());
        envelope::open_body(&mut w);
        w.open("wst:RequestSecurityToken", &[]);
        w.leaf("wst:TokenType", &[], names::TOKEN);
        w.leaf("wst:RequestType", &[], names::ISSUE);
        let kind = [
            ("ValueType", names::PKCS10),
            ("EncodingType", names::BASE64_BINARY),
        ];
        let request = STANDARD.encode(&self.pkcs10_der);
        w.leaf("wsse:BinarySecurityToken", &kind, &request);
        // The default namespace is repeated because servers look for it here (wire-facts 1.6).
        w.open("ac:AdditionalContext", &[("xmlns", names::AUTHORIZATION)]);
        for (name, value) in &self.context {
            w.open("ac:ContextItem", &[("Name", name)]);
            w.leaf("ac:Value", &[], value);
            w.close();
        }
        w.into_bytes()
    }
}

impl DiscoverResponse {
    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = envelope::open(names::ACTION_DISCOVER_RESPONSE, &[]);
        w.leaf("a:RelatesTo", &[], &self.relates_to);
        envelope::open_body(&mut w);
        w.open("DiscoverResponse", &[("xmlns", names::DISCOVERY)]);
        w.open("DiscoverResult", &[]);
        w.leaf("AuthPolicy", &[], self.auth_policy.as_str());
        let version = Some(&self.enrollment_version).filter(|version| !version.is_empty());
        for (name, value) in [
            ("EnrollmentVersion", version),
            ("EnrollmentPolicyServiceUrl", self.policy_url.as_ref()),
            ("EnrollmentServiceUrl", Some(&self.enrollment_url)),
            ("AuthenticationServiceUrl", self.authentication_url.as_ref()),
        ] {
            if let Some(value) = value {
                w.leaf(name, &[], value);
            }
        }
        w.into_bytes()
    }
}

impl GetPoliciesResponse {
    /// Writes the message, with the members in the order of deployed servers (wire-facts 1.5).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = envelope::open(names::ACTION_GET_POLICIES_RESPONSE, &[]);
        w.leaf("a:RelatesTo", &[], &self.relates_to);
        envelope::open_body(&mut w);
        w.open("GetPoliciesResponse", POLICY_NAMESPACES);
        w.open("response", &[]);
        w.leaf("policyID", &[], POLICY_NAME);
        nil(
            &mut w,
            &[
                "policyFriendlyName",
                "nextUpdateHours",
                "policiesNotChanged",
            ],
        );
        w.open("policies", &[]);
        w.open("policy", &[]);
        w.leaf("policyOIDReference", &[], "0");
        nil(&mut w, &["cAs"]);
        self.write_attributes(&mut w);
        w.close();
        w.close();
        w.close();
        nil(&mut w, &["cAs"]);
        w.open("oIDs", &[]);
        write_oid(&mut w, HASH_REFERENCE, SIGNATURE_GROUP, &self.hash_oid);
        write_oid(&mut w, ALGORITHM_REFERENCE, KEY_GROUP, &self.algorithm_oid);
        w.into_bytes()
    }

    fn write_attributes(&self, w: &mut Writer) {
        w.open("attributes", &[]);
        w.leaf("commonName", &[], POLICY_NAME);
        w.leaf("policySchema", &[], "3");
        w.open("certificateValidity", &[]);
        w.leaf("validityPeriodSeconds", &[], &self.validity_s.to_string());
        w.leaf("renewalPeriodSeconds", &[], &self.renewal_s.to_string());
        w.close();
        w.open("permission", &[]);
        w.leaf("enroll", &[], "true");
        w.leaf("autoEnroll", &[], "false");
        w.close();
        w.open("privateKeyAttributes", &[]);
        w.leaf(
            "minimalKeyLength",
            &[],
            &self.minimal_key_length.to_string(),
        );
        nil(w, &["keySpec", "keyUsageProperty", "permissions"]);
        w.leaf("algorithmOIDReference", &[], ALGORITHM_REFERENCE);
        w.open("cryptoProviders", &[]);
        w.leaf("provider", &[], "Microsoft Platform Crypto Provider");
        w.leaf("provider", &[], "Microsoft Software Key Storage Provider");
        w.close();
        w.close();
        w.open("revision", &[]);
        w.leaf("majorRevision", &[], "101");
        w.leaf("minorRevision", &[], "0");
        w.close();
        nil(
            w,
            &["supersededPolicies", "privateKeyFlags", "subjectNameFlags"],
        );
        nil(w, &["enrollmentFlags", "generalFlags"]);
        w.leaf("hashAlgorithmOIDReference", &[], HASH_REFERENCE);
        nil(
            w,
            &["rARequirements", "keyArchivalAttributes", "extensions"],
        );
        w.close();
    }
}

impl TokenResponse {
    /// Writes the message with the provisioning document inside.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let namespaces = [("xmlns:u", names::UTILITY), ("xmlns:o", names::SECURITY)];
        let mut w = envelope::open(names::ACTION_RSTRC, &namespaces);
        w.leaf("a:RelatesTo", &[], &self.relates_to);
        w.open("o:Security", MUST_UNDERSTAND);
        w.open("u:Timestamp", &[("u:Id", "_0")]);
        w.leaf("u:Created", &[], &self.created.to_string());
        w.leaf("u:Expires", &[], &self.expires.to_string());
        w.close();
        w.close();
        envelope::open_body(&mut w);
        w.open(
            "RequestSecurityTokenResponseCollection",
            &[("xmlns", names::TRUST)],
        );
        w.open("RequestSecurityTokenResponse", &[]);
        w.leaf("TokenType", &[], names::TOKEN);
        w.leaf("DispositionMessage", &[("xmlns", names::ENROLLMENT)], "");
        w.open("RequestedSecurityToken", &[]);
        let kind = [
            ("xmlns", names::SECURITY),
            ("ValueType", names::PROVISION_DOC),
            ("EncodingType", names::BASE64_BINARY),
        ];
        let document = STANDARD.encode(self.document.encode());
        w.leaf("BinarySecurityToken", &kind, &document);
        w.close();
        w.leaf("RequestID", &[("xmlns", names::ENROLLMENT)], "0");
        w.into_bytes()
    }
}

impl Fault {
    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = envelope::open(names::ACTION_FAULT, &[]);
        if let Some(relates_to) = &self.relates_to {
            w.leaf("a:RelatesTo", &[], relates_to);
        }
        envelope::open_body(&mut w);
        w.open("s:Fault", &[]);
        w.open("s:Code", &[]);
        w.leaf("s:Value", &[], "s:Receiver");
        w.open("s:Subcode", &[]);
        let subcode = format!("{}:{}", self.subcode.prefix(), self.subcode.as_str());
        w.leaf("s:Value", &[], &subcode);
        w.close();
        w.close();
        w.open("s:Reason", &[]);
        w.leaf("s:Text", &[("xml:lang", "en-US")], &self.reason);
        w.close();
        if self.error_type.is_some() || self.trace_id.is_some() {
            self.write_detail(&mut w);
        }
        w.into_bytes()
    }

    fn write_detail(&self, w: &mut Writer) {
        w.open("s:Detail", &[]);
        w.open(
            "DeviceEnrollmentServiceError",
            &[("xmlns", names::ENROLLMENT)],
        );
        if let Some(error_type) = &self.error_type {
            w.leaf("ErrorType", &[], error_type);
        }
        w.leaf("Message", &[], &self.reason);
        if let Some(trace_id) = &self.trace_id {
            w.leaf("TraceId", &[], trace_id);
        }
        w.close();
        w.close();
    }
}

fn write_addresses(w: &mut Writer, message_id: &str, to: &str) {
    w.leaf("a:MessageID", &[], message_id);
    w.open("a:ReplyTo", &[]);
    w.leaf("a:Address", &[], names::ANONYMOUS);
    w.close();
    w.leaf("a:To", MUST_UNDERSTAND, to);
}

fn write_security(w: &mut Writer, credential: Option<&Credential>) {
    let Some(credential) = credential else {
        return;
    };
    w.open("wsse:Security", MUST_UNDERSTAND);
    match credential {
        Credential::Token { value_type, text } => {
            let kind = [
                ("ValueType", value_type.as_str()),
                ("EncodingType", names::BASE64_BINARY),
            ];
            w.leaf("wsse:BinarySecurityToken", &kind, text.expose());
        }
        Credential::UsernameToken { username, password } => {
            w.open("wsse:UsernameToken", &[("u:Id", USERNAME_TOKEN_ID)]);
            w.leaf("wsse:Username", &[], username);
            let kind = [("Type", names::PASSWORD_TEXT)];
            w.leaf("wsse:Password", &kind, password.expose());
            w.close();
        }
    }
    w.close();
}

fn write_oid(w: &mut Writer, reference: &str, group: &str, value: &str) {
    w.open("oID", &[]);
    w.leaf("value", &[], value);
    w.leaf("group", &[], group);
    w.leaf("oIDReferenceID", &[], reference);
    w.leaf("defaultName", &[], value);
    w.close();
}

fn nil(w: &mut Writer, names: &[&str]) {
    for name in names {
        w.empty(name, &[("xsi:nil", "true")]);
    }
}

const REQUEST_NAMESPACES: &[(&str, &str)] =
    &[("xmlns:u", names::UTILITY), ("xmlns:wsse", names::SECURITY)];
const POLICY_NAMESPACES: &[(&str, &str)] = &[
    ("xmlns", names::POLICY),
    ("xmlns:xsi", names::SCHEMA_INSTANCE),
];
/// The same in every enrolment (MS-MDE2 3.3).
const USERNAME_TOKEN_ID: &str = "uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4";
const POLICY_NAME: &str = "muster";
const HASH_REFERENCE: &str = "0";
const ALGORITHM_REFERENCE: &str = "1";
/// Groups as deployed servers give them (wire-facts 1.5).
const SIGNATURE_GROUP: &str = "4";
const KEY_GROUP: &str = "3";
