//! Reading credentials: what is shown, to whom nothing, and what is logged.

use protocol::JoinType;
use protocol::laps_csp::{Leaf, Value as LeafValue};
use protocol::time::UtcMillis;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bench, Device};
use crate::fault::Fault;

fn urls(device: Device) -> [String; 2] {
    let id = device.entra.unwrap();
    [
        format!("/directory/deviceLocalCredentials/{id}"),
        format!("/deviceLocalCredentials/{id}"),
    ]
}

fn explicit(device: Device) -> String {
    format!("{}?$select=credentials", urls(device)[0])
}

#[test]
fn metadata_never_carries_a_password_and_is_not_logged() {
    let mut bench = Bench::new();
    let device = bench.backed_up("pc", JoinType::EntraJoined, true);
    for url in urls(device) {
        let read = bench.get("metadata-reader", &url);
        assert_eq!(
            read.body,
            json!({
                "id": device.entra,
                "deviceName": "pc",
                "lastBackupDateTime": "2026-03-01T00:00:00Z",
                "refreshDateTime": "2026-03-11T00:00:00Z",
            })
        );
    }
    let listed = bench.list("metadata-reader", "/directory/deviceLocalCredentials");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].get("credentials"), None);
    let on_list = "/directory/deviceLocalCredentials?$select=credentials";
    assert_eq!(bench.get("password-reader", on_list).status, 400);
    assert!(bench.recover_events().is_empty());
}

#[test]
fn each_explicit_read_shows_the_history_and_makes_one_event() {
    let mut bench = Bench::new();
    let device = bench.backed_up("pc", JoinType::EntraJoined, true);
    bench.now = bench.now.plus_millis(5 * UtcMillis::DAY_MS);
    bench.back_up(device, "second");
    let id = Uuid::from_u128(5).to_string();
    let select = format!("{}?$select=id,credentials", urls(device)[0]);
    let read = bench.call_as(("password-reader", Some(&id)), "GET", &select, &Value::Null);
    let credentials = read.body["credentials"].as_array().unwrap();
    assert_eq!(credentials[0]["accountName"], "second");
    assert_eq!(credentials[1]["accountName"], "first");
    assert_eq!(credentials[0]["passwordBase64"], "UABBAFMAUwA=");
    assert_eq!(read.body["lastBackupDateTime"], "2026-03-06T00:00:00Z");
    bench.get("password-reader", &explicit(device));
    assert_eq!(bench.get("metadata-reader", &explicit(device)).status, 403);
    assert_eq!(bench.get("password-reader", &urls(device)[0]).status, 200);
    let events = bench.recover_events();
    assert_eq!(
        events.len(),
        2,
        "two explicit reads, one refused, one of metadata"
    );
    assert_eq!(events[0]["correlationId"], id);
    assert_eq!(
        events[0]["initiatedBy"]["user"]["userPrincipalName"],
        "password-reader@muster.test"
    );
    assert_eq!(
        events[0]["targetResources"][0]["id"],
        device.entra.unwrap().to_string()
    );
    assert_eq!(events[0]["targetResources"][0]["displayName"], "pc");
    let whole = json!(bench.list("auditor", "/auditLogs/directoryAudits")).to_string();
    assert!(!whole.contains("UABBAFMAUwA="), "no password in a log");
}

#[test]
fn devices_without_an_entra_backup_are_not_found() {
    let mut bench = Bench::new();
    let unbacked = bench.enroll("unbacked", JoinType::EntraJoined);
    let moved = bench.backed_up("moved", JoinType::EntraHybridJoined, true);
    bench.acknowledge(moved, Leaf::BackupDirectory, LeafValue::Int(2));
    let deleted = bench.backed_up("deleted", JoinType::EntraJoined, true);
    let found = format!(
        "/devices?$filter=deviceId%20eq%20'{}'",
        deleted.entra.unwrap()
    );
    let object = bench.list("policy-admin", &found)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let gone = bench.call(
        "device-admin",
        "DELETE",
        &format!("/devices/{object}"),
        &Value::Null,
    );
    assert_eq!(gone.status, 204);
    for device in [unbacked, moved, deleted] {
        for url in [
            urls(device)[0].clone(),
            urls(device)[1].clone(),
            explicit(device),
        ] {
            assert_eq!(bench.get("password-reader", &url).status, 404, "{url}");
        }
    }
    assert!(
        bench
            .list("password-reader", "/directory/deviceLocalCredentials")
            .is_empty()
    );
    assert!(bench.recover_events().is_empty());
    let unknown = "/deviceLocalCredentials/x?$select=credentials";
    assert_eq!(bench.get("password-reader", unknown).status, 404);
    let wrong = format!("{}?$select=password", urls(moved)[0]);
    assert_eq!(bench.get("password-reader", &wrong).status, 400);
}

