//! What passes through, what changes on the way, and what happens when the upstream fails.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use support::{Body, Caller, Server, full, request, upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// An upstream that shows each request it gets, and answers 200.
async fn witness() -> (std::net::SocketAddr, mpsc::UnboundedReceiver<Request<()>>) {
    let (seen, requests) = mpsc::unbounded_channel();
    let address = upstream(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let (parts, body) = request.into_parts();
            body.collect().await.unwrap();
            seen.send(Request::from_parts(parts, ())).unwrap();
            Response::new(full("seen"))
        }
    })
    .await;
    (address, requests)
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

/// Sends bytes as they are, and gives everything that came until the connection was closed.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(support::PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the connection is closed")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

/// An HTTP/1.1 upstream that answers each connection's first request with these bytes, then closes.
async fn raw_upstream(answer: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            // The facade may have gone first.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn fields_of_one_connection_stay_behind_and_the_others_pass_in_order() {
    let (address, mut requests) = witness().await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = raw(
        &facade,
        "GET /a?b=%20c HTTP/1.1\r\nHost: api.example\r\nX-Second: 2\r\nConnection: close, X-Secret\r\n\
         X-Secret: s\r\nKeep-Alive: timeout=1\r\nX-First: 1\r\nX-Many: a\r\nX-Many: b\r\n\
         Proxy-Connection: close\r\nTE: trailers\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let seen = requests.recv().await.unwrap();
    assert_eq!(seen.uri(), "/a?b=%20c");
    let names: Vec<_> = seen.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(
        names,
        [
            "host",
            "x-second",
            "x-first",
            "x-many",
            "te",
            "connection",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "forwarded"
        ]
    );
    assert_eq!(seen.headers()[HOST], "api.example");
    assert_eq!(seen.headers()["connection"], "te");
    assert_eq!(all(seen.headers(), "x-many"), ["a", "b"]);
}

#[tokio::test]
async fn the_upstream_learns_who_asked_on_top_of_what_it_was_told() {
    let (address, mut requests) = witness().await;
    for upstream in [format!("http://{address}"), format!("h2c://{address}")] {
        let facade = Server::facade(&upstream, &[]).await;
        for caller in [Caller::http1(), Caller::http2()] {
            let mut call = request(Method::GET, &facade.url("/"), "");
            call.headers_mut().append("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
            call.headers_mut().append("x-forwarded-proto", HeaderValue::from_static("https"));
            call.headers_mut().append("forwarded", HeaderValue::from_static("for=192.0.2.1"));
            assert_eq!(caller.send(call).await.text(), "seen");

            let seen = requests.recv().await.unwrap();
            let own = facade.address;
            assert_eq!(all(seen.headers(), "x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
            assert_eq!(all(seen.headers(), "x-forwarded-proto"), ["https, http"]);
            assert_eq!(all(seen.headers(), "x-forwarded-host"), [own.to_string()]);
            assert_eq!(
                all(seen.headers(), "forwarded"),
                [format!("for=192.0.2.1, for=127.0.0.1;host=\"{own}\";proto=http")]
            );
        }
    }
}

#[tokio::test]
async fn the_host_that_was_asked_for_reaches_the_upstream() {
    let (address, mut requests) = witness().await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    Caller::http2().get(&facade.url("/")).await;
    let seen = requests.recv().await.unwrap();
    assert_eq!(seen.version(), Version::HTTP_11);
    assert_eq!(seen.headers()[HOST], facade.address.to_string());

    let facade = Server::facade(&format!("h2c://{address}"), &[]).await;
    let answer =
        raw(&facade, "GET / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let seen = requests.recv().await.unwrap();
    assert_eq!(seen.version(), Version::HTTP_2);
    assert_eq!(seen.uri().authority().unwrap(), "api.example");
    assert!(!seen.headers().contains_key(HOST));
}

#[tokio::test]
async fn repeated_response_fields_stay_apart_and_an_unusual_reason_and_spelling_pass() {
    let address = raw_upstream(
        "HTTP/1.1 299 Fine By Me\r\nX-CamelCase: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
         Connection: close, X-Inner\r\nX-Inner: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Content-Length: 4\r\n\r\nbody",
    )
    .await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = raw(&facade, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(
        answer,
        "HTTP/1.1 299 Fine By Me\r\nX-CamelCase: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    );
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let address = upstream(|request: Request<Incoming>| async move {
        let body = request.into_body().collect().await.unwrap();
        let mut trailers = HeaderMap::new();
        let sent = body.trailers().and_then(|trailers| trailers.get("x-sum")).cloned();
        trailers.insert("x-got", sent.unwrap_or(HeaderValue::from_static("nothing")));
        let frames = [Frame::data(body.to_bytes()), Frame::trailers(trailers)];
        let frames = StreamBody::new(Frames(Vec::from(frames).into_iter()));
        // HTTP/1.1 sends only trailers that are announced.
        Response::builder().header("trailer", "x-got").body(frames.boxed_unsync()).unwrap()
    })
    .await;
    for upstream in [format!("h2c://{address}"), format!("http://{address}")] {
        let facade = Server::facade(&upstream, &[]).await;
        for caller in [Caller::http2(), Caller::http1()] {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", HeaderValue::from_static("42"));
            let frames = [Frame::data("data".into()), Frame::trailers(trailers)];
            let body: Body = StreamBody::new(Frames(Vec::from(frames).into_iter())).boxed_unsync();
            let call = Request::post(facade.url("/"))
                .header("te", "trailers")
                .header("trailer", "x-sum")
                .body(body)
                .unwrap();
            let answer = caller.send(call).await;
            assert_eq!(answer.text(), "data");
            assert_eq!(answer.header("trailer"), "x-got");
            assert_eq!(answer.trailers.expect("trailers came")["x-got"], "42", "{upstream}");
        }
    }
}

/// Frames that are all there already.
struct Frames(std::vec::IntoIter<Frame<bytes::Bytes>>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<bytes::Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

#[tokio::test]
async fn connections_to_the_upstream_are_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    tokio::spawn({
        let accepted = Arc::clone(&accepted);
        async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let service = hyper::service::service_fn(|_| async {
                    Ok::<_, std::convert::Infallible>(Response::new(full("x")))
                });
                tokio::spawn(
                    hyper_util::server::conn::auto::Builder::new(
                        hyper_util::rt::TokioExecutor::new(),
                    )
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
                    .into_owned(),
                );
            }
        }
    });
    for scheme in ["http", "h2c"] {
        accepted.store(0, Ordering::SeqCst);
        let facade = Server::facade(&format!("{scheme}://{address}"), &[]).await;
        for _ in 0..20 {
            assert_eq!(Caller::http1().get(&facade.url("/")).await.text(), "x");
        }
        assert_eq!(accepted.load(Ordering::SeqCst), 1, "{scheme}");
    }
}

#[tokio::test]
async fn an_http2_connection_that_ended_is_made_again() {
    let (address, mut requests) = witness().await;
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay_address = relay.local_addr().unwrap();
    let (cut, mut cuts) = mpsc::unbounded_channel::<()>();
    let relayed = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut near, _) = relay.accept().await.unwrap();
            let mut far = TcpStream::connect(address).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = cuts.recv() => {}
            }
        }
    });
    let facade = Server::facade(&format!("h2c://{relay_address}"), &[]).await;
    let caller = Caller::http1();
    assert_eq!(caller.get(&facade.url("/1")).await.text(), "seen");
    cut.send(()).unwrap();
    // The end of the connection may be seen by the first call after it.
    let mut last = StatusCode::BAD_GATEWAY;
    for _ in 0..2 {
        last = caller.get(&facade.url("/2")).await.status;
        if last == StatusCode::OK {
            break;
        }
    }
    assert_eq!(last, StatusCode::OK);
    assert_eq!(requests.recv().await.unwrap().uri().path(), "/1");
    assert_eq!(requests.recv().await.unwrap().uri().path(), "/2");
    drop(facade);
    relayed.abort();
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_bad_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "h2c"] {
        let facade = Server::facade(&format!("{scheme}://{address}"), &[]).await;
        let answer = Caller::http1().post(&facade.url("/"), "x").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["status"], 502);
        assert_eq!(answer.json()["title"], "Bad Gateway");
        assert!(!answer.text().contains(&address.port().to_string()), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_upstream_that_hangs_up_without_an_answer_is_a_bad_gateway() {
    let address = raw_upstream("").await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = Caller::http1().get(&facade.url("/")).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
}

#[tokio::test]
async fn a_response_that_breaks_off_breaks_off_for_the_caller() {
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ] {
        let address = raw_upstream(broken).await;
        let facade = Server::facade(&format!("http://{address}"), &[]).await;
        for caller in [Caller::http1(), Caller::http2()] {
            // The head may be lost as well, if it was still on its way out.
            caller
                .try_send(request(Method::GET, &facade.url("/"), ""))
                .await
                .expect_err("the caller must not take a part for the whole");
        }
    }
}

