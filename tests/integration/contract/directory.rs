//! Contract 4: what the directory takes and refuses.

use std::time::Duration;

use serde_json::{Value, json};

use super::device::Device;
use super::http::Request;
use super::site::{
    DOMAIN, ENTRA, HYBRID, NOT_JOINED, POLICY_ADMIN, READER, REGISTERED, Site, WINDOWS_11,
};
use super::text::{guid, instant, password_base64};

/// The stored credentials of a device.
#[track_caller]
fn stored(site: &Site, device: &Device) -> Vec<Value> {
    let id = device.entra_id.as_deref().unwrap();
    let path = format!("/directory/deviceLocalCredentials/{id}?$select=credentials");
    let info = site.get(READER, &path).expect(200).json();
    info["credentials"].as_array().unwrap().clone()
}

fn body(device: &Device, password: &str, backup: &str) -> Value {
    let mut body = device.upload_body(backup, "2030-01-01T00:00:00Z");
    body["passwordBase64"] = json!(password_base64(password));
    body
}

#[test]
fn upload_is_stored_as_it_is() {
    let site = Site::new();
    for join in [ENTRA, HYBRID] {
        let device = site.enrolled(join, WINDOWS_11);
        let upload = json!({
            "deviceName": device.name,
            "accountName": "Verwalter \u{e4}\u{1f511}",
            "accountSid": "S-1-5-21-1-2-3-1001",
            "passwordBase64": password_base64("\u{e4}\u{1f511}<&>\""),
            "backupDateTime": "2026-01-05T09:30:00.1234567Z",
            "refreshDateTime": "2026-02-04T09:30:00.7654321Z",
            "unheardOf": true,
        });
        let answer = device.put_credential(&site, &guid(), &upload).expect(204);
        assert!(answer.body.is_empty());
        let credentials = stored(&site, &device);
        assert_eq!(credentials.len(), 1);
        for member in ["accountName", "accountSid", "passwordBase64"] {
            assert_eq!(credentials[0][member], upload[member], "{member}");
        }
        let same = |kept: &Value, sent: &Value| {
            assert_eq!(
                instant(kept.as_str().unwrap()),
                instant(sent.as_str().unwrap())
            );
        };
        same(&credentials[0]["backupDateTime"], &upload["backupDateTime"]);
        let id = device.entra_id.as_deref().unwrap();
        let info = site
            .get(READER, &format!("/deviceLocalCredentials/{id}"))
            .expect(200)
            .json();
        same(&info["lastBackupDateTime"], &upload["backupDateTime"]);
        same(&info["refreshDateTime"], &upload["refreshDateTime"]);
    }
}

#[test]
fn the_same_key_stores_and_logs_once() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let key = guid();
    let upload = body(&device, "one", "2026-01-01T00:00:00Z");
    for _ in 0..3 {
        device.put_credential(&site, &key, &upload).expect(204);
    }
    assert_eq!(stored(&site, &device).len(), 1);
    assert_eq!(site.directory_audit("Update", &device).len(), 1);
    let other = body(&device, "two", "2026-01-02T00:00:00Z");
    device.put_credential(&site, &key, &other).expect_error(409);
    assert_eq!(stored(&site, &device).len(), 1);
    assert_eq!(site.directory_audit("Update", &device).len(), 1);
}

#[test]
fn keys_of_different_devices_do_not_meet() {
    let site = Site::new();
    let key = guid();
    for _ in 0..2 {
        let device = site.enrolled(ENTRA, WINDOWS_11);
        let upload = body(&device, "x", "2026-01-01T00:00:00Z");
        device.put_credential(&site, &key, &upload).expect(204);
        assert_eq!(stored(&site, &device).len(), 1);
    }
}

#[test]
fn key_must_be_a_guid() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let id = device.entra_id.clone().unwrap();
    let upload = body(&device, "x", "2026-01-01T00:00:00Z");
    device
        .put_request(&site, &id)
        .json(&upload)
        .send()
        .expect_error(400);
    for key in ["", "1", "not-a-guid", "7e57d00d-0000-4000-8000-00000000000"] {
        device.put_credential(&site, key, &upload).expect_error(400);
    }
    assert!(site.directory_audit("Update", &device).is_empty());
}

#[test]
fn sixteen_keys_are_kept_and_looked_at_before_the_time() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let uploads: Vec<(String, Value)> = (0..17)
        .map(|at| {
            let backup = format!("2026-01-01T00:00:{at:02}Z");
            (guid(), body(&device, &format!("pw{at}"), &backup))
        })
        .collect();
    for (key, upload) in &uploads[..16] {
        device.put_credential(&site, key, upload).expect(204);
    }
    let (key, upload) = &uploads[0];
    device.put_credential(&site, key, upload).expect(204);
    let (last_key, last) = &uploads[16];
    device.put_credential(&site, last_key, last).expect(204);
    device.put_credential(&site, key, upload).expect_error(409);
    let (key, upload) = &uploads[1];
    device.put_credential(&site, key, upload).expect(204);
    assert_eq!(site.directory_audit("Update", &device).len(), 17);
}

