//! Contract 0: whatever arrives, the core answers or hangs up, and lives on.

use super::device::{Device, management_url};
use super::http::{Connection, Request};
use super::session::SYNCML;
use super::site::{ENTRA, POLICY_ADMIN, ROTATOR, Site, policy_body};
use super::soap;
use super::text::{Noise, guid};

/// Changes, drops or doubles some bytes.
fn mutate(noise: &mut Noise, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=noise.below(6) {
        if bytes.is_empty() {
            break;
        }
        let at = noise.below(bytes.len());
        match noise.below(4) {
            0 => bytes[at] = noise.bytes(1)[0],
            1 => {
                bytes.remove(at);
            }
            2 => bytes.insert(at, b"<>&\"'{}[],:/!?\0"[noise.below(15)]),
            _ => {
                let end = (at + noise.below(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let place = noise.below(bytes.len());
                bytes.splice(place..place, piece);
            }
        }
    }
    bytes
}

/// Good requests to every plane, to be spoilt.
fn good_requests(site: &Site, device: &mut Device) -> Vec<Request> {
    let discovery = format!("{}/EnrollmentServer/Discovery.svc", site.enroll);
    let policy = format!("{}/EnrollmentServer/Policy.svc", site.enroll);
    let enrollment = format!("{}/EnrollmentServer/Enrollment.svc", site.enroll);
    let fresh = site.registered(ENTRA, "10.0.26100.1");
    let rst = soap::request_security_token(
        &enrollment,
        &fresh.credential,
        soap::p256_request(),
        &fresh.items(),
    );
    let session = device.open(site);
    let upload = device.upload_body("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let id = device.entra_id.clone().unwrap();
    let json = |actor: &str, path: &str, body: &serde_json::Value| {
        site.request(actor, "POST", path).json(body)
    };
    let body = policy_body(
        "p",
        &[("backupdirectory", "1"), ("passwordagedays_aad", "30")],
    );
    let batch = serde_json::json!({"requests": [{"id": "1", "method": "GET", "url": "/devices"}]});
    let bulk = serde_json::json!({"actionName": "syncDevice", "deviceIds": [device.managed_id]});
    let registration = serde_json::json!({"deviceName": "x", "joinType": ENTRA, "entraDeviceId": guid(), "osVersion": "10.0.1.1"});
    let control = Request::new("POST", &format!("{}/muster/v1/devices", site.control));
    vec![
        Request::new("POST", &discovery).body(
            soap::CONTENT_TYPE,
            soap::discover("urn:uuid:1", &discovery, &["Federated"]),
        ),
        Request::new("POST", &policy).body(
            soap::CONTENT_TYPE,
            soap::get_policies("urn:uuid:1", &policy, &fresh.credential),
        ),
        Request::new("POST", &enrollment).body(soap::CONTENT_TYPE, rst),
        session.request(&session.package1_text()),
        device
            .put_request(site, &id)
            .header("Idempotency-Key", &guid())
            .json(&upload),
        json(
            POLICY_ADMIN,
            "/deviceManagement/configurationPolicies",
            &body,
        ),
        json(POLICY_ADMIN, "/$batch", &batch),
        json(
            ROTATOR,
            "/deviceManagement/managedDevices/executeAction",
            &bulk,
        ),
        site.request(
            "auditor",
            "GET",
            "/auditLogs/directoryAudits?$filter=activityDisplayName eq 'x'&$top=3",
        ),
        site.signed("control", control).json(&registration),
    ]
}

#[track_caller]
fn expect_alive(site: &Site) {
    let url = format!("{}/muster/v1/health", site.control);
    Request::new("GET", &url).send().expect(200);
    let mut device = site.backed_up(ENTRA);
    site.policy_for(&[&device], &[("passwordlength", "20")]);
    assert_eq!(device.check_in(site).writes().len(), 1);
}

#[test]
fn spoilt_bodies_do_no_harm() {
    let seed = 20_230_418;
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let mut noise = Noise(seed);
    for round in 0..40 {
        for mut request in good_requests(&site, &mut device) {
            let Some(body) = &request.body else { continue };
            request.body = Some(if round % 8 == 0 {
                let length = noise.below(300);
                noise.bytes(length)
            } else {
                mutate(&mut noise, body)
            });
            let answer = request.send();
            assert!(
                answer.status < 500 || answer.text().contains("Fault"),
                "seed {seed}: {request:?} {answer:?}"
            );
            assert_ne!(answer.status, 503);
        }
    }
    expect_alive(&site);
}

#[test]
fn spoilt_requests_do_no_harm() {
    let seed = 4_181_945;
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let mut noise = Noise(seed);
    for _ in 0..20 {
        for request in good_requests(&site, &mut device) {
            let bytes = mutate(&mut noise, &request.bytes());
            let mut connection = Connection::open(&site.admin);
            connection.send(&bytes);
            connection.finish();
            // An answer or the end, but not silence.
            connection.answer();
        }
        let mut connection = Connection::open(&site.admin);
        let length = noise.below(2000);
        connection.send(&noise.bytes(length));
        connection.finish();
        connection.answer();
    }
    expect_alive(&site);
}

#[test]
fn hostile_shapes_do_no_harm() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let session = device.open(&site);
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    let nested = deep("<Atomic><CmdID>1</CmdID>", "</Atomic>");
    let many: String = "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert>".repeat(8_000);
    let long_name = format!("<{0}></{0}>", "x".repeat(100_000));
    for body in [
        nested,
        many,
        long_name,
        "<Status/>".repeat(10_000),
        "<Get><CmdID>1</CmdID></Get>".to_owned(),
    ] {
        let answer = session.post(&session.message(1, &format!("{body}<Final/>")));
        assert!(
            matches!(answer.status, 200 | 400 | 413),
            "{}",
            answer.status
        );
    }
    for (verb, number) in [
        ("SessionID", "99999999999999999999"),
        ("MsgID", "99999999999999999999"),
        ("MsgID", "-1"),
        ("MsgID", "x"),
        ("SessionID", ""),
        ("MsgID", ""),
    ] {
        let text = session.package1_text();
        let from = text.find(&format!("<{verb}>")).unwrap() + verb.len() + 2;
        let to = text.find(&format!("</{verb}>")).unwrap();
        let text = format!("{}{number}{}", &text[..from], &text[to..]);
        let status = session.post(&text).status;
        assert!(matches!(status, 200 | 400), "{verb} {number}: {status}");
    }
    expect_alive(&site);
}

#[test]
fn hostile_bodies_and_paths_do_no_harm() {
    let site = Site::new();
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    let arrays = deep("[", "]");
    for path in [
        "/$batch",
        "/users",
        "/deviceManagement/configurationPolicies",
    ] {
        site.request(POLICY_ADMIN, "POST", path)
            .body("application/json", arrays.clone())
            .send()
            .expect_error(400);
    }
    let discovery = format!("{}/EnrollmentServer/Discovery.svc", site.enroll);
    let answer = Request::new("POST", &discovery)
        .body(soap::CONTENT_TYPE, deep("<a>", "</a>"))
        .send();
    assert_eq!(answer.status, 500);
    for target in [
        "/%",
        "/%zz",
        "/graph/v1.0/%00",
        "/graph/v1.0/devices?$filter=%ff",
        "/graph/v1.0/devices?%24top=%ff",
        "//",
        "/graph//v1.0",
    ] {
        let url = format!("http://{}{target}", super::http::authority(&site.admin));
        let status = site
            .signed(POLICY_ADMIN, Request::new("GET", &url))
            .send()
            .status;
        assert!((400..500).contains(&status), "{target} {status}");
    }
    let huge = Request::new("POST", &management_url(&site))
        .header("Client-Cert", &format!(":{}:", "A".repeat(60_000)))
        .body(SYNCML, "x");
    let mut connection = Connection::open(&site.manage);
    connection.send(&huge.bytes());
    connection.answer();
    expect_alive(&site);
}
