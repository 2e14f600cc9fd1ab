//! Contract 5: policies that give one leaf different values.

use serde_json::{Value, json};

use super::session::writes;
use super::site::{ENTRA, HYBRID, POLICY_ADMIN, Site, WINDOWS_10};

fn summary(site: &Site) -> Vec<Value> {
    site.list(
        POLICY_ADMIN,
        "/deviceManagement/deviceConfigurationConflictSummary",
    )
}

/// The id of a row about these policies.
fn row_id(policies: &[&str]) -> String {
    let mut ids = policies.to_vec();
    ids.sort_unstable();
    ids.join("_")
}

#[test]
fn device_without_policy_gets_nothing_of_policies_in_conflict() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let one = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    let two = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "30")],
    );
    assert_eq!(
        site.state(&device, &one),
        "unknown",
        "a conflict appears at a check-in"
    );
    assert!(summary(&site).is_empty());
    assert!(!device.check_in(&site).mentions_laps());
    for policy in [&one, &two] {
        assert_eq!(site.state(&device, policy), "conflict");
        let row = site.setting(&device, policy, "PasswordLength");
        assert_eq!(row["state"], "conflict");
        let mut sources: Vec<&str> = row["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|source| source["id"].as_str().unwrap())
            .collect();
        sources.sort_unstable();
        assert_eq!(sources.join("_"), row_id(&[&one, &two]));
        assert_eq!(
            site.setting(&device, policy, "BackupDirectory")["state"],
            "unknown"
        );
    }
    let rows = summary(&site);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["id"], row_id(&[&one, &two]));
    assert_eq!(rows[0]["contributingSettings"], json!(["PasswordLength"]));
    assert_eq!(rows[0]["deviceCheckinsImpacted"], 1);
    assert_eq!(
        rows[0]["conflictingDeviceConfigurations"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Without a change nothing changes.
    assert!(!device.check_in(&site).mentions_laps());
}

#[test]
fn policy_that_clashes_with_none_is_sent_and_frees_nobody() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let one = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    site.policy_for(&[&device], &[("passwordlength", "30")]);
    let clean = site.policy_for(&[&device], &[("passwordcomplexity", "3")]);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordComplexity", Some("3"))])
    );
    assert_eq!(site.state(&device, &clean), "compliant");
    // The device has a leaf by now; what was withheld as a whole stays so.
    assert!(!device.check_in(&site).mentions_laps());
    assert_eq!(
        site.setting(&device, &one, "BackupDirectory")["state"],
        "unknown"
    );
}

#[test]
fn values_in_use_stay_and_the_rest_of_a_policy_is_sent() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let one = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    device.check_in(&site);
    let two = site.policy_for(
        &[&device],
        &[("passwordlength", "30"), ("passwordcomplexity", "3")],
    );
    assert_eq!(site.state(&device, &one), "compliant");
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordComplexity", Some("3"))])
    );
    assert_eq!(site.state(&device, &one), "conflict");
    assert_eq!(site.state(&device, &two), "conflict");
    assert_eq!(
        site.setting(&device, &one, "BackupDirectory")["state"],
        "compliant"
    );
    assert_eq!(
        site.setting(&device, &two, "PasswordComplexity")["state"],
        "compliant"
    );
    // Whatever is edited in the policies in conflict, the value in use stays.
    for length in ["25", "26"] {
        site.edit(
            &one,
            &[("backupdirectory", "1"), ("passwordlength", length)],
        );
        assert_eq!(
            site.state(&device, &one),
            "conflict",
            "an edit does not hide it"
        );
        assert!(!device.check_in(&site).mentions_laps());
        assert_eq!(site.state(&device, &one), "conflict");
    }
    assert_eq!(device.leaves["PasswordLength"], "20");
}

