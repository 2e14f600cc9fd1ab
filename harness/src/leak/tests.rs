use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::directory::password_to_base64;
use protocol::time::UtcMillis;

use super::*;

const PASSWORD: &str = "Vq2}Zx&kR7<ab";
const READ: &str =
    "/graph/v1.0/directory/deviceLocalCredentials/1?$select=id,deviceName,credentials";

fn exchange(plane: Plane, method: &'static str, path: &str) -> Exchange {
    Exchange {
        plane,
        scope: "view",
        party: "LAB-0001".to_owned(),
        method,
        path: path.to_owned(),
        client_request_id: None,
        sent_at: UtcMillis::from_millis(0),
        received_at: None,
        request: Vec::new(),
        status: Some(200),
        response: Vec::new(),
        failure: None,
    }
}

/// A transcript with one upload of [`PASSWORD`] and one explicit read of it.
fn uploaded() -> Transcript {
    let transcript = Transcript::default();
    let mut upload = exchange(Plane::Directory, "PUT", "/directory/devices/1/credential");
    upload.request = format!(
        r#"{{"deviceName":"LAB-0001","accountName":"a","accountSid":"S-1-5-21-1-2-3-500","passwordBase64":"{}","backupDateTime":"2026-03-01T09:00:00Z","refreshDateTime":"2026-03-31T09:00:00Z"}}"#,
        password_to_base64(PASSWORD)
    )
    .into_bytes();
    let _upload = transcript.record(upload);
    let mut read = exchange(Plane::Admin, "GET", READ);
    read.response = password_to_base64(PASSWORD).into_bytes();
    let _read = transcript.record(read);
    transcript
}

fn hits(leaks: &Leaks) -> Vec<(LeakPlace, &'static str)> {
    let cases = leaks.cases.iter();
    cases
        .flat_map(|case| {
            assert_eq!((case.passwords, case.control), (1, 2), "{case:?}");
            case.hits.iter().map(|hit| {
                assert_eq!(hit.device, "LAB-0001");
                (case.place, hit.form)
            })
        })
        .collect()
}

#[test]
fn uploads_and_explicit_reads_are_no_leaks() {
    assert_eq!(hits(&search(&uploaded(), &TargetLog::default())), []);
}

#[test]
fn a_password_is_found_in_every_other_place() {
    let base64 = STANDARD.encode(format!("because {PASSWORD}"));
    let audit = "/graph/beta/deviceManagement/auditEvents?$top=9";
    let refused = "/graph/v1.0/directory/deviceLocalCredentials/1?$select=credentials";
    for (plane, path, status, text, found) in [
        (
            Plane::Enroll,
            "/e",
            200,
            PASSWORD,
            (LeakPlace::Enrolment, "in clear"),
        ),
        (
            Plane::Manage,
            "/m",
            200,
            "Vq2}Zx&amp;kR7&lt;ab",
            (LeakPlace::Management, "in clear"),
        ),
        (
            Plane::Directory,
            "/d",
            400,
            PASSWORD,
            (LeakPlace::Upload, "in clear"),
        ),
        (
            Plane::Admin,
            audit,
            200,
            &base64,
            (LeakPlace::Audit, "as base64"),
        ),
        (
            Plane::Admin,
            refused,
            403,
            PASSWORD,
            (LeakPlace::Admin, "in clear"),
        ),
        (
            Plane::Admin,
            "/graph/v1.0/directory/deviceLocalCredentials/1",
            200,
            &password_to_base64(PASSWORD),
            (LeakPlace::Admin, "as base64 of UTF-16LE"),
        ),
        (
            Plane::Control,
            "/c",
            200,
            PASSWORD,
            (LeakPlace::Control, "in clear"),
        ),
    ] {
        let transcript = uploaded();
        let mut exchange = exchange(plane, "GET", path);
        exchange.status = Some(status);
        exchange.response = text.as_bytes().to_vec();
        let _id = transcript.record(exchange);
        let leaks = search(&transcript, &TargetLog::default());
        assert_eq!(hits(&leaks), [found], "{path}");
        assert_eq!(leaks.own, [""; 0]);
    }
}

#[test]
fn pushes_and_the_log_of_the_target_are_searched() {
    let transcript = uploaded();
    let mut push = exchange(Plane::Push, "POST", "/channels/1");
    push.request = PASSWORD.as_bytes().to_vec();
    let _id = transcript.record(push);
    let log = TargetLog::default();
    log.add(b"stored ");
    log.add(PASSWORD.as_bytes());
    let found = hits(&search(&transcript, &log));
    assert_eq!(
        found,
        [(LeakPlace::Push, "in clear"), (LeakPlace::Log, "in clear")]
    );
}

#[test]
fn a_password_in_our_own_message_is_our_own_defect() {
    let transcript = uploaded();
    let mut ours = exchange(Plane::Manage, "POST", "/m");
    ours.request = PASSWORD.as_bytes().to_vec();
    let _id = transcript.record(ours);
    let leaks = search(&transcript, &TargetLog::default());
    assert_eq!(hits(&leaks), []);
    assert_eq!(leaks.own.len(), 1);
    assert!(!leaks.own[0].contains(PASSWORD));
}

#[test]
fn a_log_beyond_its_bound_says_so() {
    let log = TargetLog::default();
    log.add(&vec![b'x'; TargetLog::BYTES_MAX]);
    assert_eq!(log.dropped(), 0);
    log.add(b"more");
    assert_eq!((log.text().len(), log.dropped()), (TargetLog::BYTES_MAX, 4));
}
