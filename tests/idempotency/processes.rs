//! Several processes with one store, and a process that takes another's place.

use std::time::Duration;

use http::StatusCode;
use tokio::time::sleep;
use tower_respond_async::store::{MemoryStore, SharedStore};

use crate::bed::{Server, Work, assert_own, assert_replayed};

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
