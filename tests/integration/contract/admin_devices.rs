//! Contract 5: managed devices, directory devices, users, groups, executeAction.

use serde_json::{Value, json};

use super::device::Device;
use super::http::Request;
use super::site::{
    DEVICE_ADMIN, DOMAIN, ENTRA, HELP_DESK, HYBRID, NOT_JOINED, POLICY_ADMIN, REGISTERED, ROTATOR,
    Site, WINDOWS_10, WINDOWS_11,
};
use super::text::{guid, instant, is_guid};

const DEVICES: &str = "/deviceManagement/managedDevices";
const BULK: &str = "/deviceManagement/managedDevices/executeAction";

/// Every member of the enumeration (W 5.4) but syncDevice.
const OTHER_ACTIONS: [&str; 19] = [
    "retire",
    "delete",
    "fullScan",
    "quickScan",
    "signatureUpdate",
    "wipe",
    "customTextNotification",
    "rebootNow",
    "setDeviceName",
    "deprovision",
    "disable",
    "reenable",
    "moveDeviceToOrganizationalUnit",
    "activateDeviceEsim",
    "collectDiagnostics",
    "initiateMobileDeviceManagementKeyRecovery",
    "initiateOnDemandProactiveRemediation",
    "unknownFutureValue",
    "initiateDeviceAttestation",
];

#[test]
fn managed_device_tells_what_it_is() {
    let site = Site::new();
    for (join, shown, os) in [
        (ENTRA, "azureADJoined", WINDOWS_11),
        (HYBRID, "hybridAzureADJoined", WINDOWS_10),
        (REGISTERED, "azureADRegistered", WINDOWS_11),
        (DOMAIN, "unknown", WINDOWS_11),
        (NOT_JOINED, "unknown", WINDOWS_11),
    ] {
        let device = site.device_on(join, os);
        let row = site.managed(&device);
        assert_eq!(row["id"], device.managed_id.as_str());
        assert!(is_guid(&device.managed_id));
        assert_eq!(row["deviceName"], device.name.as_str());
        assert_eq!(row["joinType"], shown, "{join}");
        assert_eq!(row["osVersion"], os);
        assert_eq!(row["deviceActionResults"], json!([]));
        instant(row["lastSyncDateTime"].as_str().unwrap());
        if let Some(id) = &device.entra_id {
            assert_eq!(row["azureADDeviceId"], id.as_str());
        }
    }
}

#[test]
fn managed_devices_are_found_by_name_and_directory_id() {
    let site = Site::new();
    let devices = [
        site.enrolled(ENTRA, WINDOWS_11),
        site.enrolled(HYBRID, WINDOWS_11),
        site.enrolled(DOMAIN, WINDOWS_11),
    ];
    let ids = |query: &str| -> Vec<String> {
        let rows = site.list(ROTATOR, &format!("{DEVICES}{query}"));
        rows.iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("").len(), 3);
    assert_eq!(ids("?$top=1").len(), 3);
    for device in &devices {
        assert_eq!(
            ids(&format!("?$filter=deviceName eq '{}'", device.name)),
            [device.managed_id.as_str()]
        );
        if let Some(id) = &device.entra_id {
            assert_eq!(
                ids(&format!("?$filter=azureADDeviceId eq '{id}'")),
                [device.managed_id.as_str()]
            );
        }
    }
    assert!(ids("?$filter=deviceName eq 'nobody'").is_empty());
    assert!(ids("?$filter=deviceName eq 'it''s nobody'").is_empty());
    for query in [
        "$filter=deviceName ne 'x'",
        "$filter=osVersion eq 'x'",
        "$filter=deviceName eq x",
        "$filter=",
        "$filter=deviceName eq 'a' or deviceName eq 'b'",
        "$search=x",
        "$expand=x",
        "$skip=1",
    ] {
        site.get(ROTATOR, &format!("{DEVICES}?{query}"))
            .expect_error(400);
    }
}

#[test]
fn filters_may_be_percent_encoded() {
    let site = Site::new();
    let device = site.enrolled(ENTRA, WINDOWS_11);
    let name = &device.name;
    for query in [
        format!("%24filter=deviceName%20eq%20%27{name}%27"),
        format!("$filter=deviceName+eq+'{name}'"),
    ] {
        assert_eq!(
            site.list(ROTATOR, &format!("{DEVICES}?{query}")).len(),
            1,
            "{query}"
        );
    }
}

