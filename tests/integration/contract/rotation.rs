//! Contract 2 and 5: a manual rotation that was accepted and reaches a device.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::channel::Mood;
use super::device::{Device, PENDING, RESET, RESET_STATUS, Reaction};
use super::site::{ENTRA, HYBRID, Site};
use super::text::instant;

fn state(site: &Site, device: &Device) -> String {
    site.rotation(device)["actionState"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// State, detail and error code of the newest rotation.
fn end(site: &Site, device: &Device) -> (Value, Value, Value) {
    let row = site.rotation(device);
    (
        row["actionState"].clone(),
        row["detail"].clone(),
        row["errorCode"].clone(),
    )
}

fn failed(detail: &str) -> (Value, Value, Value) {
    (json!("failed"), json!(detail), Value::Null)
}

/// A session in which ResetPasswordStatus reads this, and no password is backed up.
fn reading(site: &Site, device: &mut Device, value: &str) -> Vec<String> {
    device.backs_up = false;
    let seen = device.check_in_with(site, |_, command| {
        (command.uri == RESET_STATUS).then(|| Reaction::Value(value.to_owned()))
    });
    device.backs_up = true;
    seen.lines()
}

fn gets(lines: &[String]) -> usize {
    lines
        .iter()
        .filter(|line| **line == format!("Get {RESET_STATUS}"))
        .count()
}

#[test]
fn rotation_goes_from_pending_over_active_to_done() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let answer = site.rotate(&device).expect(204);
    assert!(answer.body.is_empty());
    assert_eq!(state(&site, &device), "pending");
    let mut session = device.open(&site);
    let first = session.package1();
    assert_eq!(first.lines(), [format!("Exec {RESET}")]);
    assert_eq!(first.commands[0].format, "null");
    assert!(first.commands[0].atomic.is_none());
    let active = site.rotation(&device);
    assert_eq!(active["actionState"], "active");
    let body = first.answers(&mut |command| device.obey(&site, command));
    let second = session.say(&body);
    assert_eq!(second.lines(), [format!("Get {RESET_STATUS}")]);
    assert_eq!(state(&site, &device), "active");
    let body = second.answers(&mut |command| device.obey(&site, command));
    assert_eq!(session.say(&body).only_header_status(), Some("200"));
    let done = site.rotation(&device);
    assert_eq!(done["actionName"], "rotateLocalAdminPassword");
    assert_eq!(done["actionState"], "done");
    assert_eq!(done["startDateTime"], active["startDateTime"]);
    let time = |name: &str| instant(done[name].as_str().unwrap());
    assert!(time("startDateTime") <= time("lastUpdatedDateTime"));
    assert_eq!(site.rotation_events(&device).len(), 1);
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn exec_answered_202_is_as_good() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    device.check_in_with(&site, |device, command| {
        (command.uri == RESET).then(|| {
            device.obey(&site, command);
            Reaction::Status(202)
        })
    });
    assert_eq!(state(&site, &device), "done");
}

#[test]
fn empty_object_is_a_body_too() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    let path = super::site::rotate_path(&device);
    site.post(super::site::ROTATOR, &path, &json!({}))
        .expect(204);
    assert_eq!(site.rotations(&device).len(), 1);
}

#[test]
fn pending_is_read_in_every_form_and_asked_again_three_times() {
    let site = Site::new();
    for form in [PENDING, "2147483658", "0x8000000A", "0x8000000a"] {
        let mut device = site.backed_up(ENTRA);
        site.rotate(&device).expect(204);
        let lines = reading(&site, &mut device, form);
        assert_eq!(gets(&lines), 4, "{form}: {lines:?}");
        assert_eq!(state(&site, &device), "active", "{form}");
        // The password arrives between the sessions.
        device.upload(&site).expect(204);
        let lines = device.check_in(&site).lines();
        assert_eq!(lines, [format!("Get {RESET_STATUS}")]);
        assert_eq!(state(&site, &device), "done", "{form}");
    }
}

#[test]
fn pending_then_zero_within_a_session_is_done() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    for _ in 0..3 {
        device.reset.push_back(PENDING.to_owned());
    }
    let lines = device.check_in(&site).lines();
    assert_eq!(gets(&lines), 4);
    assert_eq!(state(&site, &device), "done");
}

