//! Contract 0: error bodies, request ids, the order of refusals, sizes, connections, times.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{Connection, Request, authority, path};
use super::session::SYNCML;
use super::site::{ENTRA, POLICY_ADMIN, Site, rotate_path};
use super::soap;
use super::text::{guid, instant, is_guid};

const POLICIES: &str = "/deviceManagement/configurationPolicies";

#[test]
fn error_body_names_the_request() {
    let site = Site::new();
    let id = guid();
    let answer = Request::new("GET", &format!("{}/v1.0/nothing", site.admin))
        .header(
            "Authorization",
            &format!("Bearer {}", site.token(POLICY_ADMIN)),
        )
        .header("client-request-id", &id)
        .send()
        .expect_error(404);
    assert_eq!(
        answer
            .header("content-type")
            .map(|kind| kind.split(';').next().unwrap()),
        Some("application/json")
    );
    let error = &answer.json()["error"];
    assert_ne!(error["message"], "");
    let inner = &error["innerError"];
    assert!(is_guid(inner["request-id"].as_str().unwrap()));
    instant(inner["date"].as_str().unwrap());
    assert_eq!(inner["client-request-id"], id);
}

#[test]
fn every_answer_repeats_the_request_id() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let bearer = |actor: &str| format!("Bearer {}", site.token(actor));
    let rotate = format!("{}/v1.0{}", site.admin, rotate_path(&device));
    let requests = [
        Request::new("GET", &format!("{}/v1.0/devices", site.admin))
            .header("Authorization", &bearer(POLICY_ADMIN)),
        Request::new("POST", &rotate).header("Authorization", &bearer("rotate-operator")),
        Request::new("GET", &format!("{}/v1.0/nothing", site.admin))
            .header("Authorization", &bearer(POLICY_ADMIN)),
        Request::new("GET", &format!("{}/v1.0/devices", site.admin)),
        Request::new("GET", &format!("{}/muster/v1/clock", site.control))
            .header("Authorization", &bearer("control")),
    ];
    for request in requests {
        let id = guid();
        let answer = request.clone().header("client-request-id", &id).send();
        assert_eq!(
            answer.header("client-request-id"),
            Some(id.as_str()),
            "{request:?}"
        );
        let made = request.send();
        assert!(is_guid(made.header("client-request-id").unwrap()));
        if made.status >= 400 {
            let inner = made.json()["error"]["innerError"]["client-request-id"].clone();
            assert_eq!(inner.as_str(), made.header("client-request-id"));
        }
    }
}

#[test]
fn request_id_that_is_no_guid_is_refused_without_effect() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    for id in ["1", "not-a-guid", "7e57d00d-0000-4000-8000-00000000000g"] {
        Request::new(
            "POST",
            &format!("{}/v1.0{}", site.admin, rotate_path(&device)),
        )
        .header(
            "Authorization",
            &format!("Bearer {}", site.token("rotate-operator")),
        )
        .header("client-request-id", id)
        .send()
        .expect_error(400);
        Request::new("GET", &format!("{}/muster/v1/clock", site.control))
            .header(
                "Authorization",
                &format!("Bearer {}", site.token("control")),
            )
            .header("client-request-id", id)
            .send()
            .expect_error(400);
    }
    assert!(site.rotations(&device).is_empty());
}

