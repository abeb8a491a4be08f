//! Polls that wait (`Prefer: wait=N`).

use axum::http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::{
    application::{NEVER, bytes},
    support::Exchange,
    wire::{Server, Wire},
};

over_every_wire! {
    a_poll_that_waits_is_answered_at_the_end,
    a_poll_that_waits_is_answered_after_the_time_that_it_said,
    forty_polls_wait_at_once,
}

/// More than the test would wait.
const LONG: [(&str, &str); 1] = [("prefer", "wait=3000")];

/// As [`Server::start`], and polls may wait for as long as they like.
async fn patient(wire: Wire) -> Server {
    let soon = std::time::Duration::from_millis(10);
    Server::with(wire, soon, |builder| {
        builder.max_wait(NEVER).read_interval(std::time::Duration::ZERO)
    })
    .await
}

async fn a_poll_that_waits_is_answered_at_the_end(wire: Wire) {
    let server = patient(wire).await;
    let (mut status, mut result) = (server.client().await, server.client().await);
    let accepted = server.accept(&mut status, 201).await;
    server.held(1).await;
    let release = async {
        // The call itself was the first that was not answered at once.
        server.held(3).await;
        server.release.go();
    };
    let (status, result, ()) = tokio::join!(
        status.call(Method::GET, &accepted.status_url, &LONG),
        result.call(Method::GET, &accepted.result_url, &LONG),
        release,
    );
    assert_eq!((status.status, status.word().as_str()), (wire.flow.at_the_end(), "Succeeded"));
    assert_eq!((result.status, result.body), (StatusCode::CREATED, bytes(1_000)));
}

async fn a_poll_that_waits_is_answered_after_the_time_that_it_said(wire: Wire) {
    let server = patient(wire).await;
    let (mut status, mut result) = (server.client().await, server.client().await);
    let accepted = server.accept(&mut status, 201).await;
    for wait in ["wait=0", "wait=1"] {
        let fields = [("prefer", wait)];
        let (status, result) = tokio::join!(
            status.call(Method::GET, &accepted.status_url, &fields),
            result.call(Method::GET, &accepted.result_url, &fields),
        );
        assert_eq!((status.status, result.status), wire.flow.while_running());
        assert_eq!((status.word().as_str(), result.word().as_str()), ("Running", "Running"));
    }
    let held = server.watched.seen().into_iter().filter(|seen| seen.held).count();
    assert_eq!(held, 3, "the call and the polls with `wait=1`, which it never ended for");
}

async fn forty_polls_wait_at_once(wire: Wire) {
    let server = patient(wire).await;
    let mut client = server.client().await;
    let accepted = server.accept(&mut client, 422).await;
    let mut polls = JoinSet::new();
    for number in 0..40 {
        let mut client = server.client().await;
        let url = match number % 2 {
            0 => accepted.status_url.clone(),
            _ => accepted.result_url.clone(),
        };
        polls.spawn(async move {
            let answer = client.call(Method::GET, &url, &LONG).await;
            (url, answer)
        });
    }
    server.held(41).await;
    assert!(polls.try_join_next().is_none(), "all of them wait");
    server.release.go();
    for (url, answer) in polls.join_all().await {
        if url == accepted.result_url {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(answer.body, bytes(1_000));
        } else {
            assert_eq!(answer.status, wire.flow.at_the_end());
            assert_eq!(answer.word(), "Failed", "422 is a failure");
        }
    }
}
