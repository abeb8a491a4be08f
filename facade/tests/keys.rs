//! `Idempotency-Key`, and callers whom the proxy in front names.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, StatusCode};
use support::{Answer, Caller, Server, full, request, upstream};
use tokio::sync::Semaphore;

/// A facade before an upstream that counts calls, and answers when it is told to.
struct Scene {
    facade: Server,
    caller: Caller,
    calls: Arc<AtomicUsize>,
    opened: Arc<Semaphore>,
}

impl Scene {
    async fn new(options: &[&str]) -> Self {
        let (calls, opened) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let address = upstream({
            let (calls, opened) = (Arc::clone(&calls), Arc::clone(&opened));
            move |_| {
                let (calls, opened) = (Arc::clone(&calls), Arc::clone(&opened));
                async move {
                    let call = calls.fetch_add(1, Ordering::SeqCst);
                    opened.acquire().await.unwrap().forget();
                    http::Response::new(full(format!("call {call}")))
                }
            }
        })
        .await;
        let options = [&["--after", "100ms"], options].concat();
        let facade = Server::facade(&format!("http://{address}"), &options).await;
        Self { facade, caller: Caller::http1(), calls, opened }
    }

    async fn send(&self, method: Method, path: &str, fields: &[(&'static str, &str)]) -> Answer {
        let mut request = request(method, &self.facade.url(path), "");
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.caller.send(request).await
    }

    /// Posts what takes too long, with a key.
    async fn post(&self, caller: &[(&'static str, &str)]) -> Answer {
        let fields = [&[("idempotency-key", "\"8e03978e\"")][..], caller].concat();
        let answer = self.send(Method::POST, "/orders", &fields).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer
    }
}

#[tokio::test]
async fn the_same_key_of_the_same_caller_is_run_once_and_answered_twice() {
    let scene = Scene::new(&["--principal-header", "X-User"]).await;
    let alice = [("x-user", "alice")];
    let first = scene.post(&alice).await;
    let second = scene.post(&alice).await;
    assert_eq!(first.header("location"), second.header("location"));
    scene.opened.add_permits(1);
    let poll = async || scene.send(Method::GET, first.header("location"), &alice).await;
    let mut answer = poll().await;
    while answer.status == StatusCode::ACCEPTED {
        tokio::time::sleep(support::BETWEEN_POLLS).await;
        answer = poll().await;
    }
    assert_eq!(answer.text(), "call 0");
    let fields = [("x-user", "alice"), ("idempotency-key", "8e03978e")];
    let third = scene.send(Method::POST, "/orders", &fields).await;
    assert_eq!((third.text(), third.header("idempotent-replayed")), ("call 0", "true"));
    assert_eq!(scene.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_operation_is_unknown_to_other_callers_and_so_is_its_key() {
    let scene = Scene::new(&["--principal-header", "X-User"]).await;
    let first = scene.post(&[("x-user", "alice")]).await;
    let location = first.header("location");
    for stranger in [&[][..], &[("x-user", "bob")], &[("x-user", "alice, bob")]] {
        for method in [Method::GET, Method::DELETE] {
            let answer = scene.send(method, location, stranger).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{stranger:?}");
        }
    }
    let other = scene.post(&[("x-user", "bob")]).await;
    assert_ne!(other.header("location"), location);
    let running = scene.send(Method::GET, location, &[("x-user", "alice")]).await;
    assert_eq!(running.json()["status"], "Running");
}

#[tokio::test]
async fn keys_of_callers_whom_nobody_names_count_only_where_they_are_wanted() {
    for (options, calls) in [
        (&[][..], 2),
        (&["--principal-header", "X-User"], 2),
        (&["--idempotency", "off", "--principal-header", "X-User"], 2),
        (&["--idempotency", "anonymous"], 1),
    ] {
        let scene = Scene::new(options).await;
        let first = scene.post(&[]).await;
        let second = scene.post(&[]).await;
        let same = first.header("location") == second.header("location");
        assert_eq!(same, calls == 1, "{options:?}");
        assert_eq!(scene.calls.load(Ordering::SeqCst), calls, "{options:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_ignored_is_warned_of_once() {
    let mut scene = Scene::new(&[]).await;
    scene.post(&[]).await;
    scene.facade.logged("an Idempotency-Key is ignored").await;
}
