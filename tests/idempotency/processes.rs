//! Several processes with one store, and a process that takes another's place.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, sleep};
use tower_respond_async::store::{MemoryStore, SharedStore};

use crate::{
    bed::{ALICE, Server, Work, assert_own, assert_replayed, key, user},
    store::memory,
    support::Accepted,
};

fn store() -> SharedStore {
    SharedStore::new(MemoryStore::new())
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_another_process_is_sent_to_the_same_operation() {
    let (work, store) = (Work::new([(30, 200)]), store());
    let (one, other) = (Server::replica(&work, &store), Server::replica(&work, &store));
    let first = one.accepted("/work", "k").await;
    let again = other.accepted("/work", "k").await;
    assert_eq!(again.answer.header("location"), first.answer.header("location"));
    sleep(Duration::from_secs(30)).await;
    for server in [&one, &other] {
        assert_eq!(server.get(&first.result_url).await.text(), "run 1 of 0 bytes");
        assert_replayed(&server.post("/work", "k").await, 1);
    }
    assert_eq!(work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn twenty_at_two_processes_at_the_same_moment_are_run_once() {
    let (work, store) = (Work::new([(1, 200)]), store());
    let servers = [Server::replica(&work, &store), Server::replica(&work, &store)];
    let all = (0..20).map(|at| servers[at % 2].post("/work", "k"));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(work.begun(), 1);
    assert!(answers.iter().all(|answer| answer.body == "run 1 of 0 bytes"));
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_key_stands_for_the_same_operation() {
    let (work, store) = (Work::new([(30, 200)]), store());
    let before = Server::replica(&work, &store);
    let first = before.accepted("/work", "k").await;
    let handle = before.handle.clone();
    drop(before);
    let after = Server::replica(&work, &store);
    let again = after.accepted("/work", "k").await;
    assert_eq!(again.answer.header("location"), first.answer.header("location"));
    assert_eq!(handle.drain(Duration::from_secs(60)).await.ended, 1);
    assert_replayed(&after.post("/work", "k").await, 1);
    assert_eq!(after.get(&first.result_url).await.text(), "run 1 of 0 bytes");
}

#[tokio::test(start_paused = true)]
async fn a_response_outlives_the_process_that_made_it() {
    let (work, store) = (Work::new([(1, 200)]), store());
    let before = Server::replica(&work, &store);
    assert_own(&before.post("/work", "k").await, 1);
    before.handle.drain(Duration::ZERO).await;
    drop(before);
    let after = Server::replica(&work, &store);
    assert_replayed(&after.post("/work", "k").await, 1);
}

/// Nobody knows how far the first run came, so there is no second one.
#[tokio::test(start_paused = true)]
async fn a_call_whose_process_was_shut_down_is_not_run_again() {
    let (work, store) = (Work::new([(600, 200)]), store());
    let before = Server::replica(&work, &store);
    let first = before.accepted("/work", "k").await;
    assert_eq!(before.handle.drain(Duration::from_secs(1)).await.shut_down, 1);
    let after = Server::replica(&work, &store);
    let again = after.post("/work", "k").await;
    assert!(again.is_replayed());
    assert_eq!(again.code(), "shutDown");
    let result = after.get(&first.result_url).await;
    assert_eq!((again.status, again.body), (result.status, result.body));
    assert_eq!(work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_released_by_one_process_is_free_for_another() {
    let (work, store) = (Work::new([(1, 503), (1, 200)]), store());
    let (one, other) = (Server::replica(&work, &store), Server::replica(&work, &store));
    assert_eq!(one.post("/work", "k").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_own(&other.post("/work", "k").await, 2);
    assert_replayed(&one.post("/work", "k").await, 2);
}

/// A process hears of an end elsewhere by looking again.
#[tokio::test(start_paused = true)]
async fn whoever_waits_at_another_process_is_given_the_response_within_seconds() {
    let (work, store) = (Work::new([(7, 200)]), store());
    let (one, other) = (Server::replica(&work, &store), Server::replica(&work, &store));
    one.accepted("/work", "k").await;
    let patient = [ALICE, key("k"), ("prefer", "wait=20")];
    let began = Instant::now();
    assert_replayed(&other.ask(Method::POST, "/work", &patient).await, 1);
    let seconds = (Instant::now() - began).as_secs();
    assert!((5..=10).contains(&seconds), "{seconds}");
}

/// Nobody knows how far the first run came, so there is no second one.
#[tokio::test(start_paused = true)]
async fn a_call_whose_process_is_gone_is_not_run_again() {
    let way = memory();
    let work = Work::new([(600, 200)]);
    let gone = Server::of(&work, |builder| builder.principal(user).store(way.clone()));
    let first = gone.accepted("/work", "k").await;
    let other = way.another_way();
    way.faults().partition();
    let server = Server::of(&work, |builder| builder.principal(user).store(other));
    let joined = server.accepted("/work", "k").await;
    assert_eq!(joined.id, first.id, "it may still run");
    sleep(Duration::from_secs(60)).await;
    let again = server.post("/work", "k").await;
    assert_eq!((&*again.code(), again.is_replayed()), ("lost", true));
    let result = server.get(&first.result_url).await;
    assert_eq!((again.status, again.body), (result.status, result.body));
    assert_eq!(work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_whoever_has_joined_go_with_the_202() {
    let server = Server::new([(10, 200)]);
    let first = server.accepted("/work", "k").await;
    let draining = async {
        sleep(Duration::from_secs(1)).await;
        server.handle.drain(Duration::from_secs(30)).await
    };
    let (joined, drained) = tokio::join!(server.timed("/work", "k"), draining);
    assert_eq!(joined.1, 1);
    assert_eq!(Accepted::of(joined.0).id, first.id);
    assert_eq!((drained.ended, drained.left), (1, 0));
}
