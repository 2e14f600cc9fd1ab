//! Legal variants: each changes what the wire shows, and the core as it stands does not.
//!
//! Those that act late are tested in virtual time, in the tests of the core.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::channel::Mood;
use super::device::{PENDING, RESET_STATUS};
use super::http::{authority, path};
use super::site::{
    AUDITOR, ENTRA, HYBRID, POLICY_ADMIN, READER, REGISTERED, ROTATOR, Site, WINDOWS_11,
    rotate_path,
};
use super::text::guid;
use crate::util::output;

const HOUR: Duration = Duration::from_secs(3_600);

/// Name, what is looked at, what the core as it stands shows, what the variant shows.
type Row = (
    &'static str,
    fn(&Site) -> String,
    &'static str,
    &'static str,
);

/// Tested in virtual time.
const LATE: [&str; 4] = [
    "V-AUDIT-late",
    "V-REPORT-late",
    "V-ROTATION-fails-late",
    "V-PUSH-late",
];

const HTTP: &[Row] = &[
    ("V-HTTP-202", upload_status, "204", "202"),
    (
        "V-HTTP-closes",
        |site| header(site, "connection"),
        "-",
        "close",
    ),
    ("V-HTTP-chunked", chunked, "with its length", "in chunks"),
    ("V-HTTP-other-paths", admin_path, "/graph", "/at-"),
    ("V-HTTP-throttles", throttled, "", "1 1"),
    ("V-HTTP-throttles-until", throttled, "", "date date"),
    (
        "V-JSON-extra-members",
        members,
        "value",
        "@vendor.etag extension_of_the_vendor value",
    ),
    (
        "V-JSON-other-form",
        |site| devices(site).text()[..3].to_owned(),
        "{\"v",
        "{\r\n",
    ),
    (
        "V-JSON-long-times",
        whole_second,
        "2031-05-06T07:08:09Z",
        "2031-05-06T07:08:09.0000000Z",
    ),
    (
        "V-ERROR-other-words",
        refusal,
        "The path `/v1.0/nothing` is unknown.",
        "The service refused the call.",
    ),
    ("V-PAGE-three", page_size, "5", "3"),
    ("V-LIST-reversed", order, "ascending", "descending"),
    ("V-LIST-shuffled", order, "ascending", "neither"),
];

const LOGS_AND_ROTATION: &[Row] = &[
    ("V-AUDIT-no-correlation", correlation, "ours", "none"),
    ("V-AUDIT-own-correlation", correlation, "ours", "other"),
    ("V-AUDIT-refused-calls", refused_calls, "0", "2"),
    (
        "V-ROTATION-refused-offline",
        |site| rotated(site, ENTRA, Mood::Disconnected),
        "204 failed offline",
        "409 failed offline",
    ),
    (
        "V-ROTATION-hybrid-needs-connection",
        |site| rotated(site, HYBRID, Mood::Disconnected),
        "204 pending",
        "204 failed offline",
    ),
    (
        "V-ROTATION-not-supported",
        unsupported,
        "failed",
        "notSupported",
    ),
    ("V-ROTATION-reads-once", reads, "4", "1"),
    (
        "V-ROTATION-other-words",
        |site| rotated(site, ENTRA, Mood::Disconnected),
        "204 failed offline",
        "204 failed It could not be done.",
    ),
    (
        "V-ROTATION-expires-early",
        |site| after(site, 7),
        "pending",
        "failed",
    ),
    (
        "V-ROTATION-expires-late",
        |site| after(site, 25),
        "failed",
        "pending",
    ),
    (
        "V-PUSH-temp-is-online",
        |site| rotated(site, ENTRA, Mood::TempDisconnected),
        "204 failed offline",
        "204 pending",
    ),
];

