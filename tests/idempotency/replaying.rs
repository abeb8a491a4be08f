//! A request whose key stands for an operation that has ended.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::sleep;
use tower_respond_async::{Cookies, RespondAsyncLayer};

use crate::{
    bed::{ALICE, Server, assert_own, assert_replayed, key, user},
    support::{DEADLINE, bare, call},
};

#[tokio::test(start_paused = true)]
async fn a_fast_answer_comes_with_all_its_fields_and_its_replay_with_those_that_are_kept() {
    let server = Server::new([(1, 201)]);
    let first = server.post("/work", "k").await;
    assert_own(&first, 1);
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.header("set-cookie"), Some("session=1"));
    assert_eq!(first.header("cache-control"), None);
    let again = server.post("/work", "k").await;
    assert_replayed(&again, 1);
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("set-cookie"), None);
    assert_eq!(again.header("cache-control"), Some("no-store"));
    assert_eq!(server.post("/work", "k").await.body, first.body);
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn cookies_are_replayed_if_they_are_kept() {
    let server = Server::with([(1, 200)], |builder| builder.cookies(Cookies::Keep));
    server.post("/work", "k").await;
    let again = server.post("/work", "k").await;
    assert_replayed(&again, 1);
    assert_eq!(again.header("set-cookie"), Some("session=1"));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_replayed_to_the_same_request_too() {
    let server = Server::new([(30, 404)]);
    let accepted = server.accepted("/work", "k").await;
    sleep(Duration::from_secs(30)).await;
    let (again, seconds) = server.timed("/work", "k").await;
    assert_replayed(&again, 1);
    assert_eq!((again.status, seconds), (StatusCode::NOT_FOUND, 0));
    let result = server.get(&accepted.result_url).await;
    assert_eq!((result.status, &result.body), (again.status, &again.body));
    assert!(!result.is_replayed(), "whoever fetches it did not send it again");
}

#[tokio::test(start_paused = true)]
async fn a_fast_answer_is_found_at_its_operation_too() {
    let layer = RespondAsyncLayer::builder(DEADLINE).principal(user).build().unwrap();
    let app = bare(&layer, |_| async {
        let id = tower_respond_async::Operation::current().id().unwrap();
        Response::new(Body::from(id.to_string()))
    });
    let answer = call(&app, Method::POST, "/work", &[ALICE, key("k")]).await;
    let url = format!("/operations/{}/result", answer.text());
    let result = call(&app, Method::GET, &url, &[ALICE]).await;
    assert_eq!((result.status, &result.body), (StatusCode::OK, &answer.body));
}

#[tokio::test(start_paused = true)]
async fn trailers_come_with_the_answer_and_with_its_replay() {
    let layer = RespondAsyncLayer::builder(DEADLINE).principal(user).build().unwrap();
    let app = bare(&layer, |_| async {
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-sum"),
            HeaderValue::from_static("7"),
        )]);
        let frames = [Frame::data(Bytes::from_static(b"a")), Frame::trailers(trailers)];
        let frames = frames.map(Ok::<_, Infallible>);
        Response::new(Body::new(StreamBody::new(futures_util::stream::iter(frames))))
    });
    for replayed in [false, true] {
        let answer = call(&app, Method::POST, "/work", &[ALICE, key("k")]).await;
        assert_eq!((answer.text(), answer.is_replayed()), ("a", replayed));
        assert_eq!(answer.trailers.unwrap()["x-sum"], "7");
    }
}

/// Posts twice to a late call, once it has ended, and compares with its result's URL.
async fn assert_the_same_as_its_result(server: &Server, status: StatusCode, code: &str) {
    let accepted = server.accepted("/work", "k").await;
    sleep(Duration::from_secs(60)).await;
    let again = server.post("/work", "k").await;
    assert_eq!((again.status, &*again.code()), (status, code));
    assert!(again.is_replayed());
    assert_eq!(again.header("respond-async"), Some("stored"));
    let result = server.get(&accepted.result_url).await;
    assert_eq!((result.status, &result.body), (again.status, &again.body));
    assert!(!result.is_replayed());
    assert_eq!(server.work.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_took_too_long_is_not_run_again() {
    let limit = Duration::from_secs(9);
    let server = Server::with([(30, 200)], |builder| builder.execution_limit(limit));
    assert_the_same_as_its_result(&server, StatusCode::INTERNAL_SERVER_ERROR, "timedOut").await;
}

#[tokio::test(start_paused = true)]
async fn an_operation_whose_response_was_too_large_is_not_run_again() {
    let server = Server::with([(30, 200)], |builder| builder.max_result_bytes(3));
    assert_the_same_as_its_result(&server, StatusCode::INTERNAL_SERVER_ERROR, "resultTooLarge")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_canceled_operation_is_not_run_again() {
    let server = Server::new([(30, 200)]);
    let accepted = server.accepted("/work", "k").await;
    server.ask(Method::DELETE, &accepted.status_url, &[ALICE]).await;
    sleep(Duration::from_secs(1)).await;
    let again = server.post("/work", "k").await;
    assert_eq!((again.status, &*again.code()), (StatusCode::GONE, "canceled"));
    assert!(again.is_replayed());
    assert_eq!(server.get(&accepted.result_url).await.body, again.body);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_too_large_at_once_says_so_to_its_own_caller() {
    let server = Server::with([(0, 200)], |builder| builder.max_result_bytes(3));
    let first = server.post("/work", "k").await;
    assert_eq!(
        (first.status, &*first.code()),
        (StatusCode::INTERNAL_SERVER_ERROR, "resultTooLarge")
    );
    assert!(!first.is_replayed());
}
