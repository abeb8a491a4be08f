//! The steps as the layer offers them.

use std::time::Duration;

use axum::{Router, body::Body, extract::Path, routing::post};
use bytes::Bytes;
use tower_layer::Layer;
use tower_respond_async::{RespondAsync, RespondAsyncLayer};

use crate::{variants::DEADLINE, work::Work};

/// The layer around an application.
pub(crate) fn service(work: Work) -> RespondAsync<Router> {
    layer().layer(routes(work))
}

/// The same, within a `Router` again.
pub(crate) fn router(work: Work) -> Router {
    Router::new().fallback_service(service(work))
}

fn layer() -> RespondAsyncLayer {
    let builder = RespondAsyncLayer::builder(DEADLINE).max_parked(usize::MAX);
    // What is measured is one poll after the other, which would otherwise wait for their turn.
    builder.read_interval(Duration::ZERO).build().expect("the settings are valid")
}

fn routes(work: Work) -> Router {
    let handler = move |Path(lane): Path<usize>, order: Bytes| work.run::<Body>(lane, order);
    Router::new().route("/reports/{lane}", post(handler))
}
