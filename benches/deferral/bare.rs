//! The same traffic without any deferral.

use std::{convert::Infallible, future::ready};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    routing::{get, post},
};
use bytes::Bytes;
use http::{Response, header};
use tokio::time::sleep;
use tower::service_fn;
use tower_service::Service;

use crate::{
    variants::DEADLINE,
    work::{ORDER, report},
};

/// As long as a status document of ours.
const DOCUMENT: &[u8; 307] = &[b'x'; 307];

/// A handler that takes until the deadline, and answers to `GET` that are made beforehand.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/reports/{lane}", post(create))
        .route("/operations/{id}", get(async || document()))
        .route("/operations/{id}/result", get(async || report::<Body>()))
}

async fn create(Path(lane): Path<usize>, order: Bytes) -> Response<Body> {
    assert_eq!(order, &ORDER[..], "the request of lane {lane} arrived whole");
    sleep(DEADLINE).await;
    report()
}

/// Answers as fast as anything can: what is left is the price of asking.
pub(crate) fn at_once() -> impl Service<
    Request,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send {
    service_fn(|_| ready(Ok(Response::new(Body::empty()))))
}

fn document() -> Response<Body> {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from_static(DOCUMENT).into())
        .expect("all parts are valid")
}
