//! Trailers, of requests and of stored responses.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Request, Response},
    routing::post,
};
use http_body_util::{BodyExt, Full};

use super::deferring;
use crate::support::{Accepted, Exchange, Raw, Release, http1, http2};

fn checksum(value: &str) -> HeaderMap {
    [("x-checksum".parse().expect("a valid value"), value.parse().expect("a valid value"))]
        .into_iter()
        .collect()
}

/// Waits, then says in trailers what the request's trailers were.
async fn handler(State(release): State<Release>, request: Request<Body>) -> Response<Body> {
    release.wait().await;
    let collected = request.into_body().collect().await.expect("a whole request");
    let sum = collected.trailers().and_then(|trailers| trailers.get("x-checksum").cloned());
    let sum = sum.map_or("none".to_owned(), |sum| sum.to_str().expect("a text").to_owned());
    let body = Body::from(collected.to_bytes());
    let body = body.with_trailers(async move { Some(Ok(checksum(&format!("seen {sum}")))) });
    Response::builder()
        .header("trailer", "x-checksum")
        .body(Body::new(body))
        .expect("a valid response")
}

/// A request with trailers, and therefore, over HTTP/1.1, in chunks.
fn request(body: &'static str) -> Request<Body> {
    let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(body))]);
    let body = Body::from_stream(frames);
    let body = body.with_trailers(async { Some(Ok(checksum("7"))) });
    Request::post("/sum")
        .header("trailer", "x-checksum")
        .body(Body::new(body))
        .expect("a valid request")
}

async fn assert_trailers(client: &mut impl Exchange, release: &Release, request: Request<Body>) {
    let accepted = Accepted::of(client.send(request).await);
    release.go();
    for _ in 0..2 {
        let answer = client.result(&accepted).await;
        assert_eq!(answer.body, "hello");
        assert_eq!(answer.trailers.expect("trailers")["x-checksum"], "seen 7");
        assert_eq!(answer.headers["trailer"], "x-checksum");
    }
}

/// Reads, and then does what [`handler`] does: a request of undeclared length is not answered
/// before its end.
async fn read_first(release: State<Release>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let collected = body.collect().await.expect("a whole request");
    let trailers = collected.trailers().cloned();
    let body = Full::from(collected.to_bytes());
    let body = body.with_trailers(async move { trailers.map(Ok) });
    handler(release, Request::from_parts(parts, Body::new(body))).await
}

fn app(release: &Release) -> Router {
    Router::new()
        .route("/sum", post(read_first))
        .route("/late", post(handler))
        .with_state(release.clone())
}

#[tokio::test]
async fn trailers_come_and_go_over_http_1() {
    let release = Release::new();
    let mut client = http1(deferring(app(&release)).await).await;
    assert_trailers(&mut client, &release, request("hello")).await;
}

#[tokio::test]
async fn trailers_come_and_go_over_http_2() {
    let release = Release::new();
    let mut client = http2(deferring(app(&release)).await).await;
    assert_trailers(&mut client, &release, request("hello")).await;
}

/// It is received before the service is called, which reads it after the 202.
#[tokio::test]
async fn trailers_of_a_small_request_of_declared_length_are_received_with_it() {
    let release = Release::new();
    let mut client = http2(deferring(app(&release)).await).await;
    let mut request = request("hello");
    *request.uri_mut() = "/late".parse().unwrap();
    request.headers_mut().insert("content-length", "5".parse().unwrap());
    assert_trailers(&mut client, &release, request).await;
}

#[tokio::test]
async fn a_client_that_takes_no_trailers_gets_the_body_alone() {
    let release = Release::new();
    let address = deferring(app(&release)).await;
    let mut client = http2(address).await;
    let accepted = Accepted::of(client.send(request("hello")).await);
    release.go();
    client.result(&accepted).await;
    let mut one = http1(address).await;
    let answer = one.call(Method::GET, &accepted.result_url, &[]).await;
    assert_eq!((&*answer.body, answer.trailers), (&b"hello"[..], None));
    // The connection is still in order.
    let head = one.call(Method::HEAD, &accepted.result_url, &[]).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let again = one.call(Method::GET, &accepted.result_url, &[("te", "trailers")]).await;
    assert_eq!(again.trailers.unwrap()["x-checksum"], "seen 7");
    let mut old = Raw::connect(address).await;
    old.write(format!("GET {} HTTP/1.0\r\n\r\n", accepted.result_url)).await;
    let answer = old.read_until("no end but the connection's").await;
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}
