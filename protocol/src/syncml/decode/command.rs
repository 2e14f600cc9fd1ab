//! Reads the commands of a `SyncBody` and their items.

use super::header::{credential, loc_uri, meta};
use super::reader::Reader;
use crate::Malformed;
use crate::syncml::{
    Alert, AlertCode, Chal, Command, Container, ContainerKind, Item, Request, Results, Status,
    StatusCode, Text, Verb,
};

/// Reads the command `name` that is open.
pub(super) fn command<'a>(
    reader: &mut Reader<'a>,
    name: &'a str,
) -> Result<Command<'a>, Malformed> {
    reader.count()?;
    match name {
        "Status" => status(reader).map(Command::Status),
        "Results" => results(reader).map(Command::Results),
        "Alert" => alert(reader).map(Command::Alert),
        "Add" => request(reader, Verb::Add).map(Command::Request),
        "Replace" => request(reader, Verb::Replace).map(Command::Request),
        "Delete" => request(reader, Verb::Delete).map(Command::Request),
        "Get" => request(reader, Verb::Get).map(Command::Request),
        "Exec" => request(reader, Verb::Exec).map(Command::Request),
        "Atomic" => container(reader, ContainerKind::Atomic).map(Command::Container),
        "Sequence" => container(reader, ContainerKind::Sequence).map(Command::Container),
        _ => reader.unknown().map(Command::Unknown),
    }
}

fn status<'a>(reader: &mut Reader<'a>) -> Result<Status<'a>, Malformed> {
    let place = reader.place();
    let mut cmd_id = None;
    let mut msg_ref = None;
    let mut cmd_ref = None;
    let mut cmd = None;
    let mut target_refs = Vec::new();
    let mut source_refs = Vec::new();
    let mut cred = None;
    let mut chal = None;
    let mut data = None;
    let mut items = Vec::new();
    while let Some(name) = reader.child()? {
        match name {
            "CmdID" => reader.once(&mut cmd_id, Reader::text)?,
            "MsgRef" => reader.once(&mut msg_ref, Reader::number)?,
            "CmdRef" => reader.once(&mut cmd_ref, Reader::text)?,
            "Cmd" => reader.once(&mut cmd, Reader::text)?,
            "TargetRef" => target_refs.push(reader.text()?),
            "SourceRef" => source_refs.push(reader.text()?),
            "Cred" => reader.once(&mut cred, credential)?,
            "Chal" => reader.once(&mut chal, challenge)?,
            "Data" => reader.once(&mut data, status_data)?,
            "Item" => items.push(item(reader)?),
            _ => reader.ignore()?,
        }
    }
    let (code, original_error) = reader.required(place, "Data", data)?;
    Ok(Status {
        cmd_id,
        msg_ref: reader.required(place, "MsgRef", msg_ref)?,
        cmd_ref: reader.required(place, "CmdRef", cmd_ref)?,
        cmd: reader.required(place, "Cmd", cmd)?,
        target_refs,
        source_refs,
        cred,
        chal,
        code,
        original_error,
        items,
    })
}

/// Reads the code and the attribute `originalerror`, whatever its prefix, of a `Data`.
fn status_data<'a>(reader: &mut Reader<'a>) -> Result<(StatusCode, Option<Text<'a>>), Malformed> {
    let original_error = reader.attribute("originalerror")?;
    Ok((StatusCode(reader.number()?), original_error))
}

fn challenge<'a>(reader: &mut Reader<'a>) -> Result<Chal<'a>, Malformed> {
    let place = reader.place();
    let mut chal_meta = None;
    while let Some(name) = reader.child()? {
        match name {
            "Meta" => reader.once(&mut chal_meta, meta)?,
            _ => reader.ignore()?,
        }
    }
    Ok(Chal {
        meta: reader.required(place, "Meta", chal_meta)?,
    })
}

fn results<'a>(reader: &mut Reader<'a>) -> Result<Results<'a>, Malformed> {
    let place = reader.place();
    let mut cmd_id = None;
    let mut msg_ref = None;
    let mut cmd_ref = None;
    let mut cmd = None;
    let mut results_meta = None;
    let mut items = Vec::new();
    while let Some(name) = reader.child()? {
        match name {
            "CmdID" => reader.once(&mut cmd_id, Reader::text)?,
            "MsgRef" => reader.once(&mut msg_ref, Reader::number)?,
            "CmdRef" => reader.once(&mut cmd_ref, Reader::text)?,
            "Cmd" => reader.once(&mut cmd, Reader::text)?,
            "Meta" => reader.once(&mut results_meta, meta)?,
            "Item" => items.push(item(reader)?),
            _ => reader.ignore()?,
        }
    }
    Ok(Results {
        cmd_id,
        msg_ref,
        cmd_ref: reader.required(place, "CmdRef", cmd_ref)?,
        cmd,
        meta: results_meta,
        items,
    })
}

fn alert<'a>(reader: &mut Reader<'a>) -> Result<Alert<'a>, Malformed> {
    let place = reader.place();
    let mut cmd_id = None;
    let mut code = None;
    let mut items = Vec::new();
    while let Some(name) = reader.child()? {
        match name {
            "CmdID" => reader.once(&mut cmd_id, Reader::text)?,
            "Data" => reader.once(&mut code, Reader::number)?,
            "Item" => items.push(item(reader)?),
            _ => reader.ignore()?,
        }
    }
    Ok(Alert {
        cmd_id,
        code: AlertCode(reader.required(place, "Data", code)?),
        items,
    })
}

fn request<'a>(reader: &mut Reader<'a>, verb: Verb) -> Result<Request<'a>, Malformed> {
    let mut cmd_id = None;
    let mut request_meta = None;
    let mut items = Vec::new();
    while let Some(name) = reader.child()? {
        match name {
            "CmdID" => reader.once(&mut cmd_id, Reader::text)?,
            "Meta" => reader.once(&mut request_meta, meta)?,
            "Item" => items.push(item(reader)?),
            _ => reader.ignore()?,
        }
    }
    Ok(Request {
        verb,
        cmd_id,
        meta: request_meta,
        items,
    })
}

fn container<'a>(reader: &mut Reader<'a>, kind: ContainerKind) -> Result<Container<'a>, Malformed> {
    let mut cmd_id = None;
    let mut container_meta = None;
    let mut commands = Vec::new();
    while let Some(name) = reader.child()? {
        match name {
            "CmdID" => reader.once(&mut cmd_id, Reader::text)?,
            "Meta" => reader.once(&mut container_meta, meta)?,
            // A child that the DTD of OMA-DM allows and that asks for nothing.
            "NoResp" => reader.ignore()?,
            _ => commands.push(command(reader, name)?),
        }
    }
    Ok(Container {
        kind,
        cmd_id,
        meta: container_meta,
        commands,
    })
}

fn item<'a>(reader: &mut Reader<'a>) -> Result<Item<'a>, Malformed> {
    reader.count()?;
    let mut target = None;
    let mut source = None;
    let mut item_meta = None;
    let mut data = None;
    let mut more_data = None;
    while let Some(name) = reader.child()? {
        match name {
            "Target" => reader.once(&mut target, loc_uri)?,
            "Source" => reader.once(&mut source, loc_uri)?,
            "Meta" => reader.once(&mut item_meta, meta)?,
            "Data" => reader.once(&mut data, Reader::data)?,
            "MoreData" => reader.once(&mut more_data, Reader::flag)?,
            _ => reader.ignore()?,
        }
    }
    Ok(Item {
        target,
        source,
        meta: item_meta,
        data,
        more_data: more_data.is_some(),
    })
}
