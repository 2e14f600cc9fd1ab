//! A world with one device that has nothing to do any more, and its check-ins as the core gets them.

use emulator::{OsBuild, SessionCause};
use protocol::JoinType;
use protocol::time::UtcMillis;
use reference::{HttpRequest, Plane};

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/integration/world.rs"]
mod world;

pub(crate) use world::World;

/// The world, and the number of the device in it.
pub(crate) fn settled() -> (World, usize) {
    let mut world = World::new(1, UtcMillis::from_millis(1_772_000_000_000));
    let device = world.enroll(JoinType::EntraJoined, OsBuild::W11_24H2);
    one_session(&mut world, device);
    one_session(&mut world, device);
    (world, device)
}

/// A session of the device, to its end.
pub(crate) fn one_session(world: &mut World, index: usize) {
    let now = world.now;
    world.members[index]
        .device
        .start_session(now, SessionCause::Schedule);
    world.members[index].device.handle_timeout(now);
    world.settle(index);
}

/// The first message of a session of the device, which is not sent.
pub(crate) fn first_message(world: &mut World, index: usize) -> Vec<u8> {
    let now = world.now;
    let device = &mut world.members[index].device;
    device.start_session(now, SessionCause::Schedule);
    device.poll_transmit(now).unwrap().body
}

/// The value of `Client-Cert` of the device.
pub(crate) fn certificate(world: &World, index: usize) -> String {
    let certificate = world.members[index].device.client_certificate_base64();
    format!(":{}:", certificate.unwrap())
}

/// A message of a device with this `Client-Cert` as the core gets it.
pub(crate) const fn message<'a>(certificate: &'a str, body: &'a [u8]) -> HttpRequest<'a> {
    HttpRequest {
        plane: Plane::Manage,
        method: "POST",
        path: "/ManagementServer/MDM.svc",
        query: Some("mode=Maintenance&Platform=WoA"),
        authorization: None,
        client_certificate: Some(certificate),
        content_type: Some(protocol::syncml::CONTENT_TYPE),
        client_request_id: None,
        idempotency_key: None,
        body,
    }
}
