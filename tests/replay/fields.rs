//! Which header fields are not kept, and which are changed.

use axum::body::Body;
use http::Response;
use tower_respond_async::{Cookies, RespondAsyncLayer};

use super::{fetch, replay};
use crate::support::{DEADLINE, bare, late, post};

/// What a response has that speaks of one connection, one moment or one exchange.
const DROPPED: [(&str, &str); 38] = [
    // The connection, and the fields that it names (RFC 9110, section 7.6.1).
    ("connection", "keep-alive, X-Hop"),
    ("x-hop", "1"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"),
    ("te", "trailers"),
    ("transfer-encoding", "gzip"),
    ("upgrade", "h2c"),
    ("proxy-authenticate", "Basic"),
    ("proxy-authorization", "Basic eDp5"),
    ("proxy-authentication-info", "x"),
    // The moment.
    ("date", "Sun, 22 Nov 2026 12:00:00 GMT"),
    ("retry-after", "3"),
    // What the result URL cannot do.
    ("accept-ranges", "bytes"),
    ("alt-svc", "h3=\":443\""),
    // The exchange.
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("access-control-allow-headers", "x"),
    ("access-control-allow-methods", "GET"),
    ("access-control-expose-headers", "x"),
    ("access-control-max-age", "600"),
    ("access-control-something-new", "1"),
    ("request-id", "r"),
    ("x-request-id", "r"),
    ("x-correlation-id", "r"),
    ("x-amzn-requestid", "r"),
    ("x-ms-request-id", "r"),
    ("x-trace-id", "r"),
    ("x-b3-traceid", "r"),
    ("ratelimit", "limit=10"),
    ("ratelimit-limit", "10"),
    ("ratelimit-remaining", "9"),
    ("ratelimit-reset", "60"),
    ("ratelimit-policy", "10;w=60"),
    ("x-ratelimit-limit", "10"),
    ("x-ratelimit-remaining", "9"),
    ("x-ratelimit-reset", "60"),
    ("x-rate-limit-remaining", "9"),
    ("set-cookie", "session=secret"),
];

/// Their neighbours, and fields that a careless list would drop.
const KEPT: [(&str, &str); 22] = [
    ("age", "7"),
    ("allow", "GET"),
    ("content-disposition", "attachment"),
    ("content-encoding", "identity"),
    ("content-language", "en"),
    ("content-range", "bytes 0-1/2"),
    ("content-security-policy", "default-src 'none'"),
    ("content-type", "text/plain"),
    ("digest", "x"),
    ("etag", "\"v1\""),
    ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ("last-modified", "Sun, 22 Nov 2026 12:00:00 GMT"),
    ("link", "</1>; rel=next"),
    ("server", "mine"),
    ("strict-transport-security", "max-age=1"),
    ("trailer", "x-sum"),
    ("vary", "accept"),
    ("via", "1.1 mine"),
    ("warning", "199 - x"),
    ("www-authenticate", "Bearer realm=\"x\""),
    ("x-mine", "1"),
    ("x-request-identity", "not a request id"),
];

fn with(fields: &'static [(&str, &str)]) -> Response<Body> {
    let mut response = Response::builder();
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(Body::from("body")).expect("a valid response")
}

#[tokio::test(start_paused = true)]
async fn fields_of_the_connection_the_moment_and_the_exchange_are_not_kept() {
    let answer = replay(|| with(&DROPPED)).await;
    assert_eq!(answer.body, "body");
    for (name, value) in DROPPED {
        assert_eq!(answer.header(name), None, "{name}: {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_other_fields_are_kept() {
    let answer = replay(|| with(&KEPT)).await;
    for (name, value) in KEPT {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_time_every_field_passes_through() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async { with(&DROPPED) });
    let answer = post(&app, "/reports").await;
    assert_eq!(answer.headers, *with(&DROPPED).headers());
}

#[tokio::test(start_paused = true)]
async fn every_field_that_a_connection_line_names_is_dropped() {
    let answer = replay(|| {
        Response::builder()
            .header("connection", "X-One ,x-two")
            .header("connection", ",, x-THREE, not a token, close")
            .header("x-one", "1")
            .header("x-two", "2")
            .header("x-three", "3")
            .header("x-four", "4")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    for name in ["connection", "x-one", "x-two", "x-three"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("x-four"), Some("4"));
}

#[tokio::test(start_paused = true)]
async fn cookies_are_kept_if_the_owner_says_so_and_only_then() {
    let response = || {
        Response::builder()
            .header("set-cookie", "a=1; Path=/")
            .header("set-cookie", "b=2, c")
            .body(Body::empty())
            .unwrap()
    };
    let cookies = async |layer| {
        let answer = fetch(&bare(&layer, late(response))).await;
        let values = answer.headers.get_all("set-cookie").iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(cookies(RespondAsyncLayer::after(DEADLINE)).await, none);
    let drop = RespondAsyncLayer::builder(DEADLINE).cookies(Cookies::Drop).build().unwrap();
    assert_eq!(cookies(drop).await, none);
    let keep = RespondAsyncLayer::builder(DEADLINE).cookies(Cookies::Keep).build().unwrap();
    assert_eq!(cookies(keep).await, ["a=1; Path=/", "b=2, c"]);
}

/// The call was `POST /reports/build?year=2026`.
#[tokio::test(start_paused = true)]
async fn a_relative_reference_is_resolved_against_the_call() {
    for (reference, expected) in [
        ("42", "/reports/42"),
        ("./42?x=1#top", "/reports/42?x=1#top"),
        ("../users/7", "/users/7"),
        ("../../../../up", "/up"),
        ("?page=2", "/reports/build?page=2"),
        ("#top", "/reports/build?year=2026#top"),
        ("/absolute/./42", "/absolute/./42"),
        ("//other.example/42", "//other.example/42"),
        ("https://other.example/42", "https://other.example/42"),
    ] {
        for name in ["location", "content-location"] {
            let response = move || {
                Response::builder().status(201).header(name, reference).body(Body::empty()).unwrap()
            };
            let answer = replay(response).await;
            assert_eq!(answer.header(name), Some(expected), "{name}: {reference}");
        }
    }
}

/// One `//` too many, and the reference would name a host.
#[tokio::test(start_paused = true)]
async fn a_relative_reference_never_becomes_one_to_another_host() {
    for reference in ["..//evil.example/x", ".//evil.example", "../../..//evil.example"] {
        let response =
            move || Response::builder().header("location", reference).body(Body::empty()).unwrap();
        let app = bare(&RespondAsyncLayer::after(DEADLINE), late(response));
        let accepted = crate::support::accept(&app, "/reports").await;
        crate::support::ended().await;
        let answer = crate::support::get(&app, &accepted.result_url).await;
        let location = answer.header("location").unwrap();
        assert!(!location.starts_with("//"), "{reference} became {location}");
    }
}
