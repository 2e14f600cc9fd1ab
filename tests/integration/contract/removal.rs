//! Contract 2 and 5: sync, retire, wipe, delete, disabling and deleting the directory device.

use serde_json::json;

use super::channel::Mood;
use super::device::{Device, RESET, Reaction, UNENROLL, WIPE};
use super::site::{DEVICE_ADMIN, ENTRA, HYBRID, POLICY_ADMIN, READER, ROTATOR, Site, action_path};

fn row_path(device: &Device) -> String {
    format!("/deviceManagement/managedDevices/{}", device.managed_id)
}

/// Row and certificate are worth nothing.
#[track_caller]
fn expect_over(site: &Site, device: &mut Device) {
    let session = device.open(site);
    assert_eq!(session.post(&session.package1_text()).status, 403);
    device.upload(site).expect_error(403);
    site.get(DEVICE_ADMIN, &row_path(device)).expect_error(404);
    site.rotate(device).expect_error(404);
    let filter = format!(
        "/deviceManagement/managedDevices?$filter=deviceName eq '{}'",
        device.name
    );
    assert!(site.list(DEVICE_ADMIN, &filter).is_empty());
}

#[test]
fn retire_and_wipe_end_the_enrolment_once_acknowledged() {
    let site = Site::new();
    for (action, uri) in [("retire", UNENROLL), ("wipe", WIPE)] {
        for code in [200, 202] {
            let mut device = site.backed_up(ENTRA);
            site.act(DEVICE_ADMIN, &action_path(&device, action))
                .expect(204);
            assert!(site.pushed(&device, 1), "every single-device action pushes");
            site.get(DEVICE_ADMIN, &row_path(&device)).expect(200);
            let seen = device.check_in_with(&site, |_, command| {
                (command.uri == uri).then_some(Reaction::Status(code))
            });
            assert_eq!(seen.count("Exec", uri), 1);
            expect_over(&site, &mut device);
            assert_eq!(site.pushes(&device), 1, "once");
            // The directory keeps what it has.
            let path = format!(
                "/directory/deviceLocalCredentials/{}",
                device.entra_id.as_deref().unwrap()
            );
            site.get(READER, &path).expect(200);
        }
    }
}

#[test]
fn unacknowledged_retire_and_wipe_are_sent_again() {
    let site = Site::new();
    for (action, uri) in [("retire", UNENROLL), ("wipe", WIPE)] {
        let mut device = site.backed_up(ENTRA);
        site.act(DEVICE_ADMIN, &action_path(&device, action))
            .expect(204);
        device.open(&site).package1();
        let seen = device.check_in_with(&site, |_, _| Some(Reaction::Nothing));
        assert_eq!(seen.count("Exec", uri), 1, "once in a session");
        assert_eq!(device.check_in(&site).count("Exec", uri), 1);
        expect_over(&site, &mut device);
    }
}

#[test]
fn offline_device_is_retired_when_it_comes() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.mood(&device, Mood::Disconnected);
    site.act(DEVICE_ADMIN, &action_path(&device, "retire"))
        .expect(204);
    assert_eq!(device.check_in(&site).count("Exec", UNENROLL), 1);
    expect_over(&site, &mut device);
}

#[test]
fn retired_device_may_enrol_again() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let old = device.managed_id.clone();
    site.act(DEVICE_ADMIN, &action_path(&device, "retire"))
        .expect(204);
    device.check_in(&site);
    site.register(&mut device).expect(201);
    device.enroll(&site);
    assert_ne!(device.managed_id, old);
    assert_eq!(
        device.check_in(&site).lines().len(),
        4,
        "set-up and nothing else"
    );
}

#[test]
fn delete_ends_the_enrolment_at_once() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    site.delete(DEVICE_ADMIN, &row_path(&device)).expect(204);
    expect_over(&site, &mut device);
    site.delete(DEVICE_ADMIN, &row_path(&device))
        .expect_error(404);
    assert_eq!(
        site.rotation_events(&device).len(),
        1,
        "events are never removed"
    );
}

#[test]
fn delete_in_the_middle_of_a_session_ends_it() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    let mut session = device.open(&site);
    let first = session.package1();
    site.delete(DEVICE_ADMIN, &row_path(&device)).expect(204);
    let text = session.next_text(&first.answers(&mut |_| Reaction::Status(200)));
    assert_eq!(session.post(&text).status, 403);
}

#[test]
fn sync_pushes_and_does_nothing_else() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.act(ROTATOR, &action_path(&device, "syncDevice"))
        .expect(204);
    assert!(site.pushed(&device, 1));
    assert!(device.check_in(&site).lines().is_empty());
    assert_eq!(site.pushes(&device), 1);
}

#[test]
fn disabled_device_cannot_back_up() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let object = site.directory_device(&device);
    assert_eq!(object["accountEnabled"], true);
    let path = format!("/devices/{}", object["id"].as_str().unwrap());
    site.send(
        POLICY_ADMIN,
        "PATCH",
        &path,
        &json!({"accountEnabled": false}),
    )
    .expect(204);
    assert_eq!(site.directory_device(&device)["accountEnabled"], false);
    device.upload(&site).expect_error(403);
    site.send(
        POLICY_ADMIN,
        "PATCH",
        &path,
        &json!({"accountEnabled": true}),
    )
    .expect(204);
    device.upload(&site).expect(204);
    site.send(
        POLICY_ADMIN,
        "PATCH",
        &path,
        &json!({"accountEnabled": "no"}),
    )
    .expect_error(400);
}

#[test]
fn deleting_the_directory_device_deletes_its_credentials() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let path = format!("/devices/{}", site.object_id(&device));
    site.delete(POLICY_ADMIN, &path).expect(204);
    site.delete(POLICY_ADMIN, &path).expect_error(404);
    let id = device.entra_id.clone().unwrap();
    site.get(READER, &format!("/directory/deviceLocalCredentials/{id}"))
        .expect_error(404);
    assert!(
        site.list(
            POLICY_ADMIN,
            &format!("/devices?$filter=deviceId eq '{id}'")
        )
        .is_empty()
    );
    device.upload(&site).expect_error(404);
}

#[test]
fn join_state_changes_with_the_next_session() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.policy_for(&[&device], &[("passwordlength", "20")]);
    let id = device.entra_id.clone().unwrap();
    let path = format!("/devices/{id}");
    site.control("PATCH", &path, &json!({"joinType": "entraHybridJoined"}))
        .expect(204);
    device.check_in(&site);
    site.mood(&device, Mood::Disconnected);
    site.rotate(&device).expect(204);
    assert_eq!(
        site.rotation(&device)["actionState"],
        "pending",
        "hybrid by now"
    );
    assert_eq!(device.check_in(&site).count("Exec", RESET), 1);
    assert_eq!(site.directory_device(&device)["trustType"], "ServerAd");
    let unknown = format!("/devices/{}", super::text::guid());
    site.control("PATCH", &unknown, &json!({"joinType": HYBRID}))
        .expect_error(404);
    site.control("PATCH", &path, &json!({"joinType": "other"}))
        .expect_error(400);
}