#[test]
fn refusals_come_in_a_fixed_order() {
    let site = Site::new();
    let url = |path: &str| format!("{}/v1.0{path}", site.admin);
    let long = "x".repeat((1 << 20) + 1);
    let as_nobody = |method: &str, path: &str| site.request("nobody", method, path);
    let as_admin = |method: &str, path: &str| site.request(POLICY_ADMIN, method, path);
    let unknown = format!("{POLICIES}/{}", guid());
    // 401 before 404, 405 and 415.
    Request::new("GET", &url("/nothing"))
        .send()
        .expect_error(401);
    Request::new("PUT", &url("/users")).send().expect_error(401);
    Request::new("POST", &url("/users"))
        .body("text/plain", long.clone())
        .send()
        .expect_error(401);
    // Unknown path before method and right.
    as_nobody("GET", "/nothing").send().expect_error(404);
    as_nobody("PATCH", "/deviceManagement/nothing")
        .send()
        .expect_error(404);
    // Method before right.
    as_nobody("PUT", "/users").send().expect_error(405);
    as_nobody("DELETE", POLICIES).send().expect_error(405);
    // Right before type, size, body and object.
    as_nobody("POST", "/users")
        .body("text/plain", "x")
        .send()
        .expect_error(403);
    as_nobody("POST", "/users")
        .body("application/json", long.clone())
        .send()
        .expect_error(403);
    as_nobody("POST", "/users")
        .body("application/json", "{")
        .send()
        .expect_error(403);
    as_nobody("DELETE", &unknown).send().expect_error(403);
    // Type before size, size before body, body before object.
    as_admin("POST", "/users")
        .body("text/plain", long.clone())
        .send()
        .expect_error(415);
    as_admin("POST", "/users")
        .body("application/json", long)
        .send()
        .expect_error(413);
    as_admin("PUT", &unknown)
        .body("application/json", "{")
        .send()
        .expect_error(400);
    as_admin("PUT", &unknown)
        .json(&json!({"name": 1}))
        .send()
        .expect_error(400);
    // executeAction: the literal before the right.
    let bulk = "/deviceManagement/managedDevices/executeAction";
    let body = json!({"actionName": "rotateLocalAdminPassword", "deviceIds": [guid()]});
    as_nobody("POST", bulk).json(&body).send().expect_error(400);
    let body = json!({"actionName": "syncDevice", "deviceIds": [guid()]});
    as_nobody("POST", bulk).json(&body).send().expect_error(403);
}

#[test]
fn json_may_name_its_character_set() {
    let site = Site::new();
    let body = json!({"userPrincipalName": "a@muster.test", "displayName": "a"});
    site.request(POLICY_ADMIN, "POST", "/users")
        .body("application/json; charset=utf-8", body.to_string())
        .send()
        .expect(201);
    site.request(POLICY_ADMIN, "POST", "/users")
        .body("application/xml", body.to_string())
        .send()
        .expect_error(415);
}

#[test]
fn unknown_members_are_ignored_and_wrong_types_refused() {
    let site = Site::new();
    let body =
        json!({"userPrincipalName": "b@muster.test", "displayName": "b", "unheardOf": {"a": [1]}});
    site.post(POLICY_ADMIN, "/users", &body).expect(201);
    for wrong in [
        json!({"userPrincipalName": "c", "displayName": 1}),
        json!([]),
        json!("x"),
        json!(1),
    ] {
        site.post(POLICY_ADMIN, "/users", &wrong).expect_error(400);
    }
    let not_utf8: Vec<u8> = b"{\"userPrincipalName\":\"\xff\",\"displayName\":\"d\"}".to_vec();
    site.request(POLICY_ADMIN, "POST", "/users")
        .body("application/json", not_utf8)
        .send()
        .expect_error(400);
}

#[test]
fn body_of_a_mebibyte_is_the_limit() {
    let site = Site::new();
    let body = |length: usize| {
        let frame = json!({"userPrincipalName": "x", "displayName": ""})
            .to_string()
            .len();
        json!({"userPrincipalName": "x", "displayName": "y".repeat(length - frame)}).to_string()
    };
    let request = |text: String| {
        site.request(POLICY_ADMIN, "POST", "/users")
            .body("application/json", text)
    };
    let fits = request(body(1 << 20));
    assert_ne!(fits.send().status, 413);
    let long = request(body((1 << 20) + 1));
    long.send().expect_error(413);
    long.send_raw(&long.chunked(64 * 1024)).expect_error(413);
    let soap_url = format!("{}/EnrollmentServer/Discovery.svc", site.enroll);
    let text = soap::discover("urn:uuid:1", &soap_url, &["Federated"]) + &" ".repeat(1 << 20);
    let answer = Request::new("POST", &soap_url)
        .body(soap::CONTENT_TYPE, text)
        .send();
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("Fault"), "{}", answer.text());
    // What has come counts, whatever length was announced.
    let request = site
        .request(POLICY_ADMIN, "POST", "/users")
        .header("Content-Type", "application/json");
    let mut bytes = format!("{}Content-Length: 99999999999\r\n\r\n", request.head()).into_bytes();
    bytes.extend(vec![b' '; (1 << 20) + 1]);
    request.send_raw(&bytes).expect_error(413);
}

