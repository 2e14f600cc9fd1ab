use super::*;

/// Devices of ours, and one that is not.
const OURS: [Uuid; 3] = [
    Uuid::from_u128(0xd1),
    Uuid::from_u128(0xd2),
    Uuid::from_u128(0xd3),
];
const STRANGER: Uuid = Uuid::from_u128(0xee);

/// An event of the log, in terms of the operations of the table row.
#[derive(Clone, Copy, Debug)]
enum Logged {
    /// As the operation with this index did it.
    Of(usize),
    /// With the id of the operation with this index, but of another device of ours.
    WrongDevice(usize),
    /// With the id of the operation with this index, but by another actor.
    WrongActor(usize),
    /// With the id of the operation with this index, but of the other kind.
    WrongKind(usize),
    /// Without an id, of the device with this index.
    NoId(usize),
    /// With an id that is not ours, of the device with this index.
    ForeignId(usize),
    /// Of a device that is not ours.
    Stranger,
}

/// lost, duplicated, phantom, misattributed, foreign.
type Differences = [u64; 5];

/// Operation `n` of a row goes to device `n % 3`.
fn books(outcomes: &[Outcome], log: &[Logged]) -> (Ledger, Vec<Op>, Books) {
    let ledger = Ledger::new(42);
    for target in OURS {
        ledger.own(target);
    }
    let ops: Vec<Op> = outcomes
        .iter()
        .enumerate()
        .map(|(n, outcome)| {
            let op = ledger.open(OpKind::Rotation, "rotate-operator", OURS[n % 3]);
            ledger.settle(op.id, *outcome);
            op
        })
        .collect();
    for logged in log {
        ledger.observe(event(*logged, &ops));
    }
    let books = ledger.balance();
    (ledger, ops, books)
}

fn event(logged: Logged, ops: &[Op]) -> AuditSeen {
    let id = |n: usize| Some(ops[n].client_request_id);
    let (correlation, target, actor, kind) = match logged {
        Logged::Of(n) => (
            id(n),
            OURS[n % 3],
            "rotate-operator@muster.test",
            OpKind::Rotation,
        ),
        Logged::WrongDevice(n) => (
            id(n),
            OURS[(n + 1) % 3],
            "rotate-operator",
            OpKind::Rotation,
        ),
        Logged::WrongActor(n) => (id(n), OURS[n % 3], "auditor@muster.test", OpKind::Rotation),
        Logged::WrongKind(n) => (id(n), OURS[n % 3], "rotate-operator", OpKind::Recover),
        Logged::NoId(n) => (None, OURS[n % 3], "rotate-operator", OpKind::Rotation),
        Logged::ForeignId(n) => (
            Some(Uuid::from_u128(0xbad)),
            OURS[n % 3],
            "rotate-operator",
            OpKind::Rotation,
        ),
        Logged::Stranger => (None, STRANGER, "somebody", OpKind::Rotation),
    };
    AuditSeen {
        kind,
        correlation,
        actor: Some(actor.to_owned()),
        target,
        at: UtcTicks::from_ticks(0),
        result: "Success".to_owned(),
    }
}

fn differences(books: &Books) -> Differences {
    [
        books.lost,
        books.duplicated,
        books.phantom,
        books.misattributed,
        books.foreign,
    ]
}

#[test]
fn each_outcome_fixes_how_many_rotation_events_are_right() {
    use Outcome::{NotSent, Status, Unknown};
    for (outcome, low, high, unknown) in [
        (NotSent, 0, 0, 0),
        (Status(204), 1, 1, 0),
        (Status(202), 1, 1, 0),
        (Status(400), 1, 1, 0),
        (Status(409), 1, 1, 0),
        (Status(401), 0, 1, 0),
        (Status(403), 0, 1, 0),
        (Status(404), 0, 1, 0),
        (Status(429), 0, 1, 0),
        (Status(302), 0, 1, 1),
        (Status(500), 0, 1, 1),
        (Status(503), 0, 1, 1),
        (Unknown, 0, 1, 1),
    ] {
        let (_, _, books) = books(&[outcome], &[]);
        let figures = (
            books.expected_low,
            books.expected_high,
            books.unknown_outcomes,
        );
        assert_eq!(figures, (low, high, unknown), "{outcome:?}");
        assert_eq!(books.lost, low, "{outcome:?}");
    }
}

