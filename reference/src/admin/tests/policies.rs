//! Policies: what is refused, what is read back, what is logged.

use protocol::JoinType;
use serde_json::{Value, json};

use super::{Bench, policy};

const POLICIES: &str = "/deviceManagement/configurationPolicies";

fn with(mut policy: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = policy.pointer_mut(parent).unwrap();
    parent[member] = value;
    policy
}

#[test]
fn policies_that_are_no_laps_policies_are_refused() {
    let option = "/settings/0/settingInstance/choiceSettingValue/value";
    let age = "/settings/0/settingInstance/choiceSettingValue/children/0/simpleSettingValue/value";
    let definition = "/settings/0/settingInstance/settingDefinitionId";
    let base = || policy("p", 10);
    let twice = {
        let setting = base()["settings"][0].clone();
        with(base(), "/settings", json!([setting, setting]))
    };
    let prefix = "device_vendor_msft_laps_policies_";
    for (name, body, status) in [
        ("as it should be", base(), 201),
        (
            "without settings",
            with(base(), "/settings", json!([])),
            201,
        ),
        ("without name", with(base(), "/name", Value::Null), 400),
        ("empty name", with(base(), "/name", json!(" ")), 400),
        (
            "another platform",
            with(base(), "/platforms", json!("macOS")),
            400,
        ),
        (
            "another technology",
            with(base(), "/technologies", json!("linuxMdm")),
            400,
        ),
        (
            "another template",
            with(base(), "/templateReference/templateId", json!("x_1")),
            400,
        ),
        (
            "unknown definition",
            with(base(), definition, json!("device_vendor_msft_x")),
            400,
        ),
        ("doubled definition", twice, 400),
        (
            "unknown option",
            with(base(), option, json!(format!("{prefix}backupdirectory_3"))),
            400,
        ),
        (
            "child under the wrong option",
            with(base(), option, json!(format!("{prefix}backupdirectory_2"))),
            400,
        ),
        ("age out of range", with(base(), age, json!(366)), 400),
        ("age of a wrong type", with(base(), age, json!("ten")), 400),
        ("no object", json!([]), 400),
    ] {
        let mut bench = Bench::new();
        let answered = bench.call("policy-admin", "POST", POLICIES, &body);
        assert_eq!(answered.status, status, "{name}: {}", answered.body);
        let listed = bench.list("policy-admin", POLICIES).len();
        assert_eq!(listed, usize::from(status == 201), "{name}");
    }
}

#[test]
fn a_policy_is_read_back_as_given() {
    let mut bench = Bench::new();
    let body = with(policy("p", 10), "/description", json!("why"));
    let body = with(body, "/roleScopeTagIds", json!(["0", "7"]));
    let created = bench.call("policy-admin", "POST", POLICIES, &body);
    let url = format!("{POLICIES}/{}", created.id());
    let read = bench.get("policy-admin", &url).body;
    for member in [
        "name",
        "description",
        "roleScopeTagIds",
        "platforms",
        "technologies",
    ] {
        assert_eq!(read[member], body[member], "{member}");
        assert_eq!(created.body[member], body[member], "{member}");
    }
    let settings = bench.list("policy-admin", &format!("{url}/settings"));
    assert_eq!(settings.len(), 1);
    assert_eq!(
        settings[0]["settingInstance"]["choiceSettingValue"]["children"],
        body["settings"][0]["settingInstance"]["choiceSettingValue"]["children"]
    );
    let plain = bench
        .call("policy-admin", "POST", POLICIES, &policy("q", 10))
        .body;
    assert_eq!(plain["roleScopeTagIds"], json!(["0"]));
}

