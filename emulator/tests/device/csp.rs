//! The settings tree: nodes, access, formats and ranges, as a table.

use emulator::{Event, OsBuild};
use protocol::JoinType;
use protocol::laps_csp::{Leaf, RESET_PASSWORD, RESET_PASSWORD_STATUS};
use protocol::syncml::Verb;

use crate::rig::*;

const W10: OsBuild = OsBuild::W10_22H2;
const W11: OsBuild = OsBuild::W11_24H2;
const PUSH: &str = "./Vendor/MSFT/DMClient/Provider/muster/Push";

fn path(leaf: &str) -> String {
    format!("./Device/Vendor/MSFT/LAPS/Policies/{leaf}")
}

/// The code of one write inside an Atomic.
fn written(os: OsBuild, leaf: &str, format: &'static str, data: &str) -> u32 {
    let mut rig = Rig::enrolled(JoinType::EntraHybridJoined, os);
    let child = write("6", Verb::Replace, &path(leaf), (format, data));
    let answer = rig.tell(vec![atomic("5", vec![child])]);
    let all = codes(&answer);
    assert_eq!(all[1].1, if all[2].1 == 200 { 200 } else { 507 });
    let kept = rig.device.csp_value(&path(leaf)).is_some();
    assert_eq!(kept, all[2].1 == 200, "{leaf} {data}");
    all[2].1
}

#[test]
fn values_are_taken_by_format_range_and_build() {
    // Columns: leaf, format, data, build 19045, build 26100. Ranges typed from laps-facts 1.2.
    #[rustfmt::skip]
    let table: &[(&str, &str, &str, u32, u32)] = &[
        ("BackupDirectory", "int", "0", 200, 200),
        ("BackupDirectory", "int", "1", 200, 200),
        ("BackupDirectory", "int", "2", 200, 200),
        ("BackupDirectory", "int", "3", 500, 500),
        ("BackupDirectory", "int", "-1", 500, 500),
        ("BackupDirectory", "int", "x", 415, 415),
        ("BackupDirectory", "chr", "1", 415, 415),
        ("PasswordAgeDays", "int", "0", 500, 500),
        ("PasswordAgeDays", "int", "1", 200, 200),
        ("PasswordAgeDays", "int", "365", 200, 200),
        ("PasswordAgeDays", "int", "366", 500, 500),
        ("PasswordComplexity", "int", "0", 500, 500),
        ("PasswordComplexity", "int", "4", 200, 200),
        ("PasswordComplexity", "int", "5", 500, 200),
        ("PasswordComplexity", "int", "8", 500, 200),
        ("PasswordComplexity", "int", "9", 500, 500),
        ("PasswordLength", "int", "7", 500, 500),
        ("PasswordLength", "int", "8", 200, 200),
        ("PasswordLength", "int", "64", 200, 200),
        ("PasswordLength", "int", "65", 500, 500),
        ("PassphraseLength", "int", "2", 404, 500),
        ("PassphraseLength", "int", "3", 404, 200),
        ("PassphraseLength", "int", "10", 404, 200),
        ("PassphraseLength", "int", "11", 404, 500),
        ("AdministratorAccountName", "chr", "anyone", 200, 200),
        ("AdministratorAccountName", "int", "1", 415, 415),
        ("PasswordExpirationProtectionEnabled", "bool", "True", 200, 200),
        ("PasswordExpirationProtectionEnabled", "bool", "false", 200, 200),
        ("PasswordExpirationProtectionEnabled", "bool", "yes", 415, 415),
        ("ADPasswordEncryptionEnabled", "bool", "true", 200, 200),
        ("ADPasswordEncryptionPrincipal", "chr", "CORP\\Admins", 200, 200),
        ("ADEncryptedPasswordHistorySize", "int", "0", 200, 200),
        ("ADEncryptedPasswordHistorySize", "int", "12", 200, 200),
        ("ADEncryptedPasswordHistorySize", "int", "13", 500, 500),
        ("PostAuthenticationResetDelay", "int", "0", 200, 200),
        ("PostAuthenticationResetDelay", "int", "24", 200, 200),
        ("PostAuthenticationResetDelay", "int", "25", 500, 500),
        ("PostAuthenticationActions", "int", "1", 200, 200),
        ("PostAuthenticationActions", "int", "2", 500, 500),
        ("PostAuthenticationActions", "int", "5", 200, 200),
        ("PostAuthenticationActions", "int", "11", 500, 200),
        ("AutomaticAccountManagementEnabled", "bool", "true", 404, 200),
        ("AutomaticAccountManagementTarget", "int", "1", 404, 200),
        ("AutomaticAccountManagementTarget", "int", "2", 404, 500),
        ("AutomaticAccountManagementNameOrPrefix", "chr", "adm", 404, 200),
        ("AutomaticAccountManagementEnableAccount", "bool", "true", 404, 200),
        ("AutomaticAccountManagementRandomizeName", "bool", "true", 404, 200),
        ("NoSuchSetting", "int", "1", 404, 404),
    ];
    for (leaf, format, data, old, new) in table {
        assert_eq!(
            written(W10, leaf, format, data),
            *old,
            "{leaf} {data} on 19045"
        );
        assert_eq!(
            written(W11, leaf, format, data),
            *new,
            "{leaf} {data} on 26100"
        );
    }
}

