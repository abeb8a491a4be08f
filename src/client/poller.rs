//! How one call's polls are sent.

use std::{future::poll_fn, marker::PhantomData, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::{bodies::MakeBody, call::Call, options::Options};

/// The inner service, and the call on whose behalf it is asked.
pub(super) struct Poller<S, B, M> {
    inner: S,
    bodies: M,
    pub(super) call: Arc<Call>,
    pub(super) options: Arc<Options>,
    body: PhantomData<fn() -> B>,
}

// === impl Poller ===

impl<S, B, M> Poller<S, B, M> {
    pub(super) fn new(inner: S, bodies: M, call: Call, options: Arc<Options>) -> Self {
        Self { inner, bodies, call: Arc::new(call), options, body: PhantomData }
    }

    /// Asks. An error is not told: whatever it is, it is not the call's. `None` if there can be no body with
    /// this content.
    pub(super) fn ask<R>(
        &self,
        request: Request<()>,
        content: Bytes,
    ) -> impl Future<Output = Option<Result<Response<R>, ()>>> + Send + use<S, B, M, R>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
        M: MakeBody<B>,
    {
        let mut inner = self.inner.clone();
        let request = self.bodies.make(content).map(|body| request.map(|()| body));
        async move {
            let request = request?;
            if poll_fn(|cx| inner.poll_ready(cx)).await.is_err() {
                return Some(Err(()));
            }
            Some(inner.call(request).await.map_err(drop))
        }
    }
}

impl<S: Clone, B, M: Clone> Clone for Poller<S, B, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            bodies: self.bodies.clone(),
            call: Arc::clone(&self.call),
            options: Arc::clone(&self.options),
            body: PhantomData,
        }
    }
}
