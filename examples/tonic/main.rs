//! gRPC behind the layer: what a late call's stub sees, with `FollowLayer` and without.
//!
//! A gRPC stub cannot see an HTTP 202. So only methods that are listed are deferred, here `Build`, and a late call of one is
//! answered `DEADLINE_EXCEEDED` with the operation in the details: a stub that knows nothing of it sees an error, and one
//! with a `FollowLayer` around its channel sees the reply. A stream is not touched, and plain HTTP on the same port
//! gets its 202.
//!
//! `reports.rs` is what `tonic-prost-build` would generate from a `.proto` file; it is written by
//! hand so that the example needs no protobuf compiler.
//!
//! ```text
//! cargo run --example tonic --features client
//! cargo run --example tonic --features client -- --serve     # the server alone, on a free port
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
    Code,
    body::Body,
    service::Routes,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::Layer;
use tower_respond_async::{RespondAsyncLayer, client::FollowLayer, dialect::GrpcDialect};

use self::reports::{BUILD, ReportRequest, ReportsClient, ReportsServer};

const DEADLINE: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    if std::env::args().nth(1).as_deref() == Some("--serve") {
        println!("listening on {origin}");
        return serve(listener).await;
    }
    let server = tokio::spawn(serve(listener));
    println!("The layer in front of {origin} waits {DEADLINE:?} for each answer.\n");

    let channel = Channel::from_shared(origin.clone())?.connect().await?;
    unaware(channel.clone()).await?;
    following(channel.clone()).await?;
    streaming(channel).await?;
    plain_http(&origin).await?;
    server.abort();
    Ok(())
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .grpc(GrpcDialect::new().defer(BUILD, "demo.Report"))
        // Layers around this one go on seeing tonic's own type of body.
        .body(Body::new)
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

/// A call takes three times as long as the deadline.
async fn unaware(channel: Channel) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("unary, a plain stub        Build(month: 6)");
    let answer = ReportsClient::new(channel).build(ReportRequest { month: 6 }).await;
    let status = answer.err().ok_or("the call was late")?;
    let name = status.metadata().get("operation-name").ok_or("a late call has an operation")?;
    println!(
        "                           {:?}, operation-name: {}\n",
        status.code(),
        name.to_str()?
    );
    check(status.code() == Code::DeadlineExceeded, "a late call is told so")
}

/// The same, as if nothing had happened.
async fn following(channel: Channel) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("unary, with a FollowLayer  Build(month: 6)");
    let start = Instant::now();
    let channel = FollowLayer::new().body(Body::new).layer(channel);
    let report = ReportsClient::new(channel).build(ReportRequest { month: 6 }).await?.into_inner();
    let took = Instant::now() - start;
    println!("                           {:?}, after {} ms\n", report.line, took.as_millis());
    check(took > DEADLINE, "the call was late, and answered all the same")
}

async fn streaming(channel: Channel) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("streaming                  Watch(month: 6)");
    let start = Instant::now();
    let mut client = ReportsClient::new(channel);
    let mut lines = client.watch(ReportRequest { month: 6 }).await?.into_inner();
    let mut count = 0;
    while let Some(report) = lines.message().await? {
        let took = Instant::now() - start;
        println!("                           {:?}, after {} ms", report.line, took.as_millis());
        count += 1;
    }
    println!();
    check(count == 3, "the whole stream arrived")
}

async fn plain_http(origin: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("HTTP                       POST /reports");
    let http = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<Bytes>>();
    let request = Request::post(format!("{origin}/reports")).body(Empty::new())?;
    let (parts, body) = http.request(request).await?.into_parts();
    let location = parts.headers.get("location").ok_or("a 202 says where to ask")?.to_str()?;
    println!("                           {}, location: {location}\n", parts.status);
    check(parts.status == StatusCode::ACCEPTED, "the late call was deferred")?;
    drop(body.collect().await?);

    println!("HTTP                       GET {location}, Prefer: wait=10");
    let request = Request::get(format!("{origin}{location}")).header("prefer", "wait=10");
    let (parts, body) = http.request(request.body(Empty::new())?).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    println!("                           {}, {:?}", parts.status, String::from_utf8_lossy(&body));
    check(parts.status == StatusCode::OK, "the answer was kept")
}

fn check(holds: bool, claim: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    if holds { Ok(()) } else { Err(format!("should be: {claim}").into()) }
}
