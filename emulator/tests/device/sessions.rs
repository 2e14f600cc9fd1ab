//! Sessions: the first message, the answers, the end, the digest, pushes, and unenrolment.

use std::borrow::Cow;

use emulator::{
    Connectivity, ConnectivitySchedule, DeviceSpec, Event, Failure, LoginStatus, OfflineWindow,
    OsBuild, Response, SessionCause, SessionOutcome, UnenrollCause,
};
use protocol::JoinType;
use protocol::laps_csp::RESET_PASSWORD;
use protocol::syncml::{
    Alert, AlertCode, Chal, Command, Meta, Request, Status, StatusCode, Verb, digest_md5,
};
use protocol::time::UtcMillis;

use crate::rig::*;

fn rig() -> Rig {
    Rig::enrolled(JoinType::EntraJoined, OsBuild::W11_24H2)
}

fn ended(rig: &Rig) -> Vec<SessionOutcome> {
    let mut outcomes = Vec::new();
    for event in &rig.events {
        if let Event::SessionEnded {
            outcome, complete, ..
        } = event
        {
            assert_eq!(*complete, *outcome == SessionOutcome::Complete);
            outcomes.push(*outcome);
        }
    }
    outcomes
}

fn alert(id: &str, code: AlertCode) -> Command<'static> {
    Command::Alert(Alert {
        cmd_id: Some(Cow::Owned(id.to_owned())),
        code,
        items: Vec::new(),
    })
}

#[test]
fn the_first_message_has_the_shape_of_a_real_client() {
    let mut rig = rig();
    rig.device.set_login_status(LoginStatus::None);
    rig.device.start_session(rig.now, SessionCause::User);
    let request = rig.device.poll_transmit(rig.now).expect("a message");
    assert_eq!(
        request.url,
        format!("{MANAGEMENT_URL}?mode=Maintenance&Platform=WoA")
    );
    assert_eq!(request.content_type, "application/vnd.syncml.dm+xml");
    let text = String::from_utf8(request.body).expect("text");
    let id = rig.device.device_id();
    let start = text.find("<SyncBody>").expect("a body");
    let body = format!(
        "<SyncBody><Alert><CmdID>2</CmdID><Data>1201</Data></Alert>\
         <Alert><CmdID>3</CmdID><Data>1224</Data><Item><Meta>\
         <Type xmlns=\"syncml:metinf\">com.microsoft/MDM/LoginStatus</Type></Meta>\
         <Data>none</Data></Item></Alert>\
         <Replace><CmdID>4</CmdID>\
         <Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Data>{id}</Data></Item>\
         <Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>Muster</Data></Item>\
         <Item><Source><LocURI>./DevInfo/Mod</LocURI></Source><Data>Emulated Desktop</Data></Item>\
         <Item><Source><LocURI>./DevInfo/DmV</LocURI></Source><Data>1.3</Data></Item>\
         <Item><Source><LocURI>./DevInfo/Lang</LocURI></Source><Data>en-US</Data></Item>\
         </Replace><Final/></SyncBody></SyncML>"
    );
    assert_eq!(&text[start..], body);
    let header = &text[..start];
    assert!(header.contains("<MsgID>1</MsgID>"), "{header}");
    let target = format!("<Target><LocURI>{MANAGEMENT_URL}</LocURI></Target>");
    assert!(
        header.contains(&target) && !header.contains("Meta"),
        "{header}"
    );
}

#[test]
fn session_ids_differ_and_some_devices_begin_with_zero() {
    let mut rig = rig();
    let first = rig.session(Vec::new()).remove(0).header.session_id;
    let second = rig.session(Vec::new()).remove(0).header.session_id;
    assert_ne!(first, second);
    let zero = (0..200).any(|index| {
        let spec = DeviceSpec::derive(9, index, "PC-", JoinType::NotJoined, OsBuild::W11_24H2);
        let mut rig = Rig::of(spec);
        rig.session(Vec::new()).remove(0).header.session_id == "0"
    });
    assert!(zero);
}