#[test]
fn a_refused_password_read_may_leave_no_event() {
    for (status, low, high) in [
        (200, 1, 1),
        (403, 0, 0),
        (404, 0, 0),
        (429, 0, 1),
        (500, 0, 1),
    ] {
        let ledger = Ledger::new(1);
        let op = ledger.open(OpKind::Recover, "password-reader", OURS[0]);
        ledger.settle(op.id, Outcome::Status(status));
        let books = ledger.balance_of(OpKind::Recover);
        assert_eq!(
            (books.expected_low, books.expected_high),
            (low, high),
            "{status}"
        );
        assert_eq!(ledger.balance_of(OpKind::Rotation).operations, 0);
    }
}

#[test]
fn an_operation_that_was_never_settled_is_unknown() {
    let ledger = Ledger::new(1);
    let _op = ledger.open(OpKind::Rotation, "rotate-operator", OURS[0]);
    let books = ledger.balance();
    assert_eq!(
        (
            books.expected_low,
            books.expected_high,
            books.unknown_outcomes
        ),
        (0, 1, 1)
    );
    assert!(books.undetermined());
}

#[test]
fn events_are_held_against_operations_one_by_one() {
    use Logged::{ForeignId, NoId, Of, Stranger, WrongActor, WrongDevice, WrongKind};
    const OK: Outcome = Outcome::Status(204);
    const MAYBE: Outcome = Outcome::Unknown;
    const UNSENT: Outcome = Outcome::NotSent;
    let table: &[(&[Outcome], &[Logged], Differences)] = &[
        (&[], &[], [0, 0, 0, 0, 0]),
        (&[OK, OK], &[Of(1), Of(0)], [0, 0, 0, 0, 0]),
        (&[OK, OK], &[Of(0)], [1, 0, 0, 0, 0]),
        (&[OK], &[Of(0), Of(0), Of(0)], [0, 2, 0, 0, 0]),
        // A loss and a duplicate do not cancel, on two devices or on one.
        (&[OK, OK], &[Of(0), Of(0)], [1, 1, 0, 0, 0]),
        (
            &[OK, OK, OK, OK],
            &[Of(0), Of(0), Of(1), Of(2)],
            [1, 1, 0, 0, 0],
        ),
        (&[MAYBE], &[], [0, 0, 0, 0, 0]),
        (&[MAYBE], &[Of(0)], [0, 0, 0, 0, 0]),
        (&[MAYBE], &[Of(0), Of(0)], [0, 1, 0, 0, 0]),
        (&[UNSENT], &[], [0, 0, 0, 0, 0]),
        (&[UNSENT], &[Of(0)], [0, 1, 0, 0, 0]),
        // A device of ours without an operation that explains the event.
        (&[OK], &[Of(0), NoId(0)], [0, 0, 1, 0, 0]),
        (&[OK], &[Of(0), NoId(2)], [0, 0, 1, 0, 0]),
        (&[OK], &[Of(0), ForeignId(1)], [0, 0, 1, 0, 0]),
        // An event that is not what its operation did leaves the operation without one.
        (&[OK], &[WrongDevice(0)], [1, 0, 1, 1, 0]),
        (&[OK], &[WrongActor(0)], [1, 0, 1, 1, 0]),
        (&[OK], &[WrongKind(0)], [1, 0, 1, 1, 0]),
        (&[OK], &[Of(0), WrongActor(0)], [0, 0, 1, 1, 0]),
        // Others use the target, too.
        (&[OK], &[Of(0), Stranger, Stranger], [0, 0, 0, 0, 2]),
    ];
    for (outcomes, log, expected) in table {
        let (_, _, books) = books(outcomes, log);
        let row = format!("{outcomes:?} {log:?}");
        assert_eq!(differences(&books), *expected, "{row}");
        assert_eq!(books.tier, Tier::ById, "{row}");
        assert_eq!(books.balance(), expected[..3] == [0, 0, 0], "{row}");
        let strangers = u64::try_from(log.len()).unwrap() - books.foreign;
        assert_eq!(books.seen, strangers, "{row}");
        assert_eq!(books.discrepancies.is_empty(), books.balance(), "{row}");
    }
}

