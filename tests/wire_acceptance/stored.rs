//! The response comes back as the application made it.

use axum::http::{HeaderMap, Method, Request, StatusCode};

use crate::{
    application::{NEVER, bytes},
    support::{Accepted, Exchange},
    wire::{Server, Wire},
};

over_every_wire! {
    a_response_of_any_status_comes_back_byte_for_byte_and_twice,
    a_megabyte_goes_both_ways,
    when_to_ask_again_is_not_replayed,
    a_deferral_of_the_applications_own_keeps_its_retry_after_and_its_location,
}

/// What belongs to the moment of an answer, or is said by the layer.
fn kept(mut headers: HeaderMap) -> HeaderMap {
    for name in ["date", "retry-after", "respond-async", "cache-control", "referrer-policy"] {
        headers.remove(name);
    }
    headers
}

async fn a_response_of_any_status_comes_back_byte_for_byte_and_twice(wire: Wire) {
    let server = Server::start(wire).await;
    let direct = Server::with(wire, NEVER, |builder| builder).await;
    direct.release.go();
    let (mut client, mut directly) = (server.client().await, direct.client().await);
    let codes = [200, 201, 204, 404, 422, 500];
    let mut accepted = Vec::new();
    for code in codes {
        accepted.push(server.accept(&mut client, code).await);
    }
    server.release.go();
    for (code, accepted) in codes.into_iter().zip(accepted) {
        let mut expected = directly.call(Method::POST, &format!("/held/{code}"), &[]).await;
        assert_eq!(expected.status, code);
        if code == 204 {
            // axum's router gives it a length, which it must not have (RFC 9110, section 8.6).
            expected.headers.remove("content-length");
        }
        let first = client.follow(wire.flow, &accepted).await;
        let again = client.get(&accepted.result_url).await;
        let mut elsewhere = server.client().await;
        let third = elsewhere.get(&accepted.result_url).await;
        for answer in [first, again, third] {
            assert_eq!(answer.status, code);
            assert_eq!(answer.body, expected.body, "{code}");
            assert_eq!(kept(answer.headers.clone()), kept(expected.headers.clone()), "{code}");
            assert_eq!(answer.header("respond-async"), Some("stored"));
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        }
    }
}

async fn a_megabyte_goes_both_ways(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let body = bytes(1 << 20);
    let accepted = Accepted::of(client.post("/held/200", body.clone()).await);
    server.release.go();
    let first = client.follow(wire.flow, &accepted).await;
    let again = client.get(&accepted.result_url).await;
    for answer in [first, again] {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-length"), Some("1048576"));
        // Not `assert_eq!`, which would print them.
        assert!(answer.body == body);
    }
}

/// Clients try again wherever they see the field: a stored 429 or 503 would never be taken for the
/// result.
async fn when_to_ask_again_is_not_replayed(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let codes = [200, 408, 429, 500, 503];
    let mut accepted = Vec::new();
    for code in codes {
        accepted.push(server.accept(&mut client, code).await);
    }
    server.release.go();
    for (code, accepted) in codes.into_iter().zip(accepted) {
        let result = client.follow(wire.flow, &accepted).await;
        assert_eq!((result.status.as_u16(), result.header("retry-after")), (code, None));
        let status = client.get(&accepted.status_url).await;
        assert_eq!(status.header("retry-after"), None);
    }
    let unknown = client.get("/operations/0123456789ab4def8123456789abcdef/result").await;
    assert_eq!((unknown.status, unknown.header("retry-after")), (StatusCode::NOT_FOUND, None));
}

async fn a_deferral_of_the_applications_own_keeps_its_retry_after_and_its_location(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let request = |path: &str| {
        let request = Request::post(path).header("x-location", "https://other.example/jobs/7");
        request.body(axum::body::Body::empty()).expect("a valid request")
    };
    let [elsewhere, nowhere] = [
        Accepted::of(client.send(request("/held/202")).await),
        server.accept(&mut client, 202).await,
    ];
    server.release.go();
    server.handle.drain(NEVER).await;
    let answer = client.get(&elsewhere.result_url).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::ACCEPTED, Some("17")));
    assert_eq!(answer.header("location"), Some("https://other.example/jobs/7"));
    // One that points nowhere would keep pollers asking at this URL.
    let answer = client.get(&nowhere.result_url).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::OK, None));
}
