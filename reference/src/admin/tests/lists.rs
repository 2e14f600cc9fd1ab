//! Pages, boundaries and query options of lists.

use std::collections::BTreeSet;

use protocol::JoinType;
use protocol::time::UtcMillis;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answered, Bench};

fn ids(page: &Answered) -> Vec<String> {
    let elements = page.body["value"].as_array().unwrap();
    elements
        .iter()
        .map(|element| element["id"].as_str().unwrap().to_owned())
        .collect()
}

fn add_group(bench: &mut Bench, name: &str) -> String {
    let body = json!({
        "displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true,
    });
    bench.call("policy-admin", "POST", "/groups", &body).id()
}

fn add_member(bench: &mut Bench, group: &str, object: &str) -> u16 {
    let body = json!({"@odata.id": format!("https://x/v1.0/directoryObjects/{object}")});
    let url = format!("/groups/{group}/members/$ref");
    bench.call("policy-admin", "POST", &url, &body).status
}

fn add_user(bench: &mut Bench, name: &str) -> String {
    let body = json!({"userPrincipalName": format!("{name}@x.test"), "displayName": name});
    bench.call("policy-admin", "POST", "/users", &body).id()
}

#[test]
fn a_boundary_neither_repeats_nor_skips_while_elements_come_and_go() {
    let mut bench = Bench::new();
    let group = add_group(&mut bench, "g");
    let old: Vec<String> = (0..20)
        .map(|n| add_user(&mut bench, &format!("old{n}")))
        .collect();
    for user in &old {
        assert_eq!(add_member(&mut bench, &group, user), 204);
    }
    let mut seen = Vec::new();
    let mut next = Some(format!("/groups/{group}/members?$top=3"));
    let mut round = 0;
    while let Some(url) = next {
        let page = bench.get("policy-admin", &url);
        assert!(ids(&page).len() <= 3);
        seen.extend(ids(&page));
        next = page.next();
        // The last element shown leaves, another one comes.
        let gone = seen.last().unwrap().clone();
        let url = format!("/groups/{group}/members/{gone}/$ref");
        assert_eq!(
            bench
                .call("policy-admin", "DELETE", &url, &Value::Null)
                .status,
            204
        );
        let new = add_user(&mut bench, &format!("new{round}"));
        assert_eq!(add_member(&mut bench, &group, &new), 204);
        round += 1;
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "nothing repeats");
    assert!(
        old.iter().all(|id| distinct.contains(id)),
        "nothing old is skipped"
    );
}

#[test]
fn the_last_page_has_no_link_and_a_page_is_never_empty_before_it() {
    let mut bench = Bench::new();
    for n in 0..6 {
        bench.enroll(&format!("pc{n}"), JoinType::EntraJoined);
    }
    for (top, sizes) in [
        (1, vec![1; 6]),
        (2, vec![2; 3]),
        (4, vec![4, 2]),
        (6, vec![6]),
        (9, vec![6]),
    ] {
        let mut found = Vec::new();
        let mut next = Some(format!("/deviceManagement/managedDevices?$top={top}"));
        while let Some(url) = next {
            let page = bench.get("help-desk", &url);
            found.push(ids(&page).len());
            next = page.next();
        }
        assert_eq!(found, sizes, "$top={top}");
    }
}

#[test]
fn only_the_named_query_options_are_served() {
    let mut bench = Bench::new();
    let device = bench.enroll("pc", JoinType::EntraJoined);
    let managed = format!("/deviceManagement/managedDevices/{}", device.managed);
    let list = "/deviceManagement/managedDevices";
    for (url, status) in [
        (format!("{list}?$top=999"), 200),
        (format!("{list}?$top=0"), 400),
        (format!("{list}?$top=1000"), 400),
        (format!("{list}?$top=-1"), 400),
        (format!("{list}?$top=x"), 400),
        (format!("{list}?$top=1&$top=1"), 400),
        (format!("{list}?$skiptoken=!"), 400),
        (format!("{list}?$skiptoken=bm90IGEga2V5"), 400),
        (format!("{list}?$skip=1"), 400),
        (format!("{list}?$orderby=deviceName"), 400),
        (format!("{list}?$select=id"), 400),
        (format!("{list}?$filter=deviceName%20eq%20'pc'"), 200),
        (format!("{list}?$filter=deviceName%20ne%20'pc'"), 400),
        (format!("{list}?$filter=osVersion%20eq%20'x'"), 400),
        (format!("{managed}?$select=id"), 400),
        (
            format!("{managed}/deviceConfigurationStates?$filter=state%20eq%20'x'"),
            400,
        ),
    ] {
        assert_eq!(bench.get("help-desk", &url).status, status, "{url}");
    }
}

