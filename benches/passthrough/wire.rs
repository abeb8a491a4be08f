//! A service behind hyper, called over one keep-alive HTTP/1.1 connection in memory, alone or as
//! an axum application.
//!
//! The client writes bytes made once and reads as many as the first response had, so that nearly
//! all that is measured is the server.

use std::time::Duration;

use axum::{BoxError, Router, error_handling::HandleErrorLayer, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::Instant,
};
use tower::ServiceBuilder;
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

use crate::{
    inner::{Answer, Answering, Readiness},
    layers::{NoOpLayer, spawn_select},
    ours::Ours,
    variants::{
        Case, Layering, Payload, Run, Stack, tower_http_timeout, tower_timeout, with_layer,
    },
};

/// Bytes in flight in each direction.
const CAPACITY: usize = 64 * 1024;

pub(crate) fn run(case: Case, ours: &Ours, calls: u64) -> Run {
    let readiness = case.scenario.readiness;
    match case.scenario.stack {
        Stack::Raw => unreachable!("a raw call has no connection"),
        Stack::Hyper => {
            with_layer!(case, ours.wrapping, ours.same_body, Answering::new(readiness), service => {
                Box::pin(converse(case, service, calls))
            })
        }
        Stack::AxumLayer => Box::pin(converse(case, layered_router(case, ours), calls)),
        Stack::AxumOutermost => {
            with_layer!(case, ours.wrapping, ours.same_axum_body, router(readiness), service => {
                Box::pin(converse(case, service, calls))
            })
        }
    }
}

fn router(readiness: Readiness) -> Router {
    let handler =
        move |request: axum::extract::Request| Answer::new(readiness, request.into_body());
    Router::new().route("/reports/{name}", post(handler).get(handler))
}

fn layered_router(case: Case, ours: &Ours) -> Router {
    let router = router(case.scenario.readiness);
    match case.layering {
        Layering::Bare => router,
        Layering::NoOp => router.layer(NoOpLayer::new()),
        Layering::Tower => router.layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::REQUEST_TIMEOUT))
                .layer(tower_timeout()),
        ),
        Layering::TowerHttp => router.layer(tower_http_timeout()),
        Layering::SpawnSelect => router.layer(layer_fn(spawn_select)),
        Layering::Ours | Layering::OursGet => router.layer(ours.wrapping.clone()),
        Layering::OursSameBody => router.layer(ours.same_axum_body.clone()),
    }
}

async fn converse<S, B>(case: Case, service: S, calls: u64) -> Duration
where
    S: Service<Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (client, server) = duplex(CAPACITY);
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
    let server = tokio::spawn(connection);
    let took = ask(client, case, calls).await;
    server
        .await
        .expect("the server does not panic")
        .expect("the connection ends when the client hangs up");
    took
}

/// Hangs up when all calls are answered.
async fn ask(mut connection: DuplexStream, case: Case, calls: u64) -> Duration {
    let request = request(case);
    connection.write_all(&request).await.expect("the server reads");
    let mut response = vec![0; first_response(&mut connection).await];
    for _ in 0..case.scenario.warm_up() {
        exchange(&mut connection, &request, &mut response).await;
    }
    let start = Instant::now();
    for _ in 0..calls {
        exchange(&mut connection, &request, &mut response).await;
    }
    let took = Instant::now() - start;
    assert!(response.ends_with(b"\r\n\r\nok"), "the service's own answer came");
    took
}

async fn exchange(connection: &mut DuplexStream, request: &[u8], response: &mut [u8]) {
    connection.write_all(request).await.expect("the server reads");
    connection.read_exact(response).await.expect("the server answers");
}

/// Returns the response's length.
async fn first_response(connection: &mut DuplexStream) -> usize {
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\nok") {
        let received = connection.read_buf(&mut response).await.expect("the server answers");
        assert!(received > 0, "unexpected answer: {}", String::from_utf8_lossy(&response));
    }
    response.len()
}

fn request(case: Case) -> Bytes {
    let method = match case.layering {
        Layering::OursGet => "GET",
        _ => "POST",
    };
    let framing = match case.scenario.payload {
        Payload::None => "content-length: 0".to_owned(),
        Payload::Small => format!("content-length: {}", Payload::SMALL.len()),
        Payload::Large => "transfer-encoding: chunked".to_owned(),
    };
    let mut request = format!(
        "{method} /reports/quarterly HTTP/1.1\r\n\
         host: api.example.com\r\n\
         user-agent: passthrough/1.0\r\n\
         accept: application/json\r\n\
         accept-encoding: gzip\r\n\
         content-type: application/json\r\n\
         {framing}\r\n\r\n"
    )
    .into_bytes();
    match case.scenario.payload {
        Payload::None => {}
        Payload::Small => request.extend_from_slice(Payload::SMALL),
        Payload::Large => {
            for _ in 0..Payload::CHUNKS {
                request.extend_from_slice(format!("{:x}\r\n", Payload::CHUNK.len()).as_bytes());
                request.extend_from_slice(Payload::CHUNK);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\n\r\n");
        }
    }
    request.into()
}
