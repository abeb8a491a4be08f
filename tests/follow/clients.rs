//! Clients that people have, over real connections, in front of our own layer under hyper.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::any};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, sync::Semaphore};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_respond_async::{RespondAsyncLayer, client::FollowLayer};

/// The URL of a server, and a layer to follow it: each call is answered once its caller has been told "not
/// yet".
async fn server() -> (String, FollowLayer) {
    let gate = Arc::new(Semaphore::new(0));
    let late = {
        let gate = Arc::clone(&gate);
        move |request: Request<Body>| async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            gate.acquire().await.unwrap().forget();
            let body = format!("{} {}", parts.method, String::from_utf8_lossy(&body));
            let response = Response::builder().status(404).header("x-made-by", "service");
            response.body(Body::from(body)).unwrap()
        }
    };
    let layer = RespondAsyncLayer::after(Duration::from_millis(20));
    let app = Router::new().fallback_service(layer.layer(Router::new().fallback(any(late))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    let follow = FollowLayer::new().on_progress(move |progress| {
        if progress.polls == 0 {
            gate.add_permits(1);
        }
    });
    (format!("http://{address}/reports"), follow)
}

async fn has_the_response<B>(response: Response<B>)
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-made-by"], "service");
    assert_eq!(response.headers()["respond-async"], "stored", "it was late");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "POST quarter");
}

#[tokio::test]
async fn hyper_utils_client_gets_the_response() {
    let (url, follow) = server().await;
    let request = Request::post(url).body(Full::from("quarter")).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    has_the_response(follow.layer(client).oneshot(request).await.unwrap()).await;
}

#[tokio::test]
async fn hyper_utils_client_gets_the_response_over_http2() {
    let (url, follow) = server().await;
    let request = Request::post(url).body(Full::from("quarter")).unwrap();
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    has_the_response(follow.layer(client).oneshot(request).await.unwrap()).await;
}

#[tokio::test]
async fn reqwest_as_a_service_gets_the_response() {
    // It would follow a 303 itself, and not say where to.
    let redirects = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(redirects).build().unwrap();
    let service = service_fn(move |request: Request<reqwest::Body>| {
        let client = client.clone();
        async move { client.execute(request.try_into()?).await.map(Response::from) }
    });
    let (url, follow) = server().await;
    let request = Request::post(url).body("quarter".into()).unwrap();
    has_the_response(follow.layer(service).oneshot(request).await.unwrap()).await;
}

#[tokio::test]
async fn one_connection_alone_is_enough() {
    let (url, follow) = server().await;
    let address = url.split('/').nth(2).unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let sender = std::sync::Arc::new(tokio::sync::Mutex::new(sender));
    let service = service_fn(move |request: Request<Full<Bytes>>| {
        let sender = std::sync::Arc::clone(&sender);
        async move {
            let mut sender = sender.lock().await;
            sender.ready().await?;
            sender.send_request(request).await
        }
    });
    let mut follow = follow.layer(service);
    for _ in 0..2 {
        let request = Request::post("/reports").header("host", address);
        let request = request.body(Full::from("quarter")).unwrap();
        has_the_response(follow.ready().await.unwrap().call(request).await.unwrap()).await;
    }
}
