//! Pushes over a socket.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::serve::BODY_MAX;
use super::*;
use crate::http::{Authority, Connection, Request, path_of};

const GOOD: [(&str, &str); 4] = [
    ("Authorization", "Bearer wake"),
    ("X-WNS-Type", "wns/raw"),
    ("X-WNS-RequestForStatus", "true"),
    ("Content-Type", "application/octet-stream"),
];

async fn endpoint() -> PushEndpoint {
    PushEndpoint::start(Clock::start(), "wake".to_owned(), Transcript::default())
        .await
        .unwrap()
}

async fn push(
    uri: &str,
    method: &'static str,
    headers: &[(&'static str, &str)],
    body: usize,
) -> crate::http::Answer {
    let mut connection = Connection::new(Authority::of_url(uri).unwrap(), Clock::start());
    let body = Bytes::from(vec![b'x'; body]);
    let request = Request {
        method,
        path: path_of(uri),
        headers,
        body,
    };
    connection
        .send(request, Duration::from_secs(5))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_push_is_answered_by_the_presence_of_the_device() {
    let endpoint = endpoint().await;
    let slot = endpoint.register(7, "L7", "test", Presence::Connected);
    for (presence, status, word) in [
        (Presence::Connected, 200, Some("connected")),
        (Presence::Disconnected, 200, Some("disconnected")),
        (Presence::TempDisconnected, 200, Some("tempdisconnected")),
        (Presence::Gone, 410, None),
    ] {
        slot.set_presence(presence);
        let answer = push(&endpoint.channel_uri(7), "POST", &GOOD, 5).await;
        assert_eq!(answer.status, status, "{presence:?}");
        assert_eq!(
            answer.header("x-wns-deviceconnectionstatus"),
            word,
            "{presence:?}"
        );
        assert!(answer.header("x-wns-msg-id").unwrap().len() <= 16);
    }
    assert!(slot.woken(0, Duration::from_secs(5)).await);
    assert_eq!(slot.wakes(), 1);
    assert_eq!(slot.count(), 4);
    assert_eq!(
        slot.pushes()
            .iter()
            .filter(|push| push.answered_connected)
            .count(),
        1
    );
    assert_eq!(
        endpoint.stats(),
        PushStats {
            pushes: 4,
            connected: 1,
            refused: 0
        }
    );
}

fn with(name: &str, value: &'static str) -> [(&'static str, &'static str); 4] {
    GOOD.map(|(key, old)| (key, if key == name { value } else { old }))
}

#[tokio::test]
async fn a_push_that_breaks_the_rules_is_refused_and_wakes_nobody() {
    let endpoint = endpoint().await;
    let slot = endpoint.register(7, "L7", "test", Presence::Connected);
    let known = endpoint.channel_uri(7);
    for (uri, method, headers, body, status) in [
        (known.as_str(), "GET", GOOD, 0, 405),
        (
            known.as_str(),
            "POST",
            with("Authorization", "Bearer other"),
            5,
            401,
        ),
        (
            known.as_str(),
            "POST",
            with("X-WNS-Type", "wns/toast"),
            5,
            400,
        ),
        (
            known.as_str(),
            "POST",
            with("Content-Type", "text/xml"),
            5,
            400,
        ),
        (known.as_str(), "POST", GOOD, BODY_MAX + 1, 413),
        (&endpoint.channel_uri(8), "POST", GOOD, 5, 404),
    ] {
        assert_eq!(
            push(uri, method, &headers, body).await.status,
            status,
            "{uri} {method}"
        );
    }
    assert_eq!((slot.count(), slot.wakes()), (0, 0));
    assert!(!slot.woken(0, Duration::ZERO).await);
    assert_eq!(endpoint.stats().refused, 6);
}

#[tokio::test]
async fn a_shard_hears_of_the_answer_before_and_after_it_leaves() {
    let endpoint = endpoint().await;
    let (sender, mut wakes) = mpsc::unbounded_channel();
    let channels = endpoint.open_load(4, vec![sender.clone(), sender]);
    let answer = push(&endpoint.channel_uri(4), "POST", &GOOD, 5).await;
    assert_eq!(answer.status, 404, "the fleet has four devices");
    let answer = push(&endpoint.channel_uri(3), "POST", &GOOD[..2], 5).await;
    assert_eq!(answer.status, 400, "the media type is required");
    let answer = push(&endpoint.channel_uri(3), "POST", &GOOD, 5).await;
    assert_eq!(answer.status, 200);
    channels.set_presence(3, Presence::Disconnected);
    let _dropped = push(&endpoint.channel_uri(3), "POST", &GOOD, 5).await;
    for stage in [WakeStage::Answering, WakeStage::Answered, WakeStage::Absent] {
        assert_eq!(wakes.recv().await, Some(Wake { device: 3, stage }));
    }
    assert_eq!((channels.wakes(3), channels.wakes(2)), (1, 0));
}
