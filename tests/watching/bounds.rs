//! How many may watch, and for how long.

use std::{future::pending, time::Duration};

use http::{Method, StatusCode};
use tower_respond_async::RespondAsyncLayer;

use crate::{
    scene::{Process, Stream},
    support::{DEADLINE, LATE, accept, bare, call, settle},
};

fn of_one() -> RespondAsyncLayer {
    let builder = RespondAsyncLayer::builder(DEADLINE).max_waiters(1);
    builder.read_interval(Duration::ZERO).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_one_of_those_who_wait() {
    let process = Process::new(of_one(), &[]);
    let accepted = process.accept().await;
    let watching = process.watch(&accepted).await;
    let second = process.watch(&accepted).await;
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.headers["content-type"], "application/json");
    let wait = [("prefer", "wait=5")];
    let began = tokio::time::Instant::now();
    call(&process.app, Method::GET, &accepted.result_url, &wait).await;
    assert_eq!(tokio::time::Instant::now() - began, Duration::ZERO);
    drop(watching);
    assert!(process.watch(&accepted).await.is_of_events());
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_once_the_end_has_been_told() {
    let process = Process::new(of_one(), &[]);
    let accepted = process.accept().await;
    let mut watching = process.watch(&accepted).await;
    assert_eq!(watching.rest().await.last().unwrap().name, "end");
    let other = process.accept().await;
    assert!(process.watch(&other).await.is_of_events());
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_a_quarter_of_an_hour() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    let app = bare(&layer, |_| pending());
    let accepted = accept(&app, "/work").await;
    let mut stream = Stream::open(&app, Method::GET, &accepted.status_url, &[]).await;
    let events = stream.rest().await;
    assert_eq!((stream.millis(), events.len()), (900_000, 1));
    let known = [("last-event-id", &*events[0].id)];
    let mut again = Stream::open(&app, Method::GET, &accepted.status_url, &known).await;
    assert_eq!(again.piece().await.as_deref(), Some(":\n\n"));
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_is_let_go_when_the_process_drains() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let mut stream = process.watch(&accepted).await;
    stream.event().await.unwrap();
    let handle = process.layer.handle();
    let drain = tokio::spawn(async move { handle.drain(LATE).await });
    settle().await;
    assert_eq!(stream.piece().await, None);
    assert!(stream.millis() <= 1);
    let late = process.watch(&accepted).await;
    assert_eq!(late.headers["content-type"], "application/json");
    drain.await.unwrap();
}
