//! Calls that outlive their deadline.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use support::{Body, Caller, PATIENCE, Server, full, request, upstream};
use tokio::sync::Semaphore;

/// Holds the upstream's answers until a test lets them go.
struct Gate {
    arrived: Semaphore,
    opened: Semaphore,
}

impl Gate {
    /// Waits until one more call has reached the upstream and is held there.
    async fn reached(&self) {
        tokio::time::timeout(PATIENCE, self.arrived.acquire()).await.unwrap().unwrap().forget();
    }

    /// Lets that many held calls be answered.
    fn open_for(&self, calls: usize) {
        self.opened.add_permits(calls);
    }

    /// Answers `/fast` at once, `/timed` after half a second, and everything else when the gate opens.
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        self.arrived.add_permits(1);
        let body = body.collect().await.unwrap().to_bytes();
        match head.uri.path() {
            "/fast" => {}
            "/timed" => tokio::time::sleep(Duration::from_millis(500)).await,
            _ => self.opened.acquire().await.unwrap().forget(),
        }
        Response::builder()
            .status(StatusCode::CREATED)
            .header("x-made-by", "upstream")
            .body(full([head.method.as_str().as_bytes(), b" ", &body].concat()))
            .unwrap()
    }
}

/// The facade with a short deadline before an upstream that answers when told to.
async fn facade(options: &[&str]) -> (Server, Arc<Gate>) {
    facade_after("100ms", options).await
}

async fn facade_after(deadline: &str, options: &[&str]) -> (Server, Arc<Gate>) {
    facade_over("http", deadline, options).await
}

async fn facade_over(scheme: &str, deadline: &str, options: &[&str]) -> (Server, Arc<Gate>) {
    let gate = Arc::new(Gate { arrived: Semaphore::new(0), opened: Semaphore::new(0) });
    let address = upstream({
        let gate = Arc::clone(&gate);
        move |request| {
            let gate = Arc::clone(&gate);
            async move { gate.answer(request).await }
        }
    })
    .await;
    let options = [&["--after", deadline], options].concat();
    (Server::facade(&format!("{scheme}://{address}"), &options).await, gate)
}

#[tokio::test]
async fn a_late_post_is_accepted_and_its_response_comes_back() {
    for scheme in ["http", "h2c"] {
        let (facade, gate) = facade_over(scheme, "100ms", &[]).await;
        for caller in [Caller::http1(), Caller::http2()] {
            let accepted = caller.post(&facade.url("/reports"), "quarter").await;
            assert_eq!(accepted.status, StatusCode::ACCEPTED);
            let running = caller.get(&facade.url(accepted.header("location"))).await;
            assert_eq!(running.status, StatusCode::ACCEPTED);
            assert_eq!(running.json()["status"], "Running");

            gate.open_for(1);
            let answer = caller.poll(&facade, &accepted).await;
            assert_eq!(answer.status, StatusCode::CREATED);
            assert_eq!(answer.header("x-made-by"), "upstream");
            assert_eq!(answer.text(), "POST quarter");
        }
    }
}

#[tokio::test]
async fn a_canceled_operation_is_gone_and_the_next_call_is_served() {
    let (facade, gate) = facade(&[]).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/reports"), "x").await;
    let location = facade.url(accepted.header("location"));
    caller.send(request(Method::DELETE, &location, "")).await;
    assert_eq!(caller.poll(&facade, &accepted).await.status, StatusCode::GONE);
    gate.open_for(1);
    assert_eq!(caller.post(&facade.url("/fast"), "y").await.text(), "POST y");
}

#[tokio::test]
async fn a_call_in_time_shows_nothing_of_the_layer() {
    let (facade, _gate) = facade_after("60s", &[]).await;
    let answer = Caller::http1().post(&facade.url("/fast"), "now").await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.text(), "POST now");
    for name in ["location", "retry-after", "link", "preference-applied", "respond-async"] {
        assert!(!answer.headers.contains_key(name), "{name} in {answer:?}");
    }
}

/// Holds a GET for well over the deadline, which the answer to a POST that began later shows.
async fn outlives_the_deadline(facade: &Server, gate: &Gate, page: Request<Body>) {
    let caller = Caller::http1();
    let page = tokio::spawn({
        let caller = caller.clone();
        async move { caller.send(page).await }
    });
    gate.reached().await;
    let accepted = caller.post(&facade.url("/later"), "").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    gate.open_for(2);
    let answer = page.await.unwrap();
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.text(), "GET ");
}

#[tokio::test]
async fn a_slow_get_is_not_deferred_by_default() {
    let (facade, gate) = facade(&[]).await;
    let page = request(Method::GET, &facade.url("/page"), "");
    outlives_the_deadline(&facade, &gate, page).await;
}

