//! Contract 2: repeats, gaps, unfinished sessions, SessionID 0.

use std::time::Duration;

use super::device::{Device, RESET, UNENROLL};
use super::session::{LAPS, Message};
use super::site::{DEVICE_ADMIN, ENTRA, Site, action_path};

/// A device with a policy waiting.
fn waiting(site: &Site) -> Device {
    let device = site.device(ENTRA);
    site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    device
}

#[test]
fn repeat_gets_the_same_bytes() {
    let site = Site::new();
    let mut device = waiting(&site);
    let mut session = device.open(&site);
    let text = session.package1_text();
    let first = session.post(&text);
    assert_eq!(session.post(&text).body, first.body);
    let first = Message::read(&first);
    session.sent = 1;
    let body = first.answers(&mut |command| device.obey(&site, command));
    let text = session.next_text(&body);
    let second = session.post(&text);
    for _ in 0..3 {
        // The session is over by now.
        assert_eq!(session.post(&text).body, second.body);
    }
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn repeat_evaluates_nothing_twice() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    let mut session = device.open(&site);
    let text = session.package1_text();
    let first = session.post(&text);
    session.sent = 1;
    assert!(
        Message::read(&first)
            .lines()
            .contains(&format!("Exec {RESET}"))
    );
    // Another rotation between message and repeat is no reason to answer otherwise.
    site.rotate(&device).expect(204);
    assert_eq!(session.post(&text).body, first.body);
    let body = Message::read(&first).answers(&mut |command| device.obey(&site, command));
    let text = session.next_text(&body);
    let second = session.post(&text);
    assert_eq!(session.post(&text).body, second.body);
    let body = Message::read(&second).answers(&mut |command| device.obey(&site, command));
    session.say(&body);
    let states: Vec<String> = site
        .rotations(&device)
        .iter()
        .map(|row| row["actionState"].to_string())
        .collect();
    assert_eq!(states, ["\"pending\"", "\"done\""]);
    assert_eq!(device.execs, 1);
}

#[test]
fn repeat_is_known_for_a_minute() {
    let site = Site::virtual_clock();
    let mut device = waiting(&site);
    let mut session = device.open(&site);
    let first = session.package1();
    let body = first.answers(&mut |command| device.obey(&site, command));
    let text = session.next_text(&body);
    let second = session.post(&text);
    site.advance(Duration::from_secs(50));
    assert_eq!(session.post(&text).body, second.body);
    site.advance(Duration::from_secs(70));
    let late = Message::read(&session.post(&text));
    assert_eq!(late.only_header_status(), Some("400"));
}

#[test]
fn old_package_1_starts_a_new_session_after_a_minute() {
    let site = Site::virtual_clock();
    let mut device = waiting(&site);
    let mut session = device.open(&site);
    let text = session.package1_text();
    let first = session.package1();
    let body = first.answers(&mut |command| device.obey(&site, command));
    session.say(&body);
    site.advance(Duration::from_secs(120));
    let again = Message::read(&session.post(&text));
    assert!(
        again.commands.is_empty(),
        "the policy is on the device: {:?}",
        again.lines()
    );
}

#[test]
fn same_message_id_with_other_bytes_is_no_repeat() {
    let site = Site::new();
    let mut device = waiting(&site);
    let mut session = device.open(&site);
    let first = session.package1();
    let body = first.answers(&mut |command| device.obey(&site, command));
    let text = session.next_text(&body);
    session.post(&text).expect(200);
    let other = text.replace(
        "<Final/>",
        "<Alert><CmdID>77</CmdID><Data>1226</Data></Alert><Final/>",
    );
    let answer = Message::read(&session.post(&other));
    assert_eq!(answer.only_header_status(), Some("400"));
}

#[test]
fn gap_is_believed_in_nothing() {
    let site = Site::new();
    for wrong in [3, 4, 0] {
        let mut device = waiting(&site);
        let mut session = device.open(&site);
        let first = session.package1();
        let body = first.answers(&mut |command| device.obey(&site, command));
        session.sent = 1;
        let text = session
            .next_text(&body)
            .replace("<MsgID>2<", &format!("<MsgID>{wrong}<"));
        let answer = Message::read(&session.post(&text));
        assert_eq!(answer.only_header_status(), Some("400"), "MsgID {wrong}");
        // The session is over, the Status of the Atomic was not believed.
        session.sent = 1;
        assert_eq!(session.say(&body).only_header_status(), Some("400"));
        assert_eq!(device.check_in(&site).writes().len(), 2);
    }
}

