//! What can be configured, and what cannot.

use std::time::Duration;

use axum::body::Body;
use http::{Response, StatusCode};
use tower_respond_async::{
    ConfigError, RespondAsyncLayer,
    dialect::{Complete, Pending, StandardDialect},
};

use crate::support::{Accepted, App, DEADLINE, accept, bare, ended, get, late};

fn base_path(path: &str) -> Result<(), ConfigError> {
    RespondAsyncLayer::builder(DEADLINE).base_path(path).build().map(drop)
}

fn public_base(base: &str) -> Result<(), ConfigError> {
    RespondAsyncLayer::builder(DEADLINE).public_base(base).build().map(drop)
}

async fn accepted(public_base: &str) -> Accepted {
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .base_path("/jobs")
        .public_base(public_base)
        .build()
        .expect("a valid layer");
    accept(&bare(&layer, late(Response::default)), "/reports").await
}

#[test]
fn a_base_path_that_is_none_is_refused() {
    for path in [
        "",
        "/",
        "//",
        "/a//",
        "operations",
        "operations/",
        "//operations",
        "https://host/operations",
        "/a b",
        "/a?b",
        "/a#b",
        "/a\nb",
        "/ä",
        "/a\\b",
        "/{id}",
        "/a\u{0}b",
    ] {
        assert_eq!(base_path(path), Err(ConfigError::BasePath(path.to_owned())));
    }
    for path in ["/operations", "/operations/", "/a/b/c", "/a%20b", "/~a-b_c.d", "/a:b@c"] {
        assert_eq!(base_path(path), Ok(()), "{path}");
    }
}

/// Clients resolve them before they send a request, which would never be found to be the layer's.
#[test]
fn a_base_path_with_dot_segments_is_refused() {
    for path in ["/.", "/..", "/a/../b", "/a/./b", "/a/.."] {
        assert_eq!(base_path(path), Err(ConfigError::BasePath(path.to_owned())));
    }
}

#[test]
fn a_public_base_that_is_none_is_refused() {
    for base in [
        "//",
        "/a//",
        "api.example.com",
        "//api.example.com",
        "ftp://api.example.com",
        "https://",
        "https:///x",
        "https://api.example.com?x=1",
        "https://api.example.com/#top",
        "https://api.example.com/a b",
        "https://api.exa mple.com",
        "/a?b",
        "/a b",
        "x/y",
        "https://api.example.com\r\nx: y",
    ] {
        assert_eq!(public_base(base), Err(ConfigError::PublicBase(base.to_owned())));
    }
    for base in [
        "",
        "/",
        "/v1",
        "/v1/",
        "http://localhost:8080",
        "https://api.example.com/",
        "https://api.example.com/v1/",
        "https://[::1]:8443/x",
    ] {
        assert_eq!(public_base(base), Ok(()), "{base}");
    }
}

#[test]
fn a_lease_that_cannot_be_renewed_in_time_is_refused() {
    let build = |lease, timeout| {
        let builder = RespondAsyncLayer::builder(DEADLINE).lease(lease).store_timeout(timeout);
        builder.build().map(drop)
    };
    let (three, one) = (Duration::from_secs(3), Duration::from_secs(1));
    assert_eq!(build(three, one), Ok(()));
    let short = three - Duration::from_nanos(1);
    assert_eq!(build(short, one), Err(ConfigError::Lease(short)));
}

#[test]
fn an_error_names_what_is_wrong() {
    let text = |result: Result<(), ConfigError>| result.unwrap_err().to_string();
    assert!(text(base_path("jobs")).contains("\"jobs\""));
    assert!(text(public_base("ftp://x")).contains("\"ftp://x\""));
}

#[tokio::test(start_paused = true)]
async fn the_public_base_stands_before_the_base_path() {
    for (base, seen) in [
        ("", ""),
        ("/", ""),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com:8443/v1/", "https://api.example.com:8443/v1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ] {
        let accepted = accepted(base).await;
        assert_eq!(accepted.status_url, format!("{seen}/jobs/{}", accepted.id));
        assert_eq!(accepted.result_url, format!("{seen}/jobs/{}/result", accepted.id));
        let location = accepted.answer.header("location");
        assert_eq!(location, Some(accepted.result_url.as_str()));
    }
}

/// Which URL stands in `Location`, and what is found at both.
struct Flow {
    pending: Pending,
    complete: Complete,
    location_is_result: bool,
    status_while_running: u16,
    result_while_running: u16,
    status_at_the_end: u16,
}

#[tokio::test(start_paused = true)]
async fn what_is_found_at_the_url_in_location_is_chosen() {
    #[rustfmt::skip]
    let flows = [
        Flow { pending: Pending::Accepted, complete: Complete::Replay, location_is_result: true,
               status_while_running: 200, result_while_running: 202, status_at_the_end: 200 },
        Flow { pending: Pending::Ok, complete: Complete::Replay, location_is_result: true,
               status_while_running: 200, result_while_running: 200, status_at_the_end: 200 },
        Flow { pending: Pending::Accepted, complete: Complete::SeeOther, location_is_result: false,
               status_while_running: 202, result_while_running: 202, status_at_the_end: 303 },
        Flow { pending: Pending::Ok, complete: Complete::SeeOther, location_is_result: false,
               status_while_running: 200, result_while_running: 202, status_at_the_end: 303 },
        Flow { pending: Pending::Accepted, complete: Complete::Document, location_is_result: false,
               status_while_running: 202, result_while_running: 202, status_at_the_end: 200 },
        Flow { pending: Pending::Ok, complete: Complete::Document, location_is_result: false,
               status_while_running: 200, result_while_running: 202, status_at_the_end: 200 },
    ];
    for flow in flows {
        let app = app(flow.pending, flow.complete);
        let accepted = accept(&app, "/reports").await;
        let (status_url, result_url) = (&accepted.status_url, &accepted.result_url);
        let location = if flow.location_is_result { result_url } else { status_url };
        assert_eq!(accepted.answer.header("location"), Some(location.as_str()));
        for (url, expected) in
            [(status_url, flow.status_while_running), (result_url, flow.result_while_running)]
        {
            let answer = get(&app, url).await;
            assert_eq!(answer.status, expected, "{:?} {:?} {url}", flow.pending, flow.complete);
            assert_eq!(answer.word(), "Running");
            assert_eq!(answer.header("retry-after"), Some("2"));
            assert_eq!(answer.header("location"), Some(location.as_str()));
        }
        ended().await;
        let status = get(&app, status_url).await;
        assert_eq!(status.status, flow.status_at_the_end, "{:?} {:?}", flow.pending, flow.complete);
        assert_eq!(status.word(), "Succeeded");
        assert_eq!(status.header("cache-control"), Some("no-store"));
        assert_eq!(status.header("retry-after"), None);
        let see_other = flow.status_at_the_end == 303;
        assert_eq!(status.header("location"), see_other.then_some(result_url.as_str()));
        let result = get(&app, result_url).await;
        assert_eq!((result.status, &*result.body), (StatusCode::CREATED, &b"done"[..]));
    }
}

fn app(pending: Pending, complete: Complete) -> App {
    let dialect = StandardDialect::new().pending(pending).complete(complete);
    let layer =
        RespondAsyncLayer::builder(DEADLINE).dialect(dialect).build().expect("a valid layer");
    let answer =
        || Response::builder().status(201).body(Body::from("done")).expect("a valid response");
    bare(&layer, late(answer))
}