const DEVICES: &[Row] = &[
    (
        "V-CONFLICT-withholds-setting",
        withheld,
        "",
        "BackupDirectory",
    ),
    ("V-UNASSIGN-keeps", unassigned, "Delete PasswordLength", ""),
    ("V-DIRECTORY-keeps-one", history, "3", "1"),
    ("V-DIRECTORY-keeps-five", history, "3", "5"),
    (
        "V-DIRECTORY-hybrid-despite-switch",
        switched_off,
        "403",
        "204",
    ),
    ("V-ENROLL-faults-200", wrong_name, "500 fault", "200 fault"),
    ("V-ENROLL-once", twice, "200", "500"),
    ("V-ENROLL-any-name", wrong_name, "500 fault", "200"),
    (
        "V-SYNC-command-ids",
        |site| has(site, "<CmdID>cmd.1</CmdID>"),
        "no",
        "yes",
    ),
    (
        "V-SYNC-vendor-form",
        |site| has(site, "./Device/Vendor/MSFT/LAPS/"),
        "yes",
        "no",
    ),
    (
        "V-SYNC-white-space",
        |site| has(site, "</SyncHdr>\r\n"),
        "no",
        "yes",
    ),
    (
        "V-SYNC-prefix",
        |site| has(site, "<dm:SyncHdr>"),
        "no",
        "yes",
    ),
    (
        "V-SYNC-write-order",
        writes,
        "PasswordAgeDays PasswordLength",
        "PasswordLength PasswordAgeDays",
    ),
];

#[test]
fn variants_of_http_and_json_change_what_the_wire_shows() {
    compare(HTTP);
}

#[test]
fn variants_of_logs_and_rotation_change_what_the_wire_shows() {
    compare(LOGS_AND_ROTATION);
}

#[test]
fn variants_of_the_device_planes_change_what_the_wire_shows() {
    compare(DEVICES);
}

#[test]
fn every_variant_is_looked_at_once() {
    let listed = String::from_utf8(output(&["variants"]).stdout).unwrap();
    let mut listed: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let rows = [HTTP, LOGS_AND_ROTATION, DEVICES].concat();
    let mut looked_at: Vec<&str> = rows.iter().map(|row| row.0).chain(LATE).collect();
    listed.sort_unstable();
    looked_at.sort_unstable();
    assert_eq!(listed, looked_at);
}

#[test]
fn variants_are_named_in_the_description_and_checked() {
    let core = crate::util::Core::start(&["--chaos", "7"]);
    let line: Value = serde_json::from_str(&core.line).unwrap();
    assert!(line["variants"].as_array().unwrap().len() > 5, "{line}");
    let core = crate::util::Core::start(&[]);
    let line: Value = serde_json::from_str(&core.line).unwrap();
    assert_eq!(line.get("variants"), None);
    for wrong in [
        &["--variant", "V-NONE"][..],
        &[
            "--variant",
            "V-LIST-reversed",
            "--variant",
            "V-LIST-shuffled",
        ],
        &["--variant", "V-LIST-reversed", "--chaos", "1"],
    ] {
        let ended = output(&[&["serve"], wrong].concat());
        assert_eq!(ended.status.code(), Some(4), "{wrong:?}");
    }
}

#[track_caller]
fn compare(rows: &[Row]) {
    for (name, probe, usual, other) in rows {
        let clock = "--virtual-clock";
        assert_eq!(probe(&Site::with(&[clock])), *usual, "without {name}");
        let varied = Site::with(&[clock, "--variant", name]);
        assert_eq!(probe(&varied), *other, "{name}");
    }
}

fn devices(site: &Site) -> super::http::Answer {
    site.get(POLICY_ADMIN, "/devices")
}

fn header(site: &Site, name: &str) -> String {
    devices(site).header(name).unwrap_or("-").to_owned()
}

