//! Contract 5 and 7: who may call what.

use serde_json::{Value, json};

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
const DEVICE_ADMINS: &[&str] = &["device-admin"];

/// A call: method, path, body, who may.
type Call = (&'static str, String, Option<Value>, &'static [&'static str]);

/// Calls on objects of their own, each good for one use.
fn calls(site: &Site) -> Vec<Call> {
    let device = site.backed_up(ENTRA);
    let entra = device.entra_id.clone().unwrap();
    let object = site.object_id(&device);
    let group = site.group(&[]);
    let policy = site.policy(&[("passwordlength", "20")]);
    let dm = "/deviceManagement";
    let managed = format!("{dm}/managedDevices/{}", device.managed_id);
    let policies = format!("{dm}/configurationPolicies");
    let one = format!("{policies}/{policy}");
    let name = format!("n{}", fresh());
    let new_group = json!({"displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true});
    let reference = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{object}", site.admin)});
    let bulk = |action: &str| Some(json!({"actionName": action, "deviceIds": [guid()]}));
    vec![
        (
            "POST",
            "/users".to_owned(),
            Some(json!({"userPrincipalName": name, "displayName": name})),
            DIRECTORY_WRITE,
        ),
        (
            "POST",
            "/groups".to_owned(),
            Some(new_group),
            DIRECTORY_WRITE,
        ),
        (
            "POST",
            format!("/groups/{group}/members/$ref"),
            Some(reference),
            DIRECTORY_WRITE,
        ),
        (
            "GET",
            format!("/groups/{group}/members"),
            None,
            DIRECTORY_READ,
        ),
        (
            "DELETE",
            format!("/groups/{group}/members/{object}/$ref"),
            None,
            DIRECTORY_WRITE,
        ),
        (
            "GET",
            format!("/devices?$filter=deviceId eq '{entra}'"),
            None,
            DIRECTORY_READ,
        ),
        (
            "PATCH",
            format!("/devices/{object}"),
            Some(json!({"accountEnabled": true})),
            DIRECTORY_WRITE,
        ),
        (
            "GET",
            "/policies/deviceRegistrationPolicy".to_owned(),
            None,
            DIRECTORY_READ,
        ),
        (
            "PUT",
            "/policies/deviceRegistrationPolicy".to_owned(),
            Some(json!({"localAdminPassword": {"isEnabled": true}})),
            DIRECTORY_WRITE,
        ),
        (
            "POST",
            policies.clone(),
            Some(policy_body("n", &[("passwordlength", "20")])),
            BASELINES,
        ),
        ("GET", policies, None, BASELINES_READ),
        ("GET", one.clone(), None, BASELINES_READ),
        ("GET", format!("{one}/settings"), None, BASELINES_READ),
        ("GET", format!("{one}/assignments"), None, BASELINES_READ),
        ("GET", format!("{one}/deviceStatuses"), None, BASELINES_READ),
        (
            "GET",
            format!("{managed}/deviceConfigurationStates"),
            None,
            BASELINES_READ,
        ),
        (
            "GET",
            format!("{dm}/deviceConfigurationConflictSummary"),
            None,
            BASELINES_READ,
        ),
        (
            "PUT",
            one.clone(),
            Some(policy_body("n", &[("passwordlength", "21")])),
            BASELINES,
        ),
        (
            "POST",
            format!("{one}/assign"),
            Some(json!({"assignments": []})),
            BASELINES,
        ),
        ("DELETE", one, None, BASELINES),
        ("GET", format!("{dm}/managedDevices"), None, DEVICES_READ),
        ("GET", managed.clone(), None, DEVICES_READ),
        (
            "POST",
            format!("{managed}/rotateLocalAdminPassword"),
            None,
            &["rotate-operator"],
        ),
        ("POST", format!("{managed}/syncDevice"), None, SYNC),
        (
            "POST",
            format!("{dm}/managedDevices/executeAction"),
            bulk("syncDevice"),
            SYNC,
        ),
        (
            "POST",
            format!("{dm}/managedDevices/executeAction"),
            bulk("retire"),
            DEVICE_ADMINS,
        ),
        (
            "POST",
            format!("{dm}/managedDevices/executeAction"),
            bulk("wipe"),
            DEVICE_ADMINS,
        ),
        ("POST", format!("{managed}/retire"), None, DEVICE_ADMINS),
        ("POST", format!("{managed}/wipe"), None, DEVICE_ADMINS),
        (
            "GET",
            "/directory/deviceLocalCredentials".to_owned(),
            None,
            &["password-reader", "metadata-reader"],
        ),
        (
            "GET",
            format!("/directory/deviceLocalCredentials/{entra}"),
            None,
            &["password-reader", "metadata-reader"],
        ),
        (
            "GET",
            format!("/deviceLocalCredentials/{entra}"),
            None,
            &["password-reader", "metadata-reader"],
        ),
        (
            "GET",
            format!("/directory/deviceLocalCredentials/{entra}?$select=credentials"),
            None,
            &["password-reader"],
        ),
        (
            "GET",
            format!("/deviceLocalCredentials/{entra}?$select=credentials"),
            None,
            &["password-reader"],
        ),
        (
            "GET",
            format!("{dm}/auditEvents"),
            None,
            &["endpoint-security-manager", "help-desk", "auditor"],
        ),
        (
            "GET",
            "/auditLogs/directoryAudits".to_owned(),
            None,
            &["auditor"],
        ),
        ("DELETE", managed, None, DEVICE_ADMINS),
        (
            "DELETE",
            format!("/devices/{object}"),
            None,
            DIRECTORY_WRITE,
        ),
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
