//! The bytes of an answer that was judged and found right, but for the ids in it.
//!
//! A first answer that asks for nothing is the same for all devices of a class, as long as the
//! target puts nothing volatile into it: two ids differ, and each stands in the header. An answer
//! with exactly these bytes around exactly its own ids says what the judged one said, value by
//! value. The judge asks nothing of the two ids but that they are those of the request, so it would
//! find the same.

use std::borrow::Cow;

use protocol::syncml::{Limits, Text, decode};

use super::Http;

/// The ids of a first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids<'a> {
    /// `SessionID`.
    pub session: &'a [u8],
    /// The device.
    pub device: &'a [u8],
}

/// A right answer without its ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    content_type: Box<str>,
    before: Box<[u8]>,
    between: Box<[u8]>,
    after: Box<[u8]>,
    first: First,
}

/// Which of the ids comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Session,
    Device,
}

impl Shape {
    /// The shape of an answer; `None` when its ids are not written plainly.
    #[must_use]
    pub fn of(http: Http<'_>) -> Option<Self> {
        let body = http.body;
        let answer = decode(body, &Limits::default()).ok()?;
        let session = place(body, &answer.header.session_id)?;
        let device = place(body, &answer.header.target)?;
        let (first, one, two) = if session.0 < device.0 {
            (First::Session, session, device)
        } else {
            (First::Device, device, session)
        };
        Some(Self {
            content_type: http.content_type?.into(),
            before: body.get(..one.0)?.into(),
            between: body.get(one.1..two.0)?.into(),
            after: body.get(two.1..)?.into(),
            first,
        })
    }

    /// True for an answer that is equal to the judged one but for the ids, which are these.
    #[must_use]
    pub fn fits(&self, ids: Ids<'_>, http: Http<'_>) -> bool {
        let (one, two) = match self.first {
            First::Session => (ids.session, ids.device),
            First::Device => (ids.device, ids.session),
        };
        let length = http.content_length.and_then(|length| length.parse().ok());
        let rest = [&self.before, one, &self.between, two]
            .into_iter()
            .try_fold(http.body, |rest, piece| rest.strip_prefix(piece));
        http.status == 200
            && http.content_type == Some(&*self.content_type)
            && length == Some(http.body.len())
            && rest == Some(&*self.after)
    }
}

/// From where to where a text stands in the bytes that it was read from.
fn place(body: &[u8], text: &Text<'_>) -> Option<(usize, usize)> {
    let Cow::Borrowed(text) = text else {
        return None;
    };
    let from = text.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let to = from.checked_add(text.len())?;
    (!text.is_empty() && body.get(from..to)? == text.as_bytes()).then_some((from, to))
}
