//! Contract 5: `$batch`.

use serde_json::{Value, json};

use super::channel::Mood;
use super::device::Device;
use super::http::Request;
use super::site::{ENTRA, HELP_DESK, POLICY_ADMIN, READER, ROTATOR, Site, rotate_path};
use super::text::guid;

#[track_caller]
fn batch(site: &Site, actor: &str, requests: &[Value]) -> Vec<Value> {
    let answer = site
        .post(actor, "/$batch", &json!({"requests": requests}))
        .expect(200);
    answer.json()["responses"].as_array().unwrap().clone()
}

#[track_caller]
fn response<'a>(responses: &'a [Value], id: &str) -> &'a Value {
    responses
        .iter()
        .find(|response| response["id"] == id)
        .unwrap()
}

#[test]
fn each_request_is_served_on_its_own() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let managed = format!("/deviceManagement/managedDevices/{}", device.managed_id);
    let responses = batch(
        &site,
        HELP_DESK,
        &[
            json!({"id": "one", "method": "GET", "url": managed}),
            json!({"id": "two", "method": "POST", "url": format!("{managed}/syncDevice")}),
            json!({"id": "three", "method": "GET", "url": format!("/deviceManagement/managedDevices/{}", guid())}),
            json!({"id": "four", "method": "POST", "url": "/users", "body": {"userPrincipalName": "a@b", "displayName": "a"}, "headers": {"Content-Type": "application/json"}}),
            json!({"id": "five", "method": "GET", "url": "/nothing"}),
        ],
    );
    assert_eq!(responses.len(), 5);
    assert_eq!(response(&responses, "one")["status"], 200);
    assert_eq!(
        response(&responses, "one")["body"]["id"],
        device.managed_id.as_str()
    );
    assert_eq!(response(&responses, "two")["status"], 204);
    assert_eq!(response(&responses, "three")["status"], 404);
    assert_eq!(
        response(&responses, "three")["body"]["error"]["code"],
        "ResourceNotFound"
    );
    assert_eq!(response(&responses, "four")["status"], 403);
    assert_eq!(response(&responses, "five")["status"], 404);
    assert!(site.pushed(&device, 1));
}

#[test]
fn bodies_go_with_their_requests() {
    let site = Site::new();
    let body = json!({"displayName": "g", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true});
    let responses = batch(
        &site,
        POLICY_ADMIN,
        &[
            json!({"id": "1", "method": "POST", "url": "/groups", "body": body, "headers": {"Content-Type": "application/json"}}),
        ],
    );
    assert_eq!(responses[0]["status"], 201);
    assert_eq!(responses[0]["body"]["displayName"], "g");
}

#[test]
fn rotations_in_a_batch_are_single_requests() {
    let site = Site::new();
    let devices: Vec<Device> = (0..4).map(|_| site.backed_up(ENTRA)).collect();
    site.mood(&devices[3], Mood::Disconnected);
    let envelope = guid();
    let own = guid();
    let requests: Vec<Value> = devices
        .iter()
        .enumerate()
        .map(|(at, device)| {
            let mut request =
                json!({"id": at.to_string(), "method": "POST", "url": rotate_path(device)});
            if at == 0 {
                request["headers"] = json!({"client-request-id": own});
            }
            request
        })
        .collect();
    let answer = Request::new("POST", &format!("{}/v1.0/$batch", site.admin))
        .header("Authorization", &format!("Bearer {}", site.token(ROTATOR)))
        .header("client-request-id", &envelope)
        .json(&json!({"requests": requests}))
        .send()
        .expect(200);
    let responses = answer.json()["responses"].as_array().unwrap().clone();
    assert!(
        responses.iter().all(|response| response["status"] == 204),
        "{responses:?}"
    );
    for (at, device) in devices.iter().enumerate() {
        assert_eq!(site.pushes(device), 1);
        let events = site.rotation_events(device);
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0]["correlationId"],
            if at == 0 { own.as_str() } else { &envelope }
        );
        let expected = if at == 3 { "failed" } else { "pending" };
        assert_eq!(site.rotation(device)["actionState"], expected);
    }
}

#[test]
fn password_reads_in_a_batch_are_audited_each() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let url = format!(
        "/directory/deviceLocalCredentials/{}?$select=credentials",
        device.entra_id.as_deref().unwrap()
    );
    let requests: Vec<Value> = (0..3)
        .map(|at| json!({"id": at.to_string(), "method": "GET", "url": url}))
        .collect();
    let responses = batch(&site, READER, &requests);
    assert!(responses.iter().all(|response| response["status"] == 200));
    assert_eq!(site.directory_audit("Recover", &device).len(), 3);
}

#[test]
fn authorization_inside_is_ignored() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let inside = format!("Bearer {}", site.token(ROTATOR));
    let request = json!({"id": "1", "method": "POST", "url": rotate_path(&device), "headers": {"Authorization": inside}});
    let responses = batch(&site, HELP_DESK, &[request]);
    assert_eq!(responses[0]["status"], 403);
    assert!(site.rotations(&device).is_empty());
}

#[test]
fn shapeless_batches_have_no_effect() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let rotate = |id: &str| json!({"id": id, "method": "POST", "url": rotate_path(&device)});
    let many: Vec<Value> = (0..21).map(|at| rotate(&at.to_string())).collect();
    let nested =
        json!({"id": "n", "method": "POST", "url": "/$batch", "body": {"requests": [rotate("i")]}});
    let mut without_id = rotate("x");
    without_id.as_object_mut().unwrap().remove("id");
    for body in [
        json!({}),
        json!({"requests": {}}),
        json!({"requests": many}),
        json!({"requests": [rotate("1"), rotate("1")]}),
        json!({"requests": [rotate("1"), nested]}),
        json!({"requests": [without_id]}),
        json!({"requests": [{"id": "1", "method": "POST"}]}),
        json!({"requests": [{"id": "1", "url": rotate_path(&device)}]}),
    ] {
        site.post(ROTATOR, "/$batch", &body).expect_error(400);
    }
    assert!(site.rotations(&device).is_empty());
    assert!(site.rotation_events(&device).is_empty());
    let twenty: Vec<Value> = (0..20)
        .map(|at| json!({"id": at.to_string(), "method": "GET", "url": "/nothing"}))
        .collect();
    assert_eq!(batch(&site, ROTATOR, &twenty).len(), 20);
}

#[test]
fn anybody_may_send_an_envelope() {
    let site = Site::new();
    let responses = batch(
        &site,
        "nobody",
        &[json!({"id": "1", "method": "GET", "url": "/devices"})],
    );
    assert_eq!(responses[0]["status"], 403);
    let url = format!("{}/v1.0/$batch", site.admin);
    Request::new("POST", &url)
        .json(&json!({"requests": []}))
        .send()
        .expect_error(401);
}
