//! Errands: which device they are about, and what their answers must hold.

use std::collections::BTreeMap;

use protocol::directory::{CredentialUpload, password_to_base64};
use protocol::graph::credential::DeviceLocalCredential;
use protocol::graph::policy::settings_from_leaves;
use protocol::secret::Secret;
use protocol::time::UtcTicks;
use tokio::sync::mpsc;

use super::*;
use crate::lab::LabParts;
use crate::load::LoadOptions;
use crate::push::PushEndpoint;
use crate::target::Target;
use crate::transcript::Transcript;

const SEED: u64 = 7;

/// Nobody listens there: whatever is sent has no answer.
fn nowhere() -> Target {
    let url = || "http://127.0.0.1:9".to_owned();
    Target {
        enroll: url(),
        manage: url(),
        directory: url(),
        admin: url(),
        control: url(),
        tokens: BTreeMap::new(),
    }
}

async fn ground(devices: &[u32], managed: &[u32]) -> Ground {
    let (target, clock, transcript) = (nowhere(), Clock::start(), Transcript::default());
    let push = PushEndpoint::start(clock.clone(), "wake".to_owned(), transcript.clone())
        .await
        .unwrap();
    let plan = Arc::new(LoadPlan::new(LoadOptions::even(20, SEED)).unwrap());
    let mut ids = Managed::new(20);
    for device in managed {
        ids.enter(*device, Uuid::from_u128(u128::from(*device) + 1));
    }
    Ground {
        admin: AdminClient::new(&target, clock.clone(), transcript.clone(), 1),
        lab: Lab::new(LabParts {
            target,
            clock: clock.clone(),
            push,
            transcript,
            seed: SEED,
            salt: 0,
        }),
        clock,
        ledger: Ledger::new(1),
        managed: Arc::new(ids),
        passwords: Arc::new(LoadPasswords::new(SEED, 20, plan.policy())),
        plan,
        devices: devices.into(),
        cancel: watch::channel(false).1,
    }
}

#[tokio::test]
async fn an_errand_without_a_device_is_not_started() {
    let scratch = Scratch {
        policy: Uuid::nil(),
    };
    for (devices, managed, errand, not_started) in [
        (&[][..], &[][..], Errand::SignIn, true),
        (&[], &[], Errand::BulkAttempt, true),
        (&[], &[], Errand::CredentialRead, true),
        (&[3, 4], &[], Errand::SignIn, true),
        (&[3, 4], &[], Errand::BulkAttempt, true),
        // Managed, and no backup of it was taken yet.
        (&[3, 4], &[3, 4], Errand::CredentialRead, true),
        (&[3, 4], &[4], Errand::SignIn, false),
        (&[3, 4], &[4], Errand::BulkAttempt, false),
    ] {
        let ground = ground(devices, managed).await;
        let mut meter = Meter::new().unwrap();
        meter.begin(Round::default(), (0, 0), mpsc::unbounded_channel().0);
        let mut run = Run::default();
        let over = ground.go(scratch, (errand, 0), 0).await;
        run.take(Ok(over), &mut meter).unwrap();
        let books = run.books[&errand.operation()];
        let (unsent, failed) = if not_started { (1, 0) } else { (0, 1) };
        let counts = (books.not_started, books.started, books.failed);
        assert_eq!(counts, (unsent, failed, failed), "{errand:?} {managed:?}");
        assert_eq!((books.completed, run.verified), (0, 0), "{errand:?}");
        let timed = meter.read().of(errand.operation()).is_some();
        assert_eq!(timed, !not_started, "{errand:?}");
    }
}

#[test]
fn devices_take_turns_and_those_that_do_not_fit_are_passed_over() {
    let devices = [10, 11, 12, 13];
    let odd = |device: u32| (device % 2 == 1).then_some(device);
    for (event, chosen) in [(0, 11), (1, 11), (2, 13), (3, 13), (4, 11), (6, 13)] {
        assert_eq!(in_turn(&devices, event, odd), Some(chosen), "{event}");
    }
    assert_eq!(in_turn(&[10, 12], 1, odd), None);
    assert_eq!(in_turn(&[], 1, odd), None);
}

#[test]
fn the_newest_password_shown_counts_and_of_equal_times_each() {
    let passwords = LoadPasswords::new(SEED, 2, &BTreeMap::new());
    let of = |generation| emulator::generate_password((SEED, 1, generation), 4, 14);
    for generation in 1..=3 {
        let upload = CredentialUpload {
            device_name: "LOAD-000001".to_owned(),
            account_name: "Administrator".to_owned(),
            account_sid: "S-1-5-21-1-2-3-500".to_owned(),
            password_base64: Secret::new(password_to_base64(of(generation).expose())),
            backup_date_time: UtcTicks::from_ticks(0),
            refresh_date_time: UtcTicks::from_ticks(0),
        };
        assert!(passwords.note(1, &serde_json::to_vec(&upload).unwrap()));
        passwords.taken(1);
    }
    let entry = |(generation, at): (u32, i64)| DeviceLocalCredential {
        account_name: None,
        account_sid: None,
        backup_date_time: Some(UtcTicks::from_ticks(at)),
        password_base64: Some(Secret::new(password_to_base64(of(generation).expose()))),
    };
    for (entries, fits) in [
        (&[(3, 30), (2, 20)][..], true),
        (&[(2, 20), (3, 30)], true),
        (&[(2, 20)], false),
        (&[(2, 30), (3, 20)], false),
        (&[(4, 40), (3, 30)], false),
        (&[(2, 30), (3, 30)], true),
        (&[], false),
    ] {
        let shown = DeviceLocalCredentialInfo {
            id: Uuid::nil(),
            device_name: None,
            last_backup_date_time: None,
            refresh_date_time: None,
            credentials: Some(entries.iter().copied().map(entry).collect()),
        };
        assert_eq!(shows_since(&passwords, (1, 3), &shown), fits, "{entries:?}");
    }
}

#[test]
fn an_edited_policy_is_shown_with_settings_that_an_edit_gave_it() {
    let id = Uuid::from_u128(5);
    let scratch = Scratch { policy: id };
    let shown = |name: &str, id, leaves: &BTreeMap<Leaf, Value>| {
        let mut policy = ConfigurationPolicy::laps(name, settings_from_leaves(leaves));
        policy.id = Some(id);
        scratch.is_shown(&policy)
    };
    assert!(shown(SCRATCH, id, &leaves(8)));
    assert!(shown(SCRATCH, id, &leaves(57)));
    assert!(!shown(SCRATCH, id, &leaves(58)), "no edit asks for it");
    assert!(!shown("another", id, &leaves(8)));
    assert!(!shown(SCRATCH, Uuid::nil(), &leaves(8)));
    let mut fewer = leaves(8);
    fewer.remove(&Leaf::BackupDirectory);
    assert!(!shown(SCRATCH, id, &fewer));
    assert!(!shown(SCRATCH, id, &BTreeMap::new()));
    let mut without = ConfigurationPolicy::laps(SCRATCH, Vec::new());
    (without.id, without.settings) = (Some(id), None);
    assert!(scratch.is_shown(&without), "settings may be left out");
}