#[test]
fn a_message_without_commands_ends_the_session_in_silence() {
    let mut rig = rig();
    let ok = |cmd_ref: &'static str, cmd: &'static str| {
        let (id, code) = (Cow::Borrowed("9"), StatusCode::OK);
        Command::Status(Status::new(id, 1, Cow::Borrowed(cmd_ref), cmd, code))
    };
    let statuses = vec![ok("2", "Alert"), ok("3", "Alert"), ok("4", "Replace")];
    for turn in [
        Turn::Say(Vec::new()),
        Turn::Say(statuses),
        Turn::Http(200, Vec::new()),
    ] {
        assert_eq!(rig.session(vec![turn]).len(), 1);
        assert!(!rig.device.session_open());
    }
    assert_eq!(ended(&rig), [SessionOutcome::Complete; 3]);
}

#[test]
fn answers_that_are_no_message_end_the_session_with_an_event() {
    let fault = b"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"/>".to_vec();
    for (turn, outcome) in [
        (Turn::Http(200, fault), SessionOutcome::NotSyncml),
        (
            Turn::Http(200, b"\xff\xfe".to_vec()),
            SessionOutcome::NotSyncml,
        ),
        (
            Turn::Http(403, Vec::new()),
            SessionOutcome::Http {
                status: 403,
                retry_after_s: None,
            },
        ),
    ] {
        let mut rig = rig();
        assert_eq!(rig.session(vec![turn]).len(), 1);
        assert_eq!(ended(&rig), [outcome]);
        assert!(rig.device.is_enrolled());
    }
}

#[test]
fn statuses_stand_in_the_order_of_the_commands_and_echo_their_ids() {
    let mut rig = rig();
    let answer = rig.tell(vec![
        request("a-7", Verb::Get, "./DevInfo/Man"),
        request("0b", Verb::Get, "./DevInfo/Nothing"),
        alert("x", AlertCode::CLIENT_EVENT),
    ]);
    assert_eq!(answer.header.msg_id, 2);
    assert!(answer.is_final);
    let expected = [("0", 200), ("a-7", 200), ("0b", 404), ("x", 200)];
    assert_eq!(
        codes(&answer),
        expected.map(|(id, code)| (id.to_owned(), code))
    );
    let ids: Vec<&str> = answer
        .commands
        .iter()
        .filter_map(|it| it.cmd_id())
        .collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    assert_eq!(
        values(&answer),
        [("./DevInfo/Man".to_owned(), "Muster".to_owned())]
    );
}

#[test]
fn a_command_without_id_and_an_unknown_one_are_answered_with_400() {
    let mut rig = rig();
    let nameless = Command::Request(Request {
        verb: Verb::Get,
        cmd_id: None,
        meta: None,
        items: vec![protocol::syncml::Item::target("./DevInfo/Man")],
    });
    let answer = rig.tell(vec![nameless]);
    assert_eq!(codes(&answer)[1], (String::new(), 400));
    assert!(values(&answer).is_empty());

    // Our own writer writes no unknown element, so this message is bytes.
    let unknown = |to: &protocol::syncml::Message<'_>| {
        let sample = server_message(to, vec![request("5", Verb::Get, "./DevInfo")], true);
        String::from_utf8(sample)
            .expect("text")
            .replace("Get>", "Fetch>")
            .into_bytes()
    };
    rig.device.start_session(rig.now, SessionCause::User);
    let first = decoded(rig.device.poll_transmit(rig.now).expect("a message").body);
    rig.respond(200, &unknown(&first));
    let second = decoded(rig.device.poll_transmit(rig.now).expect("an answer").body);
    assert_eq!(codes(&second)[1], ("5".to_owned(), 400));
}

#[test]
fn one_status_an_item_with_its_target_when_items_differ() {
    let mut rig = rig();
    let get = |targets: [&'static str; 2]| {
        Command::Request(Request {
            verb: Verb::Get,
            cmd_id: Some(Cow::Borrowed("5")),
            meta: None,
            items: targets.map(protocol::syncml::Item::target).to_vec(),
        })
    };
    let equal = rig.tell(vec![get(["./DevInfo/Man", "./DevInfo/Mod"])]);
    assert_eq!(codes(&equal).len(), 2);
    assert_eq!(values(&equal).len(), 2);
    let mixed = rig.tell(vec![get(["./DevInfo/Man", "./DevInfo/Nix"])]);
    let refs: Vec<(&str, u32)> = statuses(&mixed)
        .skip(1)
        .map(|status| (&*status.target_refs[0], status.code.0))
        .collect();
    assert_eq!(refs, [("./DevInfo/Man", 200), ("./DevInfo/Nix", 404)]);
    assert_eq!(values(&mixed).len(), 1);
}

