//! `Idempotency-Key`: the same request, sent again.

use std::{collections::HashSet, time::Duration};

use axum::http::{Method, Request, StatusCode};
use tokio::task::JoinSet;
use tower_respond_async::{Builder, Duplicate, Idempotency};

use crate::{
    application::{NEVER, bytes},
    support::{Accepted, Answer, Exchange},
    wire::{Client, Server, Wire},
};

over_every_wire! {
    the_same_request_joins_the_operation_and_is_given_its_response_at_the_end,
    twenty_at_once_are_one_execution_with_one_location,
    a_fast_response_comes_again_and_nothing_runs_twice,
    another_request_with_the_key_is_a_422_problem,
    a_duplicate_of_what_runs_is_a_409_problem_where_that_is_wanted,
    a_key_that_is_none_is_a_400_problem,
    a_key_in_quotes_and_the_bare_one_are_the_same,
    a_response_that_turns_the_caller_away_gives_the_key_back,
    the_key_of_nobody_in_particular_is_ignored_by_default,
}

in_every_flow! { Http2: a_thousand_at_once_are_one_execution_with_one_location }

async fn keyed(wire: Wire, deadline: Duration) -> Server {
    with(wire, deadline, |builder| builder).await
}

async fn with(wire: Wire, deadline: Duration, set_up: impl FnOnce(Builder) -> Builder) -> Server {
    Server::with(wire, deadline, |builder| set_up(builder.idempotency(Idempotency::Anonymous)))
        .await
}

const SOON: Duration = Duration::from_millis(10);

async fn post(client: &mut Client, path: &str, key: &str, body: &'static str) -> Answer {
    let request = Request::post(path).header("idempotency-key", key);
    client.send(request.body(body.into()).expect("a valid request")).await
}

fn assert_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("date").is_some());
}

