//! A server whose accepted calls outlive it.
//!
//! ```text
//! cargo run -p tower-respond-async-fjall --example durable -- /tmp/operations    # on port 3000
//!
//! curl -i -X POST http://127.0.0.1:3000/reports     # 202 after a second, with a Location
//! curl -i http://127.0.0.1:3000/operations/…/result
//! ```
//!
//! Kill it with `kill -9`, start it again and ask again: a result that was there is there, and a call
//! that was running is told as lost once the new process has been up for one lease.

use std::{env, error::Error, net::Ipv4Addr, time::Duration};

use axum::{Router, routing::post};
use tokio::{net::TcpListener, time::sleep};
use tower_layer::Layer;
use tower_respond_async::RespondAsyncLayer;
use tower_respond_async_fjall::FjallStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args().nth(1).ok_or("usage: durable DIRECTORY [PORT]")?;
    let port = env::args().nth(2).map_or(Ok(3000), |port| port.parse())?;
    let store = FjallStore::open(directory)?;
    let layer = RespondAsyncLayer::builder(Duration::from_secs(1)).store(store).build()?;
    let handle = layer.handle();
    // What the former process left is seen to from now on, and not only from the first late call on.
    handle.start();
    let routes = Router::new().route("/reports", post(build_report));
    let app = Router::new().fallback_service(layer.layer(routes));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            println!("stopped: {}", handle.drain(Duration::from_secs(30)).await);
        })
        .await?;
    Ok(())
}

async fn build_report() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "product,sold\napples,1200\npears,340\n"
}
