//! The layer over real connections: HTTP/1.1 and HTTP/2 on the loopback interface.

#[path = "../support/mod.rs"]
mod support;

mod connections;
mod trailers;
mod uploads;

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tower_respond_async::RespondAsyncLayer;

use self::support::serve;

const DEADLINE: Duration = Duration::from_millis(50);

/// Serves `app` behind the layer.
async fn deferring(app: Router) -> SocketAddr {
    serve(app.layer(RespondAsyncLayer::after(DEADLINE))).await
}
