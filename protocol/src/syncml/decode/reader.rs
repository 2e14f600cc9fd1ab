//! The pull reader under the decoder: which element is open, what it holds and where it stands.
//!
//! It knows XML and nothing of the commands. Texts are slices of the message unless a reference,
//! a `CDATA` section between other text or a carriage return forces a copy.

use std::borrow::Cow;
use std::str::FromStr;

use quick_xml::errors::{IllFormedError, SyntaxError};
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesDecl, Event};

use super::Limits;
use super::text::{is_blank, is_name, normalize_line_ends, resolve, shorten, unescape};
use crate::syncml::{Data, Ignored, Text, UnknownCommand};
use crate::{Malformed, MalformedKind};

/// The namespaces that are read, apart from none.
const NAMESPACES: [&str; 2] = ["SYNCML:SYNCML1.2", "SYNCML:SYNCML1.1"];
/// The local name of the root.
const ROOT: &str = "SyncML";

/// Reads one message.
pub(super) struct Reader<'a> {
    /// The message without a byte order mark.
    source: &'a str,
    /// Bytes of the message before `source`.
    base: usize,
    events: quick_xml::Reader<&'a [u8]>,
    limits: Limits,
    /// The elements that are open, the root first.
    stack: Vec<Place<'a>>,
    /// What stands in the start tag read last, after the name.
    attributes: &'a str,
    /// True when the start tag read last was `<x/>` and the close is still to be told.
    is_empty_tag: bool,
    /// True when a carriage return stands anywhere in the message.
    has_carriage_return: bool,
    /// Where the piece read last starts in `source`.
    at: usize,
    count: usize,
    ignored: Vec<Ignored>,
}

/// An element and where its start tag stands in the source.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    name: &'a str,
    offset: usize,
}

