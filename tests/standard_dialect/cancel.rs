//! `DELETE`, and the methods that the URLs do not have.

use axum::body::Body;
use http::{Method, Response, StatusCode};
use serde_json::json;
use tower_respond_async::{Operation, RespondAsyncLayer};

use crate::{
    UNKNOWN,
    support::{App, DEADLINE, accept, bare, call, delete, ended, get, late, settle},
};

fn app() -> App {
    bare(&RespondAsyncLayer::after(DEADLINE), late(|| Response::new(Body::from("done"))))
}

#[tokio::test(start_paused = true)]
async fn a_running_operation_is_canceled_by_delete_on_either_url() {
    for on_result in [false, true] {
        let app = app();
        let accepted = accept(&app, "/reports").await;
        let url = if on_result { &accepted.result_url } else { &accepted.status_url };
        let answer = delete(&app, url).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.json()["id"], json!(accepted.id));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("respond-async"), Some("pending"));
        settle().await;
        assert_eq!(get(&app, &accepted.status_url).await.word(), "Canceled");
        let result = get(&app, &accepted.result_url).await;
        assert_eq!(result.status, StatusCode::GONE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_listens_ends_by_itself_and_is_running_until_then() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async {
        Operation::current().canceled().await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        Response::builder().status(409).body(Body::from("half done")).unwrap()
    });
    let accepted = accept(&app, "/reports").await;
    for _ in ["once", "twice"] {
        let answer = delete(&app, &accepted.status_url).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.word(), "Running");
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let result = get(&app, &accepted.result_url).await;
    assert_eq!((result.status.as_u16(), &*result.body), (409, &b"half done"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_second_delete_finds_the_canceled_operation_unchanged() {
    let app = app();
    let accepted = accept(&app, "/reports").await;
    assert_eq!(delete(&app, &accepted.status_url).await.status, StatusCode::ACCEPTED);
    settle().await;
    let before = get(&app, &accepted.status_url).await;
    let again = delete(&app, &accepted.status_url).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.word(), "Canceled");
    let after = get(&app, &accepted.status_url).await;
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(after.json()["lastActionDateTime"], before.json()["lastActionDateTime"]);
}

#[tokio::test(start_paused = true)]
async fn a_delete_after_the_end_destroys_no_result() {
    let app = app();
    let accepted = accept(&app, "/reports").await;
    ended().await;
    let told = get(&app, &accepted.status_url).await;
    for url in [&accepted.status_url, &accepted.result_url, &accepted.status_url] {
        let answer = delete(&app, url).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.word(), "Succeeded");
        assert_eq!(answer.header("respond-async"), Some("stored"));
    }
    let still = get(&app, &accepted.status_url).await;
    assert_eq!(still.header("etag"), told.header("etag"));
    assert_eq!(get(&app, &accepted.result_url).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_405_with_those_that_there_are() {
    let app = app();
    let accepted = accept(&app, "/reports").await;
    let unknown = UNKNOWN.to_owned();
    for url in [&accepted.status_url, &accepted.result_url, &unknown] {
        for method in ["PUT", "POST", "PATCH", "TRACE", "PROPFIND"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = call(&app, method.clone(), url, &[]).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD, DELETE"));
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("retry-after"), None);
            assert_eq!(answer.json()["code"], "methodNotAllowed");
            assert_eq!(answer.json()["status"], 405);
        }
    }
    assert_eq!(get(&app, &accepted.status_url).await.word(), "Running");
}
