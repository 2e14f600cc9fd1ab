//! Contract 2: who speaks, what is refused, the first answer, the statuses.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::channel::Mood;
use super::device::{Device, RESET, Reaction, UNENROLL};
use super::http::{Answer, Request};
use super::session::{LAPS, Message, SYNCML, Session};
use super::site::{DEVICE_ADMIN, ENTRA, HYBRID, Site, WINDOWS_11, action_path};
use super::text::base64;

fn post_as(session: &Session, client_cert: Option<&str>) -> Answer {
    let mut request = Request::new("POST", &session.url).body(SYNCML, session.package1_text());
    if let Some(value) = client_cert {
        request = request.header("Client-Cert", value);
    }
    request.send()
}

#[track_caller]
fn expect_empty(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.body.is_empty(), "{}", answer.text());
}

/// A certificate with this name, self-signed or from an authority nobody knows.
fn foreign_certificates(name: &str) -> Vec<Vec<u8>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let self_signed = params.self_signed(&key).unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let signed = params.signed_by(&key, &issuer).unwrap();
    vec![self_signed.der().to_vec(), signed.der().to_vec()]
}

#[test]
fn without_a_certificate_nobody_is_anybody() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let session = device.open(&site);
    let bare = base64(&device.certificate);
    expect_empty(&post_as(&session, None), 401);
    for value in [
        "",
        ":",
        "::",
        "garbage",
        &bare,
        &format!(":{bare}"),
        &format!("{bare}:"),
        ":not base64!:",
        ":a:",
    ] {
        let answer = post_as(&session, Some(value));
        assert_eq!((answer.status, answer.body.len()), (401, 0), "`{value}`");
    }
    post_as(&session, Some(&format!(":{bare}:"))).expect(200);
}

#[test]
fn foreign_certificates_are_forbidden() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let session = device.open(&site);
    let mut broken = device.certificate.clone();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let mut certificates = foreign_certificates(&device.device_id);
    certificates.push(broken);
    certificates.push(b"no certificate".to_vec());
    for certificate in certificates {
        let value = format!(":{}:", base64(&certificate));
        expect_empty(&post_as(&session, Some(&value)), 403);
    }
    // Another core's certificate.
    let other = Site::with(&["--seed", "77"]);
    let stranger = other.enrolled(ENTRA, WINDOWS_11);
    expect_empty(&post_as(&session, Some(&stranger.client_cert())), 403);
}

#[test]
fn expired_certificate_is_forbidden() {
    let site = Site::virtual_clock();
    let mut device = site.device(ENTRA);
    site.advance(Duration::from_secs(364 * 86_400));
    let session = device.open(&site);
    session.post(&session.package1_text()).expect(200);
    site.advance(Duration::from_secs(2 * 86_400));
    let session = device.open(&site);
    expect_empty(&session.post(&session.package1_text()), 403);
}

#[test]
fn source_must_be_the_name_in_the_certificate() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let other = site.device(ENTRA);
    site.policy_for(&[&device], &[("backupdirectory", "1")]);
    let mut session = device.open(&site);
    session.device_id.clone_from(&other.device_id);
    let message = session.package1();
    assert_eq!(message.only_header_status(), Some("403"));
    assert!(message.is_final);
    assert_eq!(device.check_in(&site).writes().len(), 1);
}

#[test]
fn messages_that_are_none_are_refused_with_an_empty_body() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let session = device.open(&site);
    let good = session.package1_text();
    let without_header =
        "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncBody><Final/></SyncBody></SyncML>";
    for body in [
        "",
        "no XML",
        "<SyncML>",
        "<a/>",
        without_header,
        &good.replace("DM/1.2", "DM/1.1"),
        &good.replace("<VerDTD>1.2", "<VerDTD>1.1"),
        &good.replace("<VerProto>DM/1.2</VerProto>", ""),
        &good.replace("<VerDTD>1.2</VerDTD>", ""),
        &format!("<!DOCTYPE SyncML [<!ENTITY a \"b\">]>{good}"),
        &format!("<!DOCTYPE SyncML>{good}"),
        &good[..good.len() - 9],
    ] {
        let answer = session.post(body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body.is_empty());
    }
    session.post(&good).expect(200);
}

