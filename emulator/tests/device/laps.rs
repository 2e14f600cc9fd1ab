//! The LAPS engine in virtual time: schedule, failures, resets, join states, policy roots.

use std::collections::BTreeMap;

use emulator::{
    BackupDirectory, BackupFailure, Connectivity, DeviceSpec, Event, LocalPolicy, NothingManaged,
    OsBuild, PolicySource, ResetTiming, RotationKind,
};
use protocol::JoinType;
use protocol::laps_csp::{E_PENDING, Leaf, RESET_PASSWORD, RESET_PASSWORD_STATUS, Value};
use protocol::syncml::Verb;
use protocol::time::UtcMillis;

use crate::rig::*;

const HOUR: i64 = UtcMillis::HOUR_MS;
const DAY: i64 = UtcMillis::DAY_MS;

fn rig() -> Rig {
    Rig::enrolled(JoinType::EntraJoined, OsBuild::W11_24H2)
}

fn with_reset(reset: ResetTiming) -> Rig {
    let spec = DeviceSpec::derive(SEED, 1, "PC-", JoinType::EntraJoined, OsBuild::W11_24H2);
    Rig::of(DeviceSpec { reset, ..spec })
}

fn exec() -> Vec<protocol::syncml::Command<'static>> {
    vec![request("5", Verb::Exec, RESET_PASSWORD)]
}

fn read_status(rig: &mut Rig) -> String {
    let answer = rig.tell(vec![request("5", Verb::Get, RESET_PASSWORD_STATUS)]);
    values(&answer).remove(0).1
}

/// Time from the backup of one upload to the expiry it names, in days.
fn named_days(rig: &Rig, upload: usize) -> i64 {
    let upload = &rig.uploads[upload];
    let from = upload.backup_date_time.as_ticks();
    let ms = (upload.refresh_date_time.as_ticks() - from) / 10_000;
    assert_eq!(ms % DAY, 0, "exactly whole days");
    ms / DAY
}

#[test]
fn the_first_application_rotates_at_once() {
    let mut rig = rig();
    rig.apply(&entra(10));
    assert_eq!(rig.uploads.len(), 1);
    assert_eq!(rig.newest().0.backup_date_time, rig.now.ticks());
    assert_eq!(named_days(&rig, 0), 10);
    rig.assert_in_step();
    let kind = RotationKind::Initial;
    assert!(
        rig.events
            .iter()
            .any(|it| matches!(it, Event::Rotated { kind: k, .. } if *k == kind))
    );
}

#[test]
fn the_first_of_march_with_ten_days_rotates_on_the_eleventh() {
    let mut rig = rig();
    rig.apply(&entra(10));
    rig.run_to(march(11).plus_millis(-1));
    assert_eq!(rig.uploads.len(), 1);
    rig.run_to(march(11).plus_millis(HOUR));
    assert_eq!(rig.uploads.len(), 2, "within one cycle, once");
    rig.assert_in_step();
    rig.run_to(march(21));
    assert_eq!(rig.uploads.len(), 2);
}

#[test]
fn a_manual_rotation_on_the_fifth_moves_the_next_one_to_the_fifteenth() {
    let mut rig = rig();
    rig.apply(&entra(10));
    rig.run_to(march(5));
    rig.tell(exec());
    assert_eq!(rig.uploads.len(), 2);
    assert_eq!(rig.newest().0.refresh_date_time, march(15).ticks());
    rig.run_to(march(15).plus_millis(-1));
    assert_eq!(rig.uploads.len(), 2, "nothing on the eleventh");
    rig.run_to(march(15).plus_millis(HOUR));
    assert_eq!(rig.uploads.len(), 3);
    rig.assert_in_step();
}

#[test]
fn an_edit_of_the_age_counts_from_the_next_rotation_on() {
    let mut rig = rig();
    rig.apply(&entra(30));
    rig.run_to(march(2));
    rig.apply(&[(Leaf::PasswordAgeDays, int(7))]);
    rig.run_to(march(30));
    assert_eq!(rig.uploads.len(), 1);
    rig.run_to(march(31).plus_millis(HOUR));
    assert_eq!(rig.uploads.len(), 2);
    assert_eq!(named_days(&rig, 1), 7);
}

#[test]
fn a_month_of_cycles_without_expiry_asks_the_directory_nothing() {
    let mut rig = rig();
    rig.apply(&entra(365));
    rig.requests.clear();
    rig.run_to(march(31));
    assert!(rig.requests.is_empty());
}

