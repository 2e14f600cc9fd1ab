//! Reads the `SyncHdr` and what it shares with commands: places, `Meta` and `Cred`.

use super::reader::Reader;
use crate::Malformed;
use crate::syncml::{Cred, Header, Meta, Text};

/// Reads the `SyncHdr` that is open.
pub(super) fn header<'a>(reader: &mut Reader<'a>) -> Result<Header<'a>, Malformed> {
    let place = reader.place();
    let mut ver_dtd = None;
    let mut ver_proto = None;
    let mut session_id = None;
    let mut msg_id = None;
    let mut target = None;
    let mut source = None;
    let mut cred = None;
    let mut header_meta = None;
    while let Some(name) = reader.child()? {
        match name {
            "VerDTD" => reader.once(&mut ver_dtd, Reader::text)?,
            "VerProto" => reader.once(&mut ver_proto, Reader::text)?,
            "SessionID" => reader.once(&mut session_id, Reader::text)?,
            "MsgID" => reader.once(&mut msg_id, Reader::number)?,
            "Target" => reader.once(&mut target, loc_uri)?,
            "Source" => reader.once(&mut source, named_source)?,
            "Cred" => reader.once(&mut cred, credential)?,
            "Meta" => reader.once(&mut header_meta, meta)?,
            _ => reader.ignore()?,
        }
    }
    let (source, source_name) = reader.required(place, "Source", source)?;
    Ok(Header {
        ver_dtd: reader.required(place, "VerDTD", ver_dtd)?,
        ver_proto: reader.required(place, "VerProto", ver_proto)?,
        session_id: reader.required(place, "SessionID", session_id)?,
        msg_id: reader.required(place, "MsgID", msg_id)?,
        target: reader.required(place, "Target", target)?,
        source,
        source_name,
        cred,
        meta: header_meta,
    })
}

/// Reads the `LocURI` of the `Target` or `Source` that is open.
pub(super) fn loc_uri<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, Malformed> {
    let place = reader.place();
    let mut uri = None;
    while let Some(name) = reader.child()? {
        match name {
            "LocURI" => reader.once(&mut uri, Reader::text)?,
            _ => reader.ignore()?,
        }
    }
    reader.required(place, "LocURI", uri)
}

/// Reads `LocURI` and `LocName` of the `Source` that is open.
fn named_source<'a>(reader: &mut Reader<'a>) -> Result<(Text<'a>, Option<Text<'a>>), Malformed> {
    let place = reader.place();
    let mut uri = None;
    let mut loc_name = None;
    while let Some(name) = reader.child()? {
        match name {
            "LocURI" => reader.once(&mut uri, Reader::text)?,
            "LocName" => reader.once(&mut loc_name, Reader::text)?,
            _ => reader.ignore()?,
        }
    }
    Ok((reader.required(place, "LocURI", uri)?, loc_name))
}

/// Reads the `Cred` that is open.
pub(super) fn credential<'a>(reader: &mut Reader<'a>) -> Result<Cred<'a>, Malformed> {
    let place = reader.place();
    let mut cred_meta = None;
    let mut data = None;
    while let Some(name) = reader.child()? {
        match name {
            "Meta" => reader.once(&mut cred_meta, meta)?,
            "Data" => reader.once(&mut data, Reader::text)?,
            _ => reader.ignore()?,
        }
    }
    Ok(Cred {
        meta: cred_meta,
        data: reader.required(place, "Data", data)?,
    })
}

/// Reads the `Meta` that is open.
pub(super) fn meta<'a>(reader: &mut Reader<'a>) -> Result<Meta<'a>, Malformed> {
    let mut meta = Meta::default();
    meta_children(reader, &mut meta)?;
    Ok(meta)
}

fn meta_children<'a>(reader: &mut Reader<'a>, meta: &mut Meta<'a>) -> Result<(), Malformed> {
    while let Some(name) = reader.child()? {
        match name {
            "Format" => reader.once(&mut meta.format, Reader::text)?,
            "Type" => reader.once(&mut meta.content_type, Reader::text)?,
            "NextNonce" => reader.once(&mut meta.next_nonce, Reader::text)?,
            "MaxMsgSize" => reader.once(&mut meta.max_msg_size, Reader::number)?,
            "MaxObjSize" => reader.once(&mut meta.max_obj_size, Reader::number)?,
            "Size" => reader.once(&mut meta.size, Reader::number)?,
            // The root element of the meta information DTD, which senders may leave out.
            "MetInf" => meta_children(reader, meta)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}
