//! Rotation and other actions: answers, listed actions, events, bulk.

use protocol::JoinType;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bench, rotate_url};
use crate::fault::Fault;

const BULK: &str = "/deviceManagement/managedDevices/executeAction";

#[test]
fn a_rotation_is_answered_after_its_push_and_logged_once() {
    let (none, text) = (Value::Null, |detail: &str| json!(detail));
    #[rustfmt::skip]
    let cases = [
        (JoinType::EntraJoined, true, true, "pending", none.clone(), "Success"),
        (JoinType::EntraJoined, false, true, "failed", text("offline"), "Failure"),
        (JoinType::EntraJoined, true, false, "failed", text("noBackup"), "Failure"),
        (JoinType::EntraHybridJoined, false, true, "pending", none, "Success"),
        (JoinType::EntraRegistered, true, false, "failed", text("joinType"), "Failure"),
        (JoinType::NotJoined, true, false, "failed", text("joinType"), "Failure"),
    ];
    for (join_type, online, backed_up, state, detail, result) in cases {
        let mut bench = Bench::new();
        let device = bench.enroll("pc", join_type);
        bench.connect(device, online);
        if backed_up {
            bench.back_up(device, "first");
        }
        let id = Uuid::from_u128(77).to_string();
        let url = rotate_url(device);
        let answered = bench.call_as(("rotate-operator", Some(&id)), "POST", &url, &Value::Null);
        let shown = format!("{join_type} {online} {backed_up}");
        assert_eq!(
            (answered.status, answered.whole.body.len()),
            (204, 0),
            "{shown}"
        );
        let actions = bench.actions(device);
        assert_eq!(actions.len(), 1, "{shown}");
        assert_eq!(actions[0]["actionName"], "rotateLocalAdminPassword");
        assert_eq!(actions[0]["actionState"], state, "{shown}");
        assert_eq!(actions[0]["detail"], detail, "{shown}");
        let events = bench.rotation_events();
        assert_eq!(events.len(), 1, "{shown}");
        assert_eq!(events[0]["activityResult"], result, "{shown}");
        assert_eq!(events[0]["correlationId"], id);
        assert_eq!(
            events[0]["actor"]["userPrincipalName"],
            "rotate-operator@muster.test"
        );
        assert_eq!(
            events[0]["resources"][0]["resourceId"],
            device.managed.to_string()
        );
        assert_eq!(events[0]["resources"][0]["displayName"], "pc");
    }
}

#[test]
fn a_device_without_channel_is_answered_at_once() {
    let mut bench = Bench::new();
    let device = bench.enroll("pc", JoinType::EntraJoined);
    bench.back_up(device, "first");
    assert_eq!(bench.rotate(device).status, 204);
    assert_eq!(bench.actions(device)[0]["detail"], "offline");
    assert_eq!(bench.rotation_events().len(), 1);
}

#[test]
fn refused_rotations_make_neither_action_nor_event() {
    let mut bench = Bench::new();
    let device = bench.backed_up("pc", JoinType::EntraJoined, true);
    let url = rotate_url(device);
    let unknown = url.replace(&device.managed.to_string(), &Uuid::nil().to_string());
    let no_guid = url.replace(&device.managed.to_string(), "x");
    for (actor, url, body, status) in [
        ("help-desk", &url, Value::Null, 403),
        ("rotate-operator", &url, json!({"force": true}), 400),
        ("rotate-operator", &url, json!([]), 400),
        ("rotate-operator", &unknown, Value::Null, 404),
        ("rotate-operator", &no_guid, Value::Null, 404),
    ] {
        let answered = bench.call(actor, "POST", url, &body);
        assert_eq!(answered.status, status, "{actor} {url} {body}");
    }
    assert_eq!(
        bench
            .call(
                "rotate-operator",
                "POST",
                &format!("{url}?x=1"),
                &Value::Null
            )
            .status,
        400
    );
    assert!(bench.actions(device).is_empty());
    assert!(bench.rotation_events().is_empty());
    assert_eq!(
        bench
            .call("rotate-operator", "POST", &url, &json!({}))
            .status,
        204
    );
}

#[test]
fn a_rotation_behind_a_retire_is_listed_as_canceled_and_logged() {
    let mut bench = Bench::new();
    let device = bench.backed_up("pc", JoinType::EntraJoined, true);
    bench.rotate(device);
    let retire = format!("/deviceManagement/managedDevices/{}/retire", device.managed);
    assert_eq!(
        bench
            .call("device-admin", "POST", &retire, &Value::Null)
            .status,
        204
    );
    bench.rotate(device);
    let states: Vec<(String, String)> = bench
        .actions(device)
        .iter()
        .map(|action| {
            (
                action["actionName"].to_string(),
                action["actionState"].to_string(),
            )
        })
        .collect();
    let told = |name: &str, state: &str| (format!("\"{name}\""), format!("\"{state}\""));
    assert_eq!(
        states,
        [
            told("rotateLocalAdminPassword", "canceled"),
            told("retire", "pending"),
            told("rotateLocalAdminPassword", "canceled"),
        ],
        "newest first"
    );
    assert_eq!(bench.rotation_events().len(), 2);
}

