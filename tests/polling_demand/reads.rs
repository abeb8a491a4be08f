//! One read for all who ask within an interval.

use std::{pin::pin, time::Duration};

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_respond_async::{
    dialect::ODataDialect,
    store::fault::{Fault, Hold, Verb},
};

use crate::{
    scene::{INTERVAL, Process, all},
    store::memory,
    support::{call, settle},
};

const MANY: usize = 2_000;

#[tokio::test(start_paused = true)]
async fn an_operation_that_nobody_asked_for_lately_is_read_at_once() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    for reads in 1..=3 {
        sleep(INTERVAL).await;
        let asked = Instant::now();
        let answer = process.get(&accepted.result_url, &[]).await;
        assert_eq!((answer.status, process.reads()), (StatusCode::ACCEPTED, reads));
        assert_eq!(Instant::now(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_poll_one_operation_within_an_interval_are_one_read() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    process.spend(&accepted.status_url, &[]).await;
    let began = Instant::now();
    // Of either resource, in every form, and who would have it cancelled.
    let mut asked = process.ask_all(MANY, &accepted.status_url, &[]);
    asked.extend(process.ask_all(MANY, &accepted.result_url, &[]));
    asked.extend(process.ask_all(10, &accepted.status_url, &[("accept", "text/html")]));
    asked.push(process.ask(Method::HEAD, &accepted.status_url, &[]));
    asked.push(process.ask(Method::DELETE, &accepted.status_url, &[]));
    for (answer, at) in all(asked).await {
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(at - began, INTERVAL);
    }
    assert_eq!(process.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_dismisses_an_operation_has_it_read_once() {
    let dialect = ODataDialect::new();
    let process = Process::new(&memory(), |builder| builder.dialect(dialect));
    for end in [false, true] {
        let asked = call(&process.app, Method::POST, "/work", &[("prefer", "respond-async")]).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED);
        if end {
            process.release.go();
            sleep(INTERVAL).await;
        }
        let (before, url) = (process.reads(), asked.header("location").unwrap());
        let (answer, at) = process.ask(Method::DELETE, url, &[]).await.unwrap();
        assert_eq!((answer.status, process.reads() - before), (StatusCode::NO_CONTENT, 1));
        assert_eq!(at, Instant::now());
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_one_read_for_each_operation_and_interval() {
    let process = Process::new(&memory(), |builder| builder);
    let operations = [process.accept(&[]).await, process.accept(&[]).await];
    for accepted in &operations {
        process.spend(&accepted.status_url, &[]).await;
    }
    let before = process.reads();
    for _ in 0..20 {
        let mut asked = Vec::new();
        for accepted in &operations {
            asked.extend(process.ask_all(100, &accepted.status_url, &[]));
        }
        all(asked).await;
    }
    assert_eq!(process.reads() - before, 20 * operations.len());
}

#[tokio::test(start_paused = true)]
async fn what_another_replica_has_told_is_never_contradicted() {
    let store = memory();
    let here = Process::new(&store, |builder| builder);
    let there = Process::new(&store.another_way(), |builder| builder);
    let accepted = here.accept(&[]).await;
    there.spend(&accepted.status_url, &[]).await;
    // A read that several may share has begun there before the end, and is answered after it.
    let slow = Hold::new();
    there.store.faults().next(Verb::Get, Fault::delay_reply(&slow));
    let before = there.ask(Method::GET, &accepted.result_url, &[]);
    slow.reached().await;
    here.release.go();
    settle().await;
    assert_eq!(here.get(&accepted.status_url, &[]).await.word(), "Succeeded");
    let after = there.ask(Method::GET, &accepted.result_url, &[]);
    settle().await;
    slow.release();
    assert_eq!(before.await.unwrap().0.status, StatusCode::ACCEPTED);
    let (answer, _) = after.await.unwrap();
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"done"[..]));
    assert_eq!(there.reads(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_leaves_does_not_stop_others() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    process.store.faults().always(Verb::Get, Fault::delay_reply(INTERVAL / 4));
    process.spend(&accepted.status_url, &[]).await;
    let [waits, reads, stays] =
        [(); 3].map(|()| process.ask(Method::GET, &accepted.status_url, &[]));
    settle().await;
    waits.abort();
    // Until the read has begun, and is not yet answered.
    sleep(INTERVAL * 9 / 10).await;
    assert_eq!(process.reads(), 3);
    reads.abort();
    assert_eq!(stays.await.unwrap().0.word(), "Running");
    assert_eq!(process.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn all_are_told_that_the_store_does_not_answer() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    process.spend(&accepted.status_url, &[]).await;
    process.store.faults().next(Verb::Get, Fault::unavailable());
    for (answer, _) in all(process.ask_all(10, &accepted.status_url, &[])).await {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.json()["code"], "storeUnavailable");
    }
    assert_eq!(process.reads(), 3);
    assert_eq!(process.get(&accepted.status_url, &[]).await.word(), "Running");
}

#[tokio::test(start_paused = true)]
async fn those_who_share_a_read_are_told_what_each_may_know() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[("x-user", "alice")]).await;
    process.spend(&accepted.status_url, &[]).await;
    let alice = process.ask(Method::GET, &accepted.status_url, &[("x-user", "alice")]);
    let bob = process.ask(Method::GET, &accepted.status_url, &[("x-user", "bob")]);
    let nobody = process.ask(Method::GET, &accepted.status_url, &[]);
    assert_eq!(alice.await.unwrap().0.word(), "Running");
    assert_eq!(bob.await.unwrap().0.status, StatusCode::NOT_FOUND);
    assert_eq!(nobody.await.unwrap().0.status, StatusCode::NOT_FOUND);
    assert_eq!(process.reads(), 3);
}

/// The reads of those who begin to wait, and of those who are told of the end.
async fn reads_of_waiting(fields: &'static [(&'static str, &'static str)]) -> (usize, usize) {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    let asked = process.ask_all(MANY, &accepted.status_url, fields);
    sleep(2 * INTERVAL).await;
    let before = process.reads();
    process.release.go();
    let released = Instant::now();
    for (answer, at) in all(asked).await {
        assert_eq!(answer.status, StatusCode::OK);
        assert!(String::from_utf8_lossy(&answer.body).contains("Succeeded"));
        assert_eq!(at, released, "nobody is told later than at once");
    }
    (before, process.reads() - before)
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_the_same_end_read_it_once() {
    assert_eq!(reads_of_waiting(&[("prefer", "wait=20")]).await, (3, 1));
}

#[tokio::test(start_paused = true)]
async fn those_who_watch_the_same_operation_read_its_end_once() {
    assert_eq!(reads_of_waiting(&[("accept", "text/event-stream")]).await, (3, 1));
}

#[tokio::test(start_paused = true)]
async fn fast_calls_and_others_operations_wait_for_no_interval() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    let other = process.accept(&[]).await;
    process.spend(&accepted.status_url, &[]).await;
    let storm = process.ask_all(MANY, &accepted.status_url, &[]);
    settle().await;
    process.release.go();
    let began = Instant::now();
    let fast = process.ask(Method::POST, "/work", &[]);
    let poll = process.ask(Method::GET, &other.status_url, &[]);
    for (answer, at) in all(vec![fast, poll]).await {
        assert_eq!((answer.status, at), (StatusCode::OK, began));
    }
    assert!(!storm[0].is_finished());
    all(storm).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_each_poll_is_a_read() {
    let process = Process::new(&memory(), |builder| builder.read_interval(Duration::ZERO));
    let accepted = process.accept(&[]).await;
    let began = Instant::now();
    for (_, at) in all(process.ask_all(50, &accepted.status_url, &[])).await {
        assert_eq!(at, began);
    }
    assert_eq!(process.reads(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_known_status_is_not_sent_again_though_the_read_is_shared() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    let first = process.get(&accepted.status_url, &[]).await;
    assert_eq!(first.header("etag"), Some("W/\"0\""));
    process.get(&accepted.status_url, &[]).await;
    let known = process.ask(Method::GET, &accepted.status_url, &[("if-none-match", "W/\"0\"")]);
    let unknown = process.ask(Method::GET, &accepted.status_url, &[]);
    assert_eq!(known.await.unwrap().0.status, StatusCode::NOT_MODIFIED);
    assert_eq!(unknown.await.unwrap().0.status, StatusCode::OK);
    assert_eq!(process.reads(), 3);
}

#[tokio::test(start_paused = true)]
async fn events_of_an_operation_that_many_poll_begin_with_the_next_read() {
    let process = Process::new(&memory(), |builder| builder);
    let accepted = process.accept(&[]).await;
    process.spend(&accepted.status_url, &[]).await;
    let began = Instant::now();
    let request = http::Request::get(&accepted.status_url).header("accept", "text/event-stream");
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = process.app.clone().oneshot(request).await.unwrap();
    assert_eq!(Instant::now() - began, INTERVAL);
    let mut body = pin!(response.into_body());
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"id: 0\nevent: status\n"));
}
