//! The header fields of the layer's own answers.

use axum::body::Body;
use http::{Method, Response, StatusCode};
use tower_respond_async::{
    Refusal, RespondAsyncLayer,
    store::{
        MemoryStore,
        fault::{Fault, FaultyStore, Verb},
    },
};

use crate::{
    UNKNOWN,
    support::{Answer, App, DEADLINE, accept, bare, call, delete, ended, get, late, post},
};

fn app(public_base: &str) -> App {
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .public_base(public_base)
        .build()
        .expect("a valid layer");
    bare(&layer, late(|| Response::new(Body::from("done"))))
}

/// What every answer that says "ask again" has.
fn assert_points(answer: &Answer, location: &str, status_url: &str) {
    assert_eq!(answer.header("location"), Some(location));
    let link = format!("<{status_url}>; rel=\"monitor\"");
    assert_eq!(answer.header("link"), Some(link.as_str()));
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("respond-async"), Some("pending"));
}

#[tokio::test(start_paused = true)]
async fn references_are_path_absolute_by_default() {
    let app = app("");
    let accepted = accept(&app, "/reports").await;
    assert_eq!(accepted.status_url, format!("/operations/{}", accepted.id));
    assert_eq!(accepted.result_url, format!("/operations/{}/result", accepted.id));
    let status = get(&app, &accepted.status_url).await;
    let result = get(&app, &accepted.result_url).await;
    for answer in [&accepted.answer, &status, &result] {
        assert_points(answer, &accepted.result_url, &accepted.status_url);
        assert_eq!(answer.header("operation-location"), None);
        assert_eq!(answer.header("azure-asyncoperation"), None);
        assert_eq!(answer.header("content-location"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_public_url_makes_every_reference_absolute_and_names_the_status_twice_more() {
    let app = app("https://api.example.com/v1");
    let accepted = accept(&app, "/reports").await;
    let path = format!("/operations/{}", accepted.id);
    let status_url = format!("https://api.example.com/v1{path}");
    assert_eq!(accepted.status_url, status_url);
    assert_eq!(accepted.result_url, format!("{status_url}/result"));
    let status = get(&app, &path).await;
    let result = get(&app, &format!("{path}/result")).await;
    for answer in [&accepted.answer, &status, &result] {
        assert_points(answer, &accepted.result_url, &status_url);
        assert_eq!(answer.header("operation-location"), Some(status_url.as_str()));
        assert_eq!(answer.header("azure-asyncoperation"), Some(status_url.as_str()));
        assert_eq!(answer.header("content-location"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forged_host_changes_no_reference() {
    let app = app("");
    let fields = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    let answer = call(&app, Method::POST, "/reports", &fields).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn the_202_is_json_whatever_is_accepted() {
    let app = app("");
    for accept in ["text/html", "application/json;q=0", "image/png, */*;q=0"] {
        let answer = call(&app, Method::POST, "/reports", &[("accept", accept)]).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{accept}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_operation_asks_nobody_to_come_back() {
    let app = app("https://api.example.com");
    let id = accept(&app, "/reports").await.id;
    ended().await;
    let path = format!("/operations/{id}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/result")),
    ] {
        let answer = call(&app, method, &path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("retry-after"), None);
        assert_eq!(answer.header("location"), None);
        assert_eq!(answer.header("respond-async"), Some("stored"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_has_nothing_of_the_layer() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async {
        Response::builder().header("x-mine", "1").body(Body::from("fast")).unwrap()
    });
    let fields = [("prefer", "respond-async, wait=5")];
    let answer = call(&app, Method::POST, "/reports", &fields).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers.len(), 1, "{:?}", answer.headers);
    assert_eq!(answer.body, "fast");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_operation_is_a_problem_that_nobody_retries() {
    let app = app("");
    for path in [UNKNOWN.to_owned(), format!("{UNKNOWN}/result")] {
        for method in [Method::GET, Method::DELETE] {
            let answer = call(&app, method, &path, &[]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("retry-after"), None);
            assert_eq!(
                answer.json(),
                serde_json::json!({
                    "type": "urn:problem-type:respond-async:unknownOperation",
                    "title": "There is no such operation.",
                    "status": 404,
                    "code": "unknownOperation",
                }),
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_a_503_that_asks_to_come_back_and_never_a_404() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always([Verb::Get, Verb::Cancel], Fault::unavailable());
    let layer = RespondAsyncLayer::builder(DEADLINE).store(store).build().unwrap();
    let app = bare(&layer, late(Response::default));
    let accepted = accept(&app, "/reports").await;
    for url in [&accepted.status_url, &accepted.result_url] {
        for answer in [get(&app, url).await, delete(&app, url).await] {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("retry-after"), Some("2"));
            assert_eq!(answer.header("respond-async"), Some("unavailable"));
            assert_eq!(answer.json()["code"], "storeUnavailable");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_call_that_is_rejected_is_told_from_the_services_own_503() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Verb::Create, Fault::unavailable());
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .store(store)
        .on_refusal(Refusal::Reject)
        .build()
        .unwrap();
    let app = bare(&layer, late(Response::default));
    let answer = post(&app, "/reports").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("respond-async"), Some("unavailable"));
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["code"], "notAccepted");
}

#[tokio::test(start_paused = true)]
async fn a_stored_503_is_told_from_the_layers_own() {
    let answer = || Response::builder().status(503).body(Body::from("mine")).unwrap();
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
    let accepted = accept(&app, "/reports").await;
    ended().await;
    let answer = get(&app, &accepted.result_url).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("respond-async"), Some("stored"));
    assert_eq!(answer.body, "mine");
}

#[tokio::test(start_paused = true)]
async fn a_service_cannot_forge_what_the_layer_says_of_itself() {
    let answer = || Response::builder().header("respond-async", "pending").body(Body::empty());
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(move || answer().unwrap()));
    let accepted = accept(&app, "/reports").await;
    ended().await;
    let answer = get(&app, &accepted.result_url).await;
    assert_eq!(answer.header("respond-async"), Some("stored"));
}