#[test]
fn an_age_below_seven_days_does_not_count_with_entra() {
    for (days, effective) in [(6, 30), (7, 7), (1, 30), (365, 365)] {
        let mut rig = rig();
        rig.apply(&entra(days));
        assert_eq!(rig.device.effective_policy().password_age_days, effective);
        assert_eq!(named_days(&rig, 0), i64::from(effective));
    }
    let mut hybrid = Rig::enrolled(JoinType::EntraHybridJoined, OsBuild::W11_24H2);
    hybrid.apply(&[
        (Leaf::BackupDirectory, int(2)),
        (Leaf::PasswordAgeDays, int(1)),
    ]);
    assert_eq!(hybrid.device.effective_policy().password_age_days, 1);
}

#[test]
fn a_refused_upload_changes_nothing_and_is_tried_again_once_a_cycle() {
    let mut rig = rig();
    rig.apply(&entra(10));
    let before = rig.newest().1;
    rig.run_to(march(11).plus_millis(-1));
    for status in [403, 429, 500, 503] {
        rig.directory_status = status;
        rig.requests.clear();
        rig.run_to(rig.now.plus_millis(5 * HOUR));
        assert_eq!(rig.requests.len(), 5, "one attempt an hour");
        let account = rig.device.managed_account().expect("an account");
        assert_eq!(account.password, before);
        assert_eq!(account.expires_at, march(11));
    }
    rig.directory_status = 204;
    rig.run_to(rig.now.plus_millis(HOUR));
    assert_eq!(rig.uploads.len(), 2);
    rig.assert_in_step();
}

#[test]
fn an_attempt_of_its_own_has_a_key_of_its_own() {
    let mut rig = rig();
    rig.apply(&entra(7));
    rig.run_to(march(30));
    assert_eq!(rig.keys.len(), 5);
    let distinct: std::collections::BTreeSet<_> = rig.keys.iter().collect();
    assert_eq!(distinct.len(), 5);
}

#[test]
fn a_device_that_was_offline_at_expiry_rotates_in_the_first_cycle_after() {
    let mut rig = rig();
    rig.apply(&entra(10));
    rig.run_to(march(3));
    rig.device.set_connectivity(rig.now, Connectivity::Offline);
    rig.run_to(march(20));
    assert_eq!(rig.uploads.len(), 1);
    let failure = |event: &Event| {
        matches!(
            event,
            Event::BackupFailed {
                status: None,
                reason: BackupFailure::Offline,
                ..
            }
        )
    };
    assert!(rig.events.iter().any(failure));
    rig.device.set_connectivity(rig.now, Connectivity::Online);
    rig.run_to(march(20).plus_millis(HOUR));
    assert_eq!(rig.uploads.len(), 2);
    rig.assert_in_step();
}

#[test]
fn the_cycles_of_a_fleet_are_spread_over_the_hour() {
    let mut minutes = std::collections::BTreeSet::new();
    for index in 0..100 {
        let spec = DeviceSpec::derive(SEED, index, "PC-", JoinType::EntraJoined, OsBuild::W11_24H2);
        let rig = Rig::of(spec);
        let first = rig.device.poll_timeout().expect("the cycle");
        assert!(first > rig.now && first <= rig.now.plus_millis(HOUR));
        minutes.insert(first.millis_since(rig.now) / 60_000);
    }
    assert!(minutes.len() > 30, "{minutes:?}");
}

#[test]
fn an_exec_rotates_before_its_status_goes_out() {
    let mut rig = rig();
    rig.apply(&entra(30));
    assert_eq!(read_status(&mut rig), "0");
    rig.requests.clear();
    let answer = rig.tell(vec![
        request("5", Verb::Exec, RESET_PASSWORD),
        request("6", Verb::Get, RESET_PASSWORD_STATUS),
    ]);
    use emulator::Endpoint::{Directory, Management};
    assert_eq!(rig.requests, [Management, Directory, Management]);
    assert_eq!(
        codes(&answer)[1..],
        [("5".to_owned(), 200), ("6".to_owned(), 200)]
    );
    assert_eq!(values(&answer)[0].1, "0");
    assert_eq!(rig.uploads.len(), 2);
    rig.assert_in_step();
    assert!(rig.events.contains(&Event::ExecReceived));
}

