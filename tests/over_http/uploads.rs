//! A 202 never cuts an upload off, and a small one never delays it.

use std::{net::SocketAddr, sync::LazyLock};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, Response, StatusCode, Version},
    response::IntoResponse,
    routing::post,
};
use http_body_util::BodyExt;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{DEADLINE, deferring};
use crate::support::{Accepted, Answer, Exchange, Raw, Release, http1, http2, long_past};

/// A large upload comes in pieces of this size, none of which is like another.
const PIECE: usize = 64 << 10;

/// 5 MiB.
const PIECES: usize = 80;

/// What the handlers share with the test.
#[derive(Clone)]
struct Shared {
    release: Release,
    /// How many bytes the handler has read.
    read: watch::Sender<usize>,
}

/// The pieces of an upload that the test still has to send.
struct Upload {
    pieces: mpsc::Sender<Result<Bytes, std::io::Error>>,
    sent: usize,
}

// === impl Shared ===

impl Shared {
    fn new() -> Self {
        Self { release: Release::new(), read: watch::Sender::new(0) }
    }

    async fn has_read(&self, bytes: usize) {
        let mut read = self.read.subscribe();
        read.wait_for(|read| *read >= bytes).await.expect("the sender is held here");
    }

    /// Reads the whole request, frame by frame.
    async fn receive(&self, request: Request<Body>) -> Result<Vec<u8>, String> {
        let (mut body, mut received) = (request.into_body(), Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| format!("{error:?}"))?;
            received.extend_from_slice(&frame.into_data().unwrap_or_default());
            self.read.send_replace(received.len());
        }
        Ok(received)
    }
}

// === impl Upload ===

impl Upload {
    /// An upload to `uri`, of declared length or not.
    fn new(uri: &str, declared: bool) -> (Self, Request<Body>) {
        let (pieces, receiver) = mpsc::channel(1);
        let body = futures_util::stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        let mut request = Request::post(uri);
        if declared {
            request = request.header("content-length", PIECES * PIECE);
        }
        (Self { pieces, sent: 0 }, request.body(Body::from_stream(body)).expect("a valid request"))
    }

    async fn send(&mut self, pieces: usize) {
        for _ in 0..pieces {
            let piece = Bytes::from(piece(self.sent));
            self.pieces.send(Ok(piece)).await.expect("the server goes on reading");
            self.sent += 1;
        }
    }
}

/// Begins with its number, and goes on so that nothing in it can be missing or misplaced unseen.
fn piece(number: usize) -> Vec<u8> {
    static PATTERN: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..PIECE).map(|at| (at ^ (at >> 8)) as u8).collect());
    let mut piece = PATTERN.clone();
    piece[..8].copy_from_slice(&(number as u64).to_be_bytes());
    piece
}

fn whole() -> Vec<u8> {
    (0..PIECES).map(piece).collect::<Vec<_>>().concat()
}

/// Waits for the test before it reads, or after, and gives back what it has read.
fn app(shared: &Shared) -> Router {
    let before = async |State(shared): State<Shared>, request: Request<Body>| {
        shared.release.wait().await;
        echo(shared.receive(request).await)
    };
    let after = async |State(shared): State<Shared>, request: Request<Body>| {
        let received = shared.receive(request).await;
        shared.release.wait().await;
        echo(received)
    };
    let at_once = async |State(shared): State<Shared>, request: Request<Body>| {
        echo(shared.receive(request).await)
    };
    let unread = async |State(shared): State<Shared>| {
        shared.release.wait().await;
        "unread"
    };
    Router::new()
        .route("/before", post(before))
        .route("/after", post(after))
        .route("/at-once", post(at_once))
        .route("/unread", post(unread))
        .route("/refused", post(|| async { StatusCode::FORBIDDEN }))
        .with_state(shared.clone())
}

fn echo(received: Result<Vec<u8>, String>) -> Response<Body> {
    match received {
        Ok(received) => received.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error).into_response(),
    }
}