#[test]
fn http_errors_of_the_plane() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let session = device.open(&site);
    let good = session.package1_text();
    let with = |request: Request| request.header("Client-Cert", &device.client_cert()).send();
    for method in ["GET", "PUT", "DELETE"] {
        expect_empty(&with(Request::new(method, &session.url)), 405);
    }
    for kind in [
        "application/vnd.syncml.dm+wbxml",
        "text/xml",
        "application/json",
    ] {
        let request = Request::new("POST", &session.url).body(kind, good.clone());
        expect_empty(&with(request), 415);
    }
    let path = format!("{}/ManagementServer/Other.svc", site.manage);
    expect_empty(
        &with(Request::new("POST", &path).body(SYNCML, good.clone())),
        404,
    );
    let long = good.replace("Fabricam", &"x".repeat(512 * 1024));
    expect_empty(&session.post(&long), 413);
    let request = session.request(&long);
    expect_empty(&request.send_raw(&request.chunked(10_000)), 413);
    let fits = good.replace("Fabricam", &"x".repeat(500 * 1024));
    session.post(&fits).expect(200);
}

#[test]
fn chunked_message_is_taken() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let session = device.open(&site);
    let request = session.request(&session.package1_text());
    let answer = request.send_raw(&request.chunked(7)).expect(200);
    assert_eq!(
        answer.header("content-length"),
        Some(&*answer.body.len().to_string())
    );
    Message::read(&answer);
}

#[test]
fn nothing_to_do_is_status_and_final() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let mut session = device.open(&site);
    let message = session.package1();
    assert_eq!(message.session_id, session.id);
    assert_eq!(message.msg_id, "1");
    assert_eq!(
        message.status_pairs(),
        [("0", "200"), ("2", "200"), ("3", "200"), ("4", "200")]
    );
    let cmds: Vec<&str> = message
        .statuses
        .iter()
        .map(|status| status.cmd.as_str())
        .collect();
    assert_eq!(cmds, ["SyncHdr", "Alert", "Alert", "Replace"]);
    assert!(message.statuses.iter().all(|status| status.msg_ref == "1"));
    assert!(message.commands.is_empty() && message.is_final);
    let header = message.xml.child("SyncHdr").unwrap();
    assert_eq!(
        header.value("Target/LocURI"),
        Some(device.device_id.as_str())
    );
    let url = format!("{}/ManagementServer/MDM.svc", site.manage);
    assert_eq!(header.value("Source/LocURI"), Some(url.as_str()));
    // The session is over: another message of it is a gap.
    assert_eq!(session.say("").only_header_status(), Some("400"));
}

#[test]
fn last_sync_is_noted() {
    let site = Site::virtual_clock();
    let mut device = site.device(ENTRA);
    let before = site.managed(&device)["lastSyncDateTime"].clone();
    site.advance(Duration::from_secs(3600));
    device.check_in(&site);
    let after = site.managed(&device)["lastSyncDateTime"].clone();
    let gap = super::text::instant(after.as_str().unwrap())
        - super::text::instant(before.as_str().unwrap());
    assert!(
        (3600..3700).contains(&gap.whole_seconds()),
        "{before} {after}"
    );
}

#[test]
fn first_answer_has_a_fixed_order() {
    let site = Site::new();
    let mut device = site.backed_up(HYBRID);
    site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    device.enroll(&site);
    // No channel: the hybrid device's rotation waits for its next session.
    site.rotate(&device).expect(204);
    assert_eq!(site.rotation(&device)["actionState"], "pending");
    let lines = device.open(&site).package1().lines();
    let place = |needle: &str| lines.iter().position(|line| line.contains(needle)).unwrap();
    assert_eq!(lines[0].split('/').next_back(), Some("Push"));
    assert!(place("/Push/Status") < place("Atomic"), "{lines:?}");
    assert!(place("Atomic") < place(RESET), "{lines:?}");
    assert_eq!(place(RESET), lines.len() - 1, "{lines:?}");
}

#[test]
fn retire_goes_before_policy_and_rotation() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.policy_for(&[&device], &[("backupdirectory", "1")]);
    site.rotate(&device).expect(204);
    site.act(DEVICE_ADMIN, &action_path(&device, "retire"))
        .expect(204);
    let message = device.open(&site).package1();
    let first = &message.commands[0];
    assert_eq!(
        (first.verb.as_str(), first.uri.as_str()),
        ("Exec", UNENROLL)
    );
    assert_eq!(
        (first.format.as_str(), first.data.as_str()),
        ("chr", "muster")
    );
    assert!(message.commands.iter().all(|command| command.uri != RESET));
}

