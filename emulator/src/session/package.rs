//! The first message of a session, in the shape of a real Windows 11 client: `CmdID` 2, 3 and 4.

use std::borrow::Cow;

use protocol::syncml::{Alert, AlertCode, Command, Data, Item, Meta, Request, Text, Verb};

use crate::csp::path::DEV_INFO;
use crate::csp::tree::dev_info;
use crate::event::SessionCause;
use crate::identity::Introduction;

/// What the first message says beside the session's cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An ordinary session.
    Manage,
    /// The user ends the enrolment.
    Unenroll,
}

/// Session alert, login status, `DevInfo`, and the unenrolment where there is one.
pub(crate) fn package_one(
    introduction: Introduction,
    cause: SessionCause,
    purpose: Purpose,
) -> Vec<Command<'static>> {
    let code = match cause {
        SessionCause::Push => AlertCode::SERVER_INITIATED,
        SessionCause::Schedule | SessionCause::User => AlertCode::CLIENT_INITIATED,
    };
    let dev_info = DEV_INFO.iter().enumerate().map(|(place, name)| {
        Item::source_text(
            format!("./DevInfo/{name}"),
            dev_info(place, introduction.device_id),
        )
    });
    let mut commands = vec![
        alert(Cow::Borrowed("2"), code),
        client_alert(
            Cow::Borrowed("3"),
            AlertCode::CLIENT_EVENT,
            LOGIN_STATUS,
            introduction.login_status.as_str(),
        ),
        Command::Request(Request {
            verb: Verb::Replace,
            cmd_id: Some(Cow::Borrowed("4")),
            meta: None,
            items: dev_info.collect(),
        }),
    ];
    if purpose == Purpose::Unenroll {
        let id = Cow::Borrowed("5");
        commands.push(client_alert(id, AlertCode::GENERIC, USER_UNENROLLMENT, "1"));
    }
    commands
}

/// An alert without items.
pub(crate) const fn alert(cmd_id: Text<'static>, code: AlertCode) -> Command<'static> {
    Command::Alert(Alert {
        cmd_id: Some(cmd_id),
        code,
        items: Vec::new(),
    })
}

fn client_alert(
    cmd_id: Text<'static>,
    code: AlertCode,
    content_type: &'static str,
    data: &'static str,
) -> Command<'static> {
    let item = Item {
        meta: Some(Meta {
            content_type: Some(Cow::Borrowed(content_type)),
            ..Meta::default()
        }),
        data: Some(Data::Text(Cow::Borrowed(data))),
        ..Item::default()
    };
    Command::Alert(Alert {
        cmd_id: Some(cmd_id),
        code,
        items: vec![item],
    })
}

/// The alert type that says who is signed in.
const LOGIN_STATUS: &str = "com.microsoft/MDM/LoginStatus";
/// The alert type by which a user ends the enrolment.
const USER_UNENROLLMENT: &str = "com.microsoft:mdm.unenrollment.userrequest";
