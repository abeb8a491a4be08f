//! A server to try with curl: one handler that knows nothing of the layer, and one that does.
//!
//! ```text
//! cargo run --example axum                  # on port 3000; `-- --port 0` takes a free one
//!
//! curl -i -X POST http://127.0.0.1:3000/reports
//! curl -i http://127.0.0.1:3000/operations/…/result     # the Location of the answer
//! ```
//!
//! Stop it with Ctrl-C or SIGTERM: calls that were accepted are finished first, and can be asked for
//! until then.

use std::{error::Error, net::Ipv4Addr, time::Duration};

use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};
use tower::Layer;
use tower_respond_async::{Operation, RespondAsyncLayer};

/// How long accepted calls are given to end when the server is stopped.
const GRACE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = RespondAsyncLayer::after(Duration::from_secs(1));
    let handle = layer.handle();
    let routes =
        Router::new().route("/reports", post(build_report)).route("/imports", post(import));
    // Around the whole application, so that it answers under `/operations` besides.
    let app = Router::new().fallback_service(layer.layer(routes));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port()?)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            told_to_stop().await;
            let drained = handle.drain(GRACE).await;
            println!("stopped: {drained}");
        })
        .await?;
    Ok(())
}

/// A handler as it was before: it is slow, and does not know that anybody minds.
async fn build_report() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "product,sold\napples,1200\npears,340\n"
}

/// A handler that makes use of being an operation. Without the layer it works just as well: then
/// what it says is heard by nobody, and it is never cancelled.
async fn import() -> Json<Value> {
    let operation = Operation::current();
    // It is never quick, so there is no point in letting the caller wait for a deadline.
    operation.defer_now();
    for percent in (0..100).step_by(10) {
        if operation.is_canceled() {
            // What a handler answers to a cancellation is the answer that its caller gets.
            return Json(json!({ "imported": percent * 10, "complete": false }));
        }
        operation.progress(f64::from(percent) / 100.0);
        operation.message(format!("row {} of 1000", percent * 10));
        sleep(Duration::from_millis(400)).await;
    }
    Json(json!({ "imported": 1000, "complete": true }))
}

/// The port behind `--port`, or 3000.
fn port() -> Result<u16, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(3000),
        (Some("--port"), Some(port)) => Ok(port.parse()?),
        _ => Err("usage: axum [--port PORT]".into()),
    }
}

/// Waits for Ctrl-C, or SIGTERM where there is such a thing.
async fn told_to_stop() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
