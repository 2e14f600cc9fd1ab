//! An answer in the making: Status first, then commands, with decimal CmdIDs from 1 on.

use std::borrow::Cow;

use protocol::laps_csp::Value;
use protocol::syncml::{
    Command, Container, ContainerKind, Data, Header, Item, Message, Meta, Request, Status,
    StatusCode, Text, Verb, encode,
};

use crate::defect::{PlannedWrite, Wire};

/// The commands of one answer.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    commands: Vec<Command<'a>>,
    last_cmd_id: u32,
    msg_id: u32,
    /// How many of the commands are Status.
    statuses: usize,
}

impl<'a> Draft<'a> {
    /// An answer that accepts the header.
    pub(super) fn new(header: &Header<'a>) -> Self {
        Self::refusing(header, StatusCode::OK)
    }

    /// An answer with this Status on the header.
    pub(super) fn refusing(header: &Header<'a>, code: StatusCode) -> Self {
        let mut draft = Self {
            commands: Vec::new(),
            last_cmd_id: 0,
            msg_id: header.msg_id,
            statuses: 0,
        };
        draft.status(Cow::Borrowed("0"), Cow::Borrowed("SyncHdr"), code);
        draft
    }

    pub(super) const fn msg_id(&self) -> u32 {
        self.msg_id
    }

    /// True when the device has something to do.
    pub(super) fn has_commands(&self) -> bool {
        self.commands.len() > self.statuses
    }

    /// The answer to a command of the device.
    pub(super) fn status(&mut self, cmd_ref: Text<'a>, cmd: Text<'a>, code: StatusCode) {
        let (_, cmd_id) = self.next_cmd_id();
        self.statuses += 1;
        self.commands.push(Command::Status(Status::new(
            cmd_id,
            self.msg_id,
            cmd_ref,
            cmd,
            code,
        )));
    }

    /// A `Get`, or an `Add` of an interior node, or an `Exec` without a value.
    pub(super) fn bare(
        &mut self,
        verb: Verb,
        loc_uri: String,
        format: Option<&'static str>,
    ) -> u32 {
        let item = Item {
            meta: format.map(Meta::format),
            ..Item::target(loc_uri)
        };
        self.request(verb, item)
    }

    /// A command with a text value.
    pub(super) fn text(&mut self, verb: Verb, loc_uri: String, text: &'static str) -> u32 {
        let item = Item {
            meta: Some(value_meta("chr")),
            data: Some(Data::Text(Cow::Borrowed(text))),
            ..Item::target(loc_uri)
        };
        self.request(verb, item)
    }

    /// One `Atomic` with a command for each write (contract 2, LAPS policy); the id of the Atomic,
    /// and of each write, 0 where nothing is sent.
    pub(super) fn atomic(&mut self, writes: &[PlannedWrite]) -> (u32, Vec<u32>) {
        let (atomic, cmd_id) = self.next_cmd_id();
        let mut ids = Vec::new();
        let mut commands = Vec::new();
        for write in writes {
            let value = match &write.wire {
                Wire::Same | Wire::Unrecorded => write.value.as_ref(),
                Wire::Other(value) => Some(value),
                Wire::Dropped => {
                    ids.push(0);
                    continue;
                }
            };
            let (id, cmd_id) = self.next_cmd_id();
            ids.push(id);
            commands.push(write_command(cmd_id, write, value));
        }
        self.commands.push(Command::Container(Container {
            kind: ContainerKind::Atomic,
            cmd_id: Some(cmd_id),
            meta: None,
            commands,
        }));
        (atomic, ids)
    }

    /// Changes the commands before they are written.
    pub(super) fn alter(&mut self, change: impl FnOnce(&mut Vec<Command<'a>>)) {
        change(&mut self.commands);
    }

    /// The bytes; target and source are those of the request, swapped.
    pub(super) fn encode(&mut self, request: &Header<'a>) -> Vec<u8> {
        let header = Header::new(
            request.session_id.clone(),
            request.msg_id,
            request.source.clone(),
            request.target.clone(),
        );
        let message = Message {
            header,
            commands: std::mem::take(&mut self.commands),
            is_final: true,
            ignored: Vec::new(),
        };
        let mut bytes = Vec::with_capacity(1024);
        encode(&message, &mut bytes);
        bytes
    }

    fn request(&mut self, verb: Verb, item: Item<'a>) -> u32 {
        let (id, cmd_id) = self.next_cmd_id();
        let request = Request {
            verb,
            cmd_id: Some(cmd_id),
            meta: None,
            items: vec![item],
        };
        self.commands.push(Command::Request(request));
        id
    }

    fn next_cmd_id(&mut self) -> (u32, Text<'a>) {
        self.last_cmd_id += 1;
        (self.last_cmd_id, Cow::Owned(self.last_cmd_id.to_string()))
    }
}

fn write_command<'a>(cmd_id: Text<'a>, write: &PlannedWrite, value: Option<&Value>) -> Command<'a> {
    let node = write.leaf.node();
    let target = Item::target(node.loc_uri);
    let (verb, item) = match value {
        None => (Verb::Delete, target),
        Some(value) => (
            Verb::Replace,
            Item {
                meta: Some(value_meta(node.format.as_str())),
                data: Some(Data::Text(Cow::Owned(value.to_string()))),
                ..target
            },
        ),
    };
    Command::Request(Request {
        verb,
        cmd_id: Some(cmd_id),
        meta: None,
        items: vec![item],
    })
}

fn value_meta(format: &'static str) -> Meta<'static> {
    Meta {
        content_type: Some(Cow::Borrowed("text/plain")),
        ..Meta::format(format)
    }
}