#[test]
fn each_node_allows_what_the_table_says() {
    let ent_dm_id = "./Device/Vendor/MSFT/DMClient/Provider/muster/EntDMID";
    // Columns: path, then the codes of Get, Add, Replace, Delete and Exec.
    #[rustfmt::skip]
    let table: &[(&str, [u32; 5])] = &[
        ("./Device/Vendor/MSFT/LAPS", [200, 405, 405, 405, 405]),
        ("./Vendor/MSFT/LAPS/Policies", [200, 405, 405, 405, 405]),
        ("./Device/Vendor/MSFT/LAPS/Actions", [200, 405, 405, 405, 405]),
        (RESET_PASSWORD, [405, 405, 405, 405, 200]),
        (RESET_PASSWORD_STATUS, [200, 405, 405, 405, 405]),
        ("./DevInfo/DevId", [200, 405, 405, 405, 405]),
        ("./DevDetail/SwV", [200, 405, 405, 405, 405]),
        (ent_dm_id, [200, 405, 405, 405, 405]),
        // A leaf of the policy outside an Atomic: refused, and unset on Get.
        ("./Device/Vendor/MSFT/LAPS/Policies/PasswordLength", [404, 500, 500, 500, 405]),
        ("./User/Vendor/MSFT/LAPS/Policies/PasswordLength", [404; 5]),
        ("./Device/Vendor/MSFT/DMClient/Provider/other/EntDMID", [404; 5]),
        ("/Vendor/MSFT/LAPS", [400; 5]),
    ];
    for (path, expected) in table {
        let verbs = [
            Verb::Get,
            Verb::Add,
            Verb::Replace,
            Verb::Delete,
            Verb::Exec,
        ];
        for (verb, code) in verbs.into_iter().zip(expected) {
            let mut rig = Rig::enrolled(JoinType::EntraJoined, W11);
            let command = match verb {
                Verb::Add | Verb::Replace => write("5", verb, path, ("int", "9")),
                Verb::Get | Verb::Delete | Verb::Exec => request("5", verb, path),
            };
            let answer = rig.tell(vec![command]);
            assert_eq!(codes(&answer)[1].1, *code, "{verb} {path}");
        }
    }
}

#[test]
fn a_policy_write_outside_an_atomic_says_why() {
    let mut rig = Rig::enrolled(JoinType::EntraJoined, W11);
    let answer = rig.tell(vec![set("5", Leaf::BackupDirectory, &int(1))]);
    let status = statuses(&answer).nth(1).expect("a status");
    assert_eq!(status.original_error.as_deref(), Some("0x86000004"));
    assert!(rig.uploads.is_empty());
}

#[test]
fn a_value_reads_as_written_and_interior_nodes_list_their_children() {
    let mut rig = Rig::enrolled(JoinType::EntraJoined, W11);
    rig.apply(&entra(14));
    let answer = rig.tell(vec![
        request("5", Verb::Get, &path("PasswordAgeDays")),
        request("6", Verb::Get, "./Device/Vendor/MSFT/LAPS/Policies"),
        request("7", Verb::Get, "./Device/Vendor/MSFT/LAPS"),
    ]);
    let texts: Vec<String> = values(&answer).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts,
        ["14", "BackupDirectory/PasswordAgeDays", "Policies/Actions"]
    );
    assert_eq!(
        rig.device.csp_value(&path("PasswordAgeDays")),
        Some(int(14))
    );
}

#[test]
fn the_push_channel_is_there_once_the_server_has_named_itself() {
    let mut rig = Rig::enrolled(JoinType::EntraJoined, W11);
    let pfn = format!("{PUSH}/PFN");
    let uri = format!("{PUSH}/ChannelURI");
    let status = format!("{PUSH}/Status");
    let set_up = || {
        vec![
            write("5", Verb::Add, PUSH, ("node", "")),
            write("6", Verb::Add, &pfn, ("chr", "Muster.Test_0000000000000")),
            request("7", Verb::Get, &uri),
            request("8", Verb::Get, &status),
        ]
    };
    let before = rig.tell(vec![request("5", Verb::Get, &uri)]);
    assert_eq!(codes(&before)[1].1, 404);
    let first = rig.tell(set_up());
    let seen: Vec<u32> = codes(&first).into_iter().map(|(_, code)| code).collect();
    assert_eq!(seen, [200, 200, 200, 200, 200]);
    let expected = [
        (uri.clone(), grant().channel_uri),
        (status.clone(), "0".to_owned()),
    ];
    assert_eq!(values(&first), expected);
    let again = rig.tell(set_up());
    let seen: Vec<u32> = codes(&again).into_iter().map(|(_, code)| code).collect();
    assert_eq!(seen, [200, 418, 418, 200, 200]);
}

#[test]
fn a_device_that_is_not_joined_refuses_every_directive() {
    let mut rig = Rig::enrolled(JoinType::NotJoined, W11);
    let answer = rig.tell(vec![
        policy("5", &entra(30)),
        request("9", Verb::Exec, RESET_PASSWORD),
        request("10", Verb::Get, "./DevInfo/Man"),
    ]);
    let seen: Vec<u32> = codes(&answer).into_iter().map(|(_, code)| code).collect();
    // The Atomic, its two writes, the Exec and the Get.
    assert_eq!(seen, [200, 507, 500, 215, 500, 200]);
    assert!(rig.events.contains(&Event::DirectiveRefused));
    assert!(rig.uploads.is_empty());
}

#[test]
fn a_build_before_the_csp_has_no_laps_node() {
    let mut rig = Rig::enrolled(JoinType::EntraJoined, OsBuild::windows(17_134, 1));
    let answer = rig.tell(vec![request("5", Verb::Get, "./Device/Vendor/MSFT/LAPS")]);
    assert_eq!(codes(&answer)[1].1, 404);
}
