//! Conditional requests, `HEAD`, and what is ignored.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Response, StatusCode};
use tokio::time::Instant;
use tower_respond_async::{
    Operation, RespondAsyncLayer,
    dialect::{Complete, StandardDialect},
};

use crate::{
    UNKNOWN,
    support::{App, DEADLINE, LATE, accept, bare, call, delete, ended, get, late, settle},
};

fn app() -> App {
    let answer = || {
        Response::builder()
            .header("etag", "\"v1\"")
            .body(Body::from("done"))
            .expect("a valid response")
    };
    bare(&RespondAsyncLayer::after(DEADLINE), late(answer))
}

async fn etag(app: &App, url: &str) -> String {
    let answer = get(app, url).await;
    answer.header("etag").expect("an entity tag").to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_status_has_a_weak_entity_tag_that_changes_with_the_operation() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Operation::current().progress(0.5);
        tokio::time::sleep(LATE).await;
        Response::new(Body::empty())
    });
    let url = accept(&app, "/reports").await.status_url;
    let accepted = etag(&app, &url).await;
    assert!(accepted.starts_with("W/\"") && accepted.ends_with('"'), "{accepted}");
    assert_eq!(etag(&app, &url).await, accepted);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let halfway = etag(&app, &url).await;
    assert_ne!(halfway, accepted);
    delete(&app, &url).await;
    settle().await;
    let canceled = etag(&app, &url).await;
    assert_ne!(canceled, halfway);
    tokio::time::sleep(LATE).await;
    assert_eq!(etag(&app, &url).await, canceled);
}

