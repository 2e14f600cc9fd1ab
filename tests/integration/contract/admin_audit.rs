//! Contract 5: audit events: how many, what is in them, filters, order, pages.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::channel::Mood;
use super::device::{PENDING, RESET_STATUS, Reaction};
use super::http::Request;
use super::site::{
    AUDITOR, ENTRA, HELP_DESK, POLICY_ADMIN, READER, ROTATOR, Site, all_devices, policy_body,
    rotate_path,
};
use super::text::{guid, instant, is_guid};

const EVENTS: &str = "/deviceManagement/auditEvents";
const DIRECTORY: &str = "/auditLogs/directoryAudits";

fn at(event: &Value) -> OffsetDateTime {
    instant(event["activityDateTime"].as_str().unwrap())
}

fn ids(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn policy_life_is_four_kinds_of_events() {
    let site = Site::new();
    let body = policy_body("audited", &[("passwordlength", "20")]);
    let path = "/deviceManagement/configurationPolicies";
    let correlation = guid();
    let created = Request::new("POST", &format!("{}/v1.0{path}", site.admin))
        .header(
            "Authorization",
            &format!("Bearer {}", site.token(POLICY_ADMIN)),
        )
        .header("client-request-id", &correlation)
        .json(&body)
        .send()
        .expect(201)
        .json();
    let id = created["id"].as_str().unwrap();
    let edited = policy_body("audited", &[("passwordlength", "21")]);
    site.send(POLICY_ADMIN, "PUT", &format!("{path}/{id}"), &edited)
        .expect(204);
    site.assign(id, &[all_devices()]);
    site.delete(POLICY_ADMIN, &format!("{path}/{id}"))
        .expect(204);
    // None of the refused ones.
    site.send(POLICY_ADMIN, "PUT", &format!("{path}/{id}"), &edited)
        .expect_error(404);
    site.post(HELP_DESK, path, &body).expect_error(403);
    site.post(
        POLICY_ADMIN,
        path,
        &policy_body("x", &[("passwordlength", "0")]),
    )
    .expect_error(400);
    for verb in ["Create", "Patch", "Assign", "Delete"] {
        let events = site.audit(&format!("{verb} DeviceManagementConfigurationPolicy"), id);
        assert_eq!(events.len(), 1, "{verb}");
        let event = &events[0];
        assert!(is_guid(event["id"].as_str().unwrap()));
        assert_eq!(
            event["actor"]["userPrincipalName"],
            "policy-admin@muster.test"
        );
        assert_eq!(event["resources"][0]["displayName"], "audited");
        assert_eq!(event["activityResult"], "Success");
        if verb == "Create" {
            assert_eq!(event["correlationId"], correlation);
        }
    }
    let path = format!("{EVENTS}?$filter=activity eq 'Create DeviceManagementConfigurationPolicy'");
    assert_eq!(site.list(AUDITOR, &path).len(), 1);
}

#[test]
fn rotation_event_tells_who_what_and_whether_it_was_accepted() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let rotate = |mood: Mood| {
        site.mood(&device, mood);
        let correlation = guid();
        let url = format!("{}/v1.0{}", site.admin, rotate_path(&device));
        Request::new("POST", &url)
            .header("Authorization", &format!("Bearer {}", site.token(ROTATOR)))
            .header("client-request-id", &correlation)
            .send()
            .expect(204);
        let events = site.rotation_events(&device);
        let event = events.into_iter().next_back().unwrap();
        assert_eq!(event["correlationId"], correlation);
        assert_eq!(event["activity"], "rotateLocalAdminPassword ManagedDevice");
        assert_eq!(
            event["actor"]["userPrincipalName"],
            "rotate-operator@muster.test"
        );
        assert_eq!(
            event["resources"][0]["resourceId"],
            device.managed_id.as_str()
        );
        assert_eq!(event["resources"][0]["displayName"], device.name.as_str());
        event["activityResult"].clone()
    };
    assert_eq!(rotate(Mood::Disconnected), "Failure");
    assert_eq!(rotate(Mood::Connected), "Success");
    // What becomes of it later is no event and changes none.
    let before = site.rotation_events(&device);
    for _ in 0..2 {
        device.backs_up = false;
        device.check_in_with(&site, |_, command| {
            (command.uri == RESET_STATUS).then(|| Reaction::Value(PENDING.to_owned()))
        });
    }
    assert_eq!(site.rotation(&device)["actionState"], "failed");
    assert_eq!(site.rotation_events(&device), before);
}

#[test]
fn update_event_is_the_devices_own() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let events = site.directory_audit("Update", &device);
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(
        event["activityDisplayName"],
        "Update device local administrator password"
    );
    assert_eq!(
        event["initiatedBy"]["app"]["displayName"],
        "Device Registration Service"
    );
    assert_eq!(
        event["initiatedBy"].get("user").unwrap_or(&Value::Null),
        &Value::Null
    );
    assert_eq!(
        event["targetResources"][0]["id"],
        device.entra_id.as_deref().unwrap()
    );
    assert_eq!(
        event["targetResources"][0]["displayName"],
        device.name.as_str()
    );
}

