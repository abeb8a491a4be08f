//! What a request with a key may carry, and when it is run.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::StatusCode;
use tokio::sync::oneshot;

use crate::{
    bed::{Server, assert_own, assert_replayed},
    support::Answer,
};

/// The default limit.
const LIMIT: usize = 64 << 10;

const DIGEST: (&str, &str) = ("content-digest", "sha-256=:abc=:");

fn assert_too_large(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    assert_eq!(answer.code(), "keyedRequestTooLarge");
}

fn bytes(length: usize) -> Bytes {
    vec![b'x'; length].into()
}

/// A body whose length nobody knows before its end.
fn streamed(length: usize) -> Body {
    let pieces: Vec<Bytes> = bytes(length).chunks(1_000).map(Bytes::copy_from_slice).collect();
    Body::from_stream(stream::iter(pieces).map(Ok::<_, io::Error>))
}

#[tokio::test(start_paused = true)]
async fn a_body_reaches_the_service_whole() {
    let server = Server::new([(1, 200)]);
    assert_eq!(server.upload("k", &[], streamed(10_500)).await.text(), "run 1 of 10500 bytes");
    assert_eq!(server.upload("l", &[], bytes(10_500)).await.text(), "run 2 of 10500 bytes");
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_are_the_same_body_however_they_come() {
    let server = Server::new([(1, 200)]);
    assert_own(&server.upload("k", &[], bytes(10_500)).await, 1);
    assert_replayed(&server.upload("k", &[], streamed(10_500)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_up_to_the_limit_needs_nothing_else() {
    let server = Server::new([(1, 200)]);
    for body in [Body::from(bytes(LIMIT)), streamed(LIMIT)] {
        let answer = server.upload("k", &[], body).await;
        assert_eq!(answer.text(), format!("run 1 of {LIMIT} bytes"));
    }
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_larger_one_is_refused_without_a_length_and_a_digest() {
    let server = Server::new([(1, 200)]);
    assert_too_large(&server.upload("k", &[], bytes(LIMIT + 1)).await);
    assert_too_large(&server.upload("k", &[], streamed(LIMIT + 1)).await);
    assert_too_large(&server.upload("k", &[DIGEST], streamed(LIMIT + 1)).await);
    let empty = ("content-digest", "");
    assert_too_large(&server.upload("k", &[empty], bytes(LIMIT + 1)).await);
    assert_eq!(server.work.begun(), 0);
    let server = Server::with([(1, 200)], |builder| builder.keyed_body_bytes(2));
    assert_own(&server.upload("k", &[], "ab").await, 1);
    assert_too_large(&server.upload("l", &[], "abc").await);
}

#[tokio::test(start_paused = true)]
async fn a_large_body_is_compared_by_its_length_and_its_digest() {
    let server = Server::new([(1, 200)]);
    let large = LIMIT + 1;
    let first = server.upload("k", &[DIGEST], bytes(large)).await;
    assert_own(&first, 1);
    assert_eq!(first.text(), format!("run 1 of {large} bytes"));
    assert_replayed(&server.upload("k", &[DIGEST], bytes(large)).await, 1);
    let other = ("content-digest", "sha-256=:xyz=:");
    for (digest, length) in [(other, large), (DIGEST, large + 1)] {
        let answer = server.upload("k", &[digest], bytes(length)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_digest_does_not_make_small_bodies_differ() {
    let server = Server::new([(1, 200)]);
    assert_own(&server.upload("k", &[DIGEST], "a").await, 1);
    assert_replayed(&server.upload("k", &[], "a").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_not_run_and_leaves_the_key_free() {
    let server = Server::new([(1, 200)]);
    let broken = stream::iter([Ok(bytes(3)), Err(io::Error::other("gone"))]);
    let answer = server.upload("k", &[], Body::from_stream(broken)).await;
    assert_eq!((answer.status, &*answer.code()), (StatusCode::BAD_REQUEST, "incompleteRequest"));
    assert_eq!(server.work.begun(), 0);
    assert_own(&server.upload("k", &[], "abc").await, 1);
}

#[tokio::test(start_paused = true)]
async fn the_202_waits_for_a_large_upload() {
    let server = Server::new([(30, 200)]);
    let (last, rest) = oneshot::channel::<Bytes>();
    let pieces = stream::iter([bytes(LIMIT)]).chain(stream::once(async { rest.await.unwrap() }));
    let body = Sized { body: Body::from_stream(pieces.map(Ok::<_, io::Error>)), length: 2 * LIMIT };
    let call = tokio::spawn({
        let server = server.clone();
        async move { server.upload("k", &[DIGEST], Body::new(body)).await }
    });
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    assert_eq!(server.work.begun(), 1);
    assert!(!call.is_finished());
    last.send(bytes(LIMIT)).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    assert!(call.is_finished());
    assert_eq!(call.await.unwrap().status, StatusCode::ACCEPTED);
}

/// A body of known length that is not there yet.
pub(crate) struct Sized {
    pub(crate) body: Body,
    pub(crate) length: usize,
}

impl http_body::Body for Sized {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.length as u64)
    }
}
