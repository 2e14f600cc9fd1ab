//! Enrolment messages against golden bytes that were written by hand from MS-MDE2, both ways.

use protocol::enrollment::{
    AppAuth, Application, AuthPolicy, Credential, Discover, DiscoverResponse, DmClient, Fault,
    FaultSubcode, GetPolicies, GetPoliciesResponse, OID_EC_PUBLIC_KEY, OID_SHA256, PollSchedule,
    ProvisioningDocument, Reply, Request, RequestSecurityToken, Retries, Store, TOKEN_TYPE_USER,
    TokenResponse, decode_request,
};
use protocol::time::UtcTicks;
use protocol::{Malformed, MalformedKind};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/wire/enrollment/", $name)).trim_ascii_end()
    };
}

const DISCOVER: &str = golden!("discover.xml");
const DISCOVER_RESPONSE: &str = golden!("discover-response.xml");
const GET_POLICIES: &str = golden!("get-policies.xml");
const GET_POLICIES_RESPONSE: &str = golden!("get-policies-response.xml");
const RST_FEDERATED: &str = golden!("rst-federated.xml");
const RST_ON_PREMISE: &str = golden!("rst-onpremise.xml");
const RST_LAX: &str = golden!("rst-lax.xml");
const RSTRC: &str = golden!("rstrc.xml");
const PROVISIONING: &str = golden!("provisioning.xml");
const FAULT: &str = golden!("fault.xml");
const FAULT_LOWER_CASE: &str = golden!("fault-lower-case.xml");

#[test]
fn requests_read_and_write_as_the_golden_bytes() {
    check_request(
        DISCOVER,
        Request::Discover(discover()),
        &discover().encode(),
    );
    check_request(
        GET_POLICIES,
        Request::GetPolicies(get_policies()),
        &get_policies().encode(),
    );
    for (golden, credential) in [
        (RST_FEDERATED, token()),
        (
            RST_ON_PREMISE,
            Credential::UsernameToken {
                username: "TAILSPIN\\enroller".to_owned(),
                password: "p<q>&\"r".into(),
            },
        ),
    ] {
        let request = request_security_token(credential);
        let bytes = request.encode();
        check_request(golden, Request::RequestSecurityToken(request), &bytes);
    }
}

#[test]
fn answers_read_and_write_as_the_golden_bytes() {
    let discover = DiscoverResponse {
        relates_to: "urn:uuid:7f0c1e52-3a64-4d0b-9b1e-0a6f3d8c2e11".to_owned(),
        auth_policy: AuthPolicy::Federated,
        enrollment_version: "4.0".to_owned(),
        policy_url: Some("https://mdm.tailspin.example/EnrollmentServer/Policy.svc".to_owned()),
        enrollment_url: "https://mdm.tailspin.example/EnrollmentServer/Enrollment.svc".to_owned(),
        authentication_url: Some(
            "https://login.tailspin.example/enrol?mode=mdm&lang=en".to_owned(),
        ),
    };
    assert_eq!(text(&discover.encode()), DISCOVER_RESPONSE);
    assert_eq!(
        DiscoverResponse::decode(DISCOVER_RESPONSE.as_bytes()),
        Ok(Reply::Answer(discover))
    );

    let policies = GetPoliciesResponse {
        relates_to: "urn:uuid:c2a9b0d4-51be-4c7f-8f0e-9d6e2b7a4422".to_owned(),
        minimal_key_length: 256,
        algorithm_oid: OID_EC_PUBLIC_KEY.to_owned(),
        hash_oid: OID_SHA256.to_owned(),
        validity_s: 31_536_000,
        renewal_s: 3_628_800,
    };
    assert_eq!(text(&policies.encode()), GET_POLICIES_RESPONSE);
    assert_eq!(
        GetPoliciesResponse::decode(GET_POLICIES_RESPONSE.as_bytes()),
        Ok(Reply::Answer(policies))
    );

    let token = TokenResponse {
        relates_to: "urn:uuid:1d52f6c8-0e0b-4f0c-a4a7-5b7d5d0f3333".to_owned(),
        created: UtcTicks::parse("2026-03-11T09:25:00Z").unwrap(),
        expires: UtcTicks::parse("2026-03-11T09:35:00Z").unwrap(),
        document: document(),
    };
    assert_eq!(text(&token.encode()), RSTRC);
    assert_eq!(
        TokenResponse::decode(RSTRC.as_bytes()),
        Ok(Reply::Answer(token))
    );
}