#[tokio::test]
async fn an_upgrade_reaches_the_upstream_as_the_plain_request_it_also_is() {
    let (address, mut requests) = witness().await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = raw(
        &facade,
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let seen = requests.recv().await.unwrap();
    assert!(!seen.headers().contains_key("upgrade"));
    assert!(!seen.headers().contains_key("connection"));
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_a_bad_gateway() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let address = raw_upstream(switch).await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = raw(&facade, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
}

#[tokio::test]
async fn a_tunnel_is_refused() {
    let (address, _requests) = witness().await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = raw(
        &facade,
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 501 Not Implemented\r\n"), "{answer}");
}

#[tokio::test]
async fn a_caller_that_expects_100_gets_it_before_it_sends_its_body() {
    let (address, _requests) = witness().await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let mut stream = TcpStream::connect(facade.address).await.unwrap();
    stream
        .write_all(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\
              Connection: close\r\n\r\n",
        )
        .await
        .unwrap();
    let mut interim = [0; 25];
    tokio::time::timeout(support::PATIENCE, stream.read_exact(&mut interim))
        .await
        .expect("100 comes without the body")
        .unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ab").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn interim_answers_of_the_upstream_are_not_taken_for_the_final_one() {
    let address = raw_upstream(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = Caller::http1().get(&facade.url("/")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text(), "ok");
}

#[tokio::test]
async fn an_http_1_0_caller_is_answered_without_chunks() {
    let address =
        raw_upstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
            .await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = raw(&facade, "GET / HTTP/1.0\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 OK\r\n"), "{answer}");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{answer}");
    assert_eq!(body, "ok");
}

#[tokio::test]
async fn the_answer_to_head_has_the_length_of_the_answer_to_get() {
    let address = raw_upstream("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = Caller::http1().send(request(Method::HEAD, &facade.url("/"), "")).await;
    assert_eq!(answer.header("content-length"), "1234");
    assert_eq!(answer.text(), "");
}

#[tokio::test]
async fn options_for_the_whole_server_keep_their_asterisk() {
    let (address, mut requests) = witness().await;
    let facade = Server::facade(&format!("http://{address}"), &[]).await;
    let answer = raw(&facade, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(requests.recv().await.unwrap().uri(), "*");
}
