//! Contract 1: discovery, policy, enrolment, credentials, certificates.

use std::thread;
use std::time::Duration;

use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use serde_json::json;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::device::{self, Device, characteristic, managed_id, parm};
use super::http::{Answer, Request};
use super::session::Message;
use super::site::{
    DEVICE_ADMIN, DOMAIN, ENTRA, HYBRID, NOT_JOINED, REGISTERED, ROTATOR, Site, WINDOWS_10,
    WINDOWS_11,
};
use super::soap::{self, CONTENT_TYPE, Credential, ITEMS};
use super::text::{device_id, from_base64, guid, sha1_hex};
use super::xml::Xml;

const DAY: Duration = Duration::from_secs(86_400);

fn service(site: &Site, name: &str) -> String {
    format!("{}/EnrollmentServer/{name}.svc", site.enroll)
}

fn post(url: &str, body: &str) -> Answer {
    Request::new("POST", url).body(CONTENT_TYPE, body).send()
}

/// The subcode of a fault, which goes out with HTTP 500.
#[track_caller]
fn fault(answer: &Answer) -> String {
    assert_eq!(answer.status, 500, "{}", answer.text());
    fault_of_any_status(answer)
}

#[track_caller]
fn fault_of_any_status(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some(CONTENT_TYPE));
    let envelope = Xml::parse(&answer.body);
    let fault = envelope
        .find("Fault")
        .unwrap_or_else(|| panic!("{}", answer.text()));
    assert!(fault.value("Code/Value").unwrap().ends_with(":Receiver"));
    assert_ne!(fault.value("Reason/Text").unwrap(), "");
    fault.value("Code/Subcode/Value").unwrap().to_owned()
}

#[track_caller]
fn expect_fault(answer: &Answer, subcode: &str) {
    assert_eq!(fault(answer), subcode, "{}", answer.text());
}

/// HTTP status of a package 1 of this device.
fn check_in_status(site: &Site, device: &mut Device) -> u16 {
    let session = device.open(site);
    session.post(&session.package1_text()).status
}

#[test]
fn discovery_probe_gets_an_empty_200() {
    let site = Site::new();
    let answer = Request::new("GET", &service(&site, "Discovery")).send();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-length"), Some("0"));
}

#[test]
fn discovery_prefers_federated_and_names_the_services() {
    let site = Site::new();
    let url = service(&site, "Discovery");
    for (offered, chosen) in [
        (&["Federated"][..], "Federated"),
        (&["OnPremise", "Federated"], "Federated"),
        (&["Federated", "Certificate", "OnPremise"], "Federated"),
        (&["OnPremise"], "OnPremise"),
        (&["Certificate", "OnPremise"], "OnPremise"),
    ] {
        let id = format!("urn:uuid:{}", guid());
        let answer = post(&url, &soap::discover(&id, &url, offered)).expect(200);
        assert_eq!(answer.header("content-type"), Some(CONTENT_TYPE));
        let envelope = Xml::parse(&answer.body);
        assert_eq!(envelope.find("RelatesTo").unwrap().text, id);
        assert_eq!(
            envelope.find("Action").unwrap().text,
            "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/DiscoverResponse"
        );
        let result = envelope.find("DiscoverResult").unwrap();
        assert_eq!(result.value("AuthPolicy"), Some(chosen), "{offered:?}");
        assert_eq!(result.value("EnrollmentVersion"), Some("4.0"));
        assert_eq!(
            result.value("EnrollmentPolicyServiceUrl"),
            Some(&*service(&site, "Policy"))
        );
        assert_eq!(
            result.value("EnrollmentServiceUrl"),
            Some(&*service(&site, "Enrollment"))
        );
        assert!(result.child("AuthenticationServiceUrl").is_none());
    }
}

