//! No silent wrong answer: a client that knows nothing of 202 is never handed one, however long its
//! call takes. Each test is one such client, over a real connection.
//!
//! A handler goes on only when the test lets it, which is after the deadline has certainly passed;
//! nothing depends on how fast anything is.

mod support;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::IntoResponse,
    routing::{any, get},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, mpsc},
};
use tower_respond_async::{Handle, RespondAsyncLayer};

use self::support::{Answer, Exchange, Raw, Release, bare, call, http1, http2, long_past, serve};

const DEADLINE: Duration = Duration::from_millis(50);

/// A server whose pages come when the test says so.
struct Site {
    address: SocketAddr,
    release: Release,
    handle: Handle,
}

/// Which methods the owner lists.
#[derive(Clone, Copy, Debug)]
enum Listed {
    /// As the layer comes.
    Default,
    /// All of them.
    All,
}

const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::TRACE,
    Method::POST,
    Method::PUT,
    Method::PATCH,
];

fn layer(listed: Listed) -> RespondAsyncLayer {
    let builder = RespondAsyncLayer::builder(DEADLINE);
    match listed {
        Listed::Default => builder.build().expect("a valid layer"),
        Listed::All => builder.methods(METHODS).build().expect("a valid layer"),
    }
}

async fn site(listed: Listed) -> Site {
    let (layer, release) = (layer(listed), Release::new());
    let page = |State(release): State<Release>| async move {
        release.wait().await;
        ([(header::ETAG, "\"v1\"")], "the page")
    };
    let app = Router::new().route("/page", any(page)).with_state(release.clone());
    let handle = layer.handle();
    let address = serve(app.layer(layer)).await;
    Site { address, release, handle }
}

/// The answer to a request for the page, which comes long after the deadline.
async fn late_answer(listed: Listed, request: Request<Body>) -> Answer {
    let site = site(listed).await;
    let mut client = http1(site.address).await;
    let answer = tokio::spawn(async move { client.send(request).await });
    site.release.waiting(1).await;
    long_past(DEADLINE).await;
    site.release.go();
    let answer = answer.await.expect("no panic");
    assert_eq!(answer.status == StatusCode::ACCEPTED, site.handle.parked() > 0);
    answer
}

/// Sends the request as it is, and with a preference for a 202, to servers whose owners list some
/// methods or all: nothing of that makes a difference.
async fn assert_never_deferred(method: Method, fields: &[(&str, &str)]) {
    let preferences = [None, Some("respond-async"), Some("respond-async, wait=0")];
    let attempts = [Listed::Default, Listed::All].into_iter().flat_map(|listed| {
        preferences.map(|prefer| assert_not_deferred(listed, prefer, &method, fields))
    });
    futures_util::future::join_all(attempts).await;
}

async fn assert_not_deferred(
    listed: Listed,
    prefer: Option<&str>,
    method: &Method,
    fields: &[(&str, &str)],
) {
    let mut request = Request::builder().method(method).uri("/page");
    let prefer = prefer.map(|prefer| ("prefer", prefer));
    for (name, value) in fields.iter().copied().chain(prefer) {
        request = request.header(name, value);
    }
    let answer = late_answer(listed, request.body(Body::empty()).expect("a valid request")).await;
    assert_eq!(answer.status, StatusCode::OK, "{listed:?} {prefer:?}");
    let body = if method == Method::HEAD { "" } else { "the page" };
    assert_eq!(answer.body, body);
    for name in ["location", "retry-after", "respond-async", "preference-applied"] {
        assert_eq!(answer.header(name), None, "{listed:?} {prefer:?}");
    }
}

