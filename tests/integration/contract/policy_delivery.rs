//! Contract 2: how LAPS policy reaches a device and what is made of its answers.

use super::device::{Device, PENDING, RESET_STATUS, Reaction};
use super::session::{Command, LAPS, writes};
use super::site::{
    DOMAIN, ENTRA, HYBRID, NOT_JOINED, POLICY_ADMIN, REGISTERED, Site, WINDOWS_10, WINDOWS_11,
    all_devices,
};

fn is_leaf(command: &Command, leaf: &str) -> bool {
    command.uri.strip_prefix(LAPS) == Some(leaf)
}

#[test]
fn values_are_replaced_in_one_atomic() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    site.policy_for(
        &[&device],
        &[
            ("backupdirectory", "1"),
            ("passwordagedays_aad", "14"),
            ("passwordlength", "24"),
            ("passwordcomplexity", "3"),
            ("administratoraccountname", "svc & <local>"),
            ("postauthenticationactions", "5"),
            ("postauthenticationresetdelay", "8"),
        ],
    );
    let seen = device.check_in(&site);
    let commands = seen.commands();
    assert_eq!(
        commands
            .iter()
            .filter(|command| command.verb == "Atomic")
            .count(),
        1
    );
    let expected = [
        ("AdministratorAccountName", "chr", "svc & <local>"),
        ("BackupDirectory", "int", "1"),
        ("PasswordAgeDays", "int", "14"),
        ("PasswordComplexity", "int", "3"),
        ("PasswordLength", "int", "24"),
        ("PostAuthenticationActions", "int", "5"),
        ("PostAuthenticationResetDelay", "int", "8"),
    ];
    let mut sent: Vec<(&str, &str, &str)> = commands
        .iter()
        .filter_map(|command| {
            let leaf = command.uri.strip_prefix(LAPS)?;
            assert_eq!(command.verb, "Replace");
            Some((leaf, command.format.as_str(), command.data.as_str()))
        })
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, expected);
    seen.writes();
    assert!(
        !device.check_in(&site).mentions_laps(),
        "nothing differs any more"
    );
}

#[test]
fn booleans_have_their_format() {
    let site = Site::new();
    let mut device = site.device(HYBRID);
    site.policy_for(
        &[&device],
        &[
            ("backupdirectory", "2"),
            ("adpasswordencryptionenabled", "false"),
            ("passwordexpirationprotectionenabled", "true"),
            ("adpasswordencryptionprincipal", "FABRIKAM\\Helpers"),
            ("adencryptedpasswordhistorysize", "5"),
            ("passwordagedays", "3"),
        ],
    );
    let seen = device.check_in(&site);
    for (leaf, format, value) in [
        ("ADPasswordEncryptionEnabled", "bool", "false"),
        ("PasswordExpirationProtectionEnabled", "bool", "true"),
        ("ADPasswordEncryptionPrincipal", "chr", "FABRIKAM\\Helpers"),
        ("ADEncryptedPasswordHistorySize", "int", "5"),
        ("PasswordAgeDays", "int", "3"),
    ] {
        let commands = seen.commands();
        let command = commands
            .iter()
            .find(|command| is_leaf(command, leaf))
            .unwrap();
        assert_eq!(command.format, format, "{leaf}");
        assert!(
            command.data.eq_ignore_ascii_case(value),
            "{leaf} {}",
            command.data
        );
    }
}

#[test]
fn only_what_differs_is_written() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(
        &[&device],
        &[
            ("backupdirectory", "1"),
            ("passwordlength", "20"),
            ("passwordagedays_aad", "30"),
        ],
    );
    assert_eq!(device.check_in(&site).writes().len(), 3);
    site.edit(
        &policy,
        &[
            ("backupdirectory", "1"),
            ("passwordlength", "21"),
            ("passwordagedays_aad", "30"),
        ],
    );
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", Some("21"))])
    );
    // One leaf more, one leaf less.
    site.edit(
        &policy,
        &[
            ("backupdirectory", "1"),
            ("passwordlength", "21"),
            ("passwordcomplexity", "3"),
        ],
    );
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordAgeDays", None), ("PasswordComplexity", Some("3"))])
    );
    site.assign(&policy, &[]);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[
            ("BackupDirectory", None),
            ("PasswordComplexity", None),
            ("PasswordLength", None)
        ])
    );
    assert!(device.leaves.is_empty());
    assert!(!device.check_in(&site).mentions_laps());
}

