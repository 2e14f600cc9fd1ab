//! A connection that ends when a peer is too slow (contract section 0): a request must be complete
//! 10 s after its first byte, and an idle connection ends after 75 s.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// A request must be complete this long after its first byte.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection without a request ends after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

const IDLE: u8 = 0;
const RECEIVING: u8 = 1;
const SERVING: u8 = 2;

/// Where a connection stands between requests; shared by the stream and the service.
#[derive(Debug)]
pub(crate) struct Phase {
    opened: Instant,
    state: AtomicU8,
    /// When the state began, in milliseconds since `opened`.
    since_ms: AtomicU64,
}

impl Phase {
    /// A connection that was just accepted.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            state: AtomicU8::new(IDLE),
            since_ms: AtomicU64::new(0),
        })
    }

    /// The request is complete and being answered: the peer owes nothing.
    pub(crate) fn serving(&self) {
        self.enter(SERVING);
    }

    /// The answer was handed over: the next request may take its time.
    pub(crate) fn idle(&self) {
        self.enter(IDLE);
    }

    /// When the request that is being received must be complete.
    pub(crate) fn request_deadline(&self) -> Instant {
        self.since() + REQUEST_TIMEOUT
    }

    fn first_byte(&self) {
        if self.state.load(Ordering::Relaxed) == IDLE {
            self.enter(RECEIVING);
        }
    }

    fn enter(&self, state: u8) {
        let since = self.opened.elapsed().as_millis();
        self.since_ms
            .store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.state.store(state, Ordering::Relaxed);
    }

    fn since(&self) -> Instant {
        self.opened + Duration::from_millis(self.since_ms.load(Ordering::Relaxed))
    }

    /// When the peer is too late, if it owes anything.
    fn deadline(&self) -> Option<Instant> {
        match self.state.load(Ordering::Relaxed) {
            IDLE => Some(self.since() + IDLE_TIMEOUT),
            RECEIVING => Some(self.request_deadline()),
            _ => None,
        }
    }
}

/// A TCP stream whose reads fail once the peer is too late.
#[derive(Debug)]
pub(crate) struct TimedStream {
    stream: TcpStream,
    phase: Arc<Phase>,
    timer: Pin<Box<Sleep>>,
}

impl TimedStream {
    /// Watches `stream`, which stands in `phase`.
    pub(crate) fn new(stream: TcpStream, phase: Arc<Phase>) -> Self {
        let timer = Box::pin(tokio::time::sleep(REQUEST_TIMEOUT));
        Self {
            stream,
            phase,
            timer,
        }
    }

    /// Ready when the peer is too late; arms the timer otherwise.
    ///
    /// The timer is moved only when it fires or stands too late, so that a connection that is in
    /// use costs no timer work a request.
    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.phase.deadline() else {
            return Poll::Pending;
        };
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                if buffer.filled().len() > before {
                    self.phase.first_byte();
                }
                Poll::Ready(result)
            }
            Poll::Pending => self
                .poll_too_late(cx)
                .map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