#[test]
fn directory_devices_tell_their_trust() {
    let site = Site::new();
    for (join, trust) in [
        (ENTRA, "AzureAd"),
        (HYBRID, "ServerAd"),
        (REGISTERED, "Workplace"),
    ] {
        let device = site.registered(join, WINDOWS_11);
        let object = site.directory_device(&device);
        assert_eq!(object["deviceId"], device.entra_id.as_deref().unwrap());
        assert_eq!(object["displayName"], device.name.as_str());
        assert_eq!(object["trustType"], trust);
        assert_eq!(object["accountEnabled"], true);
        assert_eq!(object["operatingSystemVersion"], WINDOWS_11);
        assert!(is_guid(object["id"].as_str().unwrap()));
        assert_ne!(
            object["id"], object["deviceId"],
            "object ids are not device ids"
        );
    }
    site.registered(DOMAIN, WINDOWS_11);
    site.registered(NOT_JOINED, WINDOWS_11);
    assert_eq!(
        site.list(POLICY_ADMIN, "/devices").len(),
        3,
        "the others have no object"
    );
    site.get(POLICY_ADMIN, "/devices?$filter=displayName eq 'x'")
        .expect_error(400);
    let unknown = format!("/devices/{}", guid());
    site.send(
        POLICY_ADMIN,
        "PATCH",
        &unknown,
        &json!({"accountEnabled": false}),
    )
    .expect_error(404);
    site.delete(POLICY_ADMIN, &unknown).expect_error(404);
}

#[test]
fn users_and_groups_are_made() {
    let site = Site::new();
    let body = json!({"userPrincipalName": "anna@muster.test", "displayName": "Anna", "other": 1});
    let user = site.post(POLICY_ADMIN, "/users", &body).expect(201).json();
    assert!(is_guid(user["id"].as_str().unwrap()));
    assert_eq!(user["userPrincipalName"], "anna@muster.test");
    assert_eq!(user["displayName"], "Anna");
    let body = json!({"displayName": "Clients", "mailEnabled": false, "mailNickname": "clients", "securityEnabled": true});
    let group = site.post(POLICY_ADMIN, "/groups", &body).expect(201).json();
    assert!(is_guid(group["id"].as_str().unwrap()));
    assert_eq!(group["displayName"], "Clients");
    for (path, body) in [
        ("/users", json!({"displayName": "x"})),
        (
            "/users",
            json!({"userPrincipalName": 1, "displayName": "x"}),
        ),
        ("/groups", json!({"mailEnabled": false})),
        (
            "/groups",
            json!({"displayName": [], "mailEnabled": false, "mailNickname": "x", "securityEnabled": true}),
        ),
        (
            "/groups",
            json!({"displayName": "x", "mailEnabled": "no", "mailNickname": "x", "securityEnabled": true}),
        ),
    ] {
        site.post(POLICY_ADMIN, path, &body).expect_error(400);
    }
    let members = format!("/groups/{}/members/$ref", group["id"].as_str().unwrap());
    for body in [
        json!({}),
        json!({"@odata.id": 1}),
        json!({"@odata.id": "nowhere"}),
    ] {
        let status = site.post(POLICY_ADMIN, &members, &body).status;
        assert!(
            status == 400 || (status == 404 && body["@odata.id"].is_string()),
            "{body} {status}"
        );
    }
    site.get(POLICY_ADMIN, &format!("/groups/{}/members", guid()))
        .expect_error(404);
}

