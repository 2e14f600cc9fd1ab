//! Contract 5: rotations that fail, expire, are canceled or never become an action.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::channel::Mood;
use super::device::{Device, RESET};
use super::http::Answer;
use super::site::{
    DEVICE_ADMIN, DOMAIN, ENTRA, HYBRID, NOT_JOINED, POLICY_ADMIN, REGISTERED, ROTATOR, Site,
    WINDOWS_11, action_path, rotate_path,
};
use super::text::guid;

/// Requests a rotation that is to be listed as failed before the 204.
#[track_caller]
fn expect_failed(site: &Site, device: &mut Device, detail: &str) {
    let before = site.rotations(device).len();
    site.rotate(device).expect(204);
    let rows = site.rotations(device);
    assert_eq!(rows.len(), before + 1);
    let row = &rows[0];
    assert_eq!(row["actionState"], "failed");
    assert_eq!(row["detail"], detail);
    assert!(row.as_object().unwrap().contains_key("errorCode"));
    assert_eq!(row["errorCode"], Value::Null);
    let events = site.rotation_events(device);
    assert_eq!(events.len(), rows.len(), "an attempt is an event");
    let failure = |event: &Value| event["activityResult"] == "Failure";
    assert!(failure(events.last().unwrap()), "{events:?}");
    assert_eq!(device.check_in(site).count("Exec", RESET), 0);
    assert_eq!(site.rotations(device)[0]["actionState"], "failed");
}

#[test]
fn offline_entra_joined_device_fails() {
    let site = Site::new();
    for mood in [
        Mood::Disconnected,
        Mood::TempDisconnected,
        Mood::Silent,
        Mood::Code(500),
        Mood::Code(401),
        Mood::Code(503),
    ] {
        let mut device = site.backed_up(ENTRA);
        site.mood(&device, mood);
        expect_failed(&site, &mut device, "offline");
        assert_eq!(site.pushes(&device), 1, "{mood:?}");
        // Coming online later changes nothing.
        site.mood(&device, Mood::Connected);
        assert_eq!(device.check_in(&site).count("Exec", RESET), 0);
    }
}

#[test]
fn push_without_an_answer_is_offline_after_two_seconds() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.mood(&device, Mood::Hang);
    let from = Instant::now();
    expect_failed(&site, &mut device, "offline");
    let waited = from.elapsed();
    assert!(waited >= Duration::from_millis(1900), "{waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");
}

#[test]
fn device_without_a_channel_is_offline() {
    let site = Site::new();
    let mut device = site.enrolled(ENTRA, WINDOWS_11);
    device.upload(&site).expect(204);
    expect_failed(&site, &mut device, "offline");
    let mut silent = site.enrolled(ENTRA, WINDOWS_11);
    silent.tells_channel = false;
    silent.check_in(&site);
    silent.upload(&site).expect(204);
    expect_failed(&site, &mut silent, "offline");
    assert_eq!(site.pushes(&silent), 0);
}

#[test]
fn device_that_never_backed_up_fails() {
    let site = Site::new();
    for join in [ENTRA, HYBRID] {
        let mut device = site.device(join);
        expect_failed(&site, &mut device, "noBackup");
        assert_eq!(site.pushes(&device), 1, "the push goes out all the same");
    }
}

#[test]
fn join_states_that_laps_does_not_manage_fail() {
    let site = Site::new();
    for join in [REGISTERED, DOMAIN, NOT_JOINED] {
        let mut device = site.device(join);
        expect_failed(&site, &mut device, "joinType");
        assert_eq!(site.pushes(&device), 1, "the push goes out all the same");
    }
}

#[test]
fn disabled_device_fails_until_it_is_enabled() {
    let site = Site::new();
    for join in [ENTRA, HYBRID] {
        let mut device = site.backed_up(join);
        let path = format!("/devices/{}", site.object_id(&device));
        site.send(
            POLICY_ADMIN,
            "PATCH",
            &path,
            &json!({"accountEnabled": false}),
        )
        .expect(204);
        expect_failed(&site, &mut device, "disabled");
        assert_eq!(site.pushes(&device), 1, "the push goes out all the same");
        site.send(
            POLICY_ADMIN,
            "PATCH",
            &path,
            &json!({"accountEnabled": true}),
        )
        .expect(204);
        site.rotate(&device).expect(204);
        device.check_in(&site);
        assert_eq!(site.rotation(&device)["actionState"], "done");
    }
}

