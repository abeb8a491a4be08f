//! `DELETE`, once and again.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::{
    application::bytes,
    support::{Answer, Exchange},
    wire::{Server, Wire},
};

over_every_wire! {
    a_second_delete_of_what_was_canceled_changes_nothing,
    a_delete_of_what_has_ended_destroys_nothing,
}

/// The document, without its last day: that is counted from what is left of the operation's life,
/// and may differ by a millisecond.
fn told(answer: &Answer) -> Value {
    let mut document = answer.json();
    assert!(document["expiresDateTime"].take().is_string(), "{answer:?}");
    document
}

async fn a_second_delete_of_what_was_canceled_changes_nothing(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    for by_result in [false, true] {
        let accepted = server.accept(&mut client, 200).await;
        let url = if by_result { &accepted.result_url } else { &accepted.status_url };
        let first = client.call(Method::DELETE, url, &[]).await;
        assert_eq!((first.status, first.word().as_str()), (StatusCode::ACCEPTED, "Running"));
        // It may not have ended yet.
        let at_once = client.call(Method::DELETE, url, &[]).await;
        assert!([StatusCode::ACCEPTED, StatusCode::OK].contains(&at_once.status), "{at_once:?}");
        let gone = client.follow(wire.flow, &accepted).await;
        assert_eq!(gone.status, StatusCode::GONE);
        let [second, third] = [
            client.call(Method::DELETE, url, &[]).await,
            client.call(Method::DELETE, url, &[]).await,
        ];
        assert_eq!((second.status, second.word().as_str()), (StatusCode::OK, "Canceled"));
        assert_eq!((third.status, told(&third)), (second.status, told(&second)));
        let again = client.get(&accepted.result_url).await;
        assert_eq!((again.status, again.body), (gone.status, gone.body));
    }
}

async fn a_delete_of_what_has_ended_destroys_nothing(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let accepted = server.accept(&mut client, 200).await;
    server.release.go();
    client.follow(wire.flow, &accepted).await;
    for url in [&accepted.status_url, &accepted.result_url] {
        for _ in 0..2 {
            let answer = client.call(Method::DELETE, url, &[]).await;
            assert_eq!((answer.status, answer.word().as_str()), (StatusCode::OK, "Succeeded"));
        }
    }
    let result = client.follow(wire.flow, &accepted).await;
    assert_eq!((result.status, result.body), (StatusCode::OK, bytes(1_000)));
}