#[test]
fn pending_until_the_end_of_the_next_session_is_no_credential() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    reading(&site, &mut device, PENDING);
    let lines = reading(&site, &mut device, PENDING);
    assert!(gets(&lines) >= 1);
    assert!(!lines.contains(&format!("Exec {RESET}")), "{lines:?}");
    assert_eq!(end(&site, &device), failed("noCredential"));
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn zero_without_a_credential_counts_as_pending() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    // A credential before the Exec was sent proves nothing.
    device.upload(&site).expect(204);
    let lines = reading(&site, &mut device, "0");
    assert_eq!(gets(&lines), 4, "{lines:?}");
    assert_eq!(state(&site, &device), "active");
    reading(&site, &mut device, "0");
    assert_eq!(end(&site, &device), failed("noCredential"));
}

#[test]
fn time_of_the_device_is_not_compared() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let year = Duration::from_secs(365 * 86_400);
    device.upload_after(&site, year).expect(204);
    site.rotate(&device).expect(204);
    device.backs_up = false;
    device.check_in_with(&site, |device, command| {
        (command.uri == RESET).then(|| {
            device.upload_after(&site, year + year).expect(204);
            Reaction::Status(200)
        })
    });
    assert_eq!(state(&site, &device), "done");
}

#[test]
fn any_other_value_fails_with_it() {
    let site = Site::new();
    for (value, code) in [
        ("-2147024891", -2_147_024_891_i64),
        ("2147942405", -2_147_024_891),
        ("0x80070005", -2_147_024_891),
        ("5", 5),
    ] {
        let mut device = site.backed_up(ENTRA);
        site.rotate(&device).expect(204);
        let lines = reading(&site, &mut device, value);
        assert_eq!(gets(&lines), 1, "{value}");
        let row = site.rotation(&device);
        assert_eq!(row["actionState"], "failed", "{value}");
        assert_eq!(row["errorCode"], code, "{value}");
    }
}

#[test]
fn refused_exec_fails_with_its_status() {
    let site = Site::new();
    for code in [400, 404, 405, 500] {
        let mut device = site.backed_up(ENTRA);
        site.rotate(&device).expect(204);
        let seen = device.check_in_with(&site, |_, command| {
            (command.uri == RESET).then_some(Reaction::Status(code))
        });
        assert_eq!(seen.count("Get", RESET_STATUS), 0, "{code}");
        let row = site.rotation(&device);
        assert_eq!(
            (&row["actionState"], &row["errorCode"]),
            (&json!("failed"), &json!(code))
        );
        assert!(device.check_in(&site).lines().is_empty());
    }
}

/// A session in which the Exec is sent and its answer never comes.
fn lose_exec(site: &Site, device: &mut Device) {
    site.rotate(device).expect(204);
    let first = device.open(site).package1();
    assert_eq!(first.lines(), [format!("Exec {RESET}")]);
}

#[test]
fn lost_exec_is_read_and_not_repeated() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    lose_exec(&site, &mut device);
    let lines = reading(&site, &mut device, "0");
    assert_eq!(lines, [format!("Get {RESET_STATUS}")]);
    assert_eq!(end(&site, &device), failed("lost"));
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn lost_answer_to_an_exec_that_worked_is_done() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    lose_exec(&site, &mut device);
    device.upload(&site).expect(204);
    let lines = device.check_in(&site).lines();
    assert_eq!(lines, [format!("Get {RESET_STATUS}")]);
    assert_eq!(state(&site, &device), "done");
}

#[test]
fn pending_proves_that_the_exec_arrived() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    lose_exec(&site, &mut device);
    let lines = reading(&site, &mut device, PENDING);
    assert!(
        gets(&lines) >= 1 && !lines.contains(&format!("Exec {RESET}")),
        "{lines:?}"
    );
    assert_eq!(state(&site, &device), "active");
    device.upload(&site).expect(204);
    device.check_in(&site);
    assert_eq!(state(&site, &device), "done");
}