#[test]
fn pending_and_active_rotations_expire_after_a_day() {
    let site = Site::virtual_clock();
    let mut pending = site.backed_up(HYBRID);
    let mut active = site.backed_up(ENTRA);
    site.rotate(&pending).expect(204);
    site.rotate(&active).expect(204);
    active.open(&site).package1();
    site.advance(Duration::from_secs(86_400 - 600));
    assert_eq!(site.rotation(&pending)["actionState"], "pending");
    assert_eq!(site.rotation(&active)["actionState"], "active");
    site.advance(Duration::from_secs(1200));
    for device in [&mut pending, &mut active] {
        let row = site.rotation(device);
        assert_eq!(
            (&row["actionState"], &row["detail"]),
            (&json!("failed"), &json!("expired"))
        );
        assert_eq!(device.check_in(&site).count("Exec", RESET), 0);
        assert_eq!(site.rotation(device)["detail"], "expired");
    }
}

#[test]
fn retire_and_wipe_cancel_what_is_pending() {
    let site = Site::new();
    for action in ["retire", "wipe"] {
        let device = site.backed_up(ENTRA);
        site.rotate(&device).expect(204);
        site.act(DEVICE_ADMIN, &action_path(&device, action))
            .expect(204);
        assert_eq!(
            site.rotation(&device)["actionState"],
            "canceled",
            "{action}"
        );
        // Requested while it is pending: canceled from the start, and an attempt all the same.
        site.rotate(&device).expect(204);
        let rows = site.rotations(&device);
        assert_eq!(rows.len(), 2);
        assert!(
            rows.iter().all(|row| row["actionState"] == "canceled"),
            "{rows:?}"
        );
        assert_eq!(site.rotation_events(&device).len(), 2);
    }
}

#[track_caller]
fn expect_no_trace(site: &Site, device: &Device, pushes: usize) {
    assert!(site.rotations(device).is_empty());
    assert!(site.rotation_events(device).is_empty());
    assert_eq!(site.pushes(device), pushes);
}

#[test]
fn refused_calls_leave_no_trace() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let path = rotate_path(&device);
    for actor in [
        "policy-admin",
        "endpoint-security-manager",
        "rotate-only",
        "help-desk",
        "password-reader",
        "auditor",
        "device-admin",
        "nobody",
    ] {
        site.act(actor, &path).expect_error(403);
    }
    let unknown = format!(
        "/deviceManagement/managedDevices/{}/rotateLocalAdminPassword",
        guid()
    );
    site.act(ROTATOR, &unknown).expect_error(404);
    site.act(
        ROTATOR,
        "/deviceManagement/managedDevices/no-guid/rotateLocalAdminPassword",
    )
    .expect_error(404);
    for body in [
        json!({"deviceIds": [device.managed_id]}),
        json!([]),
        json!("x"),
        json!(null),
    ] {
        site.post(ROTATOR, &path, &body).expect_error(400);
    }
    let not_json: Answer = site
        .request(ROTATOR, "POST", &path)
        .body("application/json", "no JSON")
        .send();
    not_json.expect_error(400);
    expect_no_trace(&site, &device, 0);
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn right_of_2023_needs_nothing_else() {
    let site = Site::with(&["--set", "seed-2023-04"]);
    let device = site.backed_up(ENTRA);
    site.act("rotate-only", &rotate_path(&device)).expect(204);
    for set in ["ga-2023-10", "current-2025"] {
        let site = Site::with(&["--set", set]);
        let device = site.backed_up(ENTRA);
        site.act("rotate-only", &rotate_path(&device))
            .expect_error(403);
        site.act(ROTATOR, &rotate_path(&device)).expect(204);
    }
}

#[test]
fn bulk_rotation_is_refused_without_effect() {
    let site = Site::new();
    let devices = [site.backed_up(ENTRA), site.backed_up(HYBRID)];
    let ids: Vec<&str> = devices
        .iter()
        .map(|device| device.managed_id.as_str())
        .collect();
    for name in [
        "rotateLocalAdminPassword",
        "RotateLocalAdminPassword",
        "SyncDevice",
        "syncdevice",
        "",
        "20",
    ] {
        let body = json!({"actionName": name, "deviceIds": ids});
        for actor in [ROTATOR, "help-desk", "nobody"] {
            let path = "/deviceManagement/managedDevices/executeAction";
            site.post(actor, path, &body).expect_error(400);
        }
    }
    for mut device in devices {
        expect_no_trace(&site, &device, 0);
        assert!(device.check_in(&site).lines().is_empty());
    }
}

#[test]
fn any_action_expires_after_a_day() {
    let site = Site::virtual_clock();
    let mut device = site.backed_up(ENTRA);
    site.act(DEVICE_ADMIN, &action_path(&device, "retire"))
        .expect(204);
    site.advance(Duration::from_secs(86_400 + 600));
    let managed = site.managed(&device);
    let rows = managed["deviceActionResults"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["actionName"] == "retire")
        .unwrap();
    assert_eq!(
        (&row["actionState"], &row["detail"]),
        (&json!("failed"), &json!("expired"))
    );
    assert!(device.check_in(&site).lines().is_empty());
}
