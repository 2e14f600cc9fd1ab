//! Sends the core's pushes and tells the core, and whoever waits, what came back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use protocol::push::{self as wns, ConnectionStatus};
use reference::{PushAnswer, PushId, PushRequest};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::Shared;

/// A push that is not answered in this time counts as offline (contract section 3).
const PUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// Most pushes under way at a time.
const PUSHES_MAX: usize = 256;
/// Most idle connections that are kept for each push host.
const IDLE_MAX: usize = 32;

type Sender = SendRequest<Full<Bytes>>;

/// The pushes under way and the connections they use.
#[derive(Debug)]
pub(crate) struct Pushes {
    token: String,
    places: Arc<Semaphore>,
    pending: Mutex<HashMap<PushId, watch::Sender<()>>>,
    idle: Mutex<HashMap<String, Vec<Sender>>>,
}

impl Pushes {
    /// Pushes that carry this bearer token.
    pub(crate) fn new(token: String) -> Self {
        Self {
            token,
            places: Arc::new(Semaphore::new(PUSHES_MAX)),
            pending: Mutex::default(),
            idle: Mutex::default(),
        }
    }

    /// Starts a push; its answer goes to the core.
    pub(crate) fn send(&self, shared: Arc<Shared>, push: PushRequest) {
        let (done, _) = watch::channel(());
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(push.id, done);
        tokio::spawn(async move {
            let answer = shared.pushes.ask(&push.uri).await;
            shared.with_core(|core, now| core.handle_push_answer(now, push.id, answer));
            shared
                .pushes
                .pending
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&push.id);
        });
    }

    /// Returns once this push has been answered and the core knows it.
    pub(crate) async fn answered(&self, push: PushId) {
        let waiting = self
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&push)
            .map(watch::Sender::subscribe);
        if let Some(mut done) = waiting {
            // The sender is dropped when the push is answered; it never sends.
            while done.changed().await.is_ok() {}
        }
    }

    /// One push and its answer, within its time.
    async fn ask(&self, uri: &str) -> PushAnswer {
        let _place = self.places.acquire().await;
        match tokio::time::timeout(PUSH_TIMEOUT, self.exchange(uri)).await {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => PushAnswer::Failed,
        }
    }

    async fn exchange(&self, uri: &str) -> Option<PushAnswer> {
        let uri: Uri = uri.parse().ok()?;
        let host = uri.authority()?.as_str().to_owned();
        let mut request = self.request(&uri, &host)?;
        if let Some(mut idle) = self.take_idle(&host) {
            match idle.try_send_request(request).await {
                Ok(response) => {
                    let answer = read(&response);
                    self.keep(host, idle);
                    return Some(answer);
                }
                // Never written: proof that the push was not sent, so another connection may.
                Err(mut error) => request = error.take_message()?,
            }
        }
        let mut fresh = connect(&host).await?;
        let response = fresh.send_request(request).await.ok()?;
        let answer = read(&response);
        self.keep(host, fresh);
        Some(answer)
    }

    fn request(&self, uri: &Uri, host: &str) -> Option<Request<Full<Bytes>>> {
        Request::post(uri.path_and_query()?.as_str())
            .header(HOST, host)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, wns::CONTENT_TYPE)
            .header(wns::TYPE, wns::TYPE_RAW)
            .header(wns::REQUEST_FOR_STATUS, "true")
            .body(Full::new(Bytes::from_static(b"muster")))
            .ok()
    }

    fn take_idle(&self, host: &str) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = idle.get_mut(host)?;
        while let Some(sender) = senders.pop() {
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    fn keep(&self, host: String, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = idle.entry(host).or_default();
        if senders.len() < IDLE_MAX {
            senders.push(sender);
        }
    }
}

async fn connect(host: &str) -> Option<Sender> {
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a push connection ended early");
        }
    });
    Some(sender)
}

/// What an answer says of the device (contract section 3).
fn read(response: &hyper::Response<hyper::body::Incoming>) -> PushAnswer {
    match response.status() {
        StatusCode::OK => {
            let status = response
                .headers()
                .get(wns::DEVICE_CONNECTION_STATUS)
                .and_then(|value| value.to_str().ok())
                .and_then(ConnectionStatus::parse);
            match status {
                Some(ConnectionStatus::Connected) => PushAnswer::Connected,
                Some(ConnectionStatus::Disconnected) => PushAnswer::Disconnected,
                Some(ConnectionStatus::TempDisconnected) => PushAnswer::TempDisconnected,
                None => PushAnswer::Failed,
            }
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => PushAnswer::ChannelGone,
        _ => PushAnswer::Failed,
    }
}