#[test]
fn a_log_without_ids_is_judged_by_device() {
    use Logged::{ForeignId, NoId};
    const OK: Outcome = Outcome::Status(204);
    let table: &[(&[Outcome], &[Logged], Differences)] = &[
        (&[OK, OK], &[NoId(0), NoId(1)], [0, 0, 0, 0, 0]),
        (&[OK, OK], &[ForeignId(0), NoId(1)], [0, 0, 0, 0, 0]),
        (&[OK, OK], &[NoId(0)], [1, 0, 0, 0, 0]),
        (&[OK, OK], &[NoId(0), NoId(0)], [1, 1, 0, 0, 0]),
        (&[OK, OK], &[NoId(0), NoId(1), NoId(2)], [0, 0, 1, 0, 0]),
        (
            &[OK, OK, OK, Outcome::Unknown],
            &[NoId(0), NoId(1), NoId(2), NoId(0)],
            [0, 0, 0, 0, 0],
        ),
    ];
    for (outcomes, log, expected) in table {
        let (ledger, ops, books) = books(outcomes, log);
        let row = format!("{outcomes:?} {log:?}");
        assert_eq!(differences(&books), *expected, "{row}");
        assert_eq!(books.tier, Tier::ByDevice, "{row}");
        let view = ledger.op(ops[0].id).unwrap();
        assert_eq!(view.tier, Tier::ByDevice, "{row}");
    }
}

#[test]
fn many_duplicates_are_counted_exactly() {
    let log = vec![Logged::Of(0); 1_000];
    let (ledger, ops, books) = books(&[Outcome::Status(204), Outcome::Status(204)], &log);
    assert_eq!(differences(&books), [1, 999, 0, 0, 0]);
    assert!(!ledger.op(ops[0].id).unwrap().balances());
    assert_eq!(books.seen, 1_000);
}

#[test]
fn one_dropped_event_in_a_hundred_is_found() {
    let outcomes = vec![Outcome::Status(204); 300];
    let log: Vec<Logged> = (0..300).filter(|n| n % 100 != 7).map(Logged::Of).collect();
    let (ledger, ops, books) = books(&outcomes, &log);
    assert_eq!(differences(&books), [3, 0, 0, 0, 0]);
    let unbalanced: Vec<usize> = (0..300)
        .filter(|n| !ledger.op(ops[*n].id).unwrap().balances())
        .collect();
    assert_eq!(unbalanced, [7, 107, 207]);
}

#[test]
fn a_second_reading_replaces_the_first() {
    let (ledger, ops, first) = books(&[Outcome::Status(204)], &[Logged::Of(0), Logged::Stranger]);
    assert!(first.balance());
    ledger.clear_observations();
    assert_eq!(differences(&ledger.balance()), [1, 0, 0, 0, 0]);
    assert!(!ledger.all_seen(&[ops[0].id]));
    for logged in [Logged::Of(0), Logged::Stranger] {
        ledger.observe(event(logged, &ops));
    }
    assert_eq!(ledger.balance(), first);
    assert!(ledger.all_seen(&[ops[0].id]));
}

#[test]
fn an_id_that_was_not_given_out_yet_is_not_ours() {
    let ledger = Ledger::new(9);
    let twin = Ledger::new(9);
    let _first = twin.open(OpKind::Rotation, "rotate-operator", OURS[0]);
    let op = ledger.open(OpKind::Rotation, "rotate-operator", OURS[0]);
    ledger.settle(op.id, Outcome::Status(204));
    let beyond = twin.open(OpKind::Rotation, "rotate-operator", OURS[0]);
    ledger.observe(event(Logged::Of(0), &[op]));
    ledger.observe(event(Logged::Of(0), &[beyond]));
    assert_eq!(differences(&ledger.balance()), [0, 0, 1, 0, 0]);
}

#[test]
fn more_than_one_in_a_hundred_unknown_outcomes_say_nothing() {
    for (unknown, undetermined) in [(0, false), (1, false), (2, true)] {
        let mut outcomes = vec![Outcome::Status(204); 100];
        outcomes[..unknown].fill(Outcome::Unknown);
        let (_, _, books) = books(&outcomes, &[]);
        assert_eq!(books.undetermined(), undetermined, "{unknown} of 100");
    }
}

#[test]
fn a_discrepancy_names_what_is_needed_to_look_it_up() {
    let (_, ops, books) = books(&[Outcome::Status(204)], &[Logged::WrongDevice(0)]);
    let id = ops[0].client_request_id;
    let texts: Vec<String> = books
        .discrepancies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        texts,
        [
            format!(
                "rotation of device {} with client-request-id {id}: 0 events, 1 to 1 expected",
                OURS[0]
            ),
            format!(
                "rotation event at 1970-01-01T00:00:00Z for device {} by rotate-operator with correlationId {id}, result Success: no such operation",
                OURS[1]
            ),
        ]
    );
}
