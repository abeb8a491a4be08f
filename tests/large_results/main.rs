//! Results that are larger than one part, in a store that keeps parts.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

#[path = "../support/mod.rs"]
mod support;

mod store;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use tokio::time::sleep;
use tower::ServiceExt;
use tower_respond_async::{
    Builder, Handle, OperationId, Principal, RespondAsyncLayer,
    store::{
        Key, MemoryStore, OperationStore, StoreError,
        fault::{Fault, FaultyStore, Verb},
    },
};

use self::{
    store::Parted,
    support::{Accepted, App, DEADLINE, accept, bare, call, ended, get, late, send},
};

const PART: usize = 256 * 1024;
const LENGTH: usize = 5_000_000;
/// 5,000,000 bytes are 19 whole parts, and a bit.
const PARTS: usize = 20;

type Store = FaultyStore<Parted>;

/// A process whose every call is answered late, by a large binary response.
struct Process {
    app: App,
    handle: Handle,
    store: Store,
}

// === impl Process ===

impl Process {
    fn new() -> Self {
        Self::with(&FaultyStore::new(Parted::default()), |builder| builder, large)
    }

    fn with(
        store: &Store,
        set_up: impl FnOnce(Builder) -> Builder,
        response: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let builder = RespondAsyncLayer::builder(DEADLINE).store(store.clone());
        let layer = set_up(builder).build().unwrap();
        let handle = layer.handle();
        Self { app: bare(&layer, late(response)), handle, store: store.clone() }
    }

    async fn accepted(&self) -> Accepted {
        accept(&self.app, "/reports").await
    }

    fn applied(&self, verb: Verb) -> usize {
        self.store.faults().applied(verb).len()
    }

    /// What comes of a result's body before its end or an error, and whether it was an end.
    async fn broken(&self, url: &str) -> (usize, bool) {
        let request = Request::get(url).body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let (mut body, mut length) = (response.into_body(), 0);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => length += frame.into_data().unwrap().len(),
                Err(_) => return (length, false),
            }
        }
        (length, true)
    }
}

fn key(accepted: &Accepted) -> Key {
    Key::of(accepted.id.parse::<OperationId>().unwrap())
}

/// Every byte there is, in an order that is the same in no two parts.
fn binary(length: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(167) ^ (at >> 8) ^ (at >> 17)) as u8).collect()
}