#[test]
fn older_backup_is_a_conflict_and_an_equal_one_is_not() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let put = |password: &str, backup: &str| {
        device
            .put_credential(&site, &guid(), &body(&device, password, backup))
            .status
    };
    assert_eq!(put("a", "2026-06-01T00:00:00.0000001Z"), 204);
    assert_eq!(put("b", "2026-06-01T00:00:00Z"), 409);
    assert_eq!(put("c", "2026-06-01T00:00:00.0000001Z"), 204);
    assert_eq!(
        put("d", "2027-06-01T00:00:00Z"),
        204,
        "a device clock may run ahead"
    );
    assert_eq!(put("e", "2026-06-02T00:00:00Z"), 409);
    let passwords: Vec<Value> = stored(&site, &device)
        .iter()
        .map(|entry| entry["passwordBase64"].clone())
        .collect();
    assert_eq!(
        passwords,
        [
            password_base64("d"),
            password_base64("c"),
            password_base64("a")
        ]
    );
    assert_eq!(site.directory_audit("Update", &device).len(), 3);
}

#[test]
fn three_entries_are_kept_newest_first() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    for day in 1..=5 {
        let upload = body(
            &device,
            &format!("pw{day}"),
            &format!("2026-01-0{day}T00:00:00Z"),
        );
        device.put_credential(&site, &guid(), &upload).expect(204);
    }
    let passwords: Vec<Value> = stored(&site, &device)
        .iter()
        .map(|entry| entry["passwordBase64"].clone())
        .collect();
    assert_eq!(
        passwords,
        [
            password_base64("pw5"),
            password_base64("pw4"),
            password_base64("pw3")
        ]
    );
}

#[test]
fn malformed_uploads_are_refused() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let good = body(&device, "x", "2026-01-01T00:00:00Z");
    for member in [
        "deviceName",
        "accountName",
        "accountSid",
        "passwordBase64",
        "backupDateTime",
        "refreshDateTime",
    ] {
        let mut missing = good.clone();
        missing.as_object_mut().unwrap().remove(member);
        device
            .put_credential(&site, &guid(), &missing)
            .expect_error(400);
        for wrong in [json!(1), json!(null), json!({}), json!([])] {
            let mut changed = good.clone();
            changed[member] = wrong;
            device
                .put_credential(&site, &guid(), &changed)
                .expect_error(400);
        }
    }
    for (member, value) in [
        ("passwordBase64", "***"),
        ("passwordBase64", "QQ=="),
        ("backupDateTime", "yesterday"),
        ("backupDateTime", "2026-13-01T00:00:00Z"),
        ("backupDateTime", "2026-01-01 00:00:00"),
        ("refreshDateTime", ""),
    ] {
        let mut changed = good.clone();
        changed[member] = json!(value);
        assert_eq!(
            device.put_credential(&site, &guid(), &changed).status,
            400,
            "{member} {value}"
        );
    }
    for whole in [json!([]), json!("x"), json!(null)] {
        device
            .put_credential(&site, &guid(), &whole)
            .expect_error(400);
    }
    device.put_credential(&site, &guid(), &good).expect(204);
    assert_eq!(site.directory_audit("Update", &device).len(), 1);
}

#[test]
fn only_the_device_itself_may_upload() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let other = site.enrolled(ENTRA, WINDOWS_11);
    let upload = body(&device, "x", "2026-01-01T00:00:00Z");
    let own = device.entra_id.as_deref().unwrap();
    let url = format!("{}/laps/v1/devices/{own}/credential", site.directory);
    let put = |request: Request| {
        request
            .header("Idempotency-Key", &guid())
            .json(&upload)
            .send()
    };
    put(Request::new("PUT", &url)).expect_error(401);
    put(Request::new("PUT", &url).header("Client-Cert", "garbage")).expect_error(401);
    put(other.put_request(&site, own)).expect_error(403);
    put(device.put_request(&site, &guid())).expect_error(403);
    put(device.put_request(&site, other.entra_id.as_deref().unwrap())).expect_error(403);
    let mut forged = device.clone();
    forged.certificate.truncate(100);
    put(forged.put_request(&site, own)).expect_error(403);
    assert!(site.directory_audit("Update", &device).is_empty());
    assert!(site.directory_audit("Update", &other).is_empty());
    put(device.put_request(&site, own)).expect(204);
}

#[test]
fn join_states_without_entra_backup_are_refused() {
    let site = Site::new();
    for join in [REGISTERED, DOMAIN, NOT_JOINED] {
        let mut device = site.enrolled(join, WINDOWS_11);
        device.upload(&site).expect_error(403);
    }
}