#[test]
fn the_provisioning_document_reads_and_writes_as_the_golden_bytes() {
    assert_eq!(text(&document().encode()), PROVISIONING);
    assert_eq!(
        ProvisioningDocument::decode(PROVISIONING.as_bytes()),
        Ok(document())
    );
}

#[test]
fn a_fault_reads_and_writes_as_the_golden_bytes() {
    let fault = Fault {
        relates_to: Some("urn:uuid:1d52f6c8-0e0b-4f0c-a4a7-5b7d5d0f3333".to_owned()),
        subcode: FaultSubcode::Authorization,
        reason: "this user has as many devices as allowed".to_owned(),
        error_type: Some("DeviceCapReached".to_owned()),
        trace_id: Some("4f2d0d6e-98a3-4d55-a9c0-30c1f2a48888".to_owned()),
    };
    assert_eq!(text(&fault.encode()), FAULT);
    assert_eq!(fault_of(TokenResponse::decode(FAULT.as_bytes())), fault);
    assert_eq!(fault_of(DiscoverResponse::decode(FAULT.as_bytes())), fault);
    assert_eq!(
        fault_of(GetPoliciesResponse::decode(FAULT.as_bytes())),
        fault
    );
}

#[test]
fn a_fault_in_lower_case_and_a_fault_without_header_are_read() {
    let fault = fault_of(TokenResponse::decode(FAULT_LOWER_CASE.as_bytes()));
    assert_eq!(fault.subcode, FaultSubcode::MessageFormat);
    assert_eq!(fault.subcode.hresult(), Some(0x8018_0001));
    assert_eq!(fault.reason, "no device id");
    assert_eq!((fault.relates_to, fault.error_type), (None, None));
}

#[test]
fn every_subcode_comes_back_and_an_unknown_one_survives() {
    for (name, subcode, hresult) in [
        (
            "s:MessageFormat",
            FaultSubcode::MessageFormat,
            Some(0x8018_0001),
        ),
        (
            "s:Authentication",
            FaultSubcode::Authentication,
            Some(0x8018_0002),
        ),
        (
            "s:Authorization",
            FaultSubcode::Authorization,
            Some(0x8018_0003),
        ),
        (
            "s:CertificateRequest",
            FaultSubcode::CertificateRequest,
            Some(0x8018_0004),
        ),
        (
            "s:EnrollmentServer",
            FaultSubcode::EnrollmentServer,
            Some(0x8018_0005),
        ),
        (
            "a:InternalServiceFault",
            FaultSubcode::InternalServiceFault,
            Some(0x8018_0006),
        ),
        (
            "a:InvalidSecurity",
            FaultSubcode::InvalidSecurity,
            Some(0x8018_0007),
        ),
        (
            "s:Tailspin",
            FaultSubcode::Other("Tailspin".to_owned()),
            None,
        ),
    ] {
        let fault = Fault {
            relates_to: None,
            subcode: subcode.clone(),
            reason: "reason".to_owned(),
            error_type: None,
            trace_id: None,
        };
        let bytes = fault.encode();
        assert!(
            text(&bytes).contains(&format!("<s:Value>{name}</s:Value>")),
            "{name}"
        );
        assert_eq!(fault_of(DiscoverResponse::decode(&bytes)), fault);
        assert_eq!(subcode.hresult(), hresult, "{name}");
    }
}

