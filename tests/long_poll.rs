//! `Prefer: wait=N` on the two URLs of an operation: the poll is held until the end, or for N seconds.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::time::Duration;

use axum::{Router, body::Body, routing::post};
use http::{Method, Request, StatusCode};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};
use tower_respond_async::{
    Builder, Handle, RespondAsyncLayer,
    store::{MemoryStore, SharedStore},
};

const DEADLINE: Duration = Duration::from_secs(2);

/// A service whose every call takes ten seconds, behind a layer.
struct Server {
    app: Router,
    handle: Handle,
}

/// An accepted operation.
struct Accepted {
    result: String,
    status: String,
}

impl Server {
    fn new(set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let layer = set_up(RespondAsyncLayer::builder(DEADLINE)).build().unwrap();
        let work = async || {
            sleep(Duration::from_secs(10)).await;
            "done"
        };
        let routes = Router::new().route("/work", post(work));
        let handle = layer.handle();
        Self { app: Router::new().fallback_service(layer.layer(routes)), handle }
    }

    async fn accepted(&self) -> Accepted {
        let request = Request::post("/work").body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let result = response.headers()["location"].to_str().unwrap().to_owned();
        let status = result.strip_suffix("/result").unwrap().to_owned();
        Accepted { result, status }
    }

    /// The status of the answer to a poll that would wait, and after how many seconds it came.
    async fn poll(&self, method: Method, uri: &str, wait: u32) -> (StatusCode, u64) {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("prefer", format!("wait={wait}")).body(Body::empty()).unwrap();
        let began = Instant::now();
        let response = self.app.clone().oneshot(request).await.unwrap();
        (response.status(), (Instant::now() - began).as_secs())
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_is_answered_when_the_operation_ends() {
    let server = Server::new(|builder| builder);
    let operation = server.accepted().await;
    assert_eq!(server.poll(Method::GET, &operation.result, 20).await, (StatusCode::OK, 8));
}

#[tokio::test(start_paused = true)]
async fn the_status_waits_for_the_end_too() {
    let server = Server::new(|builder| builder);
    let operation = server.accepted().await;
    assert_eq!(server.poll(Method::GET, &operation.status, 20).await, (StatusCode::OK, 8));
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_no_longer_than_it_says() {
    let server = Server::new(|builder| builder);
    let operation = server.accepted().await;
    assert_eq!(server.poll(Method::GET, &operation.result, 3).await, (StatusCode::ACCEPTED, 3));
    assert_eq!(server.poll(Method::GET, &operation.result, 0).await, (StatusCode::ACCEPTED, 0));
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_no_longer_than_the_server_allows() {
    let server = Server::new(|builder| builder.max_wait(Duration::from_secs(4)));
    let operation = server.accepted().await;
    assert_eq!(server.poll(Method::GET, &operation.result, 600).await, (StatusCode::ACCEPTED, 4));
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_and_what_is_unknown_is_not_waited_for() {
    let server = Server::new(|builder| builder);
    let operation = server.accepted().await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(server.poll(Method::GET, &operation.result, 20).await, (StatusCode::OK, 0));
    let unknown = "/operations/00000000000000000000000000000000/result";
    assert_eq!(server.poll(Method::GET, unknown, 20).await, (StatusCode::NOT_FOUND, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_does_not_wait_and_ends_those_that_do() {
    let server = Server::new(|builder| builder);
    let operation = server.accepted().await;
    let canceling = async {
        sleep(Duration::from_secs(1)).await;
        server.poll(Method::DELETE, &operation.status, 20).await
    };
    let (polled, canceled) =
        tokio::join!(server.poll(Method::GET, &operation.result, 20), canceling);
    assert_eq!(canceled, (StatusCode::ACCEPTED, 0));
    assert_eq!(polled, (StatusCode::GONE, 1));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_operation_in_another_process_is_noticed_within_five_seconds() {
    let store = SharedStore::new(MemoryStore::new());
    let [here, elsewhere] = [(); 2].map(|()| Server::new(|builder| builder.store(store.clone())));
    let operation = elsewhere.accepted().await;
    let (status, seconds) = here.poll(Method::GET, &operation.result, 20).await;
    assert_eq!(status, StatusCode::OK);
    assert!((8..=13).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_polls_wait_and_their_places_are_given_back() {
    let server = Server::new(|builder| builder.max_waiters(1));
    let operation = server.accepted().await;
    let (first, second) = tokio::join!(
        server.poll(Method::GET, &operation.result, 3),
        server.poll(Method::GET, &operation.result, 3),
    );
    assert_eq!((first, second), ((StatusCode::ACCEPTED, 3), (StatusCode::ACCEPTED, 0)));
    assert_eq!(server.poll(Method::GET, &operation.result, 3).await, (StatusCode::ACCEPTED, 3));
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_those_that_wait_go() {
    let server = Server::new(|builder| builder);
    let operation = server.accepted().await;
    let draining = async {
        sleep(Duration::from_secs(1)).await;
        server.handle.drain(Duration::from_secs(30)).await
    };
    let (polled, drained) = tokio::join!(server.poll(Method::GET, &operation.result, 20), draining);
    assert_eq!(polled, (StatusCode::ACCEPTED, 1));
    assert_eq!((drained.ended, drained.left), (1, 0));
    assert_eq!(server.poll(Method::GET, &operation.result, 20).await, (StatusCode::OK, 0));
}
