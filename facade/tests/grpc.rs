//! gRPC through the facade: bytes as they travel, so that nothing of it is taken from a library.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use support::{Answer, Body, Caller, PATIENCE, Server, full, upstream};
use tokio::sync::Semaphore;

/// A frame with a message whose first field is this text.
fn message(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let mut frame = vec![0, 0, 0, 0, length + 2, 0x0a, length];
    frame.extend_from_slice(text.as_bytes());
    frame
}

async fn call(server: &Server, path: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(server.url(path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-accept-encoding", "gzip")
        .header("grpc-timeout", "1M")
        .body(full(body))
        .unwrap();
    let answer = Caller::http2().send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer
}

async fn ask(server: &Server, method: &str, name: &str) -> Answer {
    call(server, &format!("/google.longrunning.Operations/{method}"), message(name)).await
}

/// Greets when the gate opens, if it is asked over gRPC.
async fn greet(gate: Arc<Semaphore>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(head.headers["te"], "trailers");
    let is_listed = head.uri.path() != "/test.Greeter/Other";
    for name in ["grpc-timeout", "grpc-accept-encoding"] {
        assert_eq!(head.headers.contains_key(name), !is_listed, "{name}");
    }
    gate.acquire().await.unwrap().forget();
    let name = std::str::from_utf8(&body[7..]).unwrap();
    let trailers = HeaderMap::from_iter([
        ("grpc-status".parse().unwrap(), HeaderValue::from_static("0")),
        ("x-greeted".parse().unwrap(), HeaderValue::from_str(name).unwrap()),
    ]);
    let frames =
        [Ok(Frame::data(message(&format!("hello {name}")).into())), Ok(Frame::trailers(trailers))];
    Response::builder()
        .header("content-type", "application/grpc")
        .body(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync())
        .unwrap()
}

async fn facade(options: &[&str]) -> (Server, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let address = upstream(move |request| greet(Arc::clone(&held), request)).await;
    let listed = [
        "--after",
        "100ms",
        "--dialect",
        "grpc",
        "--grpc-defer",
        "/test.Greeter/Greet=test.Text",
        "--grpc-lro",
        "/test.Greeter/Start=test.Text",
    ];
    let server =
        Server::facade(&format!("h2c://{address}"), &[&listed[..], options].concat()).await;
    (server, gate)
}

fn trailer<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let trailers = answer.trailers.as_ref().unwrap_or(&answer.headers);
    trailers.get(name).unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_str().unwrap()
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The operation once it is done.
async fn ended(server: &Server, name: &str) -> Answer {
    let waited = ask(server, "WaitOperation", name);
    tokio::time::timeout(PATIENCE, waited).await.expect("the operation ends")
}

#[tokio::test]
async fn a_late_call_is_told_its_operation_which_has_the_reply() {
    let (server, gate) = facade(&[]).await;
    let late = call(&server, "/test.Greeter/Greet", message("you")).await;
    assert_eq!(trailer(&late, "grpc-status"), "4");
    assert!(late.body.is_empty());
    let name = trailer(&late, "operation-name").to_owned();
    let running = ask(&server, "GetOperation", &name).await;
    assert_eq!(&running.body[..], message(&name));
    gate.add_permits(1);
    let done = ended(&server, &name).await;
    assert_eq!(trailer(&done, "grpc-status"), "0");
    assert!(contains(&done.body, "type.googleapis.com/test.Text"), "{done:?}");
    assert!(contains(&done.body, "hello you"), "{done:?}");
    assert_eq!(trailer(&ask(&server, "DeleteOperation", &name).await, "grpc-status"), "0");
    assert_eq!(trailer(&ask(&server, "GetOperation", &name).await, "grpc-status"), "5");
}

#[tokio::test]
async fn a_method_that_returns_operations_does_whether_it_is_late_or_not() {
    let (server, gate) = facade(&[]).await;
    let late = call(&server, "/test.Greeter/Start", message("you")).await;
    assert_eq!(trailer(&late, "grpc-status"), "0");
    let name = std::str::from_utf8(&late.body[7..]).unwrap();
    assert!(name.starts_with("operations/"), "{name}");
    gate.add_permits(2);
    assert!(contains(&ended(&server, name).await.body, "hello you"));
    let in_time = call(&server, "/test.Greeter/Start", message("me")).await;
    assert!(contains(&in_time.body, "type.googleapis.com/test.Text"), "{in_time:?}");
    assert!(contains(&in_time.body, "hello me"), "{in_time:?}");
    assert_eq!(trailer(&in_time, "x-greeted"), "me");
}

#[tokio::test]
async fn other_methods_wait_and_pass_untouched() {
    let (server, gate) = facade(&["--redirect", "POST:/test.Greeter", "--methods", "PUT"]).await;
    let other = call(&server, "/test.Greeter/Other", message("you"));
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        gate.add_permits(1);
    };
    let (answer, ()) = tokio::join!(other, release);
    assert_eq!(&answer.body[..], message("hello you"));
    assert_eq!(trailer(&answer, "x-greeted"), "you");
    // What is listed is deferred, whatever methods of HTTP are.
    let late = call(&server, "/test.Greeter/Start", message("you")).await;
    assert_eq!(trailer(&late, "grpc-status"), "0");
    gate.add_permits(1);
}
