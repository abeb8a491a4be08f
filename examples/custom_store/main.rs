//! A store of one's own, and two replicas that share it.
//!
//! `store.rs` is the store: one table behind one mutex, to be read beside the documentation of
//! [`OperationStore`](tower_respond_async::store::OperationStore). Here it is given to two layers,
//! as two replicas of a service would share a database: a call that the first one accepted is asked
//! for at the second one, and cancelled there.
//!
//! ```text
//! cargo run --example custom_store
//! ```

mod store;

use std::{error::Error, time::Duration};

use axum::{Router, body::Body, routing::post};
use http::{Method, Request, StatusCode, header::LOCATION};
use http_body_util::BodyExt;
use tokio::time::sleep;
use tower::{Layer, ServiceExt};
use tower_respond_async::{RespondAsyncLayer, store::SharedStore};

use self::store::TableStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = SharedStore::new(TableStore::new());
    let (first, second) = (replica(store.clone())?, replica(store)?);

    println!("The first replica accepts a call, the second one has its answer:\n");
    let result = send(&first, Method::POST, "/reports", StatusCode::ACCEPTED).await?;
    send(&second, Method::GET, &result, StatusCode::ACCEPTED).await?;
    sleep(Duration::from_millis(1_100)).await;
    send(&second, Method::GET, &result, StatusCode::OK).await?;

    println!("Another call is cancelled at the second replica, which does not run it:\n");
    let result = send(&first, Method::POST, "/videos", StatusCode::ACCEPTED).await?;
    send(&second, Method::DELETE, &result, StatusCode::ACCEPTED).await?;
    // The first one is told by its next heartbeat, of which there are three in each lease.
    sleep(LEASE / 3 * 2).await;
    send(&second, Method::GET, &result, StatusCode::GONE).await?;
    Ok(())
}

/// Short, since this program waits for a heartbeat; 15 seconds by default.
const LEASE: Duration = Duration::from_millis(1_500);

fn replica(store: SharedStore) -> Result<Router, Box<dyn Error>> {
    let layer = RespondAsyncLayer::builder(Duration::from_millis(200))
        .store(store)
        .lease(LEASE)
        .store_timeout(LEASE / 3)
        .build()?;
    layer.handle().start();
    let routes = Router::new().route("/reports", post(build_report)).route("/videos", post(render));
    Ok(Router::new().fallback_service(layer.layer(routes)))
}

async fn build_report() -> &'static str {
    sleep(Duration::from_secs(1)).await;
    "12 apples, 3 pears"
}

async fn render() -> &'static str {
    sleep(Duration::from_secs(3_600)).await;
    "rendered"
}

/// Sends a request, prints the exchange, and returns the `Location` of the answer, if it has one.
async fn send(
    replica: &Router,
    method: Method,
    path: &str,
    expected: StatusCode,
) -> Result<String, Box<dyn Error>> {
    println!("  --> {method} {path}");
    let request = Request::builder().method(method).uri(path).body(Body::empty())?;
    let (parts, body) = replica.clone().oneshot(request).await?.into_parts();
    println!("  <-- {}", parts.status);
    let body = body.collect().await?.to_bytes();
    if parts.status != StatusCode::ACCEPTED {
        println!("      {}", String::from_utf8_lossy(&body));
    }
    println!();
    if parts.status != expected {
        return Err(format!("{expected} was expected").into());
    }
    let location = parts.headers.get(LOCATION).map(|location| location.to_str());
    Ok(location.transpose()?.unwrap_or_default().to_owned())
}
