//! The books: how many events a run of calls makes, with and without deliberate defects.

use protocol::JoinType;

use super::Bench;
use crate::fault::Fault;

/// Events of 300 rotations: 100 that are accepted, 100 offline, 100 without a backup.
fn events_of_300(mut bench: Bench) -> usize {
    let online = bench.backed_up("online", JoinType::EntraJoined, true);
    let offline = bench.backed_up("offline", JoinType::EntraJoined, false);
    let unbacked = bench.enroll("unbacked", JoinType::EntraJoined);
    bench.connect(unbacked, true);
    for _ in 0..100 {
        for device in [online, offline, unbacked] {
            assert_eq!(bench.rotate(device).status, 204);
        }
    }
    assert_eq!(bench.actions(online).len(), 100);
    bench.rotation_events().len()
}

#[test]
fn every_attempt_makes_one_event_whatever_its_end() {
    assert_eq!(events_of_300(Bench::new()), 300);
}

#[test]
fn each_audit_defect_loses_or_doubles_what_its_sentence_says() {
    for (fault, events) in [
        (Fault::AudNoneOnSuccess, 200),
        (Fault::AudNoneOnOffline, 200),
        (Fault::AudNoneOnUnbacked, 200),
        (Fault::AudLost, 297),
        (Fault::AudDuplicate, 303),
        (Fault::AudPhantom, 300),
    ] {
        assert_eq!(events_of_300(Bench::faulty(fault)), events, "{fault:?}");
    }
}
