//! What one caller may have of what all share.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, sleep};
use tower_respond_async::Refusal;

use crate::{
    scene::{Fields, Process},
    store::memory,
    support::{DEADLINE, settle},
};

const ALICE: Fields = &[("x-user", "alice")];
const BOB: Fields = &[("x-user", "bob")];

#[tokio::test(start_paused = true)]
async fn late_calls_beyond_those_of_a_caller_are_held_and_those_of_others_are_not() {
    let process = Process::new(&memory(), |builder| builder.max_parked_per_caller(2));
    process.accept(ALICE).await;
    process.accept(ALICE).await;
    let held = process.ask(Method::POST, "/work", ALICE);
    sleep(2 * DEADLINE).await;
    assert!(!held.is_finished());
    assert_eq!(process.handle.undeferrable(), None, "others are deferred");
    process.accept(BOB).await;
    process.release.go();
    let (answer, _) = held.await.unwrap();
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"done"[..]));
}

#[tokio::test(start_paused = true)]
async fn late_calls_beyond_those_of_a_caller_are_rejected_where_that_is_wanted() {
    let process = Process::new(&memory(), |builder| {
        builder.max_parked_per_caller(1).on_refusal(Refusal::Reject)
    });
    process.accept(ALICE).await;
    let (answer, _) = process.ask(Method::POST, "/work", ALICE).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["code"], "notAccepted");
    assert_eq!(process.handle.parked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_key_beyond_those_of_its_caller_is_not_begun() {
    let process = Process::new(&memory(), |builder| builder.max_parked_per_caller(1));
    process.accept(&[("x-user", "alice"), ("idempotency-key", "1")]).await;
    let second = &[("x-user", "alice"), ("idempotency-key", "2")];
    let (answer, _) = process.ask(Method::POST, "/work", second).await.unwrap();
    assert_eq!(answer.json()["code"], "notBegun");
    process.accept(&[("x-user", "bob"), ("idempotency-key", "2")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_has_its_places_back_when_its_operations_have_ended() {
    let process = Process::new(&memory(), |builder| builder.max_parked_per_caller(1));
    for _ in 0..3 {
        let accepted = process.accept(ALICE).await;
        process.ask(Method::DELETE, &accepted.status_url, ALICE).await.unwrap();
        settle().await;
    }
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn callers_who_are_not_named_are_not_counted() {
    let process = Process::new(&memory(), |builder| {
        builder.max_parked_per_caller(0).max_waiters_per_caller(0)
    });
    let accepted = process.accept(&[]).await;
    let began = Instant::now();
    process.get(&accepted.result_url, &[("prefer", "wait=3")]).await;
    assert_eq!(Instant::now() - began, Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn polls_of_a_caller_that_has_enough_waiting_are_answered_at_once() {
    const WAITS: [Fields; 2] =
        [&[("x-user", "alice"), ("prefer", "wait=3")], &[("x-user", "bob"), ("prefer", "wait=3")]];
    let process = Process::new(&memory(), |builder| {
        builder.max_waiters_per_caller(1).read_interval(Duration::ZERO)
    });
    let accepted = process.accept(&[]).await;
    let began = Instant::now();
    let mut asked = Vec::new();
    for fields in WAITS {
        asked.push(process.ask(Method::GET, &accepted.status_url, fields));
        asked.push(process.ask(Method::GET, &accepted.status_url, fields));
    }
    let mut took = Vec::new();
    for asked in asked {
        took.push((asked.await.unwrap().1 - began).as_secs());
    }
    assert_eq!(took, [3, 0, 3, 0]);
    // And then it may wait again.
    process.get(&accepted.status_url, WAITS[0]).await;
    assert_eq!((Instant::now() - began).as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_one_of_those_of_its_caller_who_wait() {
    let process = Process::new(&memory(), |builder| builder.max_waiters_per_caller(1));
    let accepted = process.accept(&[]).await;
    let events: Fields = &[("x-user", "alice"), ("accept", "text/event-stream")];
    let watching = process.ask(Method::GET, &accepted.status_url, events);
    settle().await;
    let second = process.get(&accepted.status_url, events).await;
    assert_eq!(second.header("content-type"), Some("application/json"));
    process.release.go();
    let (told, _) = watching.await.unwrap();
    assert_eq!(told.header("content-type"), Some("text/event-stream"));
}
