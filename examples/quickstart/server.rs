//! The server: handlers as anybody would write them, and the layer in front of them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{Json, Router, response::IntoResponse, routing::post};
use http::{StatusCode, header};
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
use tower_respond_async::{Operation, RespondAsyncLayer, dialect::StandardDialect};

/// How long a caller waits for an answer before it gets a 202.
const DEADLINE: Duration = Duration::from_millis(300);

/// How many calls run at a time.
const PLACES: usize = 2;

const ROWS: u16 = 1_000;

/// Serves on a free port of the loopback interface, and says which.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app()).await });
    Ok(address)
}

fn app() -> Router {
    // Pollers are told to come back after a second, since this demonstration is short.
    let dialect = StandardDialect::new().retry_after(Duration::from_secs(1));
    let respond_async = RespondAsyncLayer::builder(DEADLINE)
        .dialect(dialect)
        .build()
        .expect("only the base path and the lease can be wrong, and both are the defaults");
    // The limit comes after the layer, and so is inside of it: polls are answered before it.
    let layers =
        ServiceBuilder::new().layer(respond_async).layer(GlobalConcurrencyLimitLayer::new(PLACES));
    let routes = Router::new()
        .route("/greetings", post(greet))
        .route("/reports", post(build_report))
        .route("/imports", post(import))
        .route("/payments", post(charge))
        .route("/videos", post(render));
    Router::new().fallback_service(layers.service(routes))
}

async fn greet(name: String) -> String {
    format!("Hello, {name}!\n")
}

async fn build_report() -> impl IntoResponse {
    sleep(Duration::from_millis(900)).await;
    let fields = [(header::CONTENT_TYPE, "text/csv"), (header::LOCATION, "/reports/7")];
    (StatusCode::CREATED, fields, "product,sold\napples,1200\npears,340\n")
}

/// The only handler that knows of the layer; it would work as well without it.
async fn import() -> impl IntoResponse {
    let operation = Operation::current();
    for row in (0..ROWS).step_by(100) {
        operation.progress(f64::from(row) / f64::from(ROWS));
        operation.message(format!("row {row} of {ROWS}"));
        sleep(Duration::from_millis(250)).await;
    }
    Json(json!({ "imported": ROWS }))
}

async fn charge() -> impl IntoResponse {
    sleep(Duration::from_millis(700)).await;
    (StatusCode::PAYMENT_REQUIRED, Json(json!({ "error": "the card was declined" })))
}

async fn render() -> &'static str {
    sleep(Duration::from_secs(3_600)).await;
    "rendered\n"
}
