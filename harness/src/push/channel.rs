//! Whom a push is for, what is kept of it, and when its device hears of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame, SizeHint};

use super::{LoadChannels, Presence, PushSeen, PushSlot, Shared};
use crate::transcript::{Exchange, Plane};
use protocol::time::UtcMillis;

/// What arrived, for the transcript.
pub(super) struct Incomings<'a> {
    pub(super) at: UtcMillis,
    pub(super) path: &'a str,
    pub(super) body: Bytes,
}

/// Whom a push is for.
pub(super) enum Channel {
    Cohort(PushSlot),
    Load(Arc<LoadChannels>, u32),
}

/// The channel of a path, if there is one.
pub(super) fn channel_of(shared: &Shared, path: &str) -> Option<Channel> {
    let device: u64 = path.strip_prefix("/channels/")?.parse().ok()?;
    let slots = shared.slots.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = slots.get(&device) {
        return Some(Channel::Cohort(slot.clone()));
    }
    drop(slots);
    let load = shared.load.read().unwrap_or_else(PoisonError::into_inner);
    let channels = load.as_ref()?;
    let index = u32::try_from(device).ok()?;
    channels.presence(index)?;
    Some(Channel::Load(Arc::clone(channels), index))
}

impl Incomings<'_> {
    /// The push as it is recorded, with its answer.
    pub(super) fn exchange(
        &self,
        shared: &Shared,
        scope: &'static str,
        party: &str,
        (status, word): (StatusCode, &str),
    ) -> Exchange {
        Exchange {
            plane: Plane::Push,
            scope,
            party: party.to_owned(),
            method: "POST",
            path: self.path.to_owned(),
            client_request_id: None,
            sent_at: self.at,
            received_at: Some(shared.clock.now()),
            request: self.body.to_vec(),
            status: Some(status.as_u16()),
            response: word.as_bytes().to_vec(),
            failure: None,
        }
    }
}

impl Channel {
    /// What is said of its device.
    pub(super) fn presence(&self) -> Presence {
        match self {
            Self::Cohort(slot) => slot.presence(),
            Self::Load(channels, device) => channels.presence(*device).unwrap_or(Presence::Gone),
        }
    }

    /// What is known before the answer leaves.
    pub(super) fn answering(
        &self,
        shared: &Shared,
        seen: &Incomings<'_>,
        connected: bool,
        answer: (StatusCode, &str),
    ) {
        match self {
            Self::Cohort(slot) => {
                let (name, scope) = slot.party();
                let exchange = seen.exchange(shared, scope, name, answer);
                slot.answering(PushSeen {
                    at: seen.at,
                    answered_connected: connected,
                    exchange: Some(shared.transcript.record(exchange)),
                });
            }
            Self::Load(channels, device) => channels.answering(*device, connected),
        }
    }

    /// The answer `connected` has been written out.
    fn answered(&self) {
        match self {
            Self::Cohort(slot) => slot.answered(),
            Self::Load(channels, device) => channels.answered(*device),
        }
    }
}

/// An empty body that tells when hyper has written it: the whole answer is then on its way.
pub(super) struct Told {
    pub(super) waker: Option<Waker>,
}

/// Tells the device of a push when the answer is gone.
pub(super) struct Waker {
    pub(super) channel: Channel,
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.channel.answered();
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.waker = None;
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}
