//! Enrolment: the order of calls, the context items, the poll table, and the ways to fail.

use emulator::{DeviceSpec, Endpoint, Event, Failure, OsBuild, Response};
use protocol::JoinType;
use protocol::enrollment::{Fault, FaultSubcode, Request, decode_request};
use protocol::time::UtcMillis;

use crate::rig::*;

fn fresh(join_type: JoinType) -> Rig {
    Rig::new(DeviceSpec::derive(
        SEED,
        3,
        "PC-",
        join_type,
        OsBuild::W11_24H2,
    ))
}

#[test]
fn enrolment_goes_from_discovery_over_policies_to_the_token() {
    for (join_type, domain) in [
        (JoinType::EntraJoined, false),
        (JoinType::EntraHybridJoined, true),
        (JoinType::DomainJoined, true),
    ] {
        let mut rig = fresh(join_type);
        rig.device.enroll(rig.now, grant());
        let discover = rig.answer_enrolment(&discover_response().encode());
        assert_eq!(discover.endpoint, Endpoint::Discovery);
        assert_eq!(discover.url, grant().discovery_url);
        let policies = rig.answer_enrolment(&policies_response().encode());
        assert_eq!(policies.endpoint, Endpoint::Policy);
        let key = rig.device.key_request().expect("a key request");
        assert_eq!(key.device_id, rig.device.device_id().to_string());
        assert_eq!(key.minimal_key_length, 256);
        assert!(
            rig.device.poll_transmit(rig.now).is_none(),
            "waits for the key"
        );
        rig.device.provide_request(rig.now, vec![4, 5, 6]);
        let token = rig.answer_enrolment(&token_response().encode());
        assert_eq!(token.endpoint, Endpoint::Enrollment);
        let Ok(Request::RequestSecurityToken(token)) = decode_request(&token.body) else {
            unreachable!("a request for a token");
        };
        assert_eq!(token.pkcs10_der, [4, 5, 6]);
        for name in [
            "OSEdition",
            "OSVersion",
            "DeviceName",
            "EnrollmentType",
            "DeviceType",
            "ApplicationVersion",
            "DeviceID",
            "HWDevID",
            "Locale",
            "MAC",
        ] {
            assert!(token.context_item(name).is_some(), "{name}");
        }
        assert_eq!(token.context_item("DeviceName"), Some("PC-000003"));
        assert_eq!(token.context_item("EnrollmentType"), Some("Full"));
        assert_eq!(token.context_item("HWDevID").map(str::len), Some(64));
        assert_eq!(
            token.context_item("DomainName").is_some(),
            domain,
            "{join_type}"
        );
        assert!(rig.device.is_enrolled());
        assert_eq!(
            rig.device.client_certificate_base64().map(str::len),
            Some(56)
        );
    }
}

#[test]
fn a_fault_ends_the_enrolment_whatever_the_http_status() {
    let fault = Fault {
        relates_to: None,
        subcode: FaultSubcode::Authentication,
        reason: "no such credential".to_owned(),
        error_type: None,
        trace_id: None,
    };
    for status in [200, 500] {
        let mut rig = fresh(JoinType::EntraJoined);
        rig.device.enroll(rig.now, grant());
        rig.answer_enrolment(&discover_response().encode());
        rig.device.poll_transmit(rig.now).expect("a request");
        rig.respond(status, &fault.encode());
        rig.take_events();
        assert_eq!(
            rig.events,
            [Event::EnrollmentFailed {
                subcode: Some(FaultSubcode::Authentication),
                status: Some(status),
                detail: "no such credential".to_owned(),
            }]
        );
        assert!(!rig.device.is_enrolled());
        assert!(rig.device.poll_transmit(rig.now).is_none());
    }
}

#[test]
fn other_failures_end_the_enrolment_and_it_can_be_begun_again() {
    let mut rig = fresh(JoinType::EntraJoined);
    for round in 0..4 {
        rig.device.enroll(rig.now, grant());
        rig.device.poll_transmit(rig.now).expect("a request");
        match round {
            0 => rig.respond(404, b""),
            1 => rig.respond(200, b"<html/>"),
            2 => rig.device.handle_failure(rig.now, Failure::Unknown),
            _ => rig.device.handle_failure(rig.now, Failure::NotSent),
        }
        rig.take_events();
        assert_eq!(rig.events.len(), round + 1);
    }
    rig.device.set_polling(false);
    rig.enroll();
}

#[test]
fn a_busy_server_is_asked_again_when_it_said() {
    let mut rig = fresh(JoinType::EntraJoined);
    rig.device.enroll(rig.now, grant());
    rig.device.poll_transmit(rig.now).expect("a request");
    let response = Response {
        status: 503,
        body: b"",
        retry_after_s: Some(7),
    };
    rig.device.handle_response(rig.now, response);
    assert!(rig.device.poll_transmit(rig.now).is_none());
    rig.now = rig.now.plus_millis(7_000);
    rig.device.handle_timeout(rig.now);
    let again = rig
        .device
        .poll_transmit(rig.now)
        .expect("the request again");
    assert_eq!(again.endpoint, Endpoint::Discovery);
}

#[test]
fn the_poll_table_of_the_answer_is_obeyed() {
    let mut rig = fresh(JoinType::EntraJoined);
    rig.enroll();
    let start = rig.now;
    let mut minutes = Vec::new();
    while minutes.len() < 8 {
        let at = rig.device.poll_timeout().expect("a timer");
        rig.now = rig.now.max(at);
        rig.device.handle_timeout(rig.now);
        if rig.device.session_open() {
            minutes.push(rig.now.millis_since(start) / 60_000);
            rig.serve(Vec::new());
        }
    }
    // The first session at once, then 2 times 3, 2 times 15, then every 480 minutes.
    assert_eq!(minutes, [0, 3, 6, 21, 36, 516, 996, 1476]);
}

#[test]
fn everything_about_a_device_follows_from_seed_and_index() {
    let derive = |seed, index| {
        DeviceSpec::derive(seed, index, "PC-", JoinType::EntraJoined, OsBuild::W10_22H2)
    };
    assert_eq!(derive(1, 2), derive(1, 2));
    assert_ne!(derive(1, 2).device_id, derive(1, 3).device_id);
    assert_ne!(derive(1, 2).device_id, derive(2, 2).device_id);
    let renamed = (0..1000).filter(|index| derive(5, *index).accounts[0].name != "Administrator");
    assert!((80..180).contains(&renamed.count()), "one in eight");
    for join_type in JoinType::ALL {
        let spec = DeviceSpec::derive(1, 1, "PC-", join_type, OsBuild::W10_22H2);
        assert_eq!(
            spec.entra_device_id.is_some(),
            join_type.has_directory_object()
        );
    }
    let id = derive(1, 2).device_id.to_string();
    assert!(
        id.len() == 32
            && id
                .chars()
                .all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
    );
}

#[test]
fn enrolling_again_starts_with_an_empty_tree_and_rotates_again() {
    let mut rig = Rig::enrolled(JoinType::EntraJoined, OsBuild::W11_24H2);
    rig.apply(&entra(10));
    assert_eq!(rig.uploads.len(), 1);
    rig.now = rig.now.plus_millis(UtcMillis::HOUR_MS);
    rig.enroll();
    assert_eq!(
        rig.device
            .csp_value("./Device/Vendor/MSFT/LAPS/Policies/BackupDirectory"),
        None
    );
    assert!(rig.device.managed_account().is_none());
    rig.apply(&entra(10));
    assert_eq!(rig.uploads.len(), 2);
}