#[test]
fn the_status_of_a_failed_reset_is_an_hresult() {
    for (status, expected) in [
        (403, 0x8007_0005_u32),
        (503, 0x8019_01f7),
        (404, 0x8019_0194),
    ] {
        let mut rig = rig();
        rig.apply(&entra(30));
        rig.directory_status = status;
        rig.tell(exec());
        let read = read_status(&mut rig);
        assert_eq!(read, i32::from_ne_bytes(expected.to_ne_bytes()).to_string());
        assert_eq!(
            rig.device.csp_value(RESET_PASSWORD_STATUS),
            read.parse().ok().map(Value::Int)
        );
    }
    // Without a policy there is nothing to reset.
    let mut rig = rig();
    rig.tell(exec());
    assert!(read_status(&mut rig).starts_with('-'));
    assert!(rig.uploads.is_empty());
}

#[test]
fn a_deferred_reset_reads_pending_as_often_as_told() {
    for reads in [0_u8, 1, 3] {
        let mut rig = with_reset(ResetTiming::Deferred { reads });
        rig.apply(&entra(30));
        let mut turns = vec![Turn::Say(exec())];
        for _ in 0..=reads {
            turns.push(Turn::Say(vec![request(
                "5",
                Verb::Get,
                RESET_PASSWORD_STATUS,
            )]));
        }
        let messages = rig.session(turns);
        let seen: Vec<String> = messages
            .iter()
            .flat_map(|message| values(message).into_iter().map(|(_, text)| text))
            .collect();
        let mut expected = vec![E_PENDING.to_string(); usize::from(reads)];
        expected.push("0".to_owned());
        assert_eq!(seen, expected);
        assert_eq!(rig.uploads.len(), 2);
    }
}

#[test]
fn a_deferred_reset_whose_reads_are_used_up_goes_on_at_the_end_of_the_session() {
    let mut rig = with_reset(ResetTiming::Deferred { reads: 1 });
    rig.apply(&entra(30));
    rig.tell(exec());
    assert_eq!(rig.uploads.len(), 1);
    assert_eq!(read_status(&mut rig), E_PENDING.to_string());
    assert_eq!(rig.uploads.len(), 2);
    assert_eq!(read_status(&mut rig), "0");
}

#[test]
fn the_join_state_decides_where_the_password_goes() {
    use JoinType::{DomainJoined, EntraHybridJoined, EntraJoined, EntraRegistered};
    // Columns: join state, BackupDirectory, uploads to Entra, stored in Active Directory.
    for (join_type, directory, uploads, stored) in [
        (EntraJoined, 1, 1, false),
        (EntraJoined, 2, 0, false),
        (EntraJoined, 0, 0, false),
        (EntraHybridJoined, 1, 1, false),
        (EntraHybridJoined, 2, 0, true),
        (EntraRegistered, 1, 0, false),
        (EntraRegistered, 2, 0, false),
        (DomainJoined, 1, 0, false),
        (DomainJoined, 2, 0, false),
    ] {
        let mut rig = Rig::enrolled(join_type, OsBuild::W11_24H2);
        rig.apply(&[(Leaf::BackupDirectory, int(directory))]);
        rig.run_to(march(40));
        assert_eq!(
            !rig.uploads.is_empty(),
            uploads > 0,
            "{join_type} {directory}"
        );
        assert_eq!(
            rig.device.active_directory().is_some(),
            stored,
            "{join_type} {directory}"
        );
        assert_eq!(
            rig.device.managed_account().is_some(),
            uploads > 0 || stored
        );
    }
}

#[test]
fn a_device_that_is_joined_later_backs_up_with_the_next_policy() {
    let mut rig = Rig::enrolled(JoinType::NotJoined, OsBuild::W11_24H2);
    rig.tell(vec![policy("5", &entra(10))]);
    assert!(rig.device.managed_account().is_none());
    let id = uuid::Uuid::from_u128(7);
    rig.device.set_join_type(JoinType::EntraJoined, Some(id));
    rig.apply(&entra(10));
    rig.assert_in_step();
}

#[test]
fn another_directory_rotates_into_that_one_alone() {
    let mut rig = Rig::enrolled(JoinType::EntraHybridJoined, OsBuild::W11_24H2);
    rig.apply(&entra(30));
    assert_eq!((rig.uploads.len(), rig.rotations()), (1, 1));
    rig.apply(&[(Leaf::BackupDirectory, int(2))]);
    assert_eq!((rig.uploads.len(), rig.rotations()), (1, 2));
    let record = rig.device.active_directory().expect("a record").clone();
    let account = rig.device.managed_account().expect("an account");
    assert_eq!(account.password, record.password.expose());
}