#[test]
fn devices_are_found_by_name_and_by_entra_id() {
    let mut bench = Bench::new();
    let one = bench.enroll("it's one", JoinType::EntraHybridJoined);
    bench.enroll("two", JoinType::NotJoined);
    let list = "/deviceManagement/managedDevices";
    let entra = one.entra.unwrap();
    for (filter, count) in [
        ("deviceName eq 'it''s one'".to_owned(), 1),
        ("deviceName eq 'two'".to_owned(), 1),
        ("deviceName eq 'three'".to_owned(), 0),
        (format!("azureADDeviceId eq '{entra}'"), 1),
        (format!("azureADDeviceId eq '{}'", Uuid::nil()), 0),
        ("azureADDeviceId eq 'none'".to_owned(), 0),
    ] {
        let url = format!("{list}?$filter={}", filter.replace(' ', "%20"));
        assert_eq!(bench.list("help-desk", &url).len(), count, "{filter}");
    }
    let found = bench.list(
        "policy-admin",
        &format!("/devices?$filter=deviceId%20eq%20'{entra}'"),
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["trustType"], "ServerAd");
    assert_eq!(
        bench.list("policy-admin", "/devices").len(),
        1,
        "no object without join"
    );
}

#[test]
fn membership_is_refused_for_strangers_and_twice() {
    let mut bench = Bench::new();
    let (group, other) = (add_group(&mut bench, "g"), add_group(&mut bench, "h"));
    let user = add_user(&mut bench, "u");
    let unknown = Uuid::nil().to_string();
    for (group, object, status) in [
        (&group, &user, 204),
        (&group, &user, 400),
        (&group, &unknown, 404),
        (&unknown, &user, 404),
        (&group, &other, 400),
    ] {
        assert_eq!(
            add_member(&mut bench, group, object),
            status,
            "{group} {object}"
        );
    }
    let url = format!("/groups/{group}/members/{user}/$ref");
    for status in [204, 404] {
        assert_eq!(
            bench
                .call("policy-admin", "DELETE", &url, &Value::Null)
                .status,
            status
        );
    }
}

#[test]
fn events_are_read_in_both_directions_while_more_are_logged() {
    let mut bench = Bench::new();
    let device = bench.backed_up("pc", JoinType::EntraJoined, true);
    for _ in 0..7 {
        bench.rotate(device);
        bench.now = bench.now.plus_millis(1_000);
    }
    let log = "/deviceManagement/auditEvents";
    for (order, first_second) in [
        ("", "00:00:00Z"),
        ("&$orderby=activityDateTime%20desc", "00:00:06Z"),
    ] {
        let mut seen = Vec::new();
        let mut next = Some(format!("{log}?$top=2{order}"));
        while let Some(url) = next {
            let page = bench.get("auditor", &url);
            seen.extend(page.body["value"].as_array().unwrap().clone());
            next = page.next();
            if seen.len() < 5 {
                bench.rotate(device);
            }
        }
        assert!(
            seen[0]["activityDateTime"]
                .as_str()
                .unwrap()
                .ends_with(first_second),
            "{order}"
        );
        let distinct: BTreeSet<&str> = seen
            .iter()
            .map(|event| event["id"].as_str().unwrap())
            .collect();
        assert_eq!(distinct.len(), seen.len(), "{order}");
        assert!(seen.len() >= 7, "{order}");
        let times: Vec<&str> = seen
            .iter()
            .map(|event| event["activityDateTime"].as_str().unwrap())
            .collect();
        let sorted = times.is_sorted() || times.is_sorted_by(|earlier, later| earlier >= later);
        assert!(sorted, "{order} {times:?}");
        bench = {
            let mut fresh = Bench::new();
            let again = fresh.backed_up("pc", JoinType::EntraJoined, true);
            assert_eq!(again.managed, device.managed, "equal seeds, equal ids");
            for _ in 0..7 {
                fresh.rotate(again);
                fresh.now = fresh.now.plus_millis(1_000);
            }
            fresh
        };
    }
}

#[test]
fn events_are_filtered_by_time_and_activity() {
    let mut bench = Bench::new();
    let device = bench.backed_up("pc", JoinType::EntraJoined, true);
    let start = bench.now;
    for n in 0..5 {
        bench.now = start.plus_millis(n * 1_000);
        bench.rotate(device);
    }
    let sync = format!(
        "/deviceManagement/managedDevices/{}/syncDevice",
        device.managed
    );
    bench.call("help-desk", "POST", &sync, &Value::Null);
    let at = |seconds: i64| UtcMillis::plus_millis(start, seconds * 1_000).to_string();
    let rotate = "activity eq 'rotateLocalAdminPassword ManagedDevice'";
    for (filter, count) in [
        (format!("activityDateTime ge {}", at(0)), 6),
        (format!("activityDateTime ge {}", at(3)), 3),
        (format!("activityDateTime ge {}", at(5)), 0),
        (
            format!(
                "activityDateTime ge {} and activityDateTime le {}",
                at(1),
                at(3)
            ),
            3,
        ),
        (format!("activityDateTime ge {} and {rotate}", at(3)), 2),
        (
            format!(
                "activityDateTime ge {} and activityDateTime le {} and {rotate}",
                at(4),
                at(4)
            ),
            1,
        ),
        (rotate.to_owned(), 5),
        ("activity eq 'nothing'".to_owned(), 0),
    ] {
        let url = format!(
            "/deviceManagement/auditEvents?$top=2&$filter={}",
            filter.replace(' ', "%20")
        );
        assert_eq!(bench.list("auditor", &url).len(), count, "{filter}");
    }
    let wrong = "/auditLogs/directoryAudits?$filter=activity%20eq%20'x'";
    assert_eq!(
        bench.get("auditor", wrong).status,
        400,
        "the member has another name there"
    );
}
