//! What Prometheus finds.

#![allow(clippy::unwrap_used)]

mod support;

use http::{Method, Response, StatusCode};
use support::{Caller, Server, full, request, upstream};

#[tokio::test]
async fn a_deferred_call_is_counted_where_prometheus_looks() {
    let upstream = upstream(|_| async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        Response::new(full("done"))
    })
    .await;
    let options = ["--after", "100ms", "--metrics", "127.0.0.1:0"];
    let mut facade = Server::facade(&format!("http://{upstream}"), &options).await;
    let line = facade.logged("metrics are served on").await;
    let url = line[line.find("http://").unwrap()..].trim().to_owned();
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/a-path"), "x").await;
    assert_eq!(caller.poll(&facade, &accepted).await.text(), "done");

    let answer = caller.get(&url).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("content-type").starts_with("text/plain"));
    let text = answer.text();
    for line in [
        "# TYPE respond_async_deferred_total counter",
        "respond_async_deferred_total 1",
        "respond_async_completed_total{outcome=\"response\"} 1",
        "respond_async_parked 0",
        "respond_async_operation_seconds_count 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    assert!(!text.contains("a-path"), "{text}");
    assert_eq!(caller.post(&url, "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = url.replace("/metrics", "/");
    assert_eq!(caller.get(&elsewhere).await.status, StatusCode::NOT_FOUND);
    // The proxy itself has no such path.
    let proxied = caller.send(request(Method::GET, &facade.url("/metrics"), "")).await;
    assert_eq!(proxied.text(), "done");
}
