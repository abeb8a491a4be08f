//! A request whose key stands for an operation that still runs.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::sleep;
use tower_respond_async::Deferral;

use crate::{
    bed::{ALICE, Server, assert_own, assert_replayed, key},
    support::{Accepted, DEADLINE, delete},
};

/// Lets a first request with the key `k` begin.
async fn begun(server: &Server) -> tokio::task::JoinHandle<crate::support::Answer> {
    let first = tokio::spawn({
        let server = server.clone();
        async move { server.post("/work", "k").await }
    });
    sleep(Duration::from_millis(1)).await;
    assert_eq!(server.work.begun(), 1);
    first
}

#[tokio::test(start_paused = true)]
async fn a_late_call_and_all_who_join_it_are_sent_to_the_same_operation() {
    let server = Server::new([(30, 200)]);
    let first = server.accepted("/work", "k").await;
    for _ in 0..3 {
        let (answer, seconds) = server.timed("/work", "k").await;
        assert!(!answer.is_replayed(), "nothing has been answered yet");
        let again = Accepted::of(answer);
        assert_eq!(seconds, DEADLINE.as_secs(), "it waits until its own deadline");
        assert_eq!(again.answer.header("location"), first.answer.header("location"));
        assert_eq!(again.id, first.id);
    }
    sleep(Duration::from_secs(30)).await;
    let result = server.get(&first.result_url).await;
    assert_eq!((result.status, result.text()), (StatusCode::OK, "run 1 of 0 bytes"));
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_is_given_the_response_as_soon_as_it_is_there() {
    let server = Server::new([(3, 201)]);
    let first = server.accepted("/work", "k").await;
    let (answer, seconds) = server.timed("/work", "k").await;
    assert_replayed(&answer, 1);
    assert_eq!((answer.status, seconds), (StatusCode::CREATED, 1));
    assert_eq!(server.get(&first.result_url).await.body, answer.body);
}

#[tokio::test(start_paused = true)]
async fn two_who_come_together_are_answered_together() {
    let server = Server::new([(1, 200)]);
    let first = begun(&server).await;
    let (answer, _) = server.timed("/work", "k").await;
    assert_replayed(&answer, 1);
    assert_own(&first.await.unwrap(), 1);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn twenty_at_the_same_moment_are_run_once() {
    let server = Server::new([(1, 200)]);
    let all = (0..20).map(|_| server.post("/work", "k"));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(server.work.begun(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    assert!(answers.iter().all(|answer| answer.body == "run 1 of 0 bytes"));
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_waits_as_long_as_it_asks_to() {
    let server = Server::new([(30, 200)]);
    server.accepted("/work", "k").await;
    let wait = [ALICE, key("k"), ("prefer", "wait=10")];
    let began = tokio::time::Instant::now();
    let answer = server.ask(Method::POST, "/work", &wait).await;
    assert_eq!((tokio::time::Instant::now() - began).as_secs(), 10);
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("preference-applied"), Some("wait=10"));
}

#[tokio::test(start_paused = true)]
async fn the_202_of_whoever_joins_says_how_far_the_operation_is() {
    let server = Server::new([(30, 200)]);
    let first = server.accepted("/work", "k").await;
    let canceled = server.ask(Method::DELETE, &first.status_url, &[ALICE]).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED);
    let answer = server.post("/work", "k").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::GONE, "canceled".into()));
    assert!(answer.is_replayed());
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_redirected_caller_who_joins_is_redirected_to_the_same_place() {
    let redirect =
        |builder: tower_respond_async::Builder| builder.policy(|_| Deferral::Redirect(DEADLINE));
    let server = Server::with([(10, 200)], redirect);
    let first = server.post("/work", "k").await;
    let again = server.post("/work", "k").await;
    assert_eq!((first.status, again.status), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
    let hop = first.header("location").unwrap();
    assert_eq!(again.header("location"), Some(hop));
    let result = server.get(hop).await;
    assert_eq!(result.text(), "run 1 of 0 bytes");
}

#[tokio::test(start_paused = true)]
async fn an_eager_call_with_a_key_is_always_fetched() {
    let eager = |builder: tower_respond_async::Builder| builder.policy(|_| Deferral::Eager);
    let server = Server::with([(0, 200)], eager);
    let first = server.accepted("/work", "k").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.get(&first.result_url).await.text(), "run 1 of 0 bytes");
    assert_replayed(&server.post("/work", "k").await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_eager_call_that_fails_at_once_is_answered_at_once() {
    let eager = |builder: tower_respond_async::Builder| builder.policy(|_| Deferral::Eager);
    let server = Server::with([(0, 404)], eager);
    let answer = server.post("/work", "k").await;
    assert_own(&answer, 1);
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_replayed(&server.post("/work", "k").await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_a_shared_key_is_open_to_whoever_has_its_id() {
    let server = Server::anonymous([(30, 200)]);
    let first = Accepted::of(server.ask(Method::POST, "/work", &[key("k")]).await);
    let again = Accepted::of(server.ask(Method::POST, "/work", &[key("k")]).await);
    assert_eq!(again.id, first.id);
    assert_eq!(delete(&server.app, &first.status_url).await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_are_sent_to_the_operation_at_once() {
    let server = Server::with([(30, 200)], |builder| builder.max_waiters(1));
    let first = server.accepted("/work", "k").await;
    let (one, other) = tokio::join!(server.timed("/work", "k"), server.timed("/work", "k"));
    let mut seconds = [one.1, other.1];
    seconds.sort_unstable();
    assert_eq!(seconds, [0, DEADLINE.as_secs()]);
    for (answer, _) in [one, other] {
        assert_eq!(Accepted::of(answer).id, first.id);
    }
}
