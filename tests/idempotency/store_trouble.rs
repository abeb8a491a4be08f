//! A call with a key is run only once it is recorded, and answered only once its end is.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::sleep;
use tower_respond_async::{
    Builder,
    store::{
        Key, MemoryStore, StoreError,
        fault::{Fault, Hold, Verb},
    },
};

use crate::{
    bed::{ALICE, Plan, Server, Work, assert_own, assert_replayed, key, user},
    store::{Store, memory, stored},
    support::{Accepted, Answer, DEADLINE, settle},
};

fn server(store: &Store, plans: impl Into<Vec<Plan>>) -> Server {
    let store = store.clone();
    Server::with(plans, |builder: Builder| builder.store(store))
}

fn key_of(accepted: &Accepted) -> Key {
    Key::of(accepted.id.parse().unwrap())
}

fn assert_not_begun(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.code(), "notBegun");
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.header("respond-async"), Some("unavailable"));
    assert!(!answer.is_replayed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_run_that_the_store_does_not_record() {
    let corrupt = StoreError::Corrupt(Key::from_bytes([0; 16]));
    for fault in [
        Fault::unavailable(),
        Fault::fail(StoreError::Full),
        Fault::fail(StoreError::TooLarge),
        Fault::fail(corrupt),
        Fault::lose_request(),
    ] {
        let named = format!("{fault:?}");
        let store = memory();
        store.faults().always(Verb::Create, fault);
        let server = server(&store, [(1, 200)]);
        assert_not_begun(&server.post("/work", "k").await);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(server.work.begun(), 0, "{named}");
        store.faults().heal();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(server.work.begun(), 0, "{named}");
        assert_own(&server.post("/work", "k").await, 1);
        assert_eq!(server.handle.parked(), 0, "{named}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_operation_is_created_before_the_service_is_called() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::delay(Duration::from_secs(1)));
    let server = server(&store, [(30, 200)]);
    let call = tokio::spawn({
        let server = server.clone();
        async move { server.post("/work", "k").await }
    });
    sleep(Duration::from_millis(999)).await;
    assert_eq!(server.work.begun(), 0);
    sleep(Duration::from_millis(2)).await;
    assert_eq!(server.work.begun(), 1);
    assert_eq!(call.await.unwrap().status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_run_without_a_lease() {
    let store = memory();
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    let server = server(&store, [(1, 200)]);
    assert_not_begun(&server.post("/work", "k").await);
    assert_eq!((server.work.begun(), store.faults().called(Verb::Create)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_recovers_in_time_is_waited_for() {
    let store = memory();
    store.faults().next(Verb::Create, Fault::unavailable());
    let server = server(&store, [(1, 200)]);
    assert_own(&server.post("/work", "k").await, 1);
    assert_replayed(&server.post("/work", "k").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_creation_whose_answer_was_lost_is_run_once() {
    let store = memory();
    store.faults().next(Verb::Create, Fault::lose_reply());
    let server = server(&store, [(1, 200)]);
    assert_own(&server.post("/work", "k").await, 1);
    assert_replayed(&server.post("/work", "k").await, 1);
    assert_eq!(server.work.begun(), 1);
}

/// The record stands in the store when nobody waits for it any more: nothing was run, so the key
/// must not stay with it.
#[tokio::test(start_paused = true)]
async fn a_creation_that_came_too_late_leaves_the_key_free() {
    for fault in [Fault::never_reply(), Fault::delay(Duration::from_secs(4))] {
        let store = memory();
        store.faults().next(Verb::Create, fault);
        let server = server(&store, [(1, 200)]);
        assert_not_begun(&server.post("/work", "k").await);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(server.work.begun(), 0);
        assert_own(&server.post("/work", "k").await, 1);
        assert_replayed(&server.post("/work", "k").await, 1);
        assert_eq!(server.handle.parked(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_at_once_after_a_creation_in_doubt_is_run_once() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::lose_reply());
    let server = server(&store, [(1, 200)]);
    assert_not_begun(&server.post("/work", "k").await);
    store.faults().heal();
    // Until it is known that there is an operation that was never begun, the key stands for that.
    let patient = [ALICE, key("k"), ("prefer", "wait=20")];
    assert_own(&server.ask(Method::POST, "/work", &patient).await, 1);
    assert_replayed(&server.post("/work", "k").await, 1);
    assert_eq!(server.work.begun(), 1);
}

/// Two servers on one store, and a key that one of them runs and will release after ten seconds. The other's
/// next attempt to create an operation for it arrives only when that is let go.
struct Overtaken {
    work: Work,
    store: Store,
    elsewhere: Store,
    one: Server,
    other: Server,
    first: Accepted,
    late: Hold,
}

impl Overtaken {
    async fn new() -> Self {
        let (work, store) = (Work::new([(10, 429), (1, 200)]), memory());
        let elsewhere = store.another_way();
        let one = Server::of(&work, |builder| builder.principal(user).store(store.clone()));
        let other = Server::of(&work, |builder| builder.principal(user).store(elsewhere.clone()));
        let first = one.accepted("/work", "k").await;
        let late = Hold::new();
        elsewhere.faults().next(Verb::Create, Fault::apply_later(&late));
        Self { work, store, elsewhere, one, other, first, late }
    }
}

/// An attempt that is still on its way when the key turns out to be another's arrives when that has
/// released it: nobody would work on what it creates, and nobody close it.
#[tokio::test(start_paused = true)]
async fn a_creation_that_arrives_after_the_key_was_released_creates_nothing() {
    let Overtaken { work, store, elsewhere, one: _one, other, first, late } =
        Overtaken::new().await;
    assert_eq!(other.accepted("/work", "k").await.id, first.id);
    sleep(Duration::from_secs(10)).await;
    late.release();
    settle().await;
    let log = elsewhere.faults().log();
    let key =
        log.iter().find_map(|event| (event.call.verb == Verb::Create).then_some(event.call.key));
    let key = key.flatten().expect("it was attempted");
    let record = stored(&store, key).await.expect("its place is taken");
    assert!(record.is_closed());
    assert_own(&other.post("/work", "k").await, 2);
    assert_eq!((work.begun(), other.handle.parked()), (2, 0));
}

/// The same attempt, if it arrives before its place is taken: whoever joins what it has created is told the
/// truth of it.
#[tokio::test(start_paused = true)]
async fn a_creation_that_arrives_after_the_key_was_released_and_is_joined_was_not_begun() {
    let Overtaken { elsewhere, one, other, first, late, .. } = Overtaken::new().await;
    elsewhere.faults().next(Verb::Create, Fault::delay(Duration::from_millis(1)));
    elsewhere.faults().next(Verb::Create, Fault::lose_request());
    assert_eq!(other.accepted("/work", "k").await.id, first.id);
    elsewhere.faults().always(Verb::Create, Fault::lose_request());
    sleep(Duration::from_secs(10)).await;
    late.release();
    settle().await;
    let joined = one.accepted("/work", "k").await;
    assert_ne!(joined.id, first.id);
    elsewhere.faults().heal();
    sleep(Duration::from_secs(30)).await;
    let result = one.get(&joined.result_url).await;
    assert_eq!(result.json()["code"], "notBegun", "{result:?}");
    assert_own(&other.post("/work", "k").await, 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_run_without_a_place_to_park_it() {
    let server = Server::with([(30, 200)], |builder| builder.max_parked(1));
    let first = server.accepted("/work", "k").await;
    let (answer, seconds) = server.timed("/work", "other").await;
    assert_not_begun(&answer);
    assert_eq!((seconds, server.work.begun()), (0, 1));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(server.get(&first.result_url).await.text(), "run 1 of 0 bytes");
    assert_eq!(server.post("/work", "other").await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_run_while_the_process_drains() {
    let server = Server::new([(1, 200)]);
    server.handle.drain(Duration::ZERO).await;
    assert_not_begun(&server.post("/work", "k").await);
    assert_eq!(server.work.begun(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_a_drain_waits_nothing_is_begun_and_what_runs_is_still_found() {
    let server = Server::new([(10, 200)]);
    let first = server.accepted("/work", "k").await;
    let requests = async {
        settle().await;
        let (fresh, seconds) = server.timed("/work", "other").await;
        assert_not_begun(&fresh);
        assert_eq!(seconds, 0);
        assert_eq!(server.accepted("/work", "k").await.id, first.id);
    };
    let (drained, ()) = tokio::join!(server.handle.drain(Duration::from_secs(30)), requests);
    assert_eq!((drained.ended, server.work.begun()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_calls_that_have_not_been_answered_yet() {
    let server = Server::new([(1, 200)]);
    let draining = async {
        settle().await;
        server.handle.drain(Duration::from_secs(30)).await
    };
    let (answer, drained) = tokio::join!(server.post("/work", "k"), draining);
    assert_own(&answer, 1);
    assert_eq!((drained.ended, drained.left), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_answered_only_once_that_is_stored() {
    let store = memory();
    store.faults().always(Verb::Close, Fault::delay(Duration::from_secs(1)));
    let server = server(&store, [(0, 200)]);
    let (answer, seconds) = server.timed("/work", "k").await;
    assert_own(&answer, 1);
    assert_eq!(seconds, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_answer_cannot_be_stored_is_sent_to_the_operation() {
    let store = memory();
    store.faults().always(Verb::Close, Fault::unavailable());
    let server = server(&store, [(0, 200)]);
    let (answer, seconds) = server.timed("/work", "k").await;
    assert_eq!(seconds, DEADLINE.as_secs());
    let accepted = Accepted::of(answer);
    assert_eq!(server.get(&accepted.result_url).await.status, StatusCode::ACCEPTED);
    let joined = server.accepted("/work", "k").await;
    assert_eq!(joined.id, accepted.id);
    store.faults().heal();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(server.get(&accepted.result_url).await.text(), "run 1 of 0 bytes");
    assert_replayed(&server.post("/work", "k").await, 1);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_answer_cannot_be_read_back_is_sent_to_the_operation() {
    let store = memory();
    store.faults().always(Verb::Get, Fault::unavailable());
    let server = server(&store, [(0, 200)]);
    let accepted = server.accepted("/work", "k").await;
    store.faults().heal();
    assert_eq!(server.get(&accepted.result_url).await.text(), "run 1 of 0 bytes");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_store_cannot_keep_is_not_told_either() {
    let store = memory();
    store.faults().next(Verb::Close, Fault::fail(StoreError::TooLarge));
    let server = server(&store, [(0, 200)]);
    let answer = server.post("/work", "k").await;
    assert_eq!((&*answer.code(), answer.is_replayed()), ("resultTooLarge", false));
    let again = server.post("/work", "k").await;
    assert_eq!((&*again.code(), again.is_replayed()), ("resultTooLarge", true));
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_an_operation_that_cannot_be_read_is_told_so() {
    let store = memory();
    let server = server(&store, [(30, 200)]);
    server.accepted("/work", "k").await;
    store.faults().always(Verb::Get, Fault::unavailable());
    let answer = server.post("/work", "k").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.code(), "storeUnavailable");
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_the_store_has_lost_has_its_key_again_at_its_end() {
    let store = memory();
    let server = server(&store, [(30, 200)]);
    let first = server.accepted("/work", "k").await;
    store.exchange(MemoryStore::new());
    sleep(Duration::from_secs(30)).await;
    assert_eq!(server.get(&first.result_url).await.text(), "run 1 of 0 bytes");
    assert_replayed(&server.post("/work", "k").await, 1);
}

/// The store lost the key, so the request was run twice; each has its own result.
#[tokio::test(start_paused = true)]
async fn an_operation_whose_lost_key_was_taken_is_found_at_its_url_all_the_same() {
    let store = memory();
    let server = server(&store, [(30, 200)]);
    let first = server.accepted("/work", "k").await;
    store.exchange(MemoryStore::new());
    sleep(Duration::from_secs(15)).await;
    let second = server.accepted("/work", "k").await;
    assert_ne!(second.id, first.id);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(server.get(&second.result_url).await.text(), "run 2 of 0 bytes");
    assert_eq!(server.get(&first.result_url).await.text(), "run 1 of 0 bytes");
    assert_replayed(&server.post("/work", "k").await, 2);
    assert_eq!(server.handle.parked(), 0);
    assert!(stored(&store, key_of(&first)).await.unwrap().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_key_stays_with_its_operation_when_a_creation_in_doubt_is_forgotten() {
    let store = memory();
    store.faults().next(Verb::Create, Fault::lose_reply());
    let server = server(&store, [(300, 200)]);
    // Its caller is told that nothing was begun; the record of it is closed.
    store.faults().always(Verb::Create, Fault::lose_reply());
    assert_not_begun(&server.post("/work", "k").await);
    store.faults().heal();
    sleep(Duration::from_secs(10)).await;
    let running = server.accepted("/work", "k").await;
    sleep(Duration::from_secs(100)).await;
    assert_eq!(server.accepted("/work", "k").await.id, running.id);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_was_promised_an_operation_that_was_never_begun_is_told_so() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::lose_reply());
    let server = server(&store, [(1, 200)]);
    assert_not_begun(&server.post("/work", "k").await);
    store.faults().heal();
    let impatient = [ALICE, key("k"), ("prefer", "wait=0")];
    let promised = server.ask(Method::POST, "/work", &impatient).await;
    sleep(Duration::from_secs(20)).await;
    if promised.status == StatusCode::ACCEPTED {
        let accepted = Accepted::of(promised);
        let end = server.get(&accepted.result_url).await;
        assert!(end.status == 200 || end.code() == "notBegun", "{end:?}");
    }
    assert_replayed_or_own(&server.post("/work", "k").await);
    assert_eq!(server.work.begun(), 1);
}

fn assert_replayed_or_own(answer: &Answer) {
    assert_eq!((answer.status, answer.header("x-run")), (StatusCode::OK, Some("1")), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_place_to_park_a_key_still_tells_what_it_stands_for() {
    let server = Server::with([(30, 200)], |builder| builder.max_parked(1));
    let first = server.accepted("/work", "k").await;
    assert_eq!(server.accepted("/work", "k").await.id, first.id);
    sleep(Duration::from_secs(30)).await;
    let other = server.accepted("/work", "other").await;
    assert_replayed(&server.post("/work", "k").await, 1);
    assert_eq!(server.accepted("/work", "other").await.id, other.id);
    assert_eq!(server.work.begun(), 2);
}

/// However short operations are kept, it finds the one that it would have created.
#[tokio::test(start_paused = true)]
async fn a_creation_that_is_applied_long_after_it_was_given_up_takes_no_key() {
    let store = memory();
    store.faults().next(Verb::Create, Fault::delay(Duration::from_secs(20)));
    let way = store.clone();
    let set_up = |builder: Builder| builder.store(way).retention(Duration::from_secs(1));
    let server = Server::with([(1, 200)], set_up);
    assert_not_begun(&server.post("/work", "k").await);
    sleep(Duration::from_secs(30)).await;
    assert_own(&server.post("/work", "k").await, 1);
}