#[test]
fn deleting_a_policy_removes_its_leaves() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("backupdirectory", "1")]);
    device.check_in(&site);
    site.delete(
        POLICY_ADMIN,
        &format!("/deviceManagement/configurationPolicies/{policy}"),
    )
    .expect(204);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("BackupDirectory", None)])
    );
}

#[test]
fn the_atomics_own_status_counts() {
    let site = Site::new();
    for (own, child, taken) in [
        (200, 500, true),
        (202, 200, true),
        (500, 200, false),
        (507, 200, false),
        (216, 200, false),
    ] {
        let mut device = site.device(ENTRA);
        let policy = site.policy_for(&[&device], &[("backupdirectory", "1")]);
        device.check_in_with(&site, |_, command| {
            let code = if command.verb == "Atomic" { own } else { child };
            Some(Reaction::Status(code))
        });
        let expected = if taken { "compliant" } else { "error" };
        assert_eq!(site.state(&device, &policy), expected, "{own} {child}");
        assert_eq!(
            device.check_in(&site).mentions_laps(),
            !taken,
            "{own} {child}"
        );
    }
}

#[test]
fn unacknowledged_policy_is_sent_at_the_next_session_and_not_before() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("backupdirectory", "1")]);
    // `writes` fails when a leaf comes twice in one session.
    let seen = device.check_in_with(&site, |_, _| Some(Reaction::Nothing));
    assert_eq!(seen.writes().len(), 1);
    assert_eq!(site.state(&device, &policy), "unknown");
    assert_eq!(device.check_in(&site).writes().len(), 1);
    assert_eq!(site.state(&device, &policy), "compliant");
}

#[test]
fn set_up_that_was_not_acknowledged_is_sent_again() {
    let site = Site::new();
    let mut device = site.enrolled(ENTRA, WINDOWS_11);
    device.open(&site).package1();
    let lines = device.check_in(&site).lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn a_change_during_a_session_waits_for_the_next() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("passwordlength", "20")]);
    let mut session = device.open(&site);
    let first = session.package1();
    site.edit(&policy, &[("passwordlength", "30")]);
    let body = first.answers(&mut |command| device.obey(&site, command));
    session.say(&body);
    assert_eq!(device.leaves["PasswordLength"], "20");
    let next = device.check_in(&site);
    assert_eq!(
        next.writes(),
        writes(&[("PasswordLength", Some("30"))]),
        "what was acknowledged is what was sent"
    );
}

#[test]
fn delete_of_a_missing_leaf_counts_as_deleted() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(
        &[&device],
        &[("passwordlength", "20"), ("passwordcomplexity", "3")],
    );
    device.check_in(&site);
    device.leaves.remove("PasswordComplexity");
    site.edit(&policy, &[("passwordlength", "25")]);
    let seen = device.check_in_with(&site, |_, command| {
        let code = match command.verb.as_str() {
            "Atomic" => 507,
            "Delete" => 404,
            _ => 216,
        };
        Some(Reaction::Status(code))
    });
    let expected = writes(&[("PasswordComplexity", None), ("PasswordLength", Some("25"))]);
    assert_eq!(seen.writes(), expected);
    assert_eq!(
        device.check_in(&site).writes(),
        writes(&[("PasswordLength", Some("25"))])
    );
    assert_eq!(site.state(&device, &policy), "compliant");
}

#[test]
fn setting_with_a_code_of_its_own_is_the_error() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(
        &[&device],
        &[
            ("backupdirectory", "1"),
            ("passwordlength", "20"),
            ("passwordcomplexity", "3"),
        ],
    );
    device.check_in_with(&site, |_, command| {
        let code = match command.verb.as_str() {
            "Atomic" => 507,
            _ if is_leaf(command, "PasswordLength") => 415,
            _ => 216,
        };
        Some(Reaction::Status(code))
    });
    assert_eq!(site.state(&device, &policy), "error");
    let row = site.setting(&device, &policy, "PasswordLength");
    assert_eq!(
        (&row["state"], &row["errorCode"]),
        (&"error".into(), &415.into())
    );
    for leaf in ["BackupDirectory", "PasswordComplexity"] {
        assert_ne!(
            site.setting(&device, &policy, leaf)["state"],
            "error",
            "{leaf}"
        );
    }
    assert_eq!(device.check_in(&site).writes().len(), 3, "tried again");
    assert_eq!(site.state(&device, &policy), "compliant");
    assert_eq!(
        site.setting(&device, &policy, "PasswordLength")["state"],
        "compliant"
    );
}

