//! What legal variants of the core do to an answer on its way out: connections, chunks.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use reference::{Variant, Variants};

/// Largest chunk where an answer is sent in chunks.
const CHUNK_MAX: usize = 100;

/// A body that is sent whole with its length, or in chunks without.
#[derive(Debug)]
pub(super) struct Content {
    whole: Full<Bytes>,
    /// What is left to send in chunks.
    rest: Bytes,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Chunked,
}

/// The answer as the variants send it.
pub(super) fn sent(on: Variants, response: Response<Full<Bytes>>) -> Response<Content> {
    let (mut head, whole) = response.into_parts();
    if on.has(Variant::HttpCloses) {
        let close = HeaderValue::from_static("close");
        head.headers.insert(CONNECTION, close);
    }
    // Contract 0: answers of the enrolment and management planes are never chunked.
    let json =
        head.headers.get(CONTENT_TYPE) == Some(&HeaderValue::from_static("application/json"));
    let form = if json && on.has(Variant::HttpChunked) {
        Form::Chunked
    } else {
        Form::Whole
    };
    let content = Content {
        whole,
        rest: Bytes::new(),
        form,
    };
    Response::from_parts(head, content)
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.form == Form::Whole {
            return Pin::new(&mut self.whole).poll_frame(context);
        }
        if self.rest.is_empty() {
            match Pin::new(&mut self.whole).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => self.rest = frame.into_data().unwrap_or_default(),
                end @ (Poll::Ready(_) | Poll::Pending) => return end,
            }
        }
        let length = self.rest.len().min(CHUNK_MAX);
        let chunk = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.whole.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.form {
            Form::Whole => self.whole.size_hint(),
            Form::Chunked => SizeHint::default(),
        }
    }
}
