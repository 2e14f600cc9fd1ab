//! The enrolment messages of a device, as text.

use std::sync::OnceLock;

use rcgen::{CertificateParams, DnType, KeyPair};

use super::text::{base64, guid};
use super::xml::escape;

pub(crate) const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

const DISCOVERY: &str = "http://schemas.microsoft.com/windows/management/2012/01/enrollment";
const POLICY: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy";
const WSTEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment";
const SECEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

/// What the control plane handed out.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    Token(String),
    User(String, String),
    None,
}

/// The context items that an RST needs (contract 1).
pub(crate) const ITEMS: [&str; 8] = [
    "DeviceID",
    "HWDevID",
    "DeviceName",
    "DeviceType",
    "OSEdition",
    "OSVersion",
    "ApplicationVersion",
    "EnrollmentType",
];

/// Names and values of the context items of a device.
pub(crate) fn items(device_id: &str, name: &str, os: &str) -> Vec<(String, String)> {
    let values = [
        device_id,
        &format!("{device_id}{device_id}"),
        name,
        "CIMClient_Windows",
        "4",
        os,
        os,
        "Full",
    ];
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    ITEMS.into_iter().zip(values).map(pair).collect()
}

pub(crate) fn discover(message_id: &str, to: &str, policies: &[&str]) -> String {
    let policies: String = policies
        .iter()
        .map(|policy| format!("<AuthPolicy>{policy}</AuthPolicy>"))
        .collect();
    let action = format!("{DISCOVERY}/IDiscoveryService/Discover");
    let body = format!(
        "<Discover xmlns=\"{DISCOVERY}\"><request xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <EmailAddress>user@muster.test</EmailAddress><RequestVersion>4.0</RequestVersion>\
         <DeviceType>CIMClient_Windows</DeviceType><ApplicationVersion>10.0.26100.2314</ApplicationVersion>\
         <OSEdition>4</OSEdition><AuthPolicies>{policies}</AuthPolicies></request></Discover>"
    );
    envelope(&action, message_id, to, &Credential::None, &body)
}

pub(crate) fn get_policies(message_id: &str, to: &str, credential: &Credential) -> String {
    let action = format!("{POLICY}/IPolicy/GetPolicies");
    let body = format!(
        "<GetPolicies xmlns=\"{POLICY}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <client><lastUpdate xsi:nil=\"true\"/><preferredLanguage xsi:nil=\"true\"/></client>\
         <requestFilter xsi:nil=\"true\"/></GetPolicies>"
    );
    envelope(&action, message_id, to, credential, &body)
}

pub(crate) fn request_security_token(
    to: &str,
    credential: &Credential,
    pkcs10_base64: &str,
    items: &[(String, String)],
) -> String {
    let action = format!("{WSTEP}/RST/wstep");
    let items: String = items
        .iter()
        .map(|(name, value)| {
            let value = escape(value);
            format!("<ac:ContextItem Name=\"{name}\"><ac:Value>{value}</ac:Value></ac:ContextItem>")
        })
        .collect();
    let body = format!(
        "<wst:RequestSecurityToken xmlns:wst=\"http://docs.oasis-open.org/ws-sx/ws-trust/200512\">\
         <wst:TokenType>http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken</wst:TokenType>\
         <wst:RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</wst:RequestType>\
         <wsse:BinarySecurityToken ValueType=\"{WSTEP}#PKCS10\" EncodingType=\"{SECEXT}#base64binary\">{pkcs10_base64}</wsse:BinarySecurityToken>\
         <ac:AdditionalContext xmlns:ac=\"http://schemas.xmlsoap.org/ws/2006/12/authorization\">{items}</ac:AdditionalContext>\
         </wst:RequestSecurityToken>"
    );
    let message_id = format!("urn:uuid:{}", guid());
    envelope(&action, &message_id, to, credential, &body)
}

fn envelope(
    action: &str,
    message_id: &str,
    to: &str,
    credential: &Credential,
    body: &str,
) -> String {
    let security = match credential {
        Credential::None => String::new(),
        Credential::Token(token) => format!(
            "<wsse:Security s:mustUnderstand=\"1\"><wsse:BinarySecurityToken \
             ValueType=\"http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken\" \
             EncodingType=\"{SECEXT}#base64binary\">{token}</wsse:BinarySecurityToken></wsse:Security>"
        ),
        Credential::User(name, password) => format!(
            "<wsse:Security s:mustUnderstand=\"1\"><wsse:UsernameToken u:Id=\"uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4\">\
             <wsse:Username>{}</wsse:Username><wsse:Password \
             Type=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText\">{}</wsse:Password>\
             </wsse:UsernameToken></wsse:Security>",
            escape(name),
            escape(password)
        ),
    };
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://www.w3.org/2005/08/addressing\" \
         xmlns:u=\"{UTILITY}\" xmlns:wsse=\"{SECEXT}\"><s:Header>\
         <a:Action s:mustUnderstand=\"1\">{action}</a:Action><a:MessageID>{message_id}</a:MessageID>\
         <a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>\
         <a:To s:mustUnderstand=\"1\">{to}</a:To>{security}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// A P-256 certificate request, base64; the same one in the whole process.
pub(crate) fn p256_request() -> &'static str {
    static REQUEST: OnceLock<String> = OnceLock::new();
    REQUEST.get_or_init(|| request_with(&KeyPair::generate().unwrap()))
}

/// A certificate request for this key, base64.
pub(crate) fn request_with(key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    // The subject of the request is ignored (contract 1).
    params
        .distinguished_name
        .push(DnType::CommonName, "ignored");
    base64(params.serialize_request(key).unwrap().der())
}