#[test]
fn lost_exec_with_another_value_fails_with_it() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    lose_exec(&site, &mut device);
    reading(&site, &mut device, "-2147024891");
    let row = site.rotation(&device);
    assert_eq!(
        (&row["actionState"], &row["errorCode"]),
        (&json!("failed"), &json!(-2_147_024_891_i64))
    );
}

#[test]
fn lost_exec_is_not_repeated_after_a_gap_either() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    let mut session = device.open(&site);
    let first = session.package1();
    session.sent = 2;
    let body = first.answers(&mut |command| device.obey(&site, command));
    assert_eq!(session.say(&body).only_header_status(), Some("400"));
    let lines = device.check_in(&site).lines();
    assert_eq!(lines, [format!("Get {RESET_STATUS}")]);
    assert_eq!(
        state(&site, &device),
        "done",
        "the credential came after the Exec"
    );
}

#[test]
fn two_requests_are_two_execs_in_two_sessions() {
    let site = Site::new();
    let device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    site.rotate(&device).expect(204);
    let states = |site: &Site| -> Vec<String> {
        let rows = site.rotations(&device);
        rows.iter()
            .map(|row| row["actionState"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(&site), ["pending", "pending"]);
    let mut runner = device.clone();
    assert_eq!(runner.check_in(&site).count("Exec", RESET), 1);
    assert_eq!(states(&site), ["pending", "done"], "newest first");
    assert_eq!(runner.check_in(&site).count("Exec", RESET), 1);
    assert_eq!(states(&site), ["done", "done"]);
    assert!(runner.check_in(&site).lines().is_empty());
    assert_eq!(site.rotation_events(&device).len(), 2);
}

#[test]
fn next_exec_waits_for_the_end_of_the_former() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    site.rotate(&device).expect(204);
    reading(&site, &mut device, PENDING);
    // The former ends here: failed; the other's Exec comes one session later.
    let lines = reading(&site, &mut device, PENDING);
    assert!(!lines.contains(&format!("Exec {RESET}")), "{lines:?}");
    assert_eq!(device.check_in(&site).count("Exec", RESET), 1);
    let rows = site.rotations(&device);
    let ends: Vec<&str> = rows
        .iter()
        .map(|row| row["actionState"].as_str().unwrap())
        .collect();
    assert_eq!(ends, ["done", "failed"]);
}

#[test]
fn offline_hybrid_device_rotates_at_its_next_session() {
    let site = Site::new();
    for mood in [Mood::Disconnected, Mood::TempDisconnected, Mood::Code(410)] {
        let mut device = site.backed_up(HYBRID);
        site.mood(&device, mood);
        site.rotate(&device).expect(204);
        assert_eq!(state(&site, &device), "pending", "{mood:?}");
        device.check_in(&site);
        assert_eq!(state(&site, &device), "done", "{mood:?}");
        assert_eq!(device.execs, 1);
        let events = site.rotation_events(&device);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["activityResult"], "Success");
    }
}

#[test]
fn online_hybrid_device_rotates_too() {
    let site = Site::new();
    let mut device = site.backed_up(HYBRID);
    site.rotate(&device).expect(204);
    device.check_in(&site);
    assert_eq!(state(&site, &device), "done");
}

#[test]
fn former_actions_stay_listed_newest_first() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    device.check_in(&site);
    site.mood(&device, Mood::Disconnected);
    site.rotate(&device).expect(204);
    site.mood(&device, Mood::Connected);
    site.rotate(&device).expect(204);
    let rows = site.rotations(&device);
    let states: Vec<&str> = rows
        .iter()
        .map(|row| row["actionState"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["pending", "failed", "done"]);
    let times: Vec<_> = rows
        .iter()
        .map(|row| instant(row["startDateTime"].as_str().unwrap()))
        .collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older));
}