#[test]
fn counts_follow_the_kind_of_rotation() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let counts = |site: &Site, device: &super::device::Device| {
        (
            site.rotation_events(device).len(),
            site.directory_audit("Update", device).len(),
            site.directory_audit("Recover", device).len(),
        )
    };
    assert_eq!(counts(&site, &device), (0, 1, 0));
    device.upload(&site).expect(204);
    assert_eq!(counts(&site, &device), (0, 2, 0), "a scheduled rotation");
    site.rotate(&device).expect(204);
    assert_eq!(counts(&site, &device), (1, 2, 0));
    device.check_in(&site);
    assert_eq!(counts(&site, &device), (1, 3, 0), "a manual rotation");
    site.mood(&device, Mood::Disconnected);
    site.rotate(&device).expect(204);
    assert_eq!(counts(&site, &device), (2, 3, 0), "an attempt in vain");
    let path = format!(
        "/directory/deviceLocalCredentials/{}",
        device.entra_id.as_deref().unwrap()
    );
    site.get(READER, &path).expect(200);
    assert_eq!(counts(&site, &device), (2, 3, 0), "metadata");
    site.get(READER, &format!("{path}?$select=credentials"))
        .expect(200);
    assert_eq!(counts(&site, &device), (2, 3, 1), "the password");
    let bulk = json!({"actionName": "rotateLocalAdminPassword", "deviceIds": [device.managed_id]});
    site.post(
        ROTATOR,
        "/deviceManagement/managedDevices/executeAction",
        &bulk,
    )
    .expect_error(400);
    assert_eq!(counts(&site, &device), (2, 3, 1), "bulk");
}

#[test]
fn concurrent_rotations_are_an_event_each() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let ids: Vec<String> = (0..12).map(|_| guid()).collect();
    thread::scope(|scope| {
        for id in &ids {
            let url = format!("{}/v1.0{}", site.admin, rotate_path(&device));
            let request = Request::new("POST", &url)
                .header("Authorization", &format!("Bearer {}", site.token(ROTATOR)))
                .header("client-request-id", id);
            scope.spawn(move || request.send().expect(204));
        }
    });
    assert_eq!(site.rotations(&device).len(), 12);
    assert_eq!(site.pushes(&device), 12);
    let mut seen: Vec<String> = site
        .rotation_events(&device)
        .iter()
        .map(|event| event["correlationId"].as_str().unwrap().to_owned())
        .collect();
    seen.sort();
    assert_eq!(seen, ids);
}

#[test]
fn events_come_in_order_and_can_be_filtered() {
    let site = Site::virtual_clock();
    let device = site.backed_up(ENTRA);
    for _ in 0..3 {
        site.rotate(&device).expect(204);
        site.policy(&[("passwordlength", "20")]);
        site.advance(Duration::from_secs(3600));
    }
    let all = site.list(AUDITOR, EVENTS);
    assert!(all.is_sorted_by_key(at));
    let ascending = site.list(AUDITOR, &format!("{EVENTS}?$orderby=activityDateTime asc"));
    assert_eq!(ids(&ascending), ids(&all));
    let mut descending = site.list(AUDITOR, &format!("{EVENTS}?$orderby=activityDateTime desc"));
    assert!(descending.iter().rev().map(at).is_sorted());
    descending.reverse();
    assert_eq!(descending.len(), all.len());
    assert_eq!(
        ids(&site.list(AUDITOR, &format!("{EVENTS}?$orderby=activityDateTime"))),
        ids(&all)
    );
    let times: Vec<&str> = all
        .iter()
        .map(|event| event["activityDateTime"].as_str().unwrap())
        .collect();
    let (from, to) = (times[2], times[3]);
    let wanted = |test: &dyn Fn(&Value) -> bool| -> Vec<String> {
        let kept: Vec<Value> = all.iter().filter(|event| test(event)).cloned().collect();
        ids(&kept)
    };
    let rotations = "rotateLocalAdminPassword ManagedDevice";
    let is_rotation = |event: &Value| event["activity"] == rotations;
    for (filter, expected) in [
        (
            format!("activityDateTime ge {from}"),
            wanted(&|event| at(event) >= instant(from)),
        ),
        (
            format!("activityDateTime ge {from} and activityDateTime le {to}"),
            wanted(&|event| at(event) >= instant(from) && at(event) <= instant(to)),
        ),
        (
            format!(
                "activityDateTime ge {from} and activityDateTime le {to} and activity eq '{rotations}'"
            ),
            wanted(&|event| {
                at(event) >= instant(from) && at(event) <= instant(to) && is_rotation(event)
            }),
        ),
        (
            format!("activityDateTime ge {from} and activity eq '{rotations}'"),
            wanted(&|event| at(event) >= instant(from) && is_rotation(event)),
        ),
        (format!("activity eq '{rotations}'"), wanted(&is_rotation)),
        ("activity eq 'nothing'".to_owned(), Vec::new()),
    ] {
        let found = site.list(AUDITOR, &format!("{EVENTS}?$filter={filter}"));
        assert_eq!(ids(&found), expected, "{filter}");
        let paged = site.list(AUDITOR, &format!("{EVENTS}?$top=1&$filter={filter}"));
        assert_eq!(ids(&paged), expected, "{filter} by ones");
    }
}

