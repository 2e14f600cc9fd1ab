//! The control plane.

use protocol::JoinType;
use protocol::control::RegisterDevice;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Bench;

#[test]
fn only_the_control_token_opens_the_control_plane() {
    let mut bench = Bench::new();
    for (actor, method, path, status) in [
        ("policy-admin", "GET", "/muster/v1/clock", 403),
        ("policy-admin", "GET", "/muster/v1/health", 200),
        ("control", "GET", "/muster/v1/health", 200),
        ("control", "GET", "/muster/v1/clock", 200),
        ("policy-admin", "GET", "/muster/v1/stats", 403),
        ("control", "GET", "/muster/v1/stats", 200),
        ("control", "POST", "/muster/v1/stats", 405),
        ("control", "DELETE", "/muster/v1/clock", 405),
        ("control", "GET", "/muster/v1/nothing", 404),
        ("control", "POST", "/muster/v1/devices/", 404),
        ("control", "PATCH", "/muster/v1/devices/x", 400),
    ] {
        let answered = bench.control_as(actor, method, path, &Value::Null);
        assert_eq!(answered.status, status, "{actor} {method} {path}");
    }
}

#[test]
fn registrations_follow_the_join_type() {
    let entra = Some(Uuid::from_u128(3));
    for (join_type, entra_device_id, status, auth_policy) in [
        (JoinType::EntraJoined, entra, 201, "Federated"),
        (JoinType::EntraHybridJoined, entra, 201, "Federated"),
        (JoinType::EntraRegistered, entra, 201, "Federated"),
        (JoinType::DomainJoined, None, 201, "OnPremise"),
        (JoinType::NotJoined, None, 201, "OnPremise"),
        (JoinType::EntraJoined, None, 400, ""),
        (JoinType::EntraHybridJoined, None, 400, ""),
        (JoinType::EntraRegistered, None, 400, ""),
        (JoinType::DomainJoined, entra, 201, "OnPremise"),
    ] {
        let body = RegisterDevice {
            device_name: "pc".to_owned(),
            join_type,
            entra_device_id,
            user_principal_name: None,
            os_version: "10.0.19045.1".to_owned(),
        };
        let body = serde_json::to_value(body).unwrap();
        let answered = Bench::new().control("POST", "/muster/v1/devices", &body);
        assert_eq!(answered.status, status, "{body}");
        let told = answered.body["enrollment"]["authPolicy"]
            .as_str()
            .unwrap_or_default();
        assert_eq!(told, auth_policy, "{body}");
    }
}

#[test]
fn the_clock_moves_forward_and_only_when_virtual() {
    let mut bench = Bench::new();
    let moved = bench.control(
        "POST",
        "/muster/v1/clock",
        &json!({"advanceMs": 86_400_000}),
    );
    assert_eq!(
        (moved.status, &moved.body["now"]),
        (200, &json!("2026-03-02T00:00:00Z"))
    );
    let read = bench.control("GET", "/muster/v1/clock", &Value::Null);
    assert_eq!(read.body["now"], "2026-03-02T00:00:00Z");
    for wrong in [json!(-1), json!("1"), json!(u64::MAX), json!(i64::MAX)] {
        let answered = bench.control("POST", "/muster/v1/clock", &json!({"advanceMs": wrong}));
        assert_eq!(answered.status, 400, "{wrong}");
    }
    bench.core.config.virtual_clock = false;
    let refused = bench.control("POST", "/muster/v1/clock", &json!({"advanceMs": 1}));
    assert_eq!((refused.status, refused.code()), (409, "Conflict"));
}

#[test]
fn sign_ins_name_a_known_device_and_a_known_user() {
    let mut bench = Bench::new();
    let device = bench.enroll("pc", JoinType::EntraJoined);
    let user = json!({"userPrincipalName": "a@x.test", "displayName": "a"});
    bench.call("policy-admin", "POST", "/users", &user);
    let (managed, entra) = (device.managed, device.entra.unwrap());
    for (body, status) in [
        (
            json!({"entraDeviceId": entra, "userPrincipalName": "a@x.test"}),
            204,
        ),
        (
            json!({"managedDeviceId": managed, "userPrincipalName": null}),
            204,
        ),
        (
            json!({"managedDeviceId": managed, "userPrincipalName": "b@x.test"}),
            404,
        ),
        (
            json!({"managedDeviceId": entra, "userPrincipalName": null}),
            404,
        ),
        (json!({"userPrincipalName": null}), 400),
    ] {
        let answered = bench.control("POST", "/muster/v1/signIns", &body);
        assert_eq!(answered.status, status, "{body}");
    }
}

#[test]
fn a_new_actor_may_do_what_its_rights_say() {
    let mut bench = Bench::new();
    let actor = json!({"name": "extra", "rights": ["Directory/Read"]});
    let made = bench.control("POST", "/muster/v1/actors", &actor);
    assert_eq!(made.status, 201);
    bench.tokens.insert(
        "extra".to_owned(),
        made.body["token"].as_str().unwrap().to_owned(),
    );
    assert_eq!(bench.get("extra", "/devices").status, 200);
    assert_eq!(
        bench
            .get("extra", "/deviceManagement/managedDevices")
            .status,
        403
    );
    for (body, status) in [
        (actor, 409),
        (json!({"name": "nobody", "rights": []}), 409),
        (json!({"name": "other", "rights": ["Everything"]}), 400),
        (json!({"name": "", "rights": []}), 400),
        (json!({"name": "other"}), 400),
    ] {
        assert_eq!(
            bench.control("POST", "/muster/v1/actors", &body).status,
            status,
            "{body}"
        );
    }
}