#[test]
fn policies_offer_p256_with_sha256_for_a_year() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    let url = service(&site, "Policy");
    let id = format!("urn:uuid:{}", guid());
    let answer = post(&url, &soap::get_policies(&id, &url, &device.credential)).expect(200);
    let envelope = Xml::parse(&answer.body);
    assert_eq!(envelope.find("RelatesTo").unwrap().text, id);
    let attributes = envelope.find("attributes").unwrap();
    assert_eq!(attributes.value("policySchema"), Some("3"));
    assert_eq!(
        attributes.value("privateKeyAttributes/minimalKeyLength"),
        Some("256")
    );
    assert_eq!(
        attributes.value("certificateValidity/validityPeriodSeconds"),
        Some("31536000")
    );
    let oids: Vec<(&str, &str)> = envelope
        .find_all("oID")
        .iter()
        .map(|oid| {
            (
                oid.value("value").unwrap(),
                oid.value("oIDReferenceID").unwrap(),
            )
        })
        .collect();
    let referred = |value: Option<&str>| {
        let (oid, _) = oids.iter().find(|(_, id)| Some(*id) == value).unwrap();
        (*oid).to_owned()
    };
    let hash = referred(attributes.value("hashAlgorithmOIDReference"));
    assert_eq!(hash, "2.16.840.1.101.3.4.2.1");
    let key = referred(attributes.value("privateKeyAttributes/algorithmOIDReference"));
    assert_eq!(key, "1.2.840.10045.2.1");
}

#[test]
fn credential_is_needed_by_policy_and_enrolment() {
    let site = Site::new();
    let mut device = site.registered(ENTRA, WINDOWS_11);
    let url = service(&site, "Policy");
    let other_kind = Credential::User("somebody".to_owned(), "secret".to_owned());
    let wrong = Credential::Token("bm90IGEgdG9rZW4=".to_owned());
    for credential in [Credential::None, wrong, other_kind] {
        let body = soap::get_policies("urn:uuid:1", &url, &credential);
        expect_fault(&post(&url, &body), "s:Authentication");
        device.credential = credential;
        expect_fault(&device.try_enroll(&site), "s:Authentication");
    }
}

#[test]
fn credential_follows_the_join_type() {
    let site = Site::new();
    for join in [ENTRA, HYBRID, REGISTERED] {
        let device = site.enrolled(join, WINDOWS_11);
        assert!(matches!(device.credential, Credential::Token(_)), "{join}");
    }
    for join in [DOMAIN, NOT_JOINED] {
        let mut device = site.enrolled(join, WINDOWS_11);
        assert!(matches!(device.credential, Credential::User(..)), "{join}");
        device.check_in(&site);
        let Credential::User(name, _) = device.credential.clone() else {
            panic!("no user");
        };
        device.credential = Credential::User(name, "wrong".to_owned());
        expect_fault(&device.try_enroll(&site), "s:Authentication");
    }
}

#[test]
fn other_content_type_is_refused() {
    let site = Site::new();
    for name in ["Discovery", "Policy", "Enrollment"] {
        let url = service(&site, name);
        let body = soap::discover("urn:uuid:1", &url, &["Federated"]);
        let answer = Request::new("POST", &url).body("text/xml", body).send();
        assert_eq!(answer.status, 415, "{name}");
        fault_of_any_status(&answer);
    }
}

#[test]
fn message_that_was_not_expected_is_a_format_fault() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    let discover = soap::discover("urn:uuid:1", "to", &["Federated"]);
    let policies = soap::get_policies("urn:uuid:1", "to", &device.credential);
    let doctype = format!("<!DOCTYPE s:Envelope [<!ENTITY a \"b\">]>{discover}");
    for (name, body) in [
        ("Discovery", policies.as_str()),
        ("Policy", &discover),
        ("Enrollment", &discover),
        ("Enrollment", &policies),
        ("Discovery", "no XML"),
        ("Policy", "<a>"),
        ("Enrollment", ""),
        (
            "Discovery",
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body/></s:Envelope>",
        ),
        ("Discovery", &doctype),
    ] {
        let answer = post(&service(&site, name), body);
        assert_eq!(fault(&answer), "s:MessageFormat", "{name} {body}");
    }
}

#[test]
fn other_methods_and_paths_get_a_soap_fault() {
    let site = Site::new();
    for (method, name, status) in [
        ("PUT", "Discovery", 405),
        ("GET", "Policy", 405),
        ("GET", "Enrollment", 405),
        ("DELETE", "Enrollment", 405),
        ("GET", "Nothing", 404),
    ] {
        let answer = Request::new(method, &service(&site, name)).send();
        assert_eq!(answer.status, status, "{method} {name}");
        fault_of_any_status(&answer);
    }
}

#[test]
fn each_missing_context_item_is_named() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    for name in ITEMS {
        let mut items = device.items();
        items.retain(|(item, _)| item != name);
        let answer = device.request_token(&site, soap::p256_request(), &items);
        expect_fault(&answer, "s:MessageFormat");
        assert!(
            answer.text().contains(name),
            "{name} is not named: {}",
            answer.text()
        );
    }
    // None of the refusals used the credential up.
    device.try_enroll(&site).expect(200);
}