#[test]
fn a_package_in_parts_is_asked_for_with_alert_1222() {
    let mut rig = rig();
    let messages = rig.session(vec![
        Turn::SayMore(vec![request("5", Verb::Get, "./DevInfo/Man")]),
        Turn::SayMore(Vec::new()),
        Turn::Say(Vec::new()),
    ]);
    assert_eq!(messages.len(), 3);
    for message in &messages[1..] {
        let Some(Command::Alert(last)) = message.commands.last() else {
            unreachable!("an alert at the end: {message:?}");
        };
        assert_eq!(last.code, AlertCode::NEXT_MESSAGE);
    }
    assert_eq!(ended(&rig), [SessionOutcome::Complete]);
}

#[test]
fn an_abort_and_a_refused_header_end_the_session() {
    let mut rig = rig();
    rig.session(vec![Turn::Say(vec![
        request("5", Verb::Get, "./DevInfo/Man"),
        alert("6", AlertCode::SESSION_ABORT),
    ])]);
    rig.device.start_session(rig.now, SessionCause::User);
    let first = decoded(rig.device.poll_transmit(rig.now).expect("a message").body);
    rig.respond(
        200,
        &raw_message(&first, vec![header_status(403, None)], true),
    );
    rig.take_events();
    let refused = SessionOutcome::Refused(StatusCode::FORBIDDEN);
    assert_eq!(ended(&rig), [SessionOutcome::Aborted, refused]);
}

