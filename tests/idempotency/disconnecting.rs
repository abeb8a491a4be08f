//! Callers who leave before they have been answered.

use std::{io, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::time::{sleep, timeout};

use crate::bed::{Server, assert_own, assert_replayed};

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_when_its_caller_has_left() {
    let server = Server::new([(1, 201)]);
    let left = timeout(Duration::from_millis(500), server.post("/work", "k")).await;
    assert!(left.is_err());
    sleep(Duration::from_secs(1)).await;
    assert_eq!((server.work.begun(), server.work.ended()), (1, 1));
    let (again, seconds) = server.timed("/work", "k").await;
    assert_replayed(&again, 1);
    assert_eq!(seconds, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_joins_the_call_that_it_left() {
    let server = Server::new([(1, 201)]);
    drop(timeout(Duration::from_millis(500), server.post("/work", "k")).await);
    let again = server.post("/work", "k").await;
    assert_replayed(&again, 1);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_may_leave_without_disturbing_the_others() {
    let server = Server::new([(1, 200)]);
    let (first, _, joined) = tokio::join!(
        server.post("/work", "k"),
        timeout(Duration::from_millis(500), server.post("/work", "k")),
        server.post("/work", "k"),
    );
    assert_own(&first, 1);
    assert_replayed(&joined, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_while_it_still_sends_has_begun_nothing() {
    let server = Server::new([(1, 200)]);
    let pieces = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"ab"))]);
    let body = Body::from_stream(pieces.chain(stream::pending()));
    drop(timeout(Duration::from_millis(500), server.upload("k", &[], body)).await);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((server.work.begun(), server.handle.parked()), (0, 0));
    assert_own(&server.upload("k", &[], "abc").await, 1);
}