#[test]
fn order_and_number_of_context_items_do_not_matter() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    let mut items = device.items();
    items.reverse();
    items.insert(0, ("MAC".to_owned(), "00-00".to_owned()));
    items.push(("MAC".to_owned(), "00-01".to_owned()));
    device
        .request_token(&site, soap::p256_request(), &items)
        .expect(200);
}

#[test]
fn weak_and_broken_certificate_requests_are_refused() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    for (what, request) in [
        (
            "broken signature",
            include_str!("data/p256-broken-signature.csr.b64").to_owned(),
        ),
        ("RSA 1024", include_str!("data/rsa-1024.csr.b64").to_owned()),
        ("P-384", soap::request_with(&p384)),
    ] {
        let answer = device.request_token(&site, &request, &device.items());
        assert_eq!(fault(&answer), "s:CertificateRequest", "{what}");
    }
    let rsa = include_str!("data/rsa-2048.csr.b64");
    device
        .request_token(&site, rsa, &device.items())
        .expect(200);
}

#[test]
fn issued_certificate_names_the_device_and_is_signed_by_the_core() {
    let site = Site::new();
    let mut serials = Vec::new();
    for _ in 0..3 {
        let device = site.enrolled(ENTRA, WINDOWS_11);
        let (_, certificate) = X509Certificate::from_der(&device.certificate).unwrap();
        let subject = certificate.subject();
        let names: Vec<&str> = subject
            .iter_common_name()
            .map(|name| name.as_str().unwrap())
            .collect();
        assert_eq!(names, [device.device_id.as_str()]);
        let usage = certificate.extended_key_usage().unwrap().unwrap();
        assert!(usage.value.client_auth);
        serials.push(certificate.raw_serial().to_vec());
        let validity = certificate.validity();
        let seconds = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(seconds / 86_400, 365);
        let root =
            characteristic(&device.document, &["CertificateStore", "Root", "System"]).unwrap();
        let root = from_base64(parm(&root.children[0], "EncodedCertificate").unwrap());
        let (_, root) = X509Certificate::from_der(&root).unwrap();
        certificate
            .verify_signature(Some(root.public_key()))
            .unwrap();
        assert!(root.is_ca());
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 3, "serials repeat");
}

#[test]
fn certificate_is_for_the_key_of_the_request() {
    let site = Site::new();
    let mut device = site.registered(ENTRA, WINDOWS_11);
    let key = KeyPair::generate().unwrap();
    let answer = device.request_token(&site, &soap::request_with(&key), &device.items());
    device.provision(&answer.expect(200));
    let (_, certificate) = X509Certificate::from_der(&device.certificate).unwrap();
    assert_eq!(
        certificate.public_key().subject_public_key.data.as_ref(),
        key.public_key_raw()
    );
}

