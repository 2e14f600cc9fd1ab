//! Contract 6: the control plane.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::Request;
use super::site::{DOMAIN, ENTRA, POLICY_ADMIN, ROTATOR, Site, WINDOWS_11};
use super::text::{guid, instant};

#[test]
fn only_its_own_token_opens_it() {
    let site = Site::new();
    let calls = [
        ("GET", "/clock", Value::Null),
        ("POST", "/clock", json!({"advanceMs": 1})),
        (
            "POST",
            "/devices",
            json!({"deviceName": "x", "joinType": DOMAIN, "osVersion": WINDOWS_11}),
        ),
        ("POST", "/signIns", json!({})),
        ("POST", "/actors", json!({"name": "x", "rights": []})),
    ];
    for (method, path, body) in calls {
        let url = format!("{}/muster/v1{path}", site.control);
        let request = || {
            let request = Request::new(method, &url);
            if method == "GET" {
                request
            } else {
                request.json(&body)
            }
        };
        request().send().expect_error(401);
        request()
            .header("Authorization", "Bearer unknown")
            .send()
            .expect_error(401);
        for actor in [POLICY_ADMIN, ROTATOR, "nobody"] {
            site.signed(actor, request()).send().expect_error(403);
        }
    }
}

#[test]
fn health_needs_no_token() {
    let site = Site::new();
    let url = format!("{}/muster/v1/health", site.control);
    Request::new("GET", &url).send().expect(200);
}

#[test]
fn clock_moves_only_when_told_and_only_with_the_option() {
    let site = Site::virtual_clock();
    let start = instant(&site.now());
    let body = json!({"advanceMs": 86_400_000});
    let answer = site.control("POST", "/clock", &body).expect(200).json();
    let told = instant(answer["now"].as_str().unwrap());
    let day = (told - start).whole_seconds();
    assert!((86_400..86_460).contains(&day), "{day}");
    for wrong in [
        json!({}),
        json!({"advanceMs": -1}),
        json!({"advanceMs": "1"}),
        json!({"advanceMs": 1.5}),
        json!([]),
    ] {
        site.control("POST", "/clock", &wrong).expect_error(400);
    }
    let real = Site::new();
    real.control("POST", "/clock", &body).expect_error(409);
    instant(&real.now());
}

#[test]
fn clock_drives_the_times_of_the_core() {
    let site = Site::virtual_clock();
    site.advance(Duration::from_secs(10 * 86_400));
    let policy = site.policy(&[("passwordlength", "20")]);
    let path = format!("/deviceManagement/configurationPolicies/{policy}");
    let made = site.get(POLICY_ADMIN, &path).json()["createdDateTime"]
        .as_str()
        .unwrap()
        .to_owned();
    let gap = instant(&site.now()) - instant(&made);
    assert!(gap.whole_seconds().abs() < 60, "{gap}");
}

#[test]
fn registration_needs_its_members() {
    let site = Site::new();
    let good = json!({"deviceName": "PC-X", "joinType": ENTRA, "entraDeviceId": guid(), "userPrincipalName": null, "osVersion": WINDOWS_11});
    for member in ["deviceName", "joinType", "osVersion", "entraDeviceId"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        site.control("POST", "/devices", &body).expect_error(400);
        let mut body = good.clone();
        body[member] = json!(7);
        site.control("POST", "/devices", &body).expect_error(400);
    }
    let mut body = good.clone();
    body["entraDeviceId"] = json!("no-guid");
    site.control("POST", "/devices", &body).expect_error(400);
    site.control("POST", "/devices", &good).expect(201);
}

#[test]
fn sign_ins_name_known_devices_and_users() {
    let site = Site::new();
    let device = site.device(ENTRA);
    let (_, name) = site.user();
    let entra = device.entra_id.clone().unwrap();
    for (body, status) in [
        (
            json!({"managedDeviceId": device.managed_id, "userPrincipalName": name}),
            204,
        ),
        (
            json!({"entraDeviceId": entra, "userPrincipalName": name}),
            204,
        ),
        (
            json!({"entraDeviceId": entra, "userPrincipalName": null}),
            204,
        ),
        (
            json!({"entraDeviceId": guid(), "userPrincipalName": name}),
            404,
        ),
        (
            json!({"managedDeviceId": guid(), "userPrincipalName": null}),
            404,
        ),
        (
            json!({"entraDeviceId": entra, "userPrincipalName": "nobody@muster.test"}),
            404,
        ),
        (json!({"userPrincipalName": name}), 400),
        (json!({"entraDeviceId": 1, "userPrincipalName": name}), 400),
        (json!({"entraDeviceId": entra, "userPrincipalName": 1}), 400),
    ] {
        let answer = site.control("POST", "/signIns", &body);
        assert_eq!(answer.status, status, "{body} {}", answer.text());
    }
}

#[test]
fn errors_have_the_common_form() {
    let site = Site::new();
    site.control("POST", "/nothing", &json!({}))
        .expect_error(404);
    site.control("DELETE", "/clock", &json!({}))
        .expect_error(405);
    let url = format!("{}/muster/v1/devices", site.control);
    let request = site.signed("control", Request::new("POST", &url));
    request
        .clone()
        .body("text/plain", "{}")
        .send()
        .expect_error(415);
    request
        .clone()
        .body("application/json", "no JSON")
        .send()
        .expect_error(400);
    let long = format!("{{\"deviceName\":\"{}\"}}", "x".repeat(1 << 20));
    request
        .body("application/json", long)
        .send()
        .expect_error(413);
}

#[test]
fn seed_repeats_tokens() {
    let tokens = |seed: &str| {
        let site = Site::with(&["--seed", seed]);
        ["control", POLICY_ADMIN].map(|actor| site.token(actor).to_owned())
    };
    assert_eq!(tokens("5"), tokens("5"));
    assert_ne!(tokens("5"), tokens("6"));
}
