//! A replica of a service: start several on one database, and ask any of them for any operation.
//!
//! ```text
//! export DATABASE_URL='host=localhost user=me dbname=reports'
//! cargo run -p tower-respond-async-postgres --example replicas -- 3001 &
//! cargo run -p tower-respond-async-postgres --example replicas -- 3002 &
//!
//! curl -i -X POST http://127.0.0.1:3001/reports
//! curl -i http://127.0.0.1:3002/operations/…/result     # the Location of the answer
//! ```
//!
//! Kill the first with `kill -9` while it works on a report: the second one says what became of it.

use std::{error::Error, net::Ipv4Addr, time::Duration};

use axum::{Router, routing::post};
use tokio::{net::TcpListener, time::sleep};
use tokio_postgres::{Config, NoTls};
use tower::Layer;
use tower_respond_async::RespondAsyncLayer;
use tower_respond_async_postgres::{PostgresStore, Schema, Settings};

/// How long accepted calls are given to end when the server is stopped.
const GRACE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config: Config = std::env::var("DATABASE_URL")?.parse()?;
    migrate(&config).await?;
    let store = PostgresStore::new(config, NoTls, Settings::default());
    // A service that starts without its database would accept nothing; better to hear of it now.
    store.ready().await?;

    let layer = RespondAsyncLayer::builder(Duration::from_secs(1)).store(store).build()?;
    let handle = layer.handle();
    let routes = Router::new().route("/reports", post(build_report));
    let app = Router::new().fallback_service(layer.layer(routes));

    let port = std::env::args().nth(1).map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            _ = tokio::signal::ctrl_c().await;
            println!("stopped: {}", handle.drain(GRACE).await);
        })
        .await?;
    Ok(())
}

/// Here for brevity: where services may not create tables, whoever deploys them does this.
async fn migrate(config: &Config) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    PostgresStore::migrate(&client, &Schema::default()).await
}

/// A handler that is slow, and knows of no database.
async fn build_report() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "product,sold\napples,1200\npears,340\n"
}
