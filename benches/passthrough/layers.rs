//! The two layers that no crate offers: one that does nothing, and the one that people write by
//! hand.

use std::{
    convert::Infallible,
    future::Future,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::sleep;
use tower_layer::Layer;
use tower_service::Service;

use crate::variants::DEADLINE;

/// Wraps a service in [`NoOp`].
///
/// As large as a layer with one setting: axum boxes layers, and a box of nothing costs nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoOpLayer {
    _setting: Duration,
}

/// Hands on every call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoOp<S> {
    inner: S,
}

// === impl NoOpLayer ===

impl NoOpLayer {
    pub(crate) fn new() -> Self {
        Self { _setting: DEADLINE }
    }
}

impl<S> Layer<S> for NoOpLayer {
    type Service = NoOp<S>;

    fn layer(&self, inner: S) -> NoOp<S> {
        NoOp { inner }
    }
}

// === impl NoOp ===

impl<S, R> Service<R> for NoOp<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.inner.call(request)
    }
}

/// Runs each call of `inner` as a task of its own, so that it outlives the caller's patience.
///
/// What would answer the caller when the deadline passes is left out: it never does here.
pub(crate) fn spawn_select<S, R>(
    mut inner: S,
) -> impl Service<
    R,
    Response = S::Response,
    Error = Infallible,
    Future = impl Future<Output = Result<S::Response, Infallible>> + Send + use<S, R>,
> + Clone
+ Send
+ Sync
+ use<S, R>
where
    S: Service<R, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    tower::service_fn(move |request: R| {
        let mut task = tokio::spawn(inner.call(request));
        async move {
            tokio::select! {
                answer = &mut task => answer.expect("the inner service does not panic"),
                () = sleep(DEADLINE) => unreachable!("no call takes this long"),
            }
        }
    })
}
