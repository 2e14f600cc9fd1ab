//! `$batch`: each request on its own.

use protocol::JoinType;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bench, rotate_url};

fn responses(body: &Value) -> Vec<(String, u64)> {
    body["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            (
                part["id"].as_str().unwrap().to_owned(),
                part["status"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn every_request_is_served_and_logged_on_its_own() {
    let mut bench = Bench::new();
    let online = bench.backed_up("online", JoinType::EntraJoined, true);
    let offline = bench.backed_up("offline", JoinType::EntraJoined, false);
    let silent = bench.enroll("silent", JoinType::EntraJoined);
    let own = Uuid::from_u128(9).to_string();
    let envelope = Uuid::from_u128(8).to_string();
    let sync = json!({"actionName": "syncDevice", "deviceIds": [online.managed]});
    let body = json!({"requests": [
        {"id": "1", "method": "POST", "url": rotate_url(online), "headers": {"client-request-id": own}},
        {"id": "2", "method": "POST", "url": rotate_url(offline)},
        {"id": "3", "method": "POST", "url": rotate_url(silent)},
        {"id": "4", "method": "GET", "url": "/deviceManagement/managedDevices?$top=1"},
        {"id": "5", "method": "GET", "url": "/deviceManagement/auditEvents"},
        {"id": "6", "method": "GET", "url": "/nothing"},
        {"id": "7", "method": "POST", "url": "/deviceManagement/managedDevices/executeAction",
         "headers": {"Content-Type": "application/json", "Authorization": "Bearer x"}, "body": sync},
        {"id": "8", "method": "POST", "url": rotate_url(online), "headers": {"client-request-id": "x"}},
    ]});
    let answered = bench.call_as(
        ("rotate-operator", Some(&envelope)),
        "POST",
        "/$batch",
        &body,
    );
    assert_eq!(answered.status, 200);
    let expected = [204, 204, 204, 200, 403, 404, 200, 400];
    let told: Vec<u64> = responses(&answered.body)
        .iter()
        .map(|(_, status)| *status)
        .collect();
    assert_eq!(told, expected);
    let parts = answered.body["responses"].as_array().unwrap();
    assert_eq!(parts[0]["headers"]["client-request-id"], own);
    assert_eq!(parts[1]["headers"]["client-request-id"], envelope);
    assert_eq!(parts[3]["body"]["value"].as_array().unwrap().len(), 1);
    assert!(
        parts[3]["body"]["@odata.nextLink"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:8080/admin/v1.0/")
    );
    assert_eq!(parts[4]["body"]["error"]["code"], "Forbidden");
    let mut told: Vec<(String, String, String)> = bench
        .rotation_events()
        .iter()
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&event["resources"][0]["displayName"]),
                text(&event["activityResult"]),
                text(&event["correlationId"]),
            )
        })
        .collect();
    told.sort_unstable();
    let row =
        |name: &str, result: &str, id: &str| (name.to_owned(), result.to_owned(), id.to_owned());
    assert_eq!(
        told,
        [
            row("offline", "Failure", &envelope),
            row("online", "Success", &own),
            row("silent", "Failure", &envelope),
        ]
    );
}

#[test]
fn a_batch_that_is_none_is_refused_whole() {
    let request = |id: &str, url: &str| json!({"id": id, "method": "GET", "url": url});
    let many = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|n| request(&n.to_string(), "/devices"))
            .collect()
    };
    for (body, status) in [
        (json!({"requests": many(20)}), 200),
        (json!({"requests": many(21)}), 400),
        (
            json!({"requests": [request("1", "/devices"), request("1", "/devices")]}),
            400,
        ),
        (json!({"requests": [request("1", "/$batch")]}), 400),
        (json!({"requests": [request("1", "$batch?x")]}), 400),
        (json!({"requests": [request("1", "devices")]}), 200),
        (
            json!({"requests": [{"id": 1, "method": "GET", "url": "/devices"}]}),
            400,
        ),
        (json!({"requests": "none"}), 400),
        (json!({}), 400),
    ] {
        let mut bench = Bench::new();
        let answered = bench.call("policy-admin", "POST", "/$batch", &body);
        assert_eq!(answered.status, status, "{body}");
        if status == 200 {
            assert!(
                responses(&answered.body)
                    .iter()
                    .all(|(_, status)| *status == 200),
                "{body}"
            );
        }
    }
}