#[test]
fn package_1_waits_for_the_answer_to_the_push() {
    let site = Site::new();
    for (mood, execs) in [(Mood::Connected, 1), (Mood::Disconnected, 0)] {
        let mut device = site.backed_up(ENTRA);
        site.mood(&device, Mood::Hang);
        thread::scope(|scope| {
            let request = scope.spawn(|| site.rotate(&device));
            assert!(site.pushed(&device, 1));
            // Not deliverable yet: the session that begins now learns of it with the answer.
            assert_eq!(state(&site, &device), "pending");
            let mut speaker = device.clone();
            let (send, receive) = mpsc::channel();
            let site_ref = &site;
            scope.spawn(move || send.send(speaker.open(site_ref).package1().lines()));
            let early = receive.recv_timeout(Duration::from_millis(300));
            assert!(early.is_err(), "answered before the push: {early:?}");
            site.mood(&device, mood);
            let lines = receive.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(
                lines.iter().filter(|line| line.starts_with("Exec")).count(),
                execs
            );
            request.join().unwrap().expect(204);
        });
        device.session += 1;
    }
}

#[test]
fn a_session_under_way_is_not_given_an_exec_whose_push_is_unanswered() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.policy_for(&[&device], &[("passwordlength", "20")]);
    assert!(site.pushed(&device, 1));
    let pushes = site.pushes(&device);
    let mut session = device.open(&site);
    let first = session.package1();
    site.mood(&device, Mood::Hang);
    thread::scope(|scope| {
        let request = scope.spawn(|| site.rotate(&device));
        assert!(site.pushed(&device, pushes + 1));
        let body = first.answers(&mut |command| device.clone().obey(&site, command));
        let second = session.say(&body);
        assert!(
            second
                .lines()
                .iter()
                .all(|line| !line.contains("ResetPassword"))
        );
        site.mood(&device, Mood::Disconnected);
        request.join().unwrap().expect(204);
    });
    assert_eq!(end(&site, &device), failed("offline"));
}

#[test]
fn exec_without_a_status_within_its_session_is_not_repeated() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    let seen = device.check_in_with(&site, |_, command| {
        (command.uri == RESET).then_some(Reaction::Nothing)
    });
    assert_eq!(seen.count("Exec", RESET), 1);
    assert_eq!(state(&site, &device), "active");
    let lines = device.check_in(&site).lines();
    assert_eq!(lines, [format!("Get {RESET_STATUS}")]);
    assert_eq!(end(&site, &device), failed("lost"));
}

#[test]
fn policy_and_rotation_go_out_together() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    site.rotate(&device).expect(204);
    let seen = device.check_in(&site);
    assert_eq!(seen.writes().len(), 2);
    assert_eq!(seen.count("Exec", RESET), 1);
    assert!(seen.messages[0].commands.last().unwrap().uri == RESET);
    assert_eq!(state(&site, &device), "done");
}

#[test]
fn lost_exec_and_policy_are_told_apart() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.policy_for(&[&device], &[("passwordlength", "20")]);
    site.rotate(&device).expect(204);
    device.open(&site).package1();
    let lines = device.check_in(&site).lines();
    assert!(
        lines.iter().any(|line| line.ends_with("/PasswordLength")),
        "{lines:?}"
    );
    assert!(!lines.contains(&format!("Exec {RESET}")), "{lines:?}");
    assert_eq!(gets(&lines), 1);
    assert_eq!(end(&site, &device), failed("lost"));
}

#[test]
fn second_request_waits_behind_a_lost_exec() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    lose_exec(&site, &mut device);
    site.rotate(&device).expect(204);
    let lines = device.check_in(&site).lines();
    assert_eq!(lines, [format!("Get {RESET_STATUS}")]);
    assert_eq!(device.check_in(&site).count("Exec", RESET), 1);
    let rows = site.rotations(&device);
    let ends: Vec<&str> = rows
        .iter()
        .map(|row| row["actionState"].as_str().unwrap())
        .collect();
    assert_eq!(ends, ["done", "failed"]);
}

#[test]
fn rotation_moves_the_next_rotation() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    let id = device.entra_id.clone().unwrap();
    let times = |site: &Site| {
        let path = format!("/directory/deviceLocalCredentials/{id}");
        let info = site.get(super::site::READER, &path).expect(200).json();
        ["lastBackupDateTime", "refreshDateTime"]
            .map(|member| instant(info[member].as_str().unwrap()))
    };
    let before = times(&site);
    site.rotate(&device).expect(204);
    device.check_in(&site);
    assert_eq!(state(&site, &device), "done");
    let after = times(&site);
    assert!(
        after[0] > before[0] && after[1] > before[1],
        "{before:?} {after:?}"
    );
}