/// One step of the reader.
enum Piece<'a> {
    Open(&'a str),
    Close,
    Text(&'a str),
    Char(char),
    End,
}

/// Why a run of characters ended.
enum Stop {
    Opened,
    Closed,
}

impl<'a> Reader<'a> {
    /// Checks what concerns the message as a whole.
    pub(super) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, Malformed> {
        if bytes.len() > limits.size {
            let kind = MalformedKind::Limit("size", limits.size);
            return Err(Malformed::new(ROOT, 0, kind));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Malformed::new(ROOT, error.valid_up_to(), MalformedKind::NotUtf8))?;
        let source = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let base = text.len() - source.len();
        let scan = super::text::scan(source);
        if let Some((offset, illegal)) = scan.illegal {
            let text = format!("the character U+{:04X}", u32::from(illegal));
            let kind = MalformedKind::Syntax(text);
            return Err(Malformed::new(ROOT, base + offset, kind));
        }
        Ok(Self {
            source,
            base,
            events: quick_xml::Reader::from_str(source),
            limits: Limits {
                depth: limits.depth.min(Limits::MAX_DEPTH),
                ..*limits
            },
            stack: Vec::with_capacity(8),
            attributes: "",
            is_empty_tag: false,
            has_carriage_return: scan.has_carriage_return,
            at: 0,
            count: 0,
            ignored: Vec::new(),
        })
    }

    /// Opens the root element.
    pub(super) fn root(&mut self) -> Result<(), Malformed> {
        let Piece::Open(name) = self.next()? else {
            return Err(Malformed::new(ROOT, self.base, MalformedKind::Missing));
        };
        if name != ROOT {
            return Err(self.error(MalformedKind::Unexpected));
        }
        match self.root_namespace()? {
            // `xmlns=""` takes the element out of every namespace.
            Some(namespace) if !namespace.is_empty() && !NAMESPACES.contains(&&*namespace) => {
                let kind = MalformedKind::Value(shorten(&namespace));
                Err(Malformed::new("SyncML/@xmlns", self.base + self.at, kind))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Opens the next child of the open element; `None` when the element closed instead.
    pub(super) fn child(&mut self) -> Result<Option<&'a str>, Malformed> {
        loop {
            match self.next()? {
                Piece::Open(name) => return Ok(Some(name)),
                Piece::Close => return Ok(None),
                Piece::Text(text) if is_blank(text) => {}
                Piece::Text(_) | Piece::Char(_) => {
                    let offset = self.base + self.at;
                    return Err(Malformed::new(
                        self.path(),
                        offset,
                        MalformedKind::Unexpected,
                    ));
                }
                Piece::End => return Err(self.truncated()),
            }
        }
    }

    /// The open element.
    pub(super) fn place(&self) -> Place<'a> {
        self.stack.last().copied().unwrap_or(Place {
            name: "",
            offset: 0,
        })
    }

    /// Fills `slot` with what `read` makes of the open element; a second time is an error.
    pub(super) fn once<T>(
        &mut self,
        slot: &mut Option<T>,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<(), Malformed> {
        if slot.is_some() {
            return Err(self.error(MalformedKind::Repeated));
        }
        *slot = Some(read(self)?);
        Ok(())
    }

    /// The value of `slot`, or the complaint that `child` is missing in `parent`, which has closed.
    pub(super) fn required<T>(
        &self,
        parent: Place<'a>,
        child: &str,
        slot: Option<T>,
    ) -> Result<T, Malformed> {
        slot.ok_or_else(|| {
            let path = self.path_of([parent.name, child]);
            Malformed::new(path, self.base + parent.offset, MalformedKind::Missing)
        })
    }

    /// The characters of the open element, which has no children.
    pub(super) fn text(&mut self) -> Result<Text<'a>, Malformed> {
        let mut text = Cow::Borrowed("");
        match self.characters(&mut text)? {
            Stop::Closed => Ok(text),
            Stop::Opened => Err(self.error(MalformedKind::Unexpected)),
        }
    }

    /// The number in the open element: digits, with white space around them.
    pub(super) fn number<N: FromStr>(&mut self) -> Result<N, Malformed> {
        let place = self.place();
        let text = self.text()?;
        let digits = text.trim_ascii();
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()
            .ok_or_else(|| {
                let kind = MalformedKind::Value(shorten(&text));
                Malformed::new(self.path_of([place.name]), self.base + place.offset, kind)
            })
    }

    /// The content of the open `Data`: a text, or markup as it stands.
    pub(super) fn data(&mut self) -> Result<Data<'a>, Malformed> {
        let start = self.position();
        let depth = self.stack.len();
        let mut text = Cow::Borrowed("");
        match self.characters(&mut text)? {
            Stop::Closed => Ok(Data::Text(text)),
            Stop::Opened => {
                self.skip(depth)?;
                Ok(Data::Markup(Cow::Borrowed(self.slice(start, self.at))))
            }
        }
    }

    /// Reads the open element to its end; it means something by standing there.
    pub(super) fn flag(&mut self) -> Result<(), Malformed> {
        while self.child()?.is_some() {
            self.ignore()?;
        }
        Ok(())
    }

    /// Skips the open element and remembers it.
    pub(super) fn ignore(&mut self) -> Result<(), Malformed> {
        if self.ignored.len() < self.limits.ignored {
            let names: Vec<&str> = self.stack.iter().map(|place| place.name).collect();
            self.ignored.push(Ignored {
                path: names.join("/"),
                offset: self.base + self.place().offset,
            });
        }
        self.check_name(self.place().name)?;
        self.skip(self.stack.len())
    }

    /// Skips the open element, which stands where a command should, but for its `CmdID`.
    pub(super) fn unknown(&mut self) -> Result<UnknownCommand<'a>, Malformed> {
        let place = self.place();
        let depth = self.stack.len();
        self.check_name(place.name)?;
        let mut cmd_id = None;
        while self.stack.len() >= depth {
            let Piece::Open(name) = self.next()? else {
                continue;
            };
            self.check_name(name)?;
            if name == "CmdID" && self.stack.len() == depth + 1 {
                self.once(&mut cmd_id, Self::text)?;
            }
        }
        Ok(UnknownCommand {
            name: Cow::Borrowed(place.name),
            cmd_id,
            offset: self.base + place.offset,
        })
    }

    /// The attribute of the open element with this local name.
    pub(super) fn attribute(&self, local: &str) -> Result<Option<Text<'a>>, Malformed> {
        if self.attributes.is_empty() {
            return Ok(None);
        }
        self.find_attribute(|name| name.rsplit(':').next() == Some(local))
    }

    /// Counts one command or item.
    pub(super) fn count(&mut self) -> Result<(), Malformed> {
        self.count += 1;
        if self.count > self.limits.count {
            return Err(self.error(MalformedKind::Limit("count", self.limits.count)));
        }
        Ok(())
    }

    /// Reads what follows the root element: nothing that means anything.
    pub(super) fn finish(&mut self) -> Result<(), Malformed> {
        match self.next()? {
            Piece::End => Ok(()),
            Piece::Open(_) | Piece::Close | Piece::Text(_) | Piece::Char(_) => {
                let kind = MalformedKind::Syntax("a second root element".to_owned());
                Err(self.error(kind))
            }
        }
    }

    /// The elements that were skipped.
    pub(super) fn into_ignored(self) -> Vec<Ignored> {
        self.ignored
    }

    fn next(&mut self) -> Result<Piece<'a>, Malformed> {
        if self.is_empty_tag {
            self.is_empty_tag = false;
            self.stack.pop();
            return Ok(Piece::Close);
        }
        loop {
            self.at = self.position();
            let event = self
                .events
                .read_event()
                .map_err(|error| self.not_well_formed(&error))?;
            let piece = match event {
                Event::Start(tag) => self.open(tag.name().as_ref().len())?,
                Event::Empty(tag) => {
                    self.is_empty_tag = true;
                    self.open(tag.name().as_ref().len())?
                }
                Event::End(_) => {
                    self.stack.pop();
                    Piece::Close
                }
                Event::Text(_) => Piece::Text(self.slice(self.at, self.position())),
                Event::CData(_) => {
                    // `<![CDATA[` and `]]>` are 9 and 3 bytes.
                    Piece::Text(self.slice(self.at + 9, self.position().saturating_sub(3)))
                }
                Event::GeneralRef(_) => Piece::Char(self.reference()?),
                Event::Comment(_) | Event::PI(_) => continue,
                Event::Decl(declaration) => {
                    self.check_declaration(&declaration)?;
                    continue;
                }
                Event::DocType(_) => {
                    return Err(self.error_here(MalformedKind::DoctypeRefused));
                }
                Event::Eof if self.stack.is_empty() => Piece::End,
                Event::Eof => return Err(self.truncated()),
            };
            if self.stack.is_empty() && self.is_outside(&piece)? {
                continue;
            }
            return Ok(piece);
        }
    }

    /// True for blank text, which may stand outside the root element; other characters may not.
    fn is_outside(&self, piece: &Piece<'a>) -> Result<bool, Malformed> {
        match piece {
            Piece::Open(_) | Piece::Close | Piece::End => Ok(false),
            Piece::Text(text) if is_blank(text) => Ok(true),
            Piece::Text(_) | Piece::Char(_) => {
                let text = "characters outside the root element".to_owned();
                Err(self.error_here(MalformedKind::Syntax(text)))
            }
        }
    }

    /// Takes the start tag read last, whose name has `length` bytes, as the open element.
    fn open(&mut self, length: usize) -> Result<Piece<'a>, Malformed> {
        let name_end = self.at + 1 + length;
        let name = self.slice(self.at + 1, name_end);
        let (prefix, local) = if name.bytes().any(|byte| byte == b':') {
            name.rsplit_once(':').unwrap_or((name, ""))
        } else {
            ("", name)
        };
        // `>`, and `/` where the tag closes itself.
        let tail = 1 + usize::from(self.is_empty_tag);
        self.attributes = self
            .slice(name_end, self.position().saturating_sub(tail))
            .trim_ascii();
        let place = Place {
            name: local,
            offset: self.at,
        };
        self.stack.push(place);
        if self.stack.len() > self.limits.depth {
            return Err(self.error(MalformedKind::Limit("depth", self.limits.depth)));
        }
        if local.len() < name.len() && !is_name(prefix) || local.is_empty() {
            return Err(self.bad_name(name));
        }
        if !self.attributes.is_empty() {
            // Only the syntax is of interest: every attribute is read to its end.
            self.find_attribute(|_| false)?;
        }
        Ok(Piece::Open(local))
    }

    /// Appends the characters up to the next tag.
    fn characters(&mut self, text: &mut Text<'a>) -> Result<Stop, Malformed> {
        loop {
            match self.next()? {
                Piece::Open(_) => return Ok(Stop::Opened),
                Piece::Close => return Ok(Stop::Closed),
                Piece::Text(piece) if self.has_carriage_return && piece.contains('\r') => {
                    text.to_mut().push_str(&normalize_line_ends(piece));
                }
                Piece::Text(piece) if text.is_empty() => *text = Cow::Borrowed(piece),
                Piece::Text(piece) => text.to_mut().push_str(piece),
                Piece::Char(character) => text.to_mut().push(character),
                Piece::End => return Err(self.truncated()),
            }
        }
    }

    /// Skips up to the end of the element at `depth`.
    fn skip(&mut self, depth: usize) -> Result<(), Malformed> {
        while self.stack.len() >= depth {
            if let Piece::Open(name) = self.next()? {
                self.check_name(name)?;
            }
        }
        Ok(())
    }

    fn reference(&self) -> Result<char, Malformed> {
        let name = self.slice(self.at + 1, self.position().saturating_sub(1));
        resolve(name).ok_or_else(|| {
            let text = format!("the reference `&{};`", shorten(name));
            self.error_here(MalformedKind::Syntax(text))
        })
    }

    /// The namespace of the root element, if it says one.
    fn root_namespace(&self) -> Result<Option<Text<'a>>, Malformed> {
        let tag = self.slice(self.at + 1, self.position());
        match tag.split_once(':') {
            // A colon before the local name, not one in an attribute.
            Some((prefix, rest)) if rest.starts_with(ROOT) && is_name(prefix) => {
                self.find_attribute(|name| name.strip_prefix("xmlns:") == Some(prefix))
            }
            Some(_) | None => self.find_attribute(|name| name == "xmlns"),
        }
    }

    fn find_attribute(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<Text<'a>>, Malformed> {
        let mut found = None;
        let mut attributes = Attributes::new(self.attributes, 0);
        for attribute in attributes.with_checks(false) {
            let attribute =
                attribute.map_err(|error| self.error(MalformedKind::Syntax(error.to_string())))?;
            if !std::str::from_utf8(attribute.key.as_ref()).is_ok_and(&is_wanted) {
                continue;
            }
            let Cow::Borrowed(value) = attribute.value else {
                continue;
            };
            let value = std::str::from_utf8(value).ok().and_then(unescape);
            let Some(value) = value else {
                let text = "a reference in an attribute".to_owned();
                return Err(self.error(MalformedKind::Syntax(text)));
            };
            if found.replace(value).is_some() {
                return Err(self.error(MalformedKind::Repeated));
            }
        }
        Ok(found)
    }

    fn check_declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), Malformed> {
        if self.at != 0 {
            let text = "an XML declaration that is not at the start".to_owned();
            return Err(self.error_here(MalformedKind::Syntax(text)));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name))
                if name.eq_ignore_ascii_case(b"utf-8")
                    || name.eq_ignore_ascii_case(b"us-ascii") =>
            {
                Ok(())
            }
            Some(Ok(_)) => Err(self.error_here(MalformedKind::NotUtf8)),
            Some(Err(error)) => Err(self.error_here(MalformedKind::Syntax(error.to_string()))),
        }
    }

    fn check_name(&self, name: &str) -> Result<(), Malformed> {
        if is_name(name) {
            Ok(())
        } else {
            Err(self.bad_name(name))
        }
    }

    fn bad_name(&self, name: &str) -> Malformed {
        let text = format!("the element name `{}`", shorten(name));
        self.error_here(MalformedKind::Syntax(text))
    }

    fn truncated(&self) -> Malformed {
        let text = "the message ends inside this element".to_owned();
        let offset = self.base + self.source.len();
        Malformed::new(self.path(), offset, MalformedKind::Syntax(text))
    }

    fn not_well_formed(&self, error: &quick_xml::Error) -> Malformed {
        let is_doctype = matches!(
            error,
            quick_xml::Error::Syntax(SyntaxError::UnclosedDoctype)
                | quick_xml::Error::IllFormed(IllFormedError::MissingDoctypeName)
        );
        if is_doctype {
            return self.error_here(MalformedKind::DoctypeRefused);
        }
        let offset = usize::try_from(self.events.error_position()).unwrap_or(usize::MAX);
        let kind = MalformedKind::Syntax(shorten(&error.to_string()));
        Malformed::new(self.path(), self.base.saturating_add(offset), kind)
    }

    /// A complaint about the open element.
    fn error(&self, kind: MalformedKind) -> Malformed {
        Malformed::new(self.path(), self.base + self.place().offset, kind)
    }

    /// A complaint about the piece read last, inside the open element.
    fn error_here(&self, kind: MalformedKind) -> Malformed {
        Malformed::new(self.path(), self.base + self.at, kind)
    }

    fn path(&self) -> String {
        self.path_of([])
    }

    /// The path of the open element and then `more`, without the root unless it is the root.
    fn path_of<const N: usize>(&self, more: [&str; N]) -> String {
        let open = self.stack.iter().map(|place| place.name);
        let names: Vec<&str> = open.chain(more).collect();
        let below_root = match names.as_slice() {
            [] => return ROOT.to_owned(),
            [root] => std::slice::from_ref(root),
            [_, below @ ..] => below,
        };
        below_root.join("/")
    }

    fn position(&self) -> usize {
        usize::try_from(self.events.buffer_position()).unwrap_or(usize::MAX)
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.source.get(start..end).unwrap_or("")
    }
}
