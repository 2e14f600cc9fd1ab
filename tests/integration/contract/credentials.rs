//! Contract 5: reading credentials.

use serde_json::Value;

use super::device::Device;
use super::site::{ENTRA, HYBRID, READER, Site};
use super::text::{guid, instant, is_guid, password_base64};

const METADATA: &str = "metadata-reader";

fn path(device: &Device) -> String {
    format!(
        "/directory/deviceLocalCredentials/{}",
        device.entra_id.as_deref().unwrap()
    )
}

fn recovered(site: &Site, device: &Device) -> usize {
    site.directory_audit("Recover", device).len()
}

#[test]
fn metadata_has_no_password_and_leaves_no_event() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let id = device.entra_id.as_deref().unwrap();
    for actor in [METADATA, READER] {
        for path in [path(&device), format!("/deviceLocalCredentials/{id}")] {
            let info = site.get(actor, &path).expect(200).json();
            assert_eq!(info["id"], id);
            assert_eq!(info["deviceName"], device.name.as_str());
            assert!(info["lastBackupDateTime"].is_string() && info["refreshDateTime"].is_string());
            assert_eq!(info.get("credentials"), None);
        }
        let list = site.list(actor, "/directory/deviceLocalCredentials");
        let row = list.iter().find(|row| row["id"] == id).unwrap();
        assert_eq!(row["deviceName"], device.name.as_str());
        assert_eq!(row.get("credentials"), None);
    }
    assert_eq!(recovered(&site, &device), 0);
}

#[test]
fn each_password_read_is_one_event() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let id = device.entra_id.as_deref().unwrap();
    let paths = [
        format!("{}?$select=credentials", path(&device)),
        format!("{}?$select=deviceName,credentials", path(&device)),
        format!("{}?$select=credentials,lastBackupDateTime", path(&device)),
        format!("/deviceLocalCredentials/{id}?$select=credentials"),
    ];
    for (at, path) in paths.iter().enumerate() {
        let info = site.get(READER, path).expect(200).json();
        let credential = &info["credentials"][0];
        assert_eq!(
            credential["passwordBase64"],
            password_base64(&device.password())
        );
        assert_eq!(credential["accountName"], "Administrator");
        assert_eq!(credential["accountSid"], "S-1-5-21-1-2-3-500");
        assert!(credential["backupDateTime"].is_string());
        assert_eq!(recovered(&site, &device), at + 1, "{path}");
    }
    let event = site.directory_audit("Recover", &device).pop().unwrap();
    assert!(is_guid(event["id"].as_str().unwrap()));
    assert_eq!(
        event["initiatedBy"]["user"]["userPrincipalName"],
        "password-reader@muster.test"
    );
    assert_eq!(
        event["targetResources"][0]["displayName"],
        device.name.as_str()
    );
}

#[test]
fn select_names_what_comes_back() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let info = site
        .get(METADATA, &format!("{}?$select=deviceName", path(&device)))
        .expect(200)
        .json();
    assert_eq!(info["deviceName"], device.name.as_str());
    assert_eq!(recovered(&site, &device), 0);
}

#[test]
fn refused_password_reads_leave_no_event() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let select = format!("{}?$select=credentials", path(&device));
    for actor in [METADATA, "policy-admin", "auditor", "nobody"] {
        site.get(actor, &select).expect_error(403);
        site.get(
            actor,
            &format!("{}?$select=deviceName,credentials", path(&device)),
        )
        .expect_error(403);
    }
    site.get(
        READER,
        "/directory/deviceLocalCredentials?$select=credentials",
    )
    .expect_error(400);
    site.get(
        READER,
        "/directory/deviceLocalCredentials?$select=id,credentials",
    )
    .expect_error(400);
    assert_eq!(recovered(&site, &device), 0);
}

#[test]
fn without_a_record_there_is_nothing_to_read() {
    let site = Site::new();
    let device = site.device(ENTRA);
    for select in ["", "?$select=credentials"] {
        site.get(READER, &format!("{}{select}", path(&device)))
            .expect_error(404);
    }
    site.get(READER, &format!("/deviceLocalCredentials/{}", guid()))
        .expect_error(404);
    assert_eq!(recovered(&site, &device), 0);
    let list = site.list(READER, "/directory/deviceLocalCredentials");
    assert!(
        list.iter()
            .all(|row| row["id"] != device.entra_id.as_deref().unwrap())
    );
}

#[test]
fn backup_to_active_directory_hides_the_record() {
    let site = Site::new();
    let mut device = site.backed_up(HYBRID);
    site.get(READER, &path(&device)).expect(200);
    site.policy_for(&[&device], &[("backupdirectory", "2")]);
    site.get(READER, &path(&device)).expect(200);
    device.check_in(&site);
    for select in ["", "?$select=credentials"] {
        site.get(READER, &format!("{}{select}", path(&device)))
            .expect_error(404);
    }
    assert_eq!(recovered(&site, &device), 0);
    let list = site.list(READER, "/directory/deviceLocalCredentials");
    assert!(
        list.iter()
            .all(|row: &Value| row["id"] != device.entra_id.as_deref().unwrap())
    );
}

#[test]
fn deleting_the_row_keeps_the_record() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let row = format!("/deviceManagement/managedDevices/{}", device.managed_id);
    site.delete(super::site::DEVICE_ADMIN, &row).expect(204);
    site.get(READER, &format!("{}?$select=credentials", path(&device)))
        .expect(200);
}

#[test]
fn both_roots_serve_the_same() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let beta = format!("{}/beta{}", site.admin, path(&device));
    let there = site.get(READER, &beta).expect(200).json();
    let here = site.get(READER, &path(&device)).expect(200).json();
    assert_eq!(there, here);
}

#[test]
fn new_backup_after_the_way_back_to_entra_can_be_read() {
    let site = Site::new();
    let mut device = site.backed_up(HYBRID);
    let policy = site.policy_for(&[&device], &[("backupdirectory", "2")]);
    device.check_in(&site);
    site.get(READER, &path(&device)).expect_error(404);
    site.edit(&policy, &[("backupdirectory", "1")]);
    device.check_in(&site);
    device.upload(&site).expect(204);
    let info = site
        .get(READER, &format!("{}?$select=credentials", path(&device)))
        .expect(200)
        .json();
    assert_eq!(
        info["credentials"][0]["passwordBase64"],
        password_base64(&device.password())
    );
}

#[test]
fn each_backup_moves_last_and_next_rotation() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, super::site::WINDOWS_11);
    for (backup, refresh) in [
        ("2026-03-01T00:00:00Z", "2026-03-11T00:00:00Z"),
        ("2026-03-05T00:00:00Z", "2026-03-15T00:00:00Z"),
    ] {
        let body = device.upload_body(backup, refresh);
        device.put_credential(&site, &guid(), &body).expect(204);
        let info = site.get(READER, &path(&device)).expect(200).json();
        let same = |member: &str, expected: &str| {
            let shown = instant(info[member].as_str().unwrap());
            assert_eq!(shown, instant(expected), "{member}");
        };
        same("lastBackupDateTime", backup);
        same("refreshDateTime", refresh);
    }
}