#[test]
fn provisioning_document_holds_what_a_device_needs() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let document = &device.document;
    assert_eq!(document.name, "wap-provisioningdoc");
    assert_eq!(document.attribute("version"), Some("1.1"));
    let kinds: Vec<&str> = document
        .children
        .iter()
        .filter_map(|child| child.attribute("type"))
        .collect();
    assert_eq!(kinds, ["CertificateStore", "APPLICATION", "DMClient"]);

    let my = characteristic(document, &["CertificateStore", "My", "User"]).unwrap();
    assert_eq!(
        my.children[0].attribute("type"),
        Some(&*sha1_hex(&device.certificate))
    );
    assert!(characteristic(&my.children[0], &["PrivateKeyContainer"]).is_some());
    let root = characteristic(document, &["CertificateStore", "Root", "System"]).unwrap();
    let der = from_base64(parm(&root.children[0], "EncodedCertificate").unwrap());
    assert_eq!(root.children[0].attribute("type"), Some(&*sha1_hex(&der)));
    let renew = characteristic(document, &["CertificateStore", "My", "WSTEP", "Renew"]).unwrap();
    for name in ["ROBOSupport", "RenewPeriod", "RetryInterval"] {
        let of_name = |child: &&Xml| child.attribute("name") == Some(name);
        let child = renew.children.iter().find(of_name).unwrap();
        assert!(
            child.attribute("datatype").is_some(),
            "{name} has no datatype"
        );
    }

    let application = characteristic(document, &["APPLICATION"]).unwrap();
    assert_eq!(parm(application, "APPID"), Some("w7"));
    assert_eq!(parm(application, "PROVIDER-ID"), Some("muster"));
    let address = parm(application, "ADDR").unwrap();
    assert_eq!(address, format!("{}/ManagementServer/MDM.svc", site.manage));
    let auths: Vec<&Xml> = application
        .children
        .iter()
        .filter(|child| child.attribute("type") == Some("APPAUTH"))
        .collect();
    let levels: Vec<&str> = auths
        .iter()
        .filter_map(|auth| parm(auth, "AAUTHLEVEL"))
        .collect();
    assert_eq!(levels.len(), 2);
    assert!(levels.contains(&"CLIENT") && levels.contains(&"APPSRV"));
    for auth in auths {
        assert!(!from_base64(parm(auth, "AAUTHDATA").unwrap()).is_empty());
        assert_ne!(parm(auth, "AAUTHSECRET").unwrap(), "");
    }

    let provider = ["DMClient", "Provider", "muster"];
    let poll = characteristic(characteristic(document, &provider).unwrap(), &["Poll"]).unwrap();
    for (name, value) in [
        ("NumberOfFirstRetries", "5"),
        ("IntervalForFirstSetOfRetries", "3"),
        ("NumberOfSecondRetries", "8"),
        ("IntervalForSecondSetOfRetries", "15"),
        ("NumberOfRemainingScheduledRetries", "0"),
        ("IntervalForRemainingScheduledRetries", "480"),
    ] {
        assert_eq!(parm(poll, name), Some(value), "{name}");
    }
    let managed = site.managed(&device);
    assert_eq!(managed["id"], device.managed_id.as_str());
    assert_eq!(managed["deviceName"], device.name.as_str());
}

#[test]
fn device_enrolment_puts_the_certificate_into_the_system_store() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    let mut items = device.items();
    for (name, value) in &mut items {
        if name == "EnrollmentType" {
            "Device".clone_into(value);
        }
    }
    let answer = device
        .request_token(&site, soap::p256_request(), &items)
        .expect(200);
    let document = device::document(&answer);
    assert!(characteristic(&document, &["CertificateStore", "My", "System"]).is_some());
    assert!(characteristic(&document, &["CertificateStore", "My", "User"]).is_none());
}

#[test]
fn enrolling_again_replaces_row_and_certificate() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let policy = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    assert_eq!(device.check_in(&site).writes().len(), 2);
    site.rotate(&device).expect(204);
    let mut old = device.clone();
    device.enroll(&site);
    assert_ne!(device.managed_id, old.managed_id);
    assert_eq!(check_in_status(&site, &mut old), 403);
    old.upload(&site).expect_error(403);
    site.get(
        ROTATOR,
        &format!("/deviceManagement/managedDevices/{}", old.managed_id),
    )
    .expect_error(404);
    assert_eq!(site.state(&device, &policy), "unknown");
    assert!(site.rotations(&device).is_empty());
    // The channel is forgotten with the rest.
    let pushes = site.pushes(&device);
    site.rotate(&device).expect(204);
    assert_eq!(site.rotation(&device)["detail"], "offline");
    assert_eq!(site.pushes(&device), pushes);
    let seen = device.check_in(&site);
    assert_eq!(seen.writes().len(), 2, "acknowledged values are forgotten");
    assert_eq!(seen.count("Exec", device::RESET), 0);
    assert!(
        seen.lines()
            .iter()
            .any(|line| line.ends_with("/Push/ChannelURI"))
    );
}

#[test]
fn credential_is_bound_to_the_first_device_id() {
    let site = Site::new();
    let mut device = site.enrolled(ENTRA, WINDOWS_11);
    let mut other = device.clone();
    other.device_id = device_id();
    expect_fault(&other.try_enroll(&site), "s:Authorization");
    assert_eq!(check_in_status(&site, &mut device), 200);
}

#[test]
fn device_id_enrolled_for_another_directory_device_is_refused() {
    let site = Site::new();
    let mut first = site.enrolled(ENTRA, WINDOWS_11);
    let mut second = site.registered(ENTRA, WINDOWS_11);
    second.device_id.clone_from(&first.device_id);
    expect_fault(&second.try_enroll(&site), "s:Authorization");
    assert_eq!(check_in_status(&site, &mut first), 200);
}