fn spawn(mut client: impl Exchange + Send + 'static, request: Request<Body>) -> JoinHandle<Answer> {
    // The trait's futures are not known to be `Send`, and need not be: a test is one thread.
    tokio::task::spawn_local(async move { client.send(request).await })
}

#[tokio::test]
async fn a_handler_that_waits_before_it_reads_a_small_body_gets_its_202_on_time() {
    let shared = Shared::new();
    let address = deferring(app(&shared)).await;
    let small = || Request::post("/before").body(Body::from("small")).unwrap();
    let mut one = http1(address).await;
    let mut two = http2(address).await;
    // The handlers read only when they are let go, which is after both have been answered.
    let accepted = [Accepted::of(one.send(small()).await), Accepted::of(two.send(small()).await)];
    shared.release.go();
    for accepted in accepted {
        let answer = one.result(&accepted).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"small"[..]));
    }
}

#[tokio::test]
async fn a_handler_that_sleeps_ten_deadlines_before_it_reads_a_small_body_reads_it() {
    let shared = Shared::new();
    let sleepy = async |State(shared): State<Shared>, request: Request<Body>| {
        tokio::time::sleep(DEADLINE * 10).await;
        echo(shared.receive(request).await)
    };
    let app = Router::new().route("/sleepy", post(sleepy)).with_state(shared.clone());
    let mut client = http1(deferring(app).await).await;
    let request = Request::post("/sleepy").body(Body::from("small")).unwrap();
    let accepted = Accepted::of(client.send(request).await);
    let answer = client.result(&accepted).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"small"[..]));
}

/// Sends half of an upload, lets the deadline pass, and sends the rest.
async fn upload_slowly(uri: &'static str, version: Version, declared: bool) -> Uploaded {
    let shared = Shared::new();
    let address = deferring(app(&shared)).await;
    let (mut upload, request) = Upload::new(uri, declared);
    let answer = match version {
        Version::HTTP_2 => spawn(http2(address).await, request),
        _ => spawn(http1(address).await, request),
    };
    upload.send(PIECES / 2).await;
    // All but what the client still holds back.
    shared.has_read((PIECES / 2 - 2) * PIECE).await;
    long_past(DEADLINE).await;
    assert!(!answer.is_finished(), "a 202 would cut the upload off");
    upload.send(PIECES / 2).await;
    drop(upload);
    Uploaded { answer: answer.await.expect("no panic"), shared, address }
}

/// What a slow upload led to.
struct Uploaded {
    answer: Answer,
    shared: Shared,
    address: SocketAddr,
}

/// Over HTTP/2 the server would read on after a 202, but there are clients that stop sending.
const SLOW: [(Version, bool); 4] = [
    (Version::HTTP_11, true),
    (Version::HTTP_11, false),
    (Version::HTTP_2, true),
    (Version::HTTP_2, false),
];

#[tokio::test(flavor = "local")]
async fn a_slow_upload_of_5_mb_arrives_whole_and_is_answered_directly() {
    for (version, declared) in SLOW {
        let Uploaded { answer, .. } = upload_slowly("/at-once", version, declared).await;
        assert_eq!(answer.status, StatusCode::OK);
        let received = answer.body.len();
        assert!(answer.body == whole(), "{version:?}, declared: {declared}: {received} bytes");
    }
}

#[tokio::test(flavor = "local")]
async fn a_slow_upload_of_5_mb_arrives_whole_and_is_accepted_at_its_end() {
    for (version, declared) in SLOW {
        let Uploaded { answer, shared, address } = upload_slowly("/after", version, declared).await;
        let accepted = Accepted::of(answer);
        shared.release.go();
        let answer = http1(address).await.result(&accepted).await;
        assert_eq!(answer.status, StatusCode::OK);
        let received = answer.body.len();
        assert!(answer.body == whole(), "{version:?}, declared: {declared}: {received} bytes");
    }
}

