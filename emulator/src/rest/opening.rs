//! The first message of an ordinary session, of which only the ids differ between devices.

use std::borrow::Cow;

use protocol::syncml::{Header, Message, encode};

use crate::event::SessionCause;
use crate::identity::{DeviceId, Introduction, LoginStatus};
use crate::session::package::{Purpose, package_one};

/// The first message of a session that the schedule opens: bytes with places for the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    fixed: Box<[u8]>,
    /// Where in `fixed` an id belongs, in order.
    places: Box<[(usize, Id)]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Session,
    Device,
}

/// Stands for the device while a template is made.
const DEVICE: DeviceId = DeviceId::from_bytes(*b"\xa7muster-opening\x5c");
/// Stands for the session while a template is made.
const SESSION: &str = "session-of-the-opening";

impl Opening {
    /// The template for an address; `None` when the address itself looks like one of the marks.
    pub(crate) fn new(management_url: &str, login_status: LoginStatus) -> Option<Self> {
        let whole = |session: &str, device_id: DeviceId| {
            let introduction = Introduction {
                device_id,
                login_status,
            };
            first_message((management_url, session), introduction)
        };
        let marked = whole(SESSION, DEVICE);
        let opening = Self::cut(&marked);
        // The proof that the marks stood where the ids stand, and nowhere else.
        let agrees = [(0, [0; 16]), (65_535, [0xff; 16])]
            .into_iter()
            .all(|(session, bytes)| {
                let device = DeviceId::from_bytes(bytes);
                let mut written = Vec::new();
                opening.write(session, device, &mut written);
                written == whole(&session.to_string(), device)
            });
        agrees.then_some(opening)
    }

    fn cut(marked: &[u8]) -> Self {
        let device = DEVICE.to_string();
        let marks = [
            (SESSION.as_bytes(), Id::Session),
            (device.as_bytes(), Id::Device),
        ];
        let mut fixed = Vec::with_capacity(marked.len());
        let mut places = Vec::new();
        let mut rest = marked;
        while let Some((first, tail)) = rest.split_first() {
            let found = marks.iter().find(|(mark, _)| rest.starts_with(mark));
            if let Some((mark, id)) = found {
                places.push((fixed.len(), *id));
                rest = rest.get(mark.len()..).unwrap_or_default();
            } else {
                fixed.push(*first);
                rest = tail;
            }
        }
        Self {
            fixed: fixed.into_boxed_slice(),
            places: places.into_boxed_slice(),
        }
    }

    /// Appends the message of a session of a device.
    pub fn write(&self, session_id: u16, device_id: DeviceId, out: &mut Vec<u8>) {
        let mut from = 0;
        for (to, id) in &self.places {
            out.extend_from_slice(self.fixed.get(from..*to).unwrap_or_default());
            match id {
                Id::Session => write_number(session_id, out),
                Id::Device => out.extend_from_slice(&device_id.text()),
            }
            from = *to;
        }
        out.extend_from_slice(self.fixed.get(from..).unwrap_or_default());
    }
}

fn first_message((address, session): (&str, &str), introduction: Introduction) -> Vec<u8> {
    let header = Header::new(
        Cow::Borrowed(session),
        1,
        Cow::Borrowed(address),
        Cow::Owned(introduction.device_id.to_string()),
    );
    let message = Message {
        header,
        commands: package_one(introduction, SessionCause::Schedule, Purpose::Manage),
        is_final: true,
        ignored: Vec::new(),
    };
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    bytes
}

/// Appends a number in decimal digits.
fn write_number(number: u16, out: &mut Vec<u8>) {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or(0);
    for power in [10_000, 1_000, 100, 10] {
        if number >= power {
            out.push(digit(number / power));
        }
    }
    out.push(digit(number));
}