#[test]
fn a_request_in_other_prefixes_another_order_and_lines_of_base64_is_read() {
    let Request::RequestSecurityToken(request) = decode_request(RST_LAX.as_bytes()).unwrap() else {
        panic!("another request");
    };
    assert_eq!(
        request.message_id,
        "urn:uuid:1d52f6c8-0e0b-4f0c-a4a7-5b7d5d0f3333"
    );
    assert_eq!(request.pkcs10_der, PKCS10);
    assert_eq!(
        request.credential,
        Some(Credential::UsernameToken {
            username: "enroller".to_owned(),
            password: "p<q".into(),
        })
    );
    assert_eq!(request.context_item("Locale"), Some(""));
    assert_eq!(request.context_item("HWDevID"), None);
}

#[test]
fn a_trailing_slash_of_the_discovery_namespace_is_read() {
    let lax = DISCOVER.replace("2012/01/enrollment\"", "2012/01/enrollment/\"");
    assert_ne!(lax, DISCOVER);
    assert_eq!(
        decode_request(lax.as_bytes()),
        Ok(Request::Discover(discover()))
    );
}

#[test]
fn a_request_without_credential_is_read() {
    let bare = GetPolicies {
        credential: None,
        ..get_policies()
    };
    assert_eq!(
        decode_request(&bare.encode()),
        Ok(Request::GetPolicies(bare))
    );
}

#[test]
fn the_first_of_repeated_context_items_is_found_and_all_are_kept() {
    let request = request_security_token(token());
    assert_eq!(request.context_item("MAC"), Some("00-15-5D-01-02-03"));
    assert_eq!(
        request
            .context
            .iter()
            .filter(|(name, _)| name == "MAC")
            .count(),
        2
    );
}

#[test]
fn a_request_without_a_required_element_names_it() {
    for (golden, elements) in [
        (DISCOVER, MISSING_IN_DISCOVER),
        (GET_POLICIES, &["client"]),
        (RST_FEDERATED, &["wst:TokenType", "wst:RequestType"]),
    ] {
        for element in elements {
            let error = decode_request(without(golden, element).as_bytes()).unwrap_err();
            assert_eq!(complaint(&error), format!("{element}: missing"));
        }
    }
}

const MISSING_IN_DISCOVER: &[&str] = &[
    "s:Header",
    "s:Body",
    "a:Action",
    "a:MessageID",
    "a:To",
    "request",
    "EmailAddress",
    "RequestVersion",
    "DeviceType",
    "ApplicationVersion",
    "OSEdition",
    "AuthPolicies",
];

