//! Fast responses are untouched.

use axum::http::{Method, StatusCode};

use crate::{
    application::{NEVER, application},
    support::{Exchange, Raw, Release, serve},
    wire::{Server, Wire},
};

over_every_wire! { a_fast_response_has_nothing_of_the_layers }

in_every_flow! { Http1: a_fast_response_is_byte_for_byte_what_it_is_without_the_layer }

async fn a_fast_response_has_nothing_of_the_layers(wire: Wire) {
    let server = Server::with(wire, NEVER, |builder| builder).await;
    let mut client = server.client().await;
    for prefer in ["", "respond-async", "wait=5", "respond-async, wait=5"] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = client.call(method, "/fast/201", &[("prefer", prefer)]).await;
            assert_eq!(answer.status, StatusCode::CREATED);
            let layers = [
                "location",
                "link",
                "operation-location",
                "azure-asyncoperation",
                "preference-applied",
                "respond-async",
                "cache-control",
            ];
            for name in layers {
                assert_eq!(answer.header(name), None, "{prefer}");
            }
            assert_eq!(answer.header("retry-after"), Some("17"), "the application's own");
        }
    }
}

async fn a_fast_response_is_byte_for_byte_what_it_is_without_the_layer(wire: Wire) {
    let server = Server::with(wire, NEVER, |builder| builder).await;
    let without = serve(application(&Release::new())).await;
    let mut connections = [Raw::connect(server.address).await, Raw::connect(without).await];
    for request in [
        "GET /fast/200 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /fast/201 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "POST /fast/200 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "PUT /fast/204 HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\r\nContent-Length: 0\r\n\r\n",
        "DELETE /fast/404 HTTP/1.1\r\nHost: x\r\nPrefer: wait=5\r\n\r\n",
        "POST /fast/503 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /no/such/path HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS /operations HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut answers = Vec::new();
        for connection in &mut connections {
            connection.write(request).await;
            let (head, body) = connection.read_answer().await;
            answers.push((without_the_servers_date(&head), body));
        }
        assert_eq!(answers[0], answers[1], "{request}");
    }
}

/// What hyper adds to an answer that has no date differs from second to second.
fn without_the_servers_date(head: &str) -> String {
    let is_new = |line: &&str| !line.starts_with("date:") || line.contains("1970");
    head.lines().filter(is_new).collect::<Vec<_>>().join("\n")
}
