//! Contract 1.

use protocol::JoinType;
use protocol::enrollment::{
    AuthPolicy, CONTENT_TYPE, Discover, DiscoverResponse, Fault, FaultSubcode, GetPolicies,
    GetPoliciesResponse, Reply, TokenResponse,
};
use protocol::time::UtcMillis;
use reference::{HttpRequest, Plane};

use crate::script::Device;
use crate::world::{World, enrolment_request, request, wrong_credential};

const POLICY: &str = "/EnrollmentServer/Policy.svc";
const ENROLLMENT: &str = "/EnrollmentServer/Enrollment.svc";
const DISCOVERY: &str = "/EnrollmentServer/Discovery.svc";

fn discover(policies: &[AuthPolicy]) -> Vec<u8> {
    Discover {
        message_id: "urn:uuid:11111111-2222-4333-8444-555555555555".to_owned(),
        to: "http://127.0.0.1:8080/enroll/EnrollmentServer/Discovery.svc".to_owned(),
        email_address: "user@fabricam.example".to_owned(),
        request_version: "5.0".to_owned(),
        device_type: "CIMClient_Windows".to_owned(),
        application_version: "10.0.26100.2314".to_owned(),
        os_edition: 4,
        auth_policies: policies.to_vec(),
    }
    .encode()
}

fn subcode(world: &mut World, path: &str, body: &[u8]) -> FaultSubcode {
    let response = world.soap(path, body);
    assert_eq!(response.status, 500);
    match TokenResponse::decode(&response.body).unwrap() {
        Reply::Fault(Fault { subcode, .. }) => subcode,
        Reply::Answer(_) => panic!("no fault"),
    }
}

fn refused(world: &mut World, device: &Device) -> FaultSubcode {
    subcode(world, ENROLLMENT, &enrolment_request(device).encode())
}

#[test]
fn discovery_prefers_a_token_and_names_both_services() {
    let mut world = World::new();
    for (offered, expected) in [
        (
            &[AuthPolicy::OnPremise, AuthPolicy::Federated][..],
            AuthPolicy::Federated,
        ),
        (&[AuthPolicy::OnPremise], AuthPolicy::OnPremise),
        (&[AuthPolicy::Certificate], AuthPolicy::OnPremise),
    ] {
        let response = world.soap(DISCOVERY, &discover(offered));
        assert_eq!(response.status, 200);
        let Reply::Answer(answer) = DiscoverResponse::decode(&response.body).unwrap() else {
            panic!("a fault");
        };
        assert_eq!(answer.auth_policy, expected, "{offered:?}");
        assert_eq!(answer.enrollment_version, "4.0");
        assert_eq!(
            answer.policy_url.as_deref(),
            Some("http://127.0.0.1:8080/enroll/EnrollmentServer/Policy.svc")
        );
        assert_eq!(answer.authentication_url, None);
    }
}

#[test]
fn the_plane_refuses_by_path_method_type_and_size() {
    let mut world = World::new();
    let large = vec![b' '; 1024 * 1024 + 1];
    for (method, path, content_type, body, status) in [
        ("GET", DISCOVERY, None, &b""[..], 200),
        ("GET", POLICY, None, b"", 405),
        ("PUT", DISCOVERY, None, b"", 405),
        (
            "POST",
            "/EnrollmentServer/Other.svc",
            Some(CONTENT_TYPE),
            b"",
            404,
        ),
        ("POST", DISCOVERY, Some("text/xml"), b"", 415),
        ("POST", DISCOVERY, None, b"", 415),
        ("POST", DISCOVERY, Some(CONTENT_TYPE), &large, 413),
        ("POST", DISCOVERY, Some(CONTENT_TYPE), b"no xml", 500),
        (
            "POST",
            DISCOVERY,
            Some("application/soap+xml"),
            b"<!DOCTYPE a []><a/>",
            500,
        ),
    ] {
        let response = world.serve(&HttpRequest {
            method,
            path,
            content_type,
            body,
            ..request(Plane::Enroll)
        });
        assert_eq!(response.status, status, "{method} {path}");
        if status == 200 {
            assert!(response.body.is_empty());
        } else {
            assert!(String::from_utf8_lossy(&response.body).contains("MessageFormat"));
        }
    }
}

#[test]
fn key_rules_need_a_credential() {
    let mut world = World::new();
    let device = world.register("PC", JoinType::EntraJoined, "10.0.26100.1");
    let ask = |credential| {
        GetPolicies {
            message_id: "urn:uuid:11111111-2222-4333-8444-555555555555".to_owned(),
            to: "http://127.0.0.1:8080/enroll/EnrollmentServer/Policy.svc".to_owned(),
            credential,
        }
        .encode()
    };
    let response = world.soap(POLICY, &ask(device.credential));
    let Reply::Answer(rules) = GetPoliciesResponse::decode(&response.body).unwrap() else {
        panic!("a fault");
    };
    assert_eq!(rules.minimal_key_length, 256);
    assert_eq!(rules.algorithm_oid, "1.2.840.10045.2.1");
    assert_eq!(rules.validity_s, 31_536_000);
    for wrong in [None, Some(wrong_credential())] {
        assert_eq!(
            subcode(&mut world, POLICY, &ask(wrong)),
            FaultSubcode::Authentication
        );
    }
    // The right message at the wrong service.
    assert_eq!(
        subcode(&mut world, POLICY, &discover(&[])),
        FaultSubcode::MessageFormat
    );
}

