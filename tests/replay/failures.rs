//! Operations that end without a response: a problem each, with a type of its own.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_respond_async::{
    RespondAsyncLayer,
    store::{MemoryStore, fault::FaultyStore},
};

use crate::support::{
    Accepted, Answer, App, DEADLINE, LATE, accept, bare, call, delete, ended, get, late, settle,
};

async fn assert_problem(app: &App, accepted: &Accepted, status: StatusCode, code: &str) -> String {
    let first = get(app, &accepted.result_url).await;
    let answer = get(app, &accepted.result_url).await;
    assert_eq!(answer.body, first.body, "the outcome never changes");
    assert_told(&answer, &accepted.id, status, code)
}

/// Returns the problem's title.
fn assert_told(answer: &Answer, id: &str, status: StatusCode, code: &str) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("respond-async"), Some("stored"));
    assert_eq!(answer.header("retry-after"), None);
    let title = answer.json()["title"].as_str().expect("a text").to_owned();
    let expected = json!({
        "type": format!("urn:problem-type:respond-async:{code}"),
        "title": title,
        "status": status.as_u16(),
        "code": code,
        "operation": id,
    });
    assert_eq!(answer.json(), expected);
    title
}

#[tokio::test(start_paused = true)]
async fn a_canceled_operation_is_gone() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(Response::default));
    let accepted = accept(&app, "/reports").await;
    delete(&app, &accepted.result_url).await;
    settle().await;
    let title = assert_problem(&app, &accepted, StatusCode::GONE, "canceled").await;
    assert_eq!(title, "The operation was canceled.");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_service_is_a_problem_without_its_text() {
    let service = service_fn(|_| async {
        tokio::time::sleep(LATE).await;
        Err::<Response<Body>, BoxError>("the password is 1234".into())
    });
    let layer = RespondAsyncLayer::after(DEADLINE);
    let service = layer.layer(service);
    let request = http::Request::post("/reports").body(Body::empty()).unwrap();
    let answer = Answer::of(service.clone().oneshot(request).await.unwrap()).await;
    let accepted = Accepted::of(answer);
    ended().await;
    let request = http::Request::get(&accepted.result_url).body(Body::empty()).unwrap();
    let answer = Answer::of(service.oneshot(request).await.unwrap()).await;
    assert_told(&answer, &accepted.id, StatusCode::INTERNAL_SERVER_ERROR, "serviceError");
    assert!(!format!("{:?}", answer.json()).contains("1234"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_service_can_be_given_a_response() {
    let service = service_fn(|_| async {
        tokio::time::sleep(LATE).await;
        Err::<Response<Body>, BoxError>("no such table".into())
    });
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .on_error(|error| {
            let body = Bytes::from(format!("sorry: {error}"));
            Response::builder().status(502).header("x-mine", "1").body(body).unwrap()
        })
        .build()
        .unwrap();
    let service = layer.layer(service);
    let request = http::Request::post("/reports").body(Body::empty()).unwrap();
    let answer = Answer::of(service.clone().oneshot(request).await.unwrap()).await;
    let accepted = Accepted::of(answer);
    ended().await;
    let request = http::Request::get(&accepted.result_url).body(Body::empty()).unwrap();
    let answer = Answer::of(service.oneshot(request).await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.header("x-mine"), Some("1"));
    assert_eq!(answer.body, "sorry: no such table");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_problem_without_its_text() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async {
        tokio::time::sleep(LATE).await;
        panic!("the password is 1234")
    });
    let accepted = accept(&app, "/reports").await;
    ended().await;
    assert_problem(&app, &accepted, StatusCode::INTERNAL_SERVER_ERROR, "panic").await;
    assert!(!format!("{:?}", get(&app, &accepted.result_url).await.json()).contains("1234"));
}

#[tokio::test(start_paused = true)]
async fn a_response_over_the_limit_is_a_problem_and_one_at_the_limit_is_not() {
    for (length, fits) in [(1_000, true), (1_001, false)] {
        let layer = RespondAsyncLayer::builder(DEADLINE).max_result_bytes(1_000).build().unwrap();
        let app = bare(&layer, late(move || Response::new(Body::from(vec![7; length]))));
        let accepted = accept(&app, "/reports").await;
        ended().await;
        if fits {
            assert_eq!(get(&app, &accepted.result_url).await.body.len(), length);
        } else {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            assert_problem(&app, &accepted, status, "resultTooLarge").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_a_problem_and_shows_no_part_of_it() {
    let app = bare(
        &RespondAsyncLayer::after(DEADLINE),
        late(|| {
            let frames = [Ok(Bytes::from("half")), Err(std::io::Error::other("broken"))];
            Response::new(Body::from_stream(futures_util::stream::iter(frames)))
        }),
    );
    let accepted = accept(&app, "/reports").await;
    ended().await;
    let title =
        assert_problem(&app, &accepted, StatusCode::INTERNAL_SERVER_ERROR, "bodyError").await;
    assert!(!title.contains("half") && !title.contains("broken"));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_runs_too_long_is_a_problem() {
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .execution_limit(Duration::from_secs(5))
        .build()
        .unwrap();
    let app = bare(&layer, |_| std::future::pending());
    let accepted = accept(&app, "/reports").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_problem(&app, &accepted, StatusCode::INTERNAL_SERVER_ERROR, "timedOut").await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_a_problem() {
    let layer =
        RespondAsyncLayer::builder(DEADLINE).body_time(Duration::from_secs(5)).build().unwrap();
    let endless = || futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let app = bare(&layer, late(move || Response::new(Body::from_stream(endless()))));
    let accepted = accept(&app, "/reports").await;
    tokio::time::sleep(LATE + Duration::from_secs(6)).await;
    assert_problem(&app, &accepted, StatusCode::INTERNAL_SERVER_ERROR, "timedOut").await;
}

#[tokio::test(start_paused = true)]
async fn a_shut_down_says_that_the_outcome_is_unknown() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    let app = bare(&layer, |_| std::future::pending());
    let accepted = accept(&app, "/reports").await;
    layer.handle().drain(Duration::from_secs(1)).await;
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let title = assert_problem(&app, &accepted, status, "shutDown").await;
    assert!(title.contains("outcome is unknown"), "{title}");
}

/// Two processes on one store, of which one has lost the way to it.
#[tokio::test(start_paused = true)]
async fn an_operation_whose_process_is_gone_says_that_the_outcome_is_unknown() {
    let store = FaultyStore::new(MemoryStore::new());
    let gone = RespondAsyncLayer::builder(DEADLINE).store(store.clone()).build().unwrap();
    let left = RespondAsyncLayer::builder(DEADLINE).store(store.another_way()).build().unwrap();
    let app = bare(&gone, |_| std::future::pending());
    let other = bare(&left, late(Response::default));
    left.handle().start();
    let accepted = accept(&app, "/reports").await;
    store.faults().partition();
    let running = get(&other, &accepted.result_url).await;
    assert_eq!(running.status, StatusCode::ACCEPTED, "nothing is known yet");
    tokio::time::sleep(Duration::from_secs(120)).await;
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let title = assert_problem(&other, &accepted, status, "lost").await;
    assert!(title.contains("outcome is unknown"), "{title}");
    assert_eq!(call(&other, http::Method::GET, &accepted.status_url, &[]).await.word(), "Failed");
}