fn header_status(code: u32, nonce: Option<&'static str>) -> Command<'static> {
    let (id, header) = (Cow::Borrowed("1"), Cow::Borrowed("0"));
    let mut status = Status::new(id, 1, header, "SyncHdr", StatusCode(code));
    status.chal = nonce.map(|nonce| Chal {
        meta: Meta {
            format: Some(Cow::Borrowed("b64")),
            content_type: Some(Cow::Borrowed("syncml:auth-md5")),
            next_nonce: Some(Cow::Borrowed(nonce)),
            ..Meta::default()
        },
    });
    Command::Status(status)
}

#[test]
fn a_challenge_is_met_once_with_the_digest_of_the_account() {
    for code in [407, 401] {
        let mut rig = rig();
        rig.device.start_session(rig.now, SessionCause::User);
        let first = decoded(rig.device.poll_transmit(rig.now).expect("a message").body);
        assert_eq!(first.header.cred, None);
        rig.respond(
            200,
            &raw_message(&first, vec![header_status(code, Some("bm9uY2U="))], true),
        );
        let second = decoded(rig.device.poll_transmit(rig.now).expect("the repeat").body);
        assert_eq!(second.header.msg_id, 2);
        assert_eq!(second.header.session_id, first.header.session_id);
        assert_eq!(second.header.source_name.as_deref(), Some("device-account"));
        let cred = second.header.cred.as_ref().expect("a credential");
        assert_eq!(
            cred.data,
            digest_md5("device-account", "shared secret", b"nonce")
        );
        let names: Vec<&str> = second.commands.iter().map(Command::name).collect();
        assert_eq!(names, ["Status", "Alert", "Alert", "Replace"]);
        let ids: Vec<&str> = second.commands.iter().filter_map(Command::cmd_id).collect();
        assert_eq!(ids, ["1", "2", "3", "4"]);
        // Refused again: no second try.
        rig.respond(
            200,
            &raw_message(&second, vec![header_status(401, Some("eA=="))], true),
        );
        rig.take_events();
        let refused = SessionOutcome::Refused(StatusCode::UNAUTHORIZED);
        assert_eq!(ended(&rig), [refused]);
    }
}

#[test]
fn after_212_no_credential_is_sent_and_after_200_one_with_the_next_nonce() {
    for (accepted, nonce) in [(212, None), (200, Some(&b"fresh"[..]))] {
        let mut rig = rig();
        rig.device.start_session(rig.now, SessionCause::User);
        let first = decoded(rig.device.poll_transmit(rig.now).expect("a message").body);
        rig.respond(
            200,
            &raw_message(&first, vec![header_status(407, Some("bm9uY2U="))], true),
        );
        let second = decoded(rig.device.poll_transmit(rig.now).expect("the repeat").body);
        let work = vec![
            header_status(accepted, Some("ZnJlc2g=")),
            request("5", Verb::Get, "./DevInfo/Man"),
        ];
        rig.respond(200, &raw_message(&second, work, true));
        let third = decoded(rig.device.poll_transmit(rig.now).expect("an answer").body);
        let sent = third.header.cred.as_ref().map(|cred| cred.data.to_string());
        let digest = |nonce| digest_md5("device-account", "shared secret", nonce);
        assert_eq!(sent, nonce.map(digest));
    }
}

#[test]
fn a_push_makes_a_session_due_at_once_with_alert_1200() {
    let mut rig = rig();
    assert!(rig.device.handle_push(rig.now));
    assert!(
        rig.device.poll_transmit(rig.now).is_none(),
        "the push is answered first"
    );
    assert_eq!(rig.device.poll_timeout(), Some(rig.now));
    rig.device.handle_timeout(rig.now);
    let messages = rig.serve(Vec::new());
    let Command::Alert(first) = &messages[0].commands[0] else {
        unreachable!("an alert");
    };
    assert_eq!(first.code, AlertCode::SERVER_INITIATED);
}

#[test]
fn a_push_during_a_session_starts_another_one_after_it() {
    let mut rig = rig();
    rig.device.start_session(rig.now, SessionCause::User);
    assert!(rig.device.handle_push(rig.now));
    assert!(rig.device.handle_push(rig.now));
    assert_eq!(rig.serve(Vec::new()).len(), 2);
    assert_eq!(ended(&rig), [SessionOutcome::Complete; 2]);
}

#[test]
fn an_offline_device_sends_nothing_takes_no_push_and_queues_nothing() {
    let mut rig = rig();
    rig.device.set_connectivity(rig.now, Connectivity::Offline);
    assert!(!rig.device.handle_push(rig.now));
    rig.device.start_session(rig.now, SessionCause::User);
    rig.run_to(rig.now.plus_millis(3 * UtcMillis::DAY_MS));
    rig.device.set_connectivity(rig.now, Connectivity::Online);
    rig.device.handle_timeout(rig.now);
    assert!(rig.device.poll_transmit(rig.now).is_none());
    assert!(rig.requests.is_empty());
}

#[test]
fn going_offline_with_a_request_out_ends_the_session_at_its_failure() {
    let mut rig = rig();
    rig.device.start_session(rig.now, SessionCause::User);
    rig.device.poll_transmit(rig.now).expect("a message");
    rig.device.set_connectivity(rig.now, Connectivity::Offline);
    assert!(rig.device.session_open());
    rig.device.handle_failure(rig.now, Failure::Unknown);
    rig.take_events();
    assert_eq!(ended(&rig), [SessionOutcome::NoAnswer]);
}

#[test]
fn a_schedule_decides_when_the_device_is_online() {
    let mut rig = rig();
    let cycle = ConnectivitySchedule::Cycle {
        start: rig.now,
        online_ms: 8 * UtcMillis::HOUR_MS,
        offline_ms: 16 * UtcMillis::HOUR_MS,
    };
    let windows = ConnectivitySchedule::Windows(vec![OfflineWindow {
        from: rig.now.plus_millis(8 * UtcMillis::HOUR_MS),
        to: rig.now.plus_millis(24 * UtcMillis::HOUR_MS),
    }]);
    let start = rig.now;
    for (schedule, third_day) in [
        (windows, Connectivity::Online),
        (cycle, Connectivity::Offline),
    ] {
        rig.device.set_connectivity_schedule(start, schedule);
        for (hour, expected) in [
            (0, Connectivity::Online),
            (7, Connectivity::Online),
            (8, Connectivity::Offline),
            (23, Connectivity::Offline),
            (24, Connectivity::Online),
            (60, third_day),
        ] {
            rig.now = start.plus_millis(hour * UtcMillis::HOUR_MS);
            rig.device.handle_timeout(rig.now);
            assert_eq!(rig.device.connectivity(), expected, "hour {hour}");
            let online = expected == Connectivity::Online;
            assert_eq!(rig.device.handle_push(rig.now), online);
        }
    }
}

#[test]
fn a_busy_server_is_left_alone_until_the_time_it_named() {
    let spec = DeviceSpec::derive(SEED, 1, "PC-", JoinType::EntraJoined, OsBuild::W11_24H2);
    let mut rig = Rig::new(spec);
    rig.enroll();
    rig.run_to(rig.now);
    rig.device.start_session(rig.now, SessionCause::User);
    rig.device.poll_transmit(rig.now).expect("a message");
    let busy = Response {
        status: 429,
        body: b"",
        retry_after_s: Some(600),
    };
    rig.device.handle_response(rig.now, busy);
    rig.requests.clear();
    rig.run_to(rig.now.plus_millis(599_000));
    assert!(rig.requests.is_empty());
    rig.run_to(rig.now.plus_millis(1_000));
    assert_eq!(rig.requests.len(), 1);
}

#[test]
fn the_server_ends_an_enrolment_by_unenroll_or_wipe() {
    let unenroll = "./Device/Vendor/MSFT/DMClient/Provider/muster/Unenroll";
    for (loc_uri, cause) in [
        (unenroll, UnenrollCause::Server),
        (
            "./Device/Vendor/MSFT/RemoteWipe/doWipe",
            UnenrollCause::Wipe,
        ),
    ] {
        // Acknowledged in the ordinary way, or by 403 to a later session.
        for lost in [false, true] {
            let mut rig = rig();
            let exec = Turn::Say(vec![request("5", Verb::Exec, loc_uri)]);
            let last = if lost {
                Turn::Http(500, Vec::new())
            } else {
                Turn::Say(Vec::new())
            };
            let messages = rig.session(vec![exec, last]);
            assert_eq!(codes(&messages[1])[1], ("5".to_owned(), 200));
            assert_eq!(rig.device.is_enrolled(), lost);
            if lost {
                rig.session(vec![Turn::Http(403, Vec::new())]);
            }
            assert!(!rig.device.is_enrolled());
            assert!(rig.events.contains(&Event::Unenrolled { cause }));
        }
    }
}

#[test]
fn the_user_ends_an_enrolment_by_an_alert_in_the_next_session() {
    let mut rig = rig();
    rig.apply(&entra(10));
    rig.device.unenroll(rig.now);
    let messages = rig.serve(Vec::new());
    let Some(Command::Alert(alert)) = messages[0].commands.last() else {
        unreachable!("an alert");
    };
    assert_eq!(alert.code, AlertCode::GENERIC);
    let meta = alert.items[0].meta.as_ref().expect("a type");
    let kind = meta.content_type.as_deref();
    assert_eq!(kind, Some("com.microsoft:mdm.unenrollment.userrequest"));
    assert!(!rig.device.is_enrolled());
    assert!(rig.device.managed_account().is_none());
    rig.device.start_session(rig.now, SessionCause::User);
    assert!(!rig.device.session_open());
}

#[test]
fn spurious_inputs_do_no_harm() {
    let mut rig = rig();
    for _ in 0..3 {
        rig.device.handle_timeout(rig.now);
        rig.respond(200, b"nobody asked");
        rig.device.handle_failure(rig.now, Failure::NotSent);
        rig.device.provide_request(rig.now, vec![1]);
    }
    rig.take_events();
    assert!(rig.events.is_empty());
    rig.tell(vec![request("5", Verb::Exec, RESET_PASSWORD)]);
}

#[test]
fn no_password_shows_in_the_debug_form_of_a_device() {
    let mut rig = rig();
    rig.apply(&entra(10));
    let password = rig.newest().1;
    assert!(!format!("{:?}", rig.device).contains(&password));
    assert!(!format!("{:?}", rig.device).contains("shared secret"));
    assert!(!format!("{:?}", rig.device.managed_account()).contains(&password));
}
