//! Reading and writing SyncML messages of the sizes that a check-in has.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::syncml::{CheckIn, Limits, decode, encode};

/// Golden messages by the part they play in a check-in.
const MESSAGES: [(&str, &[u8]); 4] = [
    (
        "package-1",
        include_bytes!("../fixtures/wire/syncml/checkin-1-device.xml"),
    ),
    (
        "no-op-answer",
        include_bytes!("../fixtures/wire/syncml/checkin-1-core.xml"),
    ),
    (
        "policy-answer",
        include_bytes!("../fixtures/wire/syncml/policy-1-core.xml"),
    ),
    (
        "policy-status",
        include_bytes!("../fixtures/wire/syncml/policy-2-device.xml"),
    ),
];

fn codec(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("syncml");
    for (name, bytes) in MESSAGES {
        group.throughput(Throughput::Bytes(u64::try_from(bytes.len()).unwrap_or(0)));
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher
                .iter(|| decode(black_box(bytes), &limits).map(|message| message.commands.len()));
        });
        let Ok(message) = decode(bytes, &limits) else {
            continue;
        };
        let mut out = Vec::new();
        group.bench_function(format!("encode/{name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(black_box(&message), &mut out);
                out.len()
            });
        });
    }
    let (_, package_1) = MESSAGES[0];
    group.throughput(Throughput::Bytes(
        u64::try_from(package_1.len()).unwrap_or(0),
    ));
    group.bench_function("recognise/package-1", |bencher| {
        bencher.iter(|| CheckIn::read(black_box(package_1)).map(|check_in| check_in.source.len()));
    });
    let check_in = CheckIn::read(package_1);
    assert!(check_in.is_some(), "package-1 is not recognised");
    if let Some(check_in) = check_in {
        group.bench_function("accept/package-1", |bencher| {
            bencher.iter(|| {
                let mut out = Vec::new();
                black_box(&check_in).write_answer(&mut out);
                out
            });
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
