//! What a key is, when it counts, and within what.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, StatusCode};
use tower_respond_async::{Deferral, Idempotency};
use tracing::Level;
use tracing_subscriber::{layer::SubscriberExt, registry};

use crate::bed::{ALICE, BOB, Server, assert_own, assert_replayed, key};

/// Posts twice, and says whether the second was run anew.
async fn is_run_again(server: &Server, one: &[(&str, &str)], other: &[(&str, &str)]) -> bool {
    let first = server.ask(Method::POST, "/work", one).await;
    assert_own(&first, 1);
    let second = server.ask(Method::POST, "/work", other).await;
    match server.work.begun() {
        1 => assert_replayed(&second, 1),
        _ => assert_own(&second, 2),
    }
    server.work.begun() == 2
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_key_is_run_each_time() {
    assert!(is_run_again(&Server::new([(1, 200)]), &[ALICE], &[ALICE]).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_with_the_same_key_is_not_run_again() {
    let same = [ALICE, key("k")];
    assert!(!is_run_again(&Server::new([(1, 200)]), &same, &same).await);
}

#[tokio::test(start_paused = true)]
async fn another_key_is_another_request() {
    let server = Server::new([(1, 200)]);
    assert!(is_run_again(&server, &[ALICE, key("k")], &[ALICE, key("K")]).await);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_of_another_caller_is_another_request() {
    let server = Server::new([(1, 200)]);
    assert!(is_run_again(&server, &[ALICE, key("k")], &[BOB, key("k")]).await);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_for_another_method_is_another_request() {
    let server = Server::new([(1, 200)]);
    assert_own(&server.post("/work", "k").await, 1);
    assert_own(&server.ask(Method::PUT, "/work", &[ALICE, key("k")]).await, 2);
    assert_replayed(&server.post("/work", "k").await, 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_for_another_path_is_another_request() {
    let server = Server::new([(1, 200)]);
    assert_own(&server.post("/work", "k").await, 1);
    assert_own(&server.post("/play", "k").await, 2);
    assert_replayed(&server.post("/work", "k").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_the_same_in_quotes_and_without() {
    let server = Server::new([(1, 200)]);
    assert!(!is_run_again(&server, &[ALICE, key("abc")], &[ALICE, key("\"abc\"")]).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_key_is_refused_and_not_run() {
    let server = Server::new([(1, 200)]);
    let long = "k".repeat(256);
    for field in ["", "\"\"", "a b", "a,b", "\"a", "\"a\"b", "\"a\";p", &long] {
        let answer = server.post("/work", field).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field:?}");
        assert_eq!(answer.code(), "invalidIdempotencyKey");
    }
    let two = [ALICE, key("k"), key("k")];
    let answer = server.ask(Method::POST, "/work", &two).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, "invalidIdempotencyKey".into())
    );
    assert_eq!(server.work.begun(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_may_have_255_bytes() {
    let longest = "k".repeat(255);
    let same = [ALICE, key(&longest)];
    assert!(!is_run_again(&Server::new([(1, 200)]), &same, &same).await);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_nobody_means_nothing_by_default() {
    let server = Server::new([(1, 200)]);
    assert!(is_run_again(&server, &[key("k")], &[key("k")]).await);
    assert_eq!(server.ask(Method::POST, "/work", &[key("")]).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_key_means_nothing_when_turned_off() {
    let server = Server::with([(1, 200)], |builder| builder.idempotency(Idempotency::Off));
    assert!(is_run_again(&server, &[ALICE, key("k")], &[ALICE, key("k")]).await);
    assert_eq!(server.post("/work", "").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn callers_who_are_not_identified_can_share_their_keys() {
    let server = Server::anonymous([(1, 200)]);
    assert!(!is_run_again(&server, &[key("k")], &[key("k")]).await);
}

#[tokio::test(start_paused = true)]
async fn an_identified_caller_shares_no_key_with_those_who_are_not() {
    let server = Server::with([(1, 200)], |builder| builder.idempotency(Idempotency::Anonymous));
    assert!(is_run_again(&server, &[key("k")], &[ALICE, key("k")]).await);
    assert_replayed(&server.ask(Method::POST, "/work", &[key("k")]).await, 1);
    assert_replayed(&server.post("/work", "k").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_means_nothing_to_a_call_that_is_never_deferred() {
    let never = |builder: tower_respond_async::Builder| builder.policy(|_| Deferral::Never);
    let server = Server::with([(1, 200)], never);
    let same = [ALICE, key("k")];
    assert!(is_run_again(&server, &same, &same).await);
    assert_eq!(server.post("/work", "").await.status, StatusCode::OK);
    assert_eq!(server.ask(Method::GET, "/work", &same).await.header("x-run"), Some("4"));
}

#[tokio::test(start_paused = true)]
async fn a_get_that_may_be_deferred_has_its_key_count() {
    let server = Server::new([(1, 200)]);
    let fields = [ALICE, key("k"), ("prefer", "respond-async, wait=10")];
    assert_own(&server.ask(Method::GET, "/work", &fields).await, 1);
    assert_replayed(&server.ask(Method::GET, "/work", &fields).await, 1);
}

/// Counts the warnings of the layer's guard.
struct Warnings(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() == Level::WARN && metadata.target().ends_with("::guard") {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn that_a_key_is_ignored_is_said_once() {
    let warnings = Arc::default();
    let _scope = tracing::subscriber::set_default(registry().with(Warnings(Arc::clone(&warnings))));
    let server = Server::new([(1, 200)]);
    server.post("/work", "k").await;
    assert_eq!(warnings.load(Ordering::SeqCst), 0, "it is not ignored");
    for _ in 0..3 {
        server.ask(Method::POST, "/work", &[key("k")]).await;
    }
    assert_eq!(warnings.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_free_again_when_its_operation_is_forgotten() {
    let hour = std::time::Duration::from_secs(3_600);
    let server = Server::with([(1, 200)], |builder| builder.retention(hour));
    assert_own(&server.post("/work", "k").await, 1);
    tokio::time::sleep(hour - std::time::Duration::from_secs(2)).await;
    assert_replayed(&server.post("/work", "k").await, 1);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_own(&server.post("/work", "k").await, 2);
}
