//! Contract 5 and 6: whom an assignment reaches, and what is reported meanwhile.

use serde_json::Value;

use super::device::Device;
use super::session::writes;
use super::site::{
    DOMAIN, ENTRA, NOT_JOINED, POLICY_ADMIN, Site, all_devices, all_users, excluding, to_group,
};
use super::text::{guid, instant};

fn length_on(site: &Site, device: &mut Device) -> Option<String> {
    device.check_in(site);
    device.leaves.get("PasswordLength").cloned()
}

#[test]
fn groups_reach_their_members_and_nobody_else() {
    let site = Site::new();
    let (mut inside, mut outside) = (site.device(ENTRA), site.device(ENTRA));
    site.policy_for(&[&inside], &[("passwordlength", "20")]);
    assert_eq!(length_on(&site, &mut inside).as_deref(), Some("20"));
    assert_eq!(length_on(&site, &mut outside), None);
}

#[test]
fn exclusion_wins() {
    let site = Site::new();
    let mut devices = [site.device(ENTRA), site.device(ENTRA)];
    let both = site.group(&[&devices[0], &devices[1]]);
    let second = site.group(&[&devices[1]]);
    let policy = site.policy(&[("passwordlength", "20")]);
    for include in [to_group(&both), all_devices()] {
        site.assign(&policy, &[excluding(&second), include]);
        assert_eq!(length_on(&site, &mut devices[0]).as_deref(), Some("20"));
        assert_eq!(length_on(&site, &mut devices[1]), None);
    }
    site.assign(&policy, &[all_devices()]);
    assert_eq!(length_on(&site, &mut devices[1]).as_deref(), Some("20"));
    site.assign(&policy, &[all_devices(), excluding(&second)]);
    assert_eq!(
        devices[1].check_in(&site).writes(),
        writes(&[("PasswordLength", None)])
    );
}

#[test]
fn only_an_exclusion_reaches_nobody() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy(&[("passwordlength", "20")]);
    let other = site.group(&[]);
    site.assign(&policy, &[excluding(&other)]);
    assert_eq!(length_on(&site, &mut device), None);
    assert_eq!(site.state(&device, &policy), "absent");
}

#[test]
fn devices_without_a_directory_object_are_reached_by_all_devices() {
    let site = Site::new();
    let policy = site.policy(&[("passwordlength", "20")]);
    site.assign(&policy, &[all_devices()]);
    for join in [DOMAIN, NOT_JOINED] {
        let mut device = site.device(join);
        device.check_in(&site);
        assert_eq!(site.state(&device, &policy), "notApplicable", "{join}");
    }
}

#[test]
fn user_groups_count_for_a_signed_in_user() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let (anna, anna_name) = site.user();
    let (_, bert_name) = site.user();
    let users = site.group_of(&[&anna]);
    let policy = site.policy(&[("passwordlength", "20")]);
    site.assign(&policy, &[to_group(&users)]);
    device.login = "user";
    assert_eq!(length_on(&site, &mut device), None, "nobody at first");
    site.sign_in(&device, Some(&anna_name));
    for login in ["none", "others"] {
        device.login = login;
        assert_eq!(length_on(&site, &mut device), None, "{login}");
    }
    device.login = "user";
    assert_eq!(length_on(&site, &mut device).as_deref(), Some("20"));
    assert_eq!(site.state(&device, &policy), "compliant");
    // While nobody is signed in, what the last user's policies set stays, and so do their rows.
    site.sign_in(&device, None);
    for login in ["none", "others"] {
        device.login = login;
        assert!(device.check_in(&site).writes().is_empty(), "{login}");
        assert_eq!(site.state(&device, &policy), "compliant");
    }
    device.login = "user";
    site.sign_in(&device, Some(&bert_name));
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", None)])
    );
    assert_eq!(site.state(&device, &policy), "absent");
}

#[test]
fn all_users_count_for_any_signed_in_user() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let (_, name) = site.user();
    let policy = site.policy(&[("passwordlength", "20")]);
    site.assign(&policy, &[all_users()]);
    device.login = "user";
    assert_eq!(length_on(&site, &mut device), None);
    site.sign_in(&device, Some(&name));
    assert_eq!(length_on(&site, &mut device).as_deref(), Some("20"));
}