#[test]
fn members_are_listed_page_by_page() {
    let site = Site::new();
    let devices: Vec<Device> = (0..5).map(|_| site.registered(ENTRA, WINDOWS_11)).collect();
    let devices: Vec<&Device> = devices.iter().collect();
    let group = site.group(&devices);
    let (user, _) = site.user();
    site.add_member(&group, &user).expect(204);
    let list = site.list(POLICY_ADMIN, &format!("/groups/{group}/members?$top=2"));
    let mut ids: Vec<&str> = list.iter().map(|row| row["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

fn ids_of(result: &Value, member: &str) -> Vec<String> {
    let ids = result["value"][member]
        .as_array()
        .unwrap_or_else(|| panic!("no {member}: {result}"));
    ids.iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn bulk_sync_serves_each_device_once() {
    let site = Site::new();
    let devices = [site.device(ENTRA), site.device(HYBRID)];
    let unknown = guid();
    let ids = [
        &devices[0].managed_id,
        &devices[1].managed_id,
        &unknown,
        &devices[0].managed_id,
        &unknown,
    ];
    let body = json!({"actionName": "syncDevice", "deviceIds": ids, "keepUserData": false});
    let result = site.post(HELP_DESK, BULK, &body).expect(200).json();
    assert_eq!(
        result["value"]["@odata.type"]
            .as_str()
            .unwrap()
            .trim_start_matches('#'),
        "microsoft.graph.bulkManagedDeviceActionResult"
    );
    assert_eq!(
        ids_of(&result, "successfulDeviceIds"),
        [
            devices[0].managed_id.as_str(),
            devices[1].managed_id.as_str()
        ]
    );
    assert_eq!(ids_of(&result, "notFoundDeviceIds"), [unknown.as_str()]);
    assert!(ids_of(&result, "failedDeviceIds").is_empty());
    assert!(ids_of(&result, "notSupportedDeviceIds").is_empty());
}

#[test]
fn bulk_actions_that_are_not_served_touch_nobody() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let body = json!({"name": "everything", "rights": ["Remote tasks/*", "Managed devices/*"]});
    let token = site.control("POST", "/actors", &body).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for name in OTHER_ACTIONS {
        let body = json!({"actionName": name, "deviceIds": [device.managed_id]});
        let url = format!("{}/beta{BULK}", site.admin);
        let answer = Request::new("POST", &url)
            .header("Authorization", &format!("Bearer {token}"))
            .json(&body)
            .send();
        let result = answer.expect(200).json();
        assert_eq!(
            ids_of(&result, "notSupportedDeviceIds"),
            [device.managed_id.as_str()],
            "{name}"
        );
        assert!(ids_of(&result, "successfulDeviceIds").is_empty(), "{name}");
    }
    assert_eq!(site.pushes(&device), 0);
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn bulk_requests_without_shape_are_refused() {
    let site = Site::new();
    let device = site.device(ENTRA);
    let many: Vec<String> = (0..101).map(|_| guid()).collect();
    for body in [
        json!({}),
        json!({"actionName": "syncDevice"}),
        json!({"actionName": "syncDevice", "deviceIds": []}),
        json!({"actionName": "syncDevice", "deviceIds": many}),
        json!({"actionName": "syncDevice", "deviceIds": device.managed_id}),
        json!({"actionName": "syncDevice", "deviceIds": [1]}),
        json!({"actionName": 9, "deviceIds": [device.managed_id]}),
        json!({"deviceIds": [device.managed_id]}),
        json!([]),
    ] {
        site.post(HELP_DESK, BULK, &body).expect_error(400);
    }
    assert_eq!(site.pushes(&device), 0);
    let hundred = &many[..100];
    let body = json!({"actionName": "syncDevice", "deviceIds": hundred});
    let result = site.post(HELP_DESK, BULK, &body).expect(200).json();
    assert_eq!(ids_of(&result, "notFoundDeviceIds").len(), 100);
}

#[test]
fn unknown_managed_devices_are_not_found() {
    let site = Site::new();
    for id in [guid().as_str(), "no-guid"] {
        let path = format!("{DEVICES}/{id}");
        site.get(ROTATOR, &path).expect_error(404);
        site.delete(DEVICE_ADMIN, &path).expect_error(404);
        site.act(ROTATOR, &format!("{path}/syncDevice"))
            .expect_error(404);
        site.act(DEVICE_ADMIN, &format!("{path}/retire"))
            .expect_error(404);
        site.act(DEVICE_ADMIN, &format!("{path}/wipe"))
            .expect_error(404);
        site.get(POLICY_ADMIN, &format!("{path}/deviceConfigurationStates"))
            .expect_error(404);
    }
}
