//! Starting and stopping: what is refused, and what a signal does.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Output;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use support::{Caller, PATIENCE, Server, full, upstream};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// Runs the binary to its end.
async fn run(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_respond-async-facade"))
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await;
    output.unwrap_or_else(|_| panic!("{arguments:?} is taken")).unwrap()
}

async fn refused(arguments: &[&str]) -> String {
    let output = run(arguments).await;
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_bad_argument_is_named_with_what_is_wrong() {
    let message = refused(&[]).await;
    assert!(message.contains("--upstream"), "{message}");
    for (option, value, reason) in [
        ("--upstream", "https://example.com", "use http:// or h2c://"),
        ("--listen", "nowhere", "invalid socket address"),
        ("--after", "2", "time unit needed"),
        ("--defer", "never", "possible values: late, asked"),
        ("--pending", "204", "possible values: 202, 200"),
        ("--complete", "302", "possible values: replay, 303, document"),
        ("--retry-after", "0", "expected `auto` or whole seconds, at least 1"),
        ("--max-parked", "many", "invalid digit"),
        ("--min-poll", "2", "time unit needed"),
        ("--methods", "PO ST", "invalid HTTP method"),
        ("--redirect", "GET", "expected METHOD:PATH-PREFIX"),
        ("--redirect", "get:/reports", "GET instead of get"),
        ("--redirect", "HEAD:/reports", "HEAD calls are never deferred"),
        ("--redirect", "GET:reports", "doesn't begin with a slash"),
        ("--base-path", "operations", "base"),
        ("--grpc-defer", "shop.Reports/Build", "expected /package.Service/Method"),
        ("--grpc-defer", "/shop.Reports/Build=", "is no name of a message"),
        ("--grpc-lro", "/shop.Reports/Build", "the message that it returns"),
        ("--grpc-defer", "/shop.Reports/Build", "needs an upstream that speaks HTTP/2: h2c://"),
        (
            "--dialect",
            "soap",
            "expected one of standard, arm, operation-location, redfish, fhir, odata, grpc",
        ),
        ("--dialect", "grpc", "--dialect grpc needs methods"),
        ("--dialect", "grpc=/x", "gRPC has methods, not paths"),
        ("--dialect", "odata=v4", "expected a path such as /fhir"),
        ("--dialect", "odata=/", "expected a path such as /fhir"),
        ("--dialect", "odata=/a//b", "is not a path"),
        ("--dialect", "arm", "--public-base has to be the URL"),
    ] {
        let upstream = ["--upstream", "http://127.0.0.1:9"];
        let upstream = if option == "--upstream" { &[][..] } else { &upstream };
        let message = refused(&[upstream, &[option, value]].concat()).await;
        assert!(message.contains(reason), "{option} {value}: {message}");
    }
}

#[tokio::test]
async fn what_is_about_deferring_does_not_go_with_following() {
    for (option, value) in [
        ("--after", "2s"),
        ("--methods", "POST"),
        ("--base-path", "/jobs"),
        ("--store", "memory"),
        ("--replay", "POST:/reports"),
        ("--idempotency", "off"),
        ("--max-parked", "7"),
    ] {
        let arguments = ["--upstream", "http://127.0.0.1:9", "--follow", option, value];
        let message = refused(&arguments).await;
        assert!(message.contains("--follow") && message.contains(option), "{option}: {message}");
        assert!(message.contains("cannot be used with"), "{option}: {message}");
    }
    let message = refused(&["--upstream", "http://127.0.0.1:9", "--follow-for", "2s"]).await;
    assert!(message.contains("--follow"), "{message}");
}

#[tokio::test]
async fn an_address_in_use_ends_it_with_a_message() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address, "--upstream", "http://127.0.0.1:9"]).await;
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&format!("cannot listen on {address}")), "{message}");
}

#[tokio::test]
async fn an_address_for_metrics_in_use_ends_it_with_a_message() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let upstream = ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"];
    let output = run(&[&upstream[..], &["--metrics", &address]].concat()).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "it does not say that it listens");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&format!("cannot serve metrics on {address}")), "{message}");
}

/// The facade before an upstream that answers once the gate has a permit.
async fn facade(options: &[&str]) -> (Server, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let address = upstream({
        let gate = Arc::clone(&gate);
        move |_: Request<Incoming>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Response::new(full("done"))
            }
        }
    })
    .await;
    (Server::facade(&format!("http://{address}"), options).await, gate)
}

#[tokio::test]
async fn nothing_to_wait_for_ends_it_at_once() {
    for signal in ["TERM", "INT"] {
        let (mut facade, _gate) = facade(&[]).await;
        // An idle connection doesn't hold it up.
        let _idle = tokio::net::TcpStream::connect(facade.address).await.unwrap();
        facade.signal(signal).await;
        assert_eq!(facade.ended().await.code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn polls_are_answered_while_a_parked_call_is_drained() {
    let (mut facade, gate) = facade(&["--after", "100ms", "--drain", "60s"]).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/"), "").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let location = facade.url(accepted.header("location"));

    facade.signal("TERM").await;
    facade.logged("draining").await;
    // Over a new connection: the listener is still open.
    let running = Caller::http1().get(&location).await;
    assert_eq!(running.status, StatusCode::ACCEPTED);
    assert_eq!(running.json()["status"], "Running");

    gate.add_permits(1);
    assert_eq!(facade.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_drain_that_is_over_does_not_wait_for_a_parked_call() {
    let (mut facade, _gate) = facade(&["--after", "100ms", "--drain", "200ms"]).await;
    let accepted = Caller::http1().post(&facade.url("/"), "").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    facade.signal("TERM").await;
    assert_eq!(facade.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (mut facade, _gate) = facade(&["--after", "100ms", "--drain", "1h"]).await;
    let accepted = Caller::http1().post(&facade.url("/"), "").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    facade.signal("TERM").await;
    facade.logged("draining").await;
    facade.signal("TERM").await;
    assert_eq!(facade.ended().await.code(), Some(1));
}