#[tokio::test(start_paused = true)]
async fn the_entity_tag_changes_when_a_handler_is_asked_to_end() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async {
        Operation::current().canceled().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Response::new(Body::empty())
    });
    let url = accept(&app, "/reports").await.status_url;
    let accepted = etag(&app, &url).await;
    delete(&app, &url).await;
    let asked = etag(&app, &url).await;
    assert_ne!(asked, accepted);
    let again = call(&app, Method::GET, &url, &[("if-none-match", &asked)]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_has_not_changed_is_a_304_without_a_body() {
    let app = app();
    let url = accept(&app, "/reports").await.status_url;
    let tag = etag(&app, &url).await;
    let strong = tag.trim_start_matches("W/").to_owned();
    for known in [
        tag.clone(),
        strong.clone(),
        "*".to_owned(),
        format!("\"other\", {tag}"),
        format!("W/\"other\",{strong}, \"third\""),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let fields = [("if-none-match", known.as_str())];
            let answer = call(&app, method, &url, &fields).await;
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(answer.body, "");
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("content-type"), None);
            assert_eq!(answer.header("content-length"), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_entity_tag_in_a_second_line_counts_too() {
    let app = app();
    let url = accept(&app, "/reports").await.status_url;
    let tag = etag(&app, &url).await;
    let fields = [("if-none-match", "\"other\""), ("if-none-match", tag.as_str())];
    assert_eq!(call(&app, Method::GET, &url, &fields).await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_has_changed_is_told_in_full() {
    let app = app();
    let url = accept(&app, "/reports").await.status_url;
    let tag = etag(&app, &url).await;
    ended().await;
    let answer = call(&app, Method::GET, &url, &[("if-none-match", &tag)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.word(), "Succeeded");
    for stale in ["\"\"", "W/\"\"", "0", "\"*\"", "not an entity tag"] {
        let answer = call(&app, Method::GET, &url, &[("if-none-match", stale)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{stale}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_result_has_the_services_entity_tag_and_is_always_told_in_full() {
    let app = app();
    let accepted = accept(&app, "/reports").await;
    let url = &accepted.result_url;
    let pending = call(&app, Method::GET, url, &[("if-none-match", "*")]).await;
    assert_eq!(pending.status, StatusCode::ACCEPTED);
    assert_eq!(pending.header("etag"), None);
    ended().await;
    let stored = call(&app, Method::GET, url, &[("if-none-match", "\"v1\"")]).await;
    assert_eq!(stored.status, StatusCode::OK);
    assert_eq!(stored.header("etag"), Some("\"v1\""));
    assert_eq!(stored.body, "done");
}

/// Preconditions are ignored where the answer would not be a 2xx (RFC 9110, section 13.2.1).
#[tokio::test(start_paused = true)]
async fn a_redirect_to_the_result_is_not_replaced_by_a_304() {
    let dialect = StandardDialect::new().complete(Complete::SeeOther);
    let layer = RespondAsyncLayer::builder(DEADLINE).dialect(dialect).build().unwrap();
    let app = bare(&layer, late(Response::default));
    let url = accept(&app, "/reports").await.status_url;
    ended().await;
    let answer = call(&app, Method::GET, &url, &[("if-none-match", "*")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

#[tokio::test(start_paused = true)]
async fn head_is_get_without_its_body() {
    let app = app();
    let accepted = accept(&app, "/reports").await;
    let urls = [accepted.status_url.as_str(), accepted.result_url.as_str(), UNKNOWN];
    for _ in ["while it runs", "after its end"] {
        for url in urls {
            let told = get(&app, url).await;
            let head = call(&app, Method::HEAD, url, &[]).await;
            assert_eq!(head.status, told.status);
            assert_eq!(head.body, "");
            let length = told.body.len().to_string();
            assert_eq!(head.header("content-length"), Some(length.as_str()), "{url}");
            let mut headers = head.headers.clone();
            headers.remove("content-length");
            assert_eq!(headers, told.headers);
        }
        ended().await;
    }
}

/// RFC 9110, section 8.6: no `Content-Length` with a 204.
#[tokio::test(start_paused = true)]
async fn head_of_a_stored_204_has_no_length() {
    let answer = || Response::builder().status(204).body(Body::empty()).unwrap();
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
    let accepted = accept(&app, "/reports").await;
    ended().await;
    let head = call(&app, Method::HEAD, &accepted.result_url, &[]).await;
    assert_eq!(head.status, StatusCode::NO_CONTENT);
    assert_eq!(head.header("content-length"), None);
}

/// axum's router says so of every empty body, and hyper sends it with an answer to `HEAD`.
#[tokio::test(start_paused = true)]
async fn a_stored_204_has_no_length_even_if_the_service_gave_it_one() {
    let answer =
        || Response::builder().status(204).header("content-length", "0").body(Body::empty());
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(move || answer().unwrap()));
    let accepted = accept(&app, "/reports").await;
    ended().await;
    for method in [Method::GET, Method::HEAD] {
        let stored = call(&app, method, &accepted.result_url, &[]).await;
        assert_eq!(stored.status, StatusCode::NO_CONTENT);
        assert_eq!(stored.header("content-length"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_is_ignored() {
    let app = app();
    let accepted = accept(&app, "/reports").await;
    let fields = [("range", "bytes=0-1"), ("if-range", "\"v1\"")];
    let pending = call(&app, Method::GET, &accepted.status_url, &fields).await;
    assert_eq!((pending.status, pending.word()), (StatusCode::OK, "Running".to_owned()));
    ended().await;
    let stored = call(&app, Method::GET, &accepted.result_url, &fields).await;
    assert_eq!(stored.status, StatusCode::OK);
    assert_eq!(stored.body, "done");
    assert_eq!(stored.header("content-range"), None);
    assert_eq!(stored.header("accept-ranges"), None);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_asks_to_be_deferred_is_answered_at_once() {
    let app = app();
    let accepted = accept(&app, "/reports").await;
    for (url, status) in
        [(&accepted.status_url, StatusCode::OK), (&accepted.result_url, StatusCode::ACCEPTED)]
    {
        // Nobody has asked for it just now.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Instant::now();
        let fields = [("prefer", "respond-async")];
        let answer = call(&app, Method::GET, url, &fields).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.word(), "Running");
        assert_eq!(answer.header("preference-applied"), None);
        assert_eq!(Instant::now(), before, "nobody waited");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_is_never_deferred_itself() {
    let layer = RespondAsyncLayer::builder(Duration::ZERO)
        .methods([Method::GET, Method::POST])
        .build()
        .unwrap();
    let app = bare(&layer, late(|| Response::new(Body::from("done"))));
    let accepted = accept(&app, "/reports").await;
    assert_eq!(get(&app, &accepted.status_url).await.json()["id"], accepted.id.as_str());
    ended().await;
    assert_eq!(get(&app, &accepted.result_url).await.body, "done");
}
