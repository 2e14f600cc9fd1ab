//! The rules that hold for every management answer, whatever it asks for (contract 2;
//! wire-facts 2.3, 2.5 and section 8).

use std::collections::BTreeSet;

use protocol::syncml::{Command, Message, Request, StatusCode, Verb};

use super::WrongAnswer;

/// What HTTP said around an answer.
#[derive(Clone, Copy, Debug)]
pub struct Http<'a> {
    /// The status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Content-Length`.
    pub content_length: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Http<'a> {
    /// The HTTP side of an answer.
    #[must_use]
    pub fn of(answer: &'a crate::http::Answer) -> Self {
        Self {
            status: answer.status,
            content_type: answer.header("content-type"),
            content_length: answer.header("content-length"),
            body: &answer.body,
        }
    }

    /// Checks status, media type and length (contract 0: answers of the enrolment and management
    /// planes are never chunked).
    pub(super) fn check(&self, media_type: &str, wrong: &mut Vec<WrongAnswer>) {
        if self.status != 200 {
            wrong.push(WrongAnswer::common(
                "HTTP status 200",
                format!("status {}", self.status),
            ));
        }
        let sent = self.content_type.unwrap_or("none");
        let is = sent.split(';').next().unwrap_or_default().trim();
        if !is.eq_ignore_ascii_case(media_type) {
            wrong.push(WrongAnswer::common(
                format!("Content-Type {media_type}"),
                format!("Content-Type {sent}"),
            ));
        }
        let length = self.content_length.and_then(|length| length.parse().ok());
        if length != Some(self.body.len()) {
            wrong.push(WrongAnswer::common(
                "a Content-Length that is the length of the body",
                format!("{:?} for {} bytes", self.content_length, self.body.len()),
            ));
        }
    }
}

/// Checks header, statuses, ids and the end of an answer.
pub(super) fn check(request: &Message<'_>, answer: &Message<'_>, wrong: &mut Vec<WrongAnswer>) {
    check_header(request, answer, wrong);
    check_statuses(request, answer, wrong);
    check_ids(answer, wrong);
    if !answer.is_final {
        wrong.push(WrongAnswer::common(
            "Final at the end of the answer",
            "no Final",
        ));
    }
}

fn check_header(request: &Message<'_>, answer: &Message<'_>, wrong: &mut Vec<WrongAnswer>) {
    let (asked, got) = (&request.header, &answer.header);
    let mut differ = |what: &str, wanted: &str, seen: &str| {
        if wanted != seen {
            wrong.push(WrongAnswer::common(
                format!("{what} `{wanted}` in the SyncHdr"),
                format!("`{seen}`"),
            ));
        }
    };
    differ("VerDTD", "1.2", &got.ver_dtd);
    differ("VerProto", "DM/1.2", &got.ver_proto);
    differ("SessionID", &asked.session_id, &got.session_id);
    differ("the device as Target", &asked.source, &got.target);
    differ("the management URL as Source", &asked.target, &got.source);
    if asked.msg_id != got.msg_id {
        wrong.push(WrongAnswer::common(
            format!("MsgID {} in the SyncHdr", asked.msg_id),
            format!("MsgID {}", got.msg_id),
        ));
    }
}

/// The statuses that contract 2 wants: the header's first, one 200 for each Alert and Replace of
/// the device, and none for anything else.
fn check_statuses(request: &Message<'_>, answer: &Message<'_>, wrong: &mut Vec<WrongAnswer>) {
    let mut awaited: Vec<(&str, &str)> = request.commands.iter().filter_map(answered).collect();
    let mut header_seen = false;
    for (place, command) in answer.commands.iter().enumerate() {
        let Command::Status(status) = command else {
            continue;
        };
        if status.msg_ref != request.header.msg_id {
            wrong.push(WrongAnswer::common(
                format!("MsgRef {} in every Status", request.header.msg_id),
                format!("MsgRef {} for command `{}`", status.msg_ref, status.cmd_ref),
            ));
        }
        if place == 0 && status.cmd_ref == "0" && status.cmd == "SyncHdr" {
            header_seen = true;
            // 212 is the other form of acceptance (wire-facts 2.6).
            if status.code != StatusCode::OK && status.code != StatusCode::AUTHENTICATED {
                wrong.push(WrongAnswer::common(
                    "Status 200 or 212 for the SyncHdr",
                    format!("Status {}", status.code),
                ));
            }
            continue;
        }
        let named = (&*status.cmd_ref, &*status.cmd);
        let Some(found) = awaited.iter().position(|one| *one == named) else {
            wrong.push(WrongAnswer::common(
                "a Status for the header and each Alert and Replace, and no other",
                format!("a Status for {} `{}`", status.cmd, status.cmd_ref),
            ));
            continue;
        };
        awaited.swap_remove(found);
        if status.code != StatusCode::OK {
            wrong.push(WrongAnswer::common(
                format!("Status 200 for {} `{}`", status.cmd, status.cmd_ref),
                format!("Status {}", status.code),
            ));
        }
    }
    if !header_seen {
        wrong.push(WrongAnswer::common(
            "the Status for the SyncHdr as first command",
            "none there",
        ));
    }
    for (cmd_ref, cmd) in awaited {
        wrong.push(WrongAnswer::common(
            format!("a Status for {cmd} `{cmd_ref}`"),
            "none",
        ));
    }
}

/// `CmdID` and name of a command of the device that the target answers with a Status.
fn answered<'a>(command: &'a Command<'_>) -> Option<(&'a str, &'a str)> {
    let wants_status = match command {
        Command::Alert(_) => true,
        Command::Request(Request { verb, .. }) => match verb {
            Verb::Replace => true,
            Verb::Add | Verb::Delete | Verb::Get | Verb::Exec => false,
        },
        Command::Status(_) | Command::Results(_) | Command::Container(_) | Command::Unknown(_) => {
            false
        }
    };
    wants_status.then(|| (command.cmd_id().unwrap_or_default(), command.name()))
}

fn check_ids(answer: &Message<'_>, wrong: &mut Vec<WrongAnswer>) {
    let mut seen = BTreeSet::new();
    for command in &answer.commands {
        check_id(command, &mut seen, wrong);
        if let Command::Container(container) = command {
            for inner in &container.commands {
                check_id(inner, &mut seen, wrong);
            }
        }
    }
}

fn check_id<'a>(
    command: &'a Command<'_>,
    seen: &mut BTreeSet<&'a str>,
    wrong: &mut Vec<WrongAnswer>,
) {
    let name = command.name();
    let fault = match command.cmd_id() {
        None | Some("") => Some(format!("{name} without CmdID")),
        Some("0") => Some(format!("{name} with CmdID 0")),
        Some(id) if !seen.insert(id) => Some(format!("{name} with the CmdID `{id}` of another")),
        Some(_) => None,
    };
    if let Some(fault) = fault {
        wrong.push(WrongAnswer::common(
            "CmdIDs that are unique in the message and not 0",
            fault,
        ));
    }
    if let Command::Unknown(unknown) = command {
        wrong.push(WrongAnswer::common(
            "commands of SyncML only",
            format!("element `{}` at byte {}", unknown.name, unknown.offset),
        ));
    }
}