#[test]
fn agreement_resolves_a_conflict_at_the_next_session() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let one = site.policy_for(&[&device], &[("passwordlength", "20")]);
    device.check_in(&site);
    let two = site.policy_for(&[&device], &[("passwordlength", "30")]);
    device.check_in(&site);
    site.edit(&one, &[("passwordlength", "30")]);
    assert_eq!(
        site.state(&device, &one),
        "conflict",
        "it disappears at a check-in"
    );
    assert_eq!(summary(&site).len(), 1);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", Some("30"))])
    );
    for policy in [&one, &two] {
        assert_eq!(site.state(&device, policy), "compliant");
    }
    assert!(summary(&site).is_empty());
}

#[test]
fn unassigning_or_deleting_all_but_one_resolves_a_conflict() {
    let site = Site::new();
    for delete in [false, true] {
        let mut device = site.device(ENTRA);
        let one = site.policy_for(
            &[&device],
            &[("backupdirectory", "1"), ("passwordlength", "20")],
        );
        let two = site.policy_for(&[&device], &[("passwordlength", "30")]);
        assert!(!device.check_in(&site).mentions_laps());
        if delete {
            site.delete(
                POLICY_ADMIN,
                &format!("/deviceManagement/configurationPolicies/{two}"),
            )
            .expect(204);
        } else {
            site.assign(&two, &[]);
        }
        let expected = writes(&[
            ("BackupDirectory", Some("1")),
            ("PasswordLength", Some("20")),
        ]);
        assert_eq!(device.check_in(&site).writes(), expected);
        assert_eq!(site.state(&device, &one), "compliant");
        assert_eq!(site.states(&device).len(), 1);
    }
    assert!(summary(&site).is_empty());
}

#[test]
fn losing_the_policy_in_use_sends_the_other() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let one = site.policy_for(&[&device], &[("passwordlength", "20")]);
    device.check_in(&site);
    site.policy_for(&[&device], &[("passwordlength", "30")]);
    device.check_in(&site);
    site.assign(&one, &[]);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", Some("30"))])
    );
}

#[test]
fn equal_values_are_no_conflict() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let one = site.policy_for(&[&device], &[("passwordlength", "20")]);
    let two = site.policy_for(
        &[&device],
        &[("passwordlength", "20"), ("passwordcomplexity", "3")],
    );
    assert_eq!(device.check_in(&site).writes().len(), 2);
    for policy in [&one, &two] {
        assert_eq!(site.state(&device, policy), "compliant");
    }
    // One of them goes: the other still sets the leaf.
    site.assign(&one, &[]);
    assert!(!device.check_in(&site).mentions_laps());
}

#[test]
fn the_two_definitions_of_the_age_meet_on_one_leaf() {
    let site = Site::new();
    let mut device = site.device(HYBRID);
    let one = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordagedays_aad", "30")],
    );
    let two = site.policy_for(&[&device], &[("passwordagedays", "10")]);
    assert!(!device.check_in(&site).mentions_laps());
    for policy in [&one, &two] {
        assert_eq!(
            site.setting(&device, policy, "PasswordAgeDays")["state"],
            "conflict"
        );
    }
    site.edit(&two, &[("passwordagedays", "30")]);
    assert_eq!(
        device.check_in(&site).writes()["PasswordAgeDays"].as_deref(),
        Some("30")
    );
}

#[test]
fn every_policy_that_sets_the_leaf_is_in_the_row() {
    let site = Site::new();
    let mut devices = [site.device(ENTRA), site.device(ENTRA)];
    let reached = [&devices[0].clone(), &devices[1].clone()];
    let policies = ["20", "30", "20"].map(|length| {
        site.policy_for(
            &reached,
            &[("passwordlength", length), ("passwordcomplexity", "3")],
        )
    });
    let ids = policies.each_ref().map(String::as_str);
    devices[0].check_in(&site);
    assert_eq!(summary(&site)[0]["deviceCheckinsImpacted"], 1);
    devices[1].check_in(&site);
    let rows = summary(&site);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["id"], row_id(&ids));
    assert_eq!(rows[0]["deviceCheckinsImpacted"], 2);
    let mut named: Vec<&str> = rows[0]["conflictingDeviceConfigurations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    named.sort_unstable();
    assert_eq!(named.join("_"), row_id(&ids));
    assert_eq!(rows[0]["contributingSettings"], json!(["PasswordLength"]));
    for policy in ids {
        assert_eq!(site.state(&devices[0], policy), "conflict");
    }
}