#[tokio::test]
async fn a_browser_that_opens_a_page_is_never_deferred_even_where_get_is_listed() {
    let (facade, gate) = facade(&["--methods", "GET,POST"]).await;
    let mut page = request(Method::GET, &facade.url("/page"), "");
    for (name, value) in [
        ("accept", "text/html,application/xhtml+xml"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ] {
        page.headers_mut().insert(name, value.parse().unwrap());
    }
    outlives_the_deadline(&facade, &gate, page).await;
}

#[tokio::test]
async fn a_listed_get_is_deferred() {
    let (facade, gate) = facade(&["--methods", "GET"]).await;
    let caller = Caller::http1();
    let accepted = caller.get(&facade.url("/page")).await;
    gate.open_for(1);
    assert_eq!(caller.poll(&facade, &accepted).await.text(), "GET ");
}

#[tokio::test]
async fn where_only_those_who_ask_are_deferred_a_plain_post_waits() {
    let (facade, gate) = facade(&["--defer", "asked"]).await;
    let caller = Caller::http1();
    let plain = tokio::spawn({
        let (caller, url) = (caller.clone(), facade.url("/plain"));
        async move { caller.post(&url, "plain").await }
    });
    gate.reached().await;
    let mut asking = request(Method::POST, &facade.url("/asking"), "asking");
    asking.headers_mut().insert("prefer", "respond-async".parse().unwrap());
    let accepted = caller.send(asking).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(accepted.header("preference-applied"), "respond-async");
    gate.open_for(2);
    assert_eq!(plain.await.unwrap().text(), "POST plain");
    assert_eq!(caller.poll(&facade, &accepted).await.text(), "POST asking");
}

#[tokio::test]
async fn a_listed_call_is_redirected_to_where_its_response_comes() {
    let (facade, gate) = facade(&["--redirect", "POST:/reports"]).await;
    for caller in [Caller::http1(), Caller::http2()] {
        let redirect = caller.post(&facade.url("/reports/7"), "quarter").await;
        assert_eq!(redirect.status, StatusCode::SEE_OTHER);
        assert_eq!(redirect.json()["status"], "Running");
        gate.open_for(1);
        let url = facade.url(redirect.header("location"));
        // As a client would that repeats its request.
        for answer in [caller.get(&url).await, caller.post(&url, "quarter").await] {
            assert_eq!(answer.status, StatusCode::CREATED);
            assert_eq!(answer.text(), "POST quarter");
        }
        let other = caller.post(&facade.url("/reportsx"), "").await;
        assert_eq!(other.status, StatusCode::ACCEPTED);
        gate.open_for(1);
    }
}

#[tokio::test]
async fn two_hundred_then_see_other_is_a_matter_of_options() {
    let (facade, gate) = facade(&["--pending", "200", "--complete", "303"]).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/reports"), "x").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let location = facade.url(accepted.header("location"));
    let running = caller.get(&location).await;
    assert_eq!(running.status, StatusCode::OK);
    assert_eq!(running.json()["status"], "Running");

    gate.open_for(1);
    let done = caller.poll_while(StatusCode::OK, &location).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let result = caller.get(&facade.url(done.header("location"))).await;
    assert_eq!(result.status, StatusCode::CREATED);
    assert_eq!(result.text(), "POST x");
}

#[tokio::test]
async fn the_document_may_stand_where_the_response_would() {
    let (facade, gate) = facade(&["--complete", "document"]).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/reports"), "x").await;
    gate.open_for(1);
    let done = caller.poll(&facade, &accepted).await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(done.json()["status"], "Succeeded");
}

#[tokio::test]
async fn references_are_absolute_below_a_public_base() {
    let options = ["--public-base", "https://api.example.com", "--base-path", "/jobs"];
    let (facade, gate) = facade(&[&options[..], &["--retry-after", "7"]].concat()).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/reports"), "x").await;
    gate.open_for(1);
    let location = accepted.header("location");
    assert!(location.starts_with("https://api.example.com/jobs/"), "{location}");
    assert_eq!(accepted.header("retry-after"), "7");
}

/// References are absolute below what a proxy says only if it is one that is trusted.
#[tokio::test]
async fn a_trusted_proxy_says_where_references_begin_and_nobody_else_does() {
    for (network, base) in [("127.0.0.0/8", "https://api.example.com/api/"), ("192.0.2.0/24", "/")]
    {
        let (facade, gate) = facade(&["--trust-proxy", network]).await;
        let mut call = support::request(http::Method::POST, &facade.url("/reports"), "x");
        let headers = call.headers_mut();
        headers.insert("forwarded", "host=api.example.com;proto=https".parse().unwrap());
        headers.insert("x-forwarded-prefix", "/api".parse().unwrap());
        let accepted = Caller::http1().send(call).await;
        gate.open_for(1);
        let location = accepted.header("location");
        assert!(location.starts_with(&format!("{base}operations/")), "{network}: {location}");
    }
}

#[tokio::test]
async fn beyond_the_most_parked_operations_a_late_call_waits() {
    let (facade, gate) = facade(&["--max-parked", "1"]).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/first"), "first").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    // Five times the deadline.
    let second = caller.post(&facade.url("/timed"), "second").await;
    assert_eq!(second.status, StatusCode::CREATED);
    assert_eq!(second.text(), "POST second");
    gate.open_for(1);
    assert_eq!(caller.poll(&facade, &accepted).await.text(), "POST first");
}

#[tokio::test]
async fn an_upload_longer_than_the_deadline_arrives_whole_before_the_202() {
    let (facade, gate) = facade(&[]).await;
    for caller in [Caller::http1(), Caller::http2()] {
        let (mut sender, body) = http_body_util::channel::Channel::new(1);
        let mut upload = request(Method::POST, &facade.url("/upload"), "").map(|_| ());
        upload.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        let upload = upload.map(|()| body.boxed_unsync());
        let accepted = tokio::spawn({
            let caller = caller.clone();
            async move { caller.send(upload).await }
        });
        sender.send_data("begin ".into()).await.unwrap();
        gate.reached().await;
        // A call that began later and was deferred shows that the deadline is over.
        let other = caller.post(&facade.url("/other"), "").await;
        assert_eq!(other.status, StatusCode::ACCEPTED);
        gate.reached().await;
        sender.send_data("end".into()).await.unwrap();
        drop(sender);

        let accepted = accepted.await.unwrap();
        gate.open_for(2);
        assert_eq!(caller.poll(&facade, &accepted).await.text(), "POST begin end");
    }
}
