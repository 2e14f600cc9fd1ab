//! Contract 3: when a device is pushed, and with what.

use std::time::{Duration, Instant};

use super::channel::Mood;
use super::device::{Device, Reaction};
use super::site::{
    ENTRA, POLICY_ADMIN, ROTATOR, Site, WINDOWS_11, action_path, policy_body, to_group,
};

#[test]
fn push_is_a_raw_notification_that_asks_for_the_state() {
    let site = Site::with(&["--push-token", "the-push-token"]);
    let device = site.device(ENTRA);
    site.act(ROTATOR, &action_path(&device, "syncDevice"))
        .expect(204);
    assert!(site.pushed(&device, 1));
    let push = site.channels.pushes(&device.channel).pop().unwrap();
    assert_eq!(push.method, "POST");
    for (name, value) in [
        ("authorization", "Bearer the-push-token"),
        ("x-wns-type", "wns/raw"),
        ("x-wns-requestforstatus", "true"),
        ("content-type", "application/octet-stream"),
    ] {
        assert_eq!(push.header(name), Some(value), "{name}");
    }
    assert!(
        push.header("content-length").is_some(),
        "not chunked (W 4.3)"
    );
    assert!(push.body.len() <= 5000);
}

/// Runs the change and expects one more push of the device in time.
#[track_caller]
fn expect_push(site: &Site, device: &Device, what: &str, change: impl FnOnce()) {
    let before = site.pushes(device);
    let from = Instant::now();
    change();
    assert!(site.pushed(device, before + 1), "no push after: {what}");
    let pushes = site.channels.pushes(&device.channel);
    let late = pushes.last().unwrap().at.saturating_duration_since(from);
    // T_push is 2 s; the rest is for a machine that is busy with other tests.
    assert!(late < Duration::from_secs(4), "{what}: {late:?}");
}

#[test]
fn each_change_of_what_a_device_should_have_is_pushed() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let object = site.object_id(&device);
    let policy = site.policy(&[("passwordlength", "20")]);
    let group = site.group(&[]);
    expect_push(&site, &device, "assignment", || {
        site.assign(&policy, &[super::site::all_devices()]);
    });
    device.check_in(&site);
    expect_push(&site, &device, "edit", || {
        site.edit(&policy, &[("passwordlength", "21")]);
    });
    device.check_in(&site);
    expect_push(&site, &device, "other assignment", || {
        site.assign(&policy, &[to_group(&group)]);
    });
    device.check_in(&site);
    expect_push(&site, &device, "membership", || {
        site.add_member(&group, &object).expect(204);
    });
    device.check_in(&site);
    expect_push(&site, &device, "end of membership", || {
        site.remove_member(&group, &object).expect(204);
    });
    device.check_in(&site);
    site.add_member(&group, &object).expect(204);
    assert!(site.pushed(&device, 6));
    device.check_in(&site);
    expect_push(&site, &device, "deletion", || {
        site.delete(
            POLICY_ADMIN,
            &format!("/deviceManagement/configurationPolicies/{policy}"),
        )
        .expect(204);
    });
    let (user, name) = site.user();
    let users = site.group_of(&[&user]);
    let policy = site.policy(&[("passwordlength", "30")]);
    site.assign(&policy, &[to_group(&users)]);
    expect_push(&site, &device, "sign-in", || {
        site.sign_in(&device, Some(&name));
    });
}

#[test]
fn changes_that_alter_nothing_for_a_device_are_not_pushed() {
    let site = Site::new();
    let mut still = site.device(ENTRA);
    let other = site.device(ENTRA);
    let policy = site.policy_for(&[&still], &[("passwordlength", "20")]);
    assert!(site.pushed(&still, 1));
    still.check_in(&site);
    let path = format!("/deviceManagement/configurationPolicies/{policy}");
    let renamed = policy_body("another name", &[("passwordlength", "20")]);
    site.send(POLICY_ADMIN, "PUT", &path, &renamed).expect(204);
    site.policy(&[("passwordlength", "33")]);
    site.user();
    let (_, name) = site.user();
    site.sign_in(&still, Some(&name));
    // The push to the other device proves that the former changes have been looked at.
    let before = site.pushes(&other);
    site.policy_for(&[&other], &[("passwordlength", "22")]);
    assert!(site.pushed(&other, before + 1));
    assert_eq!(site.pushes(&still), 1);
}

#[test]
fn answer_to_a_change_does_not_wait_for_the_push() {
    let site = Site::new();
    let device = site.device(ENTRA);
    site.mood(&device, Mood::Hang);
    site.policy_for(&[&device], &[("passwordlength", "20")]);
    let answered = Instant::now();
    assert!(site.pushed(&device, 1));
    let push = site.channels.pushes(&device.channel).remove(0);
    // The core gives an unanswered push up after 2 s: an answer that waited comes later than that.
    let waited = answered.saturating_duration_since(push.at);
    assert!(waited < Duration::from_millis(1900), "{waited:?}");
}

#[test]
fn rotation_pushes_once() {
    let site = Site::new();
    let mut device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    assert_eq!(site.pushes(&device), 1);
    device.check_in(&site);
    assert_eq!(site.rotation(&device)["actionState"], "done");
    assert_eq!(site.pushes(&device), 1);
}

#[test]
fn only_allowed_hosts_are_pushed_to() {
    for allow in ["push.muster.example", "127.0.0.1:1"] {
        let site = Site::with(&["--push-allow", allow]);
        let mut device = site.device(ENTRA);
        device.upload(&site).expect(204);
        site.rotate(&device).expect(204);
        assert_eq!(site.rotation(&device)["detail"], "offline", "{allow}");
        assert_eq!(site.pushes(&device), 0, "{allow}");
    }
    let site = Site::with(&["--push-allow", "127.0.0.1"]);
    let device = site.backed_up(ENTRA);
    site.rotate(&device).expect(204);
    assert_eq!(site.pushes(&device), 1);
}

#[test]
fn channels_that_are_no_good_url_are_no_channels() {
    let site = Site::new();
    for uri in [
        "",
        "channel/1",
        "/channel/1",
        "http://push.example.invalid/channel",
        "http://127.0.0.1:99999/x",
        "http://",
        "file:///etc/passwd",
        "http://127.0.0.1@push.example.invalid/x",
        "http://127.0.0.1\r\nX: y/",
    ] {
        let mut device = site.enrolled(ENTRA, WINDOWS_11);
        device.check_in_with(&site, |_, command| {
            command
                .uri
                .ends_with("/ChannelURI")
                .then(|| Reaction::Value(uri.to_owned()))
        });
        device.upload(&site).expect(204);
        site.rotate(&device).expect(204);
        assert_eq!(site.rotation(&device)["detail"], "offline", "{uri}");
    }
}