#[test]
fn clashes_of_different_policies_are_different_rows() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let length = site.policy_for(&[&device], &[("passwordlength", "20")]);
    let both = site.policy_for(
        &[&device],
        &[("passwordlength", "30"), ("passwordcomplexity", "3")],
    );
    let complexity = site.policy_for(&[&device], &[("passwordcomplexity", "4")]);
    device.check_in(&site);
    let mut rows: Vec<(String, Value)> = summary(&site)
        .iter()
        .map(|row| {
            (
                row["id"].as_str().unwrap().to_owned(),
                row["contributingSettings"].clone(),
            )
        })
        .collect();
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let mut expected = vec![
        (row_id(&[&length, &both]), json!(["PasswordLength"])),
        (row_id(&[&both, &complexity]), json!(["PasswordComplexity"])),
    ];
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(rows, expected);
}

#[test]
fn leaves_that_do_not_apply_do_not_clash() {
    let site = Site::new();
    let mut device = site.device_on(ENTRA, WINDOWS_10);
    let one = site.policy_for(
        &[&device],
        &[("passwordlength", "20"), ("passphraselength", "5")],
    );
    let two = site.policy_for(&[&device], &[("passphraselength", "6")]);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", Some("20"))])
    );
    assert_eq!(site.state(&device, &one), "compliant");
    assert_eq!(site.state(&device, &two), "notApplicable");
    assert!(summary(&site).is_empty());
}

#[test]
fn conflict_exists_only_where_both_policies_reach() {
    let site = Site::new();
    let (mut alone, mut both) = (site.device(ENTRA), site.device(ENTRA));
    let one = site.policy_for(&[&alone, &both], &[("passwordlength", "20")]);
    site.policy_for(&[&both], &[("passwordlength", "30")]);
    assert_eq!(alone.check_in(&site).writes().len(), 1);
    assert!(!both.check_in(&site).mentions_laps());
    assert_eq!(site.state(&alone, &one), "compliant");
    assert_eq!(site.state(&both, &one), "conflict");
}

#[test]
fn values_that_do_not_apply_do_not_clash() {
    let site = Site::new();
    let mut device = site.device_on(ENTRA, WINDOWS_10);
    let old = site.policy_for(&[&device], &[("passwordcomplexity", "3")]);
    let new = site.policy_for(&[&device], &[("passwordcomplexity", "6")]);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordComplexity", Some("3"))])
    );
    assert_eq!(site.state(&device, &old), "compliant");
    assert_eq!(site.state(&device, &new), "notApplicable");
}

#[test]
fn policy_that_drops_the_leaf_leaves_it_to_the_other() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let one = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    device.check_in(&site);
    let two = site.policy_for(&[&device], &[("passwordlength", "30")]);
    device.check_in(&site);
    site.edit(&one, &[("backupdirectory", "1")]);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", Some("30"))])
    );
    for policy in [&one, &two] {
        assert_eq!(site.state(&device, policy), "compliant");
    }
}

#[test]
fn device_with_a_leaf_gets_all_but_the_clashing_one() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let base = site.policy_for(&[&device], &[("backupdirectory", "1")]);
    device.check_in(&site);
    let one = site.policy_for(
        &[&device],
        &[("passwordlength", "20"), ("passwordcomplexity", "3")],
    );
    let two = site.policy_for(
        &[&device],
        &[("passwordlength", "30"), ("passwordagedays_aad", "9")],
    );
    let expected = writes(&[
        ("PasswordAgeDays", Some("9")),
        ("PasswordComplexity", Some("3")),
    ]);
    assert_eq!(device.check_in(&site).writes(), expected);
    assert_eq!(site.state(&device, &base), "compliant");
    for policy in [&one, &two] {
        assert_eq!(site.state(&device, policy), "conflict");
    }
}

