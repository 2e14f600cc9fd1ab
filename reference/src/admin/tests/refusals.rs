//! Which refusal comes first, what it looks like, and who may do what.

use protocol::JoinType;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answered, Bench, Device, policy, rotate_url};
use crate::admin::BODY_BYTES_MAX;
use crate::admin::reply::JSON;
use crate::core::{HttpRequest, Plane, RightsSet};

const SOME_ID: &str = "11111111-2222-4333-8444-555555555555";

/// A raw request of the admin plane.
struct Raw<'a> {
    actor: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    content_type: Option<&'a str>,
    id: Option<&'a str>,
    body: &'a [u8],
}

impl Raw<'_> {
    fn send(&self, bench: &mut Bench) -> Answered {
        let token = self.actor.map(|actor| bench.token(actor));
        Answered::of(bench.serve(&HttpRequest {
            plane: Plane::Admin,
            method: self.method,
            path: self.path,
            query: None,
            authorization: token.as_deref(),
            client_certificate: None,
            content_type: self.content_type,
            client_request_id: self.id,
            idempotency_key: None,
            body: self.body,
        }))
    }
}

#[test]
fn the_first_refusal_of_the_order_wins() {
    let long = vec![b' '; BODY_BYTES_MAX + 1];
    let members = format!("/v1.0/groups/{SOME_ID}/members/$ref");
    let (users, unknown) = ("/v1.0/users", "/v1.0/nothing");
    let text = Some("text/plain");
    let json = Some(JSON);
    let admin = Some("policy-admin");
    let nobody = Some("nobody");
    let bad_id = Some("no-guid");
    let object = br#"{"@odata.id": "x/directoryObjects/11111111-2222-4333-8444-555555555555"}"#;
    #[rustfmt::skip]
    let cases = [
        (None, "PATCH", unknown, text, bad_id, &long[..], 401, "Unauthorized"),
        (nobody, "PATCH", unknown, text, bad_id, &long, 404, "ResourceNotFound"),
        (nobody, "PATCH", users, text, bad_id, &long, 405, "MethodNotAllowed"),
        (nobody, "POST", users, text, bad_id, &long, 403, "Forbidden"),
        (Some("control"), "POST", users, text, bad_id, &long, 403, "Forbidden"),
        (admin, "POST", users, text, bad_id, &long, 415, "UnsupportedMediaType"),
        (admin, "POST", users, None, bad_id, &long, 415, "UnsupportedMediaType"),
        (admin, "POST", users, json, bad_id, &long, 413, "PayloadTooLarge"),
        (admin, "POST", users, json, bad_id, b"{}", 400, "BadRequest"),
        (admin, "POST", &members, json, None, b"{", 400, "BadRequest"),
        (admin, "POST", &members, json, None, object, 404, "ResourceNotFound"),
    ];
    for (actor, method, path, content_type, id, body, status, code) in cases {
        let raw = Raw {
            actor,
            method,
            path,
            content_type,
            id,
            body,
        };
        let answered = raw.send(&mut Bench::new());
        let shown = format!("{actor:?} {method} {path} {content_type:?} {id:?}");
        assert_eq!(
            (answered.status, answered.code()),
            (status, code),
            "{shown}"
        );
        assert!(
            answered.body["error"]["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
}

#[test]
fn every_answer_repeats_the_id_of_its_request() {
    let mut bench = Bench::new();
    let group = json!({
        "displayName": "g", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true,
    });
    for (actor, method, url, body, status) in [
        ("nobody", "GET", "/nothing", Value::Null, 404),
        ("policy-admin", "POST", "/groups", group, 201),
        ("policy-admin", "GET", "/devices", Value::Null, 200),
        ("nobody", "GET", "/devices", Value::Null, 403),
    ] {
        let answered = bench.call_as((actor, Some(SOME_ID)), method, url, &body);
        assert_eq!(answered.status, status, "{url}");
        assert_eq!(
            answered.whole.client_request_id,
            Uuid::try_parse(SOME_ID).ok(),
            "{url}"
        );
        if status >= 400 {
            let inner = &answered.body["error"]["innerError"];
            assert_eq!(inner["client-request-id"], SOME_ID);
            assert_eq!(inner["date"], "2026-03-01T00:00:00Z");
            assert!(Uuid::try_parse(inner["request-id"].as_str().unwrap()).is_ok());
        }
    }
    let made = bench
        .get("policy-admin", "/devices")
        .whole
        .client_request_id;
    assert!(made.is_some_and(|id| id != Uuid::nil()));
    let wrong = bench.call_as(("policy-admin", Some("x")), "GET", "/devices", &Value::Null);
    assert_eq!(
        (wrong.status, wrong.whole.client_request_id.is_some()),
        (400, true)
    );
}

#[test]
fn a_method_not_allowed_names_those_allowed() {
    let mut bench = Bench::new();
    for (url, allow) in [
        ("/users", "POST"),
        ("/policies/deviceRegistrationPolicy", "GET, PUT"),
        (
            &format!("/deviceManagement/configurationPolicies/{SOME_ID}"),
            "GET, PUT, DELETE",
        ),
    ] {
        let answered = bench.call("nobody", "PATCH", url, &Value::Null);
        assert_eq!(
            (answered.status, answered.whole.allow),
            (405, Some(allow)),
            "{url}"
        );
    }
}

#[test]
fn both_roots_serve_every_path() {
    let mut bench = Bench::new();
    for path in ["/v1.0/devices", "/beta/devices"] {
        let raw = Raw {
            actor: Some("policy-admin"),
            method: "GET",
            path,
            content_type: None,
            id: None,
            body: b"",
        };
        assert_eq!(raw.send(&mut bench).status, 200, "{path}");
    }
}

/// A call, and the actors that may make it.
type Allowed = (&'static str, String, Value, &'static [&'static str]);

#[rustfmt::skip]
fn allowed_calls(device: Device, policy_id: &str) -> Vec<Allowed> {
    let management = "/deviceManagement";
    let policies = format!("{management}/configurationPolicies");
    let one = format!("{policies}/{policy_id}");
    let managed = format!("{management}/managedDevices/{}", device.managed);
    let credentials = "/directory/deviceLocalCredentials".to_owned();
    let credential = format!("{credentials}/{}", device.entra.unwrap());
    let sync = json!({"actionName": "syncDevice", "deviceIds": [device.managed]});
    let switch = json!({"localAdminPassword": {"isEnabled": true}});
    let none = || Value::Null;
    let writers: &[&str] = &["policy-admin", "endpoint-security-manager"];
    let readers: &[&str] = &["policy-admin", "endpoint-security-manager", "help-desk"];
    let device_readers: &[&str] =
        &["policy-admin", "endpoint-security-manager", "rotate-operator", "help-desk", "device-admin"];
    let metadata: &[&str] = &["password-reader", "metadata-reader"];
    vec![
        ("GET", "/devices".to_owned(), none(), &["policy-admin", "password-reader", "device-admin"]),
        ("PUT", "/policies/deviceRegistrationPolicy".to_owned(), switch, &["policy-admin", "device-admin"]),
        ("POST", policies.clone(), policy("q", 9), writers),
        ("GET", policies, none(), readers),
        ("PUT", one.clone(), policy("p", 11), writers),
        ("POST", format!("{one}/assign"), json!({"assignments": []}), writers),
        ("GET", format!("{one}/settings"), none(), readers),
        ("GET", format!("{one}/assignments"), none(), readers),
        ("GET", format!("{one}/deviceStatuses"), none(), readers),
        ("GET", one, none(), readers),
        ("GET", format!("{management}/deviceConfigurationConflictSummary"), none(), readers),
        ("GET", format!("{managed}/deviceConfigurationStates"), none(), readers),
        ("GET", format!("{management}/managedDevices"), none(), device_readers),
        ("GET", managed.clone(), none(), device_readers),
        ("POST", rotate_url(device), none(), &["rotate-operator"]),
        ("POST", format!("{managed}/syncDevice"), none(), &["rotate-operator", "help-desk"]),
        ("POST", format!("{management}/managedDevices/executeAction"), sync, &["rotate-operator", "help-desk"]),
        ("GET", credentials, none(), metadata),
        ("GET", format!("{credential}?$select=credentials"), none(), &["password-reader"]),
        ("GET", credential, none(), metadata),
        ("GET", format!("{management}/auditEvents"), none(), &["endpoint-security-manager", "help-desk", "auditor"]),
        ("GET", "/auditLogs/directoryAudits".to_owned(), none(), &["auditor"]),
        ("POST", format!("{managed}/retire"), none(), &["device-admin"]),
        ("POST", format!("{managed}/wipe"), none(), &["device-admin"]),
    ]
}

#[test]
fn each_actor_may_do_what_its_rights_say_and_nothing_else() {
    let mut bench = Bench::new();
    let device = bench.backed_up("pc", JoinType::EntraJoined, true);
    let policies = "/deviceManagement/configurationPolicies";
    let created = bench.call("policy-admin", "POST", policies, &policy("p", 10));
    let actors: Vec<String> = bench.tokens.keys().cloned().collect();
    for (method, url, body, allowed) in allowed_calls(device, &created.id()) {
        for actor in &actors {
            let answered = bench.call(actor, method, &url, &body);
            let expected = allowed.contains(&actor.as_str());
            assert_eq!(answered.status < 300, expected, "{actor} {method} {url}");
            assert_eq!(answered.status == 403, !expected, "{actor} {method} {url}");
        }
    }
    let managed = format!("/deviceManagement/managedDevices/{}", device.managed);
    for (url, allowed) in [
        (format!("{policies}/{}", created.id()), "policy-admin"),
        (managed, "device-admin"),
    ] {
        // The first of two actors with the right finds the object, the second does not.
        let mut statuses: Vec<(String, u16)> = Vec::new();
        for actor in &actors {
            let status = bench.call(actor, "DELETE", &url, &Value::Null).status;
            statuses.push((actor.clone(), status));
        }
        let found: Vec<&String> = statuses
            .iter()
            .filter(|(_, status)| *status != 403)
            .map(|(actor, _)| actor)
            .collect();
        assert!(
            found.iter().any(|actor| *actor == allowed),
            "{url} {statuses:?}"
        );
        assert!(
            found
                .iter()
                .all(|actor| *actor == allowed || *actor == "endpoint-security-manager")
        );
    }
}

#[test]
fn rotation_needs_three_rights_in_the_finished_documents() {
    for set in [RightsSet::Ga202310, RightsSet::Current2025] {
        let mut bench = Bench::with(None, set);
        let device = bench.backed_up("pc", JoinType::EntraJoined, true);
        for (actor, status) in [("rotate-only", 403), ("rotate-operator", 204)] {
            let answered = bench.call(actor, "POST", &rotate_url(device), &Value::Null);
            assert_eq!(answered.status, status, "{set:?} {actor}");
        }
        assert_eq!(bench.rotation_events().len(), 1, "{set:?}");
    }
}

#[test]
fn a_deliberate_defect_opens_one_door_only() {
    use crate::fault::Fault;
    for fault in [
        Fault::RbacOpenPolicy,
        Fault::RbacOpenRotate,
        Fault::RbacOpenRead,
    ] {
        let mut bench = Bench::faulty(fault);
        let device = bench.backed_up("pc", JoinType::EntraJoined, true);
        let credential = format!("/deviceLocalCredentials/{}", device.entra.unwrap());
        let policies = "/deviceManagement/configurationPolicies";
        for (method, url, body, opened_by) in [
            (
                "POST",
                policies,
                policy("p", 10),
                Some(Fault::RbacOpenPolicy),
            ),
            ("GET", policies, Value::Null, None),
            (
                "POST",
                &rotate_url(device),
                Value::Null,
                Some(Fault::RbacOpenRotate),
            ),
            ("GET", &credential, Value::Null, Some(Fault::RbacOpenRead)),
            (
                "GET",
                &format!("{credential}?$select=credentials"),
                Value::Null,
                Some(Fault::RbacOpenRead),
            ),
        ] {
            let answered = bench.call("nobody", method, url, &body);
            assert_eq!(
                answered.status != 403,
                opened_by == Some(fault),
                "{fault:?} {method} {url}"
            );
        }
    }
}