/// How the body of an answer is sent; our own client takes no chunks.
fn chunked(site: &Site) -> String {
    let request = site.request(POLICY_ADMIN, "GET", "/devices");
    let request = request.header("Connection", "close");
    let mut stream = TcpStream::connect(authority(&site.admin)).unwrap();
    stream.write_all(&request.bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    if answer.contains("transfer-encoding: chunked") {
        "in chunks".to_owned()
    } else {
        "with its length".to_owned()
    }
}

fn upload_status(site: &Site) -> String {
    site.device(ENTRA).upload(site).status.to_string()
}

/// The admin plane's path, cut where the drawn part begins.
fn admin_path(site: &Site) -> String {
    let path = path(&site.admin);
    path.get(..4)
        .filter(|start| *start == "/at-")
        .unwrap_or(path)
        .to_owned()
}

/// `Retry-After` of the refused ones of 40 calls.
fn throttled(site: &Site) -> String {
    let answers = (0..40).map(|_| devices(site));
    let after = answers.filter(|answer| answer.status == 429).map(|answer| {
        let after = answer.header("retry-after").unwrap().to_owned();
        assert_eq!(answer.json()["error"]["code"], "TooManyRequests");
        if after.ends_with(" GMT") {
            "date".to_owned()
        } else {
            after
        }
    });
    after.collect::<Vec<_>>().join(" ")
}

fn members(site: &Site) -> String {
    let page = devices(site).json();
    let names: Vec<&str> = page
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.join(" ")
}

/// A time of a whole second, as it comes back.
fn whole_second(site: &Site) -> String {
    let device = site.device(ENTRA);
    let body = device.upload_body("2031-05-06T07:08:09Z", "2031-06-06T07:08:09Z");
    device.put_credential(site, &guid(), &body).expect(204);
    let id = device.entra_id.as_ref().unwrap();
    let shown = site.get(READER, &format!("/directory/deviceLocalCredentials/{id}"));
    let shown = shown.expect(200).json();
    shown["lastBackupDateTime"].as_str().unwrap().to_owned()
}

fn refusal(site: &Site) -> String {
    let body = site.get(POLICY_ADMIN, "/nothing").json();
    body["error"]["message"].as_str().unwrap().to_owned()
}

fn page_size(site: &Site) -> String {
    for _ in 0..5 {
        site.registered(ENTRA, WINDOWS_11);
    }
    let size = devices(site).json()["value"].as_array().unwrap().len();
    assert_eq!(
        site.list(POLICY_ADMIN, "/devices").len(),
        5,
        "all of them, page by page"
    );
    size.to_string()
}

/// The order of a list over several pages.
fn order(site: &Site) -> String {
    for _ in 0..9 {
        site.registered(ENTRA, WINDOWS_11);
    }
    let listed = site.list(POLICY_ADMIN, "/devices?$top=2");
    let ids: Vec<&str> = listed
        .iter()
        .map(|device| device["id"].as_str().unwrap())
        .collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 9, "no page repeats or skips: {ids:?}");
    if ids == sorted {
        return "ascending".to_owned();
    }
    sorted.reverse();
    if ids == sorted {
        "descending"
    } else {
        "neither"
    }
    .to_owned()
}

fn correlation(site: &Site) -> String {
    let device = site.device(ENTRA);
    let request = site.request(ROTATOR, "POST", &rotate_path(&device));
    let id = request
        .headers
        .iter()
        .find(|(name, _)| name == "client-request-id");
    let id = id.unwrap().1.clone();
    assert_eq!(
        request.send().header("client-request-id"),
        Some(id.as_str())
    );
    let event = site.rotation_events(&device).remove(0);
    match event.get("correlationId") {
        None => "none".to_owned(),
        Some(seen) if *seen == id.as_str() => "ours".to_owned(),
        Some(_) => "other".to_owned(),
    }
}

/// Events of a rotation without right and of one of a device that is not there.
fn refused_calls(site: &Site) -> String {
    let device = site.device(ENTRA);
    site.act("nobody", &rotate_path(&device)).expect_error(403);
    let mut nobody = device.clone();
    nobody.managed_id = guid();
    site.act(ROTATOR, &rotate_path(&nobody)).expect_error(404);
    assert!(site.rotations(&device).is_empty());
    let events = site.rotation_events(&device).len() + site.rotation_events(&nobody).len();
    assert!(site.list(AUDITOR, "/deviceManagement/auditEvents").len() >= events);
    events.to_string()
}

/// Status, state and reason of the rotation of a device in this mood.
fn rotated(site: &Site, join: &'static str, mood: Mood) -> String {
    let device = site.backed_up(join);
    site.mood(&device, mood);
    let status = site.rotate(&device).status;
    let row = site.rotation(&device);
    let state = row["actionState"].as_str().unwrap();
    match row["detail"].as_str() {
        Some(detail) => format!("{status} {state} {detail}"),
        None => format!("{status} {state}"),
    }
}