const FETCH: [(&str, &str); 6] = [
    ("accept", "*/*"),
    ("accept-language", "en"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
];

fn fetch() -> Request<Body> {
    let mut request = Request::get("/page");
    for (name, value) in FETCH {
        request = request.header(name, value);
    }
    request.body(Body::empty()).expect("a valid request")
}

#[tokio::test]
async fn a_browser_that_navigates_to_a_slow_page_gets_the_page() {
    let fields = [
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-user", "?1"),
        ("upgrade-insecure-requests", "1"),
    ];
    assert_never_deferred(Method::GET, &fields).await;
}

#[tokio::test]
async fn a_browser_that_submits_a_form_gets_the_page() {
    let fields = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert_never_deferred(Method::POST, &fields).await;
}

#[tokio::test]
async fn a_browsers_fetch_of_a_slow_page_gets_the_page() {
    let answer = late_answer(Listed::Default, fetch()).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"the page"[..]));
}

/// The same `fetch`, and the owner has asked for it: this is also how the tests here know that they
/// would see a 202.
#[tokio::test]
async fn a_browsers_fetch_is_deferred_where_the_owner_lists_get() {
    let answer = late_answer(Listed::All, fetch()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_kubernetes_probe_of_a_hung_endpoint_gives_up_without_an_answer() {
    let dropped = Arc::new(Notify::new());
    let (layer, reached) = (layer(Listed::Default), Release::new());
    let healthz = {
        let (dropped, reached) = (Arc::clone(&dropped), reached.clone());
        get(async move || {
            let _dropped = OnDrop(dropped);
            reached.wait().await;
        })
    };
    let handle = layer.handle();
    let address = serve(Router::new().route("/healthz", healthz).layer(layer)).await;
    let mut probe = Raw::connect(address).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nUser-Agent: kube-probe/1.34\r\n\
                   Accept: */*\r\nConnection: close\r\n\r\n";
    probe.write(request).await;
    reached.waiting(1).await;
    long_past(DEADLINE).await;
    assert!(probe.is_silent(), "a 202 would have made the probe succeed");
    drop(probe);
    dropped.notified().await;
    assert_eq!(handle.parked(), 0, "the hung handler is dropped with its caller");
}

/// Tells that the handler was dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn an_event_source_gets_its_events_as_they_come() {
    for (listed, method) in [
        (Listed::Default, Method::GET),
        (Listed::All, Method::GET),
        // Some libraries send one with POST.
        (Listed::Default, Method::POST),
    ] {
        let (events, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(1);
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let release = Release::new();
        let stream = {
            let release = release.clone();
            any(async move || {
                release.wait().await;
                let events = futures_util::stream::unfold(receiver, async |receiver| {
                    let event = receiver.lock().await.recv().await?;
                    Some((event, receiver))
                });
                ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events))
            })
        };
        let address = serve(Router::new().route("/events", stream).layer(layer(listed))).await;
        let mut client = http1(address).await;
        let request = Request::builder()
            .method(method)
            .uri("/events")
            .header("accept", "text/event-stream")
            .header("cache-control", "no-cache")
            .header("prefer", "respond-async")
            .body(Body::empty())
            .unwrap();
        let response = tokio::spawn(async move { client.response(request).await });
        release.waiting(1).await;
        long_past(DEADLINE).await;
        release.go();
        let mut response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        for event in ["data: 1\n\n", "data: 2\n\n"] {
            // The next event is sent only when this one has been received.
            events.send(Ok(Bytes::from(event))).await.unwrap();
            let frame = response.body_mut().frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), event);
            long_past(DEADLINE).await;
        }
        drop(events);
        assert!(response.body_mut().frame().await.is_none());
    }
}

#[tokio::test]
async fn a_conditional_get_gets_the_page_or_a_304_of_the_service() {
    for field in [
        ("if-none-match", "\"v0\""),
        ("if-match", "\"v1\""),
        ("if-modified-since", "Sun, 22 Nov 2026 12:00:00 GMT"),
        ("if-unmodified-since", "Sun, 22 Nov 2026 12:00:00 GMT"),
    ] {
        assert_never_deferred(Method::GET, &[field]).await;
    }
}

#[tokio::test]
async fn a_conditional_put_gets_its_answer() {
    assert_never_deferred(Method::PUT, &[("if-match", "\"v1\"")]).await;
}

#[tokio::test]
async fn a_resumed_download_gets_its_range_or_the_whole() {
    assert_never_deferred(Method::GET, &[("range", "bytes=4-")]).await;
    let fields = [("range", "bytes=4-"), ("if-range", "\"v1\"")];
    assert_never_deferred(Method::GET, &fields).await;
}

#[tokio::test]
async fn a_head_gets_the_pages_fields() {
    assert_never_deferred(Method::HEAD, &[]).await;
}

#[tokio::test]
async fn a_cors_preflight_gets_its_answer() {
    let fields = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    assert_never_deferred(Method::OPTIONS, &fields).await;
}

#[tokio::test]
async fn a_trace_gets_its_answer() {
    assert_never_deferred(Method::TRACE, &[]).await;
}

#[tokio::test]
async fn a_web_socket_is_opened_however_long_it_takes() {
    for listed in [Listed::Default, Listed::All] {
        let release = Release::new();
        let app = Router::new().route("/chat", get(shout)).with_state(release.clone());
        let mut socket = Raw::connect(serve(app.layer(layer(listed))).await).await;
        let request = "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
                       Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nPrefer: respond-async\r\n\r\n";
        socket.write(request).await;
        release.waiting(1).await;
        long_past(DEADLINE).await;
        assert!(socket.is_silent());
        release.go();
        let head = socket.read_until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        socket.write("hello.").await;
        assert_eq!(socket.read_until(".").await, "HELLO.");
    }
}

/// Opens a connection on which everything comes back in capitals.
async fn shout(State(release): State<Release>, mut request: Request<Body>) -> impl IntoResponse {
    release.wait().await;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut socket = TokioIo::new(upgrade.await.expect("an upgraded connection"));
        let mut bytes = [0; 64];
        while let Ok(length @ 1..) = socket.read(&mut bytes).await {
            let shouted = bytes[..length].to_ascii_uppercase();
            socket.write_all(&shouted).await.expect("an open connection");
        }
    });
    (StatusCode::SWITCHING_PROTOCOLS, [("upgrade", "websocket"), ("connection", "upgrade")])
}

#[tokio::test]
async fn a_grpc_call_in_plain_http_2_gets_its_trailers() {
    for content_type in
        ["application/grpc", "application/grpc+proto", "application/grpc-web", "Application/gRPC"]
    {
        let release = Release::new();
        let method = {
            let release = release.clone();
            axum::routing::post(async move |request: Request<Body>| {
                release.wait().await;
                let message = request.into_body().collect().await.unwrap().to_bytes();
                let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
                let body = Body::from(message)
                    .with_trailers(async { Some(Ok(trailers.into_iter().collect())) });
                Response::builder()
                    .header("content-type", "application/grpc")
                    .body(Body::new(body))
                    .unwrap()
            })
        };
        let app = Router::new().route("/helloworld.Greeter/SayHello", method);
        let mut client = http2(serve(app.layer(layer(Listed::All))).await).await;
        let request = Request::post("/helloworld.Greeter/SayHello")
            .header("content-type", content_type)
            .header("te", "trailers")
            .header("prefer", "respond-async")
            .body(Body::from(&b"\0\0\0\0\x02hi"[..]))
            .unwrap();
        let answer = tokio::spawn(async move { client.send(request).await });
        release.waiting(1).await;
        long_past(DEADLINE).await;
        release.go();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{content_type}");
        assert_eq!(answer.body, &b"\0\0\0\0\x02hi"[..]);
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
    }
}

#[tokio::test]
async fn what_is_never_deferred_is_still_dropped_with_its_caller() {
    let dropped = Arc::new(Notify::new());
    let app = bare(&RespondAsyncLayer::after(DEADLINE), {
        let dropped = Arc::clone(&dropped);
        move |_| {
            let dropped = OnDrop(Arc::clone(&dropped));
            async move {
                let _dropped = dropped;
                std::future::pending().await
            }
        }
    });
    let fields = [("accept", "text/event-stream")];
    let caller = tokio::spawn(async move { call(&app, Method::GET, "/", &fields).await });
    long_past(DEADLINE).await;
    caller.abort();
    dropped.notified().await;
}
