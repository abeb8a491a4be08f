//! The layer over real connections: HTTP/1.1 and HTTP/2 on the loopback interface.

#[path = "../support/mod.rs"]
mod support;

mod connections;
mod trailers;
mod uploads;

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tower_respond_async::RespondAsyncLayer;

use self::support::{Accepted, bare, post, serve};

const DEADLINE: Duration = Duration::from_millis(50);

/// Serves `app` behind the layer.
async fn deferring(app: Router) -> SocketAddr {
    serve(app.layer(RespondAsyncLayer::after(DEADLINE))).await
}

/// Returns when a call that began before has long been late: a call that begins now has been
/// accepted, by a layer with four times the deadline.
async fn past_the_deadline() {
    let slower = RespondAsyncLayer::after(DEADLINE * 4);
    let app = bare(&slower, |_| std::future::pending());
    Accepted::of(post(&app, "/control").await);
}