#[test]
fn status_reads_come_last() {
    let site = Site::new();
    let mut device = site.backed_up(HYBRID);
    site.policy_for(&[&device], &[("backupdirectory", "2")]);
    device.check_in_with(&site, |_, command| {
        let pending = command.verb == "Get" && command.uri.contains("ResetPassword");
        pending.then(|| Reaction::Value(super::device::PENDING.to_owned()))
    });
    // AD backup acknowledged and none on record: the read ends every session.
    site.policy_for(&[&device], &[("passwordlength", "20")]);
    let lines = device.check_in(&site).lines();
    let read = lines
        .iter()
        .position(|line| line.ends_with("ResetPasswordStatus"))
        .unwrap();
    let write = lines
        .iter()
        .position(|line| line.ends_with("PasswordLength"))
        .unwrap();
    assert!(write < read, "{lines:?}");
    assert_eq!(read, lines.len() - 1);
}

#[test]
fn every_alert_and_replace_gets_a_status_in_any_message() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    site.policy_for(&[&device], &[("backupdirectory", "1")]);
    let mut session = device.open(&site);
    let first = session.package1();
    let mut body = first.answers(&mut |command| device.obey(&site, command));
    body.push_str(
        "<Alert><CmdID>50</CmdID><Data>1224</Data><Item><Meta><Type xmlns=\"syncml:metinf\">com.microsoft/MDM/LoginStatus</Type></Meta><Data>user</Data></Item></Alert>\
         <Alert><CmdID>51</CmdID><Data>1226</Data><Item><Meta><Type xmlns=\"syncml:metinf\">Some:other.type</Type></Meta><Data>1</Data></Item></Alert>\
         <Replace><CmdID>52</CmdID><Item><Source><LocURI>./DevInfo/Lang</LocURI></Source><Data>de-DE</Data></Item></Replace>",
    );
    let second = session.say(&body);
    assert_eq!(
        second.status_pairs(),
        [("0", "200"), ("50", "200"), ("51", "200"), ("52", "200")],
        "Status and Results get none"
    );
    assert!(second.statuses.iter().all(|status| status.msg_ref == "2"));
}

#[test]
fn alert_1223_ends_the_session() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    site.policy_for(&[&device], &[("backupdirectory", "1")]);
    let mut session = device.open(&site);
    session.package1();
    let second = session.say("<Alert><CmdID>9</CmdID><Data>1223</Data></Alert>");
    assert_eq!(second.status_pairs(), [("0", "200"), ("9", "200")]);
    assert!(second.commands.is_empty());
    assert_eq!(session.say("").only_header_status(), Some("400"));
    assert_eq!(
        device.check_in(&site).writes().len(),
        1,
        "not acknowledged, sent again"
    );
}

#[test]
fn message_without_final_gets_status_only() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    site.policy_for(&[&device], &[("backupdirectory", "1")]);
    let mut session = device.open(&site);
    let text = session.message(1, &session.greeting());
    session.sent = 1;
    let first = Message::read(&session.post(&text));
    assert_eq!(
        first.status_pairs(),
        [("0", "200"), ("2", "200"), ("3", "200"), ("4", "200")]
    );
    assert!(first.commands.is_empty(), "{:?}", first.lines());
    let second = session.say("");
    assert!(
        second
            .lines()
            .contains(&format!("Replace {LAPS}BackupDirectory")),
        "{:?}",
        second.lines()
    );
}

#[test]
fn unenrolment_by_the_device_ends_the_enrolment() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let alert = "<Alert><CmdID>9</CmdID><Data>1226</Data><Item><Meta>\
        <Type xmlns=\"syncml:metinf\">com.microsoft:mdm.unenrollment.userrequest</Type>\
        <Format xmlns=\"syncml:metinf\">int</Format></Meta><Data>1</Data></Item></Alert>";
    site.policy_for(&[&device], &[("backupdirectory", "1")]);
    let mut session = device.open(&site);
    session.sent = 1;
    let text = session.message(1, &format!("{}{alert}<Final/>", session.greeting()));
    let answer = Message::read(&session.post(&text));
    assert!(answer.status_pairs().contains(&("9", "200")));
    assert!(answer.commands.is_empty() && answer.is_final);
    gone(&site, &mut device);
    // A repeat after the end of the enrolment is no answer either.
    expect_empty(&session.post(&text), 403);
}

/// The enrolment is over on both planes and has no row.
#[track_caller]
fn gone(site: &Site, device: &mut Device) {
    let session = device.open(site);
    expect_empty(&session.post(&session.package1_text()), 403);
    device.upload(site).expect_error(403);
    let row = format!("/deviceManagement/managedDevices/{}", device.managed_id);
    site.get(DEVICE_ADMIN, &row).expect_error(404);
}