#[test]
fn assigning_replaces_the_whole_list() {
    let mut bench = Bench::new();
    let id = bench
        .call("policy-admin", "POST", POLICIES, &policy("p", 10))
        .id();
    let group = json!({
        "displayName": "g", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true,
    });
    let group = bench.call("policy-admin", "POST", "/groups", &group).id();
    let target = |kind: &str, group: Option<&str>| {
        let mut target = json!({"@odata.type": format!("#microsoft.graph.{kind}AssignmentTarget")});
        if let Some(group) = group {
            target["groupId"] = json!(group);
        }
        json!({"target": target})
    };
    let unknown = "11111111-2222-4333-8444-555555555555";
    let url = format!("{POLICIES}/{id}");
    for (targets, status, listed) in [
        (
            vec![
                target("group", Some(&group)),
                target("exclusionGroup", Some(&group)),
            ],
            200,
            2,
        ),
        (vec![target("allDevices", None)], 200, 1),
        (vec![target("group", Some(unknown))], 404, 1),
        (vec![target("group", None)], 400, 1),
        (vec![target("configurationManagerCollection", None)], 400, 1),
        (
            vec![
                target("allLicensedUsers", None),
                target("allLicensedUsers", None),
            ],
            200,
            1,
        ),
        (vec![], 200, 0),
    ] {
        let body = json!({"assignments": targets});
        let answered = bench.call("policy-admin", "POST", &format!("{url}/assign"), &body);
        assert_eq!(answered.status, status, "{body}: {}", answered.body);
        let found = bench.list("policy-admin", &format!("{url}/assignments"));
        assert_eq!(found.len(), listed, "{body}");
        if status == 200 {
            assert_eq!(answered.body["value"], json!(found), "{body}");
        }
    }
}

#[test]
fn each_change_of_a_policy_makes_one_event() {
    let mut bench = Bench::new();
    let id = bench
        .call("policy-admin", "POST", POLICIES, &policy("p", 10))
        .id();
    let url = format!("{POLICIES}/{id}");
    let everyone = json!({"assignments": [{
        "target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"},
    }]});
    for (method, url, body, status) in [
        ("POST", format!("{url}/assign"), everyone, 200),
        ("PUT", url.clone(), policy("renamed", 11), 204),
        ("PUT", url.clone(), policy("", 11), 400),
        ("PUT", url.clone(), json!({"name": "p"}), 400),
        ("DELETE", url.clone(), Value::Null, 204),
        ("DELETE", url.clone(), Value::Null, 404),
        ("PUT", url.clone(), policy("p", 11), 404),
        (
            "POST",
            format!("{url}/assign"),
            json!({"assignments": []}),
            404,
        ),
    ] {
        let answered = bench.call("policy-admin", method, &url, &body);
        assert_eq!(answered.status, status, "{method} {url} {body}");
    }
    let events = bench.list("auditor", "/deviceManagement/auditEvents");
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|event| {
            let name = event["resources"][0]["displayName"].as_str().unwrap();
            (
                event["activity"]
                    .as_str()
                    .unwrap()
                    .split(' ')
                    .next()
                    .unwrap(),
                name,
            )
        })
        .collect();
    let expected = [
        ("Create", "p"),
        ("Assign", "p"),
        ("Patch", "renamed"),
        ("Delete", "renamed"),
    ];
    assert_eq!(told, expected);
    for event in &events {
        assert_eq!(event["resources"][0]["resourceId"], id.as_str());
        assert_eq!(
            event["actor"]["userPrincipalName"],
            "policy-admin@muster.test"
        );
        assert_eq!(event["activityResult"], "Success");
        assert!(
            event["activity"]
                .as_str()
                .unwrap()
                .ends_with(" DeviceManagementConfigurationPolicy")
        );
    }
}

#[test]
fn a_policy_that_was_not_processed_is_listed_as_unknown() {
    let mut bench = Bench::new();
    let device = bench.enroll("pc", JoinType::EntraJoined);
    let id = bench
        .call("policy-admin", "POST", POLICIES, &policy("p", 10))
        .id();
    let everyone = json!({"assignments": [{
        "target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"},
    }]});
    bench.call(
        "policy-admin",
        "POST",
        &format!("{POLICIES}/{id}/assign"),
        &everyone,
    );
    let statuses = bench.list("help-desk", &format!("{POLICIES}/{id}/deviceStatuses"));
    assert_eq!(statuses.len(), 1);
    assert_eq!(statuses[0]["deviceId"], device.managed.to_string());
    assert_eq!(statuses[0]["status"], "unknown");
    assert_eq!(statuses[0]["lastReportedDateTime"], Value::Null);
    let states = format!(
        "/deviceManagement/managedDevices/{}/deviceConfigurationStates",
        device.managed
    );
    let rows = bench.list("help-desk", &states);
    assert_eq!((rows.len(), &rows[0]["state"]), (1, &json!("unknown")));
    assert_eq!(rows[0]["displayName"], "p");
}
