//! What is found at the result URL, and what is not kept: the table of replays, row by row.

#[path = "../support/mod.rs"]
mod support;

mod failures;
mod fields;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use tower_respond_async::RespondAsyncLayer;

use self::support::{Answer, App, DEADLINE, accept, bare, call, ended, get, late};

/// Defers a call that is answered by `response`, and fetches its result.
async fn replay(response: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Answer {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(response));
    fetch(&app).await
}

async fn fetch(app: &App) -> Answer {
    let url = accept(app, "/reports/build?year=2026").await.result_url;
    ended().await;
    get(app, &url).await
}

/// Every byte there is, more than once, in an order that is not the natural one.
fn binary(length: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(167) ^ (at >> 8)) as u8).collect()
}

#[tokio::test(start_paused = true)]
async fn a_response_of_any_status_is_replayed_byte_for_byte_and_twice() {
    for code in [200, 201, 203, 204, 301, 400, 404, 409, 422, 500, 501, 503, 599] {
        let body = if code == 204 { Bytes::new() } else { binary(1_000 + usize::from(code)) };
        let sent = body.clone();
        let response = move || {
            Response::builder()
                .status(code)
                .header("content-type", "application/x-mine")
                .body(Body::from(sent.clone()))
                .unwrap()
        };
        let app = bare(&RespondAsyncLayer::after(DEADLINE), late(response));
        let url = accept(&app, "/reports").await.result_url;
        ended().await;
        for _ in 0..2 {
            let answer = get(&app, &url).await;
            assert_eq!(answer.status, code);
            assert_eq!(answer.body, body, "{code}");
            assert_eq!(answer.announced, Some(body.len() as u64));
            assert_eq!(answer.header("content-type"), Some("application/x-mine"));
            assert_eq!(answer.trailers, None);
            // Only these three are the layer's.
            assert_eq!(answer.header("respond-async"), Some("stored"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
            assert_eq!(answer.headers.len(), 4, "{:?}", answer.headers);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_binary_body_of_a_megabyte_comes_back_whole() {
    let body = binary(1 << 20);
    let sent = body.clone();
    let answer = replay(move || Response::new(Body::from(sent.clone()))).await;
    assert_eq!(answer.body.len(), 1 << 20);
    assert!(answer.body == body);
}

#[tokio::test(start_paused = true)]
async fn a_body_in_many_frames_comes_back_whole() {
    let frames = || {
        let frames = (0..1_000).map(|n| Ok::<_, std::io::Error>(Bytes::from(format!("{n},"))));
        Response::new(Body::from_stream(futures_util::stream::iter(frames)))
    };
    let expected: String = (0..1_000).map(|n| format!("{n},")).collect();
    assert_eq!(replay(frames).await.body, expected);
}

#[tokio::test(start_paused = true)]
async fn trailers_come_back_after_the_body() {
    let mut trailers = HeaderMap::new();
    trailers.append("x-checksum", HeaderValue::from_static("1"));
    trailers.append("x-checksum", HeaderValue::from_static("2"));
    trailers.append("grpc-status", HeaderValue::from_static("0"));
    trailers.append("x-bin", HeaderValue::from_bytes(b"\xff").unwrap());
    let sent = trailers.clone();
    let response = move || {
        let sent = sent.clone();
        let body = Body::from("counted").with_trailers(async move { Some(Ok(sent)) });
        Response::builder().header("trailer", "x-checksum").body(Body::new(body)).unwrap()
    };
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(response));
    let url = accept(&app, "/reports").await.result_url;
    ended().await;
    for _ in 0..2 {
        let answer = get(&app, &url).await;
        assert_eq!(answer.body, "counted");
        assert_eq!(answer.trailers.as_ref(), Some(&trailers));
        assert_eq!(answer.header("trailer"), Some("x-checksum"));
        assert_eq!(answer.announced, None, "a body of known length has no room for trailers");
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_come_back_without_a_body_too() {
    let mut trailers = HeaderMap::new();
    trailers.append("grpc-status", HeaderValue::from_static("5"));
    let sent = trailers.clone();
    let answer = replay(move || {
        let frame = http_body::Frame::trailers(sent.clone());
        let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(frame)]);
        Response::new(Body::new(StreamBody::new(frames)))
    });
    let answer = answer.await;
    assert_eq!(answer.body, "");
    assert_eq!(answer.trailers, Some(trailers));
}

#[tokio::test(start_paused = true)]
async fn repeated_fields_are_kept_apart_in_their_order() {
    let answer = replay(|| {
        Response::builder()
            .header("x-many", "a, b")
            .header("link", "</1>; rel=next")
            .header("x-many", "c")
            .header("vary", "accept")
            .header("x-many", "")
            .header("vary", "origin")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let values = |name| answer.headers.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(values("x-many"), ["a, b", "c", ""]);
    assert_eq!(values("vary"), ["accept", "origin"]);
    assert_eq!(values("link"), ["</1>; rel=next"]);
}

#[tokio::test(start_paused = true)]
async fn values_that_are_not_utf_8_are_kept_as_bytes() {
    let bytes: Vec<u8> = (0x80..=0xff).chain(0x20..0x7f).collect();
    let sent = HeaderValue::from_bytes(&bytes).unwrap();
    let response =
        move || Response::builder().header("x-raw", sent.clone()).body(Body::empty()).unwrap();
    assert_eq!(replay(response).await.headers["x-raw"].as_bytes(), bytes);
}

#[tokio::test(start_paused = true)]
async fn a_cache_control_of_the_services_gives_way_to_no_store() {
    let response = || {
        Response::builder()
            .header("cache-control", "public, max-age=600")
            .header("cache-control", "immutable")
            .header("expires", "Thu, 01 Jan 2099 00:00:00 GMT")
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(replay(response).await.header("cache-control"), Some("no-store"));
}

#[tokio::test(start_paused = true)]
async fn a_right_content_length_is_kept() {
    let response = || Response::builder().header("content-length", "4").body("four".into());
    let answer = replay(move || response().unwrap()).await;
    assert_eq!(answer.header("content-length"), Some("4"));
    assert_eq!((answer.announced, &*answer.body), (Some(4), &b"four"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_content_length_is_not_kept() {
    for length in ["3", "5", "four", "-4", "18446744073709551616"] {
        let response = move || {
            Response::builder().header("content-length", length).body("four".into()).unwrap()
        };
        let answer = replay(response).await;
        assert_eq!(answer.header("content-length"), None, "{length}");
        assert_eq!((answer.announced, &*answer.body), (Some(4), &b"four"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_202_that_points_elsewhere_is_replayed_as_it_is_with_when_to_ask() {
    let answer = replay(|| {
        Response::builder()
            .status(202)
            .header("location", "https://other.example/jobs/7")
            .header("retry-after", "17")
            .body(Body::from("mine"))
            .unwrap()
    })
    .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("location"), Some("https://other.example/jobs/7"));
    assert_eq!(answer.header("retry-after"), Some("17"));
    assert_eq!(answer.header("respond-async"), Some("stored"));
    assert_eq!(answer.body, "mine");
}

#[tokio::test(start_paused = true)]
async fn a_202_that_points_nowhere_is_replayed_as_200() {
    let answer = replay(|| {
        Response::builder()
            .status(202)
            .header("retry-after", "17")
            .header("x-mine", "1")
            .body(Body::from("queued"))
            .unwrap()
    })
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(answer.header("x-mine"), Some("1"));
    assert_eq!(answer.header("respond-async"), Some("stored"));
    assert_eq!(answer.body, "queued");
}

#[tokio::test(start_paused = true)]
async fn the_result_of_any_method_is_found_by_get() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let app = bare(&RespondAsyncLayer::after(DEADLINE), |request| async move {
            tokio::time::sleep(support::LATE).await;
            Response::new(Body::from(request.method().to_string()))
        });
        let answer = call(&app, method.clone(), "/things/1", &[]).await;
        let url = support::Accepted::of(answer).result_url;
        ended().await;
        assert_eq!(get(&app, &url).await.body, method.as_str());
    }
}