#[test]
fn chunked_requests_are_taken_on_the_admin_plane() {
    let site = Site::new();
    let body = json!({"userPrincipalName": "e@muster.test", "displayName": "e"});
    let request = site.request(POLICY_ADMIN, "POST", "/users").json(&body);
    request.send_raw(&request.chunked(5)).expect(201);
}

#[test]
fn connections_are_kept_and_pipelined() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let mut connection = Connection::open(&site.admin);
    let get = site.request(POLICY_ADMIN, "GET", "/devices").bytes();
    for _ in 0..3 {
        connection.send(&get);
        assert_eq!(connection.answer().unwrap().status, 200);
    }
    let missing = site.request(POLICY_ADMIN, "GET", "/nothing").bytes();
    let session = device.open(&site);
    let management = session.request(&session.package1_text()).bytes();
    connection.send(&[get.clone(), missing, management, get].concat());
    let statuses: Vec<u16> = (0..4)
        .map(|_| connection.answer().unwrap().status)
        .collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
}

#[test]
fn incomplete_requests_are_cut_off_after_ten_seconds() {
    let site = Site::new();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\n",
        path(&site.admin),
        authority(&site.admin)
    );
    let full = site
        .request(POLICY_ADMIN, "POST", "/users")
        .header("Content-Type", "application/json")
        .head();
    let mut header = Connection::open(&site.admin);
    let mut body = Connection::open(&site.admin);
    let mut chunk = Connection::open(&site.admin);
    let mut management = Connection::open(&site.manage);
    let from = Instant::now();
    header.send(head.as_bytes());
    body.send(format!("{full}Content-Length: 50\r\n\r\n{{\"userPr").as_bytes());
    chunk.send(format!("{full}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"use").as_bytes());
    let device = site.device(ENTRA);
    let start = format!(
        "{}Content-Length: 500\r\n\r\n<SyncML",
        Request::new("POST", &super::device::management_url(&site))
            .header("Client-Cert", &device.client_cert())
            .header("Content-Type", SYNCML)
            .head()
    );
    management.send(start.as_bytes());
    for (what, mut connection) in [
        ("header", header),
        ("body", body),
        ("chunk", chunk),
        ("message", management),
    ] {
        assert!(connection.ends_within(Duration::from_secs(30)), "{what}");
        let waited = from.elapsed();
        assert!(waited > Duration::from_secs(8), "{what}: {waited:?}");
        assert!(waited < Duration::from_secs(20), "{what}: {waited:?}");
    }
}

#[test]
fn answers_of_lists_have_the_common_form() {
    let site = Site::new();
    for (actor, path) in [
        (POLICY_ADMIN, "/devices"),
        (POLICY_ADMIN, POLICIES),
        (POLICY_ADMIN, "/deviceManagement/managedDevices"),
        (
            POLICY_ADMIN,
            "/deviceManagement/deviceConfigurationConflictSummary",
        ),
        ("metadata-reader", "/directory/deviceLocalCredentials"),
        ("auditor", "/deviceManagement/auditEvents"),
        ("auditor", "/auditLogs/directoryAudits"),
    ] {
        for root in ["v1.0", "beta"] {
            let answer = site
                .get(actor, &format!("{}/{root}{path}", site.admin))
                .expect(200);
            assert_eq!(answer.json()["value"], json!([]), "{path}");
            assert!(
                answer
                    .json()
                    .get("@odata.nextLink")
                    .is_none_or(Value::is_null)
            );
        }
        for query in [
            "$top=0",
            "$top=1000",
            "$top=",
            "$skip=1",
            "unheard=of",
            "$format=json",
            "$skiptoken=x",
        ] {
            let status = site.get(actor, &format!("{path}?{query}")).status;
            assert_eq!(status, 400, "{path}?{query}");
        }
    }
}

#[test]
fn path_outside_every_plane_is_not_found() {
    let site = Site::new();
    let origin = format!("http://{}", authority(&site.admin));
    for path in ["/", "/nothing", "/graph", "/graph/v2.0/users"] {
        let status = Request::new("GET", &format!("{origin}{path}"))
            .send()
            .status;
        assert!(status == 404 || status == 401, "{path} {status}");
    }
}
