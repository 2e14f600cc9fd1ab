//! The push endpoint: the emulated notification service that the target wakes devices through.
//!
//! It answers as contract 3 and wire-facts 4.3 say, by the connectivity of the device that the
//! channel belongs to. A device hears of a push only when the answer to it has been written out, so
//! that no session starts before the push that causes it was answered.
//!
//! | module | job |
//! |---|---|
//! | `presence` | what is said of a device |
//! | `cohort`, `load` | the channels of the devices of cohorts, and of a load fleet |
//! | `serve` | the HTTP side: who may push what |
//! | `channel` | whom a push is for, and when its device hears of it |

mod channel;
mod cohort;
mod load;
mod presence;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use cohort::{PushSeen, PushSlot};
pub use load::{LoadChannels, Wake, WakeStage};
pub use presence::Presence;

use crate::clock::Clock;
use crate::error::Error;
use crate::transcript::{ExchangeId, Transcript};
use protocol::secret::Secret;

/// Counts over all devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushStats {
    /// Well-formed pushes to known channels.
    pub pushes: u64,
    /// Those answered `connected`.
    pub connected: u64,
    /// Requests refused with 400, 401, 404, 405 or 413.
    pub refused: u64,
}

/// The running endpoint; clones share it.
#[derive(Clone, Debug)]
pub struct PushEndpoint {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    base: String,
    authorization: Secret,
    clock: Clock,
    transcript: Transcript,
    slots: RwLock<HashMap<u64, PushSlot>>,
    load: RwLock<Option<Arc<LoadChannels>>>,
    pushes: AtomicU64,
    connected: AtomicU64,
    refused: AtomicU64,
    refused_seen: Mutex<BTreeMap<u16, ExchangeId>>,
}

impl PushEndpoint {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// [`Error::SetUp`] when no port can be had.
    pub async fn start(
        clock: Clock,
        push_token: String,
        transcript: Transcript,
    ) -> Result<Self, Error> {
        let no_port = |error: std::io::Error| Error::SetUp(format!("push endpoint: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
        let port = listener.local_addr().map_err(no_port)?.port();
        let shared = Arc::new(Shared {
            base: format!("http://127.0.0.1:{port}/channels/"),
            authorization: Secret::new(format!("Bearer {push_token}")),
            clock,
            transcript,
            slots: RwLock::default(),
            load: RwLock::default(),
            pushes: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            refused_seen: Mutex::default(),
        });
        tokio::spawn(serve::accept(listener, Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// The URL that a device gives as `Push/ChannelURI`.
    #[must_use]
    pub fn channel_uri(&self, device: u64) -> String {
        format!("{}{device}", self.shared.base)
    }

    /// Opens the channel of a device of a cohort; its pushes are kept and recorded.
    #[must_use]
    pub fn register(
        &self,
        device: u64,
        name: &str,
        scope: &'static str,
        presence: Presence,
    ) -> PushSlot {
        let slot = PushSlot::open(name, scope, presence);
        let mut slots = self
            .shared
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        slots.insert(device, slot.clone());
        slot
    }

    /// Opens the channels of the load devices 0 to n - 1, in the place of a former fleet's. Their
    /// shards hear of each push through `shards`.
    #[must_use]
    pub fn open_load(
        &self,
        devices: u32,
        shards: Vec<mpsc::UnboundedSender<Wake>>,
    ) -> Arc<LoadChannels> {
        let channels = Arc::new(LoadChannels::new(devices, shards));
        let mut load = self
            .shared
            .load
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *load = Some(Arc::clone(&channels));
        channels
    }

    /// The counts so far.
    #[must_use]
    pub fn stats(&self) -> PushStats {
        PushStats {
            pushes: self.shared.pushes.load(Ordering::SeqCst),
            connected: self.shared.connected.load(Ordering::SeqCst),
            refused: self.shared.refused.load(Ordering::SeqCst),
        }
    }

    /// One recorded exchange for each status with which requests were refused.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<u16, ExchangeId> {
        self.shared
            .refused_seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
