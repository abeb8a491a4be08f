//! Bodies far larger than what the process may keep of them.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use support::{Body, Caller, Server, full, request, upstream};
use tokio::sync::Semaphore;

const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 1600;
const LARGE: usize = CHUNK * CHUNKS;

/// By how much the process may grow, in KiB.
const ALLOWED: u64 = 16 * 1024;

/// Made as it is read: 100 MiB of numbered chunks.
struct Numbered {
    next: usize,
}

impl http_body::Body for Numbered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.next == CHUNKS {
            return Poll::Ready(None);
        }
        let chunk = vec![number(self.next); CHUNK];
        self.next += 1;
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }
}

fn number(chunk: usize) -> u8 {
    u8::try_from(chunk % 251).expect("less than 251")
}

/// Reads a numbered body to its end and gives its size, whatever the size of the frames.
async fn size_of_numbered(mut body: Incoming) -> usize {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.expect("the body comes whole").into_data() else {
            continue;
        };
        let mut rest = &data[..];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(CHUNK - size % CHUNK));
            // Compared as a whole: byte by byte takes seconds in a debug build.
            assert!(part == vec![number(size / CHUNK); part.len()], "at {size}");
            size += part.len();
            rest = after;
        }
    }
    size
}

fn numbered() -> Body {
    Numbered { next: 0 }.boxed_unsync()
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    if request.method() == Method::GET {
        return Response::new(numbered());
    }
    Response::new(full(size_of_numbered(request.into_body()).await.to_string()))
}

async fn large_bodies_pass(scheme: &str, caller: Caller) {
    let address = upstream(answer).await;
    let facade = Server::facade(&format!("{scheme}://{address}"), &["--after", "60s"]).await;
    caller.post(&facade.url("/"), "").await;
    let before = facade.memory("VmRSS");

    let upload = request(Method::POST, &facade.url("/"), "").map(|_| numbered());
    assert!(!upload.body().is_end_stream());
    assert_eq!(caller.send(upload).await.text(), LARGE.to_string());
    let download = caller.start(request(Method::GET, &facade.url("/"), "")).await;
    assert_eq!(download.status(), StatusCode::OK);
    assert_eq!(size_of_numbered(download.into_body()).await, LARGE);

    let grown = facade.memory("VmHWM").saturating_sub(before);
    assert!(grown <= ALLOWED, "the process grew by {grown} KiB");
}

#[tokio::test]
async fn a_hundred_megabytes_each_way_cost_little_memory_over_http1() {
    large_bodies_pass("http", Caller::http1()).await;
}

#[tokio::test]
async fn a_hundred_megabytes_each_way_cost_little_memory_over_http2() {
    large_bodies_pass("h2c", Caller::http2()).await;
}

#[tokio::test]
async fn a_large_upload_that_outlives_its_deadline_arrives_whole() {
    // The answer is held until the 202 is there, which may come only once the upload has ended.
    let accepted = Arc::new(Semaphore::new(0));
    let release = Arc::clone(&accepted);
    let address = upstream(move |request| {
        let accepted = Arc::clone(&accepted);
        async move {
            let response = answer(request).await;
            accepted.acquire().await.expect("it is never closed").forget();
            response
        }
    })
    .await;
    for caller in [Caller::http1(), Caller::http2()] {
        let facade = Server::facade(&format!("http://{address}"), &["--after", "10ms"]).await;
        let before = facade.memory("VmRSS");
        let upload = request(Method::POST, &facade.url("/"), "").map(|_| numbered());
        let accepted = caller.send(upload).await;
        release.add_permits(1);
        let result = caller.poll(&facade, &accepted).await;
        assert_eq!(result.text(), LARGE.to_string());
        let grown = facade.memory("VmHWM").saturating_sub(before);
        assert!(grown <= ALLOWED, "the process grew by {grown} KiB");
    }
}
