use std::{fmt, sync::Arc};

use tower_layer::Layer;

use crate::{
    body::Wrap, guard::Guard, handle::Handle, service::RespondAsync, status::StatusService,
};

/// Answers calls that are late with `202 Accepted`, carries them on, and keeps their responses.
///
/// [`after`](Self::after) is complete; everything else is set by the [`builder`](Self::builder).
/// The layer wraps any service of HTTP requests that can be cloned and sent to another task; see
/// the [crate's documentation](crate) for where it belongs among other layers.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::post};
/// use tower::Layer;
/// use tower_respond_async::RespondAsyncLayer;
///
/// async fn build_report() -> &'static str {
///     "the report"
/// }
///
/// let routes = Router::new().route("/reports", post(build_report));
/// let layer = RespondAsyncLayer::after(Duration::from_secs(2));
/// let app: Router = Router::new().fallback_service(layer.layer(routes));
/// # drop(app);
/// ```
#[derive(Clone)]
pub struct RespondAsyncLayer<M = Wrap> {
    guard: Arc<Guard>,
    wrap: M,
}

// === impl RespondAsyncLayer ===

impl<M> RespondAsyncLayer<M> {
    pub(crate) fn new(guard: Arc<Guard>, wrap: M) -> Self {
        Self { guard, wrap }
    }

    /// A handle to drain the layer, and to watch it.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.guard))
    }

    /// A service that answers for the operations of this layer, to be mounted where the layer
    /// itself is not reached.
    pub fn status_service(&self) -> StatusService {
        StatusService::new(Arc::clone(&self.guard.status))
    }
}

impl<S, M: Clone> Layer<S> for RespondAsyncLayer<M> {
    type Service = RespondAsync<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        RespondAsync::new(inner, Arc::clone(&self.guard), self.wrap.clone())
    }
}

impl<M> fmt::Debug for RespondAsyncLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RespondAsyncLayer").field("guard", &self.guard).finish_non_exhaustive()
    }
}