#[test]
fn without_a_code_of_its_own_every_setting_has_507() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(
        &[&device],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    device.check_in_with(&site, |_, command| {
        Some(Reaction::Status(if command.verb == "Atomic" {
            507
        } else {
            216
        }))
    });
    assert_eq!(site.state(&device, &policy), "error");
    for leaf in ["BackupDirectory", "PasswordLength"] {
        let row = site.setting(&device, &policy, leaf);
        assert_eq!(
            (&row["state"], &row["errorCode"]),
            (&"error".into(), &507.into()),
            "{leaf}"
        );
    }
}

#[test]
fn settings_of_24h2_are_not_sent_to_older_builds() {
    let site = Site::new();
    let mut old = site.device_on(ENTRA, WINDOWS_10);
    let mut new = site.device_on(ENTRA, WINDOWS_11);
    let policy = site.policy_for(
        &[&old, &new],
        &[
            ("backupdirectory", "1"),
            ("passwordcomplexity", "6"),
            ("passphraselength", "5"),
            ("postauthenticationactions", "11"),
            ("automaticaccountmanagementenabled", "true"),
            ("automaticaccountmanagementtarget", "1"),
            ("automaticaccountmanagementnameorprefix", "laps"),
            ("automaticaccountmanagementenableaccount", "true"),
            ("automaticaccountmanagementrandomizename", "false"),
        ],
    );
    assert_eq!(
        old.check_in(&site).writes(),
        writes(&[("BackupDirectory", Some("1"))])
    );
    assert_eq!(new.check_in(&site).writes().len(), 9);
    assert_eq!(site.state(&new, &policy), "compliant");
    assert_eq!(
        site.state(&old, &policy),
        "compliant",
        "notApplicable only when all are"
    );
    for leaf in [
        "PasswordComplexity",
        "PassphraseLength",
        "PostAuthenticationActions",
        "AutomaticAccountManagementEnabled",
        "AutomaticAccountManagementTarget",
        "AutomaticAccountManagementNameOrPrefix",
        "AutomaticAccountManagementEnableAccount",
        "AutomaticAccountManagementRandomizeName",
    ] {
        assert_eq!(
            site.setting(&old, &policy, leaf)["state"],
            "notApplicable",
            "{leaf}"
        );
        assert_eq!(
            site.setting(&new, &policy, leaf)["state"],
            "compliant",
            "{leaf}"
        );
    }
    assert_eq!(
        site.setting(&old, &policy, "BackupDirectory")["state"],
        "compliant"
    );
}

#[test]
fn complexity_values_are_gated_one_by_one() {
    let site = Site::new();
    let mut device = site.device_on(ENTRA, WINDOWS_10);
    let policy = site.policy_for(
        &[&device],
        &[
            ("passwordcomplexity", "4"),
            ("postauthenticationactions", "5"),
        ],
    );
    assert_eq!(device.check_in(&site).writes().len(), 2);
    for complexity in ["5", "6", "7", "8"] {
        site.edit(
            &policy,
            &[
                ("passwordcomplexity", complexity),
                ("postauthenticationactions", "5"),
            ],
        );
        let seen = device.check_in(&site).writes();
        assert!(
            !seen
                .values()
                .any(|value| value.as_deref() == Some(complexity)),
            "{seen:?}"
        );
        assert_eq!(
            site.setting(&device, &policy, "PasswordComplexity")["state"],
            "notApplicable"
        );
    }
}

#[test]
fn policy_of_24h2_settings_alone_is_not_applicable_to_older_builds() {
    let site = Site::new();
    let mut device = site.device_on(ENTRA, WINDOWS_10);
    let policy = site.policy_for(
        &[&device],
        &[("passphraselength", "5"), ("passwordcomplexity", "7")],
    );
    assert!(!device.check_in(&site).mentions_laps());
    assert_eq!(site.state(&device, &policy), "notApplicable");
}