#[test]
fn message_of_an_unknown_session_is_a_gap() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let mut session = device.open(&site);
    session.sent = 1;
    assert_eq!(session.say("").only_header_status(), Some("400"));
}

#[test]
fn smaller_message_id_is_refused() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    let mut session = device.open(&site);
    let first = session.package1();
    let body = first.answers(&mut |command| device.obey(&site, command));
    let second = session.say(&body);
    let body = second.answers(&mut |command| device.obey(&site, command));
    session.sent = 1;
    let text = session.next_text(&body);
    let answer = Message::read(&session.post(&text));
    assert_eq!(answer.only_header_status(), Some("400"));
    assert_eq!(site.rotation(&device)["actionState"], "active");
}

#[test]
fn session_id_0_is_legal() {
    let site = Site::new();
    let mut device = waiting(&site);
    let mut session = device.open_as(&site, "0");
    let first = session.package1();
    assert_eq!(first.session_id, "0");
    let body = first.answers(&mut |command| device.obey(&site, command));
    assert_eq!(session.say(&body).only_header_status(), Some("200"));
    assert_eq!(device.leaves.len(), 2);
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn message_1_ends_an_unfinished_session() {
    let site = Site::new();
    let mut device = waiting(&site);
    let mut old = device.open(&site);
    let first = old.package1();
    let mut new = device.open(&site);
    let again = new.package1();
    assert!(
        again
            .lines()
            .contains(&format!("Replace {LAPS}PasswordLength"))
    );
    let body = first.answers(&mut |command| device.obey(&site, command));
    assert_eq!(old.say(&body).only_header_status(), Some("400"));
    let body = again.answers(&mut |command| device.obey(&site, command));
    assert_eq!(new.say(&body).only_header_status(), Some("200"));
}

#[test]
fn message_1_with_other_bytes_starts_over_under_the_same_session_id() {
    let site = Site::new();
    let mut device = waiting(&site);
    let mut session = device.open(&site);
    session.package1();
    session.login = "user";
    let again = session.package1();
    assert!(
        again
            .lines()
            .contains(&format!("Replace {LAPS}PasswordLength"))
    );
    let body = again.answers(&mut |command| device.obey(&site, command));
    assert_eq!(session.say(&body).only_header_status(), Some("200"));
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn sessions_of_devices_do_not_mix() {
    let site = Site::new();
    let mut first = waiting(&site);
    let mut second = waiting(&site);
    let mut one = first.open_as(&site, "7");
    let mut two = second.open_as(&site, "7");
    let to_one = one.package1();
    let to_two = two.package1();
    let body = to_one.answers(&mut |command| first.obey(&site, command));
    assert_eq!(one.say(&body).only_header_status(), Some("200"));
    let body = to_two.answers(&mut |command| second.obey(&site, command));
    assert_eq!(two.say(&body).only_header_status(), Some("200"));
}

#[test]
fn repeat_after_the_end_of_the_enrolment_is_forbidden() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    site.act(DEVICE_ADMIN, &action_path(&device, "retire"))
        .expect(204);
    let mut session = device.open(&site);
    let first = session.package1();
    assert!(first.lines().contains(&format!("Exec {UNENROLL}")));
    let body = first.answers(&mut |command| device.obey(&site, command));
    let text = session.next_text(&body);
    session.post(&text).expect(200);
    assert_eq!(session.post(&text).status, 403);
}

#[test]
fn session_ids_of_the_former_enrolment_do_not_matter() {
    let site = Site::new();
    let mut device = waiting(&site);
    let mut old = device.open_as(&site, "5");
    old.package1();
    device.enroll(&site);
    let mut new = device.open_as(&site, "5");
    let first = new.package1();
    assert!(
        first
            .lines()
            .iter()
            .any(|line| line.ends_with("/Push/ChannelURI")),
        "{:?}",
        first.lines()
    );
}