#[test]
fn a_malformed_request_names_the_element() {
    for (golden, from, to, expected) in MALFORMED_REQUESTS {
        assert!(golden.contains(from), "{from}");
        let error = decode_request(golden.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(complaint(&error), *expected, "{from} -> {to}");
    }
}

#[rustfmt::skip]
const MALFORMED_REQUESTS: &[(&str, &str, &str, &str)] = &[
    (DISCOVER, ">4<", ">four<", "OSEdition: value four"),
    (DISCOVER, ">4<", ">-4<", "OSEdition: value -4"),
    (DISCOVER, ">5.0<", "><", "RequestVersion: missing"),
    (DISCOVER, "s:Envelope", "s:Letter", "Letter: unexpected"),
    (DISCOVER, "<s:Body>", "<s:Body><x/>", "Discover: unexpected"),
    (RST_FEDERATED, "MAYCAQACAQE=", "*", "wsse:BinarySecurityToken: value not base64"),
    (RST_FEDERATED, "MAYCAQACAQE=", " ", "wsse:BinarySecurityToken: missing"),
    (RST_FEDERATED, "200512/Issue", "200512/Renew", "wst:RequestType: value http://docs.oasis-open.org/ws-sx/ws-trust/200512/Renew"),
    (RST_FEDERATED, "enrollment#PKCS10", "enrollment#PKCS7", "wsse:BinarySecurityToken@ValueType: value http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7"),
    (RST_FEDERATED, "ContextItem Name=\"MAC\"", "ContextItem", "ac:ContextItem@Name: missing"),
    (RST_FEDERATED, "RST/wstep", "X/wstep", "a:Action: value http://schemas.microsoft.com/windows/pki/2009/01/enrollment/X/wstep"),
    (FAULT, "Receiver", "Sender", "Fault: unexpected"),
];

#[test]
fn a_doubled_element_is_named_with_its_place() {
    let doubled = DISCOVER.replace("<a:To ", "<a:MessageID>urn:uuid:2</a:MessageID><a:To ");
    let error = decode_request(doubled.as_bytes()).unwrap_err();
    assert_eq!(complaint(&error), "a:MessageID: repeated");
    assert_eq!(Some(error.offset), doubled.find("<a:MessageID>urn:uuid:2"));
}

#[test]
fn a_document_type_is_refused() {
    let doctype = format!("<!DOCTYPE x [<!ENTITY y \"z\">]>{DISCOVER}");
    let error = decode_request(doctype.as_bytes()).unwrap_err();
    assert_eq!(error.kind, MalformedKind::DoctypeRefused);
}

#[test]
fn an_answer_without_what_the_device_needs_names_it() {
    for (expected, error) in [
        (
            "EnrollmentServiceUrl: missing",
            DiscoverResponse::decode(without(DISCOVER_RESPONSE, "EnrollmentServiceUrl").as_bytes())
                .unwrap_err(),
        ),
        (
            "minimalKeyLength: missing",
            GetPoliciesResponse::decode(
                without(GET_POLICIES_RESPONSE, "minimalKeyLength").as_bytes(),
            )
            .unwrap_err(),
        ),
        (
            "u:Timestamp: missing",
            TokenResponse::decode(without(RSTRC, "u:Timestamp").as_bytes()).unwrap_err(),
        ),
        (
            "RequestedSecurityToken: missing",
            TokenResponse::decode(without(RSTRC, "RequestedSecurityToken").as_bytes()).unwrap_err(),
        ),
        (
            "DiscoverResponse: unexpected",
            TokenResponse::decode(DISCOVER_RESPONSE.as_bytes()).unwrap_err(),
        ),
        (
            "s:Subcode: missing",
            TokenResponse::decode(without(FAULT, "s:Code").as_bytes()).unwrap_err(),
        ),
    ] {
        assert_eq!(complaint(&error), expected);
    }
}

#[test]
fn an_answer_that_leaves_out_what_is_optional_is_read() {
    let sparse = [
        "EnrollmentVersion",
        "EnrollmentPolicyServiceUrl",
        "AuthenticationServiceUrl",
    ]
    .iter()
    .fold(DISCOVER_RESPONSE.to_owned(), |message, name| {
        without(&message, name)
    });
    let Ok(Reply::Answer(answer)) = DiscoverResponse::decode(sparse.as_bytes()) else {
        panic!("no answer");
    };
    assert_eq!((answer.policy_url, answer.authentication_url), (None, None));
    assert_eq!(answer.enrollment_version, "");
}

#[test]
fn a_malformed_provisioning_document_names_the_path() {
    for (from, to, expected) in MALFORMED_DOCUMENTS {
        assert!(PROVISIONING.contains(from), "{from}");
        let changed = PROVISIONING.replace(from, to);
        let error = ProvisioningDocument::decode(changed.as_bytes()).unwrap_err();
        assert_eq!(complaint(&error), *expected, "{from} -> {to}");
    }
}

#[rustfmt::skip]
const MALFORMED_DOCUMENTS: &[(&str, &str, &str)] = &[
    ("\"CertificateStore\"", "\"Store\"", "Store: unexpected"),
    ("\"Root\"", "\"CA\"", "CertificateStore/Root: missing"),
    ("\"My\"", "\"Ours\"", "CertificateStore/My: missing"),
    ("\"User\"", "\"Users\"", "CertificateStore/My/User: missing"),
    ("\"Renew\"", "\"Again\"", "CertificateStore/My/WSTEP/Renew: missing"),
    ("value=\"60\" datatype=\"integer\"", "value=\"60\"", "CertificateStore/My/WSTEP/Renew/RenewPeriod@datatype: missing"),
    ("value=\"60\"", "value=\"sixty\"", "CertificateStore/My/WSTEP/Renew/RenewPeriod: value sixty"),
    ("\"PrivateKeyContainer\"", "\"Key\"", "CertificateStore/My/User/8D6E7FAF4D1D4C4EC72AC30EC2AE2686EBA94226/PrivateKeyContainer: missing"),
    ("8D6E7FAF", "00000000", "CertificateStore/My/User/<thumbprint>: value 000000004D1D4C4EC72AC30EC2AE2686EBA94226"),
    ("MAMCAQE=", "MAMCAQE", "CertificateStore/Root/System/90D80B0214715C2117F1DB310CC56F1E87DC4775/EncodedCertificate: value not base64"),
    ("\"w7\"", "\"w4\"", "APPLICATION/APPID: value w4"),
    ("\"ADDR\"", "\"Addr\"", "APPLICATION/ADDR: missing"),
    ("\"PROVIDER-ID\" value=\"Tailspin\"", "\"PROVIDER-ID\" value=\"Other\"", "DMClient/Provider/Other: missing"),
    ("\"CLIENT\"", "\"SERVER\"", "APPLICATION/APPAUTH[CLIENT]: missing"),
    ("value=\"ZGV2aWNlIG5vbmNl\"", "", "APPLICATION/APPAUTH/AAUTHDATA: missing"),
    ("\"AAUTHNAME\"", "\"NAME\"", "APPLICATION/APPAUTH/AAUTHNAME: missing"),
    ("dm+xml", "dm+wbxml", "APPLICATION/DEFAULTENCODING: value application/vnd.syncml.dm+wbxml"),
    ("value=\"480\"", "value=\"-1\"", "DMClient/Provider/Tailspin/Poll/IntervalForRemainingScheduledRetries: value -1"),
    ("NumberOfSecondRetries", "NumberOfFirstRetries", "DMClient/Provider/Tailspin/Poll/NumberOfFirstRetries: repeated"),
];

#[test]
fn what_the_document_leaves_out_takes_its_default() {
    let sparse = PROVISIONING
        .replace("\"RenewPeriod\"", "\"Unknown\"")
        .replace("\"EntDMID\"", "\"Unknown\"")
        .replace("\"UPN\"", "\"Unknown\"")
        .replace("type=\"Poll\"", "type=\"Later\"");
    let read = ProvisioningDocument::decode(sparse.as_bytes()).unwrap();
    assert_eq!(read.renew_period_days, 42);
    assert_eq!(read.dm_client.poll, PollSchedule::DEFAULT);
    assert_eq!(read.dm_client.ent_dm_id, "");
    assert_eq!(read.dm_client.upn, None);
}

#[test]
fn debug_output_shows_no_secret() {
    let shown = format!(
        "{:?}{:?}{:?}",
        request_security_token(token()),
        decode_request(RST_ON_PREMISE.as_bytes()),
        document()
    );
    for secret in [
        "dG9rZW4gb2YgUEMtMDAwMDQy",
        "p<q>",
        "server secret",
        "device secret",
    ] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn no_mutation_of_a_golden_message_panics() {
    let seed = 0x6d75_7374_6572;
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    for round in 0..300 {
        for golden in ALL {
            let bytes = mutated(golden.as_bytes(), &mut rng);
            let outcome = std::panic::catch_unwind(|| read_as_everything(&bytes));
            let shown = String::from_utf8_lossy(&bytes);
            assert!(outcome.is_ok(), "seed {seed}, round {round}: {shown}");
        }
    }
}

const ALL: [&str; 11] = [
    DISCOVER,
    DISCOVER_RESPONSE,
    GET_POLICIES,
    GET_POLICIES_RESPONSE,
    RST_FEDERATED,
    RST_ON_PREMISE,
    RST_LAX,
    RSTRC,
    PROVISIONING,
    FAULT,
    FAULT_LOWER_CASE,
];

/// Reads the bytes with every reader; what is read must be written and read again alike.
fn read_as_everything(bytes: &[u8]) {
    match decode_request(bytes) {
        Ok(Request::Discover(request)) => {
            assert_eq!(
                decode_request(&request.encode()),
                Ok(Request::Discover(request))
            );
        }
        Ok(Request::GetPolicies(request)) => {
            assert_eq!(
                decode_request(&request.encode()),
                Ok(Request::GetPolicies(request))
            );
        }
        Ok(Request::RequestSecurityToken(request)) => {
            let again = decode_request(&request.encode());
            assert_eq!(again, Ok(Request::RequestSecurityToken(request)));
        }
        Err(error) => assert!(!error.element.is_empty()),
    }
    if let Ok(Reply::Answer(answer)) = TokenResponse::decode(bytes) {
        assert_eq!(
            TokenResponse::decode(&answer.encode()),
            Ok(Reply::Answer(answer))
        );
    }
    if let Ok(document) = ProvisioningDocument::decode(bytes) {
        assert_eq!(
            ProvisioningDocument::decode(&document.encode()),
            Ok(document)
        );
    }
    drop(DiscoverResponse::decode(bytes));
    drop(GetPoliciesResponse::decode(bytes));
}

/// One to three small changes: a byte changed, a stretch cut, doubled or moved.
fn mutated(golden: &[u8], rng: &mut Pcg64Mcg) -> Vec<u8> {
    const TELLING: &[u8] = b"<>/&;\"'= :!?-[]\0\xff\xc3";
    let mut bytes = golden.to_vec();
    for _ in 0..rng.random_range(1..=3) {
        let at = rng.random_range(0..bytes.len());
        let end = (at + rng.random_range(1..40)).min(bytes.len());
        match rng.random_range(0..4) {
            0 => bytes[at] = TELLING[rng.random_range(0..TELLING.len())],
            1 => drop(bytes.drain(at..end)),
            2 => {
                let stretch = bytes[at..end].to_vec();
                bytes.splice(at..at, stretch);
            }
            _ => bytes[at] ^= 1 << rng.random_range(0..8),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn check_request(golden: &str, request: Request, encoded: &[u8]) {
    assert_eq!(text(encoded), golden);
    assert_eq!(decode_request(golden.as_bytes()), Ok(request));
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("messages are UTF-8")
}

fn fault_of<T: std::fmt::Debug>(reply: Result<Reply<T>, Malformed>) -> Fault {
    let fault = match reply {
        Ok(Reply::Fault(fault)) => Ok(fault),
        other => Err(other),
    };
    fault.expect("the message is a fault")
}

/// Element and kind of an error, without the offset.
fn complaint(error: &Malformed) -> String {
    let kind = match &error.kind {
        MalformedKind::Missing => "missing".to_owned(),
        MalformedKind::Repeated => "repeated".to_owned(),
        MalformedKind::Unexpected => "unexpected".to_owned(),
        MalformedKind::Value(value) => format!("value {value}"),
        MalformedKind::Syntax(_)
        | MalformedKind::NotUtf8
        | MalformedKind::DoctypeRefused
        | MalformedKind::Limit(..) => format!("{:?}", error.kind),
    };
    format!("{}: {kind}", error.element)
}

/// The message without the first element of this name and all it holds.
fn without(message: &str, name: &str) -> String {
    let (before, rest) = message
        .split_once(&format!("<{name}>"))
        .or_else(|| message.split_once(&format!("<{name} ")))
        .expect("the element starts");
    let (_, after) = rest
        .split_once(&format!("</{name}>"))
        .expect("the element ends");
    format!("{before}{after}")
}

const PKCS10: [u8; 8] = [0x30, 6, 2, 1, 0, 2, 1, 1];

fn discover() -> Discover {
    Discover {
        message_id: "urn:uuid:7f0c1e52-3a64-4d0b-9b1e-0a6f3d8c2e11".to_owned(),
        to: "https://enterpriseenrollment.tailspin.example/EnrollmentServer/Discovery.svc"
            .to_owned(),
        email_address: "o'neil&co@tailspin.example".to_owned(),
        request_version: "5.0".to_owned(),
        device_type: "CIMClient_Windows".to_owned(),
        application_version: "10.0.26100.2314".to_owned(),
        os_edition: 4,
        auth_policies: vec![AuthPolicy::OnPremise, AuthPolicy::Federated],
    }
}

fn token() -> Credential {
    Credential::Token {
        value_type: TOKEN_TYPE_USER.to_owned(),
        text: "dG9rZW4gb2YgUEMtMDAwMDQy".into(),
    }
}

fn get_policies() -> GetPolicies {
    GetPolicies {
        message_id: "urn:uuid:c2a9b0d4-51be-4c7f-8f0e-9d6e2b7a4422".to_owned(),
        to: "https://mdm.tailspin.example/EnrollmentServer/Policy.svc".to_owned(),
        credential: Some(token()),
    }
}

fn request_security_token(credential: Credential) -> RequestSecurityToken {
    RequestSecurityToken {
        message_id: "urn:uuid:1d52f6c8-0e0b-4f0c-a4a7-5b7d5d0f3333".to_owned(),
        to: "https://mdm.tailspin.example/EnrollmentServer/Enrollment.svc".to_owned(),
        credential: Some(credential),
        pkcs10_der: PKCS10.to_vec(),
        context: [
            ("OSEdition", "4"),
            ("OSVersion", "10.0.26100.2314"),
            ("DeviceName", "PC-000042"),
            ("MAC", "00-15-5D-01-02-03"),
            ("MAC", "00-15-5D-01-02-04"),
            ("EnrollmentType", "Full"),
            ("DeviceType", "CIMClient_Windows"),
            ("ApplicationVersion", "10.0.26100.2314"),
            ("DeviceID", "5E0B7C91D2A84F36B1C0E9D8A7F65432"),
            (
                "HWDevID",
                "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    }
}

fn document() -> ProvisioningDocument {
    ProvisioningDocument {
        root_der: vec![0x30, 3, 2, 1, 1],
        client_der: vec![0x30, 3, 2, 1, 2],
        store: Store::User,
        renew_period_days: 60,
        retry_interval_days: 4,
        application: Application {
            provider_id: "Tailspin".to_owned(),
            name: "Tailspin Toys".to_owned(),
            addr: "https://mdm.tailspin.example/ManagementServer/MDM.svc".to_owned(),
            client_auth: AppAuth {
                name: "5E0B7C91D2A84F36B1C0E9D8A7F65432".to_owned(),
                secret: "device secret".into(),
                nonce_base64: "ZGV2aWNlIG5vbmNl".to_owned(),
            },
            server_auth: AppAuth {
                name: String::new(),
                secret: "server secret".into(),
                nonce_base64: "c2VydmVyIG5vbmNl".to_owned(),
            },
            ssl_search: "Subject=CN%3d5E0B7C91D2A84F36B1C0E9D8A7F65432&Stores=My%5CUser".to_owned(),
        },
        dm_client: DmClient {
            ent_dm_id: "9a1de3f0-6b1c-4f1e-8f59-2f6f3f0a7777".to_owned(),
            upn: Some("mara@tailspin.example".to_owned()),
            poll: PollSchedule {
                first: retries(5, 3),
                second: retries(8, 15),
                remaining: retries(0, 480),
            },
        },
    }
}

fn retries(count: u32, interval_min: u32) -> Retries {
    Retries {
        count,
        interval_min,
    }
}