#[test]
fn active_directory_keeps_a_history_of_the_size_told() {
    for (size, encrypted, expected) in [(0, true, 0), (2, true, 2), (12, true, 4), (12, false, 0)] {
        let mut rig = Rig::enrolled(JoinType::EntraHybridJoined, OsBuild::W11_24H2);
        rig.apply(&[
            (Leaf::BackupDirectory, int(2)),
            (Leaf::ADPasswordEncryptionEnabled, Value::Bool(encrypted)),
            (Leaf::ADEncryptedPasswordHistorySize, int(size)),
        ]);
        let first = rig
            .device
            .active_directory()
            .expect("a record")
            .password
            .clone();
        for _ in 0..4 {
            rig.tell(exec());
        }
        let record = rig.device.active_directory().expect("a record");
        assert_eq!(record.history.len(), expected);
        assert_eq!(record.encrypted, encrypted);
        if expected == 4 {
            assert_eq!(record.history.last(), Some(&first), "newest first");
        }
        assert!(rig.uploads.is_empty());
    }
}

#[test]
fn the_expiry_in_active_directory_is_polled_each_cycle() {
    let mut rig = Rig::enrolled(JoinType::EntraHybridJoined, OsBuild::W11_24H2);
    rig.apply(&[(Leaf::BackupDirectory, int(2))]);
    rig.device.set_active_directory_expiry(march(3));
    rig.run_to(march(3).plus_millis(-1));
    assert_eq!(rig.rotations(), 1);
    rig.run_to(march(3).plus_millis(HOUR));
    assert_eq!(rig.rotations(), 2);
    // Beyond the age: not accepted while the protection is on.
    rig.device.set_active_directory_expiry(march(90));
    rig.run_to(march(4));
    assert_eq!(rig.rotations(), 3);
    rig.apply(&[(
        Leaf::PasswordExpirationProtectionEnabled,
        Value::Bool(false),
    )]);
    rig.device.set_active_directory_expiry(march(90));
    rig.run_to(march(89));
    assert_eq!(rig.rotations(), 3);
}

#[test]
fn an_encryption_principal_that_names_nobody_fails_the_cycle() {
    let mut rig = Rig::enrolled(JoinType::EntraHybridJoined, OsBuild::W11_24H2);
    rig.apply(&[
        (Leaf::BackupDirectory, int(2)),
        (Leaf::ADPasswordEncryptionPrincipal, text("nobody")),
    ]);
    assert!(rig.device.active_directory().is_none());
    let reason = BackupFailure::EncryptionPrincipal;
    let failed = |it: &Event| matches!(it, Event::BackupFailed { reason: r, .. } if *r == reason);
    assert!(rig.events.iter().any(failed));
    for name in ["CORP\\Admins", "admins@corp.test", "S-1-5-21-1-2-3-512"] {
        rig.apply(&[(Leaf::ADPasswordEncryptionPrincipal, text(name))]);
        assert!(rig.device.active_directory().is_some());
    }
}

#[test]
fn without_backup_directory_nothing_happens_at_all() {
    for settings in [
        vec![(Leaf::PasswordAgeDays, int(10))],
        vec![
            (Leaf::BackupDirectory, int(0)),
            (Leaf::PasswordLength, int(20)),
        ],
    ] {
        let mut rig = rig();
        rig.apply(&settings);
        rig.run_to(march(40));
        assert_eq!((rig.uploads.len(), rig.rotations()), (0, 0));
        let reason = NothingManaged::BackupDisabled;
        let told = rig
            .events
            .iter()
            .filter(|it| **it == Event::NothingManaged { reason });
        assert_eq!(told.count(), 1, "told once");
    }
}

#[test]
fn a_policy_that_comes_back_rotates_at_once() {
    let mut rig = rig();
    rig.apply(&entra(30));
    rig.remove(&[Leaf::BackupDirectory, Leaf::PasswordAgeDays]);
    assert!(rig.device.managed_account().is_none());
    rig.run_to(march(3));
    assert_eq!(rig.uploads.len(), 1);
    rig.apply(&entra(30));
    assert_eq!(rig.uploads.len(), 2);
}

