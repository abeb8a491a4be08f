//! Who may ask over which connection: any.

use std::collections::HashSet;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Method, Request, StatusCode},
    routing::post,
};

use super::deferring;
use crate::support::{Accepted, Answer, Exchange, Raw, Release, http1, http2};

/// Gives back what it was sent, as soon as the test says so.
fn echo(release: &Release) -> Router {
    let handler = async |State(release): State<Release>, body: Bytes| {
        release.wait().await;
        (StatusCode::CREATED, body)
    };
    Router::new().route("/echo", post(handler)).with_state(release.clone())
}

fn request(body: impl Into<Body>) -> Request<Body> {
    Request::post("/echo").body(body.into()).expect("a valid request")
}

/// Every kind of answer after the other: none leaves anything behind on the connection.
async fn assert_whole_exchange(client: &mut impl Exchange, release: &Release) {
    let accepted = Accepted::of(client.send(request("hello")).await);
    let (status, result) = (accepted.status_url.as_str(), accepted.result_url.as_str());
    let running = client.call(Method::GET, status, &[]).await;
    assert_eq!((running.status, running.word().as_str()), (StatusCode::OK, "Running"));
    let length = running.body.len().to_string();
    assert_eq!(running.header("content-length"), Some(length.as_str()));
    let head = client.call(Method::HEAD, status, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    let tag = running.header("etag").expect("the field is there");
    for method in [Method::GET, Method::HEAD] {
        let same = client.call(method, status, &[("if-none-match", tag)]).await;
        assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
    }
    let put = client.call(Method::PUT, result, &[]).await;
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED);
    let pending = client.call(Method::GET, result, &[]).await;
    assert_eq!(pending.status, StatusCode::ACCEPTED);
    release.go();
    for _ in 0..2 {
        let answer = client.result(&accepted).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::CREATED, &b"hello"[..]));
        assert_eq!(answer.header("content-length"), Some("5"));
        assert_eq!(answer.header("respond-async"), Some("stored"));
    }
    let head = client.call(Method::HEAD, result, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::CREATED, 0));
    assert_eq!(head.header("content-length"), Some("5"));
    let gone = client.call(Method::DELETE, status, &[]).await;
    assert_eq!((gone.status, gone.word().as_str()), (StatusCode::OK, "Succeeded"));
    for answer in [&running, &head, &put, &pending, &gone, &accepted.answer] {
        assert!(answer.header("date").is_some(), "the server's date, once");
    }
}

#[tokio::test]
async fn one_http_1_connection_serves_a_whole_exchange() {
    let release = Release::new();
    let mut client = http1(deferring(echo(&release)).await).await;
    assert_whole_exchange(&mut client, &release).await;
}

#[tokio::test]
async fn one_http_2_connection_serves_a_whole_exchange() {
    let release = Release::new();
    let mut client = http2(deferring(echo(&release)).await).await;
    assert_whole_exchange(&mut client, &release).await;
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_closed_after_each_answer() {
    let release = Release::new();
    let address = deferring(echo(&release)).await;
    let exchange = async |request: String| {
        let mut connection = Raw::connect(address).await;
        connection.write(request).await;
        let answer = connection.read_until("no end but the connection's").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.to_lowercase().contains("connection: close"), "{head}");
        (head.to_owned(), body.to_owned())
    };
    let (head, body) = exchange(
        "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
            .to_owned(),
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    let url = document["resultUrl"].as_str().unwrap();
    let get = format!("GET {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let (head, pending) = exchange(get.clone()).await;
    assert!(head.starts_with("HTTP/1.1 202 "), "{head}");
    assert_eq!(pending, body);
    release.go();
    let (head, body) = loop {
        let answer = exchange(get.clone()).await;
        if !answer.0.starts_with("HTTP/1.1 202 ") {
            break answer;
        }
    };
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    assert_eq!(body, "hello");
}

#[tokio::test]
async fn an_http_1_0_client_is_served() {
    let release = Release::new();
    let address = deferring(echo(&release)).await;
    let mut connection = Raw::connect(address).await;
    connection.write("POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello").await;
    let answer = connection.read_until("no end but the connection's").await;
    assert!(answer.starts_with("HTTP/1.0 202 "), "{answer}");
    assert!(answer.ends_with('}'), "{answer}");
}

#[tokio::test]
async fn an_operation_outlives_the_connection_that_submitted_it() {
    let release = Release::new();
    let address = deferring(echo(&release)).await;
    let mut submitter = http1(address).await;
    let accepted = Accepted::of(submitter.send(request("hello")).await);
    drop(submitter);
    let mut others = (http1(address).await, http2(address).await);
    let pending = others.0.call(Method::GET, &accepted.result_url, &[]).await;
    assert_eq!(pending.status, StatusCode::ACCEPTED);
    release.go();
    for answer in [others.0.result(&accepted).await, others.1.result(&accepted).await] {
        assert_eq!((answer.status, &*answer.body), (StatusCode::CREATED, &b"hello"[..]));
    }
}

/// Submits, and checks that the result is that of this call.
async fn assert_own_result(mut client: impl Exchange, number: usize, release: Release) -> String {
    let body = format!("{number};").repeat(number + 1);
    let accepted = Accepted::of(client.send(request(body.clone())).await);
    release.wait().await;
    let Answer { status, body: received, .. } = client.result(&accepted).await;
    assert_eq!((status, received), (StatusCode::CREATED, Bytes::from(body)));
    accepted.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_late_calls_at_once_have_their_own_results() {
    let (release, accepted) = (Release::new(), Release::new());
    let address = deferring(echo(&release)).await;
    let shared = http2(address).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..50 {
        let accepted = accepted.clone();
        if number % 2 == 0 {
            let client = http1(address).await;
            calls.spawn(async move { assert_own_result(client, number, accepted).await });
        } else {
            let client = shared.clone();
            calls.spawn(async move { assert_own_result(client, number, accepted).await });
        }
    }
    accepted.waiting(50).await;
    release.go();
    accepted.go();
    let ids: HashSet<_> = calls.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 50);
}
