//! Many at once, and callers that leave.

use std::collections::HashSet;

use axum::{
    body::Bytes,
    http::{Method, StatusCode},
};
use tokio::task::JoinSet;

use crate::{
    application::bytes,
    support::{Accepted, Exchange, Release},
    wire::{Server, Wire},
};

over_every_wire! {
    fifty_late_calls_at_once_have_their_own_results,
    an_operation_outlives_the_connection_that_submitted_it,
}

async fn fifty_late_calls_at_once_have_their_own_results(wire: Wire) {
    let (server, all_accepted) = (Server::start(wire).await, Release::new());
    let mut calls = JoinSet::new();
    for number in 1..=50 {
        let (mut client, all_accepted) = (server.client().await, all_accepted.clone());
        calls.spawn(async move {
            let body = Bytes::from(format!("{number};").repeat(number));
            let accepted = Accepted::of(client.post("/held/201", body.clone()).await);
            all_accepted.wait().await;
            let answer = client.follow(wire.flow, &accepted).await;
            assert_eq!((answer.status, answer.body), (StatusCode::CREATED, body));
            accepted.id
        });
    }
    all_accepted.waiting(50).await;
    server.release.go();
    all_accepted.go();
    let ids: HashSet<_> = calls.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 50);
}

async fn an_operation_outlives_the_connection_that_submitted_it(wire: Wire) {
    let server = Server::start(wire).await;
    let mut submitter = server.client().await;
    let accepted = server.accept(&mut submitter, 200).await;
    drop(submitter);
    let mut other = server.client().await;
    let pending = other.call(Method::GET, &accepted.result_url, &[]).await;
    assert_eq!((pending.status, pending.word().as_str()), (StatusCode::ACCEPTED, "Running"));
    server.release.go();
    let answer = other.follow(wire.flow, &accepted).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, bytes(1_000)));
}