#[test]
fn tenant_switch_stops_uploads() {
    let site = Site::new();
    let path = "/policies/deviceRegistrationPolicy";
    let read = |site: &Site| {
        let policy = site.get(POLICY_ADMIN, path).expect(200).json();
        policy["localAdminPassword"]["isEnabled"].clone()
    };
    assert_eq!(read(&site), true);
    let mut devices = [
        site.enrolled(ENTRA, WINDOWS_11),
        site.enrolled(HYBRID, WINDOWS_11),
    ];
    let set = |enabled: bool| {
        let body = json!({"localAdminPassword": {"isEnabled": enabled}});
        site.send(POLICY_ADMIN, "PUT", path, &body).expect(200);
    };
    set(false);
    assert_eq!(read(&site), false);
    for device in &mut devices {
        device.upload(&site).expect_error(403);
        assert!(site.directory_audit("Update", device).is_empty());
    }
    set(true);
    for device in &mut devices {
        device.upload(&site).expect(204);
    }
    let wrong = json!({"localAdminPassword": {"isEnabled": "yes"}});
    site.send(POLICY_ADMIN, "PUT", path, &wrong)
        .expect_error(400);
}

#[test]
fn http_errors_of_the_plane() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let id = device.entra_id.clone().unwrap();
    let url = format!("{}/laps/v1/devices/{id}/credential", site.directory);
    let with = |request: Request| {
        request
            .header("Client-Cert", &device.client_cert())
            .header("Idempotency-Key", &guid())
    };
    for method in ["GET", "POST", "DELETE"] {
        with(Request::new(method, &url)).send().expect_error(405);
    }
    let other = format!("{}/laps/v2/devices/{id}/credential", site.directory);
    with(Request::new("PUT", &other))
        .json(&json!({}))
        .send()
        .expect_error(404);
    with(Request::new("PUT", &url))
        .body("text/plain", "{}")
        .send()
        .expect_error(415);
    with(Request::new("PUT", &url))
        .body("application/json", "no JSON")
        .send()
        .expect_error(400);
    let long = body(&device, &"x".repeat(600_000), "2026-01-01T00:00:00Z");
    with(Request::new("PUT", &url))
        .json(&long)
        .send()
        .expect_error(413);
    let request = with(Request::new("PUT", &url)).json(&body(&device, "x", "2026-01-01T00:00:00Z"));
    request.send_raw(&request.chunked(9)).expect(204);
}

#[test]
fn virtual_time_goes_into_the_event_and_device_time_into_the_record() {
    let site = Site::virtual_clock();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    site.advance(Duration::from_secs(40 * 86_400));
    let upload = body(&device, "x", "2026-01-01T00:00:00Z");
    device.put_credential(&site, &guid(), &upload).expect(204);
    let event = site.directory_audit("Update", &device).pop().unwrap();
    let at = instant(event["activityDateTime"].as_str().unwrap());
    let now = instant(&site.now());
    assert!((now - at).whole_seconds() < 60, "{at} {now}");
    assert_eq!(
        instant(
            stored(&site, &device)[0]["backupDateTime"]
                .as_str()
                .unwrap()
        ),
        instant("2026-01-01T00:00:00Z")
    );
}

#[test]
fn refusals_come_in_a_fixed_order() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let other = site.enrolled(ENTRA, WINDOWS_11);
    let own = device.entra_id.clone().unwrap();
    let url = format!("{}/laps/v1/devices/{own}/credential", site.directory);
    // 401, 405, 403, 415, 413, 400, 404, 409.
    Request::new("GET", &url).send().expect_error(401);
    Request::new("PUT", &url)
        .body("text/plain", "x")
        .send()
        .expect_error(401);
    let as_other =
        |method: &str| Request::new(method, &url).header("Client-Cert", &other.client_cert());
    as_other("GET").send().expect_error(405);
    as_other("PUT")
        .body("text/plain", "x")
        .send()
        .expect_error(403);
    as_other("PUT")
        .body("application/json", "{")
        .send()
        .expect_error(403);
    let long = "x".repeat((1 << 20) + 1);
    device
        .put_request(&site, &own)
        .body("text/plain", long.clone())
        .send()
        .expect_error(415);
    device
        .put_request(&site, &own)
        .body("application/json", long)
        .send()
        .expect_error(413);
    let object = format!("/devices/{}", site.object_id(&device));
    site.delete(POLICY_ADMIN, &object).expect(204);
    device
        .put_request(&site, &own)
        .body("application/json", "{")
        .send()
        .expect_error(400);
    let upload = body(&device, "x", "2026-01-01T00:00:00Z");
    device
        .put_credential(&site, &guid(), &upload)
        .expect_error(404);
}