#[test]
fn each_view_defect_shows_as_its_sentence_says() {
    for fault in [
        None,
        Some(Fault::ViewNoAccountName),
        Some(Fault::ViewSwapsTimes),
        Some(Fault::ViewPasswordByDefault),
        Some(Fault::ViewAdDeviceLeak),
        Some(Fault::AudViewSilent),
        Some(Fault::AudViewDouble),
        Some(Fault::AssignVisibleBeforeProcessing),
    ] {
        let mut bench = Bench::with(fault, crate::core::RightsSet::default());
        let device = bench.backed_up("pc", JoinType::EntraHybridJoined, true);
        bench.acknowledge(device, Leaf::BackupDirectory, LeafValue::Int(1));
        let fresh = bench.enroll("fresh", JoinType::EntraJoined);
        let shown = bench.get("password-reader", &explicit(device)).body;
        let named = shown["credentials"][0].get("accountName").is_some();
        assert_eq!(named, fault != Some(Fault::ViewNoAccountName), "{fault:?}");
        let swapped = shown["lastBackupDateTime"] == "2026-03-11T00:00:00Z";
        assert_eq!(swapped, fault == Some(Fault::ViewSwapsTimes), "{fault:?}");
        let plain = bench.get("metadata-reader", &urls(device)[0]).body;
        let open = plain.get("credentials").is_some();
        assert_eq!(
            open,
            fault == Some(Fault::ViewPasswordByDefault),
            "{fault:?}"
        );
        let events = match fault {
            Some(Fault::AudViewSilent) => 0,
            Some(Fault::AudViewDouble) => 2,
            _ => 1,
        };
        assert_eq!(bench.recover_events().len(), events, "{fault:?}");
        let early = bench.get("metadata-reader", &urls(fresh)[0]).status == 200;
        assert_eq!(
            early,
            fault == Some(Fault::AssignVisibleBeforeProcessing),
            "{fault:?}"
        );
        bench.acknowledge(device, Leaf::BackupDirectory, LeafValue::Int(2));
        let leaked = bench.get("password-reader", &explicit(device)).status == 200;
        assert_eq!(leaked, fault == Some(Fault::ViewAdDeviceLeak), "{fault:?}");
    }
}

#[test]
fn a_defect_keeps_the_former_next_rotation_after_a_manual_one_only() {
    for (fault, by_hand, next) in [
        (None, true, "2026-03-15T00:00:00Z"),
        (
            Some(Fault::RotScheduleNotReset),
            false,
            "2026-03-15T00:00:00Z",
        ),
        (
            Some(Fault::RotScheduleNotReset),
            true,
            "2026-03-11T00:00:00Z",
        ),
    ] {
        let mut bench = Bench::with(fault, crate::core::RightsSet::default());
        let device = bench.backed_up("pc", JoinType::EntraJoined, true);
        bench.now = bench.now.plus_millis(4 * UtcMillis::DAY_MS);
        if by_hand {
            bench.rotate(device);
            let sent = bench.now;
            bench.managed(device).actions[0].exec_sent_at = Some(sent);
        }
        bench.back_up(device, "second");
        let shown = bench.get("metadata-reader", &urls(device)[0]).body;
        assert_eq!(shown["refreshDateTime"], next, "{fault:?} {by_hand}");
    }
}
