//! Contract 4.

use protocol::JoinType;
use protocol::directory::credential_path;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::World;

fn update_events(world: &mut World) -> usize {
    let url = "/auditLogs/directoryAudits";
    world.admin("auditor", "GET", url, &Value::Null)["value"]
        .as_array()
        .unwrap()
        .len()
}

#[test]
fn a_repeated_upload_is_stored_and_logged_once() {
    let mut world = World::new();
    let device = world.device("PC");
    let key = Uuid::from_u128(77).to_string();
    let body = device.upload_body(world.now);
    for _ in 0..3 {
        assert_eq!(device.put(&mut world, &key, &body), 204);
    }
    assert_eq!(update_events(&mut world), 1);
    let other = device.upload_body(world.now.plus_millis(1));
    assert_eq!(
        device.put(&mut world, &key, &other),
        409,
        "the same key, another body"
    );
    // Kept for the last 16 uploads, and looked at before the order of times.
    for _ in 0..15 {
        world.pass(1000);
        let mut fresh = device.upload_body(world.now);
        let key = world.now.as_millis().unsigned_abs();
        assert_eq!(
            device.put(&mut world, &Uuid::from_u128(key.into()).to_string(), &fresh),
            204
        );
        fresh.clear();
    }
    assert_eq!(device.put(&mut world, &key, &body), 204);
    world.pass(1000);
    let newest = device.upload_body(world.now);
    assert_eq!(
        device.put(&mut world, &Uuid::from_u128(5).to_string(), &newest),
        204
    );
    assert_eq!(
        device.put(&mut world, &key, &body),
        409,
        "forgotten, and older than the newest"
    );
    // Equal is not older.
    assert_eq!(
        device.put(&mut world, &Uuid::from_u128(6).to_string(), &newest),
        204
    );
}

#[test]
fn uploads_are_refused_by_identity_body_and_state() {
    let mut world = World::new();
    let device = world.device("PC");
    let other = world.device("Other");
    let registered = world.device_of("WP", JoinType::EntraRegistered, "10.0.26100.1");
    let key = Uuid::from_u128(1).to_string();
    let body = device.upload_body(world.now);
    let own = credential_path(device.entra.unwrap());
    let foreign = credential_path(other.entra.unwrap());
    let unknown = credential_path(Uuid::from_u128(9));
    for (case, path, key, body, status) in [
        (
            "another device",
            foreign.as_str(),
            key.as_str(),
            &body[..],
            403,
        ),
        ("an unknown device", &unknown, &key, &body, 403),
        ("no GUID", "/laps/v1/devices/x/credential", &key, &body, 403),
        ("unknown path", "/laps/v1/devices", &key, &body, 404),
        ("no key", &own, "", &body, 400),
        ("wrong key", &own, "1", &body, 400),
        ("no JSON", &own, &key, b"{", 400),
        ("a missing member", &own, &key, b"{}", 400),
    ] {
        assert_eq!(device.put_to(&mut world, path, key, body), status, "{case}");
    }
    let path = credential_path(registered.entra.unwrap());
    assert_eq!(
        registered.put_to(&mut world, &path, &key, &body),
        403,
        "registered"
    );
    assert_eq!(update_events(&mut world), 0);

    let switch = |on: bool| json!({"localAdminPassword": {"isEnabled": on}});
    let url = "/policies/deviceRegistrationPolicy";
    world.admin("policy-admin", "PUT", url, &switch(false));
    assert_eq!(
        device.put(&mut world, &key, &body),
        403,
        "the tenant's switch is off"
    );
    world.admin("policy-admin", "PUT", url, &switch(true));
    assert_eq!(device.put(&mut world, &key, &body), 204);

    let object = world.object(&device);
    world.admin(
        "device-admin",
        "DELETE",
        &format!("/devices/{object}"),
        &Value::Null,
    );
    assert_eq!(
        device.put(&mut world, &key, &body),
        404,
        "the directory device is gone"
    );
}