#[test]
fn device_and_user_assignments_are_equal_policies() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let (user, name) = site.user();
    let users = site.group_of(&[&user]);
    let for_user = site.policy(&[("passwordcomplexity", "3")]);
    site.assign(&for_user, &[to_group(&users)]);
    site.policy_for(&[&device], &[("passwordlength", "20")]);
    device.login = "user";
    site.sign_in(&device, Some(&name));
    let expected = writes(&[
        ("PasswordComplexity", Some("3")),
        ("PasswordLength", Some("20")),
    ]);
    assert_eq!(device.check_in(&site).writes(), expected);
}

#[test]
fn membership_changes_count() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let object = site.object_id(&device);
    let group = site.group(&[]);
    let policy = site.policy(&[("passwordlength", "20")]);
    site.assign(&policy, &[to_group(&group)]);
    assert_eq!(length_on(&site, &mut device), None);
    site.add_member(&group, &object).expect(204);
    site.add_member(&group, &object).expect_error(400);
    assert_eq!(site.state(&device, &policy), "unknown");
    assert_eq!(length_on(&site, &mut device).as_deref(), Some("20"));
    let members = site.list(POLICY_ADMIN, &format!("/groups/{group}/members"));
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["id"], object.as_str());
    site.remove_member(&group, &object).expect(204);
    assert_eq!(length_on(&site, &mut device), None);
    site.remove_member(&group, &object).expect_error(404);
    site.add_member(&group, &guid()).expect_error(404);
    site.add_member(&guid(), &object).expect_error(404);
    assert!(
        site.list(POLICY_ADMIN, &format!("/groups/{group}/members"))
            .is_empty()
    );
}

/// Status and report time of a policy on a device, from deviceStatuses.
fn status(site: &Site, device: &Device, policy: &str) -> (String, Value) {
    let path = format!("/deviceManagement/configurationPolicies/{policy}/deviceStatuses");
    let rows = site.list(POLICY_ADMIN, &path);
    let row = rows
        .iter()
        .find(|row| row["deviceId"] == device.managed_id.as_str())
        .unwrap();
    (
        row["status"].as_str().unwrap().to_owned(),
        row["lastReportedDateTime"].clone(),
    )
}

#[test]
fn status_is_unknown_until_the_next_check_in() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("passwordlength", "20")]);
    assert_eq!(
        status(&site, &device, &policy),
        ("unknown".to_owned(), Value::Null)
    );
    let mut session = device.open(&site);
    let first = session.package1();
    assert_eq!(
        site.state(&device, &policy),
        "unknown",
        "states are made at the end of a session"
    );
    let body = first.answers(&mut |command| device.obey(&site, command));
    session.say(&body);
    let (state, at) = status(&site, &device, &policy);
    assert_eq!(state, "compliant");
    instant(at.as_str().unwrap());
    site.edit(&policy, &[("passwordlength", "21")]);
    assert_eq!(
        status(&site, &device, &policy),
        ("unknown".to_owned(), Value::Null)
    );
    device.check_in(&site);
    assert_eq!(site.state(&device, &policy), "compliant");
    let row = site.setting(&device, &policy, "PasswordLength");
    assert_eq!(row["state"], "compliant");
    assert_eq!(row["sources"][0]["id"], policy.as_str());
    // A name is nothing that a device gets.
    let path = format!("/deviceManagement/configurationPolicies/{policy}");
    let body = super::site::policy_body("renamed", &[("passwordlength", "21")]);
    site.send(POLICY_ADMIN, "PUT", &path, &body).expect(204);
    assert_eq!(site.state(&device, &policy), "compliant");
    assert_eq!(site.states(&device)[0]["displayName"], "renamed");
}

#[test]
fn new_assignment_leaves_the_other_rows_alone() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let first = site.policy_for(&[&device], &[("passwordlength", "20")]);
    device.check_in(&site);
    let second = site.policy_for(&[&device], &[("passwordcomplexity", "3")]);
    assert_eq!(site.state(&device, &first), "compliant");
    assert_eq!(site.state(&device, &second), "unknown");
    device.check_in(&site);
    assert_eq!(site.state(&device, &second), "compliant");
    assert_eq!(site.states(&device).len(), 2);
}

#[test]
fn error_turns_compliant_and_a_lost_policy_loses_its_row() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("passwordlength", "20")]);
    device.check_in_with(&site, |_, command| {
        Some(super::device::Reaction::Status(
            if command.verb == "Atomic" { 507 } else { 500 },
        ))
    });
    assert_eq!(site.state(&device, &policy), "error");
    device.check_in(&site);
    assert_eq!(site.state(&device, &policy), "compliant");
    site.assign(&policy, &[]);
    device.check_in(&site);
    assert_eq!(site.state(&device, &policy), "absent");
}
