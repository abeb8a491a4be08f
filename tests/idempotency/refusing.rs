//! Requests that a key turns away: other ones, and, if so set up, those that come too early.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::sleep;
use tower_respond_async::{Builder, Duplicate};

use crate::{
    bed::{ALICE, Server, assert_own, assert_replayed, key},
    support::{Accepted, Answer},
};

fn assert_reused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    assert_eq!(answer.code(), "idempotencyKeyReused");
    assert!(!answer.is_replayed());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test(start_paused = true)]
async fn another_body_with_the_same_key_is_refused() {
    let server = Server::new([(1, 200)]);
    assert_own(&server.upload("k", &[], "one").await, 1);
    assert_reused(&server.upload("k", &[], "two").await);
    assert_reused(&server.upload("k", &[], "").await);
    assert_replayed(&server.upload("k", &[], "one").await, 1);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_query_with_the_same_key_is_refused() {
    let server = Server::new([(1, 200)]);
    assert_own(&server.post("/work?a", "k").await, 1);
    assert_reused(&server.post("/work?b", "k").await);
    assert_reused(&server.post("/work", "k").await);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_content_type_or_coding_with_the_same_key_is_refused() {
    let server = Server::new([(1, 200)]);
    let json = ("content-type", "application/json");
    assert_own(&server.upload("k", &[json], "1").await, 1);
    assert_reused(&server.upload("k", &[], "1").await);
    assert_reused(&server.upload("k", &[("content-type", "text/plain")], "1").await);
    assert_reused(&server.upload("k", &[json, ("content-encoding", "gzip")], "1").await);
    assert_replayed(&server.upload("k", &[json, ("accept", "text/html")], "1").await, 1);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_request_is_refused_while_the_first_runs_and_without_waiting_for_it() {
    let server = Server::new([(30, 200)]);
    server.accepted("/work", "k").await;
    let (answer, seconds) = server.timed("/work?other", "k").await;
    assert_reused(&answer);
    assert_eq!(seconds, 0);
}

fn refusing(builder: Builder) -> Builder {
    builder.on_duplicate(Duplicate::Refuse)
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_too_early_can_be_refused() {
    let server = Server::with([(30, 200)], refusing);
    let accepted = server.accepted("/work", "k").await;
    let (answer, seconds) = server.timed("/work", "k").await;
    assert_eq!((answer.status, seconds), (StatusCode::CONFLICT, 0));
    assert_eq!(answer.code(), "idempotencyKeyBusy");
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_reused(&server.post("/work?other", "k").await);
    sleep(Duration::from_secs(30)).await;
    let result = server.get(&accepted.result_url).await;
    let again = server.post("/work", "k").await;
    assert_replayed(&again, 1);
    assert_eq!(again.body, result.body);
}

#[tokio::test(start_paused = true)]
async fn of_two_at_the_same_moment_the_second_can_be_refused() {
    let server = Server::with([(1, 200)], refusing);
    let (one, other) = tokio::join!(server.post("/work", "k"), server.post("/work", "k"));
    assert_own(&one, 1);
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_refused_hears_nothing_of_the_operation() {
    let server = Server::with([(30, 200)], refusing);
    let Accepted { id, .. } = server.accepted("/work", "k").await;
    for uri in ["/work", "/work?other"] {
        let answer = server.ask(Method::POST, uri, &[ALICE, key("k")]).await;
        assert!(!answer.text().contains(&id), "{answer:?}");
        assert_eq!(answer.header("location"), None);
    }
}