#[test]
fn other_filters_and_orders_are_refused() {
    let site = Site::new();
    for query in [
        "$filter=activityDateTime le 2026-01-01T00:00:00Z",
        "$filter=activityDateTime ge yesterday",
        "$filter=activity ne 'x'",
        "$filter=actor eq 'x'",
        "$filter=activity eq 'x' or activity eq 'y'",
        "$orderby=activity",
        "$orderby=activityDateTime up",
        "$select=id,",
        "$count=true",
    ] {
        let status = site.get(AUDITOR, &format!("{EVENTS}?{query}")).status;
        assert_eq!(status, 400, "{query}");
    }
}

#[test]
fn directory_audits_take_the_same_filters() {
    let site = Site::virtual_clock();
    let mut device = site.backed_up(ENTRA);
    for hour in 1..4 {
        site.advance(Duration::from_secs(3600));
        device
            .upload_after(&site, Duration::from_secs(hour))
            .expect(204);
    }
    let all = site.list(AUDITOR, DIRECTORY);
    assert_eq!(all.len(), 4);
    assert!(all.is_sorted_by_key(at));
    let from = all[2]["activityDateTime"].as_str().unwrap();
    let update = "Update device local administrator password";
    for (query, expected) in [
        (format!("$filter=activityDateTime ge {from}"), 2),
        (
            format!("$filter=activityDateTime ge {from} and activityDateTime le {from}"),
            1,
        ),
        (
            format!("$filter=activityDateTime ge {from} and activityDisplayName eq '{update}'"),
            2,
        ),
        (format!("$filter=activityDisplayName eq '{update}'"), 4),
        (
            "$filter=activityDisplayName eq 'Recover device local administrator password'"
                .to_owned(),
            0,
        ),
    ] {
        assert_eq!(
            site.list(AUDITOR, &format!("{DIRECTORY}?{query}")).len(),
            expected,
            "{query}"
        );
    }
    let newest = site.list(
        AUDITOR,
        &format!("{DIRECTORY}?$orderby=activityDateTime desc&$top=1"),
    );
    assert_eq!(newest[0]["id"], all[3]["id"]);
    site.get(AUDITOR, &format!("{DIRECTORY}?$filter=activity eq 'x'"))
        .expect_error(400);
}

#[test]
fn pages_neither_repeat_nor_skip_while_events_arrive() {
    let site = Site::new();
    for _ in 0..9 {
        site.policy(&[("passwordlength", "20")]);
    }
    for order in ["asc", "desc"] {
        let before = ids(&site.list(AUDITOR, EVENTS));
        let mut next = format!("{EVENTS}?$top=2&$orderby=activityDateTime {order}");
        let mut seen = Vec::new();
        for _ in 0..100 {
            let page = site.get(AUDITOR, &next).expect(200).json();
            let events = page["value"].as_array().unwrap();
            assert!(events.len() <= 2);
            seen.extend(ids(events));
            if seen.len() < 8 {
                site.policy(&[("passwordlength", "20")]);
            }
            let Some(link) = page["@odata.nextLink"].as_str() else {
                break;
            };
            assert!(link.starts_with(&site.admin), "{link} is absolute");
            link.clone_into(&mut next);
        }
        let mut unique = seen.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), seen.len(), "{order}: an event twice");
        assert!(
            before.iter().all(|id| seen.contains(id)),
            "{order}: an event is missing"
        );
    }
}

#[test]
fn pages_have_a_hundred_elements_by_default() {
    let site = Site::new();
    let device = site.device(ENTRA);
    site.mood(&device, Mood::Disconnected);
    for _ in 0..101 {
        site.rotate(&device).expect(204);
    }
    let page = site.get(AUDITOR, EVENTS).expect(200).json();
    assert_eq!(page["value"].as_array().unwrap().len(), 100);
    assert!(page["@odata.nextLink"].is_string());
    let page = site
        .get(AUDITOR, &format!("{EVENTS}?$top=999"))
        .expect(200)
        .json();
    assert_eq!(page["value"].as_array().unwrap().len(), 101);
    assert!(page.get("@odata.nextLink").is_none_or(Value::is_null));
}