#[tokio::test(flavor = "local")]
async fn a_large_upload_that_nobody_reads_does_not_hold_the_202_back() {
    let shared = Shared::new();
    let address = deferring(app(&shared)).await;
    let (mut upload, request) = Upload::new("/unread", true);
    let answer = spawn(http1(address).await, request);
    upload.send(1).await;
    let accepted = Accepted::of(answer.await.unwrap());
    shared.release.go();
    assert_eq!(http1(address).await.result(&accepted).await.body, "unread");
}

#[tokio::test(flavor = "local")]
async fn an_upload_that_breaks_off_is_seen_by_the_service_as_without_the_layer() {
    let shared = Shared::new();
    let address = deferring(app(&shared)).await;
    let mut client = Raw::connect(address).await;
    client.write("POST /after HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").await;
    client.write(vec![b'x'; 1_000]).await;
    shared.has_read(1_000).await;
    long_past(DEADLINE).await;
    assert!(client.is_silent(), "a 202 would cut the upload off");
    drop(client);
    // The handler goes on living no longer than its caller, or sees the end: either way the server
    // still answers.
    let mut other = http1(address).await;
    let request = Request::post("/refused").body(Body::empty()).unwrap();
    assert_eq!(other.send(request).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_client_that_expects_a_100_gets_it_then_the_202() {
    let shared = Shared::new();
    let address = deferring(app(&shared)).await;
    let mut client = Raw::connect(address).await;
    let head =
        "POST /after HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.write(head).await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello").await;
    let (head, body) = client.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    shared.release.go();
    let get =
        format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", document["resultUrl"].as_str().unwrap());
    loop {
        client.write(&get).await;
        let (head, body) = client.read_answer().await;
        if !head.starts_with("HTTP/1.1 202 ") {
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            assert_eq!(body, "hello");
            return;
        }
    }
}

#[tokio::test]
async fn a_client_that_expects_a_100_is_not_told_202_instead() {
    let shared = Shared::new();
    let address = deferring(app(&shared)).await;
    let mut client = Raw::connect(address).await;
    let head =
        "POST /before HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.write(head).await;
    shared.release.waiting(1).await;
    long_past(DEADLINE).await;
    assert!(client.is_silent(), "the body has not been sent, let alone read");
    shared.release.go();
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello").await;
    let (head, body) = client.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, "hello");
}

#[tokio::test]
async fn a_client_that_expects_a_100_is_refused_before_it_sends_anything() {
    let mut client = Raw::connect(deferring(app(&Shared::new())).await).await;
    let head =
        "POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.write(head).await;
    let (head, _) = client.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[tokio::test]
async fn a_small_chunked_upload_is_answered_at_its_end() {
    let shared = Shared::new();
    let mut client = Raw::connect(deferring(app(&shared)).await).await;
    client.write("POST /after HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.write("3\r\nhel\r\n").await;
    shared.has_read(3).await;
    long_past(DEADLINE).await;
    assert!(client.is_silent(), "a 202 would cut the upload off");
    client.write("2\r\nlo\r\n0\r\n\r\n").await;
    let (head, body) = client.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    shared.release.go();
    let url = document["resultUrl"].as_str().unwrap();
    client.write(format!("GET {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
    let (head, _) = client.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 20"), "{head}");
}

#[tokio::test]
async fn an_upload_to_the_url_of_an_operation_is_received_before_it_is_answered() {
    let app = Router::new().route("/hold", post(std::future::pending::<()>));
    let address = deferring(app).await;
    let mut connection = http1(address).await;
    let accepted =
        Accepted::of(connection.send(Request::post("/hold").body(Body::empty()).unwrap()).await);
    let mut client = Raw::connect(address).await;
    // A client that writes all of its request before it reads anything, twice on one connection.
    for _ in 0..2 {
        let head = format!(
            "DELETE {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            accepted.status_url,
            PIECES * PIECE,
        );
        client.write(head).await;
        client.write(vec![b'x'; PIECES * PIECE]).await;
        let (head, _) = client.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 20"), "{head}");
    }
}
