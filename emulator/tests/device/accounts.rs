//! Which account is managed, and the automatic mode.

use emulator::{
    BUILT_IN_ADMINISTRATOR, DeviceSpec, Event, NothingManaged, OsBuild, SERVICE_ACCOUNT,
};
use protocol::JoinType;
use protocol::laps_csp::{Leaf, RESET_PASSWORD, Value};
use protocol::syncml::Verb;
use protocol::time::UtcMillis;

use crate::rig::*;

fn rig() -> Rig {
    Rig::enrolled(JoinType::EntraJoined, OsBuild::W11_24H2)
}

fn named(name: &str) -> Vec<(Leaf, Value)> {
    let mut settings = entra(30);
    settings.push((Leaf::AdministratorAccountName, text(name)));
    settings
}

/// The accounts that LAPS ever touched.
fn touched(rig: &Rig) -> Vec<String> {
    let accounts = rig.device.accounts().into_iter();
    accounts
        .filter(|it| it.generation > 0)
        .map(|it| it.name)
        .collect()
}

#[test]
fn without_a_name_the_account_with_rid_500_is_managed_whatever_it_is_called() {
    let mut spec = DeviceSpec::derive(SEED, 1, "PC-", JoinType::EntraJoined, OsBuild::W10_22H2);
    for name in ["Administrator", "Administrateur", "local.boss"] {
        name.clone_into(&mut spec.accounts[0].name);
        let mut rig = Rig::of(spec.clone());
        rig.apply(&entra(30));
        assert_eq!(touched(&rig), [name]);
        rig.assert_in_step();
        let sid = &rig.newest().0.account_sid;
        assert!(
            sid.starts_with("S-1-5-21-") && sid.ends_with("-500"),
            "{sid}"
        );
    }
    // An account that is only called so is not it.
    spec.accounts
        .retain(|account| account.rid != BUILT_IN_ADMINISTRATOR);
    spec.accounts[0].name = "Administrator".to_owned();
    let mut rig = Rig::of(spec);
    rig.apply(&entra(30));
    assert!(rig.uploads.is_empty());
}

#[test]
fn an_account_named_is_managed_and_no_other() {
    let mut rig = rig();
    rig.apply(&named("SVC-LOCAL"));
    assert_eq!(touched(&rig), [SERVICE_ACCOUNT]);
    assert_eq!(rig.newest().0.account_name, SERVICE_ACCOUNT);
    rig.assert_in_step();
}

#[test]
fn a_missing_account_is_no_error_and_nothing_is_managed() {
    for name in ["ghost", " svc-local", "svc-local "] {
        let mut rig = rig();
        rig.apply(&named(name));
        rig.run_to(march(40));
        assert!(rig.uploads.is_empty() && touched(&rig).is_empty());
        let reason = NothingManaged::AccountMissing;
        assert!(rig.events.contains(&Event::NothingManaged { reason }));
        assert_eq!(rig.device.accounts().len(), 3, "not created");
        rig.tell(vec![request("5", Verb::Exec, RESET_PASSWORD)]);
        assert!(rig.uploads.is_empty());
    }
}

#[test]
fn another_account_is_rotated_and_backed_up_and_the_old_one_left_alone() {
    let mut rig = rig();
    rig.apply(&entra(30));
    let before = rig.device.accounts();
    rig.apply(&named(SERVICE_ACCOUNT));
    assert_eq!(rig.uploads.len(), 2);
    assert_eq!(rig.newest().0.account_name, SERVICE_ACCOUNT);
    rig.assert_in_step();
    assert_eq!(rig.device.accounts()[0], before[0], "untouched since");
}

#[test]
fn the_automatic_mode_makes_its_account_and_ignores_the_name() {
    let mut rig = rig();
    let mut settings = named(SERVICE_ACCOUNT);
    settings.push((Leaf::AutomaticAccountManagementEnabled, Value::Bool(true)));
    rig.apply(&settings);
    assert_eq!(touched(&rig), ["WLapsAdmin"]);
    assert_eq!(rig.newest().0.account_name, "WLapsAdmin");
    let own = rig.device.accounts().pop().expect("an account");
    assert!(!own.enabled);
    rig.apply(&[(
        Leaf::AutomaticAccountManagementEnableAccount,
        Value::Bool(true),
    )]);
    assert!(rig.device.accounts().pop().expect("an account").enabled);
    assert_eq!(rig.uploads.len(), 1);
}

#[test]
fn the_automatic_mode_can_mean_the_built_in_account() {
    let mut rig = rig();
    let mut settings = entra(30);
    settings.push((Leaf::AutomaticAccountManagementEnabled, Value::Bool(true)));
    settings.push((Leaf::AutomaticAccountManagementTarget, int(0)));
    rig.apply(&settings);
    assert!(rig.newest().0.account_sid.ends_with("-500"));
}

#[test]
fn a_randomised_name_is_new_at_each_rotation() {
    let mut rig = rig();
    let mut settings = entra(7);
    settings.extend([
        (Leaf::AutomaticAccountManagementEnabled, Value::Bool(true)),
        (
            Leaf::AutomaticAccountManagementRandomizeName,
            Value::Bool(true),
        ),
        (
            Leaf::AutomaticAccountManagementNameOrPrefix,
            text("AVeryLongPrefixIndeed"),
        ),
    ]);
    rig.apply(&settings);
    rig.run_to(march(30).plus_millis(UtcMillis::HOUR_MS));
    let names: Vec<&str> = rig
        .uploads
        .iter()
        .map(|it| it.account_name.as_str())
        .collect();
    assert_eq!(names.len(), 5);
    for name in &names {
        let (prefix, digits) = name.split_at(14);
        assert_eq!(prefix, "AVeryLongPrefi");
        assert!(
            digits.len() == 6 && digits.chars().all(|c| c.is_ascii_digit()),
            "{name}"
        );
    }
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    let sids: std::collections::BTreeSet<_> =
        rig.uploads.iter().map(|it| &it.account_sid).collect();
    assert_eq!(sids.len(), 1, "the same account under new names");
    rig.assert_in_step();
    assert_eq!(rig.device.accounts().len(), 4);
}

#[test]
fn generated_passwords_follow_the_policy() {
    let mut rig = rig();
    let mut settings = entra(30);
    settings.extend([
        (Leaf::PasswordComplexity, int(1)),
        (Leaf::PasswordLength, int(24)),
        (Leaf::PassphraseLength, int(3)),
    ]);
    rig.apply(&settings);
    let (_, password) = rig.newest();
    assert_eq!(password.len(), 24);
    assert!(password.chars().all(|c| c.is_ascii_uppercase()));
    // Changed settings count from the next rotation on.
    rig.apply(&[(Leaf::PasswordComplexity, int(7))]);
    assert_eq!(rig.uploads.len(), 1);
    rig.tell(vec![request("5", Verb::Exec, RESET_PASSWORD)]);
    let (_, phrase) = rig.newest();
    assert_eq!(phrase.chars().filter(char::is_ascii_uppercase).count(), 3);
}
