//! Contract 5 and 7: who may call what.

use serde_json::{Value, json};

use super::device::Device;
use super::http::Request;
use super::site::{ENTRA, POLICY_ADMIN, Site, policy_body};
use super::text::{fresh, guid};

const ACTORS: [&str; 10] = [
    "policy-admin",
    "endpoint-security-manager",
    "rotate-operator",
    "rotate-only",
    "help-desk",
    "password-reader",
    "metadata-reader",
    "auditor",
    "device-admin",
    "nobody",
];

const DIRECTORY_WRITE: &[&str] = &["policy-admin", "device-admin"];
const DIRECTORY_READ: &[&str] = &["policy-admin", "device-admin", "password-reader"];
const BASELINES: &[&str] = &["policy-admin", "endpoint-security-manager"];
const BASELINES_READ: &[&str] = &["policy-admin", "endpoint-security-manager", "help-desk"];
const DEVICES_READ: &[&str] = &[
    "policy-admin",
    "endpoint-security-manager",
    "rotate-operator",
    "help-desk",
    "device-admin",
];
const SYNC: &[&str] = &["rotate-operator", "help-desk"];
const METADATA_READ: &[&str] = &["password-reader", "metadata-reader"];
const DEVICE_ADMINS: &[&str] = &["device-admin"];

