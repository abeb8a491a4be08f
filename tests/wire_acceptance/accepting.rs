//! The 202 itself: when it comes, and what it names.

use std::{collections::HashSet, time::Duration};

use axum::http::{Method, StatusCode};
use tokio::time::Instant;

use crate::{
    support::{Accepted, Exchange},
    wire::{Server, Wire},
};

over_every_wire! {
    the_202_comes_after_the_deadline_while_the_handler_is_held,
    the_202_says_where_and_when_to_ask,
    ids_are_long_and_have_no_common_beginning,
}

/// A checker would have the 202 between 50 and 600 milliseconds after the call began, the deadline
/// being 100. How late it may be is not asserted, for that depends on the machine: the handler is
/// held until the 202 is there, so that the layer waited for nothing but the deadline.
async fn the_202_comes_after_the_deadline_while_the_handler_is_held(wire: Wire) {
    let deadline = Duration::from_millis(100);
    let server = Server::with(wire, deadline, |builder| builder).await;
    let mut client = server.client().await;
    let began = Instant::now();
    let accepted = server.accept(&mut client, 201).await;
    assert!(Instant::now() - began >= deadline);
    let pending = client.get(&accepted.result_url).await;
    assert_eq!((pending.status, pending.word().as_str()), (StatusCode::ACCEPTED, "Running"));
    server.release.go();
    assert_eq!(client.follow(wire.flow, &accepted).await.status, StatusCode::CREATED);
}

async fn the_202_says_where_and_when_to_ask(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let Accepted { answer, id, .. } = server.accept(&mut client, 200).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("respond-async"), Some("pending"));
    let location = answer.header("location").expect("where to ask");
    assert!(location.starts_with(&format!("/operations/{id}")), "{location}");
    let monitor = format!("</operations/{id}>; rel=\"monitor\"");
    assert_eq!(answer.header("link"), Some(monitor.as_str()));
    assert_eq!(answer.header("preference-applied"), None, "nothing was preferred");
    assert_eq!(answer.header("x-application"), None, "the application has not answered");
    let found = client.call(Method::GET, location, &[]).await;
    assert_eq!(found.json()["id"], id.as_str());
}

async fn ids_are_long_and_have_no_common_beginning(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(server.accept(&mut client, 200).await.id);
    }
    assert!(ids.iter().all(|id| id.len() >= 20), "{ids:?}");
    // Eight hexadecimal digits: twenty random ids have a pair that agrees in them once in 20 million
    // runs. Ids that are counted or begin with the time agree in more.
    let beginnings: HashSet<&str> = ids.iter().map(|id| &id[..8]).collect();
    assert_eq!(beginnings.len(), ids.len(), "{ids:?}");
    let ends: HashSet<&str> = ids.iter().map(|id| &id[id.len() - 8..]).collect();
    assert_eq!(ends.len(), ids.len(), "{ids:?}");
}