#[test]
fn the_highest_root_with_a_setting_is_the_only_source() {
    let map = |settings: &[(Leaf, Value)]| settings.iter().cloned().collect::<BTreeMap<_, _>>();
    let group_policy = map(&[
        (Leaf::BackupDirectory, int(2)),
        (Leaf::PasswordLength, int(20)),
    ]);
    let local = map(&[
        (Leaf::BackupDirectory, int(2)),
        (Leaf::PasswordLength, int(30)),
    ]);
    let legacy = map(&[
        (Leaf::PasswordLength, int(40)),
        (Leaf::PasswordAgeDays, int(9)),
    ]);
    let all = LocalPolicy {
        group_policy,
        local,
        legacy,
    };
    let mut rig = Rig::enrolled(JoinType::EntraHybridJoined, OsBuild::W11_24H2);
    rig.device.set_local_policy(rig.now, all.clone());
    let seen = |rig: &Rig| {
        let policy = rig.device.effective_policy();
        (
            policy.source,
            policy.backup_directory,
            policy.password_length,
            policy.password_age_days,
        )
    };
    let ad = BackupDirectory::ActiveDirectory;
    assert_eq!(seen(&rig), (PolicySource::GroupPolicy, ad, 20, 30));
    // One leaf of the CSP is enough; nothing is merged.
    rig.apply(&[(Leaf::PasswordAgeDays, int(12))]);
    assert_eq!(
        seen(&rig),
        (PolicySource::Csp, BackupDirectory::Disabled, 14, 12)
    );
    rig.remove(&[Leaf::PasswordAgeDays]);
    let lower = LocalPolicy {
        group_policy: BTreeMap::new(),
        ..all
    };
    rig.device.set_local_policy(rig.now, lower.clone());
    assert_eq!(seen(&rig), (PolicySource::Local, ad, 30, 30));
    let lowest = LocalPolicy {
        local: BTreeMap::new(),
        ..lower
    };
    rig.device.set_local_policy(rig.now, lowest);
    assert_eq!(seen(&rig), (PolicySource::Legacy, ad, 40, 9));
    assert!(!rig.device.effective_policy().encryption);
    rig.device.set_local_policy(rig.now, LocalPolicy::default());
    assert_eq!(
        seen(&rig),
        (PolicySource::None, BackupDirectory::Disabled, 14, 30)
    );
}

#[test]
fn a_domain_joined_device_backs_up_by_group_policy() {
    let mut spec = DeviceSpec::derive(SEED, 1, "PC-", JoinType::DomainJoined, OsBuild::W10_22H2);
    // A complexity that this build does not know counts as the default.
    spec.local_policy.group_policy = BTreeMap::from([
        (Leaf::BackupDirectory, int(2)),
        (Leaf::PasswordComplexity, int(6)),
    ]);
    let mut rig = Rig::of(spec);
    rig.run_to(march(2));
    assert_eq!(rig.device.effective_policy().password_complexity, 4);
    let record = rig.device.active_directory().expect("a record");
    assert_eq!(record.password.expose().len(), 14);
}

#[test]
fn a_sign_in_with_the_managed_account_rotates_after_the_delay() {
    for (delay, hours) in [(Some(0), None), (Some(3), Some(3)), (None, Some(24))] {
        let mut rig = rig();
        let mut settings = entra(30);
        settings.extend(delay.map(|delay| (Leaf::PostAuthenticationResetDelay, int(delay))));
        rig.apply(&settings);
        let name = rig
            .device
            .managed_account()
            .expect("an account")
            .name
            .to_owned();
        assert!(!rig.device.sign_in(rig.now, "Guest"));
        assert_eq!(rig.device.sign_in(rig.now, &name), hours.is_some());
        rig.run_to(rig.now.plus_millis(hours.unwrap_or(48) * HOUR - 1));
        assert_eq!(rig.uploads.len(), 1);
        rig.run_to(rig.now.plus_millis(1));
        assert_eq!(rig.uploads.len(), 1 + usize::from(hours.is_some()));
        if hours.is_some() {
            rig.assert_in_step();
            assert_eq!(rig.newest().0.backup_date_time, rig.now.ticks());
            rig.run_to(march(29));
            assert_eq!(rig.uploads.len(), 2, "the schedule starts again");
        }
    }
}

#[test]
fn a_rotation_after_a_sign_in_is_tried_again_a_hundred_times() {
    let mut rig = rig();
    rig.apply(&entra(365));
    let name = rig
        .device
        .managed_account()
        .expect("an account")
        .name
        .to_owned();
    rig.device.sign_in(rig.now, &name);
    rig.directory_status = 503;
    rig.requests.clear();
    rig.run_to(march(30));
    assert_eq!(rig.requests.len(), 101, "the attempt and its retries");
    assert!(rig.events.contains(&Event::PostAuthenticationExhausted));
}

#[test]
fn a_device_at_rest_is_small() {
    assert!(
        size_of::<emulator::Device>() < 600,
        "{}",
        size_of::<emulator::Device>()
    );
}