async fn the_same_request_joins_the_operation_and_is_given_its_response_at_the_end(wire: Wire) {
    let server = keyed(wire, SOON).await;
    let (mut client, mut other) = (server.client().await, server.client().await);
    let first = Accepted::of(post(&mut client, "/held/201", "\"k\"", "hello").await);
    drop(client);
    let again = Accepted::of(post(&mut other, "/held/201", "\"k\"", "hello").await);
    assert_eq!((&again.id, &again.result_url), (&first.id, &first.result_url));
    assert_eq!(again.answer.header("location"), first.answer.header("location"));
    assert_eq!(first.answer.header("idempotent-replayed"), None);
    server.release.go();
    let result = other.follow(wire.flow, &first).await;
    assert_eq!((result.status, &*result.body), (StatusCode::CREATED, &b"hello"[..]));
    for _ in 0..2 {
        let again = post(&mut other, "/held/201", "\"k\"", "hello").await;
        assert_eq!((again.status, &again.body), (result.status, &result.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.header("content-type"), result.header("content-type"));
        assert_eq!(again.header("retry-after"), None);
    }
    assert_eq!(server.ran.seen().len(), 1);
}

async fn twenty_at_once_are_one_execution_with_one_location(wire: Wire) {
    at_once(wire, 20, 1).await;
}

/// Over HTTP/2, where a thousand requests do not take a thousand connections.
async fn a_thousand_at_once_are_one_execution_with_one_location(wire: Wire) {
    at_once(wire, 10, 100).await;
}

/// So many connections, and so many requests on each.
async fn at_once(wire: Wire, connections: usize, requests: usize) {
    let server = keyed(wire, SOON).await;
    let mut calls = JoinSet::new();
    for _ in 0..connections {
        for mut client in server.client().await.streams(requests) {
            calls.spawn(async move {
                let answer = post(&mut client, "/held/200", "the-key", "hello").await;
                assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
                answer.header("location").expect("where to ask").to_owned()
            });
        }
    }
    let locations = calls.join_all().await;
    assert_eq!(locations.len(), connections * requests);
    let locations: HashSet<String> = locations.into_iter().collect();
    assert_eq!(locations.len(), 1, "{locations:?}");
    assert_eq!(server.ran.seen().len(), 1);
    assert_eq!(server.handle.parked(), 1);
    server.release.go();
    let mut client = server.client().await;
    let again = post(&mut client, "/held/200", "the-key", "hello").await;
    assert!([StatusCode::ACCEPTED, StatusCode::OK].contains(&again.status), "{again:?}");
    assert_eq!(server.ran.seen().len(), 1);
}

async fn a_fast_response_comes_again_and_nothing_runs_twice(wire: Wire) {
    let server = keyed(wire, NEVER).await;
    let mut client = server.client().await;
    let first = post(&mut client, "/fast/422", "k", "hello").await;
    assert_eq!((first.status, &first.body), (StatusCode::UNPROCESSABLE_ENTITY, &bytes(1_000)));
    for name in ["location", "preference-applied", "respond-async", "idempotent-replayed"] {
        assert_eq!(first.header(name), None);
    }
    assert_eq!(first.header("retry-after"), Some("17"), "the application's own");
    for _ in 0..2 {
        let again = post(&mut client, "/fast/422", "k", "hello").await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    assert_eq!(server.ran.seen().len(), 1);
}

async fn another_request_with_the_key_is_a_422_problem(wire: Wire) {
    let server = keyed(wire, SOON).await;
    let mut client = server.client().await;
    let accepted = Accepted::of(post(&mut client, "/held/200", "k", "hello").await);
    for ended in [false, true] {
        for (path, body) in [("/held/200", "hellO"), ("/held/200", ""), ("/held/200?x=1", "hello")]
        {
            let other = post(&mut client, path, "k", body).await;
            assert_problem(&other, StatusCode::UNPROCESSABLE_ENTITY, "idempotencyKeyReused");
            assert_eq!(other.header("retry-after"), None);
        }
        if !ended {
            server.release.go();
            client.follow(wire.flow, &accepted).await;
        }
    }
    assert_eq!(server.ran.seen().len(), 1);
    // Method and path belong to the key. Whether these are in time does not matter.
    let elsewhere = post(&mut client, "/fast/200", "k", "hello").await;
    let put = Request::put("/fast/200").header("idempotency-key", "k");
    let put = client.send(put.body("hello".into()).expect("a valid request")).await;
    for answer in [elsewhere, put] {
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
    assert_eq!(server.ran.seen().len(), 3);
}

async fn a_duplicate_of_what_runs_is_a_409_problem_where_that_is_wanted(wire: Wire) {
    let server = with(wire, SOON, |builder| builder.on_duplicate(Duplicate::Refuse)).await;
    let mut client = server.client().await;
    let accepted = Accepted::of(post(&mut client, "/held/201", "k", "hello").await);
    let again = post(&mut client, "/held/201", "k", "hello").await;
    assert_problem(&again, StatusCode::CONFLICT, "idempotencyKeyBusy");
    assert!(again.header("retry-after").is_some_and(|value| value.parse::<u64>().is_ok()));
    server.release.go();
    client.follow(wire.flow, &accepted).await;
    let again = post(&mut client, "/held/201", "k", "hello").await;
    assert_eq!((again.status, &*again.body), (StatusCode::CREATED, &b"hello"[..]));
}

async fn a_key_that_is_none_is_a_400_problem(wire: Wire) {
    let server = keyed(wire, SOON).await;
    let mut client = server.client().await;
    let long = "k".repeat(256);
    for key in ["", "\"\"", "\"k", "k\"", "a b", "a,b", "a;b", "\"k\";p=1", &long] {
        let answer = post(&mut client, "/fast/200", key, "").await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "invalidIdempotencyKey");
        assert_eq!(answer.header("retry-after"), None);
    }
    let two = [("idempotency-key", "k"), ("idempotency-key", "k")];
    let answer = client.call(Method::POST, "/fast/200", &two).await;
    assert_problem(&answer, StatusCode::BAD_REQUEST, "invalidIdempotencyKey");
    assert!(server.ran.seen().is_empty());
}

async fn a_key_in_quotes_and_the_bare_one_are_the_same(wire: Wire) {
    let server = keyed(wire, NEVER).await;
    let mut client = server.client().await;
    let longest = "k".repeat(255);
    for key in ["8e03978e-40d5-43e8-bc93-6894a57f9324", longest.as_str()] {
        let quoted = format!("\"{key}\"");
        let first = post(&mut client, "/fast/200", key, "").await;
        assert_eq!((first.status, first.header("idempotent-replayed")), (StatusCode::OK, None));
        let again = post(&mut client, "/fast/200", &quoted, "").await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
}

async fn a_response_that_turns_the_caller_away_gives_the_key_back(wire: Wire) {
    let server = keyed(wire, NEVER).await;
    let mut client = server.client().await;
    let mut ran = 0;
    for code in [401, 403, 429, 503] {
        for _ in 0..2 {
            let answer = post(&mut client, &format!("/fast/{code}"), "k", "").await;
            assert_eq!(answer.status, code);
            assert_eq!(answer.header("idempotent-replayed"), None, "{code}");
            ran += 1;
            assert_eq!(server.ran.seen().len(), ran, "{code}");
        }
    }
}

async fn the_key_of_nobody_in_particular_is_ignored_by_default(wire: Wire) {
    let server = Server::with(wire, NEVER, |builder| builder).await;
    let mut client = server.client().await;
    for body in ["one", "two"] {
        let answer = post(&mut client, "/fast/200", "k", body).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (StatusCode::OK, None));
    }
    assert_eq!(server.ran.seen().len(), 2);
}