#[test]
fn a_request_for_a_certificate_is_held_against_its_registration() {
    let mut world = World::new();
    let device = world.register("PC", JoinType::EntraJoined, "10.0.26100.1");
    let honest = enrolment_request(&device);

    let mut nobody = honest.clone();
    nobody.credential = Some(wrong_credential());
    assert_eq!(
        subcode(&mut world, ENROLLMENT, &nobody.encode()),
        FaultSubcode::Authentication
    );

    for missing in 0..honest.context.len() {
        let mut less = honest.clone();
        let (name, _) = less.context.remove(missing);
        let response = world.soap(ENROLLMENT, &less.encode());
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(
            text.contains("MessageFormat") && text.contains(&name),
            "{name}: {text}"
        );
    }

    let mut renamed = honest.clone();
    for (name, value) in &mut renamed.context {
        if name == "DeviceName" {
            "Another".clone_into(value);
        }
    }
    assert_eq!(
        subcode(&mut world, ENROLLMENT, &renamed.encode()),
        FaultSubcode::Authorization
    );

    for der in [&b"bad signature"[..], b"rsa 1024"] {
        let mut refused = honest.clone();
        refused.pkcs10_der = der.to_vec();
        let code = subcode(&mut world, ENROLLMENT, &refused.encode());
        assert_eq!(code, FaultSubcode::CertificateRequest);
    }
}

#[test]
fn the_provisioning_document_names_account_and_managed_device() {
    let mut world = World::new();
    let device = world.register("PC", JoinType::EntraJoined, "10.0.26100.1");
    let response = world.soap(ENROLLMENT, &enrolment_request(&device).encode());
    let Reply::Answer(answer) = TokenResponse::decode(&response.body).unwrap() else {
        panic!("a fault");
    };
    let document = answer.document;
    assert_eq!(document.root_der, b"root");
    assert_eq!(document.application.provider_id, "muster");
    assert_eq!(
        document.application.addr,
        "http://127.0.0.1:8080/manage/ManagementServer/MDM.svc"
    );
    assert_eq!(document.application.client_auth.name, device.device_id);
    assert!(!document.application.client_auth.nonce_base64.is_empty());
    assert!(!document.application.server_auth.nonce_base64.is_empty());
}

#[test]
fn a_credential_is_good_for_one_device_and_one_day() {
    let mut world = World::new();
    let mut device = world.register("PC", JoinType::EntraJoined, "10.0.26100.1");
    world.enroll(&mut device);
    let (first, certificate) = (device.managed, device.certificate.clone());

    // The same credential and DeviceID enrols again: a new row, the former certificate worthless.
    world.enroll(&mut device);
    assert_ne!(device.managed, first);
    let mut former = Device::new("PC", device.device_id.clone(), "10.0.26100.1");
    former.certificate = certificate;
    assert_eq!(former.send(&mut world, &former.package_1(1)).status, 403);
    assert_eq!(device.send(&mut world, &device.package_1(1)).status, 200);

    // Another DeviceID with the same credential.
    let mut clone = world.register("Other", JoinType::EntraJoined, "10.0.26100.1");
    let own = clone.credential.replace(device.credential.clone().unwrap());
    "PC".clone_into(&mut clone.name);
    assert_eq!(refused(&mut world, &clone), FaultSubcode::Authorization);

    // The DeviceID of another directory device.
    clone.credential = own;
    "Other".clone_into(&mut clone.name);
    clone.device_id.clone_from(&device.device_id);
    assert_eq!(refused(&mut world, &clone), FaultSubcode::Authorization);

    // Registered again: the former credential is void.
    let void = device.credential.clone();
    world.register_again(&mut device);
    let fresh = std::mem::replace(&mut device.credential, void);
    assert_eq!(refused(&mut world, &device), FaultSubcode::Authentication);
    device.credential = fresh;
    world.enroll(&mut device);

    world.pass(UtcMillis::DAY_MS + 1);
    assert_eq!(refused(&mut world, &device), FaultSubcode::Authentication);
}

#[test]
fn devices_without_directory_object_enrol_with_an_account() {
    let mut world = World::new();
    for (name, join_type) in [("AD", JoinType::DomainJoined), ("NO", JoinType::NotJoined)] {
        let mut device = world.device_of(name, join_type, "10.0.19045.1");
        let told = device.check_in(&mut world);
        assert!(told.contains(&"Add Push".to_owned()), "{told:?}");
    }
}