#[test]
fn bulk_takes_sync_and_names_every_device_once() {
    let mut bench = Bench::new();
    let devices = ["a", "b"].map(|name| bench.backed_up(name, JoinType::EntraJoined, true).managed);
    let unknown = Uuid::nil();
    let body = json!({
        "actionName": "syncDevice",
        "deviceIds": [devices[0], devices[1], devices[0], unknown],
    });
    let answered = bench.call("help-desk", "POST", BULK, &body);
    assert_eq!(answered.status, 200);
    let value = &answered.body["value"];
    assert_eq!(value["successfulDeviceIds"], json!(devices));
    assert_eq!(value["notFoundDeviceIds"], json!([unknown]));
    assert_eq!(value["failedDeviceIds"], json!([]));
    let body = json!({"actionName": "rebootNow", "deviceIds": [devices[1], devices[0]]});
    let answered = bench.call("rotate-operator", "POST", BULK, &body);
    assert_eq!(
        answered.body["value"]["notSupportedDeviceIds"],
        json!([devices[1], devices[0]])
    );
    assert_eq!(answered.body["value"]["successfulDeviceIds"], json!([]));
}

#[test]
fn bulk_rotation_is_refused_whole_and_before_rights() {
    let mut bench = Bench::new();
    let devices = ["a", "b"].map(|name| bench.backed_up(name, JoinType::EntraJoined, true));
    let ids = devices.map(|device| device.managed);
    let many: Vec<Uuid> = (0..101).map(Uuid::from_u128).collect();
    for (actor, action, ids, status) in [
        (
            "rotate-operator",
            json!("rotateLocalAdminPassword"),
            json!(ids),
            400,
        ),
        ("nobody", json!("rotateLocalAdminPassword"), json!(ids), 400),
        ("nobody", json!("RebootNow"), json!(ids), 400),
        ("nobody", json!("syncDevice"), json!(ids), 403),
        ("nobody", json!(7), json!(ids), 403),
        ("help-desk", json!(7), json!(ids), 400),
        ("help-desk", json!("syncDevice"), json!([]), 400),
        ("help-desk", json!("syncDevice"), json!(many), 400),
        ("help-desk", json!("syncDevice"), json!(many[..100]), 200),
        ("help-desk", json!("syncDevice"), json!("all"), 400),
    ] {
        let body = json!({"actionName": action, "deviceIds": ids});
        let answered = bench.call(actor, "POST", BULK, &body);
        assert_eq!(answered.status, status, "{actor} {body}");
    }
    for device in devices {
        assert!(bench.actions(device).is_empty());
    }
    assert!(bench.rotation_events().is_empty());
}

#[test]
fn each_bulk_defect_shows_as_its_sentence_says() {
    for fault in [
        Fault::BulkAccepts,
        Fault::BulkPartialEffect,
        Fault::BulkLeavesActionRow,
        Fault::BulkEndpointDead,
        Fault::AudPhantom,
    ] {
        let mut bench = Bench::faulty(fault);
        let devices = ["a", "b"].map(|name| bench.backed_up(name, JoinType::EntraJoined, true));
        let ids = devices.map(|device| device.managed);
        let body = json!({"actionName": "rotateLocalAdminPassword", "deviceIds": ids});
        let refused = bench.call("rotate-operator", "POST", BULK, &body).status == 400;
        assert_eq!(refused, fault != Fault::BulkAccepts, "{fault:?}");
        let rows = devices.map(|device| bench.actions(device).len());
        let (partial, all) = (
            fault == Fault::BulkPartialEffect,
            fault == Fault::BulkLeavesActionRow,
        );
        let expected = [usize::from(partial || all), usize::from(all)];
        assert_eq!(rows, expected, "{fault:?}");
        let events = bench.rotation_events().len();
        assert_eq!(events > 0, fault == Fault::AudPhantom, "{fault:?}");
        let sync = json!({"actionName": "syncDevice", "deviceIds": ids});
        let alive = bench.call("rotate-operator", "POST", BULK, &sync).status == 200;
        assert_eq!(alive, fault != Fault::BulkEndpointDead, "{fault:?}");
    }
}