#[test]
fn channel_is_asked_for_again_after_15_days() {
    let site = Site::virtual_clock();
    let mut device = site.device(ENTRA);
    site.advance(Duration::from_secs(14 * 86_400));
    assert!(device.check_in(&site).lines().is_empty());
    site.advance(Duration::from_secs(2 * 86_400));
    only_the_two_gets(&device.check_in(&site).lines());
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn channel_is_asked_for_again_when_there_was_no_uri() {
    let site = Site::new();
    let mut device = site.enrolled(ENTRA, WINDOWS_11);
    device.tells_channel = false;
    assert_eq!(device.check_in(&site).lines().len(), 4);
    only_the_two_gets(&device.check_in(&site).lines());
    device.tells_channel = true;
    only_the_two_gets(&device.check_in(&site).lines());
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn channel_is_asked_for_again_when_it_is_gone() {
    let site = Site::new();
    for code in [404, 410] {
        let mut device = site.backed_up(ENTRA);
        site.mood(&device, Mood::Code(code));
        site.rotate(&device).expect(204);
        assert_eq!(site.rotation(&device)["detail"], "offline");
        let pushes = site.pushes(&device);
        site.rotate(&device).expect(204);
        assert_eq!(
            site.pushes(&device),
            pushes,
            "a forgotten channel is not pushed to"
        );
        only_the_two_gets(&device.check_in(&site).lines());
        site.mood(&device, Mood::Connected);
        site.rotate(&device).expect(204);
        assert_eq!(site.rotation(&device)["actionState"], "pending");
    }
}

#[track_caller]
fn only_the_two_gets(lines: &[String]) {
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("Get ") && lines[0].ends_with("/Push/ChannelURI"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("Get ") && lines[1].ends_with("/Push/Status"),
        "{lines:?}"
    );
}

#[test]
fn identity_is_looked_at_before_the_message() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let session = device.open(&site);
    let foreign = format!(":{}:", base64(&foreign_certificates(&device.device_id)[0]));
    for (kind, body) in [
        ("application/vnd.syncml.dm+wbxml", "x"),
        ("text/plain", "x"),
        (SYNCML, "no XML"),
    ] {
        let request = Request::new("POST", &session.url).body(kind, body);
        expect_empty(&request.send(), 401);
        expect_empty(&request.header("Client-Cert", &foreign).send(), 403);
    }
}

#[test]
fn package_1_without_a_login_status_is_fine() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    site.policy_for(&[&device], &[("backupdirectory", "1")]);
    let session = device.open(&site);
    let text = session.message(
        1,
        "<Alert><CmdID>2</CmdID><Data>1200</Data></Alert><Final/>",
    );
    let message = Message::read(&session.post(&text));
    assert_eq!(message.status_pairs(), [("0", "200"), ("2", "200")]);
    assert_eq!(message.commands.len(), 2);
}

#[test]
fn namespaces_prefixes_and_order_of_a_message_may_vary() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let mut session = device.open(&site);
    let text = session.package1_text();
    for (at, text) in [
        text.replace("SYNCML1.2\"", "SYNCML1.1\""),
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- a remark -->\r\n{text}\r\n"),
        text.replace(
            "<VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>",
            "<VerProto>DM/1.2</VerProto><VerDTD>1.2</VerDTD>",
        ),
        text.replace("<Type xmlns=\"syncml:metinf\">", "<Type>"),
        format!("\u{feff}{text}"),
        text.replace("><", ">\n  <"),
        text.replace("Fabricam", "<![CDATA[Fab & ricam]]>"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = (100 + at).to_string();
        let text = text.replace(
            &format!("<SessionID>{}<", session.id),
            &format!("<SessionID>{id}<"),
        );
        session.sent = 1;
        let answer = session.post(&text);
        let message = Message::read(&answer);
        assert_eq!(message.status_pairs().len(), 4, "{text}");
        assert_eq!(message.session_id, id);
    }
}

#[test]
fn join_state_without_laps_gets_none_from_the_next_session_on() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("passwordlength", "20")]);
    let path = format!("/devices/{}", device.entra_id.as_deref().unwrap());
    let body = serde_json::json!({"joinType": "entraRegistered"});
    site.control("PATCH", &path, &body).expect(204);
    assert!(!device.check_in(&site).mentions_laps());
    assert_eq!(site.state(&device, &policy), "notApplicable");
}