fn unsupported(site: &Site) -> String {
    let device = site.device(REGISTERED);
    site.rotate(&device).expect(204);
    site.rotation(&device)["actionState"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// How often a session asks for the result of a rotation that has none.
fn reads(site: &Site) -> String {
    let mut device = site.backed_up(ENTRA);
    device.reset = [PENDING; 9].map(str::to_owned).into();
    site.rotate(&device).expect(204);
    device.check_in(site).count("Get", RESET_STATUS).to_string()
}

/// The state of a rotation whose device does not come, after so many hours.
fn after(site: &Site, hours: u32) -> String {
    let device = site.backed_up(HYBRID);
    site.mood(&device, Mood::Disconnected);
    site.rotate(&device).expect(204);
    site.advance(HOUR * hours);
    site.rotation(&device)["actionState"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What is written to a device without policy that two policies reach, which clash on one setting.
fn withheld(site: &Site) -> String {
    let mut device = site.enrolled(ENTRA, WINDOWS_11);
    site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    site.policy_for(&[&device], &[("passwordlength", "21")]);
    let writes = device.check_in(site).writes();
    writes.into_keys().collect::<Vec<_>>().join(" ")
}

/// What is written when a policy is gone.
fn unassigned(site: &Site) -> String {
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("passwordlength", "20")]);
    assert_eq!(device.check_in(site).writes().len(), 1);
    site.assign(&policy, &[]);
    let writes = device.check_in(site).writes().into_iter();
    let words = writes.map(|(leaf, value)| match value {
        None => format!("Delete {leaf}"),
        Some(value) => format!("Replace {leaf} {value}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// How many passwords are shown after seven backups.
fn history(site: &Site) -> String {
    let mut device = site.device(ENTRA);
    for _ in 0..7 {
        device.upload(site).expect(204);
    }
    let id = device.entra_id.as_ref().unwrap();
    let path = format!("/directory/deviceLocalCredentials/{id}?$select=credentials");
    let shown = site.get(READER, &path).expect(200).json();
    shown["credentials"].as_array().unwrap().len().to_string()
}

/// The status of a hybrid joined device's backup while the tenant's switch is off.
fn switched_off(site: &Site) -> String {
    let off = json!({"localAdminPassword": {"isEnabled": false}});
    let path = "/policies/deviceRegistrationPolicy";
    site.send(POLICY_ADMIN, "PUT", path, &off).expect(200);
    assert_eq!(site.device(ENTRA).upload(site).status, 403);
    site.device(HYBRID).upload(site).status.to_string()
}

/// An enrolment under another name than the registered one.
fn wrong_name(site: &Site) -> String {
    let mut device = site.registered(ENTRA, WINDOWS_11);
    device.name = "PC-OTHER".to_owned();
    let answer = device.try_enroll(site);
    let fault = if answer.text().contains("Fault>") {
        " fault"
    } else {
        ""
    };
    format!("{}{fault}", answer.status)
}

/// The status of a second enrolment with the same credential.
fn twice(site: &Site) -> String {
    let device = site.enrolled(ENTRA, WINDOWS_11);
    device.try_enroll(site).status.to_string()
}

/// The first answer to a device that a policy reaches.
fn first_answer(site: &Site) -> String {
    let mut device = site.enrolled(ENTRA, WINDOWS_11);
    site.policy_for(
        &[&device],
        &[("passwordlength", "20"), ("passwordagedays_aad", "9")],
    );
    let session = device.open(site);
    session.post(&session.package1_text()).text()
}

fn has(site: &Site, part: &str) -> String {
    if first_answer(site).contains(part) {
        "yes"
    } else {
        "no"
    }
    .to_owned()
}

/// The settings in the order in which they are written.
fn writes(site: &Site) -> String {
    let text = first_answer(site);
    let leaves = text.split("/LAPS/Policies/").skip(1);
    let names = leaves.map(|rest| rest.split('<').next().unwrap());
    names.collect::<Vec<_>>().join(" ")
}
