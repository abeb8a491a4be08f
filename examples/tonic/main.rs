//! gRPC behind the layer: calls are not touched, late ones included.
//!
//! A gRPC stub cannot see an HTTP 202, so the layer never defers `application/grpc`. The example
//! serves gRPC and plain HTTP on one port, with a deadline that all of them miss: the unary call is
//! answered late, the stream arrives message by message, and only the HTTP call gets a 202.
//!
//! `reports.rs` is what `tonic-prost-build` would generate from a `.proto` file; it is written by
//! hand so that the example needs no protobuf compiler.
//!
//! ```text
//! cargo run --example tonic
//! ```

mod reports;

use std::{error::Error, net::Ipv4Addr, time::Duration};

use axum::routing::post;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};
use tonic::{
    service::Routes,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower_respond_async::RespondAsyncLayer;

use self::reports::{ReportRequest, ReportsClient, ReportsServer};

const DEADLINE: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(serve(listener));
    println!("The layer in front of {origin} waits {DEADLINE:?} for each answer.\n");

    let mut client = ReportsClient::new(Channel::from_shared(origin.clone())?.connect().await?);
    unary(&mut client).await?;
    streaming(&mut client).await?;
    plain_http(&origin).await?;
    server.abort();
    Ok(())
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let layer = RespondAsyncLayer::builder(DEADLINE)
        // Layers around this one go on seeing tonic's own type of body.
        .body(tonic::body::Body::new)
        .build()?;
    let mut routes = Routes::new(ReportsServer);
    *routes.axum_router_mut() = std::mem::take(routes.axum_router_mut()).route(
        "/reports",
        post(async || {
            sleep(DEADLINE * 3).await;
            "12 apples, 3 pears"
        }),
    );
    // On the server, and so around all of its routes: those of the operations need it.
    Server::builder()
        .layer(layer)
        .add_routes(routes)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

async fn unary(client: &mut ReportsClient) -> Result<(), Box<dyn Error>> {
    println!("unary      Build(month: 6)");
    let start = Instant::now();
    let report = client.build(ReportRequest { month: 6 }).await?.into_inner();
    let took = Instant::now() - start;
    println!("           {:?}, after {} ms\n", report.line, took.as_millis());
    check(took > DEADLINE, "the call was late, and answered all the same")
}

async fn streaming(client: &mut ReportsClient) -> Result<(), Box<dyn Error>> {
    println!("streaming  Watch(month: 6)");
    let start = Instant::now();
    let mut lines = client.watch(ReportRequest { month: 6 }).await?.into_inner();
    let mut count = 0;
    while let Some(report) = lines.message().await? {
        let took = Instant::now() - start;
        println!("           {:?}, after {} ms", report.line, took.as_millis());
        count += 1;
    }
    println!();
    check(count == 3, "the whole stream arrived")
}

async fn plain_http(origin: &str) -> Result<(), Box<dyn Error>> {
    println!("HTTP       POST /reports");
    let http = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
    let request = Request::post(format!("{origin}/reports")).body(Empty::new())?;
    let (parts, body) = http.request(request).await?.into_parts();
    let location = parts.headers.get("location").ok_or("a 202 says where to ask")?.to_str()?;
    println!("           {}, location: {location}\n", parts.status);
    check(parts.status == StatusCode::ACCEPTED, "the late call was deferred")?;
    drop(body.collect().await?);

    sleep(DEADLINE * 5).await;
    println!("HTTP       GET {location}");
    let request = Request::get(format!("{origin}{location}")).body(Empty::new())?;
    let (parts, body) = http.request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    println!("           {}, {:?}", parts.status, String::from_utf8_lossy(&body));
    check(parts.status == StatusCode::OK, "the answer was kept")
}

fn check(holds: bool, claim: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(format!("should be: {claim}").into()) }
}