#[test]
fn device_name_must_be_the_registered_one() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    let items = soap::items(&device.device_id, "ANOTHER", &device.os);
    let answer = device.request_token(&site, soap::p256_request(), &items);
    expect_fault(&answer, "s:Authorization");
    device.try_enroll(&site).expect(200);
}

#[test]
fn registering_again_voids_the_former_credential() {
    let site = Site::new();
    for join in [ENTRA, DOMAIN] {
        let mut device = site.registered(join, WINDOWS_11);
        let former = device.clone();
        site.register(&mut device).expect(201);
        expect_fault(&former.try_enroll(&site), "s:Authentication");
        device.try_enroll(&site).expect(200);
    }
}

#[test]
fn credential_lives_a_day() {
    let site = Site::virtual_clock();
    let mut used = site.enrolled(ENTRA, WINDOWS_10);
    let unused = site.registered(ENTRA, WINDOWS_10);
    site.advance(DAY - Duration::from_secs(600));
    used.enroll(&site);
    site.advance(Duration::from_secs(1200));
    fault(&used.try_enroll(&site));
    fault(&unused.try_enroll(&site));
    assert_eq!(check_in_status(&site, &mut used), 200);
}

#[test]
fn of_concurrent_enrolments_one_certificate_is_good() {
    let site = Site::new();
    let device = site.registered(ENTRA, WINDOWS_11);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let enrol = || device.try_enroll(&site);
        let threads = [(); 4].map(|()| scope.spawn(enrol));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    let mut good = 0;
    for answer in answers {
        let mut device = device.clone();
        device.provision(&answer.expect(200));
        let status = check_in_status(&site, &mut device);
        assert!(status == 200 || status == 403, "{status}");
        good += u32::from(status == 200);
        let row = format!(
            "/deviceManagement/managedDevices/{}",
            managed_id(&device.document)
        );
        let row = site.get(ROTATOR, &row).status;
        assert_eq!(row, if status == 200 { 200 } else { 404 });
    }
    assert_eq!(good, 1);
    let filter = format!(
        "/deviceManagement/managedDevices?$filter=deviceName eq '{}'",
        device.name
    );
    assert_eq!(site.list(DEVICE_ADMIN, &filter).len(), 1);
}

#[test]
fn chunked_requests_are_taken_and_answers_are_not_chunked() {
    let site = Site::new();
    let url = service(&site, "Discovery");
    let body = soap::discover("urn:uuid:1", &url, &["Federated"]);
    let request = Request::new("POST", &url).body(CONTENT_TYPE, body);
    let answer = request.send_raw(&request.chunked(100)).expect(200);
    assert!(answer.header("content-length").is_some());
}

#[test]
fn first_session_sets_up_the_push_channel() {
    let site = Site::new();
    let mut device = site.enrolled(ENTRA, WINDOWS_11);
    let mut session = device.open(&site);
    let first = session.package1();
    let provider = "./Vendor/MSFT/DMClient/Provider/muster";
    let lines: Vec<String> = first
        .lines()
        .iter()
        .map(|line| line.replace("./Device/Vendor", "./Vendor"))
        .collect();
    assert_eq!(
        lines,
        [
            format!("Add {provider}/Push"),
            format!("Add {provider}/Push/PFN"),
            format!("Get {provider}/Push/ChannelURI"),
            format!("Get {provider}/Push/Status"),
        ]
    );
    assert_eq!(first.commands[0].format, "node");
    assert_eq!(first.commands[1].format, "chr");
    assert_eq!(first.commands[1].data, "Muster.Test_0000000000000");
    // 418 counts as success: nothing is added again.
    let body = first.answers(&mut |command| match command.verb.as_str() {
        "Add" => device::Reaction::Status(418),
        _ => device.obey(&site, command),
    });
    let last: Message = session.say(&body);
    assert!(last.commands.is_empty());
    assert!(device.check_in(&site).lines().is_empty());
    let body = json!({"deviceName": device.name, "joinType": "unheardOf", "osVersion": "10"});
    site.control("POST", "/devices", &body).expect_error(400);
}

#[test]
fn registering_again_keeps_the_enrolment() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.register(&mut device).expect(201);
    assert_eq!(check_in_status(&site, &mut device), 200);
    device.upload(&site).expect(204);
    site.rotate(&device).expect(204);
    assert_eq!(site.rotation(&device)["actionState"], "pending");
}
