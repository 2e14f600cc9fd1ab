//! A check-in with nothing to do, device and core in one thread: the real bytes, no socket.

#![expect(
    clippy::unwrap_used,
    reason = "the world is shared with the tests and panics as they do"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use emulator::{OsBuild, SessionCause};
use protocol::JoinType;
use protocol::time::UtcMillis;

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/integration/world.rs"]
mod world;

use world::World;

fn check_in(criterion: &mut Criterion) {
    let mut world = World::new(1, UtcMillis::from_millis(1_772_000_000_000));
    let device = world.enroll(JoinType::EntraJoined, OsBuild::W11_24H2);
    one_session(&mut world, device);
    criterion.bench_function("check_in/no-op", |bencher| {
        bencher.iter(|| {
            // A session a minute: nothing of the device's own schedule falls due in between.
            world.now = world.now.plus_millis(1);
            one_session(&mut world, device);
            world.messages
        });
    });
    let asked = world.messages;
    assert!(asked > 2, "the device never spoke");
}

fn one_session(world: &mut World, index: usize) {
    let now = world.now;
    world.members[index]
        .device
        .start_session(now, SessionCause::Schedule);
    world.members[index].device.handle_timeout(now);
    world.settle(index);
}

criterion_group!(benches, check_in);
criterion_main!(benches);
