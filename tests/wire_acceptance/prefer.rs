//! The `Prefer` field (RFC 7240) as it comes over a connection.

use std::time::Duration;

use axum::http::StatusCode;

use crate::{
    application::NEVER,
    support::{Accepted, Exchange, Raw},
    wire::{Server, Wire},
};

over_every_wire! { a_preference_is_honoured_however_it_is_written }

in_every_flow! { Http1: what_is_no_preference_changes_nothing }

/// Whoever prefers nothing is never deferred, and whoever asks for it is as soon as the application
/// makes it wait.
async fn asked_only(wire: Wire) -> Server {
    Server::with(wire, NEVER, |builder| {
        builder.async_grace(Duration::ZERO).max_wait(Duration::ZERO)
    })
    .await
}

async fn a_preference_is_honoured_however_it_is_written(wire: Wire) {
    let server = asked_only(wire).await;
    let mut client = server.client().await;
    for (lines, applied) in [
        (&["respond-async"][..], "respond-async"),
        (&["Respond-Async"], "respond-async"),
        (&["respond-async=\"\""], "respond-async"),
        (&["respond-async; x=y"], "respond-async"),
        (&["  return=minimal ,, respond-async  "], "respond-async"),
        (&["return=minimal", "respond-async"], "respond-async"),
        (&["foo=\"open, respond-async"], "respond-async"),
        (&["wait=0"], "wait=0"),
        (&["WAIT = \"0\""], "wait=0"),
        (&["wait=0; x"], "wait=0"),
        (&["wait=0, wait=600"], "wait=0"),
        (&["wait=x, wait=0"], "wait=0"),
        (&["wait=600"], "wait=0"),
        (&["wait=99999999999999999999999999"], "wait=0"),
        (&["wait=0, respond-async"], "respond-async, wait=0"),
        (&["respond-async", "wait=0"], "respond-async, wait=0"),
    ] {
        let fields: Vec<_> = lines.iter().map(|line| ("prefer", *line)).collect();
        let answer = client.call(axum::http::Method::POST, "/held/200", &fields).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{lines:?}");
        assert_eq!(answer.header("preference-applied"), Some(applied), "{lines:?}");
        Accepted::of(answer);
    }
}

async fn what_is_no_preference_changes_nothing(wire: Wire) {
    let server = asked_only(wire).await;
    let malformed: [&[u8]; 22] = [
        b"",
        b",",
        b",,;=",
        b"wait",
        b"wait=",
        b"wait=\"\"",
        b"wait=-1",
        b"wait=+1",
        b"wait=1.5",
        b"wait=0s",
        b"wait=0x0",
        b"wait=ten",
        b"wait=0 0",
        b"respond-async=yes",
        b"respond_async",
        b"respond-asynchronously",
        b"\"respond-async\"",
        b"foo=\"respond-async, wait=0\"",
        b"return=minimal; wait=0",
        b"respond-async\xff",
        b"wait=\xb2",
        b"wait=0\tx",
    ];
    let mut connections = Vec::new();
    for value in malformed {
        let mut connection = Raw::connect(server.address).await;
        let head = [b"POST /held/200 HTTP/1.1\r\nHost: x\r\nPrefer: ", value, b"\r\n\r\n"].concat();
        connection.write(head).await;
        connections.push(connection);
    }
    server.release.waiting(malformed.len()).await;
    // Had any of them been understood, it would have been answered before this one, which came later.
    let mut client = server.client().await;
    let prefer = [("prefer", "respond-async")];
    let answer = client.call(axum::http::Method::POST, "/held/200", &prefer).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(connections.iter().all(Raw::is_silent));
    server.release.go();
    for (mut connection, value) in connections.into_iter().zip(malformed) {
        let (head, _) = connection.read_answer().await;
        let value = String::from_utf8_lossy(value);
        assert!(head.starts_with("HTTP/1.1 200 "), "{value}: {head}");
        assert!(!head.contains("preference-applied"), "{value}: {head}");
    }
}