/// A call: method, path, body, who may.
type Call = (&'static str, String, Option<Value>, &'static [&'static str]);

/// Calls on objects of their own, each good for one use.
fn calls(site: &Site) -> Vec<Call> {
    let device = site.backed_up(ENTRA);
    let object = site.object_id(&device);
    let mut calls = directory_calls(site, &object);
    calls.extend(policy_calls(site, &device));
    calls.extend(device_calls(&device));
    calls.extend(reading_calls(&device));
    let row = format!("/deviceManagement/managedDevices/{}", device.managed_id);
    calls.push(("DELETE", row, None, DEVICE_ADMINS));
    calls.push((
        "DELETE",
        format!("/devices/{object}"),
        None,
        DIRECTORY_WRITE,
    ));
    calls
}

fn directory_calls(site: &Site, object: &str) -> Vec<Call> {
    let name = format!("n{}", fresh());
    let user = json!({"userPrincipalName": name, "displayName": name});
    let group = json!({"displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true});
    let reference = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{object}", site.admin)});
    let members = format!("/groups/{}/members", site.group(&[]));
    let switch = "/policies/deviceRegistrationPolicy".to_owned();
    let on = json!({"localAdminPassword": {"isEnabled": true}});
    let enabled = json!({"accountEnabled": true});
    let removal = format!("{members}/{object}/$ref");
    vec![
        ("POST", "/users".to_owned(), Some(user), DIRECTORY_WRITE),
        ("POST", "/groups".to_owned(), Some(group), DIRECTORY_WRITE),
        (
            "POST",
            format!("{members}/$ref"),
            Some(reference),
            DIRECTORY_WRITE,
        ),
        ("GET", members, None, DIRECTORY_READ),
        ("DELETE", removal, None, DIRECTORY_WRITE),
        ("GET", "/devices".to_owned(), None, DIRECTORY_READ),
        (
            "PATCH",
            format!("/devices/{object}"),
            Some(enabled),
            DIRECTORY_WRITE,
        ),
        ("GET", switch.clone(), None, DIRECTORY_READ),
        ("PUT", switch, Some(on), DIRECTORY_WRITE),
    ]
}

fn policy_calls(site: &Site, device: &Device) -> Vec<Call> {
    let policies = "/deviceManagement/configurationPolicies".to_owned();
    let one = format!("{policies}/{}", site.policy(&[("passwordlength", "20")]));
    let body = || Some(policy_body("n", &[("passwordlength", "21")]));
    let nobody = Some(json!({"assignments": []}));
    let states = "deviceConfigurationStates";
    let states = format!(
        "/deviceManagement/managedDevices/{}/{states}",
        device.managed_id
    );
    let summary = "/deviceManagement/deviceConfigurationConflictSummary".to_owned();
    vec![
        ("POST", policies.clone(), body(), BASELINES),
        ("GET", policies, None, BASELINES_READ),
        ("GET", one.clone(), None, BASELINES_READ),
        ("GET", format!("{one}/settings"), None, BASELINES_READ),
        ("GET", format!("{one}/assignments"), None, BASELINES_READ),
        ("GET", format!("{one}/deviceStatuses"), None, BASELINES_READ),
        ("GET", states, None, BASELINES_READ),
        ("GET", summary, None, BASELINES_READ),
        ("PUT", one.clone(), body(), BASELINES),
        ("POST", format!("{one}/assign"), nobody, BASELINES),
        ("DELETE", one, None, BASELINES),
    ]
}

fn device_calls(device: &Device) -> Vec<Call> {
    let devices = "/deviceManagement/managedDevices".to_owned();
    let managed = format!("{devices}/{}", device.managed_id);
    let all = format!("{devices}/executeAction");
    let bulk = |action: &str| Some(json!({"actionName": action, "deviceIds": [guid()]}));
    let rotate = format!("{managed}/rotateLocalAdminPassword");
    vec![
        ("GET", devices, None, DEVICES_READ),
        ("GET", managed.clone(), None, DEVICES_READ),
        ("POST", rotate, None, &["rotate-operator"]),
        ("POST", format!("{managed}/syncDevice"), None, SYNC),
        ("POST", all.clone(), bulk("syncDevice"), SYNC),
        ("POST", all.clone(), bulk("retire"), DEVICE_ADMINS),
        ("POST", all, bulk("wipe"), DEVICE_ADMINS),
        ("POST", format!("{managed}/retire"), None, DEVICE_ADMINS),
        ("POST", format!("{managed}/wipe"), None, DEVICE_ADMINS),
    ]
}

fn reading_calls(device: &Device) -> Vec<Call> {
    let list = "/directory/deviceLocalCredentials".to_owned();
    let entra = device.entra_id.clone().unwrap();
    let (long, short) = (
        format!("{list}/{entra}"),
        format!("/deviceLocalCredentials/{entra}"),
    );
    let select = "?$select=credentials";
    let events = "/deviceManagement/auditEvents".to_owned();
    let audits = "/auditLogs/directoryAudits".to_owned();
    let events_read: &[&str] = &["endpoint-security-manager", "help-desk", "auditor"];
    vec![
        ("GET", list, None, METADATA_READ),
        ("GET", long.clone(), None, METADATA_READ),
        ("GET", short.clone(), None, METADATA_READ),
        ("GET", format!("{long}{select}"), None, &["password-reader"]),
        (
            "GET",
            format!("{short}{select}"),
            None,
            &["password-reader"],
        ),
        ("GET", events, None, events_read),
        ("GET", audits, None, &["auditor"]),
    ]
}

#[test]
fn each_actor_may_call_what_its_rights_say() {
    let site = Site::new();
    let mut wrong = Vec::new();
    for actor in ACTORS {
        for (method, path, body, allowed) in calls(&site) {
            let request = site.request(actor, method, &path);
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            let answer = request.send();
            let good = if allowed.contains(&actor) {
                (200..300).contains(&answer.status)
            } else {
                answer.status == 403 && answer.json()["error"]["code"] == "Forbidden"
            };
            if !good {
                wrong.push(format!(
                    "{actor} {method} {path}: {} {}",
                    answer.status,
                    answer.text()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_a_known_token_every_call_is_401() {
    let site = Site::new();
    for (method, path, body, _) in calls(&site) {
        let url = format!("{}/v1.0{}", site.admin, path.replace(' ', "%20"));
        for header in [
            None,
            Some("Bearer unknown"),
            Some("Bearer "),
            Some("Basic YTpi"),
            Some("garbage"),
        ] {
            let mut request = Request::new(method, &url);
            if let Some(value) = header {
                request = request.header("Authorization", value);
            }
            if let Some(body) = &body {
                request = request.json(body);
            }
            request.send().expect_error(401);
        }
    }
}

#[test]
fn new_actor_has_the_rights_it_was_given() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let rights = json!([
        "Remote tasks/Rotate Local Admin Password",
        "Managed devices/Read",
        "Organization/Read"
    ]);
    let new = |rights: &Value| {
        let body = json!({"name": format!("new{}", fresh()), "rights": rights});
        let answer = site.control("POST", "/actors", &body);
        assert!(
            answer.status == 200 || answer.status == 201,
            "{}",
            answer.status
        );
        answer.json()["token"].as_str().unwrap().to_owned()
    };
    let rotate = |token: &str| {
        let url = format!("{}/v1.0{}", site.admin, super::site::rotate_path(&device));
        Request::new("POST", &url)
            .header("Authorization", &format!("Bearer {token}"))
            .send()
    };
    rotate(&new(&rights)).expect(204);
    let event = site.rotation_events(&device).pop().unwrap();
    let name = event["actor"]["userPrincipalName"].as_str().unwrap();
    assert!(
        name.starts_with("new") && name.ends_with("@muster.test"),
        "{name}"
    );
    for missing in 0..3 {
        let mut fewer = rights.clone();
        fewer.as_array_mut().unwrap().remove(missing);
        rotate(&new(&fewer)).expect_error(403);
    }
    assert_eq!(site.rotations(&device).len(), 1);
    site.control("POST", "/actors", &json!({"name": "x", "rights": "all"}))
        .expect_error(400);
    site.control("POST", "/actors", &json!({"rights": []}))
        .expect_error(400);
}

#[test]
fn a_right_to_write_is_none_to_read() {
    let site = Site::new();
    let body =
        json!({"name": "writer", "rights": ["Security baselines/Create", "Directory/Write"]});
    let token = site.control("POST", "/actors", &body).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let get = |path: &str| {
        let url = format!("{}/v1.0{path}", site.admin);
        Request::new("GET", &url)
            .header("Authorization", &format!("Bearer {token}"))
            .send()
    };
    get("/deviceManagement/configurationPolicies").expect_error(403);
    get("/devices").expect_error(403);
    let url = format!("{}/v1.0/deviceManagement/configurationPolicies", site.admin);
    Request::new("POST", &url)
        .header("Authorization", &format!("Bearer {token}"))
        .json(&policy_body("p", &[("passwordlength", "20")]))
        .send()
        .expect(201);
    assert_eq!(
        site.list(POLICY_ADMIN, "/deviceManagement/configurationPolicies")
            .len(),
        1
    );
}
