//! `idempotency-key` in the metadata of a call.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tonic::Code;
use tower_respond_async::Idempotency;

use super::scene::{Scene, request, with};

async fn scene() -> Scene {
    Scene::with(|builder| builder.idempotency(Idempotency::Anonymous)).await
}

/// Sends a call as bytes, and returns the answer as bytes.
async fn raw(scene: &Scene, key: &str) -> (HeaderMap, Bytes, HeaderMap) {
    let mut channel = scene.channel.clone();
    let body = Full::new(Bytes::from_static(b"\0\0\0\0\x05\x0a\x03you"));
    let call = Request::post("/test.Greeter/Greet")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("idempotency-key", key)
        .body(tonic::body::Body::new(body))
        .expect("a valid request");
    std::future::poll_fn(|cx| tower::Service::poll_ready(&mut channel, cx)).await.expect("open");
    let (parts, body) = tower::Service::call(&mut channel, call).await.expect("sent").into_parts();
    assert_eq!(parts.status, StatusCode::OK);
    let body = body.collect().await.expect("received");
    let trailers = body.trailers().cloned().expect("trailers");
    (parts.headers, body.to_bytes(), trailers)
}

#[tokio::test]
async fn the_same_frames_and_trailers_come_again() {
    let scene = scene().await;
    scene.release.go();
    let (headers, body, trailers) = raw(&scene, "k").await;
    let (again, same, ended) = raw(&scene, "k").await;
    assert_eq!(same, body);
    assert_eq!(ended, trailers);
    assert_eq!(again["idempotent-replayed"], "true");
    for name in ["content-type", "x-served-by"] {
        assert_eq!(again[name], headers[name], "{name}");
    }
    assert_eq!(scene.seen.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn a_late_call_is_joined_and_named_by_each() {
    let scene = scene().await;
    let keyed = || with(request("you"), "idempotency-key", "\"k\"");
    let operation = scene.late(keyed()).await;
    assert_eq!(scene.late(keyed()).await, operation);
    scene.release.go();
    assert_eq!(scene.ended(&operation.name).await.text(), "hello you");
    let reply = scene.greet(keyed()).await.expect("a reply");
    assert_eq!(reply.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(reply.metadata().get("x-served-by").unwrap(), "greeter");
    assert_eq!(reply.into_inner().text, "hello you");
    assert_eq!(scene.seen.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn an_error_comes_again_with_its_details() {
    let scene = scene().await;
    scene.release.go();
    let keyed = || with(request(""), "idempotency-key", "\"k\"");
    let first = scene.greet(keyed()).await.expect_err("an error");
    let again = scene.greet(keyed()).await.expect_err("an error");
    for status in [first, again] {
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "n\u{f6}body"));
        assert!(!status.details().is_empty());
        assert_eq!(status.metadata().get("x-hint").unwrap(), "say who you are");
    }
    assert_eq!(scene.seen.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn a_call_that_was_turned_away_is_run_again_and_no_other() {
    let scene = scene().await;
    scene.release.go();
    let turned_away = ["7", "8", "14", "16"].map(|code| (code, 2));
    let answered = ["2", "4", "5", "13"].map(|code| (code, 1));
    for (code, runs) in turned_away.into_iter().chain(answered) {
        scene.seen.lock().expect("no panic").clear();
        for _ in 0..2 {
            // A key of its own for each: the code is what the handler answers.
            let keyed = with(request(&format!("code {code}")), "idempotency-key", code);
            let status = scene.greet(keyed).await.expect_err("an error");
            assert_eq!((status.code() as i32).to_string(), code);
        }
        assert_eq!(scene.seen.lock().expect("no panic").len(), runs, "{code}");
    }
}

#[tokio::test]
async fn another_request_with_the_key_and_a_key_that_is_none_are_refused() {
    let scene = scene().await;
    scene.release.go();
    let keyed = |text, key| with(request(text), "idempotency-key", key);
    scene.greet(keyed("you", "\"k\"")).await.expect("a reply");
    for refused in [keyed("me", "\"k\""), keyed("you", "\"")] {
        let status = scene.greet(refused).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    assert_eq!(scene.seen.lock().expect("no panic").len(), 1);
}
