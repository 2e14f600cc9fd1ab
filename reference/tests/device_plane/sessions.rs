//! Contract 2: identity, order of messages, repeats, set-up, the ends of an enrolment.

use protocol::JoinType;
use protocol::syncml::{Alert, AlertCode, Command, Data, Item, Meta};
use protocol::time::UtcMillis;
use reference::{HttpRequest, PushAnswer, Step};

use crate::script::{Device, header_status, statuses};
use crate::world::World;

const SETUP: [&str; 4] = [
    "Add Push",
    "Add Push/PFN=Muster.Test_0000000000000",
    "Get Push/ChannelURI",
    "Get Push/Status",
];
const CHANNEL: [&str; 2] = ["Get Push/ChannelURI", "Get Push/Status"];
const NOTHING: [&str; 0] = [];

fn alert(code: AlertCode, event: Option<&'static str>) -> Command<'static> {
    let items = event.map(|event| Item {
        meta: Some(Meta {
            content_type: Some(event.into()),
            ..Meta::default()
        }),
        data: Some(Data::Text("1".into())),
        ..Item::default()
    });
    Command::Alert(Alert {
        cmd_id: Some("9".into()),
        code,
        items: items.into_iter().collect(),
    })
}

fn refused(world: &mut World, cases: &[(&str, HttpRequest<'_>, u16)]) {
    for (case, request, status) in cases {
        let response = world.serve(request);
        assert_eq!(response.status, *status, "{case}");
        assert!(response.body.is_empty(), "{case}");
    }
}

#[test]
fn requests_are_refused_in_the_order_of_the_contract() {
    let mut world = World::new();
    let device = world.device("PC");
    let body = device.package_1(1);
    let honest = device.http(&body);
    let identity = |header| HttpRequest {
        client_certificate: header,
        ..honest
    };
    refused(
        &mut world,
        &[
            (
                "no certificate",
                HttpRequest {
                    path: "/x",
                    ..identity(None)
                },
                401,
            ),
            ("no colons", identity(Some("aGk=")), 401),
            ("no base64", identity(Some(":%:")), 401),
            (
                "unknown path",
                HttpRequest {
                    path: "/x",
                    method: "GET",
                    ..honest
                },
                404,
            ),
            (
                "GET",
                HttpRequest {
                    method: "GET",
                    ..identity(Some(":aGk=:"))
                },
                405,
            ),
            (
                "foreign",
                HttpRequest {
                    content_type: None,
                    ..identity(Some(":aGk=:"))
                },
                403,
            ),
        ],
    );
    assert_eq!(world.serve(&honest).status, 200);
}

#[test]
fn bodies_that_are_no_session_message_are_refused() {
    let mut world = World::new();
    let device = world.device("PC");
    let body = device.package_1(1);
    let honest = device.http(&body);
    let large = vec![b' '; 512 * 1024 + 1];
    let text = String::from_utf8(body.clone()).unwrap();
    let wrong_proto = text.replace("DM/1.2", "DM/1.1");
    let doctype = format!("<!DOCTYPE SyncML>{text}");
    let wbxml = Some("application/vnd.syncml.dm+wbxml");
    let with = |body| HttpRequest { body, ..honest };
    refused(
        &mut world,
        &[
            (
                "WBXML",
                HttpRequest {
                    content_type: wbxml,
                    ..with(&large)
                },
                415,
            ),
            ("large", with(&large), 413),
            ("no XML", with(b"hello"), 400),
            ("no header", with(b"<SyncML><SyncBody/></SyncML>"), 400),
            ("VerProto", with(wrong_proto.as_bytes()), 400),
            ("DOCTYPE", with(doctype.as_bytes()), 400),
        ],
    );
}

#[test]
fn the_certificate_decides_who_the_device_is() {
    let mut world = World::new();
    let device = world.device("PC");
    let other = world.device("Other");
    let response = device.send(&mut world, &other.package_1(1));
    assert_eq!(header_status(&response.body), 403);
    world.pass(366 * UtcMillis::DAY_MS);
    assert_eq!(device.send(&mut world, &device.package_1(1)).status, 403);
}

#[test]
fn the_first_answer_acknowledges_package_1_and_sets_up_the_channel() {
    let mut world = World::new();
    let mut device = world.device("PC");
    let first = device.send(&mut world, &device.package_1(0));
    assert_eq!(
        statuses(&first.body),
        [
            "SyncHdr 0 200",
            "Alert 2 200",
            "Alert 3 200",
            "Replace 4 200"
        ]
    );
    // The set-up was not acknowledged: it is sent again, session 0 being legal as any other.
    assert_eq!(device.check_in(&mut world), SETUP);
    assert_eq!(device.check_in(&mut world), NOTHING);
}

#[test]
fn set_up_is_repeated_until_acknowledged_and_the_channel_read_again_when_due() {
    let mut world = World::new();
    let mut device = world.device("PC");
    device.codes.insert("Add Push", 500);
    assert_eq!(device.check_in(&mut world), SETUP);
    device.codes.insert("Add Push", 418);
    assert_eq!(device.check_in(&mut world), SETUP);
    assert_eq!(device.check_in(&mut world), NOTHING);

    world.pass(15 * UtcMillis::DAY_MS);
    device.channel_uri = Some("");
    assert_eq!(device.check_in(&mut world), CHANNEL);
    device.channel_uri = None;
    assert_eq!(device.check_in(&mut world), CHANNEL);
    assert_eq!(device.check_in(&mut world), NOTHING);

    world.gone.insert(device.channel());
    world.task(&device, "rotate-operator", "syncDevice");
    world.answer_pushes();
    assert_eq!(device.check_in(&mut world), CHANNEL);
    assert_eq!(device.check_in(&mut world), NOTHING);
}

#[test]
fn a_repeat_gets_the_same_bytes_and_changes_nothing() {
    let mut world = World::new();
    let mut device = world.device("PC");
    device.check_in(&mut world);
    let body = device.package_1(70);
    let first = device.send(&mut world, &body);
    world.pass(60_000);
    // The session is over, and the repeat is recognised all the same.
    assert_eq!(device.send(&mut world, &body).body, first.body);
    world.pass(1);
    // Later it is a new session with the same number.
    assert_eq!(device.send(&mut world, &body).status, 200);
    // After the end of the enrolment it is refused.
    world.admin(
        "device-admin",
        "DELETE",
        &format!("/deviceManagement/managedDevices/{}", device.managed),
        &serde_json::Value::Null,
    );
    assert_eq!(device.send(&mut world, &body).status, 403);
}

#[test]
fn a_gap_ends_the_session() {
    let mut world = World::new();
    let device = world.device("PC");
    let empty = |session, msg_id| device.message(session, msg_id, Vec::new());
    for (case, message) in [("no session", empty(5, 2)), ("message 0", empty(5, 0))] {
        let response = device.send(&mut world, &message);
        assert_eq!(header_status(&response.body), 400, "{case}");
    }
    device.send(&mut world, &device.package_1(5));
    assert_eq!(
        header_status(&device.send(&mut world, &empty(5, 3)).body),
        400
    );
    assert_eq!(
        header_status(&device.send(&mut world, &empty(5, 2)).body),
        400,
        "it is over"
    );
}

#[test]
fn a_message_without_final_gets_status_only() {
    let mut world = World::new();
    let device = world.device("PC");
    let part = device.message_of(3, 1, vec![alert(AlertCode::CLIENT_INITIATED, None)], false);
    let response = device.send(&mut world, &part);
    assert_eq!(statuses(&response.body), ["SyncHdr 0 200", "Alert 9 200"]);
    assert!(!String::from_utf8_lossy(&response.body).contains("Push"));
    let rest = device.message(3, 2, vec![alert(AlertCode::NEXT_MESSAGE, None)]);
    let response = device.send(&mut world, &rest);
    assert!(String::from_utf8_lossy(&response.body).contains("Push/PFN"));
    // 1223 ends the session.
    let abort = device.message(3, 3, vec![alert(AlertCode::SESSION_ABORT, None)]);
    let response = device.send(&mut world, &abort);
    assert_eq!(statuses(&response.body), ["SyncHdr 0 200", "Alert 9 200"]);
    assert_eq!(
        header_status(&device.send(&mut world, &device.message(3, 4, vec![])).body),
        400
    );
}

#[test]
fn retire_wipe_delete_and_unenrolment_end_the_enrolment() {
    for (end, exec) in [
        ("retire", Some("Exec Unenroll=muster")),
        ("wipe", Some("Exec doWipe")),
        ("delete", None),
        ("unenrol", None),
    ] {
        let mut world = World::new();
        let mut device = world.backed_up("PC", JoinType::EntraHybridJoined);
        world.connected.clear();
        world.rotate(&device);
        assert_eq!(world.actions(&device), ["pending"]);
        match end {
            "delete" => {
                let url = format!("/deviceManagement/managedDevices/{}", device.managed);
                world.admin("device-admin", "DELETE", &url, &serde_json::Value::Null);
            }
            "unenrol" => {
                let event = "com.microsoft:mdm.unenrollment.userrequest";
                let body = device.message(90, 1, vec![alert(AlertCode::GENERIC, Some(event))]);
                let response = device.send(&mut world, &body);
                assert_eq!(statuses(&response.body), ["SyncHdr 0 200", "Alert 9 200"]);
            }
            task => {
                world.task(&device, "device-admin", task);
                world.rotate(&device);
                assert_eq!(world.actions(&device), ["canceled", "pending", "canceled"]);
                let exec = exec.unwrap();
                // Unacknowledged, it is sent again.
                assert_eq!(device.check_in_until(&mut world, 1), [exec]);
                assert_eq!(device.check_in(&mut world), [exec]);
            }
        }
        assert_eq!(
            device.send(&mut world, &device.package_1(99)).status,
            403,
            "{end}"
        );
        assert_eq!(device.upload(&mut world), 403, "{end}");
    }
}

#[test]
fn package_1_waits_for_the_push_of_a_rotation() {
    let mut world = World::new();
    let device = world.backed_up("PC", JoinType::EntraJoined);
    let url = format!(
        "/v1.0/deviceManagement/managedDevices/{}/rotateLocalAdminPassword",
        device.managed
    );
    let token = format!("Bearer {}", world.core.tokens()["rotate-operator"]);
    let rotate = HttpRequest {
        path: &url,
        authorization: Some(&token),
        ..crate::world::request(reference::Plane::Admin)
    };
    let Step::Await { push, ticket: call } = world.core.handle(world.now, &rotate) else {
        panic!("the call waits");
    };
    let body = device.package_1(50);
    let Step::Await {
        push: held_for,
        ticket: held,
    } = world.core.handle(world.now, &device.http(&body))
    else {
        panic!("package 1 waits");
    };
    assert_eq!(push, held_for);
    assert_eq!(
        world.core.poll_push(world.now).map(|sent| sent.id),
        Some(push)
    );
    world
        .core
        .handle_push_answer(world.now, push, PushAnswer::Connected);
    let Step::Done(answer) = world.core.resume(world.now, held) else {
        panic!("it waits no more");
    };
    assert!(String::from_utf8_lossy(&answer.body).contains("Actions/ResetPassword"));
    let Step::Done(answer) = world.core.resume(world.now, call) else {
        panic!("it waits no more");
    };
    assert_eq!(answer.status, 204);
}

#[test]
fn a_new_message_1_ends_an_unfinished_session() {
    let mut world = World::new();
    let mut device: Device = world.device("PC");
    assert_eq!(device.check_in_until(&mut world, 1), SETUP);
    let late = device.message(device.session, 2, Vec::new());
    assert_eq!(device.check_in(&mut world), SETUP);
    assert_eq!(header_status(&device.send(&mut world, &late).body), 400);
}
