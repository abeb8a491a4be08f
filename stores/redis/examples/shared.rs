//! A server whose operations are kept in Redis, so that every replica of it answers for all.
//!
//! ```text
//! cargo run -p tower-respond-async-redis --example shared -- redis://127.0.0.1/ 3000
//! cargo run -p tower-respond-async-redis --example shared -- redis://127.0.0.1/ 3001
//!
//! curl -i -X POST http://127.0.0.1:3000/reports         # 202, with a Location
//! curl -i http://127.0.0.1:3001/operations/…/result     # asked for at the other one
//! ```
//!
//! End the first one before the report is made, with SIGKILL, and the second one says that it was
//! lost, within half a minute.

use std::{env, error::Error, net::Ipv4Addr, time::Duration};

use axum::{Router, routing::post};
use tokio::{net::TcpListener, time::sleep};
use tower::Layer;
use tower_respond_async::RespondAsyncLayer;
use tower_respond_async_redis::{RedisStore, redis::Client};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "redis://127.0.0.1/".to_owned());
    let port = arguments.next().map_or(Ok(3000), |port| port.parse())?;

    let store = RedisStore::builder(Client::open(url)?).namespace("reports").build()?;
    let layer = RespondAsyncLayer::builder(Duration::from_secs(1)).store(store).build()?;
    let handle = layer.handle();
    // From now on this replica renews its lease, and takes over from those that ended.
    handle.start();
    let routes = Router::new().route("/reports", post(build_report));
    let app = Router::new().fallback_service(layer.layer(routes));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            _ = tokio::signal::ctrl_c().await;
            handle.drain(Duration::from_secs(30)).await;
        })
        .await?;
    Ok(())
}

async fn build_report() -> &'static str {
    sleep(Duration::from_secs(20)).await;
    "product,sold\napples,1200\npears,340\n"
}