fn large() -> Response<Body> {
    Response::builder()
        .header("content-type", "application/x-mine")
        .body(Body::from(binary(LENGTH)))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_is_stored_in_parts_and_comes_back_byte_for_byte_and_twice() {
    let process = Process::new();
    let accepted = process.accepted().await;
    ended().await;
    assert_eq!(process.applied(Verb::PutPart), PARTS);
    let lengths = process.store.inner().lengths(key(&accepted));
    assert_eq!(lengths[..PARTS - 1], [PART; PARTS - 1]);
    assert_eq!(lengths.iter().sum::<usize>(), LENGTH);
    let record = process.store.inner().get(key(&accepted)).await.unwrap().unwrap();
    assert!(record.tail.len() < 1_000, "polls do not read the body");
    for _ in 0..2 {
        let answer = get(&process.app, &accepted.result_url).await;
        assert_eq!((answer.status, answer.announced), (StatusCode::OK, Some(LENGTH as u64)));
        assert_eq!(answer.header("content-type"), Some("application/x-mine"));
        assert!(answer.body == binary(LENGTH));
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_gives_it_out_too() {
    let process = Process::new();
    let accepted = process.accepted().await;
    ended().await;
    let other = Process::with(&process.store.another_way(), |builder| builder, large);
    drop(process);
    assert!(get(&other.app, &accepted.result_url).await.body == binary(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn a_head_request_and_a_status_poll_read_no_part() {
    let process = Process::new();
    let accepted = process.accepted().await;
    ended().await;
    let head = call(&process.app, Method::HEAD, &accepted.result_url, &[]).await;
    assert_eq!(head.header("content-length"), Some("5000000"));
    assert!(head.body.is_empty());
    assert_eq!(get(&process.app, &accepted.status_url).await.word(), "Succeeded");
    assert_eq!(process.store.faults().called(Verb::GetPart), 0);
}

#[tokio::test(start_paused = true)]
async fn trailers_come_after_the_last_part() {
    let frames = || {
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-sum"),
            HeaderValue::from_static("1"),
        )]);
        let data = http_body::Frame::data(binary(LENGTH));
        let frames = [Ok::<_, std::io::Error>(data), Ok(http_body::Frame::trailers(trailers))];
        Response::new(Body::new(StreamBody::new(futures_util::stream::iter(frames))))
    };
    let store = FaultyStore::new(Parted::default());
    let process = Process::with(&store, |builder| builder, frames);
    let accepted = process.accepted().await;
    ended().await;
    let answer = get(&process.app, &accepted.result_url).await;
    assert!(answer.body == binary(LENGTH));
    assert_eq!(answer.announced, None);
    assert_eq!(answer.trailers.unwrap()["x-sum"], "1");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_larger_than_a_part_is_parted() {
    for (length, parts) in [(PART, 0), (PART + 1, 2), (2 * PART, 2), (2 * PART + 1, 3)] {
        let store = FaultyStore::new(Parted::default());
        let response = move || Response::new(Body::from(binary(length)));
        let process = Process::with(&store, |builder| builder, response);
        let accepted = process.accepted().await;
        ended().await;
        assert_eq!(process.applied(Verb::PutPart), parts, "{length}");
        assert!(get(&process.app, &accepted.result_url).await.body == binary(length));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_without_parts_is_given_the_whole() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = RespondAsyncLayer::builder(DEADLINE).store(store.clone()).build().unwrap();
    let app = bare(&layer, late(large));
    let accepted = accept(&app, "/reports").await;
    ended().await;
    assert_eq!(store.faults().called(Verb::PutPart), 1);
    assert!(get(&app, &accepted.result_url).await.body == binary(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_doubt_is_stored_again() {
    let process = Process::new();
    let accepted = process.accepted().await;
    let faults = process.store.faults();
    for fault in [Fault::none(), Fault::lose_reply(), Fault::lose_request(), Fault::unavailable()] {
        faults.next(Verb::PutPart, fault);
    }
    faults.next(Verb::Close, Fault::lose_reply());
    ended().await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(process.handle.parked(), 0);
    assert_eq!(faults.called(Verb::PutPart), PARTS + 3);
    let closes = faults.applied(Verb::Close);
    assert_eq!(closes.len(), 2, "the repeated close was the same, or it would have been fenced");
    assert!(get(&process.app, &accepted.result_url).await.body == binary(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_its_bytes_count_as_unsaved() {
    let store = FaultyStore::new(Parted::default());
    let set_up = |builder: Builder| builder.max_saved_bytes(LENGTH - 1);
    let process = Process::with(&store, set_up, large);
    process.accepted().await;
    store.faults().always(Verb::PutPart, Fault::unavailable());
    ended().await;
    assert!(process.handle.undeferrable().is_some());
    store.faults().heal();
    sleep(Duration::from_secs(30)).await;
    assert!(process.handle.undeferrable().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_the_store_lost_amid_its_parts_is_stored_again_with_all_of_them() {
    let process = Process::new();
    let accepted = process.accepted().await;
    let key = key(&accepted);
    // After some of them, the store has lost all that it had.
    for _ in 0..3 {
        process.store.faults().next(Verb::PutPart, Fault::none());
    }
    process.store.faults().next(Verb::PutPart, Fault::lose_request());
    sleep(support::LATE).await;
    process.store.exchange(Parted::default());
    sleep(Duration::from_secs(30)).await;
    assert_eq!(process.store.inner().lengths(key).len(), PARTS);
    assert!(get(&process.app, &accepted.result_url).await.body == binary(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_lost_between_the_parts_and_the_close_is_stored_again_with_all_of_them() {
    let process = Process::new();
    let accepted = process.accepted().await;
    process.store.faults().next(Verb::Close, Fault::lose_request());
    sleep(support::LATE).await;
    process.store.exchange(Parted::default());
    sleep(Duration::from_secs(30)).await;
    assert!(get(&process.app, &accepted.result_url).await.body == binary(LENGTH));
}

#[tokio::test(start_paused = true)]
async fn amid_its_parts_an_operation_that_was_taken_over_is_left_to_who_has_it() {
    let process = Process::new();
    let accepted = process.accepted().await;
    let other = Process::with(&process.store.another_way(), |builder| builder, large);
    other.handle.start();
    // Its process is cut off after some of the parts, and comes back when it has been taken over.
    for _ in 0..3 {
        process.store.faults().next(Verb::PutPart, Fault::none());
    }
    process.store.faults().next(Verb::PutPart, Fault::lose_request());
    sleep(support::LATE - Duration::from_secs(1)).await;
    process.store.faults().partition();
    sleep(Duration::from_secs(120)).await;
    process.store.faults().heal();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(process.handle.parked(), 0);
    let result = get(&other.app, &accepted.result_url).await;
    assert_eq!(result.json()["code"], "lost", "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_between_the_parts_and_the_close_leaves_nothing_to_be_read() {
    let process = Process::new();
    let accepted = process.accepted().await;
    process.store.faults().always(Verb::Close, Fault::lose_request());
    ended().await;
    assert_eq!(process.applied(Verb::PutPart), PARTS);
    assert_eq!(process.store.inner().get_part(key(&accepted), 0).await.unwrap(), None);
    process.store.faults().partition();
    let other = Process::with(&process.store.another_way(), |builder| builder, large);
    other.handle.start();
    assert_eq!(get(&other.app, &accepted.result_url).await.status, StatusCode::ACCEPTED);
    sleep(Duration::from_secs(120)).await;
    let result = get(&other.app, &accepted.result_url).await;
    assert_eq!(result.json()["code"], "lost", "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_too_large_for_the_store_fail_the_operation() {
    let process = Process::new();
    let accepted = process.accepted().await;
    process.store.faults().next(Verb::PutPart, Fault::none());
    process.store.faults().next(Verb::PutPart, Fault::fail(StoreError::TooLarge));
    ended().await;
    sleep(Duration::from_secs(1)).await;
    let result = get(&process.app, &accepted.result_url).await;
    assert_eq!(result.json()["code"], "resultTooLarge");
}

#[tokio::test(start_paused = true)]
async fn a_body_of_which_a_part_is_missing_or_changed_breaks_off_before_its_end() {
    let process = Process::new();
    let accepted = process.accepted().await;
    ended().await;
    let (key, url) = (key(&accepted), &accepted.result_url);
    assert_eq!(process.broken(url).await, (LENGTH, true));
    let inner = process.store.inner();
    let mut part = None;
    inner.change(|parts| part = parts.remove(&(key, 3)));
    assert_eq!(process.broken(url).await, (3 * PART, false));
    let mut changed = part.unwrap().to_vec();
    changed[17] ^= 1;
    inner.change(|parts| drop(parts.insert((key, 3), changed.into())));
    assert_eq!(process.broken(url).await, ((PARTS - 1) * PART, false), "all but the last");
    inner.change(|parts| drop(parts.insert((key, 3), Bytes::new())));
    assert!(!process.broken(url).await.1);
    inner.change(|parts| drop(parts.insert((key, 3), binary(2 * LENGTH))));
    assert_eq!(process.broken(url).await, (3 * PART, false));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_moment_breaks_no_body() {
    let process = Process::new();
    let accepted = process.accepted().await;
    ended().await;
    let faults = process.store.faults();
    for fault in [Fault::unavailable(), Fault::lose_request(), Fault::lose_reply()] {
        faults.next(Verb::GetPart, fault);
    }
    assert_eq!(process.broken(&accepted.result_url).await, (LENGTH, true));
    faults.always(Verb::GetPart, Fault::unavailable());
    assert_eq!(process.broken(&accepted.result_url).await, (0, false));
}

#[tokio::test(start_paused = true)]
async fn the_same_request_with_the_same_key_is_given_it_again() {
    let store = FaultyStore::new(Parted::default());
    let set_up = |builder: Builder| builder.principal(|_| Some(Principal::from(&b"alice"[..])));
    let layer = set_up(RespondAsyncLayer::builder(DEADLINE).store(store.clone())).build().unwrap();
    // In time, so that its caller is given it at once.
    let app = bare(&layer, |_| async { large() });
    for (replayed, parts) in [(None, PARTS), (Some("true"), PARTS)] {
        let request = Request::post("/reports").header("idempotency-key", "\"once\"");
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("idempotent-replayed"), replayed);
        assert!(answer.body == binary(LENGTH));
        assert_eq!(store.faults().applied(Verb::PutPart).len(), parts);
    }
}
