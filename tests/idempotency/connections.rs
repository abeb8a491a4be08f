//! The same over real connections.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::State, http::Request, routing::post};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tower_respond_async::{Idempotency, RespondAsyncLayer};

use crate::support::{Accepted, Exchange, Raw, Release, http1, http2, serve};

/// Nobody is sent away before the test lets the handler go.
const LONG: Duration = Duration::from_secs(600);

/// What the handler shares with the test.
#[derive(Clone)]
struct Shared {
    release: Release,
    runs: watch::Sender<usize>,
}

impl Shared {
    fn new() -> Self {
        Self { release: Release::new(), runs: watch::Sender::new(0) }
    }

    /// Serves a handler that reads its request, and answers when it is let go.
    async fn serve(&self) -> SocketAddr {
        let handler = async |State(shared): State<Self>, request: Request<Body>| {
            shared.runs.send_modify(|runs| *runs += 1);
            let received = request.into_body().collect().await.unwrap().to_bytes();
            shared.release.wait().await;
            format!("{} bytes", received.len())
        };
        let layer = RespondAsyncLayer::builder(LONG).idempotency(Idempotency::Anonymous);
        let layer = layer.build().unwrap();
        serve(Router::new().route("/work", post(handler)).with_state(self.clone()).layer(layer))
            .await
    }

    fn runs(&self) -> usize {
        *self.runs.borrow()
    }
}

fn request(fields: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post("/work").header("idempotency-key", "k");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn twenty_simultaneous_requests_are_run_once() {
    let shared = Shared::new();
    let address = shared.serve().await;
    let two = http2(address).await;
    let mut calls = tokio::task::JoinSet::new();
    for at in 0..20 {
        let mut two = two.clone();
        calls.spawn(async move {
            match at % 2 {
                0 => http1(address).await.send(request(&[], "abc")).await,
                _ => two.send(request(&[], "abc")).await,
            }
        });
    }
    shared.release.waiting(1).await;
    shared.release.go();
    let answers = calls.join_all().await;
    assert_eq!(shared.runs(), 1);
    assert!(answers.iter().all(|answer| answer.body == "3 bytes"));
    assert_eq!(answers.iter().filter(|answer| answer.is_replayed()).count(), 19);
}

#[tokio::test]
async fn a_call_goes_on_when_its_connection_is_closed() {
    let shared = Shared::new();
    let address = shared.serve().await;
    let mut raw = Raw::connect(address).await;
    raw.write(
        "POST /work HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-length: 3\r\n\r\nabc",
    )
    .await;
    shared.release.waiting(1).await;
    drop(raw);
    let mut other = http1(address).await;
    let accepted = Accepted::of(other.send(request(&[("prefer", "wait=0")], "abc")).await);
    shared.release.go();
    let answer = other.send(request(&[], "abc")).await;
    assert!(answer.is_replayed());
    assert_eq!(other.result(&accepted).await.body, "3 bytes");
    assert_eq!(shared.runs(), 1);
}

/// Most clients do not look for an answer before they have sent all, and take it for a failure if
/// they cannot send all.
#[tokio::test]
async fn whoever_sends_a_large_upload_again_to_its_end_is_given_the_replay() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 16;
    let shared = Shared::new();
    let address = shared.serve().await;
    shared.release.go();
    let piece = vec![b'x'; PIECE];
    for replayed in [false, true, true] {
        let mut raw = Raw::connect(address).await;
        let head = format!(
            "POST /work HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-digest: sha-256=:a=:\r\n\
             content-length: {}\r\n\r\n",
            PIECE * PIECES,
        );
        raw.write(head).await;
        for _ in 0..PIECES {
            raw.write(&piece).await;
        }
        let (head, body) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(head.contains("idempotent-replayed: true"), replayed, "{head}");
        assert_eq!(body, format!("{} bytes", PIECE * PIECES));
    }
    assert_eq!(shared.runs(), 1);
}

/// Whoever waits for a 100 has not begun to send, and is spared it.
#[tokio::test]
async fn a_large_upload_that_waits_to_be_asked_for_is_not_sent_again() {
    let shared = Shared::new();
    let address = shared.serve().await;
    shared.release.go();
    let length = 1 << 20;
    let head = format!(
        "POST /work HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-digest: sha-256=:a=:\r\n\
         expect: 100-continue\r\ncontent-length: {length}\r\n\r\n",
    );
    let mut first = Raw::connect(address).await;
    first.write(&head).await;
    assert!(first.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    first.write(vec![b'x'; length]).await;
    let (answer, _) = first.read_answer().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut again = Raw::connect(address).await;
    again.write(&head).await;
    let (answer, body) = again.read_answer().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("idempotent-replayed: true"), "{answer}");
    assert_eq!(body, format!("{length} bytes"));
}