#[test]
fn policies_of_the_last_user_clash_after_the_sign_out() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let (user, name) = site.user();
    let users = site.group_of(&[&user]);
    let of_user = site.policy(&[("passwordlength", "20")]);
    site.assign(&of_user, &[super::site::to_group(&users)]);
    site.sign_in(&device, Some(&name));
    device.login = "user";
    device.check_in(&site);
    site.sign_in(&device, None);
    device.login = "none";
    let of_device = site.policy_for(&[&device], &[("passwordlength", "30")]);
    assert!(!device.check_in(&site).mentions_laps());
    for policy in [&of_user, &of_device] {
        assert_eq!(site.state(&device, policy), "conflict");
    }
    assert_eq!(device.leaves["PasswordLength"], "20");
}

#[test]
fn three_way_conflict_ends_with_the_last_two_agreeing() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policies =
        ["20", "30", "40"].map(|length| site.policy_for(&[&device], &[("passwordlength", length)]));
    assert!(!device.check_in(&site).mentions_laps());
    site.assign(&policies[2], &[]);
    assert!(
        !device.check_in(&site).mentions_laps(),
        "two of three still clash"
    );
    assert_eq!(
        summary(&site)[0]["id"],
        row_id(&[&policies[0], &policies[1]])
    );
    site.edit(&policies[0], &[("passwordlength", "30")]);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", Some("30"))])
    );
    assert!(summary(&site).is_empty());
}

#[test]
fn conflict_holds_however_often_the_device_comes() {
    let site = Site::new();
    let mut bare = site.device(ENTRA);
    let mut managed = site.device(ENTRA);
    let policy = site.policy_for(&[&managed], &[("passwordlength", "20")]);
    managed.check_in(&site);
    // The value in use is the last one acknowledged, not the first.
    site.edit(&policy, &[("passwordlength", "22")]);
    managed.check_in(&site);
    let more = [("23", "3"), ("24", "3"), ("23", "3")].map(|(length, complexity)| {
        let settings = [
            ("passwordlength", length),
            ("passwordcomplexity", complexity),
        ];
        site.policy_for(&[&managed, &bare], &settings)
    });
    assert_eq!(
        managed.check_in(&site).writes(),
        writes(&[("PasswordComplexity", Some("3"))])
    );
    for _ in 0..6 {
        assert!(!managed.check_in(&site).mentions_laps());
        assert!(!bare.check_in(&site).mentions_laps());
    }
    assert_eq!(managed.leaves["PasswordLength"], "22");
    for policy in more.iter().chain([&policy]) {
        assert_eq!(site.state(&managed, policy), "conflict");
    }
    for policy in &more {
        assert_eq!(site.state(&bare, policy), "conflict");
    }
}

#[test]
fn policy_in_use_is_compliant_again_once_it_is_alone() {
    let site = Site::new();
    for delete in [false, true] {
        let mut device = site.device(ENTRA);
        let one = site.policy_for(&[&device], &[("passwordlength", "20")]);
        device.check_in(&site);
        let two = site.policy_for(&[&device], &[("passwordlength", "30")]);
        device.check_in(&site);
        assert_eq!(site.state(&device, &one), "conflict");
        if delete {
            let path = format!("/deviceManagement/configurationPolicies/{two}");
            site.delete(POLICY_ADMIN, &path).expect(204);
        } else {
            site.assign(&two, &[]);
        }
        assert_eq!(
            site.state(&device, &one),
            "conflict",
            "it disappears at a check-in"
        );
        assert!(!device.check_in(&site).mentions_laps());
        assert_eq!(site.state(&device, &one), "compliant");
        assert!(summary(&site).is_empty());
    }
}