#[test]
fn devices_that_laps_does_not_manage_get_none_of_it() {
    let site = Site::new();
    let policy = site.policy(&[("backupdirectory", "1"), ("passwordlength", "20")]);
    let devices = [
        (REGISTERED, WINDOWS_11),
        (DOMAIN, WINDOWS_11),
        (NOT_JOINED, WINDOWS_11),
        (ENTRA, "10.0.17134.1"),
    ];
    let mut devices = devices.map(|(join, os)| site.device_on(join, os));
    let mut managed = site.device_on(ENTRA, "10.0.17763.4244");
    site.assign(&policy, &[all_devices()]);
    for device in &mut devices {
        assert!(
            !device.check_in(&site).mentions_laps(),
            "{} {}",
            device.join,
            device.os
        );
        assert_eq!(
            site.state(device, &policy),
            "notApplicable",
            "{} {}",
            device.join,
            device.os
        );
        for leaf in ["BackupDirectory", "PasswordLength"] {
            assert_eq!(
                site.setting(device, &policy, leaf)["state"],
                "notApplicable"
            );
        }
    }
    assert_eq!(managed.check_in(&site).writes().len(), 2);
}

#[test]
fn ad_backup_is_read_until_it_is_on_record() {
    let site = Site::new();
    let mut device = site.device(HYBRID);
    site.policy_for(&[&device], &[("backupdirectory", "2")]);
    let failing = |device: &mut Device| {
        let seen = device.check_in_with(&site, |_, command| {
            (command.uri == RESET_STATUS).then(|| Reaction::Value(PENDING.to_owned()))
        });
        assert_eq!(seen.count("Get", RESET_STATUS), 1, "{:?}", seen.lines());
    };
    failing(&mut device);
    failing(&mut device);
    site.rotate(&device).expect(204);
    assert_eq!(site.rotation(&device)["detail"], "noBackup");
    assert_eq!(device.check_in(&site).count("Get", RESET_STATUS), 1);
    assert!(device.check_in(&site).lines().is_empty(), "on record");
    site.rotate(&device).expect(204);
    let seen = device.check_in(&site);
    assert_eq!(seen.lines().len(), 2, "{:?}", seen.lines());
    assert_eq!(device.execs, 1);
    assert_eq!(site.rotation(&device)["actionState"], "done");
}

#[test]
fn ad_backup_is_only_read_from_hybrid_devices() {
    let site = Site::new();
    let mut device = site.device(ENTRA);
    let policy = site.policy_for(&[&device], &[("backupdirectory", "2")]);
    assert_eq!(
        device.check_in(&site).lines().len(),
        2,
        "settings are accepted, nothing is read"
    );
    assert_eq!(site.state(&device, &policy), "compliant");
    assert!(device.check_in(&site).lines().is_empty());
}

#[test]
fn what_the_device_makes_of_a_policy_is_no_error_of_the_policy() {
    let site = Site::new();
    // An account that is not there (S5), a directory that does not fit the join state (S9): the
    // settings are applied without error, nothing is backed up.
    for settings in [
        [
            ("backupdirectory", "1"),
            ("administratoraccountname", "missing"),
        ],
        [
            ("backupdirectory", "2"),
            ("administratoraccountname", "missing"),
        ],
    ] {
        let mut device = site.device(ENTRA);
        let policy = site.policy_for(&[&device], &settings);
        for _ in 0..4 {
            device.check_in(&site);
            assert_eq!(site.state(&device, &policy), "compliant");
        }
    }
}

#[test]
fn idle_devices_are_left_alone() {
    let site = Site::new();
    let mut bare = site.device(ENTRA);
    let mut managed = site.backed_up(ENTRA);
    site.policy_for(
        &[&managed],
        &[("backupdirectory", "1"), ("passwordlength", "20")],
    );
    managed.check_in(&site);
    managed.upload(&site).expect(204);
    for session in 0..210 {
        for device in [&mut bare, &mut managed] {
            let lines = device.check_in(&site).lines();
            assert!(lines.is_empty(), "session {session}: {lines:?}");
        }
    }
    assert_eq!(managed.execs, 0);
    assert!(site.rotations(&managed).is_empty() && site.rotation_events(&managed).is_empty());
}
