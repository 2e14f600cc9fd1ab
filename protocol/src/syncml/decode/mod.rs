//! Reads a SyncML message from its bytes.
//!
//! The reader is lax about what the specification leaves to senders (order of children, prefixes,
//! namespaces of `Meta` children, elements it does not know) and strict about the rest: what it
//! cannot represent is a [`Malformed`] that names the element and the byte.

mod command;
mod header;
mod reader;
mod text;

use self::reader::Reader;
use super::{Command, Message};
use crate::Malformed;

/// Bounds of the reader.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest message, in bytes.
    pub size: usize,
    /// Deepest element, counted from the root as 1; values above [`Limits::MAX_DEPTH`] count as it.
    pub depth: usize,
    /// Most commands and items together.
    pub count: usize,
    /// Most skipped elements that are remembered.
    pub ignored: usize,
}

impl Limits {
    /// The deepest nesting that any reader accepts: containers are read by recursion.
    pub const MAX_DEPTH: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The largest request that Windows servers recommend (wire-facts 2.10).
            size: 512 * 1024,
            depth: 32,
            count: 10_000,
            ignored: 64,
        }
    }
}

/// Reads a message.
///
/// Accepted: the namespaces `SYNCML:SYNCML1.1` and `SYNCML:SYNCML1.2` and none, with or without a
/// prefix; an XML declaration, comments, processing instructions and `CDATA`; children in any
/// order. A command without `CmdID` survives with `None`, an element that is no command as
/// [`Command::Unknown`], any other unknown element in [`Message::ignored`]. Versions are returned
/// as they stand: the receiver judges them.
///
/// # Errors
/// [`Malformed`] names the element, the byte offset and the reason. The element is the path below
/// `SyncML`, for example `SyncBody/Status/MsgRef`; the offset is that of its start tag, or of its
/// parent's where it is missing.
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Message<'a>, Malformed> {
    let mut reader = Reader::new(bytes, limits)?;
    reader.root()?;
    let root = reader.place();
    let mut header = None;
    let mut body = None;
    while let Some(name) = reader.child()? {
        match name {
            "SyncHdr" => reader.once(&mut header, header::header)?,
            "SyncBody" => reader.once(&mut body, body_of)?,
            _ => reader.ignore()?,
        }
    }
    reader.finish()?;
    let header = reader.required(root, "SyncHdr", header)?;
    let (commands, is_final) = reader.required(root, "SyncBody", body)?;
    Ok(Message {
        header,
        commands,
        is_final,
        ignored: reader.into_ignored(),
    })
}

fn body_of<'a>(reader: &mut Reader<'a>) -> Result<(Vec<Command<'a>>, bool), Malformed> {
    let mut commands = Vec::new();
    let mut is_final = None;
    while let Some(name) = reader.child()? {
        match name {
            "Final" => reader.once(&mut is_final, Reader::flag)?,
            _ => commands.push(command::command(reader, name)?),
        }
    }
    Ok((commands, is_final.is_some()))
}
