//! The threads that serve connections: one for each core, with a runtime of its own, so that a
//! request never changes threads.
//!
//! Connections are accepted in one place and handed out in turn. With a listener for each thread
//! (`SO_REUSEPORT`) the kernel would deal them out by chance, and a few long-lived ones unevenly.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Shared, connection};

/// Most connections at a time; more wait in the listener's queue.
const CONNECTIONS_MAX: usize = 8_192;
/// Pause after a failed accept, for example when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The threads; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    /// Each holds at most [`CONNECTIONS_MAX`], for every arrival has its place.
    inboxes: Vec<UnboundedSender<Arrival>>,
}

/// A connection that was accepted.
#[derive(Debug)]
struct Arrival {
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
}

impl Workers {
    /// Starts a thread for each core.
    ///
    /// # Errors
    /// The system refuses a thread or what a runtime needs.
    pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut inboxes = Vec::with_capacity(cores);
        for place in 0..cores {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (inbox, arrivals) = unbounded_channel();
            let shared = Arc::clone(shared);
            std::thread::Builder::new()
                .name(format!("core-{place}"))
                .spawn(move || work(&runtime, arrivals, &shared))?;
            inboxes.push(inbox);
        }
        Ok(Self { inboxes })
    }
}

/// Serves what arrives until nothing can arrive any more; connections that are open then end.
fn work(runtime: &Runtime, mut arrivals: UnboundedReceiver<Arrival>, shared: &Arc<Shared>) {
    runtime.block_on(async {
        while let Some(arrival) = arrivals.recv().await {
            let shared = Arc::clone(shared);
            tokio::spawn(serve(arrival, shared));
        }
    });
}

async fn serve(arrival: Arrival, shared: Arc<Shared>) {
    match tokio::net::TcpStream::from_std(arrival.stream) {
        Ok(stream) => connection::serve(stream, arrival.peer, shared).await,
        Err(error) => tracing::warn!(%error, "a connection could not be watched"),
    }
    drop(arrival.place);
}

/// Accepts connections for as long as there are threads for them.
pub(crate) async fn accept(listener: TcpListener, workers: &Workers) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    for inbox in workers.inboxes.iter().cycle() {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (stream, peer) = next(&listener).await;
        let arrival = Arrival {
            stream,
            peer,
            place,
        };
        if inbox.send(arrival).is_err() {
            return;
        }
    }
}

/// The next connection that can be accepted, unknown to this thread's runtime.
async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        let accepted = listener.accept().await;
        match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
