//! What the harness does beside carrying bytes: it judges an answer, keeps the books of operations,
//! and finds out whose turn it is.

#![expect(
    clippy::unwrap_used,
    reason = "the world is shared with the tests and panics as they do"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::fleet::timers::Timers;
use harness::ledger::{AuditSeen, Ledger, OpKind, Outcome};
use harness::model::{Http, Ids, Shape};
use protocol::syncml::{CONTENT_TYPE, Limits, decode};
use protocol::time::UtcTicks;
use uuid::Uuid;

mod settled;

use settled::{certificate, first_message, message, settled};

/// Operations in the books.
const OPERATIONS: u32 = 10_000;
/// Devices whose turns are kept, and how far apart those of one device are.
const DEVICES: u32 = 1_000_000;
const TURN_NS: u64 = 180_000_000_000;

/// A check-in without work: the answer by its shape, and what the whole way would decode.
fn verify(criterion: &mut Criterion) {
    let (mut world, index) = settled();
    let request = first_message(&mut world, index);
    let device_id = world.members[index].device.device_id().to_string();
    let certificate = certificate(&world, index);
    let now = world.now;
    let answer = world
        .core
        .try_check_in(now, &message(&certificate, &request));
    let body = answer.unwrap().body;
    let length = body.len().to_string();
    let http = Http {
        status: 200,
        content_type: Some(CONTENT_TYPE),
        content_length: Some(&length),
        body: &body,
    };
    let session = decode(&request, &Limits::default())
        .unwrap()
        .header
        .session_id
        .to_string();
    let ids = Ids {
        session: session.as_bytes(),
        device: device_id.as_bytes(),
    };
    let shape = Shape::of(http).unwrap();
    assert!(shape.fits(ids, http));
    criterion.bench_function("verify/by-shape", |bencher| {
        bencher.iter(|| black_box(&shape).fits(ids, black_box(http)));
    });
    criterion.bench_function("verify/decode-both", |bencher| {
        bencher.iter(|| {
            let request = decode(black_box(&request), &Limits::default()).unwrap();
            let answer = decode(black_box(&body), &Limits::default()).unwrap();
            (request.commands.len(), answer.commands.len())
        });
    });
}

/// The books of a rotation: opened, settled, and its event found in the log.
fn ledger(criterion: &mut Criterion) {
    let device = |number: u32| Uuid::from_u128(u128::from(number) << 64 | 0x4000);
    let enter = |ledger: &Ledger, number: u32| {
        let op = ledger.open(OpKind::Rotation, "rotate-operator", device(number));
        ledger.settle(op.id, Outcome::Status(204));
        ledger.observe(AuditSeen {
            kind: OpKind::Rotation,
            correlation: Some(op.client_request_id),
            actor: Some("rotate-operator@muster.test".to_owned()),
            target: device(number),
            at: UtcTicks::from_ticks(0),
            result: "Success".to_owned(),
        });
    };
    let ledger = Ledger::new(1);
    let mut number = 0;
    criterion.bench_function("ledger/rotation", |bencher| {
        bencher.iter(|| {
            number += 1;
            enter(&ledger, number % OPERATIONS);
        });
    });
    let full = Ledger::new(2);
    (0..OPERATIONS).for_each(|number| enter(&full, number));
    assert_eq!(full.balance().lost, 0);
    criterion.bench_function("ledger/balance-of-10000", |bencher| {
        bencher.iter(|| full.balance());
    });
}

/// The turn of one device in a million: taken, and set again for the next.
fn timers(criterion: &mut Criterion) {
    let mut timers = Timers::new(usize::try_from(DEVICES).unwrap());
    let step_ns = TURN_NS / u64::from(DEVICES);
    for device in 0..DEVICES {
        // Neighbours in time are no neighbours in memory.
        let place = u64::from(device.wrapping_mul(0x9E37_79B1) % DEVICES);
        timers.set(device, place * step_ns);
    }
    let mut now_ns = 0;
    let mut due = Vec::new();
    criterion.bench_function("timers/turn-of-a-million", |bencher| {
        bencher.iter(|| {
            now_ns += step_ns;
            due.clear();
            timers.take_due(now_ns, &mut due);
            for (due_ns, device) in &due {
                timers.set(*device, due_ns + TURN_NS);
            }
            due.len()
        });
    });
    assert_eq!(timers.len(), usize::try_from(DEVICES).unwrap());
}

criterion_group!(benches, verify, ledger, timers);
criterion_main!(benches);
