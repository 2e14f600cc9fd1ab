//! What becomes of rotation requests, step by step.

use std::collections::BTreeMap;

use emulator::generate_password;
use protocol::directory::{CredentialUpload, password_to_base64};
use protocol::secret::Secret;
use protocol::time::UtcTicks;
use tokio::sync::mpsc;

use super::*;
use crate::metrics::Round;

const DEVICE: u32 = 1;

/// What happens to a request, in order.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It is answered.
    Answer(Option<u16>),
    /// The target takes a new password of the device.
    Upload,
    /// The target knows the end of it.
    Over,
}

fn requests() -> (Requests, Arc<LoadPasswords>) {
    let passwords = Arc::new(LoadPasswords::new(7, 2, &BTreeMap::new()));
    let mut meter = Meter::new().unwrap();
    meter.begin(Round::default(), (0, 0), mpsc::unbounded_channel().0);
    (Requests::new(Arc::clone(&passwords), meter, 3), passwords)
}

fn answered(status: Option<u16>) -> Answered {
    Answered {
        status,
        sent_ns: None,
    }
}

fn upload(passwords: &LoadPasswords, generation: u32) {
    let password = generate_password((7, u64::from(DEVICE), generation), 4, 14);
    let upload = CredentialUpload {
        device_name: "LOAD-000001".to_owned(),
        account_name: "Administrator".to_owned(),
        account_sid: "S-1-5-21-1-2-3-500".to_owned(),
        password_base64: Secret::new(password_to_base64(password.expose())),
        backup_date_time: UtcTicks::from_ticks(0),
        refresh_date_time: UtcTicks::from_ticks(0),
    };
    assert!(passwords.note(DEVICE, &serde_json::to_vec(&upload).unwrap()));
    passwords.taken(DEVICE);
}

#[test]
fn a_rotation_is_completed_when_it_was_accepted_and_a_new_password_is_there() {
    use Step::{Answer, Over, Upload};
    // What happens, whether the request is over then, and whether it failed.
    for (steps, over, failed) in [
        (&[Answer(Some(204)), Upload, Over][..], true, false),
        (&[Answer(Some(202)), Upload, Over], true, false),
        // The device may be faster than the answer.
        (&[Upload, Over, Answer(Some(204))], true, false),
        // No answer came, and the device rotated.
        (&[Answer(None), Upload, Over], true, false),
        (&[Answer(Some(503)), Over], true, true),
        (&[Answer(Some(503)), Upload, Over], true, true),
        (&[Upload, Over, Answer(Some(409))], true, true),
        // The Exec failed, or never came.
        (&[Answer(Some(204)), Over], true, true),
        // Told twice.
        (&[Over, Answer(Some(503)), Over], true, true),
        (&[Answer(Some(204)), Upload], false, true),
        (&[Upload, Over], false, true),
        (&[], false, true),
    ] {
        let (mut requests, passwords) = requests();
        upload(&passwords, 1);
        requests.begin((DEVICE, AttemptKind::Online), (10, 20));
        for (step, now_ns) in steps.iter().zip(100..) {
            match step {
                Answer(status) => requests.answered(DEVICE, answered(*status)),
                Upload => upload(&passwords, 2),
                Over => requests.over(DEVICE, now_ns),
            }
        }
        assert_eq!(requests.is_empty(), over, "{steps:?}");
        let measured = requests.finish(1_000);
        let timings = measured.of(Operation::Rotate).unwrap();
        let seen = (timings.count(), timings.failed());
        assert_eq!(seen, (1, u64::from(failed)), "{steps:?}");
        let books = Books {
            planned: 3,
            started: 1,
            not_started: 2,
            completed: u64::from(!failed),
            failed: u64::from(failed),
        };
        assert_eq!(measured.books[&Operation::Rotate], books, "{steps:?}");
    }
}

#[test]
fn a_request_that_must_come_to_nothing_is_not_timed() {
    for kind in [AttemptKind::Offline, AttemptKind::Unbacked] {
        let (mut requests, _passwords) = requests();
        requests.begin((DEVICE, kind), (10, 20));
        assert!(requests.is_open(DEVICE));
        requests.answered(DEVICE, answered(Some(204)));
        requests.over(DEVICE, 30);
        assert!(!requests.is_open(DEVICE));
        let measured = requests.finish(40);
        assert!(measured.of(Operation::Rotate).is_none());
        let books = measured.books[&Operation::Rotate];
        assert_eq!((books.started, books.not_started), (0, 3), "{kind:?}");
    }
}

#[test]
fn the_service_time_leaves_out_the_wait_for_a_connection() {
    const MS: u64 = 1_000_000;
    // When the request was sent, as far as an answer tells, and the times in milliseconds.
    for (sent_ms, service_ms) in [(Some(50), 150), (None, 190)] {
        let (mut requests, _passwords) = requests();
        requests.begin((DEVICE, AttemptKind::Online), (0, 10 * MS));
        let sent_ns = sent_ms.map(|ms| ms * MS);
        let status = Some(503);
        requests.answered(DEVICE, Answered { status, sent_ns });
        requests.over(DEVICE, 200 * MS);
        let measured = requests.finish(300 * MS);
        let timings = measured.of(Operation::Rotate).unwrap();
        let near = |us: u64, ms: u64| us.abs_diff(ms * 1_000) <= ms;
        assert!(near(timings.latency().max, 200), "{timings:?}");
        assert!(near(timings.service_time().max, service_ms), "{sent_ms:?}");
        assert!(near(timings.start_delay().max, 10), "{sent_ms:?}");
    }
}
